// SPDX-License-Identifier: MIT
/* gmmap image import: a folder of CRIU's becomes an image. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "amounts.h"
#include "command.h"
#include "criu_dump.h"
#include "image_internal.h"
#include "store.h"
#include "table.h"

#define HEAD_BYTES 8
#define COPY_BYTES (UINT64_C(64) << 20)

/* Which object is which pages file. */
struct pages_object {
	uint32_t pages_id;
	uint32_t object;
};

struct import {
	struct store_options store;
	const struct criu_dump *dump;
	struct gmmap_store_writer *writer;
	struct gmmap_image_error *error;
	struct table pids;  /* uint32_t; index is the process's */
	struct table pages; /* struct pages_object */
	struct progress progress;
	uint64_t done;
};

static int writer_failed(struct import *import, const char *name)
{
	return image_fail(import->error, -EIO, "%s/%s: %s", import->dump->path, name,
			  gmmap_store_error(import->writer));
}

static int64_t find_process(struct import *import, uint32_t pid)
{
	const uint32_t *pids = import->pids.data;
	uint32_t *record;

	for (uint64_t i = 0; i < import->pids.count; i++)
		if (pids[i] == pid)
			return i;
	record = table_add(&import->pids, sizeof(*record), 1);
	if (!record)
		return image_fail(import->error, -ENOMEM, "no memory");
	*record = pid;
	return gmmap_store_process(import->writer, pid);
}

