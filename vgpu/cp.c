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
#define INITIATOR_ENABLE  1u
#define INITIATOR_RESTORE 0x4000u
#define STOP_POLL_NS	  1000000u /* besides what the shader engine tells */

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

/*
 * The MQD of a queue that CRIU restored still names the address of the dumped process's one
 * (restore_mqd() copies it verbatim), so only a descriptor that is this queue's is used.
 */
static uint64_t own_mqd(struct vgpu *dev, const struct hqd *hqd)
{
	uint64_t mqd = hqd_get64(hqd, CP_MQD_BASE_ADDR) & GMC_VA_MASK;
	uint32_t header, base[2];

	if (!mqd)
		return 0;
	vgpu_read(dev, mqd, &header, sizeof(header));
	vgpu_read(dev, mqd + 4 * (MQD_HQD_DWORD + HQD_INDEX(CP_HQD_PQ_BASE)), base, sizeof(base));
	return header == MQD_HEADER && base[0] == hqd_get(hqd, CP_HQD_PQ_BASE) &&
			       base[1] == hqd_get(hqd, CP_HQD_PQ_BASE_HI) ?
		       mqd :
		       0;
}

static struct shader_area save_area(const struct hqd *hqd, uint64_t mqd)
{
	uint64_t va = hqd_get64(hqd, CP_HQD_CTX_SAVE_BASE) & GMC_VA_MASK;

	return (struct shader_area){
		.mqd = mqd,
		.stack_bytes = mqd && va ? hqd_get(hqd, CP_HQD_CNTL_STACK_SIZE) & ~3u : 0,
		.va = va,
		.bytes = mqd && va ? hqd_get(hqd, CP_HQD_CTX_SAVE_SIZE) : 0,
	};
}

/* The dispatch that an AQL queue was in when it was stopped. */
static void restore_dispatch(struct vgpu *dev, struct hqd *hqd)
{
	struct shader_progress *progress = &hqd->queue.resume.progress;
	uint64_t mqd = own_mqd(dev, hqd);
	uint32_t initiator = 0;

	hqd->queue.resume = (struct shader_resume){ .area = save_area(hqd, mqd) };
	if (!mqd)
		return;
	vgpu_read(dev, mqd + 4 * MQD_DISPATCH_INITIATOR, &initiator, sizeof(initiator));
	if (!(initiator & INITIATOR_RESTORE))
		return;
	progress->active = true;
	vgpu_read(dev, mqd + 4 * MQD_RESTART_X, progress->group, sizeof(progress->group));
	vgpu_read(dev, mqd + 4 * MQD_START_CLOCK, &progress->start_clock, 8);
	progress->stack_offset = hqd_get(hqd, CP_HQD_CNTL_STACK_OFFSET) & ~3u;
	progress->area_end = hqd_get(hqd, CP_HQD_WG_STATE_OFFSET);
}

static void save_dispatch(struct vgpu *dev, struct hqd *hqd, uint64_t mqd,
			  const struct shader_progress *progress)
{
	uint32_t initiator = progress->active ? INITIATOR_ENABLE | INITIATOR_RESTORE : 0;
	uint32_t empty = hqd_get(hqd, CP_HQD_CNTL_STACK_SIZE);
	bool waves = progress->active && hqd->queue.resume.area.bytes;

	/* The control stack grows down: at its end it is empty. */
	hqd_set(hqd, CP_HQD_CNTL_STACK_OFFSET, waves ? progress->stack_offset : empty);
	hqd_set(hqd, CP_HQD_WG_STATE_OFFSET, waves ? progress->area_end : empty);
	if (!mqd)
		return;
	vgpu_write(dev, mqd + 4 * MQD_DISPATCH_INITIATOR, &initiator, sizeof(initiator));
	vgpu_write(dev, mqd + 4 * MQD_RESTART_X, progress->group, sizeof(progress->group));
	vgpu_write(dev, mqd + 4 * MQD_START_CLOCK, &progress->start_clock, 8);
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
	if (aql)
		restore_dispatch(q->dev, hqd);
}

static void hqd_stopping(struct vgpu *dev, struct hqd *hqd, enum shader_stop how)
{
	dev->cp.num_stopping += (how != SHADER_RUN) - (hqd->stopping != SHADER_RUN);
	hqd->stopping = how;
}

bool cp_unmap(struct vgpu *dev, struct hqd *hqd, enum shader_stop how)
{
	struct shader_progress progress;
	struct queue *q = &hqd->queue;
	uint64_t mqd;

	if (!q->active)
		return true;
	if (how > hqd->stopping)
		hqd_stopping(dev, hqd, how);
	if (!shader_stop(q, hqd->stopping, &q->resume.area, &progress))
		return false;
	if (!q->dispatch && q->resume.progress.active)
		progress = q->resume.progress; /* it has not been looked at since it was restored */
	hqd_stopping(dev, hqd, SHADER_RUN);
	queue_stop(q);
	hqd_set(hqd, CP_HQD_PQ_RPTR, (uint32_t)q->rptr);
	hqd_set(hqd, CP_HQD_PQ_WPTR_LO, (uint32_t)q->wptr);
	hqd_set(hqd, CP_HQD_PQ_WPTR_HI, (uint32_t)(q->wptr >> 32));
	hqd_set(hqd, CP_HQD_ACTIVE, 0);
	save_ib(q, hqd);
	mqd = own_mqd(dev, hqd);
	save_dispatch(dev, hqd, mqd, &progress);
	if (mqd)
		vgpu_write(dev, mqd + 4 * MQD_HQD_DWORD, hqd->reg, sizeof(hqd->reg));
	else
		trace(dev, "mqd_stale", "\"queue\":\"%s\",\"mqd\":\"0x%llx\"", q->name,
		      (unsigned long long)(hqd_get64(hqd, CP_MQD_BASE_ADDR) & GMC_VA_MASK));
	/* gfx_v9_0_mqd_init() copies this register into the next MQD: an idle slot reads 0. */
	hqd_set(hqd, CP_HQD_PQ_RPTR, 0);
	return true;
}

