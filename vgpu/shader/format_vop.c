// SPDX-License-Identifier: MIT
/* Text of VALU instructions. */
#include "text.h"
#include "execute.h"

enum { V_READFIRSTLANE = 0x02, V_SWAP = 0x51 };
enum { V_FMA_MIX = 0x20, V_FMA_MIXHI = 0x22, V_DOT2_F32_F16 = 0x23 };

static bool is_compare(const struct instruction *in)
{
	return in->op->flags & COMPARE;
}

static const char *suffix(const struct instruction *in)
{
	bool only_plain = in->op->flags & (CONSTANT_B | CONSTANT_C) || in->op->d == T_NONE;
	bool short_form = in->encoding != ENC_VOP3 || in->number < 0x1c0;

	if (in->form == FORM_SDWA)
		return "_sdwa";
	if (in->form == FORM_DPP)
		return "_dpp";
	if (in->encoding == ENC_VOP3P || !short_form)
		return "";
	if (in->form == FORM_VOP3)
		return "_e64";
	if (only_plain && !is_compare(in))
		return "";
	if (in->encoding == ENC_VOP1 && (in->number == V_READFIRSTLANE || in->number == V_SWAP))
		return "";
	return "_e32";
}

static bool is_constant(unsigned int operand)
{
	return operand >= 128 && operand < OPERAND_VGPR;
}

static void source(struct text *t, const struct instruction *in, unsigned int i, unsigned int type)
{
	bool neg = in->neg >> i & 1, abs = in->abs >> i & 1, sext = in->sext >> i & 1;
	bool packed = in->encoding == ENC_VOP3P;

	if (packed && in->number >= V_FMA_MIX && in->number <= V_FMA_MIXHI) {
		abs = in->neg_hi >> i & 1;
		type = T_F16;
	} else if (packed) {
		neg = false;
	}
	text_next(t);
	if (in->form == FORM_SDWA && sext) {
		text_add(t, "sext(");
		neg = abs = false;
	} else {
		sext = false;
	}
	if (neg && !abs && is_constant(in->src[i])) {
		text_add(t, "neg(");
		text_operand(t, in, in->src[i], type);
		text_add(t, ")");
		return;
	}
	text_add(t, "%s%s", neg ? "-" : "", abs ? "|" : "");
	text_operand(t, in, in->src[i], type);
	text_add(t, "%s%s", abs ? "|" : "", sext ? ")" : "");
}

static void mask_operand(struct text *t, const struct instruction *in, unsigned int operand)
{
	text_next(t);
	text_operand(t, in, operand, T_S64);
}

static void operands(struct text *t, const struct instruction *in)
{
	const struct opcode *op = in->op;
	bool e64 = in->form == FORM_VOP3;

	if (is_compare(in))
		mask_operand(t, in, in->sd);
	else if (op->d != T_NONE) {
		text_next(t);
		text_operand(t, in, in->d, op->d);
	}
	if (op->flags & (VCC_OUT | SDST))
		mask_operand(t, in, in->sd);
	if (op->a != T_NONE)
		source(t, in, 0, op->a);
	if (op->flags & CONSTANT_B) {
		text_next(t);
		text_add(t, "0x%x", in->literal);
	}
	if (op->b != T_NONE)
		source(t, in, 1, op->b);
	if (op->flags & CONSTANT_C) {
		text_next(t);
		text_add(t, "0x%x", in->literal);
	}
	if (op->c != T_NONE)
		source(t, in, 2, op->c);
	if (op->flags & VCC_IN)
		mask_operand(t, in, e64 ? in->src[2] : (unsigned int)SGPR_VCC);
}

static void bits(struct text *t, const char *name, unsigned int value, unsigned int count)
{
	text_add(t, " %s:[", name);
	for (unsigned int i = 0; i < count; i++)
		text_add(t, "%s%u", i ? "," : "", value >> i & 1);
	text_add(t, "]");
}

static unsigned int source_count(const struct opcode *op)
{
	return op->c != T_NONE ? 3 : op->b != T_NONE ? 2 : 1;
}

