// SPDX-License-Identifier: MIT
/* The hardware scheduler: run lists as KFD writes them, and queues that take turns. */
#include "device.h"

#include <string.h>

#define MAX_QUEUES 100
#define ALL_SLOTS  0x00ffffffffffffffULL /* not the last pipe: the HIQ and the KIQ live there */
#define LIST_BYTES (64u << 10)

/* A run list in the making, and the queues on it. */
struct list {
	struct device *d;
	struct ring hiq;
	struct buffer memory;
	uint32_t dwords;
	struct ring queues[MAX_QUEUES];
	unsigned int count;
	unsigned int processes;
};

static struct list list;

static void list_start(struct device *d, uint32_t vmid_mask, uint64_t slots)
{
	struct ring kiq;

	memset(&list, 0, sizeof(list));
	list.d = d;
	start_kiq(d, &kiq);
	make_user_queue(d, &list.hiq, 0, 0, false, HIQ_DOORBELL);
	list.hiq.queue = &cp_slot(d->gpu, 2, 3, 7)->queue;
	/* kgd_gfx_v9_hiq_mqd_load(): engine 1, me 2, pipe 3, queue 7. */
	EMIT(&kiq, PM4(0xa2, 6), 1 << 26 | 1 << 18 | 3 << 16 | 7 << 13, HIQ_DOORBELL,
	     LO(list.hiq.mqd), HI(list.hiq.mqd), LO(list.hiq.wptr.va), HI(list.hiq.wptr.va));
	assert_true(run(&kiq));
	assert_true(list.hiq.queue->active);
	EMIT(&list.hiq, PM4(0xa0, 7), 1u << 29 | vmid_mask, LO(slots), HI(slots), 0, 0, 0, 0);
	list.memory = device_alloc(d, 0, LIST_BYTES);
}

static void list_emit(const uint32_t *dwords, unsigned int count)
{
	memcpy(list.memory.u32 + list.dwords, dwords, 4 * count);
	list.dwords += count;
}

/* Each process has the page tables that device_bind() made for table_vmid. */
static void add_process(uint8_t table_vmid)
{
	uint64_t root = list.d->roots[table_vmid] | PTE_VALID;
	uint32_t p[16] = {PM4(0xa1, 15), 0x8000u + table_vmid, LO(root), HI(root)};

	list_emit(p, 16);
	list.processes++;
}

static struct ring *add_queue(uint8_t table_vmid, unsigned int engine, bool aql)
{
	struct ring *r = &list.queues[list.count];
	uint32_t doorbell = 0x8000 + 8 * list.count++;

	make_user_queue(list.d, r, table_vmid, engine, aql, doorbell);
	list_emit((const uint32_t[]){PM4(0xa2, 6), 1 << 4 | engine << 26, doorbell, LO(r->mqd),
				     HI(r->mqd), LO(r->wptr.va), HI(r->wptr.va)},
		  7);
	return r;
}

static void list_run(void)
{
	EMIT(&list.hiq, PM4(0xa5, 3), LO(list.memory.va), HI(list.memory.va),
	     list.dwords | 1 << 23 | list.processes << 24);
	kick(&list.hiq);
	/* Not until idle: time slices go on for ever. */
	device_run_for(list.d, 2000000);
	assert_true(ring_empty(&list.hiq));
}

static void list_unmap(uint32_t select, uint32_t value)
{
	EMIT(&list.hiq, PM4(0xa3, 5), select << 4 | 1u << 29, value, 0, 0, 0);
	kick(&list.hiq);
	device_run_for(list.d, 2000000);
	assert_true(ring_empty(&list.hiq));
}

/* Work for a queue: a value at an offset of its wptr page. */
static void give_work(struct ring *r, uint32_t value)
{
	uint64_t va = r->wptr.va + 64;

	if (r->kind == QUEUE_SDMA)
		EMIT(r, SDMA_FENCE(va, value));
	else
		EMIT(r, PM4_WRITE32(va, value));
	kick(r);
}

static unsigned int with_value(uint32_t value)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < list.count; i++)
		count += list.queues[i].wptr.u32[16] == value;
	return count;
}

static unsigned int mapped(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < list.d->gpu->sched.num_queues; i++)
		count += list.d->gpu->sched.queues[i]->doorbell >= 0x8000;
	return count;
}

static void a_run_list_that_fits_is_mapped_at_once(void **state)
{
	struct device *d = *state;

	list_start(d, 0xff00, ALL_SLOTS);
	for (uint8_t p = 8; p < 10; p++) {
		add_process(p);
		for (unsigned int engine = 0; engine < 4; engine++) {
			if (engine != 1)
				add_queue(p, engine, false);
		}
	}
	list_run();
	assert_int_equal(mapped(), 6);
	assert_int_equal(d->gpu->stats.time_slices, 0);
	for (unsigned int i = 0; i < list.count; i++)
		give_work(&list.queues[i], 7);
	assert_true(device_run(d));
	assert_int_equal(with_value(7), 6);
	assert_int_equal(gmc_pasid(d->gpu, &d->gpu->hubs[HUB_MM], 9), 0x8009);
}

