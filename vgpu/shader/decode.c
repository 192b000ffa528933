// SPDX-License-Identifier: MIT
/* From the bits of an instruction to its fields (Vega ISA, "Microcode Formats"). */
#include "execute.h"
#include "lanes.h"
#include "atomic_op.h"

#define BITS(word, high, low) ((word) >> (low) & ((2u << ((high) - (low))) - 1))
#define BIT(word, bit)	      ((uint8_t)((word) >> (bit) & 1))

/* The lowest of count aligned registers: pairs and more begin at a multiple of 2 or 4. */
static uint16_t aligned(unsigned int operand, unsigned int type)
{
	unsigned int dwords = type_dwords(type);

	if (operand < 128 && dwords >= 2)
		operand &= dwords == 2 ? ~1u : ~3u;
	return (uint16_t)operand;
}

static void set_source(struct instruction *in, unsigned int i, unsigned int operand,
		       unsigned int type)
{
	in->src[i] = aligned(operand, type);
	if (operand == OPERAND_LITERAL)
		in->dwords = 2;
}

static void decode_sop2(struct instruction *in, uint32_t word)
{
	in->d = aligned(BITS(word, 22, 16), in->op->d);
	set_source(in, 0, BITS(word, 7, 0), in->op->a);
	set_source(in, 1, BITS(word, 15, 8), in->op->b);
}

static void decode_sop1(struct instruction *in, uint32_t word)
{
	in->d = aligned(BITS(word, 22, 16), in->op->d);
	if (in->op->a != T_NONE)
		set_source(in, 0, BITS(word, 7, 0), in->op->a);
}

#define S_SET_GPR_IDX_ON 0x11

static void decode_sopc(struct instruction *in, uint32_t word)
{
	set_source(in, 0, BITS(word, 7, 0), in->op->a);
	if (in->number == S_SET_GPR_IDX_ON)
		in->src[1] = (uint16_t)BITS(word, 15, 8);
	else
		set_source(in, 1, BITS(word, 15, 8), in->op->b);
}

#define S_SETREG_IMM32 0x14

static void decode_sopk(struct instruction *in, uint32_t word)
{
	in->d = aligned(BITS(word, 22, 16), in->op->d);
	in->imm = (int16_t)word;
	in->dwords = in->number == S_SETREG_IMM32 ? 2 : 1;
}

static void decode_smem(struct instruction *in, const uint32_t *words)
{
	in->src[0] = (uint16_t)(BITS(words[0], 5, 0) << 1);
	if (in->op->a == T_S128)
		in->src[0] &= ~3u;
	in->d = aligned(BITS(words[0], 12, 6), in->op->d);
	in->glc = BIT(words[0], 16);
	in->nv = BIT(words[0], 15);
	in->idxen = BIT(words[0], 17); /* an immediate offset */
	in->offen = BIT(words[0], 14); /* a register offset as well */
	in->imm = (int32_t)(words[1] << 11) >> 11;
	if (in->offen)
		in->src[1] = (uint16_t)BITS(words[1], 31, 25);
	else if (!in->idxen)
		in->src[1] = (uint16_t)BITS(words[1], 6, 0);
	in->dwords = 2;
}

static void decode_sdwa(struct instruction *in, uint32_t word)
{
	in->form = FORM_SDWA;
	in->dwords = 2;
	in->src[0] = (uint16_t)(BITS(word, 7, 0) + (BIT(word, 23) ? 0 : OPERAND_VGPR));
	if (BIT(word, 31) && in->src[1] >= OPERAND_VGPR)
		in->src[1] -= OPERAND_VGPR;
	in->sel[0] = (uint8_t)BITS(word, 18, 16);
	in->sel[1] = (uint8_t)BITS(word, 26, 24);
	in->sext = (uint8_t)(BIT(word, 19) | BIT(word, 27) << 1);
	in->neg = (uint8_t)(BIT(word, 20) | BIT(word, 28) << 1);
	in->abs = (uint8_t)(BIT(word, 21) | BIT(word, 29) << 1);
	in->d_sel = SEL_DWORD;
	if (in->op->flags & COMPARE) {
		in->sd = BIT(word, 15) ? aligned(BITS(word, 14, 8), T_S64) : SGPR_VCC;
	} else {
		in->d_sel = (uint8_t)BITS(word, 10, 8);
		in->d_unused = (uint8_t)BITS(word, 12, 11);
		in->omod = (uint8_t)BITS(word, 15, 14);
	}
	in->clamp = BIT(word, 13) && !(in->op->flags & COMPARE);
}

