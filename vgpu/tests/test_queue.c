// SPDX-License-Identifier: MIT
/* Queues whatever their packets are: pointers, doorbells, turns, the link, and statistics. */
#include "device.h"

#include <string.h>

#define VMID 8
#define PAGE GMC_PAGE_BYTES
#define MIB  (1u << 20)

static void a_doorbell_of_nobody_is_dropped(void **state)
{
	struct device *d = *state;

	doorbell64(d, 0x7ff8, 1);
	doorbell32(d, 0x7ff8, 1);
	assert_int_equal(d->gpu->stats.doorbells, 2);
	assert_int_equal(d->gpu->stats.doorbells_dropped, 2);
}

static void misaligned_accesses_are_refused(void **state)
{
	struct device *d = *state;
	uint64_t value = 0;

	assert_int_not_equal(vgpu_region_write(d->gpu, 2, 4, &value, 8), 0);
	assert_int_not_equal(vgpu_region_write(d->gpu, 2, 0, &value, 2), 0);
	assert_int_not_equal(vgpu_region_write(d->gpu, 5, 2, &value, 4), 0);
	assert_int_not_equal(vgpu_region_read(d->gpu, 5, 0, &value, 3), 0);
	assert_int_not_equal(vgpu_region_read(d->gpu, 0, VRAM_BYTES - 4, &value, 8), 0);
	assert_int_not_equal(vgpu_region_write(d->gpu, 0, UINT64_MAX, &value, 8), 0);
}

static void sdma_doorbell_0_does_not_take_the_kiqs(void **state)
{
	struct device *d = *state;
	struct ring kiq, r;

	start_sdma(d, &r, 0, 0, 0, 256);
	reg_out(d, SDMA0_BASE + SDMA_RING0 + SDMA_DOORBELL_OFFSET, 0);
	start_kiq(d, &kiq);
	EMIT(&kiq, PM4(0x79, 2), 0x40, 1);
	assert_true(run(&kiq));
	assert_true(ring_empty(&kiq));
}

static void pointers_count_on_beyond_32_bits(void **state)
{
	struct device *d = *state;
	uint32_t reg = SDMA0_BASE + SDMA_RING0 + 2 * SDMA_RING_STRIDE;
	struct ring r;

	start_sdma(d, &r, 0, 2, VMID, 256);
	reg_out(d, reg + SDMA_RB_RPTR, 0xfffffff0);
	reg_out(d, reg + SDMA_RB_RPTR_HI, 3);
	r.tail = 0x3fffffff0 / 4;
	assert_int_equal(r.tail * 4, 0x3fffffff0);
	for (uint32_t i = 1; i < 4; i++)
		EMIT(&r, SDMA_FENCE(r.wptr.va + 64, i));
	reg_out(d, reg + SDMA_RB_WPTR, 0xfffffff0);
	reg_out(d, reg + SDMA_RB_WPTR_HI, 3);
	assert_true(run(&r));
	assert_true(ring_empty(&r));
	assert_int_equal(r.wptr.u32[16], 3);
	assert_int_equal(reg_in(d, reg + SDMA_RB_RPTR), 0x20);
	assert_int_equal(reg_in(d, reg + SDMA_RB_RPTR_HI), 4);
	assert_true(*r.rptr.u64 == 0x400000020);
}

static void every_ring_size_can_be_configured(void **state)
{
	struct device *d = *state;

	for (uint32_t size = 0; size < 64; size++) {
		struct ring r;

		start_sdma(d, &r, 0, 0, 0, 256);
		reg_out(d, SDMA0_BASE + SDMA_RING0, SDMA_RB_ENABLE | (size & 31) << 1);
		doorbell64(d, r.doorbell, UINT64_MAX);
		device_run_for(d, 200000);
		stop_sdma(&r, 0, 0);
		start_hqd(d, &r, 1, 0, 0, VMID, size & 1);
		stop_hqd(d, 1, 0, 0);
		select_hqd(d, 1, 0, 0);
		reg_out(d, CP_HQD_PQ_CONTROL, size);
		reg_out(d, CP_HQD_ACTIVE, 1);
		assert_true(r.queue->ring_dwords);
		doorbell64(d, r.doorbell, UINT64_MAX);
		device_run_for(d, 200000);
		stop_hqd(d, 1, 0, 0);
	}
}

