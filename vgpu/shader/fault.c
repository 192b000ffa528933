// SPDX-License-Identifier: MIT
/*
 * Pages that waves wait for. All waves of a page wait together: one entry of the retry CAM, one
 * interrupt. Pages that find the CAM full wait here, so that each acknowledge costs one look.
 */
#include <stdlib.h>

#include "../vgpu.h"
#include "engine.h"

#define RETRY_FIRST_NS 100000u
#define RETRY_LAST_NS  20000000u
#define ROOM_NS	       100000u /* until the driver has read some interrupts */

struct fault {
	struct shader *shader;
	struct cam_waiter waiter;
	uint8_t vmid;
	uint64_t page;
	unsigned int access;
	uint64_t ask_ns; /* not before */
	bool asked;
	struct unit_list units;
	TAILQ_ENTRY(fault) asking;
	LIST_ENTRY(fault) entry;
};

static unsigned int bucket(uint8_t vmid, uint64_t page)
{
	return (unsigned int)((page ^ page >> 8 ^ vmid) % 256);
}

static void fault_free(struct fault *fault)
{
	if (!fault->asked)
		TAILQ_REMOVE(&fault->shader->asking, fault, asking);
	cam_cancel(&fault->waiter);
	LIST_REMOVE(fault, entry);
	fault->shader->num_faults--;
	free(fault);
}

/* The driver has answered: the waves look at the page tables again. */
static void fault_wake(struct cam_waiter *waiter)
{
	struct fault *fault = (struct fault *)((char *)waiter - offsetof(struct fault, waiter));
	struct shader *shader = fault->shader;
	struct unit *unit;

	pthread_mutex_lock(&shader->lock);
	while ((unit = TAILQ_FIRST(&fault->units))) {
		TAILQ_REMOVE(&fault->units, unit, entry);
		unit->fault = NULL;
		shader->stats.parked--;
		unit_answer(unit);
	}
	pthread_mutex_unlock(&shader->lock);
	fault_free(fault);
}

static struct fault *fault_find(struct shader *shader, uint8_t vmid, uint64_t page)
{
	struct fault *fault;

	LIST_FOREACH(fault, &shader->faults[bucket(vmid, page)], entry) {
		if (fault->page == page && fault->vmid == vmid)
			return fault;
	}
	return NULL;
}

static struct fault *fault_new(struct shader *shader, uint8_t vmid, uint64_t page,
			       unsigned int access, uint64_t ask_ns)
{
	struct fault *fault = calloc(1, sizeof(*fault));

	if (!fault)
		return NULL;
	fault->shader = shader;
	fault->waiter.wake = fault_wake;
	fault->vmid = vmid;
	fault->page = page;
	fault->access = access;
	fault->ask_ns = ask_ns;
	TAILQ_INIT(&fault->units);
	TAILQ_INSERT_TAIL(&shader->asking, fault, asking);
	LIST_INSERT_HEAD(&shader->faults[bucket(vmid, page)], fault, entry);
	shader->num_faults++;
	return fault;
}

/* After an answer that did not help, the next question waits a little, longer each time. */
static uint64_t pause_ns(struct unit *unit, uint64_t page)
{
	if (unit->last_page != page) {
		unit->last_page = page;
		unit->retry_ns = 0;
		return 0;
	}
	unit->retry_ns = unit->retry_ns ? unit->retry_ns * 2 : RETRY_FIRST_NS;
	if (unit->retry_ns > RETRY_LAST_NS)
		unit->retry_ns = RETRY_LAST_NS;
	return unit->retry_ns;
}

void fault_wait(struct shader *shader, struct unit *unit, uint64_t now_ns)
{
	uint8_t vmid = unit->group->dispatch->vmid;
	uint64_t page = unit->wave.fault_va / GMC_PAGE_BYTES, pause = pause_ns(unit, page);
	struct fault *fault = fault_find(shader, vmid, page);

	if (!fault)
		fault = fault_new(shader, vmid, page, unit->wave.fault_access, now_ns + pause);
	if (!fault) {
		/* It tries again at once. */
		unit_answer(unit);
		return;
	}
	unit->fault = fault;
	TAILQ_INSERT_TAIL(&fault->units, unit, entry);
	shader->stats.faults++;
	shader->stats.parked++;
	if (shader->stats.parked > shader->stats.parked_max)
		shader->stats.parked_max = shader->stats.parked;
}

static bool cam_has_room(const struct vgpu *dev)
{
	return dev->cam.used < dev->inject.cam_entries;
}

uint64_t fault_poll(struct shader *shader, uint64_t now_ns)
{
	struct vgpu *dev = shader->dev;
	uint64_t next_ns = UINT64_MAX;
	struct fault *fault, *following;

	for (fault = TAILQ_FIRST(&shader->asking); fault; fault = following) {
		following = TAILQ_NEXT(fault, asking);
		if (!ih_has_room(dev))
			return now_ns + ROOM_NS;
		if (!cam_has_room(dev))
			break;
		if (fault->ask_ns > now_ns) {
			next_ns = fault->ask_ns < next_ns ? fault->ask_ns : next_ns;
			continue;
		}
		fault->asked = true;
		TAILQ_REMOVE(&shader->asking, fault, asking);
		cam_wait(dev, &fault->waiter, &dev->hubs[HUB_GFX], fault->vmid,
			 fault->page * GMC_PAGE_BYTES, fault->access);
	}
	return next_ns;
}

void fault_forget(struct unit *unit)
{
	struct fault *fault = unit->fault;

	if (!fault)
		return;
	unit->fault = NULL;
	TAILQ_REMOVE(&fault->units, unit, entry);
	fault->shader->stats.parked--;
	if (TAILQ_EMPTY(&fault->units))
		fault_free(fault);
}

void fault_reset(struct shader *shader)
{
	for (unsigned int i = 0; i < 256; i++) {
		while (!LIST_EMPTY(&shader->faults[i]))
			fault_free(LIST_FIRST(&shader->faults[i]));
	}
}
