// SPDX-License-Identifier: MIT
/* Every field of an image file that is wrong is refused, also when the file's SHA-256 is right. */
#define _GNU_SOURCE
#include "scratch.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB 1024u

/* Writes an image with two of everything. */
static void write_sample(const char *store)
{
	struct gmmap_store_writer *writer = scratch_begin(store, "sample", NULL);
	uint8_t *data = malloc(256 * KIB);
	uint32_t object;

	scratch_fill(data, 256 * KIB, 1);
	memset(data + 64 * KIB, 0, 64 * KIB);
	gmmap_store_process(writer, 1);
	gmmap_store_process(writer, 2);
	scratch_object(writer, GMMAP_IMAGE_KFD_BO, 0, data, 256 * KIB);
	object = scratch_object(writer, GMMAP_IMAGE_PAGES, 1, data, 64 * KIB);
	gmmap_store_span(writer, 0, 0x1000, 0x2000, object, 0, 0);
	gmmap_store_span(writer, 1, 0x1000, 0x2000, object, 0x4000, 0);
	gmmap_store_file(writer, "one", 0644, "1", 1);
	gmmap_store_file(writer, "two", 0644, "2", 1);
	gmmap_store_property(writer, "key", "value");
	scratch_commit(writer, NULL);
	free(data);
}

static uint8_t *read_sample(const char *store, size_t *size)
{
	char path[4096];
	uint8_t *data;

	snprintf(path, sizeof(path), "%s/images/sample/image", store);
	assert_int_equal(read_whole(AT_FDCWD, path, 1 << 20, &data, size), 0);
	return data;
}

static int parse(uint8_t *data, size_t size)
{
	struct gmmap_image image = { .data = data, .size = size };
	struct gmmap_image_error error;

	if (size >= sizeof(struct image_header))
		scratch_sign(data, size);
	return image_parse(&image, &error);
}

enum { HEADER = 0, SECTION = -1 };

/* VALUE of WIDTH bytes at OFFSET in record INDEX of a table: the file must be refused. */
struct bad_field {
	int table; /* HEADER, SECTION, or enum image_section_type */
	int index;
	size_t offset, width;
	uint64_t value;
	int error;
};

#define FIELD(table, index, type, field, value, error)                                         \
	{                                                                                      \
		table, index, offsetof(struct type, field), sizeof(((struct type *)0)->field), \
			value, error                                                           \
	}

