// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <nettle/sha2.h>
#include "image_internal.h"

#define MAX_FILE_BYTES (UINT64_C(1) << 32)

void gmmap_image_info(const struct gmmap_image *image, struct gmmap_image_info *info)
{
	const struct image_header *header = image_header(image);

	*info = (struct gmmap_image_info){
		.name = image_string(image, header->name),
		.created_ns = header->created_ns,
		.processes = image_count(image, SECTION_PROCESSES),
		.objects = image_count(image, SECTION_OBJECTS),
		.packs = image_count(image, SECTION_PACKS),
		.files = image_count(image, SECTION_FILES),
		.properties = image_count(image, SECTION_PROPERTIES),
		.spans = image_count(image, SECTION_SPANS),
		.extents = image_count(image, SECTION_EXTENTS),
	};
	memcpy(info->sha256, header->sha256, sizeof(info->sha256));
}

int gmmap_image_process(const struct gmmap_image *image, uint32_t index,
			struct gmmap_image_process *process)
{
	const struct image_process *record;

	if (index >= image_count(image, SECTION_PROCESSES))
		return -ENOENT;
	record = image_record(image, SECTION_PROCESSES, index);
	*process = (struct gmmap_image_process){ .pid = record->pid };
	return 0;
}

int gmmap_image_object(const struct gmmap_image *image, uint32_t index,
		       struct gmmap_image_object *object)
{
	const struct image_object *record;

	if (index >= image_count(image, SECTION_OBJECTS))
		return -ENOENT;
	record = image_record(image, SECTION_OBJECTS, index);
	*object = (struct gmmap_image_object){
		.kind = record->kind,
		.process = record->process,
		.index = record->index,
		.gpu_id = record->gpu_id,
		.alloc_flags = record->alloc_flags,
		.address = record->address,
		.size = record->size,
		.file = record->file == IMAGE_NONE ? NULL : image_string(image, record->file),
		.extents = record->extent_count,
	};
	return 0;
}

int64_t gmmap_image_find_bo(const struct gmmap_image *image, uint32_t process, uint32_t bo)
{
	for (uint64_t i = 0; i < image_count(image, SECTION_OBJECTS); i++) {
		const struct image_object *object = image_record(image, SECTION_OBJECTS, i);

		if (object->kind == GMMAP_IMAGE_KFD_BO && object->process == process &&
		    object->index == bo)
			return i;
	}
	return -ENOENT;
}

int gmmap_image_pack(const struct gmmap_image *image, uint32_t index, struct gmmap_image_pack *pack)
{
	const struct image_pack *record;

	if (index >= image_count(image, SECTION_PACKS))
		return -ENOENT;
	record = image_record(image, SECTION_PACKS, index);
	*pack = (struct gmmap_image_pack){
		.slots = record->slots,
		.granule_shift = record->granule_shift,
		.written_with_image = record->flags & PACK_WRITTEN_WITH_IMAGE,
		.fd = image->pack_fds ? image->pack_fds[index] : -1,
	};
	memcpy(pack->digest, record->digest, sizeof(pack->digest));
	return 0;
}

int gmmap_image_file(const struct gmmap_image *image, uint32_t index, struct gmmap_image_file *file)
{
	const struct image_file *record;

	if (index >= image_count(image, SECTION_FILES))
		return -ENOENT;
	record = image_record(image, SECTION_FILES, index);
	*file = (struct gmmap_image_file){
		.name = image_string(image, record->name),
		.mode = record->mode,
		.size = record->size,
	};
	memcpy(file->sha256, record->sha256, sizeof(file->sha256));
	return 0;
}

int gmmap_image_files_fd(const struct gmmap_image *image)
{
	return image->files_fd;
}

