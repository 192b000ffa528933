// SPDX-License-Identifier: MIT
/* gmmap image diff: what two images have in common, object by object. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "command.h"
#include "image_internal.h"

#define COMPARE_BYTES (1u << 20)

/* How much of two objects is the same; what lies in the same place of a pack is not read. */
struct difference {
	uint64_t shared; /* the same place, or zeros in both */
	uint64_t equal;	 /* the same content in different places */
	uint64_t different;
};

struct diff {
	struct gmmap_image *image[2];
	uint8_t *buffer[2];
};

static int compare_content(struct diff *diff, const uint32_t index[2], uint64_t offset,
			   uint64_t length, struct difference *difference)
{
	while (length) {
		size_t part = length < COMPARE_BYTES ? length : COMPARE_BYTES;

		for (int i = 0; i < 2; i++) {
			ssize_t n = gmmap_image_read(diff->image[i], index[i], offset,
						     diff->buffer[i], part);

			if (n < 0)
				return n;
		}
		for (size_t at = 0; at < part; at += PAGE_BYTES) {
			size_t page = part - at < PAGE_BYTES ? part - at : PAGE_BYTES;

			if (memcmp(diff->buffer[0] + at, diff->buffer[1] + at, page))
				difference->different += page;
			else
				difference->equal += page;
		}
		offset += part;
		length -= part;
	}
	return 0;
}

static bool same_place(const struct diff *diff, const struct gmmap_image_extent extent[2])
{
	struct gmmap_image_pack pack[2];

	if (extent[0].pack == GMMAP_IMAGE_NONE || extent[1].pack == GMMAP_IMAGE_NONE)
		return extent[0].pack == extent[1].pack;
	for (int i = 0; i < 2; i++)
		gmmap_image_pack(diff->image[i], extent[i].pack, &pack[i]);
	return extent[0].pack_offset == extent[1].pack_offset &&
	       !memcmp(pack[0].digest, pack[1].digest, sizeof(pack[0].digest));
}

/* What one has beyond the end of the other is different. */
static int compare_objects(struct diff *diff, const uint32_t index[2], const uint64_t size[2],
			   struct difference *difference)
{
	uint64_t common = size[0] < size[1] ? size[0] : size[1], offset = 0;
	int ret = 0;

	while (!ret && offset < common) {
		struct gmmap_image_extent extent[2];
		uint64_t length = common - offset;

		for (int i = 0; i < 2; i++) {
			gmmap_image_extents(diff->image[i], index[i], offset, &extent[i], 1);
			if (extent[i].length < length)
				length = extent[i].length;
		}
		if (same_place(diff, extent))
			difference->shared += length;
		else
			ret = compare_content(diff, index, offset, length, difference);
		offset += length;
	}
	difference->different += (size[0] > size[1] ? size[0] : size[1]) - common;
	return ret;
}

static uint32_t pid_of(const struct gmmap_image *image, uint32_t process)
{
	struct gmmap_image_process record;

	return gmmap_image_process(image, process, &record) ? GMMAP_IMAGE_NONE : record.pid;
}

/* The object of the other image that was the same thing: of the same process, kind, GPU and number.
 */
static int64_t find_other(const struct diff *diff, int other,
			  const struct gmmap_image_object *object, uint32_t pid)
{
	struct gmmap_image_object candidate;

	for (uint32_t i = 0; !gmmap_image_object(diff->image[other], i, &candidate); i++)
		if (candidate.kind == object->kind && candidate.index == object->index &&
		    candidate.gpu_id == object->gpu_id &&
		    pid_of(diff->image[other], candidate.process) == pid)
			return i;
	return -1;
}

