// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "copier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <drm/amdgpu_drm.h>

#include "log.h"

#define HALVES        2
#define PACKET_DWORDS 7
#define IB_DWORDS     ((COPIER_MAX_PIECES + 2) * PACKET_DWORDS)
#define IB_BYTES      ((IB_DWORDS * 4 + 4095u) & ~4095u)
#define STAGING_BYTES (HALVES * COPIER_BATCH_BYTES)
#define FIRST_VA      (1ull << 33) /* above what the driver has for itself */
#define VA_ALIGN      (2ull << 20)
#define WAIT_S        120

/* Linear copy of SDMA 4.0 and later of GFX9: count is bytes - 1, 22 bits (sdma_v4_0.c). */
#define SDMA_COPY_LINEAR    1u
#define SDMA_COPY_MAX_BYTES (2u << 20)

struct buffer {
	uint32_t handle;
	uint64_t va;
	uint64_t bytes;
};

struct half {
	uint64_t fence; /* 0: idle */
	uint32_t dwords;
	uint32_t pieces;
	uint64_t bytes; /* of staging memory in use */
};

/**
 * struct copier - one GPU's
 * @buffers: what copier_add_buffer() took; the first one is the staging memory with the IBs behind it
 * @current: the half that is being filled
 */
struct copier {
	int fd;
	uint32_t context;
	uint64_t next_va;
	struct buffer *buffers;
	unsigned int count, room;
	uint8_t *memory;
	struct half halves[HALVES];
	unsigned int current;
	enum copier_direction direction;
};

static int drm(const struct copier *copier, unsigned long request, void *args)
{
	int ret;

	do {
		ret = ioctl(copier->fd, request, args);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret < 0 ? -errno : 0;
}

static int open_node(struct copier *copier, const struct gpu *gpu)
{
	union drm_amdgpu_ctx args = { .in = { .op = AMDGPU_CTX_OP_ALLOC_CTX } };
	char path[64];
	int ret;

	if (gpu->gfx_target_version / 10000 != 9)
		return log_error("GPU %u: copying is known for GFX9 only, this is gfx version %u",
				 gpu->gpu_id, gpu->gfx_target_version);
	snprintf(path, sizeof(path), "/dev/dri/renderD%u", gpu->render_minor);
	copier->fd = open(path, O_RDWR | O_CLOEXEC);
	if (copier->fd < 0)
		return log_error("%s: %s", path, strerror(errno));
	ret = drm(copier, DRM_IOCTL_AMDGPU_CTX, &args);
	if (ret)
		return log_error("%s: context: %s", path, strerror(-ret));
	copier->context = args.out.alloc.ctx_id;
	return 0;
}

/* The page table is written at the next submission, for all new buffers at once. */
static int add(struct copier *copier, uint32_t handle, uint64_t bytes)
{
	struct drm_amdgpu_gem_va args = {
		.handle = handle,
		.operation = AMDGPU_VA_OP_MAP,
		.flags = AMDGPU_VM_DELAY_UPDATE | AMDGPU_VM_PAGE_READABLE |
			 AMDGPU_VM_PAGE_WRITEABLE | AMDGPU_VM_PAGE_EXECUTABLE,
		.va_address = copier->next_va,
		.map_size = bytes,
	};
	struct buffer *buffers;
	int ret;

	if (copier->count == copier->room) {
		unsigned int room = copier->room ? 2 * copier->room : 64;

		buffers = reallocarray(copier->buffers, room, sizeof(*buffers));
		if (!buffers)
			return log_error("no memory");
		copier->buffers = buffers;
		copier->room = room;
	}
	ret = drm(copier, DRM_IOCTL_AMDGPU_GEM_VA, &args);
	if (ret)
		return log_error("address for a buffer of %llu bytes: %s",
				 (unsigned long long)bytes, strerror(-ret));
	copier->buffers[copier->count] = (struct buffer){
		.handle = handle,
		.va = copier->next_va,
		.bytes = bytes,
	};
	copier->next_va += (bytes + VA_ALIGN - 1) & ~(VA_ALIGN - 1);
	return (int)copier->count++;
}

static int create_staging(struct copier *copier)
{
	union drm_amdgpu_gem_create create = {
		.in = { .bo_size = STAGING_BYTES + HALVES * IB_BYTES,
			.alignment = 4096,
			.domains = AMDGPU_GEM_DOMAIN_GTT,
			.domain_flags = AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED },
	};
	uint64_t bytes = create.in.bo_size;
	union drm_amdgpu_gem_mmap map = { 0 };
	int ret = drm(copier, DRM_IOCTL_AMDGPU_GEM_CREATE, &create);

	if (ret)
		return log_error("staging memory: %s", strerror(-ret));
	map.in.handle = create.out.handle;
	if (add(copier, create.out.handle, bytes) < 0)
		return -1;
	ret = drm(copier, DRM_IOCTL_AMDGPU_GEM_MMAP, &map);
	if (ret)
		return log_error("staging memory: %s", strerror(-ret));
	copier->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, copier->fd,
			      (off_t)map.out.addr_ptr);
	if (copier->memory == MAP_FAILED) {
		copier->memory = NULL;
		return log_error("mapping staging memory: %s", strerror(errno));
	}
	return 0;
}

