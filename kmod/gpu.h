/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A GPU as the core sees it: where its faults arrive, what waits to be loaded, and who loads it.
 *
 * The glue to the driver embeds struct gmmap_gpu in its own and implements struct gmmap_gpu_ops.
 */
#ifndef GMMAP_GPU_H
#define GMMAP_GPU_H

#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "load.h"
#include "prefault.h"

struct gmmap_gpu;
struct gmmap_mapping;
struct gmmap_slot;

/* As many as a CAM index of ten bits can name. */
#define GMMAP_CAM_ENTRIES	1024
#define GMMAP_LOAD_HASH_BITS	8

/**
 * struct gmmap_run - adjacent bytes of a BO that are written at once
 * @offset: in the BO
 * @slot_offset: of the content in the staging memory
 * @bytes: how many
 * @zero: the content is zeros, and there is nothing in the staging memory; then @offset and
 *	@bytes are multiples of 4
 */
struct gmmap_run {
	u64 offset;
	u32 slot_offset;
	u32 bytes;
	bool zero;
};

struct gmmap_gpu_ops {
	/**
	 * @copy_in: Writes runs to the BO and waits for the end of it. With @demand, what others
	 * have copied without it does not go first, if the GPU can do that. May sleep; no locks
	 * are held.
	 */
	int (*copy_in)(struct gmmap_mapping *mapping, const struct gmmap_slot *slot,
		       const struct gmmap_run *runs, u32 count, bool demand);

	/**
	 * @map_granules: Makes granules visible to the GPU and calls gmmap_mapping_set_present()
	 * before any other page table update of the range can run. May sleep; no locks are held.
	 * -EBUSY, -ENOMEM, -EAGAIN and -EINTR mean: try again later.
	 */
	int (*map_granules)(struct gmmap_mapping *mapping, u32 first, u32 count);

	/**
	 * @restore: Makes the BO an ordinary one. With @remap its page table entries become those
	 * that the driver would write. May sleep; no locks are held. -EBUSY and the like: try
	 * again later.
	 */
	int (*restore)(struct gmmap_mapping *mapping, bool remap);

	/** @acknowledge: Has the waves of a fault try again. Any context. */
	void (*acknowledge)(struct gmmap_gpu *gpu, u32 cam_index);

	/** @pass_on: Gives an IV to the driver, see gmmap_prefault_take(). May sleep. */
	void (*pass_on)(struct gmmap_gpu *gpu, void *iv);

	/** @free: Frees a mapping that nobody refers to. May sleep. */
	void (*free)(struct gmmap_mapping *mapping);
};

/**
 * struct gmmap_iv - a fault that is not acknowledged yet
 * @link: in gmmap_load.ivs
 * @count: how many acknowledges it needs, 0 if it is not in use
 * @time_ns: when the first one came
 * @load: what the first IV of a granule waits for
 *
 * There is one for each index of the GPU's retry CAM. The hardware reuses an index only after its
 * acknowledge, so none is ever allocated. Guarded by gmmap_gpu.lock.
 */
struct gmmap_iv {
	struct list_head link;
	u32 count;
	u64 time_ns;
	struct gmmap_load load;
};

/**
 * struct gmmap_gpu - see above
 * @ops: the glue
 * @ranges: struct gmmap_mapping by PASID and GPU address; see gmmap_range_key()
 * @clients: struct gmmap_client by PASID, of those that have had a mapping
 * @lock: guards all below, the granule states of all mappings of the GPU, its clients, and struct
 *	gmmap_iv. Taken in the hard interrupt.
 * @ivs: by CAM index
 * @cpu_faults: by CAM index
 * @loads: struct gmmap_load by mapping and chunk
 */
struct gmmap_gpu {
	const struct gmmap_gpu_ops *ops;
	struct maple_tree ranges;
	struct xarray clients;
	spinlock_t lock; /* see above */
	struct gmmap_iv ivs[GMMAP_CAM_ENTRIES];
	struct gmmap_cpu_fault cpu_faults[GMMAP_CAM_ENTRIES];
	DECLARE_HASHTABLE(loads, GMMAP_LOAD_HASH_BITS);
};

/* The virtual addresses of a GPU with four levels of page tables have 48 bits, a PASID has 16. */
static inline unsigned long gmmap_range_key(u32 pasid, u64 address)
{
	return (unsigned long)pasid << 48 | (address & GENMASK_ULL(47, 0));
}

void gmmap_gpu_init(struct gmmap_gpu *gpu, const struct gmmap_gpu_ops *ops);
void gmmap_gpu_destroy(struct gmmap_gpu *gpu);
bool gmmap_gpu_fault(struct gmmap_gpu *gpu, u32 pasid, u64 address, u32 cam_index);

#endif
