// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page table entries of an incomplete mapping are written behind the driver's back: it believes
 * that the whole BO is mapped. It would find out only if it wrote them again, which it does when
 * the BO has moved; the BO is pinned. See wrap.c for the cases in which it does so nevertheless.
 *
 * All functions here want the address space's root page directory locked, which serializes all
 * updates of the page table, or lock it themselves.
 */
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_resource.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/sizes.h>

#include <drm/amdgpu_drm.h>

#include "bo.h"
#include "device.h"

#define GPU_PAGE_SHIFT		12
#define PTE_READABLE		BIT_ULL(5)	/* AMDGPU_PTE_READABLE */
#define PTE_WRITEABLE		BIT_ULL(6)	/* AMDGPU_PTE_WRITEABLE */
#define FLUSH_HEAVYWEIGHT	2		/* TLB_FLUSH_HEAVYWEIGHT */

#ifdef AMDGPU_ABI_MAPPING_PAGE_FLAGS
#define MAPPING_READABLE	AMDGPU_VM_PAGE_READABLE
#define MAPPING_WRITEABLE	AMDGPU_VM_PAGE_WRITEABLE
#else
#define MAPPING_READABLE	PTE_READABLE
#define MAPPING_WRITEABLE	PTE_WRITEABLE
#endif

/*
 * A whole 2 MiB that becomes invalid loses its page table, and the first granule would have to
 * allocate a new one while its fault waits. Pieces of half the size keep it.
 */
#define TAKE_AWAY_BYTES		SZ_1M

static struct dma_resv *root_resv(const struct gmmap_bo *bo)
{
	return amdgpu_bo__tbo(*amdgpu_vm__root_bo(bo->vm))->base.resv;
}

static struct ttm_buffer_object *tbo_of(const struct gmmap_bo *bo)
{
	return amdgpu_bo__tbo(bo->bo);
}

/* The driver's mapping of the BO, if it is in the address space where it was at MAP. */
static struct amdgpu_bo_va_mapping *find_mapping(struct gmmap_bo *bo)
{
	u64 page = bo->base.address >> GPU_PAGE_SHIFT;
	struct amdgpu_bo_va_mapping *mapping;

	mapping = amdgpu_call(amdgpu_vm_bo_lookup_mapping)(bo->vm, page);
	if (!mapping || *amdgpu_bo_va_mapping__bo_va(mapping) != bo->bo_va)
		return NULL;
	if (*amdgpu_bo_va_mapping__start(mapping) != page ||
	    *amdgpu_bo_va_mapping__last(mapping) - page + 1 != bo->base.bytes >> GPU_PAGE_SHIFT)
		return NULL;
	return mapping;
}

/* Page tables that the copy engine updates are ready when the fence is; others have none. */
static int wait_for_update(struct dma_fence *fence)
{
	int ret;

	if (!fence)
		return 0;
	dma_fence_wait(fence, false);
	ret = dma_fence_get_status(fence);
	return ret < 0 ? ret : 0;
}

/* Writes the entries of a part of the BO. flags 0 makes it absent: accesses are retried. */
static int update_range(struct gmmap_bo *bo, u64 offset, u64 bytes, u64 flags, bool flush_tlb)
{
	struct amdgpu_device *adev = gmmap_bo_device(bo)->adev;
	bool uncached = *amdgpu_bo__flags(bo->bo) & AMDGPU_GEM_CREATE_UNCACHED;
	u64 first = (bo->base.address + offset) >> GPU_PAGE_SHIFT;
	struct dma_fence *fence = NULL;
	int ret;

	ret = dma_resv_reserve_fences(root_resv(bo), 1);
	if (ret)
		return ret;
	ret = amdgpu_call(amdgpu_vm_update_range)(adev, bo->vm, false, false, flush_tlb,
						  !uncached, NULL, first,
						  first + (bytes >> GPU_PAGE_SHIFT) - 1, flags,
						  offset,
						  *amdgpu_device__vm_manager_vram_base_offset(adev),
						  flags ? tbo_of(bo)->resource : NULL, NULL,
						  &fence);
	if (!ret)
		ret = wait_for_update(fence);
	dma_fence_put(fence);
	return ret;
}

static int update_directories(struct gmmap_bo *bo)
{
	int ret;

	ret = dma_resv_reserve_fences(root_resv(bo), 1);
	if (ret)
		return ret;
	ret = amdgpu_call(amdgpu_vm_update_pdes)(gmmap_bo_device(bo)->adev, bo->vm, false);
	if (ret)
		return ret;
	return wait_for_update(*amdgpu_vm__last_update(bo->vm));
}

/* Has the GPU forget translations, if an update since the last time asks for it. May sleep. */
void gmmap_bo_flush_tlb(struct gmmap_bo *bo)
{
	struct amdgpu_device *adev = gmmap_bo_device(bo)->adev;

	amdgpu_call(amdgpu_vm_flush_compute_tlb)(adev, bo->vm, FLUSH_HEAVYWEIGHT,
						 *amdgpu_device__gfx_xcc_mask(adev));
}

