// SPDX-License-Identifier: MIT
/*
 * Waves on the GPU: many that wait for pages, and kernels whose queue is stopped under them. Code
 * is assembled with llvm-mc -triple=amdgcn -mcpu=gfx906.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ksft.h"
#include "pattern.h"
#include "shader.h"
#include "svm_memory.h"

#define PAGE_BYTES 4096u
#define WAVE_ITEMS 64u
#define KERNEL_MS  300000u /* software on a busy host */
#define STORED	   0x600dc0deu

/* Stores STORED where its argument says. */
static const uint32_t store_dwords[] = {
	0xc0060080, 0x00000000, /* s_load_dwordx2 s[2:3], s[0:1], 0x0 */
	0x7e000280,		/* v_mov_b32 v0, 0 */
	0x7e0202ff, STORED,	/* v_mov_b32 v1, STORED */
	0xbf8cc07f,		/* s_waitcnt lgkmcnt(0) */
	0xdc708000, 0x00020100, /* global_store_dword v0, v1, s[2:3] */
	0xbf8c0f70,		/* s_waitcnt vmcnt(0) */
	0xbf810000,		/* s_endpgm */
};

/* Group g adds g to the first 64 dwords of page g of the first argument, and stores them one group
 * after the other in the second.
 */
static const uint32_t gather_dwords[] = {
	0xc00a0100, 0x00000000, /* s_load_dwordx4 s[4:7], s[0:1], 0x0 */
	0x8e038c02,		/* s_lshl_b32 s3, s2, 12 */
	0x24020082,		/* v_lshlrev_b32_e32 v1, 2, v0 */
	0x68040203,		/* v_add_u32_e32 v2, s3, v1 */
	0x8e038802,		/* s_lshl_b32 s3, s2, 8 */
	0x68060203,		/* v_add_u32_e32 v3, s3, v1 */
	0xbf8cc07f,		/* s_waitcnt lgkmcnt(0) */
	0xdc508000, 0x04040002, /* global_load_dword v4, v2, s[4:5] */
	0xbf8c0f70,		/* s_waitcnt vmcnt(0) */
	0x68080802,		/* v_add_u32_e32 v4, s2, v4 */
	0xdc708000, 0x00060403, /* global_store_dword v3, v4, s[6:7] */
	0xbf810000,		/* s_endpgm */
};

/* Each item mixes its number with that of the item 64 further on, through group memory, as often as
 * the second argument says, and stores it in the first.
 */
static const uint32_t mix_dwords[] = {
	0xc0060100, 0x00000000, /* s_load_dwordx2 s[4:5], s[0:1], 0x0 */
	0xc0020180, 0x00000008, /* s_load_dword s6, s[0:1], 0x8 */
	0x8e038802,		/* s_lshl_b32 s3, s2, 8 */
	0x68020003,		/* v_add_u32_e32 v1, s3, v0 */
	0x24040282,		/* v_lshlrev_b32_e32 v2, 2, v1 */
	0x24080082,		/* v_lshlrev_b32_e32 v4, 2, v0 */
	0x2a0a08ff, 0x00000100, /* v_xor_b32_e32 v5, 0x100, v4 */
	0x7e060301,		/* v_mov_b32_e32 v3, v1 */
	0xbe8800ff, 0x0019660d, /* s_mov_b32 s8, 0x19660d */
	0xbe8900ff, 0x3c6ef35f, /* s_mov_b32 s9, 0x3c6ef35f */
	0xbf8cc07f,		/* s_waitcnt lgkmcnt(0) */
	0xd2850003, 0x00001103, /* v_mul_lo_u32 v3, v3, s8 */
	0x68060609,		/* v_add_u32_e32 v3, s9, v3 */
	0xd81a0000, 0x00000304, /* ds_write_b32 v4, v3 */
	0xbf8cc07f,		/* s_waitcnt lgkmcnt(0) */
	0xbf8a0000,		/* s_barrier */
	0xd86c0000, 0x06000005, /* ds_read_b32 v6, v5 */
	0xbf8cc07f,		/* s_waitcnt lgkmcnt(0) */
	0xbf8a0000,		/* s_barrier */
	0x2a060d03,		/* v_xor_b32_e32 v3, v3, v6 */
	0x80868106,		/* s_sub_u32 s6, s6, 1 */
	0xbf078006,		/* s_cmp_lg_u32 s6, 0 */
	0xbf85fff1,		/* s_cbranch_scc1 loop */
	0xdc708000, 0x00040302, /* global_store_dword v2, v3, s[4:5] */
	0xbf810000,		/* s_endpgm */
};

