// SPDX-License-Identifier: MIT
/* SDMA packets, as a user queue and a kernel ring execute them, and what interrupts them. */
#include "device.h"

#include <string.h>

#define VMID 8
#define PAGE GMC_PAGE_BYTES
#define RING 4096u

/* A user ring, and two buffers of 16 pages. */
struct user {
	struct ring ring;
	struct buffer a, b;
};

static struct user start_user(struct device *d)
{
	struct user u;

	start_sdma(d, &u.ring, 0, 2, VMID, RING);
	u.a = device_alloc(d, VMID, 16 * PAGE);
	u.b = device_alloc(d, VMID, 16 * PAGE);
	for (uint32_t i = 0; i < 16 * PAGE / 4; i++)
		u.a.u32[i] = 0x1000000 + i;
	return u;
}

static void assert_done(struct ring *r)
{
	assert_true(run(r));
	assert_true(ring_empty(r));
}

/* Runs into a fault at va, which is then there, and to the end. */
static void assert_done_after_fault(struct device *d, struct ring *r, uint64_t va,
				    const struct buffer *b)
{
	uint64_t page;
	uint32_t cam;

	run(r);
	assert_int_equal(r->queue->state, QUEUE_FAULTED);
	assert_true(device_fault(d, &page, &cam));
	assert_int_equal(page, va);
	device_map(d, VMID, va, (b->bus + (va - b->va)) | PTE_GUEST, PAGE);
	device_ack(d, cam);
	device_run(d);
}

static void a_copy_crosses_pages(void **state)
{
	struct user u = start_user(*state);

	EMIT(&u.ring, SDMA_COPY(u.b.va + 100, u.a.va + 4000, 3 * PAGE + 1));
	assert_done(&u.ring);
	assert_memory_equal(u.b.u8 + 100, u.a.u8 + 4000, 3 * PAGE + 1);
	assert_int_equal(u.b.u8[99] + u.b.u8[100 + 3 * PAGE + 1], 0);
	assert_int_equal(u.ring.queue->stats.bytes, 3 * PAGE + 1);
}

static void an_overlapping_copy_moves(void **state)
{
	struct user u = start_user(*state);
	uint8_t expected[512];

	memcpy(expected, u.a.u8, sizeof(expected));
	EMIT(&u.ring, SDMA_COPY(u.a.va + 64, u.a.va, 512));
	assert_done(&u.ring);
	assert_memory_equal(u.a.u8 + 64, expected, sizeof(expected));
}

static void a_large_copy_takes_several_turns(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_sdma(d, &r, 0, 0, 0, RING);
	for (uint32_t i = 0; i < 1u << 20; i++)
		((uint32_t *)(void *)d->gpu->mem.vram)[i] = i * 7;
	EMIT(&r, SDMA_COPY(GMC_VRAM_BASE + (8u << 20), GMC_VRAM_BASE, 4u << 20));
	kick(&r);
	queue_step(r.queue);
	assert_int_equal(r.queue->progress, QUEUE_STEP_BYTES);
	assert_true(device_run(d));
	assert_memory_equal(d->gpu->mem.vram + (8u << 20), d->gpu->mem.vram, 4u << 20);
	assert_int_equal(r.queue->stats.packets, 1);
}

static void a_subwindow_copies_rows_and_slices(void **state)
{
	struct user u = start_user(*state);

	/* Elements of 4 bytes; 5 x 3 x 2 from (1, 2, 1), pitch 16, slice 128, to (0, 1, 0), 8, 64. */
	EMIT(&u.ring, 0x401 | 2u << 29, LO(u.a.va), HI(u.a.va), 1 | 2 << 16, 1 | 15 << 13, 127,
	     LO(u.b.va), HI(u.b.va), 0 | 1 << 16, 0 | 7 << 13, 63, 4 | 2 << 16, 1);
	assert_done(&u.ring);
	for (uint32_t z = 0; z < 2; z++) {
		for (uint32_t y = 0; y < 3; y++)
			assert_memory_equal(&u.b.u32[(y + 1) * 8 + z * 64],
					    &u.a.u32[1 + (y + 2) * 16 + (z + 1) * 128], 20);
	}
	assert_int_equal(u.b.u32[8 + 5], 0);
	assert_int_equal(u.b.u32[0], 0);
}

