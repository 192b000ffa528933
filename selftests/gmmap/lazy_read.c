// SPDX-License-Identifier: MIT
/* What the GPU reads through a mapping is what the file has, whoever reads, and wherever. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "backing.h"
#include "ksft.h"
#include "lazy.h"
#include "pattern.h"
#include "queue.h"
#include "session.h"

#define LIMIT_S 300

/* Reads every granule once, in random order, then all of it. */
static void read_all_by(enum queue_type type)
{
	enum { GRANULES = 64 };
	unsigned int order[GRANULES];
	struct gmmap_stat stat;
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, GRANULES * GRANULE_BYTES, 11 + type);
	queue_create(&queue, &lazy.kfd, type);
	lazy_map(&lazy);
	for (unsigned int i = 0; i < GRANULES; i++) {
		unsigned int j = (unsigned int)pattern_below(&lazy.random, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (unsigned int i = 0; i < GRANULES; i++) {
		uint64_t offset = (uint64_t)order[i] * GRANULE_BYTES;

		lazy_read_by(&lazy, &queue, offset, GRANULE_BYTES);
		queue_finish(&queue);
		lazy_assert_equal(&lazy, offset, GRANULE_BYTES);
	}
	ksft_assert(!session_try_wait(&lazy.session, lazy.mapping, 10000000000), "not complete");
	session_stat(&lazy.session, 0, &stat);
	ksft_assert(stat.loaded_granules == GRANULES, "%llu granules were loaded",
		    (unsigned long long)stat.loaded_granules);
	ksft_assert(stat.file_bytes == lazy.file.bytes, "%llu bytes were read",
		    (unsigned long long)stat.file_bytes);
	memset(lazy.result.cpu, 0, lazy.result.bytes);
	lazy_read_by(&lazy, &queue, 0, lazy.vram.bytes);
	queue_finish(&queue);
	lazy_assert_equal(&lazy, 0, lazy.vram.bytes);
	session_check_faults(&lazy.session, queue_type_name(type));
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static void sdma_reads_the_file(void)
{
	read_all_by(QUEUE_SDMA);
}

static void pm4_reads_the_file(void)
{
	read_all_by(QUEUE_PM4);
}

static void random_pieces_by_two_queues(void)
{
	enum { BYTES = 32 << 20, PIECES = 300 };
	struct queue queues[2];
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 21);
	queue_create(&queues[0], &lazy.kfd, QUEUE_SDMA);
	queue_create(&queues[1], &lazy.kfd, QUEUE_PM4);
	lazy_map(&lazy);
	for (unsigned int round = 0; round < PIECES / 10; round++) {
		uint64_t offset[10], bytes[10];
		uint32_t fence[2];

		for (unsigned int i = 0; i < 10; i++) {
			/* both queues read the first piece */
			bytes[i] = i == 1 ? bytes[0] :
					    4 + pattern_below(&lazy.random, GRANULE_BYTES);
			offset[i] = i == 1 ? offset[0] :
					     pattern_below(&lazy.random, BYTES - bytes[i]);
			lazy_read_by(&lazy, &queues[i % 2], offset[i], bytes[i]);
		}
		fence[0] = queue_fence(&queues[0]);
		fence[1] = queue_fence(&queues[1]);
		queue_wait(&queues[0], fence[0]);
		queue_wait(&queues[1], fence[1]);
		for (unsigned int i = 0; i < 10; i++)
			lazy_assert_equal(&lazy, offset[i], bytes[i]);
	}
	session_check_faults(&lazy.session, "two queues");
	queue_destroy(&queues[0]);
	queue_destroy(&queues[1]);
	lazy_close(&lazy);
}

/* The GPU may write to what it has not read. */
static void write_before_read(void)
{
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, 4 * GRANULE_BYTES, 31);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	lazy_map(&lazy);
	queue_fill(&queue, lazy.vram.va + GRANULE_BYTES + 4096, 0x5a5a5a5a, 4096);
	queue_finish(&queue);
	memset(lazy.file.data + GRANULE_BYTES + 4096, 0x5a, 4096);
	lazy_read_by(&lazy, &queue, 0, lazy.vram.bytes);
	queue_finish(&queue);
	lazy_assert_equal(&lazy, 0, lazy.vram.bytes);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

/* Zeros, gaps, unaligned pieces of several files, and a BO that is not a multiple of a granule. */
static void extents_of_all_kinds(void)
{
	enum { BYTES = 10 * GRANULE_BYTES + 12288 };
	struct backing other;
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 41);
	backing_create(&other, 3 * GRANULE_BYTES, 42);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	queue_fill(&queue, lazy.vram.va, 0x33333333, BYTES);
	queue_finish(&queue);
	/* begins inside of a granule, ends in the next but one */
	struct gmmap_extent extents[] = {
		{ .offset = 100, .length = 2 * GRANULE_BYTES, .file_offset = 77, .fd = other.fd },
		{ .offset = 2 * GRANULE_BYTES + 100, .length = 3, .fd = lazy.file.fd },
		{ .offset = 4 * GRANULE_BYTES, .length = GRANULE_BYTES, .fd = -1,
		  .flags = GMMAP_EXTENT_ZERO },
		{ .offset = 5 * GRANULE_BYTES, .length = 20, .fd = -1, .flags = GMMAP_EXTENT_ZERO },
		{ .offset = 5 * GRANULE_BYTES + 20, .length = GRANULE_BYTES - 20, .fd = other.fd,
		  .file_offset = 1 },
		{ .offset = 8 * GRANULE_BYTES, .length = 2 * GRANULE_BYTES + 12288,
		  .fd = lazy.file.fd, .file_offset = 4096 },
	};
	lazy.mapping = session_map(&lazy.session, &lazy.vram, extents, ARRAY_SIZE(extents));
	uint8_t *copy = malloc(BYTES);

	memcpy(copy, lazy.file.data, BYTES);
	memset(lazy.file.data, 0x33, BYTES);
	for (unsigned int i = 0; i < ARRAY_SIZE(extents); i++) {
		const struct gmmap_extent *e = &extents[i];

		if (e->flags)
			memset(lazy.file.data + e->offset, 0, e->length);
		else
			memcpy(lazy.file.data + e->offset,
			       (e->fd == other.fd ? other.data : copy) + e->file_offset, e->length);
	}
	lazy_read_by(&lazy, &queue, 0, BYTES);
	queue_finish(&queue);
	lazy_assert_equal(&lazy, 0, BYTES);
	ksft_assert(!session_try_wait(&lazy.session, lazy.mapping, 10000000000), "not complete");
	session_check_faults(&lazy.session, "extents");
	free(copy);
	backing_destroy(&other);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static const struct ksft_test tests[] = {
	{ "sdma_reads_the_file", sdma_reads_the_file, LIMIT_S },
	{ "pm4_reads_the_file", pm4_reads_the_file, LIMIT_S },
	{ "random_pieces_by_two_queues", random_pieces_by_two_queues, LIMIT_S },
	{ "write_before_read", write_before_read, LIMIT_S },
	{ "extents_of_all_kinds", extents_of_all_kinds, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
