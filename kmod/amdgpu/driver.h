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

#define AMDGPU_DECLARE_CALL(name)	DECLARE_STATIC_CALL(gmmap_##name, name)
AMDGPU_ABI_FUNCTIONS(AMDGPU_DECLARE_CALL)
#undef AMDGPU_DECLARE_CALL

int amdgpu_driver_resolve(void);
unsigned long amdgpu_function_entry(enum amdgpu_function function);
bool amdgpu_function_is(enum amdgpu_function function, const void *pointer);

#endif
