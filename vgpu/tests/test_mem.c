// SPDX-License-Identifier: MIT
/* Physical memory: the table of DMA ranges, and accesses to what is there and what is not. */
#define _GNU_SOURCE /* memfd_create */
#include "device.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define FAR  0x200000000ULL

static int make_fd(uint64_t bytes)
{
	int fd = memfd_create("range", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static struct mem *mem_of(void **state)
{
	return &((struct device *)*state)->gpu->mem;
}

static void ranges_are_found_wherever_they_are_inserted(void **state)
{
	static const unsigned int order[] = {5, 1, 9, 3, 7, 0, 2, 8, 4, 6};
	struct mem *mem = mem_of(state);

	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(
			mem_dma_map(mem, FAR + order[i] * 2 * PAGE, PAGE, make_fd(PAGE), 0, true),
			0);
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t value = i, at = FAR + i * 2 * PAGE + PAGE - 8;

		mem_store(mem, at, true, &value, 8);
		assert_true(mem_load64(mem, at, true) == i);
		assert_int_equal(mem_span(mem, at, true, false).bytes, 8);
		assert_int_equal(mem_span(mem, at + 8, true, false).bytes, 0);
	}
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t iova = FAR + order[9 - i] * 2 * PAGE;

		assert_int_equal(mem_dma_unmap(mem, iova, PAGE), 0);
		assert_int_equal(mem_span(mem, iova, true, false).bytes, 0);
		assert_int_equal(mem_dma_unmap(mem, iova, PAGE), -ENOENT);
	}
}

static void overlapping_and_impossible_ranges_are_refused(void **state)
{
	struct mem *mem = mem_of(state);
	size_t before = mem->num_ranges;

	assert_int_equal(mem_dma_map(mem, GUEST_BUS + PAGE, PAGE, make_fd(PAGE), 0, true), -EEXIST);
	assert_int_equal(mem_dma_map(mem, GUEST_BUS - PAGE, 2 * PAGE, -1, 0, true), -EEXIST);
	assert_int_equal(mem_dma_map(mem, FAR, 0, make_fd(PAGE), 0, true), -EINVAL);
	assert_int_equal(mem_dma_map(mem, UINT64_MAX - PAGE + 1, 2 * PAGE, -1, 0, true), -EINVAL);
	assert_int_equal(mem_dma_map(mem, FAR, 2 * PAGE, make_fd(PAGE), 0, true), -EINVAL);
	assert_int_equal(mem_dma_map(mem, FAR, PAGE, make_fd(PAGE), PAGE, true), -EINVAL);
	assert_int_equal(mem_dma_map(mem, FAR, PAGE, 12345, 0, true), -EBADF);
	assert_int_equal(mem_dma_unmap(mem, GUEST_BUS, PAGE), -ENOENT);
	assert_int_equal(mem->num_ranges, before);
}

static void windows_without_a_descriptor_replace_each_other(void **state)
{
	struct mem *mem = mem_of(state);
	size_t before = mem->num_ranges;

	assert_int_equal(mem_dma_map(mem, FAR, 4 * PAGE, -1, 0, true), 0);
	assert_int_equal(mem_dma_map(mem, FAR + 2 * PAGE, 4 * PAGE, -1, 0, true), 0);
	assert_int_equal(mem->num_ranges, before + 1);
	assert_int_equal(mem_dma_unmap(mem, FAR, 4 * PAGE), -ENOENT);
}

static void where_nothing_answers_ones_are_read(void **state)
{
	struct mem *mem = mem_of(state);
	struct span span = mem_span(mem, FAR, true, false);
	uint64_t value = 0;

	mem_store(mem, FAR, true, &value, 8);
	mem_store(mem, VRAM_BYTES, false, &value, 8);
	mem_read(mem, &span, 0, &value, 8);
	assert_true(value == UINT64_MAX);
	assert_true(mem_load64(mem, FAR, true) == UINT64_MAX);
	assert_true(mem_load64(mem, VRAM_BYTES, false) == UINT64_MAX);
	assert_true(mem_load64(mem, VRAM_BYTES - 4, false) == UINT64_MAX); /* half of it */
	assert_true(mem_load64(mem, UINT64_MAX - 7, true) == UINT64_MAX);
}

