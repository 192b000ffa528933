// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults arrive here in the hard interrupt. A fault is looked up, joined to the load of its granule
 * or made a new one, and that is all: constant time, nothing allocated, nothing waited for.
 */
#include <linux/timekeeping.h>

#include "client.h"
#include "gpu.h"
#include "mapping.h"
#include "process.h"
#include "trace.h"

/**
 * gmmap_gpu_init() - make a GPU ready for faults
 * @gpu: all zeros
 * @ops: the glue
 */
void gmmap_gpu_init(struct gmmap_gpu *gpu, const struct gmmap_gpu_ops *ops)
{
	unsigned int i;

	gpu->ops = ops;
	mt_init_flags(&gpu->ranges, MT_FLAGS_USE_RCU);
	xa_init_flags(&gpu->clients, XA_FLAGS_LOCK_IRQ);
	spin_lock_init(&gpu->lock);
	hash_init(gpu->loads);
	for (i = 0; i < GMMAP_CAM_ENTRIES; i++)
		INIT_LIST_HEAD(&gpu->ivs[i].link);
}

/* Ends a GPU that gets no faults any more and has no clients. Context: may sleep. */
void gmmap_gpu_destroy(struct gmmap_gpu *gpu)
{
	xa_destroy(&gpu->clients);
	mtree_destroy(&gpu->ranges);
}

/*
 * Has a load remember the IV, which is acknowledged when the load ends. With the first one,
 * somebody waits for a load that so far nobody waited for.
 */
static void join(struct gmmap_gpu *gpu, struct gmmap_load *load, u32 cam_index, u64 now)
{
	struct gmmap_iv *iv = &gpu->ivs[cam_index];

	if (!iv->count++)
		iv->time_ns = now;
	if (!list_empty(&iv->link))
		return;
	if (load->cause == GMMAP_BY_FILL && list_empty(&load->ivs))
		load->mapping->client->demanding++;
	list_add_tail(&iv->link, &load->ivs);
}

/* How many granules next to one are loaded or being loaded, going up or down. */
static u32 loaded_run(const struct gmmap_mapping *mapping, u32 granule, int step)
{
	u32 n = 0;
	u32 i;

	for (i = granule + step; i < mapping->granules && n < GMMAP_CHUNK_GRANULES; i += step, n++)
		if (mapping->states[i] != GMMAP_PRESENT && mapping->states[i] != GMMAP_LOADING)
			break;
	return n;
}

/*
 * Fault-around: a program that comes to a granule from one that it has used will go on in that
 * direction. The longer it has, the more is brought in.
 */
static void choose_chunk(const struct gmmap_mapping *mapping, u32 granule, u32 *first, u32 *count)
{
	u32 before, behind, down;

	*first = granule;
	*count = 1;
	if (READ_ONCE(mapping->process->exact))
		return;
	before = loaded_run(mapping, granule, 1);
	behind = loaded_run(mapping, granule, -1);
	if (behind) {
		*count = gmmap_mapping_absent_run(mapping, granule,
						  min_t(u32, 2 * behind, GMMAP_CHUNK_GRANULES));
	} else if (before) {
		down = gmmap_mapping_absent_run_down(mapping, granule,
						     min_t(u32, 2 * before,
							   GMMAP_CHUNK_GRANULES));
		*first = granule - down + 1;
		*count = down;
	}
}

static void start_load(struct gmmap_gpu *gpu, struct gmmap_mapping *mapping, u32 granule,
		       u32 cam_index, u64 now)
{
	struct gmmap_load *load = &gpu->ivs[cam_index].load;
	u32 first, count;

	choose_chunk(mapping, granule, &first, &count);
	gmmap_load_begin(load, mapping, first, count, GMMAP_BY_GPU);
	join(gpu, load, cam_index, now);
	gmmap_load_demand(load);
}

static void tell_fault(const struct gmmap_mapping *mapping, u32 granule)
{
	struct gmmap_record record = {
		.type = GMMAP_RECORD_FAULT,
		.id = mapping->id,
		.offset = gmmap_granule_offset(granule),
		.length = gmmap_granule_bytes(mapping, granule),
		.gpu_id = mapping->client->gpu_id,
	};

	gmmap_process_tell(mapping->process, &record);
}

/* Returns false for a fault that the driver shall handle. */
static bool take_fault(struct gmmap_gpu *gpu, struct gmmap_mapping *mapping, u32 granule,
		       u32 cam_index, u64 now)
{
	struct gmmap_load *load;

	mapping->stat.faults++;
	trace_gmmap_fault(mapping, granule, cam_index);
	if (mapping->life == GMMAP_LIVE) {
		gmmap_process_touch(mapping, granule, mapping->client->gpu_id);
		tell_fault(mapping, granule);
		switch (mapping->states[granule]) {
		case GMMAP_FAILED:
			mapping->stat.refused++;
			return false;
		case GMMAP_LOADING:
			load = gmmap_load_find(gpu, mapping, granule);
			mapping->stat.joined++;
			join(gpu, load, cam_index, now);
			return true;
		case GMMAP_ABSENT:
			/* An index that is in use belongs to an IV that came twice. */
			if (gpu->ivs[cam_index].count)
				break;
			start_load(gpu, mapping, granule, cam_index, now);
			return true;
		default:
			if (!mapping->detached)
				break;
			mapping->stat.refused++;
			return false;
		}
	}
	mapping->stat.stale++;
	gpu->ops->acknowledge(gpu, cam_index);
	gmmap_stat_stall(&mapping->stat, ktime_get_ns() - now);
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
	u64 now = ktime_get_ns();
	unsigned long flags;
	bool taken = false;

	rcu_read_lock();
	mapping = mtree_load(&gpu->ranges, gmmap_range_key(pasid, address));
	if (mapping) {
		u32 granule = (address - mapping->address) >> GMMAP_GRANULE_SHIFT;

		spin_lock_irqsave(&gpu->lock, flags);
		taken = take_fault(gpu, mapping, granule, cam_index, now);
		spin_unlock_irqrestore(&gpu->lock, flags);
	}
	rcu_read_unlock();
	return taken;
}
