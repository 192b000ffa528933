// SPDX-License-Identifier: MIT
/*
 * Many processes take many retry faults at once, on both hubs: SDMA faults arrive through MMHUB,
 * those of the command processor through GFXHUB. No byte may be lost.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "drm.h"
#include "ksft.h"
#include "pattern.h"
#include "pm4_packets.h"
#include "queue.h"
#include "sdma_packets.h"
#include "svm_memory.h"

#define GRANULE_BYTES 65536u
#define GRANULE_ORDER 4 /* pages of a granule, log2 */
#define LIMIT_S       3000
#define WAIT_MS       120000

static unsigned int processes = 4;
static unsigned int faults = 200; /* of each process in a round, at least */
static unsigned int rounds = 1;	  /* of SVM faults; each has memory of its own */
static uint64_t seed = 1;

/* Sums over all processes, shared. */
static struct totals {
	unsigned int granules;
	unsigned int faults;
	unsigned int to_vram;
	unsigned int to_ram;
} *totals;

static struct gate *gate;

/* What is copied within one granule. */
struct piece {
	uint32_t offset;
	uint32_t bytes;
	bool copied;
};

struct storm {
	struct kfd kfd;
	struct queue queues[2]; /* SDMA and PM4 */
	struct svm_events events;
	struct piece *pieces;
	uint8_t *src;
	uint8_t *dst;
	uint64_t bytes;
	uint64_t random;
};

static void storm_open(struct storm *storm, unsigned int index)
{
	unsigned int granules = (faults + 1) / 2; /* source and destination fault */

	storm->random = seed * 0x10001 + index;
	storm->bytes = (uint64_t)granules * GRANULE_BYTES;
	storm->pieces = calloc(granules, sizeof(*storm->pieces));
	ksft_assert(storm->pieces, "out of memory");
	kfd_open(&storm->kfd);
	kfd_require_xnack(&storm->kfd);
	svm_events_open(&storm->events, &storm->kfd);
	queue_create(&storm->queues[0], &storm->kfd, QUEUE_SDMA);
	queue_create(&storm->queues[1], &storm->kfd, QUEUE_PM4);
}

static void map_memory(struct storm *storm, unsigned int index)
{
	storm->src = svm_map(storm->bytes);
	storm->dst = svm_map(storm->bytes);
	svm_set_granularity(&storm->kfd, storm->src, storm->bytes, GRANULE_ORDER);
	svm_set_granularity(&storm->kfd, storm->dst, storm->bytes, GRANULE_ORDER);
	pattern_fill(storm->src, storm->bytes, seed + index);
}

static void copy_piece(struct storm *storm, unsigned int granule)
{
	struct piece *piece = &storm->pieces[granule];
	uint64_t at;

	piece->bytes = 1 + (uint32_t)pattern_below(&storm->random, 3 * 4096);
	piece->offset = (uint32_t)pattern_below(&storm->random, GRANULE_BYTES - piece->bytes);
	piece->copied = true;
	at = (uint64_t)granule * GRANULE_BYTES + piece->offset;
	queue_copy(&storm->queues[pattern_below(&storm->random, 2)], (uintptr_t)storm->dst + at,
		   (uintptr_t)storm->src + at, piece->bytes);
}

static void finish_queues(struct storm *storm)
{
	uint32_t fences[] = { queue_fence(&storm->queues[0]), queue_fence(&storm->queues[1]) };

	for (unsigned int i = 0; i < 2; i++)
		ksft_assert(queue_wait_for(&storm->queues[i], fences[i], WAIT_MS),
			    "%s queue stuck after %u ms at rptr 0x%llx, wptr 0x%llx",
			    queue_type_name(storm->queues[i].type), WAIT_MS,
			    (unsigned long long)queue_rptr(&storm->queues[i]),
			    (unsigned long long)storm->queues[i].wptr);
	svm_events_read(&storm->events);
}

static void verify_granule(const struct storm *storm, unsigned int granule, unsigned int index)
{
	const struct piece *piece = &storm->pieces[granule];
	uint64_t at = (uint64_t)granule * GRANULE_BYTES;
	const uint8_t *dst = storm->dst + at;
	uint32_t end = piece->offset + piece->bytes;

	ksft_assert(piece->copied, "granule %u was not copied", granule);
	ksft_assert(pattern_not_byte(dst, piece->offset, 0) == piece->offset,
		    "process %u, granule %u: not 0 before the copied bytes", index, granule);
	ksft_assert(!memcmp(dst + piece->offset, storm->src + at + piece->offset, piece->bytes),
		    "process %u, granule %u: wrong byte in %u at %u", index, granule, piece->bytes,
		    piece->offset);
	ksft_assert(pattern_not_byte(dst + end, GRANULE_BYTES - end, 0) == GRANULE_BYTES - end,
		    "process %u, granule %u: not 0 behind the copied bytes", index, granule);
}