static const struct bad_field bad_fields[] = {
	FIELD(HEADER, 0, image_header, magic, 0, -EBADMSG),
	FIELD(HEADER, 0, image_header, version, 2, -EPROTONOSUPPORT),
	FIELD(HEADER, 0, image_header, version, 0, -EPROTONOSUPPORT),
	FIELD(HEADER, 0, image_header, header_size, 0, -EBADMSG),
	FIELD(HEADER, 0, image_header, header_size, UINT32_MAX, -EBADMSG),
	FIELD(HEADER, 0, image_header, header_size, 129, -EBADMSG),
	FIELD(HEADER, 0, image_header, file_size, 128, -EBADMSG),
	FIELD(HEADER, 0, image_header, section_count, 0, -EBADMSG),
	FIELD(HEADER, 0, image_header, section_count, UINT32_MAX, -EBADMSG),
	FIELD(HEADER, 0, image_header, name, UINT32_MAX, -EBADMSG),
	FIELD(SECTION, 1, image_section, type, SECTION_STRINGS, -EBADMSG),
	FIELD(SECTION, 1, image_section, type, 0, -EPROTONOSUPPORT),
	FIELD(SECTION, 1, image_section, type, 1000, -EPROTONOSUPPORT),
	FIELD(SECTION, 1, image_section, record_size, 0, -EBADMSG),
	FIELD(SECTION, 1, image_section, record_size, 8, -EBADMSG),
	FIELD(SECTION, 1, image_section, record_size, 57, -EBADMSG),
	FIELD(SECTION, 0, image_section, record_size, 2, -EBADMSG),
	FIELD(SECTION, 1, image_section, offset, UINT64_MAX, -EBADMSG),
	FIELD(SECTION, 1, image_section, offset, 1, -EBADMSG),
	FIELD(SECTION, 1, image_section, count, UINT64_MAX, -EBADMSG),
	FIELD(SECTION, 1, image_section, count, UINT64_C(1) << 61, -EBADMSG),
	FIELD(SECTION, 0, image_section, count, 0, -EBADMSG),
	FIELD(SECTION, 7, image_section, count, 0, -EBADMSG),
	FIELD(SECTION_PACKS, 0, image_pack, slots, 0, -EBADMSG),
	FIELD(SECTION_PACKS, 0, image_pack, slots, 1, -EBADMSG),
	FIELD(SECTION_PACKS, 0, image_pack, slots, UINT64_MAX, -EBADMSG),
	FIELD(SECTION_PACKS, 0, image_pack, slots, UINT64_C(1) << 48, -EBADMSG),
	FIELD(SECTION_PACKS, 0, image_pack, granule_shift, 11, -EBADMSG),
	FIELD(SECTION_PACKS, 0, image_pack, granule_shift, 22, -EBADMSG),
	FIELD(SECTION_PACKS, 0, image_pack, granule_shift, 255, -EBADMSG),
	FIELD(SECTION_OBJECTS, 0, image_object, kind, 0, -EBADMSG),
	FIELD(SECTION_OBJECTS, 0, image_object, kind, 4, -EBADMSG),
	FIELD(SECTION_OBJECTS, 0, image_object, flags, 2, -EBADMSG),
	FIELD(SECTION_OBJECTS, 0, image_object, process, 2, -EBADMSG),
	FIELD(SECTION_OBJECTS, 0, image_object, size, 0, -EBADMSG),
	FIELD(SECTION_OBJECTS, 0, image_object, size, UINT64_MAX, -EBADMSG),
	FIELD(SECTION_OBJECTS, 0, image_object, first_extent, 1, -EBADMSG),
	FIELD(SECTION_OBJECTS, 1, image_object, first_extent, UINT64_MAX, -EBADMSG),
	FIELD(SECTION_OBJECTS, 0, image_object, extent_count, 0, -EBADMSG),
	FIELD(SECTION_OBJECTS, 1, image_object, extent_count, UINT64_MAX, -EBADMSG),
	FIELD(SECTION_OBJECTS, 0, image_object, file, 1 << 20, -EBADMSG),
	FIELD(SECTION_EXTENTS, 0, image_extent, offset, 4096, -EBADMSG),
	FIELD(SECTION_EXTENTS, 0, image_extent, length, 0, -EBADMSG),
	FIELD(SECTION_EXTENTS, 0, image_extent, length, UINT64_MAX, -EBADMSG),
	FIELD(SECTION_EXTENTS, 0, image_extent, length, 100, -EBADMSG),
	FIELD(SECTION_EXTENTS, 0, image_extent, pack, 2, -EBADMSG),
	FIELD(SECTION_EXTENTS, 0, image_extent, pack_offset, 1, -EBADMSG),
	FIELD(SECTION_EXTENTS, 0, image_extent, pack_offset, UINT64_MAX - 4095, -EBADMSG),
	FIELD(SECTION_EXTENTS, 0, image_extent, pack_offset, 256 * KIB, -EBADMSG),
	FIELD(SECTION_EXTENTS, 0, image_extent, flags, 1, -EBADMSG),
	FIELD(SECTION_EXTENTS, 1, image_extent, pack_offset, 4096, -EBADMSG),
	FIELD(SECTION_SPANS, 0, image_span, address, 1, -EBADMSG),
	FIELD(SECTION_SPANS, 0, image_span, address, UINT64_MAX - 4095, -EBADMSG),
	FIELD(SECTION_SPANS, 0, image_span, length, 0, -EBADMSG),
	FIELD(SECTION_SPANS, 0, image_span, length, UINT64_MAX - 4095, -EBADMSG),
	FIELD(SECTION_SPANS, 0, image_span, offset, 0x10000, -EBADMSG),
	FIELD(SECTION_SPANS, 0, image_span, process, 2, -EBADMSG),
	FIELD(SECTION_SPANS, 1, image_span, process, 0, -EBADMSG),
	FIELD(SECTION_SPANS, 0, image_span, object, 0, -EBADMSG),
	FIELD(SECTION_SPANS, 0, image_span, object, 9, -EBADMSG),
	FIELD(SECTION_SPANS, 0, image_span, flags, 2, -EBADMSG),
	FIELD(SECTION_FILES, 0, image_file, name, UINT32_MAX, -EBADMSG),
	FIELD(SECTION_FILES, 0, image_file, mode, 04755, -EBADMSG),
	FIELD(SECTION_PROPERTIES, 0, image_property, key, UINT32_MAX, -EBADMSG),
	FIELD(SECTION_PROPERTIES, 0, image_property, value, 1 << 20, -EBADMSG),
};

