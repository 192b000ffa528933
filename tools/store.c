// SPDX-License-Identifier: MIT
/* The folder of a store: its layout, its lock, and what is removed from it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "image_verity.h"
#include "store_internal.h"

int write_all(int fd, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	while (length) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		length -= n;
	}
	return 0;
}

int sync_folder(int dirfd, const char *path)
{
	int ret = 0, fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}

int make_work_folder(int store_fd, char path[64])
{
	uint64_t number;
	int fd;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -errno;
	snprintf(path, 64, "tmp/%016llx", (unsigned long long)number);
	if (mkdirat(store_fd, path, 0755))
		return -errno;
	fd = openat(store_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int store_lock(int store_fd, bool alone, struct gmmap_image_error *error)
{
	int fd = openat(store_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return image_fail(error, -errno, "store, lock: %m");
	while (flock(fd, alone ? LOCK_EX | LOCK_NB : LOCK_SH)) {
		int ret = errno == EWOULDBLOCK ? -EBUSY : -errno;

		if (ret == -EINTR)
			continue;
		image_fail(error, ret,
			   ret == -EBUSY
				   ? "the store is being written to; try again when that has ended"
				   : "store, lock: %m");
		close(fd);
		return ret;
	}
	return fd;
}

static int make_folder(int dirfd, const char *path)
{
	return mkdirat(dirfd, path, 0755) && errno != EEXIST ? -errno : 0;
}

/* The file `format' comes last: a folder that has it is a store. */
static int fill_store(int fd)
{
	static const char *const folders[] = { "packs", "images", "tmp" };
	char path[64];
	int file, ret = 0;

	for (size_t i = 0; !ret && i < sizeof(folders) / sizeof(folders[0]); i++)
		ret = make_folder(fd, folders[i]);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "tmp/format.%d", getpid());
	file = openat(fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (file < 0)
		return -errno;
	ret = write_all(file, STORE_FORMAT_LINE, strlen(STORE_FORMAT_LINE));
	if (!ret && fsync(file))
		ret = -errno;
	close(file);
	if (!ret && renameat(fd, path, fd, "format"))
		ret = -errno;
	return ret ? ret : sync_folder(fd, ".");
}

/* Files that are not ours must not end up in a store, nor a store among them. */
static bool folder_is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	bool empty = true;

	if (!folder)
		return false;
	while (empty && (entry = readdir(folder))) {
		const char *name = entry->d_name;

		empty = !strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "packs") ||
			!strcmp(name, "images") || !strcmp(name, "tmp") || !strcmp(name, "lock") ||
			!strcmp(name, "lost+found");
	}
	closedir(folder);
	return empty;
}

