// SPDX-License-Identifier: MIT
/*
 * How fast the shader's executor is on one host core: runs a program again and again for a second of its own
 * and prints lane-instructions a second, those of vector instructions only (64 each).
 *
 *   shader_bench CODE    CODE: machine code of gfx906 that ends with s_endpgm
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../vgpu/shader/instruction.h"

#define CODE_VA	   0x10000ULL
#define CODE_BYTES 65536u
#define LDS_BYTES  65536u
#define VGPRS	   128u
#define SECOND	   1000000000ULL

static uint8_t code[CODE_BYTES] __attribute__((aligned(4096)));
static uint8_t lds[LDS_BYTES] __attribute__((aligned(64)));
static uint32_t vgprs[VGPRS][WAVE_LANES] __attribute__((aligned(64)));

static enum wave_span span(struct wave *wave, uint64_t va, unsigned int access, void **host,
			   uint64_t *bytes)
{
	(void)wave;
	if (access != WAVE_EXECUTE || va - CODE_VA >= CODE_BYTES)
		return WAVE_REFUSED;
	*host = code + (va - CODE_VA);
	*bytes = CODE_BYTES - (va - CODE_VA);
	return WAVE_PRESENT;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static bool is_vector(unsigned int encoding)
{
	return encoding >= ENC_VOP2 && encoding <= ENC_MTBUF;
}

/* What runs once around the program, counted by running it step by step. */
static uint64_t count_vector(struct wave *wave)
{
	uint64_t count = 0;

	wave->pc = CODE_VA;
	for (;;) {
		struct instruction in;

		decode(&in, (const uint32_t *)(const void *)(code + (wave->pc - CODE_VA)), 3);
		count += is_vector(in.encoding);
		switch (wave_run(wave, 1)) {
		case WAVE_BUDGET:
			break;
		case WAVE_END:
			return count;
		default:
			fprintf(stderr, "shader_bench: stopped at 0x%llx: %s\n",
				(unsigned long long)wave->pc, wave->reason);
			exit(1);
		}
	}
}

static void prepare(struct wave *wave)
{
	for (unsigned int i = 0; i < VGPRS * WAVE_LANES; i++)
		((float *)vgprs)[i] = (float)(i % 17) * 0.25f;
	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		vgprs[0][lane] = lane / 8 * 32;
		vgprs[1][lane] = 32768 + lane % 8 * 32;
	}
	for (unsigned int i = 0; i < LDS_BYTES / 4; i++)
		((float *)(void *)lds)[i] = (float)(i % 5) * 0.5f;
	wave_set_s64(wave, SGPR_EXEC, UINT64_MAX);
}

int main(int argc, char **argv)
{
	static const struct wave_memory memory = { .span = span };
	struct wave wave = { .v = vgprs, .num_vgprs = VGPRS, .lds = lds, .lds_bytes = LDS_BYTES,
			     .memory = &memory, .mode = 0xf0, .code = code_cache_new() };
	uint64_t vector, begin, elapsed = 0, rounds = 0;
	FILE *file;

	if (argc != 2 || !(file = fopen(argv[1], "rb")) || !fread(code, 1, CODE_BYTES, file)) {
		fprintf(stderr, "usage: shader_bench CODE\n");
		return 2;
	}
	fclose(file);
	prepare(&wave);
	vector = count_vector(&wave);
	begin = now();
	while (elapsed < SECOND) {
		prepare(&wave);
		wave.pc = CODE_VA;
		if (wave_run(&wave, UINT32_MAX) != WAVE_END)
			return 1;
		rounds++;
		elapsed = now() - begin;
	}
	printf("%.0f million lane-instructions/s, %.0f ns a vector instruction\n",
	       (double)rounds * (double)vector * WAVE_LANES / (double)elapsed * 1e3,
	       (double)elapsed / (double)(rounds * vector));
	code_cache_free(wave.code);
	return 0;
}
