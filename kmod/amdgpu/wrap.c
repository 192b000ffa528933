// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver believes that all of an incomplete BO is there. Where it would act on that, we step
 * in: ftrace has the function's callers enter our wrapper, as livepatch does.
 *
 *  - amdgpu_vm_bo_update() writes page table entries of the whole BO, if it has moved, if it was
 *    mapped anew, or after a reset that lost VRAM. We take the absent ones away again, before KFD
 *    lets queues run.
 *  - amdgpu_amdkfd_gpuvm_map_memory_to_gpu() and _export_dmabuf(), which CRIU's dump uses too:
 *    everything is loaded first.
 *  - amdgpu_amdkfd_gpuvm_free_memory_of_gpu(): the mapping is abandoned.
 *  - amdgpu_gem_fault(): what the CPU touches is loaded first. This covers every CPU mapping of
 *    the BO, whoever has made it and when.
 *  - ttm_bo_vm_access(): so is what a debugger reads or writes there.
 *  - amdgpu_amdkfd_post_reset(): the processes learn that memory is lost.
 *  - amdgpu_dma_buf_attach(): everything is loaded before another device gets the memory.
 *
 * A wrapper calls the original through a static call; ftrace lets calls from this module pass. Its
 * last act is to give back the module reference that the diversion took. What it then still
 * executes is covered by unregister_ftrace_function(), which waits for all tasks to leave.
 */
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <drm/ttm/ttm_bo.h>
#include <linux/dma-buf.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/srcu.h>

#include "bo.h"
#include "driver.h"
#include "power.h"
#include "wrap.h"

/* amdgpu_gem_fault() in progress, which may be about to map pages of a BO that has become ours. */
DEFINE_STATIC_SRCU(cpu_faults);

/* Loads everything, so that the BO is an ordinary one. */
static int load_all(const struct amdgpu_bo *driver_bo)
{
	struct gmmap_bo *bo = gmmap_bo_find(driver_bo);
	int ret;

	if (!bo)
		return 0;
	ret = gmmap_mapping_fill(&bo->base);
	if (!ret)
		ret = gmmap_mapping_end(&bo->base, GMMAP_END_COMPLETE);
	gmmap_mapping_put(&bo->base);
	return ret;
}

static s32 wrap_map_memory_to_gpu(struct amdgpu_device *adev, struct kgd_mem *mem, void *drm_priv)
{
	s32 ret = load_all(*kgd_mem__bo(mem));

	if (!ret)
		ret = amdgpu_call(amdgpu_amdkfd_gpuvm_map_memory_to_gpu)(adev, mem, drm_priv);
	module_put(THIS_MODULE);
	return ret;
}

static s32 wrap_export_dmabuf(struct kgd_mem *mem, struct dma_buf **dmabuf)
{
	s32 ret = load_all(*kgd_mem__bo(mem));

	if (!ret)
		ret = amdgpu_call(amdgpu_amdkfd_gpuvm_export_dmabuf)(mem, dmabuf);
	module_put(THIS_MODULE);
	return ret;
}

static s32 wrap_free_memory_of_gpu(struct amdgpu_device *adev, struct kgd_mem *mem,
				   void *drm_priv, u64 *size)
{
	struct gmmap_bo *bo = NULL;
	s32 ret;

	/* A BO that is mapped is not freed. */
	if (!*kgd_mem__mapped_to_gpu_memory(mem))
		bo = gmmap_bo_find(*kgd_mem__bo(mem));
	if (bo) {
		gmmap_mapping_end(&bo->base, GMMAP_END_ABANDON);
		gmmap_mapping_put(&bo->base);
	}
	ret = amdgpu_call(amdgpu_amdkfd_gpuvm_free_memory_of_gpu)(adev, mem, drm_priv, size);
	module_put(THIS_MODULE);
	return ret;
}

