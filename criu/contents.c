// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "contents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copier.h"
#include "log.h"

/* A part of a buffer that is in a batch. */
struct piece {
	uint32_t bo;
	uint64_t offset;
	uint64_t bytes;
	void *memory;
};

struct batch {
	struct piece pieces[COPIER_MAX_PIECES];
	unsigned int count;
};

/**
 * struct dump - one dump
 * @file_offset: for each buffer, where it begins in the file
 * @room: of image->extents
 */
struct dump {
	int pages;
	struct image *image;
	uint64_t *file_offset;
	uint64_t room;
	struct copier *copier;
	int *buffers; /* the copier's numbers, for those of one GPU; else -1 */
	struct batch batches[2];
	unsigned int current;
	uint32_t bo; /* the next piece */
	uint64_t offset;
};

static int write_at(int fd, const void *data, uint64_t bytes, uint64_t offset)
{
	const uint8_t *at = data;

	while (bytes) {
		ssize_t n = pwrite(fd, at, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return log_error("writing content of buffers: %s", strerror(errno));
		at += n;
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static int read_at(int fd, void *data, uint64_t bytes, uint64_t offset)
{
	uint8_t *at = data;

	while (bytes) {
		ssize_t n = pread(fd, at, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return log_error("reading content of buffers at %llu: %s",
					 (unsigned long long)offset,
					 n ? strerror(errno) : "the file is too short");
		at += n;
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static bool is_zero(const uint8_t *data, uint64_t bytes)
{
	return !*data && !memcmp(data, data + 1, bytes - 1);
}

static int add_extent(struct dump *dump, uint32_t bo_index, uint64_t offset, uint64_t bytes)
{
	struct image *image = dump->image;
	struct image_bo *bo = &image->bos[bo_index];
	struct image_extent *last = NULL;

	if (bo->extent_count)
		last = &image->extents[image->head.extent_count - 1];
	if (last && last->offset + last->length == offset) {
		last->length += bytes;
		return 0;
	}
	if (image->head.extent_count == dump->room) {
		uint64_t room = dump->room ? 2 * dump->room : 256;
		void *extents = reallocarray(image->extents, room, sizeof(*image->extents));

		if (!extents)
			return log_error("no memory");
		image->extents = extents;
		dump->room = room;
	}
	if (!bo->extent_count)
		bo->first_extent = image->head.extent_count;
	image->extents[image->head.extent_count++] = (struct image_extent){
		.offset = offset,
		.length = bytes,
		.file_offset = dump->file_offset[bo_index] + offset,
	};
	bo->extent_count++;
	return 0;
}

/* Granules of zeros are not written. */
static int write_piece(struct dump *dump, const struct piece *piece)
{
	for (uint64_t done = 0; done < piece->bytes; done += GRANULE_BYTES) {
		uint64_t left = piece->bytes - done;
		uint64_t bytes = left < GRANULE_BYTES ? left : GRANULE_BYTES;
		uint8_t *data = (uint8_t *)piece->memory + done;
		uint64_t offset = piece->offset + done;

		if (is_zero(data, bytes))
			continue;
		if (add_extent(dump, piece->bo, offset, bytes) ||
		    write_at(dump->pages, data, bytes, dump->file_offset[piece->bo] + offset))
			return -1;
	}
	return 0;
}

static int write_batch(struct dump *dump, struct batch *batch)
{
	for (unsigned int i = 0; i < batch->count; i++)
		if (write_piece(dump, &batch->pieces[i]))
			return -1;
	batch->count = 0;
	return 0;
}

/* Whether there is one. */
static bool next_piece(struct dump *dump)
{
	while (dump->bo < dump->image->head.bo_count) {
		if (dump->buffers[dump->bo] >= 0 && dump->offset < dump->image->bos[dump->bo].size)
			return true;
		dump->bo++;
		dump->offset = 0;
	}
	return false;
}

static void fill_batch(struct dump *dump, struct batch *batch)
{
	batch->count = 0;
	copier_begin(dump->copier, COPIER_TO_STAGING);
	while (next_piece(dump)) {
		uint64_t bytes = dump->image->bos[dump->bo].size - dump->offset;
		void *memory = copier_piece(dump->copier, dump->buffers[dump->bo], dump->offset,
					    &bytes);

		if (!memory)
			break;
		batch->pieces[batch->count++] = (struct piece){ dump->bo, dump->offset, bytes,
								memory };
		dump->offset += bytes;
	}
}

/* While the GPU copies one batch, the other one is written. */
static int dump_pieces(struct dump *dump)
{
	struct batch *current, *other;

	do {
		current = &dump->batches[dump->current];
		dump->current ^= 1;
		other = &dump->batches[dump->current];
		fill_batch(dump, current);
		if (copier_submit(dump->copier) || copier_wait(dump->copier, current->count != 0) ||
		    write_batch(dump, other))
			return -1;
	} while (current->count);
	return 0;
}

/* Imports those of one GPU that are wanted; wanted NULL: all with content. */
static int add_buffers(struct copier *copier, const struct image *image,
		       const struct kfd_criu_bo_bucket *buckets, uint32_t gpu_id,
		       const bool *wanted, int *buffers)
{
	for (uint32_t i = 0; i < image->head.bo_count; i++) {
		const struct image_bo *bo = &image->bos[i];

		buffers[i] = -1;
		if (bo->gpu_id != gpu_id || buckets[i].dmabuf_fd == NO_DMABUF ||
		    (wanted && !wanted[i]))
			continue;
		buffers[i] = copier_add_buffer(copier, (int)buckets[i].dmabuf_fd, bo->size);
		if (buffers[i] < 0)
			return -1;
	}
	return 0;
}

static int dump_gpu(struct dump *dump, const struct kfd_criu_bo_bucket *buckets,
		    uint32_t gpu_id, const struct gpu *gpu)
{
	int ret;

	if (copier_open(gpu, &dump->copier))
		return -1;
	dump->bo = 0;
	dump->offset = 0;
	ret = add_buffers(dump->copier, dump->image, buckets, gpu_id, NULL, dump->buffers);
	if (!ret)
		ret = dump_pieces(dump);
	copier_close(dump->copier);
	return ret;
}

/* The file's size includes zeros at its end. */
static int place_buffers(struct dump *dump, const struct kfd_criu_bo_bucket *buckets)
{
	struct image *image = dump->image;
	uint64_t offset = 0;

	for (uint32_t i = 0; i < image->head.bo_count; i++) {
		dump->file_offset[i] = offset;
		if (buckets[i].dmabuf_fd != NO_DMABUF)
			offset += (image->bos[i].size + GRANULE_BYTES - 1) &
				  ~(uint64_t)(GRANULE_BYTES - 1);
	}
	image->head.pages_bytes = offset;
	if (ftruncate(dump->pages, (off_t)offset))
		return log_error("a file for %llu bytes of content: %s",
				 (unsigned long long)offset, strerror(errno));
	return 0;
}

int contents_dump(int pages, struct image *image, const struct kfd_criu_bo_bucket *buckets,
		  const struct gpu *gpus)
{
	struct dump *dump = calloc(1, sizeof(*dump));
	int ret = -1;

	if (!dump)
		return log_error("no memory");
	dump->pages = pages;
	dump->image = image;
	dump->file_offset = calloc(image->head.bo_count + 1ull, sizeof(*dump->file_offset));
	dump->buffers = calloc(image->head.bo_count + 1ull, sizeof(*dump->buffers));
	if (!dump->file_offset || !dump->buffers)
		log_error("no memory");
	else
		ret = place_buffers(dump, buckets);
	for (uint32_t i = 0; !ret && i < image->head.gpu_count; i++)
		ret = dump_gpu(dump, buckets, image->gpus[i].gpu_id, &gpus[i]);
	free(dump->file_offset);
	free(dump->buffers);
	free(dump);
	return ret;
}

/**
 * struct restore - one GPU's part of a restore
 * @bo, @extent, @offset: the next piece; offset is in the extent
 */
struct restore {
	int pages;
	const struct image *image;
	struct copier *copier;
	int *buffers;
	uint32_t bo;
	uint64_t extent;
	uint64_t offset;
};

static const struct image_extent *next_extent(struct restore *restore)
{
	const struct image *image = restore->image;

	while (restore->bo < image->head.bo_count) {
		const struct image_bo *bo = &image->bos[restore->bo];

		if (restore->buffers[restore->bo] >= 0 && restore->extent < bo->extent_count) {
			const struct image_extent *extent =
				&image->extents[bo->first_extent + restore->extent];

			if (restore->offset < extent->length)
				return extent;
			restore->extent++;
		} else {
			restore->bo++;
			restore->extent = 0;
		}
		restore->offset = 0;
	}
	return NULL;
}

/* Reads a batch; *count is how many pieces it has. */
static int read_batch(struct restore *restore, unsigned int *count)
{
	const struct image_extent *extent;

	*count = 0;
	copier_begin(restore->copier, COPIER_FROM_STAGING);
	while ((extent = next_extent(restore))) {
		uint64_t bytes = extent->length - restore->offset;
		void *memory = copier_piece(restore->copier, restore->buffers[restore->bo],
					    extent->offset + restore->offset, &bytes);

		if (!memory)
			break;
		if (read_at(restore->pages, memory, bytes, extent->file_offset + restore->offset))
			return -1;
		restore->offset += bytes;
		(*count)++;
	}
	return 0;
}

static int restore_pieces(struct restore *restore)
{
	unsigned int count;

	do {
		if (copier_wait(restore->copier, 1) || read_batch(restore, &count) ||
		    copier_submit(restore->copier))
			return -1;
	} while (count);
	return copier_wait(restore->copier, 0);
}

static bool any_of(const struct image *image, uint32_t gpu_id, const bool *wanted)
{
	for (uint32_t i = 0; i < image->head.bo_count; i++)
		if (image->bos[i].gpu_id == gpu_id && wanted[i] && image->bos[i].extent_count)
			return true;
	return false;
}

int contents_restore(int pages, const struct image *image,
		     const struct kfd_criu_bo_bucket *buckets, const struct gpu *gpus,
		     const bool *wanted)
{
	int *buffers = calloc(image->head.bo_count + 1ull, sizeof(*buffers));
	int ret = 0;

	if (!buffers)
		return log_error("no memory");
	for (uint32_t i = 0; !ret && i < image->head.gpu_count; i++) {
		struct restore restore = { .pages = pages, .image = image, .buffers = buffers };
		uint32_t gpu_id = image->gpus[i].gpu_id;

		if (!any_of(image, gpu_id, wanted))
			continue;
		if (copier_open(&gpus[i], &restore.copier)) {
			ret = -1;
			break;
		}
		ret = add_buffers(restore.copier, image, buckets, gpu_id, wanted, buffers);
		if (!ret)
			ret = restore_pieces(&restore);
		copier_close(restore.copier);
	}
	free(buffers);
	return ret;
}
