// SPDX-License-Identifier: MIT
/*
 * Without one of the module's precautions, the damage that it prevents is seen; with it, the same
 * scenario is right. Runs on the variant of the module in controls/, see controls.sh.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "pattern.h"

#define PARAMETERS "/sys/module/gmmap/parameters/"
#define LIMIT_S	   200
#define GRANULES   32u
#define BYTES	   (GRANULES * GRANULE_BYTES)
#define OLD	   0x77 /* what was in the buffer before MAP */
#define WAIT_MS	   120000
#define HANG_MS	   3000

static void set_parameter(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		ksft_skip("%s: %s; it wants the variant of the module: run controls.sh", path,
			  strerror(errno));
	ksft_assert(write(fd, value, strlen(value)) == (ssize_t)strlen(value), "%s: %s", path,
		    strerror(errno));
	close(fd);
}

enum outcome {
	UNKNOWN,
	RIGHT,	/* the GPU has read what the file has */
	WRONG,	/* something else */
	HANGS,	/* it waits for ever */
};

static const char *const outcome_names[] = { "nothing", "the file", "other data", "no end" };

static enum outcome *outcome; /* of the child that runs a scenario */

static void open_with_queue(struct lazy *lazy, struct queue *queue, uint64_t seed)
{
	lazy_open(lazy, BYTES, seed);
	queue_create(queue, &lazy->kfd, QUEUE_SDMA);
	queue_fill(queue, lazy->vram.va, 0x01010101 * OLD, BYTES);
	queue_finish(queue);
	/* The GPU has translations of all of it. */
	lazy_read_by(lazy, queue, 0, BYTES);
	queue_finish(queue);
	memset(lazy->result.cpu, 0xee, BYTES);
}

static void read_all(struct lazy *lazy, struct queue *queue)
{
	uint32_t fence;

	lazy_read_by(lazy, queue, 0, BYTES);
	fence = queue_fence(queue);
	if (!queue_wait_for(queue, fence, *outcome == HANGS ? HANG_MS : QUEUE_WAIT_MS))
		*outcome = HANGS;
	else
		*outcome = memcmp(lazy->result.cpu, lazy->file.data, BYTES) ? WRONG : RIGHT;
}

/* Has the driver evict everything from VRAM that is not pinned, and bring it back. */
static void evict_vram(const struct kfd_gpu *gpu)
{
	char path[128];
	char text[32];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/amdgpu_evict_vram",
		 gpu->drm_render_minor);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		ksft_skip("%s: %s", path, strerror(errno));
	ksft_assert(read(fd, text, sizeof(text)) > 0, "%s: %s", path, strerror(errno));
	close(fd);
}

static void map_and_read_some(struct lazy *lazy, struct queue *queue, uint64_t seed)
{
	open_with_queue(lazy, queue, seed);
	lazy_map(lazy);
	lazy_read_by(lazy, queue, GRANULE_BYTES, 8);
	queue_finish(queue);
}

static void plain(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	(void)index;
	open_with_queue(&lazy, &queue, 1);
	lazy_map(&lazy);
	read_all(&lazy, &queue);
	_exit(KSFT_PASS); /* what waits is cleaned up with the process */
}

static void evicted(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	(void)index;
	map_and_read_some(&lazy, &queue, 2);
	evict_vram(&lazy.kfd.gpu);
	/* KFD lets queues run again, with all that it has brought back, some time later */
	lazy_read_by(&lazy, &queue, GRANULE_BYTES, 8);
	queue_finish(&queue);
	read_all(&lazy, &queue);
	_exit(KSFT_PASS);
}

