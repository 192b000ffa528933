// SPDX-License-Identifier: MIT
/* PROFILE: what is touched is recorded in its order, and a run that populates in this order waits less. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "pattern.h"

#define LIMIT_S	 120
#define WAIT_NS	 20000000000ll
#define GRANULES 64u
#define BYTES	 (GRANULES * GRANULE_BYTES)
#define TOUCHED	 20u /* granules, in random order */

static struct gmmap_profile profile(struct lazy *lazy, uint32_t op, uint32_t flags, uint32_t count)
{
	struct gmmap_profile args = {
		.size = sizeof(args),
		.op = op,
		.flags = flags,
		.count = count,
	};
	int ret = request(lazy->session.fd, GMMAP_IOC_PROFILE, &args);

	ksft_assert(!ret, "PROFILE %u: %s", op, strerror(-ret));
	return args;
}

static void start(struct lazy *lazy, uint32_t flags, uint32_t count)
{
	profile(lazy, GMMAP_PROFILE_START, flags, count);
}

/* Reads touches from one on; returns how many there are now. */
static uint32_t read_touches(struct lazy *lazy, uint64_t first, struct gmmap_touch *touches,
			     uint32_t count)
{
	struct gmmap_profile args = {
		.size = sizeof(args),
		.op = GMMAP_PROFILE_READ,
		.count = count,
		.first = first,
		.touches = (uintptr_t)touches,
	};
	int ret = request(lazy->session.fd, GMMAP_IOC_PROFILE, &args);

	ksft_assert(!ret, "PROFILE READ: %s", strerror(-ret));
	return args.count;
}

/* So many different granules in random order. */
static void choose(struct lazy *lazy, unsigned int *order, unsigned int count)
{
	unsigned int all[GRANULES];

	for (unsigned int i = 0; i < GRANULES; i++)
		all[i] = i;
	for (unsigned int i = 0; i < count; i++) {
		unsigned int j = i + (unsigned int)pattern_below(&lazy->random, GRANULES - i);

		order[i] = all[j];
		all[j] = all[i];
	}
}

static void touch_by(struct lazy *lazy, struct queue *queue, unsigned int granule)
{
	uint64_t offset = (uint64_t)granule * GRANULE_BYTES +
			  pattern_below(&lazy->random, GRANULE_BYTES / 4) * 4;

	lazy_read_by(lazy, queue, offset, 4);
	queue_finish(queue);
	lazy_assert_equal(lazy, offset, 4);
}

static void open_with_queue(struct lazy *lazy, struct queue *queue, uint64_t seed)
{
	lazy_open(lazy, BYTES, seed);
	queue_create(queue, &lazy->kfd, QUEUE_SDMA);
}

static void close_with_queue(struct lazy *lazy, struct queue *queue)
{
	session_check_faults(&lazy->session, "at the end");
	queue_destroy(queue);
	lazy_close(lazy);
}

static void errors(void)
{
	struct gmmap_profile good = { .size = sizeof(good), .count = 16 }, args;
	struct gmmap_touch touch;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 1);
#define TRY(field, value, error)                                                 \
	do {                                                                     \
		args = good;                                                     \
		args.field = (value);                                            \
		expect(request(lazy.session.fd, GMMAP_IOC_PROFILE, &args), error); \
	} while (0)
	good.op = GMMAP_PROFILE_STOP;
	good.count = 0;
	TRY(flags, 0, ENODATA);
	TRY(count, 1, EINVAL);
	good.op = GMMAP_PROFILE_READ;
	TRY(flags, 0, ENODATA);
	TRY(flags, GMMAP_PROFILE_EXACT, EINVAL);
	good.op = GMMAP_PROFILE_START;
	TRY(count, 0, EINVAL);
	TRY(count, (1 << 22) + 1, EINVAL);
	good.count = 16;
	TRY(op, 3, EINVAL);
	TRY(flags, 2, EINVAL);
	TRY(first, 1, EINVAL);
	TRY(touches, (uintptr_t)&touch, EINVAL);
	TRY(size, 16, EINVAL);
	TRY(flags, GMMAP_PROFILE_EXACT, 0);
	lazy_map(&lazy);
	touch_by(&lazy, &queue, 3);
	good = (struct gmmap_profile){ .size = sizeof(good), .op = GMMAP_PROFILE_READ, .count = 1 };
	TRY(touches, 0, EFAULT);
	TRY(touches, (uintptr_t)&touch, 0);
	TRY(first, 1, 0); /* nothing is there, so nothing is written */
	ksft_assert(!args.count && args.recorded == 1, "%u touches behind the last one", args.count);
	close_with_queue(&lazy, &queue);
}

