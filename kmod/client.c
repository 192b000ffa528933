// SPDX-License-Identifier: GPL-2.0-only
#include <linux/lockdep.h>
#include <linux/slab.h>

#include "client.h"
#include "gpu.h"

/**
 * gmmap_client_init() - make a process on a GPU ready for mappings
 * @client: all zeros; before the first mapping @pages and @gpu_address of the slots must be set
 * @process: whose
 * @gpu: where
 * @gpu_id: its name for user space
 */
void gmmap_client_init(struct gmmap_client *client, struct gmmap_process *process,
		       struct gmmap_gpu *gpu, u32 gpu_id)
{
	unsigned int i;

	client->process = process;
	client->gpu = gpu;
	client->gpu_id = gpu_id;
	INIT_LIST_HEAD(&client->demand);
	INIT_LIST_HEAD(&client->delayed);
	INIT_LIST_HEAD(&client->fills);
	INIT_LIST_HEAD(&client->idle_slots);
	INIT_DELAYED_WORK(&client->retry, gmmap_load_retry);
	gmmap_prefault_init(client);
	for (i = 0; i < GMMAP_SLOTS; i++) {
		struct gmmap_slot *slot = &client->slots[i];

		slot->client = client;
		INIT_WORK(&slot->work, gmmap_load_worker);
		list_add_tail(&slot->idle, &client->idle_slots);
	}
}

/**
 * gmmap_client_destroy() - end a client that has no mappings
 * @client: the client
 *
 * Context: may sleep; not in a worker of the client.
 */
void gmmap_client_destroy(struct gmmap_client *client)
{
	unsigned int i;

	gmmap_prefault_stop(client);
	cancel_delayed_work_sync(&client->retry);
	for (i = 0; i < GMMAP_SLOTS; i++) {
		cancel_work_sync(&client->slots[i].work);
		kfree(client->slots[i].spare);
	}
}

/* Has a worker look for work, if one is idle. Context: gmmap_gpu.lock held. */
void gmmap_client_kick(struct gmmap_client *client)
{
	struct gmmap_slot *slot;

	lockdep_assert_held(&client->gpu->lock);
	slot = list_first_entry_or_null(&client->idle_slots, struct gmmap_slot, idle);
	if (!slot)
		return;
	list_del_init(&slot->idle);
	queue_work(gmmap_load_queue, &slot->work);
}

/* Has what was put aside tried again later. Context: any. */
void gmmap_client_retry(struct gmmap_client *client, unsigned int delay_ms)
{
	queue_delayed_work(gmmap_load_queue, &client->retry, msecs_to_jiffies(delay_ms));
}

/* While somebody waits, one chunk at a time is filled. Context: gmmap_gpu.lock held. */
bool gmmap_client_may_fill(const struct gmmap_client *client)
{
	return client->filling < (client->demanding ? 1 : GMMAP_MAX_FILLING);
}
