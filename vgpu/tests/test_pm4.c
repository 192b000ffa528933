// SPDX-License-Identifier: MIT
/* PM4 packets of kernel rings and user queues. */
#include "device.h"

#include <string.h>

#define VMID 8
#define PAGE GMC_PAGE_BYTES
#define SCRATCH_REG0 (0xc040u * 4)

static void assert_done(struct ring *r)
{
	assert_true(run(r));
	assert_true(ring_empty(r));
}

static void assert_done_after_fault(struct device *d, struct ring *r, const struct buffer *b)
{
	uint64_t page;
	uint32_t cam;

	run(r);
	assert_int_equal(r->queue->state, QUEUE_FAULTED);
	assert_true(device_fault(d, &page, &cam));
	assert_int_equal(page, b->va);
	device_map_buffer(d, VMID, b, PAGE);
	device_ack(d, cam);
	device_run(d);
	assert_true(ring_empty(r));
}

static void every_kernel_ring_passes_the_ring_test(void **state)
{
	struct device *d = *state;
	struct ring r[3];

	start_gfx(d, &r[0]);
	start_kiq(d, &r[1]);
	start_hqd(d, &r[2], 1, 2, 3, 0, false);
	for (int i = 0; i < 3; i++) {
		reg_out(d, SCRATCH_REG0, 0xcafedead);
		EMIT(&r[i], PM4(0x79, 2), 0x40, 0xdeadbeef);
		assert_done(&r[i]);
		assert_int_equal(reg_in(d, SCRATCH_REG0), 0xdeadbeef);
		assert_int_equal(*r[i].rptr.u32, r[i].tail);
	}
}

static void fillers_are_skipped(void **state)
{
	struct ring r;

	start_hqd(*state, &r, 1, 0, 0, 0, false);
	EMIT(&r, 0xffff1000, 0x80000000, 0xffff1000);
	EMIT(&r, PM4(0x10, 3), 1, 2, 3);
	EMIT(&r, PM4(0x46, 1), 0);
	EMIT(&r, PM4_WRITE32(r.wptr.va + 64, 5));
	assert_done(&r);
	assert_int_equal(r.wptr.u32[16], 5);
}

static void write_data_goes_to_memory_or_registers(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_kiq(d, &r);
	EMIT(&r, PM4(0x37, 5), WRITE_DATA_MEMORY, LO(r.wptr.va + 64), HI(r.wptr.va), 1, 2);
	EMIT(&r, PM4(0x37, 5), WRITE_DATA_MEMORY | 1 << 16, LO(r.wptr.va + 96), HI(r.wptr.va), 3, 4);
	EMIT(&r, PM4(0x37, 5), 0, 0xc040, 0, 11, 12);
	EMIT(&r, PM4(0x37, 5), 1 << 16, 0xc050, 0, 13, 14);
	EMIT(&r, PM4(0x37, 3), WRITE_DATA_MEMORY, 0, 0); /* of nothing */
	assert_done(&r);
	assert_int_equal(r.wptr.u32[16], 1);
	assert_int_equal(r.wptr.u32[17], 2);
	assert_int_equal(r.wptr.u32[24], 4);
	assert_int_equal(r.wptr.u32[25], 0);
	assert_int_equal(reg_in(d, 0xc040 * 4), 11);
	assert_int_equal(reg_in(d, 0xc041 * 4), 12);
	assert_int_equal(reg_in(d, 0xc050 * 4), 14);
	assert_int_equal(reg_in(d, 0xc051 * 4), 0);
}

static void wait_reg_mem_waits(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, false);
	EMIT(&r, PM4(0x3c, 6), 3 | 1 << 4, LO(r.wptr.va + 64), HI(r.wptr.va), 5, 0xf, 10);
	EMIT(&r, PM4_WRITE32(r.wptr.va + 68, 9));
	kick(&r);
	assert_false(device_run_for(d, 3000000));
	assert_int_equal(r.wptr.u32[17], 0);
	r.wptr.u32[16] = 0xf5;
	assert_true(device_run(d));
	assert_int_equal(r.wptr.u32[17], 9);
}

