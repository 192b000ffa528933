/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fill loads ranges in a given order while nobody waits for them: what POPULATE asks for, or all
 * of a mapping that has to become complete.
 */
#ifndef GMMAP_FILL_H
#define GMMAP_FILL_H

#include <linux/list.h>
#include <linux/types.h>

struct gmmap_client;
struct gmmap_load;
struct gmmap_mapping;
struct gmmap_process;
struct gmmap_slot;

#define GMMAP_MAX_RANGES	65536
#define GMMAP_MAX_FILLS		64

/* Granules first to last of a mapping, which is referenced. */
struct gmmap_fill_range {
	struct gmmap_mapping *mapping;
	u32 first;
	u32 last;
};

/**
 * struct gmmap_fill - see above
 * @link: in gmmap_client.fills until all ranges are through
 * @client: where; constant
 * @id: for user space, or 0 if nobody has asked for it by POPULATE; constant
 * @range: number of the range where to go on
 * @granule: where to go on in it
 * @window: granules of the next chunk: it grows, so that the first ones are there soon
 * @loads: under way
 * @bytes: loaded
 * @error: the first one, or 0
 * @count: of ranges; constant
 * @ranges: constant
 *
 * Guarded by gmmap_gpu.lock, if not said otherwise. Freed by whoever ends its last load, or goes
 * through its last range when no load is left.
 */
struct gmmap_fill {
	struct list_head link;
	struct gmmap_client *client;
	u64 id;
	u32 range;
	u32 granule;
	u32 window;
	u32 loads;
	u64 bytes;
	int error;
	u32 count;
	struct gmmap_fill_range ranges[] __counted_by(count);
};

struct gmmap_fill *gmmap_fill_create(u32 count);
void gmmap_fill_free(struct gmmap_fill *fill);
int gmmap_fill_start(struct gmmap_fill *fill, struct gmmap_client *client, u64 id);
int gmmap_fill_start_mapping(struct gmmap_mapping *mapping);

/* For the workers. */
enum gmmap_fill_step {
	GMMAP_FILL_NOTHING,	/* no fill has anything to load */
	GMMAP_FILL_LOAD,	/* a load has begun */
	GMMAP_FILL_AGAIN,	/* drop the lock and ask again */
};

enum gmmap_fill_step gmmap_fill_next(struct gmmap_client *client, struct gmmap_load *load,
				     struct list_head *ended);
void gmmap_fill_load_ended(struct gmmap_load *load, u32 bytes, int error,
			   struct list_head *ended);
void gmmap_fill_end_all(struct list_head *ended);

#endif
