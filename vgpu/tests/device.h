/* SPDX-License-Identifier: MIT */
/*
 * A device under test: a vgpu with 256 MiB of VRAM and some guest memory, programmed through its
 * BARs the way amdgpu does it, and a clock that the test owns. Time passes a little with each look
 * at the clock, and device_run() skips what nobody has work in.
 */
#ifndef VGPU_TESTS_DEVICE_H
#define VGPU_TESTS_DEVICE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../shader/engine.h"
#include "../vgpu.h"

#define VRAM_BYTES  (256ULL << 20)
#define GUEST_BYTES (32u << 20)
#define GUEST_BUS   0x100000000ULL /* bus address of guest memory */
#define GART_VA	    0x1000000ULL   /* VMID 0 address of the GART window, 4 MiB */
#define GART_PAGES  1024u
#define USER_VA	    0x7f0000000000ULL /* first address that device_alloc() gives to a user */
#define HOLE_VA	    0x555000000000ULL /* nothing is ever mapped here */
#define RUN_NS	    50000000u /* device_run(): long enough for everything that is not stuck */

#define HQD_STACK_BYTES 0x3000u /* there is room for a control stack behind each MQD */

/* Entries of page tables as amdgpu writes them. */
#define PTE_RW	     (PTE_VALID | PTE_READABLE | PTE_WRITEABLE)
#define PTE_GUEST    (PTE_RW | PTE_SYSTEM)
#define PTE_FRAG(n)  ((uint64_t)(n) << 7)
#define CONTEXT_CNTL 0x7ffe87u /* depth 3, retry; as gmc_v9_0_late_init() leaves it */

/* Doorbells: byte offsets. */
#define IH_DOORBELL  0xbc0u
#define CAM_DOORBELL 0xbd8u
#define KIQ_DOORBELL 0x0u
#define HIQ_DOORBELL 0x3000u

struct device {
	struct vgpu *gpu;
	uint8_t *guest; /* GUEST_BYTES */
	int guest_fd;
	int msi_fd;
	uint64_t vram_next, guest_next, user_next; /* of the allocators */
	uint64_t roots[GMC_NUM_VMIDS];		   /* VRAM offsets of page directories, 0: none */
	uint32_t ih_bytes;
	uint32_t ih_rptr;
};

/* A piece of memory that the CPU sees at host and the VMID it was made for at va. */
struct buffer {
	uint64_t va;
	uint64_t bus; /* address in guest memory, or offset in VRAM for VMID 0 */
	union {
		void *host;
		uint8_t *u8;
		uint32_t *u32;
		uint64_t *u64;
	};
};

/* A ring of any kind, as its producer has it. */
struct ring {
	struct device *d;
	struct queue *queue;
	struct buffer memory, rptr, wptr;
	uint32_t dwords;
	uint64_t tail; /* dwords */
	uint32_t doorbell;
	uint64_t mqd; /* VMID 0 address, of HQDs and run list queues */
	uint8_t vmid;
	enum queue_kind kind;
};

/* cmocka set-up and tear-down; *state is a struct device. Tear-down expects no lost IV. */
int device_setup(void **state);
int device_teardown(void **state);
#define T(name) cmocka_unit_test_setup_teardown(name, device_setup, device_teardown)

/* The clock. */
uint64_t device_now(void);
void device_skip(uint64_t ns);

/* Runs until nothing is to be done, or for ns. Returns false if time was up. */
bool device_run_for(struct device *d, uint64_t ns);
bool device_run(struct device *d);

/* Accesses to BARs. */
uint32_t reg_in(struct device *d, uint32_t reg);
void reg_out(struct device *d, uint32_t reg, uint32_t value);
void doorbell32(struct device *d, uint32_t offset, uint32_t value);
void doorbell64(struct device *d, uint32_t offset, uint64_t value);

/* Memory. VRAM comes zeroed; user memory is mapped page by page into vmid's page tables. */
uint64_t device_vram(struct device *d, uint64_t bytes);
struct buffer device_alloc(struct device *d, uint8_t vmid, uint64_t bytes);
/* The same without the mapping: the address is valid, the pages are absent. */
struct buffer device_alloc_absent(struct device *d, uint8_t vmid, uint64_t bytes);