#define CODE(name)                                       \
	{                                                \
		name##_dwords, ARRAY_SIZE(name##_dwords) \
	}
static const struct shader_code store_code = CODE(store), gather_code = CODE(gather),
				mix_code = CODE(mix);

static void gpu_open(struct kfd *kfd, struct queue *queue)
{
	kfd_open(kfd);
	if (kfd->gpu.gfx_target_version != SHADER_GFX_TARGET_VERSION)
		ksft_skip("the kernels are for gfx906");
	queue_create(queue, kfd, QUEUE_AQL);
}

static void gpu_close(struct kfd *kfd, struct queue *queue)
{
	queue_destroy(queue);
	kfd_close(kfd);
}

static void a_dispatch_stores_a_value(void)
{
	struct shader_kernel kernel;
	struct queue queue;
	struct kfd_bo bo;
	struct kfd kfd;

	gpu_open(&kfd, &queue);
	kfd_bo_alloc(&kfd, &bo, PAGE_BYTES, KFD_BO_GTT);
	memset(bo.cpu, 0, PAGE_BYTES);
	shader_load(&kernel, &kfd, &store_code);
	shader_dispatch(&kernel, &queue, 1, 1, 0, (const uint64_t[]){ bo.va, 0 });
	ksft_assert(shader_wait(&kernel, KERNEL_MS), "the dispatch does not complete");
	ksft_assert(*(uint32_t *)bo.cpu == STORED, "it has completed without running");
	shader_unload(&kernel);
	kfd_bo_free(&kfd, &bo);
	gpu_close(&kfd, &queue);
}

/*
 * More waves than the 2,560 that are in residence at once, each on an absent page of its own, each
 * page a fault of its own. WAVES in the environment says how many.
 */
#define GATHER_WAVES 3000u
#define MAX_WAVES    20000u

static uint32_t wanted_waves(void)
{
	const char *value = getenv("WAVES");
	unsigned long waves = value ? strtoul(value, NULL, 0) : GATHER_WAVES;

	ksft_assert(waves && waves <= MAX_WAVES, "WAVES=%s is not 1 to %u", value, MAX_WAVES);
	return (uint32_t)waves;
}

static void every_wave_faults(void)
{
	uint32_t waves = wanted_waves();
	uint64_t in_bytes = (uint64_t)waves * PAGE_BYTES;
	uint64_t out_bytes = 4ULL * waves * WAVE_ITEMS;
	struct shader_kernel kernel;
	struct svm_events events;
	uint32_t *in, *out;
	struct queue queue;
	struct kfd kfd;

	gpu_open(&kfd, &queue);
	kfd_require_xnack(&kfd);
	svm_events_open(&events, &kfd);
	in = svm_map(in_bytes);
	out = svm_map(out_bytes);
	pattern_fill((uint8_t *)in, in_bytes, 5);
	svm_set_granularity(&kfd, in, in_bytes, 0);
	shader_load(&kernel, &kfd, &gather_code);
	shader_dispatch(&kernel, &queue, waves, WAVE_ITEMS, 0,
			(const uint64_t[]){ (uintptr_t)in, (uintptr_t)out });
	for (unsigned int i = 0; i < KERNEL_MS / 10 && !shader_is_done(&kernel); i++) {
		svm_events_read(&events);
		usleep(10000);
	}
	ksft_assert(shader_is_done(&kernel), "the dispatch does not complete");
	svm_events_read(&events);
	ksft_print("%u waves, %u faults, %u migrations to VRAM", waves, events.faults,
		   events.to_vram);
	for (uint32_t group = 0; group < waves; group++) {
		const uint32_t *page = in + (uint64_t)group * PAGE_BYTES / 4;

		for (uint32_t item = 0; item < WAVE_ITEMS; item++)
			ksft_assert(out[group * WAVE_ITEMS + item] == page[item] + group,
				    "group %u, item %u", group, item);
	}
	shader_unload(&kernel);
	svm_unmap(in, in_bytes);
	svm_unmap(out, out_bytes);
	svm_events_close(&events);
	gpu_close(&kfd, &queue);
}

