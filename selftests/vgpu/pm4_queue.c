// SPDX-License-Identifier: MIT
/* User PM4 compute queues: the packets of the compute micro engine that need no shader. */
#include <stdlib.h>
#include <string.h>

#include "copy_matrix.h"
#include "ksft.h"
#include "pattern.h"
#include "pm4_packets.h"
#include "queue.h"
#include "waiter.h"

#define SCRATCH_BYTES 65536
#define FENCE_DW      16 /* where tests let the GPU write, in dwords of the scratch memory */

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
	queue_create(&bench->queue, &bench->kfd, QUEUE_PM4);
}

static void bench_close(struct bench *bench)
{
	queue_destroy(&bench->queue);
	kfd_bo_free(&bench->kfd, &bench->memory);
	kfd_close(&bench->kfd);
}

static uint64_t va_of(const struct bench *bench, unsigned int dw)
{
	return bench->memory.va + dw * 4;
}

static void emit_write(struct bench *bench, unsigned int at_dw, uint32_t value)
{
	uint32_t dw[PM4_PACKET_MAX_DW];

	queue_emit(&bench->queue, dw, pm4_write_data(dw, va_of(bench, at_dw), &value, 1));
}

static void copies_every_size_between_all_memories(void)
{
	copy_matrix_run(QUEUE_PM4, 4);
}

static void fills_every_size_in_all_memories(void)
{
	fill_matrix_run(QUEUE_PM4, 5);
}

static void packets_straddle_the_end_of_the_ring(void)
{
	copy_small_ring_run(QUEUE_PM4, 4000);
}

static void write_data_stores_its_data(void)
{
	struct bench bench;
	uint32_t data[PM4_WRITE_MAX_DW];
	uint32_t dw[PM4_PACKET_MAX_DW];

	bench_open(&bench);
	pattern_fill(data, sizeof(data), 6);
	for (unsigned int n = 1; n <= PM4_WRITE_MAX_DW; n++) {
		memset(bench.dw, 0, SCRATCH_BYTES);
		queue_emit(&bench.queue, dw, pm4_write_data(dw, va_of(&bench, 1), data, n));
		queue_finish(&bench.queue);
		ksft_assert(!bench.dw[0] && !bench.dw[1 + n], "%u dwords: wrote outside", n);
		ksft_assert(!memcmp(&bench.dw[1], data, n * 4), "%u dwords: wrong data", n);
	}
	bench_close(&bench);
}

static void release_mem_stores_32_64_and_clock(void)
{
	struct bench bench;
	uint32_t dw[PM4_PACKET_MAX_DW];
	uint64_t value = 0x1122334455667788;
	uint64_t clocks[2];

	bench_open(&bench);
	queue_emit(&bench.queue, dw,
		   pm4_release_mem(dw, RELEASE_MEM_DATA_32, va_of(&bench, 0), value, 0));
	queue_emit(&bench.queue, dw,
		   pm4_release_mem(dw, RELEASE_MEM_DATA_64, va_of(&bench, 4), value, 0));
	for (unsigned int i = 0; i < 2; i++)
		queue_emit(&bench.queue, dw,
			   pm4_release_mem(dw, RELEASE_MEM_DATA_CLOCK, va_of(&bench, 8 + i * 2), 0,
					   0));
	queue_finish(&bench.queue);
	ksft_assert(bench.dw[0] == 0x55667788 && !bench.dw[1], "32 bits: 0x%08x%08x", bench.dw[1],
		    bench.dw[0]);
	ksft_assert(!memcmp(&bench.dw[4], &value, 8) && !bench.dw[6], "64 bits: 0x%08x%08x",
		    bench.dw[5], bench.dw[4]);
	memcpy(clocks, &bench.dw[8], sizeof(clocks));
	ksft_assert(clocks[0] && clocks[1] >= clocks[0], "clocks: %llu, %llu",
		    (unsigned long long)clocks[0], (unsigned long long)clocks[1]);
	bench_close(&bench);
}

static void release_mem_interrupt_wakes_a_waiting_thread(void)
{
	struct bench bench;
	struct waiter waiter;
	uint32_t dw[PM4_PACKET_MAX_DW];

	bench_open(&bench);
	for (unsigned int round = 0; round < 50; round++) {
		waiter_start(&waiter, &bench.kfd);
		queue_emit(&bench.queue, dw,
			   pm4_release_mem(dw, RELEASE_MEM_DATA_64 | RELEASE_MEM_INT,
					   waiter.event.slot_va, waiter.event.trigger_data,
					   waiter.event.id));
		queue_submit(&bench.queue);
		waiter_finish(&waiter);
	}
	bench_close(&bench);
}

