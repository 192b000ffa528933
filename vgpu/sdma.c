// SPDX-License-Identifier: MIT
/* SDMA rings: registers, and loading and saving of user queues. Packets are in sdma_packet.c. */
#include "sdma.h"

#include <stdio.h>

#include "sdma_packet.h"
#include "vgpu.h"

/* The first dwords of an MQD mirror the registers from RB_CNTL on (struct v9_sdma_mqd). */
#define MQD_REG(offset)	     ((offset) / 4)
#define IB_SIZE_MASK	     0x000fffffu
#define SDMA_INDIRECT_DWORDS 6 /* of the packet that calls a buffer */

static uint32_t ring_get(const struct sdma_ring *ring, uint32_t reg)
{
	return reg_get(ring->queue.dev, ring->regs + reg);
}

/* Takes what may change while the ring runs from the registers. */
static void ring_configure(struct sdma_ring *ring)
{
	struct queue *q = &ring->queue;
	uint32_t cntl = ring_get(ring, SDMA_RB_CNTL);

	q->vmid = SDMA_RB_VMID(cntl);
	q->ring_va = ((uint64_t)ring_get(ring, SDMA_RB_BASE_HI) << 32 |
		      ring_get(ring, SDMA_RB_BASE)) << 8;
	q->ring_dwords = 1u << SDMA_RB_SIZE(cntl);
	q->rptr_report_va = 0;
	if (cntl & SDMA_RPTR_WRITEBACK)
		q->rptr_report_va = (uint64_t)ring_get(ring, SDMA_RB_RPTR_ADDR_HI) << 32 |
				    (ring_get(ring, SDMA_RB_RPTR_ADDR_LO) & ~3u);
	q->doorbell = SDMA_DOORBELL_BYTES(ring_get(ring, SDMA_DOORBELL_OFFSET));
	/* The driver enables the doorbell before it sets the offset; 0 is the KIQ's, never ours. */
	q->doorbell_enabled = ring_get(ring, SDMA_DOORBELL) & SDMA_DOORBELL_ENABLE && q->doorbell;
}

static bool ring_wanted(const struct sdma_ring *ring)
{
	const struct vgpu *dev = ring->queue.dev;

	if (!(ring_get(ring, SDMA_RB_CNTL) & SDMA_RB_ENABLE) ||
	    reg_get(dev, ring->sdma->regs + SDMA_F32_CNTL) & SDMA_F32_HALT)
		return false;
	/*
	 * kgd_hqd_sdma_destroy() leaves a stopped user ring enabled, with its doorbell off, and
	 * reads the pointers then: such a ring does not run.
	 */
	return ring < &ring->sdma->rings[SDMA_RING_RLC] ||
	       ring_get(ring, SDMA_DOORBELL) & SDMA_DOORBELL_ENABLE;
}

static void ring_update(struct sdma_ring *ring)
{
	struct queue *q = &ring->queue;
	bool wanted = ring_wanted(ring);

	if (!wanted && q->active) {
		queue_stop(q);
	} else if (wanted) {
		ring_configure(ring);
		if (!q->active)
			queue_start(q);
	}
}

static struct sdma_ring *ring_of_reg(struct vgpu *dev, uint32_t reg)
{
	struct sdma *sdma = &dev->sdma[(reg - SDMA0_BASE) / SDMA_STRIDE];

	return &sdma->rings[(reg - sdma->regs - SDMA_RING0) / SDMA_RING_STRIDE];
}

static void control_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	reg_set(dev, reg, value);
	ring_update(ring_of_reg(dev, reg));
}

static uint64_t replace_half(uint64_t old, bool high, uint32_t value)
{
	return high ? (old & 0xffffffffu) | (uint64_t)value << 32 : (old & ~0xffffffffULL) | value;
}

/* The pointers count in bytes here. */
static uint32_t rptr_read(struct vgpu *dev, uint32_t reg)
{
	struct sdma_ring *ring = ring_of_reg(dev, reg);
	uint64_t bytes = ring->queue.rptr * 4;

	return reg == ring->regs + SDMA_RB_RPTR_HI ? (uint32_t)(bytes >> 32) : (uint32_t)bytes;
}

