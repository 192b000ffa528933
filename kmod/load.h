/* SPDX-License-Identifier: GPL-2.0-only */
/* The loading of a chunk, from the request to its page table entries. */
#ifndef GMMAP_LOAD_H
#define GMMAP_LOAD_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct gmmap_client;
struct gmmap_fill;
struct gmmap_gpu;
struct gmmap_mapping;

/* The largest part that one load brings in. It does not cross a multiple of this address. */
#define GMMAP_CHUNK_SHIFT	21
#define GMMAP_CHUNK_BYTES	BIT(GMMAP_CHUNK_SHIFT)

/* Who wants a load. */
enum gmmap_cause {
	GMMAP_BY_GPU,	/* a page fault */
	GMMAP_BY_CPU,	/* an access of the CPU */
	GMMAP_BY_FILL,	/* POPULATE, or a mapping that has to be loaded */
};

/**
 * struct gmmap_load - granules that are to be loaded or are being loaded
 * @hash: in gmmap_gpu.loads
 * @queue: in gmmap_client.demand or .delayed, or empty while a worker has it
 * @mapping: whose; stays while its count of loads is not 0
 * @first: number of the first granule in the mapping
 * @count: of granules; not more than are in a chunk
 * @cause: why
 * @heap: it is freed at its end; else it is part of a struct gmmap_iv
 * @copied: the content is in VRAM, only page table entries are missing; the worker's
 * @split: something cannot be loaded, so it goes granule by granule; the worker's
 * @fill: for whom, with GMMAP_BY_FILL
 * @ivs: the faults that wait for it
 *
 * Its granules are LOADING, but for those that @split has been through. Guarded by gmmap_gpu.lock,
 * if not said otherwise.
 */
struct gmmap_load {
	struct hlist_node hash;
	struct list_head queue;
	struct gmmap_mapping *mapping;
	u32 first;
	u32 count;
	enum gmmap_cause cause;
	bool heap;
	bool copied;
	bool split;
	struct gmmap_fill *fill;
	struct list_head ivs;
};

struct gmmap_load *gmmap_load_find(struct gmmap_gpu *gpu, struct gmmap_mapping *mapping,
				   u32 granule);
void gmmap_load_begin(struct gmmap_load *load, struct gmmap_mapping *mapping, u32 first,
		      u32 count, enum gmmap_cause cause);
void gmmap_load_demand(struct gmmap_load *load);
void gmmap_load_worker(struct work_struct *work);
void gmmap_load_retry(struct work_struct *work);

extern struct workqueue_struct *gmmap_load_queue;

#endif
