// SPDX-License-Identifier: MIT
/*
 * One image that is being written. Everything is in a folder of its own in tmp/ until commit(),
 * which puts packs into packs/, then renames the image's folder into images/. A shared lock on the
 * store keeps the packs that the image will need.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <nettle/sha2.h>
#include "dedup.h"
#include "store_internal.h"
#include "table.h"
#include "writer.h"

static const struct {
	unsigned int shift;
	const char *pack, *hashes;
} sinks[SINKS] = {
	[SINK_GRANULES] = { GRANULE_SHIFT, "granules", "granules.hashes" },
	[SINK_PAGES] = { PAGE_SHIFT, "pages", "pages.hashes" },
};

int writer_fail(struct gmmap_store_writer *writer, int code, const char *format, ...)
{
	va_list arguments;

	/* The first failure is the cause of the others. */
	if (writer->broken)
		return writer->broken;
	writer->broken = code;
	va_start(arguments, format);
	vsnprintf(writer->error.text, sizeof(writer->error.text), format, arguments);
	va_end(arguments);
	return code;
}

const char *gmmap_store_error(const struct gmmap_store_writer *writer)
{
	return writer->error.text;
}

static int create_file(int dirfd, const char *name, int access)
{
	int fd = openat(dirfd, name, access | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

	return fd < 0 ? -errno : fd;
}

/* A pack of a base can be in two bases. */
static int add_base_pack(struct gmmap_store_writer *writer, const struct image_pack *record,
			 struct gmmap_image_error *error)
{
	struct base_pack *pack, *packs;
	enum sink_index sink;
	int ret;

	for (size_t i = 0; i < writer->base_pack_count; i++)
		if (!memcmp(writer->base_packs[i].record.digest, record->digest, DIGEST_BYTES))
			return 0;
	for (sink = 0; sink < SINKS; sink++)
		if (sinks[sink].shift == record->granule_shift)
			break;
	packs = reallocarray(writer->base_packs, writer->base_pack_count + 1, sizeof(*packs));
	if (!packs)
		return image_fail(error, -ENOMEM, "no memory");
	writer->base_packs = packs;
	pack = &packs[writer->base_pack_count];
	*pack = (struct base_pack){ .record = *record, .number = IMAGE_NONE, .sink = sink };
	pack->record.flags = 0;
	pack->fd = pack_open(writer->store_fd, record, 0, error);
	if (pack->fd < 0)
		return pack->fd;
	writer->base_pack_count++;
	/* Of another granule: cannot be searched, but write_same() may use it. */
	if (sink == SINKS)
		return 0;
	ret = dedup_add_base(writer->sink[sink].dedup, pack->fd, record->slots);
	if (ret < 0)
		return image_fail(error, ret, "bases have too many slots");
	pack->dedup_number = ret;
	return 0;
}

static int add_base(struct gmmap_store_writer *writer, const char *store, const char *name,
		    struct gmmap_image_error *error)
{
	struct gmmap_image *image;
	int ret = gmmap_image_open(store, name, GMMAP_IMAGE_WITHOUT_PACKS, &image, error);

	if (ret)
		return ret;
	for (uint64_t i = 0; !ret && i < image_count(image, SECTION_PACKS); i++)
		ret = add_base_pack(writer, image_record(image, SECTION_PACKS, i), error);
	gmmap_image_close(image);
	return ret;
}

static int create_sinks(struct gmmap_store_writer *writer)
{
	for (int i = 0; i < SINKS; i++) {
		struct sink *sink = &writer->sink[i];
		int ret;

		sink->number = IMAGE_NONE;
		sink->fd = create_file(writer->work_fd, sinks[i].pack, O_RDWR);
		if (sink->fd < 0)
			return sink->fd;
		sink->hashes_fd = create_file(writer->work_fd, sinks[i].hashes, O_RDWR);
		if (sink->hashes_fd < 0)
			return sink->hashes_fd;
		ret = dedup_create(&sink->dedup, sinks[i].shift, sink->fd, sink->hashes_fd,
				   writer->pool);
		if (ret)
			return ret;
	}
	return 0;
}

/* images/NAME as it will be: tmp/.../image/ with files/ and profiles/. */
static int create_folders(struct gmmap_store_writer *writer)
{
	int fd;

	writer->work_fd = make_work_folder(writer->store_fd, writer->work);
	if (writer->work_fd < 0)
		return writer->work_fd;
	if (mkdirat(writer->work_fd, "image", 0755) ||
	    mkdirat(writer->work_fd, "image/files", 0755) ||
	    mkdirat(writer->work_fd, "image/profiles", 0755))
		return -errno;
	writer->files_fd =
		openat(writer->work_fd, "image/files", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writer->files_fd < 0)
		return -errno;
	fd = create_file(writer->work_fd, "extents", O_RDWR);
	if (fd < 0)
		return fd;
	writer->extents = fdopen(fd, "w+");
	if (!writer->extents) {
		close(fd);
		return -ENOMEM;
	}
	return 0;
}

static bool image_exists(const struct gmmap_store_writer *writer)
{
	char path[160];

	snprintf(path, sizeof(path), "images/%s", writer->name);
	return !faccessat(writer->store_fd, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

static int begin(struct gmmap_store_writer *writer, const char *store,
		 const struct gmmap_store_options *options, struct gmmap_image_error *error)
{
	int ret;

	writer->store_fd = store_open_folder(store, error);
	if (writer->store_fd < 0)
		return writer->store_fd;
	writer->lock_fd = store_lock(writer->store_fd, false, error);
	if (writer->lock_fd < 0)
		return writer->lock_fd;
	if (!writer->replace && image_exists(writer))
		return image_fail(error, -EEXIST,
				  "there is an image %s; remove it or take another name",
				  writer->name);
	ret = pool_create(&writer->pool, options->threads);
	if (!ret)
		ret = create_folders(writer);
	if (!ret)
		ret = create_sinks(writer);
	if (ret)
		return image_fail(error, ret, "image %s: %s", writer->name, strerror(-ret));
	for (size_t i = 0; !ret && i < options->base_count; i++) {
		ret = add_base(writer, store, options->bases[i], error);
		if (!ret)
			ret = gmmap_store_property(writer, "base", options->bases[i]);
	}
	return ret;
}

int gmmap_store_begin(const char *store, const char *name,
		      const struct gmmap_store_options *options, struct gmmap_store_writer **out,
		      struct gmmap_image_error *error)
{
	static const struct gmmap_store_options defaults;
	struct gmmap_store_writer *writer;
	int ret;

	if (!image_name_valid(name))
		return image_fail(error, -EINVAL, "`%s' cannot be the name of an image", name);
	writer = calloc(1, sizeof(*writer));
	if (!writer)
		return image_fail(error, -ENOMEM, "no memory");
	writer->store_fd = -1;
	writer->lock_fd = -1;
	writer->work_fd = -1;
	writer->files_fd = -1;
	for (int i = 0; i < SINKS; i++) {
		writer->sink[i].fd = -1;
		writer->sink[i].hashes_fd = -1;
	}
	snprintf(writer->name, sizeof(writer->name), "%s", name);
	writer->replace = options && options->replace;
	ret = begin(writer, store, options ? options : &defaults, error);
	if (ret) {
		gmmap_store_abort(writer);
		return ret;
	}
	*out = writer;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void gmmap_store_abort(struct gmmap_store_writer *writer)
{
	if (!writer)
		return;
	for (int i = 0; i < SINKS; i++) {
		dedup_destroy(writer->sink[i].dedup);
		close_fd(writer->sink[i].fd);
		close_fd(writer->sink[i].hashes_fd);
	}
	for (size_t i = 0; i < writer->base_pack_count; i++)
		close_fd(writer->base_packs[i].fd);
	free(writer->base_packs);
	pool_destroy(writer->pool);
	if (writer->extents)
		fclose(writer->extents);
	table_free(&writer->strings);
	table_free(&writer->packs);
	table_free(&writer->processes);
	table_free(&writer->objects);
	table_free(&writer->spans);
	table_free(&writer->files);
	table_free(&writer->properties);
	if (writer->work[0])
		remove_tree(writer->store_fd, writer->work);
	close_fd(writer->files_fd);
	close_fd(writer->work_fd);
	close_fd(writer->lock_fd);
	close_fd(writer->store_fd);
	free(writer);
}

uint32_t add_string(struct gmmap_store_writer *writer, const char *text)
{
	const char *strings = writer->strings.data;
	size_t length = strlen(text) + 1;
	uint64_t at = 0;
	char *copy;

	while (at < writer->strings.count) {
		size_t this = strlen(strings + at) + 1;

		if (this == length && !memcmp(strings + at, text, length))
			return at;
		at += this;
	}
	copy = table_add(&writer->strings, 1, length);
	if (!copy || at >= IMAGE_NONE)
		return IMAGE_NONE;
	memcpy(copy, text, length);
	return at;
}

static int no_memory(struct gmmap_store_writer *writer)
{
	return writer_fail(writer, -ENOMEM, "image %s: no memory", writer->name);
}

int gmmap_store_property(struct gmmap_store_writer *writer, const char *key, const char *value)
{
	struct image_property property = { add_string(writer, key), add_string(writer, value) };
	struct image_property *record;

	if (writer->broken)
		return writer->broken;
	record = table_add(&writer->properties, sizeof(*record), 1);
	if (property.key == IMAGE_NONE || property.value == IMAGE_NONE || !record)
		return no_memory(writer);
	*record = property;
	return 0;
}

int gmmap_store_process(struct gmmap_store_writer *writer, uint32_t pid)
{
	struct image_process *record;

	if (writer->broken)
		return writer->broken;
	record = table_add(&writer->processes, sizeof(*record), 1);
	if (!record)
		return no_memory(writer);
	*record = (struct image_process){ .pid = pid };
	return writer->processes.count - 1;
}

/* A small file that is being written, hashed on the way. */
struct small_file {
	int fd;
	uint64_t size;
	struct sha256_ctx sha;
};

static int small_file_begin(struct gmmap_store_writer *writer, const char *name, unsigned int mode,
			    struct small_file *file)
{
	if (writer->broken)
		return writer->broken;
	if (!image_file_name_valid(name) || mode & ~0777u)
		return writer_fail(writer, -EINVAL, "file %s: its name or mode cannot be kept",
				   name);
	file->fd = create_file(writer->files_fd, name, O_WRONLY);
	if (file->fd < 0)
		return writer_fail(writer, file->fd, "file %s: %s", name,
				   file->fd == -EEXIST ? "comes twice" : strerror(-file->fd));
	file->size = 0;
	sha256_init(&file->sha);
	return 0;
}

static int small_file_write(struct small_file *file, const void *data, size_t length)
{
	sha256_update(&file->sha, length, data);
	file->size += length;
	return write_all(file->fd, data, length);
}

static int small_file_end(struct gmmap_store_writer *writer, const char *name, unsigned int mode,
			  struct small_file *file, int ret)
{
	struct image_file *record;
	uint32_t string;

	if (!ret && (fchmod(file->fd, mode) || fsync(file->fd)))
		ret = -errno;
	close(file->fd);
	if (ret)
		return writer_fail(writer, ret, "file %s: %s", name, strerror(-ret));
	string = add_string(writer, name);
	record = table_add(&writer->files, sizeof(*record), 1);
	if (string == IMAGE_NONE || !record)
		return no_memory(writer);
	*record = (struct image_file){ .name = string, .mode = mode, .size = file->size };
	sha256_digest(&file->sha, sizeof(record->sha256), record->sha256);
	writer->file_bytes += file->size;
	return 0;
}

int gmmap_store_file(struct gmmap_store_writer *writer, const char *name, unsigned int mode,
		     const void *data, size_t size)
{
	struct small_file file;
	int ret = small_file_begin(writer, name, mode, &file);

	if (ret)
		return ret;
	ret = small_file_write(&file, data, size);
	return small_file_end(writer, name, mode, &file, ret);
}

int gmmap_store_file_fd(struct gmmap_store_writer *writer, const char *name, unsigned int mode,
			int fd)
{
	uint8_t buffer[65536];
	struct small_file file;
	int ret = small_file_begin(writer, name, mode, &file);

	if (ret)
		return ret;
	while (!ret) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			ret = -errno;
		if (n <= 0)
			break;
		ret = small_file_write(&file, buffer, n);
	}
	return small_file_end(writer, name, mode, &file, ret);
}

int64_t gmmap_store_object(struct gmmap_store_writer *writer,
			   const struct gmmap_image_object *object, const void *head)
{
	uint32_t file = object->file ? add_string(writer, object->file) : IMAGE_NONE;
	struct image_object *record;

	if (writer->broken)
		return writer->broken;
	if (writer->in_object)
		return writer_fail(writer, -EINVAL,
				   "an object begins before the last one has ended");
	if (object->kind < GMMAP_IMAGE_KFD_BO || object->kind > GMMAP_IMAGE_PAGES ||
	    (object->process != IMAGE_NONE && object->process >= writer->processes.count) ||
	    (object->file && !image_file_name_valid(object->file)))
		return writer_fail(writer, -EINVAL, "object %llu: kind, process or file",
				   (unsigned long long)writer->objects.count);
	record = table_add(&writer->objects, sizeof(*record), 1);
	if (!record || (object->file && file == IMAGE_NONE))
		return no_memory(writer);
	*record = (struct image_object){
		.kind = object->kind,
		.flags = head ? OBJECT_HAS_HEAD : 0,
		.process = object->process,
		.index = object->index,
		.gpu_id = object->gpu_id,
		.alloc_flags = object->alloc_flags,
		.address = object->address,
		.size = object->size,
		.first_extent = writer->extent_count,
		.file = file,
	};
	if (head)
		memcpy(&record->head, head, sizeof(record->head));
	content_begin(writer, record);
	return writer->objects.count - 1;
}

int gmmap_store_end_object(struct gmmap_store_writer *writer)
{
	struct image_object *record;
	int ret = content_end(writer);

	if (ret)
		return ret;
	record = (struct image_object *)writer->objects.data + writer->objects.count - 1;
	record->extent_count = writer->extent_count - record->first_extent;
	return 0;
}

int gmmap_store_span(struct gmmap_store_writer *writer, uint32_t process, uint64_t address,
		     uint64_t length, uint32_t object, uint64_t offset, uint32_t flags)
{
	struct image_span *last, *record;

	if (writer->broken)
		return writer->broken;
	/* What follows on in memory and in the object is one span. */
	if (writer->spans.count) {
		last = (struct image_span *)writer->spans.data + writer->spans.count - 1;
		if (last->process == process && last->object == object && last->flags == flags &&
		    last->address + last->length == address &&
		    last->offset + last->length == offset) {
			last->length += length;
			return 0;
		}
	}
	record = table_add(&writer->spans, sizeof(*record), 1);
	if (!record)
		return no_memory(writer);
	*record = (struct image_span){ .address = address,
				       .length = length,
				       .offset = offset,
				       .process = process,
				       .object = object,
				       .flags = flags };
	return 0;
}
