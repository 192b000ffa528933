// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include "image_pool.h"

/*
 * lock guards generation, busy and stop. The loop's fields are written by pool_run() while nobody
 * is busy; the lock orders them before the threads' work.
 */
struct pool {
	pthread_mutex_t lock;
	pthread_cond_t begin, end;
	unsigned long generation;
	unsigned int busy;
	bool stop;

	size_t count, grain;
	void (*work)(void *context, size_t item);
	void *context;
	atomic_size_t next;

	unsigned int threads;
	pthread_t thread[];
};

static void work_on(struct pool *pool)
{
	for (;;) {
		size_t first = atomic_fetch_add(&pool->next, pool->grain);
		size_t end = first + pool->grain;

		if (first >= pool->count)
			return;
		if (end > pool->count)
			end = pool->count;
		for (size_t i = first; i < end; i++)
			pool->work(pool->context, i);
	}
}

static void *thread_main(void *argument)
{
	struct pool *pool = argument;
	unsigned long seen = 0;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (pool->generation == seen && !pool->stop)
			pthread_cond_wait(&pool->begin, &pool->lock);
		if (pool->stop)
			break;
		seen = pool->generation;
		pthread_mutex_unlock(&pool->lock);
		work_on(pool);
		pthread_mutex_lock(&pool->lock);
		if (--pool->busy == 0)
			pthread_cond_signal(&pool->end);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static unsigned int usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return CPU_COUNT(&set);
}

int pool_create(struct pool **out, unsigned int threads)
{
	sigset_t all, old;
	struct pool *pool;
	int ret = 0;

	if (!threads)
		threads = usable_cpus();
	pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->thread[0]));
	if (!pool)
		return -ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->begin, NULL);
	pthread_cond_init(&pool->end, NULL);
	/* Signals are the caller's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!ret && pool->threads + 1 < threads) {
		ret = -pthread_create(&pool->thread[pool->threads], NULL, thread_main, pool);
		if (!ret)
			pool->threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		pool_destroy(pool);
		return ret;
	}
	*out = pool;
	return 0;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->begin);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned int i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	pthread_cond_destroy(&pool->begin);
	pthread_cond_destroy(&pool->end);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void pool_run(struct pool *pool, size_t count, size_t grain,
	      void (*work)(void *context, size_t item), void *context)
{
	if (count <= grain || !pool->threads) {
		for (size_t i = 0; i < count; i++)
			work(context, i);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	pool->count = count;
	pool->grain = grain;
	pool->work = work;
	pool->context = context;
	atomic_store(&pool->next, 0);
	pool->busy = pool->threads;
	pool->generation++;
	pthread_cond_broadcast(&pool->begin);
	pthread_mutex_unlock(&pool->lock);
	work_on(pool);
	pthread_mutex_lock(&pool->lock);
	while (pool->busy)
		pthread_cond_wait(&pool->end, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}
