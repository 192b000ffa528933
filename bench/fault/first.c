// SPDX-License-Identifier: MIT
/*
 * From MAP's return to the first result, and MAP itself, for files of several sizes; the sizes take
 * turns, so that what else the machine does is spread over all. The files are sparse but for the
 * granules that are read, which makes loading all of them faster than it would be from a disk.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "ksft.h"

#define ROUNDS 20
#define SIZES  3

static const uint64_t sizes[SIZES] = { 64 * MIB, 512 * MIB, 4096 * MIB };

struct subject {
	struct bench_file file;
	struct kfd_bo vram;
	uint32_t granules[ROUNDS];
	uint64_t map_us[ROUNDS];
	uint64_t first_us[ROUNDS];
};

static void prepare(struct bench *bench, struct subject *subject, uint64_t bytes)
{
	uint64_t random = bytes;

	/* One in each twentieth, so that no round has another's neighbour. */
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t part = (uint32_t)(bytes / GRANULE_BYTES / ROUNDS);

		subject->granules[i] = i * part + (uint32_t)pattern_below(&random, part);
	}
	bench_file_create(&subject->file, bench->folder, bytes, 3, subject->granules, ROUNDS);
	kfd_bo_alloc(&bench->kfd, &subject->vram, bytes, KFD_BO_VRAM);
}

static void round_of(struct bench *bench, struct subject *subject, const struct kfd_bo *host,
		     uint32_t i)
{
	uint32_t granule = subject->granules[i];
	uint64_t begin, mapped, mapping;

	memset(host->cpu, 0, GRANULE_BYTES);
	bench_file_drop(&subject->file);
	begin = ksft_now_us();
	mapping = session_map_file(&bench->session, &subject->vram, subject->file.fd, 0);
	mapped = ksft_now_us();
	queue_copy(&bench->queue, host->va, subject->vram.va + (uint64_t)granule * GRANULE_BYTES,
		   GRANULE_BYTES);
	queue_finish(&bench->queue);
	subject->first_us[i] = ksft_now_us() - mapped;
	subject->map_us[i] = mapped - begin;
	bench_check(&subject->file, host->cpu, granule);
	ksft_assert(!session_try_unmap(&bench->session, mapping, GMMAP_UNMAP_ABANDON),
		    "UNMAP failed");
}

static uint64_t eager_us(struct bench *bench, struct subject *subject)
{
	uint64_t begin = ksft_now_us();
	uint64_t mapping = session_map_file(&bench->session, &subject->vram, subject->file.fd, 0);

	ksft_assert(!session_try_unmap(&bench->session, mapping, 0), "UNMAP failed");
	return ksft_now_us() - begin;
}

/* first BYTES FIRST-US MAP-US EAGER-US: medians; raw BYTES FIRST-US MAP-US */
void measure_first(struct bench *bench)
{
	static struct subject subjects[SIZES];
	struct kfd_bo host;

	kfd_bo_alloc(&bench->kfd, &host, GRANULE_BYTES, KFD_BO_GTT);
	for (uint32_t i = 0; i < SIZES; i++)
		prepare(bench, &subjects[i], sizes[i]);
	for (uint32_t round = 0; round < ROUNDS; round++)
		for (uint32_t i = 0; i < SIZES; i++)
			round_of(bench, &subjects[i], &host, round);
	for (uint32_t i = 0; i < SIZES; i++) {
		struct subject *subject = &subjects[i];

		for (uint32_t round = 0; round < ROUNDS; round++)
			printf("raw %llu %llu %llu\n", (unsigned long long)sizes[i],
			       (unsigned long long)subject->first_us[round],
			       (unsigned long long)subject->map_us[round]);
		printf("first %llu %llu %llu %llu\n", (unsigned long long)sizes[i],
		       (unsigned long long)bench_median(subject->first_us, ROUNDS),
		       (unsigned long long)bench_median(subject->map_us, ROUNDS),
		       (unsigned long long)eager_us(bench, subject));
		kfd_bo_free(&bench->kfd, &subject->vram);
		bench_file_destroy(&subject->file);
	}
	kfd_bo_free(&bench->kfd, &host);
}
