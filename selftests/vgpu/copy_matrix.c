// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "copy_matrix.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "ksft.h"
#include "pattern.h"

#define MAX_BYTES  (16ull << 20)
#define GUARD      256 /* bytes on either side of a destination that must stay as they were */
#define GUARD_BYTE 0x5a
#define AREA_BYTES (MAX_BYTES + 65536)

enum memory_kind {
	MEMORY_VRAM,
	MEMORY_GTT,
	MEMORY_USERPTR,
	MEMORY_KINDS,
};

static const char *const memory_names[] = { "VRAM", "GTT", "userptr" };

static const uint64_t sizes[] = {
	1,    2,    3,    4,     5,     7,     8,     63,       64,           65,      255, 256,
	4095, 4096, 4097, 65535, 65536, 65537, 1 << 20, (1 << 20) + 3, (4 << 20) - 1, 4 << 20,
	(4 << 20) + 1, MAX_BYTES,
};

struct matrix {
	struct kfd kfd;
	struct queue queue;
	struct kfd_bo source[MEMORY_KINDS];
	struct kfd_bo target[MEMORY_KINDS];
	uint64_t random;
};

static void alloc_area(struct kfd *kfd, struct kfd_bo *bo, enum memory_kind kind)
{
	void *cpu;

	if (kind != MEMORY_USERPTR) {
		kfd_bo_alloc(kfd, bo, AREA_BYTES, kind == MEMORY_VRAM ? KFD_BO_VRAM : KFD_BO_GTT);
		return;
	}
	cpu = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ksft_assert(cpu != MAP_FAILED, "mmap of %llu bytes", (unsigned long long)AREA_BYTES);
	kfd_bo_userptr(kfd, bo, cpu, AREA_BYTES);
}

static void matrix_open(struct matrix *matrix, enum queue_type type, uint64_t seed)
{
	ksft_print("%s, seed %llu", queue_type_name(type), (unsigned long long)seed);
	matrix->random = seed;
	kfd_open(&matrix->kfd);
	for (unsigned int kind = 0; kind < MEMORY_KINDS; kind++) {
		alloc_area(&matrix->kfd, &matrix->source[kind], kind);
		alloc_area(&matrix->kfd, &matrix->target[kind], kind);
		pattern_fill(matrix->source[kind].cpu, AREA_BYTES, seed);
	}
	queue_create(&matrix->queue, &matrix->kfd, type);
}

static void matrix_close(struct matrix *matrix)
{
	queue_destroy(&matrix->queue);
	for (unsigned int kind = 0; kind < MEMORY_KINDS; kind++) {
		void *userptrs[] = { matrix->source[kind].cpu, matrix->target[kind].cpu };

		kfd_bo_free(&matrix->kfd, &matrix->source[kind]);
		kfd_bo_free(&matrix->kfd, &matrix->target[kind]);
		if (kind != MEMORY_USERPTR)
			continue;
		munmap(userptrs[0], AREA_BYTES);
		munmap(userptrs[1], AREA_BYTES);
	}
	kfd_close(&matrix->kfd);
}

/* Chooses where the destination begins and paints it and its guards. */
static uint64_t prepare_target(struct matrix *matrix, enum memory_kind kind, uint64_t bytes,
			       uint64_t align)
{
	uint64_t room = AREA_BYTES - bytes - 2 * GUARD;
	uint64_t offset = GUARD + pattern_below(&matrix->random, room) / align * align;

	memset((uint8_t *)matrix->target[kind].cpu + offset - GUARD, GUARD_BYTE, bytes + 2 * GUARD);
	return offset;
}

static void check_guards(const struct matrix *matrix, enum memory_kind kind, uint64_t offset,
			 uint64_t bytes, const char *what)
{
	const uint8_t *target = (uint8_t *)matrix->target[kind].cpu + offset;
	uint64_t before = pattern_not_byte(target - GUARD, GUARD, GUARD_BYTE);
	uint64_t after = pattern_not_byte(target + bytes, GUARD, GUARD_BYTE);

	ksft_assert(before == GUARD, "%s: byte %llu before the destination changed", what,
		    (unsigned long long)(GUARD - before));
	ksft_assert(after == GUARD, "%s: byte %llu behind the destination changed", what,
		    (unsigned long long)after);
}

