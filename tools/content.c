// SPDX-License-Identifier: MIT
/* The content of the object that is being written becomes extents. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "writer.h"

#define READ_BYTES (256u << 10)

void content_begin(struct gmmap_store_writer *writer, const struct image_object *object)
{
	writer->in_object = true;
	writer->position = 0;
	writer->size = object->size;
	writer->whole = object->kind == GMMAP_IMAGE_PAGES
				? 0
				: object->size / GRANULE_BYTES * GRANULE_BYTES;
	writer->extent.length = 0;
}

static int finish_extent(struct gmmap_store_writer *writer)
{
	if (!writer->extent.length)
		return 0;
	if (fwrite(&writer->extent, sizeof(writer->extent), 1, writer->extents) != 1)
		return writer_fail(writer, -errno, "image %s, extents: %m", writer->name);
	writer->extent_count++;
	return 0;
}

static int add_extent(struct gmmap_store_writer *writer, uint64_t length, uint32_t pack,
		      uint64_t pack_offset)
{
	struct image_extent *extent = &writer->extent;
	uint64_t offset = extent->length ? extent->offset + extent->length : 0;
	int ret;

	if (extent->length && extent->pack == pack &&
	    (pack == IMAGE_NONE || extent->pack_offset + extent->length == pack_offset)) {
		extent->length += length;
		return 0;
	}
	ret = finish_extent(writer);
	if (ret)
		return ret;
	*extent = (struct image_extent){ .offset = offset,
					 .length = length,
					 .pack = pack,
					 .pack_offset = pack == IMAGE_NONE ? 0 : pack_offset };
	return 0;
}

static struct image_pack *add_pack(struct gmmap_store_writer *writer, uint32_t *number)
{
	if (*number != IMAGE_NONE)
		return NULL;
	*number = writer->packs.count;
	return table_add(&writer->packs, sizeof(struct image_pack), 1);
}

/* A pack gets its number in the image when the first extent needs it. */
static int base_pack_number(struct gmmap_store_writer *writer, struct base_pack *pack)
{
	struct image_pack *record;

	if (pack->number != IMAGE_NONE)
		return 0;
	record = add_pack(writer, &pack->number);
	if (!record)
		return writer_fail(writer, -ENOMEM, "image %s: no memory", writer->name);
	*record = pack->record;
	return 0;
}

static int own_pack_number(struct gmmap_store_writer *writer, struct sink *sink)
{
	struct image_pack *record;

	if (sink->number != IMAGE_NONE)
		return 0;
	record = add_pack(writer, &sink->number);
	if (!record)
		return writer_fail(writer, -ENOMEM, "image %s: no memory", writer->name);
	/* Digest and slots are known at commit. */
	*record = (struct image_pack){ .flags = PACK_WRITTEN_WITH_IMAGE };
	return 0;
}

static struct base_pack *find_base_pack(struct gmmap_store_writer *writer, enum sink_index sink,
					int dedup_number)
{
	for (size_t i = 0; i < writer->base_pack_count; i++) {
		struct base_pack *pack = &writer->base_packs[i];

		if (pack->sink == sink && pack->dedup_number == dedup_number)
			return pack;
	}
	return NULL;
}

static int place_pack(struct gmmap_store_writer *writer, enum sink_index index, uint32_t base,
		      uint32_t *number)
{
	struct base_pack *pack;
	int ret = 0;

	if (base == PLACE_ZERO) {
		*number = IMAGE_NONE;
	} else if (base == PLACE_OWN) {
		ret = own_pack_number(writer, &writer->sink[index]);
		*number = writer->sink[index].number;
	} else {
		pack = find_base_pack(writer, index, base);
		ret = base_pack_number(writer, pack);
		*number = pack->number;
	}
	return ret;
}

static int flush(struct gmmap_store_writer *writer, enum sink_index index)
{
	struct sink *sink = &writer->sink[index];
	size_t granule = index == SINK_GRANULES ? GRANULE_BYTES : PAGE_BYTES;
	size_t count = (sink->used + granule - 1) / granule;
	size_t left = sink->used, padding = count * granule - left;
	const struct place *places;
	int ret;

	if (!count)
		return 0;
	memset(dedup_batch(sink->dedup) + left, 0, padding);
	sink->used = 0;
	sink->padding += padding;
	ret = dedup_run(sink->dedup, count, &places);
	if (ret)
		return writer_fail(writer, ret, "image %s, pack: %s", writer->name, strerror(-ret));
	for (size_t i = 0; i < count; i++) {
		size_t length = left < granule ? left : granule;
		uint32_t number;

		ret = place_pack(writer, index, places[i].base, &number);
		if (!ret)
			ret = add_extent(writer, length, number, places[i].slot * granule);
		if (ret)
			return ret;
		left -= length;
	}
	return 0;
}

