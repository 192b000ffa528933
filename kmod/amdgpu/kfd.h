/* SPDX-License-Identifier: GPL-2.0-only */
/* An attached process and its kfd descriptors. */
#ifndef GMMAP_AMDGPU_KFD_H
#define GMMAP_AMDGPU_KFD_H

#include <linux/atomic.h>
#include <linux/list.h>

#include "../process.h"
#include "driver.h"

#define GMMAP_MAX_DEVICES	AMDGPU_ABI_COUNT_kfd_process__pdds

struct gmmap_device;
struct gmmap_kfd_client;

/**
 * struct gmmap_kfd - see above
 * @base: the core's part
 * @link: in the list of processes
 * @process: KFD's; referenced until @released, and by every attached descriptor's own reference
 * @released: we have given our reference back; guarded by the list's lock
 * @files: number of attached descriptors; guarded by the list's lock
 * @owner: KFD's module
 * @clients: by the index of KFD's process devices; NULL if not supported; constant
 * @pinned_bytes: of BOs of mappings
 */
struct gmmap_kfd {
	struct gmmap_process base;
	struct list_head link;
	struct kfd_process *process;
	bool released;
	unsigned int files;
	struct module *owner;
	struct gmmap_kfd_client *clients[GMMAP_MAX_DEVICES];
	atomic64_t pinned_bytes;
};

static inline struct gmmap_kfd *to_gmmap_kfd(struct gmmap_process *process)
{
	return container_of(process, struct gmmap_kfd, base);
}

struct gmmap_process *gmmap_kfd_attach(struct file *file);
struct gmmap_kfd_client *gmmap_kfd_client(struct gmmap_kfd *kfd, struct kfd_process_device *pdd);
struct kfd_process *gmmap_kfd_hold(struct gmmap_kfd *kfd);
int gmmap_kfd_visit(int (*visit)(struct gmmap_kfd *kfd, void *data), void *data);
void gmmap_kfd_tell_lost(const struct gmmap_device *device);
void gmmap_kfd_died(struct gmmap_process *process);
void gmmap_kfd_release(struct gmmap_process *process);

#endif