static int open_file(struct import *import, const struct criu_file *file)
{
	int fd = openat(import->dump->fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? image_fail(import->error, -errno, "%s/%s: %m", import->dump->path,
				   file->name)
		      : fd;
}

static int import_content(struct import *import, int fd, const struct gmmap_image_object *object,
			  const void *head, uint64_t offset)
{
	uint64_t end = offset + object->size;
	int64_t index = gmmap_store_object(import->writer, object, head);

	if (index < 0)
		return writer_failed(import, object->file);
	while (offset < end) {
		uint64_t part = end - offset < COPY_BYTES ? end - offset : COPY_BYTES;

		if (gmmap_store_write_fd(import->writer, fd, offset, part))
			return writer_failed(import, object->file);
		offset += part;
		import->done += part;
		progress_show(&import->progress, import->done);
	}
	return gmmap_store_end_object(import->writer) ? writer_failed(import, object->file) : index;
}

/* The process whose pagemap names a pages file, or GMMAP_IMAGE_NONE. */
static int import_pages(struct import *import, const struct criu_file *file)
{
	struct gmmap_image_object object = {
		.kind = GMMAP_IMAGE_PAGES,
		.process = GMMAP_IMAGE_NONE,
		.index = file->id,
		.size = file->size,
		.file = file->name,
	};
	struct pages_object *pages;
	int index, fd = open_file(import, file);

	if (fd < 0)
		return fd;
	index = import_content(import, fd, &object, NULL, 0);
	close(fd);
	if (index < 0)
		return index;
	pages = table_add(&import->pages, sizeof(*pages), 1);
	if (!pages)
		return image_fail(import->error, -ENOMEM, "no memory");
	*pages = (struct pages_object){ file->id, index };
	return 0;
}

static int read_head(struct import *import, int fd, const struct criu_file *file,
		     uint8_t head[HEAD_BYTES])
{
	if (file->size < HEAD_BYTES || read_exactly(fd, head, HEAD_BYTES, 0))
		return image_fail(import->error, -EBADMSG, "%s/%s: shorter than its header",
				  import->dump->path, file->name);
	return 0;
}

/* BOs of one GPU, in their order in the list; the header stands before the first. */
static int import_bos(struct import *import, int fd, const struct criu_file *file,
		      const CriuKfd *kfd, uint32_t process)
{
	uint8_t head[HEAD_BYTES];
	uint64_t offset = HEAD_BYTES;
	bool first = true;
	int ret = read_head(import, fd, file, head);

	for (size_t i = 0; ret >= 0 && i < kfd->n_bos; i++) {
		const CriuKfdBo *bo = kfd->bos[i];
		struct gmmap_image_object object = {
			.kind = GMMAP_IMAGE_KFD_BO,
			.process = process,
			.index = i,
			.gpu_id = bo->gpu_id,
			.alloc_flags = bo->alloc_flags,
			.address = bo->addr,
			.size = bo->size,
			.file = file->name,
		};

		if (bo->gpu_id != file->gpu_id || !criu_kfd_bo_has_content(bo->alloc_flags))
			continue;
		if (bo->size > file->size - offset)
			return image_fail(import->error, -EBADMSG,
					  "%s/%s: ends before BO %zu; the dump is not complete",
					  import->dump->path, file->name, i);
		ret = import_content(import, fd, &object, first ? head : NULL, offset);
		offset += bo->size;
		first = false;
	}
	if (ret >= 0 && (first || offset != file->size))
		return image_fail(import->error, -EBADMSG,
				  "%s/%s: %llu bytes are of no BO of amdgpu-kfd-%u.img",
				  import->dump->path, file->name,
				  (unsigned long long)(file->size - offset), file->id);
	return ret < 0 ? ret : 0;
}

static int import_kfd_pages(struct import *import, const struct criu_file *file)
{
	int64_t process;
	CriuKfd *kfd;
	int fd, ret = criu_kfd_read(import->dump, file->id, &kfd, import->error);

	if (ret)
		return ret;
	process = find_process(import, kfd->pid);
	fd = process < 0 ? process : open_file(import, file);
	if (fd >= 0) {
		ret = import_bos(import, fd, file, kfd, process);
		close(fd);
	} else {
		ret = fd;
	}
	criu_kfd__free_unpacked(kfd, NULL);
	return ret;
}

static int import_drm_pages(struct import *import, const struct criu_file *file)
{
	struct gmmap_image_object object = {
		.kind = GMMAP_IMAGE_DRM_BO,
		.process = GMMAP_IMAGE_NONE,
		.index = file->id,
		.gpu_id = file->gpu_id,
		.size = file->size - HEAD_BYTES,
		.file = file->name,
	};
	uint8_t head[HEAD_BYTES];
	int ret, fd = open_file(import, file);

	if (fd < 0)
		return fd;
	ret = read_head(import, fd, file, head);
	if (!ret)
		ret = import_content(import, fd, &object, head, HEAD_BYTES);
	close(fd);
	return ret < 0 ? ret : 0;
}

static int import_small(struct import *import, const struct criu_file *file)
{
	int ret, fd = open_file(import, file);

	if (fd < 0)
		return fd;
	ret = gmmap_store_file_fd(import->writer, file->name, file->mode, fd);
	close(fd);
	return ret ? writer_failed(import, file->name) : 0;
}

static int import_file(struct import *import, const struct criu_file *file)
{
	switch (file->kind) {
	case CRIU_PAGES:
		return import_pages(import, file);
	case CRIU_KFD_PAGES:
		return import_kfd_pages(import, file);
	case CRIU_DRM_PAGES:
		return import_drm_pages(import, file);
	case CRIU_SMALL:
		return import_small(import, file);
	}
	return -EINVAL;
}

static const struct pages_object *find_pages(const struct import *import, uint32_t pages_id)
{
	const struct pages_object *pages = import->pages.data;

	for (uint64_t i = 0; i < import->pages.count; i++)
		if (pages[i].pages_id == pages_id)
			return &pages[i];
	return NULL;
}

static int import_runs(struct import *import, const char *name, uint32_t process,
		       const struct criu_pagemap *pagemap)
{
	const struct pages_object *pages = find_pages(import, pagemap->pages_id);
	const struct criu_file *file;
	char pages_name[64];

	if (!pagemap->count)
		return 0;
	snprintf(pages_name, sizeof(pages_name), "pages-%u.img", pagemap->pages_id);
	file = criu_dump_find(import->dump, pages_name);
	if (!pages || !file)
		return image_fail(import->error, -EBADMSG, "%s/%s needs %s, which is missing",
				  import->dump->path, name, pages_name);
	for (size_t i = 0; i < pagemap->count; i++) {
		const struct criu_run *run = &pagemap->runs[i];

		if (run->offset > file->size || run->length > file->size - run->offset)
			return image_fail(import->error, -EBADMSG,
					  "%s/%s: shorter than %s says; the dump is compressed or "
					  "not complete",
					  import->dump->path, pages_name, name);
		if (gmmap_store_span(import->writer, process, run->address, run->length,
				     pages->object, run->offset,
				     run->lazy ? GMMAP_IMAGE_MEMORY_LAZY : 0))
			return writer_failed(import, name);
	}
	return 0;
}

/* Memory of a process; that of shared memory has no address and no span. */
static int import_pagemap(struct import *import, const char *name)
{
	struct criu_pagemap pagemap;
	int64_t process;
	uint32_t pid;
	int ret, end = 0;

	if (sscanf(name, "pagemap-%u.img%n", &pid, &end) != 1 || !end || name[end])
		return 0;
	process = find_process(import, pid);
	if (process < 0)
		return process;
	ret = criu_pagemap_read(import->dump, name, &pagemap, import->error);
	if (!ret)
		ret = import_runs(import, name, process, &pagemap);
	criu_pagemap_free(&pagemap);
	return ret;
}

static int import_all(struct import *import)
{
	const struct criu_dump *dump = import->dump;
	int ret = 0;

	for (size_t i = 0; !ret && i < dump->count; i++)
		ret = import_file(import, &dump->files[i]);
	for (size_t i = 0; !ret && i < dump->count; i++)
		ret = import_pagemap(import, dump->files[i].name);
	if (!ret && gmmap_store_property(import->writer, "source", "criu"))
		ret = writer_failed(import, "inventory.img");
	return ret;
}

static int import_dump(struct import *import, const char *name,
		       const struct gmmap_store_options *options)
{
	struct gmmap_store_result result;
	uint64_t all = 0;
	int ret = gmmap_store_create(import->store.store, import->error);

	if (!ret)
		ret = gmmap_store_begin(import->store.store, name, options, &import->writer,
					import->error);
	if (ret)
		return ret;
	for (size_t i = 0; i < import->dump->count; i++)
		all += import->dump->files[i].size;
	progress_begin(&import->progress, name, all);
	ret = import_all(import);
	progress_end(&import->progress);
	table_free(&import->pids);
	table_free(&import->pages);
	if (ret) {
		gmmap_store_abort(import->writer);
		return ret;
	}
	ret = gmmap_store_commit(import->writer, &result, import->error);
	if (!ret)
		print_result(name, &result, import->store.json);
	return ret;
}

int image_import(int argc, char **argv)
{
	static const struct option long_options[] = { { "base", required_argument, NULL, 'b' },
						      { "threads", required_argument, NULL, 't' },
						      STORE_OPTIONS,
						      { 0 } };
	struct gmmap_store_options options = { 0 };
	struct gmmap_image_error error;
	struct criu_dump dump;
	struct import import = { .dump = &dump, .error = &error };
	const char **bases = calloc(argc, sizeof(*bases));
	int option, ret;

	if (!bases)
		return fail("no memory");
	store_options_init(&import.store);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'b') {
			bases[options.base_count++] = optarg;
		} else if (option == 't') {
			options.threads = strtoul(optarg, NULL, 10);
		} else if (!store_option(&import.store, option)) {
			free(bases);
			return COMMAND_USAGE;
		}
	}
	if (optind + 2 != argc) {
		free(bases);
		return usage_error("name the image to create and CRIU's folder");
	}
	options.bases = bases;
	ret = criu_dump_open(argv[optind + 1], &dump, &error);
	if (!ret) {
		ret = import_dump(&import, argv[optind], &options);
		criu_dump_close(&dump);
	}
	free(bases);
	return ret ? fail("%s", error.text) : COMMAND_OK;
}
