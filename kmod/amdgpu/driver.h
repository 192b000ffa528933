/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * amdgpu as the module sees it: opaque structures, accessors of their fields, and functions that
 * can be called. All of it is generated from the BTF of the installed amdgpu.ko.
 *
 * Functions are called by amdgpu_call(name)(arguments). That is a static call, because most of them
 * are not meant to be called indirectly: x86 removes the ENDBR of such functions when it loads a
 * module (apply_seal_endbr()), and an indirect call would trap where IBT is on.
 */
#ifndef GMMAP_AMDGPU_DRIVER_H
#define GMMAP_AMDGPU_DRIVER_H

#include <linux/static_call.h>
#include <linux/types.h>

#include "amdgpu_abi.h"

#define amdgpu_call(name)	static_call(gmmap_##name)

/* X(name): every function that is called */
#define AMDGPU_FUNCTIONS(X)				\
	X(amdgpu_vm_update_range)			\
	X(amdgpu_vm_update_pdes)			\
	X(amdgpu_vm_flush_compute_tlb)			\
	X(amdgpu_vm_bo_lookup_mapping)			\
	X(amdgpu_ttm_tt_pte_flags)			\
	X(amdgpu_ttm_io_mem_pfn)			\
	X(gmc_v9_0_get_vm_pte)				\
	X(amdgpu_copy_buffer)				\
	X(amdgpu_bo_create_kernel)			\
	X(amdgpu_bo_free_kernel)			\
	X(amdgpu_mm_wdoorbell)				\
	X(kfd_process_device_data_by_id)		\
	X(kfd_process_device_translate_handle)		\
	X(kfd_unref_process)				\
	X(gmc_v9_0_process_interrupt)			\
	X(kfd_ioctl)					\
	X(kfd_release)					\
	X(amdgpu_gem_fault)				\
	X(amdgpu_vm_bo_update)				\
	X(amdgpu_amdkfd_gpuvm_map_memory_to_gpu)	\
	X(amdgpu_amdkfd_gpuvm_free_memory_of_gpu)	\
	X(amdgpu_amdkfd_gpuvm_export_dmabuf)

#define AMDGPU_DECLARE_CALL(name)	DECLARE_STATIC_CALL(gmmap_##name, name);
AMDGPU_FUNCTIONS(AMDGPU_DECLARE_CALL)
#undef AMDGPU_DECLARE_CALL

/* An index for each of them. */
#define AMDGPU_FUNCTION_INDEX(name)	AMDGPU_##name,
enum amdgpu_function {
	AMDGPU_FUNCTIONS(AMDGPU_FUNCTION_INDEX)
	AMDGPU_FUNCTION_COUNT,
};
#undef AMDGPU_FUNCTION_INDEX

int amdgpu_driver_resolve(void);
unsigned long amdgpu_function_entry(enum amdgpu_function function);
bool amdgpu_function_is(enum amdgpu_function function, const void *pointer);

#endif