static void rptr_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct sdma_ring *ring = ring_of_reg(dev, reg);
	bool high = reg == ring->regs + SDMA_RB_RPTR_HI;

	ring->queue.rptr = replace_half(ring->queue.rptr * 4, high, value) / 4;
}

static uint32_t wptr_read(struct vgpu *dev, uint32_t reg)
{
	struct sdma_ring *ring = ring_of_reg(dev, reg);
	uint64_t bytes = ring->queue.wptr * 4;

	return reg == ring->regs + SDMA_RB_WPTR_HI ? (uint32_t)(bytes >> 32) : (uint32_t)bytes;
}

static void wptr_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct sdma_ring *ring = ring_of_reg(dev, reg);
	bool high = reg == ring->regs + SDMA_RB_WPTR_HI;

	queue_set_wptr(&ring->queue, replace_half(ring->queue.wptr * 4, high, value) / 4);
}

static uint32_t context_status_read(struct vgpu *dev, uint32_t reg)
{
	return ring_of_reg(dev, reg)->queue.active ? 0 : SDMA_CONTEXT_IDLE;
}

static uint32_t status_read(struct vgpu *dev, uint32_t reg)
{
	(void)dev;
	(void)reg;
	return SDMA_STATUS_IDLE;
}

static void f32_cntl_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct sdma *sdma = &dev->sdma[(reg - SDMA0_BASE) / SDMA_STRIDE];

	reg_set(dev, reg, value);
	for (unsigned int i = 0; i < SDMA_RINGS; i++)
		ring_update(&sdma->rings[i]);
}

static const struct reg_handler control = { .write = control_write };
static const struct reg_handler rptr = { rptr_read, rptr_write };
static const struct reg_handler wptr = { wptr_read, wptr_write };
static const struct reg_handler context_status = { .read = context_status_read };
static const struct reg_handler status = { .read = status_read };
static const struct reg_handler f32_cntl = { .write = f32_cntl_write };

/* An interrupted indirect buffer goes on where it was; a nested one starts again. */
static void restore_ib(struct queue *q, const uint32_t *mqd)
{
	uint32_t dwords = mqd[MQD_REG(SDMA_IB_SIZE)] & IB_SIZE_MASK;
	uint32_t offset = mqd[MQD_REG(SDMA_IB_OFFSET)] & IB_SIZE_MASK;

	if (!dwords || offset >= dwords)
		return;
	q->ib[0] = (struct stream){
		.va = mqd[MQD_REG(SDMA_IB_BASE_LO)] |
		      (uint64_t)mqd[MQD_REG(SDMA_IB_BASE_HI)] << 32,
		.dwords = dwords,
		.offset = offset,
		.caller = SDMA_INDIRECT_DWORDS,
		.vmid = q->vmid,
	};
	q->depth = 1;
}

static void save_ib(struct vgpu *dev, const struct queue *q, uint64_t mqd)
{
	const struct stream *ib = &q->ib[0];
	uint32_t image[4] = { 0 };

	if (q->depth) {
		image[0] = ib->offset;
		image[1] = (uint32_t)ib->va;
		image[2] = (uint32_t)(ib->va >> 32);
		image[3] = ib->dwords;
	}
	vgpu_write(dev, mqd + SDMA_IB_OFFSET, image, sizeof(image));
}

struct sdma_ring *sdma_map(struct vgpu *dev, unsigned int instance, uint64_t mqd, uint8_t vmid,
			   uint32_t doorbell, uint64_t wptr_va)
{
	struct sdma *sdma = &dev->sdma[instance];
	uint32_t image[SDMA_MQD_DWORDS];
	struct sdma_ring *ring = NULL;

	for (unsigned int i = SDMA_RING_RLC; i < SDMA_RINGS && !ring; i++) {
		if (!sdma->rings[i].queue.active)
			ring = &sdma->rings[i];
	}
	if (!ring)
		return NULL;
	vgpu_read(dev, mqd, image, sizeof(image));
	for (uint32_t i = 0; i < SDMA_MQD_DWORDS; i++)
		reg_set(dev, ring->regs + 4 * i, image[i]);
	reg_set(dev, ring->regs + SDMA_DOORBELL, SDMA_DOORBELL_ENABLE);
	reg_set(dev, ring->regs + SDMA_DOORBELL_OFFSET, doorbell);
	reg_set(dev, ring->regs + SDMA_RB_CNTL,
		(image[0] & ~0x0f000000u) | (uint32_t)vmid << 24 | SDMA_RB_ENABLE);
	ring->queue.rptr = (image[MQD_REG(SDMA_RB_RPTR)] |
			    (uint64_t)image[MQD_REG(SDMA_RB_RPTR_HI)] << 32) / 4;
	ring->queue.wptr = ring->queue.rptr;
	ring->queue.wptr_va = wptr_va;
	ring_update(ring);
	restore_ib(&ring->queue, image);
	return ring;
}

