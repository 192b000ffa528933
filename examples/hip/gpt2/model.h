/* SPDX-License-Identifier: MIT */
/*
 * model.h - the shapes and tensors of GPT-2 (Radford et al., 2019)
 *
 * The tensors are those of the published model, in its order and with its names; a matrix has its
 * inputs as rows and its outputs as columns. The logits come from the token embedding. Shared by
 * the program that makes the weights, the one that runs on the GPU and the one that checks it.
 */
#ifndef GPT2_MODEL_H
#define GPT2_MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GPT2_NETWORK	 "gpt2"
#define GPT2_HEAD	 64u /* elements of an attention head, in every shape */
#define GPT2_MAX_LAYERS	 48u
#define GPT2_MAX_CONTEXT 1024u
#define GPT2_EPSILON	 1e-5f /* of the layer norms */

struct gpt2_shape {
	uint32_t vocabulary, context, width, layers;
};

/* A layer's tensors in the order of the file. */
enum gpt2_layer_tensor {
	LN_1_WEIGHT,
	LN_1_BIAS,
	ATTENTION_WEIGHT, /* width by 3 width: query, key, value */
	ATTENTION_BIAS,
	ATTENTION_PROJECTION_WEIGHT,
	ATTENTION_PROJECTION_BIAS,
	LN_2_WEIGHT,
	LN_2_BIAS,
	MLP_WEIGHT, /* width by 4 width */
	MLP_BIAS,
	MLP_PROJECTION_WEIGHT,
	MLP_PROJECTION_BIAS,
	GPT2_LAYER_TENSORS,
};

/* Before the layers' tensors lie the embeddings, after them the last layer norm. */
enum {
	GPT2_TOKENS,	/* vocabulary by width */
	GPT2_POSITIONS, /* context by width */
	GPT2_FIRST_LAYER,
};

static inline unsigned int gpt2_tensors(const struct gpt2_shape *shape)
{
	return GPT2_FIRST_LAYER + shape->layers * GPT2_LAYER_TENSORS + 2;
}

struct gpt2_tensor {
	char name[32];
	uint32_t rows, columns; /* a vector has one column */
};

/* The tensor at an index of the file. */
struct gpt2_tensor gpt2_tensor(const struct gpt2_shape *shape, unsigned int index);

/* A shape by its name: tiny, small (124M), medium, large, xl. Returns -1 if there is none. */
int gpt2_shape_named(const char *name, struct gpt2_shape *shape);

/* The parameters of a file of weights as a shape. Ends the program if it is not one. */
struct gpt2_shape gpt2_shape_of(const char *path, const uint32_t parameters[7]);

#ifdef __cplusplus
}
#endif
#endif
