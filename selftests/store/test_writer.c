// SPDX-License-Identifier: MIT
/* What is written comes back, byte by byte, and is stored once. */
#define _GNU_SOURCE
#include "scratch.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "image_verity.h"

#define KIB 1024u
#define MIB (1024u * KIB)

/* Digests that fsverity-utils 1.5 gave for files of the bytes that digest_bytes() makes. */
static const struct {
	size_t size;
	const char *digest;
} digests[] = {
	{ 0, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95" },
	{ 1, "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551" },
	{ 4096, "87a706bdba32be89a173dc11d6a91c08165b4dcfcf743988c94595e82934a41a" },
	{ 4097, "a4320d7c02e4663ab5e68f9c4104442b495b42611587610eeff876aa21e8c8bb" },
	{ 524288, "576e4054c203aa6b1289c14e6b30a2e80fab133e57ef28f679d7cbc179d3a4ff" },
	{ 524289, "224b5c7d7bce1476f46a7825f79169e3167141ca9fd7676f17ee6ed0c66511cd" },
	{ 67108864, "fa539cad1bdd769e9e63b77eb8a4a8d8cb68d206fe41b560341b923c2aa82885" },
	{ 67112961, "9109f148390eb999e87ae83435401d31f0055165e5122fc6f93d9cc21ed81362" },
};

static uint8_t *digest_bytes(size_t size)
{
	uint8_t *data = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		data[i] = i * 7 + (i >> 12) * 13;
	return data;
}

static void digest_is_that_of_fs_verity(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		uint8_t digest[DIGEST_BYTES], *data = digest_bytes(digests[i].size);
		char hex[DIGEST_HEX + 1];
		struct verity verity;

		verity_init(&verity);
		verity_update(&verity, data, digests[i].size);
		verity_final(&verity, digest);
		digest_to_hex(digest, hex);
		assert_string_equal(hex, digests[i].digest);
		free(data);
	}
}

/* A mix of content: new, zeros, repeated, and what the base has. */
static void fill_mix(uint8_t *data, size_t size, uint64_t *random, size_t granule)
{
	for (size_t at = 0; at < size; at += granule) {
		size_t part = size - at < granule ? size - at : granule;

		switch (scratch_random(random) % 4) {
		case 0:
			memset(data + at, 0, part);
			break;
		case 1:
			scratch_fill(data + at, part, scratch_random(random) % 16);
			break;
		default:
			scratch_fill(data + at, part, scratch_random(random));
		}
	}
}

static void write_in_pieces(struct gmmap_store_writer *writer, const uint8_t *data, size_t size,
			    uint64_t *random)
{
	for (size_t at = 0; at < size;) {
		size_t part = scratch_random(random) % (3 * MIB) + 1;

		if (part > size - at)
			part = size - at;
		assert_int_equal(gmmap_store_write(writer, data + at, part), 0);
		at += part;
	}
}

#define OBJECTS 6

static const size_t object_sizes[OBJECTS] = { 20 * MIB + 12 * KIB,    0,  64 * KIB, 4 * KIB,
					      9 * MIB + 64 * KIB + 5, 100 };

static void write_mix(const char *store, const char *name, const char *base, uint64_t seed,
		      uint8_t *data[OBJECTS])
{
	struct gmmap_store_writer *writer = scratch_begin(store, name, base);
	uint64_t random = seed;

	assert_int_equal(gmmap_store_process(writer, 42), 0);
	for (int i = 0; i < OBJECTS; i++) {
		struct gmmap_image_object object = {
			.kind = i % 2 ? GMMAP_IMAGE_PAGES : GMMAP_IMAGE_KFD_BO,
			.index = i,
			.size = object_sizes[i],
		};

		data[i] = malloc(object_sizes[i] + 1);
		fill_mix(data[i], object_sizes[i], &random, i % 2 ? 4 * KIB : 64 * KIB);
		assert_int_equal(gmmap_store_object(writer, &object, NULL), i);
		write_in_pieces(writer, data[i], object_sizes[i], &random);
		assert_int_equal(gmmap_store_end_object(writer), 0);
	}
	scratch_commit(writer, NULL);
}