static void wait_reg_mem_waits_for_the_cpu(void)
{
	struct bench bench;
	uint32_t dw[PM4_PACKET_MAX_DW];
	uint32_t fence;

	bench_open(&bench);
	for (uint32_t round = 1; round <= 50; round++) {
		uint32_t function = round % 2 ? WAIT_REG_MEM_EQUAL : WAIT_REG_MEM_GE;

		emit_write(&bench, FENCE_DW, round);
		queue_emit(&bench.queue, dw, pm4_wait_mem(dw, function, va_of(&bench, 0), round));
		fence = queue_fence(&bench.queue);
		ksft_assert(ksft_wait_dword(&bench.dw[FENCE_DW], round, QUEUE_WAIT_MS),
			    "round %u: WRITE_DATA before the wait did not come", round);
		ksft_assert(!queue_wait_for(&bench.queue, fence, 2), "WAIT_REG_MEM did not wait");
		__atomic_store_n(&bench.dw[0], round, __ATOMIC_RELEASE);
		queue_wait(&bench.queue, fence);
	}
	bench_close(&bench);
}

static void wait_reg_mem_waits_for_another_queue(void)
{
	struct bench bench;
	struct queue other;
	uint32_t fence;

	bench_open(&bench);
	queue_create(&other, &bench.kfd, QUEUE_PM4);
	for (uint32_t round = 1; round <= 50; round++) {
		/* ping: the other queue waits for the first, which waits for the other's answer */
		queue_wait_mem(&other, va_of(&bench, 0), round);
		queue_fill(&other, va_of(&bench, FENCE_DW), round, 4);
		queue_fence(&other);
		emit_write(&bench, 0, round);
		queue_wait_mem(&bench.queue, va_of(&bench, FENCE_DW), round);
		fence = queue_fence(&bench.queue);
		queue_wait(&bench.queue, fence);
	}
	queue_finish(&other);
	queue_destroy(&other);
	bench_close(&bench);
}

static void cond_exec_skips_on_zero(void)
{
	struct bench bench;
	uint32_t dw[PM4_PACKET_MAX_DW];
	uint32_t value = 1;
	unsigned int skipped;

	bench_open(&bench);
	bench.dw[0] = 1;
	for (unsigned int i = 0; i < 2; i++) { /* dword 0 is 1, dword 1 is 0 */
		skipped = pm4_write_data(dw, 0, &value, 1);
		queue_emit(&bench.queue, dw, pm4_cond_exec(dw, va_of(&bench, i), skipped));
		emit_write(&bench, FENCE_DW + i, 0xc0de);
	}
	emit_write(&bench, FENCE_DW + 2, 0xc0de);
	queue_finish(&bench.queue);
	ksft_assert(bench.dw[FENCE_DW] == 0xc0de, "COND_EXEC skipped though the value is 1");
	ksft_assert(!bench.dw[FENCE_DW + 1], "COND_EXEC did not skip");
	ksft_assert(bench.dw[FENCE_DW + 2] == 0xc0de, "COND_EXEC skipped too much");
	bench_close(&bench);
}

static void nop_skips_its_payload(void)
{
	struct bench bench;
	uint32_t nop[PM4_PACKET_MAX_DW];
	uint32_t one = PM4_NOP_DWORD;
	uint32_t bad = 0xbad;

	bench_open(&bench);
	for (unsigned int n = 2; n <= PM4_PACKET_MAX_DW; n++) {
		pm4_nop(nop, n);
		if (n >= 6) /* a payload that would write if it were executed */
			pm4_write_data(nop + 1, va_of(&bench, FENCE_DW), &bad, 1);
		queue_emit(&bench.queue, nop, n);
		queue_emit(&bench.queue, &one, 1);
		emit_write(&bench, 0, n);
	}
	queue_finish(&bench.queue);
	ksft_assert(bench.dw[0] == PM4_PACKET_MAX_DW, "the last write is %u", bench.dw[0]);
	ksft_assert(!bench.dw[FENCE_DW], "the payload of a NOP was executed");
	bench_close(&bench);
}

static void copy_data_from_immediate_memory_and_clock(void)
{
	struct bench bench;
	uint32_t dw[PM4_PACKET_MAX_DW];
	uint64_t value = 0x8877665544332211;

	bench_open(&bench);
	memcpy(bench.dw, &value, sizeof(value));
	queue_emit(&bench.queue, dw,
		   pm4_copy_data(dw, COPY_DATA_SRC_IMMEDIATE, va_of(&bench, 4), 0x1234));
	queue_emit(&bench.queue, dw,
		   pm4_copy_data(dw, COPY_DATA_SRC_MEM | COPY_DATA_64, va_of(&bench, 8),
				 va_of(&bench, 0)));
	queue_emit(&bench.queue, dw,
		   pm4_copy_data(dw, COPY_DATA_SRC_CLOCK | COPY_DATA_64, va_of(&bench, 12), 0));
	queue_finish(&bench.queue);
	ksft_assert(bench.dw[4] == 0x1234 && !bench.dw[5], "immediate: 0x%x", bench.dw[4]);
	ksft_assert(!memcmp(&bench.dw[8], &value, 8), "memory: 0x%08x%08x", bench.dw[9],
		    bench.dw[8]);
	ksft_assert(bench.dw[12] || bench.dw[13], "no clock");
	bench_close(&bench);
}

