/* SPDX-License-Identifier: MIT */
/*
 * network.h - the layers of MobileNetV2 (Sandler et al., 2018, table 2), width 1.0, 224 by 224
 *
 * Batch normalisation is folded into weights and biases. A layer reads one of four buffers and
 * writes another; activations are channel, row, column. Shared by the program that makes the
 * weights, the one that runs on the GPU and the one that checks it.
 */
#ifndef MOBILENET_NETWORK_H
#define MOBILENET_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOBILENET_SIZE	     224u
#define MOBILENET_IMAGE	     (3u * MOBILENET_SIZE * MOBILENET_SIZE) /* elements */
#define MOBILENET_CLASSES    1000u
#define MOBILENET_BUFFERS    4
#define MOBILENET_MAX_LAYERS 64

enum layer_kind {
	LAYER_CONVOLUTION, /* 3 by 3, padded by 1 */
	LAYER_DEPTHWISE,   /* 3 by 3, padded by 1, each channel by itself */
	LAYER_POINTWISE,   /* 1 by 1 */
	LAYER_POOL,	   /* mean of each channel; no weights */
	LAYER_CLASSIFIER,  /* each class from all channels */
};

struct layer {
	enum layer_kind kind;
	char name[24]; /* its tensors are NAME.weight and NAME.bias */
	unsigned int in_channels, out_channels;
	unsigned int in_size, out_size; /* of an edge */
	unsigned int stride;
	bool relu6;
	int source, target;
	int residual; /* buffer to add to the result, or -1 */
};

struct network {
	unsigned int layers;
	struct layer layer[MOBILENET_MAX_LAYERS];
	uint64_t buffer_elements[MOBILENET_BUFFERS];
};

/* The image comes in buffer 0, the logits are left in the target of the last layer. */
void network_describe(struct network *network);

/* Elements of a layer's weights, 0 if it has none. There is a bias for each channel that comes out.
 */
uint64_t layer_weights(const struct layer *layer);

/* A picture from a seed: MOBILENET_IMAGE values as they are after normalisation. */
void network_image(float *image, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
