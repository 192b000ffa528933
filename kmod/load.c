// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers load chunks: read, copy, page table entries, acknowledge. Demand comes before fills.
 *
 * A worker holds no lock while it reads, and while it holds the page table's lock it waits for
 * nothing but a page table update. It does not touch the mmap_lock or the locks of KFD.
 */
#include <linux/hash.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "client.h"
#include "extent.h"
#include "fill.h"
#include "gpu.h"
#include "load.h"
#include "mapping.h"
#include "process.h"
#include "reader.h"
#include "trace.h"

/* Page tables that were evicted come back when the driver's restore worker has run. */
#define RETRY_MS	5
/* So many runs are copied at once. */
#define MAX_RUNS	32

struct workqueue_struct *gmmap_load_queue;

/* A load does not cross chunks, so the granule's chunk finds it. */
static u32 load_key(const struct gmmap_mapping *mapping, u32 granule)
{
	return hash_long((unsigned long)mapping + gmmap_mapping_chunk(mapping, granule), 32);
}

/* Returns the load of a granule that is LOADING. Context: gmmap_gpu.lock held. */
struct gmmap_load *gmmap_load_find(struct gmmap_gpu *gpu, struct gmmap_mapping *mapping,
				   u32 granule)
{
	struct gmmap_load *load;

	lockdep_assert_held(&gpu->lock);
	hash_for_each_possible(gpu->loads, load, hash, load_key(mapping, granule))
		if (load->mapping == mapping && granule - load->first < load->count)
			return load;
	return NULL;
}

/**
 * gmmap_load_begin() - make granules LOADING
 * @load: not in use; @heap is set by its owner
 * @mapping: LIVE
 * @first: the first one of @count granules that are ABSENT and in one chunk
 * @count: not 0
 * @cause: why
 *
 * Context: gmmap_gpu.lock held.
 */
void gmmap_load_begin(struct gmmap_load *load, struct gmmap_mapping *mapping, u32 first,
		      u32 count, enum gmmap_cause cause)
{
	struct gmmap_gpu *gpu = mapping->gpu;

	lockdep_assert_held(&gpu->lock);
	load->mapping = mapping;
	load->first = first;
	load->count = count;
	load->cause = cause;
	load->copied = false;
	load->split = false;
	load->fill = NULL;
	INIT_LIST_HEAD(&load->ivs);
	INIT_LIST_HEAD(&load->queue);
	hash_add(gpu->loads, &load->hash, load_key(mapping, first));
	memset(mapping->states + first, GMMAP_LOADING, count);
	mapping->loads++;
	if (cause == GMMAP_BY_FILL)
		mapping->client->filling++;
	else
		mapping->client->demanding++;
}

/* Gives a load that has begun to the next worker. Context: gmmap_gpu.lock held. */
void gmmap_load_demand(struct gmmap_load *load)
{
	struct gmmap_client *client = load->mapping->client;

	list_add_tail(&load->queue, &client->demand);
	gmmap_client_kick(client);
}

static bool has_work(const struct gmmap_client *client)
{
	return !list_empty(&client->demand) ||
	       (!list_empty(&client->fills) && gmmap_client_may_fill(client));
}

/* One step of next_load(). Sets *again if it did not come to an end. Context: lock held. */
static struct gmmap_load *try_next_load(struct gmmap_slot *slot, struct list_head *ended,
					bool *again)
{
	struct gmmap_client *client = slot->client;
	struct gmmap_load *load;

	load = list_first_entry_or_null(&client->demand, struct gmmap_load, queue);
	if (load) {
		list_del_init(&load->queue);
		return load;
	}
	switch (gmmap_fill_next(client, slot->spare, ended)) {
	case GMMAP_FILL_LOAD:
		load = slot->spare;
		slot->spare = NULL;
		return load;
	case GMMAP_FILL_AGAIN:
		*again = true;
		return NULL;
	default:
		break;
	}
	/* Without memory for a load there is nobody else to come back for the fills. */
	if (!slot->spare && !list_empty(&client->fills))
		gmmap_client_retry(client, RETRY_MS);
	return NULL;
}

static struct gmmap_load *next_load(struct gmmap_slot *slot)
{
	struct gmmap_client *client = slot->client;
	struct gmmap_gpu *gpu = client->gpu;
	struct gmmap_load *load;
	LIST_HEAD(ended);
	bool again;

