// SPDX-License-Identifier: MIT
/* User SDMA queues: every packet that the runtime uses, and the memory that they reach. */
#include <stdlib.h>
#include <string.h>

#include "copy_matrix.h"
#include "ksft.h"
#include "pattern.h"
#include "queue.h"
#include "sdma_packets.h"
#include "waiter.h"

#define SCRATCH_BYTES 65536
#define MAX_QUEUES    64

/* One queue and some zeroed memory for its packets to work on. */
struct bench {
	struct kfd kfd;
	struct queue queue;
	struct kfd_bo memory;
	uint32_t *dw; /* the memory */
};

static void bench_open(struct bench *bench)
{
	kfd_open(&bench->kfd);
	kfd_bo_alloc(&bench->kfd, &bench->memory, SCRATCH_BYTES, KFD_BO_GTT);
	bench->dw = bench->memory.cpu;
	memset(bench->dw, 0, SCRATCH_BYTES);
	queue_create(&bench->queue, &bench->kfd, QUEUE_SDMA);
}

static void bench_close(struct bench *bench)
{
	queue_destroy(&bench->queue);
	kfd_bo_free(&bench->kfd, &bench->memory);
	kfd_close(&bench->kfd);
}

static void copies_every_size_between_all_memories(void)
{
	copy_matrix_run(QUEUE_SDMA, 1);
}

static void fills_every_size_in_all_memories(void)
{
	fill_matrix_run(QUEUE_SDMA, 2);
}

static void packets_straddle_the_end_of_the_ring(void)
{
	copy_small_ring_run(QUEUE_SDMA, 4000);
}

static void write_stores_its_data(void)
{
	static const uint32_t data[] = { 0x01234567, 0x89abcdef, 0xdeadbeef, 0, 0xffffffff };
	struct bench bench;
	uint32_t dw[SDMA_PACKET_MAX_DW];

	bench_open(&bench);
	queue_emit(&bench.queue, dw, sdma_write(dw, bench.memory.va + 4, data, ARRAY_SIZE(data)));
	queue_finish(&bench.queue);
	ksft_assert(!bench.dw[0] && !bench.dw[1 + ARRAY_SIZE(data)], "WRITE outside its range");
	ksft_assert(!memcmp(&bench.dw[1], data, sizeof(data)), "WRITE stored 0x%x, 0x%x, ...",
		    bench.dw[1], bench.dw[2]);
	bench_close(&bench);
}

static void atomic_adds_64_bits(void)
{
	struct bench bench;
	uint32_t dw[SDMA_PACKET_MAX_DW];
	uint64_t value = 0xfffffff0;

	bench_open(&bench);
	memcpy(bench.dw, &value, sizeof(value));
	for (unsigned int i = 0; i < 100; i++) {
		queue_emit(&bench.queue, dw, sdma_atomic_add64(dw, bench.memory.va, 3));
		queue_emit(&bench.queue, dw, sdma_atomic_add64(dw, bench.memory.va, -1ull));
	}
	queue_finish(&bench.queue);
	memcpy(&value, bench.dw, sizeof(value));
	ksft_assert(value == 0xfffffff0ull + 200, "the sum is 0x%llx", (unsigned long long)value);
	bench_close(&bench);
}

static void timestamps_grow(void)
{
	struct bench bench;
	uint32_t dw[SDMA_PACKET_MAX_DW];
	uint64_t *stamps;

	bench_open(&bench);
	stamps = bench.memory.cpu;
	for (unsigned int i = 0; i < 16; i++)
		queue_emit(&bench.queue, dw,
			   sdma_timestamp_get_global(dw, bench.memory.va + i * 32));
	queue_finish(&bench.queue);
	ksft_assert(stamps[0], "no timestamp");
	for (unsigned int i = 1; i < 16; i++)
		ksft_assert(stamps[i * 4] >= stamps[(i - 1) * 4], "timestamp %u goes back", i);
	ksft_assert(stamps[15 * 4] > stamps[0], "the clock stands still");
	bench_close(&bench);
}

static void cond_exe_skips_unless_equal(void)
{
	struct bench bench;
	uint32_t dw[SDMA_PACKET_MAX_DW];
	unsigned int skipped;

	bench_open(&bench);
	bench.dw[0] = 1;
	for (uint32_t i = 0; i < 2; i++) { /* dword 0 is 1, dword 1 is 0 */
		skipped = sdma_fence(dw, 0, 0);
		queue_emit(&bench.queue, dw, sdma_cond_exe(dw, bench.memory.va + i * 4, 1, skipped));
		queue_emit(&bench.queue, dw, sdma_fence(dw, bench.memory.va + 64 + i * 4, 0xc0de));
	}
	queue_finish(&bench.queue);
	ksft_assert(bench.dw[16] == 0xc0de, "COND_EXE skipped though the value is equal");
	ksft_assert(bench.dw[17] == 0, "COND_EXE did not skip");
	bench_close(&bench);
}

