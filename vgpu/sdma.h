/* SPDX-License-Identifier: MIT */
/*
 * The two SDMA engines. Each has a kernel ring (GFX), a paging ring (PAGE) and eight rings for user
 * queues (RLC0..7), which the driver programs itself or the packet scheduler loads from an MQD.
 */
#ifndef VGPU_SDMA_H
#define VGPU_SDMA_H

#include <stdint.h>

#include "queue.h"

struct vgpu;

#define SDMA_ENGINES  2
#define SDMA_RINGS    10
#define SDMA_RING_RLC 2 /* first ring for user queues */

struct sdma_ring {
	struct queue queue;
	struct sdma *sdma;
	uint32_t regs; /* RB_CNTL */
};

struct sdma {
	struct vgpu *dev;
	unsigned int instance;
	uint32_t regs;
	struct sdma_ring rings[SDMA_RINGS];
};

void sdma_init(struct vgpu *dev);

/*
 * For the packet scheduler: loads the queue whose MQD is at mqd (VMID 0) into a free RLC ring and
 * starts it; NULL if all are taken. doorbell is a byte offset, wptr_va lies in vmid.
 */
struct sdma_ring *sdma_map(struct vgpu *dev, unsigned int instance, uint64_t mqd, uint8_t vmid,
			   uint32_t doorbell, uint64_t wptr_va);
/* Stops it and saves its pointers to the MQD. */
void sdma_unmap(struct vgpu *dev, struct sdma_ring *ring, uint64_t mqd);
void sdma_reset(struct vgpu *dev);

#endif
