/* SPDX-License-Identifier: GPL-2.0-only */
/* A process whose kfd descriptor is attached. */
#ifndef GMMAP_PROCESS_H
#define GMMAP_PROCESS_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "stat.h"

struct gmmap_client;
struct gmmap_mapping;
struct gmmap_recording;
struct gmmap_records;
struct gmmap_stream;
struct mem_cgroup;

#define GMMAP_MAX_MAPPINGS	4096

/**
 * struct gmmap_process - see above
 * @kref: of sessions, attached descriptors and mappings
 * @notifier: tells when the address space goes away
 * @mm: for @notifier; constant
 * @pid: of the process, in the initial namespace; constant
 * @memcg: charged for what its loads read, or NULL; referenced, constant
 * @prefaulting: how many references to the pages of @mm our threads have
 * @death: ends all mappings
 * @release: frees it
 * @lock: guards all below up to @dead
 * @mappings: struct gmmap_mapping by id, also those that have ended and are not forgotten
 * @count: of @mappings
 * @next_id: for the next mapping
 * @next_fill: id of the next fill
 * @ended: counters of mappings that are forgotten
 * @dead: there will be no mappings any more
 *
 * @tell_lock: guards all below; taken in the hard interrupt, inside of gmmap_gpu.lock
 * @streams: struct gmmap_stream of each session
 * @wanted: what any of them wants, see gmmap_stream.mask
 * @recording: the last one that was started, or NULL
 * @exact: it is running and wants no fault-around
 */
struct gmmap_process {
	struct kref kref;
	struct mmu_notifier notifier;
	struct mm_struct *mm;
	pid_t pid;
	struct mem_cgroup *memcg;
	atomic_t prefaulting;
	struct work_struct death;
	struct work_struct release;

	struct mutex lock; /* see above */
	struct xarray mappings;
	u32 count;
	u64 next_id;
	u64 next_fill;
	struct gmmap_stat_counters ended;
	bool dead;

	spinlock_t tell_lock; /* see above */
	struct list_head streams;
	u32 wanted;
	struct gmmap_recording *recording;
	bool exact;
};

int gmmap_process_init(struct gmmap_process *process, struct mm_struct *mm, pid_t pid);
struct gmmap_process *gmmap_process_get(struct gmmap_process *process);
bool gmmap_process_tryget(struct gmmap_process *process);
void gmmap_process_put(struct gmmap_process *process);

int gmmap_process_add(struct gmmap_mapping *mapping);
bool gmmap_process_remove(struct gmmap_mapping *mapping);
struct gmmap_mapping *gmmap_process_find(struct gmmap_process *process, u64 id);
bool gmmap_process_knew(struct gmmap_process *process, u64 id);
int gmmap_process_complete(struct gmmap_process *process);
void gmmap_process_lose(struct gmmap_process *process, const struct gmmap_client *client);
u64 gmmap_process_next_fill(struct gmmap_process *process);
int gmmap_process_stat(struct gmmap_process *process, struct gmmap_stat *stat);

/* tell.c */
void gmmap_process_listen(struct gmmap_process *process, struct gmmap_stream *stream);
void gmmap_process_unlisten(struct gmmap_process *process, struct gmmap_stream *stream);
int gmmap_process_records(struct gmmap_process *process, struct gmmap_stream *stream,
			  const struct gmmap_records *args);
void gmmap_process_tell(struct gmmap_process *process, const struct gmmap_record *record);
void gmmap_process_touch(struct gmmap_mapping *mapping, u32 granule, u32 gpu_id);
int gmmap_process_start_recording(struct gmmap_process *process, u32 capacity, bool exact);
struct gmmap_recording *gmmap_process_recording(struct gmmap_process *process, bool stop);

#endif
