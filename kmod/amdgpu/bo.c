// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP finds a BO of KFD, makes sure that nobody but its process can reach it, pins it and takes its
 * absent granules away from the GPU and the CPU. At the end all of that is undone.
 */
#include <drm/drm_exec.h>
#include <drm/drm_gem.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/idr.h>
#include <linux/kfd_ioctl.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <drm/amdgpu_drm.h>
#include <linux/gmmap.h>

#include "../extent.h"
#include "../gpu.h"
#include "bo.h"
#include "client.h"
#include "device.h"
#include "kfd.h"
#include "wrap.h"

#define BUSY_ATTEMPTS	200
#define BUSY_MS		5

/* struct gmmap_bo by amdgpu_bo. Read by RCU. */
static DEFINE_HASHTABLE(bos, 10);
static DEFINE_SPINLOCK(bos_lock);

static struct ttm_buffer_object *tbo_of(const struct gmmap_bo *bo)
{
	return amdgpu_bo__tbo(bo->bo);
}

struct gmmap_device *gmmap_bo_device(const struct gmmap_bo *bo)
{
	return container_of(bo->base.gpu, struct gmmap_device, base);
}

/**
 * gmmap_bo_find() - find the mapping of a BO
 * @driver_bo: the BO; only compared
 *
 * Context: any.
 * Return: the mapping, referenced, or NULL.
 */
struct gmmap_bo *gmmap_bo_find(const struct amdgpu_bo *driver_bo)
{
	struct gmmap_bo *bo, *found = NULL;

