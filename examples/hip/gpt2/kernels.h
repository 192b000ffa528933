/* SPDX-License-Identifier: MIT */
/*
 * kernels.h - the steps of GPT-2 as kernels
 *
 * Up to GPT2_ROWS tokens that follow each other are one batch: a row each. All memory is the
 * device's. A launch only queues the work.
 */
#ifndef GPT2_KERNELS_H
#define GPT2_KERNELS_H

#include "model.h"

#define GPT2_ROWS 8u

enum epilogue {
	STORE,
	STORE_GELU,
	ADD_TO, /* to what the output holds */
};

/* out (rows by width): the embeddings of tokens at the positions from first on. */
void embed_launch(const unsigned int *tokens, unsigned int first, const float *token_embedding,
		  const float *position_embedding, float *out, unsigned int rows,
		  unsigned int width);

/* out (rows by width): the layer norm of each row of in. */
void normalize_launch(const float *in, const float *weight, const float *bias, float *out,
		      unsigned int rows, unsigned int width);

/* out (rows by outputs): in (rows by inputs) times weight (inputs by outputs), and the bias. */
void multiply_launch(const float *in, const float *weight, const float *bias, float *out,
		     unsigned int rows, unsigned int inputs, unsigned int outputs,
		     enum epilogue epilogue);

/*
 * Attention of rows at the positions from first on. qkv (rows by 3 width): its keys and values are
 * put into the layer's cache (context by width each) before.
 */
void attend_launch(const float *qkv, float *keys, float *values, float *out, unsigned int rows,
		   unsigned int first, unsigned int width);

/* logits (vocabulary): the token embeddings times one row. */
void logits_launch(const float *row, const float *token_embedding, float *logits,
		   unsigned int vocabulary, unsigned int width);

#endif
