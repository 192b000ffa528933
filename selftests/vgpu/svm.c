// SPDX-License-Identifier: MIT
/* Malloc'ed memory on all types of queues: the GPU's faults move it to VRAM, the CPU's back. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ksft.h"
#include "pattern.h"
#include "queue.h"
#include "svm_memory.h"

#define PAGE_BYTES 4096u

static uint64_t seed = 1;

struct bench {
	struct kfd kfd;
	struct queue queue;
	struct svm_events events;
};

static void bench_open(struct bench *bench, enum queue_type type)
{
	kfd_open(&bench->kfd);
	kfd_require_xnack(&bench->kfd);
	svm_events_open(&bench->events, &bench->kfd);
	queue_create(&bench->queue, &bench->kfd, type);
}

static void bench_close(struct bench *bench)
{
	svm_events_read(&bench->events);
	ksft_print("%s: %u faults, %u migrations to VRAM, %u back",
		   queue_type_name(bench->queue.type), bench->events.faults, bench->events.to_vram,
		   bench->events.to_ram);
	ksft_assert(bench->events.faults && bench->events.to_vram && bench->events.to_ram,
		    "no fault, or no migration one way");
	svm_events_close(&bench->events);
	queue_destroy(&bench->queue);
	kfd_close(&bench->kfd);
}

static void copy(struct bench *bench, const void *dst, const void *src, uint64_t bytes)
{
	queue_copy(&bench->queue, (uintptr_t)dst, (uintptr_t)src, bytes);
	queue_finish(&bench->queue);
	svm_events_read(&bench->events);
}

/* Memory that the CPU filled is copied to memory that nobody has touched, several times. */
static void copy_and_touch(enum queue_type type)
{
	static const uint64_t sizes[] = { 1, PAGE_BYTES, 65536 + 5, 1 << 20, (4 << 20) + 12345 };
	struct bench bench;

	bench_open(&bench, type);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint8_t *src = svm_map(sizes[i]);
		uint8_t *dst = svm_map(sizes[i]);

		for (unsigned int round = 0; round < 3; round++) {
			pattern_fill(src, sizes[i], seed + round);
			copy(&bench, dst, src, sizes[i]);
			pattern_assert(dst, sizes[i], seed + round, "copy to untouched memory");
			pattern_assert(src, sizes[i], seed + round, "source after the copy");
		}
		svm_unmap(src, sizes[i]);
		svm_unmap(dst, sizes[i]);
	}
	bench_close(&bench);
}

static void sdma_copies_malloced_memory(void)
{
	copy_and_touch(QUEUE_SDMA);
}

static void pm4_copies_malloced_memory(void)
{
	copy_and_touch(QUEUE_PM4);
}

static void aql_copies_malloced_memory(void)
{
	copy_and_touch(QUEUE_AQL);
}

/* CPU and GPU write to different halves of the same pages in turn. */
static void cpu_and_gpu_write_the_same_pages_in_turn(void)
{
	uint64_t bytes = 64 * PAGE_BYTES;
	struct bench bench;
	uint8_t *src;
	uint8_t *dst;

	bench_open(&bench, QUEUE_SDMA);
	src = svm_map(bytes);
	dst = svm_map(bytes);
	pattern_fill(src, bytes, seed);
	for (unsigned int round = 1; round <= 8; round++) {
		for (uint64_t i = 0; i < bytes; i += PAGE_BYTES) {
			memset(dst + i, (int)round, PAGE_BYTES / 2);
			queue_copy(&bench.queue, (uintptr_t)dst + i + PAGE_BYTES / 2,
				   (uintptr_t)src + i, PAGE_BYTES / 2);
		}
		queue_finish(&bench.queue);
		svm_events_read(&bench.events);
		for (uint64_t i = 0; i < bytes; i += PAGE_BYTES) {
			ksft_assert(pattern_not_byte(dst + i, PAGE_BYTES / 2, (uint8_t)round) ==
					    PAGE_BYTES / 2,
				    "round %u: the CPU's half of page %llu", round,
				    (unsigned long long)i / PAGE_BYTES);
			ksft_assert(!memcmp(dst + i + PAGE_BYTES / 2, src + i, PAGE_BYTES / 2),
				    "round %u: the GPU's half of page %llu", round,
				    (unsigned long long)i / PAGE_BYTES);
		}
	}
	svm_unmap(src, bytes);
	svm_unmap(dst, bytes);
	bench_close(&bench);
}

