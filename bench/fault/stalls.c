// SPDX-License-Identifier: MIT
/*
 * How often the GPU stalls while a consumer goes through a quarter of a file in random order, at most
 * as fast as 80 % of a paced link: with the order known, without, and with a wrong one. The first
 * access is submitted at once after MAP. Beside it: all loaded before, and the file loaded first.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "ksft.h"

#define FILE_BYTES      (128 * MIB)
#define GRANULES        (uint32_t)(FILE_BYTES / GRANULE_BYTES)
#define TOUCHED         (GRANULES / 4)
#define LINK            (16 * MIB)
#define PERIOD_US       (GRANULE_BYTES * 1000000ull * 10 / 8 / LINK)

enum plan { RESIDENT, EAGER, NONE, RECORD, PROFILE, SHUFFLED, PLANS };

static const char *const names[PLANS] = {
	[RESIDENT] = "resident", [EAGER] = "eager",     [NONE] = "none",
	[RECORD] = "record",     [PROFILE] = "profile", [SHUFFLED] = "shuffled",
};

static uint32_t order[GRANULES];
static struct gmmap_touch profile[TOUCHED];
static struct gmmap_range ranges[TOUCHED];

static void pause_until(uint64_t us)
{
	uint64_t now = ksft_now_us();

	if (now < us)
		usleep((useconds_t)(us - now));
}

/* What is read stays in VRAM: the link is for loading. */
static void consume(struct bench *bench, const struct kfd_bo *vram, const struct kfd_bo *result)
{
	uint64_t next = 0;

	for (uint32_t i = 0; i < TOUCHED; i++) {
		pause_until(next);
		next = ksft_now_us() + PERIOD_US;
		queue_copy(&bench->queue, result->va + (uint64_t)i * GRANULE_BYTES,
			   vram->va + (uint64_t)order[i] * GRANULE_BYTES, GRANULE_BYTES);
		queue_finish(&bench->queue);
	}
}

static void check(struct bench *bench, const struct bench_file *file, const struct kfd_bo *result)
{
	kfd_hdp_flush(&bench->kfd);
	for (uint32_t i = 0; i < TOUCHED; i++)
		bench_check(file, (uint8_t *)result->cpu + (uint64_t)i * GRANULE_BYTES, order[i]);
}

static void populate(struct bench *bench, uint64_t mapping, enum plan plan)
{
	uint32_t shuffle[TOUCHED];

	bench_shuffle(shuffle, TOUCHED, 99);
	for (uint32_t i = 0; i < TOUCHED; i++)
		ranges[i] = (struct gmmap_range){
			.mapping_id = mapping,
			.offset = profile[plan == PROFILE ? i : shuffle[i]].offset,
			.length = GRANULE_BYTES,
		};
	session_populate(&bench->session, ranges, TOUCHED);
}

/* stalls PLAN STALLS TOUCHED US US-WITH-LOADING */
static void run(struct bench *bench, const struct bench_file *file, enum plan plan)
{
	struct kfd_bo vram, result;
	struct gmmap_stat before, stat;
	uint64_t begin, started, mapping;

	bench_file_drop(file);
	kfd_bo_alloc(&bench->kfd, &vram, FILE_BYTES, KFD_BO_VRAM);
	kfd_bo_alloc(&bench->kfd, &result, (uint64_t)TOUCHED * GRANULE_BYTES, KFD_BO_VRAM);
	/* Of all mappings: one that has ended is soon forgotten. */
	session_stat(&bench->session, 0, &before);
	begin = ksft_now_us();
	mapping = session_map_file(&bench->session, &vram, file->fd, 0);
	if (plan == RECORD)
		session_profile_start(&bench->session, TOUCHED, GMMAP_PROFILE_EXACT);
	if (plan == PROFILE || plan == SHUFFLED)
		populate(bench, mapping, plan);
	if (plan == RESIDENT || plan == EAGER)
		ksft_assert(!session_try_unmap(&bench->session, mapping, 0), "UNMAP failed");
	started = ksft_now_us();
	consume(bench, &vram, &result);
	session_stat(&bench->session, 0, &stat);
	printf("stalls %s %llu %u %llu %llu\n", names[plan], (unsigned long long)(stat.faults - before.faults), TOUCHED,
	       (unsigned long long)(ksft_now_us() - started),
	       (unsigned long long)(ksft_now_us() - begin));
	if (plan == RECORD) {
		session_profile_stop(&bench->session);
		ksft_assert(session_profile_read(&bench->session, profile, TOUCHED) == TOUCHED,
			    "not every touch was recorded");
	}
	check(bench, file, &result);
	if (plan != RESIDENT && plan != EAGER)
		session_try_unmap(&bench->session, mapping, GMMAP_UNMAP_ABANDON);
	kfd_bo_free(&bench->kfd, &result);
	kfd_bo_free(&bench->kfd, &vram);
}

void measure_stalls(struct bench *bench)
{
	struct bench_file file;

	bench_file_create(&file, bench->folder, FILE_BYTES, 2, NULL, 0);
	bench_shuffle(order, GRANULES, 7);
	bench_link(LINK);
	for (enum plan plan = 0; plan < PLANS; plan++)
		run(bench, &file, plan);
	bench_link(0);
	bench_file_destroy(&file);
}
