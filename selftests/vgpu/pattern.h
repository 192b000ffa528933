/* SPDX-License-Identifier: MIT */
/* Test data: byte i of a pattern depends on i and a seed, so that moved and stale bytes show. */
#ifndef SELFTESTS_PATTERN_H
#define SELFTESTS_PATTERN_H

#include <stdint.h>
#include <string.h>

#include "ksft.h"

/* splitmix64 */
static inline uint64_t pattern_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* A sequence of random numbers that a seed determines. */
static inline uint64_t pattern_random(uint64_t *state)
{
	return pattern_mix((*state)++);
}

static inline uint64_t pattern_below(uint64_t *state, uint64_t limit)
{
	return pattern_random(state) % limit;
}

static inline uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	return pattern_mix(seed * 0x100000001b3ull + index);
}

static inline void pattern_fill(void *data, uint64_t bytes, uint64_t seed)
{
	uint8_t *to = data;
	uint64_t word;

	for (uint64_t i = 0; i < bytes; i += 8) {
		word = pattern_word(seed, i / 8);
		memcpy(to + i, &word, bytes - i < 8 ? bytes - i : 8);
	}
}

/* The offset of the first byte that is not as pattern_fill() would have it, or bytes. */
static inline uint64_t pattern_mismatch(const void *data, uint64_t bytes, uint64_t seed)
{
	const uint8_t *from = data;
	uint64_t word;

	for (uint64_t i = 0; i < bytes; i += 8) {
		uint64_t n = bytes - i < 8 ? bytes - i : 8;

		word = pattern_word(seed, i / 8);
		if (!memcmp(from + i, &word, n))
			continue;
		for (uint64_t j = 0; j < n; j++)
			if (from[i + j] != ((const uint8_t *)&word)[j])
				return i + j;
	}
	return bytes;
}

/* The offset of the first byte that is not value, or bytes. */
static inline uint64_t pattern_not_byte(const void *data, uint64_t bytes, uint8_t value)
{
	const uint8_t *from = data;

	for (uint64_t i = 0; i < bytes; i++)
		if (from[i] != value)
			return i;
	return bytes;
}

#define pattern_assert(data, bytes, seed, what)                                                 \
	do {                                                                                    \
		uint64_t bad_ = pattern_mismatch(data, bytes, seed);                            \
		ksft_assert(bad_ == (bytes), "%s: wrong byte 0x%02x at %llu of %llu", what,      \
			    ((const uint8_t *)(data))[bad_], (unsigned long long)bad_,          \
			    (unsigned long long)(bytes));                                       \
	} while (0)

#endif
