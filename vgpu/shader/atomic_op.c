// SPDX-License-Identifier: MIT
#include "atomic_op.h"

#include <string.h>

static int64_t as_signed(bool wide, uint64_t value)
{
	return wide ? (int64_t)value : (int32_t)value;
}

static double as_number(bool wide, uint64_t value)
{
	uint32_t low = (uint32_t)value;
	double number;
	float single;

	if (wide) {
		memcpy(&number, &value, 8);
		return number;
	}
	memcpy(&single, &low, 4);
	return (double)single;
}

static uint64_t float_minmax(enum atomic_op op, bool wide, uint64_t old, uint64_t data)
{
	double a = as_number(wide, old), b = as_number(wide, data);
	bool take = a != a || (op == ATOMIC_FMIN ? b < a : b > a);

	return take ? data : old;
}

static uint64_t float_add(uint64_t old, uint64_t data)
{
	uint32_t a = (uint32_t)old, b = (uint32_t)data;
	float x, y;

	memcpy(&x, &a, 4);
	memcpy(&y, &b, 4);
	x += y;
	memcpy(&a, &x, 4);
	return a;
}

static uint64_t conditional_exchange(uint64_t old, uint64_t data)
{
	uint64_t low = data & 1u << 31 ? data & 0x7fffffff : (uint32_t)old;
	uint64_t high = data >> 63 ? data >> 32 & 0x7fffffff : old >> 32;

	return high << 32 | low;
}

uint64_t atomic_result(enum atomic_op op, bool wide, uint64_t old, uint64_t data, uint64_t data2)
{
	switch (op) {
	case ATOMIC_SWAP:
		return data;
	case ATOMIC_CMPSWAP:
		return old == data2 ? data : old;
	case ATOMIC_ADD:
		return old + data;
	case ATOMIC_SUB:
		return old - data;
	case ATOMIC_RSUB:
		return data - old;
	case ATOMIC_SMIN:
		return as_signed(wide, data) < as_signed(wide, old) ? data : old;
	case ATOMIC_UMIN:
		return data < old ? data : old;
	case ATOMIC_SMAX:
		return as_signed(wide, data) > as_signed(wide, old) ? data : old;
	case ATOMIC_UMAX:
		return data > old ? data : old;
	case ATOMIC_AND:
		return old & data;
	case ATOMIC_OR:
		return old | data;
	case ATOMIC_XOR:
		return old ^ data;
	case ATOMIC_INC:
		return old >= data ? 0 : old + 1;
	case ATOMIC_DEC:
		return old == 0 || old > data ? data : old - 1;
	case ATOMIC_MSKOR:
		return (old & ~data) | data2;
	case ATOMIC_CMPST:
		return old == data ? data2 : old;
	case ATOMIC_FCMPST:
		return as_number(wide, old) == as_number(wide, data) ? data2 : old;
	case ATOMIC_FMIN:
	case ATOMIC_FMAX:
		return float_minmax(op, wide, old, data);
	case ATOMIC_FADD:
		return float_add(old, data);
	case ATOMIC_WRAP:
		return old >= data ? old - data : old + data2;
	case ATOMIC_CONDXCHG32:
		return conditional_exchange(old, data);
	default:
		return old;
	}
}
