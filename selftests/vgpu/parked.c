// SPDX-License-Identifier: MIT
/*
 * Queues that hang on a condition or on a page fault are destroyed, stopped, killed or lose their
 * memory. The driver must get the queue back at once, and whoever comes next must find a GPU that
 * works.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drm.h"
#include "ksft.h"
#include "load.h"
#include "pattern.h"
#include "sdma_packets.h"
#include "svm_memory.h"

/* The driver's own time-out is 9 s; a queue that is given up at once takes some ms. */
#define AT_ONCE_MS  3000
#define KILL_MS     30000 /* for a killed process to be gone */
#define STORM_BYTES (2ull << 20)
#define STORM_ORDER 2 /* 16 KiB for each fault: 256 faults */
#define RANDOM_US   60000

static unsigned int rounds = 10;
static uint64_t seed = 1;

static unsigned int elapsed_ms(uint64_t begin_us)
{
	return (unsigned int)((ksft_now_us() - begin_us) / 1000);
}

/* Not to wait for anything, but to act at any moment of what goes on. */
static void random_pause(uint64_t *random)
{
	struct timespec pause = { .tv_nsec = (long)pattern_below(random, RANDOM_US) * 1000 };

	nanosleep(&pause, NULL);
}

static void copy_on_all_types(unsigned int index)
{
	struct load load;
	struct kfd kfd;

	kfd_open(&kfd);
	for (unsigned int type = 0; type < QUEUE_TYPES; type++) {
		struct queue_config config = { .type = type };

		load_open(&load, &kfd, &config, seed + index);
		load_begin(&load);
		load_end(&load);
		load_close(&load);
	}
	kfd_close(&kfd);
}

static void next_process_works(void)
{
	struct process process = process_start(copy_on_all_types, 0);

	process_join(&process, QUEUE_WAIT_MS * 2);
}

static void destroy_at_once(struct queue *queue)
{
	uint64_t begin_us = ksft_now_us();

	queue_destroy(queue);
	ksft_assert(elapsed_ms(begin_us) < AT_ONCE_MS, "DESTROY_QUEUE of a parked %s queue: %u ms",
		    queue_type_name(queue->type), elapsed_ms(begin_us));
}

static void stop_at_once(struct queue *queue)
{
	uint64_t begin_us = ksft_now_us();

	queue_update(queue, 0);
	ksft_assert(elapsed_ms(begin_us) < AT_ONCE_MS, "stopping a parked %s queue: %u ms",
		    queue_type_name(queue->type), elapsed_ms(begin_us));
}

/* A queue whose next packet waits for a dword that nobody writes. */
static void park_on_condition(struct kfd *kfd, struct queue *queue, enum queue_type type)
{
	queue_create(queue, kfd, type);
	queue_copy(queue, queue->sync.va + 2048, queue->sync.va + 1024, 4);
	queue_finish(queue); /* it runs */
	queue_wait_mem(queue, queue->sync.va + 1024, 1);
	queue_fence(queue);
}

static void queue_waiting_for_memory_is_destroyed_at_once(void)
{
	struct queue queue;
	struct kfd kfd;

	kfd_open(&kfd);
	for (unsigned int round = 0; round < rounds; round++) {
		park_on_condition(&kfd, &queue, round % QUEUE_TYPES);
		destroy_at_once(&queue);
		park_on_condition(&kfd, &queue, round % QUEUE_TYPES);
		stop_at_once(&queue);
		destroy_at_once(&queue);
	}
	kfd_close(&kfd);
	next_process_works();
}

static void park_all_types(unsigned int index)
{
	struct queue queues[QUEUE_TYPES];
	struct kfd kfd;

	(void)index;
	kfd_open(&kfd);
	for (unsigned int type = 0; type < QUEUE_TYPES; type++)
		park_on_condition(&kfd, &queues[type], type);
	kill(getpid(), SIGKILL);
}

