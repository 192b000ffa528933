/* SPDX-License-Identifier: MIT */
/* The module's trace points, read from the kernel's trace buffer. For root. */
#ifndef SELFTESTS_TRACE_H
#define SELFTESTS_TRACE_H

#include <stdint.h>

/* One chunk that was loaded. */
struct trace_load {
	unsigned int mapping;
	unsigned int granule;
	unsigned int count;
	unsigned int loaded;
	char by[8];
	int error;
};

/* Skips the test if there is no tracing. The buffer is empty afterwards. */
void trace_start(void);
/* Stops, and returns the loads of this process in the order in which they ended, limit at most. */
unsigned int trace_stop(struct trace_load *loads, unsigned int limit);

#endif
