/* SPDX-License-Identifier: MIT */
/*
 * Who runs next: queues that can advance take turns in a random order with bursts of random length.
 * The seed makes a schedule repeatable as far as the guest's own timing is.
 */
#ifndef VGPU_SCHED_H
#define VGPU_SCHED_H

#include <stdint.h>

#include "queue.h"

struct vgpu;

struct sched {
	struct queue *queues[QUEUE_MAX]; /* the active ones */
	unsigned int num_queues;
	uint64_t random;
	uint64_t jitter_ns; /* longest random delay of a turn; 0: none */
};

/* Runs queues for about budget_ns. Returns when to call again: 0 at once, UINT64_MAX never. */
uint64_t sched_run(struct vgpu *dev, uint64_t budget_ns);
void sched_add(struct vgpu *dev, struct queue *q);
void sched_remove(struct vgpu *dev, struct queue *q);
uint32_t sched_random(struct vgpu *dev, uint32_t below);
/* A doorbell write of 4 or 8 bytes. */
void sched_doorbell(struct vgpu *dev, uint32_t offset, uint64_t value, uint32_t bytes);

#endif
