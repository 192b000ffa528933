// SPDX-License-Identifier: MIT
#include "gmc.h"

#include "vgpu.h"

/* Interrupt clients (soc15_ih_clientid.h) and the bits of a fault's second data word. */
#define IH_CLIENT_VMC	   0x12
#define IH_CLIENT_UTCL2	   0x1b
#define FAULT_STATUS_RW	   (1u << 18)
#define FAULT_STATUS_INVAL (1u << 4)
#define FAULT_STATUS_MORE  1u
#define FAULT_CNTL_CLEAR   1u

static uint32_t hub_reg(const struct vgpu *dev, const struct hub *hub, int reg)
{
	return reg_get(dev, hub->regs + (uint32_t)reg);
}

static uint64_t hub_reg64(const struct vgpu *dev, const struct hub *hub, int reg)
{
	return hub_reg(dev, hub, reg) | (uint64_t)hub_reg(dev, hub, reg + 4) << 32;
}

static uint8_t pte_access(uint64_t pte)
{
	return (uint8_t)((pte & PTE_READABLE ? GMC_READ : 0) |
			 (pte & PTE_WRITEABLE ? GMC_WRITE : 0) |
			 (pte & PTE_EXECUTABLE ? GMC_EXEC : 0));
}

/* A valid leaf that maps 2^shift bytes around va; its address need not be aligned to them. */
static enum gmc_status walk_leaf(uint64_t pte, uint64_t va, uint8_t shift, unsigned int access,
				 struct gmc_page *leaf)
{
	uint8_t fragment = (uint8_t)(GMC_PAGE_SHIFT + PTE_FRAGMENT(pte));

	if ((pte & (PTE_NORETRY_TF | PTE_ADDRESS)) == PTE_NORETRY_TF)
		return GMC_NORETRY;
	leaf->access = pte_access(pte);
	if (access & ~leaf->access)
		return GMC_RETRY;
	leaf->system = pte & PTE_SYSTEM;
	leaf->physical = (pte & PTE_ADDRESS) + (va & ((1ULL << shift) - 1));
	leaf->shift = shift;
	/*
	 * Entries of one fragment are consecutive, so one of them tells where all are. Only page
	 * table entries count here: a directory entry that is a leaf covers just its own range.
	 */
	if (shift == GMC_PAGE_SHIFT && fragment > shift)
		leaf->shift = fragment < 30 ? fragment : 30;
	return GMC_OK;
}

/* An entry that is not valid: usually worth a retry, unless the driver says that it is not. */
static enum gmc_status walk_absent(uint64_t entry, bool table)
{
	if ((entry & PTE_NORETRY) == PTE_NORETRY)
		return GMC_NORETRY;
	return table && (entry & PTE_PRT) ? GMC_PRT : GMC_RETRY;
}

/* VMID 0: VRAM at its fixed place, and the flat GART table. */
static enum gmc_status walk_vmid0(struct vgpu *dev, const struct hub *hub, uint64_t va,
				  unsigned int access, struct gmc_page *leaf)
{
	uint64_t page = va >> GMC_PAGE_SHIFT;
	uint64_t start = hub_reg64(dev, hub, VM_CONTEXT_PT_START(0));
	uint64_t end = hub_reg64(dev, hub, VM_CONTEXT_PT_END(0));
	uint64_t base = hub_reg64(dev, hub, VM_CONTEXT_PT_BASE(0));
	uint64_t pte;

	if (va >= GMC_VRAM_BASE && va - GMC_VRAM_BASE < dev->mem.vram_bytes) {
		leaf->physical = va - GMC_VRAM_BASE;
		leaf->access = GMC_READ | GMC_WRITE | GMC_EXEC;
		leaf->system = false;
		leaf->shift = GMC_VRAM_SHIFT;
		return GMC_OK;
	}
	if (!(hub_reg(dev, hub, VM_CONTEXT_CNTL(0)) & VM_CONTEXT_ENABLE) || page < start ||
	    page > end)
		return GMC_NORETRY;
	pte = mem_load64(&dev->mem, (base & PDE_ADDRESS) + (page - start) * 8, base & PTE_SYSTEM);
	if (!(pte & PTE_VALID) ||
	    walk_leaf(pte & ~(0x1fULL << 7), va, GMC_PAGE_SHIFT, access, leaf) != GMC_OK)
		return GMC_NORETRY;
	return GMC_OK;
}

