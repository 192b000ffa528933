// SPDX-License-Identifier: MIT
/*
 * Feeds hostile rings, descriptors, run lists, page tables and registers to the engines.
 *
 * The input is a list of operations on a small device whose rings are set up already: 1 MiB of VRAM
 * that VMID 0 and the user VMIDs see whole (page tables included), and a little guest memory.
 * Nothing may crash, leak, or keep vgpu_run() for long; after the reset at the end nothing may be
 * left of the queues.
 */
#define _GNU_SOURCE /* memfd_create */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/vfio.h>

#include "../vgpu.h"

#define VRAM_BYTES   (1u << 20)
#define GUEST_BYTES  (256u << 10)
#define GUEST_BUS    0x100000000ULL
#define USER_VA	     0x10000000ULL /* 2 MiB: VRAM, guest memory, and pages that are absent */
#define TABLES	     0u /* VRAM offset of four page tables for the user VMIDs, and the GART's */
#define GART	     0x4000u
#define RINGS	     0x10000u /* 4 KiB each */
#define MQDS	     0x20000u
#define ARENA	     0x40000u /* indirect buffers, run lists, signals */
#define ARENA_BYTES  0x10000u
#define RING_DWORDS  1024u
#define NUM_RINGS    10
#define FIRST_VMID   8
#define TICK_NS	     20000u /* few rounds in each vgpu_run() */
#define MAX_OPERATIONS 100u
#define MAX_RUN_NS   3000000000u /* of real time, with sanitizers on a busy machine */
#define PTE_RW	     (PTE_VALID | PTE_READABLE | PTE_WRITEABLE)
#define DOORBELLS    0x4000u
#define IH_DOORBELL  0xbc0u
#define CAM_DOORBELL 0xbd8u

enum ring_kind { SDMA_KERNEL, SDMA_USER, GFX, KIQ, PM4_USER, AQL_USER };

static const enum ring_kind kinds[NUM_RINGS] = {
	SDMA_KERNEL, SDMA_USER, SDMA_USER, GFX, KIQ, PM4_USER, PM4_USER, AQL_USER, AQL_USER, KIQ,
};

struct input {
	const uint8_t *data;
	size_t left;
};

static struct vgpu *gpu;
static uint64_t clock_ns;
static uint64_t tails[NUM_RINGS]; /* dwords */

int device_clock_gettime(clockid_t id, struct timespec *ts);

int device_clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	clock_ns += TICK_NS;
	ts->tv_sec = (time_t)(clock_ns / 1000000000u);
	ts->tv_nsec = (long)(clock_ns % 1000000000u);
	return 0;
}

static uint64_t real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
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

static void out(uint32_t reg, uint32_t value)
{
	vgpu_region_write(gpu, VFIO_PCI_BAR5_REGION_INDEX, reg, &value, 4);
}

static void doorbell(uint32_t offset, uint64_t value, uint32_t bytes)
{
	vgpu_region_write(gpu, VFIO_PCI_BAR2_REGION_INDEX, offset, &value, bytes);
}

static uint64_t *vram64(uint32_t offset)
{
	return (uint64_t *)(void *)(gpu->mem.vram + offset);
}

static uint32_t *vram32(uint32_t offset)
{
	return (uint32_t *)(void *)(gpu->mem.vram + offset);
}

/* ---- the device ---- */

static uint8_t vmid_of(unsigned int i)
{
	return kinds[i] == SDMA_USER || kinds[i] >= PM4_USER ? FIRST_VMID + i % 2 : 0;
}

static uint64_t va_of(unsigned int i, uint32_t vram_offset)
{
	return (vmid_of(i) ? USER_VA : GMC_VRAM_BASE) + vram_offset;
}

static void setup_tables(void)
{
	for (unsigned int level = 3; level; level--) {
		uint32_t table = TABLES + (3 - level) * 4096;

		vram64(table)[USER_VA >> (12 + 9 * level) & 511] = (table + 4096) | PTE_VALID;
	}
	for (uint32_t page = 0; page < 512; page++) {
		uint64_t entry = page < 256 ? page << 12 | PTE_RW :
				 page < 320 ? (GUEST_BUS + ((page - 256) << 12)) | PTE_RW | PTE_SYSTEM :
					      0;

		vram64(TABLES + 3 * 4096)[page] = entry;
		vram64(GART)[page] = entry;
	}
}