static void packed_modifiers(struct text *t, const struct instruction *in)
{
	unsigned int count = source_count(in->op), all = (1u << count) - 1;
	bool mixed = in->number >= V_FMA_MIX && in->number <= V_FMA_MIXHI;
	unsigned int usual = mixed ? 0 : all;

	if (in->op_sel & all)
		bits(t, "op_sel", in->op_sel, count);
	if ((in->op_sel_hi & all) != usual)
		bits(t, "op_sel_hi", in->op_sel_hi, count);
	if (!mixed && in->neg & all)
		bits(t, "neg_lo", in->neg, count);
	if (!mixed && in->neg_hi & all)
		bits(t, "neg_hi", in->neg_hi, count);
	if (in->clamp)
		text_add(t, " clamp");
}

static void output_modifiers(struct text *t, const struct instruction *in)
{
	static const char *const omod[] = { "", " mul:2", " mul:4", " div:2" };

	if (in->clamp)
		text_add(t, " clamp");
	text_add(t, "%s", omod[in->omod]);
}

static void vop3_modifiers(struct text *t, const struct instruction *in)
{
	unsigned int count = source_count(in->op);
	unsigned int sel = (in->op_sel & ((1u << count) - 1)) | (in->op_sel >> 3 & 1u) << count;

	if (in->op->flags & OP_SEL && sel)
		bits(t, "op_sel", sel, count + 1);
	output_modifiers(t, in);
}

static void sdwa_modifiers(struct text *t, const struct instruction *in)
{
	static const char *const sel[] = { "BYTE_0", "BYTE_1", "BYTE_2", "BYTE_3",
					   "WORD_0", "WORD_1", "DWORD",	 "7" };
	static const char *const unused[] = { "UNUSED_PAD", "UNUSED_SEXT", "UNUSED_PRESERVE", "3" };

	output_modifiers(t, in);
	if (!is_compare(in))
		text_add(t, " dst_sel:%s dst_unused:%s", sel[in->d_sel], unused[in->d_unused]);
	text_add(t, " src0_sel:%s", sel[in->sel[0]]);
	if (in->op->b != T_NONE)
		text_add(t, " src1_sel:%s", sel[in->sel[1]]);
}

static void dpp_control(struct text *t, unsigned int control)
{
	static const char *const names[] = { "row_mirror", "row_half_mirror", "row_bcast:15",
					     "row_bcast:31" };

	if (control < 0x100)
		text_add(t, " quad_perm:[%u,%u,%u,%u]", control & 3, control >> 2 & 3,
			 control >> 4 & 3, control >> 6);
	else if (control > 0x100 && control < 0x110)
		text_add(t, " row_shl:%u", control & 15);
	else if (control > 0x110 && control < 0x120)
		text_add(t, " row_shr:%u", control & 15);
	else if (control > 0x120 && control < 0x130)
		text_add(t, " row_ror:%u", control & 15);
	else if (control == 0x130 || control == 0x134 || control == 0x138 || control == 0x13c)
		text_add(t, " wave_%s:1",
			 control == 0x130 ? "shl" :
			 control == 0x134 ? "rol" :
			 control == 0x138 ? "shr" :
					    "ror");
	else if (control >= 0x140 && control <= 0x143)
		text_add(t, " %s", names[control - 0x140]);
	else
		text_add(t, " /* Invalid dpp_ctrl value */");
}

static void dpp_modifiers(struct text *t, const struct instruction *in)
{
	dpp_control(t, in->dpp);
	text_add(t, " row_mask:0x%x bank_mask:0x%x", in->row_mask, in->bank_mask);
	if (in->bound_ctrl)
		text_add(t, " bound_ctrl:1");
}

void format_vop(struct text *t, const struct instruction *in)
{
	text_add(t, "%s", suffix(in));
	operands(t, in);
	if (in->encoding == ENC_VOP3P)
		packed_modifiers(t, in);
	else if (in->form == FORM_VOP3)
		vop3_modifiers(t, in);
	else if (in->form == FORM_SDWA)
		sdwa_modifiers(t, in);
	else if (in->form == FORM_DPP)
		dpp_modifiers(t, in);
}
