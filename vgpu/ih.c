// SPDX-License-Identifier: MIT
#include "ih.h"

#include <unistd.h>

#include "vgpu.h"

/* Second data word of a page fault (amdgpu_gmc.h: AMDGPU_GMC9_FAULT_SOURCE_DATA_*). */
#define FAULT_DATA_EXEC	 0x10u
#define FAULT_DATA_WRITE 0x20u
#define FAULT_DATA_RETRY 0x80u

static uint32_t ring_bytes(const struct vgpu *dev)
{
	return 4u << IH_RB_CNTL_SIZE(reg_get(dev, IH_RB_CNTL));
}

static void msi_send(struct vgpu *dev)
{
	uint64_t one = 1;

	dev->ih.msi_ns = 0;
	dev->stats.interrupts++;
	if (dev->ih.msi_fd >= 0 && write(dev->ih.msi_fd, &one, sizeof(one)) < 0)
		dev->stats.interrupts_failed++;
}

static void msi_raise(struct vgpu *dev)
{
	uint32_t cntl = reg_get(dev, IH_RB_CNTL);

	if (!(cntl & IH_RB_CNTL_ENABLE) || !(cntl & IH_RB_CNTL_ENABLE_INTR))
		return;
	if (inject_take(&dev->inject.lost_interrupts)) {
		trace(dev, "interrupt_lost", "\"wptr\":%u", dev->ih.wptr);
		return;
	}
	if (!dev->inject.interrupt_delay_ns)
		msi_send(dev);
	else if (!dev->ih.msi_ns)
		dev->ih.msi_ns = now_ns() + dev->inject.interrupt_delay_ns;
}

static void iv_encode(const struct iv *iv, uint64_t clock, uint32_t *dw)
{
	dw[0] = iv->client | (uint32_t)iv->src << 8 | (uint32_t)iv->ring << 16 |
		(uint32_t)iv->vmid << 24 | (uint32_t)iv->vmid_src << 31;
	dw[1] = (uint32_t)clock;
	dw[2] = (uint32_t)(clock >> 32) & 0xffff;
	dw[3] = iv->pasid;
	for (int i = 0; i < 4; i++)
		dw[4 + i] = iv->data[i];
}

/* Moves what fits from the pending IVs to the ring. */
static void ring_fill(struct vgpu *dev)
{
	struct ih *ih = &dev->ih;
	uint64_t base = reg_get64(dev, IH_RB_BASE, IH_RB_BASE_HI) << 8;
	uint32_t mask = ring_bytes(dev) - 1;
	uint32_t old = ih->wptr;

	if (!(reg_get(dev, IH_RB_CNTL) & IH_RB_CNTL_ENABLE) || mask < IH_IV_BYTES)
		return;
	while (ih->pending_head != ih->pending_tail &&
	       ((ih->wptr + IH_IV_BYTES) & mask) != (ih->rptr & mask)) {
		const struct iv *iv = &ih->pending[ih->pending_head++ % IH_PENDING];
		uint32_t dw[IH_IV_BYTES / 4];

		iv_encode(iv, gpu_clock(dev), dw);
		/* The driver gives bus addresses here, not GPU addresses. */
		mem_store(&dev->mem, base + (ih->wptr & mask), true, dw, sizeof(dw));
		ih->wptr = (ih->wptr + IH_IV_BYTES) & mask;
		trace(dev, "iv", "\"client\":%u,\"src\":%u,\"ring\":%u,\"vmid\":%u,\"pasid\":%u,"
		      "\"data\":[%u,%u,%u,%u]", iv->client, iv->src, iv->ring, iv->vmid, iv->pasid,
		      iv->data[0], iv->data[1], iv->data[2], iv->data[3]);
	}
	if (ih->wptr == old)
		return;
	mem_store(&dev->mem, reg_get64(dev, IH_RB_WPTR_ADDR_LO, IH_RB_WPTR_ADDR_HI) & ~3ULL, true,
		  &ih->wptr, sizeof(ih->wptr));
	msi_raise(dev);
}

static bool iv_push(struct vgpu *dev, const struct iv *iv)
{
	struct ih *ih = &dev->ih;

	if (ih->pending_tail - ih->pending_head == IH_PENDING) {
		dev->stats.ivs_dropped++;
		return false;
	}
	ih->pending[ih->pending_tail++ % IH_PENDING] = *iv;
	dev->stats.ivs++;
	return true;
}

