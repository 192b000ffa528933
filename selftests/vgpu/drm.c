// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "drm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ksft.h"

#define FIRST_VA   (1ull << 33) /* above what the driver reserves for itself */
#define VA_ALIGN   (2ull << 20)
#define MAX_BOS    16
#define PAGE_BYTES 4096

static int drm_ioctl(struct drm *drm, unsigned long request, void *args)
{
	int ret;

	do {
		ret = ioctl(drm->fd, request, args);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret < 0 ? -errno : 0;
}

static void require_amdgpu(struct drm *drm)
{
	char name[16] = "";
	struct drm_version version = { .name_len = sizeof(name) - 1, .name = name };
	int ret = drm_ioctl(drm, DRM_IOCTL_VERSION, &version);

	ksft_assert(!ret, "DRM_IOCTL_VERSION: %s", strerror(-ret));
	if (strcmp(name, "amdgpu"))
		ksft_skip("the render node's driver is %s", name);
}

void drm_open(struct drm *drm, uint32_t render_minor)
{
	union drm_amdgpu_ctx args = { .in = { .op = AMDGPU_CTX_OP_ALLOC_CTX } };
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/dev/dri/renderD%u", render_minor);
	drm->fd = open(path, O_RDWR | O_CLOEXEC);
	if (drm->fd < 0)
		ksft_skip("%s: %s", path, strerror(errno));
	require_amdgpu(drm);
	ret = drm_ioctl(drm, DRM_IOCTL_AMDGPU_CTX, &args);
	ksft_assert(!ret, "AMDGPU_CTX: %s", strerror(-ret));
	drm->context = args.out.alloc.ctx_id;
	drm->next_va = FIRST_VA;
}

void drm_close(struct drm *drm)
{
	union drm_amdgpu_ctx args = {
		.in = { .op = AMDGPU_CTX_OP_FREE_CTX, .ctx_id = drm->context },
	};
	int ret = drm_ioctl(drm, DRM_IOCTL_AMDGPU_CTX, &args);

	ksft_assert(!ret, "AMDGPU_CTX free: %s", strerror(-ret));
	close(drm->fd);
}

uint64_t drm_reserve_va(struct drm *drm, uint64_t bytes)
{
	uint64_t va = drm->next_va;

	drm->next_va += (bytes + 2 * VA_ALIGN - 1) & ~(VA_ALIGN - 1); /* and a gap */
	return va;
}

static void change_va(struct drm *drm, const struct drm_bo *bo, uint32_t operation)
{
	struct drm_amdgpu_gem_va args = {
		.handle = bo->handle,
		.operation = operation,
		.flags = AMDGPU_VM_PAGE_READABLE | AMDGPU_VM_PAGE_WRITEABLE |
			 AMDGPU_VM_PAGE_EXECUTABLE,
		.va_address = bo->va,
		.map_size = bo->bytes,
	};
	int ret = drm_ioctl(drm, DRM_IOCTL_AMDGPU_GEM_VA, &args);

	ksft_assert(!ret, "AMDGPU_GEM_VA operation %u: %s", operation, strerror(-ret));
}

void drm_bo_create(struct drm *drm, struct drm_bo *bo, uint64_t bytes, uint32_t domain)
{
	union drm_amdgpu_gem_create create = {
		.in = { .bo_size = bytes,
			.alignment = PAGE_BYTES,
			.domains = domain,
			.domain_flags = AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED },
	};
	union drm_amdgpu_gem_mmap map = { 0 };
	int ret = drm_ioctl(drm, DRM_IOCTL_AMDGPU_GEM_CREATE, &create);

	ksft_assert(!ret, "AMDGPU_GEM_CREATE of %llu bytes: %s", (unsigned long long)bytes,
		    strerror(-ret));
	*bo = (struct drm_bo){ .handle = create.out.handle,
			       .va = drm_reserve_va(drm, bytes),
			       .bytes = bytes };
	map.in.handle = bo->handle;
	ret = drm_ioctl(drm, DRM_IOCTL_AMDGPU_GEM_MMAP, &map);
	ksft_assert(!ret, "AMDGPU_GEM_MMAP: %s", strerror(-ret));
	bo->cpu = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, drm->fd,
		       (off_t)map.out.addr_ptr);
	ksft_assert(bo->cpu != MAP_FAILED, "mmap of a buffer: %s", strerror(errno));
	change_va(drm, bo, AMDGPU_VA_OP_MAP);
}

void drm_bo_destroy(struct drm *drm, struct drm_bo *bo)
{
	struct drm_gem_close args = { .handle = bo->handle };
	int ret;

	change_va(drm, bo, AMDGPU_VA_OP_UNMAP);
	munmap(bo->cpu, bo->bytes);
	ret = drm_ioctl(drm, DRM_IOCTL_GEM_CLOSE, &args);
	ksft_assert(!ret, "GEM_CLOSE: %s", strerror(-ret));
	memset(bo, 0, sizeof(*bo));
}

uint64_t drm_submit(struct drm *drm, const struct drm_ib *ib, const struct drm_bo *const *bos,
		    unsigned int bo_count)
{
	struct drm_amdgpu_bo_list_entry entries[MAX_BOS + 1] = { { .bo_handle = ib->bo->handle } };
	struct drm_amdgpu_bo_list_in list = {
		.operation = ~0u,
		.list_handle = ~0u,
		.bo_number = bo_count + 1,
		.bo_info_size = sizeof(entries[0]),
		.bo_info_ptr = (uintptr_t)entries,
	};
	struct drm_amdgpu_cs_chunk_ib chunk_ib = {
		.va_start = ib->bo->va + ib->offset,
		.ib_bytes = ib->dwords * 4,
		.ip_type = ib->ip_type,
	};
	struct drm_amdgpu_cs_chunk chunks[] = {
		{ AMDGPU_CHUNK_ID_BO_HANDLES, sizeof(list) / 4, (uintptr_t)&list },
		{ AMDGPU_CHUNK_ID_IB, sizeof(chunk_ib) / 4, (uintptr_t)&chunk_ib },
	};
	uint64_t chunk_pointers[] = { (uintptr_t)&chunks[0], (uintptr_t)&chunks[1] };
	union drm_amdgpu_cs args = {
		.in = { .ctx_id = drm->context,
			.num_chunks = ARRAY_SIZE(chunks),
			.chunks = (uintptr_t)chunk_pointers },
	};
	int ret;

	ksft_assert(bo_count <= MAX_BOS, "%u buffers in one submission", bo_count);
	for (unsigned int i = 0; i < bo_count; i++)
		entries[i + 1].bo_handle = bos[i]->handle;
	ret = drm_ioctl(drm, DRM_IOCTL_AMDGPU_CS, &args);
	ksft_assert(!ret, "AMDGPU_CS: %s", strerror(-ret));
	return args.out.handle;
}

bool drm_wait(struct drm *drm, uint32_t ip_type, uint64_t sequence, unsigned int limit_ms)
{
	union drm_amdgpu_wait_cs args = {
		.in = { .handle = sequence,
			.ip_type = ip_type,
			.ctx_id = drm->context },
	};
	struct timespec now;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &now); /* the kernel wants an absolute time */
	args.in.timeout = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec +
			  limit_ms * 1000000ull;
	ret = drm_ioctl(drm, DRM_IOCTL_AMDGPU_WAIT_CS, &args);
	ksft_assert(!ret, "AMDGPU_WAIT_CS: %s", strerror(-ret));
	return !args.out.status;
}