static void check_ranges(struct gmmap_image *image, uint8_t *data[OBJECTS], uint64_t *random)
{
	uint8_t *buffer = malloc(MIB);

	for (int i = 0; i < 500; i++) {
		int object = scratch_random(random) % OBJECTS;
		size_t size = object_sizes[object], offset, length;

		offset = size ? scratch_random(random) % size : 0;
		length = scratch_random(random) % MIB;
		if (length > size - offset)
			length = size - offset;
		assert_int_equal(gmmap_image_read(image, object, offset, buffer, length), length);
		assert_memory_equal(buffer, data[object] + offset, length);
	}
	free(buffer);
}

static void content_comes_back(void **state)
{
	const char *names[] = { "base", "app", "alone" };
	uint64_t random = 1;

	for (int n = 0; n < 3; n++) {
		struct gmmap_image_verify how = { 0 };
		struct gmmap_image *image;
		uint8_t *data[OBJECTS];

		write_mix(*state, names[n], n == 1 ? "base" : NULL, n == 1 ? 7 : n, data);
		image = scratch_open(*state, names[n]);
		for (int i = 0; i < OBJECTS; i++)
			scratch_check(image, i, data[i], object_sizes[i]);
		check_ranges(image, data, &random);
		assert_int_equal(gmmap_image_verify(image, &how), 0);
		gmmap_image_close(image);
		for (int i = 0; i < OBJECTS; i++)
			free(data[i]);
	}
	assert_int_equal(scratch_entries(*state, "tmp"), 0);
}

static void repeated_content_is_stored_once(void **state)
{
	struct gmmap_store_writer *writer = scratch_begin(*state, "base", NULL);
	uint8_t *data = malloc(4 * MIB), *pages = malloc(MIB);
	struct gmmap_store_result result;

	scratch_fill(data, 2 * MIB, 1);
	memcpy(data + 2 * MIB, data, MIB);
	memset(data + 3 * MIB, 0, MIB);
	scratch_fill(pages, MIB, 2);
	scratch_object(writer, GMMAP_IMAGE_KFD_BO, GMMAP_IMAGE_NONE, data, 4 * MIB);
	scratch_object(writer, GMMAP_IMAGE_PAGES, GMMAP_IMAGE_NONE, pages, MIB);
	scratch_commit(writer, &result);
	assert_int_equal(result.granules.content, 4 * MIB);
	assert_int_equal(result.granules.stored, 2 * MIB);
	assert_int_equal(result.granules.repeated, MIB);
	assert_int_equal(result.granules.zeros, MIB);
	assert_int_equal(result.pages.stored, MIB);
	/* New, repeated (it is elsewhere in the pack), zeros; pages. */
	assert_int_equal(result.extents, 4);

	/* Only what differs; pages are found at another offset. */
	scratch_fill(data + 64 * KIB, 1, 99);
	writer = scratch_begin(*state, "app", "base");
	scratch_object(writer, GMMAP_IMAGE_KFD_BO, GMMAP_IMAGE_NONE, data, 4 * MIB);
	scratch_object(writer, GMMAP_IMAGE_PAGES, GMMAP_IMAGE_NONE, pages + 4 * KIB, MIB - 4 * KIB);
	scratch_commit(writer, &result);
	assert_int_equal(result.granules.stored, 64 * KIB);
	assert_int_equal(result.granules.base, 3 * MIB - 64 * KIB);
	assert_int_equal(result.pages.stored, 0);
	assert_int_equal(scratch_entries(*state, "packs"), 3);
	free(data);
	free(pages);
}

