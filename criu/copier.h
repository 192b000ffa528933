/* SPDX-License-Identifier: MIT */
/*
 * Copies between buffers of KFD and memory of the CPU by the GPU's copy engine, through a render node
 * of its own. Pieces of any number of buffers are gathered in staging memory and go in one submission;
 * while the GPU works on one half of the staging memory, the caller works on the other.
 */
#ifndef GMMAP_CRIU_COPIER_H
#define GMMAP_CRIU_COPIER_H

#include <stdint.h>

#include "topology.h"

#define COPIER_BATCH_BYTES (4u << 20)
#define COPIER_MAX_PIECES  1024 /* of a batch */
#define GRANULE_BYTES      65536u

struct copier;

/* All functions return 0, or -1 after an error was logged, if not said otherwise. */
int copier_open(const struct gpu *gpu, struct copier **copier);
void copier_close(struct copier *copier);

/* Takes a buffer by its dmabuf, which may be closed afterwards. Returns its number or -1. */
int copier_add_buffer(struct copier *copier, int dmabuf_fd, uint64_t bytes);

/*
 * A batch: pieces, then copier_submit(). copier_piece() takes as much of *bytes as fits, in granules
 * if not all, and returns its place in the staging memory; NULL when the batch is full. That memory is
 * the caller's until the next but one copier_begin().
 */
enum copier_direction { COPIER_TO_STAGING, COPIER_FROM_STAGING };

void copier_begin(struct copier *copier, enum copier_direction direction);
void *copier_piece(struct copier *copier, int buffer, uint64_t offset, uint64_t *bytes);
int copier_submit(struct copier *copier);

/* Waits until the GPU has done all batches but the last waiting (0 or 1) ones. */
int copier_wait(struct copier *copier, unsigned int waiting);

#endif
