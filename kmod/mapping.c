// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a mapping: from the granules that MAP made absent to the BO that is an ordinary one.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "client.h"
#include "extent.h"
#include "fill.h"
#include "gpu.h"
#include "load.h"
#include "mapping.h"
#include "process.h"
#include "trace.h"

/*
 * By then the interrupt ring has no fault left that was raised before the end of a mapping, and the
 * queues of a process that has died are gone.
 */
#define EXPIRE_MS	1000
#define RESTORE_MS	5

struct workqueue_struct *gmmap_end_queue;

static void complete_work(struct work_struct *work);
static void expire_work(struct work_struct *work);
static void free_work(struct work_struct *work);

/* A granule without any extent stays as it is; all others are loaded before the GPU sees them. */
static void init_states(struct gmmap_mapping *mapping)
{
	u32 i;

	for (i = 0; i < mapping->granules; i++) {
		if (!gmmap_extents_covered(mapping->extents, gmmap_granule_offset(i),
					   gmmap_granule_bytes(mapping, i)))
			continue;
		mapping->states[i] = GMMAP_ABSENT;
		mapping->absent++;
	}
}

/**
 * gmmap_mapping_init() - begin a mapping
 * @mapping: all zeros
 * @client: whose and where
 * @extents: placed in the BO; the mapping's from now on, unless this fails
 * @pasid: of the address space
 * @address: of the BO
 * @bytes: of the BO
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int gmmap_mapping_init(struct gmmap_mapping *mapping, struct gmmap_client *client,
		       struct gmmap_extents *extents, u32 pasid, u64 address, u64 bytes)
{
	kref_init(&mapping->kref);
	mapping->client = client;
	mapping->gpu = client->gpu;
	mapping->address = address;
	mapping->bytes = bytes;
	mapping->granules = DIV_ROUND_UP_ULL(bytes, GMMAP_GRANULE_BYTES);
	mapping->key = gmmap_range_key(pasid, address);
	mapping->life = GMMAP_NEW;
	init_waitqueue_head(&mapping->wait);
	INIT_DELAYED_WORK(&mapping->complete, complete_work);
	INIT_DELAYED_WORK(&mapping->expire, expire_work);
	INIT_RCU_WORK(&mapping->free, free_work);
	mapping->states = kvzalloc(mapping->granules, GFP_KERNEL_ACCOUNT);
	if (!mapping->states)
		return -ENOMEM;
	mapping->touched = kvcalloc(BITS_TO_LONGS(mapping->granules), sizeof(long),
				    GFP_KERNEL_ACCOUNT);
	if (!mapping->touched) {
		kvfree(mapping->states);
		return -ENOMEM;
	}
	mapping->extents = extents;
	mapping->process = gmmap_process_get(client->process);
	init_states(mapping);
	return 0;
}

static void free_work(struct work_struct *work)
{
	struct gmmap_mapping *mapping =
		container_of(to_rcu_work(work), struct gmmap_mapping, free);
	struct gmmap_process *process = mapping->process;

	gmmap_extents_destroy(mapping->extents);
	kvfree(mapping->touched);
	kvfree(mapping->states);
	mapping->gpu->ops->free(mapping);
	gmmap_process_put(process);
}

static void release(struct kref *kref)
{
	struct gmmap_mapping *mapping = container_of(kref, struct gmmap_mapping, kref);

	/* The interrupt handler may look at it until a grace period has passed. */
	queue_rcu_work(gmmap_end_queue, &mapping->free);
}

struct gmmap_mapping *gmmap_mapping_get(struct gmmap_mapping *mapping)
{
	kref_get(&mapping->kref);
	return mapping;
}

/* Context: any. */
void gmmap_mapping_put(struct gmmap_mapping *mapping)
{
	kref_put(&mapping->kref, release);
}

