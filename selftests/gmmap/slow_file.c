// SPDX-License-Identifier: MIT
/*
 * Files that are slow or that cannot be read. slow_file.sh provides them: SLOW_DIR is on a device
 * that takes a while for every read, and BAD_COMMAND makes the device of BAD_DIR fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"

#define BYTES   (8 * GRANULE_BYTES)
#define WAIT_MS 120000

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	if (!value)
		ksft_skip("%s is not set: run slow_file.sh", name);
	return value;
}

static void open_in(struct lazy *lazy, struct queue *queue, const char *folder, uint64_t seed)
{
	lazy_open(lazy, BYTES, seed);
	backing_destroy(&lazy->file);
	backing_create_in(&lazy->file, folder, BYTES, seed);
	queue_create(queue, &lazy->kfd, QUEUE_SDMA);
}

static struct gmmap_stat stat_of(struct lazy *lazy)
{
	struct gmmap_stat stat;

	session_stat(&lazy->session, 0, &stat);
	return stat;
}

/* A second queue finds the granule being loaded. */
static void two_queues_wait_for_one_read(void)
{
	struct queue queues[2];
	struct lazy lazy;
	uint32_t fences[2];

	open_in(&lazy, &queues[0], environment("SLOW_DIR"), 1);
	queue_create(&queues[1], &lazy.kfd, QUEUE_PM4);
	lazy_map(&lazy);
	for (unsigned int i = 0; i < 2; i++) {
		lazy_read_by(&lazy, &queues[i], (3 + i) * 4096, 4096);
		fences[i] = queue_fence(&queues[i]);
	}
	ksft_assert(!queue_wait_for(&queues[0], fences[0], 50), "the file was not slow");
	queue_wait(&queues[0], fences[0]);
	queue_wait(&queues[1], fences[1]);
	lazy_assert_equal(&lazy, 3 * 4096, 2 * 4096);
	ksft_assert(stat_of(&lazy).joined_faults > 0, "no fault joined another one");
	ksft_assert(stat_of(&lazy).loaded_granules == 1, "the granule was loaded twice");
	session_check_faults(&lazy.session, "two queues");
	queue_destroy(&queues[0]);
	queue_destroy(&queues[1]);
	lazy_close(&lazy);
}

/* Abandoning and freeing wait for the read, and the queue goes on with what is there. */
static void abandoned_while_reading(void)
{
	struct queue queue;
	struct lazy lazy;
	uint32_t fence;
	int ret;

	open_in(&lazy, &queue, environment("SLOW_DIR"), 2);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 0, 4096);
	fence = queue_fence(&queue);
	usleep(20000);
	ret = session_try_unmap(&lazy.session, lazy.mapping, GMMAP_UNMAP_ABANDON);
	ksft_assert(!ret, "UNMAP: %s", strerror(-ret));
	queue_wait(&queue, fence);
	session_check_faults(&lazy.session, "abandoned");
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static void waiting_victim(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	open_in(&lazy, &queue, environment("SLOW_DIR"), 10 + index);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 0, BYTES);
	queue_fence(&queue);
	if (index % 2) /* the CPU waits as well */
		((volatile uint8_t *)lazy.vram.cpu)[5 * GRANULE_BYTES] = 1;
	pause();
}

static void killed_while_reading(void)
{
	environment("SLOW_DIR");
	for (unsigned int i = 0; i < 6; i++) {
		struct process process = process_start(waiting_victim, i);

		usleep(400000 + i * 37000);
		process_kill(&process);
		ksft_assert(process_wait(&process, WAIT_MS) != PROCESS_TIMEOUT, "does not die");
	}
}

/* The GPU's access is answered by the driver: a memory exception, and never zeros. */
static void reads_the_unreadable(unsigned int index)
{
	struct kfd_event_data data = { 0 };
	struct kfd_event event;
	struct queue queue;
	struct lazy lazy;
	int ret;

	(void)index;
	open_in(&lazy, &queue, environment("BAD_DIR"), 3);
	kfd_event_create(&lazy.kfd, &event, KFD_IOC_EVENT_MEMORY);
	lazy_map(&lazy);
	ksft_assert(!system(environment("BAD_COMMAND")), "%s failed", getenv("BAD_COMMAND"));
	lazy_read_by(&lazy, &queue, 2 * GRANULE_BYTES, 4096);
	queue_fence(&queue);
	ksft_assert(kfd_event_wait(&lazy.kfd, &event, 30000, &data), "no memory exception");
	ksft_assert((data.memory_exception_data.va - lazy.vram.va) / GRANULE_BYTES == 2,
		    "exception at 0x%llx, the buffer is at 0x%llx",
		    (unsigned long long)data.memory_exception_data.va,
		    (unsigned long long)lazy.vram.va);
	ksft_assert(stat_of(&lazy).failed_granules == 1, "%llu granules failed",
		    (unsigned long long)stat_of(&lazy).failed_granules);
	ksft_assert(stat_of(&lazy).refused_faults > 0, "no fault was left to the driver");
	ret = session_try_wait(&lazy.session, lazy.mapping, 0);
	ksft_assert(ret == -EIO || ret == -ETIMEDOUT, "WAIT: %s", strerror(-ret));
	ret = session_try_unmap(&lazy.session, lazy.mapping, 0);
	ksft_assert(ret == -EIO, "UNMAP of what cannot be read: %s", strerror(-ret));
	session_check_faults(&lazy.session, "unreadable");
}

static void unreadable_is_an_exception(void)
{
	struct process process;

	environment("BAD_DIR");
	process = process_start(reads_the_unreadable, 0);
	process_join(&process, WAIT_MS);
}

static const struct ksft_test tests[] = {
	{ "two_queues_wait_for_one_read", two_queues_wait_for_one_read, 0 },
	{ "abandoned_while_reading", abandoned_while_reading, 0 },
	{ "killed_while_reading", killed_while_reading, 300 },
	{ "unreadable_is_an_exception", unreadable_is_an_exception, 300 },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
