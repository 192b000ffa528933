// SPDX-License-Identifier: MIT
/* POPULATE: what it loads, in which order, and what it does to everything else. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "pattern.h"
#include "trace.h"

#define LIMIT_S	 120
#define WAIT_MS	 20000
#define GRANULES 64u
#define BYTES	 (GRANULES * GRANULE_BYTES)

static struct gmmap_range granules_of(const struct lazy *lazy, unsigned int first,
				      unsigned int count)
{
	return (struct gmmap_range){
		.mapping_id = lazy->mapping,
		.offset = (uint64_t)first * GRANULE_BYTES,
		.length = (uint64_t)count * GRANULE_BYTES,
	};
}

static struct gmmap_stat stat_of(struct lazy *lazy)
{
	struct gmmap_stat stat;

	session_stat(&lazy->session, 0, &stat);
	return stat;
}

/* Waits for the record of a POPULATE. */
static struct gmmap_record finish(struct lazy *lazy, uint64_t id)
{
	struct gmmap_record record;

	do {
		ksft_assert(session_read_record(&lazy->session, &record, WAIT_MS),
			    "POPULATE %llu does not end", (unsigned long long)id);
	} while (record.type != GMMAP_RECORD_POPULATE || record.id != id);
	return record;
}

static bool is_present(struct lazy *lazy, unsigned int granule)
{
	struct gmmap_wait args = {
		.size = sizeof(args),
		.mapping_id = lazy->mapping,
		.offset = (uint64_t)granule * GRANULE_BYTES,
		.length = 1,
	};

	return !request(lazy->session.fd, GMMAP_IOC_WAIT, &args);
}

static void open_mapped(struct lazy *lazy, uint64_t seed)
{
	lazy_open(lazy, BYTES, seed);
	session_records(&lazy->session, 1 << GMMAP_RECORD_POPULATE, 1024);
	lazy_map(lazy);
}

static void errors(void)
{
	struct gmmap_populate good = { .size = sizeof(good), .range_count = 1 }, args;
	struct gmmap_range range;
	struct lazy lazy;

	open_mapped(&lazy, 1);
	range = granules_of(&lazy, 0, 1);
	good.ranges = (uintptr_t)&range;
#define TRY(field, value, error)                                                  \
	do {                                                                      \
		args = good;                                                      \
		args.field = (value);                                             \
		expect(request(lazy.session.fd, GMMAP_IOC_POPULATE, &args), error); \
	} while (0)
#define TRY_RANGE(field, value, error)             \
	do {                                       \
		range = granules_of(&lazy, 0, 1);  \
		range.field = (value);             \
		TRY(flags, 0, error);              \
	} while (0)
	TRY(flags, 1, EINVAL);
	TRY(size, 8, EINVAL);
	TRY(reserved, 1, EINVAL);
	TRY(range_count, 0, EINVAL);
	TRY(range_count, 65537, EINVAL);
	TRY(ranges, 0, EFAULT);
	TRY(range_count, 65536, EFAULT);
	TRY_RANGE(mapping_id, 0, ENOENT);
	TRY_RANGE(mapping_id, lazy.mapping + 1, ENOENT);
	TRY_RANGE(offset, BYTES, EINVAL);
	TRY_RANGE(offset, ~0ull, EINVAL);
	TRY_RANGE(length, BYTES + 1, EINVAL);
	TRY_RANGE(length, ~0ull, EINVAL);
	ksft_assert(!stat_of(&lazy).loaded_granules, "a POPULATE that failed has loaded something");
	TRY_RANGE(length, 1, 0);
	lazy_close(&lazy);
}