static void decode_dpp(struct instruction *in, uint32_t word)
{
	in->form = FORM_DPP;
	in->dwords = 2;
	in->src[0] = (uint16_t)(BITS(word, 7, 0) + OPERAND_VGPR);
	in->dpp = (uint16_t)BITS(word, 16, 8);
	in->bound_ctrl = BIT(word, 19);
	in->neg = (uint8_t)(BIT(word, 20) | BIT(word, 22) << 1);
	in->abs = (uint8_t)(BIT(word, 21) | BIT(word, 23) << 1);
	in->bank_mask = (uint8_t)BITS(word, 27, 24);
	in->row_mask = (uint8_t)BITS(word, 31, 28);
}

/* VOP1, VOP2, VOPC: src0 may say that another dword follows. */
static void decode_vop(struct instruction *in, const uint32_t *words)
{
	unsigned int src0 = BITS(words[0], 8, 0);

	in->d = (uint16_t)(BITS(words[0], 24, 17) + (in->op->d == T_S32 ? 0 : OPERAND_VGPR));
	if (in->encoding != ENC_VOP1)
		in->src[1] = (uint16_t)(BITS(words[0], 16, 9) + OPERAND_VGPR);
	if (in->encoding == ENC_VOPC || in->op->flags & VCC_OUT)
		in->sd = SGPR_VCC;
	in->src[2] = SGPR_VCC;
	if (in->op->flags & ACCUMULATE)
		in->src[2] = in->d;
	if (in->op->flags & (CONSTANT_B | CONSTANT_C)) {
		in->src[2] = OPERAND_LITERAL;
		in->dwords = 2;
	}
	if (src0 == OPERAND_SDWA)
		decode_sdwa(in, words[1]);
	else if (src0 == OPERAND_DPP)
		decode_dpp(in, words[1]);
	else
		set_source(in, 0, src0, in->op->a);
}

static void decode_vop3(struct instruction *in, const uint32_t *words)
{
	bool has_sdst = in->op->flags & (VCC_OUT | SDST);

	in->form = FORM_VOP3;
	in->dwords = 2;
	in->d = (uint16_t)(BITS(words[0], 7, 0) + OPERAND_VGPR);
	in->clamp = BIT(words[0], 15);
	if (has_sdst) {
		in->sd = aligned(BITS(words[0], 14, 8), T_S64);
	} else {
		in->abs = (uint8_t)BITS(words[0], 10, 8);
		in->op_sel = (uint8_t)BITS(words[0], 14, 11);
	}
	in->src[0] = aligned(BITS(words[1], 8, 0), in->op->a);
	in->src[1] = aligned(BITS(words[1], 17, 9), in->op->b);
	in->src[2] = aligned(BITS(words[1], 26, 18), in->op->flags & VCC_IN ? T_S64 : in->op->c);
	in->omod = (uint8_t)BITS(words[1], 28, 27);
	in->neg = (uint8_t)BITS(words[1], 31, 29);
	if (in->op->flags & COMPARE)
		in->sd = aligned(BITS(words[0], 7, 0), T_S64);
	if (in->op->d == T_S32)
		in->d = (uint16_t)BITS(words[0], 7, 0);
	if (in->op->flags & ACCUMULATE)
		in->src[2] = in->d;
}

static void decode_vop3p(struct instruction *in, const uint32_t *words)
{
	in->form = FORM_VOP3;
	in->dwords = 2;
	in->d = (uint16_t)(BITS(words[0], 7, 0) + OPERAND_VGPR);
	in->neg_hi = (uint8_t)BITS(words[0], 10, 8);
	in->op_sel = (uint8_t)BITS(words[0], 13, 11);
	in->op_sel_hi = (uint8_t)(BITS(words[1], 28, 27) | BIT(words[0], 14) << 2);
	in->clamp = BIT(words[0], 15);
	in->src[0] = (uint16_t)BITS(words[1], 8, 0);
	in->src[1] = (uint16_t)BITS(words[1], 17, 9);
	in->src[2] = (uint16_t)BITS(words[1], 26, 18);
	in->neg = (uint8_t)BITS(words[1], 31, 29);
}

static void decode_ds(struct instruction *in, const uint32_t *words)
{
	in->dwords = 2;
	in->offset0 = (uint8_t)BITS(words[0], 7, 0);
	in->offset1 = (uint8_t)BITS(words[0], 15, 8);
	in->imm = (int32_t)BITS(words[0], 15, 0);
	in->gds = BIT(words[0], 16);
	in->src[0] = (uint16_t)(BITS(words[1], 7, 0) + OPERAND_VGPR);
	in->src[1] = (uint16_t)(BITS(words[1], 15, 8) + OPERAND_VGPR);
	in->src[2] = (uint16_t)(BITS(words[1], 23, 16) + OPERAND_VGPR);
	in->d = (uint16_t)(BITS(words[1], 31, 24) + OPERAND_VGPR);
}

