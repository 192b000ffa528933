/* SPDX-License-Identifier: MIT */
/*
 * The platform security processor, MP0: a boot loader that takes its operating system from the
 * driver, then a ring of commands by which the driver has other firmware loaded, and the mode-1
 * reset. Nothing that is loaded is executed.
 */
#ifndef VGPU_PSP_H
#define VGPU_PSP_H

#include <stdbool.h>
#include <stdint.h>

struct vgpu;

struct psp {
	bool loaded; /* the operating system, "sOS" */
	bool running;
	bool reset_wanted;
	uint64_t ring;	     /* VMID 0 address */
	uint32_t ring_bytes; /* 0: there is no ring */
	uint32_t rptr;	     /* dwords */
	uint64_t tmr;	     /* where it puts what it has checked; 0: nowhere */
	uint32_t sessions;   /* begun since it runs */
};

void psp_init(struct vgpu *dev);
void psp_reset(struct vgpu *dev);
/*
 * Resets the device if a mode-1 reset was asked for. Not at once, because a packet may have asked,
 * and its queue is still in use.
 */
void psp_poll(struct vgpu *dev);

#endif
