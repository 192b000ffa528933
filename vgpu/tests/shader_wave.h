/* SPDX-License-Identifier: MIT */
/*
 * A wave to test instructions with: code that llvm-mc assembles, 256 VGPRs, LDS, and memory in which
 * single pages can be absent or refused.
 */
#ifndef SHADER_WAVE_H
#define SHADER_WAVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../shader/instruction.h"

#define CODE_VA	     0x10000ULL
#define DATA_VA	     0x7f0000000000ULL
#define DATA_BYTES   (1u << 20)
#define CODE_BYTES   (256u << 10)
#define LDS_BYTES    (64u << 10)
#define SHARED_BASE  0x1000000000000ULL
#define PRIVATE_BASE 0x2000000000000ULL
#define PAGE_BYTES   4096u

struct shader {
	struct wave wave;
	uint8_t *data, *code;
	uint8_t page[DATA_BYTES / PAGE_BYTES]; /* enum wave_span */
	uint8_t code_page[CODE_BYTES / PAGE_BYTES];
	uint32_t spans; /* how often memory was asked */
	uint32_t code_bytes;
};

struct shader *shader_new(void);
void shader_free(struct shader *s);

/* All registers, LDS and data zero; EXEC full; rounding to nearest, denormals, DX10_CLAMP and IEEE. */
void shader_reset(struct shader *s);

/* Replaces the code by the text of instructions, followed by s_endpgm. Fails the test on an error. */
void shader_assemble(struct shader *s, const char *text);

/* Encodings of many lines at once: dwords[i] gets those of line i, at most 3. Asserts. */
void assemble_lines(const char *const *lines, unsigned int count, uint32_t (*dwords)[3],
		    unsigned int *sizes);

/* Runs from the beginning of the code; what it ended with. */
enum wave_event shader_run(struct shader *s);
/* Assembles and runs to the end, or fails the test. */
void shader_execute(struct shader *s, const char *text);

#endif