static void nop_skips_its_payload(void)
{
	struct bench bench;
	uint32_t dw[SDMA_PACKET_MAX_DW];
	uint32_t nop[SDMA_PACKET_MAX_DW];

	bench_open(&bench);
	for (unsigned int n = 1; n <= SDMA_PACKET_MAX_DW; n++) {
		sdma_nop(nop, n);
		if (n >= 5) /* a payload that would write if it were executed */
			sdma_fence(nop + 1, bench.memory.va + 64, 0xbad);
		queue_emit(&bench.queue, nop, n);
		queue_emit(&bench.queue, dw, sdma_fence(dw, bench.memory.va, n));
	}
	queue_finish(&bench.queue);
	ksft_assert(bench.dw[0] == SDMA_PACKET_MAX_DW, "the last fence is %u", bench.dw[0]);
	ksft_assert(!bench.dw[16], "the payload of a NOP was executed");
	bench_close(&bench);
}

static void poll_waits_for_the_cpu(void)
{
	struct bench bench;
	uint32_t dw[SDMA_PACKET_MAX_DW];
	uint32_t fence;

	bench_open(&bench);
	for (uint32_t round = 1; round <= 50; round++) {
		queue_emit(&bench.queue, dw, sdma_fence(dw, bench.memory.va + 64, round));
		queue_wait_mem(&bench.queue, bench.memory.va, round);
		fence = queue_fence(&bench.queue);
		ksft_assert(ksft_wait_dword(&bench.dw[16], round, QUEUE_WAIT_MS),
			    "round %u: the fence before the poll did not come", round);
		ksft_assert(!queue_wait_for(&bench.queue, fence, 2), "POLL_REGMEM did not wait");
		__atomic_store_n(&bench.dw[0], round, __ATOMIC_RELEASE);
		queue_wait(&bench.queue, fence);
	}
	bench_close(&bench);
}

static void trap_wakes_a_waiting_thread(void)
{
	struct bench bench;
	struct waiter waiter;
	uint32_t dw[SDMA_PACKET_MAX_DW];

	bench_open(&bench);
	for (unsigned int round = 0; round < 50; round++) {
		waiter_start(&waiter, &bench.kfd);
		queue_emit(&bench.queue, dw,
			   sdma_fence(dw, waiter.event.slot_va, waiter.event.trigger_data));
		queue_emit(&bench.queue, dw, sdma_trap(dw, waiter.event.id));
		queue_submit(&bench.queue);
		waiter_finish(&waiter);
	}
	bench_close(&bench);
}

static void all_queues_of_the_gpu_run_at_once(void)
{
	struct queue_config config = { .type = QUEUE_SDMA };
	struct kfd kfd;
	struct kfd_bo source;
	struct kfd_bo target;
	struct queue queues[MAX_QUEUES];
	unsigned int count;
	uint64_t bytes = 256 << 10;
	int ret = 0;

	kfd_open(&kfd);
	kfd_bo_alloc(&kfd, &source, bytes, KFD_BO_GTT);
	kfd_bo_alloc(&kfd, &target, bytes * MAX_QUEUES, KFD_BO_GTT);
	pattern_fill(source.cpu, bytes, 3);
	for (count = 0; count < MAX_QUEUES; count++) {
		ret = queue_try_create(&queues[count], &kfd, &config);
		if (ret)
			break;
	}
	ksft_print("%u queues, then %s; the topology has %u", count, strerror(-ret),
		   kfd.gpu.sdma_queue_count);
	ksft_assert(count == kfd.gpu.sdma_queue_count, "%u queues of %u", count,
		    kfd.gpu.sdma_queue_count);
	for (unsigned int i = 0; i < count; i++) {
		queue_copy(&queues[i], target.va + i * bytes, source.va, bytes);
		queue_fence(&queues[i]);
	}
	for (unsigned int i = 0; i < count; i++) {
		queue_wait(&queues[i], queues[i].fences);
		pattern_assert((uint8_t *)target.cpu + i * bytes, bytes, 3, "one queue of many");
		queue_destroy(&queues[i]);
	}
	kfd_bo_free(&kfd, &source);
	kfd_bo_free(&kfd, &target);
	kfd_close(&kfd);
}

static const struct ksft_test tests[] = {
	{ "copies_every_size_between_all_memories", copies_every_size_between_all_memories, 300 },
	{ "fills_every_size_in_all_memories", fills_every_size_in_all_memories, 300 },
	{ "packets_straddle_the_end_of_the_ring", packets_straddle_the_end_of_the_ring, 0 },
	{ "write_stores_its_data", write_stores_its_data, 0 },
	{ "atomic_adds_64_bits", atomic_adds_64_bits, 0 },
	{ "timestamps_grow", timestamps_grow, 0 },
	{ "cond_exe_skips_unless_equal", cond_exe_skips_unless_equal, 0 },
	{ "nop_skips_its_payload", nop_skips_its_payload, 0 },
	{ "poll_waits_for_the_cpu", poll_waits_for_the_cpu, 0 },
	{ "trap_wakes_a_waiting_thread", trap_wakes_a_waiting_thread, 0 },
	{ "all_queues_of_the_gpu_run_at_once", all_queues_of_the_gpu_run_at_once, 0 },
};

int main(int argc, char **argv)
{
	(void)argc;
	return ksft_run(tests, ARRAY_SIZE(tests), argv + 1);
}
