// SPDX-License-Identifier: MIT
/* Text of SMEM, DS, FLAT, MUBUF and MTBUF. */
#include "text.h"
#include "execute.h"

enum { S_ATC_PROBE = 0x26, S_ATC_PROBE_BUFFER = 0x27, DS_SWIZZLE = 0x3d };

static void operand(struct text *t, const struct instruction *in, unsigned int number,
		    unsigned int type)
{
	text_next(t);
	text_operand(t, in, number, type);
}

static void cache_modifiers(struct text *t, const struct instruction *in)
{
	if (in->glc)
		text_add(t, " glc");
	if (in->slc)
		text_add(t, " slc");
}

static void format_smem(struct text *t, const struct instruction *in)
{
	if (in->number == S_ATC_PROBE || in->number == S_ATC_PROBE_BUFFER) {
		text_next(t);
		text_add(t, "%u", in->words[0] >> 6 & 127);
	} else if (in->op->d != T_NONE) {
		operand(t, in, in->d, in->op->d);
	}
	if (in->op->flags & NO_ADDRESS)
		return;
	operand(t, in, in->src[0], in->op->a);
	if (in->offen) {
		operand(t, in, in->src[1], T_U32);
		if (in->idxen)
			text_add(t, " offset:%s0x%x", in->imm < 0 ? "-" : "",
				 in->imm < 0 ? -in->imm : in->imm);
	} else if (in->idxen) {
		text_next(t);
		text_add(t, "%s0x%x", in->imm < 0 ? "-" : "", in->imm < 0 ? -in->imm : in->imm);
	} else {
		operand(t, in, in->src[1], T_U32);
	}
	if (in->glc)
		text_add(t, " glc");
}

/* Names for the common patterns of ds_swizzle; groups of a power of 2. */
static bool group_pattern(struct text *t, unsigned int keep, unsigned int set, unsigned int flip)
{
	if (!set && keep == 31 && flip && !(flip & (flip - 1))) {
		text_add(t, "swizzle(SWAP,%u)", flip);
		return true;
	}
	if (!set && keep == 31 && flip && !(flip & (flip + 1))) {
		text_add(t, "swizzle(REVERSE,%u)", flip + 1);
		return true;
	}
	if (!flip && (((~keep & 31) + 1) & ~keep & 31) == 0 && set < (~keep & 31) + 1 && keep != 31) {
		text_add(t, "swizzle(BROADCAST,%u,%u)", (~keep & 31) + 1, set);
		return true;
	}
	return false;
}

static void swizzle(struct text *t, unsigned int offset)
{
	unsigned int keep = offset & 31, set = offset >> 5 & 31, flip = offset >> 10 & 31;

	text_add(t, " offset:");
	if ((offset & 0xff00) == 0x8000) {
		text_add(t, "swizzle(QUAD_PERM,%u,%u,%u,%u)", offset & 3, offset >> 2 & 3,
			 offset >> 4 & 3, offset >> 6 & 3);
		return;
	}
	if (offset & 0x8000) {
		text_add(t, "%u", offset);
		return;
	}
	if (group_pattern(t, keep, set, flip))
		return;
	text_add(t, "swizzle(BITMASK_PERM,\"");
	for (unsigned int i = 5; i-- > 0;) {
		unsigned int zero = (set ^ flip) >> i & 1, one = ((keep | set) ^ flip) >> i & 1;

		text_add(t, "%s", zero == one ? (zero ? "1" : "0") : zero ? "i" : "p");
	}
	text_add(t, "\")");
}

static void format_ds(struct text *t, const struct instruction *in)
{
	const struct opcode *op = in->op;
	bool result = op->flags & (LOAD | RETURN);
	bool doubled = op->flags & TWO && op->flags & ATOMIC;
	unsigned int d = doubled ? (op->d == T_U64 ? T_V128 : T_U64) : op->d;

	if (result)
		operand(t, in, in->d, d);
	if (!(op->flags & NO_ADDRESS))
		operand(t, in, in->src[0], T_U32);
	if (op->flags & (STORE | ATOMIC))
		operand(t, in, in->src[1], op->d);
	if (op->flags & DATA2)
		operand(t, in, in->src[2], op->d);
	if (op->flags & TWO) {
		if (in->offset0)
			text_add(t, " offset0:%u", in->offset0);
		if (in->offset1)
			text_add(t, " offset1:%u", in->offset1);
	} else if (in->number == DS_SWIZZLE) {
		if (in->imm)
			swizzle(t, (uint32_t)in->imm);
	} else if (in->imm) {
		text_add(t, " offset:%d", in->imm);
	}
	if (in->gds)
		text_add(t, " gds");
}