static void atomic_mem_adds_64_bits(void)
{
	struct bench bench;
	uint32_t dw[PM4_PACKET_MAX_DW];
	uint64_t value = 0xfffffff0;

	bench_open(&bench);
	memcpy(bench.dw, &value, sizeof(value));
	for (unsigned int i = 0; i < 100; i++)
		queue_emit(&bench.queue, dw, pm4_atomic_add64(dw, va_of(&bench, 0), 7));
	queue_finish(&bench.queue);
	memcpy(&value, bench.dw, sizeof(value));
	ksft_assert(value == 0xfffffff0ull + 700, "the sum is 0x%llx", (unsigned long long)value);
	bench_close(&bench);
}

/* The second of two indirect buffers waits for memory, so its place must be kept. */
static void indirect_buffers_run_in_order(void)
{
	struct bench bench;
	struct kfd_bo ib;
	uint32_t dw[PM4_PACKET_MAX_DW];
	unsigned int n = 0;
	uint32_t value;
	uint32_t fence;

	bench_open(&bench);
	kfd_bo_alloc(&bench.kfd, &ib, 65536, KFD_BO_GTT);
	for (value = 1; value <= 1000; value++)
		n += pm4_write_data((uint32_t *)ib.cpu + n, va_of(&bench, FENCE_DW + value), &value,
				    1);
	queue_emit(&bench.queue, dw, pm4_indirect_buffer(dw, ib.va, n));
	value = n;
	n += pm4_wait_mem((uint32_t *)ib.cpu + n, WAIT_REG_MEM_EQUAL, va_of(&bench, 0), 1);
	n += pm4_write_data((uint32_t *)ib.cpu + n, va_of(&bench, 1), &value, 1);
	queue_emit(&bench.queue, dw, pm4_indirect_buffer(dw, ib.va + value * 4, n - value));
	emit_write(&bench, 2, 0xe4d);
	fence = queue_fence(&bench.queue);
	ksft_assert(ksft_wait_dword(&bench.dw[FENCE_DW + 1000], 1000, QUEUE_WAIT_MS),
		    "the first indirect buffer did not run");
	ksft_assert(!queue_wait_for(&bench.queue, fence, 2) && !bench.dw[2],
		    "the ring went on before its indirect buffer");
	__atomic_store_n(&bench.dw[0], 1, __ATOMIC_RELEASE);
	queue_wait(&bench.queue, fence);
	ksft_assert(bench.dw[1] == value && bench.dw[2] == 0xe4d, "0x%x, 0x%x", bench.dw[1],
		    bench.dw[2]);
	for (value = 1; value <= 1000; value++)
		ksft_assert(bench.dw[FENCE_DW + value] == value, "write %u of the first buffer",
			    value);
	kfd_bo_free(&bench.kfd, &ib);
	bench_close(&bench);
}

static const struct ksft_test tests[] = {
	{ "copies_every_size_between_all_memories", copies_every_size_between_all_memories, 300 },
	{ "fills_every_size_in_all_memories", fills_every_size_in_all_memories, 300 },
	{ "packets_straddle_the_end_of_the_ring", packets_straddle_the_end_of_the_ring, 0 },
	{ "write_data_stores_its_data", write_data_stores_its_data, 0 },
	{ "release_mem_stores_32_64_and_clock", release_mem_stores_32_64_and_clock, 0 },
	{ "release_mem_interrupt_wakes_a_waiting_thread",
	  release_mem_interrupt_wakes_a_waiting_thread, 0 },
	{ "wait_reg_mem_waits_for_the_cpu", wait_reg_mem_waits_for_the_cpu, 0 },
	{ "wait_reg_mem_waits_for_another_queue", wait_reg_mem_waits_for_another_queue, 0 },
	{ "cond_exec_skips_on_zero", cond_exec_skips_on_zero, 0 },
	{ "nop_skips_its_payload", nop_skips_its_payload, 0 },
	{ "copy_data_from_immediate_memory_and_clock", copy_data_from_immediate_memory_and_clock,
	  0 },
	{ "atomic_mem_adds_64_bits", atomic_mem_adds_64_bits, 0 },
	{ "indirect_buffers_run_in_order", indirect_buffers_run_in_order, 0 },
};

int main(int argc, char **argv)
{
	(void)argc;
	return ksft_run(tests, ARRAY_SIZE(tests), argv + 1);
}
