// SPDX-License-Identifier: MIT
/*
 * content MEBIBYTES SEED CHANGED SPREAD [DISTINCT]  Writes memory as a framework and applications on it could have it, to
 * standard output. Every 8th MiB is zeros. The rest has the content of SEED, but CHANGED of each 1000
 * pieces of SPREAD bytes, which is 65536 or 4096, have their own. With DISTINCT, content repeats after so many MiB.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1u << 20)

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Four sequences, so that the compiler can interleave them: it is not to be what is measured. */
static void fill(uint64_t *words, size_t bytes, uint64_t seed)
{
	uint64_t state[4];

	for (int i = 0; i < 4; i++)
		state[i] = mix(seed * 4 + i + 1) | 1;
	for (size_t w = 0; w < bytes / 8; w += 4) {
		for (int i = 0; i < 4; i++) {
			state[i] ^= state[i] << 13;
			state[i] ^= state[i] >> 7;
			state[i] ^= state[i] << 17;
			words[w + i] = state[i];
		}
	}
}

int main(int argc, char **argv)
{
	static uint64_t buffer[MIB / 8];
	uint64_t size, seed, changed, spread, distinct;

	if (argc < 5) {
		fprintf(stderr, "usage: content MEBIBYTES SEED CHANGED SPREAD [DISTINCT]\n");
		return 2;
	}
	size = strtoull(argv[1], NULL, 0);
	seed = strtoull(argv[2], NULL, 0);
	changed = strtoull(argv[3], NULL, 0);
	spread = strtoull(argv[4], NULL, 0);
	distinct = argc > 5 ? strtoull(argv[5], NULL, 0) : size;
	if (spread != 4096 && spread != 65536)
		return 2;
	for (uint64_t mib = 0; mib < size; mib++) {
		memset(buffer, 0, sizeof(buffer));
		for (uint64_t at = 0; mib % 8 != 7 && at < MIB; at += spread) {
			uint64_t piece = (mib % distinct * MIB + at) / spread;
			/* Base and applications must agree on which pieces are whose. */
			int own = mix(piece + 0x5eed * changed) % 1000 < changed;

			fill(buffer + at / 8, spread, piece + ((own ? changed + 7 : 0) + seed * 100000) *
							      UINT64_C(0x100000000));
		}
		if (fwrite(buffer, sizeof(buffer), 1, stdout) != 1)
			return 1;
	}
	return fflush(stdout) != 0;
}
