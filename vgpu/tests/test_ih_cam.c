// SPDX-License-Identifier: MIT
/* Interrupt vectors and their ring; retry faults, who waits for them, and their answers. */
#include "device.h"

#define VMID 8
#define PAGE GMC_PAGE_BYTES

static void raise_trap(struct device *d, uint32_t data)
{
	const struct iv iv = {.client = 8, .src = 224, .vmid = VMID, .data = {data}};

	ih_raise(d->gpu, &iv);
}

/* ---- the ring ---- */

static void a_vector_is_encoded_as_the_driver_decodes_it(void **state)
{
	struct device *d = *state;
	const struct iv iv = {.client = 0x1b,
			      .src = 0x42,
			      .ring = 0x17,
			      .vmid = 9,
			      .vmid_src = 1,
			      .pasid = 0xabcd,
			      .data = {1, 2, 3, 4}};
	uint64_t clock = device_now() / 10, stamp;
	uint32_t dw[8];

	ih_raise(d->gpu, &iv);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(dw[0], 0x1b | 0x42 << 8 | 0x17 << 16 | 9 << 24 | 1u << 31);
	stamp = dw[1] | (uint64_t)dw[2] << 32;
	assert_true(stamp >= clock && stamp <= device_now() / 10);
	assert_int_equal(dw[3], 0xabcd);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(dw[4 + i], i + 1);
	assert_int_equal(reg_in(d, IH_RB_WPTR), 32);
	assert_int_equal(device_msis(d), 1);
}

static void the_ring_wraps(void **state)
{
	struct device *d = *state;
	uint32_t dw[8];

	device_ih(d, 5); /* four vectors, of which three may be there */
	for (uint32_t i = 0; i < 50; i++) {
		raise_trap(d, i);
		assert_int_equal(reg_in(d, IH_RB_WPTR), (i + 1) * 32 % 128);
		assert_true(device_iv_raw(d, dw, true));
		assert_int_equal(dw[4], i);
	}
	assert_false(device_iv_raw(d, dw, true));
}

static void a_full_ring_loses_nothing(void **state)
{
	struct device *d = *state;
	uint32_t dw[8], next = 0;

	device_ih(d, 5);
	for (uint32_t i = 0; i < 20; i++)
		raise_trap(d, i);
	while (device_iv_raw(d, dw, true))
		assert_int_equal(dw[4], next++);
	assert_int_equal(next, 20);
}

/* Many queues with many interrupts at once, and a driver that does not come for them. */
static void producers_stall_while_the_ring_is_full(void **state)
{
	static struct ring rings[16];
	struct device *d = *state;
	unsigned int seen[16] = {0}, traps = 100;
	uint32_t dw[8];

	device_ih(d, 6);
	for (unsigned int i = 0; i < 16; i++) {
		start_sdma(d, &rings[i], i & 1, 2 + i / 2, VMID, 512);
		for (uint32_t k = 0; k < traps; k++)
			EMIT(&rings[i], 6, i << 16 | k);
		kick(&rings[i]);
	}
	assert_false(device_run(d));
	for (int i = 0; i < 10000 && device_iv_raw(d, dw, true); i++) {
		assert_int_equal(dw[4] & 0xffff, seen[dw[4] >> 16]++);
		device_run_for(d, 200000);
	}
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(seen[i], traps);
	assert_int_equal(d->gpu->stats.ivs_dropped, 0);
}

static void many_compute_queues_lose_no_interrupt_either(void **state)
{
	static struct ring rings[CP_SLOTS];
	struct device *d = *state;
	unsigned int count = 0;
	uint32_t dw[8];

	device_ih(d, 6);
	for (unsigned int i = 0; i < 48; i++) {
		start_hqd(d, &rings[i], 1 + i / 32, i / 8 % 4, i % 8, VMID, false);
		for (uint32_t k = 0; k < 40; k++)
			EMIT(&rings[i], PM4(0x49, 7), 0, 1 << 24, 0, 0, 0, 0, k);
		kick(&rings[i]);
	}
	for (int i = 0; i < 20000 && count < 48 * 40; i++) {
		device_run_for(d, 200000);
		while (device_iv_raw(d, dw, true))
			count++;
	}
	assert_int_equal(count, 48 * 40);
	assert_int_equal(d->gpu->stats.ivs_dropped, 0);
}

