// SPDX-License-Identifier: MIT
/* vector_add.hip - c = a + b, checked on the CPU. Usage: vector_add [ELEMENTS] */

#include "hip_check.h"
#include "random.h"

#include <vector>

__global__ void vector_add(const float *a, const float *b, float *c, size_t elements)
{
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

	if (i < elements)
		c[i] = a[i] + b[i];
}

int main(int argc, char **argv)
{
	size_t elements = argc > 1 ? strtoull(argv[1], NULL, 0) : 100003;
	size_t bytes = elements * sizeof(float);
	std::vector<float> a(elements), b(elements), c(elements);
	float *device_a, *device_b, *device_c;
	size_t wrong = 0;

	for (size_t i = 0; i < elements; i++) {
		a[i] = random_value(1, i);
		b[i] = random_value(2, i);
	}
	HIP_CHECK(hipMalloc(&device_a, bytes));
	HIP_CHECK(hipMalloc(&device_b, bytes));
	HIP_CHECK(hipMalloc(&device_c, bytes));
	HIP_CHECK(hipMemcpy(device_a, a.data(), bytes, hipMemcpyHostToDevice));
	HIP_CHECK(hipMemcpy(device_b, b.data(), bytes, hipMemcpyHostToDevice));
	vector_add<<<(elements + 255) / 256, 256>>>(device_a, device_b, device_c, elements);
	HIP_CHECK(hipGetLastError());
	HIP_CHECK(hipMemcpy(c.data(), device_c, bytes, hipMemcpyDeviceToHost));

	for (size_t i = 0; i < elements; i++)
		wrong += c[i] != a[i] + b[i];
	printf("vector_add: %zu elements, %zu wrong\n", elements, wrong);
	HIP_CHECK(hipFree(device_a));
	HIP_CHECK(hipFree(device_b));
	HIP_CHECK(hipFree(device_c));
	return wrong != 0;
}
