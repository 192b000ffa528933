// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults arrive here in the hard interrupt. A fault is looked up, joined to the load of its granule
 * or made a new one, and that is all: constant time, nothing allocated, nothing waited for.
 */
#include <linux/slab.h>

#include "gpu.h"
#include "mapping.h"

/**
 * gmmap_gpu_init() - make a GPU ready for faults
 * @gpu: all zeros but for @cpu and @gpu_address of its slots
 * @ops: the glue
 */
void gmmap_gpu_init(struct gmmap_gpu *gpu, const struct gmmap_gpu_ops *ops)
{
	unsigned int i;

	gpu->ops = ops;
	mt_init_flags(&gpu->ranges, MT_FLAGS_USE_RCU);
	spin_lock_init(&gpu->lock);
	INIT_LIST_HEAD(&gpu->demand);
	INIT_LIST_HEAD(&gpu->delayed);
	INIT_LIST_HEAD(&gpu->fills);
	INIT_LIST_HEAD(&gpu->idle_slots);
	hash_init(gpu->loads);
	INIT_DELAYED_WORK(&gpu->retry, gmmap_load_retry);
	for (i = 0; i < GMMAP_CAM_ENTRIES; i++)
		INIT_LIST_HEAD(&gpu->ivs[i].link);
	for (i = 0; i < GMMAP_SLOTS; i++) {
		struct gmmap_slot *slot = &gpu->slots[i];

		slot->gpu = gpu;
		INIT_WORK(&slot->work, gmmap_load_worker);
		list_add_tail(&slot->idle, &gpu->idle_slots);
	}
}

/**
 * gmmap_gpu_destroy() - end a GPU that gets no faults any more and has no mappings
 * @gpu: the GPU
 *
 * Context: may sleep.
 */
void gmmap_gpu_destroy(struct gmmap_gpu *gpu)
{
	unsigned int i;

	cancel_delayed_work_sync(&gpu->retry);
	for (i = 0; i < GMMAP_SLOTS; i++) {
		cancel_work_sync(&gpu->slots[i].work);
		kfree(gpu->slots[i].spare);
	}
	mtree_destroy(&gpu->ranges);
}

static void acknowledge(struct gmmap_gpu *gpu, struct gmmap_mapping *mapping, u32 cam_index)
{
	gpu->ops->acknowledge(gpu, cam_index);
	mapping->stat.acknowledged++;
}

/* Has a load remember the IV, which is acknowledged when the load ends. */
static void join(struct gmmap_gpu *gpu, struct gmmap_load *load, u32 cam_index)
{
	struct gmmap_iv *iv = &gpu->ivs[cam_index];

	iv->count++;
	if (list_empty(&iv->link))
		list_add_tail(&iv->link, &load->ivs);
}

static void start_load(struct gmmap_gpu *gpu, struct gmmap_mapping *mapping, u32 granule,
		       u32 cam_index)
{
	struct gmmap_load *load = &gpu->ivs[cam_index].load;

	gmmap_load_begin(load, mapping, granule);
	join(gpu, load, cam_index);
	list_add_tail(&load->queue, &gpu->demand);
	gmmap_load_kick(gpu);
}

/* Returns false for a fault that the driver shall handle. */
static bool take_fault(struct gmmap_gpu *gpu, struct gmmap_mapping *mapping, u32 granule,
		       u32 cam_index)
{
	struct gmmap_load *load;

	mapping->stat.faults++;
	if (mapping->life == GMMAP_LIVE) {
		switch (mapping->states[granule]) {
		case GMMAP_FAILED:
			mapping->stat.refused++;
			return false;
		case GMMAP_LOADING:
			load = gmmap_load_find(gpu, mapping, granule);
			mapping->stat.joined++;
			join(gpu, load, cam_index);
			return true;
		case GMMAP_ABSENT:
			/* An index that is in use belongs to an IV that came twice. */
			if (gpu->ivs[cam_index].count)
				break;
			start_load(gpu, mapping, granule, cam_index);
			return true;
		default:
			if (!mapping->detached)
				break;
			mapping->stat.refused++;
			return false;
		}
	}
	mapping->stat.stale++;
	acknowledge(gpu, mapping, cam_index);
	return true;
}

/**
 * gmmap_gpu_fault() - handle a retry fault
 * @gpu: where it was raised
 * @pasid: of the address space
 * @address: in it
 * @cam_index: to be acknowledged, less than GMMAP_CAM_ENTRIES
 *
 * Context: any, hard interrupt included.
 * Return: true if the fault is or will be acknowledged here; false if it is not ours.
 */
bool gmmap_gpu_fault(struct gmmap_gpu *gpu, u32 pasid, u64 address, u32 cam_index)
{
	struct gmmap_mapping *mapping;
	unsigned long flags;
	bool taken = false;

	rcu_read_lock();
	mapping = mtree_load(&gpu->ranges, gmmap_range_key(pasid, address));
	if (mapping) {
		u32 granule = (address - mapping->address) >> GMMAP_GRANULE_SHIFT;

		spin_lock_irqsave(&gpu->lock, flags);
		taken = take_fault(gpu, mapping, granule, cam_index);
		spin_unlock_irqrestore(&gpu->lock, flags);
	}
	rcu_read_unlock();
	return taken;
}
