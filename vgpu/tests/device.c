// SPDX-License-Identifier: MIT
#define _GNU_SOURCE /* memfd_create */
#include "device.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <linux/vfio.h>

#define BAR0		   VFIO_PCI_BAR0_REGION_INDEX
#define BAR2		   VFIO_PCI_BAR2_REGION_INDEX
#define BAR5		   VFIO_PCI_BAR5_REGION_INDEX

#define CLOCK_TICK_NS	   50u	       /* what a look at the clock takes */
#define VRAM_FIRST	   (16u << 20) /* below: the tests' own */
#define SHADER_THREADS	   2
#define WAVES_MS	   60000
#define WAVES_LOOK_MS	   5
#define MAX_ROUNDS	   1000000u
#define MQD_BYTES	   2048u
#define PAGE_AND_STACK	   (GMC_PAGE_BYTES + HQD_STACK_BYTES) /* an MQD and what is behind it */
#define MQD_HEADER	   0xc0310800u
#define HQD_RING_DWORDS	   4096u
#define USER_DOORBELLS	   0x4000u
#define PQ_CONTROL(dwords) (0x50000u << 8 | ((uint32_t)__builtin_ctz(dwords) - 1))

/* ---- the clock: vgpu.c is built with clock_gettime under this name ---- */

static uint64_t clock_ns = 1000000000;

int device_clock_gettime(clockid_t id, struct timespec *ts);

int device_clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	clock_ns += CLOCK_TICK_NS;
	ts->tv_sec = (time_t)(clock_ns / 1000000000u);
	ts->tv_nsec = (long)(clock_ns % 1000000000u);
	return 0;
}

uint64_t device_now(void)
{
	return clock_ns;
}

void device_skip(uint64_t ns)
{
	clock_ns += ns;
}

/* Waves run on threads, in real time: the clock stands still for them. */
static bool wait_for_waves(struct device *d)
{
	struct pollfd fd = {.fd = shader_fd(d->gpu), .events = POLLIN};
	unsigned int looks = 0;

	while (shader_busy(d->gpu)) {
		assert_true(looks++ < WAVES_MS / WAVES_LOOK_MS);
		if (poll(&fd, 1, WAVES_LOOK_MS) == 1)
			return true;
	}
	return poll(&fd, 1, 0) == 1;
}

bool device_run_for(struct device *d, uint64_t ns)
{
	uint64_t end = clock_ns + ns;

	for (unsigned int i = 0; i < MAX_ROUNDS && clock_ns < end; i++) {
		uint64_t next = vgpu_run(d->gpu);

		if (next && wait_for_waves(d))
			continue;
		if (next == UINT64_MAX)
			return true;
		if (next > clock_ns)
			clock_ns = next < end ? next : end;
	}
	return false;
}

bool device_run(struct device *d)
{
	return device_run_for(d, RUN_NS);
}

/* ---- BARs ---- */

uint32_t reg_in(struct device *d, uint32_t reg)
{
	uint32_t value;

	assert_int_equal(vgpu_region_read(d->gpu, BAR5, reg, &value, 4), 0);
	return value;
}

void reg_out(struct device *d, uint32_t reg, uint32_t value)
{
	assert_int_equal(vgpu_region_write(d->gpu, BAR5, reg, &value, 4), 0);
}

void doorbell32(struct device *d, uint32_t offset, uint32_t value)
{
	assert_int_equal(vgpu_region_write(d->gpu, BAR2, offset, &value, 4), 0);
}

void doorbell64(struct device *d, uint32_t offset, uint64_t value)
{
	assert_int_equal(vgpu_region_write(d->gpu, BAR2, offset, &value, 8), 0);
}

/* ---- memory ---- */

static uint64_t pages(uint64_t bytes)
{
	return (bytes + GMC_PAGE_BYTES - 1) & ~(uint64_t)(GMC_PAGE_BYTES - 1);
}

uint64_t device_vram(struct device *d, uint64_t bytes)
{
	uint64_t at = d->vram_next;

	d->vram_next += pages(bytes);
	assert_true(d->vram_next <= d->gpu->mem.vram_bytes);
	return at;
}

struct buffer device_alloc_absent(struct device *d, uint8_t vmid, uint64_t bytes)
{
	struct buffer b;

	if (!vmid) {
		b.bus = device_vram(d, bytes);
		b.host = d->gpu->mem.vram + b.bus;
		b.va = GMC_VRAM_BASE + b.bus;
		return b;
	}
	b.bus = GUEST_BUS + d->guest_next;
	b.host = d->guest + d->guest_next;
	b.va = d->user_next;
	d->guest_next += pages(bytes);
	/* A guard page: what runs over the end faults. */
	d->user_next += pages(bytes) + GMC_PAGE_BYTES;
	assert_true(d->guest_next <= GUEST_BYTES);
	return b;
}

