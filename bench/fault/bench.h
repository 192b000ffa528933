/* SPDX-License-Identifier: MIT */
/* What the measurements in the guest share. Results go to stdout, a line of words each. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "kfd.h"
#include "pattern.h"
#include "queue.h"
#include "session.h"

#define MIB (1ull << 20)

struct bench {
	struct kfd kfd;
	struct session session;
	struct queue queue;
	const char *folder;
};

/* A file with granule i filled from seed + i, on a disk, not in the page cache. */
struct bench_file {
	int fd;
	uint64_t bytes;
	uint64_t seed;
	char path[256];
};

/* Numbers with a dot, in MiB/s. */
double bench_rate(uint64_t bytes, uint64_t us);
uint64_t bench_median(uint64_t *values, uint32_t count);
/* Has the host pace the link, in bytes/s of each direction; 0: not at all. */
void bench_link(uint64_t bytes_per_s);

/* Only the granules that granules names are written, all if it is NULL; the others are holes. */
void bench_file_create(struct bench_file *file, const char *folder, uint64_t bytes, uint64_t seed,
		       const uint32_t *granules, uint32_t count);
void bench_file_destroy(struct bench_file *file);
void bench_file_drop(const struct bench_file *file); /* from the page cache */
int bench_file_reopen(const struct bench_file *file, int flags);
/* The GPU has copied a granule to here. */
void bench_check(const struct bench_file *file, const void *data, uint32_t granule);

/* Numbers below count in random order. */
void bench_shuffle(uint32_t *numbers, uint32_t count, uint64_t seed);

/* The measurements. */
void measure_rates(struct bench *bench);
void measure_stalls(struct bench *bench);
void measure_first(struct bench *bench);
void measure_counts(struct bench *bench);

#endif
