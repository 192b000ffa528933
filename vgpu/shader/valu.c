// SPDX-License-Identifier: MIT
/*
 * VALU instructions: operands become rows of 64 dwords, a function of lanes.h computes a row, and the
 * lanes of EXEC get it. What sub-dword addressing, data-parallel primitives and modifiers do is done
 * to rows before and after, so that an opcode has one function whatever its form.
 */
#include "valu.h"

#include <immintrin.h>

const struct lanes_functions *lanes_functions(void)
{
	static const struct lanes_functions *functions;

	if (!functions)
		functions = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
					    __builtin_cpu_supports("bmi2") ?
				    &lanes_v3 :
				    &lanes_base;
	return functions;
}

uint64_t lanes_mask(const uint32_t *row)
{
	uint64_t mask = 0;

	for (unsigned int i = 0; i < WAVE_LANES; i += 4) {
		__m128i four = _mm_load_si128((const __m128i *)(row + i));
		__m128i zero = _mm_cmpeq_epi32(four, _mm_setzero_si128());

		mask |= (uint64_t)(~_mm_movemask_ps(_mm_castsi128_ps(zero)) & 15) << i;
	}
	return mask;
}

void lanes_expand(uint32_t *row, uint64_t mask)
{
	const __m128i bits = _mm_set_epi32(8, 4, 2, 1);

	for (unsigned int i = 0; i < WAVE_LANES; i += 4) {
		__m128i four = _mm_and_si128(_mm_set1_epi32((int)(mask >> i & 15)), bits);

		_mm_store_si128((__m128i *)(row + i), _mm_cmpeq_epi32(four, bits));
	}
}

/* MODE's rounding: nearest, up, down, to zero. MXCSR has nearest, down, up, to zero. */
static const unsigned int host_rounding[] = { _MM_ROUND_NEAREST, _MM_ROUND_UP, _MM_ROUND_DOWN,
					      _MM_ROUND_TOWARD_ZERO };

void float_environment(uint32_t mode, unsigned int float_class)
{
	unsigned int round = float_class == FLOAT_32 ? MODE_ROUND_32(mode) : MODE_ROUND_64(mode);
	unsigned int denorm = float_class == FLOAT_32 ? MODE_DENORM_32(mode) : MODE_DENORM_64(mode);
	unsigned int csr = _MM_MASK_MASK | host_rounding[round];

	csr |= denorm & 1 ? 0 : _MM_DENORMALS_ZERO_ON;
	csr |= denorm & 2 ? 0 : _MM_FLUSH_ZERO_ON;
	_mm_setcsr(csr);
}

/* ---- operands ---- */

static void fill(uint32_t *row, uint32_t value)
{
	__m128i four = _mm_set1_epi32((int)value);

	for (unsigned int i = 0; i < WAVE_LANES; i += 4)
		_mm_store_si128((__m128i *)(row + i), four);
}

const uint32_t (*valu_source(const struct wave *w, const struct instruction *in, unsigned int i,
			     unsigned int type, row *space))[WAVE_LANES]
{
	unsigned int operand = in->src[i];
	uint64_t value;

	if (operand >= OPERAND_VGPR)
		return (const uint32_t(*)[WAVE_LANES])w->v[operand - OPERAND_VGPR];
	if (type_dwords(type) == 2) {
		value = read_scalar64(w, in, operand, type);
		fill(space[1], (uint32_t)(value >> 32));
	} else {
		value = type_is_16(type) || type == T_P16 || type == T_PF16 ?
				read_constant16(w, in, operand) :
				read_scalar32(w, in, operand);
	}
	fill(space[0], (uint32_t)value);
	return (const uint32_t(*)[WAVE_LANES])space;
}

uint64_t valu_mask_source(const struct wave *w, const struct instruction *in)
{
	unsigned int operand = in->form == FORM_VOP3 && in->op->flags & VCC_IN ? in->src[2] :
										 (unsigned int)SGPR_VCC;

	return read_scalar64(w, in, operand, T_U64);
}

void valu_write_mask(struct wave *w, unsigned int operand, uint64_t mask)
{
	write_scalar(w, operand, (uint32_t)mask);
	write_scalar(w, operand + 1, (uint32_t)(mask >> 32));
}

/* Stores rows in the lanes of a mask. */
void valu_store(uint32_t (*d)[WAVE_LANES], const row *from, unsigned int dwords, uint64_t mask)
{
	row lanes;

	if (mask == UINT64_MAX) {
		memcpy(d, from, dwords * sizeof(*d));
		return;
	}
	lanes_expand(lanes, mask);
	for (unsigned int i = 0; i < dwords; i++) {
		for (unsigned int lane = 0; lane < WAVE_LANES; lane++)
			d[i][lane] = (d[i][lane] & ~lanes[lane]) | (from[i][lane] & lanes[lane]);
	}
}

/* ---- the common case: whole registers, nothing to be done before and after ---- */