void device_map_buffer(struct device *d, uint8_t vmid, const struct buffer *b, uint64_t bytes)
{
	if (vmid)
		device_map(d, vmid, b->va, b->bus | PTE_GUEST, pages(bytes));
}

struct buffer device_alloc(struct device *d, uint8_t vmid, uint64_t bytes)
{
	struct buffer b = device_alloc_absent(d, vmid, bytes);

	device_map_buffer(d, vmid, &b, bytes);
	return b;
}

static const uint32_t hub_base[NUM_HUBS] = {GCVM_CONTEXT0_CNTL, MMVM_CONTEXT0_CNTL};
static const uint32_t hub_lut[NUM_HUBS] = {IH_VMID_0_LUT, IH_VMID_0_LUT_MM};

void device_bind(struct device *d, uint8_t vmid)
{
	uint64_t root = device_vram(d, GMC_PAGE_BYTES);

	d->roots[vmid] = root;
	for (int hub = 0; hub < NUM_HUBS; hub++) {
		uint32_t base = hub_base[hub];

		reg_out(d, base + VM_CONTEXT_PT_BASE(vmid), LO(root | PTE_VALID));
		reg_out(d, base + VM_CONTEXT_PT_BASE(vmid) + 4, HI(root));
		reg_out(d, base + VM_CONTEXT_PT_END(vmid), UINT32_MAX);
		reg_out(d, base + VM_CONTEXT_PT_END(vmid) + 4, 0xf);
		reg_out(d, base + VM_CONTEXT_CNTL(vmid), CONTEXT_CNTL);
		reg_out(d, hub_lut[hub] + 4u * vmid, 0x8000u + vmid);
	}
	reg_out(d, ATC_VMID0_PASID_MAPPING + 4u * vmid, ATC_PASID_MAPPING_VALID | (0x8000u + vmid));
}

uint64_t *device_entry(struct device *d, uint8_t vmid, uint64_t va, unsigned int level)
{
	uint64_t table = d->roots[vmid];

	for (unsigned int at = 3;; at--) {
		uint64_t *entries = (uint64_t *)(void *)(d->gpu->mem.vram + table);
		uint64_t *entry = &entries[va >> (12 + 9 * at) & 511];

		if (at == level)
			return entry;
		if (!(*entry & PTE_VALID))
			*entry = device_vram(d, GMC_PAGE_BYTES) | PTE_VALID;
		table = *entry & PDE_ADDRESS;
	}
}

void device_map(struct device *d, uint8_t vmid, uint64_t va, uint64_t entry, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += GMC_PAGE_BYTES)
		*device_entry(d, vmid, va + done, 0) = entry + done;
}

void device_unmap(struct device *d, uint8_t vmid, uint64_t va, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += GMC_PAGE_BYTES)
		*device_entry(d, vmid, va + done, 0) = 0;
	device_invalidate(d, HUB_GFX, vmid);
	device_invalidate(d, HUB_MM, vmid);
}

void device_invalidate(struct device *d, enum hub_id hub, uint8_t vmid)
{
	reg_out(d, hub_base[hub] + VM_INVALIDATE_REQ(17), 0xf80000u | 1u << vmid);
	assert_int_equal(reg_in(d, hub_base[hub] + VM_INVALIDATE_ACK(17)), 1u << vmid);
}

/* ---- interrupts ---- */

static uint64_t ih_wptr_at(void)
{
	return GUEST_BYTES - GMC_PAGE_BYTES; /* the last page of guest memory */
}

void device_ih(struct device *d, unsigned int log2_dwords)
{
	uint64_t ring, wptr = GUEST_BUS + ih_wptr_at();

	d->ih_bytes = 4u << log2_dwords;
	d->ih_rptr = 0;
	ring = GUEST_BUS + ih_wptr_at() - pages(d->ih_bytes);
	memset(d->guest + ih_wptr_at(), 0, 4);
	reg_out(d, IH_RB_CNTL, 0);
	reg_out(d, IH_RB_BASE, LO(ring >> 8));
	reg_out(d, IH_RB_BASE_HI, HI(ring >> 8));
	reg_out(d, IH_RB_WPTR_ADDR_LO, LO(wptr));
	reg_out(d, IH_RB_WPTR_ADDR_HI, HI(wptr));
	reg_out(d, IH_RB_WPTR, 0);
	reg_out(d, IH_RB_RPTR, 0);
	reg_out(d, IH_DOORBELL_RPTR, IH_DOORBELL_ENABLE | IH_DOORBELL / 4);
	reg_out(d, IH_DOORBELL_RETRY_CAM, IH_DOORBELL_ENABLE | CAM_DOORBELL / 4);
	reg_out(d, IH_RB_CNTL,
		IH_RB_CNTL_ENABLE | IH_RB_CNTL_ENABLE_INTR | IH_RB_CNTL_WPTR_WB | log2_dwords << 1);
}

