// SPDX-License-Identifier: MIT
/*
 * reference.c - MobileNetV2 on the CPU, to check the GPU's answers against
 *
 * Usage: mobilenet_reference WEIGHTS IMAGE-SEED LOGITS
 *
 * Written for plainness. Sums are double, so that what differs is the GPU's rounding.
 */

#include "network.h"

#include "../weights.h"

#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct parameters {
	float *weight;
	float *bias;
};

static float *read_tensor(const struct weights *weights, unsigned int index, const char *layer,
			  const char *kind, uint64_t elements)
{
	const struct tensor *tensor;
	char name[32];
	float *data;

	snprintf(name, sizeof(name), "%s.%s", layer, kind);
	tensor = weights_tensor(weights, index, name, elements);
	data = malloc(tensor->bytes);
	if (!data)
		err(1, "%s", name);
	weights_read(weights, data, tensor->offset, tensor->bytes);
	return data;
}

static float finish(const struct layer *layer, double sum, const float *residual, size_t at)
{
	if (residual)
		sum += residual[at];
	return (float)(layer->relu6 ? fmin(fmax(sum, 0.0), 6.0) : sum);
}

/* 3 by 3: from all channels, or from the one of the same number. */
static void filter(const struct layer *layer, const struct parameters *p, const float *in,
		   float *out)
{
	unsigned int size = layer->in_size, channels = layer->in_channels;
	bool depthwise = layer->kind == LAYER_DEPTHWISE;
	const float *weight = p->weight;
	size_t at = 0;

	for (unsigned int c = 0; c < layer->out_channels;
	     c++, weight += depthwise ? 9 : channels * 9) {
		for (unsigned int y = 0; y < layer->out_size; y++) {
			for (unsigned int x = 0; x < layer->out_size; x++, at++) {
				double sum = p->bias[c];

				for (unsigned int k = 0; k < (depthwise ? 1 : channels) * 9; k++) {
					unsigned int row = y * layer->stride + k % 9 / 3 - 1;
					unsigned int column = x * layer->stride + k % 3 - 1;
					unsigned int plane = depthwise ? c : k / 9;

					if (row < size && column < size)
						sum += (double)weight[k] *
						       in[((size_t)plane * size + row) * size +
							  column];
				}
				out[at] = finish(layer, sum, NULL, at);
			}
		}
	}
}

/* Every pixel's channels from all of its channels; the classifier has one pixel. */
static void mix_channels(const struct layer *layer, const struct parameters *p, const float *in,
			 const float *residual, float *out)
{
	size_t pixels = (size_t)layer->out_size * layer->out_size;
	double *sum = malloc(pixels * sizeof(*sum));

	if (!sum)
		err(1, "%s", layer->name);
	for (unsigned int c = 0; c < layer->out_channels; c++) {
		for (size_t i = 0; i < pixels; i++)
			sum[i] = p->bias[c];
		for (unsigned int k = 0; k < layer->in_channels; k++) {
			double weight = p->weight[(size_t)c * layer->in_channels + k];

			for (size_t i = 0; i < pixels; i++)
				sum[i] += weight * in[k * pixels + i];
		}
		for (size_t i = 0; i < pixels; i++)
			out[c * pixels + i] = finish(layer, sum[i], residual, c * pixels + i);
	}
	free(sum);
}

static void pool(const struct layer *layer, const float *in, float *out)
{
	size_t pixels = (size_t)layer->in_size * layer->in_size;

	for (unsigned int c = 0; c < layer->out_channels; c++) {
		double sum = 0;

		for (size_t i = 0; i < pixels; i++)
			sum += in[c * pixels + i];
		out[c] = (float)(sum / (double)pixels);
	}
}

static void run_layer(const struct layer *layer, const struct parameters *p, float *const *buffer)
{
	const float *in = buffer[layer->source];
	float *out = buffer[layer->target];

	switch (layer->kind) {
	case LAYER_CONVOLUTION:
	case LAYER_DEPTHWISE:
		filter(layer, p, in, out);
		break;
	case LAYER_POOL:
		pool(layer, in, out);
		break;
	default:
		mix_channels(layer, p, in, layer->residual < 0 ? NULL : buffer[layer->residual],
			     out);
	}
}

int main(int argc, char **argv)
{
	float *buffer[MOBILENET_BUFFERS];
	struct network network;
	struct weights weights;
	unsigned int index = 0;
	const float *logits;
	FILE *file;

	if (argc != 4) {
		fprintf(stderr, "usage: mobilenet_reference WEIGHTS IMAGE-SEED LOGITS\n");
		return 2;
	}
	network_describe(&network);
	weights_open(&weights, argv[1], "mobilenet-v2");
	for (int i = 0; i < MOBILENET_BUFFERS; i++) {
		buffer[i] = malloc(network.buffer_elements[i] * sizeof(float));
		if (!buffer[i])
			err(1, "activations");
	}
	network_image(buffer[0], strtoull(argv[2], NULL, 0));
	for (unsigned int i = 0; i < network.layers; i++) {
		const struct layer *layer = &network.layer[i];
		struct parameters p = {};

		if (layer_weights(layer)) {
			p.weight = read_tensor(&weights, index++, layer->name, "weight",
					       layer_weights(layer));
			p.bias = read_tensor(&weights, index++, layer->name, "bias",
					     layer->out_channels);
		}
		run_layer(layer, &p, buffer);
		free(p.weight);
		free(p.bias);
	}
	logits = buffer[network.layer[network.layers - 1].target];
	file = fopen(argv[3], "w");
	if (!file || fwrite(logits, sizeof(float), MOBILENET_CLASSES, file) != MOBILENET_CLASSES ||
	    fclose(file))
		err(1, "%s", argv[3]);
	weights_close(&weights);
	for (int i = 0; i < MOBILENET_BUFFERS; i++)
		free(buffer[i]);
	return 0;
}
