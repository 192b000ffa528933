// SPDX-License-Identifier: MIT
#include "vgpu.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <linux/vfio.h>

#include "nbio.h"
#include "rom.h"

#define RUN_BUDGET_NS 100000u /* of the queues before the client gets a turn */

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t gpu_clock(const struct vgpu *dev)
{
	(void)dev;
	return now_ns() / 10;
}

int vgpu_init(struct vgpu *dev, uint64_t vram_bytes, uint64_t seed, unsigned int threads)
{
	int ret;

	memset(dev, 0, sizeof(*dev));
	ret = mem_init(&dev->mem, vram_bytes);
	if (ret)
		return ret;
	ret = shader_init(dev, threads);
	if (ret) {
		mem_fini(&dev->mem);
		return ret;
	}
	dev->sched.random = seed ? seed : 1;
	dev->inject.cam_entries = CAM_ENTRIES;
	dev->tlb = 1;
	pci_config_init(&dev->pci, vram_bytes);
	rom_generate(dev->rom, sizeof(dev->rom));
	nbio_init(dev);
	psp_init(dev);
	gmc_init(dev);
	ih_init(dev);
	sdma_init(dev);
	cp_init(dev);
	vgpu_reset(dev);
	return 0;
}

void vgpu_fini(struct vgpu *dev)
{
	vgpu_reset(dev);
	hws_reset(dev);
	shader_fini(dev);
	mem_fini(&dev->mem);
}

void vgpu_reset(struct vgpu *dev)
{
	trace(dev, "reset", "\"queues\":%u", dev->sched.num_queues);
	dev->inject.hang = 0; /* this is what a reset is for */
	shader_reset(dev);
	hws_reset(dev);
	sdma_reset(dev);
	cam_reset(dev);
	ih_reset(dev);
	memset(dev->regs.value, 0, sizeof(dev->regs.value));
	nbio_reset(dev);
	psp_reset(dev);
	gmc_reset(dev);
	cp_reset(dev);
}

static int bar_read(struct vgpu *dev, uint64_t offset, void *data, uint32_t bytes)
{
	uint32_t *words = data;

	if (offset % 4 || bytes % 4)
		return -EINVAL;
	for (uint32_t i = 0; i < bytes / 4; i++)
		words[i] = reg_read(dev, (uint32_t)offset + 4 * i);
	dev->stats.reg_reads++;
	return 0;
}

static int bar_write(struct vgpu *dev, uint64_t offset, const void *data, uint32_t bytes)
{
	uint32_t value;

	if (offset % 4 || bytes % 4)
		return -EINVAL;
	for (uint32_t done = 0; done < bytes; done += 4) {
		memcpy(&value, (const uint8_t *)data + done, 4);
		reg_write(dev, (uint32_t)offset + done, value);
	}
	dev->stats.reg_writes++;
	return 0;
}

static int doorbell_write(struct vgpu *dev, uint64_t offset, const void *data, uint32_t bytes)
{
	uint64_t value = 0;

	if ((bytes != 4 && bytes != 8) || offset % bytes)
		return -EINVAL;
	memcpy(&value, data, bytes);
	dev->stats.doorbells++;
	sched_doorbell(dev, (uint32_t)offset, value, bytes);
	return 0;
}

static bool inside(uint64_t size, uint64_t offset, uint32_t bytes)
{
	return offset <= size && bytes <= size - offset;
}

static int memory_read(const uint8_t *memory, uint64_t size, uint64_t offset, void *data,
		       uint32_t bytes)
{
	if (!inside(size, offset, bytes))
		return -EINVAL;
	memcpy(data, memory + offset, bytes);
	return 0;
}

static int vram_write(struct vgpu *dev, uint64_t offset, const void *data, uint32_t bytes)
{
	if (!inside(dev->mem.vram_bytes, offset, bytes))
		return -EINVAL;
	memcpy(dev->mem.vram + offset, data, bytes);
	return 0;
}

int vgpu_region_read(struct vgpu *dev, unsigned int region, uint64_t offset, void *data,
		     uint32_t bytes)
{
	switch (region) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		return memory_read(dev->mem.vram, dev->mem.vram_bytes, offset, data, bytes);
	case VFIO_PCI_BAR2_REGION_INDEX: /* doorbells read as zeros */
		memset(data, 0, bytes);
		return 0;
	case VFIO_PCI_BAR5_REGION_INDEX:
		return bar_read(dev, offset, data, bytes);
	case VFIO_PCI_ROM_REGION_INDEX:
		return memory_read(dev->rom, sizeof(dev->rom), offset, data, bytes);
	case VFIO_PCI_CONFIG_REGION_INDEX:
		pci_config_read(&dev->pci, offset, data, bytes);
		return 0;
	default:
		return -EINVAL;
	}
}

int vgpu_region_write(struct vgpu *dev, unsigned int region, uint64_t offset, const void *data,
		      uint32_t bytes)
{
	switch (region) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		return vram_write(dev, offset, data, bytes);
	case VFIO_PCI_BAR2_REGION_INDEX:
		return doorbell_write(dev, offset, data, bytes);
	case VFIO_PCI_BAR5_REGION_INDEX:
		return bar_write(dev, offset, data, bytes);
	case VFIO_PCI_CONFIG_REGION_INDEX:
		pci_config_write(&dev->pci, offset, data, bytes);
		return 0;
	default:
		return -EINVAL;
	}
}

uint64_t vgpu_run(struct vgpu *dev)
{
	uint64_t waves, next, now, stopping;

	psp_poll(dev);
	waves = shader_poll(dev, now_ns());
	next = sched_run(dev, RUN_BUDGET_NS);
	now = now_ns();
	stopping = cp_poll(dev);
	/* After the queues, because those set these timers. */
	uint64_t msi = ih_poll(dev, now), slice = hws_poll(dev, now);

	if (dev->psp.reset_wanted)
		return 0;
	if (msi < next)
		next = msi;
	if (waves < next)
		next = waves;
	if (stopping < next)
		next = stopping;
	return slice < next ? slice : next;
}

static void transfer(struct vgpu *dev, uint64_t va, uint8_t *to, const uint8_t *from,
		     uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes;) {
		unsigned int access = to ? GMC_READ : GMC_WRITE;
		uint64_t part = bytes - done;
		struct span span;

		if (gmc_translate(dev, &dev->hubs[HUB_GFX], 0, va + done, access, &span) !=
		    GMC_OK) {
			error(dev, "no memory at 0x%llx, where the driver said there is some",
			      (unsigned long long)(va + done));
			span = (struct span){ .bytes = GMC_PAGE_BYTES, .zero = true };
		}
		if (part > span.bytes)
			part = span.bytes;
		if (to)
			mem_read(&dev->mem, &span, 0, to + done, part);
		else
			mem_write(&dev->mem, &span, 0, from + done, part);
		done += part;
	}
}

void vgpu_read(struct vgpu *dev, uint64_t va, void *data, uint64_t bytes)
{
	transfer(dev, va, data, NULL, bytes);
}

void vgpu_write(struct vgpu *dev, uint64_t va, const void *data, uint64_t bytes)
{
	transfer(dev, va, NULL, data, bytes);
}
