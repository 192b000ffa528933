// SPDX-License-Identifier: MIT
/* Command submission of graphics VMs to the kernel's SDMA and compute rings. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "drm.h"
#include "kfd.h"
#include "ksft.h"
#include "pattern.h"
#include "pm4_packets.h"
#include "sdma_packets.h"

#define AREA_BYTES  (4u << 20)
#define IB_BYTES    65536
#define IB_ALIGN_DW 8 /* the SDMA rings want whole groups of dwords */
#define WAIT_MS     60000
#define PROCESSES   4

static unsigned int rounds = 50;
static uint64_t seed = 1;

/* Memory of both kinds and an indirect buffer under construction. */
struct bench {
	struct drm drm;
	struct drm_bo ib;
	struct drm_bo vram;
	struct drm_bo gtt;
	struct drm_bo result;
	uint32_t ib_dwords;
};

static void bench_open(struct bench *bench)
{
	struct kfd_gpu gpu;

	kfd_find_gpu(&gpu);
	drm_open(&bench->drm, gpu.drm_render_minor);
	drm_bo_create(&bench->drm, &bench->ib, IB_BYTES, AMDGPU_GEM_DOMAIN_GTT);
	drm_bo_create(&bench->drm, &bench->vram, AREA_BYTES, AMDGPU_GEM_DOMAIN_VRAM);
	drm_bo_create(&bench->drm, &bench->gtt, AREA_BYTES, AMDGPU_GEM_DOMAIN_GTT);
	drm_bo_create(&bench->drm, &bench->result, AREA_BYTES, AMDGPU_GEM_DOMAIN_GTT);
	bench->ib_dwords = 0;
}

static void bench_close(struct bench *bench)
{
	drm_bo_destroy(&bench->drm, &bench->ib);
	drm_bo_destroy(&bench->drm, &bench->vram);
	drm_bo_destroy(&bench->drm, &bench->gtt);
	drm_bo_destroy(&bench->drm, &bench->result);
	drm_close(&bench->drm);
}

static uint32_t *ib_tail(const struct bench *bench)
{
	return (uint32_t *)bench->ib.cpu + bench->ib_dwords;
}

static void ib_copy(struct bench *bench, uint64_t dst, uint64_t src, uint32_t bytes)
{
	bench->ib_dwords += sdma_copy_linear(ib_tail(bench), dst, src, bytes);
}

static uint64_t ib_submit(struct bench *bench, uint32_t ip_type)
{
	const struct drm_bo *bos[] = { &bench->vram, &bench->gtt, &bench->result };
	struct drm_ib ib = { .bo = &bench->ib, .ip_type = ip_type };

	while (bench->ib_dwords % IB_ALIGN_DW)
		*ib_tail(bench) = ip_type == AMDGPU_HW_IP_DMA ? 0 : PM4_NOP_DWORD,
		bench->ib_dwords++;
	ib.dwords = bench->ib_dwords;
	bench->ib_dwords = 0;
	return drm_submit(&bench->drm, &ib, bos, ARRAY_SIZE(bos));
}

static void ib_run(struct bench *bench, uint32_t ip_type)
{
	uint64_t sequence = ib_submit(bench, ip_type);

	ksft_assert(drm_wait(&bench->drm, ip_type, sequence, WAIT_MS),
		    "submission %llu not finished after %u ms", (unsigned long long)sequence,
		    WAIT_MS);
}

/* A list of copies at random places, repeated on the CPU to know what must come out. */
static void random_copies(unsigned int index)
{
	uint64_t random = seed * 1000 + index;
	uint8_t *expected = malloc(AREA_BYTES);
	struct bench bench;

	ksft_assert(expected, "out of memory");
	bench_open(&bench);
	for (unsigned int round = 0; round < rounds; round++) {
		pattern_fill(bench.gtt.cpu, AREA_BYTES, random);
		memset(bench.result.cpu, 0, AREA_BYTES);
		memset(expected, 0, AREA_BYTES);
		ib_copy(&bench, bench.vram.va, bench.gtt.va, AREA_BYTES);
		for (unsigned int i = 0; i < 20; i++) {
			uint32_t bytes = 1 + (uint32_t)pattern_below(&random, 1u << (i % 21));
			uint64_t src = pattern_below(&random, AREA_BYTES - bytes);
			uint64_t dst = pattern_below(&random, AREA_BYTES - bytes);

			ib_copy(&bench, bench.result.va + dst,
				(i % 3 ? bench.vram.va : bench.gtt.va) + src, bytes);
			memcpy(expected + dst, (uint8_t *)bench.gtt.cpu + src, bytes);
		}
		ib_run(&bench, AMDGPU_HW_IP_DMA);
		ksft_assert(!memcmp(bench.result.cpu, expected, AREA_BYTES),
			    "process %u, round %u: wrong data", index, round);
	}
	bench_close(&bench);
	free(expected);
}

static void random_copies_between_vram_and_gtt(void)
{
	random_copies(0);
}

static void processes_copy_at_once(void)
{
	struct kfd_gpu gpu;

	kfd_find_gpu(&gpu);
	process_run_all(random_copies, PROCESSES, KSFT_LIMIT_S * 1000);
}

