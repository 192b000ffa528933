/* SPDX-License-Identifier: MIT */
/*
 * The 64 lanes of a VALU instruction, computed by a loop that the compiler vectorises. Rows of 64
 * dwords are the registers; a 64-bit value has two of them, low half first.
 */
#ifndef VGPU_SHADER_LANES_H
#define VGPU_SHADER_LANES_H

#include "instruction.h"

typedef uint32_t row[WAVE_LANES] __attribute__((aligned(64)));

struct lanes {
	uint32_t (*d)[WAVE_LANES];
	const uint32_t (*a)[WAVE_LANES], (*b)[WAVE_LANES], (*c)[WAVE_LANES];
	const uint32_t *carry_in; /* 0 or ~0 */
	uint32_t *carry_out;	  /* 0 or not; also the result of compares */
	uint32_t mode;
	uint32_t clamp;
	/* VOP3P: which half of each source makes the low and the high half of D, and signs. */
	uint8_t op_sel, op_sel_hi, neg, neg_hi, abs;
};

/* Functions by opcode; NULL: there is none. */
struct lanes_functions {
	lanes_function *vop1[256], *vop2[64], *vopc[256], *vop3[1024], *vop3p[128];
};

/* For any x86-64, and for those with AVX2, FMA and BMI. */
extern const struct lanes_functions lanes_base, lanes_v3;

const struct lanes_functions *lanes_functions(void);

/* The lanes of a row that are not zero. */
uint64_t lanes_mask(const uint32_t *row);
/* 0 or ~0 in each lane of a row. */
void lanes_expand(uint32_t *row, uint64_t mask);

#endif
