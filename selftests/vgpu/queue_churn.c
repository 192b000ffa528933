// SPDX-License-Identifier: MIT
/* Queues come, stop, restart and go while others work. */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ksft.h"
#include "load.h"
#include "pattern.h"

#define CHURN_THREADS    4
#define NEGATIVE_MS      5  /* how long a test watches that a stopped queue does nothing */
#define PROCESS_LIMIT_MS 240000

static unsigned int rounds = 20;
static uint64_t seed = 1;

/* What the threads of a test share. */
struct churn {
	struct kfd kfd;
	struct kfd_bo cwsr; /* no queue here runs waves */
	atomic_bool stop;
};

struct churn_thread {
	struct churn *churn;
	pthread_t thread;
	unsigned int index;
	unsigned int count; /* of rounds or queues */
};

static void churn_open(struct churn *churn)
{
	kfd_open(&churn->kfd);
	kfd_bo_alloc(&churn->kfd, &churn->cwsr, queue_cwsr_bytes(&churn->kfd), KFD_BO_VRAM);
	churn->stop = false;
}

static void start_thread(struct churn_thread *thread, struct churn *churn, unsigned int index,
			 void *(*run)(void *))
{
	int ret;

	*thread = (struct churn_thread){ .churn = churn, .index = index };
	ret = pthread_create(&thread->thread, NULL, run, thread);
	ksft_assert(!ret, "pthread_create: %s", strerror(ret));
}

static void *work_until_stopped(void *arg)
{
	struct churn_thread *thread = arg;
	struct churn *churn = thread->churn;
	struct queue_config config = { .type = thread->index % QUEUE_TYPES, .cwsr = &churn->cwsr };
	struct load load;

	load_open(&load, &churn->kfd, &config, seed + thread->index);
	while (!churn->stop) {
		load_begin(&load);
		load_end(&load);
	}
	thread->count = load.rounds;
	load_close(&load);
	return NULL;
}

static void *create_and_destroy(void *arg)
{
	struct churn_thread *thread = arg;
	struct churn *churn = thread->churn;
	uint64_t random = seed * 100 + thread->index;
	struct load load;

	for (; thread->count < rounds; thread->count++) {
		struct queue_config config = { .type = pattern_below(&random, QUEUE_TYPES),
					       .cwsr = &churn->cwsr };
		unsigned int copies = (unsigned int)pattern_below(&random, 3);

		load_open(&load, &churn->kfd, &config, random);
		for (unsigned int i = 0; i < copies; i++) {
			load_begin(&load);
			load_end(&load);
		}
		load_close(&load);
	}
	return NULL;
}

static void threads_create_and_destroy_under_load(void)
{
	struct churn_thread workers[QUEUE_TYPES];
	struct churn_thread churners[CHURN_THREADS];
	struct churn churn;

	churn_open(&churn);
	for (unsigned int i = 0; i < QUEUE_TYPES; i++)
		start_thread(&workers[i], &churn, i, work_until_stopped);
	for (unsigned int i = 0; i < CHURN_THREADS; i++)
		start_thread(&churners[i], &churn, i, create_and_destroy);
	for (unsigned int i = 0; i < CHURN_THREADS; i++)
		pthread_join(churners[i].thread, NULL);
	churn.stop = true;
	for (unsigned int i = 0; i < QUEUE_TYPES; i++) {
		pthread_join(workers[i].thread, NULL);
		ksft_print("%s: %u rounds while %u queues came and went", queue_type_name(i),
			   workers[i].count, CHURN_THREADS * rounds);
	}
	kfd_bo_free(&churn.kfd, &churn.cwsr);
	kfd_close(&churn.kfd);
}

/* Work that is submitted to a stopped queue waits until it is restarted. */
static void *stop_and_restart(void *arg)
{
	struct churn_thread *thread = arg;
	struct churn *churn = thread->churn;
	struct queue_config config = { .type = thread->index % QUEUE_TYPES, .cwsr = &churn->cwsr };
	struct load load;

	load_open(&load, &churn->kfd, &config, seed * 1000 + thread->index);
	for (; thread->count < rounds; thread->count++) {
		load_begin(&load);
		queue_update(&load.queue, 0);
		queue_update(&load.queue, KFD_MAX_QUEUE_PERCENTAGE);
		load_end(&load);
		queue_update(&load.queue, 0);
		load_begin(&load);
		ksft_assert(!queue_wait_for(&load.queue, load.queue.fences, NEGATIVE_MS),
			    "a stopped %s queue works", queue_type_name(config.type));
		queue_update(&load.queue, KFD_MAX_QUEUE_PERCENTAGE);
		load_end(&load);
	}
	load_close(&load);
	return NULL;
}