/* Gives a VMID page tables and a PASID (0x8000 + vmid) on both hubs. */
void device_bind(struct device *d, uint8_t vmid);
/* The entry for va at a level (3: root ... 0: page table); tables above are made. */
uint64_t *device_entry(struct device *d, uint8_t vmid, uint64_t va, unsigned int level);
void device_map(struct device *d, uint8_t vmid, uint64_t va, uint64_t entry, uint64_t bytes);
void device_map_buffer(struct device *d, uint8_t vmid, const struct buffer *b, uint64_t bytes);
void device_unmap(struct device *d, uint8_t vmid, uint64_t va, uint64_t bytes);
/* Invalidates a VMID of a hub by its request register. */
void device_invalidate(struct device *d, enum hub_id hub, uint8_t vmid);

/* Interrupts: the ring has 2^log2_dwords dwords. Set-up has made one of 4096. */
void device_ih(struct device *d, unsigned int log2_dwords);
/* The next vector as raw dwords, false: none. rptr is told by doorbell if ack. */
bool device_iv_raw(struct device *d, uint32_t dw[8], bool ack);
/* The next vector with client and source; others before it are skipped. */
bool device_iv(struct device *d, uint8_t client, uint8_t src, uint32_t dw[8]);
unsigned int device_msis(struct device *d);
/* The next retry fault; its page, CAM index. */
bool device_fault(struct device *d, uint64_t *page, uint32_t *cam);
void device_ack(struct device *d, uint32_t cam);

/* Rings. */
void start_sdma(struct device *d, struct ring *r, unsigned int engine, unsigned int index,
		uint8_t vmid, uint32_t dwords);
void stop_sdma(struct ring *r, unsigned int engine, unsigned int index);
void start_hqd(struct device *d, struct ring *r, unsigned int me, unsigned int pipe,
	       unsigned int queue, uint8_t vmid, bool aql);
/* Loads it from its MQD, as after an eviction. */
void restart_hqd(struct ring *r, unsigned int me, unsigned int pipe, unsigned int queue);
void stop_hqd(struct device *d, unsigned int me, unsigned int pipe, unsigned int queue);
void start_kiq(struct device *d, struct ring *r);
void start_gfx(struct device *d, struct ring *r);
void select_hqd(struct device *d, unsigned int me, unsigned int pipe, unsigned int queue);
/* A user queue for a run list: memory and MQD only. engine as in MAP_QUEUES. */
void make_user_queue(struct device *d, struct ring *r, uint8_t vmid, unsigned int engine, bool aql,
		     uint32_t doorbell);

void emit(struct ring *r, const uint32_t *dwords, unsigned int count);
#define EMIT(r, ...)                                      \
	do {                                              \
		const uint32_t dwords_[] = {__VA_ARGS__}; \
		emit(r, dwords_, sizeof(dwords_) / 4);    \
	} while (0)
/* Tells the write pointer by memory and doorbell. */
void kick(struct ring *r);
/* kick() and device_run(). */
bool run(struct ring *r);
/* Everything that was emitted has been executed. */
bool ring_empty(const struct ring *r);

#define LO(v) ((uint32_t)(v))
#define HI(v) ((uint32_t)((uint64_t)(v) >> 32))

/* PM4 headers; n is the number of payload dwords. */
#define PM4(op, n)		   (3u << 30 | ((uint32_t)(n)-1) << 16 | (uint32_t)(op) << 8)
#define WRITE_DATA_MEMORY	   (5u << 8 | 1u << 20)
#define SDMA_WRITE32(va, v)	   2, LO(va), HI(va), 0, v
#define SDMA_FENCE(va, v)	   5, LO(va), HI(va), v
#define SDMA_COPY(dst, src, bytes) 1, (bytes)-1, 0, LO(src), HI(src), LO(dst), HI(dst)
#define PM4_WRITE32(va, v)	   PM4(0x37, 4), WRITE_DATA_MEMORY, LO(va), HI(va), v

#endif