static void all_queues_get_turns(void **state)
{
	static struct ring rings[SDMA_ENGINES * 8 + 8];
	struct device *d = *state;
	const unsigned int count = sizeof(rings) / sizeof(rings[0]);
	struct buffer b = device_alloc(d, VMID, 256 * PAGE);

	for (unsigned int i = 0; i < count; i++) {
		if (i < 16)
			start_sdma(d, &rings[i], i & 1, 2 + i / 2, VMID, 4096);
		else
			start_hqd(d, &rings[i], 1, 0, i - 16, VMID, false);
		for (uint32_t k = 0; k < 50; k++) {
			if (i < 16)
				EMIT(&rings[i], SDMA_COPY(b.va, b.va + MIB / 2, MIB / 2));
			else
				EMIT(&rings[i], PM4_WRITE32(b.va, k));
		}
		kick(&rings[i]);
	}
	device_run_for(d, 100000);
	for (unsigned int i = 0; i < count; i++)
		assert_true(rings[i].queue->stats.packets + rings[i].queue->progress);
	assert_true(device_run(d));
	for (unsigned int i = 0; i < count; i++)
		assert_true(ring_empty(&rings[i]));
}

static void jitter_delays_and_loses_nothing(void **state)
{
	struct device *d = *state;
	struct ring r;

	d->gpu->sched.jitter_ns = 300000;
	start_sdma(d, &r, 0, 2, VMID, 4096);
	for (uint32_t k = 0; k < 500; k++) {
		EMIT(&r, SDMA_FENCE(r.wptr.va + 64, k));
		if (k % 10 == 9)
			assert_true(run(&r));
	}
	assert_true(ring_empty(&r));
	assert_int_equal(r.wptr.u32[16], 499);
}

static void a_hang_stops_everything_until_it_ends(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_sdma(d, &r, 0, 2, VMID, 256);
	d->gpu->inject.hang = 1;
	EMIT(&r, SDMA_FENCE(r.wptr.va + 64, 1));
	assert_true(run(&r));
	assert_int_equal(r.wptr.u32[16], 0);
	d->gpu->inject.hang = 0;
	assert_true(device_run(d));
	assert_int_equal(r.wptr.u32[16], 1);
}

static void statistics_count_packets_bytes_faults_and_stalls(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc_absent(d, VMID, PAGE);
	struct ring r;
	uint64_t page;
	uint32_t cam;

	start_sdma(d, &r, 0, 2, VMID, 256);
	EMIT(&r, SDMA_COPY(b.va, r.wptr.va, 100));
	EMIT(&r, SDMA_FENCE(b.va + 200, 1));
	assert_true(run(&r));
	device_skip(5000000);
	assert_true(device_fault(d, &page, &cam));
	device_map_buffer(d, VMID, &b, PAGE);
	device_ack(d, cam);
	assert_true(device_run(d));
	assert_int_equal(r.queue->stats.packets, 2);
	assert_int_equal(r.queue->stats.bytes, 100);
	assert_int_equal(r.queue->stats.faults, 1);
	assert_in_range(r.queue->stats.stalled_ns, 5000000, 5100000);
}

/* ---- the link ---- */

/* A kernel ring that copies bytes from guest memory to VRAM or back, with a fence at the end. */
static uint64_t timed_copy(struct device *d, unsigned int mib, bool back, bool impatient)
{
	uint64_t *gart = (uint64_t *)(void *)(d->gpu->mem.vram + d->roots[0]), begin;
	struct ring r;

	for (uint64_t i = 0; i < 256; i++)
		gart[i] = (GUEST_BUS + GUEST_BYTES / 2 + i * PAGE) | PTE_GUEST;
	start_sdma(d, &r, 0, 0, 0, 4096);
	for (unsigned int i = 0; i < mib; i++) {
		if (back)
			EMIT(&r, SDMA_COPY(GART_VA, GMC_VRAM_BASE, MIB));
		else
			EMIT(&r, SDMA_COPY(GMC_VRAM_BASE, GART_VA, MIB));
	}
	EMIT(&r, SDMA_FENCE(r.wptr.va + 64, 1));
	begin = device_now();
	kick(&r);
	while (r.wptr.u32[16] != 1) {
		device_run_for(d, 100000);
		if (impatient)
			kick(&r);
	}
	stop_sdma(&r, 0, 0);
	return device_now() - begin;
}