	if (!slot->spare) {
		slot->spare = kzalloc(sizeof(*slot->spare), GFP_KERNEL);
		if (slot->spare)
			slot->spare->heap = true;
	}
	do {
		again = false;
		spin_lock_irq(&gpu->lock);
		load = try_next_load(slot, &ended, &again);
		/* One worker wakes the next one, so that all take part. */
		if (load && has_work(client))
			gmmap_client_kick(client);
		else if (!load && !again && list_empty(&ended))
			list_add(&slot->idle, &client->idle_slots);
		spin_unlock_irq(&gpu->lock);
		if (!load && !list_empty(&ended)) {
			gmmap_fill_end_all(&ended);
			again = true;
		}
		cond_resched();
	} while (again);
	gmmap_fill_end_all(&ended);
	return load;
}

static bool is_live(struct gmmap_mapping *mapping)
{
	return READ_ONCE(mapping->life) == GMMAP_LIVE;
}

/* What is read counts as the process's, not as the kernel's. */
static int next_runs(struct gmmap_reader *reader, struct gmmap_process *process,
		     struct gmmap_run *runs, u32 *count)
{
	struct mem_cgroup *saved = set_active_memcg(process->memcg);
	int ret = 1;

	for (*count = 0; *count < MAX_RUNS; ++*count) {
		ret = gmmap_reader_next(reader, &runs[*count]);
		if (ret <= 0)
			break;
	}
	set_active_memcg(saved);
	return ret;
}

static int read_and_copy(struct gmmap_slot *slot, const struct gmmap_load *load, u32 first,
			 u32 granules)
{
	bool demand = load->cause != GMMAP_BY_FILL;
	struct gmmap_mapping *mapping = load->mapping;
	struct gmmap_gpu *gpu = mapping->gpu;
	struct gmmap_run runs[MAX_RUNS];
	struct gmmap_reader reader;
	u32 count;
	int more;
	int ret;

	gmmap_reader_init(&reader, mapping->extents, slot->pages, gmmap_granule_offset(first),
			  gmmap_granules_bytes(mapping, first, granules));
	do {
		more = next_runs(&reader, mapping->process, runs, &count);
		if (more < 0)
			return more;
		if (!is_live(mapping))
			return -ECANCELED;
		if (!count)
			break;
		ret = gpu->ops->copy_in(mapping, slot, runs, count, demand);
		if (ret)
			return ret;
	} while (more);
	spin_lock_irq(&gpu->lock);
	mapping->stat.file_bytes += reader.file_bytes;
	mapping->stat.zero_bytes += reader.zero_bytes;
	spin_unlock_irq(&gpu->lock);
	return 0;
}

static bool is_temporary(int error)
{
	return error == -EBUSY || error == -ENOMEM || error == -EAGAIN || error == -EINTR ||
	       error == -ERESTARTSYS;
}

static int load_whole(struct gmmap_slot *slot, struct gmmap_load *load)
{
	int ret;

	if (!load->copied) {
		ret = read_and_copy(slot, load, load->first, load->count);
		if (ret)
			return ret;
		load->copied = true;
	}
	return load->mapping->gpu->ops->map_granules(load->mapping, load->first, load->count);
}

static void set_failed(struct gmmap_mapping *mapping, u32 granule, int error)
{
	struct gmmap_record record = {
		.type = GMMAP_RECORD_ERROR,
		.id = mapping->id,
		.offset = gmmap_granule_offset(granule),
		.length = gmmap_granule_bytes(mapping, granule),
		.error = error,
		.gpu_id = mapping->client->gpu_id,
	};

	spin_lock_irq(&mapping->gpu->lock);
	mapping->states[granule] = GMMAP_FAILED;
	mapping->absent--;
	mapping->failed++;
	mapping->stat.failed++;
	gmmap_process_tell(mapping->process, &record);
	spin_unlock_irq(&mapping->gpu->lock);
}

/* Each granule on its own, so that only those fail that have to. Returns the first error. */
static int load_split(struct gmmap_slot *slot, struct gmmap_load *load)
{
	struct gmmap_mapping *mapping = load->mapping;
	int first_error = 0;
	u32 i;

	for (i = load->first; i < load->first + load->count; i++) {
		int ret;

		if (READ_ONCE(mapping->states[i]) != GMMAP_LOADING)
			continue;
		ret = read_and_copy(slot, load, i, 1);
		if (!ret)
			ret = mapping->gpu->ops->map_granules(mapping, i, 1);
		if (is_temporary(ret) || ret == -ECANCELED)
			return ret;
		if (!ret)
			continue;
		set_failed(mapping, i, ret);
		if (!first_error)
			first_error = ret;
	}
	return first_error;
}

