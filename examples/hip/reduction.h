/* SPDX-License-Identifier: MIT */
/* reduction.h - a value from all lanes of a wave, and from all waves of a block */
#ifndef EXAMPLES_REDUCTION_H
#define EXAMPLES_REDUCTION_H

#include <hip/hip_runtime.h>

struct add {
	__device__ static float of(float a, float b)
	{
		return a + b;
	}
};

struct maximum {
	__device__ static float of(float a, float b)
	{
		return fmaxf(a, b);
	}
};

/* Every lane gets the result. */
template <typename Operation> __device__ float reduce_wave(float value)
{
	for (int distance = warpSize / 2; distance > 0; distance /= 2)
		value = Operation::of(value, __shfl_xor(value, distance));
	return value;
}

/*
 * Every thread gets the result. The block has BLOCK threads, a multiple of the wave's, and all of
 * them call it.
 */
template <typename Operation, int BLOCK> __device__ float reduce_block(float value)
{
	__shared__ float of_wave[BLOCK / 64];

	value = reduce_wave<Operation>(value);
	__syncthreads(); /* an earlier result has been read */
	if (threadIdx.x % 64 == 0)
		of_wave[threadIdx.x / 64] = value;
	__syncthreads();
	value = of_wave[0];
	for (int i = 1; i < BLOCK / 64; i++)
		value = Operation::of(value, of_wave[i]);
	return value;
}

#endif
