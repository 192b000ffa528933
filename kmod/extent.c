// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents say which bytes of a BO come from which file, or are zeros. They arrive from user space
 * once, are checked once, and hold their files open and closed to writers until the mapping ends.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/gmmap.h>

#include "extent.h"

#define EXTENT_FLAGS	(GMMAP_EXTENT_ZERO | GMMAP_EXTENT_IMMUTABLE | GMMAP_EXTENT_VERITY)

/* What O_DIRECT wants of offsets and lengths. */
#define DIRECT_ALIGNMENT	4096

static int check_file(struct file *file, u64 offset, u64 length, u32 flags)
{
	struct inode *inode = file_inode(file);

	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	if (!S_ISREG(inode->i_mode) || !file->f_op->read_iter || file->f_op->read)
		return -EINVAL;
	if (file->f_flags & O_DIRECT && (offset | length) % DIRECT_ALIGNMENT)
		return -EINVAL;
	if (flags & GMMAP_EXTENT_VERITY && !IS_VERITY(inode))
		return -EACCES;
	if (flags & GMMAP_EXTENT_IMMUTABLE && !IS_IMMUTABLE(inode) && !IS_VERITY(inode))
		return -EACCES;
	if (offset + length > i_size_read(inode))
		return -ENODATA;
	return 0;
}

static int take_file(struct gmmap_piece *piece, int fd, u32 flags)
{
	struct file *file = fget(fd);
	int ret;

	if (!file)
		return -EBADF;
	ret = check_file(file, piece->file_offset, piece->length, flags);
	if (!ret)
		ret = deny_write_access(file);
	if (ret) {
		fput(file);
		return ret;
	}
	piece->file = file;
	return 0;
}

static int take_extent(struct gmmap_piece *piece, const struct gmmap_extent *extent, u64 *end)
{
	u64 file_end;

	if (extent->flags & ~EXTENT_FLAGS)
		return -EINVAL;
	if (!extent->length || extent->offset < *end)
		return -EINVAL;
	if (check_add_overflow(extent->offset, extent->length, end))
		return -EINVAL;
	piece->offset = extent->offset;
	piece->length = extent->length;
	if (extent->flags & GMMAP_EXTENT_ZERO)
		return extent->flags == GMMAP_EXTENT_ZERO && extent->fd == -1 &&
		       !extent->file_offset ? 0 : -EINVAL;
	if (check_add_overflow(extent->file_offset, extent->length, &file_end) ||
	    file_end > MAX_LFS_FILESIZE)
		return -EINVAL;
	piece->file_offset = extent->file_offset;
	return take_file(piece, extent->fd, extent->flags);
}

/**
 * gmmap_extents_create() - take over extents from user space
 * @from: array of struct gmmap_extent, sorted by offset
 * @count: its length
 *
 * Context: may sleep.
 * Return: the extents or an ERR_PTR: -EINVAL for a bad array, -EFAULT, -ENOMEM, -EBADF for a file
 * that is not open for reading, -ENODATA for one that is too short, -ETXTBSY for one that
 * somebody has open for writing, -EACCES for one that is not as immutable as its extent wants.
 */
struct gmmap_extents *gmmap_extents_create(const void __user *from, u32 count)
{
	struct gmmap_extents *extents;
	struct gmmap_extent *array;
	u64 end = 0;
	int ret = 0;
	u32 i;

	if (!count || count > GMMAP_MAX_EXTENTS)
		return ERR_PTR(-EINVAL);
	array = vmemdup_user(from, array_size(count, sizeof(*array)));
	if (IS_ERR(array))
		return ERR_CAST(array);
	extents = kvzalloc(struct_size(extents, pieces, count), GFP_KERNEL_ACCOUNT);
	if (!extents) {
		ret = -ENOMEM;
		goto free_array;
	}
	extents->count = count;
	for (i = 0; i < count && !ret; i++)
		ret = take_extent(&extents->pieces[i], &array[i], &end);
	if (ret)
		gmmap_extents_destroy(extents);
free_array:
	kvfree(array);
	return ret ? ERR_PTR(ret) : extents;
}

/* Content is read to where it will be in the staging memory of the chunk. */
static int check_direct(const struct gmmap_extents *extents)
{
	u32 i;

	for (i = 0; i < extents->count; i++) {
		const struct gmmap_piece *piece = &extents->pieces[i];

		if (piece->file && piece->file->f_flags & O_DIRECT &&
		    piece->offset % DIRECT_ALIGNMENT)
			return -EINVAL;
	}
	return 0;
}

/**
 * gmmap_extents_place() - make offsets relative to the BO
 * @extents: with offsets relative to the target
 * @start: of the target in the BO
 * @length: of the target
 *
 * Return: 0, or -EINVAL if an extent is not inside of the target, or not aligned as its file wants.
 */
int gmmap_extents_place(struct gmmap_extents *extents, u64 start, u64 length)
{
	struct gmmap_piece *last = &extents->pieces[extents->count - 1];
	u32 i;

	if (last->offset + last->length > length)
		return -EINVAL;
	for (i = 0; i < extents->count; i++)
		extents->pieces[i].offset += start;
	return check_direct(extents);
}

void gmmap_extents_destroy(struct gmmap_extents *extents)
{
	u32 i;

	if (!extents)
		return;
	for (i = 0; i < extents->count; i++) {
		if (!extents->pieces[i].file)
			continue;
		allow_write_access(extents->pieces[i].file);
		fput(extents->pieces[i].file);
	}
	kvfree(extents);
}

/* The number of the first piece that ends behind offset. */
u32 gmmap_extents_find(const struct gmmap_extents *extents, u64 offset)
{
	u32 low = 0;
	u32 high = extents->count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (extents->pieces[middle].offset + extents->pieces[middle].length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * gmmap_extents_covered() - count the bytes of a part of the BO that have an extent
 * @extents: the extents
 * @offset: of the part
 * @bytes: of the part
 */
u64 gmmap_extents_covered(const struct gmmap_extents *extents, u64 offset, u64 bytes)
{
	u64 end = offset + bytes;
	u64 covered = 0;
	u32 i;

	for (i = gmmap_extents_find(extents, offset); i < extents->count; i++) {
		const struct gmmap_piece *piece = &extents->pieces[i];

		if (piece->offset >= end)
			break;
		covered += min(end, piece->offset + piece->length) - max(offset, piece->offset);
	}
	return covered;
}
