// SPDX-License-Identifier: MIT
/*
 * reduce.hip - sum and maximum of a vector, checked on the CPU. Usage: reduce [ELEMENTS]
 *
 * The values are multiples of 1/1024 and so few that no sum of them is rounded: the result must be
 * exact in whatever order they are added. Integers are added with atomics.
 */

#include "hip_check.h"
#include "random.h"
#include "reduction.h"

#include <algorithm>
#include <cmath>
#include <vector>

#define BLOCK 256

struct result {
	float sum;
	float maximum;
	unsigned long long integers;
};

/* Each block leaves its sum and maximum in partial; the last one to finish reduces those. */
__global__ void reduce(const float *values, size_t elements, float2 *partial,
		       unsigned int *finished, struct result *result)
{
	size_t stride = (size_t)gridDim.x * BLOCK;
	float sum = 0, largest = -INFINITY;
	__shared__ bool last;

	for (size_t i = (size_t)blockIdx.x * BLOCK + threadIdx.x; i < elements; i += stride) {
		sum += values[i];
		largest = fmaxf(largest, values[i]);
		atomicAdd(&result->integers, (unsigned long long)(values[i] * 1024.0f + 1024.0f));
	}
	sum = reduce_block<add, BLOCK>(sum);
	largest = reduce_block<maximum, BLOCK>(largest);
	if (threadIdx.x == 0) {
		partial[blockIdx.x] = make_float2(sum, largest);
		__threadfence();
		last = atomicInc(finished, gridDim.x - 1) == gridDim.x - 1;
	}
	__syncthreads();
	if (!last)
		return;
	__threadfence();
	sum = 0;
	largest = -INFINITY;
	for (unsigned int i = threadIdx.x; i < gridDim.x; i += BLOCK) {
		sum += partial[i].x;
		largest = fmaxf(largest, partial[i].y);
	}
	sum = reduce_block<add, BLOCK>(sum);
	largest = reduce_block<maximum, BLOCK>(largest);
	if (threadIdx.x == 0) {
		result->sum = sum;
		result->maximum = largest;
	}
}

int main(int argc, char **argv)
{
	size_t elements = argc > 1 ? strtoull(argv[1], NULL, 0) : 10007;
	unsigned int blocks = std::min<size_t>((elements + BLOCK - 1) / BLOCK, 128);
	std::vector<float> values(elements);
	struct result expected = { 0, -INFINITY, 0 }, result = {}, *device_result;
	unsigned int *finished;
	float *device_values;
	float2 *partial;
	bool good;

	if (!elements || elements > 16384) {
		fprintf(stderr, "reduce: ELEMENTS is 1 to 16384, so that the sum is exact\n");
		return 2;
	}
	for (size_t i = 0; i < elements; i++) {
		values[i] = floorf(random_value(3, i) * 1024.0f) / 1024.0f;
		expected.sum += values[i];
		expected.maximum = fmaxf(expected.maximum, values[i]);
		expected.integers += (unsigned long long)(values[i] * 1024.0f + 1024.0f);
	}
	HIP_CHECK(hipMalloc(&device_values, elements * sizeof(float)));
	HIP_CHECK(hipMalloc(&partial, blocks * sizeof(*partial)));
	HIP_CHECK(hipMalloc(&finished, sizeof(*finished)));
	HIP_CHECK(hipMalloc(&device_result, sizeof(*device_result)));
	HIP_CHECK(hipMemcpy(device_values, values.data(), elements * sizeof(float),
			    hipMemcpyHostToDevice));
	HIP_CHECK(hipMemset(finished, 0, sizeof(*finished)));
	HIP_CHECK(hipMemset(device_result, 0, sizeof(*device_result)));
	reduce<<<blocks, BLOCK>>>(device_values, elements, partial, finished, device_result);
	HIP_CHECK(hipGetLastError());
	HIP_CHECK(hipMemcpy(&result, device_result, sizeof(result), hipMemcpyDeviceToHost));

	good = result.sum == expected.sum && result.maximum == expected.maximum &&
	       result.integers == expected.integers;
	printf("reduce: %zu elements in %u blocks, sum %.9g of %.9g, maximum %.9g of %.9g, "
	       "integers %llu of %llu: %s\n",
	       elements, blocks, result.sum, expected.sum, result.maximum, expected.maximum,
	       result.integers, expected.integers, good ? "right" : "WRONG");
	HIP_CHECK(hipFree(device_values));
	HIP_CHECK(hipFree(partial));
	HIP_CHECK(hipFree(finished));
	HIP_CHECK(hipFree(device_result));
	return !good;
}
