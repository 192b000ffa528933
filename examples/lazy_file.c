// SPDX-License-Identifier: MIT
/*
 * lazy_file FOLDER  Makes a file in FOLDER that is the content of a VRAM buffer, and has a GPU queue read
 * scattered parts of it, three times from the start: after the whole file was loaded; with the
 * buffer mapped to the file by gmmap, so that the GPU's page faults bring in what is touched; and
 * the same with the order of touches known from the run before. Every part is compared.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ksft.h"
#include "kfd.h"
#include "pattern.h"
#include "queue.h"
#include "session.h"

#define MIB           (1ull << 20)
#define FILE_BYTES    (256 * MIB)
#define PIECE_BYTES   (2 * MIB)  /* of a full load */
#define PART_BYTES    GRANULE_BYTES
#define PARTS         200
#define WORK_US       10000      /* between two parts: what a program does with them */
#define SEED          2026

struct demo {
	struct kfd kfd;
	struct session session;
	struct queue queue;
	struct kfd_bo vram;
	struct kfd_bo host;      /* where the GPU puts the parts that it reads */
	int fd;
	uint64_t parts[PARTS];   /* their offsets */
	struct gmmap_range profile[PARTS];
	uint32_t profiled;
};

/* What a run showed. */
struct result {
	uint64_t first_us;
	uint64_t all_us;
	uint64_t file_bytes;
	struct gmmap_stat stat;
};

static double mib(uint64_t bytes)
{
	return (double)bytes / MIB;
}

