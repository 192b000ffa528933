// SPDX-License-Identifier: MIT
/*
 * Many faults at once: processes with one file, both kinds of queues, POPULATE and the CPU. How many
 * is set by the environment: STORM_RANGES, STORM_FAULTS, STORM_SEED.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "pattern.h"

#define LIMIT_S	  3000
#define WAIT_MS	  3000000
#define PROCESSES 8u
#define GRANULES  128u
#define BYTES	  (GRANULES * GRANULE_BYTES)
#define RANGES	  (64u << 20)

static uint64_t number(const char *name, uint64_t fallback)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : fallback;
}

/* Ranges of every size in random order, by both queues, each compared. */
static void random_ranges(void)
{
	uint64_t count = number("STORM_RANGES", 200);
	struct queue queues[2];
	struct lazy lazy;

	lazy_open(&lazy, RANGES, number("STORM_SEED", 1));
	queue_create(&queues[0], &lazy.kfd, QUEUE_SDMA);
	queue_create(&queues[1], &lazy.kfd, QUEUE_PM4);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t bytes = 1ull << pattern_below(&lazy.random, 18);
		uint64_t offset = pattern_below(&lazy.random, RANGES - bytes);
		struct queue *queue = &queues[i % 2];

		/* begin again when most of it is there */
		if (i % 1000 == 0) {
			if (i)
				session_try_unmap(&lazy.session, lazy.mapping, GMMAP_UNMAP_ABANDON);
			lazy_map(&lazy);
		}
		lazy_read_by(&lazy, queue, offset, bytes);
		queue_finish(queue);
		ksft_assert(!memcmp((uint8_t *)lazy.result.cpu + offset, lazy.file.data + offset,
				    bytes),
			    "range %llu: %llu bytes at %llu are wrong", (unsigned long long)i,
			    (unsigned long long)bytes, (unsigned long long)offset);
	}
	ksft_print("%llu ranges", (unsigned long long)count);
	session_check_faults(&lazy.session, "ranges");
	queue_destroy(&queues[0]);
	queue_destroy(&queues[1]);
	lazy_close(&lazy);
}

static struct shared {
	uint64_t faults;
	uint64_t acknowledged;
	uint64_t populated;
	uint64_t by_cpu;
	uint64_t rounds;
} *shared;

static struct backing file;
static struct gate *gate;

/* What a process does in a round, besides POPULATE. Returns when everything was compared. */
static void one_round(struct lazy *lazy, struct queue *queues)
{
	volatile uint8_t *cpu = lazy->vram.cpu;
	struct gmmap_range ranges[4];
	unsigned int count = 0;

	lazy_map(lazy);
	for (; count < ARRAY_SIZE(ranges); count++)
		ranges[count] = (struct gmmap_range){
			.mapping_id = lazy->mapping,
			.offset = pattern_below(&lazy->random, GRANULES) * GRANULE_BYTES,
			.length = 1 + pattern_below(&lazy->random, 4 * GRANULE_BYTES),
		};
	for (unsigned int i = 0; i < count; i++)
		if (ranges[i].offset + ranges[i].length > BYTES)
			ranges[i].length = BYTES - ranges[i].offset;
	session_populate(&lazy->session, ranges, count);
	for (unsigned int i = 0; i < GRANULES; i++) {
		uint64_t at = pattern_below(&lazy->random, BYTES - 4096);

		lazy_read_by(lazy, &queues[i % 2], at, 4096);
		if (i % 16)
			continue;
		queue_submit(&queues[0]);
		queue_submit(&queues[1]);
		at = pattern_below(&lazy->random, BYTES);
		ksft_assert(cpu[at] == lazy->file.data[at], "the CPU reads 0x%02x at %llu", cpu[at],
			    (unsigned long long)at);
	}
	/* all of it by both, in opposite directions */
	for (unsigned int i = 0; i < GRANULES; i++) {
		lazy_read_by(lazy, &queues[0], (uint64_t)i * GRANULE_BYTES, GRANULE_BYTES / 2);
		lazy_read_by(lazy, &queues[1],
			     (uint64_t)(GRANULES - 1 - i) * GRANULE_BYTES + GRANULE_BYTES / 2,
			     GRANULE_BYTES / 2);
	}
	queue_finish(&queues[0]);
	queue_finish(&queues[1]);
	ksft_assert(!memcmp(lazy->result.cpu, lazy->file.data, BYTES), "something else was read");
	session_try_unmap(&lazy->session, lazy->mapping, GMMAP_UNMAP_ABANDON);
}

static void stormer(unsigned int index)
{
	uint64_t wanted = number("STORM_FAULTS", 800), before = 0;
	struct queue queues[2];
	struct gmmap_stat stat;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, number("STORM_SEED", 1) * 100 + index);
	backing_destroy(&lazy.file);
	lazy.file = file;
	queue_create(&queues[0], &lazy.kfd, QUEUE_SDMA);
	queue_create(&queues[1], &lazy.kfd, QUEUE_PM4);
	/* a fault for each granule */
	session_profile_start(&lazy.session, 1, GMMAP_PROFILE_EXACT);
	gate_pass(gate, WAIT_MS);
	while (__atomic_load_n(&shared->faults, __ATOMIC_RELAXED) < wanted) {
		memset(lazy.result.cpu, 0xee, BYTES);
		one_round(&lazy, queues);
		session_stat(&lazy.session, 0, &stat);
		__atomic_add_fetch(&shared->faults, stat.faults - before, __ATOMIC_RELAXED);
		before = stat.faults;
		__atomic_add_fetch(&shared->rounds, 1, __ATOMIC_RELAXED);
	}
	session_check_faults(&lazy.session, "storm");
	session_stat(&lazy.session, 0, &stat);
	ksft_assert(!stat.refused_faults && !stat.failed_loads, "%llu refused, %llu failed",
		    (unsigned long long)stat.refused_faults, (unsigned long long)stat.failed_loads);
	__atomic_add_fetch(&shared->acknowledged, stat.acknowledged_faults, __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->populated, stat.populated_granules, __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->by_cpu, stat.cpu_granules, __ATOMIC_RELAXED);
	queue_destroy(&queues[0]);
	queue_destroy(&queues[1]);
}

/* No acknowledge is lost, nothing stalls, and everybody reads what the file has. */
static void eight_processes_of_one_file(void)
{
	close(session_device());
	backing_create(&file, BYTES, number("STORM_SEED", 1));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ksft_assert(shared != MAP_FAILED, "mmap: %s", strerror(errno));
	gate = gate_create(PROCESSES);
	process_run_all(stormer, PROCESSES, WAIT_MS);
	ksft_print("%llu rounds of %u processes: %llu faults, %llu acknowledged, %llu granules by POPULATE, %llu by the CPU",
		   (unsigned long long)shared->rounds, PROCESSES,
		   (unsigned long long)shared->faults, (unsigned long long)shared->acknowledged,
		   (unsigned long long)shared->populated, (unsigned long long)shared->by_cpu);
	ksft_assert(shared->acknowledged >= shared->faults, "an acknowledge is missing");
}

static const struct ksft_test tests[] = {
	{ "random_ranges", random_ranges, LIMIT_S },
	{ "eight_processes_of_one_file", eight_processes_of_one_file, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