static void work_that_was_queued_before_the_mapping_is_found(void **state)
{
	list_start(*state, 0xff00, ALL_SLOTS);
	add_process(8);
	for (unsigned int i = 0; i < 4; i++)
		give_work(add_queue(8, i & 2, false), 5);
	list_run();
	assert_int_equal(with_value(5), 4);
}

static void run_turns(uint32_t value, unsigned int slices)
{
	for (unsigned int i = 0; i < list.count; i++)
		give_work(&list.queues[i], value);
	for (unsigned int i = 0; i < slices && with_value(value) < list.count; i++)
		device_run_for(list.d, 10000000);
	assert_int_equal(with_value(value), list.count);
}

static void more_processes_than_vmids_take_turns(void **state)
{
	struct device *d = *state;

	list_start(d, 0x0300, ALL_SLOTS); /* two of them, and ten processes */
	for (unsigned int p = 0; p < 10; p++) {
		add_process((uint8_t)(8 + p % 2));
		add_queue((uint8_t)(8 + p % 2), 0, false);
		add_queue((uint8_t)(8 + p % 2), 2, false);
	}
	list_run();
	assert_in_range(mapped(), 1, 4);
	run_turns(1, 20);
	run_turns(2, 20);
	assert_true(d->gpu->stats.time_slices > 5);
}

static void more_queues_than_slots_take_turns(void **state)
{
	list_start(*state, 0xff00, 0x7); /* three of them, and eight SDMA rings each */
	add_process(8);
	for (unsigned int i = 0; i < 60; i++)
		add_queue(8, i % 3 ? 1 + i % 3 : 0, false);
	list_run();
	assert_in_range(mapped(), 1, 19);
	run_turns(1, 60);
	run_turns(2, 60);
}

static void a_parked_queue_goes_on_in_its_next_turn(void **state)
{
	struct device *d = *state;
	struct ring *r;

	list_start(d, 0x0100, 0x1);
	add_process(8);
	r = add_queue(8, 0, false);
	add_queue(8, 0, false);
	list_run();
	EMIT(r, PM4_WRITE32(HOLE_VA, 1));
	give_work(r, 3);
	give_work(&list.queues[1], 3);
	for (int i = 0; i < 100 && with_value(3) < 2; i++) {
		uint64_t page;
		uint32_t cam;

		device_run_for(d, 5000000);
		if (i > 5) /* it has been unmapped while it waited */
			device_map(d, 8, HOLE_VA, (GUEST_BUS + GUEST_BYTES / 2) | PTE_GUEST, 4096);
		while (device_fault(d, &page, &cam))
			device_ack(d, cam);
	}
	assert_int_equal(with_value(3), 2);
}

static void unmapping_saves_what_the_next_run_list_continues(void **state)
{
	struct device *d = *state;

	list_start(d, 0xff00, ALL_SLOTS);
	add_process(8);
	add_queue(8, 0, false);
	add_queue(8, 2, false);
	list_run();
	for (uint32_t round = 1; round < 5; round++) {
		give_work(&list.queues[0], round);
		give_work(&list.queues[1], round);
		device_run_for(d, 1000000);
		assert_int_equal(with_value(round), 2);
		list_unmap(3, 0);
		assert_int_equal(mapped(), 0);
		/* While it is away, a doorbell is lost but the pointer in memory is not. */
		give_work(&list.queues[0], 100 + round);
		give_work(&list.queues[1], 100 + round);
		device_run_for(d, 1000000);
		assert_int_equal(with_value(round), 2);
		list_run();
		assert_int_equal(with_value(100 + round), 2);
	}
}

/* What the buffer did before the queue was taken away must not be done again. */
static void an_interrupted_buffer_goes_on_after_the_next_run_list(void **state)
{
	struct device *d = *state;
	struct buffer counter, ib;
	struct ring *r;
	uint32_t dwords;

	list_start(d, 0xff00, ALL_SLOTS);
	add_process(8);
	r = add_queue(8, 2, false);
	counter = device_alloc(d, 8, 4096);
	ib = device_alloc(d, 8, 4096);
	const uint32_t packets[] = { 10 | 0x2fu << 25, LO(counter.va), HI(counter.va), 1, 0, 0, 0, 0,
				     SDMA_WRITE32(HOLE_VA, 1) };
	dwords = sizeof(packets) / 4;
	memcpy(ib.host, packets, sizeof(packets));
	list_run();
	EMIT(r, 4, LO(ib.va), HI(ib.va), dwords, 0, 0);
	kick(r);
	device_run_for(d, 1000000);
	assert_int_equal(counter.u64[0], 1);
	list_unmap(3, 0);
	device_map(d, 8, HOLE_VA, (GUEST_BUS + GUEST_BYTES / 2) | PTE_GUEST, 4096);
	list_run();
	device_run_for(d, 1000000);
	give_work(r, 7); /* the packets behind the buffer come next */
	device_run_for(d, 1000000);
	assert_int_equal(with_value(7), 1);
	assert_int_equal(counter.u64[0], 1);
}

