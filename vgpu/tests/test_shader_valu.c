// SPDX-License-Identifier: MIT
/* Every lane of VALU instructions against shader_cases.h, with random and special operands. */
#define _GNU_SOURCE /* issignaling, roundeven */
#include "shader_wave.h"

#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int unused;

static float to_float(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, 4);
	return value;
}

static double to_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, 8);
	return value;
}

static _Float16 to_half(uint16_t bits)
{
	_Float16 value;

	memcpy(&value, &bits, 2);
	return value;
}

static uint32_t of_float(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, 4);
	return bits;
}

static uint64_t of_double(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, 8);
	return bits;
}

static uint16_t of_half(_Float16 value)
{
	uint16_t bits;

	memcpy(&bits, &value, 2);
	return bits;
}

static uint32_t bits_reversed(uint32_t value)
{
	uint32_t result = 0;

	for (unsigned int i = 0; i < 32; i++)
		result = result << 1 | (value >> i & 1);
	return result;
}

static uint32_t highest_bit(uint32_t value)
{
	for (uint32_t i = 0; i < 32; i++) {
		if (value >> (31 - i) & 1)
			return i;
	}
	return ~0u;
}

static uint32_t lowest_bit(uint32_t value)
{
	for (uint32_t i = 0; i < 32; i++) {
		if (value >> i & 1)
			return i;
	}
	return ~0u;
}

static uint32_t ones(uint64_t value)
{
	uint32_t count = 0;

	for (; value; value >>= 1)
		count += value & 1;
	return count;
}

static int64_t sext24(uint64_t value)
{
	int64_t low = value & 0xffffff;

	return low >= 0x800000 ? low - 0x1000000 : low;
}

static uint64_t limit(__int128 value, int64_t low, int64_t high)
{
	return (uint64_t)(value < low ? low : value > high ? high : value);
}

static uint32_t field(uint32_t value, unsigned int offset, unsigned int width, bool is_signed)
{
	uint32_t result = 0;

	for (unsigned int i = 0; i < width && offset + i < 32; i++)
		result |= (value >> (offset + i) & 1) << i;
	if (!is_signed || !width)
		return result;
	/* Beyond bit 31 there is the sign. */
	for (unsigned int i = 0; i < 32; i++) {
		unsigned int from = offset + (i < width ? i : width - 1);

		if (i >= width || offset + i > 31)
			result |= (value >> (from > 31 ? 31 : from) & 1) << i;
	}
	return result;
}

static int64_t middle(int64_t a, int64_t b, int64_t c)
{
	int64_t values[3] = { a, b, c };

	for (unsigned int i = 0; i < 3; i++) {
		for (unsigned int k = i + 1; k < 3; k++) {
			if (values[k] < values[i]) {
				int64_t swap = values[i];

				values[i] = values[k];
				values[k] = swap;
			}
		}
	}
	return values[1];
}

static uint64_t sad(uint64_t a, uint64_t b, unsigned int bits, bool masked)
{
	uint64_t sum = 0, mask = (1u << bits) - 1;

	for (unsigned int i = 0; i < 32; i += bits) {
		int64_t x = (int64_t)(a >> i & mask), y = (int64_t)(b >> i & mask);

		if (!masked || y)
			sum += (uint64_t)llabs(x - y);
	}
	return sum;
}

static uint32_t lerp(uint32_t a, uint32_t b, uint32_t c)
{
	uint8_t x[4], y[4], z[4], result[4];
	uint32_t value;

	memcpy(x, &a, 4);
	memcpy(y, &b, 4);
	memcpy(z, &c, 4);
	for (unsigned int i = 0; i < 4; i++)
		result[i] = (uint8_t)((x[i] + y[i] + (z[i] & 1)) / 2);
	memcpy(&value, result, 4);
	return value;
}

static uint32_t permuted(uint32_t a, uint32_t b, uint32_t c)
{
	uint8_t data[8], selectors[4], result[4];
	uint32_t value;

	memcpy(data, &b, 4);
	memcpy(data + 4, &a, 4);
	memcpy(selectors, &c, 4);
	for (unsigned int i = 0; i < 4; i++) {
		uint8_t s = selectors[i];

		if (s < 8)
			result[i] = data[s];
		else if (s < 12)
			result[i] = data[2 * (s - 8) + 1] & 128 ? 255 : 0;
		else
			result[i] = s == 12 ? 0 : 255;
	}
	memcpy(&value, result, 4);
	return value;
}

static int64_t dot(uint32_t a, uint32_t b, unsigned int bits, bool is_signed)
{
	int64_t sum = 0, size = 1ll << bits;

	for (unsigned int i = 0; i < 32; i += bits) {
		int64_t x = a >> i & (size - 1), y = b >> i & (size - 1);

		if (is_signed && x >= size / 2)
			x -= size;
		if (is_signed && y >= size / 2)
			y -= size;
		sum += x * y;
	}
	return sum;
}