static void wait_reg_mem_flushes_the_tlb(void **state)
{
	struct device *d = *state;
	uint32_t req = (GCVM_CONTEXT0_CNTL + VM_INVALIDATE_REQ(3)) / 4;
	uint64_t before = d->gpu->stats.tlb_invalidations;
	struct ring r;

	start_kiq(d, &r);
	/* As gmc_v9_0_flush_gpu_tlb() emits it: the reference is more than the mask. */
	EMIT(&r, PM4(0x3c, 6), 0x43, req, req + 18, 0x7c0020, 0x20, 0x20);
	assert_done(&r);
	assert_int_equal(d->gpu->stats.tlb_invalidations, before + 1);
}

static void copy_data_has_many_sources(void **state)
{
	struct device *d = *state;
	uint64_t before = device_now() / 10;
	struct ring r;

	start_kiq(d, &r);
	uint64_t va = r.wptr.va;

	reg_out(d, SCRATCH_REG0, 77);
	EMIT(&r, PM4(0x40, 5), 0 | 5 << 8, SCRATCH_REG0 / 4, 0, LO(va + 64), HI(va));
	EMIT(&r, PM4(0x40, 5), 1 | 5 << 8, LO(va + 64), HI(va), LO(va + 72), HI(va));
	EMIT(&r, PM4(0x40, 5), 5 | 5 << 8 | 1 << 16, 1, 2, LO(va + 80), HI(va));
	EMIT(&r, PM4(0x40, 5), 9 | 5 << 8 | 1 << 16, 0, 0, LO(va + 88), HI(va));
	EMIT(&r, PM4(0x40, 5), 5, 99, 0, 0xc041, 0);
	assert_done(&r);
	assert_int_equal(r.wptr.u32[16], 77);
	assert_int_equal(r.wptr.u32[18], 77);
	assert_true(r.wptr.u64[10] == 0x200000001);
	assert_in_range(r.wptr.u64[11], before, device_now() / 10);
	assert_int_equal(reg_in(d, 0xc041 * 4), 99);
	EMIT(&r, PM4(0x40, 5), 3, 0, 0, 0, 0);
	run(&r);
	assert_int_equal(r.queue->state, QUEUE_HALTED);
}

static void release_mem_writes_then_interrupts(void **state)
{
	struct device *d = *state;
	struct ring r;
	uint32_t dw[8];

	start_hqd(d, &r, 1, 2, 5, VMID, false);
	uint64_t va = r.wptr.va + 64;

	EMIT(&r, PM4(0x49, 7), 0, 1u << 29 | 2 << 24, LO(va), HI(va), 5, 6, 0xabc);
	EMIT(&r, PM4(0x49, 7), 0, 2u << 29, LO(va + 8), HI(va), 5, 6, 0);
	EMIT(&r, PM4(0x49, 6), 0, 3u << 29, LO(va + 16), HI(va), 0, 0);
	assert_done(&r);
	assert_true(r.wptr.u64[8] == 5 && r.wptr.u64[9] == 0x600000005);
	assert_true(r.wptr.u64[10]);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(dw[0], 0x14 | 181 << 8 | (2 | 1 << 2 | 5 << 4) << 16 | VMID << 24);
	assert_int_equal(dw[3], 0x8000 + VMID);
	assert_int_equal(dw[4], 0xabc);
	assert_false(device_iv_raw(d, dw, true));
}

static void dma_data_copies_and_fills(void **state)
{
	struct device *d = *state;
	struct buffer a = device_alloc(d, VMID, 4 * PAGE), b = device_alloc(d, VMID, 4 * PAGE);
	struct ring r;

	memset(a.u8, 0x3c, 4 * PAGE);
	start_hqd(d, &r, 1, 0, 0, VMID, false);
	EMIT(&r, PM4(0x50, 6), 0, LO(a.va + 1), HI(a.va), LO(b.va + 2), HI(b.va), 2 * PAGE);
	EMIT(&r, PM4(0x50, 6), 2u << 29, 0x55, 0, LO(b.va + 3 * PAGE), HI(b.va), 8);
	EMIT(&r, PM4(0x50, 6), 0, 0, 0, 0, 0, 0); /* of nothing */
	assert_done(&r);
	assert_memory_equal(b.u8 + 2, a.u8, 2 * PAGE);
	assert_int_equal(b.u8[1] + b.u8[2 + 2 * PAGE], 0);
	assert_int_equal(b.u32[3 * 1024 + 1], 0x55);
	EMIT(&r, PM4(0x50, 6), 1u << 20, 0, 0, 0, 0, 4);
	run(&r);
	assert_int_equal(r.queue->state, QUEUE_HALTED);
}

