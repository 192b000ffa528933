// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <nettle/sha2.h>
#include "image_verity.h"

/* struct fsverity_descriptor of the kernel's uapi, as far as it is hashed. */
struct verity_descriptor {
	uint8_t version;
	uint8_t hash_algorithm;
	uint8_t log_blocksize;
	uint8_t salt_size;
	uint32_t reserved;
	uint64_t data_size;
	uint8_t root_hash[64];
	uint8_t salt[32];
	uint8_t reserved2[144];
};

_Static_assert(sizeof(struct verity_descriptor) == 256, "fsverity_descriptor");

#define VERITY_SHA256 1

void verity_init(struct verity *verity)
{
	verity->size = 0;
	for (int i = 0; i < VERITY_LEVELS; i++) {
		verity->level[i].used = 0;
		verity->level[i].hashes = 0;
	}
}

void verity_hash_block(const void *block, size_t length, uint8_t hash[DIGEST_BYTES])
{
	static const uint8_t zeros[PAGE_BYTES];
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, length, block);
	if (length < PAGE_BYTES)
		sha256_update(&sha, PAGE_BYTES - length, zeros);
	sha256_digest(&sha, DIGEST_BYTES, hash);
}

static void add_hash(struct verity *verity, int index, const uint8_t hash[DIGEST_BYTES])
{
	struct verity_level *level = &verity->level[index];

	/* A full block goes up only when one more hash comes: it may be the root's. */
	if (level->used == PAGE_BYTES) {
		uint8_t above[DIGEST_BYTES];

		verity_hash_block(level->block, PAGE_BYTES, above);
		level->used = 0;
		add_hash(verity, index + 1, above);
	}
	memcpy(level->block + level->used, hash, DIGEST_BYTES);
	level->used += DIGEST_BYTES;
	level->hashes++;
}

void verity_add(struct verity *verity, const uint8_t *hashes, size_t count, uint64_t bytes)
{
	for (size_t i = 0; i < count; i++)
		add_hash(verity, 0, hashes + i * DIGEST_BYTES);
	verity->size += bytes;
}

void verity_update(struct verity *verity, const void *data, size_t length)
{
	const uint8_t *block = data;

	while (length) {
		size_t part = length < PAGE_BYTES ? length : PAGE_BYTES;
		uint8_t hash[DIGEST_BYTES];

		verity_hash_block(block, part, hash);
		verity_add(verity, hash, 1, part);
		block += part;
		length -= part;
	}
}

void verity_final(struct verity *verity, uint8_t digest[DIGEST_BYTES])
{
	struct verity_descriptor descriptor = {
		.version = 1,
		.hash_algorithm = VERITY_SHA256,
		.log_blocksize = PAGE_SHIFT,
		.data_size = verity->size,
	};
	struct sha256_ctx sha;

	/* The root of an empty file is zeros, that of one block is its hash. */
	for (int i = 0; i < VERITY_LEVELS && verity->level[i].hashes; i++) {
		struct verity_level *level = &verity->level[i];
		uint8_t above[DIGEST_BYTES];

		if (level->hashes == 1) {
			memcpy(descriptor.root_hash, level->block, DIGEST_BYTES);
			break;
		}
		verity_hash_block(level->block, level->used, above);
		add_hash(verity, i + 1, above);
	}
	sha256_init(&sha);
	sha256_update(&sha, sizeof(descriptor), (const uint8_t *)&descriptor);
	sha256_digest(&sha, DIGEST_BYTES, digest);
}

void digest_to_hex(const uint8_t digest[DIGEST_BYTES], char hex[DIGEST_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < DIGEST_BYTES; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	hex[DIGEST_HEX] = 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int digest_from_hex(const char *hex, uint8_t digest[DIGEST_BYTES])
{
	if (strlen(hex) != DIGEST_HEX)
		return -EINVAL;
	for (int i = 0; i < DIGEST_BYTES; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		digest[i] = high << 4 | low;
	}
	return 0;
}