int gmmap_store_create(const char *path, struct gmmap_image_error *error)
{
	int fd, ret;

	if (mkdir(path, 0755) && errno != EEXIST)
		return image_fail(error, -errno, "store %s: %m", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return image_fail(error, -errno, "store %s: %m", path);
	if (!faccessat(fd, "format", F_OK, AT_SYMLINK_NOFOLLOW)) {
		close(fd);
		fd = store_open_folder(path, error);
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : 0;
	}
	if (folder_is_empty(fd)) {
		ret = fill_store(fd);
		if (ret)
			image_fail(error, ret, "store %s: %s", path, strerror(-ret));
	} else {
		ret = image_fail(error, -ENOTEMPTY,
				 "%s is no store and not empty; give an empty folder", path);
	}
	close(fd);
	return ret;
}

int gmmap_store_open(const char *path, struct gmmap_image_error *error)
{
	return store_open_folder(path, error);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Calls VISIT for the entries of a folder until it returns something else than 0. */
static int for_each_entry(int dirfd, const char *path,
			  int (*visit)(void *context, int folder_fd, const char *name),
			  void *context)
{
	int ret = 0, fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *entry;
	DIR *folder;

	if (fd < 0)
		return -errno;
	folder = fdopendir(fd);
	if (!folder) {
		ret = -errno;
		close(fd);
		return ret;
	}
	while (!ret) {
		errno = 0;
		entry = readdir(folder);
		if (!entry) {
			ret = -errno;
			break;
		}
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			ret = visit(context, fd, entry->d_name);
	}
	closedir(folder);
	return ret;
}

struct name_list {
	char **names;
	size_t count;
};

static int add_name(void *context, int folder_fd, const char *name)
{
	struct name_list *list = context;
	char **names;

	(void)folder_fd;
	if (!image_name_valid(name))
		return 0;
	names = reallocarray(list->names, list->count + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	list->names = names;
	names[list->count] = strdup(name);
	if (!names[list->count])
		return -ENOMEM;
	list->count++;
	return 0;
}

int gmmap_store_list(int store_fd, char ***names, size_t *count)
{
	struct name_list list = { 0 };
	int ret = for_each_entry(store_fd, "images", add_name, &list);

	if (ret) {
		gmmap_store_free_list(list.names, list.count);
		return ret;
	}
	if (list.count)
		qsort(list.names, list.count, sizeof(*list.names), compare_names);
	*names = list.names;
	*count = list.count;
	return 0;
}

void gmmap_store_free_list(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static int remove_entry(void *context, int folder_fd, const char *name)
{
	(void)context;
	if (!unlinkat(folder_fd, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	return remove_tree(folder_fd, name);
}

int remove_tree(int dirfd, const char *path)
{
	int ret;

	if (!unlinkat(dirfd, path, 0) || errno == ENOENT)
		return 0;
	ret = for_each_entry(dirfd, path, remove_entry, NULL);
	if (!ret && unlinkat(dirfd, path, AT_REMOVEDIR) && errno != ENOENT)
		ret = -errno;
	return ret;
}

int gmmap_store_remove(int store_fd, const char *name, struct gmmap_image_error *error)
{
	char from[160], to[64 + 8], work[64];
	int work_fd, ret = 0;
	int lock = store_lock(store_fd, false, error);

	if (lock < 0)
		return lock;
	if (!image_name_valid(name)) {
		ret = image_fail(error, -EINVAL, "`%s' cannot be the name of an image", name);
		goto out;
	}
	work_fd = make_work_folder(store_fd, work);
	if (work_fd < 0) {
		ret = image_fail(error, work_fd, "store, tmp: %s", strerror(-work_fd));
		goto out;
	}
	close(work_fd);
	snprintf(from, sizeof(from), "images/%s", name);
	snprintf(to, sizeof(to), "%s/image", work);
	if (renameat(store_fd, from, store_fd, to))
		ret = image_fail(error, -errno,
				 errno == ENOENT ? "there is no image %s" : "image %s: %m", name);
	else
		ret = sync_folder(store_fd, "images");
	/* What stays of it when this fails is collected later. */
	remove_tree(store_fd, work);
out:
	close(lock);
	return ret;
}

/* The packs that images need, sorted. */
struct needed {
	uint8_t (*digests)[DIGEST_BYTES];
	size_t count;
};

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_BYTES);
}

static int add_needed(struct needed *needed, const struct gmmap_image *image)
{
	struct gmmap_image_info info;
	void *digests;

	gmmap_image_info(image, &info);
	digests = reallocarray(needed->digests, needed->count + info.packs + 1, DIGEST_BYTES);
	if (!digests)
		return -ENOMEM;
	needed->digests = digests;
	for (uint32_t i = 0; i < info.packs; i++) {
		struct gmmap_image_pack pack;

		gmmap_image_pack(image, i, &pack);
		memcpy(needed->digests[needed->count++], pack.digest, DIGEST_BYTES);
	}
	return 0;
}

struct scan {
	const char *path;
	struct needed needed;
	struct gmmap_image_error *error;
};

static int scan_image(void *context, int folder_fd, const char *name)
{
	struct scan *scan = context;
	struct gmmap_image_error why;
	struct gmmap_image *image;
	int ret;

	(void)folder_fd;
	ret = gmmap_image_open(scan->path, name, GMMAP_IMAGE_WITHOUT_PACKS, &image, &why);
	if (ret)
		return image_fail(
			scan->error, ret,
			"nothing is collected, as it is not known what packs images/%s needs: %s. "
			"Repair or remove it first",
			name, why.text);
	ret = add_needed(&scan->needed, image);
	gmmap_image_close(image);
	return ret;
}

struct sweep {
	const struct needed *needed;
	struct gmmap_store_collected *collected;
	bool dry_run;
};

static int sweep_pack(void *context, int folder_fd, const char *name)
{
	struct sweep *sweep = context;
	char hex[DIGEST_HEX + 1] = "";
	uint8_t digest[DIGEST_BYTES];
	struct stat st;

	/* What is not named as a pack is not ours. */
	if (strlen(name) != DIGEST_HEX + 5 || strcmp(name + DIGEST_HEX, ".pack"))
		return 0;
	memcpy(hex, name, DIGEST_HEX);
	if (digest_from_hex(hex, digest) || fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (sweep->needed->count && bsearch(digest, sweep->needed->digests, sweep->needed->count,
					    DIGEST_BYTES, compare_digests)) {
		sweep->collected->kept_packs++;
		sweep->collected->kept_bytes += st.st_size;
		return 0;
	}
	if (!sweep->dry_run && unlinkat(folder_fd, name, 0))
		return -errno;
	sweep->collected->packs++;
	sweep->collected->pack_bytes += st.st_size;
	return 0;
}

static int sweep_unfinished(void *context, int folder_fd, const char *name)
{
	struct sweep *sweep = context;

	sweep->collected->unfinished++;
	return sweep->dry_run ? 0 : remove_tree(folder_fd, name);
}

int gmmap_store_collect(const char *path, bool dry_run, struct gmmap_store_collected *collected,
			struct gmmap_image_error *error)
{
	struct scan scan = { .path = path, .error = error };
	struct sweep sweep = { &scan.needed, collected, dry_run };
	int ret, lock, fd = store_open_folder(path, error);

	if (fd < 0)
		return fd;
	*collected = (struct gmmap_store_collected){ 0 };
	if (error)
		error->text[0] = 0;
	lock = store_lock(fd, true, error);
	if (lock < 0) {
		close(fd);
		return lock;
	}
	ret = for_each_entry(fd, "images", scan_image, &scan);
	if (!ret && scan.needed.count)
		qsort(scan.needed.digests, scan.needed.count, DIGEST_BYTES, compare_digests);
	if (!ret)
		ret = for_each_entry(fd, "tmp", sweep_unfinished, &sweep);
	if (!ret)
		ret = for_each_entry(fd, "packs", sweep_pack, &sweep);
	if (ret && error && !error->text[0])
		image_fail(error, ret, "store %s: %s", path, strerror(-ret));
	free(scan.needed.digests);
	close(lock);
	close(fd);
	return ret;
}
