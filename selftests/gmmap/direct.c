// SPDX-License-Identifier: MIT
/* Files opened with O_DIRECT: alignment, content, and what does not go through the page cache. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "pattern.h"

#define LIMIT_S	 120
#define GRANULES 64u
#define BYTES	 (GRANULES * GRANULE_BYTES)

/* Replaces the file by one in DIRECT_DIR, open with O_DIRECT. */
static void open_direct(struct lazy *lazy, struct queue *queue, uint64_t seed)
{
	const char *folder = getenv("DIRECT_DIR");
	char path[64];
	int fd;

	if (!folder)
		ksft_skip("DIRECT_DIR is not set: run direct.sh");
	lazy_open(lazy, BYTES, seed);
	queue_create(queue, &lazy->kfd, QUEUE_SDMA);
	backing_destroy(&lazy->file);
	backing_create_in(&lazy->file, folder, BYTES, seed);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", lazy->file.fd);
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		ksft_skip("O_DIRECT in %s: %s", folder, strerror(errno));
	close(lazy->file.fd);
	lazy->file.fd = fd;
}

static void close_direct(struct lazy *lazy, struct queue *queue)
{
	session_check_faults(&lazy->session, "direct");
	queue_destroy(queue);
	lazy_close(lazy);
}

static unsigned int cached_pages(const struct lazy *lazy)
{
	unsigned char cached[BYTES / 4096];
	void *map = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, lazy->file.fd, 0);
	unsigned int count = 0;

	ksft_assert(map != MAP_FAILED, "mmap: %s", strerror(errno));
	ksft_assert(!mincore(map, BYTES, cached), "mincore: %s", strerror(errno));
	for (unsigned int i = 0; i < ARRAY_SIZE(cached); i++)
		count += cached[i] & 1;
	munmap(map, BYTES);
	return count;
}

static void alignment(void)
{
	struct gmmap_extent good = { .length = GRANULE_BYTES }, extent;
	struct gmmap_map args = {
		.size = sizeof(args),
		.target = GMMAP_TARGET_HANDLE,
		.extents = (uintptr_t)&extent,
		.extent_count = 1,
	};
	struct queue queue;
	struct lazy lazy;

	open_direct(&lazy, &queue, 1);
	good.fd = lazy.file.fd;
	args.handle = lazy.vram.handle;
#define TRY(field, value, error)                                      \
	do {                                                          \
		extent = good;                                        \
		extent.field = (value);                               \
		expect(session_try_map(&lazy.session, &args), error); \
	} while (0)
	TRY(file_offset, 512, EINVAL);
	TRY(file_offset, 1, EINVAL);
	TRY(offset, 2048, EINVAL);
	TRY(length, 4095, EINVAL);
	TRY(length, 6144, EINVAL);
	/* relative to a target that is not aligned */
	extent = good;
	args.target = GMMAP_TARGET_ADDRESS;
	args.handle = 0;
	args.gpu_id = lazy.kfd.gpu.gpu_id;
	args.address = lazy.vram.va + 512;
	args.length = GRANULE_BYTES;
	expect(session_try_map(&lazy.session, &args), EINVAL);
	args.address = lazy.vram.va + 4096;
	expect(session_try_map(&lazy.session, &args), 0);
	close_direct(&lazy, &queue);
}

/* By faults, by POPULATE, and by pieces that are multiples of a page but not of a granule. */
static void equals_the_file(void)
{
	struct gmmap_extent extents[16];
	struct gmmap_range range = { .length = BYTES / 2 };
	uint64_t offset = 4096;
	unsigned int count = 0;
	struct queue queue;
	struct lazy lazy;
	uint8_t *want;

	open_direct(&lazy, &queue, 2);
	queue_fill(&queue, lazy.vram.va, 0x44444444, BYTES);
	queue_finish(&queue);
	want = malloc(BYTES);
	ksft_assert(want, "out of memory");
	memset(want, 0x44, BYTES);
	for (; count < ARRAY_SIZE(extents); count++) {
		uint64_t length = 4096 * (1 + pattern_below(&lazy.random, 50));

		extents[count] = (struct gmmap_extent){
			.offset = offset,
			.length = length,
			.fd = lazy.file.fd,
			.file_offset = 4096 * pattern_below(&lazy.random, (BYTES - length) / 4096),
		};
		memcpy(want + offset, lazy.file.data + extents[count].file_offset, length);
		offset += length + 4096 * pattern_below(&lazy.random, 3);
	}
	ksft_assert(offset <= BYTES, "the buffer is too small");
	memcpy(lazy.file.data, want, BYTES);
	free(want);
	lazy.mapping = session_map(&lazy.session, &lazy.vram, extents, count);
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t at = pattern_below(&lazy.random, BYTES / 2);

		lazy_read_by(&lazy, &queue, at, 4096);
		queue_finish(&queue);
		lazy_assert_equal(&lazy, at, 4096);
	}
	range.mapping_id = lazy.mapping;
	session_populate(&lazy.session, &range, 1);
	lazy_check_all(&lazy, &queue);
	ksft_print("%u pages are in the page cache", cached_pages(&lazy));
	ksft_assert(!cached_pages(&lazy), "it went through the page cache");
	close_direct(&lazy, &queue);
}

static const struct ksft_test tests[] = {
	{ "alignment", alignment, LIMIT_S },
	{ "equals_the_file", equals_the_file, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