static void storm_close(struct storm *storm)
{
	unsigned int granules = (unsigned int)(storm->bytes / GRANULE_BYTES);

	svm_events_close(&storm->events);
	__atomic_add_fetch(&totals->granules, granules * rounds, __ATOMIC_RELAXED);
	__atomic_add_fetch(&totals->faults, storm->events.faults, __ATOMIC_RELAXED);
	__atomic_add_fetch(&totals->to_vram, storm->events.to_vram, __ATOMIC_RELAXED);
	__atomic_add_fetch(&totals->to_ram, storm->events.to_ram, __ATOMIC_RELAXED);
	queue_destroy(&storm->queues[0]);
	queue_destroy(&storm->queues[1]);
	free(storm->pieces);
	kfd_close(&storm->kfd);
}

static void shuffle(struct storm *storm, unsigned int *order, unsigned int granules)
{
	for (unsigned int i = 0; i < granules; i++) { /* Fisher-Yates */
		unsigned int j = (unsigned int)pattern_below(&storm->random, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

/* Every granule of fresh memory once, in random order. */
static void svm_round(struct storm *storm, unsigned int *order, unsigned int index)
{
	unsigned int granules = (unsigned int)(storm->bytes / GRANULE_BYTES);

	map_memory(storm, index);
	shuffle(storm, order, granules);
	for (unsigned int i = 0; i < granules; i++) {
		copy_piece(storm, order[i]);
		if (i % 16 == 15)
			finish_queues(storm);
	}
	finish_queues(storm);
	pattern_assert(storm->src, storm->bytes, seed + index, "source");
	for (unsigned int i = 0; i < granules; i++)
		verify_granule(storm, i, index);
	svm_unmap(storm->src, storm->bytes);
	svm_unmap(storm->dst, storm->bytes);
}

static void svm_process(unsigned int index)
{
	struct storm storm;
	unsigned int *order;

	storm_open(&storm, index);
	order = calloc(storm.bytes / GRANULE_BYTES, sizeof(*order));
	ksft_assert(order, "out of memory");
	gate_pass(gate, WAIT_MS);
	for (unsigned int i = 0; i < rounds; i++)
		svm_round(&storm, order, index);
	free(order);
	storm_close(&storm);
}

static void share_totals(void)
{
	totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ksft_assert(totals != MAP_FAILED, "mmap");
	gate = gate_create(processes);
}

static void svm_faults_on_both_hubs(void)
{
	uint64_t begin_us = ksft_now_us();

	share_totals();
	process_run_all(svm_process, processes, LIMIT_S * 1000);
	ksft_print("seed %llu: %u processes, %u granules: %u faults, %u migrations to VRAM, %u back, %llu ms",
		   (unsigned long long)seed, processes, totals->granules, totals->faults,
		   totals->to_vram, totals->to_ram,
		   (unsigned long long)(ksft_now_us() - begin_us) / 1000);
	ksft_assert(totals->faults, "no GPU fault at all");
}

#define DRM_SLOT_BYTES 256 /* of the IB buffer, for one submission */
#define DRM_SLOTS      8   /* submissions in flight */
#define DRM_PIECE      1024

struct drm_storm {
	struct drm drm;
	struct drm_bo ib;
	struct drm_bo src;
	struct drm_bo dst;
	uint64_t unmapped; /* no page of it is ever mapped by us */
};

static void drm_storm_open(struct drm_storm *storm)
{
	uint64_t bytes = ((uint64_t)faults * DRM_PIECE + 4095) & ~4095ull;
	struct kfd_gpu gpu;

	kfd_find_gpu(&gpu);
	drm_open(&storm->drm, gpu.drm_render_minor);
	drm_bo_create(&storm->drm, &storm->ib, 2 * DRM_SLOTS * DRM_SLOT_BYTES,
		      AMDGPU_GEM_DOMAIN_GTT);
	drm_bo_create(&storm->drm, &storm->src, bytes, AMDGPU_GEM_DOMAIN_GTT);
	drm_bo_create(&storm->drm, &storm->dst, bytes, AMDGPU_GEM_DOMAIN_GTT);
	storm->unmapped = drm_reserve_va(&storm->drm, (uint64_t)faults << 16);
}

/* Faults on page number fault of the unmapped range, then copies a piece that can be checked. */
static uint64_t drm_fault(struct drm_storm *storm, unsigned int fault, uint32_t ip_type)
{
	const struct drm_bo *bos[] = { &storm->src, &storm->dst };
	uint64_t piece = (uint64_t)fault * DRM_PIECE;
	uint64_t unmapped = storm->unmapped + ((uint64_t)fault << 16);
	struct drm_ib ib = { .bo = &storm->ib,
			     .offset = fault % (2 * DRM_SLOTS) * DRM_SLOT_BYTES,
			     .ip_type = ip_type };
	uint32_t *dw = (uint32_t *)((uint8_t *)storm->ib.cpu + ib.offset);
	uint32_t n = 0;

	if (ip_type == AMDGPU_HW_IP_DMA) {
		n += sdma_copy_linear(dw + n, unmapped, storm->src.va + piece, 64);
		n += sdma_copy_linear(dw + n, storm->dst.va + piece, storm->src.va + piece,
				      DRM_PIECE);
		n += sdma_nop(dw + n, 8 - n % 8);
	} else {
		n += pm4_dma_data(dw + n, unmapped, storm->src.va + piece, 64);
		n += pm4_dma_data(dw + n, storm->dst.va + piece, storm->src.va + piece, DRM_PIECE);
		n += pm4_nop(dw + n, 8 - n % 8);
	}
	ib.dwords = n;
	return drm_submit(&storm->drm, &ib, bos, ARRAY_SIZE(bos));
}

/*
 * The driver lets submissions run on the same SDMA rings that write the page tables of graphics VMs.
 * When faulting submissions of several processes hold all of them, nobody can answer the faults; so
 * SDMA faults need page tables that the CPU writes.
 */
static bool sdma_faults_are_safe(void)
{
	int mode = kfd_module_parameter("vm_update_mode", -1);

	return mode >= 0 && mode & 1;
}

static void drm_process(unsigned int index)
{
	static const uint32_t ip_types[] = { AMDGPU_HW_IP_DMA, AMDGPU_HW_IP_COMPUTE };
	uint64_t sequences[2 * DRM_SLOTS] = { 0 };
	struct drm_storm storm;

	drm_storm_open(&storm);
	pattern_fill(storm.src.cpu, storm.src.bytes, seed + index);
	memset(storm.dst.cpu, 0, storm.dst.bytes);
	gate_pass(gate, WAIT_MS);
	for (unsigned int i = 0; i < faults + 2 * DRM_SLOTS; i++) {
		unsigned int slot = i % (2 * DRM_SLOTS);
		uint32_t ip_type = ip_types[sdma_faults_are_safe() ? i % 2 : 1];

		if (sequences[slot])
			ksft_assert(drm_wait(&storm.drm, ip_type, sequences[slot], WAIT_MS),
				    "process %u: submission %u not finished after %u ms", index,
				    i - 2 * DRM_SLOTS, WAIT_MS);
		sequences[slot] = i < faults ? drm_fault(&storm, i, ip_type) : 0;
	}
	pattern_assert(storm.dst.cpu, (uint64_t)faults * DRM_PIECE, seed + index, "destination");
	__atomic_add_fetch(&totals->granules, faults, __ATOMIC_RELAXED);
	drm_bo_destroy(&storm.drm, &storm.ib);
	drm_bo_destroy(&storm.drm, &storm.src);
	drm_bo_destroy(&storm.drm, &storm.dst);
	drm_close(&storm.drm);
}

static void graphics_vm_faults(void)
{
	uint64_t begin_us = ksft_now_us();

	if (kfd_module_parameter("noretry", -1) != 0)
		ksft_skip("amdgpu.noretry is not 0: a fault here would hang the ring");
	share_totals();
	process_run_all(drm_process, processes, LIMIT_S * 1000);
	ksft_print("seed %llu: %u processes, %u pages answered with the dummy page, %llu ms%s",
		   (unsigned long long)seed, processes, totals->granules,
		   (unsigned long long)(ksft_now_us() - begin_us) / 1000,
		   sdma_faults_are_safe() ? "" : "; GFXHUB only, for MMHUB set vm_update_mode=3");
}

static const struct ksft_test tests[] = {
	{ "svm_faults_on_both_hubs", svm_faults_on_both_hubs, LIMIT_S + 30 },
	{ "graphics_vm_faults", graphics_vm_faults, LIMIT_S + 30 },
};

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "processes", required_argument, NULL, 'p' },
		{ "faults", required_argument, NULL, 'f' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 's' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			processes = (unsigned int)strtoul(optarg, NULL, 0);
		else if (option == 'f')
			faults = (unsigned int)strtoul(optarg, NULL, 0);
		else if (option == 'r')
			rounds = (unsigned int)strtoul(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return KSFT_FAIL;
	}
	return ksft_run(tests, ARRAY_SIZE(tests), argv + optind);
}
