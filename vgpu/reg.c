// SPDX-License-Identifier: MIT
#include "reg.h"

#include <assert.h>

#include "vgpu.h"

void reg_hook(struct reg_file *regs, const struct reg_handler *handler, uint32_t reg,
	      unsigned int count, uint32_t stride)
{
	unsigned int index = 1;

	while (index <= regs->num_handlers && regs->handlers[index] != handler)
		index++;
	if (index > regs->num_handlers) {
		assert(index < sizeof(regs->handlers) / sizeof(regs->handlers[0]));
		regs->num_handlers = index;
		regs->handlers[index] = handler;
	}
	for (unsigned int i = 0; i < count; i++, reg += stride) {
		assert(!regs->handler[reg / 4]);
		regs->handler[reg / 4] = (uint8_t)index;
	}
}

uint32_t reg_read(struct vgpu *dev, uint32_t reg)
{
	const struct reg_handler *handler;

	if (reg >= REG_BAR_BYTES)
		return UINT32_MAX;
	handler = dev->regs.handlers[dev->regs.handler[reg / 4]];
	if (handler && handler->read)
		return handler->read(dev, reg & ~3u);
	return reg_get(dev, reg);
}

void reg_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	const struct reg_handler *handler;

	if (reg >= REG_BAR_BYTES)
		return;
	handler = dev->regs.handlers[dev->regs.handler[reg / 4]];
	if (handler && handler->write)
		handler->write(dev, reg & ~3u, value);
	else
		reg_set(dev, reg, value);
}

/* Shader threads read registers of the memory controller while others are written. */
uint32_t reg_get(const struct vgpu *dev, uint32_t reg)
{
	return __atomic_load_n(&dev->regs.value[reg / 4], __ATOMIC_RELAXED);
}

void reg_set(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	__atomic_store_n(&dev->regs.value[reg / 4], value, __ATOMIC_RELAXED);
}

uint64_t reg_get64(const struct vgpu *dev, uint32_t reg_lo, uint32_t reg_hi)
{
	return reg_get(dev, reg_lo) | (uint64_t)reg_get(dev, reg_hi) << 32;
}
