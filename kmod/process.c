// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process is attached once, however many sessions it has. It knows its mappings, and ends them
 * when its address space goes away.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <linux/gmmap.h>

#include "backend.h"
#include "gpu.h"
#include "mapping.h"
#include "process.h"
#include "recording.h"

static void release_work(struct work_struct *work)
{
	struct gmmap_process *process = container_of(work, struct gmmap_process, release);

	/* May call notifier_release(), which does nothing without a reference. */
	mmu_notifier_unregister(&process->notifier, process->mm);
	mutex_destroy(&process->lock);
	xa_destroy(&process->mappings);
	gmmap_recording_put(process->recording);
	mem_cgroup_put(process->memcg);
	gmmap_backend.release(process);
	module_put(THIS_MODULE);
}

/* Returns a mapping that has not ended, on a client or anywhere; referenced, or NULL. */
static struct gmmap_mapping *next_mapping(struct gmmap_process *process,
					  const struct gmmap_client *client)
{
	struct gmmap_mapping *mapping, *found = NULL;
	unsigned long id;

	mutex_lock(&process->lock);
	xa_for_each(&process->mappings, id, mapping) {
		enum gmmap_life life = READ_ONCE(mapping->life);

		if (client && mapping->client != client)
			continue;
		if (life == GMMAP_LIVE || life == GMMAP_ENDING) {
			found = gmmap_mapping_get(mapping);
			break;
		}
	}
	mutex_unlock(&process->lock);
	return found;
}

static void end_all(struct gmmap_process *process, const struct gmmap_client *client,
		    enum gmmap_end how)
{
	struct gmmap_mapping *mapping;

	while ((mapping = next_mapping(process, client))) {
		gmmap_mapping_end(mapping, how);
		gmmap_mapping_put(mapping);
	}
}

static void death_work(struct work_struct *work)
{
	struct gmmap_process *process = container_of(work, struct gmmap_process, death);
	struct gmmap_record record = { .type = GMMAP_RECORD_EXIT };

	mutex_lock(&process->lock);
	process->dead = true;
	mutex_unlock(&process->lock);
	end_all(process, NULL, GMMAP_END_DEATH);
	gmmap_backend.died(process);
	gmmap_process_tell(process, &record);
	gmmap_process_put(process);
}

/**
 * gmmap_process_complete() - load everything, so that the process has no mapping
 * @process: the process; nobody must begin a mapping meanwhile
 *
 * Context: may sleep.
 * Return: 0, -EIO if something cannot be read, -ENOMEM, -ERESTARTSYS if the caller is to die.
 */
int gmmap_process_complete(struct gmmap_process *process)
{
	struct gmmap_mapping *mapping;
	int ret = 0;

	while (!ret && (mapping = next_mapping(process, NULL))) {
		ret = gmmap_mapping_fill(mapping);
		if (!ret)
			ret = gmmap_mapping_end(mapping, GMMAP_END_COMPLETE);
		gmmap_mapping_put(mapping);
	}
	return ret;
}

/* Ends all mappings on a GPU that goes away. Context: may sleep; no mapping begins meanwhile. */
void gmmap_process_lose(struct gmmap_process *process, const struct gmmap_client *client)
{
	end_all(process, client, GMMAP_END_LOST);
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
 * @pid: its number
 *
 * Context: may sleep; takes the mmap_lock.
 * Return: 0, -ENOMEM, -EINTR if the caller is to die.
 */
int gmmap_process_init(struct gmmap_process *process, struct mm_struct *mm, pid_t pid)
{
	kref_init(&process->kref);
	mutex_init(&process->lock);
	xa_init_flags(&process->mappings, XA_FLAGS_ACCOUNT);
	INIT_WORK(&process->death, death_work);
	INIT_WORK(&process->release, release_work);
	spin_lock_init(&process->tell_lock);
	INIT_LIST_HEAD(&process->streams);
	process->next_id = 1;
	process->next_fill = 1;
	process->mm = mm;
	process->pid = pid;
	process->memcg = get_mem_cgroup_from_mm(mm);
	process->notifier.ops = &notifier_ops;
	__module_get(THIS_MODULE);
	if (mmu_notifier_register(&process->notifier, mm)) {
		mem_cgroup_put(process->memcg);
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
		ret = xa_insert(&process->mappings, mapping->id, mapping, GFP_KERNEL_ACCOUNT);
		if (!ret)
			process->count++;
	}
	mutex_unlock(&process->lock);
	return ret;
}

/* Forgets a mapping. Returns false if it was forgotten before. */
bool gmmap_process_remove(struct gmmap_mapping *mapping)
{
	struct gmmap_process *process = mapping->process;
	bool listed;

	mutex_lock(&process->lock);
	listed = xa_erase(&process->mappings, mapping->id);
	if (listed) {
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
	struct gmmap_mapping *mapping;
	enum gmmap_life life;

	mutex_lock(&process->lock);
	mapping = xa_load(&process->mappings, id);
	if (mapping) {
		life = READ_ONCE(mapping->life);
		if (life == GMMAP_LIVE || life == GMMAP_ENDING)
			gmmap_mapping_get(mapping);
		else
			mapping = NULL;
	}
	mutex_unlock(&process->lock);
	return mapping;
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

/* Returns an id that no fill of the process had. Context: may sleep. */
u64 gmmap_process_next_fill(struct gmmap_process *process)
{
	u64 id;

	mutex_lock(&process->lock);
	id = process->next_fill++;
	mutex_unlock(&process->lock);
	return id;
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
	unsigned long id;

	mutex_lock(&process->lock);
	if (!stat->mapping_id)
		sum = process->ended;
	xa_for_each(&process->mappings, id, mapping) {
		if (stat->mapping_id && stat->mapping_id != mapping->id)
			continue;
		add_mapping(stat, &sum, mapping);
		found = true;
	}
	mutex_unlock(&process->lock);
	gmmap_stat_export(stat, &sum);
	return found ? 0 : -ENOENT;
}