static void records_the_order(void)
{
	struct gmmap_touch touches[GRANULES];
	unsigned int order[TOUCHED];
	struct gmmap_profile end;
	struct queue queue;
	struct lazy lazy;
	uint32_t count;

	open_with_queue(&lazy, &queue, 2);
	lazy_map(&lazy);
	start(&lazy, GMMAP_PROFILE_EXACT, GRANULES);
	choose(&lazy, order, TOUCHED);
	for (unsigned int i = 0; i < TOUCHED; i++) {
		if (i % 5 == 4) /* the CPU takes part */
			ksft_assert(((volatile uint8_t *)lazy.vram.cpu)[order[i] * GRANULE_BYTES] ==
					    lazy.file.data[order[i] * GRANULE_BYTES],
				    "the CPU reads something else");
		else
			touch_by(&lazy, &queue, order[i]);
		touch_by(&lazy, &queue, order[i / 2]); /* not for the first time */
		if (i == TOUCHED / 2)
			ksft_assert(read_touches(&lazy, 0, touches, GRANULES) == i + 1,
				    "READ while it is recording");
	}
	end = profile(&lazy, GMMAP_PROFILE_STOP, 0, 0);
	ksft_assert(end.recorded == TOUCHED && !end.dropped, "%llu were recorded, %llu dropped",
		    (unsigned long long)end.recorded, (unsigned long long)end.dropped);
	touch_by(&lazy, &queue, GRANULES - 1 - order[0] == order[1] ? 0 : GRANULES - 1 - order[0]);
	count = read_touches(&lazy, 0, touches, GRANULES);
	ksft_assert(count == TOUCHED, "%u touches", count);
	for (unsigned int i = 0; i < count; i++) {
		ksft_assert(touches[i].mapping_id == lazy.mapping &&
				    touches[i].offset == (uint64_t)order[i] * GRANULE_BYTES,
			    "touch %u is of granule %llu, not %u", i,
			    (unsigned long long)touches[i].offset / GRANULE_BYTES, order[i]);
		ksft_assert(touches[i].gpu_id == (i % 5 == 4 ? 0 : lazy.kfd.gpu.gpu_id),
			    "touch %u is by %u", i, touches[i].gpu_id);
		ksft_assert(!i || touches[i].time_ns >= touches[i - 1].time_ns, "time goes back");
	}
	/* a part of them */
	count = read_touches(&lazy, 7, touches, 3);
	ksft_assert(count == 3 && touches[2].offset == (uint64_t)order[9] * GRANULE_BYTES,
		    "%u touches from the seventh on", count);
	close_with_queue(&lazy, &queue);
}

/* Without EXACT, a program that goes through its memory touches few granules before they are there. */
static void exact_or_not(void)
{
	struct gmmap_profile end;
	struct queue queue;
	struct lazy lazy;
	int ret;

	open_with_queue(&lazy, &queue, 3);
	for (unsigned int exact = 0; exact < 2; exact++) {
		lazy_map(&lazy);
		start(&lazy, exact ? GMMAP_PROFILE_EXACT : 0, GRANULES);
		for (unsigned int i = 0; i < GRANULES - 1; i++)
			touch_by(&lazy, &queue, i);
		end = profile(&lazy, GMMAP_PROFILE_STOP, 0, 0);
		ksft_print("%llu of %u granules recorded", (unsigned long long)end.recorded,
			   GRANULES - 1);
		if (exact)
			ksft_assert(end.recorded == GRANULES - 1, "some are hidden");
		else
			ksft_assert(end.recorded < GRANULES / 4, "there is no fault-around");
		/* The chunk of the last fault may have completed it. */
		ret = session_try_unmap(&lazy.session, lazy.mapping, GMMAP_UNMAP_ABANDON);
		ksft_assert(!ret || ret == -ENOENT, "UNMAP: %s", strerror(-ret));
	}
	close_with_queue(&lazy, &queue);
}

