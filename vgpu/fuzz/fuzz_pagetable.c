// SPDX-License-Identifier: MIT
/*
 * Feeds random page tables and contexts to the page walker, and compares what it says of an address
 * with a second walker that is written straight from the rules. Whatever is cached may differ until
 * it is invalidated, but must never lie outside of memory.
 */
#define _GNU_SOURCE /* memfd_create */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../vgpu.h"

#define VRAM_BYTES  (256u << 10)
#define GUEST_BYTES (64u << 10)
#define GUEST_BUS   0x100000000ULL
#define NUM_TABLES  8u /* the first pages of VRAM; the last one lies in guest memory */

struct input {
	const uint8_t *data;
	size_t left;
};

static struct vgpu *gpu;

int device_clock_gettime(clockid_t id, struct timespec *ts);

int device_clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	*ts = (struct timespec){.tv_sec = 1};
	return 0;
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

static uint64_t get(struct input *in, unsigned int bytes)
{
	uint64_t value = 0;

	if (bytes > in->left)
		bytes = (unsigned int)in->left;
	memcpy(&value, in->data, bytes);
	in->data += bytes;
	in->left -= bytes;
	return value;
}

static void create(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	gpu = calloc(1, sizeof(*gpu));
	require(gpu && fd >= 0 && !ftruncate(fd, GUEST_BYTES));
	require(!vgpu_init(gpu, VRAM_BYTES, 1, 1));
	require(!mem_dma_map(&gpu->mem, GUEST_BUS, GUEST_BYTES, fd, 0, true));
	require(!mem_dma_map(&gpu->mem, GUEST_BUS + GUEST_BYTES, 4096, dup(gpu->mem.vram_fd), 0,
			     false));
	require(!mem_dma_map(&gpu->mem, GUEST_BUS + 2 * GUEST_BYTES, 4096, -1, 0, true));
}

/* ---- the second walker ---- */

enum outcome { MAPPED, RETRY, NORETRY, PRT };

struct result {
	enum outcome outcome;
	uint64_t physical;
	bool system;
};

static uint64_t load(uint64_t address, bool system)
{
	uint64_t value = UINT64_MAX;

	if (!system && address + 8 <= VRAM_BYTES)
		memcpy(&value, gpu->mem.vram + address, 8);
	else if (system && address >= GUEST_BUS && address + 8 <= GUEST_BUS + GUEST_BYTES)
		memcpy(&value, gpu->mem.ranges[0].host + (address - GUEST_BUS), 8);
	else if (system && address >= GUEST_BUS + GUEST_BYTES &&
		 address + 8 <= GUEST_BUS + GUEST_BYTES + 4096)
		memcpy(&value, gpu->mem.vram + (address - GUEST_BUS - GUEST_BYTES), 8);
	return value;
}

static uint64_t context64(const struct hub *hub, uint32_t reg)
{
	return reg_get64(gpu, hub->regs + reg, hub->regs + reg + 4);
}

static struct result leaf(uint64_t entry, uint64_t va, unsigned int shift, unsigned int access)
{
	const uint64_t wanted = (access & GMC_READ ? PTE_READABLE : 0) |
				(access & GMC_WRITE ? PTE_WRITEABLE : 0) |
				(access & GMC_EXEC ? PTE_EXECUTABLE : 0);

	if ((entry & PTE_SYSTEM) && (entry & PTE_PRT) && !(entry & PTE_ADDRESS))
		return (struct result){.outcome = NORETRY};
	if ((entry & wanted) != wanted)
		return (struct result){.outcome = RETRY};
	return (struct result){MAPPED, (entry & PTE_ADDRESS) + va % (1ULL << shift),
			       entry & PTE_SYSTEM};
}

static struct result absent(uint64_t entry, unsigned int level)
{
	if ((entry & PTE_EXECUTABLE) && (entry & PDE_PTE) && (entry & PTE_TF))
		return (struct result){.outcome = NORETRY};
	return (struct result){.outcome = !level && (entry & PTE_PRT) ? PRT : RETRY};
}

