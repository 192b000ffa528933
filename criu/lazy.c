// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "lazy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gmmap.h>

#include "contents.h"
#include "log.h"

/* Small ones are many, and needed soon. */
#define MIN_BYTES (2u << 20)

struct lazy {
	int session;
	int pages;
	const struct image *image;
	struct gmmap_extent *extents;
	uint32_t max_extents;
	struct gmmap_range *ranges;
	uint32_t *gpu_ids; /* of the ranges */
	uint32_t count;
};

static bool is_candidate(const struct image_bo *bo)
{
	return bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM && bo->size >= MIN_BYTES &&
	       bo->extent_count;
}

/* Bytes without an extent keep their content, which is zeros: KFD clears what it allocates. */
static uint32_t fill_extents(struct lazy *lazy, const struct image_bo *bo)
{
	for (uint64_t i = 0; i < bo->extent_count; i++) {
		const struct image_extent *e = &lazy->image->extents[bo->first_extent + i];

		lazy->extents[i] = (struct gmmap_extent){
			.offset = e->offset,
			.length = e->length,
			.file_offset = e->file_offset,
			.fd = lazy->pages,
		};
	}
	return (uint32_t)bo->extent_count;
}

/* Returns 1 if it is mapped, 0 if it has to be copied. */
static int map_one(struct lazy *lazy, const struct image_bo *bo, int dmabuf_fd)
{
	uint64_t id;
	int ret;

	if (bo->extent_count > lazy->max_extents)
		return 0;
	ret = gmmap_map_dmabuf(lazy->session, dmabuf_fd, bo->size, lazy->extents,
			       fill_extents(lazy, bo), &id);
	if (ret == -EOPNOTSUPP || ret == -EBUSY || ret == -ENOSPC) {
		log_info("buffer at 0x%llx is copied: %s", (unsigned long long)bo->address,
			 strerror(-ret));
		return 0;
	}
	if (ret)
		return log_error("mapping the buffer at 0x%llx: %s",
				 (unsigned long long)bo->address, strerror(-ret));
	lazy->ranges[lazy->count] = (struct gmmap_range){ .mapping_id = id };
	lazy->gpu_ids[lazy->count++] = bo->gpu_id;
	return 1;
}

static int map_all(struct lazy *lazy, const struct kfd_criu_bo_bucket *buckets, bool *wanted)
{
	for (uint32_t i = 0; i < lazy->image->head.bo_count; i++) {
		const struct image_bo *bo = &lazy->image->bos[i];
		int ret;

		if (!wanted[i] || !is_candidate(bo))
			continue;
		ret = map_one(lazy, bo, (int)buckets[i].dmabuf_fd);
		if (ret < 0)
			return -1;
		wanted[i] = !ret;
	}
	return 0;
}

/* Has the kernel load everything in the background, for each GPU. */
static int populate(struct lazy *lazy)
{
	struct gmmap_range *ranges = calloc(lazy->count + 1ull, sizeof(*ranges));
	int ret = 0;

	if (!ranges)
		return log_error("no memory");
	for (uint32_t i = 0; !ret && i < lazy->image->head.gpu_count; i++) {
		uint32_t count = 0;

		for (uint32_t j = 0; j < lazy->count; j++)
			if (lazy->gpu_ids[j] == lazy->image->gpus[i].gpu_id)
				ranges[count++] = lazy->ranges[j];
		if (count)
			ret = gmmap_populate(lazy->session, ranges, count, NULL);
	}
	free(ranges);
	return ret ? log_error("loading buffers in the background: %s", strerror(-ret)) : 0;
}

static int open_session(struct lazy *lazy, int kfd_fd)
{
	struct gmmap_query query;
	int ret = gmmap_query(&query);

	if (ret)
		return ret;
	lazy->max_extents = query.max_extents;
	lazy->session = gmmap_attach(kfd_fd);
	return lazy->session < 0 ? lazy->session : 0;
}

int lazy_map(enum mode mode, int kfd_fd, int pages, const struct image *image,
	     const struct kfd_criu_bo_bucket *buckets, bool *wanted)
{
	struct lazy lazy = { .pages = pages, .image = image };
	int ret;

	if (mode == MODE_EAGER || image->head.flags & IMAGE_UNFIT_CODE)
		return 0;
	ret = open_session(&lazy, kfd_fd);
	if (ret) {
		log_info("buffers are copied: gmmap.ko: %s", strerror(-ret));
		return 0;
	}
	lazy.extents = calloc(lazy.max_extents, sizeof(*lazy.extents));
	lazy.ranges = calloc(image->head.bo_count + 1ull, sizeof(*lazy.ranges));
	lazy.gpu_ids = calloc(image->head.bo_count + 1ull, sizeof(*lazy.gpu_ids));
	if (lazy.extents && lazy.ranges && lazy.gpu_ids)
		ret = map_all(&lazy, buckets, wanted);
	else
		ret = log_error("no memory");
	if (!ret && mode == MODE_AUTO)
		ret = populate(&lazy);
	log_info("%u buffers are loaded when they are touched", lazy.count);
	free(lazy.gpu_ids);
	free(lazy.ranges);
	free(lazy.extents);
	close(lazy.session);
	return ret;
}
