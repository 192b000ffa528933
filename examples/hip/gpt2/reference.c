// SPDX-License-Identifier: MIT
/*
 * reference.c - GPT-2 on the CPU, to check the GPU's answers against
 *
 * Usage: gpt2_reference WEIGHTS COUNT LOGITS TOKEN...
 *
 * Feeds the tokens, generates COUNT more, each the likeliest one, prints those, and writes the
 * logits that the last one was chosen by. Written for plainness. Sums are double, so that what
 * differs is the GPU's rounding.
 */

#include "model.h"

#include "../weights.h"

#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
	struct gpt2_shape shape;
	float **tensor;
	float *keys, *values; /* layer, position, element */
	float *logits;
	unsigned int position;
};

static float *new_floats(uint64_t elements)
{
	float *floats = calloc(elements, sizeof(float));

	if (!floats)
		err(1, "%llu floats", (unsigned long long)elements);
	return floats;
}

static void model_load(struct model *model, const char *path)
{
	const struct gpt2_shape *shape = &model->shape;
	struct weights weights;
	uint64_t cache;

	weights_open(&weights, path, GPT2_NETWORK);
	model->shape = gpt2_shape_of(path, weights.header.parameters);
	model->tensor = calloc(gpt2_tensors(shape), sizeof(*model->tensor));
	if (!model->tensor)
		err(1, "%s", path);
	for (unsigned int i = 0; i < gpt2_tensors(shape); i++) {
		struct gpt2_tensor known = gpt2_tensor(shape, i);
		uint64_t elements = (uint64_t)known.rows * known.columns;
		const struct tensor *tensor = weights_tensor(&weights, i, known.name, elements);

		model->tensor[i] = new_floats(elements);
		weights_read(&weights, model->tensor[i], tensor->offset, tensor->bytes);
	}
	weights_close(&weights);
	cache = (uint64_t)shape->layers * shape->context * shape->width;
	model->keys = new_floats(cache);
	model->values = new_floats(cache);
	model->logits = new_floats(shape->vocabulary);
}

static void normalize(const float *in, float *out, unsigned int width, const float *weight,
		      const float *bias)
{
	double mean = 0, variance = 0;

	for (unsigned int i = 0; i < width; i++)
		mean += in[i] / (double)width;
	for (unsigned int i = 0; i < width; i++)
		variance += (in[i] - mean) * (in[i] - mean) / width;
	for (unsigned int i = 0; i < width; i++)
		out[i] = (float)((in[i] - mean) / sqrt(variance + GPT2_EPSILON) * weight[i] +
				 bias[i]);
}

static void multiply(const float *in, unsigned int inputs, float *out, unsigned int outputs,
		     const float *weight, const float *bias)
{
	double *sum = malloc(outputs * sizeof(*sum));

	if (!sum)
		err(1, "%u sums", outputs);
	for (unsigned int j = 0; j < outputs; j++)
		sum[j] = bias[j];
	for (unsigned int i = 0; i < inputs; i++)
		for (unsigned int j = 0; j < outputs; j++)
			sum[j] += (double)in[i] * weight[(size_t)i * outputs + j];
	for (unsigned int j = 0; j < outputs; j++)
		out[j] = (float)sum[j];
	free(sum);
}

/* One head at the newest of the positions. */
static void attend(const float *query, const float *keys, const float *values,
		   unsigned int positions, unsigned int width, float *out)
{
	double weight[GPT2_MAX_CONTEXT], largest = -INFINITY, total = 0;

	for (unsigned int i = 0; i < positions; i++) {
		double score = 0;

		for (unsigned int k = 0; k < GPT2_HEAD; k++)
			score += (double)query[k] * keys[(size_t)i * width + k];
		weight[i] = score / sqrt(GPT2_HEAD);
		largest = fmax(largest, weight[i]);
	}
	for (unsigned int i = 0; i < positions; i++) {
		weight[i] = exp(weight[i] - largest);
		total += weight[i];
	}
	for (unsigned int k = 0; k < GPT2_HEAD; k++) {
		double sum = 0;

		for (unsigned int i = 0; i < positions; i++)
			sum += weight[i] / total * values[(size_t)i * width + k];
		out[k] = (float)sum;
	}
}

/* The approximation of GELU that GPT-2 uses. */
static float gelu(double x)
{
	return (float)(0.5 * x * (1.0 + tanh(sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x))));
}