static void a_large_subwindow_gives_others_a_turn(void **state)
{
	struct device *d = *state;
	uint64_t va = GMC_VRAM_BASE;
	struct ring r;

	start_sdma(d, &r, 0, 0, 0, RING);
	/* 64 rows of 128 KiB. */
	EMIT(&r, 0x401 | 3u << 29, LO(va), HI(va), 0, 16383 << 13, 0, LO(va + (32u << 20)),
	     HI(va + (32u << 20)), 0, 16383 << 13, 0, 16383 | 63 << 16, 0);
	kick(&r);
	queue_step(r.queue);
	assert_in_range(r.queue->stats.bytes, 1, 2 * QUEUE_STEP_BYTES);
	assert_true(device_run(d));
	assert_true(ring_empty(&r));
	assert_int_equal(r.queue->stats.bytes, 64u * 16384 * 8);
}

static void a_write_carries_its_data(void **state)
{
	struct user u = start_user(*state);

	EMIT(&u.ring, 2, LO(u.b.va + PAGE - 4), HI(u.b.va), 2, 11, 22, 33);
	assert_done(&u.ring);
	assert_int_equal(u.b.u32[1023], 11);
	assert_int_equal(u.b.u32[1024], 22);
	assert_int_equal(u.b.u32[1025], 33);
	assert_int_equal(u.b.u32[1026], 0);
}

static void a_fill_repeats_bytes_words_or_dwords(void **state)
{
	struct user u = start_user(*state);

	EMIT(&u.ring, 11, LO(u.b.va + 1), HI(u.b.va), 0xffffff5a, 4);
	EMIT(&u.ring, 11 | 1u << 30, LO(u.b.va + 16), HI(u.b.va), 0xffff1234, 5);
	EMIT(&u.ring, 11 | 2u << 30, LO(u.b.va + 4000), HI(u.b.va), 0x89abcdef, 10000 - 1);
	assert_done(&u.ring);
	assert_memory_equal(u.b.u8, "\0\x5a\x5a\x5a\x5a\x5a\0\0", 8);
	assert_memory_equal(u.b.u8 + 16, "\x34\x12\x34\x12\x34\x12\0\0", 8);
	for (uint32_t i = 1000; i < 3500; i++)
		assert_int_equal(u.b.u32[i], 0x89abcdef);
	assert_int_equal(u.b.u32[999] | u.b.u32[3500], 0);
}

static void ptepde_generates_entries(void **state)
{
	struct user u = start_user(*state);

	EMIT(&u.ring, 12, LO(u.b.va), HI(u.b.va), 0x71, 0x00400000, 0x12345000, 0x9, 0x1000, 0,
	     600 - 1);
	assert_done(&u.ring);
	for (uint64_t i = 0; i < 600; i++)
		assert_true(u.b.u64[i] == ((0x912345000 + i * 0x1000) | 0x0040000000000071));
	assert_true(!u.b.u64[600]);
}

static void a_fence_and_a_trap_tell_the_end(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	struct ring kernel;
	uint32_t dw[8];

	EMIT(&u.ring, SDMA_FENCE(u.b.va, 0xfeed));
	EMIT(&u.ring, 6, 0xf1234567);
	assert_done(&u.ring);
	assert_int_equal(u.b.u32[0], 0xfeed);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(dw[0], 8 | 224 << 8 | 2 << 16 | VMID << 24 | 1u << 31);
	assert_int_equal(dw[3], 0x8000 + VMID);
	assert_int_equal(dw[4], 0x01234567);
	for (unsigned int index = 0; index < 2; index++) {
		start_sdma(d, &kernel, 1, index, 0, 256);
		EMIT(&kernel, 6, 5);
		assert_done(&kernel);
		assert_true(device_iv_raw(d, dw, true));
		assert_int_equal(dw[0], 9 | 224 << 8 | index << 16 | 1u << 31);
	}
}

