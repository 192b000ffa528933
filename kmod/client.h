/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process on one GPU: what it waits for there, and the workers and the staging memory that bring
 * it. No process has to wait for the files of another one.
 */
#ifndef GMMAP_CLIENT_H
#define GMMAP_CLIENT_H

#include <linux/bvec.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "load.h"
#include "prefault.h"

struct gmmap_gpu;
struct gmmap_process;

#define GMMAP_SLOTS		4
#define GMMAP_SLOT_PAGES	(GMMAP_CHUNK_BYTES >> PAGE_SHIFT)
/* Workers that may be busy with fills: one stays free for demand. */
#define GMMAP_MAX_FILLING	(GMMAP_SLOTS - 1)

/**
 * struct gmmap_slot - staging memory for a chunk and the worker that uses it
 * @client: whose it is; constant
 * @work: the worker
 * @idle: in gmmap_client.idle_slots while the worker has nothing to do; guarded by gmmap_gpu.lock
 * @pages: of the staging memory, GMMAP_SLOT_PAGES; constant
 * @gpu_address: of the same memory, for the copy engine; constant
 * @spare: for the next load that no fault asked for; the worker's
 */
struct gmmap_slot {
	struct gmmap_client *client;
	struct work_struct work;
	struct list_head idle;
	struct bio_vec *pages;
	u64 gpu_address;
	struct gmmap_load *spare;
};

/**
 * struct gmmap_client - see above
 * @process: constant; stays as long as the client
 * @gpu: constant
 * @gpu_id: of the GPU, for user space; constant
 * @demand: struct gmmap_load in the order of arrival
 * @delayed: struct gmmap_load whose page tables were not available
 * @fills: struct gmmap_fill that have something to load; the first one is next
 * @fill_count: fills that have not ended
 * @demanding: number of loads in @demand, @delayed and with a worker that somebody waits for
 * @filling: number of loads of fills
 * @idle_slots: struct gmmap_slot
 * @slots: the workers
 * @retry: moves @delayed to @demand
 * @prefault: for faults that no mapping wants; guards itself
 *
 * Guarded by gmmap_gpu.lock, if not said otherwise.
 */
struct gmmap_client {
	struct gmmap_process *process;
	struct gmmap_gpu *gpu;
	u32 gpu_id;
	struct list_head demand;
	struct list_head delayed;
	struct list_head fills;
	u32 fill_count;
	u32 demanding;
	u32 filling;
	struct list_head idle_slots;
	struct gmmap_slot slots[GMMAP_SLOTS];
	struct delayed_work retry;
	struct gmmap_prefault prefault;
};

void gmmap_client_init(struct gmmap_client *client, struct gmmap_process *process,
		       struct gmmap_gpu *gpu, u32 gpu_id);
void gmmap_client_destroy(struct gmmap_client *client);
void gmmap_client_kick(struct gmmap_client *client);
void gmmap_client_retry(struct gmmap_client *client, unsigned int delay_ms);
bool gmmap_client_may_fill(const struct gmmap_client *client);

#endif