static void the_same_content_adds_no_pack(void **state)
{
	uint8_t *data = malloc(MIB);

	scratch_fill(data, MIB, 1);
	for (int i = 0; i < 2; i++) {
		struct gmmap_store_writer *writer =
			scratch_begin(*state, i ? "one" : "other", NULL);

		scratch_object(writer, GMMAP_IMAGE_KFD_BO, GMMAP_IMAGE_NONE, data, MIB);
		scratch_commit(writer, NULL);
	}
	assert_int_equal(scratch_entries(*state, "packs"), 1);
	free(data);
}

/* A hash that promises content which is not there must not lead to it. */
static void a_damaged_base_is_not_used(void **state)
{
	struct gmmap_store_writer *writer = scratch_begin(*state, "base", NULL);
	struct gmmap_store_result result;
	struct gmmap_image *image;
	uint8_t *data = malloc(MIB);
	char path[4096];
	int fd;

	scratch_fill(data, MIB, 1);
	scratch_object(writer, GMMAP_IMAGE_KFD_BO, GMMAP_IMAGE_NONE, data, MIB);
	scratch_commit(writer, NULL);
	scratch_pack_path(*state, "base", path);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "damage", 6, 3 * 64 * KIB), 6);
	close(fd);

	writer = scratch_begin(*state, "app", "base");
	scratch_object(writer, GMMAP_IMAGE_KFD_BO, GMMAP_IMAGE_NONE, data, MIB);
	scratch_commit(writer, &result);
	assert_int_equal(result.granules.mismatches, 1);
	assert_int_equal(result.granules.stored, 64 * KIB);
	image = scratch_open(*state, "app");
	scratch_check(image, 0, data, MIB);
	gmmap_image_close(image);
	free(data);
}

static void unread_content_is_that_of_the_base(void **state)
{
	size_t size = 3 * MIB + 20 * KIB;
	struct gmmap_image_object object = { .kind = GMMAP_IMAGE_KFD_BO,
					     .process = GMMAP_IMAGE_NONE,
					     .size = size };
	struct gmmap_store_writer *writer = scratch_begin(*state, "base", NULL);
	struct gmmap_store_result result;
	uint8_t *data = malloc(size);
	struct gmmap_image *base;

	scratch_fill(data, size, 1);
	memset(data + MIB, 0, 128 * KIB);
	scratch_object(writer, GMMAP_IMAGE_KFD_BO, GMMAP_IMAGE_NONE, data, size);
	scratch_commit(writer, NULL);

	base = scratch_open(*state, "base");
	writer = scratch_begin(*state, "app", "base");
	assert_int_equal(gmmap_store_object(writer, &object, NULL), 0);
	assert_int_equal(gmmap_store_write_same(writer, base, 0, 0, 2 * MIB), 0);
	scratch_fill(data + 2 * MIB, 64 * KIB, 77);
	assert_int_equal(gmmap_store_write(writer, data + 2 * MIB, 64 * KIB), 0);
	memset(data + 2 * MIB + 64 * KIB, 0, 64 * KIB);
	assert_int_equal(gmmap_store_write_zeros(writer, 64 * KIB), 0);
	assert_int_equal(gmmap_store_write_same(writer, base, 0, 2 * MIB + 128 * KIB,
						size - 2 * MIB - 128 * KIB),
			 0);
	assert_int_equal(gmmap_store_end_object(writer), 0);
	scratch_commit(writer, &result);
	gmmap_image_close(base);
	assert_int_equal(result.granules.stored, 64 * KIB);
	assert_int_equal(result.granules.content + result.pages.content, size);
	assert_int_equal(result.granules.zeros, 192 * KIB);
	assert_int_equal(result.pages.base, 20 * KIB);
	base = scratch_open(*state, "app");
	scratch_check(base, 0, data, size);
	gmmap_image_close(base);
	free(data);
}

