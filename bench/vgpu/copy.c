// SPDX-License-Identifier: MIT
/*
 * How fast the virtual GPU's SDMA engine copies against memcpy(), in one process: the model without
 * QEMU. A kernel ring copies between VRAM and guest memory that the GART maps page by page.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vgpu.h"

#define GUEST_BUS    0x100000000ULL
#define GUEST_BYTES  (64ULL << 20)
#define GUEST_PAGES  (GUEST_BYTES / GMC_PAGE_BYTES)
#define GART_TABLE   (255ULL << 20) /* in VRAM */
#define RING_VRAM    (254ULL << 20)
#define DATA_VRAM    (64ULL << 20)
#define RING_DWORDS  4096u
#define RING_DOORBELL 0x800u
#define ROUNDS	     41

static struct vgpu *dev;
static uint64_t tail; /* dwords */

static uint32_t *vram(uint64_t offset)
{
	return (uint32_t *)(void *)(dev->mem.vram + offset);
}

static uint8_t *guest_memory(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	uint8_t *guest;

	if (fd < 0 || ftruncate(fd, (off_t)GUEST_BYTES) < 0)
		exit(1);
	guest = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (guest == MAP_FAILED || mem_dma_map(&dev->mem, GUEST_BUS, GUEST_BYTES, fd, 0, true))
		exit(1);
	return guest;
}

static void program_gart(void)
{
	uint64_t *table = (uint64_t *)(void *)vram(GART_TABLE);

	for (uint64_t i = 0; i < GUEST_PAGES; i++)
		table[i] = (GUEST_BUS + i * GMC_PAGE_BYTES) | PTE_VALID | PTE_SYSTEM | PTE_READABLE |
			   PTE_WRITEABLE;
	reg_write(dev, MMVM_CONTEXT0_CNTL + VM_CONTEXT_PT_BASE(0), (uint32_t)GART_TABLE | PTE_VALID);
	reg_write(dev, MMVM_CONTEXT0_CNTL + VM_CONTEXT_PT_END(0), (uint32_t)GUEST_PAGES - 1);
	reg_write(dev, MMVM_CONTEXT0_CNTL, VM_CONTEXT_ENABLE);
}

static void start_ring(void)
{
	uint32_t ring = SDMA0_BASE + SDMA_RING0;
	uint64_t base = GMC_VRAM_BASE + RING_VRAM;

	reg_write(dev, ring + SDMA_RB_BASE, (uint32_t)(base >> 8));
	reg_write(dev, ring + SDMA_RB_BASE_HI, (uint32_t)(base >> 40));
	reg_write(dev, ring + SDMA_DOORBELL, SDMA_DOORBELL_ENABLE);
	reg_write(dev, ring + SDMA_DOORBELL_OFFSET, RING_DOORBELL);
	reg_write(dev, ring + SDMA_RB_CNTL, SDMA_RB_ENABLE | 12 << 1);
}

/* Nanoseconds until a copy of one packet is done. */
static uint64_t sdma_copy(uint64_t dst, uint64_t src, uint32_t bytes)
{
	const uint32_t packet[] = { 1, bytes - 1, 0, (uint32_t)src, (uint32_t)(src >> 32),
				    (uint32_t)dst, (uint32_t)(dst >> 32) };
	uint64_t begin = now_ns();

	for (unsigned int i = 0; i < 7; i++)
		vram(RING_VRAM)[tail++ % RING_DWORDS] = packet[i];
	sched_doorbell(dev, RING_DOORBELL, tail * 4, 8);
	while (dev->sdma[0].rings[0].queue.rptr != tail)
		vgpu_run(dev);
	return now_ns() - begin;
}

static uint64_t cpu_copy(void *dst, const void *src, uint32_t bytes)
{
	uint64_t begin = now_ns();

	memcpy(dst, src, bytes);
	__asm__ volatile("" ::"r"(dst) : "memory");
	return now_ns() - begin;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static int measure(uint8_t *guest, uint32_t bytes)
{
	uint64_t sdma[ROUNDS], cpu[ROUNDS], sdma_ns, cpu_ns;

	/* In turns, so that whatever disturbs the machine disturbs both. */
	for (unsigned int i = 0; i < ROUNDS; i++) {
		sdma[i] = sdma_copy(GMC_VRAM_BASE + DATA_VRAM, 0, bytes);
		cpu[i] = cpu_copy(vram(2 * DATA_VRAM), guest + GUEST_BYTES / 2, bytes);
	}
	if (memcmp(vram(DATA_VRAM), guest, bytes))
		return 1;
	sdma_ns = median(sdma);
	cpu_ns = median(cpu);
	printf("bytes=%u sdma_median_ns=%llu memcpy_median_ns=%llu speed_ratio=%.2f\n", bytes,
	       (unsigned long long)sdma_ns, (unsigned long long)cpu_ns,
	       (double)cpu_ns / (double)sdma_ns);
	return cpu_ns * 2 < sdma_ns;
}

int main(void)
{
	uint8_t *guest;
	int slow = 0;

	dev = calloc(1, sizeof(*dev));
	if (!dev || vgpu_init(dev, VGPU_MIN_VRAM, 1))
		return 1;
	guest = guest_memory();
	for (uint64_t i = 0; i < GUEST_BYTES; i++)
		guest[i] = (uint8_t)(i * 7 + (i >> 12));
	program_gart();
	start_ring();
	for (uint32_t bytes = 2u << 20; bytes <= 4u << 20; bytes *= 2)
		slow |= measure(guest, bytes);
	if (slow)
		fputs("copy: less than half of memcpy's speed, or wrong data\n", stderr);
	vgpu_fini(dev);
	free(dev);
	return slow;
}
