/* SPDX-License-Identifier: MIT */
/* One kernel dispatch. */
#ifndef SELFTESTS_SHADER_H
#define SELFTESTS_SHADER_H

#include <stdbool.h>

#include "queue.h"

#define SHADER_GFX_TARGET_VERSION 90006 /* what the kernel is assembled for */

struct shader_result {
	bool completed; /* the completion signal came */
	bool stored;    /* the kernel's result is in memory */
};

/* Dispatches a kernel on an AQL queue. If it is refused the queue can only be destroyed. */
struct shader_result shader_dispatch(struct queue *queue);

#endif
