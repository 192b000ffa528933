// SPDX-License-Identifier: MIT
/*
 * What the kernel executes while the GPU faults its way through memory: by gmmap, from a file in the
 * page cache and by O_DIRECT, and by KFD's SVM, from pages in memory. The host counts between marks
 * (count.c). The process does not wait actively: it looks for the end every tenth of a second.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "count.h"
#include "ksft.h"
#include "svm_memory.h"

#define BYTES      (32 * MIB)
#define GRANULES   (uint32_t)(BYTES / GRANULE_BYTES)
#define RANDOM     (GRANULES / 4)
#define LOOK_US    100000
#define LIMIT      1200           /* looks */
#define ORDER_64K  4
#define ORDER_2M   9

/* Copies a part after the other, as the GPU comes to them. */
static void submit(struct bench *bench, uint64_t from, const struct kfd_bo *result, bool random)
{
	static uint32_t order[GRANULES];
	uint32_t count = random ? RANDOM : GRANULES;

	bench_shuffle(order, GRANULES, 5);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t at = (uint64_t)(random ? order[i] : i) * GRANULE_BYTES;

		queue_copy(&bench->queue, result->va + at, from + at, GRANULE_BYTES);
	}
}

static void wait_lazily(struct bench *bench, uint32_t fence)
{
	for (uint32_t i = 0; i < LIMIT && !queue_fence_done(&bench->queue, fence); i++)
		usleep(LOOK_US);
	ksft_assert(queue_fence_done(&bench->queue, fence), "the GPU did not come to the end");
}

/* count NAME PATTERN MIB-RESIDENT FAULTS US: between the two marks before this line. */
static void count(struct bench *bench, const char *name, uint64_t from,
		  const struct kfd_bo *result, bool random, uint64_t mapping,
		  struct svm_events *events)
{
	uint64_t begin, us, bytes, faults;
	struct gmmap_stat stat;
	uint32_t fence;

	submit(bench, from, result, random);
	usleep(LOOK_US);
	begin = ksft_now_us();
	count_mark();
	fence = queue_fence(&bench->queue);
	wait_lazily(bench, fence);
	count_mark();
	us = ksft_now_us() - begin;
	if (mapping) {
		session_stat(&bench->session, mapping, &stat);
		bytes = stat.loaded_granules * GRANULE_BYTES;
		faults = stat.faults;
	} else {
		svm_events_read(events);
		bytes = events->to_vram_pages * 4096;
		faults = events->faults;
	}
	printf("count %s %s %.2f %llu %llu\n", name, random ? "random" : "sequential",
	       (double)bytes / MIB, (unsigned long long)faults, (unsigned long long)us);
	fflush(stdout);
}

static void check(const struct bench_file *file, const struct kfd_bo *result, bool random)
{
	static uint32_t order[GRANULES];

	bench_shuffle(order, GRANULES, 5);
	for (uint32_t i = 0; i < (random ? RANDOM : GRANULES); i++) {
		uint32_t granule = random ? order[i] : i;

		bench_check(file, (uint8_t *)result->cpu + (uint64_t)granule * GRANULE_BYTES,
			    granule);
	}
}

static void count_gmmap(struct bench *bench, const struct bench_file *file,
			const struct kfd_bo *result, bool random, bool direct)
{
	int fd = bench_file_reopen(file, O_RDONLY | (direct ? O_DIRECT : 0));
	struct kfd_bo vram;
	uint64_t mapping;

	/* All of it is in the page cache, as SVM's content is in memory. */
	ksft_assert(pread(file->fd, result->cpu, BYTES, 0) == BYTES, "%s: %m", file->path);
	kfd_bo_alloc(&bench->kfd, &vram, BYTES, KFD_BO_VRAM);
	mapping = session_map_file(&bench->session, &vram, fd, 0);
	memset(result->cpu, 0, BYTES);
	count(bench, direct ? "gmmap-direct" : "gmmap", vram.va, result, random, mapping,
	      NULL);
	check(file, result, random);
	session_try_unmap(&bench->session, mapping, GMMAP_UNMAP_ABANDON);
	kfd_bo_free(&bench->kfd, &vram);
	close(fd);
}

/* A fault of SVM brings in as much as the range's granularity says. */
static void count_svm(struct bench *bench, const struct bench_file *file,
		      const struct kfd_bo *result, bool random, unsigned int order)
{
	uint8_t *memory = svm_map(BYTES);
	struct svm_events events;
	char name[32];

	svm_events_open(&events, &bench->kfd);
	ksft_assert(pread(file->fd, memory, BYTES, 0) == BYTES, "%s: %m", file->path);
	svm_set_granularity(&bench->kfd, memory, BYTES, order);
	memset(result->cpu, 0, BYTES);
	snprintf(name, sizeof(name), "svm-%uK", 4u << order);
	count(bench, name, (uintptr_t)memory, result, random, 0, &events);
	check(file, result, random);
	svm_events_close(&events);
	svm_unmap(memory, BYTES);
}

void measure_counts(struct bench *bench)
{
	struct bench_file file;
	struct kfd_bo result;

	kfd_require_xnack(&bench->kfd);
	bench_file_create(&file, bench->folder, BYTES, 4, NULL, 0);
	kfd_bo_alloc(&bench->kfd, &result, BYTES, KFD_BO_GTT);
	/* What the machine does by itself in a second. */
	sleep(1);
	count_mark();
	sleep(1);
	count_mark();
	printf("idle 1\n");
	for (unsigned int random = 0; random < 2; random++) {
		count_gmmap(bench, &file, &result, random, false);
		count_gmmap(bench, &file, &result, random, true);
		count_svm(bench, &file, &result, random, ORDER_2M);
		if (random)
			count_svm(bench, &file, &result, random, ORDER_64K);
	}
	kfd_bo_free(&bench->kfd, &result);
	bench_file_destroy(&file);
}
