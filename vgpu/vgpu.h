/* SPDX-License-Identifier: MIT */
/*
 * The device: one struct per engine, owned by the one thread that serves the client and runs the
 * queues. Nothing in here is locked; the threads that run waves are shader/'s own affair.
 */
#ifndef VGPU_VGPU_H
#define VGPU_VGPU_H

#include <stdint.h>
#include <stdio.h>

#include "cam.h"
#include "cp.h"
#include "gmc.h"
#include "hws.h"
#include "ih.h"
#include "inject.h"
#include "link.h"
#include "mem.h"
#include "pci.h"
#include "psp.h"
#include "queue.h"
#include "reg.h"
#include "sched.h"
#include "sdma.h"
#include "shader.h"
#include "trace.h"

#define VGPU_MIN_VRAM	    (256ULL << 20)
#define VGPU_MAX_VRAM	    (8ULL << 30)

struct vgpu_stats {
	uint64_t reg_reads, reg_writes;
	uint64_t doorbells, doorbells_dropped;
	uint64_t interrupts, interrupts_failed;
	uint64_t ivs, ivs_dropped;
	uint64_t retry_faults, noretry_faults;
	uint64_t cam_acks, cam_acks_spurious, cam_full;
	uint64_t tlb_invalidations;
	uint64_t time_slices;
	uint64_t errors;
};

struct vgpu {
	struct mem mem;
	struct pci_config pci;
	struct reg_file regs;
	struct hub hubs[NUM_HUBS];
	uint64_t tlb; /* setting: 0 walks the page tables at every access */
	struct ih ih;
	struct cam cam;
	struct sdma sdma[SDMA_ENGINES];
	struct cp cp;
	struct psp psp;
	struct hws hws;
	struct sched sched;
	struct link link;
	struct inject inject;
	struct vgpu_stats stats;
	struct shader *shader;
	FILE *trace_file;
	uint8_t rom[PCI_ROM_BYTES];
	uint32_t packet[QUEUE_MAX_PACKET]; /* the one that is being executed */
};

/* -ENOMEM and what the kernel says of mapping the VRAM. threads run waves; 0: as many as fit. */
int vgpu_init(struct vgpu *dev, uint64_t vram_bytes, uint64_t seed, unsigned int threads);
void vgpu_fini(struct vgpu *dev);
/* Function level reset: registers and engines as after power-on; VRAM keeps its content. */
void vgpu_reset(struct vgpu *dev);

/* Accesses of the client to the regions. 0 or -errno. */
int vgpu_region_read(struct vgpu *dev, unsigned int region, uint64_t offset, void *data,
		     uint32_t bytes);
int vgpu_region_write(struct vgpu *dev, unsigned int region, uint64_t offset, const void *data,
		      uint32_t bytes);

/* Runs what is due. Returns the time to call again: 0 at once, UINT64_MAX when something comes. */
uint64_t vgpu_run(struct vgpu *dev);

/* Memory at a VMID 0 address, for descriptors that the driver hands to the firmware. */
void vgpu_read(struct vgpu *dev, uint64_t va, void *data, uint64_t bytes);
void vgpu_write(struct vgpu *dev, uint64_t va, const void *data, uint64_t bytes);

uint64_t now_ns(void); /* CLOCK_MONOTONIC */
uint64_t gpu_clock(const struct vgpu *dev); /* 100 MHz, as the ROM's smu_info announces */

#endif
