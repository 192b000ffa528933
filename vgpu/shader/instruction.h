/* SPDX-License-Identifier: MIT */
/* A decoded instruction. */
#ifndef VGPU_SHADER_INSTRUCTION_H
#define VGPU_SHADER_INSTRUCTION_H

#include "wave.h"

struct instruction;

/* What an instruction's function returns: an event, or this to go on with the next one. */
#define WAVE_NEXT (-1)

/* Called with pc past the instruction; on WAVE_FAULT and WAVE_ILLEGAL the caller sets it back. */
typedef int run_function(struct wave *wave, const struct instruction *instruction);

struct instruction {
	run_function *run;
	uint8_t dwords;
	int16_t imm;
	uint16_t dst, src[3]; /* operand numbers; 256 and up are VGPRs */
	uint32_t literal;
};

#define MAX_INSTRUCTION_DWORDS 3

/*
 * Decodes the instruction that begins at words, of which count are there. The dwords it has, or is
 * missing if more than count; what is not an instruction has one dword and a run function that
 * returns WAVE_ILLEGAL.
 */
unsigned int decode(struct instruction *instruction, const uint32_t *words, unsigned int count);

#endif