static float saturate(float value)
{
	return isnan(value) || value < 0 ? 0 : value > 1 ? 1 : value == 0 ? 0 : value;
}

/* IEEE mode: a signalling NaN wins, otherwise the number. */
static float smaller(float a, float b)
{
	if (issignaling(a) || issignaling(b))
		return NAN;
	if (a == 0 && b == 0)
		return signbit(a) ? a : b;
	return fminf(a, b);
}

static float median(float a, float b, float c)
{
	if (isnan(a) || isnan(b) || isnan(c))
		return smaller(smaller(a, b), c);
	return -smaller(-smaller(a, b), -smaller(-smaller(-a, -b), c));
}

static int64_t whole(double value, int64_t low, int64_t high)
{
	if (isnan(value))
		return 0;
	return value <= (double)low ? low : value >= (double)high ? high : (int64_t)value;
}

/* A half that is not farther from zero. */
static uint32_t cut(float value)
{
	_Float16 nearest = (_Float16)value;

	if (isnan(value) || (float)nearest == value)
		return of_half(nearest);
	if (fabsf((float)nearest) > fabsf(value))
		return of_half(nearest) - 1u;
	return of_half(nearest);
}

/* Through a type that holds the exact sum of a product of halves and a half. */
static _Float16 fused_half(_Float16 a, _Float16 b, _Float16 c)
{
	return (_Float16)((__float128)a * (__float128)b + (__float128)c);
}

/* ---- the cases ---- */

typedef uint64_t reference(uint64_t a, uint64_t b, uint64_t c, uint64_t o, unsigned int vcc,
			   unsigned int lane);

#define CASE(id, text, bits, ...)                                                                  \
	static uint64_t result_##id(uint64_t a, uint64_t b, uint64_t c, uint64_t o,                \
				    unsigned int vcc, unsigned int lane)                           \
	{                                                                                          \
		(void)a;                                                                           \
		(void)b;                                                                           \
		(void)c;                                                                           \
		(void)o;                                                                           \
		(void)vcc;                                                                         \
		(void)lane;                                                                        \
		return (uint64_t)(__VA_ARGS__);                                                    \
	}
#include "shader_cases.h"
#undef CASE

static const struct instruction_case {
	const char *text;
	unsigned int bits;
	reference *expected;
} cases[] = {
#define CASE(id, text, bits, ...) { text, bits, result_##id },
#include "shader_cases.h"
#undef CASE
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static uint32_t code[CASES][3];
static unsigned int sizes[CASES];

static int setup(void **state)
{
	const char *lines[CASES];

	for (unsigned int i = 0; i < CASES; i++)
		lines[i] = cases[i].text;
	assemble_lines(lines, CASES, code, sizes);
	*state = shader_new();
	return 0;
}

static int teardown(void **state)
{
	shader_free(*state);
	return 0;
}

static uint64_t state_of_random = 88172645463325252;

static uint64_t random_bits(void)
{
	state_of_random ^= state_of_random << 13;
	state_of_random ^= state_of_random >> 7;
	state_of_random ^= state_of_random << 17;
	return state_of_random;
}

static const uint64_t special[] = {
	0, 1, 2, 31, 32, 63, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
	0xffffffff, UINT64_MAX, 1ull << 63, INT64_MAX,
	/* singles: 1, -1, infinity, quiet and signalling NaN, smallest and largest, halfway */
	0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001, 0x00800000,
	0x007fffff, 0x7f7fffff, 0x3f000000, 0x4b000001, 0x4effffff, 0x4f000000, 0xcf000000,
	0x40200000, 0xc0200000,
	/* doubles */
	0x3ff0000000000000, 0xbff8000000000000, 0x7ff0000000000000, 0xfff0000000000000,
	0x7ff8000000000000, 0x0010000000000000, 0x000fffffffffffff, 0x7fefffffffffffff,
	0x4004000000000000, 0x41dfffffffc00000, 0x36a0000000000000,
	/* halves, in both places */
	0x3c003c00, 0xbc00bc00, 0x7c007c00, 0xfc00fc00, 0x7e007e00, 0x04000400, 0x03ff03ff,
	0x7bff7bff, 0x00010001, 0x38013801,
};

#define SPECIAL (sizeof(special) / sizeof(special[0]))

static uint64_t operand(void)
{
	uint64_t r = random_bits();

	switch (r >> 60) {
	case 0 ... 5:
		return special[r % SPECIAL];
	case 6 ... 8: /* singles and halves of moderate size */
		return (r & 0x83ffffff) | 0x38000000;
	case 9:
	case 10:
		return (r & 0x801fffffffffffff) | 0x3fe0000000000000;
	default:
		return random_bits();
	}
}

static bool is_nan(uint64_t value, const struct instruction_case *c)
{
	const char *name = c->text;

	if (strstr(name, "cvt_i") || strstr(name, "cvt_u"))
		return false;
	if (c->bits == 64)
		return isnan(to_double(value));
	if (strstr(name, "f16") && !strstr(name, "cvt_f32_f16") && !strstr(name, "dot2_f32"))
		return isnan((float)to_half((uint16_t)value)) ||
		       isnan((float)to_half((uint16_t)(value >> 16)));
	return isnan(to_float((uint32_t)value));
}

/* A NaN may be any NaN: which one comes out of an operation is not specified. */
static bool same(uint64_t value, uint64_t expected, const struct instruction_case *c)
{
	if (value == expected)
		return true;
	return strstr(c->text, "_f") && is_nan(expected, c) && is_nan(value, c);
}

/* False, with the first lane that differs, if one does. */
static bool run_case(struct shader *s, unsigned int i)
{
	const struct instruction_case *test = &cases[i];
	uint64_t in[4][WAVE_LANES], vcc = random_bits();
	uint64_t mask = test->bits == 64 ? UINT64_MAX : UINT32_MAX;

	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		for (unsigned int k = 0; k < 4; k++) {
			in[k][lane] = operand();
			s->wave.v[2 * k][lane] = (uint32_t)in[k][lane];
			s->wave.v[2 * k + 1][lane] = (uint32_t)(in[k][lane] >> 32);
		}
	}
	wave_set_s64(&s->wave, SGPR_VCC, vcc);
	assert_int_equal(shader_run(s), WAVE_END);
	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		uint64_t value = (uint64_t)s->wave.v[7][lane] << 32 | s->wave.v[6][lane];
		uint64_t expected = test->expected(in[0][lane], in[1][lane], in[2][lane],
						   in[3][lane], vcc >> lane & 1, lane);

		if (same(value & mask, expected & mask, test))
			continue;
		print_error("%s: lane %u of %llx, %llx, %llx, %llx is %llx, not %llx\n", test->text,
			    lane, (unsigned long long)in[0][lane], (unsigned long long)in[1][lane],
			    (unsigned long long)in[2][lane], (unsigned long long)in[3][lane],
			    (unsigned long long)(value & mask),
			    (unsigned long long)(expected & mask));
		return false;
	}
	return true;
}

