/* SPDX-License-Identifier: MIT */
/* VOP3P: two halves at a time, dot products, mixed precision. Part of lanes_impl.h. */

/* The half of a source that makes the low (high = 0) or high half of the result. */
INLINE uint32_t packed_half(const struct lanes *x, uint32_t value, unsigned int source,
			    unsigned int high, bool is_float)
{
	uint32_t select = (high ? x->op_sel_hi : x->op_sel) >> source & 1;
	uint32_t sign = (uint32_t)((high ? x->neg_hi : x->neg) >> source & 1) << 15;

	return (value >> 16 * select & 0xffff) ^ (is_float ? sign : 0);
}

#define HALF_U16(row, source, high)                                                                \
	((uint16_t)packed_half(x, (row)[0][lane], source, high, false))
#define HALF_I16(row, source, high)                                                                \
	((int16_t)packed_half(x, (row)[0][lane], source, high, false))
#define HALF_F16(row, source, high)                                                                \
	half_in(x, packed_half(x, (row)[0][lane], source, high, true))
#define HALF_NONE(row, source, high) 0
#define BITS_U16(value)		     ((uint16_t)(value))
#define BITS_I16(value)		     ((uint16_t)(value))
#define BITS_F16(value)		     half(x, packed_clamp(x, value))

INLINE double packed_clamp(const struct lanes *x, double value)
{
	double limited = value > 1.0 ? 1.0 : value > 0.0 ? value : 0.0;

	return !x->clamp || (value != value && !(x->mode & MODE_DX10_CLAMP)) ? value : limited;
}

#define VP(number, name, D, A, B, C, ...)                                                          \
	INLINE uint32_t half_##name(const struct lanes *x, A a, B b, C c)                          \
	{                                                                                          \
		D d = __VA_ARGS__;                                                                 \
                                                                                                   \
		(void)x;                                                                           \
		(void)c;                                                                           \
		return BITS_##D(d);                                                                \
	}                                                                                          \
	static TARGET void lanes_##name(struct lanes *restrict lanes)                              \
	{                                                                                          \
		struct lanes copy = *lanes, *const x = &copy;                                      \
                                                                                                   \
		FOR_EACH_LANE {                                                                    \
			uint32_t low = half_##name(x, HALF_##A(x->a, 0, 0), HALF_##B(x->b, 1, 0),  \
						   HALF_##C(x->c, 2, 0));                          \
			uint32_t high = half_##name(x, HALF_##A(x->a, 0, 1),                       \
						    HALF_##B(x->b, 1, 1), HALF_##C(x->c, 2, 1));   \
                                                                                                   \
			x->d[0][lane] = pack16(low, high);                                         \
		}                                                                                  \
	}

/* A source of v_fma_mix: a float, or the half that op_sel names if op_sel_hi says so. */
INLINE float mix_source(const struct lanes *x, uint32_t value, unsigned int source)
{
	uint32_t chosen = value >> 16 * (x->op_sel >> source & 1);
	float full = as_float(value);
	float result = x->op_sel_hi >> source & 1 ? (float)half_in(x, chosen) : full;

	result = x->neg_hi >> source & 1 ? fabsf(result) : result;
	return x->neg >> source & 1 ? -result : result;
}

INLINE float mix_clamp(const struct lanes *x, float value)
{
	return (float)packed_clamp(x, (double)value);
}

#define MIX_F32(value) float_bits(value)
#define MIX_F16(value) half(x, (double)(value))
#define VM(number, name, D)                                                                        \
	static TARGET void lanes_##name(struct lanes *restrict lanes)                              \
	{                                                                                          \
		struct lanes copy = *lanes, *const x = &copy;                                      \
                                                                                                   \
		FOR_EACH_LANE {                                                                    \
			float a = mix_source(x, x->a[0][lane], 0);                                 \
			float b = mix_source(x, x->b[0][lane], 1);                                 \
			float c = mix_source(x, x->c[0][lane], 2);                                 \
                                                                                                   \
			x->d[0][lane] = MIX_##D(mix_clamp(x, __builtin_fmaf(a, b, c)));            \
		}                                                                                  \
	}

INLINE float dot2_f32(const struct lanes *x, uint32_t a, uint32_t b, float c)
{
	float a0 = (float)half_in(x, packed_half(x, a, 0, 0, true));
	float a1 = (float)half_in(x, packed_half(x, a, 0, 1, true));
	float b0 = (float)half_in(x, packed_half(x, b, 1, 0, true));
	float b1 = (float)half_in(x, packed_half(x, b, 1, 1, true));
	float addend = x->neg & 4 ? -c : c;

	return mix_clamp(x, __builtin_fmaf(a1, b1, __builtin_fmaf(a0, b0, addend)));
}

#define VD(number, name, D, A, C, ...)                                                             \
	static TARGET void lanes_##name(struct lanes *restrict lanes)                              \
	{                                                                                          \
		struct lanes copy = *lanes, *const x = &copy;                                      \
                                                                                                   \
		FOR_EACH_LANE {                                                                    \
			const uint32_t a = x->a[0][lane], b = x->b[0][lane];                       \
			const C c = LOAD_##C(x->c);                                                \
			const D d = __VA_ARGS__;                                                   \
                                                                                                   \
			STORE_##D(d);                                                              \
		}                                                                                  \
	}
#include "isa/vop3p.def"
#undef VP
#undef VM
#undef VD
