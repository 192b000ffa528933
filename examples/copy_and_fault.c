// SPDX-License-Identifier: MIT
/*
 * The smallest use of a GPU queue and of a GPU page fault, by KFD's ioctls alone: a copy between
 * buffers that KFD allocated, then the same copy between plain malloc'ed pages that the GPU has
 * never seen. The second one faults, the driver moves the pages to VRAM, the copy goes on.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ksft.h"
#include "queue.h"
#include "svm_memory.h"

#define BYTES (1u << 20)

static void fill(uint8_t *memory, uint8_t seed)
{
	for (uint32_t i = 0; i < BYTES; i++)
		memory[i] = (uint8_t)(seed + i * 31 + (i >> 8));
}

static uint64_t timed_copy(struct queue *queue, uint64_t dst, uint64_t src)
{
	uint64_t begin = ksft_now_us();

	queue_copy(queue, dst, src, BYTES);
	queue_finish(queue);
	return ksft_now_us() - begin;
}

static void copy_between_buffers(struct kfd *kfd, struct queue *queue)
{
	struct kfd_bo host, vram;
	uint64_t us;

	kfd_bo_alloc(kfd, &host, BYTES, KFD_BO_GTT);
	kfd_bo_alloc(kfd, &vram, BYTES, KFD_BO_VRAM);
	fill(host.cpu, 1);
	us = timed_copy(queue, vram.va, host.va);
	kfd_hdp_flush(kfd);
	printf("copy   1 MiB host -> VRAM at GPU address 0x%" PRIx64 ": %s, %" PRIu64 " us emulated\n",
	       vram.va, memcmp(host.cpu, vram.cpu, BYTES) ? "DATA DIFFERS" : "data equal", us);
	kfd_bo_free(kfd, &vram);
	kfd_bo_free(kfd, &host);
}

static int copy_with_faults(struct kfd *kfd, struct queue *queue)
{
	struct svm_events events;
	uint8_t *src = svm_map(BYTES), *dst = svm_map(BYTES);
	bool equal;
	uint64_t us;

	kfd_require_xnack(kfd);
	svm_events_open(&events, kfd);
	fill(src, 7);
	us = timed_copy(queue, (uintptr_t)dst, (uintptr_t)src);
	equal = !memcmp(src, dst, BYTES);
	svm_events_read(&events);
	printf("faults 1 MiB malloc'ed -> malloc'ed at 0x%" PRIxPTR ": %s, %" PRIu64
	       " us emulated\n"
	       "       %u GPU page faults served, %u ranges moved to VRAM, %u back for the CPU\n",
	       (uintptr_t)dst, equal ? "data equal" : "DATA DIFFERS", us, events.faults,
	       events.to_vram, events.to_ram);
	svm_events_close(&events);
	return equal && events.faults ? 0 : 1;
}

int main(void)
{
	struct kfd kfd;
	struct queue queue;
	int ret;

	kfd_open(&kfd);
	queue_create(&queue, &kfd, QUEUE_SDMA);
	printf("queue  user SDMA queue %u on GPU %u\n", queue.id, kfd.gpu.gpu_id);
	copy_between_buffers(&kfd, &queue);
	ret = copy_with_faults(&kfd, &queue);
	queue_destroy(&queue);
	kfd_close(&kfd);
	return ret;
}
