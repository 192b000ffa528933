// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers load granules: read, copy, page table entries, acknowledge. Each has staging memory of
 * its own, so that one slow file does not hold up the others. Demand comes before fill.
 *
 * A worker holds no lock while it reads, and while it holds the page table's lock it waits for
 * nothing but a page table update. It does not touch the mmap_lock or the locks of KFD.
 */
#include <linux/hash.h>
#include <linux/slab.h>

#include "extent.h"
#include "gpu.h"
#include "load.h"
#include "mapping.h"

/* Page tables that were evicted come back when the driver's restore worker has run. */
#define RETRY_MS	5

struct workqueue_struct *gmmap_load_queue;

static u32 load_key(const struct gmmap_mapping *mapping, u32 granule)
{
	return hash_long((unsigned long)mapping + granule, 32);
}

/* Returns the load of a granule that is LOADING. Context: gmmap_gpu.lock held. */
struct gmmap_load *gmmap_load_find(struct gmmap_gpu *gpu, struct gmmap_mapping *mapping,
				   u32 granule)
{
	struct gmmap_load *load;

	lockdep_assert_held(&gpu->lock);
	hash_for_each_possible(gpu->loads, load, hash, load_key(mapping, granule))
		if (load->mapping == mapping && load->granule == granule)
			return load;
	return NULL;
}

/**
 * gmmap_load_begin() - make a granule LOADING
 * @load: not in use; @heap is set by its owner
 * @mapping: LIVE
 * @granule: ABSENT
 *
 * Context: gmmap_gpu.lock held.
 */
void gmmap_load_begin(struct gmmap_load *load, struct gmmap_mapping *mapping, u32 granule)
{
	struct gmmap_gpu *gpu = mapping->gpu;

	lockdep_assert_held(&gpu->lock);
	load->mapping = mapping;
	load->granule = granule;
	load->copied = false;
	INIT_LIST_HEAD(&load->ivs);
	INIT_LIST_HEAD(&load->queue);
	hash_add(gpu->loads, &load->hash, load_key(mapping, granule));
	mapping->states[granule] = GMMAP_LOADING;
	mapping->loads++;
}

/* Has a worker look for work, if one is idle. Context: gmmap_gpu.lock held. */
void gmmap_load_kick(struct gmmap_gpu *gpu)
{
	struct gmmap_slot *slot;

	lockdep_assert_held(&gpu->lock);
	slot = list_first_entry_or_null(&gpu->idle_slots, struct gmmap_slot, idle);
	if (!slot)
		return;
	list_del_init(&slot->idle);
	queue_work(gmmap_load_queue, &slot->work);
}

/* Begins the load of the next granule of a mapping that is to be filled. */
static struct gmmap_load *next_fill(struct gmmap_gpu *gpu, struct gmmap_slot *slot)
{
	struct gmmap_load *load = slot->spare;
	struct gmmap_mapping *mapping;

	while ((mapping = list_first_entry_or_null(&gpu->fills, struct gmmap_mapping, fill))) {
		u32 i = mapping->fill_next;

		while (i < mapping->granules && mapping->states[i] != GMMAP_ABSENT)
			i++;
		if (i < mapping->granules && mapping->life == GMMAP_LIVE) {
			if (!load) {
				mod_delayed_work(gmmap_load_queue, &gpu->retry,
						 msecs_to_jiffies(RETRY_MS));
				return NULL;
			}
			mapping->fill_next = i + 1;
			slot->spare = NULL;
			gmmap_load_begin(load, mapping, i);
			return load;
		}
		list_del_init(&mapping->fill);
	}
	return NULL;
}

static struct gmmap_load *next_load(struct gmmap_slot *slot)
{
	struct gmmap_gpu *gpu = slot->gpu;
	struct gmmap_load *load;

	if (!slot->spare) {
		slot->spare = kzalloc(sizeof(*slot->spare), GFP_KERNEL);
		if (slot->spare)
			slot->spare->heap = true;
	}
	spin_lock_irq(&gpu->lock);
	load = list_first_entry_or_null(&gpu->demand, struct gmmap_load, queue);
	if (load)
		list_del_init(&load->queue);
	else
		load = next_fill(gpu, slot);
	if (load) {
		/* One fill begins the next one, so that all workers take part. */
		if (!list_empty(&gpu->demand) || !list_empty(&gpu->fills))
			gmmap_load_kick(gpu);
	} else {
		list_add(&slot->idle, &gpu->idle_slots);
	}
	spin_unlock_irq(&gpu->lock);
	return load;
}

static bool is_live(struct gmmap_mapping *mapping)
{
	return READ_ONCE(mapping->life) == GMMAP_LIVE;
}