static struct result walk_user(const struct hub *hub, uint8_t vmid, uint64_t va,
			       unsigned int access)
{
	uint32_t cntl = reg_get(gpu, hub->regs + VM_CONTEXT_CNTL(vmid));
	uint64_t table = context64(hub, VM_CONTEXT_PT_BASE(vmid));
	struct result result = {.outcome = NORETRY};

	if (!(cntl & VM_CONTEXT_ENABLE) || !(table & PTE_VALID) ||
	    va >> 12 < context64(hub, VM_CONTEXT_PT_START(vmid)) ||
	    va >> 12 > context64(hub, VM_CONTEXT_PT_END(vmid)))
		return result;
	for (int level = (int)VM_CONTEXT_DEPTH(cntl); level >= 0; level--) {
		unsigned int shift = 12 + 9 * (unsigned int)level;
		uint64_t entry =
			load((table & PDE_ADDRESS) + (va >> shift) % 512 * 8, table & PTE_SYSTEM);

		table = entry;
		result = entry & PTE_VALID ? leaf(entry, va, shift, access)
					   : absent(entry, (unsigned int)level);
		if (!(entry & PTE_VALID) || entry & PDE_PTE)
			break;
	}
	if (result.outcome == RETRY && !(cntl & VM_CONTEXT_RETRY))
		result.outcome = NORETRY;
	return result;
}

static struct result walk_kernel(const struct hub *hub, uint64_t va, unsigned int access)
{
	uint64_t start = context64(hub, VM_CONTEXT_PT_START(0)), entry;
	uint64_t base = context64(hub, VM_CONTEXT_PT_BASE(0));
	struct result result = {.outcome = NORETRY};

	if (va >= GMC_VRAM_BASE && va < GMC_VRAM_BASE + VRAM_BYTES)
		return (struct result){MAPPED, va - GMC_VRAM_BASE, false};
	if (!(reg_get(gpu, hub->regs) & VM_CONTEXT_ENABLE) || va >> 12 < start ||
	    va >> 12 > context64(hub, VM_CONTEXT_PT_END(0)))
		return result;
	entry = load((base & PDE_ADDRESS) + ((va >> 12) - start) * 8, base & PTE_SYSTEM);
	if (entry & PTE_VALID)
		result = leaf(entry, va, 12, access);
	if (result.outcome != MAPPED)
		result.outcome = NORETRY;
	return result;
}

/* ---- operations ---- */

static void check_span(const struct span *span)
{
	const struct dma_range *range;

	require(span->bytes);
	if (!span->ptr)
		return;
	if (!span->system) {
		require(span->address < VRAM_BYTES && span->bytes <= VRAM_BYTES - span->address);
		require(span->ptr == gpu->mem.vram + span->address);
		return;
	}
	for (size_t i = 0; i < gpu->mem.num_ranges; i++) {
		range = &gpu->mem.ranges[i];
		if (span->address >= range->iova && span->address - range->iova < range->bytes) {
			require(span->ptr == range->host + (span->address - range->iova));
			require(span->bytes <= range->bytes - (span->address - range->iova));
			return;
		}
	}
	abort();
}

static const enum gmc_status status_of[] = {
	[MAPPED] = GMC_OK,
	[RETRY] = GMC_RETRY,
	[NORETRY] = GMC_NORETRY,
	[PRT] = GMC_PRT,
};