static uint8_t *find_field(uint8_t *data, const struct bad_field *field)
{
	struct image_header *header = (struct image_header *)data;
	struct image_section *section = (struct image_section *)(data + header->header_size);

	if (field->table == HEADER)
		return data + field->offset;
	if (field->table == SECTION)
		return (uint8_t *)&section[field->index] + field->offset;
	while (section->type != (uint32_t)field->table)
		section++;
	return data + section->offset + field->index * section->record_size + field->offset;
}

static void bad_fields_are_refused(void **state)
{
	size_t size;
	uint8_t *good, *data;

	write_sample(*state);
	good = read_sample(*state, &size);
	data = malloc(size);
	assert_int_equal(parse(good, size), 0);
	for (size_t i = 0; i < sizeof(bad_fields) / sizeof(bad_fields[0]); i++) {
		const struct bad_field *field = &bad_fields[i];
		int ret;

		memcpy(data, good, size);
		memcpy(find_field(data, field), &field->value, field->width);
		ret = parse(data, size);
		if (ret != field->error)
			fail_msg("field %zu (table %d, offset %zu, value %#llx): %d", i,
				 field->table, field->offset, (unsigned long long)field->value,
				 ret);
	}
	free(data);
	free(good);
}

static void every_length_but_the_right_one_is_refused(void **state)
{
	size_t size;
	uint8_t *good, *data;

	write_sample(*state);
	good = read_sample(*state, &size);
	for (size_t length = 0; length < size; length++) {
		/* Of its own size, so that ASan sees what lies behind. */
		data = malloc(length + !length);
		memcpy(data, good, length);
		assert_int_not_equal(parse(data, length), 0);
		free(data);
	}
	free(good);
}

static void newer_fields_and_sections_are_passed_over(void **state)
{
	size_t size, grown, record = sizeof(struct image_pack) + 8;
	struct image_section *section;
	struct image_header *header;
	uint8_t *good, *data;

	write_sample(*state);
	good = read_sample(*state, &size);
	/* The packs move to the end and get 8 bytes more each; one more section, not required. */
	grown = size + 2 * record;
	data = calloc(1, grown);
	memcpy(data, good, size);
	header = (struct image_header *)data;
	header->file_size = grown;
	section = (struct image_section *)(data + header->header_size);
	assert_int_equal(section[1].type, SECTION_PACKS);
	for (int i = 0; i < 2; i++)
		memcpy(data + size + i * record,
		       good + section[1].offset + i * sizeof(struct image_pack),
		       sizeof(struct image_pack));
	section[1].offset = size;
	section[1].record_size += 8;
	assert_int_equal(section[6].type, SECTION_PROPERTIES);
	section[6].type = 1000;
	section[6].flags = 0;
	assert_int_equal(parse(data, grown), 0);
	free(data);
	free(good);
}

static void an_image_has_its_own_name(void **state)
{
	struct gmmap_image_error error;
	struct gmmap_image *image;
	char from[4096], to[4096];

	write_sample(*state);
	snprintf(from, sizeof(from), "%s/images/sample", (char *)*state);
	snprintf(to, sizeof(to), "%s/images/other", (char *)*state);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(gmmap_image_open(*state, "other", 0, &image, &error), -EBADMSG);
}

static void a_store_of_another_version_is_refused(void **state)
{
	struct gmmap_image_error error;
	struct gmmap_image *image;
	char path[4096];
	int fd;

	write_sample(*state);
	snprintf(path, sizeof(path), "%s/format", (char *)*state);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "gmmap store 2\n", 14), 14);
	close(fd);
	assert_int_equal(gmmap_image_open(*state, "sample", 0, &image, &error), -EPROTONOSUPPORT);
}

static void packs_are_not_followed_out_of_the_store(void **state)
{
	struct gmmap_image_error error;
	struct gmmap_image *image;
	char path[4096], away[4096];

	write_sample(*state);
	scratch_pack_path(*state, "sample", path);
	snprintf(away, sizeof(away), "%s/away", (char *)*state);
	assert_int_equal(rename(path, away), 0);
	assert_int_equal(gmmap_image_open(*state, "sample", 0, &image, &error), -EBADMSG);
	assert_int_equal(symlink(away, path), 0);
	assert_int_not_equal(gmmap_image_open(*state, "sample", 0, &image, &error), 0);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(bad_fields_are_refused),
		STORE_TEST(every_length_but_the_right_one_is_refused),
		STORE_TEST(newer_fields_and_sections_are_passed_over),
		STORE_TEST(an_image_has_its_own_name),
		STORE_TEST(a_store_of_another_version_is_refused),
		STORE_TEST(packs_are_not_followed_out_of_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