static void run_layer(struct model *model, unsigned int layer, float *x)
{
	float **tensor = &model->tensor[GPT2_FIRST_LAYER + layer * GPT2_LAYER_TENSORS];
	unsigned int width = model->shape.width, now = model->position;
	uint64_t cache = (uint64_t)layer * model->shape.context * width;
	float *keys = model->keys + cache, *values = model->values + cache;
	float *normal = new_floats(width), *wide = new_floats(4 * width), *out = new_floats(width);

	normalize(x, normal, width, tensor[LN_1_WEIGHT], tensor[LN_1_BIAS]);
	multiply(normal, width, wide, 3 * width, tensor[ATTENTION_WEIGHT], tensor[ATTENTION_BIAS]);
	memcpy(keys + (size_t)now * width, wide + width, width * sizeof(float));
	memcpy(values + (size_t)now * width, wide + 2 * width, width * sizeof(float));
	for (unsigned int h = 0; h < width; h += GPT2_HEAD)
		attend(wide + h, keys + h, values + h, now + 1, width, normal + h);
	multiply(normal, width, out, width, tensor[ATTENTION_PROJECTION_WEIGHT],
		 tensor[ATTENTION_PROJECTION_BIAS]);
	for (unsigned int i = 0; i < width; i++)
		x[i] += out[i];
	normalize(x, normal, width, tensor[LN_2_WEIGHT], tensor[LN_2_BIAS]);
	multiply(normal, width, wide, 4 * width, tensor[MLP_WEIGHT], tensor[MLP_BIAS]);
	for (unsigned int i = 0; i < 4 * width; i++)
		wide[i] = gelu(wide[i]);
	multiply(wide, 4 * width, out, width, tensor[MLP_PROJECTION_WEIGHT],
		 tensor[MLP_PROJECTION_BIAS]);
	for (unsigned int i = 0; i < width; i++)
		x[i] += out[i];
	free(normal);
	free(wide);
	free(out);
}

/* Feeds a token and leaves the logits of the next one. */
static void feed(struct model *model, unsigned int token)
{
	const struct gpt2_shape *shape = &model->shape;
	unsigned int width = shape->width, last = gpt2_tensors(shape) - 2;
	const float *embedding = model->tensor[GPT2_TOKENS] + (size_t)token * width;
	const float *place = model->tensor[GPT2_POSITIONS] + (size_t)model->position * width;
	float *x = new_floats(width), *normal = new_floats(width);

	for (unsigned int i = 0; i < width; i++)
		x[i] = embedding[i] + place[i];
	for (unsigned int i = 0; i < shape->layers; i++)
		run_layer(model, i, x);
	normalize(x, normal, width, model->tensor[last], model->tensor[last + 1]);
	for (unsigned int i = 0; i < shape->vocabulary; i++) {
		const float *row = model->tensor[GPT2_TOKENS] + (size_t)i * width;
		double sum = 0;

		for (unsigned int k = 0; k < width; k++)
			sum += (double)row[k] * normal[k];
		model->logits[i] = (float)sum;
	}
	model->position++;
	free(x);
	free(normal);
}

static unsigned int likeliest(const struct model *model)
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < model->shape.vocabulary; i++)
		if (model->logits[i] > model->logits[best])
			best = i;
	return best;
}

static void write_logits(const struct model *model, const char *path)
{
	FILE *file = fopen(path, "w");
	size_t count = model->shape.vocabulary;

	if (!file || fwrite(model->logits, sizeof(float), count, file) != count || fclose(file))
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	struct model model = {};
	unsigned int count;

	if (argc < 5) {
		fprintf(stderr, "usage: gpt2_reference WEIGHTS COUNT LOGITS TOKEN...\n");
		return 2;
	}
	model_load(&model, argv[1]);
	count = (unsigned int)strtoul(argv[2], NULL, 0);
	if (!count || count > model.shape.context ||
	    (unsigned int)argc - 4 > model.shape.context - count)
		errx(1,
		     "%d tokens and %u more do not fit into the context of %u, or none is asked "
		     "for",
		     argc - 4, count, model.shape.context);
	for (int i = 4; i < argc; i++) {
		unsigned int token = (unsigned int)strtoul(argv[i], NULL, 0);

		if (token >= model.shape.vocabulary)
			errx(1, "the vocabulary of %u has no token %u", model.shape.vocabulary,
			     token);
		feed(&model, token);
	}
	for (unsigned int i = 0; i < count; i++) {
		unsigned int token = likeliest(&model);

		printf("%s%u", i ? " " : "", token);
		if (i + 1 < count)
			feed(&model, token);
	}
	printf("\n");
	write_logits(&model, argv[3]);
	for (unsigned int i = 0; i < gpt2_tensors(&model.shape); i++)
		free(model.tensor[i]);
	free(model.tensor);
	free(model.keys);
	free(model.values);
	free(model.logits);
	return 0;
}
