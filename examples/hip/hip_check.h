/* SPDX-License-Identifier: MIT */
/* hip_check.h - a call of HIP that fails ends the program and says which it was */
#ifndef EXAMPLES_HIP_CHECK_H
#define EXAMPLES_HIP_CHECK_H

#include <hip/hip_runtime.h>

#include <stdio.h>
#include <stdlib.h>

static inline void hip_check(hipError_t error, const char *call, const char *file, int line)
{
	if (error == hipSuccess)
		return;
	fprintf(stderr, "%s:%d: %s: %s\n", file, line, call, hipGetErrorString(error));
	exit(1);
}

#define HIP_CHECK(call) hip_check(call, #call, __FILE__, __LINE__)

#endif