static void decode_flat(struct instruction *in, const uint32_t *words)
{
	in->dwords = 2;
	in->seg = (uint8_t)BITS(words[0], 15, 14);
	/* Flat has 12 bits without a sign. */
	in->imm = in->seg ? (int32_t)(words[0] << 19) >> 19 : (int32_t)BITS(words[0], 11, 0);
	in->lds = BIT(words[0], 13);
	in->glc = BIT(words[0], 16);
	in->slc = BIT(words[0], 17);
	in->nv = BIT(words[1], 23);
	in->src[0] = (uint16_t)(BITS(words[1], 7, 0) + OPERAND_VGPR);
	in->src[1] = (uint16_t)(BITS(words[1], 15, 8) + OPERAND_VGPR);
	in->src[2] = (uint16_t)BITS(words[1], 22, 16);
	if (in->seg == 2 && in->src[2] != 127)
		in->src[2] &= ~1u;
	in->d = (uint16_t)(BITS(words[1], 31, 24) + OPERAND_VGPR);
}

static void decode_buffer(struct instruction *in, const uint32_t *words)
{
	in->dwords = 2;
	in->imm = (int32_t)BITS(words[0], 11, 0);
	in->offen = BIT(words[0], 12);
	in->idxen = BIT(words[0], 13);
	in->glc = BIT(words[0], 14);
	in->src[0] = (uint16_t)(BITS(words[1], 7, 0) + OPERAND_VGPR);
	in->d = (uint16_t)(BITS(words[1], 15, 8) + OPERAND_VGPR);
	in->src[1] = (uint16_t)(BITS(words[1], 20, 16) << 2);
	in->src[2] = (uint16_t)BITS(words[1], 31, 24);
	in->tfe = BIT(words[1], 23);
	if (in->encoding == ENC_MTBUF) {
		in->format = (uint8_t)BITS(words[0], 25, 19);
		in->slc = BIT(words[1], 22);
	} else {
		in->lds = BIT(words[0], 16);
		in->slc = BIT(words[0], 17);
	}
}

/* Which encoding a first dword has, and the opcode. */
static enum encoding classify(uint32_t word, unsigned int *number, unsigned int *dwords)
{
	*dwords = 1;
	switch (BITS(word, 31, 23)) {
	case 0x17d:
		*number = BITS(word, 15, 8);
		return ENC_SOP1;
	case 0x17e:
		*number = BITS(word, 22, 16);
		return ENC_SOPC;
	case 0x17f:
		*number = BITS(word, 22, 16);
		return ENC_SOPP;
	case 0x1a7:
		*dwords = 2;
		*number = BITS(word, 22, 16);
		return ENC_VOP3P;
	default:
		break;
	}
	if (!BIT(word, 31)) {
		*number = BITS(word, 30, 25);
		if (*number == 63) {
			*number = BITS(word, 16, 9);
			return ENC_VOP1;
		}
		if (*number == 62) {
			*number = BITS(word, 24, 17);
			return ENC_VOPC;
		}
		return ENC_VOP2;
	}
	if (BITS(word, 31, 28) == 0xb) {
		*number = BITS(word, 27, 23);
		return ENC_SOPK;
	}
	if (BITS(word, 31, 30) == 2) {
		*number = BITS(word, 29, 23);
		return ENC_SOP2;
	}
	*dwords = 2;
	switch (BITS(word, 31, 26)) {
	case 0x30:
		*number = BITS(word, 25, 18);
		return ENC_SMEM;
	case 0x34:
		*number = BITS(word, 25, 16);
		return ENC_VOP3;
	case 0x36:
		*number = BITS(word, 24, 17);
		return ENC_DS;
	case 0x37:
		*number = BITS(word, 24, 18);
		return ENC_FLAT;
	case 0x38:
		*number = BITS(word, 24, 18);
		return ENC_MUBUF;
	case 0x3a:
		*number = BITS(word, 18, 15);
		return ENC_MTBUF;
	default:
		*dwords = 1;
		return NUM_ENCODINGS;
	}
}

static void decode_fields(struct instruction *in, const uint32_t *words)
{
	switch (in->encoding) {
	case ENC_SOP2:
		decode_sop2(in, words[0]);
		break;
	case ENC_SOP1:
		decode_sop1(in, words[0]);
		break;
	case ENC_SOPC:
		decode_sopc(in, words[0]);
		break;
	case ENC_SOPK:
		decode_sopk(in, words[0]);
		break;
	case ENC_SOPP:
		in->imm = (int16_t)words[0];
		break;
	case ENC_SMEM:
		decode_smem(in, words);
		break;
	case ENC_VOP1:
	case ENC_VOP2:
	case ENC_VOPC:
		decode_vop(in, words);
		break;
	case ENC_VOP3:
		decode_vop3(in, words);
		break;
	case ENC_VOP3P:
		decode_vop3p(in, words);
		break;
	case ENC_DS:
		decode_ds(in, words);
		break;
	case ENC_FLAT:
		decode_flat(in, words);
		break;
	default:
		decode_buffer(in, words);
		break;
	}
}

