/* SPDX-License-Identifier: MIT */
/* Kernels for gfx906: code in memory, dispatches on an AQL queue. */
#ifndef SELFTESTS_SHADER_H
#define SELFTESTS_SHADER_H

#include <stdbool.h>

#include "queue.h"

#define SHADER_GFX_TARGET_VERSION 90006 /* what the kernels are assembled for */
#define SHADER_ARGUMENTS	  2

/*
 * Starts with the address of the arguments in s[0:1], the number of the group in s2, and that of
 * the item in v0. It has 8 VGPRs and 16 SGPRs.
 */
struct shader_code {
	const uint32_t *dwords;
	unsigned int count;
};

/* A kernel in memory of its own, with its arguments and its completion signal. */
struct shader_kernel {
	struct kfd *kfd;
	struct kfd_bo image;
};

void shader_load(struct shader_kernel *kernel, struct kfd *kfd, const struct shader_code *code);
void shader_unload(struct shader_kernel *kernel);

/* Dispatches groups of size items; lds_bytes is the memory of a group. */
void shader_dispatch(struct shader_kernel *kernel, struct queue *queue, uint32_t groups,
		     uint32_t size, uint32_t lds_bytes, const uint64_t arguments[SHADER_ARGUMENTS]);
bool shader_is_done(const struct shader_kernel *kernel);
/* Waits until it is; returns whether it is. */
bool shader_wait(const struct shader_kernel *kernel, unsigned int limit_ms);

#endif
