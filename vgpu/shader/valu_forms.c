// SPDX-License-Identifier: MIT
/* VALU instructions with modifiers, halves, sub-dword addressing, data-parallel primitives. */
#include "valu.h"
#include "half.h"

struct operands {
	row space[3][2];	/* constants */
	row changed[3][2];	/* what modifiers made of an operand */
	const uint32_t (*p[3])[WAVE_LANES];
	uint64_t write; /* lanes that get a result */
};

static unsigned int source_type(const struct opcode *op, unsigned int i)
{
	unsigned int type = i == 0 ? op->a : i == 1 ? op->b : op->c;

	if (i == 2 && type == T_NONE && op->flags & (ACCUMULATE | CONSTANT_B | CONSTANT_C))
		return op->d;
	return type;
}

/* The operand's rows where they may be changed. */
static uint32_t (*own(struct operands *o, unsigned int i, unsigned int dwords))[WAVE_LANES]
{
	if (o->p[i] != (const uint32_t(*)[WAVE_LANES])o->changed[i]) {
		memcpy(o->changed[i], o->p[i], dwords * sizeof(row));
		o->p[i] = (const uint32_t(*)[WAVE_LANES])o->changed[i];
	}
	return o->changed[i];
}

static void select_part(uint32_t *row, unsigned int sel, bool sext)
{
	unsigned int bits = sel <= SEL_BYTE_3 ? 8 : 16;
	unsigned int shift = sel <= SEL_BYTE_3 ? 8 * sel : 16 * (sel - SEL_WORD_0);

	if (sel >= SEL_DWORD)
		return;
	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		uint32_t top = row[lane] >> shift << (32 - bits);

		row[lane] = sext ? (uint32_t)((int32_t)top >> (32 - bits)) : top >> (32 - bits);
	}
}

static void modify_sign(uint32_t *row, unsigned int bit, bool abs, bool neg)
{
	uint32_t sign = 1u << bit, keep = abs ? ~sign : ~0u, flip = neg ? sign : 0;

	for (unsigned int lane = 0; lane < WAVE_LANES; lane++)
		row[lane] = (row[lane] & keep) ^ flip;
}

static void modify(const struct instruction *in, struct operands *o, unsigned int i)
{
	unsigned int type = source_type(in->op, i), dwords = type_dwords(type);
	bool abs = in->abs >> i & 1, neg = in->neg >> i & 1;
	bool has_sign = type_is_float(type) || in->op->flags & MODIFIERS;

	if (in->form == FORM_SDWA && i < 2 && in->sel[i] != SEL_DWORD)
		select_part(own(o, i, dwords)[0], in->sel[i], in->sext >> i & 1);
	if (in->form == FORM_VOP3 && type_is_16(type) && in->op_sel >> i & 1)
		select_part(own(o, i, 1)[0], SEL_WORD_1, false);
	if ((abs || neg) && has_sign)
		modify_sign(own(o, i, dwords)[dwords - 1], type_is_16(type) ? 15 : 31, abs, neg);
}

/* ---- data-parallel primitives ---- */

enum { DPP_ROW_SHL = 0x100, DPP_ROW_SHR = 0x110, DPP_ROW_ROR = 0x120, DPP_WAVE_SHL = 0x130,
       DPP_WAVE_ROL = 0x134, DPP_WAVE_SHR = 0x138, DPP_WAVE_ROR = 0x13c, DPP_ROW_MIRROR = 0x140,
       DPP_ROW_HALF_MIRROR, DPP_ROW_BCAST15, DPP_ROW_BCAST31 };

/* The lane that lane reads, -1 if it is beyond the row or the wave. */
static int dpp_lane(unsigned int control, int lane)
{
	int row = lane & ~15, in_row = lane & 15, n = (int)(control & 15);

	if (control < DPP_ROW_SHL)
		return (lane & ~3) | (int)(control >> 2 * (lane & 3) & 3);
	switch (control) {
	case DPP_ROW_SHL + 1 ... DPP_ROW_SHL + 15:
		return in_row + n > 15 ? -1 : lane + n;
	case DPP_ROW_SHR + 1 ... DPP_ROW_SHR + 15:
		return in_row - n < 0 ? -1 : lane - n;
	case DPP_ROW_ROR + 1 ... DPP_ROW_ROR + 15:
		return row | ((in_row - n) & 15);
	case DPP_WAVE_SHL:
		return lane == 63 ? -1 : lane + 1;
	case DPP_WAVE_ROL:
		return (lane + 1) & 63;
	case DPP_WAVE_SHR:
		return lane - 1;
	case DPP_WAVE_ROR:
		return (lane - 1) & 63;
	case DPP_ROW_MIRROR:
		return row | (15 - in_row);
	case DPP_ROW_HALF_MIRROR:
		return (lane & ~7) | (7 - (lane & 7));
	case DPP_ROW_BCAST15:
		return row - 1;
	case DPP_ROW_BCAST31:
		return lane < 32 ? -1 : 31;
	default:
		return -1;
	}
}

