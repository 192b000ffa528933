/* SPDX-License-Identifier: MIT */
/*
 * The command processor: the graphics ring, and the compute engines' hardware queue descriptors
 * (HQDs) that hold the kernel's compute queues, the KIQ, and user queues.
 */
#ifndef VGPU_CP_H
#define VGPU_CP_H

#include <stdint.h>

#include "queue.h"
#include "regs.h"

struct vgpu;

#define CP_MECS	  2
#define CP_PIPES  4
#define CP_QUEUES 8
#define CP_SLOTS  (CP_MECS * CP_PIPES * CP_QUEUES)

struct hqd {
	struct queue queue;
	uint32_t reg[CP_HQD_DWORDS];
	enum shader_stop stopping; /* its waves are being taken away */
};

/* What the driver tells of a process's waves; registers banked by VMID, or of MAP_PROCESS. */
struct cp_vmid {
	uint32_t sh_mem_config, sh_mem_bases;
	uint64_t tba, tma; /* trap handler's code and data, as the registers have them: >> 8 */
};

#define CP_TRAP_ADDRESS(v) (((v) & 0xffffffffffULL) << 8)

struct cp {
	struct queue gfx;
	struct hqd slots[CP_SLOTS];
	struct cp_vmid vmid[GMC_NUM_VMIDS];
	unsigned int num_stopping; /* slots */
	uint32_t unselected[CP_HQD_DWORDS]; /* what GRBM_GFX_CNTL selects besides the slots */
};

void cp_init(struct vgpu *dev);
struct hqd *cp_slot(struct vgpu *dev, unsigned int me, unsigned int pipe, unsigned int queue);

/*
 * Loads the queue whose MQD is at mqd (VMID 0) into the slot and starts it. doorbell is a byte
 * offset. A non-zero wptr_va, in vmid, tells where the write pointer is to be read.
 */
void cp_map(struct vgpu *dev, struct hqd *hqd, uint64_t mqd, uint8_t vmid, uint32_t doorbell,
	    uint64_t wptr_va);
/*
 * Stops the queue and saves what a later cp_map() needs in its MQD. False if waves are still to be
 * taken away: it is over when the queue is not active any more.
 */
bool cp_unmap(struct vgpu *dev, struct hqd *hqd, enum shader_stop how);
/* Goes on with stops that are not over; when to call again. */
uint64_t cp_poll(struct vgpu *dev);
void cp_reset(struct vgpu *dev);

#endif
