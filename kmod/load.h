/* SPDX-License-Identifier: GPL-2.0-only */
/* The loading of one granule, from the request to its page table entries. */
#ifndef GMMAP_LOAD_H
#define GMMAP_LOAD_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct gmmap_gpu;
struct gmmap_mapping;
struct gmmap_slot;

/**
 * struct gmmap_load - a granule that is to be loaded or is being loaded
 * @hash: in gmmap_gpu.loads
 * @queue: in gmmap_gpu.demand or .delayed, or empty while a worker has it
 * @mapping: whose granule; stays while its count of loads is not 0
 * @granule: number in the mapping
 * @heap: it is freed at its end; else it is part of a struct gmmap_iv
 * @copied: the content is in VRAM, only page table entries are missing; the worker's
 * @ivs: the faults that wait for it
 *
 * Guarded by gmmap_gpu.lock, if not said otherwise.
 */
struct gmmap_load {
	struct hlist_node hash;
	struct list_head queue;
	struct gmmap_mapping *mapping;
	u32 granule;
	bool heap;
	bool copied;
	struct list_head ivs;
};

struct gmmap_load *gmmap_load_find(struct gmmap_gpu *gpu, struct gmmap_mapping *mapping,
				   u32 granule);
void gmmap_load_begin(struct gmmap_load *load, struct gmmap_mapping *mapping, u32 granule);
void gmmap_load_kick(struct gmmap_gpu *gpu);
void gmmap_load_worker(struct work_struct *work);
void gmmap_load_retry(struct work_struct *work);

extern struct workqueue_struct *gmmap_load_queue;

#endif