	rcu_read_lock();
	hash_for_each_possible_rcu(bos, bo, hash, (unsigned long)driver_bo) {
		if (READ_ONCE(bo->bo) == driver_bo && kref_get_unless_zero(&bo->base.kref)) {
			found = bo;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

static int publish(struct gmmap_bo *bo)
{
	struct gmmap_bo *other;
	int ret = 0;

	spin_lock(&bos_lock);
	hash_for_each_possible(bos, other, hash, (unsigned long)bo->bo)
		if (other->bo == bo->bo)
			ret = -EEXIST;
	if (!ret)
		hash_add_rcu(bos, &bo->hash, (unsigned long)bo->bo);
	spin_unlock(&bos_lock);
	return ret;
}

static void unpublish(struct gmmap_bo *bo)
{
	spin_lock(&bos_lock);
	hash_del_rcu(&bo->hash);
	spin_unlock(&bos_lock);
}

/**
 * struct target - the BO that MAP means
 * @device: KFD's process device
 * @mem: KFD's BO
 * @start: of the target in the BO
 * @length: of the target
 *
 * Valid while kfd_process.mutex is held.
 */
struct target {
	struct kfd_process_device *device;
	struct kgd_mem *mem;
	u64 start;
	u64 length;
};

static u64 mem_bytes(const struct kgd_mem *mem)
{
	return amdgpu_bo__tbo(*kgd_mem__bo(mem))->base.size;
}

static int find_by_handle(struct kfd_process *process, u64 handle, struct target *target)
{
	target->device = amdgpu_call(kfd_process_device_data_by_id)(process, handle >> 32);
	if (!target->device)
		return -ENOENT;
	target->mem = amdgpu_call(kfd_process_device_translate_handle)(target->device,
								       (s32)handle);
	return target->mem ? 0 : -ENOENT;
}

static int find_by_address(struct kfd_process *process, const struct gmmap_map *args,
			   struct target *target)
{
	struct kgd_mem *mem;
	u64 start;
	int id;

	target->device = amdgpu_call(kfd_process_device_data_by_id)(process, args->gpu_id);
	if (!target->device)
		return -ENOENT;
	idr_for_each_entry(kfd_process_device__alloc_idr(target->device), mem, id) {
		start = args->address - *kgd_mem__va(mem);
		if (args->address < *kgd_mem__va(mem) || start >= mem_bytes(mem))
			continue;
		if (args->length > mem_bytes(mem) - start)
			return -EINVAL;
		target->mem = mem;
		target->start = start;
		target->length = args->length;
		return 0;
	}
	return -ENOENT;
}

/* A dmabuf's private data is only compared, so it does not matter whose dmabuf it is. */
static int find_by_object(struct kfd_process *process, const void *object, struct target *target)
{
	struct kgd_mem *mem;
	unsigned int i;
	int id;

	for (i = 0; i < *kfd_process__n_pdds(process); i++) {
		target->device = kfd_process__pdds(process)[i];
		idr_for_each_entry(kfd_process_device__alloc_idr(target->device), mem, id) {
			if (&amdgpu_bo__tbo(*kgd_mem__bo(mem))->base != object)
				continue;
			target->mem = mem;
			return 0;
		}
	}
	return -ENOENT;
}

static int find_by_dmabuf(struct kfd_process *process, int fd, struct target *target)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	int ret;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = find_by_object(process, dmabuf->priv, target);
	dma_buf_put(dmabuf);
	return ret;
}

/* Context: kfd_process.mutex held. */
static int find_target(struct kfd_process *process, const struct gmmap_map *args,
		       struct target *target)
{
	int ret;

	*target = (struct target){};
	if (args->target == GMMAP_TARGET_ADDRESS)
		return find_by_address(process, args, target);
	if (args->target == GMMAP_TARGET_HANDLE)
		ret = find_by_handle(process, args->handle, target);
	else
		ret = find_by_dmabuf(process, args->dmabuf_fd, target);
	if (ret)
		return ret;
	target->length = mem_bytes(target->mem);
	return args->length && args->length != target->length ? -EINVAL : 0;
}

/* Only plain memory: what the driver or the hardware itself uses cannot wait for a fault. */
static int check_mem(const struct kgd_mem *mem)
{
	u32 flags = *kgd_mem__alloc_flags(mem);

	if (!(flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM) ||
	    flags & KFD_IOC_ALLOC_MEM_FLAGS_AQL_QUEUE_MEM || *kgd_mem__aql_queue(mem) ||
	    *kgd_mem__is_imported(mem) ||
	    *amdgpu_bo__flags(*kgd_mem__bo(mem)) & AMDGPU_GEM_CREATE_ENCRYPTED)
		return -EOPNOTSUPP;
	return 0;
}

/* The BO must be in one address space, where KFD put it. Context: kgd_mem.lock held. */
static int find_attachment(struct gmmap_bo *bo, const struct target *target,
			   struct amdgpu_device *adev)
{
	struct list_head *list = kgd_mem__attachments(target->mem);
	struct kfd_mem_attachment *attachment;

	if (list_empty(list))
		return -EINVAL;
	if (!list_is_singular(list))
		return -EOPNOTSUPP;
	attachment = (void *)list->next - AMDGPU_ABI_OFFSET_kfd_mem_attachment__list;
	if (!*kfd_mem_attachment__is_mapped(attachment))
		return -EINVAL;
	if (*kfd_mem_attachment__adev(attachment) != adev ||
	    *kfd_mem_attachment__va(attachment) != *kgd_mem__va(target->mem))
		return -EOPNOTSUPP;
	bo->bo_va = *kfd_mem_attachment__bo_va(attachment);
	bo->vm = *amdgpu_vm_bo_base__vm(amdgpu_bo_va__base(bo->bo_va));
	return 0;
}

/*
 * Whether the BO has addresses in other address spaces than the process's. KFD has every BO in one
 * of its own as well, where it has none (see amdgpu_gem_object_open()).
 */
static bool is_shared(const struct gmmap_bo *bo)
{
	struct amdgpu_vm_bo_base *base;

	for (base = *amdgpu_bo__vm_bo(bo->bo); base; base = *amdgpu_vm_bo_base__next(base)) {
		struct amdgpu_bo_va *bo_va = (void *)base - AMDGPU_ABI_OFFSET_amdgpu_bo_va__base;

		if (bo_va != bo->bo_va && gmmap_bo_va_is_mapped(bo_va))
			return true;
	}
	return false;
}

/* Context: root page directory and BO are locked. */
static int check_sole_owner(const struct gmmap_bo *bo)
{
	struct ttm_buffer_object *tbo = tbo_of(bo);

	if (is_shared(bo) || tbo->pin_count)
		return -EBUSY;
	if (tbo->base.dma_buf && !list_empty(&tbo->base.dma_buf->attachments))
		return -EBUSY;
	if (*amdgpu_bo_va__queue_refcount(bo->bo_va))
		return -EBUSY;
	if (!tbo->resource || tbo->resource->mem_type != TTM_PL_VRAM)
		return -EAGAIN;
	return 0;
}

static struct drm_gem_object *root_object(const struct gmmap_bo *bo)
{
	return &amdgpu_bo__tbo(*amdgpu_vm__root_bo(bo->vm))->base;
}

/* Locks root page directory and BO. */
static int lock_both(struct gmmap_bo *bo, struct drm_exec *exec)
{
	int ret = 0;

	drm_exec_init(exec, 0, 2);
	drm_exec_until_all_locked(exec) {
		ret = drm_exec_prepare_obj(exec, root_object(bo), 1);
		drm_exec_retry_on_contention(exec);
		if (ret)
			break;
		ret = drm_exec_prepare_obj(exec, &tbo_of(bo)->base, 1);
		drm_exec_retry_on_contention(exec);
		if (ret)
			break;
	}
	if (ret)
		drm_exec_fini(exec);
	return ret;
}

/*
 * A pinned BO must leave the list of those that can be evicted, which ttm_bo_pin() does not do in
 * every version: ttm_resource_manager_evict_all() does not look at the pin count.
 */
static void pin(struct gmmap_bo *bo)
{
	ttm_bo_pin(tbo_of(bo));
	ttm_bo_move_to_lru_tail_unlocked(tbo_of(bo));
}

static void unpin(struct gmmap_bo *bo)
{
	ttm_bo_unpin(tbo_of(bo));
	ttm_bo_move_to_lru_tail_unlocked(tbo_of(bo));
}

/* One attempt of what take_over() does. */
static int try_take_over(struct gmmap_bo *bo)
{
	struct drm_exec exec;
	int ret;

	ret = lock_both(bo, &exec);
	if (ret)
		return ret;
	ret = check_sole_owner(bo);
	if (!ret)
		ret = gmmap_bo_read_pte_flags(bo);
	if (ret)
		goto unlock;
	pin(bo);
	ret = gmmap_bo_take_away(bo);
	if (ret) {
		/* If even this fails the GPU faults on its own memory, which kills the process. */
		if (gmmap_bo_give_back(bo))
			pr_warn_ratelimited("gmmap: a buffer could not be mapped again\n");
		unpin(bo);
		goto unlock;
	}
	ttm_bo_unmap_virtual(tbo_of(bo));
unlock:
	drm_exec_fini(&exec);
	gmmap_bo_flush_tlb(bo);
	return ret;
}

/* Pins the BO and takes its absent granules away, when the driver is not evicting it just now. */
static int take_over(struct gmmap_bo *bo)
{
	unsigned int attempt;
	int ret;

	/* A CPU fault that has not seen the mapping must have ended before its pages are zapped. */
	gmmap_wrap_drain_cpu_faults();
	for (attempt = 0; attempt < BUSY_ATTEMPTS; attempt++) {
		ret = try_take_over(bo);
		if (ret != -EBUSY && ret != -EAGAIN)
			break;
		if (fatal_signal_pending(current))
			return -EINTR;
		msleep(BUSY_MS);
	}
	return ret == -EAGAIN ? -EBUSY : ret;
}

static int charge_pinned(struct gmmap_bo *bo)
{
	struct amdgpu_device *adev = gmmap_bo_device(bo)->adev;
	u64 limit = *amdgpu_device__gmc_real_vram_size(adev) / 2;

	if (atomic64_add_return(bo->base.bytes, &bo->kfd->pinned_bytes) <= limit)
		return 0;
	atomic64_sub(bo->base.bytes, &bo->kfd->pinned_bytes);
	return -ENOSPC;
}

static void uncharge_pinned(struct gmmap_bo *bo)
{
	atomic64_sub(bo->base.bytes, &bo->kfd->pinned_bytes);
}

/* Makes a mapping LIVE. Context: kfd_process.mutex and kgd_mem.lock held. */
static int make_live(struct gmmap_bo *bo)
{
	int ret;

	ret = charge_pinned(bo);
	if (ret)
		return ret;
	ret = publish(bo);
	if (ret)
		goto uncharge;
	ret = gmmap_mapping_publish(&bo->base);
	if (ret)
		goto unpublish;
	ret = take_over(bo);
	if (ret)
		goto unpublish_mapping;
	ret = gmmap_mapping_go_live(&bo->base);
	if (ret)
		goto restore;
	return 0;

restore:
	while (gmmap_bo_restore(&bo->base, false))
		msleep(BUSY_MS);
	gmmap_mapping_unpublish(&bo->base);
	return ret;
unpublish_mapping:
	gmmap_mapping_unpublish(&bo->base);
unpublish:
	unpublish(bo);
uncharge:
	uncharge_pinned(bo);
	return ret;
}

/* Context: kfd_process.mutex held. The extents are the mapping's if this succeeds. */
static struct gmmap_bo *create_bo(struct gmmap_kfd *kfd, const struct target *target,
				  struct gmmap_extents *extents)
{
	struct gmmap_kfd_client *client = gmmap_kfd_client(kfd, target->device);
	struct gmmap_bo *bo;
	int ret;

	if (!client)
		return ERR_PTR(-EOPNOTSUPP);
	ret = check_mem(target->mem);
	if (!ret)
		ret = gmmap_kfd_client_prepare(client);
	if (ret)
		return ERR_PTR(ret);
	bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->kfd = kfd;
	bo->bo = *kgd_mem__bo(target->mem);
	mutex_lock(kgd_mem__lock(target->mem));
	ret = find_attachment(bo, target, client->device->adev);
	mutex_unlock(kgd_mem__lock(target->mem));
	if (ret)
		goto free;
	ret = gmmap_extents_place(extents, target->start, target->length);
	if (ret)
		goto free;
	ret = gmmap_prefault_start(&client->base, *amdgpu_vm__pasid(bo->vm));
	if (ret)
		goto free;
	ret = gmmap_mapping_init(&bo->base, &client->base, extents, *amdgpu_vm__pasid(bo->vm),
				 *kgd_mem__va(target->mem), mem_bytes(target->mem));
	if (ret)
		goto free;
	drm_gem_object_get(&tbo_of(bo)->base);
	return bo;

free:
	kfree(bo);
	return ERR_PTR(ret);
}

static struct gmmap_mapping *map_locked(struct gmmap_kfd *kfd, struct kfd_process *process,
					const struct gmmap_map *args,
					struct gmmap_extents *extents)
{
	struct target target;
	struct gmmap_bo *bo;
	int ret;

	if (!*kfd_process__xnack_enabled(process))
		return ERR_PTR(-EOPNOTSUPP);
	ret = find_target(process, args, &target);
	if (ret)
		return ERR_PTR(ret);
	bo = create_bo(kfd, &target, extents);
	if (IS_ERR(bo))
		return ERR_CAST(bo);
	gmmap_mapping_get(&bo->base);
	ret = make_live(bo);
	if (ret) {
		/* The extents go back to the caller; all else is freed when nobody looks. */
		bo->base.extents = NULL;
		gmmap_mapping_put(&bo->base);
		gmmap_mapping_put(&bo->base);
		return ERR_PTR(ret);
	}
	return &bo->base;
}

/**
 * gmmap_bo_map() - make a mapping LIVE
 * @kfd: the process
 * @args: which BO
 * @extents: its content; the mapping's if this succeeds
 *
 * Context: may sleep; takes kfd_process.mutex.
 * Return: the mapping, referenced, or an ERR_PTR; Documentation/uapi.md has the errors.
 */
struct gmmap_mapping *gmmap_bo_map(struct gmmap_kfd *kfd, const struct gmmap_map *args,
				   struct gmmap_extents *extents)
{
	struct kfd_process *process = gmmap_kfd_hold(kfd);
	struct gmmap_mapping *mapping;

	if (!process)
		return ERR_PTR(-ESRCH);
	mutex_lock(kfd_process__mutex(process));
	mapping = map_locked(kfd, process, args, extents);
	mutex_unlock(kfd_process__mutex(process));
	amdgpu_call(kfd_unref_process)(process);
	return mapping;
}

static void put_object(struct gmmap_bo *bo)
{
	struct drm_gem_object *object = &tbo_of(bo)->base;

	/* A search that began before unpublish() still compares it. */
	WRITE_ONCE(bo->bo, NULL);
	drm_gem_object_put(object);
}

/* See struct gmmap_gpu_ops. */
int gmmap_bo_restore(struct gmmap_mapping *mapping, bool remap)
{
	struct gmmap_bo *bo = to_gmmap_bo(mapping);
	struct drm_exec exec;
	int ret;

	ret = lock_both(bo, &exec);
	if (ret)
		return ret;
	if (remap)
		ret = gmmap_bo_give_back(bo);
	if (ret == -EBUSY || ret == -ENOMEM) {
		drm_exec_fini(&exec);
		return ret;
	}
	/* From here on the driver's own updates are what counts. */
	unpublish(bo);
	unpin(bo);
	drm_exec_fini(&exec);
	uncharge_pinned(bo);
	if (remap)
		gmmap_bo_flush_tlb(bo);
	/* What remains of the mapping must not keep the memory. */
	put_object(bo);
	return 0;
}

/* The address of a page of VRAM for the kernel's copy engine. */
static u64 vram_address(struct gmmap_bo *bo, u64 offset)
{
	struct amdgpu_device *adev = gmmap_bo_device(bo)->adev;
	u64 pfn = amdgpu_call(amdgpu_ttm_io_mem_pfn)(tbo_of(bo), offset >> PAGE_SHIFT);

	return (pfn << PAGE_SHIFT) + offset_in_page(offset) -
	       *amdgpu_device__gmc_aper_base(adev) + *amdgpu_device__gmc_vram_start(adev);
}

/* How many of the bytes from an offset on are adjacent in VRAM, where the first is at address. */
static u32 adjacent_bytes(struct gmmap_bo *bo, u64 offset, u32 bytes, u64 address)
{
	u32 adjacent = PAGE_SIZE - offset_in_page(offset);

	while (adjacent < bytes && vram_address(bo, offset + adjacent) == address + adjacent)
		adjacent += PAGE_SIZE;
	return min(adjacent, bytes);
}

static int add_run(struct gmmap_bo *bo, struct gmmap_batch *batch, const struct gmmap_slot *slot,
		   const struct gmmap_run *run)
{
	u32 done, n;
	int ret = 0;

	for (done = 0; done < run->bytes && !ret; done += n) {
		u64 to = vram_address(bo, run->offset + done);

		n = adjacent_bytes(bo, run->offset + done, run->bytes - done, to);
		if (run->zero)
			ret = gmmap_batch_zero(batch, to, n);
		else
			ret = gmmap_batch_copy(batch, slot->gpu_address + run->slot_offset + done,
					       to, n);
	}
	return ret;
}

/* See struct gmmap_gpu_ops. The BO is pinned, so its pages are where they are. */
int gmmap_bo_copy_in(struct gmmap_mapping *mapping, const struct gmmap_slot *slot,
		     const struct gmmap_run *runs, u32 count, bool demand)
{
	struct gmmap_bo *bo = to_gmmap_bo(mapping);
	struct gmmap_device *device = gmmap_bo_device(bo);
	struct gmmap_batch batch = { .engine = demand ? &device->demand : &device->fill };
	int ret = 0;
	u32 i;

	for (i = 0; i < count && !ret; i++)
		ret = add_run(bo, &batch, slot, &runs[i]);
	if (!ret)
		return gmmap_batch_run(&batch);
	gmmap_batch_cancel(&batch);
	return ret;
}

/* See struct gmmap_gpu_ops. */
void gmmap_bo_free(struct gmmap_mapping *mapping)
{
	struct gmmap_bo *bo = to_gmmap_bo(mapping);

	if (bo->bo)
		put_object(bo);
	kfree(bo);
}

/* For dma_buf_get(). */
MODULE_INFO(import_ns, "DMA_BUF");