/* Exactly the granules that the ranges touch are loaded, whatever overlaps. */
static void loads_what_is_asked_for(void)
{
	struct gmmap_range ranges[5];
	struct gmmap_record record;
	unsigned int absent = 0;
	struct lazy lazy;

	open_mapped(&lazy, 2);
	ranges[0] = granules_of(&lazy, 40, 4);
	ranges[1] = granules_of(&lazy, 10, 1);
	ranges[2] = granules_of(&lazy, 42, 8);
	ranges[3] = granules_of(&lazy, 10, 1);
	/* the last byte of 20 and the first one of 21 */
	ranges[4] = granules_of(&lazy, 21, 1);
	ranges[4].offset--;
	ranges[4].length = 2;
	record = finish(&lazy, session_populate(&lazy.session, ranges, ARRAY_SIZE(ranges)));
	ksft_assert(!record.error, "error %d", record.error);
	ksft_assert(record.length == 13 * GRANULE_BYTES, "it loaded %llu bytes",
		    (unsigned long long)record.length);
	ksft_assert(record.gpu_id == lazy.kfd.gpu.gpu_id, "on GPU %u", record.gpu_id);
	for (unsigned int i = 0; i < GRANULES; i++) {
		bool wanted = i == 10 || i == 20 || i == 21 || (i >= 40 && i < 50);

		ksft_assert(is_present(&lazy, i) == wanted, "granule %u is %s", i,
			    wanted ? "absent" : "present");
		absent += !wanted;
	}
	ksft_assert(stat_of(&lazy).absent_granules == absent, "%llu granules are absent",
		    (unsigned long long)stat_of(&lazy).absent_granules);
	ksft_assert(stat_of(&lazy).populated_granules == 13, "%llu were populated",
		    (unsigned long long)stat_of(&lazy).populated_granules);
	ksft_assert(!stat_of(&lazy).faults, "there were faults");
	/* What is there already is not loaded again. */
	record = finish(&lazy, session_populate(&lazy.session, ranges, ARRAY_SIZE(ranges)));
	ksft_assert(!record.length && !record.error, "it was loaded again");
	lazy_close(&lazy);
}

/* Spearman's rank correlation of the order in which granules were to come and that in which they came. */
static double correlation(const unsigned int *order, const struct trace_load *loads)
{
	double sum = 0, n = GRANULES / 2;

	for (unsigned int i = 0; i < GRANULES / 2; i++) {
		unsigned int j = 0;

		while (loads[j].granule != order[i])
			j++;
		sum += ((double)i - j) * ((double)i - j);
	}
	return 1 - 6 * sum / (n * (n * n - 1));
}

/*
 * Every other granule, so that none is loaded together with its neighbour. Three workers take them in
 * order; that they end in almost the same one is all that can be seen.
 */
static void keeps_the_order(void)
{
	struct gmmap_range ranges[GRANULES / 2];
	struct trace_load loads[GRANULES / 2];
	unsigned int order[GRANULES / 2];
	unsigned int count;
	struct lazy lazy;
	double found;

	open_mapped(&lazy, 3);
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		unsigned int j = (unsigned int)pattern_below(&lazy.random, i + 1);

		order[i] = order[j];
		order[j] = 2 * i;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		ranges[i] = granules_of(&lazy, order[i], 1);
	trace_start();
	finish(&lazy, session_populate(&lazy.session, ranges, ARRAY_SIZE(ranges)));
	count = trace_stop(loads, ARRAY_SIZE(loads));
	ksft_assert(count == ARRAY_SIZE(loads), "%u loads", count);
	for (unsigned int i = 0; i < count; i++)
		ksft_assert(loads[i].count == 1 && !strcmp(loads[i].by, "fill"),
			    "%u granules by %s", loads[i].count, loads[i].by);
	found = correlation(order, loads);
	ksft_print("rank correlation %.3f", found);
	ksft_assert(found > 0.8, "the order was not kept");
	lazy_close(&lazy);
}

/* One long range is loaded by chunks that begin small and grow to 2 MiB. */
static void chunks_grow(void)
{
	struct trace_load loads[GRANULES];
	struct gmmap_range range;
	unsigned int count, largest = 0;
	struct lazy lazy;

	open_mapped(&lazy, 4);
	range = granules_of(&lazy, 0, 0);
	trace_start();
	finish(&lazy, session_populate(&lazy.session, &range, 1));
	count = trace_stop(loads, ARRAY_SIZE(loads));
	for (unsigned int i = 0; i < count; i++) {
		if (!loads[i].granule)
			ksft_assert(loads[i].count == 1, "the first chunk has %u granules",
				    loads[i].count);
		if (loads[i].count > largest)
			largest = loads[i].count;
	}
	ksft_print("%u granules by %u loads, %u at most", GRANULES, count, largest);
	ksft_assert(largest >= 16 && largest <= 32 && count <= 12, "chunks of another size");
	lazy_close(&lazy);
}