static enum gmc_status walk_tables(struct vgpu *dev, const struct hub *hub, uint8_t vmid,
				   uint64_t va, unsigned int access, struct gmc_page *leaf)
{
	uint32_t cntl = hub_reg(dev, hub, VM_CONTEXT_CNTL(vmid));
	uint64_t entry = hub_reg64(dev, hub, VM_CONTEXT_PT_BASE(vmid));
	uint64_t page = va >> GMC_PAGE_SHIFT;
	unsigned int level = VM_CONTEXT_DEPTH(cntl);

	if (!(cntl & VM_CONTEXT_ENABLE) || !(entry & PTE_VALID))
		return GMC_NORETRY;
	if (page < hub_reg64(dev, hub, VM_CONTEXT_PT_START(vmid)) ||
	    page > hub_reg64(dev, hub, VM_CONTEXT_PT_END(vmid)))
		return GMC_NORETRY;
	for (;; level--) {
		uint8_t shift = (uint8_t)(GMC_PAGE_SHIFT + 9 * level);

		entry = mem_load64(&dev->mem,
				   (entry & PDE_ADDRESS) + ((va >> shift) & 511) * 8,
				   entry & PTE_SYSTEM);
		if (!(entry & PTE_VALID))
			return walk_absent(entry, level == 0);
		if (level == 0 || entry & PDE_PTE)
			return walk_leaf(entry, va, shift, access, leaf);
	}
}

enum gmc_status gmc_walk(struct vgpu *dev, const struct hub *hub, uint8_t vmid, uint64_t va,
			 unsigned int access, struct gmc_page *page)
{
	enum gmc_status status;

	va &= GMC_VA_MASK;
	status = vmid ? walk_tables(dev, hub, vmid, va, access, page) :
			walk_vmid0(dev, hub, va, access, page);
	if (status == GMC_RETRY &&
	    !(hub_reg(dev, hub, VM_CONTEXT_CNTL(vmid)) & VM_CONTEXT_RETRY))
		return GMC_NORETRY;
	return status;
}

enum gmc_status gmc_translate(struct vgpu *dev, struct hub *hub, uint8_t vmid, uint64_t va,
			      unsigned int access, struct span *span)
{
	const struct tlb_entry *entry;
	enum gmc_status status;
	struct gmc_page page;
	uint64_t left;

	va &= GMC_VA_MASK;
	entry = dev->tlb ? tlb_lookup(&hub->tlb, vmid, va) : NULL;
	if (entry && !(access & ~entry->access)) {
		page.shift = entry->shift;
		page.physical = entry->base + (va & ((1ULL << entry->shift) - 1));
		page.system = entry->system;
	} else {
		status = gmc_walk(dev, hub, vmid, va, access, &page);
		if (status != GMC_OK)
			return status;
		tlb_insert(&hub->tlb, vmid, va, page.shift, page.physical, page.access,
			   page.system);
	}
	*span = mem_span(&dev->mem, page.physical, page.system, access & GMC_WRITE);
	if (!span->bytes)
		span->bytes = GMC_PAGE_BYTES - (va & (GMC_PAGE_BYTES - 1));
	left = (1ULL << page.shift) - (va & ((1ULL << page.shift) - 1));
	if (span->bytes > left)
		span->bytes = left;
	return GMC_OK;
}