/* Forgets a mapping that has ended. The process's reference goes with it. */
static void forget(struct gmmap_mapping *mapping)
{
	if (!gmmap_process_remove(mapping))
		return;
	mtree_erase(&mapping->gpu->ranges, mapping->key);
	gmmap_mapping_put(mapping);
}

static void expire_work(struct work_struct *work)
{
	struct gmmap_mapping *mapping =
		container_of(to_delayed_work(work), struct gmmap_mapping, expire);

	forget(mapping);
	gmmap_mapping_put(mapping);
}

/* A mapping that has ended gives way to a new one. Returns false if another one is there. */
static bool make_room(struct gmmap_mapping *mapping)
{
	unsigned long index = mapping->key;
	unsigned long last = mapping->key + mapping->bytes - 1;
	struct gmmap_mapping *old;
	bool ended;

	rcu_read_lock();
	old = mt_find(&mapping->gpu->ranges, &index, last);
	if (old && !kref_get_unless_zero(&old->kref))
		old = NULL;
	rcu_read_unlock();
	if (!old)
		return true;
	ended = READ_ONCE(old->life) == GMMAP_ENDED;
	if (ended)
		forget(old);
	gmmap_mapping_put(old);
	return ended;
}

static void set_life(struct gmmap_mapping *mapping, enum gmmap_life life)
{
	spin_lock_irq(&mapping->gpu->lock);
	WRITE_ONCE(mapping->life, life);
	wake_up_all(&mapping->wait);
	spin_unlock_irq(&mapping->gpu->lock);
}

/**
 * gmmap_mapping_publish() - let faults find a mapping
 * @mapping: NEW; it stays NEW, so that its faults are acknowledged but nothing is loaded
 *
 * Context: may sleep.
 * Return: 0, -EEXIST if there is one in this address range, -ENOSPC if the process has too many,
 * -ESRCH if it is dead, -ENOMEM.
 */
int gmmap_mapping_publish(struct gmmap_mapping *mapping)
{
	int ret;

	ret = gmmap_process_add(mapping);
	if (ret)
		return ret;
	do {
		ret = mtree_insert_range(&mapping->gpu->ranges, mapping->key,
					 mapping->key + mapping->bytes - 1, mapping, GFP_KERNEL);
	} while (ret == -EEXIST && make_room(mapping));
	if (ret)
		gmmap_process_remove(mapping);
	return ret;
}

/**
 * gmmap_mapping_unpublish() - undo gmmap_mapping_publish()
 * @mapping: not yet LIVE
 *
 * Context: may sleep.
 */
void gmmap_mapping_unpublish(struct gmmap_mapping *mapping)
{
	set_life(mapping, GMMAP_ENDED);
	mtree_erase(&mapping->gpu->ranges, mapping->key);
	gmmap_process_remove(mapping);
}

/**
 * gmmap_mapping_go_live() - serve faults from now on
 * @mapping: published
 *
 * Context: may sleep.
 * Return: 0, or -ESRCH if the process is dead.
 */
int gmmap_mapping_go_live(struct gmmap_mapping *mapping)
{
	struct gmmap_process *process = mapping->process;
	int ret = 0;

	mutex_lock(&process->lock);
	if (process->dead)
		ret = -ESRCH;
	else
		set_life(mapping, GMMAP_LIVE);
	if (!ret)
		trace_gmmap_map(mapping);
	mutex_unlock(&process->lock);
	return ret;
}

/* Context: a lock that excludes page table updates of the range, if the answer is to last. */
bool gmmap_mapping_is_present(struct gmmap_mapping *mapping, u32 granule)
{
	return READ_ONCE(mapping->states[granule]) == GMMAP_PRESENT;
}

/**
 * gmmap_mapping_absent_run() - count granules that can be loaded at once, going up
 * @mapping: the mapping
 * @granule: the first one, ABSENT
 * @limit: of the number, not 0
 *
 * Context: gmmap_gpu.lock held.
 * Return: 1 to @limit; all are ABSENT and in the same chunk.
 */