static void atomics_of_packets_work(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, false);
	uint64_t va = r.wptr.va + 64;

	r.wptr.u32[16] = 5;
	EMIT(&r, PM4(0x1e, 8), 0x0f, LO(va), HI(va), 3, 0, 0, 0, 0);
	EMIT(&r, PM4(0x1e, 8), 0x28, LO(va + 8), HI(va), 7, 7, 0, 0, 0);
	assert_done(&r);
	assert_int_equal(r.wptr.u32[16], 8);
	assert_true(r.wptr.u64[9] == 0x700000007);
	EMIT(&r, PM4(0x1e, 8), 0x08 | 1 << 8, LO(va), HI(va), 1, 0, 0, 0, 0);
	kick(&r);
	assert_false(device_run_for(d, 2000000));
	r.wptr.u32[16] = 0;
	assert_true(device_run(d));
	assert_int_equal(r.wptr.u32[16], 1);
	EMIT(&r, PM4(0x1e, 8), 0x0f, LO(va + 2), HI(va), 3, 0, 0, 0, 0);
	run(&r);
	assert_int_equal(r.queue->state, QUEUE_HALTED);
}

static void cond_exec_skips_when_the_value_is_zero(void **state)
{
	struct ring r;

	start_hqd(*state, &r, 1, 0, 0, VMID, false);
	uint64_t va = r.wptr.va + 64;

	EMIT(&r, PM4(0x22, 4), LO(va), HI(va), 0, 5);
	EMIT(&r, PM4_WRITE32(va + 4, 1));
	EMIT(&r, PM4_WRITE32(va, 1));
	EMIT(&r, PM4(0x22, 4), LO(va), HI(va), 0, 5);
	EMIT(&r, PM4_WRITE32(va + 8, 1));
	assert_done(&r);
	assert_int_equal(r.wptr.u32[17], 0);
	assert_int_equal(r.wptr.u32[18], 1);
}

static void an_indirect_buffer_survives_parking(void **state)
{
	struct device *d = *state;
	struct buffer c = device_alloc_absent(d, VMID, PAGE), ib = device_alloc(d, VMID, PAGE);
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, false);
	const uint32_t packets[] = {
		PM4(0x1e, 8), 0x0f, LO(r.wptr.va + 64), HI(r.wptr.va), 1, 0, 0, 0, 0,
		PM4_WRITE32(c.va, 6),
		PM4(0x1e, 8), 0x0f, LO(r.wptr.va + 64), HI(r.wptr.va), 1, 0, 0, 0, 0,
	};

	memcpy(ib.u32, packets, sizeof(packets));
	EMIT(&r, PM4(0x3f, 3), LO(ib.va), HI(ib.va), sizeof(packets) / 4 | 1 << 23);
	assert_done_after_fault(d, &r, &c);
	assert_int_equal(r.wptr.u32[16], 2);
	assert_int_equal(c.u32[0], 6);
}

static void an_indirect_buffer_goes_on_where_it_was_after_a_dequeue(void **state)
{
	struct device *d = *state;
	struct buffer c = device_alloc_absent(d, VMID, PAGE), ib = device_alloc(d, VMID, PAGE);
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, false);
	const uint32_t packets[] = {
		PM4(0x1e, 8), 0x0f, LO(r.wptr.va + 64), HI(r.wptr.va), 1, 0, 0, 0, 0,
		PM4_WRITE32(c.va, 6),
	};

	memcpy(ib.u32, packets, sizeof(packets));
	EMIT(&r, PM4(0x3f, 3), LO(ib.va), HI(ib.va), sizeof(packets) / 4);
	run(&r);
	stop_hqd(d, 1, 0, 0);
	device_map_buffer(d, VMID, &c, PAGE);
	cp_map(d->gpu, cp_slot(d->gpu, 1, 1, 1), r.mqd, VMID, r.doorbell, r.wptr.va);
	assert_true(device_run(d));
	assert_int_equal(r.wptr.u32[16], 1);
	assert_int_equal(c.u32[0], 6);
	assert_int_equal(cp_slot(d->gpu, 1, 1, 1)->queue.rptr, r.tail);
}

