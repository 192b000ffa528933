/* SPDX-License-Identifier: MIT */
/* A file of a known pattern that nobody has open for writing. */
#ifndef SELFTESTS_BACKING_H
#define SELFTESTS_BACKING_H

#include <stdint.h>

struct backing {
	int fd;         /* open for reading */
	uint64_t bytes;
	uint8_t *data;  /* a private copy of the content */
};

void backing_create(struct backing *backing, uint64_t bytes, uint64_t seed);
/* In this folder, and not in the page cache. */
void backing_create_in(struct backing *backing, const char *folder, uint64_t bytes, uint64_t seed);
void backing_destroy(struct backing *backing);
/* A descriptor for writing of the same file. */
int backing_open_for_writing(const struct backing *backing);

#endif
