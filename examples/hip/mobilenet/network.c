// SPDX-License-Identifier: MIT
/* network.c - the layers of MobileNetV2, see network.h */

#include "network.h"

#include "../random.h"

#include <stdio.h>
#include <string.h>

/* Blocks hand on buffers 0 and 1 in turn, what is between their layers lies in 2 and 3. */
enum { EXPANDED = 2, FILTERED = 3 };

static const struct {
	unsigned int expansion, channels, repeats, stride;
} stages[] = {
	{ 1, 16, 1, 1 }, { 6, 24, 2, 2 },  { 6, 32, 3, 2 },  { 6, 64, 4, 2 },
	{ 6, 96, 3, 1 }, { 6, 160, 3, 2 }, { 6, 320, 1, 1 },
};

static void need_buffer(struct network *network, int buffer, uint64_t elements)
{
	if (network->buffer_elements[buffer] < elements)
		network->buffer_elements[buffer] = elements;
}

/* Appends a layer that reads what the last one with that target has left there. */
static struct layer *append(struct network *network, enum layer_kind kind, const char *name,
			    const struct layer *before, unsigned int channels, unsigned int stride,
			    int target)
{
	struct layer *layer = &network->layer[network->layers++];

	*layer = (struct layer){
		.kind = kind,
		.in_channels = before->out_channels,
		.out_channels = channels,
		.in_size = before->out_size,
		.out_size = before->out_size / stride,
		.stride = stride,
		.source = before->target,
		.target = target,
		.residual = -1,
		.relu6 = true,
	};
	snprintf(layer->name, sizeof(layer->name), "%s", name);
	need_buffer(network, target, (uint64_t)channels * layer->out_size * layer->out_size);
	return layer;
}

static struct layer *append_block(struct network *network, unsigned int number, struct layer *input,
				  unsigned int expansion, unsigned int channels,
				  unsigned int stride)
{
	unsigned int expanded = input->out_channels * expansion;
	struct layer *layer = input;
	char name[24];

	if (expansion > 1) {
		snprintf(name, sizeof(name), "block%u.expand", number);
		layer = append(network, LAYER_POINTWISE, name, layer, expanded, 1, EXPANDED);
	}
	snprintf(name, sizeof(name), "block%u.depthwise", number);
	layer = append(network, LAYER_DEPTHWISE, name, layer, expanded, stride, FILTERED);
	snprintf(name, sizeof(name), "block%u.project", number);
	layer = append(network, LAYER_POINTWISE, name, layer, channels, 1, !input->target);
	layer->relu6 = false;
	if (stride == 1 && input->out_channels == channels)
		layer->residual = input->target;
	return layer;
}

void network_describe(struct network *network)
{
	const struct layer image = { .out_channels = 3, .out_size = MOBILENET_SIZE, .target = 0 };
	unsigned int block = 0;
	struct layer *layer;

	memset(network, 0, sizeof(*network));
	need_buffer(network, 0, MOBILENET_IMAGE);
	layer = append(network, LAYER_CONVOLUTION, "first", &image, 32, 2, 1);
	for (unsigned int i = 0; i < sizeof(stages) / sizeof(*stages); i++)
		for (unsigned int j = 0; j < stages[i].repeats; j++)
			layer = append_block(network, block++, layer, stages[i].expansion,
					     stages[i].channels, j ? 1 : stages[i].stride);
	layer = append(network, LAYER_POINTWISE, "last", layer, 1280, 1, EXPANDED);
	layer = append(network, LAYER_POOL, "pool", layer, 1280, layer->out_size, 0);
	layer->relu6 = false;
	layer = append(network, LAYER_CLASSIFIER, "classifier", layer, MOBILENET_CLASSES, 1, 1);
	layer->relu6 = false;
}

uint64_t layer_weights(const struct layer *layer)
{
	uint64_t channels = (uint64_t)layer->in_channels * layer->out_channels;

	switch (layer->kind) {
	case LAYER_CONVOLUTION:
		return channels * 9;
	case LAYER_DEPTHWISE:
		return (uint64_t)layer->out_channels * 9;
	case LAYER_POOL:
		return 0;
	default:
		return channels;
	}
}

void network_image(float *image, uint64_t seed)
{
	/* Patches of colour under some noise: noise alone looks the same to the network whatever
	 * the seed. */
	for (unsigned int i = 0; i < MOBILENET_IMAGE; i++) {
		unsigned int channel = i / (MOBILENET_SIZE * MOBILENET_SIZE);
		unsigned int row = i / MOBILENET_SIZE % MOBILENET_SIZE, column = i % MOBILENET_SIZE;
		unsigned int patch = (channel * 7 + row / 32) * 7 + column / 32;

		image[i] = 2.0f * random_value(seed, MOBILENET_IMAGE + patch) +
			   0.5f * random_value(seed, i);
	}
}
