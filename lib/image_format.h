/* SPDX-License-Identifier: MIT */
/*
 * What lies on disk: Documentation/image-format.md says what every field means. All numbers are
 * little-endian, all structures are aligned by nature and have no padding.
 */
#ifndef GMMAP_IMAGE_FORMAT_H
#define GMMAP_IMAGE_FORMAT_H

#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the image format is read in place, which needs a little-endian machine"
#endif

#define STORE_FORMAT_LINE	"gmmap store 1\n"

#define DIGEST_BYTES		32
#define DIGEST_HEX		(2 * DIGEST_BYTES)

#define PAGE_SHIFT		12
#define PAGE_BYTES		(1u << PAGE_SHIFT)
#define GRANULE_SHIFT		16
#define GRANULE_BYTES		(1u << GRANULE_SHIFT)

/* Packs: slots, their XXH3-128 hashes, and a trailer in the last page. */

#define PACK_MAGIC		"gmmappck"
#define PACK_VERSION		1
#define PACK_HASH_BYTES		16

struct pack_trailer {
	char magic[8];
	uint32_t version;
	uint32_t granule_shift;
	uint64_t slots;
	uint64_t hash_offset;
};

/* Images */

#define IMAGE_MAGIC		"gmmapimg"
#define IMAGE_VERSION		1
#define IMAGE_NONE		UINT32_MAX
#define IMAGE_MAX_BYTES		(UINT64_C(8) << 30)

struct image_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size;
	uint64_t file_size;
	uint64_t created_ns;
	uint32_t section_count;
	uint32_t name;
	uint64_t reserved[7];
	uint8_t sha256[DIGEST_BYTES];
};

enum image_section_type {
	SECTION_STRINGS = 1,
	SECTION_PACKS,
	SECTION_PROCESSES,
	SECTION_OBJECTS,
	SECTION_SPANS,
	SECTION_FILES,
	SECTION_PROPERTIES,
	SECTION_EXTENTS,
	SECTION_TYPES
};

#define SECTION_REQUIRED	0x1

struct image_section {
	uint32_t type;
	uint32_t flags;
	uint32_t record_size;
	uint32_t reserved;
	uint64_t offset;
	uint64_t count;
};

#define PACK_WRITTEN_WITH_IMAGE	0x1

struct image_pack {
	uint8_t digest[DIGEST_BYTES];
	uint64_t slots;
	uint32_t granule_shift;
	uint32_t flags;
	uint64_t reserved;
};

struct image_process {
	uint32_t pid;
	uint32_t flags;
	uint64_t reserved;
};

#define OBJECT_HAS_HEAD		0x1

struct image_object {
	uint32_t kind;
	uint32_t flags;
	uint32_t process;
	uint32_t index;
	uint32_t gpu_id;
	uint32_t alloc_flags;
	uint64_t address;
	uint64_t size;
	uint64_t first_extent;
	uint64_t extent_count;
	uint64_t head;
	uint32_t file;
	uint32_t reserved;
};

struct image_span {
	uint64_t address;
	uint64_t length;
	uint64_t offset;
	uint32_t process;
	uint32_t object;
	uint32_t flags;
	uint32_t reserved;
};

struct image_file {
	uint32_t name;
	uint32_t mode;
	uint64_t size;
	uint8_t sha256[DIGEST_BYTES];
};

struct image_property {
	uint32_t key;
	uint32_t value;
};

struct image_extent {
	uint64_t offset;
	uint64_t length;
	uint64_t pack_offset;
	uint32_t pack;
	uint32_t flags;
};

/* Profiles */

#define PROFILE_MAGIC		"gmmapprf"
#define PROFILE_VERSION		1

struct profile_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size;
	uint64_t file_size;
	uint64_t count;
	uint32_t record_size;
	uint32_t recordings;
	uint64_t reserved[3];
	char name[128];
	uint8_t image_sha256[DIGEST_BYTES];
	uint8_t sha256[DIGEST_BYTES];
};

struct profile_record {
	uint64_t offset;
	uint64_t length;
	uint64_t time_ns;
	uint32_t space;
	uint32_t index;
	uint32_t recordings;
	uint32_t reserved;
};

_Static_assert(sizeof(struct pack_trailer) == 32, "pack trailer");
_Static_assert(sizeof(struct image_header) == 128, "image header");
_Static_assert(sizeof(struct image_section) == 32, "section");
_Static_assert(sizeof(struct image_pack) == 56, "pack");
_Static_assert(sizeof(struct image_process) == 16, "process");
_Static_assert(sizeof(struct image_object) == 72, "object");
_Static_assert(sizeof(struct image_span) == 40, "span");
_Static_assert(sizeof(struct image_file) == 48, "file");
_Static_assert(sizeof(struct image_extent) == 32, "extent");
_Static_assert(sizeof(struct profile_header) == 256, "profile header");
_Static_assert(sizeof(struct profile_record) == 40, "profile record");

#endif
