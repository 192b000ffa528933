// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "criu_dump.h"
#include "image_internal.h"
#include "table.h"

/* CRIU: criu/include/magic.h */
#define IMG_COMMON_MAGIC 0x54564319u
#define PAGEMAP_MAGIC	 0x56084025u
/* CRIU: criu/include/pagemap.h */
#define PE_PARENT  (1u << 0)
#define PE_LAZY	   (1u << 1)
#define PE_PRESENT (1u << 2)
/* Linux: uapi/linux/kfd_ioctl.h */
#define KFD_ALLOC_VRAM	 (1u << 0)
#define KFD_ALLOC_GTT	 (1u << 1)

#define MAX_MESSAGE_FILE (UINT64_C(1) << 31)

/* Scans a whole name; %n must be its end. */
static bool scan_name(struct criu_file *file)
{
	int end = 0, fd;

	if (sscanf(file->name, "pages-%u.img%n", &file->id, &end) == 1 && end && !file->name[end]) {
		file->kind = CRIU_PAGES;
		return true;
	}
	end = 0;
	if (sscanf(file->name, "amdgpu-pages-%u-%x.img%n", &file->id, &file->gpu_id, &end) == 2 &&
	    end && !file->name[end]) {
		file->kind = CRIU_KFD_PAGES;
		return true;
	}
	end = 0;
	if (sscanf(file->name, "amdgpu-drm-pages-%u-%d-%x.img%n", &file->id, &fd, &file->gpu_id,
		   &end) == 3 &&
	    end && !file->name[end]) {
		file->kind = CRIU_DRM_PAGES;
		return true;
	}
	return false;
}

static int add_file(struct criu_dump *dump, struct table *table, const char *name,
		    struct gmmap_image_error *error)
{
	struct criu_file *file;
	struct stat st;