bool device_iv_raw(struct device *d, uint32_t dw[8], bool ack)
{
	const uint8_t *ring = d->guest + ih_wptr_at() - pages(d->ih_bytes);
	uint32_t wptr;

	memcpy(&wptr, d->guest + ih_wptr_at(), 4);
	if (wptr == d->ih_rptr)
		return false;
	memcpy(dw, ring + d->ih_rptr, IH_IV_BYTES);
	d->ih_rptr = (d->ih_rptr + IH_IV_BYTES) & (d->ih_bytes - 1);
	if (ack)
		doorbell32(d, IH_DOORBELL, d->ih_rptr);
	return true;
}

bool device_iv(struct device *d, uint8_t client, uint8_t src, uint32_t dw[8])
{
	while (device_iv_raw(d, dw, true)) {
		if ((dw[0] & 0xffff) == (client | (uint32_t)src << 8))
			return true;
	}
	return false;
}

unsigned int device_msis(struct device *d)
{
	eventfd_t count = 0;

	return eventfd_read(d->msi_fd, &count) ? 0 : (unsigned int)count;
}

bool device_fault(struct device *d, uint64_t *page, uint32_t *cam)
{
	uint32_t dw[8];

	while (device_iv_raw(d, dw, true)) {
		uint32_t source = dw[0] & 0xffff;

		if ((source != 0x12 && source != 0x1b) || !(dw[5] & 0x80))
			continue;
		*page = (uint64_t)dw[4] << 12 | (uint64_t)(dw[5] & 0xf) << 44;
		*cam = dw[6];
		return true;
	}
	return false;
}

void device_ack(struct device *d, uint32_t cam)
{
	doorbell32(d, CAM_DOORBELL, cam);
}

/* ---- set-up ---- */

static void gart_setup(struct device *d)
{
	uint64_t table = device_vram(d, 8 * GART_PAGES);

	for (int hub = 0; hub < NUM_HUBS; hub++) {
		uint32_t base = hub_base[hub];

		reg_out(d, base + VM_CONTEXT_PT_BASE(0), LO(table | PTE_VALID));
		reg_out(d, base + VM_CONTEXT_PT_BASE(0) + 4, HI(table));
		reg_out(d, base + VM_CONTEXT_PT_START(0), LO(GART_VA >> 12));
		reg_out(d, base + VM_CONTEXT_PT_END(0), LO((GART_VA >> 12) + GART_PAGES - 1));
		reg_out(d, base + VM_CONTEXT_CNTL(0), VM_CONTEXT_ENABLE);
	}
	d->roots[0] = table;
}

int device_setup(void **state)
{
	struct device *d = calloc(1, sizeof(*d));
	int fd;

	d->gpu = calloc(1, sizeof(*d->gpu));
	assert_int_equal(vgpu_init(d->gpu, VRAM_BYTES, 1, SHADER_THREADS), 0);
	d->guest_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(d->guest_fd, GUEST_BYTES), 0);
	d->guest = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, d->guest_fd, 0);
	assert_ptr_not_equal(d->guest, MAP_FAILED);
	fd = dup(d->guest_fd);
	assert_int_equal(mem_dma_map(&d->gpu->mem, GUEST_BUS, GUEST_BYTES, fd, 0, true), 0);
	d->msi_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	d->gpu->ih.msi_fd = d->msi_fd;
	d->vram_next = VRAM_FIRST;
	d->user_next = USER_VA;
	gart_setup(d);
	device_ih(d, 12);
	for (uint8_t vmid = 8; vmid < 10; vmid++)
		device_bind(d, vmid);
	reg_out(d, CP_ME_CNTL, CP_ME_HALT_MASK);
	*state = d;
	return 0;
}

int device_teardown(void **state)
{
	struct device *d = *state;
	bool lost = d->gpu->stats.ivs_dropped;

	vgpu_fini(d->gpu);
	free(d->gpu);
	munmap(d->guest, GUEST_BYTES);
	close(d->guest_fd);
	close(d->msi_fd);
	free(d);
	return lost ? -1 : 0;
}

