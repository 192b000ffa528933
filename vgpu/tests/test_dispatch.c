// SPDX-License-Identifier: MIT
/*
 * Kernel dispatch packets: what waves start with, faults, errors, and queues that are stopped with
 * waves in them. Code is assembled with llvm-mc -triple=amdgcn -mcpu=gfx906.
 */
#include "device.h"

#include <string.h>

#define VMID	   8
#define PAGE	   GMC_PAGE_BYTES
#define DISPATCH   2u
#define SCOPES	   (2u << 9 | 2u << 11)
#define CODE_AT	   256u /* behind the descriptor */
#define FAR	   (64u * PAGE) /* from the descriptor: nothing is there */
#define KERNARG_AT 2048u
#define S_NOP	   0xbf800000u
#define S_ENDPGM   0xbf810000u

/* A queue, a kernel, and the memory of both. */
struct bench {
	struct device *d;
	struct ring ring;
	struct buffer image, sync;
	uint64_t *done; /* value of the completion signal */
	uint64_t *inactive; /* ... of the queue's inactive signal */
};

static void image_init(struct bench *b, const uint32_t *code, unsigned int dwords)
{
	uint32_t *descriptor = b->image.u32;

	memset(b->image.host, 0, PAGE);
	descriptor[4] = CODE_AT; /* kernel_code_entry_byte_offset */
	descriptor[12] = 0x00ac0040; /* rsrc1: 4 VGPRs, 16 SGPRs */
	descriptor[13] = 0x00000084; /* rsrc2: 2 user SGPRs, group id x */
	descriptor[14] = 8; /* kernel arguments */
	memcpy(b->image.u8 + CODE_AT, code, 4 * dwords);
}

static void bench_open(struct bench *b, struct device *d, const uint32_t *code, unsigned int dwords)
{
	b->d = d;
	start_hqd(d, &b->ring, 1, 0, 0, VMID, true);
	b->image = device_alloc_absent(d, VMID, PAGE);
	device_map(d, VMID, b->image.va, b->image.bus | PTE_GUEST | PTE_EXECUTABLE, PAGE);
	b->sync = device_alloc(d, VMID, PAGE);
	b->done = &b->sync.u64[1];
	b->inactive = &b->sync.u64[9];
	b->ring.rptr.u64[0xc0 / 8] = b->sync.va + 64;
	image_init(b, code, dwords);
}

static void emit_dispatch(struct bench *b, uint32_t grid_size, uint32_t group_size)
{
	uint64_t kernarg = b->image.va + KERNARG_AT;

	*b->done = 1;
	EMIT(&b->ring, DISPATCH | SCOPES | 1 << 16, group_size | 1u << 16, 1, grid_size, 1, 1, 0, 0,
	     LO(b->image.va), HI(b->image.va), LO(kernarg), HI(kernarg), 0, 0, LO(b->sync.va),
	     HI(b->sync.va));
}

static const uint32_t empty_kernel[] = {S_NOP, S_ENDPGM};

static void a_dispatch_completes(void **state)
{
	struct bench b;

	bench_open(&b, *state, empty_kernel, 2);
	emit_dispatch(&b, 1000, 256);
	assert_true(run(&b.ring));
	assert_int_equal(*b.done, 0);
	assert_int_equal(b.ring.memory.u8[0], 1); /* INVALID again */
	assert_int_equal(b.d->gpu->shader->stats.groups, 4);
	assert_int_equal(b.d->gpu->shader->stats.waves, 16);
	assert_int_equal(b.d->gpu->shader->stats.instructions, 32);
	assert_int_equal(b.d->gpu->shader->occupancy.waves, 0);
}

static void packets_run_in_order(void **state)
{
	struct bench b;

	bench_open(&b, *state, empty_kernel, 2);
	for (unsigned int i = 0; i < 50; i++)
		emit_dispatch(&b, 64, 64);
	*b.done = 50;
	assert_true(run(&b.ring));
	assert_int_equal(*b.done, 0);
	assert_int_equal(b.d->gpu->shader->stats.dispatches, 50);
}

