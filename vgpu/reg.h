/* SPDX-License-Identifier: MIT */
/*
 * The register file: BAR5 as an array in which every register remembers what was written to it,
 * and handlers on the few that do more. Offsets are bytes.
 */
#ifndef VGPU_REG_H
#define VGPU_REG_H

#include <stdint.h>

#include "regs.h"

struct vgpu;

/* A group of registers with behaviour; either function may be NULL (plain memory). */
struct reg_handler {
	uint32_t (*read)(struct vgpu *dev, uint32_t reg);
	/* Called instead of the store: the handler stores with reg_set() what is to be read. */
	void (*write)(struct vgpu *dev, uint32_t reg, uint32_t value);
};

struct reg_file {
	uint32_t value[REG_BAR_DWORDS];
	uint8_t handler[REG_BAR_DWORDS]; /* index into handlers, 0: none */
	const struct reg_handler *handlers[64];
	unsigned int num_handlers;
};

/* Attaches a handler to count registers from reg on, stride bytes apart. */
void reg_hook(struct reg_file *regs, const struct reg_handler *handler, uint32_t reg,
	      unsigned int count, uint32_t stride);

/* What software sees: with side effects. Offsets outside the BAR read as ones, ignore writes. */
uint32_t reg_read(struct vgpu *dev, uint32_t reg);
void reg_write(struct vgpu *dev, uint32_t reg, uint32_t value);

/* What the model sees: the stored value. */
uint32_t reg_get(const struct vgpu *dev, uint32_t reg);
void reg_set(struct vgpu *dev, uint32_t reg, uint32_t value);
uint64_t reg_get64(const struct vgpu *dev, uint32_t reg_lo, uint32_t reg_hi);

#endif
