// SPDX-License-Identifier: MIT
/* Registers of the command processor's queues. Packets are in pm4.c and aql.c. */
#include "cp.h"

#include <stdio.h>
#include <string.h>

#include "aql.h"
#include "pm4.h"
#include "vgpu.h"

#define MQD_HEADER	 0xc0310800u /* v9_mqd.header, as the driver writes it */
#define HQD_INDEX(reg)	 (((reg) - CP_HQD_FIRST) / 4)
#define AQL_CONTROL_AQL	 1u
#define IB_CONTROL_SIZE	 0x000fffffu
#define CP_HQD_IB_BASE	 0xc95c
#define CP_HQD_IB_RPTR	 0xc964
#define CP_HQD_IB_CNTL	 0xc968
#define DOORBELL_RANGE	 0x0ffffffcu

static uint32_t hqd_get(const struct hqd *hqd, uint32_t reg)
{
	return hqd->reg[HQD_INDEX(reg)];
}

static uint64_t hqd_get64(const struct hqd *hqd, uint32_t reg)
{
	return hqd_get(hqd, reg) | (uint64_t)hqd_get(hqd, reg + 4) << 32;
}

static void hqd_set(struct hqd *hqd, uint32_t reg, uint32_t value)
{
	hqd->reg[HQD_INDEX(reg)] = value;
}

struct hqd *cp_slot(struct vgpu *dev, unsigned int me, unsigned int pipe, unsigned int queue)
{
	if (me < 1 || me > CP_MECS || pipe >= CP_PIPES || queue >= CP_QUEUES)
		return NULL;
	return &dev->cp.slots[((me - 1) * CP_PIPES + pipe) * CP_QUEUES + queue];
}

static struct hqd *selected_slot(struct vgpu *dev)
{
	uint32_t select = reg_get(dev, GRBM_GFX_CNTL);

	return cp_slot(dev, select >> 2 & 3, select & 3, select >> 8 & 7);
}

/*
 * An interrupted indirect buffer goes on where it was; a nested one starts again. One that an AQL
 * packet called may be through although the packet is not: it is saved as read to its end.
 */
static void restore_ib(struct queue *q, const struct hqd *hqd)
{
	uint32_t dwords = hqd_get(hqd, CP_HQD_IB_CNTL) & IB_CONTROL_SIZE;
	uint32_t offset = hqd_get(hqd, CP_HQD_IB_RPTR) & IB_CONTROL_SIZE;

	q->ib_done = q->kind == QUEUE_AQL && dwords && offset == dwords;
	if (!dwords || offset >= dwords)
		return;
	q->ib[0] = (struct stream){
		.va = hqd_get64(hqd, CP_HQD_IB_BASE) & GMC_VA_MASK & ~3ULL,
		.dwords = dwords,
		.offset = offset,
		.caller = q->kind == QUEUE_AQL ? 0 : 4,
		.vmid = q->vmid,
	};
	q->depth = 1;
}

static void save_ib(const struct queue *q, struct hqd *hqd)
{
	const struct stream *ib = &q->ib[0];
	uint32_t cntl = hqd_get(hqd, CP_HQD_IB_CNTL) & ~IB_CONTROL_SIZE;

	hqd_set(hqd, CP_HQD_IB_RPTR, q->depth ? ib->offset : q->ib_done);
	hqd_set(hqd, CP_HQD_IB_CNTL, cntl | (q->depth ? ib->dwords : q->ib_done));
	hqd_set(hqd, CP_HQD_IB_BASE, q->depth ? (uint32_t)ib->va : 0);
	hqd_set(hqd, CP_HQD_IB_BASE + 4, q->depth ? (uint32_t)(ib->va >> 32) : 0);
}

static void hqd_doorbell(struct hqd *hqd)
{
	uint32_t control = hqd_get(hqd, CP_HQD_PQ_DOORBELL);

	hqd->queue.doorbell = CP_DOORBELL_BYTES(control);
	hqd->queue.doorbell_enabled = control & CP_HQD_DOORBELL_ENABLE;
}

