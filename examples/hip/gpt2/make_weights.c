// SPDX-License-Identifier: MIT
/*
 * make_weights.c - a file of weights for GPT-2 from a seed
 *
 * Usage: gpt2_weights tiny|small|medium|large|xl SEED FILE
 *
 * Matrices are uniform with a variance of 1 over the number of inputs. The blocks then weigh more
 * than the embedding, and which token comes next depends on all before, as it does after training.
 */

#include "model.h"

#include "../random.h"
#include "../weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill(float *to, const struct gpt2_tensor *tensor, uint64_t seed, float mean,
		 float bound)
{
	uint64_t elements = (uint64_t)tensor->rows * tensor->columns;

	for (uint64_t i = 0; i < elements; i++)
		to[i] = mean + bound * random_value(seed, i);
}

static void add_tensor(struct weights_writer *writer, const struct gpt2_tensor *tensor,
		       uint64_t seed)
{
	const uint32_t dimensions[4] = { tensor->rows, tensor->columns, 1, 1 };
	float *to = weights_add(writer, tensor->name, dimensions);

	if (tensor->name[0] == 'w') /* embeddings */
		fill(to, tensor, seed, 0.0f, 0.05f);
	else if (tensor->columns > 1)
		fill(to, tensor, seed, 0.0f, sqrtf(3.0f / (float)tensor->rows));
	else if (strstr(tensor->name, "ln_") && strstr(tensor->name, "weight"))
		fill(to, tensor, seed, 1.0f, 0.1f);
	else
		fill(to, tensor, seed, 0.0f, 0.05f);
}

int main(int argc, char **argv)
{
	struct weights_writer *writer;
	uint32_t parameters[7] = {};
	struct gpt2_shape shape;
	uint64_t seed;

	if (argc != 4 || gpt2_shape_named(argv[1], &shape)) {
		fprintf(stderr, "usage: gpt2_weights tiny|small|medium|large|xl SEED FILE\n");
		return 2;
	}
	seed = strtoull(argv[2], NULL, 0);
	memcpy(parameters, &shape, sizeof(shape));
	writer = weights_create(argv[3], GPT2_NETWORK, parameters, gpt2_tensors(&shape));
	for (unsigned int i = 0; i < gpt2_tensors(&shape); i++) {
		struct gpt2_tensor tensor = gpt2_tensor(&shape, i);

		add_tensor(writer, &tensor, seed * 1000 + i);
	}
	weights_finish(writer);
	return 0;
}
