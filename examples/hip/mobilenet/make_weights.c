// SPDX-License-Identifier: MIT
/*
 * make_weights.c - a file of weights for MobileNetV2 from a seed
 *
 * Usage: mobilenet_weights SEED FILE
 *
 * Weights are uniform, and as large as keeps the size of what flows through the layers (He et al.,
 * 2015): the variance is 2 over the number of inputs before a ReLU, 1 over it elsewhere.
 */

#include "network.h"

#include "../random.h"
#include "../weights.h"

#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void fill(float *to, uint64_t elements, uint64_t seed, float bound)
{
	for (uint64_t i = 0; i < elements; i++)
		to[i] = bound * random_value(seed, i);
}

/*
 * Makes the weights of each output add up to nothing: what comes out of a ReLU is never negative,
 * and through many layers its mean would drown what differs between pictures.
 */
static void centre(float *weight, uint32_t outputs, uint32_t inputs)
{
	for (uint32_t i = 0; i < outputs; i++, weight += inputs) {
		double mean = 0;

		for (uint32_t k = 0; k < inputs; k++)
			mean += weight[k] / (double)inputs;
		for (uint32_t k = 0; k < inputs; k++)
			weight[k] -= (float)mean;
	}
}

static void add_layer(struct weights_writer *writer, const struct layer *layer, uint64_t seed)
{
	uint64_t elements = layer_weights(layer);
	uint32_t inputs = (uint32_t)(elements / layer->out_channels);
	const uint32_t weight[4] = { layer->out_channels, inputs, 1, 1 };
	const uint32_t bias[4] = { layer->out_channels, 1, 1, 1 };
	float bound = sqrtf((layer->relu6 ? 6.0f : 3.0f) / (float)inputs);
	char name[32];
	float *to;

	snprintf(name, sizeof(name), "%s.weight", layer->name);
	to = weights_add(writer, name, weight);
	fill(to, elements, seed, bound);
	if (layer->kind != LAYER_DEPTHWISE)
		centre(to, layer->out_channels, inputs);
	snprintf(name, sizeof(name), "%s.bias", layer->name);
	fill(weights_add(writer, name, bias), layer->out_channels, seed + 1, 0.1f);
}

int main(int argc, char **argv)
{
	uint32_t parameters[7] = { MOBILENET_SIZE, MOBILENET_CLASSES };
	struct weights_writer *writer;
	struct network network;
	unsigned int tensors = 0;
	uint64_t seed;

	if (argc != 3) {
		fprintf(stderr, "usage: mobilenet_weights SEED FILE\n");
		return 2;
	}
	seed = strtoull(argv[1], NULL, 0);
	network_describe(&network);
	for (unsigned int i = 0; i < network.layers; i++)
		tensors += layer_weights(&network.layer[i]) ? 2 : 0;
	writer = weights_create(argv[2], "mobilenet-v2", parameters, tensors);
	for (unsigned int i = 0; i < network.layers; i++)
		if (layer_weights(&network.layer[i]))
			add_layer(writer, &network.layer[i], seed * 1000 + 2 * i);
	weights_finish(writer);
	return 0;
}