static void hqd_start(struct hqd *hqd, uint64_t wptr_va)
{
	struct queue *q = &hqd->queue;
	uint32_t size = CP_HQD_QUEUE_SIZE(hqd_get(hqd, CP_HQD_PQ_CONTROL));
	bool aql = hqd_get(hqd, CP_HQD_AQL_CONTROL) & AQL_CONTROL_AQL;
	uint32_t rptr = hqd_get(hqd, CP_HQD_PQ_RPTR);

	q->kind = aql ? QUEUE_AQL : QUEUE_PM4;
	q->execute = aql ? aql_execute : pm4_execute;
	q->vmid = hqd_get(hqd, CP_HQD_VMID) & 0xf;
	q->ring_va = (hqd_get64(hqd, CP_HQD_PQ_BASE) << 8) & GMC_VA_MASK;
	/* Ring sizes above 4 GiB do not exist; a field that says so is garbage. */
	q->ring_dwords = 2u << (size < 30 ? size : 29);
	q->rptr_report_va = hqd_get64(hqd, CP_HQD_PQ_RPTR_REPORT) & GMC_VA_MASK;
	q->wptr_va = wptr_va;
	q->wptr = hqd_get64(hqd, CP_HQD_PQ_WPTR_LO);
	/* The register has the low half of a pointer that counts on. */
	q->rptr = q->wptr - (uint32_t)((uint32_t)q->wptr - rptr);
	if (q->wptr - q->rptr > q->ring_dwords)
		q->rptr = rptr;
	hqd_doorbell(hqd);
	hqd_set(hqd, CP_HQD_ACTIVE, 1);
	hqd_set(hqd, CP_HQD_DEQUEUE_REQUEST, 0);
	queue_start(q);
	restore_ib(q, hqd);
}

/*
 * The MQD of a queue that CRIU restored still names the address of the dumped process's one
 * (restore_mqd() copies it verbatim), so only a descriptor that is this queue's is written.
 */
static bool mqd_is_ours(struct vgpu *dev, const struct hqd *hqd, uint64_t mqd)
{
	uint32_t header, base[2];

	vgpu_read(dev, mqd, &header, sizeof(header));
	vgpu_read(dev, mqd + 4 * (MQD_HQD_DWORD + HQD_INDEX(CP_HQD_PQ_BASE)), base, sizeof(base));
	return header == MQD_HEADER && base[0] == hqd_get(hqd, CP_HQD_PQ_BASE) &&
	       base[1] == hqd_get(hqd, CP_HQD_PQ_BASE_HI);
}

void cp_unmap(struct vgpu *dev, struct hqd *hqd)
{
	struct queue *q = &hqd->queue;
	uint64_t mqd = hqd_get64(hqd, CP_MQD_BASE_ADDR) & GMC_VA_MASK;

	if (!q->active)
		return;
	queue_stop(q);
	hqd_set(hqd, CP_HQD_PQ_RPTR, (uint32_t)q->rptr);
	hqd_set(hqd, CP_HQD_PQ_WPTR_LO, (uint32_t)q->wptr);
	hqd_set(hqd, CP_HQD_PQ_WPTR_HI, (uint32_t)(q->wptr >> 32));
	hqd_set(hqd, CP_HQD_ACTIVE, 0);
	/* No waves: the control stack, which grows down, is empty. */
	hqd_set(hqd, CP_HQD_CNTL_STACK_OFFSET, hqd_get(hqd, CP_HQD_CNTL_STACK_SIZE));
	save_ib(q, hqd);
	if (mqd && mqd_is_ours(dev, hqd, mqd))
		vgpu_write(dev, mqd + 4 * MQD_HQD_DWORD, hqd->reg, sizeof(hqd->reg));
	else if (mqd)
		trace(dev, "mqd_stale", "\"queue\":\"%s\",\"mqd\":\"0x%llx\"", q->name,
		      (unsigned long long)mqd);
	/* gfx_v9_0_mqd_init() copies this register into the next MQD: an idle slot reads 0. */
	hqd_set(hqd, CP_HQD_PQ_RPTR, 0);
}

