/* SPDX-License-Identifier: MIT */
/* Atomic operations of memory and LDS. */
#ifndef VGPU_SHADER_ATOMIC_OP_H
#define VGPU_SHADER_ATOMIC_OP_H

#include <stdbool.h>
#include <stdint.h>

enum atomic_op {
	ATOMIC_NONE,
	ATOMIC_SWAP,
	ATOMIC_CMPSWAP,	   /* data: new value, then what is compared */
	ATOMIC_ADD, ATOMIC_SUB, ATOMIC_RSUB,
	ATOMIC_SMIN, ATOMIC_UMIN, ATOMIC_SMAX, ATOMIC_UMAX,
	ATOMIC_AND, ATOMIC_OR, ATOMIC_XOR,
	ATOMIC_INC, ATOMIC_DEC,
	/* Of LDS only. With two values: CMPST compares with the first and stores the second. */
	ATOMIC_MSKOR, ATOMIC_CMPST, ATOMIC_FCMPST, ATOMIC_FMIN, ATOMIC_FMAX, ATOMIC_FADD,
	ATOMIC_WRAP, ATOMIC_CONDXCHG32,
};

/* The new value at a place that has old; data and data2 are the instruction's. */
uint64_t atomic_result(enum atomic_op op, bool wide, uint64_t old, uint64_t data, uint64_t data2);

#endif
