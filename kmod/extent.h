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

struct gmmap_extents *gmmap_extents_create(const void __user *from, u32 count);
int gmmap_extents_place(struct gmmap_extents *extents, u64 start, u64 length);
void gmmap_extents_destroy(struct gmmap_extents *extents);
u32 gmmap_extents_find(const struct gmmap_extents *extents, u64 offset);
u64 gmmap_extents_covered(const struct gmmap_extents *extents, u64 offset, u64 bytes);

#endif