#define NO_SADDR 127u

static void flat_address(struct text *t, const struct instruction *in)
{
	bool saddr = in->seg && in->src[2] != NO_SADDR;

	text_next(t);
	if (in->seg == 1 && saddr)
		text_add(t, "off");
	else
		text_operand(t, in, in->src[0], in->seg == 1 || saddr ? T_U32 : T_U64);
}

static void flat_scalar(struct text *t, const struct instruction *in)
{
	if (!in->seg)
		return;
	text_next(t);
	if (in->src[2] == NO_SADDR)
		text_add(t, "off");
	else
		text_operand(t, in, in->src[2], in->seg == 1 ? T_U32 : T_S64);
}

static void format_flat(struct text *t, const struct instruction *in)
{
	const struct opcode *op = in->op;
	unsigned int value = op->d;

	/* A compare-and-swap returns one of its two values. */
	if (op->flags & ATOMIC && in->glc)
		value = op->bytes == 8 ? T_U64 : T_U32;
	if (op->flags & LOAD || (op->flags & ATOMIC && in->glc))
		operand(t, in, in->d, value);
	flat_address(t, in);
	if (op->flags & (STORE | ATOMIC))
		operand(t, in, in->src[1], op->d);
	flat_scalar(t, in);
	if (in->imm)
		text_add(t, " offset:%d", in->imm);
	cache_modifiers(t, in);
}

static void buffer_format(struct text *t, unsigned int format)
{
	static const char *const data[] = {
		"INVALID", "8", "16", "8_8", "32", "16_16", "10_11_11", "11_11_10", "10_10_10_2",
		"2_10_10_10", "8_8_8_8", "32_32", "16_16_16_16", "32_32_32", "32_32_32_32",
		"RESERVED_15" };
	static const char *const number[] = { "UNORM", "SNORM", "USCALED", "SSCALED", "UINT",
					      "SINT", "RESERVED_6", "FLOAT" };
	unsigned int d = format & 15, n = format >> 4 & 7;

	if (d == 1 && n == 0)
		return;
	text_add(t, " format:[");
	if (d != 1)
		text_add(t, "BUF_DATA_FORMAT_%s%s", data[d], n ? "," : "");
	if (n)
		text_add(t, "BUF_NUM_FORMAT_%s", number[n]);
	text_add(t, "]");
}

static void format_buffer(struct text *t, const struct instruction *in)
{
	const struct opcode *op = in->op;

	if (op->flags & NO_ADDRESS)
		return;
	if (!in->lds)
		operand(t, in, in->d, op->d);
	text_next(t);
	if (in->offen || in->idxen)
		text_operand(t, in, in->src[0], in->offen && in->idxen ? T_U64 : T_U32);
	else
		text_add(t, "off");
	operand(t, in, in->src[1], T_S128);
	operand(t, in, in->src[2], T_U32);
	if (in->encoding == ENC_MTBUF)
		buffer_format(t, in->format);
	if (in->idxen)
		text_add(t, " idxen");
	if (in->offen)
		text_add(t, " offen");
	if (in->imm)
		text_add(t, " offset:%d", in->imm);
	cache_modifiers(t, in);
	if (in->tfe)
		text_add(t, " tfe");
	if (in->lds)
		text_add(t, " lds");
}

void format_memory(struct text *t, const struct instruction *in)
{
	switch (in->encoding) {
	case ENC_SMEM:
		format_smem(t, in);
		break;
	case ENC_DS:
		format_ds(t, in);
		break;
	case ENC_FLAT:
		format_flat(t, in);
		break;
	default:
		format_buffer(t, in);
		break;
	}
}