void gmc_report_fault(struct vgpu *dev, struct hub *hub, uint8_t vmid, uint64_t va,
		      unsigned int access)
{
	uint32_t status_reg = hub->regs + (uint32_t)VM_L2_FAULT_STATUS;
	uint32_t status = reg_get(dev, status_reg);
	uint64_t page = (va & GMC_VA_MASK) >> GMC_PAGE_SHIFT;

	if (status) {
		reg_set(dev, status_reg, status | FAULT_STATUS_MORE);
	} else {
		reg_set(dev, status_reg,
			FAULT_STATUS_INVAL | (access & GMC_WRITE ? FAULT_STATUS_RW : 0) |
				(uint32_t)vmid << 20);
		reg_set(dev, hub->regs + (uint32_t)VM_L2_FAULT_ADDR_LO, (uint32_t)page);
		reg_set(dev, hub->regs + (uint32_t)VM_L2_FAULT_ADDR_HI, (uint32_t)(page >> 32));
	}
	/* One bad transfer has many such pages: others' interrupts must not be lost to them. */
	if (ih_has_room(dev))
		ih_raise_fault(dev, hub, vmid, va, access, NULL);
	else
		dev->stats.noretry_faults++;
}

uint16_t gmc_pasid(const struct vgpu *dev, const struct hub *hub, uint8_t vmid)
{
	return (uint16_t)reg_get(dev, hub->pasid_lut + 4u * vmid);
}

void gmc_bind_vmid(struct vgpu *dev, uint8_t vmid, uint16_t pasid, uint64_t pt_base)
{
	reg_set(dev, ATC_VMID0_PASID_MAPPING + 4u * vmid, pasid | ATC_PASID_MAPPING_VALID);
	for (int i = 0; i < NUM_HUBS; i++) {
		struct hub *hub = &dev->hubs[i];
		uint32_t reg = hub->regs + VM_CONTEXT_PT_BASE(vmid);

		reg_set(dev, hub->pasid_lut + 4u * vmid, pasid);
		reg_set(dev, reg, (uint32_t)pt_base);
		reg_set(dev, reg + 4, (uint32_t)(pt_base >> 32));
		gmc_invalidate(dev, hub, 1u << vmid);
	}
}

/* Waves cache translations too; none of them is in an access to an old one afterwards. */
static void flush(struct vgpu *dev, struct hub *hub, uint32_t vmid_mask)
{
	tlb_flush(&hub->tlb, vmid_mask);
	if (hub != &dev->hubs[HUB_GFX])
		return;
	shader_pause(dev);
	shader_continue(dev, vmid_mask);
}

void gmc_invalidate(struct vgpu *dev, struct hub *hub, uint32_t vmid_mask)
{
	flush(dev, hub, vmid_mask);
	dev->stats.tlb_invalidations++;
	trace(dev, "tlb_invalidate", "\"hub\":\"%s\",\"vmids\":\"0x%x\"", hub->name, vmid_mask);
}

void gmc_invalidate_pasid(struct vgpu *dev, uint16_t pasid, bool all_hubs)
{
	for (int i = 0; i < (all_hubs ? NUM_HUBS : HUB_GFX + 1); i++) {
		struct hub *hub = &dev->hubs[i];
		uint32_t mask = 0;

		for (uint8_t vmid = 0; vmid < GMC_NUM_VMIDS; vmid++) {
			if ((uint16_t)reg_get(dev, ATC_VMID0_PASID_MAPPING + 4u * vmid) == pasid ||
			    gmc_pasid(dev, hub, vmid) == pasid)
				mask |= 1u << vmid;
		}
		if (mask)
			gmc_invalidate(dev, hub, mask);
	}
}

static struct hub *hub_of_reg(struct vgpu *dev, uint32_t reg)
{
	return &dev->hubs[reg >= MMVM_CONTEXT0_CNTL + VM_L2_FAULT_CNTL ? HUB_MM : HUB_GFX];
}

/*
 * Nothing is in flight on old translations afterwards: queues execute one thing at a time, and waves
 * are waited for. So it can be acknowledged at once.
 */
static void invalidate_req_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct hub *hub = hub_of_reg(dev, reg);
	uint32_t vmid_mask = value & 0xffff;

	reg_set(dev, reg, value);
	gmc_invalidate(dev, hub, vmid_mask);
	reg_set(dev, reg + VM_INVALIDATE_ACK(0) - VM_INVALIDATE_REQ(0), vmid_mask);
}

