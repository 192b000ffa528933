// SPDX-License-Identifier: MIT
/*
 * Feeds code to the shader's executor: random bytes, or instructions that exist with random fields.
 *
 * Every address is somewhere in a small memory, of which some pages are refused and some absent until
 * they were asked for. Registers and LDS are allocations of their exact size, so that the sanitizers
 * see an access beyond. Nothing may crash; the text of every instruction fits.
 */
#include <stdlib.h>
#include <string.h>

#include "../shader/instruction.h"

#define CODE_DWORDS  1024u
#define MEMORY_BYTES 65536u
#define PAGE	     4096u
#define LDS_BYTES    1024u
#define RUNS	     40u
#define BUDGET	     200u

struct input {
	const uint8_t *data;
	size_t left;
};

struct fuzz {
	uint32_t code[CODE_DWORDS];
	uint8_t memory[MEMORY_BYTES];
	uint8_t state[MEMORY_BYTES / PAGE];
};

static struct fuzz fuzz;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static uint32_t get(struct input *in, unsigned int bytes)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint32_t)*in->data++ << 8 * i;
	return value;
}

static enum wave_span span(struct wave *wave, uint64_t va, unsigned int access, void **host,
			   uint64_t *bytes)
{
	uint32_t offset = (uint32_t)va % MEMORY_BYTES;
	enum wave_span state;

	(void)wave;
	*bytes = PAGE - va % PAGE;
	if (access == WAVE_EXECUTE) {
		*host = (uint8_t *)fuzz.code + va % (CODE_DWORDS * 4);
		return WAVE_PRESENT;
	}
	state = fuzz.state[offset / PAGE];
	if (state == WAVE_ABSENT)
		fuzz.state[offset / PAGE] = WAVE_PRESENT; /* for the replay */
	*host = fuzz.memory + offset;
	return state;
}

static uint64_t now(struct wave *wave, bool real)
{
	return wave->executed + real;
}

/* First dwords of the encodings, and where the opcode is. */
static const struct {
	enum encoding encoding;
	uint32_t prefix;
	unsigned int shift, bits;
} encodings[] = {
	{ ENC_SOP2, 0x80000000, 23, 7 }, { ENC_SOPK, 0xb0000000, 23, 5 },
	{ ENC_SOP1, 0xbe800000, 8, 8 },	 { ENC_SOPC, 0xbf000000, 16, 7 },
	{ ENC_SOPP, 0xbf800000, 16, 7 }, { ENC_SMEM, 0xc0000000, 18, 8 },
	{ ENC_VOP2, 0x00000000, 25, 6 }, { ENC_VOP1, 0x7e000000, 9, 8 },
	{ ENC_VOPC, 0x7c000000, 17, 8 }, { ENC_VOP3, 0xd0000000, 16, 10 },
	{ ENC_VOP3P, 0xd3800000, 16, 7 }, { ENC_DS, 0xd8000000, 17, 8 },
	{ ENC_FLAT, 0xdc000000, 18, 7 }, { ENC_MUBUF, 0xe0000000, 18, 7 },
	{ ENC_MTBUF, 0xe8000000, 15, 4 },
};

#define ENCODINGS (sizeof(encodings) / sizeof(encodings[0]))

/* Bits of the first dword that are no part of the encoding. */
static uint32_t fields(unsigned int i)
{
	static const uint32_t masks[ENCODINGS] = {
		0x007fffff, 0x007fffff, 0x007f00ff, 0x0000ffff, 0x0000ffff, 0x0003ffff, 0x01ffffff,
		0x01fe01ff, 0x0001ffff, 0x0000ffff, 0x0000ffff, 0x0001ffff, 0x0003ffff, 0x0003ffff,
		0x03f87fff,
	};

	return masks[i];
}

