// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's own amdgpu_copy_buffer() has one queue for everybody and can do nothing but copy.
 * Demand and fills have a queue each here, on different engines where there are two, so that a
 * fault does not wait for what is fetched ahead.
 *
 * Jobs have no reservation object: its fences would include KFD's eviction fence, and waiting for
 * that evicts the process.
 */
#include <linux/align.h>
#include <linux/dma-fence.h>
#include <linux/err.h>

#include "engine.h"

/* As AMDGPU_FENCE_OWNER_UNDEFINED, which waits for nobody. */
#define OWNER_UNDEFINED		((void *)0ul)

/* Packets of the SDMA engine, versions 4.x; see sdma_v4_0_emit_copy_buffer(), _fill_buffer(). */
#define COPY_LINEAR		1
#define CONST_FILL		11
#define PACKET_DWORDS		7	/* the larger one's */
#define MAX_PACKETS		64
#define MAX_BYTES		BIT(22)	/* amdgpu_buffer_funcs.copy_max_bytes, .fill_max_bytes */
#define IB_ALIGN_DWORDS		8	/* of its length; NOPs are 0 */
#define IB_DWORDS		ALIGN(MAX_PACKETS * PACKET_DWORDS, IB_ALIGN_DWORDS)

/**
 * gmmap_engine_init() - make a queue
 * @engine: the queue
 * @adev: the driver's device
 * @index: which one of the engines that write page tables, if there are so many
 * @priority: among the queues of the engine
 *
 * Context: may sleep.
 * Return: 0, -ENODEV if the engines are not there, -ENOMEM.
 */
int gmmap_engine_init(struct gmmap_engine *engine, struct amdgpu_device *adev,
		      unsigned int index, enum drm_sched_priority priority)
{
	u32 engines = *amdgpu_device__vm_manager_vm_pte_num_scheds(adev);
	struct drm_gpu_scheduler **scheds = amdgpu_device__vm_manager_vm_pte_scheds(adev);

	if (!engines)
		return -ENODEV;
	engine->adev = adev;
	mutex_init(&engine->lock);
	return drm_sched_entity_init(&engine->entity, priority, &scheds[index % engines], 1, NULL);
}

/* Context: may sleep; no copy is under way. */
void gmmap_engine_destroy(struct gmmap_engine *engine)
{
	drm_sched_entity_destroy(&engine->entity);
	mutex_destroy(&engine->lock);
}

/* The one IB of a job. */
static struct amdgpu_ib *ib_of(struct amdgpu_job *job)
{
	return amdgpu_job__ibs(job);
}

static int begin(struct gmmap_batch *batch)
{
	struct gmmap_engine *engine = batch->engine;
	int ret;

#ifdef AMDGPU_ABI_JOB_ID_LAST
	ret = amdgpu_call(amdgpu_job_alloc_with_ib)(engine->adev, &engine->entity,
						    OWNER_UNDEFINED, IB_DWORDS * 4,
						    AMDGPU_ABI_VALUE_AMDGPU_IB_POOL_DELAYED,
						    &batch->job, 0);
#else
	ret = amdgpu_call(amdgpu_job_alloc_with_ib)(engine->adev, &engine->entity,
						    OWNER_UNDEFINED, IB_DWORDS * 4,
						    AMDGPU_ABI_VALUE_AMDGPU_IB_POOL_DELAYED, 0,
						    &batch->job);
#endif
	if (ret)
		batch->job = NULL;
	else
		*amdgpu_ib__length_dw(ib_of(batch->job)) = 0;
	batch->count = 0;
	return ret;
}

/* Returns where to write a packet of so many dwords, or an ERR_PTR. */
static u32 *add_packet(struct gmmap_batch *batch, u32 dwords)
{
	struct amdgpu_ib *ib;
	u32 *packet;
	int ret = 0;

	if (batch->job && batch->count == MAX_PACKETS)
		ret = gmmap_batch_run(batch);
	if (!ret && !batch->job)
		ret = begin(batch);
	if (ret)
		return ERR_PTR(ret);
	ib = ib_of(batch->job);
	packet = *amdgpu_ib__ptr(ib) + *amdgpu_ib__length_dw(ib);
	*amdgpu_ib__length_dw(ib) += dwords;
	batch->count++;
	return packet;
}

/**
 * gmmap_batch_copy() - add a copy
 * @batch: where; only its engine is set before the first one
 * @from: address in the kernel's GPU address space
 * @to: the same
 * @bytes: at most 4 MiB
 *
 * Context: may sleep. If the batch is full, runs what is in it.
 * Return: 0, or the error of the memory or of the engine.
 */
int gmmap_batch_copy(struct gmmap_batch *batch, u64 from, u64 to, u32 bytes)
{
	u32 *packet = add_packet(batch, 7);

	if (IS_ERR(packet))
		return PTR_ERR(packet);
	packet[0] = COPY_LINEAR;
	packet[1] = bytes - 1;
	packet[2] = 0;
	packet[3] = lower_32_bits(from);
	packet[4] = upper_32_bits(from);
	packet[5] = lower_32_bits(to);
	packet[6] = upper_32_bits(to);
	return 0;
}

/* Adds zeros. @to and @bytes are multiples of 4; else as gmmap_batch_copy(). */
int gmmap_batch_zero(struct gmmap_batch *batch, u64 to, u32 bytes)
{
	u32 *packet = add_packet(batch, 5);

	if (IS_ERR(packet))
		return PTR_ERR(packet);
	packet[0] = CONST_FILL;
	packet[1] = lower_32_bits(to);
	packet[2] = upper_32_bits(to);
	packet[3] = 0;
	packet[4] = bytes - 1;
	return 0;
}

static void pad(struct amdgpu_ib *ib)
{
	u32 *length = amdgpu_ib__length_dw(ib);

	while (*length % IB_ALIGN_DWORDS)
		(*amdgpu_ib__ptr(ib))[(*length)++] = 0;
}

/* A reset of the GPU ends a copy before its time; afterwards it can be done again. */
static int error_of(int status)
{
	if (status >= 0)
		return 0;
	return status == -ECANCELED || status == -ETIME ? -EAGAIN : -EIO;
}

/**
 * gmmap_batch_run() - run what is in a batch and wait for the end
 * @batch: afterwards empty
 *
 * Context: may sleep.
 * Return: 0, -EAGAIN if a reset has ended it, -EIO; the engine has stopped using the memory in any
 * case.
 */
int gmmap_batch_run(struct gmmap_batch *batch)
{
	struct gmmap_engine *engine = batch->engine;
	struct dma_fence *fence;
	int ret;

	if (!batch->job)
		return 0;
	pad(ib_of(batch->job));
	mutex_lock(&engine->lock);
	fence = amdgpu_call(amdgpu_job_submit)(batch->job);
	mutex_unlock(&engine->lock);
	batch->job = NULL;
	dma_fence_wait(fence, false);
	ret = error_of(dma_fence_get_status(fence));
	dma_fence_put(fence);
	return ret;
}

/* Forgets what is in a batch. Context: may sleep. */
void gmmap_batch_cancel(struct gmmap_batch *batch)
{
	if (batch->job)
		amdgpu_call(amdgpu_job_free)(batch->job);
	batch->job = NULL;
}