static uint32_t invalidate_sem_read(struct vgpu *dev, uint32_t reg)
{
	(void)dev;
	(void)reg;
	return 1; /* granted: there is one user */
}

static void fault_cntl_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct hub *hub = hub_of_reg(dev, reg);

	if (value & FAULT_CNTL_CLEAR)
		reg_set(dev, hub->regs + (uint32_t)VM_L2_FAULT_STATUS, 0);
	reg_set(dev, reg, value & ~FAULT_CNTL_CLEAR);
}

static void readonly_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	(void)dev;
	(void)reg;
	(void)value;
}

/*
 * Setting the root of a VMID drops its translations, also if the address is the old one: without the
 * hardware scheduler, allocate_vmid() gives a VMID to the next process this way, whose page directory
 * may lie where the last one's did, and amdgpu_vm_flush_compute_tlb() finds nothing to flush.
 */
static void pt_base_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct hub *hub = hub_of_reg(dev, reg);

	flush(dev, hub, 1u << (reg - hub->regs - VM_CONTEXT_PT_BASE(0)) / 8);
	reg_set(dev, reg, value);
}

static const struct reg_handler invalidate_req = { .write = invalidate_req_write };
static const struct reg_handler invalidate_sem = { .read = invalidate_sem_read };
static const struct reg_handler fault_cntl = { .write = fault_cntl_write };
static const struct reg_handler readonly = { .write = readonly_write };
static const struct reg_handler pt_base = { .write = pt_base_write };

static void hub_init(struct vgpu *dev, struct hub *hub)
{
	struct reg_file *regs = &dev->regs;
	uint32_t base = hub->regs;

	reg_hook(regs, &invalidate_req, base + VM_INVALIDATE_REQ(0), VM_INVALIDATE_ENGINES, 4);
	reg_hook(regs, &readonly, base + VM_INVALIDATE_ACK(0), VM_INVALIDATE_ENGINES, 4);
	reg_hook(regs, &invalidate_sem, base + VM_INVALIDATE_SEM(0), VM_INVALIDATE_ENGINES, 4);
	reg_hook(regs, &fault_cntl, base + (uint32_t)VM_L2_FAULT_CNTL, 1, 4);
	reg_hook(regs, &readonly, base + (uint32_t)VM_L2_FAULT_STATUS, 3, 4);
	reg_hook(regs, &pt_base, base + VM_CONTEXT_PT_BASE(0), 2 * GMC_NUM_VMIDS, 4);
}

void gmc_init(struct vgpu *dev)
{
	struct hub *gfx = &dev->hubs[HUB_GFX], *mm = &dev->hubs[HUB_MM];

	gfx->name = "gfx";
	gfx->regs = GCVM_CONTEXT0_CNTL;
	gfx->pasid_lut = IH_VMID_0_LUT;
	gfx->ih_client = IH_CLIENT_UTCL2;
	mm->name = "mm";
	mm->regs = MMVM_CONTEXT0_CNTL;
	mm->pasid_lut = IH_VMID_0_LUT_MM;
	mm->ih_client = IH_CLIENT_VMC;
	mm->vmid_src = 1;
	hub_init(dev, gfx);
	hub_init(dev, mm);
}

void gmc_reset(struct vgpu *dev)
{
	uint32_t first = (uint32_t)(GMC_VRAM_BASE >> 24);
	uint32_t last = (uint32_t)((GMC_VRAM_BASE + dev->mem.vram_bytes - 1) >> 24);

	reg_set(dev, GC_MC_VM_FB_LOCATION_BASE, first);
	reg_set(dev, GC_MC_VM_FB_LOCATION_TOP, last);
	reg_set(dev, MM_MC_VM_FB_LOCATION_BASE, first);
	reg_set(dev, MM_MC_VM_FB_LOCATION_TOP, last);
	for (int i = 0; i < NUM_HUBS; i++)
		flush(dev, &dev->hubs[i], 0xffff);
}