static void permute(const struct instruction *in, struct operands *o, uint64_t exec)
{
	const uint32_t *from = o->p[0][0];
	row result;
	uint64_t write = 0;

	for (int lane = 0; lane < WAVE_LANES; lane++) {
		int source = dpp_lane(in->dpp, lane);
		bool valid = source >= 0 && exec >> source & 1;
		bool enabled = in->row_mask >> lane / 16 & 1 && in->bank_mask >> lane / 4 % 4 & 1;

		result[lane] = valid ? from[source] : 0;
		if (enabled && (valid || in->bound_ctrl))
			write |= 1ull << lane;
	}
	memcpy(o->changed[0][0], result, sizeof(result));
	o->p[0] = (const uint32_t(*)[WAVE_LANES])o->changed[0];
	o->write &= write;
}

/* ---- results ---- */

static float scale(unsigned int omod)
{
	return omod == 1 ? 2.0f : omod == 2 ? 4.0f : 0.5f;
}

/* Output modifiers work only where denormals are flushed. */
static bool omod_works(const struct wave *w, unsigned int type)
{
	return !(w->mode & MODE_IEEE) &&
	       (type == T_F32 ? MODE_DENORM_32(w->mode) : MODE_DENORM_64(w->mode)) == 0;
}

static double finish_double(const struct wave *w, const struct instruction *in, double value)
{
	if (in->omod && omod_works(w, in->op->d))
		value *= (double)scale(in->omod);
	if (in->clamp && (value == value || w->mode & MODE_DX10_CLAMP))
		value = value > 1.0 ? 1.0 : value > 0.0 ? value : 0.0;
	return value;
}

static float finish_float(const struct wave *w, const struct instruction *in, float value)
{
	if (in->omod && omod_works(w, T_F32))
		value *= scale(in->omod);
	if (in->clamp && (value == value || w->mode & MODE_DX10_CLAMP))
		value = value > 1.0f ? 1.0f : value > 0.0f ? value : 0.0f;
	return value;
}

static void finish(const struct wave *w, const struct instruction *in, const struct lanes *x)
{
	uint64_t wide;

	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		switch (in->op->d) {
		case T_F32:
			x->d[0][lane] = float_bits(finish_float(w, in, as_float(x->d[0][lane])));
			break;
		case T_F16:
			x->d[0][lane] = half(x, finish_double(w, in, half_in(x, x->d[0][lane])));
			break;
		default:
			wide = (uint64_t)x->d[1][lane] << 32 | x->d[0][lane];
			wide = double_bits(finish_double(w, in, as_double(wide)));
			x->d[0][lane] = (uint32_t)wide;
			x->d[1][lane] = (uint32_t)(wide >> 32);
			break;
		}
	}
}

/* Puts a result of bits bits at shift into what the register held. */
static void insert(uint32_t *result, const uint32_t *old, unsigned int shift, unsigned int bits,
		   unsigned int unused)
{
	uint32_t mask = (uint32_t)((1ull << bits) - 1) << shift;

	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		uint32_t value = result[lane] << shift & mask;
		uint32_t top = mask + (mask & -mask); /* above the part */
		bool negative = value >> (shift + bits - 1) & 1;

		if (unused == UNUSED_PRESERVE)
			value |= old[lane] & ~mask;
		else if (unused == UNUSED_SEXT && negative)
			value |= top ? 0u - top : 0;
		result[lane] = value;
	}
}

static void place(const struct wave *w, const struct instruction *in, uint32_t *result)
{
	const uint32_t *old = w->v[in->d - OPERAND_VGPR];
	bool half_result = type_is_16(in->op->d);

	if (in->form == FORM_SDWA && in->d_sel < SEL_WORD_0)
		insert(result, old, 8u * in->d_sel, 8, in->d_unused);
	else if (in->form == FORM_SDWA && in->d_sel < SEL_DWORD)
		insert(result, old, 16u * (in->d_sel - SEL_WORD_0), 16, in->d_unused);
	else if (in->form == FORM_VOP3 && half_result && in->op_sel & 8)
		insert(result, old, 16, 16, UNUSED_PRESERVE);
	else if (half_result && in->op->flags & (KEEP_HIGH | OP_SEL))
		insert(result, old, 0, 16, UNUSED_PRESERVE);
}