/* ---- rings ---- */

static void ring_memory(struct device *d, struct ring *r, uint8_t vmid, uint32_t dwords)
{
	memset(r, 0, sizeof(*r));
	r->d = d;
	r->vmid = vmid;
	r->dwords = dwords;
	r->memory = device_alloc(d, vmid, 4ULL * dwords);
	r->rptr = device_alloc(d, vmid, 4096);
	r->wptr = device_alloc(d, vmid, 4096);
}

static uint32_t sdma_ring_reg(unsigned int engine, unsigned int index)
{
	return SDMA0_BASE + engine * SDMA_STRIDE + SDMA_RING0 + index * SDMA_RING_STRIDE;
}

static uint32_t sdma_cntl(const struct ring *r)
{
	return (uint32_t)__builtin_ctz(r->dwords) << 1 | SDMA_RPTR_WRITEBACK |
	       (uint32_t)r->vmid << 24;
}

void start_sdma(struct device *d, struct ring *r, unsigned int engine, unsigned int index,
		uint8_t vmid, uint32_t dwords)
{
	uint32_t reg = sdma_ring_reg(engine, index);

	ring_memory(d, r, vmid, dwords);
	r->kind = QUEUE_SDMA;
	r->queue = &d->gpu->sdma[engine].rings[index].queue;
	r->doorbell = USER_DOORBELLS + 0x1000 + engine * 0x100 + index * 8;
	/* The order is that of kgd_hqd_sdma_load(). */
	reg_out(d, reg + SDMA_RB_CNTL, 0);
	assert_int_equal(reg_in(d, reg + SDMA_CONTEXT_STATUS) & SDMA_CONTEXT_IDLE,
			 SDMA_CONTEXT_IDLE);
	reg_out(d, reg + SDMA_DOORBELL_OFFSET, r->doorbell);
	reg_out(d, reg + SDMA_DOORBELL, SDMA_DOORBELL_ENABLE);
	reg_out(d, reg + SDMA_RB_RPTR, 0);
	reg_out(d, reg + SDMA_RB_RPTR_HI, 0);
	reg_out(d, reg + SDMA_RB_WPTR, 0);
	reg_out(d, reg + SDMA_RB_WPTR_HI, 0);
	reg_out(d, reg + SDMA_RB_BASE, LO(r->memory.va >> 8));
	reg_out(d, reg + SDMA_RB_BASE_HI, HI(r->memory.va >> 8));
	reg_out(d, reg + SDMA_RB_RPTR_ADDR_LO, LO(r->rptr.va));
	reg_out(d, reg + SDMA_RB_RPTR_ADDR_HI, HI(r->rptr.va));
	reg_out(d, reg + SDMA_RB_CNTL, sdma_cntl(r) | SDMA_RB_ENABLE);
}

void stop_sdma(struct ring *r, unsigned int engine, unsigned int index)
{
	uint32_t reg = sdma_ring_reg(engine, index);

	reg_out(r->d, reg + SDMA_RB_CNTL, sdma_cntl(r));
	assert_int_equal(reg_in(r->d, reg + SDMA_CONTEXT_STATUS) & SDMA_CONTEXT_IDLE,
			 SDMA_CONTEXT_IDLE);
}

void select_hqd(struct device *d, unsigned int me, unsigned int pipe, unsigned int queue)
{
	reg_out(d, GRBM_GFX_CNTL, pipe | me << 2 | queue << 8);
}

/* The MQD of an HQD, as gfx_v9_0_mqd_init() and init_mqd() of kfd_mqd_manager_v9.c fill it. */
static void fill_mqd(struct ring *r, bool aql)
{
	struct buffer mqd = device_alloc(r->d, 0, PAGE_AND_STACK);
	uint32_t *m = mqd.u32;

	r->mqd = mqd.va;
	m[0] = MQD_HEADER;
	m[128] = LO(mqd.va);
	m[129] = HI(mqd.va);
	m[130] = 1;
	m[131] = r->vmid;
	m[136] = LO(r->memory.va >> 8);
	m[137] = HI(r->memory.va >> 8);
	m[139] = LO(r->rptr.va + (aql ? 0x80 : 0));
	m[140] = HI(r->rptr.va);
	m[141] = LO(r->wptr.va);
	m[142] = HI(r->wptr.va);
	m[143] = r->doorbell | CP_HQD_DOORBELL_ENABLE;
	m[145] = PQ_CONTROL(r->dwords);
	m[149] = 3u << 20;
	m[181] = aql;
}