static void submissions_finish_in_order(void)
{
	struct bench bench;
	uint64_t sequences[32];
	uint32_t *counter;

	bench_open(&bench);
	counter = bench.result.cpu;
	for (uint32_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		const struct drm_bo *bos[] = { &bench.result };
		struct drm_ib ib = { .bo = &bench.ib,
				     .offset = i * 256,
				     .dwords = IB_ALIGN_DW,
				     .ip_type = AMDGPU_HW_IP_DMA };
		uint32_t *dw = (uint32_t *)bench.ib.cpu + i * 64;

		memset(dw, 0, IB_ALIGN_DW * 4);
		sdma_fence(dw, bench.result.va, i + 1);
		sequences[i] = drm_submit(&bench.drm, &ib, bos, 1);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		ksft_assert(drm_wait(&bench.drm, AMDGPU_HW_IP_DMA, sequences[i], WAIT_MS),
			    "submission %u of %zu does not finish", i, ARRAY_SIZE(sequences));
		ksft_assert(*counter > i, "submission %u is signalled before it ran", i);
	}
	ksft_assert(*counter == ARRAY_SIZE(sequences), "the last value is %u", *counter);
	bench_close(&bench);
}

static void compute_ring_runs_pm4(void)
{
	struct bench bench;
	uint32_t *result;

	bench_open(&bench);
	result = bench.result.cpu;
	pattern_fill(bench.gtt.cpu, 4096, seed);
	memset(result, 0, 8192);
	bench.ib_dwords += pm4_dma_data(ib_tail(&bench), bench.vram.va, bench.gtt.va, 4096);
	bench.ib_dwords += pm4_dma_data(ib_tail(&bench), bench.result.va, bench.vram.va, 4096);
	bench.ib_dwords +=
		pm4_write_data(ib_tail(&bench), bench.result.va + 4096, &(uint32_t){ 0xc0de }, 1);
	ib_run(&bench, AMDGPU_HW_IP_COMPUTE);
	pattern_assert(result, 4096, seed, "through VRAM");
	ksft_assert(result[1024] == 0xc0de, "WRITE_DATA stored 0x%x", result[1024]);
	bench_close(&bench);
}

static void require_retry_faults(void)
{
	if (kfd_module_parameter("noretry", -1) != 0)
		ksft_skip("amdgpu.noretry is not 0: a fault here would hang the ring");
}

/* The driver answers a fault of a graphics VM with its dummy page, and the engine goes on. */
static void sdma_fault_is_answered_with_the_dummy_page(void)
{
	struct bench bench;
	uint64_t unmapped;

	require_retry_faults();
	bench_open(&bench);
	for (unsigned int round = 0; round < rounds; round++) {
		unmapped = drm_reserve_va(&bench.drm, 1 << 20);
		pattern_fill(bench.gtt.cpu, 4096, seed + round);
		memset(bench.result.cpu, 0, 8192);
		ib_copy(&bench, unmapped, bench.gtt.va, 4096);
		ib_copy(&bench, bench.result.va, unmapped, 4096);
		ib_copy(&bench, bench.result.va + 4096, bench.gtt.va, 4096);
		ib_run(&bench, AMDGPU_HW_IP_DMA);
		pattern_assert((uint8_t *)bench.result.cpu + 4096, 4096, seed + round,
			       "behind the fault");
		pattern_assert(bench.result.cpu, 4096, seed + round, "through the dummy page");
	}
	bench_close(&bench);
}

static void compute_fault_is_answered_with_the_dummy_page(void)
{
	struct bench bench;
	uint64_t unmapped;

	require_retry_faults();
	bench_open(&bench);
	for (unsigned int round = 0; round < rounds; round++) {
		unmapped = drm_reserve_va(&bench.drm, 1 << 20);
		pattern_fill(bench.gtt.cpu, 4096, seed - round);
		memset(bench.result.cpu, 0, 4096);
		bench.ib_dwords += pm4_dma_data(ib_tail(&bench), unmapped, bench.gtt.va, 64);
		bench.ib_dwords +=
			pm4_dma_data(ib_tail(&bench), bench.result.va, bench.gtt.va, 4096);
		ib_run(&bench, AMDGPU_HW_IP_COMPUTE);
		pattern_assert(bench.result.cpu, 4096, seed - round, "behind the fault");
	}
	bench_close(&bench);
}

static const struct ksft_test tests[] = {
	{ "random_copies_between_vram_and_gtt", random_copies_between_vram_and_gtt, 0 },
	{ "processes_copy_at_once", processes_copy_at_once, 300 },
	{ "submissions_finish_in_order", submissions_finish_in_order, 0 },
	{ "compute_ring_runs_pm4", compute_ring_runs_pm4, 0 },
	{ "sdma_fault_is_answered_with_the_dummy_page", sdma_fault_is_answered_with_the_dummy_page,
	  0 },
	{ "compute_fault_is_answered_with_the_dummy_page",
	  compute_fault_is_answered_with_the_dummy_page, 0 },
};

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 's' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			rounds = (unsigned int)strtoul(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return KSFT_FAIL;
	}
	return ksft_run(tests, ARRAY_SIZE(tests), argv + optind);
}
