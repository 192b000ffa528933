// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "image_internal.h"

#define PROFILE_MAX_BYTES (UINT64_C(1) << 32)

struct gmmap_image_profile {
	uint32_t recordings;
	size_t count;
	struct gmmap_image_profile_entry entries[];
};

#define BAD(...) image_fail(error, -EBADMSG, __VA_ARGS__)

static int parse_header(const uint8_t *data, size_t size, const char *name,
			const struct gmmap_image *image, struct gmmap_image_error *error)
{
	const struct profile_header *header = (const void *)data;
	uint8_t sha256[DIGEST_BYTES];

	if (size < sizeof(*header) || memcmp(header->magic, PROFILE_MAGIC, sizeof(header->magic)))
		return BAD("profile %s: not a profile of gmmap", name);
	if (header->version != PROFILE_VERSION)
		return image_fail(error, -EPROTONOSUPPORT,
				  "profile %s: version %u; this program knows version %u", name,
				  header->version, PROFILE_VERSION);
	if (header->file_size != size || header->header_size < sizeof(*header) ||
	    header->header_size > size || header->header_size % 8 ||
	    header->record_size < sizeof(struct profile_record) || header->record_size % 8 ||
	    header->count != (size - header->header_size) / header->record_size ||
	    (size - header->header_size) % header->record_size)
		return BAD("profile %s: sizes", name);
	image_sha256(data, size, offsetof(struct profile_header, sha256), sha256);
	if (memcmp(sha256, header->sha256, sizeof(sha256)))
		return BAD("profile %s: content does not have the SHA-256 in its header", name);
	if (strncmp(header->name, name, sizeof(header->name)))
		return BAD("profile %s is another one of this image", name);
	if (memcmp(header->image_sha256, image_header(image)->sha256, DIGEST_BYTES))
		return BAD("profile %s is of another image", name);
	return 0;
}

static bool range_valid(const struct gmmap_image *image, const struct profile_record *record)
{
	const struct image_object *object;

	if (!record->length || record->length > UINT64_MAX - record->offset)
		return false;
	if (record->space == GMMAP_IMAGE_PROFILE_MEMORY)
		return record->index < image_count(image, SECTION_PROCESSES);
	if (record->space != GMMAP_IMAGE_PROFILE_OBJECT ||
	    record->index >= image_count(image, SECTION_OBJECTS))
		return false;
	object = image_record(image, SECTION_OBJECTS, record->index);
	return record->offset + record->length <= object->size;
}

int profile_parse(const uint8_t *data, size_t size, const char *name,
		  const struct gmmap_image *image, struct gmmap_image_error *error)
{
	const struct profile_header *header = (const void *)data;
	uint64_t time_ns = 0;
	int ret = parse_header(data, size, name, image, error);

	if (ret)
		return ret;
	for (uint64_t i = 0; i < header->count; i++) {
		const struct profile_record *record =
			(const void *)(data + header->header_size + i * header->record_size);

		if (!range_valid(image, record))
			return BAD("profile %s, entry %llu: range", name, (unsigned long long)i);
		if (record->time_ns < time_ns || !record->recordings ||
		    record->recordings > header->recordings)
			return BAD("profile %s, entry %llu: order", name, (unsigned long long)i);
		time_ns = record->time_ns;
	}
	return 0;
}

static struct gmmap_image_profile *copy_entries(const uint8_t *data)
{
	const struct profile_header *header = (const void *)data;
	struct gmmap_image_profile *profile =
		calloc(1, sizeof(*profile) + header->count * sizeof(profile->entries[0]));

	if (!profile)
		return NULL;
	profile->recordings = header->recordings;
	profile->count = header->count;
	for (size_t i = 0; i < profile->count; i++) {
		const struct profile_record *record =
			(const void *)(data + header->header_size + i * header->record_size);

		profile->entries[i] = (struct gmmap_image_profile_entry){
			.offset = record->offset,
			.length = record->length,
			.time_ns = record->time_ns,
			.space = record->space,
			.index = record->index,
			.recordings = record->recordings,
		};
	}
	return profile;
}

int gmmap_image_profile_open(const struct gmmap_image *image, const char *name,
			     struct gmmap_image_profile **profile, struct gmmap_image_error *error)
{
	char path[160];
	uint8_t *data;
	size_t size;
	int ret;

	if (!image_name_valid(name))
		return image_fail(error, -EINVAL, "`%s' cannot be the name of a profile", name);
	snprintf(path, sizeof(path), "profiles/%s", name);
	ret = read_whole(image->image_fd, path, PROFILE_MAX_BYTES, &data, &size);
	if (ret)
		return image_fail(error, ret, "profile %s: %s", name, strerror(-ret));
	ret = profile_parse(data, size, name, image, error);
	if (!ret) {
		*profile = copy_entries(data);
		if (!*profile)
			ret = image_fail(error, -ENOMEM, "no memory for profile %s", name);
	}
	free(data);
	return ret;
}

void gmmap_image_profile_close(struct gmmap_image_profile *profile)
{
	free(profile);
}

const struct gmmap_image_profile_entry *
gmmap_image_profile_entries(const struct gmmap_image_profile *profile, size_t *count)
{
	*count = profile->count;
	return profile->entries;
}

uint32_t gmmap_image_profile_recordings(const struct gmmap_image_profile *profile)
{
	return profile->recordings;
}
