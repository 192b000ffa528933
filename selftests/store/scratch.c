// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "scratch.h"
#include "store_internal.h"

int scratch_setup(void **state)
{
	char path[] = "/tmp/gmmap-store-XXXXXX";
	struct gmmap_image_error error;

	if (!mkdtemp(path))
		return -1;
	*state = strdup(path);
	return gmmap_store_create(path, &error);
}

int scratch_teardown(void **state)
{
	int ret = remove_tree(AT_FDCWD, *state);

	free(*state);
	return ret;
}

uint64_t scratch_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void scratch_fill(void *data, size_t length, uint64_t seed)
{
	uint8_t *bytes = data;
	uint64_t word = 0, state = seed;

	for (size_t i = 0; i < length; i++) {
		if (i % 8 == 0)
			word = scratch_random(&state);
		bytes[i] = word >> i % 8 * 8;
	}
}

struct gmmap_store_writer *scratch_begin(const char *store, const char *name, const char *base)
{
	struct gmmap_store_options options = { .bases = &base, .base_count = base != NULL };
	struct gmmap_store_writer *writer = NULL;
	struct gmmap_image_error error;

	if (gmmap_store_begin(store, name, &options, &writer, &error))
		fail_msg("%s", error.text);
	return writer;
}

uint32_t scratch_object(struct gmmap_store_writer *writer, enum gmmap_image_kind kind,
			uint32_t process, const void *data, size_t size)
{
	struct gmmap_image_object object = { .kind = kind, .process = process, .size = size };
	int64_t index = gmmap_store_object(writer, &object, NULL);

	assert_true(index >= 0);
	assert_int_equal(gmmap_store_write(writer, data, size), 0);
	assert_int_equal(gmmap_store_end_object(writer), 0);
	return index;
}

void scratch_commit(struct gmmap_store_writer *writer, struct gmmap_store_result *result)
{
	struct gmmap_image_error error;

	if (gmmap_store_commit(writer, result, &error))
		fail_msg("%s", error.text);
}

struct gmmap_image *scratch_open(const char *store, const char *name)
{
	struct gmmap_image_error error;
	struct gmmap_image *image = NULL;

	if (gmmap_image_open(store, name, 0, &image, &error))
		fail_msg("%s", error.text);
	return image;
}

void scratch_check(struct gmmap_image *image, uint32_t index, const void *data, size_t size)
{
	struct gmmap_image_object object;
	uint8_t *content = malloc(size + 1);

	assert_int_equal(gmmap_image_object(image, index, &object), 0);
	assert_int_equal(object.size, size);
	assert_int_equal(gmmap_image_read(image, index, 0, content, size + 1), size);
	if (memcmp(content, data, size))
		fail_msg("object %u has other content", index);
	free(content);
}

size_t scratch_entries(const char *store, const char *folder)
{
	char path[4096];
	size_t count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", store, folder);
	dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

void scratch_pack_path(const char *store, const char *name, char path[4096])
{
	struct gmmap_image *image = scratch_open(store, name);
	struct gmmap_image_pack pack;
	int length = snprintf(path, 4000, "%s/", store);

	assert_int_equal(gmmap_image_pack(image, 0, &pack), 0);
	pack_path(pack.digest, path + length);
	gmmap_image_close(image);
}

void scratch_sign(uint8_t *data, size_t size)
{
	struct image_header *header = (struct image_header *)data;

	image_sha256(data, size, offsetof(struct image_header, sha256), header->sha256);
}
