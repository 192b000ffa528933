/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the content of a part of a BO into staging memory. */
#ifndef GMMAP_READER_H
#define GMMAP_READER_H

#include <linux/types.h>

struct bio_vec;
struct gmmap_extents;
struct gmmap_run;

/**
 * struct gmmap_reader - see above
 * @extents: from here
 * @pages: to here, the first byte of the part to the first byte of the pages
 * @next: the next piece
 * @offset: of the part in the BO
 * @bytes: of the part
 * @file_bytes: read from files so far
 * @zero_bytes: from zero extents so far
 */
struct gmmap_reader {
	const struct gmmap_extents *extents;
	const struct bio_vec *pages;
	u32 next;
	u64 offset;
	u64 bytes;
	u64 file_bytes;
	u64 zero_bytes;
};

void gmmap_reader_init(struct gmmap_reader *reader, const struct gmmap_extents *extents,
		       const struct bio_vec *pages, u64 offset, u64 bytes);
int gmmap_reader_next(struct gmmap_reader *reader, struct gmmap_run *run);

#endif