/* Whether amdgpu_vm_bo_update() is going to write page table entries. */
static bool will_write(struct amdgpu_bo_va *bo_va, bool clear)
{
	return *amdgpu_vm_bo_base__moved(amdgpu_bo_va__base(bo_va)) ||
	       *amdgpu_bo_va__cleared(bo_va) != clear ||
	       !list_empty(amdgpu_bo_va__invalids(bo_va));
}

/* Context: root page directory and BO are locked. */
static s32 update_incomplete(struct amdgpu_device *adev, struct amdgpu_bo_va *bo_va,
			     struct gmmap_bo *bo)
{
	bool written = will_write(bo_va, false);
	s32 ret;

	/* Another address space must not see what is not loaded, and there is no loading here. */
	if (bo_va != bo->bo_va && gmmap_bo_va_is_mapped(bo_va))
		return -EBUSY;
	ret = amdgpu_call(amdgpu_vm_bo_update)(adev, bo_va, false);
	if (ret || !written || bo_va != bo->bo_va)
		return ret;
	ret = gmmap_bo_take_away(bo);
	if (ret) {
		/* The caller tries again, and then all of this must happen again. */
		*amdgpu_vm_bo_base__moved(amdgpu_bo_va__base(bo_va)) = true;
		return ret;
	}
	gmmap_mapping_set_attached(&bo->base);
	gmmap_bo_flush_tlb(bo);
	return 0;
}

static s32 wrap_vm_bo_update(struct amdgpu_device *adev, struct amdgpu_bo_va *bo_va, bool clear)
{
	struct amdgpu_bo *driver_bo = *amdgpu_vm_bo_base__bo(amdgpu_bo_va__base(bo_va));
	struct gmmap_bo *bo = NULL;
	s32 ret;

	if (driver_bo && !clear)
		bo = gmmap_bo_find(driver_bo);
	if (bo) {
		ret = update_incomplete(adev, bo_va, bo);
		gmmap_mapping_put(&bo->base);
	} else {
		ret = amdgpu_call(amdgpu_vm_bo_update)(adev, bo_va, clear);
	}
	module_put(THIS_MODULE);
	return ret;
}

/**
 * struct window - what amdgpu_gem_fault() is going to map
 * @offset: in the BO
 * @bytes: 0 if it is outside of the BO
 */
struct window {
	u64 offset;
	u64 bytes;
};

/* See ttm_bo_vm_fault_reserved(). */
static struct window window_of(const struct vm_fault *vmf, u64 bo_bytes)
{
	const struct vm_area_struct *vma = vmf->vma;
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	u64 page = ((vmf->address - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff -
		   drm_vma_node_start(&tbo->base.vma_node);
	struct window window = { .offset = page << PAGE_SHIFT };

	if (window.offset < bo_bytes)
		window.bytes = min_t(u64, TTM_BO_VM_NUM_PREFAULT << PAGE_SHIFT,
				     bo_bytes - window.offset);
	return window;
}

static bool is_loaded(struct gmmap_bo *bo, const struct window *window)
{
	u64 end = window->offset + window->bytes;
	u64 offset;

	for (offset = round_down(window->offset, GMMAP_GRANULE_BYTES); offset < end;
	     offset += GMMAP_GRANULE_BYTES)
		if (!gmmap_mapping_is_present(&bo->base, offset >> GMMAP_GRANULE_SHIFT))
			return false;
	return true;
}

/* The mapping of a BO of which something must be loaded before the CPU may see it, or NULL. */
static struct gmmap_bo *find_incomplete(const struct vm_fault *vmf, struct window *window)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	struct gmmap_bo *bo = gmmap_bo_find((void *)tbo - AMDGPU_ABI_OFFSET_amdgpu_bo__tbo);

	if (!bo)
		return NULL;
	*window = window_of(vmf, bo->base.bytes);
	if (window->bytes && !is_loaded(bo, window))
		return bo;
	gmmap_mapping_put(&bo->base);
	return NULL;
}

static u32 fault_of_error(int error)
{
	if (error == -ENOMEM)
		return (__force u32)VM_FAULT_OOM;
	if (error == -ERESTARTSYS) /* about to die */
		return (__force u32)VM_FAULT_NOPAGE;
	return (__force u32)VM_FAULT_SIGBUS;
}

/* Whether the fault may wait without the mmap_lock, and come again; see ttm_bo_vm_reserve(). */
static bool may_drop_mmap_lock(const struct vm_fault *vmf)
{
	return fault_flag_allow_retry_first(vmf->flags) &&
	       !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT);
}

