// SPDX-License-Identifier: MIT
/* Puts a finished image on disk and in its place. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <nettle/sha2.h>
#include "writer.h"

static const char *const sink_names[SINKS] = { "granules", "pages" };

static int commit_fail(struct gmmap_store_writer *writer, const char *what, int ret)
{
	return writer_fail(writer, ret, "image %s, %s: %s", writer->name, what, strerror(-ret));
}

/* A pack that is there already, of its full size, is the same one. */
static bool pack_present(int store_fd, const char *path, uint64_t size)
{
	struct stat st;

	return !fstatat(store_fd, path, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == size;
}

static int place_own_pack(struct gmmap_store_writer *writer, enum sink_index index)
{
	struct sink *sink = &writer->sink[index];
	struct image_pack *record;
	char path[DIGEST_HEX + 16];
	uint8_t digest[DIGEST_BYTES];
	uint64_t slots;
	int ret = dedup_finish(sink->dedup, &slots, digest);

	if (ret || !slots)
		return ret;
	record = (struct image_pack *)writer->packs.data + sink->number;
	memcpy(record->digest, digest, sizeof(record->digest));
	record->slots = slots;
	record->granule_shift = index == SINK_GRANULES ? GRANULE_SHIFT : PAGE_SHIFT;
	pack_path(digest, path);
	if (pack_present(writer->store_fd, path, pack_file_size(slots, record->granule_shift)))
		return 0;
	if (fchmod(sink->fd, 0444) || fsync(sink->fd))
		return -errno;
	if (renameat(writer->work_fd, sink_names[index], writer->store_fd, path))
		return -errno;
	return 0;
}

static int compare_spans(const void *a, const void *b)
{
	const struct image_span *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

static int compare_files(const void *a, const void *b, void *strings)
{
	const struct image_file *x = a, *y = b;

	return strcmp((char *)strings + x->name, (char *)strings + y->name);
}

/* Part of the image file; extents come from a file, as they may be many. */
struct part {
	enum image_section_type type;
	uint32_t record_size;
	const struct table *table;
};

#define PARTS 8

struct output {
	FILE *file;
	struct sha256_ctx sha;
	uint64_t written;
};

static int put(struct output *output, const void *data, size_t length)
{
	if (length && fwrite(data, length, 1, output->file) != 1)
		return errno ? -errno : -EIO;
	sha256_update(&output->sha, length, data);
	output->written += length;
	return 0;
}

static int put_padding(struct output *output)
{
	static const uint8_t zeros[8];

	return put(output, zeros, -output->written % 8);
}

static int put_extents(struct gmmap_store_writer *writer, struct output *output)
{
	uint8_t buffer[65536];
	size_t n;
	int ret = 0;

	if (fflush(writer->extents) || fseek(writer->extents, 0, SEEK_SET))
		return -errno;
	while (!ret && (n = fread(buffer, 1, sizeof(buffer), writer->extents)))
		ret = put(output, buffer, n);
	return !ret && ferror(writer->extents) ? -EIO : ret;
}

static uint64_t place_sections(const struct part *parts, struct image_section *sections)
{
	uint64_t offset = sizeof(struct image_header) + PARTS * sizeof(*sections);

	for (int i = 0; i < PARTS; i++) {
		sections[i] = (struct image_section){
			.type = parts[i].type,
			.flags = SECTION_REQUIRED,
			.record_size = parts[i].record_size,
			.offset = offset,
			.count = parts[i].table->count,
		};
		offset += sections[i].count * sections[i].record_size;
		offset = (offset + 7) / 8 * 8;
	}
	return offset;
}

static int put_parts(struct gmmap_store_writer *writer, const struct part *parts,
		     struct output *output)
{
	int ret = 0;

	for (int i = 0; !ret && i < PARTS; i++) {
		if (parts[i].type == SECTION_EXTENTS)
			ret = put_extents(writer, output);
		else
			ret = put(output, parts[i].table->data,
				  parts[i].table->count * parts[i].record_size);
		if (!ret)
			ret = put_padding(output);
	}
	return ret;
}

static int write_image(struct gmmap_store_writer *writer, struct output *output,
		       struct gmmap_store_result *result)
{
	struct table extents = { .count = writer->extent_count };
	const struct part parts[PARTS] = {
		{ SECTION_STRINGS, 1, &writer->strings },
		{ SECTION_PACKS, sizeof(struct image_pack), &writer->packs },
		{ SECTION_PROCESSES, sizeof(struct image_process), &writer->processes },
		{ SECTION_OBJECTS, sizeof(struct image_object), &writer->objects },
		{ SECTION_SPANS, sizeof(struct image_span), &writer->spans },
		{ SECTION_FILES, sizeof(struct image_file), &writer->files },
		{ SECTION_PROPERTIES, sizeof(struct image_property), &writer->properties },
		{ SECTION_EXTENTS, sizeof(struct image_extent), &extents },
	};
	struct image_section sections[PARTS];
	struct image_header header = {
		.magic = IMAGE_MAGIC,
		.version = IMAGE_VERSION,
		.header_size = sizeof(header),
		.section_count = PARTS,
		.name = writer->name_string,
	};
	struct timespec now;
	int ret;

	clock_gettime(CLOCK_REALTIME, &now);
	header.created_ns = now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
	header.file_size = place_sections(parts, sections);
	if (header.file_size > IMAGE_MAX_BYTES)
		return -EFBIG;
	ret = put(output, &header, sizeof(header));
	if (!ret)
		ret = put(output, sections, sizeof(sections));
	if (!ret)
		ret = put_parts(writer, parts, output);
	if (ret)
		return ret;
	sha256_digest(&output->sha, sizeof(header.sha256), header.sha256);
	if (fflush(output->file))
		return -errno;
	if (pwrite(fileno(output->file), header.sha256, sizeof(header.sha256),
		   offsetof(struct image_header, sha256)) != sizeof(header.sha256))
		return errno ? -errno : -EIO;
	if (fchmod(fileno(output->file), 0444) || fsync(fileno(output->file)))
		return -errno;
	memcpy(result->sha256, header.sha256, sizeof(result->sha256));
	result->image_bytes = header.file_size + writer->file_bytes;
	result->extents = writer->extent_count;
	return 0;
}

static int write_image_file(struct gmmap_store_writer *writer, struct gmmap_store_result *result)
{
	struct output output = { 0 };
	int ret, fd = openat(writer->work_fd, "image/image", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			     0644);

	if (fd < 0)
		return -errno;
	output.file = fdopen(fd, "w");
	if (!output.file) {
		close(fd);
		return -ENOMEM;
	}
	sha256_init(&output.sha);
	ret = write_image(writer, &output, result);
	if (fclose(output.file) && !ret)
		ret = -errno;
	return ret;
}

/* The reader refuses what it does not understand: better to know it now. */
static int check_image(struct gmmap_store_writer *writer)
{
	struct gmmap_image image = { 0 };
	struct gmmap_image_error why;
	int ret = read_whole(writer->work_fd, "image/image", IMAGE_MAX_BYTES, &image.data,
			     &image.size);

	if (ret)
		return commit_fail(writer, "image", ret);
	ret = image_parse(&image, &why);
	free(image.data);
	return ret ? writer_fail(writer, -EINVAL, "%s", why.text) : 0;
}

static int sync_work(struct gmmap_store_writer *writer)
{
	static const char *const folders[] = { "image/files", "image/profiles", "image" };
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(folders) / sizeof(folders[0]); i++)
		ret = sync_folder(writer->work_fd, folders[i]);
	return ret;
}

static int publish(struct gmmap_store_writer *writer)
{
	char path[160];
	int ret = 0;

	snprintf(path, sizeof(path), "images/%s", writer->name);
	if (renameat2(writer->work_fd, "image", writer->store_fd, path, RENAME_NOREPLACE)) {
		ret = -errno;
		/* The old one takes the place in tmp/ and goes with it. */
		if (ret == -EEXIST && writer->replace)
			ret = renameat2(writer->work_fd, "image", writer->store_fd, path,
					RENAME_EXCHANGE)
				      ? -errno
				      : 0;
	}
	return ret ? ret : sync_folder(writer->store_fd, "images");
}

static int commit(struct gmmap_store_writer *writer, struct gmmap_store_result *result)
{
	int ret;

	if (writer->broken)
		return writer->broken;
	if (writer->in_object)
		return writer_fail(writer, -EINVAL, "image %s: its last object has not ended",
				   writer->name);
	writer->name_string = add_string(writer, writer->name);
	if (writer->name_string == IMAGE_NONE)
		return commit_fail(writer, "name", -ENOMEM);
	if (writer->spans.count)
		qsort(writer->spans.data, writer->spans.count, sizeof(struct image_span),
		      compare_spans);
	if (writer->files.count)
		qsort_r(writer->files.data, writer->files.count, sizeof(struct image_file),
			compare_files, writer->strings.data);
	for (int i = 0; i < SINKS; i++) {
		ret = place_own_pack(writer, i);
		if (ret)
			return commit_fail(writer, "pack", ret);
	}
	ret = write_image_file(writer, result);
	if (ret)
		return commit_fail(writer, "image", ret);
	ret = check_image(writer);
	if (ret)
		return ret;
	ret = sync_work(writer);
	if (!ret)
		ret = sync_folder(writer->store_fd, "packs");
	if (!ret)
		ret = publish(writer);
	return ret == -EEXIST
		       ? writer_fail(writer, ret, "there is an image %s by now", writer->name)
	       : ret ? commit_fail(writer, "commit", ret)
		     : 0;
}

static void fill_amount(const struct sink *sink, struct gmmap_store_amount *amount)
{
	dedup_amount(sink->dedup, amount);
	amount->content += sink->unread_zeros + sink->unread_base - sink->padding;
	amount->zeros += sink->unread_zeros;
	amount->base += sink->unread_base;
}

int gmmap_store_commit(struct gmmap_store_writer *writer, struct gmmap_store_result *result,
		       struct gmmap_image_error *error)
{
	struct gmmap_store_result unused;
	int ret;

	if (!result)
		result = &unused;
	*result = (struct gmmap_store_result){ 0 };
	ret = commit(writer, result);
	if (ret) {
		image_fail(error, ret, "%s", writer->error.text);
	} else {
		fill_amount(&writer->sink[SINK_GRANULES], &result->granules);
		fill_amount(&writer->sink[SINK_PAGES], &result->pages);
	}
	gmmap_store_abort(writer);
	return ret;
}
