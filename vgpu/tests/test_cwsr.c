// SPDX-License-Identifier: MIT
/*
 * Queues that are stopped and started again with waves in them, by a trap handler that speaks to the
 * engine as the driver's does: it saves four pieces of what there is, which the test's kernel needs.
 * Code is assembled with llvm-mc -triple=amdgcn -mcpu=gfx906.
 */
#include "device.h"

#include <string.h>
#include <time.h>

#define VMID	   8
#define PAGE	   GMC_PAGE_BYTES
#define DISPATCH   2u
#define CODE_AT	   256u /* behind the descriptor */
#define KERNARG_AT 2048u
#define HANDLER_AT 4096u
#define GROUP	   256u

/*
 * Each item mixes its number with that of the item 64 further on, through group memory, as often as
 * the second argument says, and stores it.
 */
static const uint32_t mix_kernel[] = {
	0xc0060100, 0x00000000, /* s_load_dwordx2 s[4:5], s[0:1], 0x0 */
	0xc0020180, 0x00000008, /* s_load_dword s6, s[0:1], 0x8 */
	0x8e038802, /* s_lshl_b32 s3, s2, 8 */
	0x68020003, /* v_add_u32_e32 v1, s3, v0 */
	0x24040282, /* v_lshlrev_b32_e32 v2, 2, v1 */
	0x24080082, /* v_lshlrev_b32_e32 v4, 2, v0 */
	0x2a0a08ff, 0x00000100, /* v_xor_b32_e32 v5, 0x100, v4 */
	0x7e060301, /* v_mov_b32_e32 v3, v1 */
	0xbe8800ff, 0x0019660d, /* s_mov_b32 s8, 0x19660d */
	0xbe8900ff, 0x3c6ef35f, /* s_mov_b32 s9, 0x3c6ef35f */
	0xbf8cc07f, /* s_waitcnt lgkmcnt(0) */
	0xd2850003, 0x00001103, /* v_mul_lo_u32 v3, v3, s8 */
	0x68060609, /* v_add_u32_e32 v3, s9, v3 */
	0xd81a0000, 0x00000304, /* ds_write_b32 v4, v3 */
	0xbf8cc07f, /* s_waitcnt lgkmcnt(0) */
	0xbf8a0000, /* s_barrier */
	0xd86c0000, 0x06000005, /* ds_read_b32 v6, v5 */
	0xbf8cc07f, /* s_waitcnt lgkmcnt(0) */
	0xbf8a0000, /* s_barrier */
	0x2a060d03, /* v_xor_b32_e32 v3, v3, v6 */
	0x80868106, /* s_sub_u32 s6, s6, 1 */
	0xbf078006, /* s_cmp_lg_u32 s6, 0 */
	0xbf85fff1, /* s_cbranch_scc1 loop */
	0xdc708000, 0x00040302, /* global_store_dword v2, v3, s[4:5] */
	0xbf810000, /* s_endpgm */
};

