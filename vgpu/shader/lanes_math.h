/* SPDX-License-Identifier: MIT */
/* What the expressions of the VALU tables call. The host's rounding mode is the wave's. */
#ifndef VGPU_SHADER_LANES_MATH_H
#define VGPU_SHADER_LANES_MATH_H

#include <math.h>

#include "half.h"

/* ---- integers ---- */

INLINE int32_t i24(int32_t value)
{
	return (int32_t)((uint32_t)value << 8) >> 8;
}

INLINE int32_t min_i(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

INLINE int32_t max_i(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

INLINE uint32_t min_u(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

INLINE uint32_t max_u(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Integer results saturate if the instruction clamps. */
INLINE uint32_t sat_u32(const struct lanes *x, int64_t value)
{
	int64_t low = value < 0 ? 0 : value, limited = low > 0xffffffff ? 0xffffffff : low;

	return (uint32_t)(x->clamp ? limited : value);
}

INLINE uint32_t sat_u64(const struct lanes *x, uint64_t value)
{
	return (uint32_t)(x->clamp && value > 0xffffffff ? 0xffffffff : value);
}

INLINE int32_t sat_i32(const struct lanes *x, int64_t value)
{
	int64_t low = value < INT32_MIN ? INT32_MIN : value;
	int64_t limited = low > INT32_MAX ? INT32_MAX : low;

	return (int32_t)(x->clamp ? limited : value);
}

INLINE int16_t clamp_i16(int32_t value)
{
	return (int16_t)max_i(-32768, min_i(32767, value));
}

INLINE uint16_t sat_u16(const struct lanes *x, int32_t value)
{
	return (uint16_t)(x->clamp ? max_i(0, min_i(0xffff, value)) : value);
}

INLINE int16_t sat_i16(const struct lanes *x, int32_t value)
{
	return x->clamp ? clamp_i16(value) : (int16_t)value;
}

INLINE uint16_t sat_mad_u16(const struct lanes *x, uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t value = (uint64_t)a * b + c;

	return (uint16_t)(x->clamp && value > 0xffff ? 0xffff : value);
}

INLINE int16_t sat_mad_i16(const struct lanes *x, int32_t a, int32_t b, int32_t c)
{
	int64_t value = (int64_t)a * b + c;
	int64_t limited = value < -32768 ? -32768 : value > 32767 ? 32767 : value;

	return (int16_t)(x->clamp ? limited : value);
}

INLINE uint32_t add_co(struct lanes *x, uint32_t a, uint32_t b, uint32_t carry, unsigned int lane)
{
	uint64_t sum = (uint64_t)a + b + carry;

	x->carry_out[lane] = (uint32_t)(sum >> 32);
	return sat_u64(x, sum);
}

INLINE uint32_t sub_co(struct lanes *x, uint32_t a, uint32_t b, uint32_t carry, unsigned int lane)
{
	int64_t difference = (int64_t)a - b - carry;

	x->carry_out[lane] = difference < 0;
	return sat_u32(x, difference);
}

INLINE uint64_t mad_u64(struct lanes *x, uint32_t a, uint32_t b, uint64_t c, unsigned int lane)
{
	uint64_t sum = (uint64_t)a * b + c;

	x->carry_out[lane] = sum < c;
	return x->clamp && sum < c ? UINT64_MAX : sum;
}

INLINE uint64_t mad_i64(struct lanes *x, int32_t a, int32_t b, uint64_t c, unsigned int lane)
{
	int64_t product = (int64_t)a * b, sum;
	bool overflow = __builtin_add_overflow(product, (int64_t)c, &sum);

	x->carry_out[lane] = overflow;
	return (uint64_t)(x->clamp && overflow ? (product < 0 ? INT64_MIN : INT64_MAX) : sum);
}

INLINE uint32_t bfe_u32(uint32_t a, uint32_t b, uint32_t c)
{
	return (uint32_t)((a >> (b & 31)) & ((1ull << (c & 31)) - 1));
}

INLINE int32_t bfe_i32(int32_t a, uint32_t b, uint32_t c)
{
	uint32_t offset = b & 31, width = c & 31, left = 32 - width;
	int32_t value = a >> offset;

	return width == 0 ? 0 : offset + width >= 32 ? value :
							(int32_t)((uint32_t)value << left) >> left;
}

INLINE uint32_t reverse_bits(uint32_t a)
{
	a = (a >> 1 & 0x55555555) | (a & 0x55555555) << 1;
	a = (a >> 2 & 0x33333333) | (a & 0x33333333) << 2;
	a = (a >> 4 & 0x0f0f0f0f) | (a & 0x0f0f0f0f) << 4;
	return __builtin_bswap32(a);
}

INLINE uint32_t first_sign_change(int32_t a)
{
	uint32_t other = (uint32_t)(a < 0 ? ~a : a);

	return other ? (uint32_t)__builtin_clz(other) : ~0u;
}

INLINE uint32_t lanes_below(unsigned int lane)
{
	return (int)lane < 0 ? 0 : lane >= 32 ? ~0u : (1u << lane) - 1;
}

INLINE uint32_t pack16(uint32_t low, uint32_t high)
{
	return (low & 0xffff) | high << 16;
}

INLINE uint32_t sat_pk_u8(uint32_t a)
{
	return (uint32_t)max_i(0, min_i(255, (int16_t)a)) |
	       (uint32_t)max_i(0, min_i(255, (int16_t)(a >> 16))) << 8;
}

INLINE uint32_t difference_u8(uint32_t a, uint32_t b, unsigned int byte)
{
	int32_t difference = (int32_t)(a >> 8 * byte & 255) - (int32_t)(b >> 8 * byte & 255);

	return (uint32_t)(difference < 0 ? -difference : difference);
}

INLINE uint32_t sad_u8(uint32_t a, uint32_t b)
{
	return difference_u8(a, b, 0) + difference_u8(a, b, 1) + difference_u8(a, b, 2) +
	       difference_u8(a, b, 3);
}

/* Bytes of the reference that are zero do not count. */
INLINE uint32_t msad_u8(uint32_t a, uint32_t b)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < 4; i++)
		sum += b >> 8 * i & 255 ? difference_u8(a, b, i) : 0;
	return sum;
}

INLINE uint32_t sad_u16(uint32_t a, uint32_t b)
{
	int32_t low = (int32_t)(a & 0xffff) - (int32_t)(b & 0xffff);
	int32_t high = (int32_t)(a >> 16) - (int32_t)(b >> 16);

	return (uint32_t)(low < 0 ? -low : low) + (uint32_t)(high < 0 ? -high : high);
}

INLINE uint64_t qsad_pk(const struct lanes *x, uint64_t a, uint32_t b, uint64_t c, bool masked)
{
	uint64_t result = 0;

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t window = (uint32_t)(a >> 8 * i);
		uint32_t sum = masked ? msad_u8(window, b) : sad_u8(window, b);

		sum += (uint32_t)(c >> 16 * i & 0xffff);
		result |= (uint64_t)(x->clamp ? min_u(sum, 0xffff) : sum & 0xffff) << 16 * i;
	}
	return result;
}

INLINE uint32_t lerp_u8(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t result = 0;

	for (unsigned int i = 0; i < 32; i += 8)
		result |= (((a >> i & 255) + (b >> i & 255) + (c >> i & 1)) >> 1) << i;
	return result;
}

INLINE uint32_t perm_byte(uint64_t data, uint32_t selector)
{
	uint32_t sign_bit = (selector - 8) * 16 + 15;

	if (selector < 8)
		return data >> 8 * selector & 255;
	if (selector < 12)
		return data >> sign_bit & 1 ? 255 : 0;
	return selector == 12 ? 0 : 255;
}

INLINE uint32_t perm_b32(uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t data = (uint64_t)a << 32 | b;
	uint32_t result = 0;

	for (unsigned int i = 0; i < 32; i += 8)
		result |= perm_byte(data, c >> i & 255) << i;
	return result;
}

INLINE int64_t dot_element(uint32_t value, unsigned int bits, unsigned int i, bool is_signed)
{
	uint32_t field = value << (32 - bits - i);

	return is_signed ? (int64_t)((int32_t)field >> (32 - bits)) :
			   (int64_t)(field >> (32 - bits));
}

INLINE int32_t dot_i(const struct lanes *x, uint32_t a, uint32_t b, int32_t c, unsigned int bits)
{
	int64_t sum = c;

	for (unsigned int i = 0; i < 32; i += bits)
		sum += dot_element(a, bits, i, true) * dot_element(b, bits, i, true);
	return sat_i32(x, sum);
}

INLINE uint32_t dot_u(const struct lanes *x, uint32_t a, uint32_t b, uint32_t c, unsigned int bits)
{
	uint64_t sum = c;

	for (unsigned int i = 0; i < 32; i += bits)
		sum += (uint64_t)dot_element(a, bits, i, false) *
		       (uint64_t)dot_element(b, bits, i, false);
	return sat_u64(x, sum);
}

/* ---- conversions ---- */

INLINE int32_t to_i32(double a)
{
	return a != a ? 0 : a <= -2147483648.0 ? INT32_MIN : a >= 2147483647.0 ? INT32_MAX :
										 (int32_t)a;
}

INLINE uint32_t to_u32(double a)
{
	return !(a > 0.0) ? 0 : a >= 4294967295.0 ? UINT32_MAX : (uint32_t)(int64_t)a;
}

INLINE int16_t to_i16(double a)
{
	return a != a ? 0 : clamp_i16(to_i32(a));
}

INLINE uint16_t to_u16(double a)
{
	return (uint16_t)min_u(0xffff, to_u32(a));
}

/* To the nearest integer, even if halfway, whatever the rounding mode. */
INLINE double rndne(double a)
{
	double below = floor(a), fraction = a - below, half_below = below * 0.5;
	bool odd = half_below != floor(half_below);
	double result = fraction > 0.5 || (fraction == 0.5 && odd) ? below + 1.0 : below;

	/* Infinities and what has no fraction are themselves; the sign of zero is kept. */
	return copysign(a == below ? a : result, a);
}

INLINE int16_t norm_i16(double a)
{
	return to_i16(rndne(a * 32767.0 < -32767.0 ? -32767.0 : a * 32767.0));
}

INLINE uint16_t norm_u16(double a)
{
	return to_u16(rndne(a * 65535.0));
}

INLINE uint32_t cvt_pk_u8(float a, uint32_t b, uint32_t c)
{
	uint32_t shift = 8 * (b & 3), byte = min_u(255, to_u32(rndne((double)a)));

	return (c & ~(255u << shift)) | byte << shift;
}

/* Cuts a float off to a half; what is too large becomes the largest finite number. */
INLINE uint32_t half_toward_zero(float a)
{
	uint32_t bits = float_bits(a), sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 255;
	uint32_t mantissa = bits & 0x7fffff, shift = 126 - exponent;
	uint32_t tiny = shift > 24 ? 0 : (mantissa | 0x800000) >> (shift & 31);
	uint32_t normal = (exponent - 112) << 10 | mantissa >> 13;
	uint32_t special = mantissa ? 0x7e00 | mantissa >> 13 : 0x7c00;

	return sign | (exponent == 255 ? special : exponent >= 143 ? 0x7bff :
			exponent < 113 ? tiny : normal);
}

/* ---- floating point ---- */

INLINE float flush_f32(float a)
{
	uint32_t bits = float_bits(a);

	return as_float(bits & 0x7f800000 ? bits : bits & 0x80000000);
}

/* v_mad_f32 and v_mac_f32 round twice and have no denormals. */
INLINE float mad_f32(float a, float b, float c)
{
	float product = flush_f32(flush_f32(a) * flush_f32(b));

	return flush_f32(product + flush_f32(c));
}

INLINE float mul_legacy(float a, float b)
{
	return a == 0.0f || b == 0.0f ? 0.0f : a * b;
}

INLINE double mad_f16(const struct lanes *x, double a, double b, double c)
{
	return half_in(x, half(x, a * b)) + c;
}

/* The product is exact; where the sum is not, what is lost is too small to change the result. */
INLINE double fma_f16(double a, double b, double c)
{
	return a * b + c;
}

INLINE bool is_signalling(float a)
{
	return a != a && !(float_bits(a) & 0x400000);
}

INLINE bool is_signalling_f64(double a)
{
	return a != a && !(double_bits(a) & 0x8000000000000);
}

INLINE float quiet_f32(float a)
{
	return as_float(float_bits(a) | 0x400000);
}

INLINE double quiet_f64(double a)
{
	return as_double(double_bits(a) | 0x8000000000000);
}

INLINE float canonical_f32(const struct lanes *x, float a)
{
	float number = MODE_DENORM_32(x->mode) == 3 ? a : flush_f32(a);

	return a != a ? quiet_f32(a) : number;
}

INLINE double canonical_f64(const struct lanes *x, double a)
{
	uint64_t bits = double_bits(a);
	bool flush = MODE_DENORM_64(x->mode) != 3 && !(bits & 0x7ff0000000000000);

	return a != a ? quiet_f64(a) : as_double(flush ? bits & 1ull << 63 : bits);
}

/* A NaN is ignored, unless it signals in IEEE mode; -0 is less than +0. */
INLINE float min_f32(const struct lanes *x, float a, float b)
{
	float zero = as_float(float_bits(a) | float_bits(b));
	float number = a != a ? b : b != b ? a : a < b ? a : b < a ? b : zero;
	bool ieee = x->mode & MODE_IEEE;

	number = ieee && is_signalling(b) ? b : number;
	number = ieee && is_signalling(a) ? a : number;
	return canonical_f32(x, number);
}

INLINE float max_f32(const struct lanes *x, float a, float b)
{
	float zero = as_float(float_bits(a) & float_bits(b));
	float number = a != a ? b : b != b ? a : a > b ? a : b > a ? b : zero;
	bool ieee = x->mode & MODE_IEEE;

	number = ieee && is_signalling(b) ? b : number;
	number = ieee && is_signalling(a) ? a : number;
	return canonical_f32(x, number);
}

INLINE double min_f64(const struct lanes *x, double a, double b)
{
	double zero = as_double(double_bits(a) | double_bits(b));
	double number = a != a ? b : b != b ? a : a < b ? a : b < a ? b : zero;
	bool ieee = x->mode & MODE_IEEE;

	number = ieee && is_signalling_f64(b) ? b : number;
	number = ieee && is_signalling_f64(a) ? a : number;
	return canonical_f64(x, number);
}

INLINE double max_f64(const struct lanes *x, double a, double b)
{
	double zero = as_double(double_bits(a) & double_bits(b));
	double number = a != a ? b : b != b ? a : a > b ? a : b > a ? b : zero;
	bool ieee = x->mode & MODE_IEEE;

	number = ieee && is_signalling_f64(b) ? b : number;
	number = ieee && is_signalling_f64(a) ? a : number;
	return canonical_f64(x, number);
}

/* Halves are doubles here; denormal halves are not denormal, and are flushed when stored. */
INLINE double min_f16(const struct lanes *x, double a, double b)
{
	return min_f64(x, a, b);
}

INLINE double max_f16(const struct lanes *x, double a, double b)
{
	return max_f64(x, a, b);
}

INLINE float med3_f32(const struct lanes *x, float a, float b, float c)
{
	float low = min_f32(x, a, b), high = max_f32(x, a, b);

	if (a != a || b != b || c != c)
		return min_f32(x, low, c);
	return max_f32(x, low, min_f32(x, high, c));
}

INLINE double med3_f16(const struct lanes *x, double a, double b, double c)
{
	double low = min_f16(x, a, b), high = max_f16(x, a, b);

	if (a != a || b != b || c != c)
		return min_f16(x, low, c);
	return max_f16(x, low, min_f16(x, high, c));
}

INLINE float fract_f32(float a)
{
	float result = a - floorf(a);

	return result >= 1.0f ? as_float(0x3f7fffff) : result;
}

INLINE double fract_f64(double a)
{
	double result = a - floor(a);

	return result >= 1.0 ? as_double(0x3fefffffffffffff) : result;
}

INLINE double fract_f16(double a)
{
	double result = a - floor(a);

	return result > 0.99951171875 ? 0.99951171875 : result;
}

INLINE double frexp_mant(double a)
{
	int exponent;

	return frexp(a, &exponent);
}

INLINE int32_t frexp_exp(double a)
{
	int exponent = 0;

	if (a != a || a - a != 0.0)
		return 0;
	frexp(a, &exponent);
	return exponent;
}

/* A float scaled as a double, where it is exact; the conversion to float rounds. */
INLINE double ldexp_once(double a, int32_t exponent)
{
	return ldexp(a, max_i(-400, min_i(400, exponent)));
}

/* The angle is in turns; beyond the limit hardware gives the value of 0. */
INLINE double sin_turns(double a, double limit)
{
	return a - a != 0.0 ? NAN : fabs(a) > limit ? 0.0 : sin((a - rndne(a)) * (2 * M_PI));
}

INLINE double cos_turns(double a, double limit)
{
	return a - a != 0.0 ? NAN : fabs(a) > limit ? 1.0 : cos((a - rndne(a)) * (2 * M_PI));
}

#include "division.h"
#include "cube.h"

#endif
