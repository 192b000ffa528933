/* SPDX-License-Identifier: MIT */
/*
 * One function for each VALU opcode, made of the expression in its table. Included by a file for each
 * host instruction set, which defines TARGET (an attribute) and TABLE (the table's name).
 */
#include "lanes_math.h"

typedef uint32_t U32;
typedef int32_t I32;
typedef float F32;
typedef uint16_t U16;
typedef int16_t I16;
typedef double F16;
typedef uint64_t U64;
typedef int64_t I64;
typedef double F64;
typedef int NONE;

#define LOW(row)	((row)[0][lane])
#define WIDE(row)	((uint64_t)(row)[1][lane] << 32 | (row)[0][lane])
#define LOAD_U32(row)	LOW(row)
#define LOAD_I32(row)	((int32_t)LOW(row))
#define LOAD_F32(row)	as_float(LOW(row))
#define LOAD_U16(row)	((uint16_t)LOW(row))
#define LOAD_I16(row)	((int16_t)LOW(row))
#define LOAD_F16(row)	half_in(x, LOW(row))
#define LOAD_U64(row)	WIDE(row)
#define LOAD_I64(row)	((int64_t)WIDE(row))
#define LOAD_F64(row)	as_double(WIDE(row))
#define LOAD_NONE(row)	0

#define STORE_U32(value) (x->d[0][lane] = (value))
#define STORE_I32(value) (x->d[0][lane] = (uint32_t)(value))
#define STORE_F32(value) (x->d[0][lane] = float_bits(value))
#define STORE_U16(value) (x->d[0][lane] = (uint16_t)(value))
#define STORE_I16(value) (x->d[0][lane] = (uint16_t)(value))
#define STORE_F16(value) (x->d[0][lane] = half(x, value))
#define STORE_U64(value) store64(x, lane, value)
#define STORE_I64(value) store64(x, lane, (uint64_t)(value))
#define STORE_F64(value) store64(x, lane, double_bits(value))

INLINE void store64(struct lanes *x, unsigned int lane, uint64_t value)
{
	x->d[0][lane] = (uint32_t)value;
	x->d[1][lane] = (uint32_t)(value >> 32);
}

/* A lane only touches its own column, whatever registers the rows are. */
#define FOR_EACH_LANE _Pragma("omp simd") for (unsigned int lane = 0; lane < WAVE_LANES; lane++)

#define CARRY_0		     0
#define HAS_CARRY(flags)     ((flags) & (VCC_IN | VCC_READ))
#define FUNCTION(name, D, A, B, C, flags, ...)                                                     \
	static TARGET void lanes_##name(struct lanes *restrict lanes)                              \
	{                                                                                          \
		struct lanes copy = *lanes, *const x = &copy;                                      \
                                                                                                   \
		FOR_EACH_LANE {                                                                    \
			const A a = LOAD_##A(x->a);                                                \
			const B b = LOAD_##B(x->b);                                                \
			const C c = LOAD_##C(x->c);                                                \
			const uint32_t carry = HAS_CARRY(flags) ? x->carry_in[lane] & 1 : 0;       \
			const D d = __VA_ARGS__;                                                   \
                                                                                                   \
			(void)a;                                                                   \
			(void)b;                                                                   \
			(void)c;                                                                   \
			(void)carry;                                                               \
			STORE_##D(d);                                                              \
		}                                                                                  \
	}

#define V1(number, name, D, A, flags, ...) FUNCTION(name, D, A, NONE, NONE, flags, __VA_ARGS__)
#define X1(number, name, D, A)
#define V0(number, name)
#define S1(number, name, D, A)
#include "isa/vop1.def"
#undef V1
#undef X1
#undef V0
#undef S1
/* c is of the type of the result. */
#define V2(number, name, D, A, B, flags, ...)                                                      \
	FUNCTION_C_##D(name, D, A, B, flags, __VA_ARGS__)
