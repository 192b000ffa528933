// SPDX-License-Identifier: MIT
/* SOPP: control of the program, messages, traps. */
#include "execute.h"

#define run_refused NULL

static int run_nop(struct wave *w, const struct instruction *in)
{
	(void)w;
	(void)in;
	return WAVE_NEXT;
}

static int run_endpgm(struct wave *w, const struct instruction *in)
{
	(void)w;
	(void)in;
	return WAVE_END;
}

static int run_endpgm_saved(struct wave *w, const struct instruction *in)
{
	(void)w;
	(void)in;
	return WAVE_SAVED;
}

static int run_barrier(struct wave *w, const struct instruction *in)
{
	(void)w;
	(void)in;
	return WAVE_BARRIER;
}

static int run_sleep(struct wave *w, const struct instruction *in)
{
	(void)w;
	(void)in;
	return WAVE_SLEEP;
}

static int run_branch(struct wave *w, const struct instruction *in)
{
	w->pc = (w->pc + 4 * (int64_t)in->imm) & PC_MASK;
	return WAVE_NEXT;
}

#define BRANCH(name, condition)                                                                    \
	static int run_cbranch_##name(struct wave *w, const struct instruction *in)                \
	{                                                                                          \
		return condition ? run_branch(w, in) : WAVE_NEXT;                                  \
	}
BRANCH(scc0, !w->scc)
BRANCH(scc1, w->scc)
BRANCH(vccz, !wave_s64(w, SGPR_VCC))
BRANCH(vccnz, wave_s64(w, SGPR_VCC))
BRANCH(execz, !wave_s64(w, SGPR_EXEC))
BRANCH(execnz, wave_s64(w, SGPR_EXEC))

static int run_sethalt(struct wave *w, const struct instruction *in)
{
	if (in->imm & 1)
		w->status |= STATUS_HALT;
	else
		w->status &= ~STATUS_HALT;
	return WAVE_NEXT;
}

static int run_sendmsg(struct wave *w, const struct instruction *in)
{
	w->message = (uint16_t)in->imm;
	return WAVE_MESSAGE;
}

static int run_sendmsghalt(struct wave *w, const struct instruction *in)
{
	w->status |= STATUS_HALT;
	return run_sendmsg(w, in);
}

/* The handler finds the address of s_trap itself. Without a handler it does nothing. */
static int run_trap(struct wave *w, const struct instruction *in)
{
	uint64_t next = w->pc;

	w->pc = next - 4;
	if (!wave_trap(w, in->imm & 0xff, false))
		w->pc = next;
	return WAVE_NEXT;
}

static int run_icache_inv(struct wave *w, const struct instruction *in)
{
	(void)in;
	code_cache_clear(w->code);
	return WAVE_NEXT;
}

static int run_set_gpr_idx_off(struct wave *w, const struct instruction *in)
{
	(void)in;
	w->mode &= ~MODE_GPR_IDX_EN;
	return WAVE_NEXT;
}

static int run_set_gpr_idx_mode(struct wave *w, const struct instruction *in)
{
	w->s[SGPR_M0] = (w->s[SGPR_M0] & ~0xf000u) | (in->imm & 15u) << 12;
	return WAVE_NEXT;
}

#define SP(number, name, function) [number] = run_##function,
run_function *const sopp_functions[128] = {
#include "isa/sopp.def"
};
