/* SPDX-License-Identifier: MIT */
/*
 * The digest that fs-verity gives a file (Linux, Documentation/filesystems/fsverity.rst: SHA-256,
 * blocks of 4096 bytes, no salt): the root of a hash tree, hashed with the size. Its leaves can be
 * computed in parallel and in memory that does not grow with the file.
 */
#ifndef GMMAP_IMAGE_VERITY_H
#define GMMAP_IMAGE_VERITY_H

#include <stddef.h>
#include "image_format.h"

#define VERITY_LEVELS 8

struct verity_level {
	uint8_t block[PAGE_BYTES];
	unsigned int used; /* bytes of the block */
	uint64_t hashes;   /* that the level had so far */
};

struct verity {
	uint64_t size; /* of the file */
	struct verity_level level[VERITY_LEVELS];
};

void verity_init(struct verity *verity);

/* Hash of one block, shorter ones are padded with zeros. Any thread. */
void verity_hash_block(const void *block, size_t length, uint8_t hash[DIGEST_BYTES]);

/* Takes hashes of the next blocks of the file, COUNT of them, which are BYTES long together. */
void verity_add(struct verity *verity, const uint8_t *hashes, size_t count, uint64_t bytes);

/* verity_hash_block() and verity_add() of DATA; only the last call may have a broken block. */
void verity_update(struct verity *verity, const void *data, size_t length);

void verity_final(struct verity *verity, uint8_t digest[DIGEST_BYTES]);

void digest_to_hex(const uint8_t digest[DIGEST_BYTES], char hex[DIGEST_HEX + 1]);
/* 0, or -EINVAL. Only lower case, which is how names of packs are written. */
int digest_from_hex(const char *hex, uint8_t digest[DIGEST_BYTES]);

#endif
