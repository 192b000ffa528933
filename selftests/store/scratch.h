/* SPDX-License-Identifier: MIT */
/* A store that a test may do anything to, and content that can be told apart. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "image_internal.h"
#include "store.h"

/* cmocka's fixtures: an empty store in a temporary folder, its path in *state. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* Bytes that depend on SEED only and repeat nowhere. */
void scratch_fill(void *data, size_t length, uint64_t seed);
uint64_t scratch_random(uint64_t *state);

/* A writer that must begin; BASE may be NULL. */
struct gmmap_store_writer *scratch_begin(const char *store, const char *name, const char *base);
/* Adds a whole object and returns its index. */
uint32_t scratch_object(struct gmmap_store_writer *writer, enum gmmap_image_kind kind,
			uint32_t process, const void *data, size_t size);
void scratch_commit(struct gmmap_store_writer *writer, struct gmmap_store_result *result);
struct gmmap_image *scratch_open(const char *store, const char *name);
/* The object's content is DATA. */
void scratch_check(struct gmmap_image *image, uint32_t object, const void *data, size_t size);

/* How many entries a folder of the store has. */
size_t scratch_entries(const char *store, const char *folder);
/* Path of the first pack of an image. */
void scratch_pack_path(const char *store, const char *name, char path[4096]);

/* Puts the right SHA-256 into an image file in memory. */
void scratch_sign(uint8_t *data, size_t size);

#endif