static void a_poll_waits_for_memory(void **state)
{
	static const struct {
		uint32_t func, value, met;
	} cases[] = { { 1, 9, 4 }, { 2, 9, 5 }, { 3, 9, 5 }, { 4, 5, 6 }, { 5, 4, 5 }, { 6, 5, 6 } };
	struct device *d = *state;
	struct user u = start_user(d);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u.b.u32[0] = 0xf0 | cases[i].value;
		EMIT(&u.ring, 8 | cases[i].func << 28 | 1u << 31, LO(u.b.va), HI(u.b.va), 5, 0xf, 0);
		kick(&u.ring);
		assert_false(device_run_for(d, 3000000));
		assert_false(ring_empty(&u.ring));
		u.b.u32[0] = 0xf0 | cases[i].met;
		assert_true(device_run(d));
		assert_true(ring_empty(&u.ring));
	}
}

static void a_poll_reads_registers_and_flushes_the_hdp(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_sdma(d, &r, 0, 0, 0, RING);
	EMIT(&r, 8 | 3u << 28 | 1u << 26, GPU_HDP_FLUSH_DONE, GPU_HDP_FLUSH_REQ, 0x40, 0x40, 0);
	reg_out(d, BIOS_SCRATCH_7, 0x200);
	EMIT(&r, 8 | 3u << 28, BIOS_SCRATCH_7, 0, 0x200, 0xffffffff, 0);
	assert_done(&r);
	assert_int_equal(reg_in(d, GPU_HDP_FLUSH_REQ), 0x40);
}

static void cond_exe_skips_unless_the_value_matches(void **state)
{
	struct user u = start_user(*state);

	u.b.u32[8] = 1;
	EMIT(&u.ring, 9, LO(u.b.va + 32), HI(u.b.va), 1, 4);
	EMIT(&u.ring, SDMA_FENCE(u.b.va, 1));
	EMIT(&u.ring, 9, LO(u.b.va + 32), HI(u.b.va), 2, 4);
	EMIT(&u.ring, SDMA_FENCE(u.b.va + 4, 1));
	EMIT(&u.ring, SDMA_FENCE(u.b.va + 8, 1));
	assert_done(&u.ring);
	assert_int_equal(u.b.u32[0], 1);
	assert_int_equal(u.b.u32[1], 0);
	assert_int_equal(u.b.u32[2], 1);
}

#define ATOMIC(op, va, src, cmp) 10 | (op) << 25, LO(va), HI(va), LO(src), HI(src), LO(cmp), HI(cmp), 0

static void atomics_work_on_words_and_double_words(void **state)
{
	struct user u = start_user(*state);

	u.b.u32[0] = 0xffffffff;
	u.b.u64[1] = 10;
	EMIT(&u.ring, ATOMIC(0x0fu, u.b.va, 2ull, 0ull));
	EMIT(&u.ring, ATOMIC(0x2fu, u.b.va + 8, 1ull << 40, 0ull));
	assert_done(&u.ring);
	assert_int_equal(u.b.u32[0], 1);
	assert_int_equal(u.b.u32[1], 0);
	assert_true(u.b.u64[1] == (1ull << 40) + 10);
	EMIT(&u.ring, ATOMIC(0x28u, u.b.va + 8, 5ull, (1ull << 40) + 10));
	EMIT(&u.ring, ATOMIC(0x28u, u.b.va + 8, 6ull, 7ull)); /* fails once, does not wait */
	assert_done(&u.ring);
	assert_int_equal(u.b.u64[1], 5);
}

static void a_compare_and_swap_may_wait_until_it_succeeds(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);

	u.b.u32[0] = 1;
	EMIT(&u.ring, 10 | 0x08u << 25 | 1 << 16, LO(u.b.va), HI(u.b.va), 1, 0, 0, 0, 0);
	kick(&u.ring);
	assert_false(device_run_for(d, 3000000));
	u.b.u32[0] = 0;
	assert_true(device_run(d));
	assert_int_equal(u.b.u32[0], 1);
}

