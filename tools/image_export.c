// SPDX-License-Identifier: MIT
/* gmmap image export: CRIU's files again, or the content of one object. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "command.h"
#include "image_internal.h"
#include "store_internal.h"

#define AT_ONCE	   64
#define COPY_BYTES (1u << 20)

struct export
{
	const struct gmmap_image *image;
	struct gmmap_image_error *error;
	int folder;
	uint8_t *buffer;
	struct progress progress;
	uint64_t done;
};

static int export_fail(struct export *export, int ret, const char *what)
{
	return image_fail(export->error, ret, "%s: %s", what, strerror(-ret));
}

static int write_at(int fd, const void *data, size_t length, uint64_t offset)
{
	const uint8_t *bytes = data;

	while (length) {
		ssize_t n = pwrite(fd, bytes, length, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		offset += n;
		length -= n;
	}
	return 0;
}

/* Shares the blocks where the file system can, else the kernel copies, else we do. */
static int copy_extent(struct export *export, const struct gmmap_image_extent *extent, int fd,
		       uint64_t offset)
{
	off_t from = extent->pack_offset, to = offset;
	uint64_t left = extent->length;
	int ret = 0;

	while (left) {
		ssize_t n = copy_file_range(extent->fd, &from, fd, &to, left, 0);

		if (n <= 0)
			break;
		left -= n;
	}
	while (!ret && left) {
		size_t part = left < COPY_BYTES ? left : COPY_BYTES;

		ret = read_exactly(extent->fd, export->buffer, part, from);
		if (!ret)
			ret = write_at(fd, export->buffer, part, to);
		from += part;
		to += part;
		left -= part;
	}
	return ret == -ENODATA ? -EBADMSG : ret;
}

/* Zeros stay holes: the file has its size already. */
static int copy_object(struct export *export, uint32_t index, int fd, uint64_t at)
{
	struct gmmap_image_extent extents[AT_ONCE];
	uint64_t offset = 0;
	ssize_t n;
	int ret = 0;

	while (!ret &&
	       (n = gmmap_image_extents(export->image, index, offset, extents, AT_ONCE)) > 0) {
		for (ssize_t i = 0; !ret && i < n; i++) {
			if (extents[i].fd >= 0)
				ret = copy_extent(export, &extents[i], fd, at + extents[i].offset);
			offset = extents[i].offset + extents[i].length;
			export->done += extents[i].length;
			progress_show(&export->progress, export->done);
		}
	}
	return ret;
}

static int create_file(struct export *export, const char *name, unsigned int mode)
{
	int fd = openat(export->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			mode);

	return fd < 0 ? export_fail(export, -errno, name) : fd;
}

static const struct image_object *object_record(const struct export *export, uint64_t index)
{
	return image_record(export->image, SECTION_OBJECTS, index);
}

/* All objects from FIRST on that are parts of its file. */
static int write_parts(struct export *export, uint64_t first, int fd)
{
	uint32_t file = object_record(export, first)->file;
	uint64_t at = 0;
	int ret = 0;

	for (uint64_t i = first; !ret && i < image_count(export->image, SECTION_OBJECTS); i++) {
		const struct image_object *object = object_record(export, i);

		if (object->file != file)
			continue;
		if (object->flags & OBJECT_HAS_HEAD) {
			ret = write_at(fd, &object->head, sizeof(object->head), at);
			at += sizeof(object->head);
		}
		if (!ret && ftruncate(fd, at + object->size))
			ret = -errno;
		if (!ret)
			ret = copy_object(export, i, fd, at);
		at += object->size;
	}
	return ret;
}

static bool is_first_part(const struct export *export, uint64_t index)
{
	for (uint64_t i = 0; i < index; i++)
		if (object_record(export, i)->file == object_record(export, index)->file)
			return false;
	return true;
}

static int export_objects(struct export *export)
{
	int ret = 0;

	for (uint64_t i = 0; !ret && i < image_count(export->image, SECTION_OBJECTS); i++) {
		const struct image_object *object = object_record(export, i);
		const char *name;
		int fd;

		if (object->file == IMAGE_NONE)
			return image_fail(export->error, -EINVAL,
					  "object %llu is of no file of CRIU's; the image was not "
					  "made by CRIU. See --object",
					  (unsigned long long)i);
		if (!is_first_part(export, i))
			continue;
		name = image_string(export->image, object->file);
		fd = create_file(export, name, 0600);
		if (fd < 0)
			return fd;
		ret = write_parts(export, i, fd);
		if (close(fd) && !ret)
			ret = -errno;
		if (ret)
			export_fail(export, ret, name);
	}
	return ret;
}

