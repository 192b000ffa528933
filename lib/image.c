// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fsverity.h>
#include "image_internal.h"
#include "image_verity.h"

#define OPEN_FLAGS (GMMAP_IMAGE_WITHOUT_PACKS | GMMAP_IMAGE_REQUIRE_VERITY | GMMAP_IMAGE_DIRECT)
/* How often an image may be replaced while it is being opened. */
#define OPEN_ATTEMPTS 8

int read_exactly(int fd, void *buffer, size_t length, uint64_t offset)
{
	uint8_t *bytes = buffer;

	while (length) {
		ssize_t n = pread(fd, bytes, length, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		bytes += n;
		offset += n;
		length -= n;
	}
	return 0;
}

int read_whole(int dirfd, const char *path, uint64_t limit, uint8_t **data, size_t *size)
{
	/* Not to wait for the other end if it is a FIFO. */
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int ret;

	if (fd < 0)
		return -errno;
	*data = NULL;
	if (fstat(fd, &st)) {
		ret = -errno;
		goto out;
	}
	ret = -EBADMSG;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > limit)
		goto out;
	ret = -ENOMEM;
	*data = malloc(st.st_size ? st.st_size : 1);
	if (!*data)
		goto out;
	*size = st.st_size;
	ret = read_exactly(fd, *data, *size, 0);
	if (ret == -ENODATA)
		ret = -EBADMSG;
	if (ret) {
		free(*data);
		*data = NULL;
	}
out:
	close(fd);
	return ret;
}

int store_open_folder(const char *path, struct gmmap_image_error *error)
{
	uint8_t *line = NULL;
	size_t size;
	int ret, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return image_fail(error, -errno, "store %s: %m", path);
	ret = read_whole(fd, "format", 64, &line, &size);
	if (ret == -ENOENT) {
		image_fail(error, ret, "%s is not a store: it has no file `format'", path);
	} else if (ret) {
		image_fail(error, ret, "store %s, format: %s", path, strerror(-ret));
	} else if (size != strlen(STORE_FORMAT_LINE) || memcmp(line, STORE_FORMAT_LINE, size)) {
		ret = image_fail(error, -EPROTONOSUPPORT,
				 "store %s: its file `format' names none that this program knows",
				 path);
	}
	free(line);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

void pack_path(const uint8_t digest[DIGEST_BYTES], char path[DIGEST_HEX + 16])
{
	char hex[DIGEST_HEX + 1];

	digest_to_hex(digest, hex);
	snprintf(path, DIGEST_HEX + 16, "packs/%s.pack", hex);
}

int pack_read_trailer(int fd, struct pack_trailer *trailer, uint64_t *file_size)
{
	struct stat st;
	void *page;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < 2 * (off_t)PAGE_BYTES || st.st_size % PAGE_BYTES)
		return -EBADMSG;
	/* Aligned, for O_DIRECT. */
	page = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
	if (!page)
		return -ENOMEM;
	ret = read_exactly(fd, page, PAGE_BYTES, st.st_size - PAGE_BYTES);
	memcpy(trailer, page, sizeof(*trailer));
	free(page);
	if (ret)
		return ret == -ENODATA ? -EBADMSG : ret;
	if (memcmp(trailer->magic, PACK_MAGIC, sizeof(trailer->magic)))
		return -EBADMSG;
	if (trailer->version != PACK_VERSION)
		return -EPROTONOSUPPORT;
	*file_size = st.st_size;
	if (pack_file_size(trailer->slots, trailer->granule_shift) != *file_size ||
	    trailer->hash_offset != pack_hash_offset(trailer->slots, trailer->granule_shift))
		return -EBADMSG;
	return 0;
}

static int measure_verity(int fd, const uint8_t digest[DIGEST_BYTES])
{
	union {
		struct fsverity_digest header;
		uint8_t bytes[sizeof(struct fsverity_digest) + DIGEST_BYTES];
	} measured = { .header.digest_size = DIGEST_BYTES };

	if (ioctl(fd, FS_IOC_MEASURE_VERITY, &measured))
		return -errno;
	if (measured.header.digest_algorithm != FS_VERITY_HASH_ALG_SHA256 ||
	    measured.header.digest_size != DIGEST_BYTES ||
	    memcmp(measured.header.digest, digest, DIGEST_BYTES))
		return -EBADMSG;
	return 0;
}

int pack_open(int store_fd, const struct image_pack *record, unsigned int flags,
	      struct gmmap_image_error *error)
{
	char path[DIGEST_HEX + 16];
	struct pack_trailer trailer;
	uint64_t size;
	int fd, ret;

	pack_path(record->digest, path);
	fd = openat(store_fd, path,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
			    (flags & GMMAP_IMAGE_DIRECT ? O_DIRECT : 0));
	if (fd < 0)
		return image_fail(error, -errno, "%s: %m", path);
	ret = pack_read_trailer(fd, &trailer, &size);
	if (!ret &&
	    (trailer.slots != record->slots || trailer.granule_shift != record->granule_shift))
		ret = -EBADMSG;
	if (ret) {
		image_fail(error, ret, "%s: %s", path,
			   ret == -EBADMSG ? "damaged: its size or its trailer is wrong"
					   : strerror(-ret));
		goto err;
	}
	if (flags & GMMAP_IMAGE_REQUIRE_VERITY) {
		ret = measure_verity(fd, record->digest);
		if (ret == -EBADMSG) {
			image_fail(error, ret, "%s: fs-verity has another digest", path);
			goto err;
		}
		if (ret) {
			ret = image_fail(error, -EACCES,
					 "%s: not protected by fs-verity (%s); enable it with "
					 "gmmap image verity",
					 path, strerror(-ret));
			goto err;
		}
	}
	return fd;
err:
	close(fd);
	return ret;
}