static void setup_vmids(void)
{
	static const uint32_t hubs[] = { GCVM_CONTEXT0_CNTL, MMVM_CONTEXT0_CNTL };
	static const uint32_t luts[] = { IH_VMID_0_LUT, IH_VMID_0_LUT_MM };

	for (unsigned int hub = 0; hub < 2; hub++) {
		out(hubs[hub] + VM_CONTEXT_PT_BASE(0), GART | PTE_VALID);
		out(hubs[hub] + VM_CONTEXT_PT_END(0), 511);
		out(hubs[hub] + VM_CONTEXT_CNTL(0), 1);
		for (unsigned int vmid = 1; vmid < GMC_NUM_VMIDS; vmid++) {
			out(hubs[hub] + VM_CONTEXT_PT_BASE(vmid), TABLES | PTE_VALID);
			out(hubs[hub] + VM_CONTEXT_PT_END(vmid), UINT32_MAX);
			/* Some VMIDs without retry. */
			out(hubs[hub] + VM_CONTEXT_CNTL(vmid), vmid == 9 ? 0x7ffe07 : 0x7ffe87);
			out(luts[hub] + 4 * vmid, 0x8000 + vmid);
		}
	}
}

static void setup_ih(void)
{
	out(IH_RB_BASE, (uint32_t)((GUEST_BUS + 0x20000) >> 8));
	out(IH_RB_WPTR_ADDR_LO, (uint32_t)(GUEST_BUS + 0x30000));
	out(IH_RB_WPTR_ADDR_HI, (uint32_t)(GUEST_BUS >> 32));
	out(IH_DOORBELL_RPTR, IH_DOORBELL_ENABLE | IH_DOORBELL / 4);
	out(IH_DOORBELL_RETRY_CAM, IH_DOORBELL_ENABLE | CAM_DOORBELL / 4);
	out(IH_RB_CNTL, IH_RB_CNTL_ENABLE | IH_RB_CNTL_ENABLE_INTR | 10 << 1);
}

static void start_sdma(unsigned int i)
{
	uint32_t reg = SDMA0_BASE + (i & 1) * SDMA_STRIDE + SDMA_RING0 +
		       (kinds[i] == SDMA_KERNEL ? i : SDMA_RING_RLC + i) * SDMA_RING_STRIDE;
	uint64_t base = va_of(i, RINGS + i * 4096) >> 8;
	uint64_t report = va_of(i, ARENA + 8 * i);

	out(reg + SDMA_RB_CNTL, 0);
	out(reg + SDMA_DOORBELL, SDMA_DOORBELL_ENABLE);
	out(reg + SDMA_DOORBELL_OFFSET, DOORBELLS + 8 * i);
	out(reg + SDMA_RB_BASE, (uint32_t)base);
	out(reg + SDMA_RB_BASE_HI, (uint32_t)(base >> 32));
	out(reg + SDMA_RB_RPTR_ADDR_LO, (uint32_t)report);
	out(reg + SDMA_RB_RPTR_ADDR_HI, (uint32_t)(report >> 32));
	out(reg + SDMA_RB_CNTL, SDMA_RB_ENABLE | 10 << 1 | SDMA_RPTR_WRITEBACK |
					(uint32_t)vmid_of(i) << 24);
}

static void fill_mqd(unsigned int i)
{
	uint64_t mqd = GMC_VRAM_BASE + MQDS + i * 4096, base = va_of(i, RINGS + i * 4096) >> 8;
	uint64_t report = va_of(i, ARENA + 8 * i), wptr = va_of(i, ARENA + 0x100 + 8 * i);
	uint32_t *m = vram32(MQDS + i * 4096);

	m[0] = 0xc0310800;
	m[128] = (uint32_t)mqd;
	m[129] = (uint32_t)(mqd >> 32);
	m[131] = vmid_of(i);
	m[136] = (uint32_t)base;
	m[137] = (uint32_t)(base >> 32);
	m[139] = (uint32_t)report;
	m[140] = (uint32_t)(report >> 32);
	m[141] = (uint32_t)wptr;
	m[142] = (uint32_t)(wptr >> 32);
	m[143] = (DOORBELLS + 8 * i) | CP_HQD_DOORBELL_ENABLE;
	m[145] = 9;
	m[181] = kinds[i] == AQL_USER;
}