int run_valu_plain(struct wave *w, const struct instruction *in)
{
	const struct opcode *op = in->op;
	uint64_t exec = wave_s64(w, SGPR_EXEC), carry;
	row a[2], b[2], c[2], result[2], carry_in, carry_out;
	struct lanes x = { .mode = w->mode, .carry_in = carry_in, .carry_out = carry_out,
			   .clamp = in->clamp };
	unsigned int dwords = type_dwords(op->d);

	if (in->registers > w->num_vgprs)
		return illegal(w, in, "a VGPR beyond those of the wave");
	if (w->mode & MODE_GPR_IDX_EN)
		return run_valu(w, in);
	valu_environment(w, in);
	x.a = x.b = x.c = valu_source(w, in, 0, op->a, a);
	if (op->b != T_NONE)
		x.b = valu_source(w, in, 1, op->b, b);
	if (op->c != T_NONE || op->flags & (ACCUMULATE | CONSTANT_B | CONSTANT_C))
		x.c = valu_source(w, in, 2, op->c ? op->c : op->d, c);
	if (op->flags & (VCC_IN | VCC_READ))
		lanes_expand(carry_in, valu_mask_source(w, in));
	if (exec == UINT64_MAX && dwords) {
		x.d = w->v + (in->d - OPERAND_VGPR);
		in->lanes(&x);
	} else {
		x.d = result;
		in->lanes(&x);
		if (dwords)
			valu_store(w->v + (in->d - OPERAND_VGPR), result, dwords, exec);
	}
	if (op->flags & (COMPARE | VCC_OUT | SDST)) {
		carry = lanes_mask(carry_out) & exec;
		valu_write_mask(w, in->sd, carry);
		if (op->flags & COMPARE_EXEC)
			wave_set_s64(w, SGPR_EXEC, carry);
	}
	return WAVE_NEXT;
}

/* ---- lane accesses ---- */

static int out_of_range(struct wave *w, const struct instruction *in)
{
	return illegal(w, in, "a VGPR beyond those of the wave");
}

static uint32_t lane_of(const struct wave *w, const struct instruction *in, unsigned int lane)
{
	return in->src[0] >= OPERAND_VGPR ? w->v[in->src[0] - OPERAND_VGPR][lane] :
					    read_scalar32(w, in, in->src[0]);
}

int run_readfirstlane(struct wave *w, const struct instruction *in)
{
	uint64_t exec = wave_s64(w, SGPR_EXEC);
	unsigned int lane = exec ? (unsigned int)__builtin_ctzll(exec) : 0;

	if (in->registers > w->num_vgprs)
		return out_of_range(w, in);
	write_scalar(w, in->d, lane_of(w, in, lane));
	return WAVE_NEXT;
}

int run_readlane(struct wave *w, const struct instruction *in)
{
	if (in->registers > w->num_vgprs)
		return out_of_range(w, in);
	write_scalar(w, in->d, lane_of(w, in, read_scalar32(w, in, in->src[1]) & 63));
	return WAVE_NEXT;
}

int run_writelane(struct wave *w, const struct instruction *in)
{
	if (in->registers > w->num_vgprs)
		return out_of_range(w, in);
	w->v[in->d - OPERAND_VGPR][read_scalar32(w, in, in->src[1]) & 63] =
		read_scalar32(w, in, in->src[0]);
	return WAVE_NEXT;
}

int run_swap(struct wave *w, const struct instruction *in)
{
	uint64_t exec = wave_s64(w, SGPR_EXEC);
	uint32_t *a, *b;

	if (in->registers > w->num_vgprs || in->src[0] < OPERAND_VGPR)
		return out_of_range(w, in);
	a = w->v[in->d - OPERAND_VGPR];
	b = w->v[in->src[0] - OPERAND_VGPR];
	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		if (exec >> lane & 1) {
			uint32_t value = a[lane];

			a[lane] = b[lane];
			b[lane] = value;
		}
	}
	return WAVE_NEXT;
}

/* Four sums of differences between a window of 4 bytes, moved by one, and a reference. */
int run_mqsad_u32_u8(struct wave *w, const struct instruction *in)
{
	uint64_t exec = wave_s64(w, SGPR_EXEC);
	row a[2], b[1];
	const uint32_t(*pa)[WAVE_LANES], (*pb)[WAVE_LANES], (*pc)[WAVE_LANES];
	row result[4];

	if (in->registers > w->num_vgprs)
		return out_of_range(w, in);
	if (in->src[2] < OPERAND_VGPR)
		return illegal(w, in, "src2 is not a VGPR");
	pa = valu_source(w, in, 0, T_U64, a);
	pb = valu_source(w, in, 1, T_U32, b);
	pc = valu_source(w, in, 2, T_V128, NULL);
	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		uint64_t bytes = (uint64_t)pa[1][lane] << 32 | pa[0][lane];

		for (unsigned int i = 0; i < 4; i++) {
			uint64_t sum = pc[i][lane];

			for (unsigned int byte = 0; byte < 4; byte++) {
				int32_t reference = (int32_t)(pb[0][lane] >> 8 * byte & 255);
				int32_t value = (int32_t)(bytes >> 8 * (i + byte) & 255);

				sum += reference ? (uint32_t)abs(value - reference) : 0;
			}
			result[i][lane] = in->clamp && sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
		}
	}
	valu_store(w->v + (in->d - OPERAND_VGPR), result, 4, exec);
	return WAVE_NEXT;
}