static void a_fault_of_any_packet_is_resolved(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, false);
	for (int i = 0; i < 6; i++) {
		struct buffer c = device_alloc_absent(d, VMID, PAGE);

		if (i == 0)
			EMIT(&r, PM4_WRITE32(c.va, 1));
		else if (i == 1)
			EMIT(&r, PM4(0x49, 7), 0, 2u << 29, LO(c.va), HI(c.va), 1, 0, 0);
		else if (i == 2)
			EMIT(&r, PM4(0x1e, 8), 0x0f, LO(c.va), HI(c.va), 1, 0, 0, 0, 0);
		else if (i == 3)
			EMIT(&r, PM4(0x50, 6), 2u << 29, 1, 0, LO(c.va), HI(c.va), 4);
		else if (i == 4)
			EMIT(&r, PM4(0x40, 5), 5 | 5 << 8, 1, 0, LO(c.va), HI(c.va));
		else
			EMIT(&r, PM4(0x3c, 6), 4 | 1 << 4, LO(c.va), HI(c.va), 1, 1, 10);
		assert_done_after_fault(d, &r, &c);
		assert_int_equal(c.u32[0], i < 5);
	}
}

static void users_cannot_write_registers(void **state)
{
	struct device *d = *state;
	struct ring r;
	uint32_t dw[8];

	start_hqd(d, &r, 1, 0, 0, VMID, false);
	EMIT(&r, PM4(0x37, 6), 0, SCRATCH_REG0 / 4, 0, 1, 2, 3);
	EMIT(&r, PM4(0x79, 3), 0x40, 1, 2);
	EMIT(&r, PM4(0x40, 5), 5, 99, 0, SCRATCH_REG0 / 4, 0);
	EMIT(&r, PM4(0x3c, 6), 0x43, SCRATCH_REG0 / 4, SCRATCH_REG0 / 4, 1, 1, 10);
	EMIT(&r, PM4(0x68, 2), 0x40, 1);
	EMIT(&r, PM4(0x76, 2), 0x40, 1); /* its own state: allowed, and nothing happens */
	EMIT(&r, PM4(0x69, 2), 0x40, 1);
	assert_done(&r);
	assert_int_equal(reg_in(d, SCRATCH_REG0), 0);
	for (int i = 0; i < 5; i++) { /* one for each packet */
		assert_true(device_iv_raw(d, dw, true));
		assert_int_equal(dw[0] & 0xffff, 0x14 | 184 << 8);
	}
	assert_false(device_iv_raw(d, dw, true));
}

static void users_cannot_use_the_kernels_packets(void **state)
{
	static const uint32_t ops[] = { 0x98, 0xa0, 0xa2, 0xa3, 0xa4, 0xa5 };
	struct device *d = *state;
	uint32_t dw[8];

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct ring r;

		start_hqd(d, &r, 1, 0, (unsigned int)i, VMID, false);
		EMIT(&r, PM4(ops[i], 7), 0, 0, 0, 0, 0, 0, 0);
		run(&r);
		assert_int_equal(r.queue->state, QUEUE_HALTED);
		assert_true(device_iv(d, 0x14, 183, dw));
	}
}

static void a_users_buffer_cannot_call_one_of_the_kernel(void **state)
{
	struct device *d = *state;
	struct buffer outer = device_alloc(d, VMID, PAGE), inner = device_alloc(d, 0, PAGE);
	struct ring r;

	start_gfx(d, &r);
	memcpy(inner.u32, (const uint32_t[]){ PM4(0x79, 2), 0x40, 1 }, 12);
	memcpy(outer.u32, (const uint32_t[]){ PM4(0x3f, 3), LO(inner.va), HI(inner.va), 3 }, 16);
	EMIT(&r, PM4(0x3f, 3), LO(outer.va), HI(outer.va), 4 | VMID << 24);
	run(&r);
	assert_int_equal(r.queue->state, QUEUE_FAULTED);
	assert_int_equal(reg_in(d, SCRATCH_REG0), 0);
}

static void nonsense_halts_only_its_queue(void **state)
{
	static const uint32_t bad[] = { 0, 0x40000000, PM4(0x77, 1), PM4(0x15, 5), PM4(0x3c, 2),
					PM4(0x50, 1) };
	struct device *d = *state;
	struct ring other;

	start_hqd(d, &other, 2, 0, 0, VMID, false);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ring r;

		start_hqd(d, &r, 1, 0, (unsigned int)i, VMID, false);
		EMIT(&r, bad[i], 0, 0, 0, 0, 0, 0);
		kick(&r);
		EMIT(&other, PM4_WRITE32(other.wptr.va + 64, (uint32_t)i + 1));
		assert_done(&other);
		assert_int_equal(r.queue->state, QUEUE_HALTED);
		assert_int_equal(other.wptr.u32[16], i + 1);
		stop_hqd(d, 1, 0, (unsigned int)i);
	}
}