static void memory_is_found_by_address(void **state)
{
	struct gmmap_store_writer *writer = scratch_begin(*state, "image", NULL);
	uint8_t *data = malloc(10 * 4 * KIB), page[4 * KIB];
	struct gmmap_image_memory memory[8];
	struct gmmap_image *image;
	uint32_t object;

	scratch_fill(data, 10 * 4 * KIB, 1);
	memset(data + 4 * 4 * KIB, 0, 4 * KIB);
	assert_int_equal(gmmap_store_process(writer, 7), 0);
	assert_int_equal(gmmap_store_process(writer, 8), 1);
	object = scratch_object(writer, GMMAP_IMAGE_PAGES, 0, data, 10 * 4 * KIB);
	/* Given in any order; the reader sees them by address. */
	gmmap_store_span(writer, 1, 0x1000, 0x1000, object, 0x9000, 0);
	gmmap_store_span(writer, 0, 0x70000, 0x3000, object, 0x6000, GMMAP_IMAGE_MEMORY_LAZY);
	gmmap_store_span(writer, 0, 0x10000, 0x6000, object, 0, 0);
	scratch_commit(writer, NULL);

	image = scratch_open(*state, "image");
	assert_int_equal(gmmap_image_memory(image, 0, 0, memory, 8), 4);
	assert_int_equal(memory[0].address, 0x10000);
	assert_int_equal(memory[0].length, 0x4000);
	assert_int_equal(memory[1].fd, -1);
	assert_int_equal(memory[1].length, 0x1000);
	assert_int_equal(memory[2].address, 0x15000);
	assert_int_equal(memory[2].length, 0x1000);
	assert_int_equal(memory[3].address, 0x70000);
	assert_int_equal(memory[3].flags, GMMAP_IMAGE_MEMORY_LAZY);
	assert_int_equal(gmmap_image_memory(image, 0, 0x71000, memory, 8), 1);
	assert_int_equal(memory[0].address, 0x71000);
	assert_int_equal(memory[0].length, 0x2000);
	assert_int_equal(memory[0].object_offset, 0x7000);
	assert_int_equal(pread(memory[0].fd, page, 4 * KIB, memory[0].pack_offset), 4 * KIB);
	assert_memory_equal(page, data + 7 * 4 * KIB, 4 * KIB);
	assert_int_equal(gmmap_image_memory(image, 0, 0x73000, memory, 8), 0);
	assert_int_equal(gmmap_image_memory(image, 1, 0, memory, 8), 1);
	assert_int_equal(gmmap_image_memory(image, 2, 0, memory, 8), -ENOENT);
	gmmap_image_close(image);
	free(data);
}

static void overlapping_memory_is_refused(void **state)
{
	struct gmmap_store_writer *writer = scratch_begin(*state, "image", NULL);
	struct gmmap_image_error error;
	uint8_t data[8192] = { 1 };
	uint32_t object;

	gmmap_store_process(writer, 7);
	object = scratch_object(writer, GMMAP_IMAGE_PAGES, 0, data, sizeof(data));
	gmmap_store_span(writer, 0, 0x10000, 0x2000, object, 0, 0);
	gmmap_store_span(writer, 0, 0x11000, 0x1000, object, 0, 0);
	assert_int_equal(gmmap_store_commit(writer, NULL, &error), -EINVAL);
	assert_int_equal(scratch_entries(*state, "images"), 0);
	assert_int_equal(scratch_entries(*state, "tmp"), 0);
}

static void small_files_are_kept(void **state)
{
	struct gmmap_store_writer *writer = scratch_begin(*state, "image", NULL);
	struct gmmap_image_error error;
	struct gmmap_image *image;
	size_t size;
	void *data;

	assert_int_equal(gmmap_store_file(writer, "zebra", 0644, "stripes", 7), 0);
	assert_int_equal(gmmap_store_file(writer, "ant", 0600, "", 0), 0);
	scratch_commit(writer, NULL);
	image = scratch_open(*state, "image");
	assert_int_equal(gmmap_image_read_file(image, "zebra", &data, &size, &error), 0);
	assert_int_equal(size, 7);
	assert_memory_equal(data, "stripes", 7);
	free(data);
	assert_int_equal(gmmap_image_read_file(image, "bee", &data, &size, &error), -ENOENT);
	gmmap_image_close(image);
}