/* Registers v0-v6, s0-s11, SCC and 1 KiB of group memory, for 12 VGPRs that the wave has. */
static const uint32_t trap_handler[] = {
	0xbf820001, /* s_branch save */
	0xbf820043, /* s_branch restore */
	0xbeee017e, /* s_mov_b64 ttmp[2:3], exec */
	0xb8f8f802, /* s_getreg_b32 ttmp12, hwreg(HW_REG_STATUS) */
	0xba000283, 0x00000000, /* s_setreg_imm32_b32 hwreg(HW_REG_TRAPSTS, 10, 1), 0 */
	0xbefe0180, /* s_mov_b64 exec, 0 */
	0xbf900004, /* s_sendmsg sendmsg(MSG_SAVEWAVE) */
	0xbf8e0001, /* s_sleep 1 */
	0xbf88fffe, /* s_cbranch_execz wait */
	0xbef0007e, /* s_mov_b32 ttmp4, exec_lo */
	0x8671ff7f, 0x0000ffff, /* s_and_b32 ttmp5, exec_hi, 0xffff */
	0x8672ff7f, 0x04000000, /* s_and_b32 ttmp6, exec_hi, 0x4000000 */
	0xbefe01c1, /* s_mov_b64 exec, -1 */
	0xd28c0008, 0x000100c1, /* v_mbcnt_lo_u32_b32 v8, -1, 0 */
	0xd28d0008, 0x000210c1, /* v_mbcnt_hi_u32_b32 v8, -1, v8 */
	0x24101082, /* v_lshlrev_b32_e32 v8, 2, v8 */
	0xdc708000, 0x00700008, /* global_store_dword v8, v0, ttmp[4:5] */
	0xdc708100, 0x00700108, /* global_store_dword v8, v1, ttmp[4:5] offset:256 */
	0xdc708200, 0x00700208, /* global_store_dword v8, v2, ttmp[4:5] offset:512 */
	0xdc708300, 0x00700308, /* global_store_dword v8, v3, ttmp[4:5] offset:768 */
	0xdc708400, 0x00700408, /* global_store_dword v8, v4, ttmp[4:5] offset:1024 */
	0xdc708500, 0x00700508, /* global_store_dword v8, v5, ttmp[4:5] offset:1280 */
	0xdc708600, 0x00700608, /* global_store_dword v8, v6, ttmp[4:5] offset:1536 */
	0xc04a0038, 0x00000c00, /* s_store_dwordx4 s[0:3], ttmp[4:5], 0xc00 */
	0xc04a0138, 0x00000c10, /* s_store_dwordx4 s[4:7], ttmp[4:5], 0xc10 */
	0xc04a0238, 0x00000c20, /* s_store_dwordx4 s[8:11], ttmp[4:5], 0xc20 */
	0xc04a1b38, 0x00000dc0, /* s_store_dwordx4 ttmp[0:3], ttmp[4:5], 0xdc0 */
	0xc0421e38, 0x00000dd0, /* s_store_dword ttmp12, ttmp[4:5], 0xdd0 */
	0xbf8a0000, /* s_barrier */
	0xbf068072, /* s_cmp_eq_u32 ttmp6, 0 */
	0xbf850014, /* s_cbranch_scc1 saved */
	0x8070ff70, 0x00000e40, /* s_add_u32 ttmp4, ttmp4, 0xe40 */
	0x82718071, /* s_addc_u32 ttmp5, ttmp5, 0 */
	0xd86c0000, 0x00000008, /* ds_read_b32 v0, v8 */
	0xd86c0100, 0x01000008, /* ds_read_b32 v1, v8 offset:256 */
	0xd86c0200, 0x02000008, /* ds_read_b32 v2, v8 offset:512 */
	0xd86c0300, 0x03000008, /* ds_read_b32 v3, v8 offset:768 */
	0xbf8cc07f, /* s_waitcnt lgkmcnt(0) */
	0xdc708000, 0x00700008, /* global_store_dword v8, v0, ttmp[4:5] */
	0xdc708100, 0x00700108, /* global_store_dword v8, v1, ttmp[4:5] offset:256 */
	0xdc708200, 0x00700208, /* global_store_dword v8, v2, ttmp[4:5] offset:512 */
	0xdc708300, 0x00700308, /* global_store_dword v8, v3, ttmp[4:5] offset:768 */
	0xbf810000, /* s_endpgm */
	0xbef0007e, /* s_mov_b32 ttmp4, exec_lo */
	0x8671ff7f, 0x0000ffff, /* s_and_b32 ttmp5, exec_hi, 0xffff */
	0x8672ff7f, 0x04000000, /* s_and_b32 ttmp6, exec_hi, 0x4000000 */
	0xbefe01c1, /* s_mov_b64 exec, -1 */
	0xd28c0008, 0x000100c1, /* v_mbcnt_lo_u32_b32 v8, -1, 0 */
	0xd28d0008, 0x000210c1, /* v_mbcnt_hi_u32_b32 v8, -1, v8 */
	0x24101082, /* v_lshlrev_b32_e32 v8, 2, v8 */
	0xbf068072, /* s_cmp_eq_u32 ttmp6, 0 */
	0xbf850014, /* s_cbranch_scc1 no_lds */
	0x8074ff70, 0x00000e40, /* s_add_u32 ttmp8, ttmp4, 0xe40 */
	0x82758071, /* s_addc_u32 ttmp9, ttmp5, 0 */
	0xdc508000, 0x00740008, /* global_load_dword v0, v8, ttmp[8:9] */
	0xdc508100, 0x01740008, /* global_load_dword v1, v8, ttmp[8:9] offset:256 */
	0xdc508200, 0x02740008, /* global_load_dword v2, v8, ttmp[8:9] offset:512 */
	0xdc508300, 0x03740008, /* global_load_dword v3, v8, ttmp[8:9] offset:768 */
	0xbf8c0f70, /* s_waitcnt vmcnt(0) */
	0xd81a0000, 0x00000008, /* ds_write_b32 v8, v0 */
	0xd81a0100, 0x00000108, /* ds_write_b32 v8, v1 offset:256 */
	0xd81a0200, 0x00000208, /* ds_write_b32 v8, v2 offset:512 */
	0xd81a0300, 0x00000308, /* ds_write_b32 v8, v3 offset:768 */
	0xdc508000, 0x00700008, /* global_load_dword v0, v8, ttmp[4:5] */
	0xdc508100, 0x01700008, /* global_load_dword v1, v8, ttmp[4:5] offset:256 */
	0xdc508200, 0x02700008, /* global_load_dword v2, v8, ttmp[4:5] offset:512 */
	0xdc508300, 0x03700008, /* global_load_dword v3, v8, ttmp[4:5] offset:768 */
	0xdc508400, 0x04700008, /* global_load_dword v4, v8, ttmp[4:5] offset:1024 */
	0xdc508500, 0x05700008, /* global_load_dword v5, v8, ttmp[4:5] offset:1280 */
	0xdc508600, 0x06700008, /* global_load_dword v6, v8, ttmp[4:5] offset:1536 */
	0xc00a0038, 0x00000c00, /* s_load_dwordx4 s[0:3], ttmp[4:5], 0xc00 */
	0xc00a0138, 0x00000c10, /* s_load_dwordx4 s[4:7], ttmp[4:5], 0xc10 */
	0xc00a0238, 0x00000c20, /* s_load_dwordx4 s[8:11], ttmp[4:5], 0xc20 */
	0xc00a1b38, 0x00000dc0, /* s_load_dwordx4 ttmp[0:3], ttmp[4:5], 0xdc0 */
	0xc0021e38, 0x00000dd0, /* s_load_dword ttmp12, ttmp[4:5], 0xdd0 */
	0xbf8c0070, /* s_waitcnt vmcnt(0) lgkmcnt(0) */
	0xbefe016e, /* s_mov_b64 exec, ttmp[2:3] */
	0x866dff6d, 0x0000ffff, /* s_and_b32 ttmp1, ttmp1, 0xffff */
	0xb9780002, /* s_setreg_b32 hwreg(HW_REG_STATUS, 0, 1), ttmp12 */
	0xbf8a0000, /* s_barrier */
	0xbe801f6c, /* s_rfe_b64 ttmp[0:1] */
};

