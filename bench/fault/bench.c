// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ksft.h"

double bench_rate(uint64_t bytes, uint64_t us)
{
	return (double)bytes / MIB / ((double)us / 1e6);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t bench_median(uint64_t *values, uint32_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

void bench_link(uint64_t bytes_per_s)
{
	char line[16];

	printf("link %llu\n", (unsigned long long)bytes_per_s);
	fflush(stdout);
	ksft_assert(fgets(line, sizeof(line), stdin), "nobody has paced the link");
}

void bench_file_create(struct bench_file *file, const char *folder, uint64_t bytes, uint64_t seed,
		       const uint32_t *granules, uint32_t count)
{
	uint8_t *data = malloc(GRANULE_BYTES);
	int writer;

	file->bytes = bytes;
	file->seed = seed;
	snprintf(file->path, sizeof(file->path), "%s/bench-XXXXXX", folder);
	writer = mkostemp(file->path, O_CLOEXEC);
	ksft_assert(writer >= 0 && data && !ftruncate(writer, (off_t)bytes), "%s: %m", file->path);
	if (!granules)
		count = (uint32_t)(bytes / GRANULE_BYTES);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t granule = granules ? granules[i] : i;

		pattern_fill(data, GRANULE_BYTES, seed + granule);
		ksft_assert(pwrite(writer, data, GRANULE_BYTES, (off_t)(granule * GRANULE_BYTES)) ==
			    GRANULE_BYTES, "%s: %m", file->path);
	}
	ksft_assert(!fsync(writer), "%s: %m", file->path);
	close(writer);
	free(data);
	file->fd = bench_file_reopen(file, O_RDONLY);
	bench_file_drop(file);
}

void bench_file_destroy(struct bench_file *file)
{
	close(file->fd);
	unlink(file->path);
}

void bench_file_drop(const struct bench_file *file)
{
	posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
}

int bench_file_reopen(const struct bench_file *file, int flags)
{
	int fd = open(file->path, flags | O_CLOEXEC);

	ksft_assert(fd >= 0, "%s: %m", file->path);
	return fd;
}

void bench_check(const struct bench_file *file, const void *data, uint32_t granule)
{
	pattern_assert(data, GRANULE_BYTES, file->seed + granule, "a granule");
}

void bench_shuffle(uint32_t *numbers, uint32_t count, uint64_t seed)
{
	uint64_t random = seed;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t j = (uint32_t)pattern_below(&random, i + 1);

		numbers[i] = numbers[j];
		numbers[j] = i;
	}
}