u32 gmmap_mapping_absent_run(const struct gmmap_mapping *mapping, u32 granule, u32 limit)
{
	u32 chunk = gmmap_mapping_chunk(mapping, granule);
	u32 n = 1;

	while (n < limit && granule + n < mapping->granules &&
	       mapping->states[granule + n] == GMMAP_ABSENT &&
	       gmmap_mapping_chunk(mapping, granule + n) == chunk)
		n++;
	return n;
}

/* The same, going down from @granule. */
u32 gmmap_mapping_absent_run_down(const struct gmmap_mapping *mapping, u32 granule, u32 limit)
{
	u32 chunk = gmmap_mapping_chunk(mapping, granule);
	u32 n = 1;

	while (n < limit && n <= granule && mapping->states[granule - n] == GMMAP_ABSENT &&
	       gmmap_mapping_chunk(mapping, granule - n) == chunk)
		n++;
	return n;
}

/**
 * gmmap_mapping_set_present() - note that granules have their content
 * @mapping: the mapping
 * @first: the first one, LOADING as the others
 * @count: how many
 * @detached: the BO is not in the address space, there is nothing to map
 *
 * Context: the lock of the page table is held.
 */
void gmmap_mapping_set_present(struct gmmap_mapping *mapping, u32 first, u32 count,
			       bool detached)
{
	u32 i;

	spin_lock_irq(&mapping->gpu->lock);
	for (i = first; i < first + count; i++)
		WRITE_ONCE(mapping->states[i], GMMAP_PRESENT);
	mapping->absent -= count;
	mapping->detached = detached;
	spin_unlock_irq(&mapping->gpu->lock);
}

/* Notes that the BO is in the address space again. Context: the lock of the page table is held. */
void gmmap_mapping_set_attached(struct gmmap_mapping *mapping)
{
	spin_lock_irq(&mapping->gpu->lock);
	mapping->detached = false;
	spin_unlock_irq(&mapping->gpu->lock);
}

/* MAP may not be done yet. Returns 0 also if it has failed. */
static int wait_until_live(struct gmmap_mapping *mapping)
{
	return wait_event_killable(mapping->wait, READ_ONCE(mapping->life) != GMMAP_NEW);
}

/* Asks for a granule, unless it is present or on its way. */
static int demand(struct gmmap_mapping *mapping, u32 granule, enum gmmap_cause cause)
{
	struct gmmap_gpu *gpu = mapping->gpu;
	struct gmmap_load *load;

	load = kzalloc(sizeof(*load), GFP_KERNEL);
	if (!load)
		return -ENOMEM;
	load->heap = true;
	spin_lock_irq(&gpu->lock);
	if (mapping->life == GMMAP_LIVE && cause == GMMAP_BY_CPU &&
	    mapping->states[granule] != GMMAP_PRESENT)
		gmmap_process_touch(mapping, granule, 0);
	if (mapping->life == GMMAP_LIVE && mapping->states[granule] == GMMAP_ABSENT) {
		gmmap_load_begin(load, mapping, granule, 1, cause);
		gmmap_load_demand(load);
		load = NULL;
	}
	spin_unlock_irq(&gpu->lock);
	kfree(load);
	return 0;
}

/* 1: nothing to wait for, 0: wait, else the error. */
static int range_state(struct gmmap_mapping *mapping, u32 first, u32 last)
{
	enum gmmap_life life = READ_ONCE(mapping->life);
	u32 i;

	if (life == GMMAP_ENDED)
		return 1;
	for (i = first; i <= last; i++) {
		switch (READ_ONCE(mapping->states[i])) {
		case GMMAP_PRESENT:
			continue;
		case GMMAP_FAILED:
			return -EIO;
		default:
			return 0;
		}
	}
	return 1;
}

static u32 last_granule(u64 offset, u64 bytes)
{
	return (offset + bytes - 1) >> GMMAP_GRANULE_SHIFT;
}