static void expect_killed(struct process *process, const char *what)
{
	uint64_t begin_us = ksft_now_us();
	int status = process_wait(process, KILL_MS);

	ksft_assert(status != PROCESS_TIMEOUT, "%s: not gone %u ms after SIGKILL", what, KILL_MS);
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP)
		_exit(KSFT_SKIP);
	ksft_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		    "%s: the process ended with status 0x%x before it was killed", what, status);
	ksft_assert(elapsed_ms(begin_us) < 2 * AT_ONCE_MS, "%s: gone only %u ms after SIGKILL",
		    what, elapsed_ms(begin_us));
}

static void process_with_waiting_queues_is_killed(void)
{
	struct kfd_gpu gpu;

	kfd_find_gpu(&gpu);
	for (unsigned int round = 0; round < rounds; round++) {
		struct process process = process_start(park_all_types, round);

		expect_killed(&process, "queues that wait for memory");
		next_process_works();
	}
}

/* A queue that has some hundred faults before it. */
struct storm {
	struct kfd kfd;
	struct queue queue;
	uint8_t *src;
	uint8_t *dst;
};

static void storm_open(struct storm *storm, enum queue_type type, unsigned int index)
{
	kfd_open(&storm->kfd);
	kfd_require_xnack(&storm->kfd);
	storm->src = svm_map(STORM_BYTES);
	storm->dst = svm_map(STORM_BYTES);
	svm_set_granularity(&storm->kfd, storm->src, STORM_BYTES, STORM_ORDER);
	svm_set_granularity(&storm->kfd, storm->dst, STORM_BYTES, STORM_ORDER);
	pattern_fill(storm->src, STORM_BYTES, seed + index);
	queue_create(&storm->queue, &storm->kfd, type);
}

static void storm_begin(struct storm *storm)
{
	queue_copy(&storm->queue, (uintptr_t)storm->dst, (uintptr_t)storm->src, STORM_BYTES);
	queue_fence(&storm->queue);
}

static struct gate *gate;

static void storm_until_killed(unsigned int index)
{
	struct storm storm;

	/* the SDMA engine faults through MMHUB, the command processor through GFXHUB */
	storm_open(&storm, index % 2 ? QUEUE_PM4 : QUEUE_SDMA, index);
	gate_pass(gate, QUEUE_WAIT_MS);
	for (;;) {
		storm_begin(&storm);
		queue_wait(&storm.queue, storm.queue.fences);
		pattern_fill(storm.src, STORM_BYTES, seed + index); /* pulls it back */
	}
}

static void process_is_killed_in_a_fault_storm(void)
{
	uint64_t random = seed;
	struct kfd_gpu gpu;

	kfd_find_gpu(&gpu);
	for (unsigned int round = 0; round < rounds; round++) {
		struct process process;
		int early;

		gate = gate_create(2);
		process = process_start(storm_until_killed, round);
		while (gate_peek(gate) < 1) { /* a process that cannot begin skips or fails */
			early = process_wait(&process, 1);
			if (early == PROCESS_TIMEOUT)
				continue;
			_exit(WIFEXITED(early) && WEXITSTATUS(early) == KSFT_SKIP ? KSFT_SKIP :
										    KSFT_FAIL);
		}
		gate_pass(gate, QUEUE_WAIT_MS);
		random_pause(&random);
		process_kill(&process);
		expect_killed(&process, "a fault storm");
		next_process_works();
	}
}

/* What the copy did not reach must be as it was: each word is copied or still 0. */
static void check_partial_copy(const struct storm *storm, unsigned int index)
{
	const uint64_t *words = (const uint64_t *)storm->dst;

	pattern_assert(storm->src, STORM_BYTES, seed + index, "source");
	for (uint64_t i = 0; i < STORM_BYTES / 8; i++)
		ksft_assert(!words[i] || words[i] == pattern_word(seed + index, i),
			    "destroyed copy: word %llu is 0x%llx", (unsigned long long)i,
			    (unsigned long long)words[i]);
}

