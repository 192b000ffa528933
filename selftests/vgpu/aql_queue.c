// SPDX-License-Identifier: MIT
/* User AQL queues: barriers, completion signals, PM4 in a vendor packet, the order of the ring. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aql_packets.h"
#include "copy_matrix.h"
#include "ksft.h"
#include "pattern.h"
#include "queue.h"
#include "waiter.h"

#define SIGNALS     64
#define NEGATIVE_MS 2 /* how long a test watches that something does not happen */

/* One queue and an array of signals. */
struct bench {
	struct kfd kfd;
	struct queue queue;
	struct kfd_bo memory;
	struct aql_signal *signals; /* the memory */
};

static void bench_open(struct bench *bench)
{
	kfd_open(&bench->kfd);
	kfd_bo_alloc(&bench->kfd, &bench->memory, SIGNALS * sizeof(*bench->signals), KFD_BO_GTT);
	bench->signals = bench->memory.cpu;
	memset(bench->signals, 0, bench->memory.bytes);
	for (unsigned int i = 0; i < SIGNALS; i++)
		bench->signals[i].kind = AQL_SIGNAL_KIND_USER;
	queue_create(&bench->queue, &bench->kfd, QUEUE_AQL);
}

static void bench_close(struct bench *bench)
{
	queue_destroy(&bench->queue);
	kfd_bo_free(&bench->kfd, &bench->memory);
	kfd_close(&bench->kfd);
}

static uint64_t signal_va(const struct bench *bench, unsigned int i)
{
	return bench->memory.va + i * sizeof(*bench->signals);
}

static void signal_set(struct bench *bench, unsigned int i, int64_t value)
{
	__atomic_store_n(&bench->signals[i].value, value, __ATOMIC_RELEASE);
}

static bool signal_reaches(const struct bench *bench, unsigned int i, int64_t value,
			   unsigned int limit_ms)
{
	struct ksft_poll poll = ksft_poll_start(limit_ms);

	while (__atomic_load_n(&bench->signals[i].value, __ATOMIC_ACQUIRE) != value)
		if (!ksft_poll_again(&poll))
			return false;
	return true;
}

static void barrier_and_waits_for_all_signals(void)
{
	struct bench bench;
	union aql_packet packet;

	bench_open(&bench);
	for (unsigned int round = 0; round < 20; round++) {
		packet = aql_barrier(AQL_BARRIER_AND, signal_va(&bench, 0));
		signal_set(&bench, 0, 1);
		for (unsigned int i = 0; i < 5; i++) {
			signal_set(&bench, 1 + i, 1);
			packet.barrier.dep_signal[i] = signal_va(&bench, 1 + i);
		}
		aql_emit(&bench.queue, &packet);
		queue_submit(&bench.queue);
		for (unsigned int i = 0; i < 5; i++) {
			ksft_assert(!signal_reaches(&bench, 0, 0, NEGATIVE_MS),
				    "BARRIER_AND did not wait for signal %u", (i + round) % 5);
			signal_set(&bench, 1 + (i + round) % 5, 0);
		}
		ksft_assert(signal_reaches(&bench, 0, 0, QUEUE_WAIT_MS),
			    "BARRIER_AND did not complete");
	}
	bench_close(&bench);
}

static void barrier_or_waits_for_one_signal(void)
{
	struct bench bench;
	union aql_packet packet;

	bench_open(&bench);
	for (unsigned int round = 0; round < 20; round++) {
		packet = aql_barrier(AQL_BARRIER_OR, signal_va(&bench, 0));
		signal_set(&bench, 0, 1);
		for (unsigned int i = 0; i < 5; i++) {
			signal_set(&bench, 1 + i, 1);
			packet.barrier.dep_signal[i] = signal_va(&bench, 1 + i);
		}
		aql_emit(&bench.queue, &packet);
		queue_submit(&bench.queue);
		ksft_assert(!signal_reaches(&bench, 0, 0, NEGATIVE_MS), "BARRIER_OR did not wait");
		signal_set(&bench, 1 + round % 5, 0);
		ksft_assert(signal_reaches(&bench, 0, 0, QUEUE_WAIT_MS),
			    "BARRIER_OR ignored signal %u", round % 5);
	}
	bench_close(&bench);
}

