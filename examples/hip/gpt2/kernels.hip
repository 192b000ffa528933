// SPDX-License-Identifier: MIT
/* kernels.hip - the steps of GPT-2 as kernels, see kernels.h */

#include "kernels.h"

#include "../hip_check.h"
#include "../reduction.h"

#define BLOCK 256
#define WAVE 64
#define WAVES (BLOCK / WAVE)

static unsigned int parts(unsigned int whole, unsigned int part)
{
	return (whole + part - 1) / part;
}

/* blockIdx.y is the row. */
__global__ void __launch_bounds__(BLOCK)
	embed(const unsigned int *__restrict__ tokens, unsigned int first,
	      const float *__restrict__ token_embedding,
	      const float *__restrict__ position_embedding, float *__restrict__ out,
	      unsigned int width)
{
	unsigned int i = blockIdx.x * BLOCK + threadIdx.x, row = blockIdx.y;

	if (i < width)
		out[(size_t)row * width + i] =
			token_embedding[(size_t)tokens[row] * width + i] +
			position_embedding[(size_t)(first + row) * width + i];
}

void embed_launch(const unsigned int *tokens, unsigned int first, const float *token_embedding,
		  const float *position_embedding, float *out, unsigned int rows,
		  unsigned int width)
{
	embed<<<dim3(parts(width, BLOCK), rows), BLOCK>>>(tokens, first, token_embedding,
							  position_embedding, out, width);
	HIP_CHECK(hipGetLastError());
}

/* One block a row. */
__global__ void __launch_bounds__(BLOCK)
	normalize(const float *__restrict__ in, const float *__restrict__ weight,
		  const float *__restrict__ bias, float *__restrict__ out, unsigned int width)
{
	float sum = 0, mean, scale;

	in += (size_t)blockIdx.x * width;
	out += (size_t)blockIdx.x * width;
	for (unsigned int i = threadIdx.x; i < width; i += BLOCK)
		sum += in[i];
	mean = reduce_block<add, BLOCK>(sum) / (float)width;
	sum = 0;
	for (unsigned int i = threadIdx.x; i < width; i += BLOCK)
		sum += (in[i] - mean) * (in[i] - mean);
	scale = rsqrtf(reduce_block<add, BLOCK>(sum) / (float)width + GPT2_EPSILON);
	for (unsigned int i = threadIdx.x; i < width; i += BLOCK)
		out[i] = (in[i] - mean) * scale * weight[i] + bias[i];
}

void normalize_launch(const float *in, const float *weight, const float *bias, float *out,
		      unsigned int rows, unsigned int width)
{
	normalize<<<rows, BLOCK>>>(in, weight, bias, out, width);
	HIP_CHECK(hipGetLastError());
}

/* The approximation of GELU that GPT-2 uses. */
__device__ static inline float gelu(float x)
{
	return 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}

/*
 * A block computes 64 outputs of all rows. Each of its waves takes a part of the inputs, lane by
 * lane one output, so that a weight is read once for all rows; the parts are added up in LDS.
 */
template <unsigned int ROWS>
__global__ void __launch_bounds__(BLOCK)
	multiply(const float *__restrict__ in, const float *__restrict__ weight,
		 const float *__restrict__ bias, float *out, unsigned int rows, unsigned int inputs,
		 unsigned int outputs, enum epilogue epilogue)
{
	__shared__ float part[WAVES][ROWS][WAVE];
	/* The same in all lanes, but the compiler cannot know; inputs are then scalar loads. */
	unsigned int wave = __builtin_amdgcn_readfirstlane(threadIdx.x / WAVE);
	unsigned int lane = threadIdx.x % WAVE, column = blockIdx.x * WAVE + lane;
	unsigned int share = (inputs + WAVES - 1) / WAVES;
	unsigned int end = min(inputs, (wave + 1) * share);
	float sum[ROWS] = {};

	for (unsigned int k = wave * share; k < end; k++) {
		float w = column < outputs ? weight[(size_t)k * outputs + column] : 0.0f;

#pragma unroll
		for (unsigned int r = 0; r < ROWS; r++)
			sum[r] += in[(size_t)min(r, rows - 1) * inputs + k] * w;
	}
#pragma unroll
	for (unsigned int r = 0; r < ROWS; r++)
		part[wave][r][lane] = sum[r];
	__syncthreads();
	if (column >= outputs)
		return;
	for (unsigned int r = wave; r < rows; r += WAVES) {
		float *to = &out[(size_t)r * outputs + column];
		float value = bias[column];

		for (unsigned int i = 0; i < WAVES; i++)
			value += part[i][r][lane];
		if (epilogue == STORE_GELU)
			value = gelu(value);
		else if (epilogue == ADD_TO)
			value += *to;
		*to = value;
	}
}

