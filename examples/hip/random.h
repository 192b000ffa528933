/* SPDX-License-Identifier: MIT */
/*
 * random.h - numbers from a seed, the same on every machine
 *
 * A value depends on the seed and its index alone, so that any part of a file can be made by
 * itself.
 */
#ifndef EXAMPLES_RANDOM_H
#define EXAMPLES_RANDOM_H

#include <stdint.h>

/* splitmix64's output function (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
 * Generators). */
static inline uint64_t random_bits(uint64_t seed, uint64_t index)
{
	uint64_t x = (seed + 1) * 0xd1342543de82ef95ull + index * 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Uniform in [-1, 1): 24 bits, so that the value is exact in a float. */
static inline float random_value(uint64_t seed, uint64_t index)
{
	return (float)((int64_t)random_bits(seed, index) >> 40) * 0x1p-23f;
}

#endif