int copier_open(const struct gpu *gpu, struct copier **result)
{
	struct copier *copier = calloc(1, sizeof(*copier));

	if (!copier)
		return log_error("no memory");
	copier->fd = -1;
	copier->next_va = FIRST_VA;
	if (open_node(copier, gpu) || create_staging(copier)) {
		copier_close(copier);
		return -1;
	}
	*result = copier;
	return 0;
}

/* Closing the render node frees what the kernel has of it. */
void copier_close(struct copier *copier)
{
	if (copier->memory)
		munmap(copier->memory, STAGING_BYTES + HALVES * IB_BYTES);
	if (copier->fd >= 0)
		close(copier->fd);
	free(copier->buffers);
	free(copier);
}

int copier_add_buffer(struct copier *copier, int dmabuf_fd, uint64_t bytes)
{
	struct drm_prime_handle args = { .fd = dmabuf_fd };
	int ret = drm(copier, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	if (ret)
		return log_error("importing a buffer of %llu bytes: %s", (unsigned long long)bytes,
				 strerror(-ret));
	return add(copier, args.handle, bytes);
}

void copier_begin(struct copier *copier, enum copier_direction direction)
{
	struct half *half = &copier->halves[copier->current];

	half->dwords = half->pieces = 0;
	half->bytes = 0;
	copier->direction = direction;
}

static uint32_t *ib(const struct copier *copier)
{
	return (uint32_t *)(copier->memory + STAGING_BYTES + copier->current * IB_BYTES);
}

static void emit_copy(struct copier *copier, uint64_t dst, uint64_t src, uint32_t bytes)
{
	struct half *half = &copier->halves[copier->current];
	uint32_t *dw = ib(copier) + half->dwords;

	dw[0] = SDMA_COPY_LINEAR;
	dw[1] = bytes - 1;
	dw[2] = 0;
	dw[3] = (uint32_t)src;
	dw[4] = (uint32_t)(src >> 32);
	dw[5] = (uint32_t)dst;
	dw[6] = (uint32_t)(dst >> 32);
	half->dwords += PACKET_DWORDS;
	half->pieces++;
}

/* How much of a piece goes into the batch. */
static uint64_t fitting(const struct half *half, uint64_t bytes)
{
	uint64_t room = COPIER_BATCH_BYTES - half->bytes;
	uint64_t packets = COPIER_MAX_PIECES - half->pieces;

	if (room > packets * SDMA_COPY_MAX_BYTES)
		room = packets * SDMA_COPY_MAX_BYTES;
	return bytes <= room ? bytes : room & ~(uint64_t)(GRANULE_BYTES - 1);
}

void *copier_piece(struct copier *copier, int buffer, uint64_t offset, uint64_t *bytes)
{
	struct half *half = &copier->halves[copier->current];
	uint64_t at = copier->current * COPIER_BATCH_BYTES + half->bytes;

	*bytes = fitting(half, *bytes);
	if (!*bytes)
		return NULL;
	for (uint64_t done = 0; done < *bytes;) {
		uint64_t left = *bytes - done;
		uint32_t part = (uint32_t)(left < SDMA_COPY_MAX_BYTES ? left : SDMA_COPY_MAX_BYTES);
		uint64_t va = copier->buffers[buffer].va + offset + done;
		uint64_t staging = copier->buffers[0].va + at + done;

		if (copier->direction == COPIER_TO_STAGING)
			emit_copy(copier, staging, va, part);
		else
			emit_copy(copier, va, staging, part);
		done += part;
	}
	half->bytes += *bytes; /* buffers have whole pages, so the next piece is aligned */
	return copier->memory + at;
}

static int submit(struct copier *copier, struct drm_amdgpu_bo_list_entry *entries)
{
	struct half *half = &copier->halves[copier->current];
	struct drm_amdgpu_bo_list_in list = {
		.operation = ~0u,
		.list_handle = ~0u,
		.bo_number = copier->count,
		.bo_info_size = sizeof(entries[0]),
		.bo_info_ptr = (uintptr_t)entries,
	};
	struct drm_amdgpu_cs_chunk_ib chunk_ib = {
		.va_start = copier->buffers[0].va + STAGING_BYTES + copier->current * IB_BYTES,
		.ib_bytes = half->dwords * 4,
		.ip_type = AMDGPU_HW_IP_DMA,
	};
	struct drm_amdgpu_cs_chunk chunks[] = {
		{ AMDGPU_CHUNK_ID_BO_HANDLES, sizeof(list) / 4, (uintptr_t)&list },
		{ AMDGPU_CHUNK_ID_IB, sizeof(chunk_ib) / 4, (uintptr_t)&chunk_ib },
	};
	uint64_t pointers[] = { (uintptr_t)&chunks[0], (uintptr_t)&chunks[1] };
	union drm_amdgpu_cs args = {
		.in = { .ctx_id = copier->context, .num_chunks = 2, .chunks = (uintptr_t)pointers },
	};
	int ret;

	for (unsigned int i = 0; i < copier->count; i++)
		entries[i] = (struct drm_amdgpu_bo_list_entry){
			.bo_handle = copier->buffers[i].handle,
		};
	ret = drm(copier, DRM_IOCTL_AMDGPU_CS, &args);
	if (ret)
		return log_error("submitting %u copies: %s", half->pieces, strerror(-ret));
	half->fence = args.out.handle;
	return 0;
}

int copier_submit(struct copier *copier)
{
	struct half *half = &copier->halves[copier->current];
	struct drm_amdgpu_bo_list_entry *entries;
	int ret;

	if (!half->pieces)
		return 0;
	while (half->dwords % 8) /* the engine fetches so many; 0 is NOP */
		ib(copier)[half->dwords++] = 0;
	entries = calloc(copier->count, sizeof(*entries));
	if (!entries)
		return log_error("no memory");
	ret = submit(copier, entries);
	free(entries);
	copier->current = (copier->current + 1) % HALVES;
	return ret;
}

/* A reset or a page fault of the context's work: what was copied is not to be trusted. */
static int check_context(const struct copier *copier)
{
	union drm_amdgpu_ctx args = {
		.in = { .op = AMDGPU_CTX_OP_QUERY_STATE2, .ctx_id = copier->context },
	};
	int ret = drm(copier, DRM_IOCTL_AMDGPU_CTX, &args);

	if (ret)
		return log_error("state of the copies: %s", strerror(-ret));
	if (args.out.state.flags &
	    (AMDGPU_CTX_QUERY2_FLAGS_RESET | AMDGPU_CTX_QUERY2_FLAGS_VRAMLOST |
	     AMDGPU_CTX_QUERY2_FLAGS_GUILTY))
		return log_error("the GPU was reset while it copied, flags 0x%llx",
				 (unsigned long long)args.out.state.flags);
	return 0;
}

static int wait_half(struct copier *copier, struct half *half)
{
	union drm_amdgpu_wait_cs args = {
		.in = { .handle = half->fence,
			.ip_type = AMDGPU_HW_IP_DMA,
			.ctx_id = copier->context },
	};
	struct timespec now;
	int ret;

	if (!half->fence)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now); /* the kernel wants an absolute time */
	args.in.timeout = ((uint64_t)now.tv_sec + WAIT_S) * 1000000000 + (uint64_t)now.tv_nsec;
	ret = drm(copier, DRM_IOCTL_AMDGPU_WAIT_CS, &args);
	half->fence = 0;
	if (ret)
		return log_error("waiting for copies: %s", strerror(-ret));
	if (args.out.status)
		return log_error("copies are not done after %u s", WAIT_S);
	return check_context(copier);
}

int copier_wait(struct copier *copier, unsigned int waiting)
{
	/* The oldest one first: it is in the half that comes next. */
	for (unsigned int i = 0; i + waiting < HALVES; i++) {
		unsigned int index = (copier->current + i) % HALVES;

		if (wait_half(copier, &copier->halves[index]))
			return -1;
	}
	return 0;
}