/* An instruction that exists, of two dwords; registers below 32 more often than not. */
static void make_instruction(struct input *in, uint32_t *to)
{
	unsigned int i = get(in, 1) % ENCODINGS;
	uint32_t count = 1u << encodings[i].bits, number = get(in, 2) % count, random = get(in, 4);

	for (unsigned int tries = 0; tries < count; tries++, number = (number + 1) % count) {
		if (opcode_find(encodings[i].encoding, number, random >> 14 & 3))
			break;
	}
	to[0] = encodings[i].prefix | number << encodings[i].shift | (random & fields(i));
	to[1] = get(in, 4);
	if (get(in, 1) & 7)
		to[1] &= 0x1f1f1f1f;
}

static void make_code(struct input *in)
{
	bool valid = get(in, 1) & 3;
	unsigned int i = 0;

	memset(fuzz.code, 0, sizeof(fuzz.code));
	while (in->left && i + 2 <= CODE_DWORDS) {
		if (valid)
			make_instruction(in, fuzz.code + i);
		else
			fuzz.code[i] = get(in, 4), fuzz.code[i + 1] = get(in, 4);
		i += 2;
	}
	fuzz.code[i < CODE_DWORDS ? i : CODE_DWORDS - 1] = 0xbf810000; /* s_endpgm */
}

static void check_text(void)
{
	for (unsigned int i = 0; i + 2 < CODE_DWORDS && fuzz.code[i]; i++) {
		struct instruction in;
		char text[192];
		unsigned int dwords = decode(&in, fuzz.code + i, 3);

		require(dwords >= 1 && dwords <= 2);
		require(format_instruction(&in, text, sizeof(text)) < (int)sizeof(text));
	}
}

/* The wave's state takes little of the input, which is the code's. */
static void prepare(struct input *in, struct wave *wave)
{
	uint32_t flags = get(in, 1), random = get(in, 2) | 1;

	wave->mode = get(in, 2) | (flags & 1 ? MODE_GPR_IDX_EN : 0);
	wave->status = flags & 2 ? STATUS_PRIV | STATUS_TRAP_EN : 0;
	wave->tba = flags & 4 ? 4096 : 0;
	wave->shared_base = 1ull << 48;
	wave->private_base = 2ull << 48;
	wave->num_vgprs = get(in, 1) & 15 ? 256 : 24;
	wave->lds_bytes = LDS_BYTES;
	for (unsigned int i = 0; i < sizeof(fuzz.state); i++)
		fuzz.state[i] = random >> i & 1 ? WAVE_PRESENT : (flags >> 3) % 3;
	for (unsigned int i = 0; i < 128; i++)
		wave->s[i] = i * random;
	wave_set_s64(wave, SGPR_EXEC, flags & 128 ? random * 0x100000001ull : UINT64_MAX);
}

static void run(struct wave *wave)
{
	for (unsigned int i = 0; i < RUNS; i++) {
		switch (wave_run(wave, BUDGET)) {
		case WAVE_END:
		case WAVE_SAVED:
			return;
		case WAVE_HALT:
			wave->status &= ~STATUS_HALT;
			break;
		case WAVE_ILLEGAL:
			require(wave->reason);
			wave->pc += 4;
			wave->pc &= ~3ull;
			break;
		default:
			break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct wave_memory memory = { .span = span, .time = now };
	struct wave wave = { .memory = &memory, .code = code_cache_new() };
	struct input in = { data, size };

	prepare(&in, &wave);
	make_code(&in);
	check_text();
	wave.v = aligned_alloc(64, wave.num_vgprs * sizeof(*wave.v));
	wave.lds = aligned_alloc(64, LDS_BYTES);
	require(wave.v && wave.lds && wave.code);
	memset(wave.lds, 1, LDS_BYTES);
	for (unsigned int i = 0; i < wave.num_vgprs * WAVE_LANES; i++)
		((uint32_t *)wave.v)[i] = i * 0x9e3779b9u;
	run(&wave);
	free(wave.v);
	free(wave.lds);
	code_cache_free(wave.code);
	return 0;
}