static int load_chunk(struct gmmap_slot *slot, struct gmmap_load *load)
{
	int ret;

	if (!is_live(load->mapping))
		return -ECANCELED;
	if (!load->split) {
		ret = load_whole(slot, load);
		if (!ret || is_temporary(ret) || ret == -ECANCELED)
			return ret;
		load->split = true;
	}
	return load_split(slot, load);
}

/* Acknowledges every IV of a load. Afterwards the hardware may use their indices again. */
static void release_ivs(struct gmmap_load *load)
{
	struct gmmap_mapping *mapping = load->mapping;
	struct gmmap_gpu *gpu = mapping->gpu;
	struct gmmap_iv *iv, *next;
	u64 now = ktime_get_ns();
	LIST_HEAD(ivs);

	list_splice_init(&load->ivs, &ivs);
	list_for_each_entry_safe(iv, next, &ivs, link) {
		u64 ns = now - iv->time_ns;

		list_del_init(&iv->link);
		for (; iv->count; iv->count--) {
			gpu->ops->acknowledge(gpu, iv - gpu->ivs);
			gmmap_stat_stall(&mapping->stat, ns);
		}
	}
}

/* Counts what was loaded. Returns the number of granules. What was not is ABSENT again. */
static u32 settle_granules(const struct gmmap_load *load)
{
	struct gmmap_mapping *mapping = load->mapping;
	u32 loaded = 0;
	u32 i;

	for (i = load->first; i < load->first + load->count; i++) {
		if (mapping->states[i] == GMMAP_LOADING)
			mapping->states[i] = GMMAP_ABSENT;
		else if (mapping->states[i] == GMMAP_PRESENT)
			loaded++;
	}
	mapping->stat.loaded += loaded;
	if (load->cause == GMMAP_BY_FILL)
		mapping->stat.populated += loaded;
	else if (load->cause == GMMAP_BY_CPU)
		mapping->stat.cpu += loaded;
	else if (loaded)
		mapping->stat.around += loaded - 1;
	return loaded;
}

/* Nobody waits for it any more. */
static void leave_client(const struct gmmap_load *load)
{
	struct gmmap_client *client = load->mapping->client;

	if (load->cause == GMMAP_BY_FILL)
		client->filling--;
	if (load->cause != GMMAP_BY_FILL || !list_empty(&load->ivs))
		client->demanding--;
	if (has_work(client))
		gmmap_client_kick(client);
}

/* Ends a load, or puts it aside for a later attempt. */
static void finish_load(struct gmmap_load *load, int error)
{
	struct gmmap_mapping *mapping = load->mapping;
	struct gmmap_client *client = mapping->client;
	struct gmmap_gpu *gpu = mapping->gpu;
	bool given_up = is_temporary(error) || error == -ECANCELED;
	bool heap = load->heap;
	LIST_HEAD(ended);
	u32 loaded;

	spin_lock_irq(&gpu->lock);
	/* A copy that a reset of the GPU has cancelled is one that was not there in time. */
	if (given_up && mapping->life == GMMAP_LIVE) {
		mapping->stat.requeued++;
		list_add_tail(&load->queue, &client->delayed);
		gmmap_client_retry(client, RETRY_MS);
		spin_unlock_irq(&gpu->lock);
		return;
	}
	loaded = settle_granules(load);
	trace_gmmap_load(load, loaded, error);
	hash_del(&load->hash);
	leave_client(load);
	/* A fill passes over a mapping that has ended. */
	if (load->fill)
		gmmap_fill_load_ended(load, loaded * GMMAP_GRANULE_BYTES, given_up ? 0 : error,
				      &ended);
	/* The last use of a load that is part of an IV. */
	release_ivs(load);
	mapping->loads--;
	gmmap_mapping_maybe_complete(mapping);
	/* Under the lock: without a load the mapping may be gone as soon as it is released. */
	wake_up_all(&mapping->wait);
	spin_unlock_irq(&gpu->lock);
	gmmap_fill_end_all(&ended);
	if (heap)
		kfree(load);
}

void gmmap_load_worker(struct work_struct *work)
{
	struct gmmap_slot *slot = container_of(work, struct gmmap_slot, work);
	struct gmmap_load *load;

	while ((load = next_load(slot)))
		finish_load(load, load_chunk(slot, load));
}

void gmmap_load_retry(struct work_struct *work)
{
	struct gmmap_client *client = container_of(to_delayed_work(work), struct gmmap_client,
						   retry);

	spin_lock_irq(&client->gpu->lock);
	list_splice_tail_init(&client->delayed, &client->demand);
	gmmap_client_kick(client);
	spin_unlock_irq(&client->gpu->lock);
}