struct bench {
	struct device *d;
	struct ring ring;
	struct buffer image, sync, out, area;
	uint64_t *done;
	uint32_t items;
};

static void bench_open(struct bench *b, struct device *d, uint32_t groups, uint32_t rounds,
		       uint32_t area_bytes)
{
	uint32_t *descriptor, *mqd;

	b->d = d;
	b->items = groups * GROUP;
	b->image = device_alloc_absent(d, VMID, 2 * PAGE);
	device_map(d, VMID, b->image.va, b->image.bus | PTE_GUEST | PTE_EXECUTABLE, 2 * PAGE);
	b->out = device_alloc(d, VMID, 4ULL * b->items);
	b->area = device_alloc(d, VMID, area_bytes);
	b->sync = device_alloc(d, VMID, PAGE);
	b->done = &b->sync.u64[1];
	descriptor = b->image.u32;
	descriptor[4] = CODE_AT;
	descriptor[12] = 0x00ac0042; /* 12 VGPRs, 16 SGPRs */
	descriptor[13] = 0x00000084; /* 2 user SGPRs, group id x */
	descriptor[14] = 8; /* kernel arguments */
	memcpy(b->image.u8 + CODE_AT, mix_kernel, sizeof(mix_kernel));
	memcpy(b->image.u8 + HANDLER_AT, trap_handler, sizeof(trap_handler));
	b->image.u64[KERNARG_AT / 8] = b->out.va;
	b->image.u64[KERNARG_AT / 8 + 1] = rounds;
	reg_out(d, GRBM_GFX_CNTL, VMID << 4);
	reg_out(d, SQ_SHADER_TBA_LO, LO((b->image.va + HANDLER_AT) >> 8));
	reg_out(d, SQ_SHADER_TBA_HI, HI((b->image.va + HANDLER_AT) >> 8));
	start_hqd(d, &b->ring, 1, 0, 0, VMID, true);
	stop_hqd(d, 1, 0, 0);
	mqd = (uint32_t *)(void *)(d->gpu->mem.vram + b->ring.mqd - GMC_VRAM_BASE);
	mqd[171] = LO(b->area.va);
	mqd[172] = HI(b->area.va);
	mqd[174] = mqd[175] = mqd[176] = HQD_STACK_BYTES;
	mqd[177] = area_bytes;
	restart_hqd(&b->ring, 1, 0, 0);
}

