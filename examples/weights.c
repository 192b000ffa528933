// SPDX-License-Identifier: MIT
/*
 * weights FILE  A program that computes with the weights in a file, by the HSA runtime. It has them in
 * VRAM without loading them: gmmap_map_file() says that the buffer is the file, and the GPU reads what
 * it touches. With HIP the buffer would come from hipMalloc(), the rest is the same.
 *
 * In place of computing, the GPU copies three parts back, which are compared with the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include <gmmap.h>

#define PART_BYTES 65536

struct gpu {
	hsa_agent_t agent;
	hsa_amd_memory_pool_t vram;
};

static void check_hsa(hsa_status_t status, const char *what)
{
	const char *text = "?";

	if (status == HSA_STATUS_SUCCESS || status == HSA_STATUS_INFO_BREAK)
		return;
	hsa_status_string(status, &text);
	fprintf(stderr, "%s: %s\n", what, text);
	exit(1);
}

static void check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	exit(1);
}

static hsa_status_t take_pool(hsa_amd_memory_pool_t pool, void *data)
{
	bool allowed = false;

	check_hsa(hsa_amd_memory_pool_get_info(
			  pool, HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_ALLOWED, &allowed),
		  "pool");
	if (!allowed)
		return HSA_STATUS_SUCCESS;
	*(hsa_amd_memory_pool_t *)data = pool;
	return HSA_STATUS_INFO_BREAK;
}

static hsa_status_t take_gpu(hsa_agent_t agent, void *data)
{
	struct gpu *gpu = data;
	hsa_device_type_t type;

	check_hsa(hsa_agent_get_info(agent, HSA_AGENT_INFO_DEVICE, &type), "agent");
	if (type != HSA_DEVICE_TYPE_GPU)
		return HSA_STATUS_SUCCESS;
	gpu->agent = agent;
	check_hsa(hsa_amd_agent_iterate_memory_pools(agent, take_pool, &gpu->vram), "pools");
	return HSA_STATUS_INFO_BREAK;
}

/* What a kernel would do: the GPU reads a part of the weights. */
static void gpu_reads(const struct gpu *gpu, void *to, const void *weights)
{
	hsa_signal_t done;
	void *host = NULL;

	check_hsa(hsa_amd_memory_lock(to, PART_BYTES, NULL, 0, &host), "lock");
	check_hsa(hsa_signal_create(1, 0, NULL, &done), "signal");
	check_hsa(hsa_amd_memory_async_copy(host, gpu->agent, weights, gpu->agent, PART_BYTES, 0, NULL,
					    done),
		  "copy");
	hsa_signal_wait_scacquire(done, HSA_SIGNAL_CONDITION_LT, 1, UINT64_MAX,
				  HSA_WAIT_STATE_BLOCKED);
	hsa_signal_destroy(done);
	hsa_amd_memory_unlock(to);
}

static void compare(const struct gpu *gpu, const char *weights, int fd, off_t offset)
{
	char *from_gpu = malloc(PART_BYTES), *from_file = malloc(PART_BYTES);

	gpu_reads(gpu, from_gpu, weights + offset);
	if (pread(fd, from_file, PART_BYTES, offset) != PART_BYTES)
		check(-EIO, "the file");
	if (memcmp(from_gpu, from_file, PART_BYTES)) {
		fprintf(stderr, "the GPU read something else at %lld\n", (long long)offset);
		exit(1);
	}
	free(from_gpu);
	free(from_file);
}

static void print_loaded(int session, uint64_t mapping, const char *when)
{
	struct gmmap_stat stat;

	check(gmmap_stat(session, mapping, &stat), "gmmap_stat");
	printf("%-16s %5llu of %llu MiB are loaded, %llu page faults of the GPU\n", when,
	       (unsigned long long)stat.file_bytes >> 20,
	       (unsigned long long)stat.granules * PART_BYTES >> 20,
	       (unsigned long long)stat.acknowledged_faults);
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	struct gmmap_range all;
	uint64_t mapping;
	struct gpu gpu = { 0 };
	void *weights = NULL;
	struct stat file;
	char reason[256];
	int session, ret;

	if (fd < 0 || fstat(fd, &file) || file.st_size < 3 * PART_BYTES) {
		fprintf(stderr, "usage: weights FILE, of at least %d bytes\n", 3 * PART_BYTES);
		return 2;
	}
	check_hsa(hsa_init(), "hsa_init");
	check_hsa(hsa_iterate_agents(take_gpu, &gpu), "agents");
	check_hsa(hsa_amd_memory_pool_allocate(gpu.vram, (size_t)file.st_size, 0, &weights),
		  "allocation");

	session = gmmap_open();
	check(session, "gmmap_open");
	ret = gmmap_map_file(session, weights, (size_t)file.st_size, fd, 0, 0, &mapping);
	if (ret == -EOPNOTSUPP && gmmap_check_code(0, reason, sizeof(reason)))
		fprintf(stderr, "%s\n", reason);
	check(ret, "gmmap_map_file");
	print_loaded(session, mapping, "at once:");

	compare(&gpu, weights, fd, file.st_size - PART_BYTES);
	compare(&gpu, weights, fd, file.st_size / 2);
	compare(&gpu, weights, fd, 0);
	print_loaded(session, mapping, "three parts:");

	/* The rest comes in the background; the GPU need not wait for it. */
	all = (struct gmmap_range){ .mapping_id = mapping };
	check(gmmap_populate(session, &all, 1, NULL), "gmmap_populate");
	check(gmmap_wait(session, mapping, 0, 0, -1), "gmmap_wait");
	compare(&gpu, weights, fd, file.st_size / 3);
	printf("populated:       all %lld MiB are loaded\n", (long long)file.st_size >> 20);

	close(session);
	hsa_amd_memory_pool_free(weights);
	hsa_shut_down();
	return 0;
}