static enum sink_index current_sink(const struct gmmap_store_writer *writer)
{
	return writer->position < writer->whole ? SINK_GRANULES : SINK_PAGES;
}

/* How much can be put behind what is in the batch before it must be flushed. */
static size_t batch_room(const struct gmmap_store_writer *writer, enum sink_index index)
{
	uint64_t end = index == SINK_GRANULES ? writer->whole : writer->size;
	uint64_t left = end - writer->position;
	size_t room = DEDUP_BATCH_BYTES - writer->sink[index].used;

	return left < room ? left : room;
}

static int took(struct gmmap_store_writer *writer, enum sink_index index, size_t length)
{
	writer->sink[index].used += length;
	writer->position += length;
	return batch_room(writer, index) ? 0 : flush(writer, index);
}

static int check_length(struct gmmap_store_writer *writer, uint64_t length)
{
	if (writer->broken)
		return writer->broken;
	if (!writer->in_object)
		return writer_fail(writer, -EINVAL, "content without an object");
	if (length > writer->size - writer->position)
		return writer_fail(writer, -EINVAL, "object %llu: more content than its size",
				   (unsigned long long)writer->objects.count - 1);
	return 0;
}

int gmmap_store_write(struct gmmap_store_writer *writer, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	int ret = check_length(writer, length);

	while (!ret && length) {
		enum sink_index index = current_sink(writer);
		struct sink *sink = &writer->sink[index];
		size_t part = batch_room(writer, index);

		if (part > length)
			part = length;
		memcpy(dedup_batch(sink->dedup) + sink->used, bytes, part);
		bytes += part;
		length -= part;
		ret = took(writer, index, part);
	}
	return ret;
}

/* A read that is shared by the threads. */
struct parallel_read {
	int fd;
	uint8_t *buffer;
	uint64_t offset;
	size_t length;
	atomic_int ret;
};

static void read_part(void *context, size_t item)
{
	struct parallel_read *read = context;
	size_t at = item * READ_BYTES;
	size_t part = read->length - at < READ_BYTES ? read->length - at : READ_BYTES;
	int ret = read_exactly(read->fd, read->buffer + at, part, read->offset + at);

	if (ret)
		atomic_store(&read->ret, ret);
}

