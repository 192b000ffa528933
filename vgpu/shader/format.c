// SPDX-License-Identifier: MIT
#include "text.h"
#include "execute.h"

#include <stdarg.h>
#include <stdio.h>

void text_add(struct text *t, const char *format, ...)
{
	size_t left = t->length < t->bytes ? t->bytes - t->length : 0;
	va_list arguments;

	va_start(arguments, format);
	t->length += (size_t)vsnprintf(left ? t->at + t->length : NULL, left, format, arguments);
	va_end(arguments);
}

void text_next(struct text *t)
{
	text_add(t, t->first ? " " : ", ");
	t->first = false;
}

static const char *pair_name(unsigned int operand)
{
	switch (operand) {
	case SGPR_FLAT_SCRATCH:
		return "flat_scratch";
	case SGPR_XNACK_MASK:
		return "xnack_mask";
	case SGPR_VCC:
		return "vcc";
	case SGPR_EXEC:
		return "exec";
	default:
		return NULL;
	}
}

static const char *const scalar_names[] = {
	[102] = "flat_scratch_lo", [103] = "flat_scratch_hi", [104] = "xnack_mask_lo",
	[105] = "xnack_mask_hi",   [106] = "vcc_lo",	      [107] = "vcc_hi",
	[124] = "m0",		   [126] = "exec_lo",	      [127] = "exec_hi",
};

void text_registers(struct text *t, unsigned int operand, unsigned int count)
{
	const char *name = count == 2 ? pair_name(operand) : NULL;
	const char *prefix = "s";

	if (operand >= OPERAND_VGPR) {
		prefix = "v";
		operand -= OPERAND_VGPR;
	} else if (operand >= SGPR_TTMP && operand < SGPR_M0) {
		prefix = "ttmp";
		operand -= SGPR_TTMP;
	} else if (count == 1 && operand < 128 && operand >= 102) {
		name = scalar_names[operand];
	}
	if (name)
		text_add(t, "%s", name);
	else if (count == 1)
		text_add(t, "%s%u", prefix, operand);
	else
		text_add(t, "%s[%u:%u]", prefix, operand, operand + count - 1);
}

static const char *const floats[] = { "0.5", "-0.5", "1.0", "-1.0", "2.0", "-2.0", "4.0", "-4.0" };

/* A literal is written as the inline constant that it equals. */
static void literal(struct text *t, uint32_t value, unsigned int type)
{
	static const uint32_t single[] = { 0x3f000000, 0xbf000000, 0x3f800000, 0xbf800000,
					   0x40000000, 0xc0000000, 0x40800000, 0xc0800000 };
	static const uint32_t half[] = { 0x3800, 0xb800, 0x3c00, 0xbc00,
					 0x4000, 0xc000, 0x4400, 0xc400 };
	const uint32_t *table = type_is_16(type) ? half : single;
	int32_t number = type_is_16(type) ? (int16_t)value : (int32_t)value;

	if (type_dwords(type) != 1) {
		text_add(t, "0x%x", value);
		return;
	}
	for (unsigned int i = 0; i < 8; i++) {
		if (table[i] == value) {
			text_add(t, "%s", floats[i]);
			return;
		}
	}
	if (number >= -16 && number <= 64)
		text_add(t, "%d", number);
	else if (value == (type_is_16(type) ? 0x3118 : 0x3e22f983))
		text_add(t, "0.15915494");
	else
		text_add(t, "0x%x", value);
}

static void constant(struct text *t, const struct instruction *in, unsigned int operand,
		     unsigned int type)
{
	static const char *const sources[] = {
		"src_shared_base",   "src_shared_limit",  "src_private_base",
		"src_private_limit", "src_pops_exiting_wave_id",
	};

	if (operand <= 192)
		text_add(t, "%u", operand - 128);
	else if (operand <= 208)
		text_add(t, "-%u", operand - 192);
	else if (operand >= 235 && operand <= 239)
		text_add(t, "%s", sources[operand - 235]);
	else if (operand >= 240 && operand <= 247)
		text_add(t, "%s", floats[operand - 240]);
	else if (operand == 248)
		text_add(t, type_dwords(type) == 2 ? "0.15915494309189532" : "0.15915494");
	else if (operand == 251)
		text_add(t, "src_vccz");
	else if (operand == 252)
		text_add(t, "src_execz");
	else if (operand == 253)
		text_add(t, "src_scc");
	else if (operand == 254)
		text_add(t, "src_lds_direct");
	else if (operand == OPERAND_LITERAL)
		literal(t, in->literal, type);
	else
		text_add(t, "operand_%u", operand);
}

void text_operand(struct text *t, const struct instruction *in, unsigned int operand,
		  unsigned int type)
{
	unsigned int dwords = type_dwords(type);

	if (operand >= OPERAND_VGPR || operand < 128)
		text_registers(t, operand, dwords ? dwords : 1);
	else
		constant(t, in, operand, type);
}

int format_instruction(const struct instruction *in, char *text, size_t bytes)
{
	struct text t = { .at = text, .bytes = bytes, .first = true };

	if (bytes)
		*text = '\0';
	if (!in->op) {
		text_add(&t, ".long 0x%08x", in->words[0]);
		return (int)t.length;
	}
	text_add(&t, "%s", in->op->name);
	switch (in->encoding) {
	case ENC_SOP1:
	case ENC_SOP2:
	case ENC_SOPC:
	case ENC_SOPK:
		format_salu(&t, in);
		break;
	case ENC_SOPP:
		format_sopp(&t, in);
		break;
	case ENC_VOP1:
	case ENC_VOP2:
	case ENC_VOPC:
	case ENC_VOP3:
	case ENC_VOP3P:
		format_vop(&t, in);
		break;
	default:
		format_memory(&t, in);
		break;
	}
	return (int)t.length;
}
