/* SPDX-License-Identifier: MIT */
/*
 * What the plugin leaves in CRIU's folder of images, for each file of KFD or DRM that CRIU numbers:
 *
 *   gmmap-ID.img        the tables below, one behind the other, and a checksum
 *   gmmap-pages-ID.img  content of buffers; each begins at a multiple of a granule. Holes are zeros
 *
 * All numbers are little endian; the structures are the format.
 */
#ifndef GMMAP_CRIU_IMAGE_H
#define GMMAP_CRIU_IMAGE_H

#include <stdint.h>

#include "topology.h"

#define IMAGE_MAGIC   0x504d4d47u /* "GMMP" */
#define IMAGE_VERSION 1

enum image_kind {
	IMAGE_KFD = 1,
	IMAGE_RENDER = 2, /* one GPU, and nothing else */
};

/* struct image_head, flags */
#define IMAGE_UNFIT_CODE 0x1u /* GPU code must not be interrupted by page faults: restore eagerly */

struct image_head {
	uint32_t magic;
	uint32_t version;
	uint32_t kind;
	uint32_t flags;
	uint32_t pid; /* as the process knows itself */
	uint32_t gpu_count;
	uint32_t bo_count;
	uint32_t object_count; /* of KFD's, in the private data */
	uint64_t extent_count;
	uint64_t private_bytes;
	uint64_t pages_bytes; /* of the file of content */
};

struct image_bo {
	uint64_t address;
	uint64_t size;
	uint64_t mmap_offset;
	uint32_t gpu_id;
	uint32_t alloc_flags;
	uint64_t first_extent;
	uint64_t extent_count;
};

struct image_extent {
	uint64_t offset; /* in the BO, bytes */
	uint64_t length;
	uint64_t file_offset;
};

struct image {
	struct image_head head;
	struct gpu *gpus;
	struct image_bo *bos;
	struct image_extent *extents;
	void *private;
};

/* Return 0, or -1 after an error was logged. folder is a descriptor. */
int image_write(int folder, int id, const struct image *image);
/* *image is NULL if there is no such file. */
int image_read(int folder, int id, struct image **image);
void image_free(struct image *image);

/* Open for writing, empty; or for reading. Return a descriptor or -1. */
int image_create_pages(int folder, int id);
int image_open_pages(int folder, int id, const struct image *image);

#endif
