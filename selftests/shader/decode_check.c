// SPDX-License-Identifier: MIT
/*
 * Compares this project's decoder with LLVM's: reads what llvm-objdump -d or llvm-mc -disassemble
 * -show-encoding printed, decodes the bytes of each instruction and compares the text. Counts what
 * the executor lacks.
 *
 *   decode_check [-m MOST] <LISTING
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../vgpu/shader/instruction.h"

struct census {
	const struct opcode *op;
	uint64_t count;
	bool executed;
};

static struct census census[4096];
static unsigned int opcodes;
static uint64_t instructions, different, unknown;
static unsigned int most = 20;

static void count(const struct instruction *in)
{
	struct instruction copy = *in;
	unsigned int i;

	for (i = 0; i < opcodes && census[i].op != in->op; i++)
		;
	if (i == sizeof(census) / sizeof(census[0]))
		return;
	if (i == opcodes)
		census[opcodes++] = (struct census){ .op = in->op,
						     .executed = execute_find(&copy) != NULL };
	census[i].count++;
}

/* "  v_nop   // 000000001000: 7E000000" or "  v_nop  ; encoding: [0x00,0x00,0x00,0x7e]". */
static unsigned int parse_words(const char *comment, uint32_t *words)
{
	const char *at = strstr(comment, "encoding: [");
	unsigned int n = 0, bytes = 0;
	char *end;

	if (at) {
		for (at += strlen("encoding: ["); bytes < 12; at = end + 1, bytes++) {
			words[bytes / 4] |= (uint32_t)strtoul(at, &end, 0) << 8 * (bytes % 4);
			if (*end != ',')
				break;
		}
		return (bytes + 1) / 4;
	}
	at = strchr(comment, ':');
	while (at && n < 3) {
		const char *digits = at + 1 + (at[1] == ' ');

		if (!isxdigit(*digits))
			break;
		words[n] = (uint32_t)strtoul(digits, &end, 16);
		if (end - digits != 8)
			break;
		n++;
		at = end;
	}
	return n;
}

static void differ(const char *llvm, const char *ours, const uint32_t *words)
{
	if (different++ < most)
		printf("# %08x %08x\n#   LLVM: %s\n#   ours: %s\n", words[0], words[1], llvm, ours);
}

static void check(char *line)
{
	char *comment = strstr(line, " // "), ours[256], *end;
	uint32_t words[3] = { 0 };
	struct instruction in;
	unsigned int n, dwords;

	if (!comment)
		comment = strstr(line, "; encoding");
	if (!comment)
		return;
	n = parse_words(comment, words);
	if (!n)
		return;
	*comment = '\0';
	while (isspace(*line))
		line++;
	for (end = line + strlen(line); end > line && isspace(end[-1]);)
		*--end = '\0';
	instructions++;
	dwords = decode(&in, words, n);
	format_instruction(&in, ours, sizeof(ours));
	if (in.op)
		count(&in);
	else
		unknown++;
	if (dwords != n || strcmp(line, ours))
		differ(line, ours, words);
}

static int by_count(const void *a, const void *b)
{
	const struct census *x = a, *y = b;

	return (x->count < y->count) - (x->count > y->count);
}

static void print_census(void)
{
	uint64_t lacking = 0;

	qsort(census, opcodes, sizeof(census[0]), by_count);
	for (unsigned int i = 0; i < opcodes; i++) {
		if (!census[i].executed) {
			printf("# not executed: %s, %llu times\n", census[i].op->name,
			       (unsigned long long)census[i].count);
			lacking++;
		}
	}
	printf("# %u opcodes, %llu of them not executed; %llu dwords that are no instruction\n",
	       opcodes, (unsigned long long)lacking, (unsigned long long)unknown);
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t bytes = 0;
	int option;

	while ((option = getopt(argc, argv, "m:")) != -1) {
		if (option != 'm') {
			fprintf(stderr, "usage: decode_check [-m MOST-DIFFERENCES-SHOWN] <LISTING\n");
			return 2;
		}
		most = (unsigned int)strtoul(optarg, NULL, 0);
	}
	while (getline(&line, &bytes, stdin) >= 0)
		check(line);
	free(line);
	print_census();
	printf("# %llu instructions, %llu different\n", (unsigned long long)instructions,
	       (unsigned long long)different);
	return different || !instructions;
}
