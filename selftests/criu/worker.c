// SPDX-License-Identifier: MIT
/*
 * worker [LARGE_MIB [SMALL]]  A process that is checkpointed: one large buffer in VRAM, one that the CPU
 * cannot reach, many small ones, memory of the host, an SDMA queue, an event. It prints "ready"; at
 * each SIGUSR1 it compares all content, by the GPU and by the CPU, with what it wrote, prints
 * "checked" and writes something else. At SIGTERM it ends with 0.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kfd.h"
#include "ksft.h"
#include "pattern.h"
#include "queue.h"

#define KFD_BO_VRAM_HIDDEN (KFD_BO_ACCESS | KFD_IOC_ALLOC_MEM_FLAGS_VRAM)
#define HIDDEN_BYTES       (3u << 20)
#define STAGING_BYTES      (4u << 20)
#define MAX_SMALL          1000

struct content {
	struct kfd_bo bo;
};

struct worker {
	struct kfd kfd;
	struct queue queue;
	struct kfd_bo staging;
	struct kfd_event event;
	struct content contents[MAX_SMALL + 8];
	unsigned int count;
	uint64_t seed;
};

static struct kfd_bo *add(struct worker *worker)
{
	struct content *content = &worker->contents[worker->count++];

	return &content->bo;
}

static void allocate(struct worker *worker, uint64_t large_bytes, unsigned int small)
{
	struct kfd *kfd = &worker->kfd;
	uint64_t bytes = 1 << 20;
	void *user = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ksft_assert(user != MAP_FAILED, "no memory");
	kfd_bo_alloc(kfd, &worker->staging, STAGING_BYTES, KFD_BO_GTT);
	kfd_bo_alloc(kfd, add(worker), large_bytes, KFD_BO_VRAM);
	kfd_bo_alloc(kfd, add(worker), HIDDEN_BYTES, KFD_BO_VRAM_HIDDEN);
	kfd_bo_alloc(kfd, add(worker), 1 << 20, KFD_BO_GTT);
	kfd_bo_userptr(kfd, add(worker), user, bytes);
	for (unsigned int i = 0; i < small; i++)
		kfd_bo_alloc(kfd, add(worker), 4096u * (1 + i % 40), KFD_BO_VRAM);
	kfd_event_create(kfd, &worker->event, KFD_IOC_EVENT_SIGNAL);
	queue_create(&worker->queue, kfd, QUEUE_SDMA);
}

static uint64_t part_of(const struct kfd_bo *bo, uint64_t offset)
{
	return bo->bytes - offset < STAGING_BYTES ? bo->bytes - offset : STAGING_BYTES;
}

/* The second quarter of each buffer of more than a few granules is zeros. */
static void expected(void *data, const struct worker *worker, unsigned int index, uint64_t offset,
		     uint64_t bytes)
{
	const struct kfd_bo *bo = &worker->contents[index].bo;
	uint64_t begin = bo->bytes / 4, end = bo->bytes / 2;

	pattern_fill(data, bytes, worker->seed + (uint64_t)index * 1000003 + offset);
	if (bo->bytes < 1 << 20 || end <= offset || begin >= offset + bytes)
		return;
	begin = begin > offset ? begin - offset : 0;
	end = end - offset < bytes ? end - offset : bytes;
	memset((uint8_t *)data + begin, 0, end - begin);
}

static void write_all(struct worker *worker)
{
	for (unsigned int i = 0; i < worker->count; i++) {
		const struct kfd_bo *bo = &worker->contents[i].bo;

		for (uint64_t offset = 0; offset < bo->bytes; offset += STAGING_BYTES) {
			uint64_t bytes = part_of(bo, offset);

			expected(worker->staging.cpu, worker, i, offset, bytes);
			queue_copy(&worker->queue, bo->va + offset, worker->staging.va, bytes);
			queue_finish(&worker->queue);
		}
	}
	kfd_hdp_flush(&worker->kfd);
}

static void check_part(struct worker *worker, unsigned int index, uint64_t offset,
		       const uint8_t *wanted)
{
	const struct kfd_bo *bo = &worker->contents[index].bo;
	const uint8_t *got = worker->staging.cpu;
	uint64_t bytes = part_of(bo, offset);

	memset(worker->staging.cpu, 0xee, bytes);
	queue_copy(&worker->queue, worker->staging.va, bo->va + offset, bytes);
	queue_finish(&worker->queue);
	for (uint64_t i = 0; memcmp(got, wanted, bytes) && i < bytes; i++)
		ksft_assert(got[i] == wanted[i], "buffer %u, byte %llu: the GPU reads 0x%02x, not 0x%02x",
			    index, (unsigned long long)(offset + i), got[i], wanted[i]);
	if (bo->cpu)
		ksft_assert(!memcmp((uint8_t *)bo->cpu + offset, wanted, bytes),
			    "buffer %u at %llu: the CPU reads something else", index,
			    (unsigned long long)offset);
}

static void check_all(struct worker *worker)
{
	uint8_t *wanted = malloc(STAGING_BYTES);

	for (unsigned int i = 0; i < worker->count; i++) {
		const struct kfd_bo *bo = &worker->contents[i].bo;

		for (uint64_t offset = 0; offset < bo->bytes; offset += STAGING_BYTES) {
			expected(wanted, worker, i, offset, part_of(bo, offset));
			check_part(worker, i, offset, wanted);
		}
	}
	free(wanted);
}

static void say(const char *what)
{
	ksft_assert(write(STDOUT_FILENO, what, strlen(what)) == (ssize_t)strlen(what), "stdout");
}

int main(int argc, char **argv)
{
	uint64_t large = (uint64_t)(argc > 1 ? atoi(argv[1]) : 16) << 20;
	unsigned int small = argc > 2 ? (unsigned int)atoi(argv[2]) : 20;
	static struct worker worker = { .seed = 1 };
	sigset_t signals;
	int number;

	if (!large || small > MAX_SMALL)
		return 2;
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	kfd_open(&worker.kfd);
	allocate(&worker, large, small);
	write_all(&worker);
	say("ready\n");
	while (!sigwait(&signals, &number) && number == SIGUSR1) {
		check_all(&worker);
		worker.seed++;
		write_all(&worker);
		say("checked\n");
	}
	return 0;
}
