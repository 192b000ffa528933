/* SPDX-License-Identifier: MIT */
/*
 * Writes images into a store and keeps the store. For programs that take checkpoints: the command
 * gmmap and CRIU's plugin link it (libgmmap-store.a); it is no part of libgmmap's ABI. What is
 * written and in which order is in Documentation/image-format.md.
 *
 * Functions return 0 or what is said, or a negative errno.
 */
#ifndef GMMAP_STORE_H
#define GMMAP_STORE_H

#include <stdbool.h>
#include "gmmap-image.h"

/* Makes an empty store, or does nothing if PATH is one. */
int gmmap_store_create(const char *path, struct gmmap_image_error *error);

/* A store as a descriptor; -EINVAL and the like as gmmap_image_open(). */
int gmmap_store_open(const char *path, struct gmmap_image_error *error);

/* Names of all images, sorted. Folders in images/ that cannot be one are left out. */
int gmmap_store_list(int store_fd, char ***names, size_t *count);
void gmmap_store_free_list(char **names, size_t count);

/* Removes an image; its packs stay until gmmap_store_collect(). Also one that is damaged. */
int gmmap_store_remove(int store_fd, const char *name, struct gmmap_image_error *error);

struct gmmap_store_collected {
	uint64_t packs, pack_bytes; /* removed */
	uint64_t unfinished;	    /* remains of writers that died */
	uint64_t kept_packs, kept_bytes;
};

/*
 * Removes packs that no image needs, and unfinished work. With DRY_RUN it only counts. -EBUSY:
 * somebody writes to the store. -EBADMSG: an image cannot be read; then nothing is removed, as it
 * is not known what it needs.
 */
int gmmap_store_collect(const char *path, bool dry_run, struct gmmap_store_collected *collected,
			struct gmmap_image_error *error);

/* Writing an image */

struct gmmap_store_writer;

struct gmmap_store_options {
	const char *const *bases; /* images whose packs may be shared */
	size_t base_count;
	unsigned int threads; /* 0: one for each CPU */
	bool replace;	      /* an image of this name is replaced at commit */
};

/* What became of the content of one kind, in bytes; all but `stored' without padding. */
struct gmmap_store_amount {
	uint64_t content;
	uint64_t zeros;	     /* not stored */
	uint64_t base;	     /* in packs of the bases */
	uint64_t repeated;   /* the same as other content of this image */
	uint64_t stored;     /* slots written */
	uint64_t mismatches; /* granules: a base's hash was equal, its content not */
};

struct gmmap_store_result {
	struct gmmap_store_amount granules; /* of 64 KiB: GPU memory */
	struct gmmap_store_amount pages;    /* of 4 KiB: CPU memory, and ends of BOs */
	uint64_t image_bytes;		    /* the image file and the small files */
	uint64_t extents;
	uint8_t sha256[GMMAP_IMAGE_DIGEST_BYTES];
};

/*
 * Begins image NAME. Nothing is visible under this name until gmmap_store_commit(). -EEXIST: there
 * is one. While a writer is open nothing is collected.
 */
int gmmap_store_begin(const char *store, const char *name,
		      const struct gmmap_store_options *options, struct gmmap_store_writer **writer,
		      struct gmmap_image_error *error);

/* Why the last call failed. After a failure only gmmap_store_abort() does something. */
const char *gmmap_store_error(const struct gmmap_store_writer *writer);

int gmmap_store_property(struct gmmap_store_writer *writer, const char *key, const char *value);

/* A small file, kept as it is. NAME has no slash. */
int gmmap_store_file(struct gmmap_store_writer *writer, const char *name, unsigned int mode,
		     const void *data, size_t size);
/* The same, read from FD until its end. */
int gmmap_store_file_fd(struct gmmap_store_writer *writer, const char *name, unsigned int mode,
			int fd);

/* Returns the index of the process. */
int gmmap_store_process(struct gmmap_store_writer *writer, uint32_t pid);

/*
 * Begins an object, whose content follows by the next calls, and returns its index. The object's
 * size must be known. HEAD, if it is not NULL, is 8 bytes that stand before it in its file.
 */
int64_t gmmap_store_object(struct gmmap_store_writer *writer,
			   const struct gmmap_image_object *object, const void *head);

/* Content, from where the last call ended. It is compared, hashed and written before they return.
 */
int gmmap_store_write(struct gmmap_store_writer *writer, const void *data, size_t length);
/* OFFSET -1: FD is read on from where it stands, which may be a pipe. -ENODATA: it ends too early.
 */
int gmmap_store_write_fd(struct gmmap_store_writer *writer, int fd, int64_t offset,
			 uint64_t length);
int gmmap_store_write_zeros(struct gmmap_store_writer *writer, uint64_t length);
/*
 * Content that is known to be that of IMAGE, which is one of the bases or has all its packs in
 * theirs: nothing is read. In a BO, at a multiple of 64 KiB.
 */
int gmmap_store_write_same(struct gmmap_store_writer *writer, const struct gmmap_image *image,
			   uint32_t object, uint64_t offset, uint64_t length);

/* Ends the object; all its bytes must have come. */
int gmmap_store_end_object(struct gmmap_store_writer *writer);

/* LENGTH bytes at ADDRESS of a process are those at OFFSET of a pages object. Whole pages. */
int gmmap_store_span(struct gmmap_store_writer *writer, uint32_t process, uint64_t address,
		     uint64_t length, uint32_t object, uint64_t offset, uint32_t flags);

/* Makes the image visible, on disk and whole, or fails. The writer is gone in both cases. */
int gmmap_store_commit(struct gmmap_store_writer *writer, struct gmmap_store_result *result,
		       struct gmmap_image_error *error);
void gmmap_store_abort(struct gmmap_store_writer *writer);

#endif
