// SPDX-License-Identifier: MIT
/*
 * How fast POPULATE fills, beside a bare copy from memory of the size of its staging memory. With the
 * link paced at half of what the kernel reads the file with, it has to keep the link busy; unpaced, it
 * shows what the CPU's part costs.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "ksft.h"

#define FILE_BYTES    (64 * MIB)
#define PIECE_BYTES   (2 * MIB)
#define PIECES        4
#define ROUNDS        3

/* Loads read_speed.ko, whose parameter tells. */
static uint64_t kernel_read_us(struct bench_file *file, bool direct)
{
	unsigned long long us;
	char command[1024];
	FILE *f;

	bench_file_drop(file);
	snprintf(command, sizeof(command), "insmod %s path=%s direct=%d && cat "
		 "/sys/module/read_speed/parameters/us && rmmod read_speed", getenv("READ_SPEED_KO"),
		 file->path, direct);
	f = popen(command, "r");
	ksft_assert(f && fscanf(f, "%llu", &us) == 1 && !pclose(f), "%s", command);
	return us;
}

static uint64_t copy_us(struct bench *bench, const struct kfd_bo *staging,
			const struct kfd_bo *vram)
{
	uint32_t fence[PIECES] = { 0 };
	uint64_t begin = ksft_now_us();

	for (uint64_t at = 0, i = 0; at < FILE_BYTES; at += PIECE_BYTES, i = (i + 1) % PIECES) {
		if (fence[i])
			queue_wait(&bench->queue, fence[i]);
		queue_copy(&bench->queue, vram->va + at, staging->va + i * PIECE_BYTES, PIECE_BYTES);
		fence[i] = queue_fence(&bench->queue);
	}
	queue_finish(&bench->queue);
	return ksft_now_us() - begin;
}

static uint64_t populate_us(struct bench *bench, const struct bench_file *file, bool direct,
			    const struct kfd_bo *vram)
{
	int fd = bench_file_reopen(file, O_RDONLY | (direct ? O_DIRECT : 0));
	struct gmmap_range range = { 0 };
	uint64_t begin, us;

	bench_file_drop(file);
	range.mapping_id = session_map_file(&bench->session, vram, fd, 0);
	begin = ksft_now_us();
	session_populate(&bench->session, &range, 1);
	ksft_assert(!session_try_wait(&bench->session, range.mapping_id, -1), "WAIT failed");
	us = ksft_now_us() - begin;
	ksft_assert(!session_try_unmap(&bench->session, range.mapping_id, 0), "UNMAP failed");
	close(fd);
	return us;
}

/* rates MODE PACE LINK READ COPY POPULATE RATIO: MiB/s; medians */
static void compare(struct bench *bench, struct bench_file *file, bool direct, bool paced,
		    uint64_t read_us)
{
	uint64_t copies[ROUNDS], populates[ROUNDS], copy, populate;
	uint64_t link = paced ? FILE_BYTES * 1000000 / read_us / 2 : 0;
	struct kfd_bo staging, vram;

	kfd_bo_alloc(&bench->kfd, &staging, PIECES * PIECE_BYTES, KFD_BO_GTT);
	kfd_bo_alloc(&bench->kfd, &vram, FILE_BYTES, KFD_BO_VRAM);
	memset(staging.cpu, 1, staging.bytes);
	bench_link(link);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		copies[i] = copy_us(bench, &staging, &vram);
		populates[i] = populate_us(bench, file, direct, &vram);
	}
	bench_link(0);
	copy = bench_median(copies, ROUNDS);
	populate = bench_median(populates, ROUNDS);
	printf("rates %s %s %.1f %.1f %.1f %.1f %.3f\n", direct ? "direct" : "buffered",
	       paced ? "paced" : "unpaced", (double)link / MIB, bench_rate(FILE_BYTES, read_us),
	       bench_rate(FILE_BYTES, copy), bench_rate(FILE_BYTES, populate),
	       (double)copy / (double)populate);
	for (uint32_t i = 0; i < FILE_BYTES / GRANULE_BYTES; i += 37) {
		queue_copy(&bench->queue, staging.va, vram.va + (uint64_t)i * GRANULE_BYTES,
			   GRANULE_BYTES);
		queue_finish(&bench->queue);
		bench_check(file, staging.cpu, i);
	}
	kfd_bo_free(&bench->kfd, &vram);
	kfd_bo_free(&bench->kfd, &staging);
}

void measure_rates(struct bench *bench)
{
	struct bench_file file;

	bench_file_create(&file, bench->folder, FILE_BYTES, 1, NULL, 0);
	for (unsigned int direct = 0; direct < 2; direct++) {
		uint64_t reads[ROUNDS], read;

		for (unsigned int i = 0; i < ROUNDS; i++)
			reads[i] = kernel_read_us(&file, direct);
		read = bench_median(reads, ROUNDS);
		compare(bench, &file, direct, true, read);
		compare(bench, &file, direct, false, read);
	}
	bench_file_destroy(&file);
}
