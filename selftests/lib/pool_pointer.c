// SPDX-License-Identifier: MIT
/* gmmap_map_file() on memory of the HSA runtime, which knows nothing of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gmmap.h>

#include "backing.h"
#include "hsa.h"
#include "ksft.h"
#include "pattern.h"

#define GRANULE_BYTES 65536u
#define BYTES         (128 * GRANULE_BYTES)
#define WAIT_NS       60000000000ll
#define LIMIT_S       300

struct pool {
	struct hsa hsa;
	int session;
	struct backing file;
	uint8_t *result; /* memory of the CPU that the GPU can reach */
};

static void pool_open(struct pool *pool, uint64_t seed)
{
	if (access("/dev/gmmap", F_OK))
		ksft_skip("/dev/gmmap: %s", strerror(errno));
	hsa_open(&pool->hsa);
	pool->session = gmmap_open();
	ksft_assert(pool->session >= 0, "gmmap_open: %s", strerror(-pool->session));
	backing_create(&pool->file, BYTES, seed);
	pool->result = hsa_pool_alloc(&pool->hsa, pool->hsa.cpu_pool, BYTES);
	memset(pool->result, 0xee, BYTES);
}

static void pool_close(struct pool *pool)
{
	backing_destroy(&pool->file);
	close(pool->session);
	hsa_check(hsa_amd_memory_pool_free(pool->result), "free");
	hsa_check(hsa_shut_down(), "hsa_shut_down");
}

static uint8_t *vram_alloc(struct pool *pool, size_t bytes)
{
	return hsa_pool_alloc(&pool->hsa, pool->hsa.gpu_pool, bytes);
}

static uint64_t map(struct pool *pool, void *memory, size_t bytes, off_t file_offset)
{
	uint64_t id = 0;
	int ret = gmmap_map_file(pool->session, memory, bytes, pool->file.fd, file_offset, 0, &id);

	if (ret == -EOPNOTSUPP)
		ksft_skip("the GPU or the process cannot retry faults");
	ksft_assert(!ret, "gmmap_map_file: %s", strerror(-ret));
	return id;
}

/* The GPU copies a part of the memory to the CPU's, where it is compared. */
static void gpu_reads(struct pool *pool, const uint8_t *vram, size_t offset, size_t bytes,
		      const uint8_t *wanted, const char *what)
{
	hsa_copy(pool->result + offset, pool->hsa.cpu, vram + offset, pool->hsa.gpu, bytes, what);
	for (size_t i = 0; i < bytes; i++)
		ksft_assert(pool->result[offset + i] == wanted[i], "%s: byte %zu is 0x%02x", what,
			    offset + i, pool->result[offset + i]);
}

static struct gmmap_stat stat_of(struct pool *pool, uint64_t id)
{
	struct gmmap_stat stat;
	int ret = gmmap_stat(pool->session, id, &stat);

	ksft_assert(!ret, "gmmap_stat: %s", strerror(-ret));
	return stat;
}

/* At once after the call, in pieces from the end, so that nothing but the faults brings them in. */
static void gpu_reads_the_file(void)
{
	struct gmmap_stat stat;
	struct pool pool;
	uint8_t *vram;
	uint64_t id;
	int ret;

	pool_open(&pool, 1);
	vram = vram_alloc(&pool, BYTES);
	id = map(&pool, vram, BYTES, 0);
	gpu_reads(&pool, vram, BYTES - 3 * GRANULE_BYTES, 100, pool.file.data + BYTES - 3 * GRANULE_BYTES,
		  "100 bytes");
	stat = stat_of(&pool, id);
	ksft_assert(stat.loaded_granules && stat.loaded_granules < 10, "%llu granules are loaded",
		    (unsigned long long)stat.loaded_granules);
	ksft_assert(stat.acknowledged_faults, "there was no fault");
	gpu_reads(&pool, vram, 0, BYTES, pool.file.data, "all");
	ret = gmmap_wait(pool.session, id, 0, 0, WAIT_NS);
	ksft_assert(!ret, "gmmap_wait: %s", strerror(-ret));
	hsa_check(hsa_amd_memory_pool_free(vram), "free");
	pool_close(&pool);
}

/*
 * ROCr has mapped the buffer for the CPU when it was allocated. The test writes through that before
 * gmmap_map_file() and reads through it afterwards.
 */
static void cpu_reads_the_file(void)
{
	struct gmmap_stat stat;
	struct pool pool;
	uint8_t *vram;
	uint64_t id;

	pool_open(&pool, 2);
	vram = vram_alloc(&pool, BYTES);
	memset(vram, 0xaa, BYTES);
	id = map(&pool, vram, BYTES, 0);
	ksft_assert(vram[5 * GRANULE_BYTES + 9] == pool.file.data[5 * GRANULE_BYTES + 9],
		    "the CPU sees 0x%02x", vram[5 * GRANULE_BYTES + 9]);
	stat = stat_of(&pool, id);
	ksft_assert(stat.cpu_granules && stat.loaded_granules < 10,
		    "%llu granules are loaded, %llu for the CPU",
		    (unsigned long long)stat.loaded_granules,
		    (unsigned long long)stat.cpu_granules);
	vram[7 * GRANULE_BYTES] = pool.file.data[7 * GRANULE_BYTES] = 0x42;
	for (size_t i = 0; i < BYTES; i += 4093)
		ksft_assert(vram[i] == pool.file.data[i], "byte %zu is 0x%02x", i, vram[i]);
	gpu_reads(&pool, vram, 0, BYTES, pool.file.data, "after the CPU");
	hsa_check(hsa_amd_memory_pool_free(vram), "free");
	pool_close(&pool);
}

