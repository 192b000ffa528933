// SPDX-License-Identifier: MIT
#include "instruction.h"

static int run_illegal(struct wave *wave, const struct instruction *in)
{
	wave->encoding[0] = in->literal;
	wave->encoding[1] = wave->encoding[2] = 0;
	wave->reason = "unknown instruction";
	return WAVE_ILLEGAL;
}

static int run_s_nop(struct wave *wave, const struct instruction *in)
{
	(void)wave;
	(void)in;
	return WAVE_NEXT;
}

static int run_s_endpgm(struct wave *wave, const struct instruction *in)
{
	(void)wave;
	(void)in;
	return WAVE_END;
}

static int run_s_barrier(struct wave *wave, const struct instruction *in)
{
	(void)wave;
	(void)in;
	return WAVE_BARRIER;
}

/* s_mov_b32 of a constant. */
static int run_s_mov(struct wave *wave, const struct instruction *in)
{
	wave->s[in->dst] = in->literal;
	return WAVE_NEXT;
}

unsigned int decode(struct instruction *in, const uint32_t *words, unsigned int count)
{
	uint32_t word = words[0];

	*in = (struct instruction){ .run = run_illegal, .dwords = 1, .literal = word };
	if (word >> 16 == 0xbf80)
		in->run = run_s_nop;
	else if (word >> 16 == 0xbf81)
		in->run = run_s_endpgm;
	else if (word >> 16 == 0xbf8a)
		in->run = run_s_barrier;
	if ((word & 0xff80ffff) == 0xbe8000ff) {
		if (count < 2)
			return 2;
		in->run = run_s_mov;
		in->dwords = 2;
		in->dst = word >> 16 & 127;
		in->literal = words[1];
	}
	return in->dwords;
}
