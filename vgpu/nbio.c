// SPDX-License-Identifier: MIT
#include "nbio.h"

#include <string.h>

#include "vgpu.h"

#define ALL_DONE 0xffffffffu

/* MM_INDEX and MM_DATA reach every register, and VRAM that no BAR shows. */
static bool mm_vram(struct vgpu *dev, uint64_t *offset)
{
	uint32_t index = reg_get(dev, MM_INDEX);

	*offset = index & ~MM_INDEX_VRAM;
	if (!(index & MM_INDEX_VRAM))
		return false;
	*offset |= (uint64_t)reg_get(dev, MM_INDEX_HI) << 31;
	return true;
}

static uint32_t mm_data_read(struct vgpu *dev, uint32_t reg)
{
	uint64_t offset;
	struct span span;
	uint32_t value;

	if (!mm_vram(dev, &offset)) {
		offset &= ~3ULL;
		return offset == reg || offset == MM_INDEX ? reg_get(dev, (uint32_t)offset)
							   : reg_read(dev, (uint32_t)offset);
	}
	span = mem_span(&dev->mem, offset, false, false);
	mem_read(&dev->mem, &span, 0, &value, sizeof(value));
	return value;
}

static void mm_data_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	uint64_t offset;

	if (mm_vram(dev, &offset))
		mem_store(&dev->mem, offset, false, &value, sizeof(value));
	else if ((offset & ~3ULL) != reg)
		reg_write(dev, (uint32_t)(offset & ~3ULL), value);
}

/* The system management network behind PCIE_INDEX2: nothing there that the driver needs. */
static uint32_t smn_read(struct vgpu *dev, uint32_t reg)
{
	(void)dev;
	(void)reg;
	return 0;
}

static void ignore_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	(void)dev;
	(void)reg;
	(void)value;
}

static uint32_t all_done_read(struct vgpu *dev, uint32_t reg)
{
	(void)dev;
	(void)reg;
	return ALL_DONE;
}

/* Requests take effect at once: the command bit is never seen set. */
static void safe_mode_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	reg_set(dev, reg, value & ~1u);
}

static void clock_capture_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	uint64_t clock = gpu_clock(dev);

	reg_set(dev, reg, value);
	reg_set(dev, RLC_GPU_CLOCK_COUNT_LSB, (uint32_t)clock);
	reg_set(dev, RLC_GPU_CLOCK_COUNT_MSB, (uint32_t)(clock >> 32));
}

/* The ROM through a window that counts on by itself. */
static uint32_t rom_data_read(struct vgpu *dev, uint32_t reg)
{
	uint32_t index = reg_get(dev, SMUIO_ROM_INDEX) & ~3u, value = UINT32_MAX;

	(void)reg;
	if (index < sizeof(dev->rom))
		memcpy(&value, dev->rom + index, sizeof(value));
	reg_set(dev, SMUIO_ROM_INDEX, index + 4);
	return value;
}

static const struct reg_handler mm_data = { mm_data_read, mm_data_write };
static const struct reg_handler smn = { smn_read, ignore_write };
static const struct reg_handler read_only = { .write = ignore_write };
static const struct reg_handler all_done = { all_done_read, ignore_write };
static const struct reg_handler safe_mode = { .write = safe_mode_write };
static const struct reg_handler clock_capture = { .write = clock_capture_write };
static const struct reg_handler rom_data = { .read = rom_data_read };

void nbio_init(struct vgpu *dev)
{
	static const uint32_t constants[] = {
		RCC_CONFIG_MEMSIZE, RCC_IOV_FUNC_IDENTIFIER,   GRBM_STATUS,
		GRBM_STATUS2,	    RLC_SERDES_CU_MASTER_BUSY, RLC_SERDES_NONCU_MASTER_BUSY,
	};
	struct reg_file *regs = &dev->regs;

	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
		reg_hook(regs, &read_only, constants[i], 1, 4);
	reg_hook(regs, &mm_data, MM_DATA, 1, 4);
	reg_hook(regs, &smn, PCIE_DATA2, 1, 4);
	reg_hook(regs, &all_done, GPU_HDP_FLUSH_DONE, 1, 4);
	/*
	 * Mapping updates are done as soon as they are written; kgd_gfx_v9_set_pasid_vmid_mapping()
	 * waits for the VMID's bit without a time-out.
	 */
	reg_hook(regs, &all_done, ATC_VMID_PASID_MAPPING_UPDATE_STATUS, 1, 4);
	reg_hook(regs, &safe_mode, RLC_SAFE_MODE, 1, 4);
	reg_hook(regs, &clock_capture, RLC_CAPTURE_GPU_CLOCK_COUNT, 1, 4);
	reg_hook(regs, &rom_data, SMUIO_ROM_DATA, 1, 4);
}

void nbio_reset(struct vgpu *dev)
{
	reg_set(dev, RCC_CONFIG_MEMSIZE, (uint32_t)(dev->mem.vram_bytes >> 20));
}