/* Ends and begins in the middle of granules; the bytes around stay. */
static void part_of_an_allocation(void)
{
	enum { FIRST = 3 * GRANULE_BYTES + 1000, LENGTH = 9 * GRANULE_BYTES + 77, FROM = 12345 };
	struct pool pool;
	uint8_t *vram, *wanted;

	pool_open(&pool, 3);
	vram = vram_alloc(&pool, BYTES);
	wanted = malloc(BYTES);
	memset(wanted, 0x33, BYTES);
	memset(vram, 0x33, BYTES);
	map(&pool, vram + FIRST, LENGTH, FROM);
	memcpy(wanted + FIRST, pool.file.data + FROM, LENGTH);
	gpu_reads(&pool, vram, 0, BYTES, wanted, "with what is around");
	free(wanted);
	hsa_check(hsa_amd_memory_pool_free(vram), "free");
	pool_close(&pool);
}

/* The runtime takes small allocations from a buffer that they share. */
static void small_allocations(void)
{
	enum { COUNT = 8, SMALL = 20000 };
	uint8_t *vram[COUNT], wanted[SMALL];
	struct pool pool;

	pool_open(&pool, 4);
	for (unsigned int i = 0; i < COUNT; i++) {
		vram[i] = vram_alloc(&pool, SMALL);
		memset(vram[i], (int)i + 1, SMALL);
	}
	map(&pool, vram[3], SMALL, 500);
	for (unsigned int i = 0; i < COUNT; i++) {
		memset(wanted, (int)i + 1, SMALL);
		gpu_reads(&pool, vram[i], 0, SMALL, i == 3 ? pool.file.data + 500 : wanted,
			  "small");
	}
	for (unsigned int i = 0; i < COUNT; i++)
		hsa_check(hsa_amd_memory_pool_free(vram[i]), "free");
	pool_close(&pool);
}

static void assert_error(struct pool *pool, int wanted, void *memory, size_t bytes, int fd,
			 off_t offset, unsigned int flags)
{
	int ret = gmmap_map_file(pool->session, memory, bytes, fd, offset, flags, NULL);

	ksft_assert(ret == wanted, "%s, not %s", strerror(-ret), strerror(-wanted));
}

static void errors(void)
{
	struct pool pool;
	uint8_t *vram;
	int fd;

	pool_open(&pool, 5);
	vram = vram_alloc(&pool, BYTES);
	fd = pool.file.fd;
	assert_error(&pool, -ENODATA, vram, BYTES, fd, 1, 0);
	assert_error(&pool, -EINVAL, vram, BYTES, fd, -1, 0);
	assert_error(&pool, -EINVAL, vram, BYTES, fd, 0, 0x80);
	assert_error(&pool, -EINVAL, vram, BYTES, -1, 0, 0);
	assert_error(&pool, -EINVAL, vram, 0, fd, 0, 0);
	assert_error(&pool, -EINVAL, vram + BYTES / 2, BYTES, fd, 0, 0);
	assert_error(&pool, -EBADF, vram, BYTES, 999, 0, 0);
	assert_error(&pool, -ENOENT, malloc(100), 100, fd, 0, 0);
	assert_error(&pool, -EOPNOTSUPP, pool.result, 100, fd, 0, 0);
	map(&pool, vram, BYTES, 0);
	assert_error(&pool, -EEXIST, vram, BYTES, fd, 0, 0);
	gpu_reads(&pool, vram, 0, BYTES, pool.file.data, "after the errors");
	hsa_check(hsa_amd_memory_pool_free(vram), "free");
	pool_close(&pool);
}

static void inherits_the_descriptor(unsigned int index)
{
	int ret = gmmap_open();

	(void)index;
	ksft_assert(ret == -ENXIO, "gmmap_open in a child: %s", strerror(-ret));
}

static void sessions(void)
{
	struct process child;
	struct pool pool;
	int ret;

	if (access("/dev/gmmap", F_OK))
		ksft_skip("/dev/gmmap: %s", strerror(errno));
	ret = gmmap_open();
	ksft_assert(ret == -ENXIO, "gmmap_open before the runtime: %s", strerror(-ret));
	pool_open(&pool, 6);
	ksft_assert(fcntl(pool.session, F_GETFD) == FD_CLOEXEC, "a session is inherited");
	child = process_start(inherits_the_descriptor, 0);
	process_join(&child, 60000);
	pool_close(&pool);
}

/* Freed and allocated again by the runtime while nothing of it is loaded. */
static void free_while_incomplete(void)
{
	struct pool pool;

	pool_open(&pool, 7);
	for (unsigned int i = 0; i < 4; i++) {
		uint8_t *vram = vram_alloc(&pool, BYTES);

		map(&pool, vram, BYTES, 0);
		gpu_reads(&pool, vram, i * GRANULE_BYTES, 8, pool.file.data + i * GRANULE_BYTES,
			  "8 bytes");
		hsa_check(hsa_amd_memory_pool_free(vram), "free");
	}
	pool_close(&pool);
}

static const struct ksft_test tests[] = {
	{ "sessions", sessions, LIMIT_S },
	{ "gpu_reads_the_file", gpu_reads_the_file, LIMIT_S },
	{ "cpu_reads_the_file", cpu_reads_the_file, LIMIT_S },
	{ "part_of_an_allocation", part_of_an_allocation, LIMIT_S },
	{ "small_allocations", small_allocations, LIMIT_S },
	{ "free_while_incomplete", free_while_incomplete, LIMIT_S },
	{ "errors", errors, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