/* Some pages of a 2 MiB block go back to RAM; the block is then in both memories. */
static void single_pages_go_back_to_ram(void)
{
	uint64_t bytes = 2 << 20;
	uint64_t random = seed;
	struct bench bench;
	uint8_t *src;
	uint8_t *dst;

	bench_open(&bench, QUEUE_SDMA);
	src = svm_map(bytes);
	dst = svm_map(bytes);
	pattern_fill(src, bytes, seed);
	copy(&bench, dst, src, bytes);
	for (unsigned int round = 0; round < 20; round++) {
		uint64_t at = pattern_below(&random, bytes / PAGE_BYTES) * PAGE_BYTES;

		src[at] = (uint8_t)~src[at];
		copy(&bench, dst, src, bytes);
		ksft_assert(dst[at] == src[at], "round %u: the CPU's byte at %llu was lost", round,
			    (unsigned long long)at);
		src[at] = (uint8_t)~src[at];
	}
	copy(&bench, dst, src, bytes);
	pattern_assert(dst, bytes, seed, "after all rounds");
	svm_unmap(src, bytes);
	svm_unmap(dst, bytes);
	bench_close(&bench);
}

/* The GPU must not see the pages that were at an address before. */
static void address_is_mapped_anew(void)
{
	uint64_t bytes = 1 << 20;
	struct bench bench;
	uint8_t *src;
	uint8_t *dst;

	bench_open(&bench, QUEUE_SDMA);
	src = svm_map(bytes);
	dst = svm_map(bytes);
	for (unsigned int round = 0; round < 10; round++) {
		pattern_fill(src, bytes, seed + round);
		copy(&bench, dst, src, bytes);
		pattern_assert(dst, bytes, seed + round, "new memory at an old address");
		for (unsigned int i = 0; i < 2; i++)
			ksft_assert(mmap(i ? src : dst, bytes, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
					 0) != MAP_FAILED,
				    "mmap");
	}
	svm_unmap(src, bytes);
	svm_unmap(dst, bytes);
	bench_close(&bench);
}

/* Copies go on while the CPU pulls the source back, page by page. */
static void cpu_reads_while_the_gpu_copies(void)
{
	uint64_t bytes = 4 << 20;
	volatile uint8_t *peek;
	uint64_t random = seed;
	struct bench bench;
	unsigned int peeks = 0;
	uint8_t *src;
	uint8_t *dst;
	uint32_t fence;

	bench_open(&bench, QUEUE_SDMA);
	src = svm_map(bytes);
	dst = svm_map(bytes);
	pattern_fill(src, bytes, seed);
	peek = src;
	for (unsigned int round = 0; round < 8; round++) {
		queue_copy(&bench.queue, (uintptr_t)dst, (uintptr_t)src, bytes);
		fence = queue_fence(&bench.queue);
		while (!queue_wait_for(&bench.queue, fence, 0) && peeks++ < 1000000)
			(void)peek[pattern_below(&random, bytes)];
		queue_wait(&bench.queue, fence);
		svm_events_read(&bench.events);
		pattern_assert(dst, bytes, seed, "copy under CPU reads");
		memset(dst, 0, bytes);
	}
	svm_unmap(src, bytes);
	svm_unmap(dst, bytes);
	bench_close(&bench);
}

static const struct ksft_test tests[] = {
	{ "sdma_copies_malloced_memory", sdma_copies_malloced_memory, 0 },
	{ "pm4_copies_malloced_memory", pm4_copies_malloced_memory, 0 },
	{ "aql_copies_malloced_memory", aql_copies_malloced_memory, 0 },
	{ "cpu_and_gpu_write_the_same_pages_in_turn", cpu_and_gpu_write_the_same_pages_in_turn, 0 },
	{ "single_pages_go_back_to_ram", single_pages_go_back_to_ram, 0 },
	{ "address_is_mapped_anew", address_is_mapped_anew, 0 },
	{ "cpu_reads_while_the_gpu_copies", cpu_reads_while_the_gpu_copies, 0 },
};

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' }, { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 's')
			return KSFT_FAIL;
		seed = strtoull(optarg, NULL, 0);
	}
	return ksft_run(tests, ARRAY_SIZE(tests), argv + optind);
}
