// SPDX-License-Identifier: MIT
/* SOP1, SOP2, SOPC and SOPK: one function for each, made of the statement in its table. */
#include "execute.h"

typedef uint32_t U32;
typedef int32_t I32;
typedef uint64_t U64;
typedef int64_t I64;
typedef struct {
	char nothing;
} NONE;

#define READ_U32(operand)	   read_scalar32(w, in, operand)
#define READ_I32(operand)	   (int32_t) read_scalar32(w, in, operand)
#define READ_U64(operand)	   read_scalar64(w, in, operand, T_U64)
#define READ_I64(operand)	   (int64_t) read_scalar64(w, in, operand, T_U64)
#define READ_NONE(operand)	   { 0 }
#define WRITE_U32(operand, value)  write_scalar(w, operand, value)
#define WRITE_I32(operand, value)  write_scalar(w, operand, (uint32_t)(value))
#define WRITE_U64(operand, value)  write_scalar64(w, operand, value)
#define WRITE_I64(operand, value)  write_scalar64(w, operand, (uint64_t)(value))
#define WRITE_NONE(operand, value) (void)value

static inline void write_scalar64(struct wave *w, unsigned int operand, uint64_t value)
{
	write_scalar(w, operand, (uint32_t)value);
	write_scalar(w, operand + 1, (uint32_t)(value >> 32));
}

/* Bit fields of s_bfe: width bits from offset of a value of bits bits. */
static uint64_t field_u64(uint64_t value, unsigned int offset, unsigned int width,
			  unsigned int bits)
{
	value >>= offset;
	return width >= bits ? value : value & ((1ull << width) - 1);
}

static int64_t field_i64(int64_t value, unsigned int offset, unsigned int width, unsigned int bits)
{
	if (width == 0)
		return 0;
	value >>= offset;
	return width + offset >= bits ? value :
					(int64_t)((uint64_t)value << (64 - width)) >> (64 - width);
}

static uint64_t whole_quads(uint64_t mask)
{
	mask |= mask >> 1 & 0x5555555555555555;
	mask |= mask >> 2 & 0x3333333333333333;
	return (mask & 0x1111111111111111) * 15;
}

static uint64_t quad_mask(uint64_t mask)
{
	uint64_t result = 0;

	for (unsigned int i = 0; i < 16; i++)
		result |= (uint64_t)((mask >> 4 * i & 15) != 0) << i;
	return result;
}

static uint64_t reverse_u64(uint64_t value)
{
	uint64_t result = 0;

	for (unsigned int i = 0; i < 64; i++)
		result |= (value >> i & 1) << (63 - i);
	return result;
}

static uint32_t find_first(uint64_t value)
{
	return value ? (uint32_t)__builtin_ctzll(value) : ~0u;
}

/* The number of leading bits that equal the sign, -1 if all do. */
static uint32_t sign_change(int64_t value, unsigned int bits)
{
	uint64_t other = (uint64_t)(value < 0 ? ~value : value);

	return other ? (uint32_t)__builtin_clzll(other) - (64 - bits) : ~0u;
}

static uint64_t replicate_bits(uint32_t value)
{
	uint64_t result = 0;

	for (unsigned int i = 0; i < 32; i++)
		result |= (value >> i & 1) * 3ull << 2 * i;
	return result;
}

#define FUNCTION(name, D, a_value, b_value, A, B, ...)                                             \
	static int run_##name(struct wave *w, const struct instruction *in)                        \
	{                                                                                          \
		A a = a_value;                                                                     \
		B b = b_value;                                                                     \
		D d = READ_##D(in->d);                                                             \
		uint32_t scc = w->scc;                                                             \
		uint64_t exec = wave_s64(w, SGPR_EXEC);                                            \
		const uint64_t before = exec;                                                      \
                                                                                                   \
		(void)a;                                                                           \
		(void)b;                                                                           \
		__VA_ARGS__;                                                                       \
		w->scc = scc;                                                                      \
		if (exec != before)                                                                \
			wave_set_s64(w, SGPR_EXEC, exec);                                          \
		WRITE_##D(in->d, d);                                                               \
		return WAVE_NEXT;                                                                  \
	}