/**
 * gmmap_bo_read_pte_flags() - compute the flags of present pages as amdgpu_vm_bo_update() does
 * @bo: the BO
 *
 * Context: root page directory and BO are locked.
 * Return: 0, or -EINVAL if the BO is not in the address space.
 */
int gmmap_bo_read_pte_flags(struct gmmap_bo *bo)
{
	struct amdgpu_device *adev = gmmap_bo_device(bo)->adev;
	struct ttm_buffer_object *tbo = tbo_of(bo);
	struct amdgpu_bo_va_mapping *mapping = find_mapping(bo);
	u64 flags;

	if (!mapping || *amdgpu_bo_va_mapping__offset(mapping))
		return -EINVAL;
	flags = amdgpu_call(amdgpu_ttm_tt_pte_flags)(adev, tbo->ttm, tbo->resource);
	if (!(*amdgpu_bo_va_mapping__flags(mapping) & MAPPING_READABLE))
		flags &= ~PTE_READABLE;
	if (!(*amdgpu_bo_va_mapping__flags(mapping) & MAPPING_WRITEABLE))
		flags &= ~PTE_WRITEABLE;
#ifdef AMDGPU_ABI_PTE_OF_FLAGS
	amdgpu_call(gmc_v9_0_get_vm_pte)(adev, bo->vm, bo->bo,
					 *amdgpu_bo_va_mapping__flags(mapping), &flags);
#else
	amdgpu_call(gmc_v9_0_get_vm_pte)(adev, mapping, &flags);
#endif
	bo->pte_flags = flags;
	return 0;
}

/* How many granules are present from one on. */
static u32 present_run(struct gmmap_bo *bo, u32 first)
{
	u32 i = first;

	while (i < bo->base.granules && gmmap_mapping_is_present(&bo->base, i))
		i++;
	return i - first;
}

static int map_present(struct gmmap_bo *bo)
{
	u32 i, n;
	int ret;

	for (i = 0; i < bo->base.granules; i += n ?: 1) {
		n = present_run(bo, i);
		if (!n)
			continue;
		ret = update_range(bo, gmmap_granule_offset(i),
				   gmmap_granules_bytes(&bo->base, i, n), bo->pte_flags, false);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * gmmap_bo_take_away() - leave page table entries only to granules that are present
 * @bo: in the address space
 *
 * All of the BO becomes absent first: its entries may be fragments larger than a granule.
 *
 * Context: root page directory and BO are locked. May sleep.
 * Return: 0; -EBUSY or -ENOMEM if page tables are not available now. Then some granules may have
 * lost their entries.
 */
int gmmap_bo_take_away(struct gmmap_bo *bo)
{
	u64 offset, bytes;
	int ret;

	for (offset = 0; offset < bo->base.bytes; offset += bytes) {
		bytes = TAKE_AWAY_BYTES - ((bo->base.address + offset) & (TAKE_AWAY_BYTES - 1));
		bytes = min(bytes, bo->base.bytes - offset);
		ret = update_range(bo, offset, bytes, 0, true);
		if (ret)
			return ret;
	}
	ret = map_present(bo);
	if (ret)
		return ret;
	return update_directories(bo);
}

/**
 * gmmap_bo_give_back() - write the page table entries that the driver would write
 * @bo: the BO
 *
 * Context: root page directory and BO are locked. May sleep.
 * Return: 0, also if the BO is not in the address space; -EBUSY or -ENOMEM if page tables are not
 * available now.
 */
int gmmap_bo_give_back(struct gmmap_bo *bo)
{
	int ret;

	if (!find_mapping(bo))
		return 0;
	ret = update_range(bo, 0, bo->base.bytes, bo->pte_flags, true);
	if (ret)
		return ret;
	return update_directories(bo);
}

/* See struct gmmap_gpu_ops. All at once: fragments may be as large as what is present. */
int gmmap_bo_map_granules(struct gmmap_mapping *mapping, u32 first, u32 count)
{
	struct gmmap_bo *bo = to_gmmap_bo(mapping);
	struct dma_resv *resv = root_resv(bo);
	bool attached;
	int ret = 0;

	dma_resv_lock(resv, NULL);
	/* The driver may have removed it from the address space: then nothing must be mapped. */
	attached = find_mapping(bo);
	if (attached) {
		ret = update_range(bo, gmmap_granule_offset(first),
				   gmmap_granules_bytes(mapping, first, count), bo->pte_flags,
				   false);
		if (!ret)
			ret = update_directories(bo);
	}
	if (!ret)
		gmmap_mapping_set_present(mapping, first, count, !attached);
	dma_resv_unlock(resv);
	if (!ret && attached)
		gmmap_bo_flush_tlb(bo);
	return ret;
}
