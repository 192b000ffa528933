// SPDX-License-Identifier: MIT
/*
 * sgemm.hip - C = alpha A B + beta C through LDS, checked on the CPU
 *
 * Usage: sgemm [ROWS COLUMNS DEPTH [REPETITIONS]]
 *
 * Each repetition starts from the same C; all must give the same bits. An element may differ from
 * the CPU's by 1e-6 of the sum of its products' sizes.
 */

#include "hip_check.h"
#include "random.h"
#include "sgemm_tile.h"

#include <cmath>
#include <cstring>
#include <vector>

static const float alpha = 0.75f, beta = -0.5f;

__global__ void __launch_bounds__(TILE_BLOCK)
	sgemm(const float *a, const float *b, float *c, unsigned int rows, unsigned int columns,
	      unsigned int depth, float alpha, float beta)
{
	unsigned int row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
	struct tile tile = multiply_tile(a, b, rows, columns, depth, row0, column0);
	unsigned int y = row0 + threadIdx.x / (TILE / TILE_EDGE) * TILE_EDGE;
	unsigned int x = column0 + threadIdx.x % (TILE / TILE_EDGE) * TILE_EDGE;

	/* Unrolled, or else the tile would be indexed and thus lie in scratch memory. */
#pragma unroll
	for (unsigned int i = 0; i < TILE_EDGE; i++) {
#pragma unroll
		for (unsigned int j = 0; j < TILE_EDGE; j++) {
			float *element = &c[(size_t)(y + i) * columns + x + j];

			if (y + i < rows && x + j < columns)
				*element = alpha * tile.element[i][j] + beta * *element;
		}
	}
}

struct matrices {
	unsigned int rows, columns, depth;
	std::vector<float> a, b, c;
};

static size_t count_wrong(const struct matrices *m, const std::vector<float> &result)
{
	size_t wrong = 0;

	for (unsigned int i = 0; i < m->rows; i++) {
		for (unsigned int j = 0; j < m->columns; j++) {
			size_t at = (size_t)i * m->columns + j;
			double sum = 0, size = fabs(beta * m->c[at]);

			for (unsigned int k = 0; k < m->depth; k++) {
				double product = (double)m->a[(size_t)i * m->depth + k] *
						 m->b[(size_t)k * m->columns + j];

				sum += product;
				size += fabs(product);
			}
			sum = alpha * sum + beta * m->c[at];
			/* Negated, so that a NaN counts as well. */
			wrong += !(fabs(result[at] - sum) <= 1e-6 * size);
		}
	}
	return wrong;
}

static std::vector<float> random_matrix(uint64_t seed, size_t elements)
{
	std::vector<float> matrix(elements);

	for (size_t i = 0; i < elements; i++)
		matrix[i] = random_value(seed, i);
	return matrix;
}

static float *to_device(const std::vector<float> &matrix)
{
	float *device;

	HIP_CHECK(hipMalloc(&device, matrix.size() * sizeof(float)));
	HIP_CHECK(hipMemcpy(device, matrix.data(), matrix.size() * sizeof(float),
			    hipMemcpyHostToDevice));
	return device;
}

int main(int argc, char **argv)
{
	struct matrices m = { 130, 100, 70, {}, {}, {} };
	unsigned int repetitions = argc > 4 ? strtoul(argv[4], NULL, 0) : 2;
	size_t bytes, wrong = 0, different = 0;
	std::vector<float> first, result;
	float *a, *b, *c;

	if (argc > 3) {
		m.rows = strtoul(argv[1], NULL, 0);
		m.columns = strtoul(argv[2], NULL, 0);
		m.depth = strtoul(argv[3], NULL, 0);
	}
	m.a = random_matrix(4, (size_t)m.rows * m.depth);
	m.b = random_matrix(5, (size_t)m.depth * m.columns);
	m.c = random_matrix(6, (size_t)m.rows * m.columns);
	bytes = m.c.size() * sizeof(float);
	a = to_device(m.a);
	b = to_device(m.b);
	c = to_device(m.c);
	result.resize(m.c.size());
	for (unsigned int i = 0; i < repetitions; i++) {
		dim3 blocks((m.columns + TILE - 1) / TILE, (m.rows + TILE - 1) / TILE);

		if (i)
			HIP_CHECK(hipMemcpy(c, m.c.data(), bytes, hipMemcpyHostToDevice));
		sgemm<<<blocks, TILE_BLOCK>>>(a, b, c, m.rows, m.columns, m.depth, alpha, beta);
		HIP_CHECK(hipGetLastError());
		HIP_CHECK(hipMemcpy(result.data(), c, bytes, hipMemcpyDeviceToHost));
		if (i)
			different += memcmp(result.data(), first.data(), bytes) != 0;
		else
			first = result;
	}
	wrong = count_wrong(&m, first);
	printf("sgemm: %u x %u x %u, %zu wrong, %zu of %u repetitions differ\n", m.rows, m.columns,
	       m.depth, wrong, different, repetitions);
	HIP_CHECK(hipFree(a));
	HIP_CHECK(hipFree(b));
	HIP_CHECK(hipFree(c));
	return wrong || different;
}