#define S2(number, name, D, A, B, ...)                                                             \
	FUNCTION(name, D, READ_##A(in->src[0]), READ_##B(in->src[1]), A, B, __VA_ARGS__)
#define X2(number, name, D, A, B)
#include "isa/sop2.def"
#undef S2
#undef X2
#define S1(number, name, D, A, ...)                                                                \
	FUNCTION(name, D, READ_##A(in->src[0]), { 0 }, A, NONE, __VA_ARGS__)
#define X1(number, name, D, A, function)
#include "isa/sop1.def"
#undef S1
#undef X1
#define SC(number, name, A, B, condition)                                                          \
	FUNCTION(name, NONE, READ_##A(in->src[0]), READ_##B(in->src[1]), A, B, scc = condition)
#define XC(number, name, A, B, function)
#include "isa/sopc.def"
#undef SC
#undef XC
#define SK(number, name, D, ...)                                                                   \
	static int run_##name(struct wave *w, const struct instruction *in)                        \
	{                                                                                          \
		D d = READ_##D(in->d);                                                             \
		const int32_t k = in->imm;                                                         \
		uint32_t scc = w->scc;                                                             \
                                                                                                   \
		__VA_ARGS__;                                                                       \
		w->scc = scc;                                                                      \
		WRITE_##D(in->d, d);                                                               \
		return WAVE_NEXT;                                                                  \
	}
#define XK(number, name, D, function)
#include "isa/sopk.def"
#undef SK
#undef XK

/* ---- those that a statement is too short for ---- */

#define run_refused NULL

/* M0 is added to the number of a source (movrels) or of the result (movreld). */
static int run_movrels(struct wave *w, const struct instruction *in)
{
	unsigned int from = (in->src[0] + w->s[SGPR_M0]) & 127, dwords = type_dwords(in->op->d);

	for (unsigned int i = 0; i < dwords; i++)
		write_scalar(w, in->d + i, read_register(w, from + i));
	return WAVE_NEXT;
}

static int run_movreld(struct wave *w, const struct instruction *in)
{
	unsigned int to = (in->d + w->s[SGPR_M0]) & 127;

	if (type_dwords(in->op->d) == 2)
		write_scalar64(w, to, read_scalar64(w, in, in->src[0], T_U64));
	else
		write_scalar(w, to, read_scalar32(w, in, in->src[0]));
	return WAVE_NEXT;
}

/* M0: the index in bits 7:0, which operands are indexed in bits 15:12. */
static int run_set_gpr_idx_on(struct wave *w, const struct instruction *in)
{
	w->mode |= MODE_GPR_IDX_EN;
	w->s[SGPR_M0] = (w->s[SGPR_M0] & ~0xf0ffu) | (read_scalar32(w, in, in->src[0]) & 0xff) |
			(in->src[1] & 15u) << 12;
	return WAVE_NEXT;
}

/* Trap handlers end the mode in which vector instructions are skipped; nobody begins it. */
static int run_setvskip(struct wave *w, const struct instruction *in)
{
	uint32_t value = read_scalar32(w, in, in->src[0]);

	if (value >> (read_scalar32(w, in, in->src[1]) & 31) & 1)
		return illegal(w, in, "vector instructions cannot be skipped");
	return WAVE_NEXT;
}

/* ---- hardware registers ---- */

enum { HW_MODE = 1, HW_STATUS, HW_TRAPSTS, HW_HW_ID, HW_GPR_ALLOC, HW_LDS_ALLOC, HW_IB_STS,
       HW_SH_MEM_BASES = 15, HW_TBA_LO, HW_TBA_HI, HW_TMA_LO, HW_TMA_HI };

static uint32_t hardware_register(const struct wave *w, unsigned int id)
{
	switch (id) {
	case HW_MODE:
		return w->mode;
	case HW_STATUS:
		return wave_status(w);
	case HW_TRAPSTS:
		return w->trapsts;
	case HW_HW_ID:
		return w->hw_id;
	case HW_GPR_ALLOC:
		return w->gpr_alloc;
	case HW_LDS_ALLOC:
		return w->lds_alloc;
	case HW_IB_STS:
		return w->ib_sts;
	case HW_SH_MEM_BASES:
		return (uint32_t)(w->private_base >> 48) |
		       (uint32_t)(w->shared_base >> 48) << 16;
	case HW_TBA_LO:
		return (uint32_t)(w->tba >> 8);
	case HW_TBA_HI:
		return (uint32_t)(w->tba >> 40);
	case HW_TMA_LO:
		return (uint32_t)(w->tma >> 8);
	case HW_TMA_HI:
		return (uint32_t)(w->tma >> 40);
	default:
		return 0;
	}
}

#define STATUS_TRAP_WRITES (~0u)
#define STATUS_USER_WRITES (3u << 1 | 3u << 3) /* SPI_PRIO, USER_PRIO */

static void set_hardware_register(struct wave *w, unsigned int id, uint32_t value)
{
	bool privileged = w->status & STATUS_PRIV;

	switch (id) {
	case HW_MODE:
		w->mode = value;
		break;
	case HW_STATUS:
		if (privileged) {
			/* A trap handler cannot leave by it: s_rfe does. */
			w->status = value | STATUS_PRIV;
			w->scc = value & STATUS_SCC;
		} else {
			w->status = (w->status & ~STATUS_USER_WRITES) | (value & STATUS_USER_WRITES);
		}
		break;
	case HW_TRAPSTS:
		w->trapsts = value;
		break;
	case HW_IB_STS:
		if (privileged)
			w->ib_sts = value;
		break;
	case HW_GPR_ALLOC:
	case HW_LDS_ALLOC:
	case HW_HW_ID:
	default:
		break;
	}
}

/* simm16: register in 5:0, first bit in 10:6, bits less one in 15:11. */
static uint32_t hwreg_mask(const struct instruction *in)
{
	return (uint32_t)((2ull << (in->imm >> 11 & 31)) - 1);
}

static int run_getreg(struct wave *w, const struct instruction *in)
{
	uint32_t value = hardware_register(w, in->imm & 63) >> (in->imm >> 6 & 31);

	write_scalar(w, in->d, value & hwreg_mask(in));
	return WAVE_NEXT;
}

static int set_bits(struct wave *w, const struct instruction *in, uint32_t value)
{
	unsigned int id = in->imm & 63, shift = in->imm >> 6 & 31;
	uint32_t mask = hwreg_mask(in) << shift;

	set_hardware_register(w, id, (hardware_register(w, id) & ~mask) | (value << shift & mask));
	return WAVE_NEXT;
}

static int run_setreg(struct wave *w, const struct instruction *in)
{
	return set_bits(w, in, read_register(w, in->d));
}

static int run_setreg_imm32(struct wave *w, const struct instruction *in)
{
	return set_bits(w, in, in->literal);
}

/* ---- the tables ---- */

#define S2(number, name, D, A, B, ...) [number] = run_##name,
#define X2(number, name, D, A, B)
run_function *const salu_sop2[128] = {
#include "isa/sop2.def"
};
#define S1(number, name, D, A, ...)	[number] = run_##name,
#define X1(number, name, D, A, function) [number] = run_##function,
run_function *const salu_sop1[256] = {
#include "isa/sop1.def"
};
#define SC(number, name, A, B, condition) [number] = run_##name,
#define XC(number, name, A, B, function)  [number] = run_##function,
run_function *const salu_sopc[128] = {
#include "isa/sopc.def"
};
#define SK(number, name, D, ...)      [number] = run_##name,
#define XK(number, name, D, function) [number] = run_##function,
run_function *const salu_sopk[32] = {
#include "isa/sopk.def"
};