static void destroy_in_storm(unsigned int index)
{
	uint64_t random = seed + index;
	struct storm storm;

	storm_open(&storm, index % QUEUE_TYPES, index);
	storm_begin(&storm);
	random_pause(&random);
	destroy_at_once(&storm.queue);
	check_partial_copy(&storm, index);
	queue_create(&storm.queue, &storm.kfd, (index + 1) % QUEUE_TYPES);
	storm_begin(&storm);
	queue_wait(&storm.queue, storm.queue.fences);
	pattern_assert(storm.dst, STORM_BYTES, seed + index, "copy by a second queue");
	queue_destroy(&storm.queue);
}

static void stop_in_storm(unsigned int index)
{
	uint64_t random = seed + index;
	struct storm storm;

	storm_open(&storm, index % QUEUE_TYPES, index);
	storm_begin(&storm);
	while (!queue_fence_done(&storm.queue, storm.queue.fences)) {
		random_pause(&random);
		stop_at_once(&storm.queue);
		random_pause(&random);
		queue_update(&storm.queue, KFD_MAX_QUEUE_PERCENTAGE);
	}
	queue_wait(&storm.queue, storm.queue.fences);
	pattern_assert(storm.dst, STORM_BYTES, seed + index, "copy with stops");
	queue_destroy(&storm.queue);
}

/* Rounds in processes of their own, because each begins with memory that the GPU never saw. */
static void run_rounds(void (*run)(unsigned int index), unsigned int limit_ms)
{
	struct kfd_gpu gpu;

	kfd_find_gpu(&gpu);
	for (unsigned int round = 0; round < rounds; round++) {
		struct process process = process_start(run, round);

		process_join(&process, limit_ms);
	}
}

static void queue_is_destroyed_in_a_fault_storm(void)
{
	run_rounds(destroy_in_storm, QUEUE_WAIT_MS);
	next_process_works();
}

static void queue_is_stopped_and_restarted_in_a_fault_storm(void)
{
	run_rounds(stop_in_storm, QUEUE_WAIT_MS);
	next_process_works();
}

/* After this the queue's fence comes, or the process learns of the fault. */
static void unmap_in_storm(unsigned int index)
{
	bool source = index / 2 % 2;
	uint64_t random = seed + index;
	struct kfd_event exception;
	struct ksft_poll poll;
	struct storm storm;
	bool excepted = false;
	bool done = false;

	storm_open(&storm, index % 2 ? QUEUE_PM4 : QUEUE_SDMA, index);
	kfd_event_create(&storm.kfd, &exception, KFD_IOC_EVENT_MEMORY);
	storm_begin(&storm);
	random_pause(&random);
	svm_unmap(source ? storm.src : storm.dst, STORM_BYTES);
	poll = ksft_poll_start(QUEUE_WAIT_MS);
	do {
		excepted = kfd_event_wait(&storm.kfd, &exception, 1, NULL);
		done = queue_fence_done(&storm.queue, storm.queue.fences);
		ksft_assert(excepted || done || ksft_poll_again(&poll),
			    "neither the fence nor an exception came");
	} while (!excepted && !done);
	ksft_print("%s %s unmapped: %s", queue_type_name(storm.queue.type),
		   source ? "source" : "destination", done ? "copy was done" : "exception");
	if (done && !source)
		pattern_assert(storm.src, STORM_BYTES, seed + index, "source");
	destroy_at_once(&storm.queue);
}

static void memory_is_unmapped_in_a_fault_storm(void)
{
	run_rounds(unmap_in_storm, QUEUE_WAIT_MS);
	next_process_works();
}

/* No mapping and no VMA: nobody can resolve this fault. */
static void fault_on_nothing(unsigned int index)
{
	uint64_t bytes = 4 << 20;
	struct kfd_event_data data = { 0 };
	struct kfd_event exception;
	struct queue queue;
	struct kfd kfd;
	uint64_t va;

	kfd_open(&kfd);
	kfd_event_create(&kfd, &exception, KFD_IOC_EVENT_MEMORY);
	queue_create(&queue, &kfd, index % 2 ? QUEUE_PM4 : QUEUE_SDMA);
	va = (uintptr_t)svm_map(bytes);
	svm_unmap((void *)va, bytes);
	va += 5 * 4096;
	queue_fill(&queue, va, 0xdead, 64);
	queue_fence(&queue);
	ksft_assert(kfd_event_wait(&kfd, &exception, QUEUE_WAIT_MS, &data),
		    "%s: no memory exception", queue_type_name(queue.type));
	ksft_assert((data.memory_exception_data.va & ~4095ull) == va,
		    "%s: the exception is for 0x%llx, not 0x%llx", queue_type_name(queue.type),
		    (unsigned long long)data.memory_exception_data.va, (unsigned long long)va);
	ksft_assert(data.memory_exception_data.gpu_id == kfd.gpu.gpu_id, "gpu_id %u",
		    data.memory_exception_data.gpu_id);
	destroy_at_once(&queue);
}

