// SPDX-License-Identifier: MIT
/*
 * serve.hip - continues texts with GPT-2 on the GPU
 *
 * Usage: gpt2 WEIGHTS [SOCKET]
 *
 * Prints "ready" when the weights are on the GPU, then answers each line of stdin, or of a client
 * of the socket, with one line. Keys and values of the text so far stay on the GPU between requests.
 *
 *   prompt TOKEN...   forget the text and read these tokens
 *   more TOKEN...     read these tokens, too
 *   generate COUNT    append COUNT tokens, each the likeliest one, and say which
 *   logits FILE       write the logits of the token generated last, or of the next one before that
 *   quit
 *
 * Equal requests get equal answers, to the bit.
 */

#include "kernels.h"
#include "model.h"

#include "../device_weights.h"
#include "../hip_check.h"
#include "../requests.h"
#include "../weights.h"

#include <errno.h>
#include <string.h>
#include <vector>

struct model {
	struct gpt2_shape shape;
	float *memory;
	std::vector<const float *> tensor;
	float *keys, *values;		     /* layer, position, element */
	float *x, *normal, *wide, *narrow;   /* activations of a batch */
	float *device_logits;
	unsigned int *device_tokens;
	std::vector<float> logits;	     /* of the token after the text */
	unsigned int position;		     /* tokens in the cache */
	int pending;			     /* token generated but not yet read, or -1 */
};

static float *device_floats(uint64_t elements)
{
	float *floats;

	HIP_CHECK(hipMalloc(&floats, elements * sizeof(float)));
	return floats;
}

static void model_load(struct model *model, const char *path)
{
	struct gpt2_shape *shape = &model->shape;
	struct weights weights;
	uint64_t cache;

	weights_open(&weights, path, GPT2_NETWORK);
	*shape = gpt2_shape_of(path, weights.header.parameters);
	for (unsigned int i = 0; i < gpt2_tensors(shape); i++) {
		struct gpt2_tensor known = gpt2_tensor(shape, i);

		weights_tensor(&weights, i, known.name, (uint64_t)known.rows * known.columns);
	}
	model->memory = device_weights_load(&weights);
	for (unsigned int i = 0; i < gpt2_tensors(shape); i++)
		model->tensor.push_back(
			device_tensor(model->memory, &weights, &weights.tensors[i]));
	weights_close(&weights);
	cache = (uint64_t)shape->layers * shape->context * shape->width;
	model->keys = device_floats(cache);
	model->values = device_floats(cache);
	model->x = device_floats((uint64_t)GPT2_ROWS * shape->width);
	model->normal = device_floats((uint64_t)GPT2_ROWS * shape->width);
	model->narrow = device_floats((uint64_t)GPT2_ROWS * shape->width);
	model->wide = device_floats((uint64_t)GPT2_ROWS * 4 * shape->width);
	model->device_logits = device_floats(shape->vocabulary);
	HIP_CHECK(hipMalloc(&model->device_tokens, GPT2_ROWS * sizeof(unsigned int)));
	model->logits.resize(shape->vocabulary);
	model->pending = -1;
}

static void model_free(struct model *model)
{
	HIP_CHECK(hipFree(model->memory));
	HIP_CHECK(hipFree(model->keys));
	HIP_CHECK(hipFree(model->values));
	HIP_CHECK(hipFree(model->x));
	HIP_CHECK(hipFree(model->normal));
	HIP_CHECK(hipFree(model->narrow));
	HIP_CHECK(hipFree(model->wide));
	HIP_CHECK(hipFree(model->device_logits));
	HIP_CHECK(hipFree(model->device_tokens));
}

static void run_layer(struct model *model, unsigned int layer, unsigned int rows)
{
	const float **tensor = &model->tensor[GPT2_FIRST_LAYER + layer * GPT2_LAYER_TENSORS];
	unsigned int width = model->shape.width;
	uint64_t cache = (uint64_t)layer * model->shape.context * width;

	normalize_launch(model->x, tensor[LN_1_WEIGHT], tensor[LN_1_BIAS], model->normal, rows,
			 width);
	multiply_launch(model->normal, tensor[ATTENTION_WEIGHT], tensor[ATTENTION_BIAS],
			model->wide, rows, width, 3 * width, STORE);
	attend_launch(model->wide, model->keys + cache, model->values + cache, model->narrow, rows,
		      model->position, width);
	multiply_launch(model->narrow, tensor[ATTENTION_PROJECTION_WEIGHT],
			tensor[ATTENTION_PROJECTION_BIAS], model->x, rows, width, width, ADD_TO);
	normalize_launch(model->x, tensor[LN_2_WEIGHT], tensor[LN_2_BIAS], model->normal, rows,
			 width);
	multiply_launch(model->normal, tensor[MLP_WEIGHT], tensor[MLP_BIAS], model->wide, rows,
			width, 4 * width, STORE_GELU);
	multiply_launch(model->wide, tensor[MLP_PROJECTION_WEIGHT], tensor[MLP_PROJECTION_BIAS],
			model->x, rows, 4 * width, width, ADD_TO);
}

