/* SPDX-License-Identifier: MIT */
/*
 * Half precision. A half is computed with as a double: sums and products of halves are exact there,
 * and the result is rounded once, in the host's rounding mode, which is the wave's.
 */
#ifndef VGPU_SHADER_HALF_H
#define VGPU_SHADER_HALF_H

#include "lanes.h"

#define INLINE static inline __attribute__((always_inline))

INLINE double as_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, 8);
	return value;
}

INLINE uint64_t double_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, 8);
	return bits;
}

INLINE float as_float(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, 4);
	return value;
}

INLINE uint32_t float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, 4);
	return bits;
}

/* flush: 1 if denormals are read as zero. */
INLINE double double_of_half(uint32_t half, uint32_t flush)
{
	uint64_t sign = (uint64_t)(half & 0x8000) << 48, mantissa = half & 0x3ff;
	uint64_t exponent = half >> 10 & 31;
	uint64_t normal = (exponent + 1008) << 52 | mantissa << 42;
	uint64_t special = 0x7ff0000000000000 | mantissa << 42;
	uint64_t tiny = double_bits((double)(int32_t)(flush ? 0 : mantissa) * 0x1p-24);
	uint64_t bits = exponent == 0 ? tiny : exponent == 31 ? special : normal;

	return as_double(bits | sign);
}

/*
 * Rounds in the host's mode, which mode says too. What is too large becomes infinite, or the largest
 * finite number if rounding goes towards it.
 */
INLINE uint32_t half_of_double(double value, uint32_t flush, uint32_t mode)
{
	uint64_t bits = double_bits(value), sign = bits >> 48 & 0x8000;
	int64_t exponent = (int64_t)(bits >> 52 & 2047);
	uint64_t quantum_exponent = (uint64_t)(exponent < 1009 ? 1009 : exponent) - 10;
	/* Adding it leaves 10 bits below the point of a normal half, fewer of a small one. */
	double magic = as_double((quantum_exponent + 52) << 52 | sign << 48) * 1.5;
	double rounded = exponent > 1100 ? value : (value + magic) - magic;
	uint64_t r = double_bits(rounded) & 0x7fffffffffffffff;
	uint64_t re = r >> 52;
	uint64_t normal = ((re - 1008) << 10 | (r >> 42 & 0x3ff));
	uint64_t tiny = (uint64_t)(int64_t)(re < 1009 ? as_double(r) * 0x1p24 : 0.0);
	uint64_t result = re < 1009 ? (flush ? 0 : tiny) : normal;
	uint32_t rounding = MODE_ROUND_64(mode);
	bool finite = (mode & MODE_FP16_OVFL) != 0 || rounding == 3 || rounding == (sign ? 1 : 2);

	if (re >= 1039)
		result = exponent == 2047 || !finite ? 0x7c00 : 0x7bff;
	if (value != value)
		result = 0x7e00 | (bits >> 42 & 0x3ff);
	return (uint32_t)(result | sign);
}

INLINE uint32_t half_flush_in(const struct lanes *x)
{
	return !(MODE_DENORM_64(x->mode) & 1);
}

INLINE uint32_t half_flush_out(const struct lanes *x)
{
	return !(MODE_DENORM_64(x->mode) & 2);
}

INLINE double half_in(const struct lanes *x, uint32_t bits)
{
	return double_of_half(bits & 0xffff, half_flush_in(x));
}

INLINE uint32_t half(const struct lanes *x, double value)
{
	return half_of_double(value, half_flush_out(x), x->mode);
}

#endif