static void start_hqd(unsigned int i)
{
	fill_mqd(i);
	out(GRBM_GFX_CNTL, (i & 3) | 1 << 2 | (i >> 2) << 8);
	for (uint32_t reg = 0; reg < 56; reg++) {
		if (CP_HQD_FIRST + 4 * reg != CP_HQD_ACTIVE)
			out(CP_HQD_FIRST + 4 * reg, vram32(MQDS + i * 4096)[MQD_HQD_DWORD + reg]);
	}
	out(CP_HQD_ACTIVE, 1);
	out(GRBM_GFX_CNTL, 0);
}

static void start_gfx(unsigned int i)
{
	uint64_t base = va_of(i, RINGS + i * 4096) >> 8;

	out(CP_RB0_CNTL, 9);
	out(CP_RB0_BASE, (uint32_t)base);
	out(CP_RB0_BASE_HI, (uint32_t)(base >> 32));
	out(CP_RB_DOORBELL_CONTROL, (DOORBELLS + 8 * i) | CP_RB_DOORBELL_ENABLE);
	out(CP_ME_CNTL, 0);
}

static void start_ring(unsigned int i)
{
	tails[i] = 0;
	if (kinds[i] <= SDMA_USER)
		start_sdma(i);
	else if (kinds[i] == GFX)
		start_gfx(i);
	else
		start_hqd(i);
}

static void create(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	gpu = calloc(1, sizeof(*gpu));
	require(gpu && fd >= 0 && !ftruncate(fd, GUEST_BYTES));
	require(!vgpu_init(gpu, VRAM_BYTES, 1, 1));
	require(!mem_dma_map(&gpu->mem, GUEST_BUS, GUEST_BYTES, fd, 0, true));
	/* Memory that only the client reaches, and that it has just lost. */
	require(!mem_dma_map(&gpu->mem, GUEST_BUS + GUEST_BYTES, 0x10000, -1, 0, true));
}

static void setup(const uint8_t *rings)
{
	clock_ns = 1000000000;
	gpu->sched.random = 1;
	gpu->inject = (struct inject){ .cam_entries = CAM_ENTRIES };
	gpu->link = (struct link){ 0 };
	gpu->stats = (struct vgpu_stats){ .errors = 1000 }; /* silent */
	memset(gpu->mem.vram, 0, VRAM_BYTES);
	setup_tables();
	setup_vmids();
	setup_ih();
	for (unsigned int i = 0; i < NUM_RINGS; i++) {
		if (rings[i / 8] & 1 << i % 8)
			start_ring(i);
	}
}

/* ---- operations ---- */

/*
 * Packets: the header, the bits of it that are the input's, and fields: d any dword, s a byte, a an
 * address that may be mapped, r an address of ring or arena, k a register.
 */
struct template {
	uint32_t header, random;
	const char *fields;
};

static const struct template sdma_packets[] = {
	{ 0, 0x3fff0000, "" }, { 1, 0, "dsaa" }, { 0x401, 0xe0000000, "assda" "sssds" },
	{ 1, 0xff00, "sdaa" }, { 2, 0, "asdd" }, { 4, 0x000f0000, "rsss" }, { 5, 0, "ad" },
	{ 6, 0, "d" }, { 8, 0xf4000000, "asds" }, { 8, 0xf4000000, "kkdds" }, { 9, 0, "ads" },
	{ 10, 0xfe010000, "adddds" }, { 11, 0xc0000000, "add" }, { 12, 0, "adddsss" },
	{ 13, 0x100, "a" }, { 14, 0, "kd" }, { 0, 0xffffffff, "dddd" },
};