/* Afterwards the mapping has ended, and the queue that runs meanwhile reads what the file has. */
static void all_of_it_while_a_queue_reads(void)
{
	struct gmmap_range ranges[4];
	uint64_t ids[ARRAY_SIZE(ranges)];
	uint64_t bytes = 0;
	struct gmmap_stat stat;
	struct queue queue;
	struct lazy lazy;

	open_mapped(&lazy, 5);
	queue_create(&queue, &lazy.kfd, QUEUE_PM4);
	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		ranges[i] = granules_of(&lazy, i * GRANULES / 4, GRANULES / 4);
		ids[i] = session_populate(&lazy.session, &ranges[i], 1);
		for (unsigned int j = 0; j < i; j++)
			ksft_assert(ids[i] != ids[j], "an id came twice");
	}
	for (unsigned int i = 0; i < 20; i++) {
		uint64_t offset = pattern_below(&lazy.random, BYTES - 4096);

		lazy_read_by(&lazy, &queue, offset, 4096);
		queue_finish(&queue);
		lazy_assert_equal(&lazy, offset, 4096);
	}
	for (unsigned int done = 0; done < ARRAY_SIZE(ranges); done++) {
		struct gmmap_record record;

		ksft_assert(session_read_record(&lazy.session, &record, WAIT_MS), "no record");
		ksft_assert(!record.error, "error %d", record.error);
		bytes += record.length;
	}
	ksft_assert(!session_try_wait(&lazy.session, lazy.mapping, WAIT_MS * 1000000ll),
		    "not complete");
	stat = stat_of(&lazy);
	ksft_assert(bytes == stat.populated_granules * GRANULE_BYTES, "records of %llu bytes",
		    (unsigned long long)bytes);
	ksft_assert(stat.loaded_granules == GRANULES && stat.file_bytes == BYTES,
		    "%llu granules and %llu bytes were loaded",
		    (unsigned long long)stat.loaded_granules, (unsigned long long)stat.file_bytes);
	lazy_check_all(&lazy, &queue);
	/* A mapping that has ended is passed over, and it is told at once. */
	ids[0] = session_populate(&lazy.session, ranges, ARRAY_SIZE(ranges));
	ksft_assert(!finish(&lazy, ids[0]).length, "an ended mapping was loaded");
	session_check_faults(&lazy.session, "populated");
	queue_destroy(&queue);
	lazy_close(&lazy);
}

/* Two mappings by one POPULATE; one of them is abandoned and freed meanwhile. */
static void a_mapping_ends_meanwhile(void)
{
	struct gmmap_range ranges[2];
	struct kfd_bo other;
	uint64_t mapping, id;
	struct queue queue;
	struct lazy lazy;
	int ret;

	open_mapped(&lazy, 6);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	for (unsigned int round = 0; round < 8; round++) {
		kfd_bo_alloc(&lazy.kfd, &other, BYTES, KFD_BO_VRAM);
		mapping = session_map_file(&lazy.session, &other, lazy.file.fd, 0);
		ranges[0] = granules_of(&lazy, 4 * round, 4);
		ranges[1] = (struct gmmap_range){ .mapping_id = mapping };
		id = session_populate(&lazy.session, ranges, 2);
		usleep((useconds_t)pattern_below(&lazy.random, 4000));
		if (round % 2) {
			ret = session_try_unmap(&lazy.session, mapping, GMMAP_UNMAP_ABANDON);
			ksft_assert(!ret || ret == -ENOENT, "UNMAP: %s", strerror(-ret));
		}
		kfd_bo_free(&lazy.kfd, &other);
		ksft_assert(!finish(&lazy, id).error, "the POPULATE has failed");
	}
	lazy_check_all(&lazy, &queue);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

/* As many ranges as there may be, most of them of the same granules. */
static void as_many_ranges_as_allowed(void)
{
	struct gmmap_query query = { .size = sizeof(query) };
	struct gmmap_range *ranges;
	struct queue queue;
	struct lazy lazy;

	open_mapped(&lazy, 7);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	expect(request(lazy.session.fd, GMMAP_IOC_QUERY, &query), 0);
	ranges = calloc(query.max_ranges, sizeof(*ranges));
	ksft_assert(ranges, "out of memory");
	for (uint32_t i = 0; i < query.max_ranges; i++)
		ranges[i] = granules_of(&lazy, i * 7 % GRANULES, 1);
	finish(&lazy, session_populate(&lazy.session, ranges, query.max_ranges));
	ksft_assert(!session_try_wait(&lazy.session, lazy.mapping, WAIT_MS * 1000000ll),
		    "not complete");
	lazy_check_all(&lazy, &queue);
	ksft_assert(!stat_of(&lazy).faults, "something was absent");
	free(ranges);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static const struct ksft_test tests[] = {
	{ "errors", errors, LIMIT_S },
	{ "loads_what_is_asked_for", loads_what_is_asked_for, LIMIT_S },
	{ "keeps_the_order", keeps_the_order, LIMIT_S },
	{ "chunks_grow", chunks_grow, LIMIT_S },
	{ "all_of_it_while_a_queue_reads", all_of_it_while_a_queue_reads, LIMIT_S },
	{ "a_mapping_ends_meanwhile", a_mapping_ends_meanwhile, LIMIT_S },
	{ "as_many_ranges_as_allowed", as_many_ranges_as_allowed, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