static void a_dequeued_queue_keeps_its_place_in_the_mqd(void **state)
{
	struct device *d = *state;
	struct ring r;
	uint32_t *mqd;

	start_hqd(d, &r, 1, 0, 0, VMID, false);
	mqd = (uint32_t *)(void *)(d->gpu->mem.vram + r.mqd - GMC_VRAM_BASE);
	EMIT(&r, PM4_WRITE32(r.wptr.va + 64, 1));
	EMIT(&r, PM4_WRITE32(HOLE_VA, 1));
	run(&r);
	stop_hqd(d, 1, 0, 0);
	assert_int_equal(mqd[138], 5);
	assert_int_equal(mqd[182], 10);
	select_hqd(d, 1, 0, 0);
	assert_int_equal(reg_in(d, CP_HQD_PQ_RPTR), 0); /* gfx_v9_0_mqd_init() copies it */
	assert_int_equal(d->gpu->sched.num_queues, 0);
}

static void the_kiq_may_stop_itself(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_kiq(d, &r);
	r.queue->doorbell = 0x40; /* doorbell 0 would be everybody's without one */
	EMIT(&r, PM4(0xa3, 5), 1u << 29, 0x40, 0, 0, 0);
	EMIT(&r, PM4_WRITE32(r.wptr.va + 64, 1));
	*r.wptr.u64 = r.tail;
	doorbell64(d, 0x40, r.tail);
	assert_true(device_run(d));
	assert_false(r.queue->active);
	assert_int_equal(r.wptr.u32[16], 0);
	assert_int_equal(d->gpu->sched.num_queues, 0);
}

static void the_kiq_interrupts_by_its_status_register(void **state)
{
	struct device *d = *state;
	struct ring r;
	uint32_t dw[8];

	start_kiq(d, &r);
	EMIT(&r, PM4(0x37, 4), 0, CPC_INT_STATUS / 4, 0, CPC_INT_GENERIC2);
	assert_done(&r);
	assert_true(device_iv(d, 0x14, 178, dw));
	assert_int_equal(dw[0] >> 16 & 0xff, 9);
}

static void index_and_data_reach_registers_and_vram_but_not_themselves(void **state)
{
	struct device *d = *state;

	reg_out(d, MM_INDEX, SCRATCH_REG0);
	reg_out(d, MM_DATA, 7);
	assert_int_equal(reg_in(d, SCRATCH_REG0), 7);
	reg_out(d, MM_INDEX, MM_INDEX_VRAM | 0x100);
	reg_out(d, MM_DATA, 8);
	assert_int_equal(d->gpu->mem.vram[0x100], 8);
	for (uint32_t high = 0; high < 8; high++) {
		reg_out(d, MM_INDEX_HI, high);
		reg_out(d, MM_INDEX, MM_DATA);
		reg_out(d, MM_DATA, 1);
		reg_in(d, MM_DATA);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_kernel_ring_passes_the_ring_test), T(fillers_are_skipped),
		T(write_data_goes_to_memory_or_registers), T(wait_reg_mem_waits),
		T(wait_reg_mem_flushes_the_tlb), T(copy_data_has_many_sources),
		T(release_mem_writes_then_interrupts), T(dma_data_copies_and_fills),
		T(atomics_of_packets_work), T(cond_exec_skips_when_the_value_is_zero),
		T(an_indirect_buffer_survives_parking),
		T(an_indirect_buffer_goes_on_where_it_was_after_a_dequeue),
		T(a_fault_of_any_packet_is_resolved), T(users_cannot_write_registers),
		T(users_cannot_use_the_kernels_packets),
		T(a_users_buffer_cannot_call_one_of_the_kernel), T(nonsense_halts_only_its_queue),
		T(a_dequeued_queue_keeps_its_place_in_the_mqd), T(the_kiq_may_stop_itself),
		T(the_kiq_interrupts_by_its_status_register),
		T(index_and_data_reach_registers_and_vram_but_not_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
