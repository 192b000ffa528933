/* SPDX-License-Identifier: MIT */
/*
 * The memory controller: two hubs (GFX for the command processor and shaders, MM for SDMA), each
 * with 16 address spaces (VMIDs), a page walker, a translation cache and fault registers.
 */
#ifndef VGPU_GMC_H
#define VGPU_GMC_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"
#include "tlb.h"

struct vgpu;

#define GMC_NUM_VMIDS  16
#define GMC_PAGE_SHIFT 12
#define GMC_PAGE_BYTES (1u << GMC_PAGE_SHIFT)
#define GMC_VA_MASK    0x0000ffffffffffffULL
#define GMC_VRAM_BASE  0x8000000000ULL /* of VRAM in VMID 0 (MC_VM_FB_LOCATION) */
#define GMC_VRAM_SHIFT 28 /* its least size: one translation covers as much */

#define GMC_READ  1u
#define GMC_WRITE 2u
#define GMC_EXEC  4u

/* Page table and directory entries (amdgpu_vm.h: AMDGPU_PTE_*, AMDGPU_PDE_*). */
#define PTE_VALID	 (1ULL << 0)
#define PTE_SYSTEM	 (1ULL << 1)
#define PTE_EXECUTABLE	 (1ULL << 4)
#define PTE_READABLE	 (1ULL << 5)
#define PTE_WRITEABLE	 (1ULL << 6)
#define PTE_FRAGMENT(e)	 (((e) >> 7) & 0x1f)
#define PTE_PRT		 (1ULL << 51)
#define PDE_PTE		 (1ULL << 54)
#define PTE_TF		 (1ULL << 56)
#define PTE_ADDRESS	 0x0000fffffffff000ULL
#define PDE_ADDRESS	 0x0000ffffffffffc0ULL
#define PTE_NORETRY	 (PTE_EXECUTABLE | PDE_PTE | PTE_TF) /* AMDGPU_VM_NORETRY_FLAGS */
#define PTE_NORETRY_TF	 (PTE_VALID | PTE_SYSTEM | PTE_PRT) /* AMDGPU_VM_NORETRY_FLAGS_TF */

enum hub_id { HUB_GFX, HUB_MM, NUM_HUBS };

struct hub {
	const char *name;
	uint32_t regs; /* VM_CONTEXT0_CNTL */
	uint32_t pasid_lut; /* IH's PASID of VMID 0 */
	uint8_t ih_client;
	uint8_t vmid_src;
	struct tlb tlb;
};

enum gmc_status {
	GMC_OK,
	GMC_RETRY, /* absent: the access waits until the driver answers the retry fault */
	GMC_NORETRY, /* refused: the access reads zeros or is dropped, after gmc_report_fault() */
	GMC_PRT, /* partially resident texture: the same without a report */
};

/* What a page table entry says of an address. */
struct gmc_page {
	uint64_t physical; /* of the address itself */
	uint8_t shift; /* of the fragment around it */
	uint8_t access;
	bool system;
};

void gmc_init(struct vgpu *dev);
void gmc_reset(struct vgpu *dev);

/*
 * What memory is at va in the address space vmid. On GMC_OK the span reaches from va at most to the
 * end of its fragment and holds at least one byte; its ptr is NULL if nothing answers there.
 */
enum gmc_status gmc_translate(struct vgpu *dev, struct hub *hub, uint8_t vmid, uint64_t va,
			      unsigned int access, struct span *span);

/*
 * Walks the page tables past the hub's translation cache. Shader threads may call it, as they may
 * mem_span(), while nobody changes registers of the address space or ranges of memory.
 */
enum gmc_status gmc_walk(struct vgpu *dev, const struct hub *hub, uint8_t vmid, uint64_t va,
			 unsigned int access, struct gmc_page *page);

/* Latches a no-retry fault and raises its interrupt, if the interrupt handler is not behind. */
void gmc_report_fault(struct vgpu *dev, struct hub *hub, uint8_t vmid, uint64_t va,
		      unsigned int access);

uint16_t gmc_pasid(const struct vgpu *dev, const struct hub *hub, uint8_t vmid);
/* What the packet scheduler does when it gives a process a VMID: both hubs, all PASID tables. */
void gmc_bind_vmid(struct vgpu *dev, uint8_t vmid, uint16_t pasid, uint64_t pt_base);
void gmc_invalidate(struct vgpu *dev, struct hub *hub, uint32_t vmid_mask);
/* By PASID: on the GFX hub, or on both. */
void gmc_invalidate_pasid(struct vgpu *dev, uint16_t pasid, bool all_hubs);

#endif
