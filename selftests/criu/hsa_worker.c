// SPDX-License-Identifier: MIT
/*
 * hsa_worker  A process of the HSA runtime that is checkpointed: memory of both pools, SDMA queues that
 * the runtime has made for copies, an AQL queue. As worker: "ready", and at each SIGUSR1 it compares,
 * runs a barrier packet, and prints "checked". At SIGTERM it ends with 0.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hsa.h"
#include "ksft.h"
#include "pattern.h"

#define LARGE_BYTES   (6u << 20)
#define SMALL_BYTES   20000u
#define BUFFERS       12
#define QUEUE_PACKETS 64

struct worker {
	struct hsa hsa;
	hsa_queue_t *queue;
	uint8_t *vram[BUFFERS];
	uint8_t *host;
	uint64_t seed;
};

static size_t bytes_of(unsigned int index)
{
	return index ? SMALL_BYTES + index : LARGE_BYTES;
}

static void allocate(struct worker *worker)
{
	hsa_open(&worker->hsa);
	for (unsigned int i = 0; i < BUFFERS; i++)
		worker->vram[i] = hsa_pool_alloc(&worker->hsa, worker->hsa.gpu_pool, bytes_of(i));
	worker->host = hsa_pool_alloc(&worker->hsa, worker->hsa.cpu_pool, LARGE_BYTES);
	hsa_check(hsa_queue_create(worker->hsa.gpu, QUEUE_PACKETS, HSA_QUEUE_TYPE_MULTI, NULL, NULL,
				   0, 0, &worker->queue),
		  "hsa_queue_create");
}

static void write_all(struct worker *worker)
{
	for (unsigned int i = 0; i < BUFFERS; i++) {
		pattern_fill(worker->host, bytes_of(i), worker->seed + i);
		hsa_copy(worker->vram[i], worker->hsa.gpu, worker->host, worker->hsa.cpu,
			 bytes_of(i), "to the GPU");
	}
}

static void check_all(struct worker *worker)
{
	for (unsigned int i = 0; i < BUFFERS; i++) {
		memset(worker->host, 0xee, bytes_of(i));
		hsa_copy(worker->host, worker->hsa.cpu, worker->vram[i], worker->hsa.gpu,
			 bytes_of(i), "from the GPU");
		pattern_assert(worker->host, bytes_of(i), worker->seed + i, "a buffer of the GPU");
	}
}

static void run_barrier(struct worker *worker)
{
	uint64_t index = hsa_queue_add_write_index_relaxed(worker->queue, 1);
	hsa_barrier_and_packet_t *packet =
		(hsa_barrier_and_packet_t *)worker->queue->base_address + index % QUEUE_PACKETS;
	hsa_signal_value_t value;
	hsa_signal_t done;

	hsa_check(hsa_signal_create(1, 0, NULL, &done), "signal");
	memset((uint8_t *)packet + sizeof(packet->header), 0,
	       sizeof(*packet) - sizeof(packet->header));
	packet->completion_signal = done;
	__atomic_store_n(&packet->header,
			 HSA_PACKET_TYPE_BARRIER_AND << HSA_PACKET_HEADER_TYPE |
				 1 << HSA_PACKET_HEADER_BARRIER,
			 __ATOMIC_RELEASE);
	hsa_signal_store_screlease(worker->queue->doorbell_signal, (hsa_signal_value_t)index);
	value = hsa_signal_wait_scacquire(done, HSA_SIGNAL_CONDITION_LT, 1, HSA_WAIT_NS,
					  HSA_WAIT_STATE_BLOCKED);
	ksft_assert(value == 0, "a barrier packet: the signal is %lld", (long long)value);
	hsa_check(hsa_signal_destroy(done), "signal");
}

static void say(const char *what)
{
	ksft_assert(write(STDOUT_FILENO, what, strlen(what)) == (ssize_t)strlen(what), "stdout");
}

int main(void)
{
	static struct worker worker = { .seed = 1 };
	sigset_t signals;
	int number;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL); /* the runtime's threads inherit it */
	allocate(&worker);
	write_all(&worker);
	run_barrier(&worker);
	say("ready\n");
	while (!sigwait(&signals, &number) && number == SIGUSR1) {
		check_all(&worker);
		run_barrier(&worker);
		worker.seed += 100;
		write_all(&worker);
		say("checked\n");
	}
	return 0;
}