void multiply_launch(const float *in, const float *weight, const float *bias, float *out,
		     unsigned int rows, unsigned int inputs, unsigned int outputs,
		     enum epilogue epilogue)
{
	unsigned int blocks = parts(outputs, WAVE);

	if (rows == 1)
		multiply<1><<<blocks, BLOCK>>>(in, weight, bias, out, rows, inputs, outputs,
					       epilogue);
	else
		multiply<GPT2_ROWS><<<blocks, BLOCK>>>(in, weight, bias, out, rows, inputs, outputs,
						       epilogue);
	HIP_CHECK(hipGetLastError());
}

/* blockIdx.y is the row. */
__global__ void __launch_bounds__(BLOCK)
	remember(const float *__restrict__ qkv, float *__restrict__ keys, float *__restrict__ values,
		 unsigned int first, unsigned int width)
{
	unsigned int i = blockIdx.x * BLOCK + threadIdx.x, row = blockIdx.y;
	const float *from = qkv + (size_t)row * 3 * width;

	if (i >= width)
		return;
	keys[(size_t)(first + row) * width + i] = from[width + i];
	values[(size_t)(first + row) * width + i] = from[2 * width + i];
}

/* A block is one head of one row: a softmax over all positions up to the row's own. */
__global__ void __launch_bounds__(BLOCK)
	attend(const float *__restrict__ qkv, const float *__restrict__ keys,
	       const float *__restrict__ values, float *__restrict__ out, unsigned int first,
	       unsigned int width)
{
	__shared__ float query[GPT2_HEAD], score[GPT2_MAX_CONTEXT], part[WAVES][GPT2_HEAD];
	unsigned int row = blockIdx.y, head = blockIdx.x * GPT2_HEAD;
	unsigned int positions = first + row + 1;
	unsigned int wave = threadIdx.x / WAVE, lane = threadIdx.x % WAVE;
	float largest = -INFINITY, total = 0, sum = 0;

	if (threadIdx.x < GPT2_HEAD)
		query[threadIdx.x] = qkv[(size_t)row * 3 * width + head + threadIdx.x];
	__syncthreads();
	for (unsigned int i = threadIdx.x; i < positions; i += BLOCK) {
		const float *key = keys + (size_t)i * width + head;
		float dot = 0;

		for (unsigned int k = 0; k < GPT2_HEAD; k++)
			dot += query[k] * key[k];
		score[i] = dot * rsqrtf(GPT2_HEAD);
		largest = fmaxf(largest, score[i]);
	}
	largest = reduce_block<maximum, BLOCK>(largest);
	for (unsigned int i = threadIdx.x; i < positions; i += BLOCK) {
		score[i] = expf(score[i] - largest);
		total += score[i];
	}
	total = reduce_block<add, BLOCK>(total);
	__syncthreads();
	for (unsigned int i = wave; i < positions; i += WAVES)
		sum += score[i] * values[(size_t)i * width + head + lane];
	part[wave][lane] = sum;
	__syncthreads();
	if (wave)
		return;
	for (unsigned int i = 1; i < WAVES; i++)
		sum += part[i][lane];
	out[(size_t)row * width + head + lane] = sum / total;
}

void attend_launch(const float *qkv, float *keys, float *values, float *out, unsigned int rows,
		   unsigned int first, unsigned int width)
{
	remember<<<dim3(parts(width, BLOCK), rows), BLOCK>>>(qkv, keys, values, first, width);
	HIP_CHECK(hipGetLastError());
	attend<<<dim3(width / GPT2_HEAD, rows), BLOCK>>>(qkv, keys, values, out, first, width);
	HIP_CHECK(hipGetLastError());
}

/* One wave a token of the vocabulary. The width is a multiple of 64. */
__global__ void __launch_bounds__(BLOCK)
	logits(const float *__restrict__ row, const float *__restrict__ token_embedding,
	       float *__restrict__ logits, unsigned int vocabulary, unsigned int width)
{
	unsigned int token = blockIdx.x * WAVES + threadIdx.x / WAVE, lane = threadIdx.x % WAVE;
	float sum = 0;

	if (token >= vocabulary)
		return;
	for (unsigned int k = lane; k < width; k += WAVE)
		sum += token_embedding[(size_t)token * width + k] * row[k];
	sum = reduce_wave<add>(sum);
	if (lane == 0)
		logits[token] = sum;
}

void logits_launch(const float *row, const float *token_embedding, float *to,
		   unsigned int vocabulary, unsigned int width)
{
	logits<<<parts(vocabulary, WAVES), BLOCK>>>(row, token_embedding, to, vocabulary, width);
	HIP_CHECK(hipGetLastError());
}