static void need_register(struct instruction *in, unsigned int operand, unsigned int dwords)
{
	unsigned int last = operand - OPERAND_VGPR + dwords;

	if (operand >= OPERAND_VGPR && dwords && last > in->registers)
		in->registers = (uint16_t)last;
}

/* The VGPRs that the instruction names. */
static void count_registers(struct instruction *in)
{
	const struct opcode *op = in->op;
	unsigned int data = type_dwords(op->d);

	switch (in->encoding) {
	case ENC_VOP1:
	case ENC_VOP2:
	case ENC_VOPC:
	case ENC_VOP3:
	case ENC_VOP3P:
		need_register(in, in->d, data);
		need_register(in, in->src[0], type_dwords(op->a));
		need_register(in, in->src[1], type_dwords(op->b));
		need_register(in, in->src[2], op->flags & VCC_IN ? 0 : type_dwords(op->c));
		break;
	case ENC_DS:
		if (!(op->flags & NO_ADDRESS))
			need_register(in, in->src[0], 1);
		if (op->flags & (STORE | ATOMIC))
			need_register(in, in->src[1], data);
		if (op->flags & DATA2)
			need_register(in, in->src[2], data);
		if (op->flags & (LOAD | RETURN))
			need_register(in, in->d, op->flags & TWO && op->flags & ATOMIC ? 2 * data : data);
		break;
	case ENC_FLAT:
		need_register(in, in->src[0], in->seg == 1 || in->src[2] != 127 ? 1 : 2);
		need_register(in, in->src[1], op->flags & (STORE | ATOMIC) ? data : 0);
		need_register(in, in->d, op->flags & LOAD || in->glc ? data : 0);
		if (in->seg == 0)
			need_register(in, in->src[0], 2);
		break;
	case ENC_MUBUF:
	case ENC_MTBUF:
		need_register(in, in->src[0], in->offen + in->idxen);
		need_register(in, in->d, in->lds ? 0 : data + in->tfe);
		break;
	default:
		break;
	}
}

static uint8_t float_class(const struct instruction *in)
{
	unsigned int d = in->op->d, a = in->op->a;

	if (in->encoding == ENC_DS)
		return in->op->atomic >= ATOMIC_FCMPST && in->op->atomic <= ATOMIC_FADD ? FLOAT_32 :
											  FLOAT_NONE;
	if (in->encoding < ENC_VOP2 || in->encoding > ENC_VOP3P)
		return FLOAT_NONE;
	if (d == T_F32)
		return FLOAT_32;
	if (d == T_F16 || d == T_F64 || d == T_PF16 || a == T_F16 || a == T_F64)
		return FLOAT_64;
	return a == T_F32 ? FLOAT_32 : FLOAT_NONE;
}

static int run_unknown(struct wave *wave, const struct instruction *in)
{
	return illegal(wave, in, in->op ? "instruction is not executed" : "unknown instruction");
}

/* What has no meaning although the opcode does. */
static bool valid(const struct instruction *in)
{
	bool vop3 = in->encoding == ENC_VOP3 || in->encoding == ENC_VOP3P;

	for (unsigned int i = 0; vop3 && i < 3; i++) {
		if (in->src[i] == OPERAND_LITERAL && !(in->op->flags & ACCUMULATE && i == 2))
			return false;
	}
	if (in->form == FORM_DPP && (type_dwords(in->op->a) != 1 || type_dwords(in->op->d) > 1))
		return false;
	return true;
}

unsigned int decode(struct instruction *in, const uint32_t *words, unsigned int count)
{
	unsigned int number = 0, dwords;
	enum encoding encoding = classify(words[0], &number, &dwords);
	uint32_t zero[MAX_INSTRUCTION_DWORDS] = { 0 };
	run_function *run;

	memset(in, 0, sizeof(*in));
	in->run = run_unknown;
	in->dwords = 1;
	in->encoding = (uint8_t)encoding;
	in->number = (uint16_t)number;
	memcpy(zero, words, 4 * (count < MAX_INSTRUCTION_DWORDS ? count : MAX_INSTRUCTION_DWORDS));
	memcpy(in->words, zero, sizeof(zero));
	in->op = opcode_find(encoding, number, BITS(words[0], 15, 14));
	if (!in->op)
		return 1;
	if (dwords > count)
		return dwords;
	decode_fields(in, zero);
	if (in->dwords > count)
		return in->dwords;
	if (!valid(in)) {
		in->op = NULL;
		in->dwords = 1;
		return 1;
	}
	if (in->dwords == 2)
		in->literal = zero[1];
	count_registers(in);
	in->float_class = float_class(in);
	run = execute_find(in);
	if (run)
		in->run = run;
	return in->dwords;
}