/* A chain of packets on two queues in turn: each waits for the signal of the one before. */
static void queues_wait_for_each_others_signals(void)
{
	struct bench bench;
	struct queue other;
	union aql_packet packet;
	unsigned int last = SIGNALS - 1;

	bench_open(&bench);
	queue_create(&other, &bench.kfd, QUEUE_AQL);
	signal_set(&bench, 0, 1);
	for (unsigned int i = 1; i <= last; i++) {
		struct queue *queue = i % 2 ? &bench.queue : &other;

		signal_set(&bench, i, 1);
		packet = aql_barrier(AQL_BARRIER_AND, signal_va(&bench, i));
		packet.barrier.dep_signal[i % 5] = signal_va(&bench, i - 1);
		aql_emit(queue, &packet);
		queue_submit(queue);
	}
	ksft_assert(!signal_reaches(&bench, 1, 0, NEGATIVE_MS), "the chain did not wait");
	signal_set(&bench, 0, 0);
	ksft_assert(signal_reaches(&bench, last, 0, QUEUE_WAIT_MS), "the chain did not end");
	for (unsigned int i = 1; i <= last; i++)
		ksft_assert(!bench.signals[i].value, "signal %u is %lld", i,
			    (long long)bench.signals[i].value);
	queue_destroy(&other);
	bench_close(&bench);
}

static void completion_signal_wakes_a_waiting_thread(void)
{
	struct bench bench;
	struct waiter waiter;
	union aql_packet packet;

	bench_open(&bench);
	for (unsigned int round = 0; round < 50; round++) {
		waiter_start(&waiter, &bench.kfd);
		signal_set(&bench, 0, 1);
		bench.signals[0].event_mailbox_ptr = waiter.event.slot_va;
		bench.signals[0].event_id = waiter.event.id;
		packet = aql_barrier(AQL_BARRIER_AND, signal_va(&bench, 0));
		aql_emit(&bench.queue, &packet);
		queue_submit(&bench.queue);
		waiter_finish(&waiter);
		ksft_assert(!bench.signals[0].value, "woken, but the signal is %lld",
			    (long long)bench.signals[0].value);
	}
	bench_close(&bench);
}

/* Many times more packets than the ring has; the signal counts them, read_dispatch_id follows. */
static void more_packets_than_the_ring_has(void)
{
	struct bench bench;
	struct ksft_poll poll;
	union aql_packet packet;
	unsigned int count = 5000;

	bench_open(&bench);
	packet = aql_barrier(AQL_BARRIER_AND, signal_va(&bench, 0));
	signal_set(&bench, 0, count);
	for (unsigned int i = 0; i < count; i++) {
		aql_emit(&bench.queue, &packet);
		if (i % 5 == 0)
			queue_submit(&bench.queue);
		ksft_assert(queue_rptr(&bench.queue) <= bench.queue.wptr,
			    "read_dispatch_id %llu is ahead of packet %u",
			    (unsigned long long)queue_rptr(&bench.queue), i);
	}
	queue_submit(&bench.queue);
	ksft_assert(signal_reaches(&bench, 0, 0, QUEUE_WAIT_MS), "the signal stays at %lld",
		    (long long)bench.signals[0].value);
	poll = ksft_poll_start(QUEUE_WAIT_MS);
	while (queue_rptr(&bench.queue) != count)
		ksft_assert(ksft_poll_again(&poll), "read_dispatch_id is %llu after %u packets",
			    (unsigned long long)queue_rptr(&bench.queue), count);
	bench_close(&bench);
}

static void read_dispatch_id_stops_at_a_waiting_packet(void)
{
	struct bench bench;
	union aql_packet packet;
	unsigned int blocked = 10;

	bench_open(&bench);
	signal_set(&bench, 1, 1);
	for (unsigned int i = 0; i < 20; i++) {
		signal_set(&bench, 10 + i, 1);
		packet = aql_barrier(AQL_BARRIER_AND, signal_va(&bench, 10 + i));
		if (i == blocked)
			packet.barrier.dep_signal[0] = signal_va(&bench, 1);
		aql_emit(&bench.queue, &packet);
	}
	queue_submit(&bench.queue);
	ksft_assert(signal_reaches(&bench, 10 + blocked - 1, 0, QUEUE_WAIT_MS), "no progress");
	ksft_assert(!signal_reaches(&bench, 10 + blocked, 0, NEGATIVE_MS), "did not wait");
	ksft_assert(queue_rptr(&bench.queue) <= blocked + 1, "read_dispatch_id %llu, waiting is %u",
		    (unsigned long long)queue_rptr(&bench.queue), blocked);
	signal_set(&bench, 1, 0);
	ksft_assert(signal_reaches(&bench, 29, 0, QUEUE_WAIT_MS), "the queue did not go on");
	bench_close(&bench);
}

