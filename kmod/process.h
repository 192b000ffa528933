/* SPDX-License-Identifier: GPL-2.0-only */
/* A process whose kfd descriptor is attached. */
#ifndef GMMAP_PROCESS_H
#define GMMAP_PROCESS_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "stat.h"

struct gmmap_mapping;
struct gmmap_stat;

#define GMMAP_MAX_MAPPINGS	4096

/**
 * struct gmmap_process - see above
 * @kref: of sessions, attached descriptors and mappings
 * @notifier: tells when the address space goes away
 * @mm: for @notifier; constant
 * @death: ends all mappings
 * @release: frees it
 * @lock: guards all below
 * @mappings: by gmmap_mapping.link, also those that have ended and are not forgotten
 * @count: of @mappings
 * @next_id: for the next mapping
 * @ended: counters of mappings that are forgotten
 * @dead: there will be no mappings any more
 */
struct gmmap_process {
	struct kref kref;
	struct mmu_notifier notifier;
	struct mm_struct *mm;
	struct work_struct death;
	struct work_struct release;

	struct mutex lock; /* see above */
	struct list_head mappings;
	u32 count;
	u64 next_id;
	struct gmmap_stat_counters ended;
	bool dead;
};

int gmmap_process_init(struct gmmap_process *process, struct mm_struct *mm);
struct gmmap_process *gmmap_process_get(struct gmmap_process *process);
bool gmmap_process_tryget(struct gmmap_process *process);
void gmmap_process_put(struct gmmap_process *process);

int gmmap_process_add(struct gmmap_mapping *mapping);
bool gmmap_process_remove(struct gmmap_mapping *mapping);
struct gmmap_mapping *gmmap_process_find(struct gmmap_process *process, u64 id);
bool gmmap_process_knew(struct gmmap_process *process, u64 id);
int gmmap_process_stat(struct gmmap_process *process, struct gmmap_stat *stat);

#endif