uint64_t cp_poll(struct vgpu *dev)
{
	for (unsigned int i = 0; i < CP_SLOTS && dev->cp.num_stopping; i++) {
		struct hqd *hqd = &dev->cp.slots[i];

		if (hqd->stopping != SHADER_RUN)
			cp_unmap(dev, hqd, hqd->stopping);
	}
	return dev->cp.num_stopping ? now_ns() + STOP_POLL_NS : UINT64_MAX;
}

void cp_map(struct vgpu *dev, struct hqd *hqd, uint64_t mqd, uint8_t vmid, uint32_t doorbell,
	    uint64_t wptr_va)
{
	cp_unmap(dev, hqd, SHADER_KILL);
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
		cp_unmap(dev, hqd, SHADER_KILL);
	} else if (!hqd->queue.active) {
		/*
		 * kgd_gfx_v9_hqd_load() only guesses the write pointer of a user queue and has the
		 * hardware fetch it; the kernel's own queues are loaded with the right one.
		 */
		hqd_start(hqd, hqd_get(hqd, CP_HQD_VMID) & 0xf ? poll & ~3ULL : 0);
	}
}

/* hqd_dequeue_request_type of amdgpu_amdkfd_gfx_v9.c. */
static void dequeue_write(struct vgpu *dev, struct hqd *hqd, uint32_t value)
{
	static const enum shader_stop how[] = { SHADER_RUN, SHADER_DRAIN, SHADER_KILL, SHADER_SAVE };

	if (value & 3)
		cp_unmap(dev, hqd, how[value & 3]);
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
		dequeue_write(dev, hqd, value);
		hqd_set(hqd, reg, 0);
		return;
	}
	hqd_set(hqd, reg, value);
	if (reg == CP_HQD_PQ_DOORBELL)
		hqd_doorbell(hqd);
	if (hqd->queue.active && (reg == CP_HQD_PQ_WPTR_LO || reg == CP_HQD_PQ_WPTR_HI))
		queue_set_wptr(&hqd->queue, hqd_get64(hqd, CP_HQD_PQ_WPTR_LO));
}

static struct cp_vmid *selected_vmid(struct vgpu *dev)
{
	return &dev->cp.vmid[GRBM_GFX_VMID(reg_get(dev, GRBM_GFX_CNTL))];
}

static uint32_t vmid_read(struct vgpu *dev, uint32_t reg)
{
	const struct cp_vmid *vm = selected_vmid(dev);

	switch (reg) {
	case SH_MEM_BASES:
		return vm->sh_mem_bases;
	case SH_MEM_CONFIG:
		return vm->sh_mem_config;
	case SQ_SHADER_TBA_LO:
		return (uint32_t)vm->tba;
	case SQ_SHADER_TBA_HI:
		return (uint32_t)(vm->tba >> 32);
	case SQ_SHADER_TMA_LO:
		return (uint32_t)vm->tma;
	default:
		return (uint32_t)(vm->tma >> 32);
	}
}

static void set_half(uint64_t *value, bool high, uint32_t half)
{
	*value = high ? (uint32_t)*value | (uint64_t)half << 32 : (*value >> 32) << 32 | half;
}

static void vmid_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct cp_vmid *vm = selected_vmid(dev);

	if (reg == SH_MEM_BASES)
		vm->sh_mem_bases = value;
	else if (reg == SH_MEM_CONFIG)
		vm->sh_mem_config = value;
	else if (reg <= SQ_SHADER_TBA_HI)
		set_half(&vm->tba, reg == SQ_SHADER_TBA_HI, value);
	else
		set_half(&vm->tma, reg == SQ_SHADER_TMA_HI, value);
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
static const struct reg_handler vmid_regs = { vmid_read, vmid_write };
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
	reg_hook(regs, &vmid_regs, SH_MEM_BASES, 1, 4);
	reg_hook(regs, &vmid_regs, SH_MEM_CONFIG, 1, 4);
	reg_hook(regs, &vmid_regs, SQ_SHADER_TBA_LO, 4, 4);
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
		hqd_stopping(dev, &dev->cp.slots[i], SHADER_RUN);
		memset(dev->cp.slots[i].reg, 0, sizeof(dev->cp.slots[i].reg));
	}
	memset(dev->cp.vmid, 0, sizeof(dev->cp.vmid));
}
