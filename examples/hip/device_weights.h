/* SPDX-License-Identifier: MIT */
/* device_weights.h - the tensors of a file of weights in one piece of the GPU's memory */
#ifndef EXAMPLES_DEVICE_WEIGHTS_H
#define EXAMPLES_DEVICE_WEIGHTS_H

#include "hip_check.h"
#include "weights.h"

#include <algorithm>

/* Where the file's offset is in the GPU's memory that device_weights_load() returned. */
static inline const float *device_tensor(const float *memory, const struct weights *weights,
					 const struct tensor *tensor)
{
	return memory + (tensor->offset - weights->begin) / sizeof(float);
}

/* Loads all tensors by way of a small buffer. To be freed with hipFree(). */
static inline float *device_weights_load(const struct weights *weights)
{
	const uint64_t bytes = weights->end - weights->begin, step = 4 << 20;
	void *buffer;
	float *memory;

	HIP_CHECK(hipMalloc(&memory, bytes));
	HIP_CHECK(hipHostMalloc(&buffer, std::min(bytes, step), hipHostMallocDefault));
	for (uint64_t done = 0; done < bytes; done += step) {
		uint64_t part = std::min(bytes - done, step);

		weights_read(weights, buffer, weights->begin + done, part);
		HIP_CHECK(hipMemcpy((char *)memory + done, buffer, part, hipMemcpyHostToDevice));
	}
	HIP_CHECK(hipHostFree(buffer));
	return memory;
}

#endif
