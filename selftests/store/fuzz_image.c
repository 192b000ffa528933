// SPDX-License-Identifier: MIT
/*
 * Any bytes as an image file: it is refused, or everything that the reader gives can be read. The
 * SHA-256 is put right, as whoever writes the file can; it does not protect from him.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "image_internal.h"

/* What the reader promises; a broken promise ends the fuzzer. */
static void expect(bool condition)
{
	if (!condition)
		abort();
}

static void read_lists(const struct gmmap_image *image, const struct gmmap_image_info *info)
{
	struct gmmap_image_process process;
	struct gmmap_image_pack pack;
	struct gmmap_image_file file;
	const char *key, *value;
	size_t length = 0;

	for (uint32_t i = 0; i < info->processes; i++)
		gmmap_image_process(image, i, &process);
	for (uint32_t i = 0; i < info->packs; i++)
		gmmap_image_pack(image, i, &pack);
	for (uint32_t i = 0; i < info->files; i++) {
		gmmap_image_file(image, i, &file);
		length += strlen(file.name);
	}
	for (uint32_t i = 0; i < info->properties; i++) {
		gmmap_image_property(image, i, &key, &value);
		length += strlen(key) + strlen(value);
	}
	expect(length <= image->size * (info->files + 2 * (uint64_t)info->properties));
}

static void read_objects(const struct gmmap_image *image, const struct gmmap_image_info *info)
{
	struct gmmap_image_object object;

	for (uint32_t i = 0; i < info->objects; i++) {
		struct gmmap_image_extent extents[3];
		uint64_t offset = 0;
		ssize_t n;

		gmmap_image_object(image, i, &object);
		while ((n = gmmap_image_extents(image, i, offset, extents, 3)) > 0) {
			for (ssize_t k = 0; k < n; k++) {
				struct gmmap_image_pack pack;

				expect(extents[k].offset == offset && extents[k].length);
				offset += extents[k].length;
				if (!gmmap_image_pack(image, extents[k].pack, &pack))
					expect(extents[k].pack_offset + extents[k].length <=
					       pack.slots << pack.granule_shift);
				else
					expect(extents[k].pack == GMMAP_IMAGE_NONE);
			}
		}
		expect(offset == object.size);
		gmmap_image_extents(image, i, object.size / 2, extents, 3);
		gmmap_image_find_bo(image, object.process, object.index);
	}
}

static void read_memory(const struct gmmap_image *image, const struct gmmap_image_info *info)
{
	for (uint32_t i = 0; i < info->processes; i++) {
		struct gmmap_image_memory memory[3];
		uint64_t address = 0;
		ssize_t n;

		while ((n = gmmap_image_memory(image, i, address, memory, 3)) > 0) {
			for (ssize_t k = 0; k < n; k++) {
				expect(memory[k].address >= address && memory[k].length);
				address = memory[k].address + memory[k].length;
			}
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct gmmap_image image = { .image_fd = -1, .files_fd = -1, .store_fd = -1 };
	struct gmmap_image_info info;

	/* Of its own size and aligned as malloc() does, like the file. */
	image.data = malloc(size + !size);
	if (!image.data)
		return 0;
	memcpy(image.data, input, size);
	image.size = size;
	if (size >= sizeof(struct image_header))
		image_sha256(image.data, size, offsetof(struct image_header, sha256),
			     image.data + offsetof(struct image_header, sha256));
	if (!image_parse(&image, NULL)) {
		gmmap_image_info(&image, &info);
		read_lists(&image, &info);
		read_objects(&image, &info);
		read_memory(&image, &info);
	}
	free(image.data);
	return 0;
}
