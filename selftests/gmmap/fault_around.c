// SPDX-License-Identifier: MIT
/* A fault brings in its neighbours when the program goes through its memory, and only then. */
#include <stdlib.h>
#include <string.h>

#include "ksft.h"
#include "lazy.h"
#include "pattern.h"

#define LIMIT_S	 120
#define GRANULES 128u
#define BYTES	 (GRANULES * GRANULE_BYTES)

static void read_granule(struct lazy *lazy, struct queue *queue, unsigned int granule)
{
	uint64_t offset = (uint64_t)granule * GRANULE_BYTES;

	lazy_read_by(lazy, queue, offset, 64);
	queue_finish(queue);
	lazy_assert_equal(lazy, offset, 64);
}

static void check_counters(struct lazy *lazy)
{
	struct gmmap_stat stat;

	session_check_faults(&lazy->session, "counters");
	session_stat(&lazy->session, 0, &stat);
	ksft_assert(stat.loaded_granules == stat.faults - stat.joined_faults - stat.stale_faults +
						    stat.around_granules,
		    "%llu were loaded, %llu of them around", (unsigned long long)stat.loaded_granules,
		    (unsigned long long)stat.around_granules);
}

/* Up or down through all of it: chunks grow to 2 MiB, so there are far fewer faults than granules. */
static void sequential(bool down)
{
	struct gmmap_stat stat;
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 1 + down);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	lazy_map(&lazy);
	for (unsigned int i = 0; i < GRANULES; i++)
		read_granule(&lazy, &queue, down ? GRANULES - 1 - i : i);
	check_counters(&lazy);
	session_stat(&lazy.session, 0, &stat);
	ksft_assert(stat.loaded_granules == GRANULES, "%llu loaded",
		    (unsigned long long)stat.loaded_granules);
	/* 1, 2, 6, 18, then what is left of the chunk, then whole ones */
	ksft_assert(stat.faults <= 5 + GRANULES / 32 + 1, "%llu faults",
		    (unsigned long long)stat.faults);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static void upwards(void)
{
	sequential(false);
}

static void downwards(void)
{
	sequential(true);
}

/* Every other granule in random order: none next to one that is there, so nothing is brought along. */
static void random_accesses(void)
{
	unsigned int order[GRANULES / 2];
	struct gmmap_stat stat;
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 3);
	queue_create(&queue, &lazy.kfd, QUEUE_PM4);
	lazy_map(&lazy);
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		unsigned int j = (unsigned int)pattern_below(&lazy.random, i + 1);

		order[i] = order[j];
		order[j] = 2 * i;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		read_granule(&lazy, &queue, order[i]);
	check_counters(&lazy);
	session_stat(&lazy.session, 0, &stat);
	ksft_assert(!stat.around_granules && stat.loaded_granules == ARRAY_SIZE(order),
		    "%llu were loaded, %llu of them around", (unsigned long long)stat.loaded_granules,
		    (unsigned long long)stat.around_granules);
	ksft_assert(stat.file_bytes == ARRAY_SIZE(order) * GRANULE_BYTES, "%llu bytes were read",
		    (unsigned long long)stat.file_bytes);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

/* A program that jumps and then goes on: the window is as long as what is behind it, doubled. */
static void shrinks_after_a_jump(void)
{
	struct gmmap_stat before, after;
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 4);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	lazy_map(&lazy);
	for (unsigned int i = 0; i < 40; i++)
		read_granule(&lazy, &queue, i);
	session_stat(&lazy.session, 0, &before);
	read_granule(&lazy, &queue, 100);
	session_stat(&lazy.session, 0, &after);
	ksft_assert(after.loaded_granules == before.loaded_granules + 1, "%llu after a jump",
		    (unsigned long long)(after.loaded_granules - before.loaded_granules));
	read_granule(&lazy, &queue, 101);
	session_stat(&lazy.session, 0, &after);
	ksft_assert(after.loaded_granules <= before.loaded_granules + 3, "%llu after two",
		    (unsigned long long)(after.loaded_granules - before.loaded_granules));
	check_counters(&lazy);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static const struct ksft_test tests[] = {
	{ "upwards", upwards, LIMIT_S },
	{ "downwards", downwards, LIMIT_S },
	{ "random_accesses", random_accesses, LIMIT_S },
	{ "shrinks_after_a_jump", shrinks_after_a_jump, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
