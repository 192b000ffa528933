// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <nettle/sha2.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "image_internal.h"
#include "image_pool.h"
#include "image_verity.h"

#define BATCH_BYTES  (UINT64_C(8) << 20)
#define BATCH_BLOCKS (BATCH_BYTES / PAGE_BYTES)

struct verification {
	const struct gmmap_image *image;
	const struct gmmap_image_verify *how;
	struct pool *pool;
	uint8_t *batch;
	size_t batch_used;
	uint8_t (*hashes)[DIGEST_BYTES];
	uint64_t done, all;
	int problems;
};

__attribute__((format(printf, 3, 4))) static void report(struct verification *v, const char *what,
							 const char *format, ...)
{
	char text[256];
	va_list arguments;

	v->problems++;
	if (!v->how->report)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	v->how->report(v->how->context, what, text);
}

static void advance(struct verification *v, uint64_t bytes)
{
	v->done += bytes;
	if (v->how->progress)
		v->how->progress(v->how->context, v->done, v->all);
}

static void hash_block(void *context, size_t item)
{
	struct verification *v = context;
	size_t offset = item * PAGE_BYTES;
	size_t left = v->batch_used - offset;

	verity_hash_block(v->batch + offset, left < PAGE_BYTES ? left : PAGE_BYTES,
			  v->hashes[item]);
}

static int pack_digest(struct verification *v, int fd, uint64_t size, uint8_t digest[DIGEST_BYTES])
{
	struct verity verity;

	verity_init(&verity);
	for (uint64_t offset = 0; offset < size; offset += v->batch_used) {
		size_t blocks;
		int ret;

		v->batch_used = size - offset < BATCH_BYTES ? size - offset : BATCH_BYTES;
		blocks = (v->batch_used + PAGE_BYTES - 1) / PAGE_BYTES;
		ret = read_exactly(fd, v->batch, v->batch_used, offset);
		if (ret)
			return ret;
		pool_run(v->pool, blocks, 64, hash_block, v);
		verity_add(&verity, v->hashes[0], blocks, v->batch_used);
		advance(v, v->batch_used);
	}
	verity_final(&verity, digest);
	return 0;
}

/* First slot whose content is not what its hash says; slots when all are right. */
static uint64_t first_bad_slot(struct verification *v, int fd, const struct image_pack *pack)
{
	size_t granule = (size_t)1 << pack->granule_shift;
	uint64_t hash_offset = pack_hash_offset(pack->slots, pack->granule_shift);
	uint64_t slots_at_once = PAGE_BYTES / PACK_HASH_BYTES;
	uint8_t *hashes = v->batch + granule;

	for (uint64_t slot = 0; slot < pack->slots; slot++) {
		XXH128_canonical_t hash;

		/* Page by page, as O_DIRECT wants it. */
		if (slot % slots_at_once == 0 &&
		    read_exactly(fd, hashes, PAGE_BYTES, hash_offset + slot * PACK_HASH_BYTES))
			return slot;
		if (read_exactly(fd, v->batch, granule, slot * granule))
			return slot;
		XXH128_canonicalFromHash(&hash, XXH3_128bits(v->batch, granule));
		if (memcmp(&hash, hashes + slot % slots_at_once * PACK_HASH_BYTES, sizeof(hash)))
			return slot;
	}
	return pack->slots;
}

static void verify_pack(struct verification *v, const struct image_pack *pack, int fd)
{
	uint64_t size = pack_file_size(pack->slots, pack->granule_shift), slot;
	char path[DIGEST_HEX + 16];
	uint8_t digest[DIGEST_BYTES];
	int ret;

	pack_path(pack->digest, path);
	ret = pack_digest(v, fd, size, digest);
	if (ret) {
		report(v, path, "cannot be read: %s", strerror(-ret));
		return;
	}
	if (!memcmp(digest, pack->digest, sizeof(digest)))
		return;
	slot = first_bad_slot(v, fd, pack);
	if (slot < pack->slots)
		report(v, path, "damaged; the first wrong slot is %llu, at byte %llu",
		       (unsigned long long)slot, (unsigned long long)(slot << pack->granule_shift));
	else
		report(v, path, "damaged behind its slots");
}