static int read_and_copy(struct gmmap_slot *slot, struct gmmap_load *load)
{
	struct gmmap_mapping *mapping = load->mapping;
	struct gmmap_gpu *gpu = mapping->gpu;
	u64 offset = gmmap_granule_offset(load->granule);
	struct gmmap_reader reader;
	struct gmmap_run run;
	int ret;

	gmmap_reader_init(&reader, mapping->extents, offset,
			  gmmap_granule_bytes(mapping, load->granule));
	while ((ret = gmmap_reader_next(&reader, slot->cpu, &run)) > 0) {
		if (!is_live(mapping))
			return -ECANCELED;
		ret = gpu->ops->copy_in(mapping, offset + run.offset, slot, run.offset, run.bytes);
		if (ret)
			return ret;
	}
	if (ret)
		return ret;
	load->copied = true;
	spin_lock_irq(&gpu->lock);
	mapping->stat.file_bytes += reader.file_bytes;
	mapping->stat.zero_bytes += reader.zero_bytes;
	spin_unlock_irq(&gpu->lock);
	return 0;
}

static int load_granule(struct gmmap_slot *slot, struct gmmap_load *load)
{
	struct gmmap_mapping *mapping = load->mapping;
	int ret;

	if (!is_live(mapping))
		return -ECANCELED;
	if (!load->copied) {
		ret = read_and_copy(slot, load);
		if (ret)
			return ret;
	}
	return mapping->gpu->ops->map_granule(mapping, load->granule);
}

static bool is_temporary(int error)
{
	return error == -EBUSY || error == -ENOMEM || error == -EAGAIN || error == -EINTR ||
	       error == -ERESTARTSYS;
}

/* Acknowledges every IV of a load. Afterwards the hardware may use their indices again. */
static void release_ivs(struct gmmap_load *load)
{
	struct gmmap_mapping *mapping = load->mapping;
	struct gmmap_gpu *gpu = mapping->gpu;
	struct gmmap_iv *iv, *next;
	LIST_HEAD(ivs);

	list_splice_init(&load->ivs, &ivs);
	list_for_each_entry_safe(iv, next, &ivs, link) {
		list_del_init(&iv->link);
		for (; iv->count; iv->count--) {
			gpu->ops->acknowledge(gpu, iv - gpu->ivs);
			mapping->stat.acknowledged++;
		}
	}
}

static void set_not_loaded(struct gmmap_load *load, int error)
{
	struct gmmap_mapping *mapping = load->mapping;

	if (error == -ECANCELED) {
		mapping->states[load->granule] = GMMAP_ABSENT;
		return;
	}
	mapping->states[load->granule] = GMMAP_FAILED;
	mapping->absent--;
	mapping->failed++;
	mapping->stat.failed++;
}

/* Ends a load, or puts it aside for a later attempt. */
static void finish_load(struct gmmap_load *load, int error)
{
	struct gmmap_mapping *mapping = load->mapping;
	struct gmmap_gpu *gpu = mapping->gpu;
	bool heap = load->heap;

	spin_lock_irq(&gpu->lock);
	if (is_temporary(error) && mapping->life == GMMAP_LIVE) {
		mapping->stat.requeued++;
		list_add_tail(&load->queue, &gpu->delayed);
		queue_delayed_work(gmmap_load_queue, &gpu->retry, msecs_to_jiffies(RETRY_MS));
		spin_unlock_irq(&gpu->lock);
		return;
	}
	if (is_temporary(error))
		error = -ECANCELED;
	if (error)
		set_not_loaded(load, error);
	else
		mapping->stat.loads++;
	hash_del(&load->hash);
	/* The last use of a load that is part of an IV. */
	release_ivs(load);
	mapping->loads--;
	gmmap_mapping_maybe_complete(mapping);
	/* Under the lock: without a load the mapping may be gone as soon as it is released. */
	wake_up_all(&mapping->wait);
	spin_unlock_irq(&gpu->lock);
	if (heap)
		kfree(load);
}

void gmmap_load_worker(struct work_struct *work)
{
	struct gmmap_slot *slot = container_of(work, struct gmmap_slot, work);
	struct gmmap_load *load;

	while ((load = next_load(slot))) {
		finish_load(load, load_granule(slot, load));
		cond_resched();
	}
}

void gmmap_load_retry(struct work_struct *work)
{
	struct gmmap_gpu *gpu = container_of(to_delayed_work(work), struct gmmap_gpu, retry);

	spin_lock_irq(&gpu->lock);
	list_splice_tail_init(&gpu->delayed, &gpu->demand);
	gmmap_load_kick(gpu);
	spin_unlock_irq(&gpu->lock);
}
