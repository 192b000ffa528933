// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "log.h"

#define TABLES      5
#define MAX_BYTES   (1ull << 32) /* of the tables */
#define NAME_BYTES  64

static void name_of(char name[NAME_BYTES], const char *what, int id)
{
	snprintf(name, NAME_BYTES, "gmmap-%s%d.img", what, id);
}

/* FNV-1a over 64-bit words; the tables have whole words but for the private data's end. */
static uint64_t checksum(uint64_t sum, const void *data, uint64_t bytes)
{
	const uint8_t *at = data;

	for (uint64_t done = 0; done < bytes; done += 8) {
		uint64_t word = 0;

		memcpy(&word, at + done, bytes - done < 8 ? bytes - done : 8);
		sum = (sum ^ word) * 0x100000001b3ull;
	}
	return sum;
}

/* The tables in the order in which they are in the file. */
static void describe(const struct image *image, struct iovec table[TABLES])
{
	const struct image_head *head = &image->head;

	table[0] = (struct iovec){ (void *)head, sizeof(*head) };
	table[1] = (struct iovec){ image->gpus, head->gpu_count * sizeof(*image->gpus) };
	table[2] = (struct iovec){ image->bos, head->bo_count * sizeof(*image->bos) };
	table[3] = (struct iovec){ image->extents, head->extent_count * sizeof(*image->extents) };
	table[4] = (struct iovec){ image->private, head->private_bytes };
}

static int write_all(int fd, const void *data, uint64_t bytes)
{
	const uint8_t *at = data;

	while (bytes) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static int read_all(int fd, void *data, uint64_t bytes)
{
	uint8_t *at = data;

	while (bytes) {
		ssize_t n = read(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		at += n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static int create(int folder, const char *name)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 ? log_error("%s: %s", name, strerror(errno)) : fd;
}

int image_write(int folder, int id, const struct image *image)
{
	struct iovec table[TABLES];
	char name[NAME_BYTES];
	uint64_t sum = 0;
	int fd, ret = 0;

	name_of(name, "", id);
	fd = create(folder, name);
	if (fd < 0)
		return -1;
	describe(image, table);
	for (unsigned int i = 0; !ret && i < TABLES; i++) {
		sum = checksum(sum, table[i].iov_base, table[i].iov_len);
		ret = write_all(fd, table[i].iov_base, table[i].iov_len);
	}
	if (!ret)
		ret = write_all(fd, &sum, sizeof(sum));
	if (close(fd) && !ret)
		ret = -errno;
	return ret ? log_error("%s: %s", name, strerror(-ret)) : 0;
}

/* Sizes first: counts are multiplied and added without overflow. */
static bool sizes_match(const struct image_head *head, uint64_t file_bytes)
{
	uint64_t bytes = sizeof(*head) + sizeof(uint64_t);

	if (head->gpu_count > MAX_GPUS || head->extent_count > MAX_BYTES ||
	    head->private_bytes > MAX_BYTES)
		return false;
	bytes += head->gpu_count * sizeof(struct gpu);
	bytes += (uint64_t)head->bo_count * sizeof(struct image_bo);
	bytes += head->extent_count * sizeof(struct image_extent) + head->private_bytes;
	return bytes == file_bytes;
}

static const char *read_head(int fd, struct image_head *head)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return strerror(errno);
	ret = read_all(fd, head, sizeof(*head));
	if (ret)
		return ret == -ENODATA ? "it is too short" : strerror(-ret);
	if (head->magic != IMAGE_MAGIC)
		return "it is not an image of gmmap";
	if (head->version != IMAGE_VERSION)
		return "it was written by a newer version";
	if (!sizes_match(head, (uint64_t)st.st_size))
		return "it is damaged: its size is not what its head says";
	return NULL;
}

static const char *read_tables(int fd, struct image *image)
{
	struct iovec table[TABLES];
	uint64_t sum = 0, wanted;
	int ret = 0;

	describe(image, table);
	sum = checksum(sum, table[0].iov_base, table[0].iov_len);
	for (unsigned int i = 1; !ret && i < TABLES; i++) {
		ret = read_all(fd, table[i].iov_base, table[i].iov_len);
		if (!ret)
			sum = checksum(sum, table[i].iov_base, table[i].iov_len);
	}
	if (!ret)
		ret = read_all(fd, &wanted, sizeof(wanted));
	if (ret)
		return strerror(-ret);
	return sum == wanted ? NULL : "it is damaged: its checksum is wrong";
}

/* What others rely on. */
static const char *check_tables(const struct image *image)
{
	for (uint32_t i = 0; i < image->head.bo_count; i++) {
		const struct image_bo *bo = &image->bos[i];
		uint64_t end = 0;

		if (bo->first_extent > image->head.extent_count ||
		    bo->extent_count > image->head.extent_count - bo->first_extent)
			return "it is damaged: a buffer has extents that are not there";
		for (uint64_t j = 0; j < bo->extent_count; j++) {
			const struct image_extent *e = &image->extents[bo->first_extent + j];

			if (!e->length || e->offset < end || e->offset > bo->size ||
			    e->length > bo->size - e->offset ||
			    e->file_offset > image->head.pages_bytes ||
			    e->length > image->head.pages_bytes - e->file_offset)
				return "it is damaged: an extent is outside of its buffer or file";
			end = e->offset + e->length;
		}
	}
	return NULL;
}

static const char *allocate(struct image *image)
{
	const struct image_head *head = &image->head;

	image->gpus = calloc(head->gpu_count + 1, sizeof(*image->gpus));
	image->bos = calloc(head->bo_count + 1ull, sizeof(*image->bos));
	image->extents = calloc(head->extent_count + 1, sizeof(*image->extents));
	image->private = calloc(1, head->private_bytes + 1);
	return image->gpus && image->bos && image->extents && image->private ? NULL : "no memory";
}

int image_read(int folder, int id, struct image **result)
{
	struct image *image;
	char name[NAME_BYTES];
	const char *why;
	int fd;

	*result = NULL;
	name_of(name, "", id);
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : log_error("%s: %s", name, strerror(errno));
	image = calloc(1, sizeof(*image));
	why = image ? read_head(fd, &image->head) : "no memory";
	if (!why)
		why = allocate(image);
	if (!why)
		why = read_tables(fd, image);
	if (!why)
		why = check_tables(image);
	close(fd);
	if (!why) {
		*result = image;
		return 0;
	}
	image_free(image);
	return log_error("%s: %s", name, why);
}

void image_free(struct image *image)
{
	if (!image)
		return;
	free(image->gpus);
	free(image->bos);
	free(image->extents);
	free(image->private);
	free(image);
}

int image_create_pages(int folder, int id)
{
	char name[NAME_BYTES];

	name_of(name, "pages-", id);
	return create(folder, name);
}

int image_open_pages(int folder, int id, const struct image *image)
{
	char name[NAME_BYTES];
	struct stat st;
	int fd;

	name_of(name, "pages-", id);
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		log_error("%s: %s", name, strerror(errno));
	} else if ((uint64_t)st.st_size != image->head.pages_bytes) {
		log_error("%s: it has %lld bytes, not %llu", name, (long long)st.st_size,
			  (unsigned long long)image->head.pages_bytes);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}
