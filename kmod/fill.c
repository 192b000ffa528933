// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <linux/gmmap.h>

#include "client.h"
#include "fill.h"
#include "gpu.h"
#include "load.h"
#include "mapping.h"
#include "process.h"
#include "stream.h"

/* How many granules and ranges are looked at without giving the lock back. */
#define STEPS		1024
#define FIRST_WINDOW	1

/* Returns a fill without ranges, or NULL. Context: may sleep. */
struct gmmap_fill *gmmap_fill_create(u32 count)
{
	struct gmmap_fill *fill;

	fill = kvzalloc(struct_size(fill, ranges, count), GFP_KERNEL_ACCOUNT);
	if (!fill)
		return NULL;
	INIT_LIST_HEAD(&fill->link);
	fill->window = FIRST_WINDOW;
	fill->count = count;
	return fill;
}

/* Frees a fill that was not started or has ended. Context: may sleep. */
void gmmap_fill_free(struct gmmap_fill *fill)
{
	u32 i;

	for (i = 0; i < fill->count; i++)
		if (fill->ranges[i].mapping)
			gmmap_mapping_put(fill->ranges[i].mapping);
	kvfree(fill);
}

/**
 * gmmap_fill_start() - have the ranges loaded
 * @fill: with its ranges, which are all of @client; the client's from now on, unless this fails
 * @client: where
 * @id: for its record, or 0 for none
 *
 * Context: may sleep.
 * Return: 0, or -ENOSPC if there are too many. Those without an id are not counted.
 */
int gmmap_fill_start(struct gmmap_fill *fill, struct gmmap_client *client, u64 id)
{
	struct gmmap_gpu *gpu = client->gpu;
	int ret = 0;

	fill->client = client;
	fill->id = id;
	fill->granule = fill->ranges[0].first;
	spin_lock_irq(&gpu->lock);
	if (id && client->fill_count >= GMMAP_MAX_FILLS) {
		ret = -ENOSPC;
	} else {
		client->fill_count += !!id;
		list_add_tail(&fill->link, &client->fills);
		gmmap_client_kick(client);
	}
	spin_unlock_irq(&gpu->lock);
	return ret;
}

/* Has all of a mapping loaded. Context: may sleep. Return: 0 or -ENOMEM. */
int gmmap_fill_start_mapping(struct gmmap_mapping *mapping)
{
	struct gmmap_fill *fill = gmmap_fill_create(1);

	if (!fill)
		return -ENOMEM;
	fill->ranges[0] = (struct gmmap_fill_range){
		.mapping = gmmap_mapping_get(mapping),
		.last = mapping->granules - 1,
	};
	return gmmap_fill_start(fill, mapping->client, 0);
}

/* The fill goes to whoever calls gmmap_fill_end_all(). */
static void end_if_done(struct gmmap_fill *fill, struct list_head *ended)
{
	if (fill->range < fill->count || fill->loads)
		return;
	fill->client->fill_count -= !!fill->id;
	list_move_tail(&fill->link, ended);
}

/* Begins a load at the granule where the fill is. */
static void begin_load(struct gmmap_fill *fill, struct gmmap_load *load)
{
	struct gmmap_fill_range *range = &fill->ranges[fill->range];
	struct gmmap_client *client = fill->client;
	u32 limit = min(fill->window, range->last - fill->granule + 1);
	u32 count = gmmap_mapping_absent_run(range->mapping, fill->granule, limit);

	gmmap_load_begin(load, range->mapping, fill->granule, count, GMMAP_BY_FILL);
	load->fill = fill;
	fill->loads++;
	fill->granule += count;
	fill->window = min_t(u32, fill->window * 2, GMMAP_CHUNK_GRANULES);
	/* The next chunk is another fill's. */
	list_move_tail(&fill->link, &client->fills);
}

/* Goes on to the next granule that is absent. Returns false if the steps are used up. */
static bool seek(struct gmmap_fill *fill, unsigned int *steps)
{
	while (fill->range < fill->count) {
		struct gmmap_fill_range *range = &fill->ranges[fill->range];
		bool live = range->mapping->life == GMMAP_LIVE;

		while (live && fill->granule <= range->last && *steps) {
			if (range->mapping->states[fill->granule] == GMMAP_ABSENT)
				return true;
			fill->granule++;
			(*steps)--;
		}
		if (!*steps)
			return false;
		(*steps)--;
		if (++fill->range < fill->count)
			fill->granule = range[1].first;
	}
	return true;
}

/**
 * gmmap_fill_next() - begin the next load of a client's fills
 * @client: whose
 * @load: to be used, or NULL to find out whether one is needed
 * @ended: fills that have nothing left to do are added here
 *
 * Context: gmmap_gpu.lock held.
 */
enum gmmap_fill_step gmmap_fill_next(struct gmmap_client *client, struct gmmap_load *load,
				     struct list_head *ended)
{
	unsigned int steps = STEPS;
	struct gmmap_fill *fill;

	lockdep_assert_held(&client->gpu->lock);
	while ((fill = list_first_entry_or_null(&client->fills, struct gmmap_fill, link))) {
		if (!seek(fill, &steps))
			return GMMAP_FILL_AGAIN;
		if (fill->range == fill->count) {
			list_del_init(&fill->link);
			end_if_done(fill, ended);
			continue;
		}
		if (!load || !gmmap_client_may_fill(client))
			return GMMAP_FILL_NOTHING;
		begin_load(fill, load);
		return GMMAP_FILL_LOAD;
	}
	return GMMAP_FILL_NOTHING;
}

/**
 * gmmap_fill_load_ended() - note the end of a load
 * @load: of a fill
 * @bytes: that it has loaded
 * @error: that it had, or 0
 * @ended: the fill is added here if this was its last load
 *
 * Context: gmmap_gpu.lock held.
 */
void gmmap_fill_load_ended(struct gmmap_load *load, u32 bytes, int error,
			   struct list_head *ended)
{
	struct gmmap_fill *fill = load->fill;

	fill->loads--;
	fill->bytes += bytes;
	if (!fill->error)
		fill->error = error;
	end_if_done(fill, ended);
}

/* Tells about fills that have ended and frees them. Context: may sleep; no locks are held. */
void gmmap_fill_end_all(struct list_head *ended)
{
	struct gmmap_fill *fill, *next;

	list_for_each_entry_safe(fill, next, ended, link) {
		struct gmmap_client *client = fill->client;
		struct gmmap_record record = {
			.type = GMMAP_RECORD_POPULATE,
			.id = fill->id,
			.length = fill->bytes,
			.error = fill->error,
			.gpu_id = client->gpu_id,
		};

		list_del(&fill->link);
		if (fill->id)
			gmmap_process_tell(client->process, &record);
		gmmap_fill_free(fill);
	}
}
