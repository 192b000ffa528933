/* SPDX-License-Identifier: MIT */
/* What the parts of the writer share: writer.c (tables), content.c (content), commit.c. */
#ifndef GMMAP_WRITER_H
#define GMMAP_WRITER_H

#include <stdio.h>
#include "dedup.h"
#include "store_internal.h"
#include "table.h"

enum sink_index { SINK_GRANULES, SINK_PAGES, SINKS };

struct sink {
	int fd, hashes_fd;
	struct dedup *dedup;
	uint32_t number;  /* of its pack in the image, IMAGE_NONE until it is used */
	size_t used;	  /* bytes in the batch */
	uint64_t padding; /* bytes of the content that are none */
	uint64_t unread_zeros, unread_base; /* bytes that did not go through it */
};

struct base_pack {
	struct image_pack record;
	int fd;
	uint32_t number;
	enum sink_index sink;
	int dedup_number;
};

struct gmmap_store_writer {
	char name[129];
	bool replace;
	int broken;
	struct gmmap_image_error error;
	struct pool *pool;

	int store_fd, lock_fd;
	char work[64]; /* tmp/... */
	int work_fd, files_fd;

	struct sink sink[SINKS];
	struct base_pack *base_packs;
	size_t base_pack_count;

	struct table strings, packs, processes, objects, spans, files, properties;
	uint64_t file_bytes;
	uint32_t name_string;

	FILE *extents; /* those that are finished; they may be many */
	uint64_t extent_count;

	/* The object that is being written */
	bool in_object;
	uint64_t position; /* bytes taken */
	uint64_t whole;	   /* so many of its bytes are whole granules */
	uint64_t size;
	struct image_extent extent; /* the last one, which may grow; length 0: none */
};

__attribute__((format(printf, 3, 4))) int writer_fail(struct gmmap_store_writer *writer, int code,
						      const char *format, ...);

/* Offset of TEXT in the strings, where it is once, or IMAGE_NONE without memory. */
uint32_t add_string(struct gmmap_store_writer *writer, const char *text);

void content_begin(struct gmmap_store_writer *writer, const struct image_object *object);
int content_end(struct gmmap_store_writer *writer);

#endif