void sdma_unmap(struct vgpu *dev, struct sdma_ring *ring, uint64_t mqd)
{
	uint64_t pointers[2] = { ring->queue.rptr * 4, ring->queue.wptr * 4 };

	queue_stop(&ring->queue);
	ring->queue.wptr_va = 0;
	reg_set(dev, ring->regs + SDMA_RB_CNTL,
		reg_get(dev, ring->regs + SDMA_RB_CNTL) & ~SDMA_RB_ENABLE);
	vgpu_write(dev, mqd + SDMA_RB_RPTR, pointers, sizeof(pointers));
	save_ib(dev, &ring->queue, mqd);
}

static void ring_init(struct sdma *sdma, unsigned int index)
{
	struct vgpu *dev = sdma->dev;
	struct sdma_ring *ring = &sdma->rings[index];
	struct queue *q = &ring->queue;
	struct reg_file *regs = &dev->regs;

	ring->sdma = sdma;
	ring->regs = sdma->regs + SDMA_RING0 + index * SDMA_RING_STRIDE;
	queue_init(dev, q);
	q->hub = &dev->hubs[HUB_MM];
	q->kind = QUEUE_SDMA;
	q->execute = sdma_execute;
	q->owner = ring;
	q->ih_ring_id = (uint8_t)(index < SDMA_RING_RLC ? index : SDMA_RING_RLC);
	if (index >= SDMA_RING_RLC)
		snprintf(q->name, sizeof(q->name), "sdma%u.rlc%u", sdma->instance,
			 index - SDMA_RING_RLC);
	else
		snprintf(q->name, sizeof(q->name), "sdma%u.%s", sdma->instance,
			 index ? "page" : "gfx");
	reg_hook(regs, &control, ring->regs + SDMA_RB_CNTL, 1, 4);
	reg_hook(regs, &control, ring->regs + SDMA_DOORBELL, 1, 4);
	reg_hook(regs, &control, ring->regs + SDMA_DOORBELL_OFFSET, 1, 4);
	reg_hook(regs, &rptr, ring->regs + SDMA_RB_RPTR, 2, 4);
	reg_hook(regs, &wptr, ring->regs + SDMA_RB_WPTR, 2, 4);
	reg_hook(regs, &context_status, ring->regs + SDMA_CONTEXT_STATUS, 1, 4);
}

void sdma_init(struct vgpu *dev)
{
	for (unsigned int instance = 0; instance < SDMA_ENGINES; instance++) {
		struct sdma *sdma = &dev->sdma[instance];

		sdma->dev = dev;
		sdma->instance = instance;
		sdma->regs = SDMA0_BASE + instance * SDMA_STRIDE;
		reg_hook(&dev->regs, &status, sdma->regs + SDMA_STATUS_REG, 1, 4);
		reg_hook(&dev->regs, &f32_cntl, sdma->regs + SDMA_F32_CNTL, 1, 4);
		for (unsigned int i = 0; i < SDMA_RINGS; i++)
			ring_init(sdma, i);
	}
}

void sdma_reset(struct vgpu *dev)
{
	for (unsigned int instance = 0; instance < SDMA_ENGINES; instance++) {
		for (unsigned int i = 0; i < SDMA_RINGS; i++) {
			struct queue *q = &dev->sdma[instance].rings[i].queue;

			queue_stop(q);
			q->rptr = 0;
			q->wptr = 0;
			q->wptr_va = 0;
		}
	}
}