#define PM4(op, n) (3u << 30 | ((n) - 1u) << 16 | (uint32_t)(op) << 8)

static const struct template pm4_packets[] = {
	{ 0xc0001000, 0x3fff0000, "" }, { 0x80000000, 0, "" }, { PM4(0x1e, 8), 0, "sadddds" },
	{ PM4(0x22, 4), 0, "ass" }, { PM4(0x37, 5), 0x00030000, "dadd" },
	{ PM4(0x37, 4), 0, "skkd" }, { PM4(0x3c, 6), 0, "daddd" }, { PM4(0x3c, 6), 0, "skksss" },
	{ PM4(0x3f, 3), 0, "rd" }, { PM4(0x3f, 3), 0, "rs" }, { PM4(0x40, 5), 0, "daa" },
	{ PM4(0x40, 5), 0, "dkska" }, { PM4(0x49, 7), 0, "ddaads" }, { PM4(0x50, 6), 0, "daad" },
	{ PM4(0x79, 2), 0, "sd" }, { PM4(0x76, 2), 0, "sd" }, { PM4(0x68, 3), 0, "kdd" },
	{ PM4(0x98, 1), 0, "d" }, { PM4(0xa0, 7), 0, "ddddddd" }, { PM4(0xa2, 6), 0, "ddma" },
	{ PM4(0xa3, 5), 0, "ddddd" }, { PM4(0xa4, 6), 0, "ddadd" }, { PM4(0xa5, 3), 0, "rl" },
	{ PM4(0xa1, 15), 0, "dTssssssssssss" }, { PM4(0, 1), 0xff00, "dddd" },
};

static const struct template aql_packets[] = {
	{ 0, 0, "zzzzzzzaaa" }, { 3, 0xff00, "0aaaaa0a" }, { 5, 0xff00, "0aaaaa0a" },
	{ 0x10000, 0xff00, "vrs0000000000a" }, { 0x20000, 0, "0assdds00000a" },
	{ 2, 0xff00, "ddddddaaaa0a" }, { 1, 0, "000000000000000" }, { 0, 0xffff, "dddddddddddddaa" },
};

static const uint32_t registers[] = {
	GRBM_GFX_CNTL, CP_HQD_ACTIVE, CP_HQD_DEQUEUE_REQUEST, CP_HQD_PQ_CONTROL, CP_HQD_VMID,
	CP_HQD_PQ_RPTR, CP_HQD_PQ_WPTR_LO, CP_HQD_PQ_WPTR_HI, CP_HQD_PQ_BASE, CP_HQD_PQ_DOORBELL,
	CP_HQD_AQL_CONTROL, CP_MQD_BASE_ADDR, CP_MQD_BASE_ADDR_HI, 0xc968, 0xc964, 0xc95c,
	CP_ME_CNTL, CP_RB0_CNTL, CP_RB0_BASE, CP_RB0_WPTR, CP_RB0_WPTR_HI, CPC_INT_STATUS,
	MM_INDEX, MM_DATA, MM_INDEX_HI, PCIE_DATA2, IH_RB_CNTL, IH_RB_RPTR, IH_RB_WPTR, IH_RB_BASE,
	IH_RB_BASE_HI, IH_VMID_0_LUT + 32, RLC_SAFE_MODE, RLC_CAPTURE_GPU_CLOCK_COUNT,
	SMUIO_ROM_INDEX, SMUIO_ROM_DATA, SDMA0_BASE + SDMA_F32_CNTL, 0x4b80, 0x4b84, 0x4b8c, 0x4b94,
	0x4b98, 0x4e80, 0x4e84, 0x4e8c, 0x4e94, 0x4ec8, 0x4f2c, GCVM_CONTEXT0_CNTL,
	GCVM_CONTEXT0_CNTL + 32, MMVM_CONTEXT0_CNTL + 32, GCVM_CONTEXT0_CNTL + VM_INVALIDATE_REQ(0),
	MMVM_CONTEXT0_CNTL + VM_INVALIDATE_REQ(17), MMVM_CONTEXT0_CNTL + VM_CONTEXT_PT_BASE(8),
	GCVM_CONTEXT0_CNTL + VM_CONTEXT_PT_BASE(0), GCVM_CONTEXT0_CNTL + VM_CONTEXT_PT_END(0),
	GCVM_CONTEXT0_CNTL + VM_L2_FAULT_CNTL, IH_DOORBELL_RPTR, IH_DOORBELL_RETRY_CAM, 0x7fffc,
};