static void emit_dispatch(struct bench *b)
{
	uint64_t kernarg = b->image.va + KERNARG_AT;

	*b->done = 1;
	EMIT(&b->ring, DISPATCH | 2u << 9 | 1 << 16, GROUP | 1u << 16, 1, b->items, 1, 1, 0, 4 * GROUP,
	     LO(b->image.va), HI(b->image.va), LO(kernarg), HI(kernarg), 0, 0, LO(b->sync.va),
	     HI(b->sync.va));
	kick(&b->ring);
}

static void check_out(const struct bench *b, uint32_t rounds)
{
	uint32_t group[GROUP], mixed[GROUP];

	for (uint32_t first = 0; first < b->items; first += GROUP) {
		for (uint32_t i = 0; i < GROUP; i++)
			group[i] = first + i;
		for (uint32_t round = 0; round < rounds; round++) {
			for (uint32_t i = 0; i < GROUP; i++)
				group[i] = group[i] * 0x19660d + 0x3c6ef35f;
			for (uint32_t i = 0; i < GROUP; i++)
				mixed[i] = group[i] ^ group[i ^ 64];
			memcpy(group, mixed, sizeof(group));
		}
		for (uint32_t i = 0; i < GROUP; i++)
			assert_int_equal(b->out.u32[first + i], group[i]);
	}
}

/* The device runs for a real millisecond or so. */
static void run_a_little(struct device *d, unsigned int us)
{
	struct timespec pause = {.tv_nsec = us * 1000};

	vgpu_run(d->gpu);
	nanosleep(&pause, NULL);
	vgpu_run(d->gpu);
}

static void evict(struct bench *b)
{
	struct device *d = b->d;

	select_hqd(d, 1, 0, 0);
	reg_out(d, CP_HQD_DEQUEUE_REQUEST, 3);
	device_run(d);
	assert_int_equal(reg_in(d, CP_HQD_ACTIVE), 0);
	select_hqd(d, 0, 0, 0);
	assert_int_equal(d->gpu->shader->occupancy.waves, 0);
}

static void a_dispatch_with_group_memory_runs(void **state)
{
	struct bench b;

	bench_open(&b, *state, 20, 10, 1u << 20);
	emit_dispatch(&b);
	assert_true(device_run(b.d));
	assert_int_equal(*b.done, 0);
	check_out(&b, 10);
}

static void a_stopped_queue_goes_on_where_it_was(void **state)
{
	struct bench b;
	unsigned int evictions = 0;

	bench_open(&b, *state, 20, 3000, 1u << 20);
	emit_dispatch(&b);
	while (*b.done) {
		run_a_little(b.d, 500 + evictions * 37 % 1000);
		evict(&b);
		evictions++;
		restart_hqd(&b.ring, 1, 0, 0);
		vgpu_run(b.d->gpu);
	}
	assert_true(device_run(b.d));
	assert_true(evictions > 5);
	assert_true(b.d->gpu->shader->stats.saved > 100);
	check_out(&b, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_dispatch_with_group_memory_runs),
		T(a_stopped_queue_goes_on_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