static void what_is_unread_at_the_doorbell_is_announced_again(void **state)
{
	struct device *d = *state;
	uint32_t dw[8];

	raise_trap(d, 1);
	raise_trap(d, 2);
	assert_int_equal(device_msis(d), 2);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(device_msis(d), 1);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(device_msis(d), 0);
}

static void without_an_enabled_ring_vectors_wait(void **state)
{
	struct device *d = *state;
	uint32_t dw[8], cntl = reg_in(d, IH_RB_CNTL);

	reg_out(d, IH_RB_CNTL, cntl & ~IH_RB_CNTL_ENABLE);
	raise_trap(d, 1);
	assert_false(device_iv_raw(d, dw, true));
	reg_out(d, IH_RB_CNTL, cntl & ~IH_RB_CNTL_ENABLE_INTR);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(device_msis(d), 0);
}

static void a_lost_msi_leaves_the_vector_for_the_next_one(void **state)
{
	struct device *d = *state;
	uint32_t dw[8];

	d->gpu->inject.lost_interrupts = 1;
	raise_trap(d, 1);
	assert_int_equal(device_msis(d), 0);
	raise_trap(d, 2);
	assert_int_equal(device_msis(d), 1);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(dw[4], 1);
}

static void a_delayed_msi_comes_when_it_is_due(void **state)
{
	struct device *d = *state;
	uint64_t begin;

	d->gpu->inject.interrupt_delay_ns = 1000000;
	begin = device_now();
	raise_trap(d, 1);
	raise_trap(d, 2); /* the same MSI */
	assert_int_equal(device_msis(d), 0);
	assert_true(device_run(d));
	assert_int_equal(device_msis(d), 1);
	assert_true(device_now() - begin >= 1000000 && device_now() - begin < 1100000);
}

static void noise_comes_before_the_real_vector(void **state)
{
	struct device *d = *state;
	uint32_t dw[8];

	d->gpu->inject.ih_noise = 3;
	raise_trap(d, 1);
	for (int i = 0; i < 3; i++) {
		assert_true(device_iv_raw(d, dw, true));
		assert_int_equal(dw[0] & 0xffff, 0xff1f);
	}
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(dw[4], 1);
}

static void nonsense_ring_sizes_do_no_harm(void **state)
{
	struct device *d = *state;

	for (uint32_t size = 0; size < 32; size++) {
		reg_out(d, IH_RB_CNTL, IH_RB_CNTL_ENABLE | size << 1);
		reg_out(d, IH_RB_WPTR, 0xffffffff);
		reg_out(d, IH_RB_RPTR, 0xffffffff);
		raise_trap(d, size);
	}
}

/* ---- the retry CAM ---- */

/* A user ring that writes value to va. */
static void start_writer(struct device *d, struct ring *r, unsigned int engine, unsigned int index,
			 uint8_t vmid, uint64_t va)
{
	start_sdma(d, r, engine, index, vmid, 256);
	EMIT(r, SDMA_FENCE(va, 42));
	assert_true(run(r));
}

static void a_fault_tells_page_vmid_pasid_and_access(void **state)
{
	struct device *d = *state;
	struct ring r;
	uint32_t dw[8];

	start_writer(d, &r, 0, 2, VMID, HOLE_VA + 0x3010);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(dw[0], 0x12 | VMID << 24 | 1u << 31);
	assert_int_equal(dw[3], 0x8000 + VMID);
	assert_int_equal(dw[4], (HOLE_VA + 0x3000) >> 12 & 0xffffffff);
	assert_int_equal(dw[5], 0x80 | 0x20 | HOLE_VA >> 44);
	assert_int_equal(dw[6], 0);
	assert_int_equal(d->gpu->stats.retry_faults, 1);
	assert_int_equal(r.queue->state, QUEUE_FAULTED);
}

static void an_acknowledge_makes_the_queue_walk_again(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc_absent(d, VMID, PAGE);
	struct ring r;
	uint64_t page;
	uint32_t cam;

	start_writer(d, &r, 0, 2, VMID, b.va);
	assert_true(device_fault(d, &page, &cam));
	assert_int_equal(page, b.va);
	device_map_buffer(d, VMID, &b, PAGE);
	device_ack(d, cam);
	assert_true(device_run(d));
	assert_true(ring_empty(&r));
	assert_int_equal(b.u32[0], 42);
	assert_int_equal(d->gpu->cam.used, 0);
}

