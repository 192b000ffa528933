// SPDX-License-Identifier: MIT
/* The tables of isa/ as arrays: names, operands and flags by encoding and number. */
#include "instruction.h"
#include "atomic_op.h"

#define OP(index, text, op_flags, D, A, B, C)                                                      \
	[index] = { .name = text, .flags = op_flags, .d = T_##D, .a = T_##A, .b = T_##B, .c = T_##C },
#define MEMORY(index, text, op_flags, size, D, A, op)                                              \
	[index] = { .name = text, .flags = op_flags, .d = T_##D, .a = T_##A, .bytes = size,        \
		    .atomic = ATOMIC_##op },

static const struct opcode sop2[128] = {
#define S2(number, name, D, A, B, ...) OP(number, #name, 0, D, A, B, NONE)
#define X2(number, name, D, A, B)      OP(number, #name, REFUSED, D, A, B, NONE)
#include "isa/sop2.def"
};

static const struct opcode sop1[256] = {
#define S1(number, name, D, A, ...)	 OP(number, #name, 0, D, A, NONE, NONE)
#define X1(number, name, D, A, function) OP(number, #name, 0, D, A, NONE, NONE)
#include "isa/sop1.def"
#undef S1
#undef X1
};

static const struct opcode sopc[128] = {
#define SC(number, name, A, B, condition) OP(number, #name, 0, NONE, A, B, NONE)
#define XC(number, name, A, B, function)  OP(number, #name, 0, NONE, A, B, NONE)
#include "isa/sopc.def"
};

static const struct opcode sopk[32] = {
#define SK(number, name, D, ...)      OP(number, #name, 0, D, NONE, NONE, NONE)
#define XK(number, name, D, function) OP(number, #name, 0, D, NONE, NONE, NONE)
#include "isa/sopk.def"
};

static const struct opcode sopp[128] = {
#define SP(number, name, function) OP(number, #name, 0, NONE, NONE, NONE, NONE)
#include "isa/sopp.def"
};

static const struct opcode smem[256] = {
#define SM(number, name, op_flags, D, A, op) MEMORY(number, #name, op_flags, 0, D, A, op)
#include "isa/smem.def"
};

static const struct opcode vop1[256] = {
#define V0(number, name)		  OP(number, #name, 0, NONE, NONE, NONE, NONE)
#define V1(number, name, D, A, flags, ...) OP(number, #name, flags, D, A, NONE, NONE)
#define X1(number, name, D, A)		  OP(number, #name, REFUSED, D, A, NONE, NONE)
#define S1(number, name, D, A)		  OP(number, #name, 0, D, A, NONE, NONE)
#include "isa/vop1.def"
};

static const struct opcode vop2[64] = {
#define V2(number, name, D, A, B, flags, ...) OP(number, #name, flags, D, A, B, NONE)
#include "isa/vop2.def"
};

static const struct opcode vopc[256] = {
#define VC(number, exec, name, A, B, ...)                                                          \
	OP(number, "v_cmp_" #name, COMPARE, NONE, A, B, NONE)                                      \
	OP((number) + (exec), "v_cmpx_" #name, COMPARE | COMPARE_EXEC, NONE, A, B, NONE)
#include "isa/vopc.def"
};

static const struct opcode vop3[1024] = {
#define V3(number, name, D, A, B, C, flags, ...) OP(number, #name, flags, D, A, B, C)
#define VX(number, name)			 OP(number, #name, REFUSED, U32, U32, U32, U32)
#define VS(number, name, D, A, B, C)		 OP(number, #name, 0, D, A, B, C)
#include "isa/vop3.def"
};

static const struct opcode vop3p[128] = {
#define T_PNONE T_NONE
#define T_PU16	T_P16
#define T_PI16	T_P16
#define T_PF32	T_F32
#define VP(number, name, D, A, B, C, ...) OP(number, #name, 0, P##D, P##A, P##B, P##C)
#define VM(number, name, D)		  OP(number, #name, MODIFIERS, D, PF16, PF16, PF16)
#define VD(number, name, D, A, C, ...)	  OP(number, #name, 0, D, PF##A, PF##A, C)
#define T_PFF16 T_PF16
#define T_PFU16 T_P16
#define T_PFU8	T_U8
#define T_PFU4	T_U4
#include "isa/vop3p.def"
};

static const struct opcode ds[256] = {
#define DS(number, name, op_flags, size, D, op) MEMORY(number, #name, op_flags, size, D, U32, op)
#include "isa/ds.def"
};

#define FM(number, name, op_flags, size, D, op)                                                    \
	MEMORY(number, PREFIX #name, op_flags, size, D, U64, op)
static const struct opcode flat[3][128] = {
	{
#define PREFIX "flat_"
#include "isa/flat.def"
#undef PREFIX
	}, {
#define PREFIX "scratch_"
#include "isa/flat.def"
#undef PREFIX
	}, {
#define PREFIX "global_"
#include "isa/flat.def"
#undef PREFIX
	},
};

static const struct opcode mubuf[128] = {
#define MU(number, name, op_flags, size, D, op) MEMORY(number, #name, op_flags, size, D, S128, op)
#include "isa/mubuf.def"
};

static const struct opcode mtbuf[16] = {
#define MT(number, name, op_flags, size, D, op) MEMORY(number, #name, op_flags, size, D, S128, op)
#include "isa/mtbuf.def"
};

#define ENTRY(table, number) ((number) < sizeof(table) / sizeof((table)[0]) ? &(table)[number] : NULL)

/* VOP3 has the opcodes of VOPC, VOP2 and VOP1 too, but for those that need a literal. */
static const struct opcode *find_vop3(unsigned int number)
{
	const struct opcode *op;

	if (number < 0x100)
		return ENTRY(vopc, number);
	if (number < 0x140) {
		op = ENTRY(vop2, number - 0x100);
		return op->flags & (CONSTANT_B | CONSTANT_C) ? NULL : op;
	}
	/* v_readfirstlane_b32 and v_swap_b32 are not among them. */
	if (number < 0x1c0)
		return number == 0x142 || number == 0x191 ? NULL : ENTRY(vop1, number - 0x140);
	return ENTRY(vop3, number);
}

static const struct opcode *find(enum encoding encoding, unsigned int number, unsigned int segment)
{
	switch (encoding) {
	case ENC_SOP2:
		return ENTRY(sop2, number);
	case ENC_SOP1:
		return ENTRY(sop1, number);
	case ENC_SOPC:
		return ENTRY(sopc, number);
	case ENC_SOPK:
		return ENTRY(sopk, number);
	case ENC_SOPP:
		return ENTRY(sopp, number);
	case ENC_SMEM:
		return ENTRY(smem, number);
	case ENC_VOP1:
		return ENTRY(vop1, number);
	case ENC_VOP2:
		return ENTRY(vop2, number);
	case ENC_VOPC:
		return ENTRY(vopc, number);
	case ENC_VOP3:
		return find_vop3(number);
	case ENC_VOP3P:
		return ENTRY(vop3p, number);
	case ENC_DS:
		return ENTRY(ds, number);
	case ENC_FLAT:
		/* Scratch has no atomics. */
		if (segment > 2 || (segment == 1 && number >= 0x40))
			return NULL;
		return ENTRY(flat[segment], number);
	case ENC_MUBUF:
		return ENTRY(mubuf, number);
	case ENC_MTBUF:
		return ENTRY(mtbuf, number);
	default:
		return NULL;
	}
}

const struct opcode *opcode_find(enum encoding encoding, unsigned int number, unsigned int segment)
{
	const struct opcode *op = find(encoding, number, segment);

	return op && op->name ? op : NULL;
}
