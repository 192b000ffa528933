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

static void run(const char *command)
{
	ksft_assert(!system(environment(command)), "%s failed", getenv(command));
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
	run("BAD_COMMAND");
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

/* A POPULATE that fails here and there tells of each granule, and loads the rest. */
static void unreadable_populate(unsigned int index)
{
	struct gmmap_range range = { 0 };
	struct gmmap_extent extents[4];
	struct gmmap_record record;
	unsigned int errors = 0;
	struct backing good;
	struct queue queue;
	struct lazy lazy;
	uint64_t id;

	(void)index;
	open_in(&lazy, &queue, environment("BAD_DIR"), 4);
	backing_create(&good, BYTES, 5);
	for (unsigned int i = 0; i < ARRAY_SIZE(extents); i++)
		extents[i] = (struct gmmap_extent){
			.offset = i * 2 * GRANULE_BYTES,
			.length = 2 * GRANULE_BYTES,
			.fd = i == 2 ? lazy.file.fd : good.fd,
			.file_offset = i * 2 * GRANULE_BYTES,
		};
	session_records(&lazy.session, ~(~0u << (GMMAP_RECORD_DROPPED + 1)), 64);
	lazy.mapping = session_map(&lazy.session, &lazy.vram, extents, ARRAY_SIZE(extents));
	run("BAD_COMMAND");
	range.mapping_id = lazy.mapping;
	id = session_populate(&lazy.session, &range, 1);
	do {
		ksft_assert(session_read_record(&lazy.session, &record, WAIT_MS), "no record");
		if (record.type != GMMAP_RECORD_ERROR)
			continue;
		errors++;
		ksft_assert(record.error == -EIO && record.id == lazy.mapping &&
				    record.length == GRANULE_BYTES &&
				    record.offset / (2 * GRANULE_BYTES) == 2,
			    "error %d at 0x%llx", record.error, (unsigned long long)record.offset);
	} while (record.type != GMMAP_RECORD_POPULATE);
	ksft_assert(record.id == id && record.error == -EIO && record.length == 6 * GRANULE_BYTES,
		    "POPULATE: %d, %llu bytes", record.error, (unsigned long long)record.length);
	ksft_assert(errors == 2, "%u granules failed", errors);
	ksft_assert(stat_of(&lazy).failed_granules == 2 && !stat_of(&lazy).absent_granules,
		    "%llu failed, %llu absent", (unsigned long long)stat_of(&lazy).failed_granules,
		    (unsigned long long)stat_of(&lazy).absent_granules);
	/* what could be read is there */
	memcpy(lazy.file.data, good.data, BYTES);
	lazy_read_by(&lazy, &queue, 0, 4 * GRANULE_BYTES);
	lazy_read_by(&lazy, &queue, 6 * GRANULE_BYTES, 2 * GRANULE_BYTES);
	queue_finish(&queue);
	lazy_assert_equal(&lazy, 0, 4 * GRANULE_BYTES);
	lazy_assert_equal(&lazy, 6 * GRANULE_BYTES, 2 * GRANULE_BYTES);
	expect(session_try_wait(&lazy.session, lazy.mapping, 0), EIO);
	expect(session_try_unmap(&lazy.session, lazy.mapping, GMMAP_UNMAP_ABANDON), 0);
}

static void touches_the_unreadable(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	(void)index;
	open_in(&lazy, &queue, environment("BAD_DIR"), 6);
	lazy_map(&lazy);
	run("BAD_COMMAND");
	(void)((volatile uint8_t *)lazy.vram.cpu)[GRANULE_BYTES];
	ksft_fail(__FILE__, __LINE__, "the CPU could read it");
}

/* The CPU gets SIGBUS. */
static void unreadable_for_the_cpu(void)
{
	struct process process;
	int status;

	environment("BAD_DIR");
	process = process_start(touches_the_unreadable, 0);
	status = process_wait(&process, WAIT_MS);
	ksft_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "status 0x%x", status);
	run("REPAIR_COMMAND");
}

/* Whether a granule becomes present in this time. */
static bool is_present_in(struct lazy *lazy, uint64_t mapping, unsigned int granule,
			  unsigned int limit_ms)
{
	struct gmmap_wait args = {
		.size = sizeof(args),
		.mapping_id = mapping,
		.offset = (uint64_t)granule * GRANULE_BYTES,
		.length = GRANULE_BYTES,
		.timeout_ns = limit_ms * 1000000ll,
	};

	return !request(lazy->session.fd, GMMAP_IOC_WAIT, &args);
}

/*
 * A device that answers nothing: POPULATEs of its file wait, one behind the other, and faults of
 * another file are served nevertheless. There is a limit to how many may wait.
 */