static void a_valid_page_without_an_acknowledge_is_not_enough(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc_absent(d, VMID, PAGE);
	struct ring r;
	uint64_t page;
	uint32_t cam;

	start_writer(d, &r, 0, 2, VMID, b.va);
	device_map_buffer(d, VMID, &b, PAGE);
	device_invalidate(d, HUB_MM, VMID);
	kick(&r); /* a doorbell does not wake it either */
	device_skip(1000000000);
	assert_true(device_run(d));
	assert_false(ring_empty(&r));
	assert_true(device_fault(d, &page, &cam));
	device_ack(d, cam);
	assert_true(device_run(d));
	assert_true(ring_empty(&r));
}

static void an_acknowledge_that_does_not_help_leads_to_another_fault_later(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc_absent(d, VMID, PAGE);
	struct ring r;
	uint64_t page, begin, last = 0;
	uint32_t cam;

	start_writer(d, &r, 0, 2, VMID, b.va);
	for (int i = 0; i < 8; i++) {
		assert_true(device_fault(d, &page, &cam));
		begin = device_now();
		device_ack(d, cam);
		assert_true(device_run(d));
		assert_true(device_now() - begin >= last && device_now() - begin >= 100000);
		assert_true(device_now() - begin < 21000000);
		last = (device_now() - begin) / 2;
	}
	assert_true(device_fault(d, &page, &cam));
	/* The page table update lands after the acknowledge: the pause is enough. */
	device_ack(d, cam);
	vgpu_run(d->gpu);
	device_map_buffer(d, VMID, &b, PAGE);
	assert_true(device_run(d));
	assert_true(ring_empty(&r));
	assert_false(device_fault(d, &page, &cam));
}

static void one_page_has_one_fault_for_all_that_wait(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc_absent(d, VMID, 2 * PAGE);
	struct ring r[4];
	uint64_t page;
	uint32_t cam;

	for (unsigned int i = 0; i < 4; i++)
		start_writer(d, &r[i], i & 1, 2 + i, VMID, b.va + 64 * i);
	assert_int_equal(d->gpu->stats.retry_faults, 1);
	device_map_buffer(d, VMID, &b, PAGE);
	assert_true(device_fault(d, &page, &cam));
	device_ack(d, cam);
	assert_true(device_run(d));
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(b.u32[16 * i], 42);
	assert_false(device_fault(d, &page, &cam));
}

static void hub_vmid_pasid_and_page_tell_faults_apart(void **state)
{
	struct device *d = *state;
	struct ring r[4];

	start_writer(d, &r[0], 0, 2, 8, HOLE_VA);
	start_writer(d, &r[1], 0, 3, 8, HOLE_VA + PAGE);
	start_writer(d, &r[2], 0, 4, 9, HOLE_VA);
	start_hqd(d, &r[3], 1, 0, 0, 8, false); /* the other hub */
	EMIT(&r[3], PM4_WRITE32(HOLE_VA, 1));
	assert_true(run(&r[3]));
	assert_int_equal(d->gpu->stats.retry_faults, 4);
	reg_out(d, IH_VMID_0_LUT_MM + 4 * 8, 0x9999);
	start_writer(d, &r[0], 1, 2, 8, HOLE_VA);
	assert_int_equal(d->gpu->stats.retry_faults, 5);
	assert_int_equal(d->gpu->cam.used, 5);
}

static void spurious_acknowledges_are_counted_only(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_writer(d, &r, 0, 2, VMID, HOLE_VA);
	device_ack(d, 1);
	device_ack(d, 255);
	device_ack(d, 256);
	device_ack(d, 0xffffffff);
	assert_true(device_run(d));
	assert_int_equal(d->gpu->stats.cam_acks_spurious, 4);
	assert_int_equal(d->gpu->stats.retry_faults, 1);
	assert_int_equal(r.queue->state, QUEUE_FAULTED);
}

