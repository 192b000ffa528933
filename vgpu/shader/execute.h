/* SPDX-License-Identifier: MIT */
/* What the executing parts share: operands, illegal instructions, traps. */
#ifndef VGPU_SHADER_EXECUTE_H
#define VGPU_SHADER_EXECUTE_H

#include "instruction.h"

#define PC_MASK 0xffffffffffffull

/* The tables of functions by opcode; NULL: not executed. */
extern run_function *const salu_sop2[128], *const salu_sop1[256], *const salu_sopc[128],
	*const salu_sopk[32], *const sopp_functions[128];

run_function run_smem, run_valu, run_valu_plain, run_readfirstlane, run_readlane, run_writelane,
	run_swap, run_mqsad_u32_u8, run_ds, run_flat, run_buffer;

/* An event with what the caller wants to know of the instruction. */
int illegal(struct wave *wave, const struct instruction *in, const char *reason);

/* Access to absent or refused memory: returns WAVE_FAULT, or notes the violation and WAVE_NEXT. */
int memory_fault(struct wave *wave, uint64_t va, unsigned int access, int span);

void return_from_trap(struct wave *wave, uint64_t pc);

/* Operands that are not VGPRs. 16-bit operands have constants of their own. */
uint32_t read_scalar32(const struct wave *wave, const struct instruction *in, unsigned int operand);
uint64_t read_scalar64(const struct wave *wave, const struct instruction *in, unsigned int operand,
		       unsigned int type);
uint32_t read_constant16(const struct wave *wave, const struct instruction *in,
			 unsigned int operand);

static inline bool is_ttmp(unsigned int operand)
{
	return operand >= SGPR_TTMP && operand < SGPR_M0;
}

static inline void write_scalar(struct wave *wave, unsigned int operand, uint32_t value)
{
	if (operand < 128 && (!is_ttmp(operand) || wave->status & STATUS_PRIV))
		wave->s[operand] = value;
}

static inline uint32_t read_register(const struct wave *wave, unsigned int operand)
{
	return is_ttmp(operand) && !(wave->status & STATUS_PRIV) ? 0 : wave->s[operand & 127];
}

/* Sets the host's rounding and denormals for a class of instructions (enum float_class). */
void float_environment(uint32_t mode, unsigned int float_class);

#endif
