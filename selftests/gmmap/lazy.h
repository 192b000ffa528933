/* SPDX-License-Identifier: MIT */
/* A VRAM buffer that is to be mapped to a file, and memory where the GPU copies what it reads. */
#ifndef SELFTESTS_LAZY_H
#define SELFTESTS_LAZY_H

#include "backing.h"
#include "kfd.h"
#include "queue.h"
#include "session.h"

struct lazy {
	struct kfd kfd;
	struct session session;
	struct backing file;
	struct kfd_bo vram;
	struct kfd_bo result; /* as large as vram, on the CPU */
	uint64_t mapping;
	uint64_t random;
};

void lazy_open(struct lazy *lazy, uint64_t bytes, uint64_t seed);
void lazy_map(struct lazy *lazy); /* the whole file to the whole buffer */
void lazy_close(struct lazy *lazy);

/* Has the GPU copy a part of the buffer to the same place of the result. */
void lazy_read_by(struct lazy *lazy, struct queue *queue, uint64_t offset, uint64_t bytes);
/* The result's part is what the file's copy in memory has. */
void lazy_assert_equal(const struct lazy *lazy, uint64_t offset, uint64_t bytes);
/* Both, for all of it. */
void lazy_check_all(struct lazy *lazy, struct queue *queue);

#endif
