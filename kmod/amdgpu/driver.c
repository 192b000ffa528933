// SPDX-License-Identifier: GPL-2.0-only
/*
 * amdgpu exports nothing, so no symbol version protects the module from a driver that it was not
 * built for. Two things do: the loaded driver's BTF must be the one that the accessors were
 * generated from, and every function must be there.
 */
#include <crypto/sha2.h>
#include <drm/gpu_scheduler.h>
#include <drm/ttm/ttm_bo.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "driver.h"

#define BTF_PATH	"/sys/kernel/btf/amdgpu"

/* The generated accessors lead to these, which come from public headers. */
static_assert(sizeof(struct ttm_buffer_object) == AMDGPU_ABI_SIZEOF_ttm_buffer_object);
static_assert(sizeof(struct mutex) == AMDGPU_ABI_SIZEOF_mutex);
static_assert(sizeof(struct drm_sched_entity) == AMDGPU_ABI_SIZEOF_drm_sched_entity);
static_assert(sizeof(struct idr) == AMDGPU_ABI_SIZEOF_idr);

#define DEFINE_CALL(name)	DEFINE_STATIC_CALL_NULL(gmmap_##name, name)
AMDGPU_ABI_FUNCTIONS(DEFINE_CALL)
#undef DEFINE_CALL

/* Where a call of each function goes to: behind its ENDBR, if it has one. */
static unsigned long entries[AMDGPU_FUNCTION_COUNT];

static const char *const names[] = { AMDGPU_ABI_NAMES };

/* Returns the number of bytes, or an error. The caller frees the buffer by kvfree(). */
static ssize_t read_all(struct file *file, void **buffer)
{
	size_t bytes = i_size_read(file_inode(file));
	loff_t position = 0;
	ssize_t n = 1;

	*buffer = kvmalloc(bytes, GFP_KERNEL);
	if (!*buffer)
		return -ENOMEM;
	while (position < bytes && n > 0)
		n = kernel_read(file, *buffer + position, bytes - position, &position);
	return n < 0 ? n : position;
}

static ssize_t read_btf(void **buffer)
{
	struct file *file = filp_open(BTF_PATH, O_RDONLY, 0);
	ssize_t ret;

	*buffer = NULL;
	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = read_all(file, buffer);
	fput(file);
	return ret;
}

static int check_btf(void)
{
	static const u8 built_for[SHA256_DIGEST_SIZE] = AMDGPU_ABI_SHA256;
	u8 found[SHA256_DIGEST_SIZE];
	ssize_t bytes;
	void *btf;

	bytes = read_btf(&btf);
	if (bytes >= 0)
		sha256(btf, bytes, found);
	kvfree(btf);
	if (bytes < 0) {
		pr_err("gmmap: cannot read " BTF_PATH " (%zd); is amdgpu loaded?\n", bytes);
		return -ENODEV;
	}
	if (memcmp(found, built_for, sizeof(found))) {
		pr_err("gmmap: built for another amdgpu than the one that is loaded; build again\n");
		return -ENODEV;
	}
	return 0;
}

/*
 * A kprobe that is never enabled finds a symbol. Its address is that of the first instruction
 * after ENDBR (arch_adjust_kprobe_addr()), where a direct call may enter.
 */
static unsigned long find_function(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	unsigned long address;

	if (register_kprobe(&probe))
		return 0;
	address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return address;
}

/**
 * amdgpu_driver_resolve() - make amdgpu_call() work
 *
 * Context: may sleep.
 * Return: 0 or -ENODEV; then one line in the log says why.
 */
int amdgpu_driver_resolve(void)
{
	unsigned int i;
	int ret;

	ret = check_btf();
	if (ret)
		return ret;
	for (i = 0; i < AMDGPU_FUNCTION_COUNT; i++) {
		entries[i] = find_function(names[i]);
		if (entries[i])
			continue;
		pr_err("gmmap: the kernel has no symbol %s\n", names[i]);
		return -ENODEV;
	}
#define UPDATE_CALL(name) \
	static_call_update(gmmap_##name, (typeof(name) *)entries[AMDGPU_##name])
	AMDGPU_ABI_FUNCTIONS(UPDATE_CALL)
#undef UPDATE_CALL
	return 0;
}

/* The instruction that ftrace patches. */
unsigned long amdgpu_function_entry(enum amdgpu_function function)
{
	return entries[function];
}

/* Whether a pointer found in a structure of amdgpu is that of a function, with or without ENDBR. */
bool amdgpu_function_is(enum amdgpu_function function, const void *pointer)
{
	unsigned long address = (unsigned long)pointer;

	return address == entries[function] || address == entries[function] - ENDBR_INSN_SIZE;
}
