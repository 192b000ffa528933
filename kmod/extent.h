/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the content of a BO comes from. */
#ifndef GMMAP_EXTENT_H
#define GMMAP_EXTENT_H

#include <linux/bits.h>
#include <linux/types.h>

struct file;
struct gmmap_extent;

#define GMMAP_MAX_EXTENTS	BIT(18)

/* A piece of the BO. Neither overlaps another one. */
struct gmmap_piece {
	u64 offset;
	u64 length;
	u64 file_offset;
	struct file *file;	/* NULL: zeros */
};

/* Sorted by offset; constant while the mapping exists. */
struct gmmap_extents {
	u32 count;
	struct gmmap_piece pieces[] __counted_by(count);
};

/* A part of a granule that has content to be copied. */
struct gmmap_run {
	u32 offset;
	u32 bytes;
};

struct gmmap_extents *gmmap_extents_create(const void __user *from, u32 count);
int gmmap_extents_place(struct gmmap_extents *extents, u64 start, u64 length);
void gmmap_extents_destroy(struct gmmap_extents *extents);
u64 gmmap_extents_covered(const struct gmmap_extents *extents, u64 offset, u64 bytes);

/**
 * struct gmmap_reader - reads a part of the BO piece by piece
 * @extents: from here
 * @next: the next piece
 * @offset: of the part in the BO
 * @bytes: of the part
 * @file_bytes: read from files so far
 * @zero_bytes: from zero extents so far
 */
struct gmmap_reader {
	const struct gmmap_extents *extents;
	u32 next;
	u64 offset;
	u64 bytes;
	u64 file_bytes;
	u64 zero_bytes;
};

void gmmap_reader_init(struct gmmap_reader *reader, const struct gmmap_extents *extents,
		       u64 offset, u64 bytes);
int gmmap_reader_next(struct gmmap_reader *reader, void *buffer, struct gmmap_run *run);

#endif