static void access_to_nothing_is_reported(void)
{
	run_rounds(fault_on_nothing, QUEUE_WAIT_MS);
	next_process_works();
}

/*
 * A graphics VM: faults on one page after the other, for as long as it lives. When its process is
 * gone the driver finds no VM for a fault, serves it no longer, and resets the GPU 10 s later.
 */
static void drm_faults_until_killed(unsigned int index)
{
	struct drm_ib ib = { .ip_type = AMDGPU_HW_IP_DMA };
	struct kfd_gpu gpu;
	struct drm_bo bo;
	struct drm drm;
	uint64_t va;

	(void)index;
	kfd_find_gpu(&gpu);
	drm_open(&drm, gpu.drm_render_minor);
	drm_bo_create(&drm, &bo, 65536, AMDGPU_GEM_DOMAIN_GTT);
	ib.bo = &bo;
	for (unsigned int i = 0; i < 1000; i++) {
		va = drm_reserve_va(&drm, 4096);
		ib.dwords += sdma_fence((uint32_t *)bo.cpu + ib.dwords, va, i);
		ib.dwords += sdma_nop((uint32_t *)bo.cpu + ib.dwords, 4);
	}
	drm_submit(&drm, &ib, NULL, 0);
	gate_pass(gate, QUEUE_WAIT_MS);
	for (;;)
		pause();
}

static void process_is_killed_in_graphics_vm_faults(void)
{
	uint64_t random = seed;
	struct kfd_gpu gpu;

	if (kfd_module_parameter("noretry", -1) != 0)
		ksft_skip("amdgpu.noretry is not 0: a fault here would hang the ring");
	if (!getenv("SELFTEST_GPU_RESET"))
		ksft_skip("ends in a GPU reset; set SELFTEST_GPU_RESET to run it");
	kfd_find_gpu(&gpu);
	for (unsigned int round = 0; round < rounds; round++) {
		struct process process;

		gate = gate_create(2);
		process = process_start(drm_faults_until_killed, round);
		gate_pass(gate, QUEUE_WAIT_MS);
		random_pause(&random);
		process_kill(&process);
		expect_killed(&process, "faults of a graphics VM");
		next_process_works();
	}
}

static const struct ksft_test tests[] = {
	{ "queue_waiting_for_memory_is_destroyed_at_once",
	  queue_waiting_for_memory_is_destroyed_at_once, 0 },
	{ "process_with_waiting_queues_is_killed", process_with_waiting_queues_is_killed, 300 },
	{ "process_is_killed_in_a_fault_storm", process_is_killed_in_a_fault_storm, 300 },
	{ "queue_is_destroyed_in_a_fault_storm", queue_is_destroyed_in_a_fault_storm, 300 },
	{ "queue_is_stopped_and_restarted_in_a_fault_storm",
	  queue_is_stopped_and_restarted_in_a_fault_storm, 300 },
	{ "memory_is_unmapped_in_a_fault_storm", memory_is_unmapped_in_a_fault_storm, 300 },
	{ "access_to_nothing_is_reported", access_to_nothing_is_reported, 300 },
	{ "process_is_killed_in_graphics_vm_faults", process_is_killed_in_graphics_vm_faults, 300 },
};

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 's' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			rounds = (unsigned int)strtoul(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return KSFT_FAIL;
	}
	return ksft_run(tests, ARRAY_SIZE(tests), argv + optind);
}
