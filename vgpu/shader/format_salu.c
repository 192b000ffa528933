// SPDX-License-Identifier: MIT
/* Text of SOP1, SOP2, SOPC, SOPK and SOPP. */
#include "text.h"
#include "execute.h"

enum { S_SET_GPR_IDX_ON = 0x11 };
enum { S_CBRANCH_I_FORK = 0x10, S_GETREG, S_SETREG, S_SETREG_IMM32 = 0x14, S_CALL };

static void gpr_idx(struct text *t, unsigned int bits)
{
	static const char *const names[] = { "SRC0", "SRC1", "SRC2", "DST" };
	const char *separator = "";

	if (bits & ~15u) {
		text_add(t, "0x%x", bits);
		return;
	}
	text_add(t, "gpr_idx(");
	for (unsigned int i = 0; i < 4; i++) {
		if (bits >> i & 1) {
			text_add(t, "%s%s", separator, names[i]);
			separator = ",";
		}
	}
	text_add(t, ")");
}

static void hwreg(struct text *t, uint32_t imm)
{
	static const char *const names[] = {
		[1] = "HW_REG_MODE", [2] = "HW_REG_STATUS", [3] = "HW_REG_TRAPSTS",
		[4] = "HW_REG_HW_ID", [5] = "HW_REG_GPR_ALLOC", [6] = "HW_REG_LDS_ALLOC",
		[7] = "HW_REG_IB_STS", [15] = "HW_REG_SH_MEM_BASES", [16] = "HW_REG_TBA_LO",
		[17] = "HW_REG_TBA_HI", [18] = "HW_REG_TMA_LO", [19] = "HW_REG_TMA_HI",
	};
	unsigned int id = imm & 63, offset = imm >> 6 & 31, width = (imm >> 11 & 31) + 1;

	if (id < sizeof(names) / sizeof(names[0]) && names[id])
		text_add(t, "hwreg(%s", names[id]);
	else
		text_add(t, "hwreg(%u", id);
	if (offset || width != 32)
		text_add(t, ", %u, %u", offset, width);
	text_add(t, ")");
}

static void format_sopk(struct text *t, const struct instruction *in)
{
	uint16_t imm = (uint16_t)in->imm;

	if (in->number == S_SETREG || in->number == S_SETREG_IMM32) {
		text_next(t);
		hwreg(t, imm);
		text_next(t);
		text_operand(t, in, in->number == S_SETREG ? in->d : OPERAND_LITERAL, T_U32);
		return;
	}
	text_next(t);
	text_operand(t, in, in->d, in->op->d);
	text_next(t);
	if (in->number == S_GETREG)
		hwreg(t, imm);
	else if (in->number == S_CBRANCH_I_FORK || in->number == S_CALL)
		text_add(t, "%u", imm);
	else
		text_add(t, "0x%x", imm);
}

void format_salu(struct text *t, const struct instruction *in)
{
	if (in->encoding == ENC_SOPK) {
		format_sopk(t, in);
		return;
	}
	if (in->op->d != T_NONE) {
		text_next(t);
		text_operand(t, in, in->d, in->op->d);
	}
	if (in->op->a != T_NONE) {
		text_next(t);
		text_operand(t, in, in->src[0], in->op->a);
	}
	if (in->op->b == T_NONE)
		return;
	text_next(t);
	if (in->encoding == ENC_SOPC && in->number == S_SET_GPR_IDX_ON)
		gpr_idx(t, in->src[1]);
	else
		text_operand(t, in, in->src[1], in->op->b);
}

/* vmcnt in 15:14 and 3:0, expcnt in 6:4, lgkmcnt in 11:8; those at their maximum are left out. */
static void waitcnt(struct text *t, uint32_t imm)
{
	unsigned int vm = (imm & 15) | (imm >> 14 & 3) << 4, exp = imm >> 4 & 7, lgkm = imm >> 8 & 15;
	bool all = vm == 63 && exp == 7 && lgkm == 15;

	if (vm != 63 || all)
		text_add(t, " vmcnt(%u)", vm);
	if (exp != 7 || all)
		text_add(t, " expcnt(%u)", exp);
	if (lgkm != 15 || all)
		text_add(t, " lgkmcnt(%u)", lgkm);
}