/* Keeps answering until nothing asks any more. */
static void serve(struct device *d, struct ring *r, unsigned int count, uint64_t limit)
{
	unsigned int left = count;

	for (unsigned int round = 0; left && round < 4 * count; round++) {
		uint64_t page;
		uint32_t cam;

		assert_true(d->gpu->cam.used <= limit);
		while (device_fault(d, &page, &cam)) {
			*device_entry(d, VMID, page, 0) = (GUEST_BUS + GUEST_BYTES / 2) | PTE_GUEST;
			device_ack(d, cam);
		}
		device_run(d);
		left = 0;
		for (unsigned int i = 0; i < count; i++)
			left += !ring_empty(&r[i]);
	}
	assert_int_equal(left, 0);
	assert_int_equal(d->gpu->cam.used, 0);
}

static void who_finds_the_cam_full_gets_a_turn_later(void **state)
{
	struct device *d = *state;
	struct ring r[16];

	d->gpu->inject.cam_entries = 2;
	for (unsigned int i = 0; i < 16; i++)
		start_writer(d, &r[i], i & 1, 2 + i / 2, VMID, HOLE_VA + i * PAGE);
	assert_int_equal(d->gpu->cam.used, 2);
	assert_true(d->gpu->stats.cam_full >= 14);
	serve(d, r, 16, 2);
}

static void a_waiter_for_a_full_cam_can_be_stopped(void **state)
{
	struct device *d = *state;
	struct ring r[3];

	d->gpu->inject.cam_entries = 1;
	for (unsigned int i = 0; i < 3; i++)
		start_writer(d, &r[i], 0, 2 + i, VMID, HOLE_VA + i * PAGE);
	stop_sdma(&r[2], 0, 4);
	serve(d, r, 2, 1);
	assert_true(device_run(d));
}

static void a_stopped_waiter_leaves_the_entry_to_the_driver(void **state)
{
	struct device *d = *state;
	struct ring r;
	uint64_t page;
	uint32_t cam;

	start_writer(d, &r, 0, 2, VMID, HOLE_VA);
	stop_sdma(&r, 0, 2);
	assert_int_equal(d->gpu->cam.used, 1);
	assert_true(device_fault(d, &page, &cam));
	device_ack(d, cam);
	assert_int_equal(d->gpu->cam.used, 0);
	assert_int_equal(d->gpu->stats.cam_acks_spurious, 0);
}

static void a_reset_forgets_waiters(void **state)
{
	struct device *d = *state;
	struct ring r[2];

	d->gpu->inject.cam_entries = 1;
	start_writer(d, &r[0], 0, 2, VMID, HOLE_VA);
	start_writer(d, &r[1], 0, 3, VMID, HOLE_VA + PAGE);
	vgpu_reset(d->gpu);
	assert_int_equal(d->gpu->cam.used, 0);
	assert_null(d->gpu->cam.full);
	assert_int_equal(d->gpu->sched.num_queues, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_vector_is_encoded_as_the_driver_decodes_it),
		T(the_ring_wraps),
		T(a_full_ring_loses_nothing),
		T(producers_stall_while_the_ring_is_full),
		T(many_compute_queues_lose_no_interrupt_either),
		T(what_is_unread_at_the_doorbell_is_announced_again),
		T(without_an_enabled_ring_vectors_wait),
		T(a_lost_msi_leaves_the_vector_for_the_next_one),
		T(a_delayed_msi_comes_when_it_is_due),
		T(noise_comes_before_the_real_vector),
		T(nonsense_ring_sizes_do_no_harm),
		T(a_fault_tells_page_vmid_pasid_and_access),
		T(an_acknowledge_makes_the_queue_walk_again),
		T(a_valid_page_without_an_acknowledge_is_not_enough),
		T(an_acknowledge_that_does_not_help_leads_to_another_fault_later),
		T(one_page_has_one_fault_for_all_that_wait),
		T(hub_vmid_pasid_and_page_tell_faults_apart),
		T(spurious_acknowledges_are_counted_only),
		T(who_finds_the_cam_full_gets_a_turn_later),
		T(a_waiter_for_a_full_cam_can_be_stopped),
		T(a_stopped_waiter_leaves_the_entry_to_the_driver),
		T(a_reset_forgets_waiters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
