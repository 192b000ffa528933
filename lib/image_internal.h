/* SPDX-License-Identifier: MIT */
#ifndef GMMAP_IMAGE_INTERNAL_H
#define GMMAP_IMAGE_INTERNAL_H

#include <stdbool.h>
#include "gmmap-image.h"
#include "image_format.h"

/* A table of the image file; record_size may be larger than what this version knows. */
struct section {
	const uint8_t *data;
	uint32_t record_size;
	uint64_t count;
};

struct gmmap_image {
	uint8_t *data; /* all of the image file */
	size_t size;
	struct section section[SECTION_TYPES];
	unsigned int flags;
	int store_fd;
	int image_fd;  /* images/NAME */
	int files_fd;  /* images/NAME/files */
	int *pack_fds; /* NULL: not opened */
};

static inline const struct image_header *image_header(const struct gmmap_image *image)
{
	return (const struct image_header *)image->data;
}

static inline const void *image_record(const struct gmmap_image *image,
				       enum image_section_type type, uint64_t index)
{
	const struct section *section = &image->section[type];

	return section->data + index * section->record_size;
}

static inline uint64_t image_count(const struct gmmap_image *image, enum image_section_type type)
{
	return image->section[type].count;
}

static inline const char *image_string(const struct gmmap_image *image, uint32_t offset)
{
	return (const char *)image->section[SECTION_STRINGS].data + offset;
}

static inline const struct image_extent *image_extent(const struct gmmap_image *image,
						      uint64_t index)
{
	return image_record(image, SECTION_EXTENTS, index);
}

/* Checks every field of image->data; what the accessors above return is sound afterwards. */
int image_parse(struct gmmap_image *image, struct gmmap_image_error *error);
/* SHA-256 of DATA as if the digest at byte HOLE were zeros. */
void image_sha256(const void *data, size_t size, size_t hole, uint8_t sha256[DIGEST_BYTES]);

/* Size of the file of a pack, or 0 if it cannot be. */
uint64_t pack_file_size(uint64_t slots, uint32_t granule_shift);
uint64_t pack_hash_offset(uint64_t slots, uint32_t granule_shift);
/* Opens packs/HEX.pack and checks that it is what RECORD says, without reading its content. */
int pack_open(int store_fd, const struct image_pack *record, unsigned int flags,
	      struct gmmap_image_error *error);
int pack_read_trailer(int fd, struct pack_trailer *trailer, uint64_t *file_size);
void pack_path(const uint8_t digest[DIGEST_BYTES], char path[DIGEST_HEX + 16]);

/* Opens the folder of a store and checks its format. */
int store_open_folder(const char *path, struct gmmap_image_error *error);

bool image_name_valid(const char *name);
bool image_file_name_valid(const char *name);

/* Reads a whole regular file of at most LIMIT bytes. */
int read_whole(int dirfd, const char *path, uint64_t limit, uint8_t **data, size_t *size);
/* pread() until LENGTH bytes are there. -ENODATA at the end of the file. */
int read_exactly(int fd, void *buffer, size_t length, uint64_t offset);

/* Checks every field of the SIZE bytes of profile NAME of IMAGE. */
int profile_parse(const uint8_t *data, size_t size, const char *name,
		  const struct gmmap_image *image, struct gmmap_image_error *error);

__attribute__((format(printf, 3, 4))) int image_fail(struct gmmap_image_error *error, int code,
						     const char *format, ...);

#endif