/* v_fma_mixlo and mixhi write one half. */
#define V_FMA_MIXLO 0x21
#define V_FMA_MIXHI 0x22

static void place_mixed(const struct wave *w, const struct instruction *in, uint32_t *result)
{
	const uint32_t *old = w->v[in->d - OPERAND_VGPR];

	if (in->number == V_FMA_MIXLO)
		insert(result, old, 0, 16, UNUSED_PRESERVE);
	else if (in->number == V_FMA_MIXHI)
		insert(result, old, 16, 16, UNUSED_PRESERVE);
}

/* ---- register indexing ---- */

enum { INDEX_SRC0 = 1, INDEX_SRC1 = 2, INDEX_SRC2 = 4, INDEX_D = 8 };

/* The instruction with its register numbers moved by M0; false if they are beyond the wave's. */
static bool indexed(const struct wave *w, const struct instruction *in, struct instruction *moved)
{
	unsigned int index = w->s[SGPR_M0] & 0xff, which = w->s[SGPR_M0] >> 12 & 15;
	unsigned int last = in->registers + index;

	*moved = *in;
	for (unsigned int i = 0; i < 3; i++) {
		if (which >> i & 1 && in->src[i] >= OPERAND_VGPR && source_type(in->op, i) != T_NONE)
			moved->src[i] = (uint16_t)(in->src[i] + index);
	}
	if (which & INDEX_D && in->d >= OPERAND_VGPR)
		moved->d = (uint16_t)(in->d + index);
	if (in->op->flags & ACCUMULATE && which & INDEX_D)
		moved->src[2] = moved->d;
	for (unsigned int i = 0; i < 3 && last > w->num_vgprs; i++) {
		unsigned int end = moved->src[i] - OPERAND_VGPR +
				   type_dwords(source_type(in->op, i));

		if (moved->src[i] >= OPERAND_VGPR && end > w->num_vgprs)
			return false;
	}
	return moved->d < OPERAND_VGPR ||
	       moved->d - OPERAND_VGPR + type_dwords(in->op->d) <= w->num_vgprs;
}

static int compute(struct wave *w, const struct instruction *in)
{
	const struct opcode *op = in->op;
	uint64_t exec = wave_s64(w, SGPR_EXEC), carry;
	unsigned int dwords = type_dwords(op->d);
	struct operands o = { .write = exec };
	row result[2], carry_in, carry_out;
	struct lanes x = { .d = result, .mode = w->mode, .carry_in = carry_in,
			   .carry_out = carry_out, .clamp = in->clamp, .op_sel = in->op_sel,
			   .op_sel_hi = in->op_sel_hi, .neg = in->neg, .neg_hi = in->neg_hi };

	valu_environment(w, in);
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int type = source_type(op, i);

		if (type == T_NONE)
			continue;
		o.p[i] = valu_source(w, in, i, type, o.space[i]);
		if (i == 0 && in->form == FORM_DPP)
			permute(in, &o, exec);
		if (in->encoding != ENC_VOP3P)
			modify(in, &o, i);
	}
	x.a = o.p[0];
	x.b = o.p[1] ? o.p[1] : x.a;
	x.c = o.p[2] ? o.p[2] : x.a;
	if (op->flags & (VCC_IN | VCC_READ))
		lanes_expand(carry_in, valu_mask_source(w, in));
	in->lanes(&x);
	if (op->flags & (COMPARE | VCC_OUT | SDST)) {
		carry = lanes_mask(carry_out) & o.write;
		valu_write_mask(w, in->sd, carry);
		if (op->flags & COMPARE_EXEC)
			wave_set_s64(w, SGPR_EXEC, carry);
	}
	if (!dwords)
		return WAVE_NEXT;
	if ((in->omod || in->clamp) && type_is_float(op->d) && in->encoding != ENC_VOP3P)
		finish(w, in, &x);
	if (in->encoding == ENC_VOP3P)
		place_mixed(w, in, result[0]);
	else
		place(w, in, result[0]);
	valu_store(w->v + (in->d - OPERAND_VGPR), result, dwords, o.write);
	return WAVE_NEXT;
}

int run_valu(struct wave *w, const struct instruction *in)
{
	struct instruction moved;

	if (in->registers > w->num_vgprs)
		return illegal(w, in, "a VGPR beyond those of the wave");
	if (!(w->mode & MODE_GPR_IDX_EN))
		return compute(w, in);
	if (!indexed(w, in, &moved))
		return illegal(w, in, "an indexed VGPR beyond those of the wave");
	return compute(w, &moved);
}
