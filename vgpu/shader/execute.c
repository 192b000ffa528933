// SPDX-License-Identifier: MIT
/* Which function executes an instruction. */
#include "execute.h"
#include "lanes.h"

int illegal(struct wave *w, const struct instruction *in, const char *reason)
{
	memcpy(w->encoding, in->words, sizeof(w->encoding));
	w->reason = reason;
	return WAVE_ILLEGAL;
}

int memory_fault(struct wave *w, uint64_t va, unsigned int access, int span)
{
	w->fault_va = va;
	w->fault_access = access;
	if (span == WAVE_ABSENT)
		return WAVE_FAULT;
	w->trapsts |= TRAPSTS_MEM_VIOL;
	return WAVE_NEXT;
}

void return_from_trap(struct wave *w, uint64_t pc)
{
	w->pc = pc & PC_MASK;
	w->status &= ~STATUS_PRIV;
}

enum { V_READFIRSTLANE = 0x02, V_SWAP = 0x51 };
enum { V_MQSAD_U32_U8 = 0x1e7, V_READLANE = 0x289, V_WRITELANE = 0x28a };

static lanes_function *find_lanes(const struct instruction *in)
{
	const struct lanes_functions *table = lanes_functions();

	switch (in->encoding) {
	case ENC_VOP1:
		return table->vop1[in->number];
	case ENC_VOP2:
		return table->vop2[in->number];
	case ENC_VOPC:
		return table->vopc[in->number];
	case ENC_VOP3P:
		return table->vop3p[in->number];
	default:
		break;
	}
	if (in->number < 0x100)
		return table->vopc[in->number];
	if (in->number < 0x140)
		return table->vop2[in->number - 0x100];
	if (in->number < 0x1c0)
		return table->vop1[in->number - 0x140];
	return table->vop3[in->number];
}

/* No modifiers, and the result is whole registers. */
static bool is_plain(const struct instruction *in)
{
	const struct opcode *op = in->op;
	bool halves = type_is_16(op->d) && op->flags & (KEEP_HIGH | OP_SEL);

	return in->encoding != ENC_VOP3P && (in->form == FORM_PLAIN || in->form == FORM_VOP3) &&
	       !in->neg && !in->abs && !in->omod && !in->op_sel && !halves &&
	       !(in->clamp && type_is_float(op->d));
}

static run_function *find_valu(struct instruction *in)
{
	bool nothing = in->op->d == T_NONE && !(in->op->flags & COMPARE);

	/* v_nop, v_clrexcp */
	if (nothing && !(in->op->flags & REFUSED))
		return sopp_functions[0];
	if (in->encoding == ENC_VOP1 && in->number == V_READFIRSTLANE)
		return run_readfirstlane;
	if (in->encoding == ENC_VOP1 && in->number == V_SWAP)
		return run_swap;
	if (in->encoding == ENC_VOP3 && in->number == V_MQSAD_U32_U8)
		return run_mqsad_u32_u8;
	if (in->encoding == ENC_VOP3 && in->number == V_READLANE)
		return run_readlane;
	if (in->encoding == ENC_VOP3 && in->number == V_WRITELANE)
		return run_writelane;
	in->lanes = find_lanes(in);
	if (!in->lanes)
		return NULL;
	return is_plain(in) ? run_valu_plain : run_valu;
}

run_function *execute_find(struct instruction *in)
{
	if (in->op->flags & REFUSED && in->encoding != ENC_DS)
		return NULL;
	switch (in->encoding) {
	case ENC_SOP2:
		return salu_sop2[in->number];
	case ENC_SOP1:
		return salu_sop1[in->number];
	case ENC_SOPC:
		return salu_sopc[in->number];
	case ENC_SOPK:
		return salu_sopk[in->number];
	case ENC_SOPP:
		return sopp_functions[in->number];
	case ENC_SMEM:
		return run_smem;
	case ENC_DS:
		return run_ds;
	case ENC_FLAT:
		return run_flat;
	case ENC_MUBUF:
	case ENC_MTBUF:
		return run_buffer;
	default:
		return find_valu(in);
	}
}