static uint32_t pick_register(struct input *in)
{
	uint8_t which = (uint8_t)get(in, 1);

	return which < 240 ? registers[which % (sizeof(registers) / 4)] : (uint32_t)get(in, 4);
}

static uint64_t pick_address(struct input *in, bool user)
{
	uint32_t offset = (uint32_t)get(in, 3) & 0x1fffff;

	return (user ? USER_VA : GMC_VRAM_BASE) + offset;
}

/* One field of a packet; returns the dwords it has. */
static unsigned int field(struct input *in, char kind, bool user, uint32_t *to)
{
	uint64_t value = 0;

	switch (kind) {
	case 'a':
		value = pick_address(in, user);
		break;
	case 'r':
		value = (user ? USER_VA : GMC_VRAM_BASE) + ARENA + (get(in, 2) & ~31ULL);
		break;
	case 'm':
		value = GMC_VRAM_BASE + MQDS + (get(in, 1) % 16) * 4096;
		break;
	case 'T':
		value = (TABLES + (get(in, 1) & 3) * 4096) | PTE_VALID;
		break;
	case 'd':
		*to = (uint32_t)get(in, 4);
		return 1;
	case 's':
		*to = (uint32_t)get(in, 1);
		return 1;
	case 'l': /* RUN_LIST: valid */
		*to = (uint32_t)get(in, 2) | 1u << 23;
		return 1;
	case 'v': /* AQL vendor packet: a PM4 indirect buffer */
		*to = PM4(0x3f, 3);
		return 1;
	case 'k':
		*to = pick_register(in) / (get(in, 1) & 1 ? 4 : 1);
		return 1;
	default:
		*to = 0;
		return 1;
	}
	to[0] = (uint32_t)value;
	to[1] = (uint32_t)(value >> 32);
	return 2;
}

#define TEMPLATE(table) (&(table)[which % (sizeof(table) / sizeof((table)[0]))])

static unsigned int make_packet(struct input *in, enum ring_kind kind, bool user, uint32_t *to)
{
	uint8_t which = (uint8_t)get(in, 1);
	const struct template *t = kind <= SDMA_USER ? TEMPLATE(sdma_packets) :
				   kind == AQL_USER  ? TEMPLATE(aql_packets) :
						       TEMPLATE(pm4_packets);
	unsigned int n = 1;

	to[0] = t->header ^ (t->random ? (uint32_t)get(in, 4) & t->random : 0);
	for (const char *f = t->fields; *f && n < 31; f++)
		n += field(in, *f, user, to + n);
	while (kind == AQL_USER && n < 16)
		to[n++] = 0;
	return kind == AQL_USER ? 16 : n;
}

static void emit(unsigned int ring, const uint32_t *dwords, unsigned int count)
{
	uint32_t *memory = vram32(RINGS + ring * 4096);

	for (unsigned int i = 0; i < count; i++)
		memory[tails[ring]++ % RING_DWORDS] = dwords[i];
}

static void kick(unsigned int ring)
{
	uint64_t tail = tails[ring];

	doorbell(DOORBELLS + 8 * ring, kinds[ring] <= SDMA_USER ? tail * 4 :
				       kinds[ring] == AQL_USER	? tail / 16 - 1 :
								  tail, 8);
}

static void run(unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t begin = real_ns(), next = vgpu_run(gpu);

		require(real_ns() - begin < MAX_RUN_NS);
		if (next == UINT64_MAX)
			break;
		if (next > clock_ns)
			clock_ns = next;
	}
}

static void answer_faults(void)
{
	for (unsigned int i = 0; i < CAM_ENTRIES; i++) {
		if (gpu->cam.entries[i].used)
			doorbell(CAM_DOORBELL, i, 4);
	}
}

