/* SPDX-License-Identifier: GPL-2.0-only */
/* A mapping's BO and its page table entries. */
#ifndef GMMAP_AMDGPU_BO_H
#define GMMAP_AMDGPU_BO_H

#include <linux/list.h>
#include <linux/types.h>

#include "../mapping.h"
#include "driver.h"

struct gmmap_device;
struct gmmap_kfd;
struct gmmap_map;
struct gmmap_run;
struct gmmap_slot;
struct ttm_buffer_object;

/**
 * struct gmmap_bo - see above
 * @base: the core's part
 * @kfd: the process, which base.process refers to; constant
 * @hash: in the table of BOs, from MAP to the end
 * @bo: the driver's, referenced; pinned from MAP to the end, then NULL
 * @bo_va: its place in the address space; constant
 * @vm: the address space, which stays until the process has died; constant
 * @pte_flags: of a page that is present; constant
 */
struct gmmap_bo {
	struct gmmap_mapping base;
	struct gmmap_kfd *kfd;
	struct hlist_node hash;
	struct amdgpu_bo *bo;
	struct amdgpu_bo_va *bo_va;
	struct amdgpu_vm *vm;
	u64 pte_flags;
};

static inline struct gmmap_bo *to_gmmap_bo(struct gmmap_mapping *mapping)
{
	return container_of(mapping, struct gmmap_bo, base);
}

/* Whether a BO has an address in an address space. Context: its root page directory is locked. */
static inline bool gmmap_bo_va_is_mapped(const struct amdgpu_bo_va *bo_va)
{
	return !list_empty(amdgpu_bo_va__valids(bo_va)) ||
	       !list_empty(amdgpu_bo_va__invalids(bo_va));
}

struct gmmap_device *gmmap_bo_device(const struct gmmap_bo *bo);

/* bo.c: finding and holding it */
struct gmmap_mapping *gmmap_bo_map(struct gmmap_kfd *kfd, const struct gmmap_map *args,
				   struct gmmap_extents *extents);
struct gmmap_bo *gmmap_bo_find(const struct amdgpu_bo *bo);
int gmmap_bo_restore(struct gmmap_mapping *mapping, bool remap);
int gmmap_bo_copy_in(struct gmmap_mapping *mapping, const struct gmmap_slot *slot,
		     const struct gmmap_run *runs, u32 count, bool demand);
void gmmap_bo_free(struct gmmap_mapping *mapping);

/* page_table.c */
int gmmap_bo_map_granules(struct gmmap_mapping *mapping, u32 first, u32 count);
int gmmap_bo_take_away(struct gmmap_bo *bo);
int gmmap_bo_give_back(struct gmmap_bo *bo);
int gmmap_bo_read_pte_flags(struct gmmap_bo *bo);
void gmmap_bo_flush_tlb(struct gmmap_bo *bo);

#endif