static int export_file(struct export *export, uint32_t index)
{
	struct gmmap_image_file file;
	size_t size;
	void *data;
	int fd, ret;

	gmmap_image_file(export->image, index, &file);
	ret = gmmap_image_read_file(export->image, file.name, &data, &size, export->error);
	if (ret)
		return ret;
	fd = create_file(export, file.name, 0600);
	ret = fd < 0 ? fd : write_at(fd, data, size, 0);
	if (fd >= 0) {
		if (!ret && fchmod(fd, file.mode))
			ret = -errno;
		if (close(fd) && !ret)
			ret = -errno;
		if (ret)
			export_fail(export, ret, file.name);
	}
	free(data);
	return ret;
}

static int export_stock(struct export *export)
{
	struct gmmap_image_info info;
	int ret = export_objects(export);

	gmmap_image_info(export->image, &info);
	for (uint32_t i = 0; !ret && i < info.files; i++)
		ret = export_file(export, i);
	return ret;
}

/* A folder that has nothing in it, made if need be. */
static int open_empty_folder(struct export *export, const char *path)
{
	if (mkdir(path, 0700))
		return image_fail(export->error, -errno,
				  errno == EEXIST ? "%s is there already; name a new folder"
						  : "%s: %m",
				  path);
	export->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return export->folder < 0 ? export_fail(export, -errno, path) : 0;
}

static int stock_to_folder(struct export *export, const char *path)
{
	int ret = open_empty_folder(export, path);

	if (ret)
		return ret;
	ret = export_stock(export);
	close(export->folder);
	/* Half a dump must not look like one. */
	if (ret)
		remove_tree(AT_FDCWD, path);
	return ret;
}

static int object_to_output(struct export *export, uint64_t index)
{
	struct gmmap_image_object object;
	uint64_t offset = 0;
	int ret = 0;

	if (index > UINT32_MAX || gmmap_image_object(export->image, index, &object))
		return image_fail(export->error, -ENOENT, "there is no object %llu; see show",
				  (unsigned long long)index);
	while (!ret && offset < object.size) {
		ssize_t n =
			gmmap_image_read(export->image, index, offset, export->buffer, COPY_BYTES);

		ret = n < 0 ? n : write_all(STDOUT_FILENO, export->buffer, n);
		offset += n > 0 ? n : 0;
	}
	return ret ? export_fail(export, ret, "content") : 0;
}

static int run_export(struct export *export, const char *folder, uint64_t object)
{
	int ret;

	export->buffer = malloc(COPY_BYTES);
	if (!export->buffer)
		return image_fail(export->error, -ENOMEM, "no memory");
	progress_begin(&export->progress, "export", 0);
	ret = folder ? stock_to_folder(export, folder) : object_to_output(export, object);
	progress_end(&export->progress);
	free(export->buffer);
	return ret;
}

int image_export(int argc, char **argv)
{
	static const struct option long_options[] = { { "stock", required_argument, NULL, 's' },
						      { "object", required_argument, NULL, 'o' },
						      { "require-verity", no_argument, NULL, 'v' },
						      STORE_OPTIONS,
						      { 0 } };
	struct store_options options;
	struct gmmap_image_error error;
	struct gmmap_image *image;
	struct export export = { .error = &error };
	const char *folder = NULL;
	char *end = NULL;
	uint64_t object = 0;
	unsigned int flags = 0;
	int option, ret;

	store_options_init(&options);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 's')
			folder = optarg;
		else if (option == 'o')
			object = strtoull(optarg, &end, 0);
		else if (option == 'v')
			flags = GMMAP_IMAGE_REQUIRE_VERITY;
		else if (!store_option(&options, option))
			return COMMAND_USAGE;
	}
	if (optind + 1 != argc || !folder == !end || (end && *end))
		return usage_error(
			"name one image, and --stock with a new folder or --object with a number");
	if (gmmap_image_open(options.store, argv[optind], flags, &image, &error))
		return fail("%s", error.text);
	export.image = image;
	ret = run_export(&export, folder, object);
	gmmap_image_close(image);
	return ret ? fail("%s", error.text) : COMMAND_OK;
}
