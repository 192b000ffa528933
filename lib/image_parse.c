// SPDX-License-Identifier: MIT
/*
 * The image file comes from whoever could write to the store. It is read into memory once and every
 * field is checked here, so that nothing behind needs to.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <nettle/sha2.h>
#include "image_internal.h"

#define MAX_SECTIONS   64
#define MAX_PACK_BYTES (UINT64_C(1) << 50)

int image_fail(struct gmmap_image_error *error, int code, const char *format, ...)
{
	va_list arguments;

	if (error) {
		va_start(arguments, format);
		vsnprintf(error->text, sizeof(error->text), format, arguments);
		va_end(arguments);
	}
	return code;
}

#define BAD(...) image_fail(error, -EBADMSG, "image: " __VA_ARGS__)

void image_sha256(const void *data, size_t size, size_t hole, uint8_t sha256[DIGEST_BYTES])
{
	static const uint8_t zeros[DIGEST_BYTES];
	const uint8_t *bytes = data;
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, hole, bytes);
	sha256_update(&sha, DIGEST_BYTES, zeros);
	sha256_update(&sha, size - hole - DIGEST_BYTES, bytes + hole + DIGEST_BYTES);
	sha256_digest(&sha, DIGEST_BYTES, sha256);
}

bool image_name_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= 128 && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "._+:@-") == length;
}

bool image_file_name_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= 255 && !strchr(name, '/') && strcmp(name, ".") &&
	       strcmp(name, "..");
}

static uint32_t known_record_size(uint32_t type)
{
	switch (type) {
	case SECTION_STRINGS:
		return 1;
	case SECTION_PACKS:
		return sizeof(struct image_pack);
	case SECTION_PROCESSES:
		return sizeof(struct image_process);
	case SECTION_OBJECTS:
		return sizeof(struct image_object);
	case SECTION_SPANS:
		return sizeof(struct image_span);
	case SECTION_FILES:
		return sizeof(struct image_file);
	case SECTION_PROPERTIES:
		return sizeof(struct image_property);
	case SECTION_EXTENTS:
		return sizeof(struct image_extent);
	}
	return 0;
}

static int parse_header(struct gmmap_image *image, struct gmmap_image_error *error)
{
	const struct image_header *header = image_header(image);
	uint8_t sha256[DIGEST_BYTES];

	if (image->size < sizeof(*header))
		return BAD("%zu bytes are no header", image->size);
	if (memcmp(header->magic, IMAGE_MAGIC, sizeof(header->magic)))
		return BAD("not an image of gmmap");
	if (header->version != IMAGE_VERSION)
		return image_fail(error, -EPROTONOSUPPORT,
				  "image: version %u; this program knows version %u",
				  header->version, IMAGE_VERSION);
	if (header->file_size != image->size)
		return BAD("%zu bytes long instead of %llu", image->size,
			   (unsigned long long)header->file_size);
	if (header->header_size < sizeof(*header) || header->header_size > image->size ||
	    header->header_size % 8)
		return BAD("header_size %u", header->header_size);
	if (header->section_count > MAX_SECTIONS ||
	    header->section_count * sizeof(struct image_section) >
		    image->size - header->header_size)
		return BAD("section_count %u", header->section_count);
	image_sha256(image->data, image->size, offsetof(struct image_header, sha256), sha256);
	if (memcmp(sha256, header->sha256, sizeof(sha256)))
		return BAD("content does not have the SHA-256 in its header");
	return 0;
}

static int parse_section(struct gmmap_image *image, const struct image_section *record,
			 struct gmmap_image_error *error)
{
	uint32_t known = known_record_size(record->type);
	struct section *section;

	if (record->offset > image->size || !record->record_size ||
	    record->count > (image->size - record->offset) / record->record_size)
		return BAD("section %u lies outside", record->type);
	if (!known) {
		if (record->flags & SECTION_REQUIRED)
			return image_fail(
				error, -EPROTONOSUPPORT,
				"image: needs section %u, which this program does not know",
				record->type);
		return 0;
	}
	section = &image->section[record->type];
	if (section->data)
		return BAD("section %u comes twice", record->type);
	if (known == 1
		    ? record->record_size != 1
		    : record->record_size < known || record->record_size % 8 || record->offset % 8)
		return BAD("section %u: record_size %u", record->type, record->record_size);
	if (record->type != SECTION_EXTENTS && record->count >= IMAGE_NONE)
		return BAD("section %u: count", record->type);
	section->data = image->data + record->offset;
	section->record_size = record->record_size;
	section->count = record->count;
	return 0;
}

static int parse_sections(struct gmmap_image *image, struct gmmap_image_error *error)
{
	const struct image_header *header = image_header(image);
	const uint8_t *table = image->data + header->header_size;
	const struct section *strings = &image->section[SECTION_STRINGS];

	memset(image->section, 0, sizeof(image->section));
	for (uint32_t i = 0; i < header->section_count; i++) {
		struct image_section record;
		int ret;

		memcpy(&record, table + i * sizeof(record), sizeof(record));
		ret = parse_section(image, &record, error);
		if (ret)
			return ret;
	}
	if (!strings->count || strings->data[strings->count - 1])
		return BAD("strings do not end");
	return 0;
}

static bool string_valid(const struct gmmap_image *image, uint32_t offset)
{
	return offset < image_count(image, SECTION_STRINGS);
}

static int parse_packs(struct gmmap_image *image, struct gmmap_image_error *error)
{
	for (uint64_t i = 0; i < image_count(image, SECTION_PACKS); i++) {
		const struct image_pack *pack = image_record(image, SECTION_PACKS, i);

		if (!pack_file_size(pack->slots, pack->granule_shift))
			return BAD("pack %llu: size", (unsigned long long)i);
	}
	return 0;
}

static int parse_extents(struct gmmap_image *image, const struct image_object *object,
			 uint64_t number, struct gmmap_image_error *error)
{
	uint64_t offset = 0;

	for (uint64_t i = 0; i < object->extent_count; i++) {
		const struct image_extent *extent = image_extent(image, object->first_extent + i);
		const struct image_pack *pack;
		uint64_t pack_bytes;

		if (extent->offset != offset || !extent->length ||
		    extent->length > object->size - offset || extent->flags)
			return BAD("object %llu, extent %llu: range", (unsigned long long)number,
				   (unsigned long long)i);
		offset += extent->length;
		if (extent->length % PAGE_BYTES && offset != object->size)
			return BAD("object %llu, extent %llu: broken page",
				   (unsigned long long)number, (unsigned long long)i);
		if (extent->pack == IMAGE_NONE) {
			if (extent->pack_offset)
				return BAD("object %llu, extent %llu: zeros with an offset",
					   (unsigned long long)number, (unsigned long long)i);
			continue;
		}
		if (extent->pack >= image_count(image, SECTION_PACKS))
			return BAD("object %llu, extent %llu: there is no pack %u",
				   (unsigned long long)number, (unsigned long long)i, extent->pack);
		pack = image_record(image, SECTION_PACKS, extent->pack);
		pack_bytes = pack->slots << pack->granule_shift;
		if (extent->pack_offset % PAGE_BYTES || extent->pack_offset > pack_bytes ||
		    extent->length > pack_bytes - extent->pack_offset)
			return BAD("object %llu, extent %llu: outside of its pack",
				   (unsigned long long)number, (unsigned long long)i);
	}
	if (offset != object->size)
		return BAD("object %llu: extents do not reach its end", (unsigned long long)number);
	return 0;
}

static int parse_objects(struct gmmap_image *image, struct gmmap_image_error *error)
{
	uint64_t next = 0;

	for (uint64_t i = 0; i < image_count(image, SECTION_OBJECTS); i++) {
		const struct image_object *object = image_record(image, SECTION_OBJECTS, i);
		int ret;

		if (object->kind < GMMAP_IMAGE_KFD_BO || object->kind > GMMAP_IMAGE_PAGES)
			return BAD("object %llu: kind %u", (unsigned long long)i, object->kind);
		if (object->process != IMAGE_NONE &&
		    object->process >= image_count(image, SECTION_PROCESSES))
			return BAD("object %llu: there is no process %u", (unsigned long long)i,
				   object->process);
		if (object->flags & ~OBJECT_HAS_HEAD)
			return BAD("object %llu: flags %#x", (unsigned long long)i, object->flags);
		if (object->file != IMAGE_NONE &&
		    (!string_valid(image, object->file) ||
		     !image_file_name_valid(image_string(image, object->file))))
			return BAD("object %llu: name of its file", (unsigned long long)i);
		if (object->first_extent != next ||
		    object->extent_count > image_count(image, SECTION_EXTENTS) - next)
			return BAD("object %llu: extents", (unsigned long long)i);
		ret = parse_extents(image, object, i, error);
		if (ret)
			return ret;
		next += object->extent_count;
	}
	if (next != image_count(image, SECTION_EXTENTS))
		return BAD("extents without an object");
	return 0;
}

static int parse_spans(struct gmmap_image *image, struct gmmap_image_error *error)
{
	uint64_t end = 0;
	uint32_t process = 0;

	for (uint64_t i = 0; i < image_count(image, SECTION_SPANS); i++) {
		const struct image_span *span = image_record(image, SECTION_SPANS, i);
		const struct image_object *object;

		if (span->process >= image_count(image, SECTION_PROCESSES) ||
		    span->object >= image_count(image, SECTION_OBJECTS))
			return BAD("span %llu: process or object", (unsigned long long)i);
		object = image_record(image, SECTION_OBJECTS, span->object);
		if (!span->length || (span->address | span->length | span->offset) % PAGE_BYTES ||
		    span->length > UINT64_MAX - span->address ||
		    object->kind != GMMAP_IMAGE_PAGES || span->offset > object->size ||
		    span->length > object->size - span->offset ||
		    span->flags & ~GMMAP_IMAGE_MEMORY_LAZY)
			return BAD("span %llu: range", (unsigned long long)i);
		if (span->process < process || (span->process == process && span->address < end))
			return BAD("span %llu: order", (unsigned long long)i);
		process = span->process;
		end = span->address + span->length;
	}
	return 0;
}

static int parse_files(struct gmmap_image *image, struct gmmap_image_error *error)
{
	const char *last = "";

	for (uint64_t i = 0; i < image_count(image, SECTION_FILES); i++) {
		const struct image_file *file = image_record(image, SECTION_FILES, i);
		const char *name;

		if (!string_valid(image, file->name) || file->mode & ~0777u)
			return BAD("file %llu: name or mode", (unsigned long long)i);
		name = image_string(image, file->name);
		if (!image_file_name_valid(name) || strcmp(last, name) >= 0)
			return BAD("file %llu: name", (unsigned long long)i);
		last = name;
	}
	for (uint64_t i = 0; i < image_count(image, SECTION_PROPERTIES); i++) {
		const struct image_property *property = image_record(image, SECTION_PROPERTIES, i);

		if (!string_valid(image, property->key) || !string_valid(image, property->value))
			return BAD("property %llu", (unsigned long long)i);
	}
	return 0;
}

int image_parse(struct gmmap_image *image, struct gmmap_image_error *error)
{
	int ret = parse_header(image, error);

	if (!ret)
		ret = parse_sections(image, error);
	if (ret)
		return ret;
	if (!string_valid(image, image_header(image)->name) ||
	    !image_name_valid(image_string(image, image_header(image)->name)))
		return BAD("name");
	ret = parse_packs(image, error);
	if (!ret)
		ret = parse_objects(image, error);
	if (!ret)
		ret = parse_spans(image, error);
	if (!ret)
		ret = parse_files(image, error);
	return ret;
}

uint64_t pack_hash_offset(uint64_t slots, uint32_t granule_shift)
{
	return slots << granule_shift;
}

uint64_t pack_file_size(uint64_t slots, uint32_t granule_shift)
{
	uint64_t hashes;

	if (granule_shift < PAGE_SHIFT || granule_shift > 21 || !slots ||
	    slots > MAX_PACK_BYTES >> granule_shift)
		return 0;
	hashes = (slots * PACK_HASH_BYTES + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	return (slots << granule_shift) + hashes + PAGE_BYTES;
}
