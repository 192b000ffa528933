/* SPDX-License-Identifier: MIT */
/*
 * The retry CAM: the pages whose retry faults the driver has not answered yet. A further access to
 * such a page joins the entry and raises no second IV. The driver's acknowledge doorbell frees the
 * entry; everybody who waited for it walks the page tables again.
 */
#ifndef VGPU_CAM_H
#define VGPU_CAM_H

#include <stdbool.h>
#include <stdint.h>

struct vgpu;
struct hub;

#define CAM_ENTRIES 256

/* Embedded in whatever performs accesses: a queue, later a wave. */
struct cam_waiter {
	struct cam_waiter *next;
	struct cam_waiter **list; /* NULL: does not wait */
	void (*wake)(struct cam_waiter *waiter);
};

struct cam_entry {
	bool used;
	uint8_t vmid;
	uint16_t pasid;
	struct hub *hub;
	uint64_t page;
	uint64_t since_ns;
	struct cam_waiter *waiters;
};

struct cam {
	struct cam_entry entries[CAM_ENTRIES];
	struct cam_waiter *full; /* waiting for a free entry */
	unsigned int used;
};

/* Waits for an answer to the fault at va, and for no other any more. */
void cam_wait(struct vgpu *dev, struct cam_waiter *waiter, struct hub *hub, uint8_t vmid,
	      uint64_t va, unsigned int access);
/* Stops waiting; the entry stays until the driver acknowledges it. */
void cam_cancel(struct cam_waiter *waiter);
/* The driver's doorbell. */
void cam_acknowledge(struct vgpu *dev, unsigned int index);
/* Those who wait for a free entry try again. */
void cam_wake_full(struct vgpu *dev);
/* Forgets everything, waiters included (device reset). */
void cam_reset(struct vgpu *dev);

#endif
