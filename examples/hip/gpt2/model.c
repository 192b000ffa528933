// SPDX-License-Identifier: MIT
/* model.c - the shapes and tensors of GPT-2, see model.h */

#include "model.h"

#include <err.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	struct gpt2_shape shape;
} shapes[] = {
	{ "tiny", { 512, 128, 128, 4 } },	 { "small", { 50257, 1024, 768, 12 } },
	{ "medium", { 50257, 1024, 1024, 24 } }, { "large", { 50257, 1024, 1280, 36 } },
	{ "xl", { 50257, 1024, 1600, 48 } },
};

int gpt2_shape_named(const char *name, struct gpt2_shape *shape)
{
	for (unsigned int i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		if (!strcmp(shapes[i].name, name)) {
			*shape = shapes[i].shape;
			return 0;
		}
	}
	return -1;
}

struct gpt2_shape gpt2_shape_of(const char *path, const uint32_t parameters[7])
{
	struct gpt2_shape shape = { parameters[0], parameters[1], parameters[2], parameters[3] };

	if (!shape.vocabulary || !shape.context || shape.context > GPT2_MAX_CONTEXT ||
	    !shape.width || shape.width % GPT2_HEAD || !shape.layers ||
	    shape.layers > GPT2_MAX_LAYERS)
		errx(1, "%s: no shape of GPT-2: vocabulary %u, context %u, width %u, layers %u",
		     path, shape.vocabulary, shape.context, shape.width, shape.layers);
	return shape;
}

static struct gpt2_tensor layer_tensor(const struct gpt2_shape *shape, unsigned int layer,
				       enum gpt2_layer_tensor which)
{
	const uint32_t width = shape->width;
	const struct {
		const char *name;
		uint32_t rows, columns;
	} known[GPT2_LAYER_TENSORS] = {
		[LN_1_WEIGHT] = { "ln_1.weight", width, 1 },
		[LN_1_BIAS] = { "ln_1.bias", width, 1 },
		[ATTENTION_WEIGHT] = { "attn.c_attn.weight", width, 3 * width },
		[ATTENTION_BIAS] = { "attn.c_attn.bias", 3 * width, 1 },
		[ATTENTION_PROJECTION_WEIGHT] = { "attn.c_proj.weight", width, width },
		[ATTENTION_PROJECTION_BIAS] = { "attn.c_proj.bias", width, 1 },
		[LN_2_WEIGHT] = { "ln_2.weight", width, 1 },
		[LN_2_BIAS] = { "ln_2.bias", width, 1 },
		[MLP_WEIGHT] = { "mlp.c_fc.weight", width, 4 * width },
		[MLP_BIAS] = { "mlp.c_fc.bias", 4 * width, 1 },
		[MLP_PROJECTION_WEIGHT] = { "mlp.c_proj.weight", 4 * width, width },
		[MLP_PROJECTION_BIAS] = { "mlp.c_proj.bias", width, 1 },
	};
	struct gpt2_tensor tensor = { .rows = known[which].rows, .columns = known[which].columns };

	snprintf(tensor.name, sizeof(tensor.name), "h.%u.%s", layer, known[which].name);
	return tensor;
}

struct gpt2_tensor gpt2_tensor(const struct gpt2_shape *shape, unsigned int index)
{
	unsigned int in_layers = index - GPT2_FIRST_LAYER;

	if (index == GPT2_TOKENS)
		return (struct gpt2_tensor){ "wte.weight", shape->vocabulary, shape->width };
	if (index == GPT2_POSITIONS)
		return (struct gpt2_tensor){ "wpe.weight", shape->context, shape->width };
	if (in_layers < shape->layers * GPT2_LAYER_TENSORS)
		return layer_tensor(shape, in_layers / GPT2_LAYER_TENSORS,
				    in_layers % GPT2_LAYER_TENSORS);
	if (index % 2)
		return (struct gpt2_tensor){ "ln_f.bias", shape->width, 1 };
	return (struct gpt2_tensor){ "ln_f.weight", shape->width, 1 };
}
