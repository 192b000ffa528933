/* SPDX-License-Identifier: MIT */
/* Plain anonymous memory that the GPU reaches by faults, and what the driver tells about those. */
#ifndef SELFTESTS_SVM_MEMORY_H
#define SELFTESTS_SVM_MEMORY_H

#include <stdint.h>

#include "kfd.h"

/* Counts of the process's SMI events since svm_events_open(). */
struct svm_events {
	int fd;
	unsigned int faults;  /* of the GPU */
	unsigned int to_vram; /* migrations */
	unsigned int to_ram;
	uint64_t to_vram_pages;
};

void svm_events_open(struct svm_events *events, struct kfd *kfd);
void svm_events_close(struct svm_events *events);
/* Adds what came. Call it often: the kernel keeps the last 8 KiB of text only. */
void svm_events_read(struct svm_events *events);

/* Anonymous memory, aligned to 2 MiB, untouched. */
void *svm_map(uint64_t bytes);
void svm_unmap(void *memory, uint64_t bytes);
/* A fault brings in at most 2^order pages. */
void svm_set_granularity(struct kfd *kfd, void *memory, uint64_t bytes, unsigned int order);

#endif