static void what_does_not_fit_is_counted(void)
{
	struct gmmap_touch touches[GRANULES];
	unsigned int order[TOUCHED];
	struct gmmap_profile end;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 4);
	lazy_map(&lazy);
	start(&lazy, GMMAP_PROFILE_EXACT, 6);
	choose(&lazy, order, TOUCHED);
	for (unsigned int i = 0; i < 10; i++)
		touch_by(&lazy, &queue, order[i]);
	end = profile(&lazy, GMMAP_PROFILE_STOP, 0, 0);
	ksft_assert(end.recorded == 6 && end.dropped == 4, "%llu recorded, %llu dropped",
		    (unsigned long long)end.recorded, (unsigned long long)end.dropped);
	ksft_assert(read_touches(&lazy, 0, touches, GRANULES) == 6 &&
			    touches[5].offset == (uint64_t)order[5] * GRANULE_BYTES,
		    "the first ones are not those that are kept");
	/* A new recording forgets the old one. */
	start(&lazy, 0, GRANULES);
	ksft_assert(!read_touches(&lazy, 0, touches, GRANULES), "something is left");
	touch_by(&lazy, &queue, order[15]);
	end = profile(&lazy, GMMAP_PROFILE_STOP, 0, 0);
	ksft_assert(end.recorded == 1 && !end.dropped, "%llu recorded, %llu dropped",
		    (unsigned long long)end.recorded, (unsigned long long)end.dropped);
	close_with_queue(&lazy, &queue);
}

/* Of what was populated in the recorded order, nothing stalls. */
static void replay(void)
{
	struct gmmap_touch touches[TOUCHED];
	struct gmmap_range ranges[TOUCHED];
	unsigned int order[TOUCHED];
	struct gmmap_stat before, after;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 5);
	choose(&lazy, order, TOUCHED);
	lazy_map(&lazy);
	start(&lazy, GMMAP_PROFILE_EXACT, GRANULES);
	for (unsigned int i = 0; i < TOUCHED; i++)
		touch_by(&lazy, &queue, order[i]);
	profile(&lazy, GMMAP_PROFILE_STOP, 0, 0);
	ksft_assert(read_touches(&lazy, 0, touches, TOUCHED) == TOUCHED, "no profile");
	session_stat(&lazy.session, 0, &before);
	ksft_assert(before.faults == TOUCHED, "%llu faults for %u granules",
		    (unsigned long long)before.faults, TOUCHED);
	expect(session_try_unmap(&lazy.session, lazy.mapping, GMMAP_UNMAP_ABANDON), 0);
	lazy_map(&lazy);
	for (unsigned int i = 0; i < TOUCHED; i++)
		ranges[i] = (struct gmmap_range){
			.mapping_id = lazy.mapping,
			.offset = touches[i].offset,
			.length = GRANULE_BYTES,
		};
	session_populate(&lazy.session, ranges, TOUCHED);
	for (unsigned int i = 0; i < TOUCHED; i++) {
		struct gmmap_wait wait = {
			.size = sizeof(wait),
			.mapping_id = lazy.mapping,
			.offset = ranges[i].offset,
			.length = ranges[i].length,
			.timeout_ns = WAIT_NS,
		};

		expect(request(lazy.session.fd, GMMAP_IOC_WAIT, &wait), 0);
		touch_by(&lazy, &queue, order[i]);
	}
	session_stat(&lazy.session, 0, &after);
	ksft_assert(after.faults == before.faults, "%llu faults in spite of the profile",
		    (unsigned long long)(after.faults - before.faults));
	close_with_queue(&lazy, &queue);
}

static const struct ksft_test tests[] = {
	{ "errors", errors, LIMIT_S },
	{ "records_the_order", records_the_order, LIMIT_S },
	{ "exact_or_not", exact_or_not, LIMIT_S },
	{ "what_does_not_fit_is_counted", what_does_not_fit_is_counted, LIMIT_S },
	{ "replay", replay, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