static void mapped_again(unsigned int index)
{
	struct kfd_ioctl_unmap_memory_from_gpu_args unmap = { .n_devices = 1 };
	struct kfd_ioctl_map_memory_to_gpu_args map = { .n_devices = 1 };
	struct queue queue;
	struct lazy lazy;
	int fd;

	map_and_read_some(&lazy, &queue, 3);
	/* index 1: by a descriptor that was not attached */
	fd = index ? open("/dev/kfd", O_RDWR | O_CLOEXEC) : lazy.kfd.fd;
	unmap.handle = lazy.vram.handle;
	unmap.device_ids_array_ptr = (uintptr_t)&lazy.kfd.gpu.gpu_id;
	map.handle = lazy.vram.handle;
	map.device_ids_array_ptr = (uintptr_t)&lazy.kfd.gpu.gpu_id;
	expect(request(fd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &unmap), 0);
	expect(request(fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &map), 0);
	read_all(&lazy, &queue);
	_exit(KSFT_PASS);
}

static void vram_lost(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	(void)index;
	map_and_read_some(&lazy, &queue, 4);
	set_parameter("lose_vram", "1");
	evict_vram(&lazy.kfd.gpu);
	lazy_read_by(&lazy, &queue, GRANULE_BYTES, 8);
	queue_finish(&queue);
	read_all(&lazy, &queue);
	_exit(KSFT_PASS);
}

static void read_by_the_cpu(unsigned int index)
{
	const uint8_t *cpu;
	struct queue queue;
	struct lazy lazy;
	uint8_t sum = 0;

	(void)index;
	open_with_queue(&lazy, &queue, 5);
	cpu = lazy.vram.cpu;
	for (unsigned int i = 0; i < BYTES; i += 4096)
		sum += ((volatile const uint8_t *)cpu)[i];
	ksft_assert(sum == (uint8_t)(OLD * (BYTES / 4096)), "the buffer is not as it was left");
	lazy_map(&lazy);
	*outcome = memcmp(cpu, lazy.file.data, BYTES) ? WRONG : RIGHT;
	_exit(KSFT_PASS);
}

/* What a scenario comes to with precautions left out. */
static enum outcome outcome_of(const char *control, void (*scenario)(unsigned int index),
			       unsigned int index, enum outcome expected)
{
	struct process process;

	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	ksft_assert(outcome != MAP_FAILED, "mmap: %s", strerror(errno));
	*outcome = expected == HANGS ? HANGS : UNKNOWN; /* for how long to wait */
	set_parameter("control", control);
	process = process_start(scenario, index);
	process_join(&process, WAIT_MS);
	set_parameter("control", "none");
	return *outcome;
}

static void compare(const char *control, void (*scenario)(unsigned int index), unsigned int index,
		    enum outcome expected)
{
	enum outcome without = outcome_of(control, scenario, index, expected);
	enum outcome with = outcome_of("none", scenario, index, RIGHT);

	ksft_print("%s: %s; as it is: %s", control, outcome_names[without], outcome_names[with]);
	ksft_assert(with == RIGHT, "the module is wrong with all of its precautions");
	ksft_assert(without == expected, "%s was expected", outcome_names[expected]);
}

static void no_pin(void)
{
	compare("no-pin,no-wrappers", evicted, 0, WRONG);
}

static void no_flush(void)
{
	compare("no-flush", plain, 0, WRONG);
}

static void no_acknowledge(void)
{
	compare("no-acknowledge", plain, 0, HANGS);
}

static void no_wrapper_of_kfd(void)
{
	compare("no-wrappers", mapped_again, 0, WRONG);
}

static void no_wrapper_of_kfd_by_another_descriptor(void)
{
	compare("no-wrappers", mapped_again, 1, WRONG);
}

static void no_wrapper_of_page_tables(void)
{
	compare("no-wrappers", vram_lost, 0, WRONG);
}

static void no_wrapper_of_cpu_faults(void)
{
	compare("no-wrappers", read_by_the_cpu, 0, WRONG);
}

