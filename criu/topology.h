/* SPDX-License-Identifier: MIT */
/* The GPUs of this machine as KFD describes them, and which of them takes the place of another. */
#ifndef GMMAP_CRIU_TOPOLOGY_H
#define GMMAP_CRIU_TOPOLOGY_H

#include <stdint.h>

#define MAX_GPUS 64

/* Part of the image, so it does not change. */
struct gpu {
	uint32_t gpu_id; /* here: this machine's; in the image: the one that the process knows */
	uint32_t gfx_target_version;
	uint32_t vendor_id;
	uint32_t device_id;
	uint32_t simd_count;
	uint32_t render_minor;
	uint64_t vram_bytes;
};

struct topology {
	struct gpu gpus[MAX_GPUS];
	unsigned int count;
};

/* Returns 0, or -1 after an error was logged. */
int topology_read(struct topology *topology);
const struct gpu *topology_find(const struct topology *topology, uint32_t gpu_id);

/*
 * Whether code and state of one GPU work on another: the same kind, no less memory.
 */
int gpu_can_replace(const struct gpu *gpu, const struct gpu *wanted);

#endif