static int open_packs(struct gmmap_image *image, struct gmmap_image_error *error)
{
	uint64_t count = image_count(image, SECTION_PACKS);

	image->pack_fds = malloc((count + 1) * sizeof(int));
	if (!image->pack_fds)
		return image_fail(error, -ENOMEM, "no memory for %llu packs",
				  (unsigned long long)count);
	for (uint64_t i = 0; i < count; i++)
		image->pack_fds[i] = -1;
	for (uint64_t i = 0; i < count; i++) {
		int fd = pack_open(image->store_fd, image_record(image, SECTION_PACKS, i),
				   image->flags, error);

		if (fd < 0)
			return fd;
		image->pack_fds[i] = fd;
	}
	return 0;
}

static void close_content(struct gmmap_image *image)
{
	if (image->pack_fds) {
		for (uint64_t i = 0; i < image_count(image, SECTION_PACKS); i++)
			if (image->pack_fds[i] >= 0)
				close(image->pack_fds[i]);
	}
	free(image->pack_fds);
	image->pack_fds = NULL;
	free(image->data);
	image->data = NULL;
	if (image->files_fd >= 0)
		close(image->files_fd);
	if (image->image_fd >= 0)
		close(image->image_fd);
	image->files_fd = -1;
	image->image_fd = -1;
}

static int open_folders(struct gmmap_image *image, const char *name,
			struct gmmap_image_error *error)
{
	char path[160];

	snprintf(path, sizeof(path), "images/%s", name);
	image->image_fd =
		openat(image->store_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (image->image_fd < 0)
		return image_fail(error, -errno,
				  errno == ENOENT ? "there is no image %s" : "image %s: %m", name);
	image->files_fd =
		openat(image->image_fd, "files", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (image->files_fd < 0)
		return image_fail(error, errno == ENOENT ? -EBADMSG : -errno, "image %s, files: %m",
				  name);
	return 0;
}

static int open_content(struct gmmap_image *image, const char *name,
			struct gmmap_image_error *error)
{
	struct gmmap_image_error why;
	int ret = open_folders(image, name, error);

	if (ret)
		return ret;
	ret = read_whole(image->image_fd, "image", IMAGE_MAX_BYTES, &image->data, &image->size);
	if (ret)
		return image_fail(error, ret == -ENOENT ? -EBADMSG : ret, "image %s, image: %s",
				  name, strerror(-ret));
	ret = image_parse(image, &why);
	if (ret)
		return image_fail(error, ret, "image %s, %s", name, why.text);
	if (strcmp(image_string(image, image_header(image)->name), name))
		return image_fail(error, -EBADMSG, "image %s is another one, named %s", name,
				  image_string(image, image_header(image)->name));
	if (image->flags & GMMAP_IMAGE_WITHOUT_PACKS)
		return 0;
	return open_packs(image, error);
}

/* Is images/NAME still what was opened? A pack may be missing only because it is not. */
static bool was_replaced(const struct gmmap_image *image, const char *name)
{
	struct stat opened, now;
	char path[160];

	snprintf(path, sizeof(path), "images/%s", name);
	if (image->image_fd < 0 || fstat(image->image_fd, &opened))
		return false;
	return fstatat(image->store_fd, path, &now, AT_SYMLINK_NOFOLLOW) ||
	       now.st_ino != opened.st_ino || now.st_dev != opened.st_dev;
}

int gmmap_image_open(const char *store, const char *name, unsigned int flags,
		     struct gmmap_image **out, struct gmmap_image_error *error)
{
	struct gmmap_image *image;
	int ret = 0;

	if (flags & ~OPEN_FLAGS)
		return image_fail(error, -EINVAL, "unknown flags %#x", flags);
	if (!image_name_valid(name))
		return image_fail(error, -EINVAL, "`%s' cannot be the name of an image", name);
	image = calloc(1, sizeof(*image));
	if (!image)
		return image_fail(error, -ENOMEM, "no memory");
	image->flags = flags;
	image->image_fd = -1;
	image->files_fd = -1;
	image->store_fd = store_open_folder(store, error);
	if (image->store_fd < 0) {
		ret = image->store_fd;
		free(image);
		return ret;
	}
	for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
		ret = open_content(image, name, error);
		if (!ret) {
			*out = image;
			return 0;
		}
		if (!was_replaced(image, name))
			break;
		close_content(image);
	}
	/* A pack that an image needs is part of it. */
	if (ret == -ENOENT && image->data)
		ret = -EBADMSG;
	gmmap_image_close(image);
	return ret;
}

void gmmap_image_close(struct gmmap_image *image)
{
	if (!image)
		return;
	close_content(image);
	close(image->store_fd);
	free(image);
}