/* Page table updates and copies that fail for a time are repeated, and everything else goes on. */
static void repeats(const char *control)
{
	struct gmmap_range range = { 0 };
	struct gmmap_stat stat;
	struct queue queue;
	struct lazy lazy;
	int ret;

	set_parameter("control", control);
	open_with_queue(&lazy, &queue, 6);
	for (unsigned int round = 0; round < 3; round++) {
		lazy_map(&lazy);
		range.mapping_id = lazy.mapping;
		range.offset = BYTES / 2;
		if (round)
			session_populate(&lazy.session, &range, 1);
		for (unsigned int i = 0; i < 10; i++) {
			uint64_t offset = pattern_below(&lazy.random, BYTES - 4096);

			lazy_read_by(&lazy, &queue, offset, 4096);
			queue_finish(&queue);
			lazy_assert_equal(&lazy, offset, 4096);
		}
		ksft_assert(((volatile uint8_t *)lazy.vram.cpu)[BYTES - 1] == lazy.file.data[BYTES - 1],
			    "the CPU reads something else");
		ret = session_try_unmap(&lazy.session, lazy.mapping,
					round == 2 ? GMMAP_UNMAP_ABANDON : 0);
		ksft_assert(!ret || ret == -ENOENT, "UNMAP: %s", strerror(-ret));
		if (round < 2)
			lazy_check_all(&lazy, &queue);
	}
	set_parameter("control", "none");
	session_check_faults(&lazy.session, control);
	session_stat(&lazy.session, 0, &stat);
	ksft_assert(stat.requeued_loads > 10, "%llu were repeated",
		    (unsigned long long)stat.requeued_loads);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static void busy_page_tables(void)
{
	repeats("busy");
}

static void cancelled_copies(void)
{
	repeats("cancelled");
}

/* A mapping whose page tables are never free ends with its process all the same. */
static void dies(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	(void)index;
	open_with_queue(&lazy, &queue, 7);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 0, BYTES);
	queue_fence(&queue);
	usleep(50000);
	_exit(KSFT_PASS);
}

static void killed_while_busy(void)
{
	set_parameter("control", "busy");
	for (unsigned int i = 0; i < 5; i++) {
		struct process process = process_start(dies, i);

		process_join(&process, WAIT_MS);
	}
	set_parameter("control", "none");
}

/* A copy that fails for good is an exception for the GPU, and never other data. */
static void sees_an_exception(unsigned int index)
{
	struct kfd_event_data data = { 0 };
	struct kfd_event event;
	struct gmmap_stat stat;
	struct queue queue;
	struct lazy lazy;

	(void)index;
	open_with_queue(&lazy, &queue, 8);
	kfd_event_create(&lazy.kfd, &event, KFD_IOC_EVENT_MEMORY);
	lazy_map(&lazy);
	set_parameter("control", "copy-fails");
	lazy_read_by(&lazy, &queue, 2 * GRANULE_BYTES, 4096);
	queue_fence(&queue);
	ksft_assert(kfd_event_wait(&lazy.kfd, &event, 30000, &data), "no memory exception");
	set_parameter("control", "none");
	session_stat(&lazy.session, 0, &stat);
	ksft_assert(stat.failed_granules == 1 && stat.refused_faults, "%llu granules failed",
		    (unsigned long long)stat.failed_granules);
	ksft_assert(*((uint8_t *)lazy.result.cpu + 2 * GRANULE_BYTES) != OLD,
		    "the GPU has read what was there before");
}

static void failed_copies(void)
{
	struct process process = process_start(sees_an_exception, 0);

	process_join(&process, WAIT_MS);
}

static const struct ksft_test tests[] = {
	{ "no_pin", no_pin, LIMIT_S },
	{ "no_flush", no_flush, LIMIT_S },
	{ "no_acknowledge", no_acknowledge, LIMIT_S },
	{ "no_wrapper_of_kfd", no_wrapper_of_kfd, LIMIT_S },
	{ "no_wrapper_of_kfd_by_another_descriptor", no_wrapper_of_kfd_by_another_descriptor,
	  LIMIT_S },
	{ "no_wrapper_of_page_tables", no_wrapper_of_page_tables, LIMIT_S },
	{ "no_wrapper_of_cpu_faults", no_wrapper_of_cpu_faults, LIMIT_S },
	{ "busy_page_tables", busy_page_tables, LIMIT_S },
	{ "cancelled_copies", cancelled_copies, LIMIT_S },
	{ "killed_while_busy", killed_while_busy, LIMIT_S },
	{ "failed_copies", failed_copies, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
