// SPDX-License-Identifier: MIT
/* The HSA runtime's own path: agents, pools, asynchronous copies, a queue with a barrier packet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#include "hsa.h"
#include "ksft.h"
#include "pattern.h"

#define BARRIER_COUNT 500 /* more than the queue has packets */
#define QUEUE_PACKETS 64

/* within_device: by way of a second buffer on the GPU */
static void copies_of(const struct hsa *hsa, size_t bytes, bool within_device)
{
	uint8_t *in = hsa_pool_alloc(hsa, hsa->cpu_pool, bytes);
	uint8_t *out = hsa_pool_alloc(hsa, hsa->cpu_pool, bytes);
	void *vram[] = { hsa_pool_alloc(hsa, hsa->gpu_pool, bytes),
			 hsa_pool_alloc(hsa, hsa->gpu_pool, bytes) };

	pattern_fill(in, bytes, bytes);
	memset(out, 0, bytes);
	hsa_copy(vram[0], hsa->gpu, in, hsa->cpu, bytes, "host to device");
	if (within_device)
		hsa_copy(vram[1], hsa->gpu, vram[0], hsa->gpu, bytes, "device to device");
	hsa_copy(out, hsa->cpu, vram[within_device], hsa->gpu, bytes, "device to host");
	pattern_assert(out, bytes, bytes, "asynchronous copies");
	hsa_amd_memory_pool_free(vram[0]);
	hsa_amd_memory_pool_free(vram[1]);
	hsa_amd_memory_pool_free(in);
	hsa_amd_memory_pool_free(out);
}

/* From 1 MiB on, the runtime copies within the device by a kernel, not by SDMA. */
static void large_copy_within_the_device(void)
{
	struct hsa hsa;

	hsa_open(&hsa);
	copies_of(&hsa, (16 << 20) + 3, true);
	hsa_check(hsa_shut_down(), "hsa_shut_down");
}

static void async_copies_both_ways_and_within_the_device(void)
{
	static const size_t sizes[] = { 1, 4096, 65537, (1 << 20) - 1, 1 << 20, (16 << 20) + 3 };
	struct hsa hsa;

	hsa_open(&hsa);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		copies_of(&hsa, sizes[i], sizes[i] < 1 << 20);
	hsa_check(hsa_shut_down(), "hsa_shut_down");
}

/* Waits for room, stores one BARRIER_AND packet and rings the doorbell. */
static void submit_barrier(hsa_queue_t *queue, hsa_signal_t completion)
{
	uint64_t index = hsa_queue_add_write_index_relaxed(queue, 1);
	hsa_barrier_and_packet_t *packet =
		(hsa_barrier_and_packet_t *)queue->base_address + index % queue->size;
	struct ksft_poll poll = ksft_poll_start(60000);

	while (index - hsa_queue_load_read_index_scacquire(queue) >= queue->size)
		ksft_assert(ksft_poll_again(&poll), "packet %llu: no room in the queue",
			    (unsigned long long)index);
	memset((uint8_t *)packet + sizeof(packet->header), 0,
	       sizeof(*packet) - sizeof(packet->header));
	packet->completion_signal = completion;
	__atomic_store_n(&packet->header,
			 HSA_PACKET_TYPE_BARRIER_AND << HSA_PACKET_HEADER_TYPE |
				 1 << HSA_PACKET_HEADER_BARRIER,
			 __ATOMIC_RELEASE);
	hsa_signal_store_screlease(queue->doorbell_signal, (hsa_signal_value_t)index);
}

static void queue_runs_barrier_packets(void)
{
	hsa_signal_value_t value;
	hsa_queue_t *queue;
	hsa_signal_t signal;
	struct hsa hsa;

	hsa_open(&hsa);
	hsa_check(hsa_queue_create(hsa.gpu, QUEUE_PACKETS, HSA_QUEUE_TYPE_MULTI, NULL, NULL, 0, 0,
				   &queue),
		  "hsa_queue_create");
	hsa_check(hsa_signal_create(BARRIER_COUNT, 0, NULL, &signal), "signal");
	for (unsigned int i = 0; i < BARRIER_COUNT; i++)
		submit_barrier(queue, signal);
	value = hsa_signal_wait_scacquire(signal, HSA_SIGNAL_CONDITION_LT, 1, HSA_WAIT_NS,
					  HSA_WAIT_STATE_BLOCKED);
	ksft_assert(value == 0, "%u barriers: the signal is %lld", BARRIER_COUNT,
		    (long long)value);
	hsa_check(hsa_signal_destroy(signal), "signal");
	hsa_check(hsa_queue_destroy(queue), "hsa_queue_destroy");
	hsa_check(hsa_shut_down(), "hsa_shut_down");
}

static const struct ksft_test tests[] = {
	{ "async_copies_both_ways_and_within_the_device",
	  async_copies_both_ways_and_within_the_device, 0 },
	{ "large_copy_within_the_device", large_copy_within_the_device, 0 },
	{ "queue_runs_barrier_packets", queue_runs_barrier_packets, 0 },
};

int main(int argc, char **argv)
{
	(void)argc;
	return ksft_run(tests, ARRAY_SIZE(tests), argv + 1);
}
