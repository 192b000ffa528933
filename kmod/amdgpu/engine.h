/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies to VRAM by the copy engines of the kernel. */
#ifndef GMMAP_AMDGPU_ENGINE_H
#define GMMAP_AMDGPU_ENGINE_H

#include <drm/gpu_scheduler.h>
#include <linux/mutex.h>

#include "driver.h"

struct dma_fence;

/**
 * struct gmmap_engine - a queue of a copy engine that only gmmap uses
 * @adev: the driver's device
 * @entity: the queue
 * @lock: keeps jobs in the order of their fences, see drm_sched_job_arm()
 */
struct gmmap_engine {
	struct amdgpu_device *adev;
	struct drm_sched_entity entity;
	struct mutex lock; /* see above */
};

/**
 * struct gmmap_batch - copies that are handed to an engine together
 * @engine: which
 * @job: the driver's, or NULL
 * @count: of packets in it
 */
struct gmmap_batch {
	struct gmmap_engine *engine;
	struct amdgpu_job *job;
	u32 count;
};

int gmmap_engine_init(struct gmmap_engine *engine, struct amdgpu_device *adev,
		      unsigned int index, enum drm_sched_priority priority);
void gmmap_engine_destroy(struct gmmap_engine *engine);

int gmmap_batch_copy(struct gmmap_batch *batch, u64 from, u64 to, u32 bytes);
int gmmap_batch_zero(struct gmmap_batch *batch, u64 to, u32 bytes);
int gmmap_batch_run(struct gmmap_batch *batch);
void gmmap_batch_cancel(struct gmmap_batch *batch);

#endif
