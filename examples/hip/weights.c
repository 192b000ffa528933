// SPDX-License-Identifier: MIT
/* weights.c - reading and writing files of tensors, see weights.h */

#include "weights.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = { 'w', 'e', 'i', 'g', 'h', 't', 's', '1' };

void weights_read(const struct weights *weights, void *to, uint64_t offset, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n =
			pread(weights->fd, (char *)to + done, bytes - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err(1, "%s: read at %llu", weights->path,
			    (unsigned long long)(offset + done));
		if (n == 0)
			errx(1, "%s: ends at %llu, %zu bytes are missing; make it again",
			     weights->path, (unsigned long long)(offset + done), bytes - done);
		done += (size_t)n;
	}
}

/* The number of elements, 0 if it does not fit into the entry's bytes. */
static uint64_t elements_of(const struct tensor *tensor)
{
	uint64_t elements = 1;

	for (int i = 0; i < 4; i++)
		if (__builtin_mul_overflow(elements, tensor->dimensions[i], &elements))
			return 0;
	return elements == tensor->bytes / sizeof(float) ? elements : 0;
}

static void check_tensor(const struct weights *weights, const struct tensor *tensor)
{
	if (!memchr(tensor->name, 0, sizeof(tensor->name)) || !elements_of(tensor) ||
	    tensor->offset % WEIGHTS_ALIGNMENT || tensor->offset < weights->begin ||
	    tensor->offset > weights->end || tensor->bytes > weights->end - tensor->offset)
		errx(1, "%s: the entry of tensor %td is not sound; make the file again",
		     weights->path, tensor - weights->tensors);
}

void weights_open(struct weights *weights, const char *path, const char *network)
{
	struct weights_header *header = &weights->header;
	struct stat status;
	size_t bytes;

	weights->path = path;
	weights->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (weights->fd < 0 || fstat(weights->fd, &status))
		err(1, "%s", path);
	weights->end = (uint64_t)status.st_size;
	weights_read(weights, header, 0, sizeof(*header));
	if (memcmp(header->magic, magic, sizeof(magic)))
		errx(1, "%s: not a file of weights", path);
	if (strncmp(header->network, network, sizeof(header->network)))
		errx(1, "%s: weights of %.24s, not of %s", path, header->network, network);
	bytes = header->tensors * sizeof(struct tensor);
	if (!header->tensors || bytes > weights->end)
		errx(1, "%s: no file has %u tensors", path, header->tensors);
	weights->tensors = malloc(bytes);
	if (!weights->tensors)
		err(1, "%s", path);
	weights_read(weights, weights->tensors, sizeof(*header), bytes);
	weights->begin = sizeof(*header) + bytes;
	for (unsigned int i = 0; i < header->tensors; i++)
		check_tensor(weights, &weights->tensors[i]);
	weights->begin = weights->tensors[0].offset;
}

const struct tensor *weights_tensor(const struct weights *weights, unsigned int index,
				    const char *name, uint64_t elements)
{
	const struct tensor *tensor = &weights->tensors[index];

	if (index >= weights->header.tensors)
		errx(1, "%s: no tensor %u, which should be %s", weights->path, index, name);
	if (strcmp(tensor->name, name) || tensor->bytes != elements * sizeof(float))
		errx(1, "%s: tensor %u is %s with %llu bytes, not %s with %llu", weights->path,
		     index, tensor->name, (unsigned long long)tensor->bytes, name,
		     (unsigned long long)(elements * sizeof(float)));
	if (tensor->offset < weights->begin)
		errx(1, "%s: tensor %s lies before the first", weights->path, name);
	return tensor;
}

void weights_close(struct weights *weights)
{
	free(weights->tensors);
	close(weights->fd);
}

struct weights_writer {
	const char *path;
	char *path_new;
	FILE *file;
	struct weights_header header;
	struct tensor *tensors;
	unsigned int added;
	uint64_t end;
	float *data; /* of the tensor added last, not yet written */
};

static uint64_t aligned(uint64_t offset)
{
	return (offset + WEIGHTS_ALIGNMENT - 1) / WEIGHTS_ALIGNMENT * WEIGHTS_ALIGNMENT;
}

struct weights_writer *weights_create(const char *path, const char *network,
				      const uint32_t parameters[7], unsigned int tensors)
{
	struct weights_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		err(1, "%s", path);
	writer->path = path;
	memcpy(writer->header.magic, magic, sizeof(magic));
	strncpy(writer->header.network, network, sizeof(writer->header.network) - 1);
	memcpy(writer->header.parameters, parameters, sizeof(writer->header.parameters));
	writer->header.tensors = tensors;
	writer->tensors = calloc(tensors, sizeof(*writer->tensors));
	if (!writer->tensors || asprintf(&writer->path_new, "%s.new", path) < 0)
		err(1, "%s", path);
	writer->end = aligned(sizeof(writer->header) + tensors * sizeof(struct tensor));
	writer->file = fopen(writer->path_new, "we");
	if (!writer->file)
		err(1, "%s", writer->path_new);
	return writer;
}

static void write_at(struct weights_writer *writer, const void *from, uint64_t offset, size_t bytes)
{
	if (fseeko(writer->file, (off_t)offset, SEEK_SET) ||
	    fwrite(from, 1, bytes, writer->file) != bytes) {
		warn("%s", writer->path_new);
		unlink(writer->path_new);
		exit(1);
	}
}

static void write_last(struct weights_writer *writer)
{
	struct tensor *tensor;

	if (!writer->data)
		return;
	tensor = &writer->tensors[writer->added - 1];
	write_at(writer, writer->data, tensor->offset, tensor->bytes);
	free(writer->data);
	writer->data = NULL;
}

/* Memory for the tensor's elements, to be filled before the next call. */
float *weights_add(struct weights_writer *writer, const char *name, const uint32_t dimensions[4])
{
	struct tensor *tensor;

	write_last(writer);
	if (writer->added == writer->header.tensors || strlen(name) >= sizeof(tensor->name))
		errx(1, "%s: there is no room for %s", writer->path, name);
	tensor = &writer->tensors[writer->added++];
	strcpy(tensor->name, name);
	tensor->bytes = sizeof(float);
	for (int i = 0; i < 4; i++) {
		tensor->dimensions[i] = dimensions[i];
		tensor->bytes *= dimensions[i];
	}
	tensor->offset = writer->end;
	writer->end = aligned(writer->end + tensor->bytes);
	writer->data = malloc(tensor->bytes);
	if (!writer->data)
		err(1, "%s", name);
	return writer->data;
}

void weights_finish(struct weights_writer *writer)
{
	write_last(writer);
	if (writer->added != writer->header.tensors)
		errx(1, "%s: %u tensors of %u", writer->path, writer->added,
		     writer->header.tensors);
	write_at(writer, &writer->header, 0, sizeof(writer->header));
	write_at(writer, writer->tensors, sizeof(writer->header),
		 writer->added * sizeof(struct tensor));
	if (fclose(writer->file) || rename(writer->path_new, writer->path))
		err(1, "%s", writer->path);
	free(writer->path_new);
	free(writer->tensors);
	free(writer);
}