static void message(struct text *t, uint32_t imm)
{
	static const char *const names[] = {
		[1] = "MSG_INTERRUPT", [2] = "MSG_GS", [3] = "MSG_GS_DONE", [4] = "MSG_SAVEWAVE",
		[5] = "MSG_STALL_WAVE_GEN", [6] = "MSG_HALT_WAVES", [7] = "MSG_ORDERED_PS_DONE",
		[8] = "MSG_EARLY_PRIM_DEALLOC", [9] = "MSG_GS_ALLOC_REQ", [10] = "MSG_GET_DOORBELL",
		[15] = "MSG_SYSMSG",
	};
	static const char *const gs[] = { "GS_OP_NOP", "GS_OP_CUT", "GS_OP_EMIT", "GS_OP_EMIT_CUT" };
	static const char *const sys[] = { NULL, "SYSMSG_OP_ECC_ERR_INTERRUPT", "SYSMSG_OP_REG_RD",
					   "SYSMSG_OP_HOST_TRAP_ACK", "SYSMSG_OP_TTRACE_PC" };
	unsigned int id = imm & 15, op = imm >> 4 & 7, stream = imm >> 8 & 3;
	const char *name = id < 16 ? names[id] : NULL;

	text_next(t);
	if (name && (id == 2 || id == 3) && !(imm & ~0x33fu) && !(id == 2 && !(op & 3))) {
		text_add(t, "sendmsg(%s, %s", name, gs[op & 3]);
		if (op & 3)
			text_add(t, ", %u", stream);
		text_add(t, ")");
	} else if (id == 15 && !(imm & ~0x7fu) && op >= 1 && op <= 4) {
		text_add(t, "sendmsg(%s, %s)", name, sys[op]);
	} else if (name && id != 2 && id != 3 && id != 15 && !(imm & ~15u)) {
		text_add(t, "sendmsg(%s)", name);
	} else if (!(imm & ~0x37fu)) {
		text_add(t, "sendmsg(%u, %u, %u)", id, op, stream);
	} else {
		text_add(t, "%u", imm);
	}
}

enum { S_NOP, S_ENDPGM, S_BRANCH, S_CBRANCH_SCC0 = 4, S_CBRANCH_EXECNZ = 9, S_SETKILL = 0xb,
       S_WAITCNT, S_SETHALT, S_SLEEP, S_SETPRIO, S_SENDMSG, S_SENDMSGHALT, S_TRAP,
       S_INCPERFLEVEL = 0x14, S_DECPERFLEVEL, S_CBRANCH_CDBGSYS = 0x17, S_CBRANCH_CDBG_AND = 0x1a,
       S_SET_GPR_IDX_MODE = 0x1d };

void format_sopp(struct text *t, const struct instruction *in)
{
	uint16_t imm = (uint16_t)in->imm;

	switch (in->number) {
	case S_BRANCH:
	case S_CBRANCH_SCC0 ... S_CBRANCH_EXECNZ:
	case S_CBRANCH_CDBGSYS ... S_CBRANCH_CDBG_AND:
		text_add(t, " %u", imm);
		break;
	case S_WAITCNT:
		waitcnt(t, imm);
		break;
	case S_SENDMSG:
	case S_SENDMSGHALT:
		message(t, imm);
		break;
	case S_SET_GPR_IDX_MODE:
		text_next(t);
		gpr_idx(t, imm);
		break;
	case S_ENDPGM:
		if (imm)
			text_add(t, " %u", imm);
		break;
	case S_NOP:
	case S_SETKILL:
	case S_SETHALT:
	case S_SLEEP:
	case S_SETPRIO:
	case S_TRAP:
	case S_INCPERFLEVEL:
	case S_DECPERFLEVEL:
		text_add(t, imm < 10 ? " %u" : " 0x%x", imm);
		break;
	default:
		break;
	}
}
