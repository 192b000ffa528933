/* SPDX-License-Identifier: MIT */
/* A queue at work: copies GTT to VRAM and back, again and again, every byte compared. */
#ifndef SELFTESTS_LOAD_H
#define SELFTESTS_LOAD_H

#include "queue.h"

struct load {
	struct queue queue;
	struct kfd_bo source;
	struct kfd_bo vram;
	struct kfd_bo result;
	uint64_t seed;
	unsigned int rounds; /* begun */
};

#define LOAD_BYTES (64u << 10)

/* Returns 0 or the -errno of CREATE_QUEUE. */
int load_try_open(struct load *load, struct kfd *kfd, const struct queue_config *config,
		  uint64_t seed);
void load_open(struct load *load, struct kfd *kfd, const struct queue_config *config,
	       uint64_t seed);
void load_close(struct load *load);

/* Emits one round of new data and submits it; its end is queue.fences. */
void load_begin(struct load *load);
/* Waits for that and compares. */
void load_end(struct load *load);

#endif