static void assert_mib_per_s(uint64_t ns, unsigned int mib, uint64_t mib_per_s)
{
	uint64_t expected = mib * 1000000000ULL / mib_per_s;

	/* The bucket holds half a millisecond. */
	assert_in_range(ns, expected - expected / 50 - 600000, expected + expected / 50 + 300000);
}

static void a_limited_link_paces_both_directions(void **state)
{
	struct device *d = *state;

	d->gpu->link.bytes_per_s = 1000ULL * MIB;
	assert_mib_per_s(timed_copy(d, 64, false, false), 64, 1000);
	device_skip(1000000000); /* no saving up for later */
	assert_mib_per_s(timed_copy(d, 64, true, false), 64, 1000);
	assert_int_equal(d->gpu->link.bytes[LINK_TO_GPU], 64u * MIB);
	assert_int_equal(d->gpu->link.bytes[LINK_FROM_GPU], 64u * MIB);
	d->gpu->link.bytes_per_s = 100ULL * MIB;
	assert_mib_per_s(timed_copy(d, 8, false, false), 8, 100);
}

static void doorbells_do_not_make_the_link_faster(void **state)
{
	struct device *d = *state;

	d->gpu->link.bytes_per_s = 1000ULL * MIB;
	assert_mib_per_s(timed_copy(d, 64, false, true), 64, 1000);
}

static void two_queues_share_the_link(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc(d, VMID, MIB), v;
	struct ring r[2];
	uint64_t begin;

	v = device_alloc(d, 0, MIB);
	device_map(d, VMID, HOLE_VA, v.bus | PTE_RW, MIB);
	for (unsigned int i = 0; i < 2; i++) {
		start_sdma(d, &r[i], i, 2, VMID, 256);
		for (int k = 0; k < 16; k++)
			EMIT(&r[i], SDMA_COPY(HOLE_VA, b.va, MIB));
	}
	d->gpu->link.bytes_per_s = 1000ULL * MIB;
	begin = device_now();
	kick(&r[0]);
	kick(&r[1]);
	assert_true(device_run(d));
	assert_true(ring_empty(&r[0]) && ring_empty(&r[1]));
	assert_mib_per_s(device_now() - begin, 32, 1000);
}

static void vram_copies_do_not_use_the_link(void **state)
{
	struct device *d = *state;
	uint64_t begin;
	struct ring r;

	d->gpu->link.bytes_per_s = 1;
	start_sdma(d, &r, 0, 0, 0, 256);
	EMIT(&r, SDMA_COPY(GMC_VRAM_BASE + 4 * MIB, GMC_VRAM_BASE, MIB));
	begin = device_now();
	assert_true(run(&r));
	assert_true(device_now() - begin < 10000000);
	assert_true(ring_empty(&r));
}

static void latency_and_delays_hold_what_comes_after(void **state)
{
	struct device *d = *state;

	d->gpu->link.latency_ns = 700000;
	assert_in_range(timed_copy(d, 1, false, false), 700000, 900000);
	assert_in_range(timed_copy(d, 4, false, true), 4 * 700000, 4 * 800000);
	d->gpu->link.latency_ns = 0;
	d->gpu->inject.copy_delay_ns = 2000000;
	assert_in_range(timed_copy(d, 3, false, true), 6000000, 6600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_doorbell_of_nobody_is_dropped),
		T(misaligned_accesses_are_refused),
		T(sdma_doorbell_0_does_not_take_the_kiqs),
		T(pointers_count_on_beyond_32_bits),
		T(every_ring_size_can_be_configured),
		T(all_queues_get_turns),
		T(jitter_delays_and_loses_nothing),
		T(a_hang_stops_everything_until_it_ends),
		T(statistics_count_packets_bytes_faults_and_stalls),
		T(a_limited_link_paces_both_directions),
		T(doorbells_do_not_make_the_link_faster),
		T(two_queues_share_the_link),
		T(vram_copies_do_not_use_the_link),
		T(latency_and_delays_hold_what_comes_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
