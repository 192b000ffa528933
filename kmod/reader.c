// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/sizes.h>
#include <linux/uio.h>

#include "extent.h"
#include "gpu.h"
#include "reader.h"

/* More than this is asked of the file at once, and not as far as its own readahead goes. */
#define READAHEAD_BYTES	SZ_128K
/* Fewer zeros than this are not worth a command to the copy engine. */
#define MIN_ZERO_RUN	SZ_4K

void gmmap_reader_init(struct gmmap_reader *reader, const struct gmmap_extents *extents,
		       const struct bio_vec *pages, u64 offset, u64 bytes)
{
	*reader = (struct gmmap_reader){
		.extents = extents,
		.pages = pages,
		.next = gmmap_extents_find(extents, offset),
		.offset = offset,
		.bytes = bytes,
	};
}

static struct iov_iter iter_of(const struct gmmap_reader *reader, u32 at, u32 bytes)
{
	const struct bio_vec *first = &reader->pages[at >> PAGE_SHIFT];
	struct iov_iter iter;

	iov_iter_bvec(&iter, ITER_DEST, first, DIV_ROUND_UP(offset_in_page(at) + bytes, PAGE_SIZE),
		      offset_in_page(at) + bytes);
	iov_iter_advance(&iter, offset_in_page(at));
	return iter;
}

/* Reads with the rights of whoever opened the file: this runs in a kernel thread. */
static int read_file(struct file *file, struct iov_iter *iter, loff_t position)
{
	const struct cred *saved = override_creds(file->f_cred);
	ssize_t n = 1;

	if (iov_iter_count(iter) > READAHEAD_BYTES && !(file->f_flags & O_DIRECT))
		vfs_fadvise(file, position, iov_iter_count(iter), POSIX_FADV_WILLNEED);
	while (iov_iter_count(iter) && n > 0)
		n = vfs_iter_read(file, iter, &position, 0);
	revert_creds(saved);
	if (n < 0)
		return n;
	return iov_iter_count(iter) ? -EIO : 0;
}

static void write_zeros(const struct gmmap_reader *reader, u32 at, u32 bytes)
{
	while (bytes) {
		u32 n = min_t(u32, bytes, PAGE_SIZE - offset_in_page(at));

		memzero_page(reader->pages[at >> PAGE_SHIFT].bv_page, offset_in_page(at), n);
		at += n;
		bytes -= n;
	}
}

/* Reads a piece as far as it is in the part. Returns 0 or the error of the file. */
static int read_piece(struct gmmap_reader *reader, const struct gmmap_piece *piece, u64 from,
		      u32 bytes)
{
	u32 at = from - reader->offset;
	struct iov_iter iter;

	if (!piece->file) {
		write_zeros(reader, at, bytes);
		reader->zero_bytes += bytes;
		return 0;
	}
	reader->file_bytes += bytes;
	iter = iter_of(reader, at, bytes);
	return read_file(piece->file, &iter, piece->file_offset + from - piece->offset);
}

static bool is_zero_run(const struct gmmap_piece *piece, u64 from, u32 bytes)
{
	return !piece->file && bytes >= MIN_ZERO_RUN && !((from | bytes) & 3);
}

/**
 * gmmap_reader_next() - read until content is not adjacent any more
 * @reader: where to go on
 * @run: out: what was read, or zeros for which nothing had to be
 *
 * Context: may sleep; no locks.
 * Return: 1 if there is a run, 0 at the end, or the error of the file; -EIO if it is too short.
 */
int gmmap_reader_next(struct gmmap_reader *reader, struct gmmap_run *run)
{
	const struct gmmap_extents *extents = reader->extents;
	u64 end = reader->offset + reader->bytes;

	*run = (struct gmmap_run){};
	for (; reader->next < extents->count; reader->next++) {
		const struct gmmap_piece *piece = &extents->pieces[reader->next];
		u64 from = max(reader->offset, piece->offset);
		u32 bytes;
		bool zero;
		int ret;

		if (piece->offset >= end)
			break;
		bytes = min(end, piece->offset + piece->length) - from;
		zero = is_zero_run(piece, from, bytes);
		if (run->bytes && (zero || run->zero || from != run->offset + run->bytes))
			break;
		if (zero) {
			reader->zero_bytes += bytes;
		} else {
			ret = read_piece(reader, piece, from, bytes);
			if (ret)
				return ret;
		}
		if (!run->bytes) {
			run->offset = from;
			run->slot_offset = from - reader->offset;
			run->zero = zero;
		}
		run->bytes += bytes;
	}
	return run->bytes ? 1 : 0;
}