/* A producer may ring for a later packet before the header of an earlier one is written. */
static void invalid_packet_holds_the_queue(void)
{
	struct bench bench;
	union aql_packet packet;
	union aql_packet *slot;
	uint16_t header;

	bench_open(&bench);
	signal_set(&bench, 0, 1);
	signal_set(&bench, 1, 1);
	slot = bench.queue.ring.cpu;
	packet = aql_barrier(AQL_BARRIER_AND, signal_va(&bench, 0));
	header = packet.barrier.header;
	packet.barrier.header = AQL_INVALID;
	aql_emit(&bench.queue, &packet);
	packet = aql_barrier(AQL_BARRIER_AND, signal_va(&bench, 1));
	aql_emit(&bench.queue, &packet);
	queue_submit(&bench.queue);
	ksft_assert(!signal_reaches(&bench, 1, 0, NEGATIVE_MS), "ran past an invalid packet");
	__atomic_store_n(&slot->barrier.header, header, __ATOMIC_RELEASE);
	*bench.queue.doorbell = 1;
	ksft_assert(signal_reaches(&bench, 0, 0, QUEUE_WAIT_MS) &&
			    signal_reaches(&bench, 1, 0, QUEUE_WAIT_MS),
		    "the queue did not go on when the packet became valid");
	bench_close(&bench);
}

static void pm4_packets_copy_every_size(void)
{
	copy_matrix_run(QUEUE_AQL, 7);
}

static void pm4_packets_on_a_small_ring(void)
{
	copy_small_ring_run(QUEUE_AQL, 2000);
}

/* A vendor packet has a completion signal like every other. */
static void pm4_packet_completes_its_signal(void)
{
	struct bench bench;
	struct kfd_bo ib;
	union aql_packet packet;
	uint32_t value = 0xc0de;

	bench_open(&bench);
	kfd_bo_alloc(&bench.kfd, &ib, 4096, KFD_BO_GTT);
	signal_set(&bench, 0, 1);
	packet = aql_pm4_ib(ib.va, pm4_write_data(ib.cpu, ib.va + 2048, &value, 1),
			    signal_va(&bench, 0));
	aql_emit(&bench.queue, &packet);
	queue_submit(&bench.queue);
	ksft_assert(signal_reaches(&bench, 0, 0, QUEUE_WAIT_MS), "the signal did not come");
	ksft_assert(((uint32_t *)ib.cpu)[512] == value, "signalled before the packets ran");
	kfd_bo_free(&bench.kfd, &ib);
	bench_close(&bench);
}

/* Without a shader engine a kernel must not seem to have run. */
static const struct ksft_test tests[] = {
	{ "barrier_and_waits_for_all_signals", barrier_and_waits_for_all_signals, 0 },
	{ "barrier_or_waits_for_one_signal", barrier_or_waits_for_one_signal, 0 },
	{ "queues_wait_for_each_others_signals", queues_wait_for_each_others_signals, 0 },
	{ "completion_signal_wakes_a_waiting_thread", completion_signal_wakes_a_waiting_thread, 0 },
	{ "more_packets_than_the_ring_has", more_packets_than_the_ring_has, 0 },
	{ "read_dispatch_id_stops_at_a_waiting_packet", read_dispatch_id_stops_at_a_waiting_packet,
	  0 },
	{ "invalid_packet_holds_the_queue", invalid_packet_holds_the_queue, 0 },
	{ "pm4_packets_copy_every_size", pm4_packets_copy_every_size, 300 },
	{ "pm4_packets_on_a_small_ring", pm4_packets_on_a_small_ring, 0 },
	{ "pm4_packet_completes_its_signal", pm4_packet_completes_its_signal, 0 },
};

int main(int argc, char **argv)
{
	(void)argc;
	return ksft_run(tests, ARRAY_SIZE(tests), argv + 1);
}