static void copy_one(struct matrix *matrix, enum memory_kind to, enum memory_kind from,
		     uint64_t bytes)
{
	uint64_t dst = prepare_target(matrix, to, bytes, 1);
	uint64_t src = pattern_below(&matrix->random, AREA_BYTES - bytes);
	/* all sources are equal, so compare with the one that the CPU reads fast */
	const uint8_t *expected = (const uint8_t *)matrix->source[MEMORY_USERPTR].cpu + src;
	const uint8_t *actual = (const uint8_t *)matrix->target[to].cpu + dst;
	char what[96];
	uint64_t i = 0;

	snprintf(what, sizeof(what), "%llu bytes %s+0x%llx to %s+0x%llx",
		 (unsigned long long)bytes, memory_names[from], (unsigned long long)src,
		 memory_names[to], (unsigned long long)dst);
	queue_copy(&matrix->queue, matrix->target[to].va + dst, matrix->source[from].va + src,
		   bytes);
	queue_finish(&matrix->queue);
	if (memcmp(actual, expected, bytes)) {
		while (actual[i] == expected[i])
			i++;
		ksft_fail(__FILE__, __LINE__, "%s: byte %llu is 0x%02x, not 0x%02x", what,
			  (unsigned long long)i, actual[i], expected[i]);
	}
	check_guards(matrix, to, dst, bytes, what);
}

void copy_matrix_run(enum queue_type type, uint64_t seed)
{
	struct matrix matrix;

	matrix_open(&matrix, type, seed);
	for (unsigned int to = 0; to < MEMORY_KINDS; to++)
		for (unsigned int from = 0; from < MEMORY_KINDS; from++)
			for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
				copy_one(&matrix, to, from, sizes[i]);
	matrix_close(&matrix);
}

static void fill_one(struct matrix *matrix, enum memory_kind to, uint64_t bytes)
{
	uint64_t dst = prepare_target(matrix, to, bytes, 4);
	uint32_t value = (uint32_t)pattern_random(&matrix->random);
	const uint8_t *actual = (const uint8_t *)matrix->target[to].cpu + dst;
	char what[96];

	snprintf(what, sizeof(what), "fill of %llu bytes at %s+0x%llx", (unsigned long long)bytes,
		 memory_names[to], (unsigned long long)dst);
	queue_fill(&matrix->queue, matrix->target[to].va + dst, value, bytes);
	queue_finish(&matrix->queue);
	for (uint64_t i = 0; i < bytes; i += 4)
		ksft_assert(!memcmp(actual + i, &value, 4), "%s: wrong dword at 0x%llx", what,
			    (unsigned long long)i);
	check_guards(matrix, to, dst, bytes, what);
}

void fill_matrix_run(enum queue_type type, uint64_t seed)
{
	struct matrix matrix;

	matrix_open(&matrix, type, seed);
	for (unsigned int to = 0; to < MEMORY_KINDS; to++)
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
			fill_one(&matrix, to, (sizes[i] + 3) & ~3ull);
	matrix_close(&matrix);
}

void copy_small_ring_run(enum queue_type type, unsigned int copies)
{
	struct queue_config config = { .type = type, .ring_bytes = 4096 };
	struct kfd kfd;
	struct queue queue;
	struct kfd_bo source;
	struct kfd_bo target;
	int ret;

	kfd_open(&kfd);
	kfd_bo_alloc(&kfd, &source, copies * 64ull, KFD_BO_GTT);
	kfd_bo_alloc(&kfd, &target, copies * 64ull, KFD_BO_GTT);
	pattern_fill(source.cpu, source.bytes, copies);
	memset(target.cpu, 0, target.bytes);
	ret = queue_try_create(&queue, &kfd, &config);
	ksft_assert(!ret, "CREATE_QUEUE with a ring of 4 KiB: %s", strerror(-ret));
	for (unsigned int i = 0; i < copies; i++) {
		queue_copy(&queue, target.va + i * 64, source.va + i * 64, 64);
		if (i % 7 == 0)
			queue_submit(&queue);
	}
	queue_finish(&queue);
	pattern_assert(target.cpu, target.bytes, copies, "small ring");
	queue_destroy(&queue);
	kfd_bo_free(&kfd, &source);
	kfd_bo_free(&kfd, &target);
	kfd_close(&kfd);
}