/* The file is not in the page cache afterwards. */
static int make_file(const char *folder)
{
	char path[4096];
	uint8_t *piece = malloc(PIECE_BYTES);
	int writer, fd;

	snprintf(path, sizeof(path), "%s/gmmap-demo-XXXXXX", folder);
	writer = mkostemp(path, O_CLOEXEC);
	ksft_assert(writer >= 0 && piece, "%s: %m", path);
	for (uint64_t at = 0; at < FILE_BYTES; at += PIECE_BYTES) {
		for (uint64_t i = 0; i < PIECE_BYTES; i += PART_BYTES)
			pattern_fill(piece + i, PART_BYTES, SEED + (at + i) / PART_BYTES);
		ksft_assert(pwrite(writer, piece, PIECE_BYTES, (off_t)at) == PIECE_BYTES,
			    "%s: %m", path);
	}
	ksft_assert(!fsync(writer), "%s: %m", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ksft_assert(fd >= 0, "%s: %m", path);
	unlink(path);
	close(writer);
	free(piece);
	return fd;
}

/* Granules in random order, none twice. */
static void choose_parts(struct demo *demo)
{
	static uint64_t all[FILE_BYTES / PART_BYTES];
	uint64_t random = SEED;

	for (uint64_t i = 0; i < ARRAY_SIZE(all); i++) {
		uint64_t j = pattern_below(&random, i + 1);

		all[i] = all[j];
		all[j] = i * PART_BYTES;
	}
	memcpy(demo->parts, all, sizeof(demo->parts));
}

/* The GPU reads all parts; begin_us is when the file was not loaded yet. */
static void work(struct demo *demo, uint64_t begin_us, struct result *result)
{
	for (uint32_t i = 0; i < PARTS; i++) {
		queue_copy(&demo->queue, demo->host.va, demo->vram.va + demo->parts[i], PART_BYTES);
		queue_finish(&demo->queue);
		if (!i)
			result->first_us = ksft_now_us() - begin_us;
		pattern_assert(demo->host.cpu, PART_BYTES, SEED + demo->parts[i] / PART_BYTES,
			       "a part");
		usleep(WORK_US);
	}
	result->all_us = ksft_now_us() - begin_us;
}

/* As programs do without gmmap: a piece is read from the file while the GPU copies the one before. */
static void run_full(struct demo *demo, struct result *result)
{
	uint64_t begin_us = ksft_now_us();
	uint32_t fence[2] = { 0, 0 };
	struct kfd_bo staging;

	kfd_bo_alloc(&demo->kfd, &staging, 2 * PIECE_BYTES, KFD_BO_GTT);
	for (uint64_t at = 0; at < FILE_BYTES; at += PIECE_BYTES) {
		unsigned int half = at / PIECE_BYTES % 2;
		uint64_t offset = half * PIECE_BYTES;

		if (fence[half])
			queue_wait(&demo->queue, fence[half]);
		ksft_assert(pread(demo->fd, (uint8_t *)staging.cpu + offset, PIECE_BYTES,
				  (off_t)at) == PIECE_BYTES, "reading the file: %m");
		queue_copy(&demo->queue, demo->vram.va + at, staging.va + offset, PIECE_BYTES);
		fence[half] = queue_fence(&demo->queue);
	}
	queue_finish(&demo->queue);
	work(demo, begin_us, result);
	result->file_bytes = FILE_BYTES;
	kfd_bo_free(&demo->kfd, &staging);
}

static void end_lazy_run(struct demo *demo, uint64_t mapping, struct result *result)
{
	session_stat(&demo->session, mapping, &result->stat);
	result->file_bytes = result->stat.file_bytes;
	ksft_assert(result->stat.acknowledged_faults == result->stat.faults,
		    "a page fault was not served");
	ksft_assert(!session_try_unmap(&demo->session, mapping, GMMAP_UNMAP_ABANDON), "UNMAP: %m");
}

/* The profile is recorded beside. */
static void run_lazy(struct demo *demo, struct result *result)
{
	uint64_t begin_us = ksft_now_us();
	uint64_t mapping = session_map_file(&demo->session, &demo->vram, demo->fd, 0);
	struct gmmap_touch touches[PARTS];

	session_profile_start(&demo->session, PARTS, 0);
	work(demo, begin_us, result);
	session_profile_stop(&demo->session);
	demo->profiled = session_profile_read(&demo->session, touches, PARTS);
	for (uint32_t i = 0; i < demo->profiled; i++)
		demo->profile[i] = (struct gmmap_range){ .offset = touches[i].offset,
							 .length = GRANULE_BYTES };
	end_lazy_run(demo, mapping, result);
}

static void run_profiled(struct demo *demo, struct result *result)
{
	uint64_t begin_us = ksft_now_us();
	uint64_t mapping = session_map_file(&demo->session, &demo->vram, demo->fd, 0);

	for (uint32_t i = 0; i < demo->profiled; i++)
		demo->profile[i].mapping_id = mapping;
	session_populate(&demo->session, demo->profile, demo->profiled);
	work(demo, begin_us, result);
	end_lazy_run(demo, mapping, result);
}

/* Each run begins with a new buffer and a file that is not in memory. */
static void from_the_start(struct demo *demo, void (*run)(struct demo *, struct result *),
			   struct result *result)
{
	posix_fadvise(demo->fd, 0, 0, POSIX_FADV_DONTNEED);
	kfd_bo_alloc(&demo->kfd, &demo->vram, FILE_BYTES, KFD_BO_VRAM);
	memset(demo->host.cpu, 0, PART_BYTES);
	run(demo, result);
	kfd_bo_free(&demo->kfd, &demo->vram);
}

static void print_row(const char *name, const struct result *result, const char *stalls)
{
	printf("  %-22s %9.0f ms %9.0f ms %9.1f MiB %10s\n", name, result->first_us / 1e3,
	       result->all_us / 1e3, mib(result->file_bytes), stalls);
}

static void print_lazy_row(const char *name, const struct result *result)
{
	char stalls[32];

	snprintf(stalls, sizeof(stalls), "%llu", result->stat.faults);
	print_row(name, result, stalls);
}

static void print_table(const struct result *full, const struct result *lazy,
			const struct result *profiled)
{
	printf("A file of %.0f MiB is the content of a GPU buffer. A GPU queue reads %d scattered parts of\n"
	       "it, %d KiB each, and after each one the program works for %d ms.\n\n",
	       mib(FILE_BYTES), PARTS, PART_BYTES / 1024, WORK_US / 1000);
	printf("  %-22s %12s %12s %13s %10s\n", "", "first result", "all results", "from the file",
	       "GPU stalls");
	print_row("load all, then read", full, "-");
	print_lazy_row("gmmap", lazy);
	print_lazy_row("gmmap with a profile", profiled);
	printf("\n%llu page faults of the GPU were served; all %d parts are equal to the file's.\n"
	       "Times are those of an emulated GPU: compare them, do not quote them.\n",
	       lazy->stat.faults + profiled->stat.faults, 3 * PARTS);
}

static void demonstrate(struct demo *demo)
{
	struct result full = { 0 }, lazy = { 0 }, profiled = { 0 };

	choose_parts(demo);
	kfd_open(&demo->kfd);
	session_open(&demo->session, &demo->kfd);
	queue_create(&demo->queue, &demo->kfd, QUEUE_SDMA);
	kfd_bo_alloc(&demo->kfd, &demo->host, PART_BYTES, KFD_BO_GTT);
	from_the_start(demo, run_full, &full);
	from_the_start(demo, run_lazy, &lazy);
	from_the_start(demo, run_profiled, &profiled);
	print_table(&full, &lazy, &profiled);
	ksft_assert(lazy.file_bytes < FILE_BYTES / 8, "more was loaded than was read");
	ksft_assert(profiled.file_bytes <= lazy.file_bytes, "more was loaded than the profile has");
	/* Far sooner on a machine that does nothing else; the counts above do not depend on that. */
	ksft_assert(2 * lazy.first_us < full.first_us, "the first result came late");
	ksft_assert(10 * profiled.stat.faults <= lazy.stat.faults, "the profile was of no use");
	queue_destroy(&demo->queue);
	session_close(&demo->session);
	kfd_close(&demo->kfd);
}

int main(int argc, char **argv)
{
	static struct demo demo;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	demo.fd = make_file(argv[1]);
	demonstrate(&demo);
	return 0;
}
