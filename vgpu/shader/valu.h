/* SPDX-License-Identifier: MIT */
#ifndef VGPU_SHADER_VALU_H
#define VGPU_SHADER_VALU_H

#include <stdlib.h>

#include "execute.h"
#include "lanes.h"

/* Source i as rows: the register itself, or space filled with a scalar. */
const uint32_t (*valu_source(const struct wave *wave, const struct instruction *in, unsigned int i,
			     unsigned int type, row *space))[WAVE_LANES];
/* The lane mask that v_cndmask and additions with carry read. */
uint64_t valu_mask_source(const struct wave *wave, const struct instruction *in);
void valu_write_mask(struct wave *wave, unsigned int operand, uint64_t mask);
void valu_store(uint32_t (*d)[WAVE_LANES], const row *from, unsigned int dwords, uint64_t mask);

static inline void valu_environment(struct wave *wave, const struct instruction *in)
{
	uint32_t state = wave->mode << 2 | in->float_class;

	if (in->float_class == FLOAT_NONE || wave->float_state == state)
		return;
	wave->float_state = state;
	float_environment(wave->mode, in->float_class);
}

#endif