static void times_are_told_if_they_are_asked_for(void **state)
{
	struct bench b;

	bench_open(&b, *state, empty_kernel, 2);
	emit_dispatch(&b, 64, 64);
	assert_true(run(&b.ring));
	assert_int_equal(b.sync.u64[4], 0);
	b.ring.rptr.u32[0xb4 / 4] = 1u << 3; /* AMD_QUEUE_PROPERTIES_ENABLE_PROFILING */
	emit_dispatch(&b, 64, 64);
	assert_true(run(&b.ring));
	assert_true(b.sync.u64[4] > 0);
	assert_true(b.sync.u64[5] >= b.sync.u64[4]);
}

static void a_dispatch_that_cannot_run_is_told(void **state)
{
	static const struct {
		unsigned int dword;
		uint32_t value;
		uint64_t error;
	} cases[] = {
		{0, DISPATCH, 0x2}, /* no dimensions */
		{1, 0, 0x2},
		{3, 0, 0x2},
		{1, 1025 | 1u << 16, 0x40},
		{7, 65537, 0x4},
		{8, 0, 0x8}, /* no kernel, with the next one */
	};
	struct device *d = *state;

	for (unsigned int i = 0; i < 6; i++) {
		struct bench b;

		bench_open(&b, d, empty_kernel, 2);
		emit_dispatch(&b, 64, 64);
		b.ring.memory.u32[cases[i].dword] = cases[i].value;
		if (cases[i].dword == 8)
			b.ring.memory.u32[9] = 0;
		assert_true(run(&b.ring));
		assert_int_equal(*b.inactive, cases[i].error);
		assert_int_equal(b.ring.queue->state, QUEUE_HALTED);
		assert_int_equal(*b.done, 1);
		stop_hqd(d, 1, 0, 0);
	}
}

static void too_many_registers_are_told(void **state)
{
	struct bench b;

	bench_open(&b, *state, empty_kernel, 2);
	b.image.u32[12] |= 0x3f; /* 256 VGPRs: a SIMD holds one such wave */
	emit_dispatch(&b, 1024, 1024);
	assert_true(run(&b.ring));
	assert_int_equal(*b.inactive, 0x80);
}

static void missing_scratch_is_asked_for(void **state)
{
	struct bench b;

	bench_open(&b, *state, empty_kernel, 2);
	b.image.u32[13] |= 1; /* SCRATCH_EN */
	emit_dispatch(&b, 64, 64);
	b.ring.memory.u32[6] = 100; /* bytes of a lane */
	kick(&b.ring);
	assert_false(device_run_for(b.d, 3000000));
	assert_int_equal(*b.inactive, 1);
	/* 64 lanes of 100 bytes are 7 KiB; room for 32 waves. */
	b.ring.rptr.u32[0x8c / 4] = 32 | 7u << 12;
	assert_false(device_run_for(b.d, 3000000));
	*b.inactive = 0;
	assert_true(device_run(b.d));
	assert_int_equal(*b.done, 0);
}

static void an_illegal_instruction_stops_the_queue(void **state)
{
	static const uint32_t code[] = {S_NOP, 0xffffffff, S_ENDPGM};
	struct bench b;

	bench_open(&b, *state, code, 3);
	emit_dispatch(&b, 100000, 256);
	assert_true(run(&b.ring));
	assert_int_equal(*b.inactive, 0x40000000);
	assert_int_equal(b.ring.queue->state, QUEUE_HALTED);
	assert_int_equal(b.d->gpu->shader->occupancy.waves, 0);
	stop_hqd(b.d, 1, 0, 0);
}

static void waves_wait_for_a_page_of_code(void **state)
{
	struct device *d = *state;
	struct bench b;
	uint64_t page;
	uint32_t cam;

	bench_open(&b, d, empty_kernel, 2);
	/* The descriptor is present, the code's own page is not. */
	b.image.u32[4] = FAR;
	emit_dispatch(&b, 640000, 64);
	kick(&b.ring);
	while (d->gpu->shader->stats.parked != OCCUPANCY_WAVES)
		assert_true(device_run(d));
	/* All that fit are there, and one interrupt for all. */
	assert_true(device_fault(d, &page, &cam));
	assert_int_equal(page, b.image.va + FAR);
	assert_false(device_fault(d, &page, &cam));
	assert_int_equal(d->gpu->shader->occupancy.waves, OCCUPANCY_WAVES);
	device_map(d, VMID, b.image.va + FAR, b.image.bus | PTE_GUEST | PTE_EXECUTABLE, PAGE);
	image_init(&b, empty_kernel, 2);
	b.image.u32[0] = S_ENDPGM;
	device_ack(d, cam);
	assert_true(device_run(d));
	assert_int_equal(*b.done, 0);
	assert_int_equal(d->gpu->shader->stats.waves, 10000);
	assert_int_equal(d->gpu->shader->stats.parked, 0);
}