#define MIX_GROUPS 12u
#define MIX_SIZE   256u
#define MIX_ROUNDS 4000u
#define MIX_BYTES  (4u * MIX_GROUPS * MIX_SIZE)
#define EVICTIONS  100u

static void mix(struct shader_kernel *kernel, struct queue *queue, const struct kfd_bo *out)
{
	memset(out->cpu, 0, MIX_BYTES);
	shader_dispatch(kernel, queue, MIX_GROUPS, MIX_SIZE, 4 * MIX_SIZE,
			(const uint64_t[]){ out->va, MIX_ROUNDS });
}

/* The CPU's result of the first group; that of others would take it too long. */
static void check_first_group(const uint32_t *out)
{
	uint32_t now[MIX_SIZE], next[MIX_SIZE];

	for (uint32_t i = 0; i < MIX_SIZE; i++)
		now[i] = i;
	for (uint32_t round = 0; round < MIX_ROUNDS; round++) {
		for (uint32_t i = 0; i < MIX_SIZE; i++)
			now[i] = now[i] * 0x19660d + 0x3c6ef35f;
		for (uint32_t i = 0; i < MIX_SIZE; i++)
			next[i] = now[i] ^ now[i ^ 64];
		memcpy(now, next, sizeof(now));
	}
	for (uint32_t i = 0; i < MIX_SIZE; i++)
		ksft_assert(out[i] == now[i], "item %u is 0x%08x, not 0x%08x", i, out[i], now[i]);
}

/* Kernels whose queue is taken from them and given back have the result of those left alone. */
static void stopped_kernels_go_on_where_they_were(void)
{
	unsigned int evictions = 0, dispatches = 0;
	static uint8_t expected[MIX_BYTES];
	struct shader_kernel kernel;
	struct queue queue;
	struct kfd_bo out;
	struct kfd kfd;

	gpu_open(&kfd, &queue);
	kfd_bo_alloc(&kfd, &out, MIX_BYTES, KFD_BO_GTT);
	shader_load(&kernel, &kfd, &mix_code);
	mix(&kernel, &queue, &out);
	ksft_assert(shader_wait(&kernel, KERNEL_MS), "the dispatch does not complete");
	memcpy(expected, out.cpu, MIX_BYTES);
	check_first_group(out.cpu);
	while (evictions < EVICTIONS) {
		mix(&kernel, &queue, &out);
		dispatches++;
		while (!shader_is_done(&kernel)) {
			queue_update(&queue, 0);
			evictions += !shader_is_done(&kernel);
			queue_update(&queue, 100);
			usleep(evictions * 331 % 3000);
			ksft_assert(evictions < 100 * EVICTIONS, "it does not get on");
		}
		ksft_assert(!memcmp(out.cpu, expected, MIX_BYTES),
			    "another result after %u evictions", evictions);
	}
	ksft_print("%u evictions in %u dispatches", evictions, dispatches);
	shader_unload(&kernel);
	kfd_bo_free(&kfd, &out);
	gpu_close(&kfd, &queue);
}

static const struct ksft_test tests[] = {
	{ "a_dispatch_stores_a_value", a_dispatch_stores_a_value, 0 },
	{ "stopped_kernels_go_on_where_they_were", stopped_kernels_go_on_where_they_were, 600 },
	{ "every_wave_faults", every_wave_faults, 600 },
};

int main(int argc, char **argv)
{
	(void)argc;
	return ksft_run(tests, ARRAY_SIZE(tests), argv + 1);
}