static void verify_packs(struct verification *v)
{
	for (uint64_t i = 0; i < image_count(v->image, SECTION_PACKS); i++) {
		const struct image_pack *pack = image_record(v->image, SECTION_PACKS, i);
		struct gmmap_image_error error;
		int fd = v->image->pack_fds ? dup(v->image->pack_fds[i])
					    : pack_open(v->image->store_fd, pack, 0, &error);
		char path[DIGEST_HEX + 16];

		pack_path(pack->digest, path);
		if (fd < 0) {
			report(v, path, "%s", error.text);
			continue;
		}
		verify_pack(v, pack, fd);
		close(fd);
	}
}

static int file_digest(struct verification *v, int fd, uint64_t size, uint8_t sha256[DIGEST_BYTES])
{
	struct sha256_ctx sha;
	uint64_t offset = 0;
	ssize_t n;

	sha256_init(&sha);
	while ((n = pread(fd, v->batch, BATCH_BYTES, offset)) > 0) {
		sha256_update(&sha, n, v->batch);
		advance(v, n);
		offset += n;
	}
	if (n < 0)
		return -errno;
	sha256_digest(&sha, DIGEST_BYTES, sha256);
	return offset == size ? 0 : -EBADMSG;
}

static void verify_files(struct verification *v)
{
	for (uint64_t i = 0; i < image_count(v->image, SECTION_FILES); i++) {
		const struct image_file *file = image_record(v->image, SECTION_FILES, i);
		const char *name = image_string(v->image, file->name);
		uint8_t sha256[DIGEST_BYTES];
		int ret, fd = openat(v->image->files_fd, name,
				     O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

		if (fd < 0) {
			report(v, name, "%m");
			continue;
		}
		ret = file_digest(v, fd, file->size, sha256);
		close(fd);
		if (!ret && memcmp(sha256, file->sha256, sizeof(sha256)))
			ret = -EBADMSG;
		if (ret)
			report(v, name, "%s", ret == -EBADMSG ? "damaged" : strerror(-ret));
	}
}

static bool is_listed(const struct gmmap_image *image, const char *name)
{
	for (uint64_t i = 0; i < image_count(image, SECTION_FILES); i++) {
		const struct image_file *file = image_record(image, SECTION_FILES, i);

		if (!strcmp(image_string(image, file->name), name))
			return true;
	}
	return false;
}

static void verify_profile(struct verification *v, const char *name)
{
	struct gmmap_image_profile *profile;
	struct gmmap_image_error error;

	if (gmmap_image_profile_open(v->image, name, &profile, &error))
		report(v, name, "%s", error.text);
	else
		gmmap_image_profile_close(profile);
}

/* Calls CHECK for the entries of a folder. */
static void verify_folder(struct verification *v, const char *path,
			  void (*check)(struct verification *v, const char *name))
{
	int fd = openat(v->image->image_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *entry;
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (!folder) {
		report(v, path, "%m");
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			check(v, entry->d_name);
	closedir(folder);
}

static void verify_listed(struct verification *v, const char *name)
{
	if (!is_listed(v->image, name))
		report(v, name, "not a file of this image");
}

static void verify_top(struct verification *v, const char *name)
{
	if (strcmp(name, "image") && strcmp(name, "files") && strcmp(name, "profiles"))
		report(v, name, "not a part of an image");
}

static void count_bytes(struct verification *v)
{
	for (uint64_t i = 0; i < image_count(v->image, SECTION_PACKS); i++) {
		const struct image_pack *pack = image_record(v->image, SECTION_PACKS, i);

		v->all += pack_file_size(pack->slots, pack->granule_shift);
	}
	for (uint64_t i = 0; i < image_count(v->image, SECTION_FILES); i++) {
		const struct image_file *file = image_record(v->image, SECTION_FILES, i);

		v->all += file->size;
	}
}

int gmmap_image_verify(const struct gmmap_image *image, const struct gmmap_image_verify *how)
{
	struct verification v = { .image = image, .how = how };
	int ret;

	v.batch = aligned_alloc(PAGE_BYTES, BATCH_BYTES);
	v.hashes = calloc(BATCH_BLOCKS, sizeof(v.hashes[0]));
	ret = v.batch && v.hashes ? pool_create(&v.pool, how->threads) : -ENOMEM;
	if (!ret) {
		count_bytes(&v);
		verify_folder(&v, ".", verify_top);
		verify_folder(&v, "files", verify_listed);
		verify_folder(&v, "profiles", verify_profile);
		verify_files(&v);
		verify_packs(&v);
		ret = v.problems;
	}
	pool_destroy(v.pool);
	free(v.hashes);
	free(v.batch);
	return ret;
}
