/* SPDX-License-Identifier: MIT */
/*
 * One new pack: granules come in batches, those that are zeros or stored already are found, the
 * rest is written. Memory is one batch and 8 bytes for each slot that can be found.
 */
#ifndef GMMAP_DEDUP_H
#define GMMAP_DEDUP_H

#include "image_internal.h"
#include "image_pool.h"
#include "image_verity.h"
#include "store.h"

#define DEDUP_BATCH_BYTES (8u << 20)

#define PLACE_ZERO	  UINT32_MAX
#define PLACE_OWN	  (UINT32_MAX - 1)

/* Where a granule is: a base by its number, or PLACE_*. */
struct place {
	uint32_t base;
	uint64_t slot;
};

struct dedup;

/* FD and HASHES_FD are empty files, open for reading and writing; they stay the caller's. */
int dedup_create(struct dedup **dedup, unsigned int granule_shift, int fd, int hashes_fd,
		 struct pool *pool);
void dedup_destroy(struct dedup *dedup);

/* Adds a pack, whose descriptor stays the caller's, and returns its number. */
int dedup_add_base(struct dedup *dedup, int fd, uint64_t slots);

/* DEDUP_BATCH_BYTES to be filled. */
uint8_t *dedup_batch(struct dedup *dedup);

/* Finds or writes the first COUNT granules of the batch. The result is valid until the next call.
 */
int dedup_run(struct dedup *dedup, size_t count, const struct place **places);

/* Writes hashes and trailer. *SLOTS may be 0: then there is no pack. */
int dedup_finish(struct dedup *dedup, uint64_t *slots, uint8_t digest[DIGEST_BYTES]);

/* Counts granules in bytes, padding included; `content' is the sum. */
void dedup_amount(const struct dedup *dedup, struct gmmap_store_amount *amount);

#endif