static void misuse_is_refused(void **state)
{
	struct gmmap_image_object object = { .kind = GMMAP_IMAGE_KFD_BO,
					     .process = GMMAP_IMAGE_NONE,
					     .size = 4096 };
	struct gmmap_store_writer *writer;
	struct gmmap_image_error error;
	uint8_t data[8192] = { 1 };

	writer = scratch_begin(*state, "image", NULL);
	gmmap_store_object(writer, &object, NULL);
	assert_int_equal(gmmap_store_write(writer, data, 8192), -EINVAL);
	assert_int_equal(gmmap_store_commit(writer, NULL, &error), -EINVAL);
	writer = scratch_begin(*state, "image", NULL);
	gmmap_store_object(writer, &object, NULL);
	assert_int_equal(gmmap_store_end_object(writer), -EINVAL);
	gmmap_store_abort(writer);
	writer = scratch_begin(*state, "image", NULL);
	assert_int_equal(gmmap_store_file(writer, "../escape", 0644, "", 0), -EINVAL);
	gmmap_store_abort(writer);
	writer = scratch_begin(*state, "image", NULL);
	gmmap_store_file(writer, "twice", 0644, "", 0);
	assert_int_equal(gmmap_store_file(writer, "twice", 0644, "", 0), -EEXIST);
	gmmap_store_abort(writer);
	assert_int_equal(gmmap_store_begin(*state, "../up", NULL, &writer, &error), -EINVAL);
	assert_int_equal(gmmap_store_begin(*state, "a/b", NULL, &writer, &error), -EINVAL);
	assert_int_equal(scratch_entries(*state, "images"), 0);
	assert_int_equal(scratch_entries(*state, "tmp"), 0);
	scratch_commit(scratch_begin(*state, "image", NULL), NULL);
	assert_int_equal(gmmap_store_begin(*state, "image", NULL, &writer, &error), -EEXIST);
}

static void open_images_survive_collection(void **state)
{
	struct gmmap_store_writer *writer = scratch_begin(*state, "image", NULL);
	struct gmmap_store_collected collected;
	struct gmmap_image_error error;
	uint8_t *data = malloc(MIB);
	struct gmmap_image *image;
	int fd;

	scratch_fill(data, MIB, 1);
	scratch_object(writer, GMMAP_IMAGE_KFD_BO, GMMAP_IMAGE_NONE, data, MIB);
	scratch_commit(writer, NULL);
	image = scratch_open(*state, "image");
	fd = gmmap_store_open(*state, &error);
	assert_int_equal(gmmap_store_remove(fd, "image", &error), 0);
	close(fd);
	/* While somebody writes, packs stay: he may be about to refer to them. */
	writer = scratch_begin(*state, "other", NULL);
	assert_int_equal(gmmap_store_collect(*state, false, &collected, &error), -EBUSY);
	gmmap_store_abort(writer);
	assert_int_equal(gmmap_store_collect(*state, false, &collected, &error), 0);
	assert_int_equal(collected.packs, 1);
	scratch_check(image, 0, data, MIB);
	gmmap_image_close(image);
	assert_int_equal(gmmap_image_open(*state, "image", 0, &image, &error), -ENOENT);
	free(data);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_is_that_of_fs_verity),
		STORE_TEST(content_comes_back),
		STORE_TEST(repeated_content_is_stored_once),
		STORE_TEST(the_same_content_adds_no_pack),
		STORE_TEST(a_damaged_base_is_not_used),
		STORE_TEST(unread_content_is_that_of_the_base),
		STORE_TEST(memory_is_found_by_address),
		STORE_TEST(overlapping_memory_is_refused),
		STORE_TEST(small_files_are_kept),
		STORE_TEST(misuse_is_refused),
		STORE_TEST(open_images_survive_collection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