static void add_line(struct json_object *list, uint32_t index, int64_t other, uint64_t size,
		     const struct difference *difference)
{
	struct json_object *json;

	if (!list) {
		printf("%6u %6lld %12llu %10s %10s %10s\n", index, (long long)other,
		       (unsigned long long)size, bytes_text(difference->shared),
		       bytes_text(difference->equal), bytes_text(difference->different));
		return;
	}
	json = json_object_new_object();
	json_object_object_add(json, "object", json_object_new_int64(index));
	json_object_object_add(json, "other", other < 0 ? NULL : json_object_new_int64(other));
	json_add_u64(json, "bytes", size);
	json_add_u64(json, "shared_bytes", difference->shared);
	json_add_u64(json, "equal_bytes", difference->equal);
	json_add_u64(json, "different_bytes", difference->different);
	json_object_array_add(list, json);
}

static int diff_object(struct diff *diff, uint32_t number, struct json_object *list,
		       struct difference *sum)
{
	struct gmmap_image_object object, other = { 0 };
	struct difference difference = { 0 };
	int64_t found;
	int ret = 0;

	gmmap_image_object(diff->image[1], number, &object);
	found = find_other(diff, 0, &object, pid_of(diff->image[1], object.process));
	if (found >= 0) {
		const uint32_t index[2] = { found, number };

		gmmap_image_object(diff->image[0], found, &other);
		ret = compare_objects(diff, index, (uint64_t[]){ other.size, object.size },
				      &difference);
	} else {
		difference.different = object.size;
	}
	sum->shared += difference.shared;
	sum->equal += difference.equal;
	sum->different += difference.different;
	add_line(list, number, found, object.size, &difference);
	return ret;
}

/* Objects of the first image that the second does not have. */
static uint64_t count_gone(const struct diff *diff)
{
	struct gmmap_image_object object;
	uint64_t gone = 0;

	for (uint32_t i = 0; !gmmap_image_object(diff->image[0], i, &object); i++)
		gone += find_other(diff, 1, &object, pid_of(diff->image[0], object.process)) < 0;
	return gone;
}

static int diff_images(struct diff *diff, bool as_json)
{
	struct json_object *list = as_json ? json_object_new_array() : NULL, *json;
	struct difference sum = { 0 };
	struct gmmap_image_object object;
	int ret = 0;

	if (!as_json)
		printf("%6s %6s %12s %10s %10s %10s\n", "OBJECT", "OTHER", "BYTES", "SHARED",
		       "EQUAL", "DIFFERENT");
	for (uint32_t i = 0; !ret && !gmmap_image_object(diff->image[1], i, &object); i++)
		ret = diff_object(diff, i, list, &sum);
	if (ret) {
		json_object_put(list);
		return fail("content cannot be read: %s", strerror(-ret));
	}
	if (!as_json) {
		printf("%s are in the same place, %s are equal elsewhere, %s differ; %llu objects "
		       "are gone\n",
		       bytes_text(sum.shared), bytes_text(sum.equal), bytes_text(sum.different),
		       (unsigned long long)count_gone(diff));
		return COMMAND_OK;
	}
	json = json_object_new_object();
	json_add_u64(json, "shared_bytes", sum.shared);
	json_add_u64(json, "equal_bytes", sum.equal);
	json_add_u64(json, "different_bytes", sum.different);
	json_add_u64(json, "gone_objects", count_gone(diff));
	json_object_object_add(json, "objects", list);
	json_print(json);
	return COMMAND_OK;
}

int image_diff(int argc, char **argv)
{
	static const struct option long_options[] = { STORE_OPTIONS, { 0 } };
	struct store_options options;
	struct gmmap_image_error error;
	struct diff diff = { 0 };
	int option, status = COMMAND_OK;

	store_options_init(&options);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!store_option(&options, option))
			return COMMAND_USAGE;
	if (optind + 2 != argc)
		return usage_error("name two images");
	for (int i = 0; i < 2; i++) {
		diff.buffer[i] = malloc(COMPARE_BYTES);
		if (!diff.buffer[i])
			status = fail("no memory");
		else if (gmmap_image_open(options.store, argv[optind + i], 0, &diff.image[i],
					  &error))
			status = fail("%s", error.text);
	}
	if (!status)
		status = diff_images(&diff, options.json);
	for (int i = 0; i < 2; i++) {
		gmmap_image_close(diff.image[i]);
		free(diff.buffer[i]);
	}
	return status;
}
