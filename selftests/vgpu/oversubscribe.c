// SPDX-License-Identifier: MIT
/*
 * Far more processes than the GPU has VMIDs, and more queues than it has slots: the hardware
 * scheduler must let every queue work in turn, and nobody's data may suffer.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ksft.h"
#include "load.h"

static unsigned int processes = 64;
static unsigned int queues = 2;
static unsigned int rounds = 4;
static unsigned int limit_s = 600;

static struct gate *gate;
static int cwsr_fd;
static uint64_t cwsr_bytes;

#define MAX_QUEUES 64

static void work(unsigned int index)
{
	struct load loads[MAX_QUEUES];
	unsigned int sdma_count = 0;
	struct kfd_bo cwsr;
	struct kfd kfd;
	int ret;

	kfd_open(&kfd);
	/* 22 MB for each queue would not fit; no queue runs waves, so all can share one area */
	kfd_bo_import(&kfd, &cwsr, cwsr_fd, cwsr_bytes);
	for (unsigned int i = 0; i < queues; i++) {
		struct queue_config config = { .type = i % QUEUE_TYPES, .cwsr = &cwsr };

		ret = load_try_open(&loads[i], &kfd, &config, index * 100 + i);
		if (ret && config.type == QUEUE_SDMA) { /* their number is that of the hardware */
			config.type = QUEUE_PM4;
			ret = load_try_open(&loads[i], &kfd, &config, index * 100 + i);
		}
		ksft_assert(!ret, "process %u, %s queue: %s", index, queue_type_name(config.type),
			    strerror(-ret));
		sdma_count += config.type == QUEUE_SDMA;
	}
	gate_pass(gate, limit_s * 1000);
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < queues; i++)
			load_begin(&loads[i]);
		for (unsigned int i = 0; i < queues; i++)
			load_end(&loads[i]);
	}
	for (unsigned int i = 0; i < queues; i++)
		load_close(&loads[i]);
	kfd_bo_free(&kfd, &cwsr);
	kfd_close(&kfd);
}

static void every_process_completes(void)
{
	uint64_t begin_us = ksft_now_us();
	struct kfd_bo cwsr;
	struct kfd kfd;

	if (kfd_module_parameter("sched_policy", 0) == 2)
		ksft_skip("no hardware scheduler: processes are limited to the VMIDs");
	kfd_open(&kfd);
	cwsr_bytes = queue_cwsr_bytes(&kfd);
	kfd_bo_alloc(&kfd, &cwsr, cwsr_bytes, KFD_BO_VRAM);
	cwsr_fd = kfd_bo_export(&kfd, &cwsr);
	gate = gate_create(processes);
	process_run_all(work, processes, limit_s * 1000);
	ksft_print("%u processes, %u queues each, %u rounds of %u KiB: %llu ms", processes, queues,
		   rounds, 2 * LOAD_BYTES >> 10,
		   (unsigned long long)(ksft_now_us() - begin_us) / 1000);
	kfd_bo_free(&kfd, &cwsr);
	kfd_close(&kfd);
}

static const struct option options[] = {
	{ "processes", required_argument, NULL, 'p' },
	{ "queues", required_argument, NULL, 'q' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "limit", required_argument, NULL, 'l' }, /* seconds */
	{ 0 },
};

static bool set_option(int option)
{
	unsigned int value = optarg ? (unsigned int)strtoul(optarg, NULL, 0) : 0;

	switch (option) {
	case 'p':
		processes = value;
		return value > 0;
	case 'q':
		queues = value;
		return value > 0 && value <= MAX_QUEUES;
	case 'r':
		rounds = value;
		return true;
	case 'l':
		limit_s = value;
		return value > 0;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct ksft_test tests[] = { { "every_process_completes", every_process_completes, 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!set_option(option))
			return KSFT_FAIL;
	tests[0].limit_s = limit_s + 30;
	return ksft_run(tests, ARRAY_SIZE(tests), argv + optind);
}