void restart_hqd(struct ring *r, unsigned int me, unsigned int pipe, unsigned int queue)
{
	struct device *d = r->d;
	const uint32_t *mqd =
		(const uint32_t *)(void *)(d->gpu->mem.vram + r->mqd - GMC_VRAM_BASE);

	select_hqd(d, me, pipe, queue);
	/* kgd_gfx_v9_hqd_load(): all registers but ACTIVE in one go, then the start. */
	for (uint32_t i = 0; i < 56; i++) {
		if (CP_HQD_FIRST + 4 * i != CP_HQD_ACTIVE)
			reg_out(d, CP_HQD_FIRST + 4 * i, mqd[MQD_HQD_DWORD + i]);
	}
	reg_out(d, CP_HQD_ACTIVE, 1);
	select_hqd(d, 0, 0, 0);
}

void start_hqd(struct device *d, struct ring *r, unsigned int me, unsigned int pipe,
	       unsigned int queue, uint8_t vmid, bool aql)
{
	unsigned int index = ((me - 1) * CP_PIPES + pipe) * CP_QUEUES + queue;

	ring_memory(d, r, vmid, HQD_RING_DWORDS);
	r->kind = aql ? QUEUE_AQL : QUEUE_PM4;
	r->queue = &d->gpu->cp.slots[index].queue;
	r->doorbell = vmid || me != 2 ? USER_DOORBELLS + index * 8 : KIQ_DOORBELL;
	fill_mqd(r, aql);
	restart_hqd(r, me, pipe, queue);
}

void stop_hqd(struct device *d, unsigned int me, unsigned int pipe, unsigned int queue)
{
	select_hqd(d, me, pipe, queue);
	reg_out(d, CP_HQD_DEQUEUE_REQUEST, 1);
	assert_int_equal(reg_in(d, CP_HQD_ACTIVE), 0);
	select_hqd(d, 0, 0, 0);
}

void start_kiq(struct device *d, struct ring *r)
{
	start_hqd(d, r, 2, 1, 0, 0, false);
}

void start_gfx(struct device *d, struct ring *r)
{
	ring_memory(d, r, 0, HQD_RING_DWORDS);
	r->kind = QUEUE_PM4;
	r->queue = &d->gpu->cp.gfx;
	r->doorbell = 0x458;
	reg_out(d, CP_RB0_CNTL, (uint32_t)__builtin_ctz(r->dwords) - 1);
	reg_out(d, CP_RB0_WPTR, 0);
	reg_out(d, CP_RB0_WPTR_HI, 0);
	reg_out(d, CP_RB0_RPTR_ADDR, LO(r->rptr.va));
	reg_out(d, CP_RB0_RPTR_ADDR_HI, HI(r->rptr.va));
	reg_out(d, CP_RB0_BASE, LO(r->memory.va >> 8));
	reg_out(d, CP_RB0_BASE_HI, HI(r->memory.va >> 8));
	reg_out(d, CP_RB_DOORBELL_CONTROL, r->doorbell | CP_RB_DOORBELL_ENABLE);
	reg_out(d, CP_ME_CNTL, 0);
}

void make_user_queue(struct device *d, struct ring *r, uint8_t vmid, unsigned int engine, bool aql,
		     uint32_t doorbell)
{
	ring_memory(d, r, vmid, 1024);
	r->doorbell = doorbell;
	r->kind = engine >= 2 ? QUEUE_SDMA : aql ? QUEUE_AQL : QUEUE_PM4;
	if (engine < 2) {
		fill_mqd(r, aql);
		return;
	}
	struct buffer mqd = device_alloc(d, 0, MQD_BYTES);

	r->mqd = mqd.va;
	mqd.u32[0] = sdma_cntl(r) & ~0x0f000000u;
	mqd.u32[1] = LO(r->memory.va >> 8);
	mqd.u32[2] = HI(r->memory.va >> 8);
	mqd.u32[8] = HI(r->rptr.va);
	mqd.u32[9] = LO(r->rptr.va);
}

void emit(struct ring *r, const uint32_t *dwords, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		r->memory.u32[r->tail++ & (r->dwords - 1)] = dwords[i];
}

void kick(struct ring *r)
{
	uint64_t value = r->kind == QUEUE_SDMA	? r->tail * 4
			 : r->kind == QUEUE_AQL ? r->tail / 16
						: r->tail;

	*r->wptr.u64 = value;
	doorbell64(r->d, r->doorbell, r->kind == QUEUE_AQL ? value - 1 : value);
}

bool run(struct ring *r)
{
	kick(r);
	return device_run(r->d);
}

bool ring_empty(const struct ring *r)
{
	return r->queue->rptr == r->tail;
}
