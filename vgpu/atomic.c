// SPDX-License-Identifier: MIT
#include "atomic.h"

#define OP_64BIT  0x20u
#define OP_NO_RTN 0x40u
#define OP(op)	  ((op) & ~(OP_64BIT | OP_NO_RTN))

enum { OP_SWAP = 0x07, OP_CMPSWAP, OP_ADD = 0x0f, OP_SUB, OP_SMIN, OP_UMIN, OP_SMAX, OP_UMAX,
       OP_AND, OP_OR, OP_XOR, OP_INC, OP_DEC };

unsigned int atomic_bytes(unsigned int op)
{
	if (op > 0x7f || (OP(op) != OP_SWAP && OP(op) != OP_CMPSWAP &&
			  (OP(op) < OP_ADD || OP(op) > OP_DEC)))
		return 0;
	return op & OP_64BIT ? 8 : 4;
}

bool atomic_is_cmpswap(unsigned int op)
{
	return OP(op) == OP_CMPSWAP;
}

static uint64_t combine(unsigned int op, bool wide, uint64_t old, uint64_t operand, uint64_t compare)
{
	int64_t sold = wide ? (int64_t)old : (int32_t)old;
	int64_t soperand = wide ? (int64_t)operand : (int32_t)operand;

	switch (op) {
	case OP_SWAP:
		return operand;
	case OP_CMPSWAP:
		return old == compare ? operand : old;
	case OP_ADD:
		return old + operand;
	case OP_SUB:
		return old - operand;
	case OP_SMIN:
		return sold < soperand ? old : operand;
	case OP_UMIN:
		return old < operand ? old : operand;
	case OP_SMAX:
		return sold > soperand ? old : operand;
	case OP_UMAX:
		return old > operand ? old : operand;
	case OP_AND:
		return old & operand;
	case OP_OR:
		return old | operand;
	case OP_XOR:
		return old ^ operand;
	case OP_INC:
		return old >= operand ? 0 : old + 1;
	default: /* OP_DEC */
		return !old || old > operand ? operand : old - 1;
	}
}

uint64_t atomic_apply(unsigned int op, void *ptr, uint64_t operand, uint64_t compare)
{
	if (op & OP_64BIT) {
		uint64_t *word = ptr, old = __atomic_load_n(word, __ATOMIC_RELAXED), new;

		do {
			new = combine(OP(op), true, old, operand, compare);
		} while (!__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST,
						      __ATOMIC_RELAXED));
		return old;
	}
	uint32_t *word = ptr, old = __atomic_load_n(word, __ATOMIC_RELAXED), new;

	do {
		new = (uint32_t)combine(OP(op), false, old, (uint32_t)operand, (uint32_t)compare);
	} while (!__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	return old;
}