static const struct image_file *find_file(const struct gmmap_image *image, const char *name)
{
	uint64_t low = 0, high = image_count(image, SECTION_FILES);

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		const struct image_file *file = image_record(image, SECTION_FILES, middle);
		int order = strcmp(name, image_string(image, file->name));

		if (!order)
			return file;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

int gmmap_image_read_file(const struct gmmap_image *image, const char *name, void **data,
			  size_t *size, struct gmmap_image_error *error)
{
	const struct image_file *file = find_file(image, name);
	uint8_t sha256[DIGEST_BYTES], *bytes;
	struct sha256_ctx sha;
	int ret;

	if (!file)
		return image_fail(error, -ENOENT, "the image has no file %s", name);
	ret = read_whole(image->files_fd, name, MAX_FILE_BYTES, &bytes, size);
	if (ret)
		return image_fail(error, ret == -ENOENT ? -EBADMSG : ret, "file %s: %s", name,
				  strerror(-ret));
	sha256_init(&sha);
	sha256_update(&sha, *size, bytes);
	sha256_digest(&sha, sizeof(sha256), sha256);
	if (*size != file->size || memcmp(sha256, file->sha256, sizeof(sha256))) {
		free(bytes);
		return image_fail(error, -EBADMSG, "file %s: damaged", name);
	}
	*data = bytes;
	return 0;
}

int gmmap_image_property(const struct gmmap_image *image, uint32_t index, const char **key,
			 const char **value)
{
	const struct image_property *record;

	if (index >= image_count(image, SECTION_PROPERTIES))
		return -ENOENT;
	record = image_record(image, SECTION_PROPERTIES, index);
	*key = image_string(image, record->key);
	*value = image_string(image, record->value);
	return 0;
}

/* Number of the extent of OBJECT that has byte OFFSET, which must be in the object. */
static uint64_t find_extent(const struct gmmap_image *image, const struct image_object *object,
			    uint64_t offset)
{
	uint64_t low = object->first_extent, high = low + object->extent_count;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (image_extent(image, middle)->offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

ssize_t gmmap_image_extents(const struct gmmap_image *image, uint32_t index, uint64_t offset,
			    struct gmmap_image_extent *extents, size_t max)
{
	const struct image_object *object;
	uint64_t number;
	size_t n = 0;

	if (index >= image_count(image, SECTION_OBJECTS))
		return -ENOENT;
	object = image_record(image, SECTION_OBJECTS, index);
	if (offset >= object->size || !max)
		return 0;
	number = find_extent(image, object, offset);
	while (n < max && offset < object->size) {
		const struct image_extent *record = image_extent(image, number++);
		uint64_t skip = offset - record->offset;
		bool zero = record->pack == IMAGE_NONE;

		extents[n++] = (struct gmmap_image_extent){
			.offset = offset,
			.length = record->length - skip,
			.pack_offset = zero ? 0 : record->pack_offset + skip,
			.pack = record->pack,
			.fd = zero || !image->pack_fds ? -1 : image->pack_fds[record->pack],
		};
		offset += record->length - skip;
	}
	return n;
}

/* Number of the first span of PROCESS that ends above ADDRESS, or of what follows. */
static uint64_t find_span(const struct gmmap_image *image, uint32_t process, uint64_t address)
{
	uint64_t low = 0, high = image_count(image, SECTION_SPANS);

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		const struct image_span *span = image_record(image, SECTION_SPANS, middle);

		if (span->process < process ||
		    (span->process == process && span->address + span->length <= address))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

ssize_t gmmap_image_memory(const struct gmmap_image *image, uint32_t process, uint64_t address,
			   struct gmmap_image_memory *memory, size_t max)
{
	size_t n = 0;

	if (process >= image_count(image, SECTION_PROCESSES))
		return -ENOENT;
	for (uint64_t i = find_span(image, process, address);
	     n < max && i < image_count(image, SECTION_SPANS); i++) {
		const struct image_span *span = image_record(image, SECTION_SPANS, i);
		uint64_t skip = address > span->address ? address - span->address : 0;

		if (span->process != process)
			break;
		while (n < max && skip < span->length) {
			struct gmmap_image_extent extent;
			uint64_t left = span->length - skip;

			gmmap_image_extents(image, span->object, span->offset + skip, &extent, 1);
			if (extent.length > left)
				extent.length = left;
			memory[n++] = (struct gmmap_image_memory){
				.address = span->address + skip,
				.length = extent.length,
				.pack_offset = extent.pack_offset,
				.pack = extent.pack,
				.fd = extent.fd,
				.object = span->object,
				.flags = span->flags,
				.object_offset = extent.offset,
			};
			skip += extent.length;
		}
	}
	return n;
}

ssize_t gmmap_image_read(const struct gmmap_image *image, uint32_t object, uint64_t offset,
			 void *buffer, size_t length)
{
	uint8_t *bytes = buffer;
	size_t done = 0;

	while (done < length) {
		struct gmmap_image_extent extent;
		ssize_t n = gmmap_image_extents(image, object, offset + done, &extent, 1);
		size_t part = length - done;
		int ret = 0;

		if (n <= 0)
			return n < 0 ? n : (ssize_t)done;
		if (part > extent.length)
			part = extent.length;
		if (extent.pack == IMAGE_NONE)
			memset(bytes + done, 0, part);
		else if (extent.fd < 0)
			return -EBADF;
		else
			ret = read_exactly(extent.fd, bytes + done, part, extent.pack_offset);
		if (ret)
			return ret == -ENODATA ? -EBADMSG : ret;
		done += part;
	}
	return done;
}