static void threads_stop_and_restart_under_load(void)
{
	struct churn_thread workers[QUEUE_TYPES];
	struct churn_thread stoppers[QUEUE_TYPES];
	struct churn churn;

	churn_open(&churn);
	for (unsigned int i = 0; i < QUEUE_TYPES; i++) {
		start_thread(&workers[i], &churn, i, work_until_stopped);
		start_thread(&stoppers[i], &churn, i, stop_and_restart);
	}
	for (unsigned int i = 0; i < QUEUE_TYPES; i++)
		pthread_join(stoppers[i].thread, NULL);
	churn.stop = true;
	for (unsigned int i = 0; i < QUEUE_TYPES; i++) {
		pthread_join(workers[i].thread, NULL);
		ksft_assert(workers[i].count, "the %s queue that was left alone did nothing",
			    queue_type_name(i));
	}
	kfd_bo_free(&churn.kfd, &churn.cwsr);
	kfd_close(&churn.kfd);
}

/* A stop in the middle of a packet that waits: after the restart it must still wait. */
static void stopped_queue_keeps_its_waiting_packet(void)
{
	struct churn churn;
	struct queue queue;
	struct kfd_bo memory;
	uint32_t *value;
	uint32_t fence;

	churn_open(&churn);
	kfd_bo_alloc(&churn.kfd, &memory, 4096, KFD_BO_GTT);
	value = memory.cpu;
	for (unsigned int type = 0; type < QUEUE_TYPES; type++) {
		queue_create(&queue, &churn.kfd, type);
		*value = 0;
		for (uint32_t round = 1; round <= rounds; round++) {
			queue_wait_mem(&queue, memory.va, round);
			queue_copy(&queue, memory.va + 64, memory.va, 4);
			fence = queue_fence(&queue);
			queue_update(&queue, 0);
			if (round % 2)
				__atomic_store_n(value, round, __ATOMIC_RELEASE);
			ksft_assert(!queue_wait_for(&queue, fence, NEGATIVE_MS),
				    "a stopped %s queue works", queue_type_name(type));
			queue_update(&queue, KFD_MAX_QUEUE_PERCENTAGE);
			ksft_assert(round % 2 || !queue_wait_for(&queue, fence, NEGATIVE_MS),
				    "a restarted %s queue lost its wait", queue_type_name(type));
			__atomic_store_n(value, round, __ATOMIC_RELEASE);
			queue_wait(&queue, fence);
			ksft_assert(value[16] == round, "%s: the copy has %u, not %u",
				    queue_type_name(type), value[16], round);
		}
		queue_destroy(&queue);
	}
	kfd_bo_free(&churn.kfd, &memory);
	kfd_bo_free(&churn.kfd, &churn.cwsr);
	kfd_close(&churn.kfd);
}

#define MANY_PROCESSES 6
#define MANY_QUEUES    8 /* 5 or 6 compute and 2 or 3 SDMA in each process */

static struct gate *gate;

static void work_on_many_queues(unsigned int index)
{
	struct load loads[MANY_QUEUES];
	struct churn churn;
	int ret;

	churn_open(&churn);
	for (unsigned int i = 0; i < MANY_QUEUES; i++) {
		struct queue_config config = { .type = i % QUEUE_TYPES, .cwsr = &churn.cwsr };

		ret = load_try_open(&loads[i], &churn.kfd, &config, seed + index * 100 + i);
		if (ret && config.type == QUEUE_SDMA) { /* their number is that of the hardware */
			config.type = QUEUE_PM4;
			ret = load_try_open(&loads[i], &churn.kfd, &config, seed + index * 100 + i);
		}
		ksft_assert(!ret, "queue %u of process %u: %s", i, index, strerror(-ret));
	}
	gate_pass(gate, PROCESS_LIMIT_MS);
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < MANY_QUEUES; i++)
			load_begin(&loads[i]);
		for (unsigned int i = 0; i < MANY_QUEUES; i++)
			load_end(&loads[i]);
	}
	for (unsigned int i = 0; i < MANY_QUEUES; i++)
		load_close(&loads[i]);
}

static void more_queues_than_the_hardware_has(void)
{
	struct kfd_gpu gpu;

	kfd_find_gpu(&gpu);
	if (kfd_module_parameter("sched_policy", 0) == 2)
		ksft_skip("no hardware scheduler: queues are limited to those of the hardware");
	gate = gate_create(MANY_PROCESSES);
	process_run_all(work_on_many_queues, MANY_PROCESSES, PROCESS_LIMIT_MS);
	ksft_print("%u processes with %u queues each, %u rounds", MANY_PROCESSES, MANY_QUEUES,
		   rounds);
}

static const struct ksft_test tests[] = {
	{ "threads_create_and_destroy_under_load", threads_create_and_destroy_under_load, 300 },
	{ "threads_stop_and_restart_under_load", threads_stop_and_restart_under_load, 300 },
	{ "stopped_queue_keeps_its_waiting_packet", stopped_queue_keeps_its_waiting_packet, 0 },
	{ "more_queues_than_the_hardware_has", more_queues_than_the_hardware_has, 300 },
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
