/* SPDX-License-Identifier: MIT */
/* Text of instructions as LLVM's disassembler writes it, so that the two can be compared. */
#ifndef VGPU_SHADER_TEXT_H
#define VGPU_SHADER_TEXT_H

#include <stddef.h>

#include "instruction.h"

struct text {
	char *at;
	size_t bytes, length;
	bool first; /* no operand was written yet */
};

__attribute__((format(printf, 2, 3))) void text_add(struct text *t, const char *format, ...);
/* Separates operands: a blank before the first, a comma between them. */
void text_next(struct text *t);
/* count registers from a number on; type tells constants apart. */
void text_operand(struct text *t, const struct instruction *in, unsigned int operand,
		  unsigned int type);
void text_registers(struct text *t, unsigned int operand, unsigned int count);

void format_salu(struct text *t, const struct instruction *in);
void format_sopp(struct text *t, const struct instruction *in);
void format_vop(struct text *t, const struct instruction *in);
void format_memory(struct text *t, const struct instruction *in);

#endif
