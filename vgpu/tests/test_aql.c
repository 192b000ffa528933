// SPDX-License-Identifier: MIT
/* AQL packets: barriers, completion signals, vendor packets, and what is refused. */
#include "device.h"

#include <string.h>

#define VMID	    8
#define PAGE	    GMC_PAGE_BYTES
#define BARRIER_AND 3
#define BARRIER_OR  5

/* An amd_signal_t in a buffer; several fit into a page. */
struct signal {
	uint64_t va;
	uint64_t *words; /* [1] value, [2] mailbox, [3] event id */
};

static struct signal make_signal(const struct buffer *b, unsigned int index, uint64_t value)
{
	struct signal s = {b->va + 64 * index, b->u64 + 8 * index};

	s.words[1] = value;
	return s;
}

static void packet(struct ring *r, uint32_t header, const uint64_t deps[5], uint64_t completion)
{
	static const uint64_t none[5];

	if (!deps)
		deps = none;
	EMIT(r, header, 0, LO(deps[0]), HI(deps[0]), LO(deps[1]), HI(deps[1]), LO(deps[2]),
	     HI(deps[2]), LO(deps[3]), HI(deps[3]), LO(deps[4]), HI(deps[4]), 0, 0, LO(completion),
	     HI(completion));
}

static void pm4_packet(struct ring *r, const struct buffer *ib, uint32_t dwords,
		       uint64_t completion)
{
	EMIT(r, 1 << 16, PM4(0x3f, 3), LO(ib->va), HI(ib->va), dwords, 10, 0, 0, 0, 0, 0, 0, 0, 0,
	     LO(completion), HI(completion));
}

static uint8_t packet_type(const struct ring *r, unsigned int index)
{
	return r->memory.u8[64 * index];
}

static void a_barrier_and_waits_for_all(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc(d, VMID, PAGE);
	struct signal one = make_signal(&b, 0, 1), two = make_signal(&b, 1, 1);
	struct signal done = make_signal(&b, 2, 1);
	const uint64_t deps[5] = {one.va, 0, two.va, 0, 0};
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, true);
	packet(&r, BARRIER_AND, deps, done.va);
	kick(&r);
	assert_false(device_run_for(d, 3000000));
	one.words[1] = 0;
	assert_false(device_run_for(d, 3000000));
	assert_int_equal(done.words[1], 1);
	two.words[1] = 0;
	assert_true(device_run(d));
	assert_int_equal(done.words[1], 0);
	assert_int_equal(packet_type(&r, 0), 1); /* INVALID again */
	assert_int_equal(r.rptr.u64[16], 1);	 /* read_dispatch_id */
}

static void a_barrier_or_waits_for_one(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc(d, VMID, PAGE);
	struct signal one = make_signal(&b, 0, 1), two = make_signal(&b, 1, 1);
	const uint64_t deps[5] = {one.va, two.va, 0, 0, 0};
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, true);
	packet(&r, BARRIER_OR, NULL, 0); /* of nothing: does not wait */
	packet(&r, BARRIER_OR, deps, 0);
	kick(&r);
	assert_false(device_run_for(d, 3000000));
	assert_int_equal(r.queue->rptr, 16);
	two.words[1] = 0;
	assert_true(device_run(d));
	assert_true(ring_empty(&r));
}

static void an_invalid_packet_waits_for_its_producer(void **state)
{
	struct device *d = *state;
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, true);
	packet(&r, 1, NULL, 0);
	kick(&r);
	assert_false(device_run_for(d, 3000000));
	r.memory.u8[0] = BARRIER_AND;
	assert_true(device_run(d));
	assert_true(ring_empty(&r));
}

static void a_completion_tells_the_mailbox_and_interrupts(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc(d, VMID, PAGE);
	struct signal done = make_signal(&b, 0, 3);
	struct ring r;
	uint32_t dw[8];

	done.words[2] = b.va + 512;
	done.words[3] = 0x1234;
	start_hqd(d, &r, 1, 3, 2, VMID, true);
	packet(&r, BARRIER_AND, NULL, done.va);
	assert_true(run(&r));
	assert_int_equal(done.words[1], 2);
	assert_int_equal(b.u64[64], 0x1234);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(dw[0], 0x14 | 181 << 8 | (3 | 1 << 2 | 2 << 4) << 16 | VMID << 24);
	assert_int_equal(dw[4], 0x1234);
}

static void a_completion_faults_before_its_effect(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc_absent(d, VMID, PAGE);
	struct buffer box = device_alloc_absent(d, VMID, PAGE);
	struct signal done = make_signal(&b, 0, 3);
	const struct buffer *absent[] = {&b, &box};
	struct ring r;
	uint64_t page;
	uint32_t cam;

	done.words[2] = box.va;
	done.words[3] = 5;
	start_hqd(d, &r, 1, 0, 0, VMID, true);
	packet(&r, BARRIER_AND, NULL, done.va);
	kick(&r);
	for (int i = 0; i < 2; i++) {
		device_run(d);
		assert_true(device_fault(d, &page, &cam));
		assert_int_equal(page, absent[i]->va);
		assert_int_equal(packet_type(&r, 0), BARRIER_AND);
		assert_int_equal(done.words[1], 3);
		device_map_buffer(d, VMID, absent[i], PAGE);
		device_ack(d, cam);
	}
	assert_true(device_run(d));
	assert_int_equal(done.words[1], 2);
	assert_int_equal(box.u64[0], 5);
}