static void packets(struct input *in)
{
	unsigned int ring = get(in, 1) % NUM_RINGS, count = get(in, 1) % 8 + 1;
	uint32_t packet[32];

	for (unsigned int i = 0; i < count; i++)
		emit(ring, packet, make_packet(in, kinds[ring], vmid_of(ring), packet));
	kick(ring);
}

/* Packets in the arena: indirect buffers and run lists. */
static void arena_packets(struct input *in)
{
	uint32_t at = (uint32_t)get(in, 2) % (ARENA_BYTES / 32) * 8;
	enum ring_kind kind = get(in, 1) % 6;
	unsigned int count = get(in, 1) % 16 + 1;
	bool user = get(in, 1) & 1;

	for (unsigned int i = 0; i < count && at < ARENA_BYTES / 4 - 32; i++)
		at += make_packet(in, kind, user, vram32(ARENA) + at);
}

static void raw_memory(struct input *in)
{
	uint32_t at = (uint32_t)get(in, 3) % (VRAM_BYTES / 4), count = (uint32_t)get(in, 1);

	for (uint32_t i = 0; i < count && at + i < VRAM_BYTES / 4; i++)
		vram32(0)[at + i] = (uint32_t)get(in, 4);
}

static void page_table_entry(struct input *in)
{
	uint32_t at = (uint32_t)get(in, 2) % 2560; /* the four levels, and the GART */

	vram64(TABLES)[at] = get(in, 8);
}

static void settings(struct input *in)
{
	gpu->inject.cam_entries = get(in, 1);
	gpu->inject.ih_noise = get(in, 1) & 7;
	gpu->inject.copy_errors = get(in, 1) & 1;
	gpu->link.bytes_per_s = get(in, 4);
	gpu->link.latency_ns = get(in, 3);
	gpu->sched.jitter_ns = get(in, 2);
}

static void operation(struct input *in)
{
	uint32_t reg;

	switch (get(in, 1) % 16) {
	case 0 ... 4:
		packets(in);
		break;
	case 5:
	case 6:
		arena_packets(in);
		break;
	case 7:
		raw_memory(in);
		break;
	case 8:
		page_table_entry(in);
		break;
	case 9:
		reg = pick_register(in);
		out(reg, (uint32_t)get(in, 4));
		break;
	case 10:
		start_ring(get(in, 1) % NUM_RINGS);
		break;
	case 11:
		doorbell(DOORBELLS + 8 * (get(in, 1) % 16), get(in, 8), 8);
		break;
	case 12:
		doorbell(CAM_DOORBELL, get(in, 2), 4);
		break;
	case 13:
		doorbell(IH_DOORBELL, gpu->ih.wptr, 4);
		answer_faults();
		run(4);
		break;
	case 14:
		settings(in);
		break;
	default:
		run(get(in, 1) % 8);
		break;
	}
}

/* What must hold between any two steps. */
static void check(void)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < CAM_ENTRIES; i++)
		used += gpu->cam.entries[i].used;
	require(used == gpu->cam.used);
	require(gpu->sched.num_queues <= QUEUE_MAX);
	for (unsigned int i = 0; i < gpu->sched.num_queues; i++) {
		const struct queue *q = gpu->sched.queues[i];

		require(q->active && q->ring_dwords && q->depth <= QUEUE_IB_DEPTH);
		require(q->state != QUEUE_FAULTED || q->waiter.list);
		for (unsigned int k = 0; k < q->depth; k++)
			require(q->ib[k].offset < q->ib[k].dwords);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t rings[2];

	if (!gpu)
		create();
	rings[0] = (uint8_t)~get(&in, 1);
	rings[1] = (uint8_t)~get(&in, 1);
	setup(rings);
	for (unsigned int i = 0; in.left && i < MAX_OPERATIONS; i++) {
		operation(&in);
		check();
	}
	run(8);
	check();
	vgpu_reset(gpu);
	require(!gpu->sched.num_queues && !gpu->cam.used && !gpu->cam.full);
	return 0;
}