/**
 * gmmap_mapping_load() - have a part loaded now
 * @mapping: the mapping
 * @offset: of the part in the BO
 * @bytes: of the part, not 0, inside of the BO
 * @cause: why
 *
 * Context: may sleep. The mmap_lock may be held, no lock of the GPU's memory.
 * Return: 0, -EIO if it cannot be read, -ENOMEM, -ERESTARTSYS if the caller is to die.
 */
int gmmap_mapping_load(struct gmmap_mapping *mapping, u64 offset, u64 bytes,
		       enum gmmap_cause cause)
{
	u32 first = offset >> GMMAP_GRANULE_SHIFT;
	u32 last = last_granule(offset, bytes);
	int state;
	int ret;
	u32 i;

	ret = wait_until_live(mapping);
	if (ret)
		return ret;
	for (i = first; i <= last; i++) {
		if (gmmap_mapping_is_present(mapping, i))
			continue;
		ret = demand(mapping, i, cause);
		if (ret)
			return ret;
	}
	ret = wait_event_killable(mapping->wait, (state = range_state(mapping, first, last)));
	if (ret)
		return ret;
	return state < 0 ? state : 0;
}

/**
 * gmmap_mapping_wait() - wait until a part is present
 * @mapping: the mapping
 * @offset: of the part in the BO
 * @bytes: of the part, not 0, inside of the BO
 * @timeout_ns: negative for no limit
 *
 * Context: may sleep.
 * Return: 0, -EIO if it cannot be read, -ETIMEDOUT, -ERESTARTSYS.
 */
int gmmap_mapping_wait(struct gmmap_mapping *mapping, u64 offset, u64 bytes, s64 timeout_ns)
{
	ktime_t limit = timeout_ns < 0 ? KTIME_MAX : ns_to_ktime(timeout_ns);
	u32 first = offset >> GMMAP_GRANULE_SHIFT;
	u32 last = last_granule(offset, bytes);
	int state;
	int ret;

	ret = wait_event_interruptible_hrtimeout(mapping->wait,
						 (state = range_state(mapping, first, last)),
						 limit);
	if (ret == -ETIME)
		return -ETIMEDOUT;
	if (ret) /* a limited wait would begin again with its whole time */
		return timeout_ns < 0 ? ret : -EINTR;
	return state < 0 ? state : 0;
}

/* Returns true for the one who has to start a fill of all of it. */
static bool claim_fill(struct gmmap_mapping *mapping)
{
	bool claimed;

	spin_lock_irq(&mapping->gpu->lock);
	claimed = mapping->life == GMMAP_LIVE && mapping->absent && !mapping->filled;
	if (claimed)
		mapping->filled = true;
	spin_unlock_irq(&mapping->gpu->lock);
	return claimed;
}

/**
 * gmmap_mapping_fill() - load all that is absent and wait for it
 * @mapping: the mapping
 *
 * Demand comes before it. If the wait is interrupted, loading goes on.
 *
 * Context: may sleep.
 * Return: 0, -EIO if something cannot be read, -ENOMEM, -ERESTARTSYS if the caller is to die.
 */
int gmmap_mapping_fill(struct gmmap_mapping *mapping)
{
	int ret;

	ret = wait_until_live(mapping);
	if (ret)
		return ret;
	if (claim_fill(mapping)) {
		ret = gmmap_fill_start_mapping(mapping);
		if (ret) {
			WRITE_ONCE(mapping->filled, false);
			return ret;
		}
	}
	ret = wait_event_killable(mapping->wait, !READ_ONCE(mapping->absent) ||
				  READ_ONCE(mapping->life) != GMMAP_LIVE);
	if (ret)
		return ret;
	return READ_ONCE(mapping->failed) ? -EIO : 0;
}

/* Has the mapping end if everything is present. Context: gmmap_gpu.lock held. */
void gmmap_mapping_maybe_complete(struct gmmap_mapping *mapping)
{
	lockdep_assert_held(&mapping->gpu->lock);
	if (mapping->life != GMMAP_LIVE || mapping->absent || mapping->failed || mapping->loads)
		return;
	if (queue_delayed_work(gmmap_end_queue, &mapping->complete, 0))
		gmmap_mapping_get(mapping);
}