static void a_vendor_packet_runs_an_indirect_buffer(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc(d, VMID, PAGE), ib = device_alloc(d, VMID, PAGE);
	struct signal done = make_signal(&b, 0, 1);
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, true);
	memcpy(ib.u32, (const uint32_t[]){PM4_WRITE32(b.va + 512, 9), 0xffff1000}, 24);
	pm4_packet(&r, &ib, 6, done.va);
	pm4_packet(&r, &ib, 0, done.va); /* empty */
	assert_true(run(&r));
	assert_true(ring_empty(&r));
	assert_int_equal(b.u32[128], 9);
	assert_true(done.words[1] == UINT64_MAX);
}

/* The buffer is through, its packet is not: a queue that is mapped again must not repeat it. */
static void a_buffer_is_not_run_twice_when_its_packet_is_interrupted(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc(d, VMID, PAGE), ib = device_alloc(d, VMID, PAGE);
	struct buffer s = device_alloc_absent(d, VMID, PAGE);
	struct signal done = make_signal(&s, 0, 1);
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, true);
	memcpy(ib.u32, (const uint32_t[]){PM4(0x1e, 8), 0x0f, LO(b.va), HI(b.va), 1, 0, 0, 0, 0},
	       36);
	pm4_packet(&r, &ib, 9, done.va);
	run(&r);
	assert_int_equal(r.queue->state, QUEUE_FAULTED);
	assert_int_equal(b.u32[0], 1);
	stop_hqd(d, 1, 0, 0);
	device_map_buffer(d, VMID, &s, PAGE);
	cp_map(d->gpu, cp_slot(d->gpu, 1, 0, 1), r.mqd, VMID, r.doorbell, r.wptr.va);
	assert_true(device_run(d));
	assert_int_equal(b.u32[0], 1);
	assert_int_equal(done.words[1], 0);
	/* ... and the next packet's buffer runs. */
	r.queue = &cp_slot(d->gpu, 1, 0, 1)->queue;
	pm4_packet(&r, &ib, 9, 0);
	assert_true(run(&r));
	assert_int_equal(b.u32[0], 2);
}

static void a_barrier_value_packet_compares(void **state)
{
	static const struct {
		uint32_t condition;
		int64_t reference, waits, met;
	} cases[] = {{0, 5, 4, 5}, {1, 5, 5, 4}, {2, -1, 0, -2}, {3, 5, 4, 6}};
	struct device *d = *state;
	struct buffer b = device_alloc(d, VMID, PAGE);
	struct signal s = make_signal(&b, 0, 0);
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, true);
	for (size_t i = 0; i < 4; i++) {
		EMIT(&r, 2 << 16, 0, LO(s.va), HI(s.va), LO(cases[i].reference),
		     HI(cases[i].reference), 0xffffffff, 0xffffffff, cases[i].condition, 0, 0, 0, 0,
		     0, 0, 0);
		s.words[1] = (uint64_t)cases[i].waits;
		kick(&r);
		assert_false(device_run_for(d, 3000000));
		s.words[1] = (uint64_t)cases[i].met;
		assert_true(device_run(d));
		assert_true(ring_empty(&r));
	}
}

static void what_cannot_be_executed_makes_the_queue_inactive(void **state)
{
	static const uint32_t headers[] = {7, 4, 6, 3 << 16, 1 << 16};
	struct device *d = *state;
	struct buffer b = device_alloc(d, VMID, PAGE);
	uint32_t dw[8];

	for (unsigned int i = 0; i < 5; i++) {
		struct signal inactive = make_signal(&b, i, 0);
		struct ring r;

		start_hqd(d, &r, 1, 0, i, VMID, true);
		/* amd_queue_t: read_dispatch_id at 0x80, queue_inactive_signal at 0xc0. */
		r.rptr.u64[0xc0 / 8] = inactive.va;
		inactive.words[2] = b.va + 1024;
		inactive.words[3] = 7 + i;
		packet(&r, headers[i], NULL, 0);
		assert_true(run(&r));
		assert_int_equal(r.queue->state, QUEUE_HALTED);
		assert_int_equal(r.queue->rptr, 0);
		assert_int_equal(inactive.words[1], 0x20);
		assert_int_equal(b.u64[128], 7 + i);
		assert_true(device_iv(d, 0x14, 181, dw));
		assert_int_equal(dw[4], 7 + i);
	}
}

static void a_ring_of_packets_wraps(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc(d, VMID, PAGE);
	struct signal done = make_signal(&b, 0, 1000);
	struct ring r;

	start_hqd(d, &r, 1, 0, 0, VMID, true);
	for (unsigned int i = 0; i < 1000; i++) {
		packet(&r, BARRIER_AND, NULL, done.va);
		if (i % 50 == 49)
			assert_true(run(&r));
	}
	assert_true(ring_empty(&r));
	assert_int_equal(done.words[1], 0);
	assert_int_equal(r.rptr.u64[16], 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_barrier_and_waits_for_all),
		T(a_barrier_or_waits_for_one),
		T(an_invalid_packet_waits_for_its_producer),
		T(a_completion_tells_the_mailbox_and_interrupts),
		T(a_completion_faults_before_its_effect),
		T(a_vendor_packet_runs_an_indirect_buffer),
		T(a_buffer_is_not_run_twice_when_its_packet_is_interrupted),
		T(a_barrier_value_packet_compares),
		T(what_cannot_be_executed_makes_the_queue_inactive),
		T(a_ring_of_packets_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