static void an_atomic_faults_before_its_effect(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	struct buffer c = device_alloc_absent(d, VMID, PAGE);

	/* Readable is not enough. */
	device_map(d, VMID, c.va, c.bus | PTE_SYSTEM | PTE_VALID | PTE_READABLE, PAGE);
	EMIT(&u.ring, ATOMIC(0x0fu, c.va, 1ull, 0ull));
	assert_done_after_fault(d, &u.ring, c.va, &c);
	assert_true(ring_empty(&u.ring));
	assert_int_equal(c.u32[0], 1);
}

static void a_timestamp_is_the_gpu_clock(void **state)
{
	struct user u = start_user(*state);
	uint64_t before = device_now() / 10;

	EMIT(&u.ring, 13 | 2 << 8, LO(u.b.va), HI(u.b.va));
	assert_done(&u.ring);
	assert_in_range(u.b.u64[0], before, device_now() / 10);
}

static void nop_skips_its_count(void **state)
{
	struct user u = start_user(*state);

	EMIT(&u.ring, 3 << 16, 0xffffffff, 0xffffffff, 0xffffffff);
	EMIT(&u.ring, 0);
	EMIT(&u.ring, SDMA_FENCE(u.b.va, 1));
	EMIT(&u.ring, 0x3fff << 16); /* more than there is */
	assert_done(&u.ring);
	assert_int_equal(u.b.u32[0], 1);
}

static void a_packet_wraps_around_the_end_of_the_ring(void **state)
{
	struct user u = start_user(*state);

	for (uint32_t i = 0; i < 5 * RING / 7; i++) {
		EMIT(&u.ring, SDMA_COPY(u.b.va + 4 * (i % 64), u.a.va + 4 * i, 4));
		if (i % 100 == 99)
			assert_done(&u.ring);
	}
	assert_done(&u.ring);
	for (uint32_t i = 5 * RING / 7 - 64; i < 5 * RING / 7; i++)
		assert_int_equal(u.b.u32[i % 64], u.a.u32[i]);
	assert_int_equal(*u.ring.rptr.u64, u.ring.tail * 4);
}

static void an_incomplete_packet_waits_for_the_rest(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);

	EMIT(&u.ring, 5, LO(u.b.va));
	assert_true(run(&u.ring));
	assert_int_equal(u.ring.queue->rptr, 0);
	EMIT(&u.ring, HI(u.b.va), 9);
	assert_done(&u.ring);
	assert_int_equal(u.b.u32[0], 9);
}

static void an_unknown_packet_halts_its_ring_and_no_other(void **state)
{
	static const uint32_t bad[] = { 3, 0x7f, 0xff01, 13, 10 | 3u << 25 };
	struct device *d = *state;
	struct ring other;
	struct buffer c;

	start_sdma(d, &other, 0, 3, 9, 256);
	c = device_alloc(d, 9, PAGE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ring r;

		start_sdma(d, &r, 0, 2, VMID, 256);
		EMIT(&r, bad[i], 0, 0, 0, 0, 0, 0, 0, 0);
		EMIT(&other, SDMA_FENCE(c.va, (uint32_t)i + 1));
		kick(&r);
		assert_done(&other);
		assert_int_equal(c.u32[0], i + 1);
		assert_int_equal(r.queue->state, QUEUE_HALTED);
		kick(&r);
		assert_true(device_run(d));
		assert_int_equal(r.queue->rptr, 0);
		stop_sdma(&r, 0, 2);
	}
}

static void a_copy_resumes_at_the_page_where_it_faulted(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	struct buffer c = device_alloc_absent(d, VMID, 4 * PAGE);

	device_map(d, VMID, c.va, c.bus | PTE_GUEST, 2 * PAGE);
	device_map(d, VMID, c.va + 3 * PAGE, (c.bus + 3 * PAGE) | PTE_GUEST, PAGE);
	EMIT(&u.ring, SDMA_COPY(c.va, u.a.va, 4 * PAGE));
	run(&u.ring);
	assert_int_equal(u.ring.queue->progress, 2 * PAGE);
	/* What the CPU does to the part that is done is not undone. */
	c.u32[0] = 1;
	assert_done_after_fault(d, &u.ring, c.va + 2 * PAGE, &c);
	assert_true(ring_empty(&u.ring));
	assert_int_equal(c.u32[0], 1);
	assert_memory_equal(c.u8 + 4, u.a.u8 + 4, 4 * PAGE - 4);
	assert_int_equal(u.ring.queue->stats.bytes, 4 * PAGE);
}