static void translate(struct input *in)
{
	uint8_t flags = (uint8_t)get(in, 1), vmid = flags >> 1 & 0xf;
	struct hub *hub = &gpu->hubs[flags & 1];
	unsigned int access = (unsigned int)get(in, 1) % 7 + 1;
	uint64_t va = flags & 0x20 ? get(in, 8) : (get(in, 4) << (get(in, 1) % 40));
	struct span span;
	struct result expected;
	enum gmc_status status;

	if (flags & 0x40)
		va += GMC_VRAM_BASE;
	/* First as it may be cached, then as it is. */
	if (gmc_translate(gpu, hub, vmid, va, access, &span) == GMC_OK)
		check_span(&span);
	gmc_invalidate(gpu, hub, 1u << vmid);
	status = gmc_translate(gpu, hub, vmid, va, access, &span);
	va &= GMC_VA_MASK;
	expected = vmid ? walk_user(hub, vmid, va, access) : walk_kernel(hub, va, access);
	require(status == status_of[expected.outcome]);
	if (status != GMC_OK)
		return;
	check_span(&span);
	require(span.address == expected.physical && span.system == expected.system);
}

static void set_entry(struct input *in)
{
	uint32_t at = (uint32_t)get(in, 2) % (NUM_TABLES * 512);
	uint8_t kind = (uint8_t)get(in, 1);
	uint64_t value = get(in, 8);
	uint8_t *memory = gpu->mem.vram;

	if (kind & 1) /* another table, or a page */
		value = (value & ~PTE_ADDRESS) | (value >> 12 & 0x3f) << 12;
	if (kind & 2)
		value |= PTE_VALID;
	if (kind & 4)
		value = (value & ~(0xffffULL << 32)) | PTE_SYSTEM | GUEST_BUS;
	if (kind & 8)
		value &= ~PTE_SYSTEM;
	if (at >= (NUM_TABLES - 1) * 512) {
		memory = gpu->mem.ranges[0].host;
		at -= (NUM_TABLES - 1) * 512;
	}
	memcpy(memory + 8 * at, &value, 8);
}

static void set_context(struct input *in)
{
	uint8_t flags = (uint8_t)get(in, 1), vmid = flags >> 1 & 0xf;
	const struct hub *hub = &gpu->hubs[flags & 1];
	uint8_t what = (uint8_t)get(in, 1);
	uint64_t value = get(in, 8);
	uint32_t reg;

	if (what % 4 == 0) {
		reg_write(gpu, hub->regs + VM_CONTEXT_CNTL(vmid), (uint32_t)value);
		return;
	}
	reg = what % 4 == 1   ? VM_CONTEXT_PT_BASE(vmid)
	      : what % 4 == 2 ? VM_CONTEXT_PT_START(vmid)
			      : VM_CONTEXT_PT_END(vmid);
	if (what & 4)
		value &= 0x3f00f;
	reg_write(gpu, hub->regs + reg, (uint32_t)value);
	reg_write(gpu, hub->regs + reg + 4, (uint32_t)(value >> 32));
}

static void setup(void)
{
	vgpu_reset(gpu);
	gpu->stats.errors = 1000; /* silent */
	memset(gpu->mem.vram, 0, NUM_TABLES * 4096);
	memset(gpu->mem.ranges[0].host, 0, 4096);
	for (unsigned int i = 0; i < NUM_HUBS; i++) {
		const struct hub *hub = &gpu->hubs[i];

		for (uint8_t vmid = 0; vmid < GMC_NUM_VMIDS; vmid++) {
			reg_write(gpu, hub->regs + VM_CONTEXT_CNTL(vmid), 0x81u | (vmid & 3u) << 1);
			reg_write(gpu, hub->regs + VM_CONTEXT_PT_BASE(vmid), 1);
			reg_write(gpu, hub->regs + VM_CONTEXT_PT_END(vmid), UINT32_MAX);
			reg_write(gpu, hub->regs + VM_CONTEXT_PT_END(vmid) + 4, 0xf);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t buffer[64];

	if (!gpu)
		create();
	setup();
	while (in.left) {
		switch (get(&in, 1) % 8) {
		case 0 ... 2:
			set_entry(&in);
			break;
		case 3:
			set_context(&in);
			break;
		case 4: /* descriptors at kernel addresses */
			vgpu_read(gpu, get(&in, 8), buffer, sizeof(buffer));
			vgpu_write(gpu, get(&in, 5), buffer, sizeof(buffer));
			break;
		default:
			translate(&in);
			break;
		}
	}
	return 0;
}
