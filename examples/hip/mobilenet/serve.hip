// SPDX-License-Identifier: MIT
/*
 * serve.hip - answers requests with MobileNetV2 on the GPU
 *
 * Usage: mobilenet WEIGHTS [SOCKET]
 *
 * Prints "ready" when the weights are on the GPU, then answers each line of stdin, or of a client
 * of the socket, with one line:
 *
 *   image SEED [LOGITS]   classify the picture of a seed; write the logits to the file LOGITS
 *   file IMAGE [LOGITS]   the same for a file of 3 x 224 x 224 floats
 *   quit
 *
 * Equal requests get equal answers, to the bit.
 */

#include "layers.h"
#include "network.h"

#include "../device_weights.h"
#include "../hip_check.h"
#include "../requests.h"
#include "../weights.h"

#include <errno.h>
#include <string.h>
#include <vector>

#define ANSWER_CLASSES 5u

struct model {
	struct network network;
	float *memory;
	const float *weight[MOBILENET_MAX_LAYERS], *bias[MOBILENET_MAX_LAYERS];
	float *buffer[MOBILENET_BUFFERS];
};

static const float *find_tensor(struct model *model, const struct weights *weights,
				unsigned int index, const char *layer, const char *kind,
				uint64_t elements)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.%s", layer, kind);
	return device_tensor(model->memory, weights,
			     weights_tensor(weights, index, name, elements));
}

static void model_load(struct model *model, const char *path)
{
	struct weights weights;
	unsigned int index = 0;

	network_describe(&model->network);
	weights_open(&weights, path, "mobilenet-v2");
	model->memory = device_weights_load(&weights);
	for (unsigned int i = 0; i < model->network.layers; i++) {
		const struct layer *layer = &model->network.layer[i];

		if (!layer_weights(layer))
			continue;
		model->weight[i] = find_tensor(model, &weights, index++, layer->name, "weight",
					       layer_weights(layer));
		model->bias[i] = find_tensor(model, &weights, index++, layer->name, "bias",
					     layer->out_channels);
	}
	weights_close(&weights);
	for (int i = 0; i < MOBILENET_BUFFERS; i++)
		HIP_CHECK(hipMalloc(&model->buffer[i],
				    model->network.buffer_elements[i] * sizeof(float)));
}

static void model_free(struct model *model)
{
	for (int i = 0; i < MOBILENET_BUFFERS; i++)
		HIP_CHECK(hipFree(model->buffer[i]));
	HIP_CHECK(hipFree(model->memory));
}

static void classify(struct model *model, const std::vector<float> &image,
		     std::vector<float> &logits)
{
	const struct network *network = &model->network;

	HIP_CHECK(hipMemcpy(model->buffer[0], image.data(), image.size() * sizeof(float),
			    hipMemcpyHostToDevice));
	for (unsigned int i = 0; i < network->layers; i++) {
		const struct layer *layer = &network->layer[i];
		const float *residual =
			layer->residual < 0 ? NULL : model->buffer[layer->residual];

		layer_launch(layer, model->weight[i], model->bias[i], model->buffer[layer->source],
			     residual, model->buffer[layer->target]);
	}
	HIP_CHECK(hipMemcpy(logits.data(),
			    model->buffer[network->layer[network->layers - 1].target],
			    logits.size() * sizeof(float), hipMemcpyDeviceToHost));
}

/* False, with errno, if the file has not exactly these bytes. */
static bool read_file(const char *path, void *to, size_t bytes)
{
	FILE *file = fopen(path, "re");
	bool good;

	if (!file)
		return false;
	errno = EINVAL;
	good = fread(to, 1, bytes, file) == bytes && fgetc(file) == EOF && !ferror(file);
	fclose(file);
	return good;
}

static bool write_file(const char *path, const void *from, size_t bytes)
{
	FILE *file = fopen(path, "we");
	bool good;

	if (!file)
		return false;
	good = fwrite(from, 1, bytes, file) == bytes;
	return !fclose(file) && good;
}

static void print_best(FILE *out, std::vector<float> logits)
{
	for (unsigned int i = 0; i < ANSWER_CLASSES; i++) {
		auto best = std::max_element(logits.begin(), logits.end());

		fprintf(out, "%s%td %.6f", i ? ", " : "", best - logits.begin(), *best);
		*best = -INFINITY;
	}
	fputc('\n', out);
}

static void answer(struct model *model, char *line, FILE *out)
{
	std::vector<float> image(MOBILENET_IMAGE), logits(MOBILENET_CLASSES);
	char *save, *end, *verb = strtok_r(line, " ", &save), *which = strtok_r(NULL, " ", &save);
	char *path = strtok_r(NULL, " ", &save);

	if (verb && which && !strcmp(verb, "image")) {
		network_image(image.data(), strtoull(which, &end, 0));
		if (*end) {
			fprintf(out, "error: the seed %s is no number\n", which);
			return;
		}
	} else if (verb && which && !strcmp(verb, "file")) {
		if (!read_file(which, image.data(), image.size() * sizeof(float))) {
			fprintf(out, "error: %s: %s; an image has %u floats\n", which,
				strerror(errno), MOBILENET_IMAGE);
			return;
		}
	} else {
		fprintf(out, "error: requests are: image SEED [LOGITS], file IMAGE [LOGITS], quit\n");
		return;
	}
	classify(model, image, logits);
	if (path && !write_file(path, logits.data(), logits.size() * sizeof(float)))
		fprintf(out, "error: %s: %s\n", path, strerror(errno));
	else
		print_best(out, logits);
}

int main(int argc, char **argv)
{
	struct requests requests;
	struct model model = {};
	char *line;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: mobilenet WEIGHTS [SOCKET]\n");
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
