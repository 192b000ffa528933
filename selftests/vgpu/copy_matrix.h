/* SPDX-License-Identifier: MIT */
/* The same copies and fills for each type of queue, between all kinds of memory. */
#ifndef SELFTESTS_COPY_MATRIX_H
#define SELFTESTS_COPY_MATRIX_H

#include "queue.h"

/*
 * Copies 1 byte to 16 MiB between VRAM, GTT and userptr memory, all nine pairs, at random offsets,
 * and compares every byte, and those around the destination.
 */
void copy_matrix_run(enum queue_type type, uint64_t seed);

/* The same for constant fills of 4 bytes to 16 MiB. */
void fill_matrix_run(enum queue_type type, uint64_t seed);

/* Copies on a ring that is so small that it wraps every few packets. */
void copy_small_ring_run(enum queue_type type, unsigned int copies);

#endif