static void complete_work(struct work_struct *work)
{
	struct gmmap_mapping *mapping =
		container_of(to_delayed_work(work), struct gmmap_mapping, complete);

	gmmap_mapping_end(mapping, GMMAP_END_COMPLETE);
	gmmap_mapping_put(mapping);
}

/* Returns 1 if the caller is to end the mapping, 0 if somebody else does, else an error. */
static int claim_end(struct gmmap_mapping *mapping, enum gmmap_end how)
{
	struct gmmap_gpu *gpu = mapping->gpu;
	int ret = 1;

	spin_lock_irq(&gpu->lock);
	if (mapping->life != GMMAP_LIVE) {
		ret = 0;
	} else if (how == GMMAP_END_COMPLETE && mapping->failed) {
		ret = -EIO;
	} else if (how == GMMAP_END_COMPLETE && mapping->absent) {
		ret = -EAGAIN;
	} else {
		WRITE_ONCE(mapping->life, GMMAP_ENDING);
		/* A worker must see loads that were put aside, and fills, to give them up. */
		mod_delayed_work(gmmap_load_queue, &mapping->client->retry, 0);
	}
	spin_unlock_irq(&gpu->lock);
	return ret;
}

static void restore(struct gmmap_mapping *mapping, enum gmmap_end how)
{
	int ret;

	while ((ret = mapping->gpu->ops->restore(mapping, how < GMMAP_END_DEATH))) {
		if (ret != -EBUSY && ret != -ENOMEM && ret != -EAGAIN)
			break;
		if (READ_ONCE(mapping->process->dead))
			how = GMMAP_END_DEATH;
		msleep(RESTORE_MS);
	}
}

static void tell_end(const struct gmmap_mapping *mapping, enum gmmap_end how)
{
	static const int errors[] = {
		[GMMAP_END_COMPLETE] = 0,
		[GMMAP_END_ABANDON] = -ECANCELED,
		[GMMAP_END_DEATH] = -ESRCH,
		[GMMAP_END_LOST] = -ENODEV,
	};
	struct gmmap_record record = {
		.type = errors[how] ? GMMAP_RECORD_ABANDON : GMMAP_RECORD_COMPLETE,
		.id = mapping->id,
		.length = mapping->bytes,
		.error = errors[how],
		.gpu_id = mapping->client->gpu_id,
	};

	gmmap_process_tell(mapping->process, &record);
	trace_gmmap_end(mapping, errors[how]);
}

/**
 * gmmap_mapping_end() - make the BO an ordinary one
 * @mapping: published
 * @how: see enum gmmap_end
 *
 * Waits for the loads that are under way. If somebody else is ending the mapping already, waits
 * for that.
 *
 * Context: may sleep; not while holding locks of the GPU's memory.
 * Return: 0, or for GMMAP_END_COMPLETE -EAGAIN or -EIO if not everything is present.
 */
int gmmap_mapping_end(struct gmmap_mapping *mapping, enum gmmap_end how)
{
	int ret;

	wait_event(mapping->wait, READ_ONCE(mapping->life) != GMMAP_NEW);
	ret = claim_end(mapping, how);
	if (ret < 0)
		return ret;
	if (!ret) {
		wait_event(mapping->wait, READ_ONCE(mapping->life) == GMMAP_ENDED);
		return 0;
	}
	wait_event(mapping->wait, !READ_ONCE(mapping->loads));
	restore(mapping, how);
	set_life(mapping, GMMAP_ENDED);
	tell_end(mapping, how);
	gmmap_mapping_get(mapping);
	queue_delayed_work(gmmap_end_queue, &mapping->expire, msecs_to_jiffies(EXPIRE_MS));
	return 0;
}