static void both_ends_of_a_copy_may_fault(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	struct buffer src = device_alloc_absent(d, VMID, PAGE);
	struct buffer dst = device_alloc_absent(d, VMID, PAGE);

	src.u32[5] = 55;
	EMIT(&u.ring, SDMA_COPY(dst.va, src.va, PAGE));
	assert_done_after_fault(d, &u.ring, src.va, &src);
	assert_done_after_fault(d, &u.ring, dst.va, &dst);
	assert_true(ring_empty(&u.ring));
	assert_int_equal(dst.u32[5], 55);
}

static void writes_fills_and_ptes_go_on_after_a_fault(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	struct buffer c[3];

	for (int i = 0; i < 3; i++) {
		c[i] = device_alloc_absent(d, VMID, 2 * PAGE);
		device_map(d, VMID, c[i].va, c[i].bus | PTE_GUEST, PAGE);
	}
	EMIT(&u.ring, 2, LO(c[0].va + PAGE - 4), HI(c[0].va), 1, 1, 2);
	assert_done_after_fault(d, &u.ring, c[0].va + PAGE, &c[0]);
	assert_int_equal(c[0].u32[1024], 2);
	EMIT(&u.ring, 11 | 2u << 30, LO(c[1].va), HI(c[1].va), 7, 2 * PAGE - 1);
	assert_done_after_fault(d, &u.ring, c[1].va + PAGE, &c[1]);
	assert_int_equal(c[1].u32[0] + c[1].u32[2047], 14);
	EMIT(&u.ring, 12, LO(c[2].va), HI(c[2].va), 1, 0, 0, 0, 2, 0, 1023);
	assert_done_after_fault(d, &u.ring, c[2].va + PAGE, &c[2]);
	assert_true(ring_empty(&u.ring));
	assert_int_equal(c[2].u64[1023], 2047);
}

static void a_ring_and_a_buffer_may_fault(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	struct buffer ib = device_alloc_absent(d, VMID, PAGE);

	device_unmap(d, VMID, u.ring.memory.va, PAGE);
	EMIT(&u.ring, 4, LO(ib.va), HI(ib.va), 4, 0, 0);
	memcpy(ib.u32, (const uint32_t[]){ SDMA_FENCE(u.b.va, 3) }, 16);
	assert_done_after_fault(d, &u.ring, u.ring.memory.va, &u.ring.memory);
	assert_done_after_fault(d, &u.ring, ib.va, &ib);
	assert_true(ring_empty(&u.ring));
	assert_int_equal(u.b.u32[0], 3);
}

static void an_indirect_buffer_survives_parking(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	struct buffer c = device_alloc_absent(d, VMID, PAGE), ib = device_alloc(d, VMID, PAGE);
	const uint32_t packets[] = { ATOMIC(0x0fu, u.b.va, 1ull, 0ull), SDMA_FENCE(c.va, 5),
				     ATOMIC(0x0fu, u.b.va, 1ull, 0ull) };

	memcpy(ib.u32, packets, sizeof(packets));
	EMIT(&u.ring, 4, LO(ib.va), HI(ib.va), sizeof(packets) / 4, 0, 0);
	assert_done_after_fault(d, &u.ring, c.va, &c);
	assert_true(ring_empty(&u.ring));
	assert_int_equal(u.b.u32[0], 2);
	assert_int_equal(c.u32[0], 5);
}