/* Reads up to GPT2_ROWS tokens. The text has room for them. */
static void read_batch(struct model *model, const unsigned int *tokens, unsigned int rows)
{
	const struct gpt2_shape *shape = &model->shape;
	unsigned int width = shape->width, last = gpt2_tensors(shape) - 2;

	HIP_CHECK(hipMemcpy(model->device_tokens, tokens, rows * sizeof(*tokens),
			    hipMemcpyHostToDevice));
	embed_launch(model->device_tokens, model->position, model->tensor[GPT2_TOKENS],
		     model->tensor[GPT2_POSITIONS], model->x, rows, width);
	for (unsigned int i = 0; i < shape->layers; i++)
		run_layer(model, i, rows);
	model->position += rows;
	normalize_launch(model->x + (size_t)(rows - 1) * width, model->tensor[last],
			 model->tensor[last + 1], model->normal, 1, width);
	logits_launch(model->normal, model->tensor[GPT2_TOKENS], model->device_logits,
		      shape->vocabulary, width);
	HIP_CHECK(hipMemcpy(model->logits.data(), model->device_logits,
			    shape->vocabulary * sizeof(float), hipMemcpyDeviceToHost));
}

static void read_tokens(struct model *model, const std::vector<unsigned int> &tokens)
{
	for (size_t i = 0; i < tokens.size(); i += GPT2_ROWS)
		read_batch(model, &tokens[i], std::min<size_t>(tokens.size() - i, GPT2_ROWS));
}

static size_t text_length(const struct model *model)
{
	return model->position + (model->pending >= 0);
}

static void answer_tokens(struct model *model, bool forget, char *save, FILE *out)
{
	std::vector<unsigned int> tokens;
	char *word, *end;

	if (!forget && model->pending >= 0)
		tokens.push_back(model->pending);
	while ((word = strtok_r(NULL, " ", &save))) {
		unsigned long token = strtoul(word, &end, 10);

		if (*end || token >= model->shape.vocabulary) {
			fprintf(out, "error: no token %s, they go to %u\n", word,
				model->shape.vocabulary - 1);
			return;
		}
		tokens.push_back(token);
	}
	if (tokens.empty() || (forget ? 0 : model->position) + tokens.size() > model->shape.context) {
		fprintf(out, "error: %s; a text has up to %u tokens, this one has %zu\n",
			tokens.empty() ? "there are no tokens" : "there is no room for them",
			model->shape.context, text_length(model));
		return;
	}
	if (forget)
		model->position = 0;
	model->pending = -1;
	read_tokens(model, tokens);
	fprintf(out, "text of %zu tokens\n", text_length(model));
}

static void answer_generate(struct model *model, char *save, FILE *out)
{
	char *word = strtok_r(NULL, " ", &save), *end;
	unsigned long count = word ? strtoul(word, &end, 10) : 0;

	if (!count || *end || !model->position || count > model->shape.context - text_length(model)) {
		fprintf(out, "error: generate 1 to %zu tokens after a prompt\n",
			model->shape.context - text_length(model));
		return;
	}
	for (unsigned long i = 0; i < count; i++) {
		if (model->pending >= 0)
			read_tokens(model, { (unsigned int)model->pending });
		model->pending = std::max_element(model->logits.begin(), model->logits.end()) -
				 model->logits.begin();
		fprintf(out, "%s%d", i ? " " : "", model->pending);
	}
	fputc('\n', out);
}

static void answer_logits(struct model *model, char *save, FILE *out)
{
	const char *path = strtok_r(NULL, " ", &save);
	FILE *file = path ? fopen(path, "we") : NULL;
	size_t count = model->logits.size();
	bool good = file && fwrite(model->logits.data(), sizeof(float), count, file) == count;

	if (file && fclose(file))
		good = false;
	if (good)
		fprintf(out, "%zu logits\n", count);
	else
		fprintf(out, "error: %s: %s\n", path ? path : "logits FILE", strerror(errno));
}

static void answer(struct model *model, char *line, FILE *out)
{
	char *save, *verb = strtok_r(line, " ", &save);

	if (verb && (!strcmp(verb, "prompt") || !strcmp(verb, "more")))
		answer_tokens(model, verb[0] == 'p', save, out);
	else if (verb && !strcmp(verb, "generate"))
		answer_generate(model, save, out);
	else if (verb && !strcmp(verb, "logits"))
		answer_logits(model, save, out);
	else
		fprintf(out, "error: requests are: prompt TOKEN..., more TOKEN..., generate COUNT, "
			     "logits FILE, quit\n");
}

int main(int argc, char **argv)
{
	struct requests requests;
	struct model model = {};
	char *line;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: gpt2 WEIGHTS [SOCKET]\n");
		return 2;
	}
	model_load(&model, argv[1]);
	requests_open(&requests, argv[2]);
	printf("ready\n");
	fflush(stdout);
	while ((line = requests_next(&requests)) && strcmp(line, "quit"))
		answer(&model, line, requests.out);
	requests_close(&requests);
	model_free(&model);
	return 0;
}
