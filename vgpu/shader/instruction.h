/* SPDX-License-Identifier: MIT */
/* A decoded instruction, and what the tables in isa/ say about each opcode. */
#ifndef VGPU_SHADER_INSTRUCTION_H
#define VGPU_SHADER_INSTRUCTION_H

#include "wave.h"

enum encoding {
	ENC_SOP2, ENC_SOPK, ENC_SOP1, ENC_SOPC, ENC_SOPP, ENC_SMEM, ENC_VOP2, ENC_VOP1, ENC_VOPC,
	ENC_VOP3, ENC_VOP3P, ENC_VINTRP, ENC_DS, ENC_FLAT, ENC_MUBUF, ENC_MTBUF, ENC_MIMG, ENC_EXP,
	NUM_ENCODINGS,
};

/* What an operand is: its registers, which inline constants it has, and how VALU code reads it. */
enum operand_type {
	T_NONE, T_U32, T_I32, T_F32, T_U16, T_I16, T_F16, T_U64, T_I64, T_F64,
	T_U8, T_U4,		/* packed into 32 bits, of VOP3P */
	T_P16, T_PF16,		/* two halves, of VOP3P */
	T_S32, T_S64,		/* scalar registers */
	T_V96, T_V128, T_S128, T_S256, T_S512,
};

enum opcode_flags {
	VCC_IN = 1 << 0,      /* reads a lane mask: VCC, or src2 of VOP3 */
	VCC_OUT = 1 << 1,     /* writes a lane mask: VCC, or sdst of VOP3 */
	SDST = 1 << 2,	      /* VOP3 only: writes a lane mask to sdst */
	VCC_READ = 1 << 3,    /* reads VCC in every form */
	ACCUMULATE = 1 << 4,  /* D is an operand too */
	CONSTANT_B = 1 << 5,  /* a literal before the last operand */
	CONSTANT_C = 1 << 6,  /* a literal after it */
	KEEP_HIGH = 1 << 7,   /* a result of 16 bits keeps the other half of the register */
	OP_SEL = 1 << 8,      /* VOP3: op_sel chooses halves; implies KEEP_HIGH */
	MODIFIERS = 1 << 9,   /* abs and neg although operands are integers */
	COMPARE = 1 << 10,    /* the result is a lane mask */
	COMPARE_EXEC = 1 << 11,
	REFUSED = 1 << 12,    /* decoded but not executed */
	/* Memory instructions. */
	LOAD = 1 << 13, STORE = 1 << 14, ATOMIC = 1 << 15, NO_ADDRESS = 1 << 16, TWO = 1 << 17,
	RETURN = 1 << 18, FORMAT = 1 << 19, D16 = 1 << 20, D16_HIGH = 1 << 21, SIGNED = 1 << 22,
	STRIDE64 = 1 << 23, DATA2 = 1 << 24, GDS_ONLY = 1 << 25, BUFFER = 1 << 26,
};

struct instruction;
struct lanes;

/* What an instruction's function returns: an event, or this to go on with the next one. */
#define WAVE_NEXT (-1)

/* Called with pc past the instruction; on WAVE_FAULT and WAVE_ILLEGAL the caller sets it back. */
typedef int run_function(struct wave *wave, const struct instruction *instruction);
/* Computes the 64 lanes of a VALU instruction. */
typedef void lanes_function(struct lanes *lanes);

struct opcode {
	const char *name; /* NULL: there is no such opcode */
	uint32_t flags;
	uint8_t d, a, b, c; /* enum operand_type */
	uint8_t bytes;	    /* memory instructions: of an element */
	uint8_t atomic;	    /* enum atomic */
};

/* Sub-dword selectors of SDWA, and of DPP its control. */
enum { SEL_BYTE_0, SEL_BYTE_1, SEL_BYTE_2, SEL_BYTE_3, SEL_WORD_0, SEL_WORD_1, SEL_DWORD };
enum { UNUSED_PAD, UNUSED_SEXT, UNUSED_PRESERVE };

enum form { FORM_PLAIN, FORM_VOP3, FORM_SDWA, FORM_DPP };

struct instruction {
	run_function *run; /* NULL: not decoded yet */
	lanes_function *lanes;
	const struct opcode *op;
	uint8_t dwords, encoding, form;
	uint16_t number;    /* opcode */
	uint16_t registers; /* VGPRs that a wave must have */
	uint16_t d, sd;	    /* results, as operand numbers: 256 and up are VGPRs */
	uint16_t src[3];
	uint32_t literal;   /* of operand 255, or the constant of v_madmk */
	int32_t imm;	    /* simm16, or an address offset */
	uint8_t neg, abs, neg_hi, op_sel, op_sel_hi; /* a bit for each source; op_sel bit 3: D */
	uint8_t clamp, omod;
	uint8_t sel[2], sext, d_sel, d_unused; /* SDWA */
	uint16_t dpp;
	uint8_t bank_mask, row_mask, bound_ctrl;
	uint8_t glc, slc, nv, lds, gds, seg, offen, idxen, tfe, offset0, offset1, format;
	uint8_t float_class; /* enum float_class: the rounding and denormals that it runs with */
	uint32_t words[3];
};

enum float_class { FLOAT_NONE, FLOAT_32, FLOAT_64 };

#define MAX_INSTRUCTION_DWORDS 3
#define OPERAND_LITERAL	       255u
#define OPERAND_SDWA	       249u
#define OPERAND_DPP	       250u
#define OPERAND_VGPR	       256u

/*
 * Decodes the instruction that begins at words, of which count are there. The dwords it has, which
 * may be more than count: then it must be called again with as many. What is no instruction gets
 * op NULL and one dword; what is not executed has a run function that returns WAVE_ILLEGAL.
 */
unsigned int decode(struct instruction *instruction, const uint32_t *words, unsigned int count);

/* The opcode's entry, NULL if there is none. segment: of FLAT, 0 flat, 1 scratch, 2 global. */
const struct opcode *opcode_find(enum encoding encoding, unsigned int number, unsigned int segment);

/* The function that executes it; NULL if it is not executed. Sets lanes. */
run_function *execute_find(struct instruction *instruction);

/*
 * Writes the text of a decoded instruction as LLVM's disassembler has it. pc is only used for the
 * targets of branches. Returns its length, as snprintf() does.
 */
int format_instruction(const struct instruction *instruction, char *text, size_t bytes);

static inline unsigned int type_dwords(unsigned int type)
{
	switch (type) {
	case T_NONE:
		return 0;
	case T_U64:
	case T_I64:
	case T_F64:
	case T_S64:
		return 2;
	case T_V96:
		return 3;
	case T_V128:
	case T_S128:
		return 4;
	case T_S256:
		return 8;
	case T_S512:
		return 16;
	default:
		return 1;
	}
}

static inline bool type_is_float(unsigned int type)
{
	return type == T_F16 || type == T_F32 || type == T_F64;
}

static inline bool type_is_16(unsigned int type)
{
	return type == T_F16 || type == T_U16 || type == T_I16;
}

#endif