bool ih_has_room(const struct vgpu *dev)
{
	/* A queue raises at most a few IVs before it looks again. */
	return dev->ih.pending_tail - dev->ih.pending_head < IH_PENDING / 2;
}

void ih_raise(struct vgpu *dev, const struct iv *iv)
{
	static const struct iv noise = { .client = 0x1f, .src = 0xff };

	for (uint32_t i = 0; i < dev->inject.ih_noise && ih_has_room(dev); i++)
		iv_push(dev, &noise);
	iv_push(dev, iv);
	ring_fill(dev);
}

void ih_raise_fault(struct vgpu *dev, const struct hub *hub, uint8_t vmid, uint64_t va,
		    unsigned int access, const unsigned int *cam)
{
	struct iv iv = {
		.client = hub->ih_client,
		.vmid = vmid,
		.vmid_src = hub->vmid_src,
		.pasid = gmc_pasid(dev, hub, vmid),
	};

	va &= GMC_VA_MASK;
	iv.data[0] = (uint32_t)(va >> 12);
	iv.data[1] = (uint32_t)(va >> 44) | (access & GMC_WRITE ? FAULT_DATA_WRITE : 0) |
		     (access & GMC_EXEC ? FAULT_DATA_EXEC : 0) | (cam ? FAULT_DATA_RETRY : 0);
	iv.data[2] = cam ? *cam : 0;
	if (cam)
		dev->stats.retry_faults++;
	else
		dev->stats.noretry_faults++;
	trace(dev, "fault", "\"hub\":\"%s\",\"vmid\":%u,\"pasid\":%u,\"va\":\"0x%llx\","
	      "\"write\":%s,\"cam\":%d", hub->name, vmid, iv.pasid, (unsigned long long)va,
	      access & GMC_WRITE ? "true" : "false", cam ? (int)*cam : -1);
	ih_raise(dev, &iv);
}

static void rptr_update(struct vgpu *dev, uint32_t value)
{
	struct ih *ih = &dev->ih;

	ih->rptr = value & (ring_bytes(dev) - 1);
	ring_fill(dev);
	/* Rearm: what the driver has not read yet is announced again. */
	if (ih->rptr != ih->wptr)
		msi_raise(dev);
}

static bool doorbell_matches(const struct vgpu *dev, uint32_t reg, uint32_t offset)
{
	uint32_t cntl = reg_get(dev, reg);

	return cntl & IH_DOORBELL_ENABLE && IH_DOORBELL_OFFSET(cntl) * 4 == offset;
}

bool ih_doorbell(struct vgpu *dev, uint32_t offset, uint32_t value)
{
	if (doorbell_matches(dev, IH_DOORBELL_RPTR, offset))
		rptr_update(dev, value);
	else if (doorbell_matches(dev, IH_DOORBELL_RETRY_CAM, offset))
		cam_acknowledge(dev, value & 0x3ff);
	else
		return false;
	return true;
}

uint64_t ih_poll(struct vgpu *dev, uint64_t now)
{
	if (!dev->ih.msi_ns)
		return UINT64_MAX;
	if (dev->ih.msi_ns <= now) {
		msi_send(dev);
		return UINT64_MAX;
	}
	return dev->ih.msi_ns;
}

static uint32_t wptr_read(struct vgpu *dev, uint32_t reg)
{
	(void)reg;
	return dev->ih.wptr;
}

static uint32_t rptr_read(struct vgpu *dev, uint32_t reg)
{
	(void)reg;
	return dev->ih.rptr;
}

static void wptr_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	(void)reg;
	dev->ih.wptr = value & (ring_bytes(dev) - 1);
}

static void rptr_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	(void)reg;
	rptr_update(dev, value);
}

static void cntl_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	reg_set(dev, reg, value);
	ring_fill(dev);
}

static const struct reg_handler wptr = { wptr_read, wptr_write };
static const struct reg_handler rptr = { rptr_read, rptr_write };
static const struct reg_handler cntl = { .write = cntl_write };

void ih_init(struct vgpu *dev)
{
	dev->ih.msi_fd = -1;
	reg_hook(&dev->regs, &wptr, IH_RB_WPTR, 1, 4);
	reg_hook(&dev->regs, &rptr, IH_RB_RPTR, 1, 4);
	reg_hook(&dev->regs, &cntl, IH_RB_CNTL, 1, 4);
}

void ih_reset(struct vgpu *dev)
{
	struct ih *ih = &dev->ih;

	ih->pending_head = ih->pending_tail;
	ih->rptr = 0;
	ih->wptr = 0;
	ih->msi_ns = 0;
}
