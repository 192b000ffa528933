// SPDX-License-Identifier: MIT
/*
 * managed.hip - the CPU and the GPU take turns at the same pages. Usage: managed [ELEMENTS]
 *
 * With HSA_XNACK=1, and where the driver has SVM, pages move when they are touched: the GPU faults
 * on them. Memory of malloc() is then used the same way. Exits with 4 if the device has no managed
 * memory.
 */

#include "hip_check.h"

#include <string.h>

#define ROUNDS 3

__global__ void step(unsigned int *values, size_t elements)
{
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

	if (i < elements)
		values[i] = values[i] * 1664525u + 1013904223u;
}

/* The CPU does the same to every second value of its turn. */
static size_t take_turns(unsigned int *values, size_t elements)
{
	size_t wrong = 0;

	for (size_t i = 0; i < elements; i++)
		values[i] = (unsigned int)i;
	for (int round = 0; round < ROUNDS; round++) {
		step<<<(elements + 255) / 256, 256>>>(values, elements);
		HIP_CHECK(hipGetLastError());
		HIP_CHECK(hipDeviceSynchronize());
		for (size_t i = 0; i < elements; i += 2)
			values[i] = values[i] * 1664525u + 1013904223u;
	}
	for (size_t i = 0; i < elements; i++) {
		unsigned int expected = (unsigned int)i;

		for (int n = 0; n < (i % 2 ? ROUNDS : 2 * ROUNDS); n++)
			expected = expected * 1664525u + 1013904223u;
		wrong += values[i] != expected;
	}
	return wrong;
}

int main(int argc, char **argv)
{
	size_t elements = argc > 1 ? strtoull(argv[1], NULL, 0) : 100003;
	unsigned int *managed, *plain;
	int has_managed, has_pageable;
	size_t wrong;

	HIP_CHECK(hipDeviceGetAttribute(&has_managed, hipDeviceAttributeManagedMemory, 0));
	HIP_CHECK(hipDeviceGetAttribute(&has_pageable, hipDeviceAttributePageableMemoryAccess, 0));
	if (!has_managed) {
		printf("managed: the device has no managed memory\n");
		return 4;
	}
	HIP_CHECK(hipMallocManaged(&managed, elements * sizeof(*managed)));
	wrong = take_turns(managed, elements);
	printf("managed: %zu elements of hipMallocManaged, %zu wrong\n", elements, wrong);
	HIP_CHECK(hipFree(managed));
	if (has_pageable) {
		size_t wrong_plain;

		plain = (unsigned int *)malloc(elements * sizeof(*plain));
		if (!plain) {
			perror("malloc");
			return 1;
		}
		wrong_plain = take_turns(plain, elements);
		printf("managed: %zu elements of malloc, %zu wrong\n", elements, wrong_plain);
		wrong += wrong_plain;
		free(plain);
	} else {
		printf("managed: the GPU does not reach memory of malloc\n");
	}
	return wrong != 0;
}
