/* SPDX-License-Identifier: MIT */
/* Threads that share the items of one loop at a time. The caller of pool_run() works, too. */
#ifndef GMMAP_IMAGE_POOL_H
#define GMMAP_IMAGE_POOL_H

#include <stddef.h>

struct pool;

/* THREADS counts the caller; 0: one for each CPU that the process may use. */
int pool_create(struct pool **pool, unsigned int threads);
void pool_destroy(struct pool *pool);
/* Calls WORK for each ITEM in [0, COUNT), GRAIN neighbours in one thread, and returns when all are
 * done. */
void pool_run(struct pool *pool, size_t count, size_t grain,
	      void (*work)(void *context, size_t item), void *context);

#endif
