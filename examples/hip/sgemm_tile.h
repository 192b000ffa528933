/* SPDX-License-Identifier: MIT */
/*
 * sgemm_tile.h - a tile of a matrix product, by one block of 256 threads
 *
 * The block computes 64 by 64 elements of A (rows x depth) times B (depth x columns), all
 * row-major. Slices of 16 of the depth pass through LDS; a thread keeps 4 by 4 elements in
 * registers.
 */
#ifndef EXAMPLES_SGEMM_TILE_H
#define EXAMPLES_SGEMM_TILE_H

#include <hip/hip_runtime.h>

#define TILE	   64
#define TILE_DEPTH 16
#define TILE_BLOCK 256
#define TILE_EDGE  4 /* elements of a thread in each direction */

struct tile {
	float element[TILE_EDGE][TILE_EDGE];
};

/* What lies outside of the matrices counts as zero. */
__device__ static inline void load_slice(float (*slice)[TILE], const float *from, unsigned int row0,
					 unsigned int rows, unsigned int column0,
					 unsigned int columns)
{
	for (unsigned int i = threadIdx.x; i < TILE_DEPTH * TILE; i += TILE_BLOCK) {
		unsigned int row = row0 + i / TILE, column = column0 + i % TILE;

		slice[i / TILE][i % TILE] = row < rows && column < columns
						    ? from[(size_t)row * columns + column]
						    : 0.0f;
	}
}

__device__ static inline void load_transposed(float (*slice)[TILE], const float *from,
					      unsigned int row0, unsigned int rows,
					      unsigned int column0, unsigned int columns)
{
	for (unsigned int i = threadIdx.x; i < TILE * TILE_DEPTH; i += TILE_BLOCK) {
		unsigned int row = row0 + i / TILE_DEPTH, column = column0 + i % TILE_DEPTH;

		slice[i % TILE_DEPTH][i / TILE_DEPTH] =
			row < rows && column < columns ? from[(size_t)row * columns + column]
						       : 0.0f;
	}
}

/* The thread's elements start at row and column (threadIdx.x / 16, threadIdx.x % 16) * 4 of the
 * tile. */
__device__ static inline struct tile multiply_tile(const float *a, const float *b,
						   unsigned int rows, unsigned int columns,
						   unsigned int depth, unsigned int row0,
						   unsigned int column0)
{
	__shared__ float a_slice[TILE_DEPTH][TILE], b_slice[TILE_DEPTH][TILE];
	unsigned int y = threadIdx.x / (TILE / TILE_EDGE) * TILE_EDGE;
	unsigned int x = threadIdx.x % (TILE / TILE_EDGE) * TILE_EDGE;
	struct tile tile = {};

	for (unsigned int k0 = 0; k0 < depth; k0 += TILE_DEPTH) {
		load_transposed(a_slice, a, row0, rows, k0, depth);
		load_slice(b_slice, b, k0, depth, column0, columns);
		__syncthreads();
#pragma unroll
		for (unsigned int k = 0; k < TILE_DEPTH; k++) {
			float4 left = *(const float4 *)&a_slice[k][y];
			float4 right = *(const float4 *)&b_slice[k][x];
			const float row[TILE_EDGE] = { left.x, left.y, left.z, left.w };
			const float column[TILE_EDGE] = { right.x, right.y, right.z, right.w };

#pragma unroll
			for (int i = 0; i < TILE_EDGE; i++)
#pragma unroll
				for (int j = 0; j < TILE_EDGE; j++)
					tile.element[i][j] += row[i] * column[j];
		}
		__syncthreads();
	}
	return tile;
}

#endif