void cp_map(struct vgpu *dev, struct hqd *hqd, uint64_t mqd, uint8_t vmid, uint32_t doorbell,
	    uint64_t wptr_va)
{
	cp_unmap(dev, hqd);
	vgpu_read(dev, mqd + 4 * MQD_HQD_DWORD, hqd->reg, sizeof(hqd->reg));
	hqd_set(hqd, CP_MQD_BASE_ADDR, (uint32_t)mqd);
	hqd_set(hqd, CP_MQD_BASE_ADDR_HI, (uint32_t)(mqd >> 32));
	hqd_set(hqd, CP_HQD_VMID, vmid);
	hqd_set(hqd, CP_HQD_PQ_DOORBELL,
		(hqd_get(hqd, CP_HQD_PQ_DOORBELL) & ~DOORBELL_RANGE) | doorbell |
			CP_HQD_DOORBELL_ENABLE);
	hqd_start(hqd, wptr_va);
}

static uint32_t hqd_read(struct vgpu *dev, uint32_t reg)
{
	struct hqd *hqd = selected_slot(dev);

	if (!hqd)
		return dev->cp.unselected[HQD_INDEX(reg)];
	if (hqd->queue.active && reg == CP_HQD_PQ_RPTR)
		return (uint32_t)hqd->queue.rptr;
	if (hqd->queue.active && reg == CP_HQD_PQ_WPTR_LO)
		return (uint32_t)hqd->queue.wptr;
	if (hqd->queue.active && reg == CP_HQD_PQ_WPTR_HI)
		return (uint32_t)(hqd->queue.wptr >> 32);
	return hqd_get(hqd, reg);
}

static void active_write(struct vgpu *dev, struct hqd *hqd, uint32_t value)
{
	uint64_t poll = hqd_get64(hqd, CP_HQD_PQ_WPTR_POLL) & GMC_VA_MASK;

	if (!(value & 1)) {
		cp_unmap(dev, hqd);
	} else if (!hqd->queue.active) {
		/*
		 * kgd_gfx_v9_hqd_load() only guesses the write pointer of a user queue and has the
		 * hardware fetch it; the kernel's own queues are loaded with the right one.
		 */
		hqd_start(hqd, hqd_get(hqd, CP_HQD_VMID) & 0xf ? poll & ~3ULL : 0);
	}
}

static void hqd_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct hqd *hqd = selected_slot(dev);

	if (!hqd) {
		dev->cp.unselected[HQD_INDEX(reg)] = value;
		return;
	}
	switch (reg) {
	case CP_HQD_ACTIVE:
		active_write(dev, hqd, value);
		return;
	case CP_HQD_DEQUEUE_REQUEST:
		if (value)
			cp_unmap(dev, hqd);
		hqd_set(hqd, reg, 0);
		return;
	}
	hqd_set(hqd, reg, value);
	if (reg == CP_HQD_PQ_DOORBELL)
		hqd_doorbell(hqd);
	if (hqd->queue.active && (reg == CP_HQD_PQ_WPTR_LO || reg == CP_HQD_PQ_WPTR_HI))
		queue_set_wptr(&hqd->queue, hqd_get64(hqd, CP_HQD_PQ_WPTR_LO));
}

static void gfx_update(struct vgpu *dev)
{
	struct queue *q = &dev->cp.gfx;
	uint64_t base = reg_get64(dev, CP_RB0_BASE, CP_RB0_BASE_HI) << 8;
	uint32_t doorbell = reg_get(dev, CP_RB_DOORBELL_CONTROL);
	uint32_t size = CP_HQD_QUEUE_SIZE(reg_get(dev, CP_RB0_CNTL));

	q->ring_va = base & GMC_VA_MASK;
	q->ring_dwords = 2u << (size < 30 ? size : 29);
	q->rptr_report_va = reg_get64(dev, CP_RB0_RPTR_ADDR, CP_RB0_RPTR_ADDR_HI) & GMC_VA_MASK &
			    ~3ULL;
	q->doorbell = CP_DOORBELL_BYTES(doorbell);
	q->doorbell_enabled = doorbell & CP_RB_DOORBELL_ENABLE;
	if (reg_get(dev, CP_ME_CNTL) & CP_ME_HALT_MASK || !base)
		queue_stop(q);
	else if (!q->active)
		queue_start(q);
}