static void faults_overtake(void)
{
	struct gmmap_range stuck = { .length = GRANULE_BYTES }, other = { .length = GRANULE_BYTES };
	struct ksft_poll poll = ksft_poll_start(WAIT_MS);
	struct kfd_bo bo;
	struct backing quick;
	struct queue queue;
	struct lazy lazy;
	uint64_t id;
	int ret = 0;

	open_in(&lazy, &queue, environment("SLOW_DIR"), 7);
	backing_create(&quick, BYTES, 8);
	kfd_bo_alloc(&lazy.kfd, &bo, BYTES, KFD_BO_VRAM);
	lazy_map(&lazy);
	other.mapping_id = session_map_file(&lazy.session, &bo, quick.fd, 0);
	run("PAUSE_COMMAND");
	stuck.mapping_id = lazy.mapping;
	/* as many as there are workers for POPULATE, and more */
	for (unsigned int i = 0; i < 64 && !ret; i++) {
		stuck.offset = i % 8 * GRANULE_BYTES;
		ret = session_try_populate(&lazy.session, &stuck, 1, &id);
		ksft_assert(!ret, "POPULATE %u: %s", i, strerror(-ret));
		usleep(i < 4 ? 20000 : 0);
	}
	other.offset = 3 * GRANULE_BYTES;
	ret = session_try_populate(&lazy.session, &other, 1, &id);
	ksft_assert(ret == -ENOSPC, "POPULATE 65: %s", strerror(-ret));
	for (unsigned int i = 0; i < 4; i++) {
		queue_copy(&queue, lazy.result.va, bo.va + (4 + i) * GRANULE_BYTES, GRANULE_BYTES);
		queue_finish(&queue);
		ksft_assert(!memcmp(lazy.result.cpu, quick.data + (4 + i) * GRANULE_BYTES,
				    GRANULE_BYTES),
			    "the fault was served with something else");
	}
	ksft_assert(((volatile uint8_t *)bo.cpu)[GRANULE_BYTES] == quick.data[GRANULE_BYTES],
		    "the CPU reads something else");
	ksft_assert(!stat_of(&lazy).populated_granules, "the device was not paused");
	run("RESUME_COMMAND");
	do {
		ret = session_try_populate(&lazy.session, &other, 1, &id);
	} while (ret == -ENOSPC && ksft_poll_again(&poll));
	ksft_assert(!ret && is_present_in(&lazy, other.mapping_id, 3, WAIT_MS),
		    "POPULATE afterwards: %s", strerror(-ret));
	ksft_assert(!session_try_unmap(&lazy.session, lazy.mapping, 0), "UNMAP");
	lazy_check_all(&lazy, &queue);
	session_check_faults(&lazy.session, "overtaking");
	queue_destroy(&queue);
	lazy_close(&lazy);
}

/* Nobody has to wait for the files of another process. */
static void reads_quickly(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 20 + index);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	lazy_map(&lazy);
	lazy_check_all(&lazy, &queue);
	session_check_faults(&lazy.session, "beside a stuck process");
}

static void other_processes_do_not_wait(void)
{
	struct process process, stuck[2];

	environment("SLOW_DIR");
	for (unsigned int i = 0; i < 2; i++)
		stuck[i] = process_start(waiting_victim, i);
	usleep(400000);
	run("PAUSE_COMMAND");
	process = process_start(reads_quickly, 0);
	process_join(&process, WAIT_MS);
	run("RESUME_COMMAND");
	for (unsigned int i = 0; i < 2; i++) {
		process_kill(&stuck[i]);
		ksft_assert(process_wait(&stuck[i], WAIT_MS) != PROCESS_TIMEOUT, "does not die");
	}
}

static void unreadable_is_an_exception(void)
{
	struct process process;

	environment("BAD_DIR");
	process = process_start(reads_the_unreadable, 0);
	process_join(&process, WAIT_MS);
	run("REPAIR_COMMAND");
}

static void unreadable_by_populate(void)
{
	struct process process;

	environment("BAD_DIR");
	process = process_start(unreadable_populate, 0);
	process_join(&process, WAIT_MS);
	run("REPAIR_COMMAND");
}

static const struct ksft_test tests[] = {
	{ "two_queues_wait_for_one_read", two_queues_wait_for_one_read, 0 },
	{ "abandoned_while_reading", abandoned_while_reading, 0 },
	{ "killed_while_reading", killed_while_reading, 300 },
	{ "faults_overtake", faults_overtake, 0 },
	{ "other_processes_do_not_wait", other_processes_do_not_wait, 0 },
	{ "unreadable_is_an_exception", unreadable_is_an_exception, 300 },
	{ "unreadable_by_populate", unreadable_by_populate, 300 },
	{ "unreadable_for_the_cpu", unreadable_for_the_cpu, 300 },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