static void a_kernel_ring_runs_a_buffer_in_the_vmid_it_names(void **state)
{
	struct device *d = *state;
	struct buffer ib = device_alloc(d, VMID, PAGE), b = device_alloc(d, VMID, PAGE);
	struct ring r;

	start_sdma(d, &r, 0, 0, 0, RING);
	memcpy(ib.u32, (const uint32_t[]){ SDMA_FENCE(b.va, 3) }, 16);
	EMIT(&r, 4 | VMID << 16, LO(ib.va), HI(ib.va), 4, 0, 0);
	EMIT(&r, 4 | VMID << 16, LO(ib.va), HI(ib.va), 0, 0, 0); /* empty */
	EMIT(&r, SDMA_FENCE(r.wptr.va + 64, 4)); /* back in VMID 0 */
	assert_done(&r);
	assert_int_equal(b.u32[0], 3);
	assert_int_equal(r.wptr.u32[16], 4);
}

static void users_cannot_reach_the_kernel(void **state)
{
	struct device *d = *state;
	struct buffer outer = device_alloc(d, VMID, PAGE), inner = device_alloc(d, 0, PAGE);
	struct user u = start_user(d);
	struct ring kernel;

	/* Registers: not by SRBM_WRITE, and not by what is meant to flush the HDP. */
	EMIT(&u.ring, 14 | 0xfu << 28, 0x60, 1);
	EMIT(&u.ring, 8 | 1u << 26, GPU_HDP_FLUSH_DONE, 0x180, 1, 0, 0);
	assert_done(&u.ring);
	assert_int_equal(reg_in(d, 0x180), 0);
	/* A user's buffer on a kernel ring cannot call one in VMID 0. */
	memcpy(inner.u32, (const uint32_t[]){ SDMA_FENCE(inner.va + 64, 1) }, 16);
	memcpy(outer.u32, (const uint32_t[]){ 4, LO(inner.va), HI(inner.va), 4, 0, 0 }, 24);
	start_sdma(d, &kernel, 0, 0, 0, RING);
	EMIT(&kernel, 4 | VMID << 16, LO(outer.va), HI(outer.va), 6, 0, 0);
	run(&kernel);
	assert_int_equal(kernel.queue->state, QUEUE_FAULTED); /* there is nothing in VMID 8 */
	assert_int_equal(inner.u32[16], 0);
}

static void a_kernel_ring_writes_registers(void **state)
{
	struct ring r;

	start_sdma(*state, &r, 0, 0, 0, RING);
	EMIT(&r, 14 | 0xfu << 28, 0x60, 0x1234);
	assert_done(&r);
	assert_int_equal(reg_in(*state, 0x180), 0x1234);
}

static void a_buffer_that_calls_itself_ends(void **state)
{
	struct user u = start_user(*state);

	memcpy(u.b.u32, (const uint32_t[]){ 4, LO(u.b.va), HI(u.b.va), 6, 0, 0 }, 24);
	EMIT(&u.ring, 4, LO(u.b.va), HI(u.b.va), 6, 0, 0);
	assert_true(run(&u.ring));
	assert_int_equal(u.ring.queue->state, QUEUE_HALTED);
}

static void a_stopped_parked_ring_keeps_its_place(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	uint32_t reg = SDMA0_BASE + SDMA_RING0 + 2 * SDMA_RING_STRIDE;

	EMIT(&u.ring, SDMA_FENCE(u.b.va, 1));
	EMIT(&u.ring, SDMA_COPY(HOLE_VA, u.a.va, PAGE));
	EMIT(&u.ring, SDMA_FENCE(u.b.va, 2));
	run(&u.ring);
	stop_sdma(&u.ring, 0, 2);
	assert_int_equal(reg_in(d, reg + SDMA_RB_RPTR), 16);
	assert_int_equal(reg_in(d, reg + SDMA_RB_WPTR), u.ring.tail * 4);
	device_map(d, VMID, HOLE_VA, u.b.bus | PTE_GUEST, PAGE);
	reg_out(d, reg + SDMA_RB_CNTL, reg_in(d, reg + SDMA_RB_CNTL) | SDMA_RB_ENABLE);
	assert_true(device_run(d));
	assert_true(ring_empty(&u.ring));
	assert_int_equal(u.b.u32[0], 2);
	assert_memory_equal(u.b.u8 + 4, u.a.u8 + 4, PAGE - 4);
}

