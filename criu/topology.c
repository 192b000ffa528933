// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "topology.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define NODES "/sys/class/kfd/kfd/topology/nodes"

/* The value of a line "NAME VALUE" of a file, 0 if there is none. */
static uint64_t property(const char *path, const char *name)
{
	unsigned long long value;
	uint64_t found = 0;
	char key[64];
	FILE *file = fopen(path, "re");

	if (!file)
		return 0;
	while (fscanf(file, "%63s %llu", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	fclose(file);
	return found;
}

/* Banks of heap types 1 and 2 are VRAM, with and without access by the CPU. */
static uint64_t vram_bytes(unsigned int node)
{
	uint64_t bytes = 0;
	char path[128];

	for (unsigned int bank = 0;; bank++) {
		uint64_t type;

		snprintf(path, sizeof(path), NODES "/%u/mem_banks/%u/properties", node, bank);
		if (access(path, R_OK))
			return bytes;
		type = property(path, "heap_type");
		if (type == 1 || type == 2)
			bytes += property(path, "size_in_bytes");
	}
}

static int read_gpu_id(unsigned int node, uint32_t *gpu_id)
{
	char path[128];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), NODES "/%u/gpu_id", node);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	n = fscanf(file, "%u", gpu_id);
	fclose(file);
	return n == 1 ? 0 : -EIO; /* a device cgroup may hide it */
}

int topology_read(struct topology *topology)
{
	topology->count = 0;
	for (unsigned int node = 0;; node++) {
		struct gpu *gpu = &topology->gpus[topology->count];
		uint32_t gpu_id = 0;
		char path[128];
		int ret = read_gpu_id(node, &gpu_id);

		if (ret == -ENOENT)
			break;
		if (ret || !gpu_id)
			continue;
		if (topology->count == MAX_GPUS)
			return log_error("more than %u GPUs", MAX_GPUS);
		snprintf(path, sizeof(path), NODES "/%u/properties", node);
		*gpu = (struct gpu){
			.gpu_id = gpu_id,
			.gfx_target_version = (uint32_t)property(path, "gfx_target_version"),
			.vendor_id = (uint32_t)property(path, "vendor_id"),
			.device_id = (uint32_t)property(path, "device_id"),
			.simd_count = (uint32_t)property(path, "simd_count"),
			.render_minor = (uint32_t)property(path, "drm_render_minor"),
			.vram_bytes = vram_bytes(node),
		};
		topology->count++;
	}
	return 0;
}

const struct gpu *topology_find(const struct topology *topology, uint32_t gpu_id)
{
	for (unsigned int i = 0; i < topology->count; i++)
		if (topology->gpus[i].gpu_id == gpu_id)
			return &topology->gpus[i];
	return NULL;
}

int gpu_can_replace(const struct gpu *gpu, const struct gpu *wanted)
{
	return gpu->gfx_target_version == wanted->gfx_target_version &&
	       gpu->vendor_id == wanted->vendor_id && gpu->device_id == wanted->device_id &&
	       gpu->simd_count == wanted->simd_count && gpu->vram_bytes >= wanted->vram_bytes;
}
