/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mapping: one BO of which some granules are not loaded yet.
 *
 * It begins when MAP has taken the pages away from the GPU. It ends when everything is loaded, when
 * it is abandoned, or when the process dies; then the BO is an ordinary one again. The object stays
 * for a moment longer, because a fault that was raised before may still be on its way.
 */
#ifndef GMMAP_MAPPING_H
#define GMMAP_MAPPING_H

#include <linux/bits.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "load.h"
#include "stat.h"

struct gmmap_client;
struct gmmap_extents;
struct gmmap_gpu;
struct gmmap_process;

#define GMMAP_GRANULE_SHIFT	16
#define GMMAP_GRANULE_BYTES	BIT(GMMAP_GRANULE_SHIFT)
#define GMMAP_CHUNK_GRANULES	BIT(GMMAP_CHUNK_SHIFT - GMMAP_GRANULE_SHIFT)

enum gmmap_granule {
	GMMAP_PRESENT,	/* the BO has the content */
	GMMAP_ABSENT,
	GMMAP_LOADING,	/* there is a struct gmmap_load */
	GMMAP_FAILED,	/* it could not be read; faults are left to the driver */
};

enum gmmap_life {
	GMMAP_NEW,	/* not published */
	GMMAP_LIVE,
	GMMAP_ENDING,	/* no load begins; every fault is acknowledged at once */
	GMMAP_ENDED,	/* the BO is an ordinary one */
};

/**
 * struct gmmap_mapping - see above
 * @kref: the process has one, and whoever works on the mapping
 * @process: whose; constant, referenced
 * @client: the process on the GPU; constant
 * @gpu: where; constant
 * @id: for user space; constant
 * @address: of the BO in the GPU's address space; constant
 * @bytes: of the BO; constant
 * @granules: of the BO, the last one may be short; constant
 * @key: in gmmap_gpu.ranges; constant
 * @extents: constant
 *
 * Guarded by gmmap_gpu.lock:
 * @life: enum gmmap_life
 * @states: enum gmmap_granule of each granule. PRESENT is set under the page table's lock
 *	as well, so that who holds that sees which granules have page table entries.
 * @detached: the driver has removed the BO from the address space
 * @absent: number of granules that are ABSENT or LOADING
 * @failed: number of granules that are FAILED
 * @loads: number of struct gmmap_load
 * @filled: there is or was a fill of all of it
 * @stat: counters
 * @touched: bit of each granule that is in the recording
 * @touched_ns: gmmap_recording.start_ns of that
 *
 * @wait: woken when a load ends and when the mapping has ended
 * @complete: ends the mapping when all is present
 * @expire: forgets it when no fault of it can be on its way
 * @free: after a grace period
 */
struct gmmap_mapping {
	struct kref kref;
	struct gmmap_process *process;
	struct gmmap_client *client;
	struct gmmap_gpu *gpu;
	u64 id;
	u64 address;
	u64 bytes;
	u32 granules;
	unsigned long key;
	struct gmmap_extents *extents;

	enum gmmap_life life;
	u8 *states;
	bool detached;
	u32 absent;
	u32 failed;
	u32 loads;
	bool filled;
	struct gmmap_stat_counters stat;
	unsigned long *touched;
	u64 touched_ns;

	wait_queue_head_t wait;
	struct delayed_work complete;
	struct delayed_work expire;
	struct rcu_work free;
};

static inline u64 gmmap_granule_offset(u32 granule)
{
	return (u64)granule << GMMAP_GRANULE_SHIFT;
}

static inline u32 gmmap_granule_bytes(const struct gmmap_mapping *mapping, u32 granule)
{
	return min_t(u64, GMMAP_GRANULE_BYTES, mapping->bytes - gmmap_granule_offset(granule));
}

static inline u64 gmmap_granules_bytes(const struct gmmap_mapping *mapping, u32 first, u32 count)
{
	return min_t(u64, (u64)count << GMMAP_GRANULE_SHIFT,
		     mapping->bytes - gmmap_granule_offset(first));
}

/* The number of the chunk of a granule: chunks are aligned in the address space, for fragments. */
static inline u32 gmmap_mapping_chunk(const struct gmmap_mapping *mapping, u32 granule)
{
	u32 lead = (mapping->address >> GMMAP_GRANULE_SHIFT) % GMMAP_CHUNK_GRANULES;

	return (lead + granule) / GMMAP_CHUNK_GRANULES;
}

int gmmap_mapping_init(struct gmmap_mapping *mapping, struct gmmap_client *client,
		       struct gmmap_extents *extents, u32 pasid, u64 address, u64 bytes);
void gmmap_mapping_fini(struct gmmap_mapping *mapping);
int gmmap_mapping_publish(struct gmmap_mapping *mapping);
void gmmap_mapping_unpublish(struct gmmap_mapping *mapping);
int gmmap_mapping_go_live(struct gmmap_mapping *mapping);

struct gmmap_mapping *gmmap_mapping_get(struct gmmap_mapping *mapping);
void gmmap_mapping_put(struct gmmap_mapping *mapping);

bool gmmap_mapping_is_present(struct gmmap_mapping *mapping, u32 granule);
u32 gmmap_mapping_absent_run(const struct gmmap_mapping *mapping, u32 granule, u32 limit);
u32 gmmap_mapping_absent_run_down(const struct gmmap_mapping *mapping, u32 granule, u32 limit);
void gmmap_mapping_set_present(struct gmmap_mapping *mapping, u32 first, u32 count,
			       bool detached);
void gmmap_mapping_set_attached(struct gmmap_mapping *mapping);
int gmmap_mapping_load(struct gmmap_mapping *mapping, u64 offset, u64 bytes,
		       enum gmmap_cause cause);
int gmmap_mapping_wait(struct gmmap_mapping *mapping, u64 offset, u64 bytes, s64 timeout_ns);

enum gmmap_end {
	GMMAP_END_COMPLETE,	/* everything must be present */
	GMMAP_END_ABANDON,	/* absent granules become present as they are */
	GMMAP_END_DEATH,	/* the address space is gone */
	GMMAP_END_LOST,		/* the GPU is gone */
};

int gmmap_mapping_fill(struct gmmap_mapping *mapping);
int gmmap_mapping_end(struct gmmap_mapping *mapping, enum gmmap_end how);
void gmmap_mapping_maybe_complete(struct gmmap_mapping *mapping);

extern struct workqueue_struct *gmmap_end_queue;

#endif