	if (fstatat(dump->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return image_fail(error, -errno, "%s/%s: %m", dump->path, name);
	if (!strcmp(name, "parent"))
		return image_fail(error, -EOPNOTSUPP,
				  "%s has a parent: only whole dumps can be imported; dump without "
				  "--prev-images-dir",
				  dump->path);
	if (!S_ISREG(st.st_mode))
		return image_fail(error, -EINVAL,
				  "%s/%s is not a regular file and no part of a dump; remove it",
				  dump->path, name);
	file = table_add(table, sizeof(*file), 1);
	if (!file)
		return image_fail(error, -ENOMEM, "no memory");
	*file = (struct criu_file){ .name = strdup(name),
				    .size = st.st_size,
				    .mode = st.st_mode & 0777 };
	if (!file->name)
		return image_fail(error, -ENOMEM, "no memory");
	if (!scan_name(file))
		file->kind = CRIU_SMALL;
	return 0;
}

static int compare_files(const void *a, const void *b)
{
	const struct criu_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int criu_dump_open(const char *path, struct criu_dump *dump, struct gmmap_image_error *error)
{
	struct table table = { 0 };
	struct dirent *entry;
	DIR *folder;
	int ret = 0;

	*dump = (struct criu_dump){ .path = path };
	folder = opendir(path);
	if (!folder)
		return image_fail(error, -errno, "%s: %m", path);
	dump->fd = fcntl(dirfd(folder), F_DUPFD_CLOEXEC, 3);
	if (dump->fd < 0)
		ret = image_fail(error, -errno, "%s: %m", path);
	while (!ret && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			ret = add_file(dump, &table, entry->d_name, error);
	closedir(folder);
	dump->files = table.data;
	dump->count = table.count;
	if (dump->count)
		qsort(dump->files, dump->count, sizeof(dump->files[0]), compare_files);
	if (!ret && !criu_dump_find(dump, "inventory.img"))
		ret = image_fail(error, -EINVAL, "%s is no dump of CRIU: it has no inventory.img",
				 path);
	if (ret)
		criu_dump_close(dump);
	return ret;
}

void criu_dump_close(struct criu_dump *dump)
{
	for (size_t i = 0; i < dump->count; i++)
		free(dump->files[i].name);
	free(dump->files);
	if (dump->fd >= 0)
		close(dump->fd);
}

const struct criu_file *criu_dump_find(const struct criu_dump *dump, const char *name)
{
	struct criu_file key = { .name = (char *)name };

	if (!dump->count)
		return NULL;
	return bsearch(&key, dump->files, dump->count, sizeof(key), compare_files);
}

static int read_file(const struct criu_dump *dump, const char *name, uint8_t **data, size_t *size,
		     struct gmmap_image_error *error)
{
	int ret = read_whole(dump->fd, name, MAX_MESSAGE_FILE, data, size);

	return ret ? image_fail(error, ret, "%s/%s: %s", dump->path, name, strerror(-ret)) : 0;
}

/* A file of messages: two magic numbers, then each message behind its length. */
struct messages {
	const uint8_t *next;
	size_t left;
};

static bool next_message(struct messages *messages, const uint8_t **data, size_t *length)
{
	uint32_t bytes;

	if (messages->left < sizeof(bytes))
		return false;
	memcpy(&bytes, messages->next, sizeof(bytes));
	if (bytes > messages->left - sizeof(bytes))
		return false;
	*data = messages->next + sizeof(bytes);
	*length = bytes;
	messages->next += sizeof(bytes) + bytes;
	messages->left -= sizeof(bytes) + bytes;
	return true;
}

static int add_run(struct table *runs, const CriuPagemapEntry *entry, uint64_t *offset)
{
	uint64_t pages = entry->has_nr_pages_long ? entry->nr_pages_long : entry->nr_pages;
	uint32_t flags = entry->flags;
	struct criu_run *run;

	if (entry->has_in_parent && entry->in_parent)
		flags |= PE_PARENT;
	else if (!entry->has_flags)
		flags = PE_PRESENT;
	if (flags & PE_PARENT)
		return -EOPNOTSUPP;
	if (!(flags & PE_PRESENT))
		return 0;
	if (!pages || pages > UINT64_MAX / PAGE_BYTES / 2 || *offset > UINT64_MAX / 2)
		return -EINVAL;
	run = table_add(runs, sizeof(*run), 1);
	if (!run)
		return -ENOMEM;
	*run = (struct criu_run){ .address = entry->vaddr,
				  .length = pages * PAGE_BYTES,
				  .offset = *offset,
				  .lazy = flags & PE_LAZY };
	*offset += run->length;
	return 0;
}

static int read_entries(struct messages *messages, struct table *runs)
{
	const uint8_t *data;
	uint64_t offset = 0;
	size_t length;
	int ret = 0;

	while (!ret && next_message(messages, &data, &length)) {
		CriuPagemapEntry *entry = criu_pagemap_entry__unpack(NULL, length, data);

		if (!entry)
			return -EBADMSG;
		ret = add_run(runs, entry, &offset);
		criu_pagemap_entry__free_unpacked(entry, NULL);
	}
	return !ret && messages->left ? -EBADMSG : ret;
}

static int parse_pagemap(const uint8_t *file, size_t size, struct criu_pagemap *pagemap)
{
	static const uint32_t magic[2] = { IMG_COMMON_MAGIC, PAGEMAP_MAGIC };
	struct messages messages = { file + sizeof(magic), size - sizeof(magic) };
	struct table runs = { 0 };
	CriuPagemapHead *head;
	const uint8_t *data;
	size_t length;
	int ret;

	if (size < sizeof(magic) || memcmp(file, magic, sizeof(magic)) ||
	    !next_message(&messages, &data, &length))
		return -EBADMSG;
	head = criu_pagemap_head__unpack(NULL, length, data);
	if (!head || !head->has_pages_id) {
		if (head)
			criu_pagemap_head__free_unpacked(head, NULL);
		return -EBADMSG;
	}
	pagemap->pages_id = head->pages_id;
	criu_pagemap_head__free_unpacked(head, NULL);
	ret = read_entries(&messages, &runs);
	pagemap->runs = runs.data;
	pagemap->count = runs.count;
	return ret;
}

int criu_pagemap_read(const struct criu_dump *dump, const char *name, struct criu_pagemap *pagemap,
		      struct gmmap_image_error *error)
{
	uint8_t *file;
	size_t size;
	int ret = read_file(dump, name, &file, &size, error);

	*pagemap = (struct criu_pagemap){ 0 };
	if (ret)
		return ret;
	ret = parse_pagemap(file, size, pagemap);
	free(file);
	if (!ret)
		return 0;
	criu_pagemap_free(pagemap);
	return image_fail(error, ret, "%s/%s: %s", dump->path, name,
			  ret == -EOPNOTSUPP ? "some pages are in another dump, its parent; dump "
					       "without --prev-images-dir"
			  : ret == -ENOMEM   ? "no memory"
					     : "damaged");
}

void criu_pagemap_free(struct criu_pagemap *pagemap)
{
	free(pagemap->runs);
	*pagemap = (struct criu_pagemap){ 0 };
}

int criu_kfd_read(const struct criu_dump *dump, uint32_t id, CriuKfd **kfd,
		  struct gmmap_image_error *error)
{
	uint64_t length;
	uint8_t *file;
	char name[64];
	size_t size;
	int ret;

	snprintf(name, sizeof(name), "amdgpu-kfd-%u.img", id);
	ret = read_file(dump, name, &file, &size, error);
	if (ret)
		return ret;
	*kfd = NULL;
	if (size >= sizeof(length)) {
		memcpy(&length, file, sizeof(length));
		if (length <= size - sizeof(length))
			*kfd = criu_kfd__unpack(NULL, length, file + sizeof(length));
	}
	free(file);
	return *kfd ? 0 : image_fail(error, -EBADMSG, "%s/%s: damaged", dump->path, name);
}

bool criu_kfd_bo_has_content(uint32_t alloc_flags)
{
	return alloc_flags & (KFD_ALLOC_VRAM | KFD_ALLOC_GTT);
}