static void gfx_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	reg_set(dev, reg, value);
	/* Setting the ring up anew resets its read pointer. */
	if (reg == CP_RB0_CNTL)
		dev->cp.gfx.rptr = 0;
	gfx_update(dev);
}

static void gfx_wptr_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	reg_set(dev, reg, value);
	queue_set_wptr(&dev->cp.gfx, reg_get64(dev, CP_RB0_WPTR, CP_RB0_WPTR_HI));
}

static uint32_t gfx_rptr_read(struct vgpu *dev, uint32_t reg)
{
	(void)reg;
	return (uint32_t)dev->cp.gfx.rptr;
}

/* The KIQ raises "generic 2" by setting the status bit from its ring. */
static void int_status_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct iv iv = { .client = IH_CLIENT_GRBM_CP, .src = IH_SRC_CP_GENERIC2, .ring = 2 << 2 | 1 };

	reg_set(dev, reg, value & ~CPC_INT_GENERIC2);
	if (value & CPC_INT_GENERIC2)
		ih_raise(dev, &iv);
}

static const struct reg_handler hqd_regs = { hqd_read, hqd_write };
static const struct reg_handler gfx_regs = { .write = gfx_write };
static const struct reg_handler gfx_wptr = { .write = gfx_wptr_write };
static const struct reg_handler gfx_rptr = { .read = gfx_rptr_read };
static const struct reg_handler int_status = { .write = int_status_write };

static void slot_init(struct vgpu *dev, unsigned int index)
{
	unsigned int me = 1 + index / (CP_PIPES * CP_QUEUES);
	unsigned int pipe = index / CP_QUEUES % CP_PIPES, queue = index % CP_QUEUES;
	struct queue *q = &dev->cp.slots[index].queue;

	queue_init(dev, q);
	q->hub = &dev->hubs[HUB_GFX];
	q->owner = &dev->cp.slots[index];
	q->ih_ring_id = (uint8_t)(pipe | me << 2 | queue << 4);
	snprintf(q->name, sizeof(q->name), "mec%u.%u.%u", me, pipe, queue);
}

void cp_init(struct vgpu *dev)
{
	struct queue *gfx = &dev->cp.gfx;
	struct reg_file *regs = &dev->regs;

	queue_init(dev, gfx);
	gfx->hub = &dev->hubs[HUB_GFX];
	gfx->kind = QUEUE_PM4;
	gfx->execute = pm4_execute;
	snprintf(gfx->name, sizeof(gfx->name), "gfx");
	for (unsigned int i = 0; i < CP_SLOTS; i++)
		slot_init(dev, i);
	reg_hook(regs, &hqd_regs, CP_HQD_FIRST, CP_HQD_DWORDS, 4);
	reg_hook(regs, &gfx_regs, CP_ME_CNTL, 1, 4);
	reg_hook(regs, &gfx_regs, CP_RB0_BASE, 2, 4);
	reg_hook(regs, &gfx_regs, CP_RB0_BASE_HI, 1, 4);
	reg_hook(regs, &gfx_regs, CP_RB_DOORBELL_CONTROL, 1, 4);
	reg_hook(regs, &gfx_wptr, CP_RB0_WPTR, 2, 4);
	reg_hook(regs, &gfx_rptr, CP_RB0_RPTR, 1, 4);
	reg_hook(regs, &int_status, CPC_INT_STATUS, 1, 4);
}

void cp_reset(struct vgpu *dev)
{
	queue_stop(&dev->cp.gfx);
	dev->cp.gfx.rptr = 0;
	dev->cp.gfx.wptr = 0;
	reg_set(dev, CP_ME_CNTL, CP_ME_HALT_MASK);
	for (unsigned int i = 0; i < CP_SLOTS; i++) {
		queue_stop(&dev->cp.slots[i].queue);
		memset(dev->cp.slots[i].reg, 0, sizeof(dev->cp.slots[i].reg));
	}
}