/* What is rounded, and rounded once. */
static bool is_rounded(const char *text)
{
	static const char *const names[] = {
		"v_add_f", "v_sub_f", "v_mul_f", "v_fma_f32", "v_fma_f64", "v_fmac", "v_sqrt_f",
		"v_rcp_f", "v_cvt_f32_i", "v_cvt_f32_u32", "v_cvt_f32_f64", "v_ldexp", "v_dot2_f32",
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strncmp(text, names[i], strlen(names[i])))
			return !strstr(text, "f16") || strstr(text, "dot2");
	}
	return false;
}

static void mode_rounds_as_the_hosts_modes_do(void **state)
{
	static const int host[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
	struct shader *s = *state;
	uint32_t end = 0xbf810000;
	unsigned int failed = 0, count = 0;

	for (unsigned int i = 0; i < 4 * CASES; i++) {
		const uint32_t mode = i % 4;
		bool good = true;

		if (!is_rounded(cases[i / 4].text))
			continue;
		shader_reset(s);
		s->wave.mode |= mode | mode << 2;
		memcpy(s->code, code[i / 4], 4 * sizes[i / 4]);
		memcpy(s->code + 4 * sizes[i / 4], &end, 4);
		code_cache_clear(s->wave.code);
		fesetround(host[mode]);
		for (unsigned int round = 0; round < 20 && good; round++)
			good = run_case(s, i / 4);
		assert_int_equal(fegetround(), host[mode]);
		fesetround(FE_TONEAREST);
		failed += !good;
		count++;
	}
	print_message("%u instructions and modes\n", count);
	assert_int_equal(failed, 0);
}

static void every_instruction_computes_what_the_host_does(void **state)
{
	struct shader *s = *state;
	unsigned int failed = 0;
	uint32_t end = 0xbf810000;

	for (unsigned int i = 0; i < CASES; i++) {
		bool good = true;

		shader_reset(s);
		memcpy(s->code, code[i], 4 * sizes[i]);
		memcpy(s->code + 4 * sizes[i], &end, 4);
		code_cache_clear(s->wave.code);
		for (unsigned int round = 0; round < 20 && good; round++)
			good = run_case(s, i);
		failed += !good;
	}
	assert_int_equal(failed, 0);
	print_message("%u instructions\n", (unsigned int)CASES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instruction_computes_what_the_host_does),
		cmocka_unit_test(mode_rounds_as_the_hosts_modes_do),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
