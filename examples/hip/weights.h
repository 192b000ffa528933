/* SPDX-License-Identifier: MIT */
/*
 * weights.h - a file of named float tensors
 *
 * Everything is little endian. A header of 64 bytes is followed by one entry of 64 bytes for each
 * tensor, then by the tensors: float32, the last dimension contiguous, each at a multiple of 4096.
 *
 *   header  0  magic "weights1"      entry  0  name, filled up with zeros
 *           8  name of the network         32  4 dimensions, those not used are 1
 *          32  number of tensors           48  offset of the data in the file
 *          36  7 parameters of the shape   56  bytes of the data
 *
 * What cannot be read or does not fit ends the program with a message that names the file.
 */
#ifndef EXAMPLES_WEIGHTS_H
#define EXAMPLES_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIGHTS_ALIGNMENT 4096u

struct weights_header {
	char magic[8];
	char network[24];
	uint32_t tensors;
	uint32_t parameters[7];
};

struct tensor {
	char name[32];
	uint32_t dimensions[4];
	uint64_t offset;
	uint64_t bytes;
};

struct weights {
	const char *path;
	int fd;
	struct weights_header header;
	struct tensor *tensors;
	uint64_t begin; /* offset of the first tensor's data */
	uint64_t end;	/* size of the file */
};

/* Opens a file and checks that its header and entries are sound and of the network named. */
void weights_open(struct weights *weights, const char *path, const char *network);

/* The tensor at an index, which must have the name and the number of elements given. */
const struct tensor *weights_tensor(const struct weights *weights, unsigned int index,
				    const char *name, uint64_t elements);

/* Reads bytes at an offset of the file. */
void weights_read(const struct weights *weights, void *to, uint64_t offset, size_t bytes);

void weights_close(struct weights *weights);

/* Writing: begins a file, adds tensors in order, and gives the file its name when it is complete.
 */
struct weights_writer;
struct weights_writer *weights_create(const char *path, const char *network,
				      const uint32_t parameters[7], unsigned int tensors);
float *weights_add(struct weights_writer *writer, const char *name, const uint32_t dimensions[4]);
void weights_finish(struct weights_writer *writer);

#ifdef __cplusplus
}
#endif
#endif
