// SPDX-License-Identifier: MIT
#include "cam.h"

#include <string.h>

#include "vgpu.h"

static void waiter_add(struct cam_waiter **list, struct cam_waiter *waiter)
{
	waiter->next = *list;
	waiter->list = list;
	*list = waiter;
}

void cam_cancel(struct cam_waiter *waiter)
{
	struct cam_waiter **link = waiter->list;

	if (!link)
		return;
	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	waiter->list = NULL;
}

static void wake_all(struct cam_waiter **list)
{
	while (*list) {
		struct cam_waiter *waiter = *list;

		*list = waiter->next;
		waiter->list = NULL;
		waiter->wake(waiter);
	}
}

void cam_wait(struct vgpu *dev, struct cam_waiter *waiter, struct hub *hub, uint8_t vmid,
	      uint64_t va, unsigned int access)
{
	struct cam *cam = &dev->cam;
	uint64_t page = (va & GMC_VA_MASK) >> GMC_PAGE_SHIFT;
	uint16_t pasid = gmc_pasid(dev, hub, vmid);
	struct cam_entry *entry = NULL;
	unsigned int index;

	cam_cancel(waiter);
	for (unsigned int i = 0; i < CAM_ENTRIES; i++) {
		struct cam_entry *e = &cam->entries[i];

		if (e->used && e->page == page && e->pasid == pasid &&
		    e->vmid == vmid && e->hub == hub) {
			waiter_add(&e->waiters, waiter);
			return;
		}
		if (!e->used && !entry)
			entry = e;
	}
	if (!entry || cam->used >= dev->inject.cam_entries) {
		dev->stats.cam_full++;
		waiter_add(&cam->full, waiter);
		return;
	}
	*entry = (struct cam_entry){
		.used = true, .vmid = vmid, .pasid = pasid, .hub = hub, .page = page,
		.since_ns = now_ns(),
	};
	cam->used++;
	waiter_add(&entry->waiters, waiter);
	index = (unsigned int)(entry - cam->entries);
	ih_raise_fault(dev, hub, vmid, va, access, &index);
}

void cam_acknowledge(struct vgpu *dev, unsigned int index)
{
	struct cam *cam = &dev->cam;
	struct cam_entry *entry;

	dev->stats.cam_acks++;
	if (index >= CAM_ENTRIES || !cam->entries[index].used) {
		dev->stats.cam_acks_spurious++;
		trace(dev, "cam_ack", "\"cam\":%u,\"spurious\":true", index);
		return;
	}
	entry = &cam->entries[index];
	trace(dev, "cam_ack", "\"cam\":%u,\"vmid\":%u,\"va\":\"0x%llx\",\"after_ns\":%llu", index,
	      entry->vmid, (unsigned long long)entry->page << GMC_PAGE_SHIFT,
	      (unsigned long long)(now_ns() - entry->since_ns));
	entry->used = false;
	cam->used--;
	wake_all(&entry->waiters);
	cam_wake_full(dev);
}

void cam_wake_full(struct vgpu *dev)
{
	wake_all(&dev->cam.full);
}

void cam_reset(struct vgpu *dev)
{
	struct cam *cam = &dev->cam;

	for (unsigned int i = 0; i < CAM_ENTRIES; i++) {
		while (cam->entries[i].waiters)
			cam_cancel(cam->entries[i].waiters);
	}
	while (cam->full)
		cam_cancel(cam->full);
	memset(cam, 0, sizeof(*cam));
}
