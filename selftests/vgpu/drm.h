/* SPDX-License-Identifier: MIT */
/* A graphics VM of a render node: buffers, a context, and command submission to the kernel's rings. */
#ifndef SELFTESTS_DRM_H
#define SELFTESTS_DRM_H

#include <stdbool.h>
#include <stdint.h>
#include <drm/amdgpu_drm.h>

struct drm {
	int fd;
	uint32_t context;
	uint64_t next_va; /* addresses are given once and never again */
};

struct drm_bo {
	uint32_t handle;
	uint64_t va;
	uint64_t bytes;
	void *cpu;
};

/* Opens renderD<minor>. Skips the test if it is not there or belongs to another driver. */
void drm_open(struct drm *drm, uint32_t render_minor);
void drm_close(struct drm *drm);

/* domain: AMDGPU_GEM_DOMAIN_VRAM or _GTT; mapped on the GPU and on the CPU */
void drm_bo_create(struct drm *drm, struct drm_bo *bo, uint64_t bytes, uint32_t domain);
void drm_bo_destroy(struct drm *drm, struct drm_bo *bo);
/* Addresses that no buffer has or will have. */
uint64_t drm_reserve_va(struct drm *drm, uint64_t bytes);

/* An indirect buffer: packets of SDMA (AMDGPU_HW_IP_DMA) or PM4 (AMDGPU_HW_IP_COMPUTE). */
struct drm_ib {
	const struct drm_bo *bo;
	uint64_t offset;
	uint32_t dwords;
	uint32_t ip_type;
};

/* Returns the fence's sequence number. bos: what the packets touch, besides the IB itself. */
uint64_t drm_submit(struct drm *drm, const struct drm_ib *ib, const struct drm_bo *const *bos,
		    unsigned int bo_count);
/* Returns whether the submission has finished; fails the test if the kernel cancelled it. */
bool drm_wait(struct drm *drm, uint32_t ip_type, uint64_t sequence, unsigned int limit_ms);

#endif