static void a_query_is_answered_after_the_unmapping(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc(d, 0, 4096);

	list_start(d, 0xff00, ALL_SLOTS);
	add_process(8);
	give_work(add_queue(8, 0, false), 1);
	list_run();
	EMIT(&list.hiq, PM4(0xa4, 6), 2u << 30, 0, LO(b.va), HI(b.va), 0x64, 1);
	list_unmap(3, 0);
	assert_true(b.u64[0] == 0x100000064);
	assert_int_equal(mapped(), 0);
}

static void one_process_can_be_unmapped(void **state)
{
	struct device *d = *state;

	list_start(d, 0xff00, ALL_SLOTS);
	for (uint8_t p = 8; p < 10; p++) {
		add_process(p);
		add_queue(p, 0, false);
		add_queue(p, 3, false);
	}
	list_run();
	list_unmap(1, 0x8008);
	assert_int_equal(mapped(), 2);
	for (unsigned int i = 0; i < 4; i++)
		give_work(&list.queues[i], 1);
	assert_true(device_run(d));
	assert_int_equal(with_value(1), 2);
	assert_int_equal(list.queues[0].wptr.u32[16], 0);
}

static void one_queue_can_be_unmapped_by_its_doorbell(void **state)
{
	list_start(*state, 0xff00, ALL_SLOTS);
	add_process(8);
	add_queue(8, 0, false);
	add_queue(8, 2, false);
	add_queue(8, 0, false);
	list_run();
	list_unmap(0, list.queues[1].doorbell);
	assert_int_equal(mapped(), 2);
	list_unmap(0, list.queues[0].doorbell);
	assert_int_equal(mapped(), 1);
	assert_true(list.hiq.queue->active);
}

static void a_list_that_goes_back_to_its_beginning_ends(void **state)
{
	list_start(*state, 0x0100, 0x1);
	add_process(8);
	add_queue(8, 0, false);
	add_queue(8, 0, false);
	list_emit((const uint32_t[]){PM4(0xa5, 3), LO(list.memory.va), HI(list.memory.va),
				     30 | 1 << 20 | 1 << 23},
		  4);
	list_run();
	assert_int_equal(list.d->gpu->hws.num_queues, 2);
	run_turns(1, 10);
}

static void nonsense_in_a_list_is_left_out(void **state)
{
	struct device *d = *state;

	list_start(d, 0xff00, ALL_SLOTS);
	/* A queue before any process, a process of a wrong length, an unknown engine. */
	list_emit((const uint32_t[]){PM4(0xa2, 6), 0, 0x9000, 0, 0, 0, 0}, 7);
	list_emit((const uint32_t[]){PM4(0xa1, 3), 0, 0, 0}, 4);
	add_process(8);
	list_emit((const uint32_t[]){PM4(0xa2, 6), 7 << 26, 0x9008, 0, 0, 0, 0}, 7);
	give_work(add_queue(8, 0, false), 4);
	list_emit((const uint32_t[]){0xffffffff, 0xffffffff}, 2); /* the rest is not read */
	add_queue(8, 0, false);
	list_run();
	assert_int_equal(mapped(), 1);
	assert_int_equal(list.queues[0].wptr.u32[16], 4);
	assert_int_equal(d->gpu->stats.errors, 3);
}

static void a_long_list_of_nothing_is_read_in_a_moment(void **state)
{
	struct device *d = *state;

	list_start(d, 0xff00, ALL_SLOTS);
	EMIT(&list.hiq, PM4(0xa5, 3), 0, 0x10, 0xfffff | 1 << 23); /* not there */
	EMIT(&list.hiq, PM4(0xa5, 3), LO(GMC_VRAM_BASE), HI(GMC_VRAM_BASE), 0xfffff | 1 << 23);
	EMIT(&list.hiq, PM4(0xa5, 3), 0, 0, 0); /* not valid */
	for (uint32_t i = 0; i < 0x100000; i += 16)
		*(uint32_t *)(void *)(d->gpu->mem.vram + 4 * i) = PM4(0xa1, 15);
	kick(&list.hiq);
	device_run_for(d, 1000000000);
	assert_true(ring_empty(&list.hiq));
	assert_int_equal(d->gpu->hws.num_queues, 0);
	list_unmap(2, 0);
	assert_int_equal(d->gpu->hws.num_processes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_run_list_that_fits_is_mapped_at_once),
		T(work_that_was_queued_before_the_mapping_is_found),
		T(more_processes_than_vmids_take_turns),
		T(more_queues_than_slots_take_turns),
		T(a_parked_queue_goes_on_in_its_next_turn),
		T(unmapping_saves_what_the_next_run_list_continues),
		T(an_interrupted_buffer_goes_on_after_the_next_run_list),
		T(a_query_is_answered_after_the_unmapping),
		T(one_process_can_be_unmapped),
		T(one_queue_can_be_unmapped_by_its_doorbell),
		T(a_list_that_goes_back_to_its_beginning_ends),
		T(nonsense_in_a_list_is_left_out),
		T(a_long_list_of_nothing_is_read_in_a_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
