/* SPDX-License-Identifier: MIT */
/*
 * The steps that make a division out of v_rcp and fused multiply-adds: operands are scaled so that no
 * step over- or underflows, and the quotient is put right for special operands. And trig_preop.
 */
#ifndef VGPU_SHADER_DIVISION_H
#define VGPU_SHADER_DIVISION_H

INLINE int32_t exponent_f32(float a)
{
	return (int32_t)(float_bits(a) >> 23 & 255);
}

INLINE int32_t exponent_f64(double a)
{
	return (int32_t)(double_bits(a) >> 52 & 2047);
}

INLINE bool tiny_f32(double value)
{
	return fabs(value) < 0x1p-126;
}

/* a is the operand to scale: the denominator b or the numerator c. */
INLINE float div_scale_f32(struct lanes *x, float a, float b, float c, unsigned int lane)
{
	bool is_b = float_bits(a) == float_bits(b), is_c = float_bits(a) == float_bits(c);
	int32_t difference = exponent_f32(c) - exponent_f32(b);
	bool zero = b == 0.0f || c == 0.0f;
	bool denormal_b = exponent_f32(b) == 0;
	bool tiny_inverse = tiny_f32(1.0 / (double)b), tiny_ratio = tiny_f32((double)c / (double)b);
	uint32_t vcc = 0;
	float result = a;

	if (zero) {
		result = NAN;
	} else if (difference >= 96) {
		vcc = 1;
		result = is_b ? a * 0x1p64f : a;
	} else if (denormal_b) {
		result = a * 0x1p64f;
	} else if (tiny_inverse && tiny_ratio) {
		vcc = 1;
		result = is_b ? a * 0x1p-64f : a;
	} else if (tiny_inverse) {
		result = a * 0x1p-64f;
	} else if (tiny_ratio) {
		vcc = 1;
		result = is_c ? a * 0x1p64f : a;
	} else if (exponent_f32(c) <= 23) {
		result = a * 0x1p64f;
	}
	x->carry_out[lane] = vcc;
	return result;
}

/* Exponents decide, because 1 / b and c / b may be denormal themselves. */
INLINE double div_scale_f64(struct lanes *x, double a, double b, double c, unsigned int lane)
{
	bool is_b = double_bits(a) == double_bits(b), is_c = double_bits(a) == double_bits(c);
	int32_t difference = exponent_f64(c) - exponent_f64(b);
	bool zero = b == 0.0 || c == 0.0;
	bool denormal_b = exponent_f64(b) == 0;
	uint64_t fraction_b = double_bits(b) << 12, fraction_c = double_bits(c) << 12;
	/* 1 / b is below 2^-1022 if b is above 2^1022; c / b if it is below by its fractions. */
	bool tiny_inverse = exponent_f64(b) > 2045 || (exponent_f64(b) == 2045 && fraction_b);
	bool tiny_ratio = difference < -1022 || (difference == -1022 && fraction_c < fraction_b);
	uint32_t vcc = 0;
	double result = a;

	if (zero) {
		result = NAN;
	} else if (difference >= 768) {
		vcc = 1;
		result = is_b ? a * 0x1p128 : a;
	} else if (denormal_b) {
		result = a * 0x1p128;
	} else if (tiny_inverse && tiny_ratio) {
		vcc = 1;
		result = is_b ? a * 0x1p-128 : a;
	} else if (tiny_inverse) {
		result = a * 0x1p-128;
	} else if (tiny_ratio) {
		vcc = 1;
		result = is_c ? a * 0x1p128 : a;
	} else if (exponent_f64(c) <= 53) {
		result = a * 0x1p128;
	}
	x->carry_out[lane] = vcc;
	return result;
}

/*
 * The last step, which undoes the scaling that VCC tells of: c is the quotient before it, large if the
 * denominator was scaled and small if the numerator was.
 */
INLINE float div_fmas_f32(float a, float b, float c, uint32_t vcc)
{
	double scale = exponent_f32(c) > 127 ? 0x1p64 : 0x1p-64;
	double scaled = __builtin_fma((double)a, (double)b, (double)c) * scale;

	return vcc ? (float)scaled : __builtin_fmaf(a, b, c);
}

INLINE double div_fmas_f64(double a, double b, double c, uint32_t vcc)
{
	double scale = exponent_f64(c) > 1023 ? 0x1p128 : 0x1p-128;
	double sum = __builtin_fma(a, b, c);

	return vcc ? sum * scale : sum;
}

/* a: the quotient, b: the denominator, c: the numerator. */
INLINE float div_fixup_f32(float a, float b, float c)
{
	float sign = as_float((float_bits(b) ^ float_bits(c)) & 0x80000000);
	bool infinite_b = fabsf(b) == INFINITY, infinite_c = fabsf(c) == INFINITY;

	if (c != c)
		return quiet_f32(c);
	if (b != b)
		return quiet_f32(b);
	if ((b == 0.0f && c == 0.0f) || (infinite_b && infinite_c))
		return as_float(0xffc00000);
	if (b == 0.0f || infinite_c)
		return copysignf(INFINITY, sign);
	if (infinite_b || c == 0.0f)
		return sign;
	if (a != a)
		return copysignf(INFINITY, sign);
	return copysignf(a, sign);
}

INLINE double div_fixup_f64(double a, double b, double c)
{
	double sign = as_double((double_bits(b) ^ double_bits(c)) & 1ull << 63);
	bool infinite_b = fabs(b) == INFINITY, infinite_c = fabs(c) == INFINITY;

	if (c != c)
		return quiet_f64(c);
	if (b != b)
		return quiet_f64(b);
	if ((b == 0.0 && c == 0.0) || (infinite_b && infinite_c))
		return as_double(0xfff8000000000000);
	if (b == 0.0 || infinite_c)
		return copysign(INFINITY, sign);
	if (infinite_b || c == 0.0)
		return sign;
	if (a != a)
		return copysign(INFINITY, sign);
	return copysign(a, sign);
}

INLINE double div_fixup_f16(double a, double b, double c)
{
	return div_fixup_f64(a, b, c);
}

/* Bits of 2/pi after the binary point. */
static const uint64_t two_over_pi[] = {
	0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
	0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484,
	0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f,
	0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d, 0x7527bac7ebe5f17b,
	0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab, 0xf0cfbc209af4361d,
};

/*
 * 53 bits of 2/pi that matter for an argument as large as a: segment b of them, scaled to where they
 * stand.
 */
INLINE double trig_preop(double a, uint32_t b)
{
	int32_t exponent = exponent_f64(a);
	uint32_t shift = (b & 31) * 53, word, bit;
	uint64_t bits;
	int32_t scale;

	if (exponent > 1077)
		shift += (uint32_t)(exponent - 1077);
	word = shift / 64;
	bit = shift % 64;
	if (word + 1 >= sizeof(two_over_pi) / sizeof(two_over_pi[0]))
		return 0.0;
	bits = two_over_pi[word] << bit;
	if (bit)
		bits |= two_over_pi[word + 1] >> (64 - bit);
	scale = -53 - (int32_t)shift + (exponent >= 1968 ? 128 : 0);
	return ldexp((double)(bits >> 11), scale);
}

#endif