static void a_read_only_range_swallows_writes(void **state)
{
	struct mem *mem = mem_of(state);
	uint64_t value = 5;

	assert_int_equal(mem_dma_map(mem, FAR, PAGE, make_fd(PAGE), 0, false), 0);
	mem_store(mem, FAR, true, &value, 8);
	assert_true(mem_load64(mem, FAR, true) == 0);
}

static uint8_t client_memory[2 * PAGE];
static unsigned int client_calls;

static int client_read(void *opaque, uint64_t iova, void *data, uint32_t bytes)
{
	(void)opaque;
	client_calls++;
	if (iova < FAR || iova + bytes > FAR + sizeof(client_memory))
		return -EFAULT;
	memcpy(data, client_memory + (iova - FAR), bytes);
	return 0;
}

static int client_write(void *opaque, uint64_t iova, const void *data, uint32_t bytes)
{
	(void)opaque;
	client_calls++;
	if (iova < FAR || iova + bytes > FAR + sizeof(client_memory))
		return -EFAULT;
	memcpy(client_memory + (iova - FAR), data, bytes);
	return 0;
}

static void what_only_the_client_reaches_goes_through_it(void **state)
{
	struct device *d = *state;
	struct buffer b = device_alloc(d, 8, 2 * PAGE);
	struct mem *mem = mem_of(state);
	struct ring r;

	memset(client_memory, 0x77, sizeof(client_memory));
	assert_int_equal(mem_dma_map(mem, FAR, 3 * PAGE, -1, 0, true), 0);
	device_map(d, 8, HOLE_VA, FAR | PTE_GUEST, 3 * PAGE);
	start_sdma(d, &r, 0, 2, 8, 256);
	EMIT(&r, SDMA_COPY(b.va, HOLE_VA, 64)); /* nobody is there */
	assert_true(run(&r));
	assert_int_equal(b.u8[63], 0xff);
	mem->client_read = client_read;
	mem->client_write = client_write;
	EMIT(&r, SDMA_COPY(b.va, HOLE_VA + 100, PAGE + 1));
	EMIT(&r, SDMA_FENCE(HOLE_VA + 2 * PAGE - 4, 9));
	EMIT(&r, SDMA_COPY(b.va + PAGE + 100, HOLE_VA + 2 * PAGE, 4)); /* the client fails */
	assert_true(run(&r));
	assert_int_equal(b.u8[PAGE], 0x77);
	assert_int_equal(b.u8[PAGE + 100], 0xff);
	assert_int_equal(client_memory[2 * PAGE - 4], 9);
	assert_true(client_calls);
}

/* Guest memory goes away while page tables and caches still name it. */
static void a_range_that_went_away_is_not_touched(void **state)
{
	struct device *d = *state;
	struct mem *mem = mem_of(state);
	struct ring r;

	start_sdma(d, &r, 0, 0, 0, 256);
	assert_int_equal(mem_dma_map(mem, FAR, 2 * PAGE, make_fd(2 * PAGE), 0, true), 0);
	device_map(d, 8, HOLE_VA, FAR | PTE_GUEST, 2 * PAGE);
	struct buffer ib = device_alloc(d, 8, PAGE);

	memcpy(ib.u32, (const uint32_t[]){SDMA_FENCE(HOLE_VA, 1)}, 16);
	for (int i = 0; i < 2; i++) {
		EMIT(&r, 4 | 8 << 16, LO(ib.va), HI(ib.va), 4, 0, 0);
		assert_true(run(&r));
		assert_true(ring_empty(&r));
		if (!i)
			assert_int_equal(mem_dma_unmap(mem, FAR, 2 * PAGE), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ranges_are_found_wherever_they_are_inserted),
		T(overlapping_and_impossible_ranges_are_refused),
		T(windows_without_a_descriptor_replace_each_other),
		T(where_nothing_answers_ones_are_read),
		T(a_read_only_range_swallows_writes),
		T(what_only_the_client_reaches_goes_through_it),
		T(a_range_that_went_away_is_not_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