/* Returns 0 if the fault can go on, else what it returns. */
static u32 load_window(struct vm_fault *vmf, struct gmmap_bo *bo, const struct window *window)
{
	bool drop = may_drop_mmap_lock(vmf);
	int ret;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return (__force u32)VM_FAULT_RETRY;
	if (drop)
		release_fault_lock(vmf);
	ret = gmmap_mapping_load(&bo->base, window->offset, window->bytes, GMMAP_BY_CPU);
	/* Without the lock, an error is for the next attempt to find. */
	if (drop)
		return (__force u32)VM_FAULT_RETRY;
	return ret ? fault_of_error(ret) : 0;
}

static u32 load_and_fault(struct vm_fault *vmf)
{
	struct window window;
	struct gmmap_bo *bo;
	u32 ret;
	int idx;

	for (;;) {
		idx = srcu_read_lock(&cpu_faults);
		bo = find_incomplete(vmf, &window);
		if (!bo)
			break;
		/* Nobody who waits for cpu_faults shall wait for a file. */
		srcu_read_unlock(&cpu_faults, idx);
		ret = load_window(vmf, bo, &window);
		gmmap_mapping_put(&bo->base);
		if (ret)
			return ret;
	}
	ret = amdgpu_call(amdgpu_gem_fault)(vmf);
	srcu_read_unlock(&cpu_faults, idx);
	return ret;
}

static u32 wrap_gem_fault(struct vm_fault *vmf)
{
	u32 ret = load_and_fault(vmf);

	module_put(THIS_MODULE);
	return ret;
}

/* What a debugger reads or writes, see access_process_vm(). */
static int load_for_access(struct vm_area_struct *vma, unsigned long address, int bytes)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	struct gmmap_bo *bo = gmmap_bo_find((void *)tbo - AMDGPU_ABI_OFFSET_amdgpu_bo__tbo);
	u64 offset;
	int ret = 0;

	if (!bo)
		return 0;
	offset = address - vma->vm_start +
		 ((vma->vm_pgoff - drm_vma_node_start(&tbo->base.vma_node)) << PAGE_SHIFT);
	if (bytes > 0 && offset < bo->base.bytes)
		ret = gmmap_mapping_load(&bo->base, offset,
					 min_t(u64, bytes, bo->base.bytes - offset), GMMAP_BY_CPU);
	gmmap_mapping_put(&bo->base);
	return ret;
}

static int wrap_bo_vm_access(struct vm_area_struct *vma, unsigned long address, void *buffer,
			     int bytes, int write)
{
	int ret = load_for_access(vma, address, bytes);

	if (!ret)
		ret = ttm_bo_vm_access(vma, address, buffer, bytes, write);
	module_put(THIS_MODULE);
	return ret;
}

static s32 wrap_dma_buf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct drm_gem_object *object = dmabuf->priv;
	struct ttm_buffer_object *tbo = container_of(object, struct ttm_buffer_object, base);
	s32 ret = load_all((void *)tbo - AMDGPU_ABI_OFFSET_amdgpu_bo__tbo);

	if (!ret)
		ret = amdgpu_call(amdgpu_dma_buf_attach)(dmabuf, attachment);
	module_put(THIS_MODULE);
	return ret;
}

static s32 wrap_post_reset(struct amdgpu_device *adev)
{
	s32 ret = amdgpu_call(amdgpu_amdkfd_post_reset)(adev);

	gmmap_power_was_reset(adev);
	module_put(THIS_MODULE);
	return ret;
}

