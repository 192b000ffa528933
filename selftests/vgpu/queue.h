/* SPDX-License-Identifier: MIT */
/*
 * A user queue of KFD: SDMA, PM4 compute or AQL compute. Packets go to the ring with queue_emit() or
 * aql_emit(), which wait for room; queue_submit() rings the doorbell. queue_copy(), queue_fill() and
 * queue_fence() do the same thing with each type's packets, so that tests need not know the type.
 */
#ifndef SELFTESTS_QUEUE_H
#define SELFTESTS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "aql_packets.h"
#include "kfd.h"

enum queue_type {
	QUEUE_SDMA,
	QUEUE_PM4,
	QUEUE_AQL,
	QUEUE_TYPES,
};

struct queue {
	struct kfd *kfd;
	enum queue_type type;
	uint32_t id;
	uint32_t ring_bytes;
	struct kfd_bo ring;
	struct kfd_bo pointers; /* an amd_queue_t: write_dispatch_id, read_dispatch_id */
	struct kfd_bo eop;
	struct kfd_bo cwsr;     /* bytes 0: the caller's */
	struct kfd_bo ib;       /* AQL: one indirect buffer for each slot of the ring */
	struct kfd_bo sync;     /* fence and completion signal */
	uint64_t wptr;          /* of the next packet: SDMA bytes, PM4 dwords, AQL packets */
	uint32_t fences;        /* emitted */
	volatile uint64_t *doorbell;
};

struct queue_config {
	enum queue_type type;
	uint32_t ring_bytes;       /* 0: 64 KiB, AQL 4 KiB (64 packets) */
	const struct kfd_bo *cwsr; /* shared with other queues that run no waves; NULL: its own */
};

#define QUEUE_WAIT_MS 60000 /* for one fence: a software GPU with many processes is slow */

const char *queue_type_name(enum queue_type type);
uint64_t queue_cwsr_bytes(const struct kfd *kfd);

/* Returns 0 or the -errno of CREATE_QUEUE; other errors fail the test. */
int queue_try_create(struct queue *queue, struct kfd *kfd, const struct queue_config *config);
void queue_create(struct queue *queue, struct kfd *kfd, enum queue_type type);
void queue_destroy(struct queue *queue);
/* 0 stops the queue, 100 lets it run. */
void queue_update(struct queue *queue, uint32_t percentage);

/* For SDMA and PM4: copies a packet to the ring. The GPU sees it at queue_submit(). */
void queue_emit(struct queue *queue, const uint32_t *dw, unsigned int count);
/* For AQL: the same for one packet. Returns the packet's index. */
uint64_t aql_emit(struct queue *queue, const union aql_packet *packet);
void queue_submit(struct queue *queue);
uint64_t queue_rptr(const struct queue *queue); /* as the GPU last reported it */

void queue_copy(struct queue *queue, uint64_t dst, uint64_t src, uint64_t bytes);
void queue_fill(struct queue *queue, uint64_t dst, uint32_t value, uint64_t bytes);
/* Halts the queue until the dword at va is at least value. */
void queue_wait_mem(struct queue *queue, uint64_t va, uint32_t value);
/* Emits a fence and submits; returns its number for queue_wait(). */
uint32_t queue_fence(struct queue *queue);
bool queue_fence_done(const struct queue *queue, uint32_t fence);
bool queue_wait_for(struct queue *queue, uint32_t fence, unsigned int limit_ms);
/* Fails the test with the state of the queue if the fence does not come in QUEUE_WAIT_MS. */
void queue_wait(struct queue *queue, uint32_t fence);
void queue_finish(struct queue *queue); /* a fence and its wait */

#endif