#define FUNCTION_C_U32(name, D, A, B, flags, ...) FUNCTION(name, D, A, B, NONE, flags, __VA_ARGS__)
#define FUNCTION_C_I32(name, D, A, B, flags, ...) FUNCTION(name, D, A, B, NONE, flags, __VA_ARGS__)
#define FUNCTION_C_U16(name, D, A, B, flags, ...) FUNCTION(name, D, A, B, NONE, flags, __VA_ARGS__)
#define FUNCTION_C_I16(name, D, A, B, flags, ...) FUNCTION(name, D, A, B, NONE, flags, __VA_ARGS__)
#define FUNCTION_C_F32(name, D, A, B, flags, ...) FUNCTION(name, D, A, B, F32, flags, __VA_ARGS__)
#define FUNCTION_C_F16(name, D, A, B, flags, ...) FUNCTION(name, D, A, B, F16, flags, __VA_ARGS__)
#include "isa/vop2.def"
#undef V2
#define V3(number, name, D, A, B, C, flags, ...) FUNCTION(name, D, A, B, C, flags, __VA_ARGS__)
#define VX(number, name)
#define VS(number, name, D, A, B, C)
#include "isa/vop3.def"
#undef V3
#undef VX
#undef VS

#define VC(number, exec, name, A, B, ...)                                                          \
	static TARGET void lanes_v_cmp_##name(struct lanes *restrict lanes)                        \
	{                                                                                          \
		struct lanes copy = *lanes, *const x = &copy;                                      \
                                                                                                   \
		FOR_EACH_LANE {                                                                    \
			const uint32_t raw_a = x->a[0][lane];                                      \
			const A a = LOAD_##A(x->a);                                                \
			const B b = LOAD_##B(x->b);                                                \
                                                                                                   \
			(void)raw_a;                                                               \
			(void)a;                                                                   \
			(void)b;                                                                   \
			x->carry_out[lane] = (__VA_ARGS__) ? ~0u : 0;                              \
		}                                                                                  \
	}

INLINE bool class_bits(bool sign, bool zero_exponent, bool full_exponent, bool fraction, bool quiet,
		       uint32_t mask)
{
	/* In the mask's order: NaNs, then -inf, -normal, -denormal, -0 and the positives. */
	uint32_t number = full_exponent ? 2 : !zero_exponent ? 3 : fraction ? 4 : 5;
	uint32_t bit = full_exponent && fraction ? quiet : sign ? number : 11 - number;

	return mask >> bit & 1;
}

INLINE bool class_f32(float a, uint32_t mask)
{
	uint32_t bits = float_bits(a), exponent = bits >> 23 & 255;

	return class_bits(bits >> 31, exponent == 0, exponent == 255, (bits & 0x7fffff) != 0,
			  bits >> 22 & 1, mask);
}

INLINE bool class_f64(double a, uint32_t mask)
{
	uint64_t bits = double_bits(a), exponent = bits >> 52 & 2047;

	return class_bits(bits >> 63, exponent == 0, exponent == 2047,
			  (bits & 0xfffffffffffff) != 0, bits >> 51 & 1, mask);
}

INLINE bool class_f16(const struct lanes *x, uint32_t bits, uint32_t mask)
{
	uint32_t exponent = bits >> 10 & 31;

	(void)x;
	return class_bits(bits >> 15 & 1, exponent == 0, exponent == 31, (bits & 0x3ff) != 0,
			  bits >> 9 & 1, mask);
}

#include "isa/vopc.def"
#undef VC

#include "lanes_packed.h"

#define V1(number, name, D, A, flags, ...)	 [number] = lanes_##name,
#define X1(number, name, D, A)
#define V0(number, name)
#define S1(number, name, D, A)
#define V2(number, name, D, A, B, flags, ...)	 [number] = lanes_##name,
#define V3(number, name, D, A, B, C, flags, ...) [number] = lanes_##name,
#define VX(number, name)
#define VS(number, name, D, A, B, C)
#define VC(number, exec, name, A, B, ...)                                                          \
	[number] = lanes_v_cmp_##name, [(number) + (exec)] = lanes_v_cmp_##name,
#define VP(number, name, D, A, B, C, ...) [number] = lanes_##name,
#define VM(number, name, D)		  [number] = lanes_##name,
#define VD(number, name, D, A, C, ...)	  [number] = lanes_##name,

const struct lanes_functions TABLE = {
	.vop1 = {
#include "isa/vop1.def"
	},
	.vop2 = {
#include "isa/vop2.def"
	},
	.vopc = {
#include "isa/vopc.def"
	},
	.vop3 = {
#include "isa/vop3.def"
	},
	.vop3p = {
#include "isa/vop3p.def"
	},
};