/* Waits until no amdgpu_gem_fault() runs that has begun before. */
void gmmap_wrap_drain_cpu_faults(void)
{
	synchronize_srcu(&cpu_faults);
}

/**
 * struct wrapper - a function and what stands in for it
 * @ops: for ftrace
 * @function: the driver's, or NOT_AMDGPU
 * @other: the function if it is not amdgpu's
 * @wrapper: ours
 */
struct wrapper {
	struct ftrace_ops ops;
	enum amdgpu_function function;
	void *other;
	void *wrapper;
};

/* Context: the driver's function is being entered; preemption is off. */
static void notrace divert(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			   struct ftrace_regs *fregs)
{
	struct wrapper *wrapper = container_of(ops, struct wrapper, ops);

	if (within_module(parent_ip, THIS_MODULE) || !try_module_get(THIS_MODULE))
		return;
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)wrapper->wrapper);
}

#define NOT_AMDGPU	AMDGPU_FUNCTION_COUNT

#define WRAPPER_OPS {				\
	.func = divert,				\
	.flags = FTRACE_OPS_FL_IPMODIFY |	\
		 FTRACE_OPS_FL_RECURSION,	\
}

#define WRAPPER(name, stand_in) {		\
	.ops = WRAPPER_OPS,			\
	.function = AMDGPU_##name,		\
	.wrapper = stand_in,			\
}

static struct wrapper wrappers[] = {
	WRAPPER(amdgpu_gem_fault, wrap_gem_fault),
	WRAPPER(amdgpu_vm_bo_update, wrap_vm_bo_update),
	WRAPPER(amdgpu_amdkfd_gpuvm_map_memory_to_gpu, wrap_map_memory_to_gpu),
	WRAPPER(amdgpu_amdkfd_gpuvm_export_dmabuf, wrap_export_dmabuf),
	WRAPPER(amdgpu_amdkfd_gpuvm_free_memory_of_gpu, wrap_free_memory_of_gpu),
	WRAPPER(amdgpu_dma_buf_attach, wrap_dma_buf_attach),
	WRAPPER(amdgpu_amdkfd_post_reset, wrap_post_reset),
	{
		.ops = WRAPPER_OPS,
		.function = NOT_AMDGPU,
		.other = ttm_bo_vm_access,
		.wrapper = wrap_bo_vm_access,
	},
};

static unsigned long entry_of(const struct wrapper *wrapper)
{
	if (wrapper->function == NOT_AMDGPU)
		return (unsigned long)wrapper->other;
	return amdgpu_function_entry(wrapper->function);
}

static int install(struct wrapper *wrapper)
{
	unsigned long entry = entry_of(wrapper);
	int ret;

	ret = ftrace_set_filter_ip(&wrapper->ops, entry, 0, 0);
	if (!ret)
		ret = register_ftrace_function(&wrapper->ops);
	if (ret) {
		pr_err("gmmap: cannot wrap %ps (%d); is it livepatched?\n", (void *)entry, ret);
		ftrace_set_filter_ip(&wrapper->ops, entry, 1, 0);
	}
	return ret;
}

static void uninstall(struct wrapper *wrapper)
{
	unregister_ftrace_function(&wrapper->ops);
	ftrace_set_filter_ip(&wrapper->ops, entry_of(wrapper), 1, 0);
}

/**
 * gmmap_wrap_install() - stand in for the driver's functions
 *
 * Context: may sleep; the caller serializes with gmmap_wrap_remove().
 * Return: 0, or -EBUSY if somebody else has replaced one, or another error of ftrace.
 */
int gmmap_wrap_install(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(wrappers); i++) {
		ret = install(&wrappers[i]);
		if (ret)
			goto uninstall;
	}
	return 0;

uninstall:
	while (i--)
		uninstall(&wrappers[i]);
	return ret;
}

/* Context: may sleep; not in a wrapper. */
void gmmap_wrap_remove(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrappers); i++)
		uninstall(&wrappers[i]);
}