static void a_user_ring_without_its_doorbell_does_not_run(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	uint32_t reg = SDMA0_BASE + SDMA_RING0 + 2 * SDMA_RING_STRIDE;

	stop_sdma(&u.ring, 0, 2);
	reg_out(d, reg + SDMA_DOORBELL, 0);
	reg_out(d, reg + SDMA_RB_CNTL, reg_in(d, reg + SDMA_RB_CNTL) | SDMA_RB_ENABLE);
	assert_false(u.ring.queue->active);
	assert_int_equal(reg_in(d, reg + SDMA_CONTEXT_STATUS), SDMA_CONTEXT_IDLE);
}

static void a_halted_engine_stops_its_rings(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);

	reg_out(d, SDMA0_BASE + SDMA_F32_CNTL, SDMA_F32_HALT);
	EMIT(&u.ring, SDMA_FENCE(u.b.va, 1));
	assert_true(run(&u.ring)); /* the doorbell is dropped */
	assert_int_equal(d->gpu->stats.doorbells_dropped, 1);
	reg_out(d, SDMA0_BASE + SDMA_F32_CNTL, 0);
	assert_done(&u.ring);
	assert_int_equal(u.b.u32[0], 1);
}

static void a_parked_user_ring_does_not_hold_up_kernel_rings(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	struct ring kernel;

	EMIT(&u.ring, SDMA_COPY(HOLE_VA, u.a.va, PAGE));
	run(&u.ring);
	start_sdma(d, &kernel, 0, 1, 0, RING);
	EMIT(&kernel, SDMA_FENCE(kernel.wptr.va + 64, 1));
	assert_done(&kernel);
	assert_false(ring_empty(&u.ring));
}

static void an_injected_copy_error_halts_the_ring_and_tells(void **state)
{
	struct device *d = *state;
	struct user u = start_user(d);
	uint32_t dw[8];

	d->gpu->inject.copy_errors = 1;
	EMIT(&u.ring, SDMA_COPY(u.b.va, u.a.va, PAGE));
	assert_true(run(&u.ring));
	assert_int_equal(u.ring.queue->state, QUEUE_HALTED);
	assert_true(device_iv(d, 8, 220, dw));
	assert_int_equal(u.b.u32[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_copy_crosses_pages), T(an_overlapping_copy_moves),
		T(a_large_copy_takes_several_turns), T(a_subwindow_copies_rows_and_slices),
		T(a_large_subwindow_gives_others_a_turn), T(a_write_carries_its_data),
		T(a_fill_repeats_bytes_words_or_dwords), T(ptepde_generates_entries),
		T(a_fence_and_a_trap_tell_the_end), T(a_poll_waits_for_memory),
		T(a_poll_reads_registers_and_flushes_the_hdp),
		T(cond_exe_skips_unless_the_value_matches),
		T(atomics_work_on_words_and_double_words),
		T(a_compare_and_swap_may_wait_until_it_succeeds),
		T(an_atomic_faults_before_its_effect), T(a_timestamp_is_the_gpu_clock),
		T(nop_skips_its_count), T(a_packet_wraps_around_the_end_of_the_ring),
		T(an_incomplete_packet_waits_for_the_rest),
		T(an_unknown_packet_halts_its_ring_and_no_other),
		T(a_copy_resumes_at_the_page_where_it_faulted), T(both_ends_of_a_copy_may_fault),
		T(writes_fills_and_ptes_go_on_after_a_fault), T(a_ring_and_a_buffer_may_fault),
		T(an_indirect_buffer_survives_parking),
		T(a_kernel_ring_runs_a_buffer_in_the_vmid_it_names),
		T(users_cannot_reach_the_kernel), T(a_kernel_ring_writes_registers),
		T(a_buffer_that_calls_itself_ends), T(a_stopped_parked_ring_keeps_its_place),
		T(a_user_ring_without_its_doorbell_does_not_run),
		T(a_halted_engine_stops_its_rings),
		T(a_parked_user_ring_does_not_hold_up_kernel_rings),
		T(an_injected_copy_error_halts_the_ring_and_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