static void a_refused_page_halts_the_wave(void **state)
{
	struct device *d = *state;
	uint32_t dw[8];
	struct bench b;

	bench_open(&b, d, empty_kernel, 2);
	b.image.u32[4] = FAR;
	*device_entry(d, VMID, b.image.va + FAR, 0) = PTE_NORETRY;
	emit_dispatch(&b, 64, 64);
	kick(&b.ring);
	assert_true(device_run(d));
	assert_int_equal(*b.done, 1);
	assert_int_equal(d->gpu->shader->stats.violations, 1);
	assert_true(device_iv(d, 0x1b, 0, dw));
	assert_false(dw[5] & 0x80);
	/* Evicted and destroyed as the driver does it. */
	select_hqd(d, 1, 0, 0);
	reg_out(d, CP_HQD_DEQUEUE_REQUEST, 2);
	assert_int_equal(reg_in(d, CP_HQD_ACTIVE), 0);
	select_hqd(d, 0, 0, 0);
	assert_int_equal(d->gpu->shader->occupancy.waves, 0);
}

static void a_drained_queue_goes_on_with_the_next_group(void **state)
{
	struct device *d = *state;
	struct bench b;
	uint64_t page;
	uint32_t cam;

	bench_open(&b, d, empty_kernel, 2);
	b.image.u32[4] = FAR;
	emit_dispatch(&b, 640000, 64);
	kick(&b.ring);
	while (d->gpu->shader->stats.parked != OCCUPANCY_WAVES)
		assert_true(device_run(d));
	select_hqd(d, 1, 0, 0);
	reg_out(d, CP_HQD_DEQUEUE_REQUEST, 1);
	assert_int_equal(reg_in(d, CP_HQD_ACTIVE), 1); /* not yet */
	assert_true(device_fault(d, &page, &cam));
	device_map(d, VMID, page, b.image.bus | PTE_GUEST | PTE_EXECUTABLE, PAGE);
	b.image.u32[0] = S_ENDPGM;
	device_ack(d, cam);
	device_run(d);
	assert_int_equal(reg_in(d, CP_HQD_ACTIVE), 0);
	assert_int_equal(d->gpu->shader->stats.waves, OCCUPANCY_WAVES);
	assert_int_equal(*b.done, 1);
	b.image.u32[0] = 0;
	restart_hqd(&b.ring, 1, 0, 0);
	b.image.u32[4] = CODE_AT;
	assert_true(device_run(d));
	assert_int_equal(*b.done, 0);
	assert_int_equal(d->gpu->shader->stats.waves, 10000);
}

static void a_reset_takes_waves_away(void **state)
{
	struct device *d = *state;
	struct bench b;

	bench_open(&b, d, empty_kernel, 2);
	b.image.u32[4] = FAR;
	emit_dispatch(&b, 640000, 64);
	kick(&b.ring);
	assert_true(device_run(d));
	vgpu_reset(d->gpu);
	assert_int_equal(d->gpu->shader->occupancy.waves, 0);
	assert_int_equal(d->gpu->shader->stats.parked, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_dispatch_completes),
		T(packets_run_in_order),
		T(times_are_told_if_they_are_asked_for),
		T(a_dispatch_that_cannot_run_is_told),
		T(too_many_registers_are_told),
		T(missing_scratch_is_asked_for),
		T(an_illegal_instruction_stops_the_queue),
		T(waves_wait_for_a_page_of_code),
		T(a_refused_page_halts_the_wave),
		T(a_drained_queue_goes_on_with_the_next_group),
		T(a_reset_takes_waves_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
