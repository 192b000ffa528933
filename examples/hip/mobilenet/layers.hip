// SPDX-License-Identifier: MIT
/* layers.hip - the layers of MobileNetV2 as kernels, see layers.h */

#include "layers.h"

#include "../hip_check.h"
#include "../reduction.h"
#include "../sgemm_tile.h"

#define BLOCK 256

__device__ static inline float activate(float value, bool relu6)
{
	return relu6 ? fminf(fmaxf(value, 0.0f), 6.0f) : value;
}

/* One thread an element of the output; blockIdx.y is its channel. */
template <bool DEPTHWISE>
__global__ void __launch_bounds__(BLOCK)
	filter(const float *__restrict__ in, const float *__restrict__ weight,
	       const float *__restrict__ bias, float *__restrict__ out, unsigned int channels,
	       unsigned int in_size, unsigned int out_size, unsigned int stride, bool relu6)
{
	unsigned int i = blockIdx.x * BLOCK + threadIdx.x, channel = blockIdx.y;
	unsigned int planes = DEPTHWISE ? 1 : channels;
	unsigned int row0 = i / out_size * stride - 1, column0 = i % out_size * stride - 1;
	float sum = bias[channel];

	if (i >= out_size * out_size)
		return;
	in += DEPTHWISE ? (size_t)channel * in_size * in_size : 0;
	weight += channel * planes * 9;
	for (unsigned int plane = 0; plane < planes; plane++) {
#pragma unroll
		for (unsigned int k = 0; k < 9; k++) {
			unsigned int row = row0 + k / 3, column = column0 + k % 3;

			/* Before the first row or column, these have wrapped around. */
			if (row < in_size && column < in_size)
				sum += weight[k] * in[row * in_size + column];
		}
		weight += 9;
		in += in_size * in_size;
	}
	out[(size_t)channel * out_size * out_size + i] = activate(sum, relu6);
}

/* A matrix product: weights (out by in channels) times activations (channels by pixels). */
__global__ void __launch_bounds__(TILE_BLOCK)
	pointwise(const float *__restrict__ in, const float *__restrict__ weight,
		  const float *__restrict__ bias, const float *residual, float *out,
		  unsigned int in_channels, unsigned int out_channels, unsigned int pixels,
		  bool relu6)
{
	unsigned int channel0 = blockIdx.y * TILE, pixel0 = blockIdx.x * TILE;
	struct tile tile = multiply_tile(weight, in, out_channels, pixels, in_channels, channel0,
					 pixel0);
	unsigned int y = channel0 + threadIdx.x / (TILE / TILE_EDGE) * TILE_EDGE;
	unsigned int x = pixel0 + threadIdx.x % (TILE / TILE_EDGE) * TILE_EDGE;

#pragma unroll
	for (unsigned int i = 0; i < TILE_EDGE; i++) {
#pragma unroll
		for (unsigned int j = 0; j < TILE_EDGE; j++) {
			size_t at = (size_t)(y + i) * pixels + x + j;
			float value = tile.element[i][j];

			if (y + i >= out_channels || x + j >= pixels)
				continue;
			value += bias[y + i] + (residual ? residual[at] : 0.0f);
			out[at] = activate(value, relu6);
		}
	}
}

/* One block a channel. */
__global__ void __launch_bounds__(BLOCK)
	pool(const float *__restrict__ in, float *__restrict__ out, unsigned int pixels)
{
	const float *plane = in + (size_t)blockIdx.x * pixels;
	float sum = 0;

	for (unsigned int i = threadIdx.x; i < pixels; i += BLOCK)
		sum += plane[i];
	sum = reduce_block<add, BLOCK>(sum);
	if (threadIdx.x == 0)
		out[blockIdx.x] = sum / (float)pixels;
}

/* One wave a class. */
__global__ void __launch_bounds__(BLOCK)
	classify(const float *__restrict__ in, const float *__restrict__ weight,
		 const float *__restrict__ bias, float *__restrict__ out, unsigned int channels,
		 unsigned int classes)
{
	unsigned int row = blockIdx.x * (BLOCK / 64) + threadIdx.x / 64;
	float sum = 0;

	if (row >= classes)
		return;
	for (unsigned int k = threadIdx.x % 64; k < channels; k += 64)
		sum += weight[(size_t)row * channels + k] * in[k];
	sum = reduce_wave<add>(sum);
	if (threadIdx.x % 64 == 0)
		out[row] = sum + bias[row];
}

static unsigned int parts(unsigned int whole, unsigned int part)
{
	return (whole + part - 1) / part;
}

void layer_launch(const struct layer *layer, const float *weight, const float *bias,
		  const float *source, const float *residual, float *target)
{
	unsigned int pixels = layer->out_size * layer->out_size;
	dim3 planes(parts(pixels, BLOCK), layer->out_channels);
	dim3 tiles(parts(pixels, TILE), parts(layer->out_channels, TILE));

	switch (layer->kind) {
	case LAYER_CONVOLUTION:
		filter<false><<<planes, BLOCK>>>(source, weight, bias, target, layer->in_channels,
						 layer->in_size, layer->out_size, layer->stride,
						 layer->relu6);
		break;
	case LAYER_DEPTHWISE:
		filter<true><<<planes, BLOCK>>>(source, weight, bias, target, layer->in_channels,
						layer->in_size, layer->out_size, layer->stride,
						layer->relu6);
		break;
	case LAYER_POINTWISE:
		pointwise<<<tiles, TILE_BLOCK>>>(source, weight, bias, residual, target,
						 layer->in_channels, layer->out_channels, pixels,
						 layer->relu6);
		break;
	case LAYER_POOL:
		pool<<<layer->out_channels, BLOCK>>>(source, target,
						     layer->in_size * layer->in_size);
		break;
	case LAYER_CLASSIFIER:
		classify<<<parts(layer->out_channels, BLOCK / 64), BLOCK>>>(
			source, weight, bias, target, layer->in_channels, layer->out_channels);
		break;
	}
	HIP_CHECK(hipGetLastError());
}