static int read_stream(int fd, uint8_t *buffer, size_t length)
{
	while (length) {
		ssize_t n = read(fd, buffer, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		buffer += n;
		length -= n;
	}
	return 0;
}

static int read_batch(struct gmmap_store_writer *writer, int fd, int64_t offset, uint8_t *buffer,
		      size_t length)
{
	struct parallel_read read = {
		.fd = fd, .buffer = buffer, .offset = offset, .length = length
	};

	if (offset < 0)
		return read_stream(fd, buffer, length);
	pool_run(writer->pool, (length + READ_BYTES - 1) / READ_BYTES, 1, read_part, &read);
	return atomic_load(&read.ret);
}

int gmmap_store_write_fd(struct gmmap_store_writer *writer, int fd, int64_t offset, uint64_t length)
{
	int ret = check_length(writer, length);

	while (!ret && length) {
		enum sink_index index = current_sink(writer);
		struct sink *sink = &writer->sink[index];
		size_t part = batch_room(writer, index);

		if (part > length)
			part = length;
		ret = read_batch(writer, fd, offset, dedup_batch(sink->dedup) + sink->used, part);
		if (ret)
			return writer_fail(writer, ret, "object %llu: %s",
					   (unsigned long long)writer->objects.count - 1,
					   ret == -ENODATA ? "its content ends too early"
							   : strerror(-ret));
		length -= part;
		if (offset >= 0)
			offset += part;
		ret = took(writer, index, part);
	}
	return ret;
}

/* Content that is not read begins where all before it has become extents. */
static int begin_unread(struct gmmap_store_writer *writer, uint64_t length)
{
	uint64_t end;
	int ret = check_length(writer, length);

	if (ret)
		return ret;
	end = writer->position + length;
	if (writer->position < writer->whole ? writer->position % GRANULE_BYTES
					     : writer->position % PAGE_BYTES)
		return writer_fail(writer, -EINVAL,
				   "object %llu: content that is not read begins at %llu",
				   (unsigned long long)writer->objects.count - 1,
				   (unsigned long long)writer->position);
	if (end != writer->size && (end < writer->whole ? end % GRANULE_BYTES : end % PAGE_BYTES))
		return writer_fail(
			writer, -EINVAL, "object %llu: content that is not read ends at %llu",
			(unsigned long long)writer->objects.count - 1, (unsigned long long)end);
	ret = flush(writer, SINK_GRANULES);
	return ret ? ret : flush(writer, SINK_PAGES);
}

/* Which sink would have had the LENGTH bytes from the position on: both, when they go to the end.
 */
static uint64_t of_granules(const struct gmmap_store_writer *writer, uint64_t length)
{
	uint64_t left = writer->position < writer->whole ? writer->whole - writer->position : 0;

	return left < length ? left : length;
}

static void count_zeros(struct gmmap_store_writer *writer, uint64_t length)
{
	uint64_t granules = of_granules(writer, length);

	writer->sink[SINK_GRANULES].unread_zeros += granules;
	writer->sink[SINK_PAGES].unread_zeros += length - granules;
}

static void count_base(struct gmmap_store_writer *writer, uint64_t length)
{
	uint64_t granules = of_granules(writer, length);

	writer->sink[SINK_GRANULES].unread_base += granules;
	writer->sink[SINK_PAGES].unread_base += length - granules;
}

int gmmap_store_write_zeros(struct gmmap_store_writer *writer, uint64_t length)
{
	int ret = begin_unread(writer, length);

	if (ret || !length)
		return ret;
	ret = add_extent(writer, length, IMAGE_NONE, 0);
	count_zeros(writer, length);
	writer->position += length;
	return ret;
}

static int add_same(struct gmmap_store_writer *writer, const struct gmmap_image *image,
		    const struct gmmap_image_extent *extent, uint64_t length)
{
	struct gmmap_image_pack pack;
	int ret;

	if (extent->pack == GMMAP_IMAGE_NONE) {
		count_zeros(writer, length);
		return add_extent(writer, length, IMAGE_NONE, 0);
	}
	gmmap_image_pack(image, extent->pack, &pack);
	for (size_t i = 0; i < writer->base_pack_count; i++) {
		struct base_pack *base = &writer->base_packs[i];

		if (memcmp(base->record.digest, pack.digest, DIGEST_BYTES))
			continue;
		ret = base_pack_number(writer, base);
		count_base(writer, length);
		return ret ? ret : add_extent(writer, length, base->number, extent->pack_offset);
	}
	return writer_fail(writer, -EINVAL,
			   "object %llu: the same content as in an image that is not its base",
			   (unsigned long long)writer->objects.count - 1);
}

int gmmap_store_write_same(struct gmmap_store_writer *writer, const struct gmmap_image *image,
			   uint32_t object, uint64_t offset, uint64_t length)
{
	int ret = begin_unread(writer, length);

	if (!ret && offset % PAGE_BYTES)
		ret = writer_fail(writer, -EINVAL, "the same content, from a broken page");
	while (!ret && length) {
		struct gmmap_image_extent extent;
		ssize_t n = gmmap_image_extents(image, object, offset, &extent, 1);
		uint64_t part;

		if (n <= 0)
			return writer_fail(writer, -EINVAL,
					   "the same content as behind the end of an object");
		part = extent.length < length ? extent.length : length;
		ret = add_same(writer, image, &extent, part);
		writer->position += part;
		offset += part;
		length -= part;
	}
	return ret;
}

int content_end(struct gmmap_store_writer *writer)
{
	int ret = check_length(writer, 0);

	if (ret)
		return ret;
	if (writer->position != writer->size)
		return writer_fail(writer, -EINVAL,
				   "object %llu: %llu bytes of content are missing",
				   (unsigned long long)writer->objects.count - 1,
				   (unsigned long long)(writer->size - writer->position));
	ret = finish_extent(writer);
	writer->in_object = false;
	return ret;
}
