// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process is attached once, however many sessions it has. It knows its mappings, and ends them
 * when its address space goes away.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <linux/gmmap.h>

#include "backend.h"
#include "gpu.h"
#include "mapping.h"
#include "process.h"

static void release_work(struct work_struct *work)
{
	struct gmmap_process *process = container_of(work, struct gmmap_process, release);

	/* May call notifier_release(), which does nothing without a reference. */
	mmu_notifier_unregister(&process->notifier, process->mm);
	mutex_destroy(&process->lock);
	gmmap_backend.release(process);
	module_put(THIS_MODULE);
}

/* Returns a mapping of a dead process that has not ended yet. */
static struct gmmap_mapping *next_victim(struct gmmap_process *process)
{
	struct gmmap_mapping *mapping, *found = NULL;

	mutex_lock(&process->lock);
	process->dead = true;
	list_for_each_entry(mapping, &process->mappings, link) {
		enum gmmap_life life = READ_ONCE(mapping->life);

		if (life == GMMAP_LIVE || life == GMMAP_ENDING) {
			found = gmmap_mapping_get(mapping);
			break;
		}
	}
	mutex_unlock(&process->lock);
	return found;
}

static void death_work(struct work_struct *work)
{
	struct gmmap_process *process = container_of(work, struct gmmap_process, death);
	struct gmmap_mapping *mapping;

	while ((mapping = next_victim(process))) {
		gmmap_mapping_end(mapping, GMMAP_END_DEATH);
		gmmap_mapping_put(mapping);
	}
	gmmap_backend.died(process);
	gmmap_process_put(process);
}

static void notifier_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct gmmap_process *process = container_of(notifier, struct gmmap_process, notifier);

	if (!gmmap_process_tryget(process))
		return;
	if (!queue_work(gmmap_end_queue, &process->death))
		gmmap_process_put(process);
}

static const struct mmu_notifier_ops notifier_ops = {
	.release = notifier_release,
};

/**
 * gmmap_process_init() - attach a process
 * @process: all zeros
 * @mm: its address space, referenced by the caller as long as this runs
 *
 * Context: may sleep; takes the mmap_lock.
 * Return: 0, -ENOMEM, -EINTR if the caller is to die.
 */
int gmmap_process_init(struct gmmap_process *process, struct mm_struct *mm)
{
	kref_init(&process->kref);
	mutex_init(&process->lock);
	INIT_LIST_HEAD(&process->mappings);
	INIT_WORK(&process->death, death_work);
	INIT_WORK(&process->release, release_work);
	process->next_id = 1;
	process->mm = mm;
	process->notifier.ops = &notifier_ops;
	__module_get(THIS_MODULE);
	if (mmu_notifier_register(&process->notifier, mm)) {
		module_put(THIS_MODULE);
		return -EINTR;
	}
	return 0;
}

struct gmmap_process *gmmap_process_get(struct gmmap_process *process)
{
	kref_get(&process->kref);
	return process;
}

bool gmmap_process_tryget(struct gmmap_process *process)
{
	return kref_get_unless_zero(&process->kref);
}

static void release(struct kref *kref)
{
	struct gmmap_process *process = container_of(kref, struct gmmap_process, kref);

	queue_work(gmmap_end_queue, &process->release);
}

/* Context: any. */
void gmmap_process_put(struct gmmap_process *process)
{
	kref_put(&process->kref, release);
}

/* Gives a mapping its id and a place in the list. */
int gmmap_process_add(struct gmmap_mapping *mapping)
{
	struct gmmap_process *process = mapping->process;
	int ret = 0;

	mutex_lock(&process->lock);
	if (process->dead) {
		ret = -ESRCH;
	} else if (process->count >= GMMAP_MAX_MAPPINGS) {
		ret = -ENOSPC;
	} else {
		mapping->id = process->next_id++;
		list_add_tail(&mapping->link, &process->mappings);
		process->count++;
	}
	mutex_unlock(&process->lock);
	return ret;
}

/* Takes a mapping off the list. Returns false if it was not there any more. */
bool gmmap_process_remove(struct gmmap_mapping *mapping)
{
	struct gmmap_process *process = mapping->process;
	bool listed;

	mutex_lock(&process->lock);
	listed = !list_empty(&mapping->link);
	if (listed) {
		list_del_init(&mapping->link);
		process->count--;
		spin_lock_irq(&mapping->gpu->lock);
		gmmap_stat_add(&process->ended, &mapping->stat);
		spin_unlock_irq(&mapping->gpu->lock);
	}
	mutex_unlock(&process->lock);
	return listed;
}

/* Returns a mapping that has not ended, referenced, or NULL. */
struct gmmap_mapping *gmmap_process_find(struct gmmap_process *process, u64 id)
{
	struct gmmap_mapping *mapping, *found = NULL;

	mutex_lock(&process->lock);
	list_for_each_entry(mapping, &process->mappings, link) {
		enum gmmap_life life = READ_ONCE(mapping->life);

		if (mapping->id == id && (life == GMMAP_LIVE || life == GMMAP_ENDING)) {
			found = gmmap_mapping_get(mapping);
			break;
		}
	}
	mutex_unlock(&process->lock);
	return found;
}

/* Whether an id was ever given to a mapping of the process. */
bool gmmap_process_knew(struct gmmap_process *process, u64 id)
{
	bool knew;

	mutex_lock(&process->lock);
	knew = id && id < process->next_id;
	mutex_unlock(&process->lock);
	return knew;
}

static void add_mapping(struct gmmap_stat *stat, struct gmmap_stat_counters *sum,
			struct gmmap_mapping *mapping)
{
	spin_lock_irq(&mapping->gpu->lock);
	gmmap_stat_add(sum, &mapping->stat);
	if (mapping->life == GMMAP_LIVE || mapping->life == GMMAP_ENDING) {
		stat->granules += mapping->granules;
		stat->absent_granules += mapping->absent;
		stat->failed_granules += mapping->failed;
	}
	spin_unlock_irq(&mapping->gpu->lock);
}

static void write_counters(struct gmmap_stat *stat, const struct gmmap_stat_counters *sum)
{
	stat->faults = sum->faults;
	stat->joined_faults = sum->joined;
	stat->stale_faults = sum->stale;
	stat->refused_faults = sum->refused;
	stat->acknowledged_faults = sum->acknowledged;
	stat->loaded_granules = sum->loads;
	stat->file_bytes = sum->file_bytes;
	stat->zero_bytes = sum->zero_bytes;
	stat->requeued_loads = sum->requeued;
	stat->failed_loads = sum->failed;
}

/**
 * gmmap_process_stat() - read the counters of one mapping or of all
 * @process: the process
 * @stat: mapping_id says of which, all output fields are 0
 *
 * Context: may sleep.
 * Return: 0, or -ENOENT if there is no such mapping.
 */
int gmmap_process_stat(struct gmmap_process *process, struct gmmap_stat *stat)
{
	struct gmmap_stat_counters sum = {};
	struct gmmap_mapping *mapping;
	bool found = !stat->mapping_id;

	mutex_lock(&process->lock);
	if (!stat->mapping_id)
		sum = process->ended;
	list_for_each_entry(mapping, &process->mappings, link) {
		if (stat->mapping_id && stat->mapping_id != mapping->id)
			continue;
		add_mapping(stat, &sum, mapping);
		found = true;
	}
	mutex_unlock(&process->lock);
	write_counters(stat, &sum);
	return found ? 0 : -ENOENT;
}
