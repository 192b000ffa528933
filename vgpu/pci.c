// SPDX-License-Identifier: MIT
/*
 * The PCI configuration space.
 *
 * Two arrays: what a read returns, and which bits a write may change. QEMU answers most accesses
 * to the standard header itself (BAR sizing, MSI), but it forwards writes, and the ROM BAR it
 * sizes by writing here and reading back, so every mask has to be right.
 * Register names and fields: linux/pci_regs.h.
 */
#include "pci.h"

#include <linux/pci_regs.h>
#include <stdbool.h>
#include <string.h>

#define VEGA20_REVISION	 1
#define VEGA20_SUBSYSTEM 0x0834
/* Display controller, "other": as a VGA controller it would take part in VGA arbitration. */
#define VEGA20_CLASS 0x038000

/* The capability list, in this order. */
#define CAP_PM		     0x48
#define CAP_PCIE	     0x58
#define CAP_MSI		     0xa0

#define PCIE_CAP_VERSION     2
#define PCIE_WIDTH	     16
#define PCIE_MAX_PAYLOAD_256 1
#define VSEC_BYTES	     0x10
#define VSEC_VERSION	     1

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value;
	at[1] = value >> 8;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value);
	put16(at + 2, value >> 16);
}

/* A BAR of 2^n bytes: address bits below the size read as zero whatever is written. */
static void add_bar64(struct pci_config *pci, unsigned int offset, uint64_t bytes)
{
	const uint32_t type = PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
	const uint64_t mask = ~(bytes - 1);

	put32(pci->space + offset, type);
	put32(pci->writable + offset, (uint32_t)mask & PCI_BASE_ADDRESS_MEM_MASK);
	put32(pci->writable + offset + 4, mask >> 32);
}

static void add_header(struct pci_config *pci, uint64_t vram_bytes)
{
	uint8_t *space = pci->space, *writable = pci->writable;

	put16(space + PCI_VENDOR_ID, PCI_VEGA20_VENDOR);
	put16(space + PCI_DEVICE_ID, PCI_VEGA20_DEVICE);
	put32(space + PCI_CLASS_REVISION, VEGA20_CLASS << 8 | VEGA20_REVISION);
	put16(space + PCI_SUBSYSTEM_VENDOR_ID, PCI_VEGA20_VENDOR);
	put16(space + PCI_SUBSYSTEM_ID, VEGA20_SUBSYSTEM);

	/* No I/O BAR, hence no I/O enable. Status: only write-one-to-clear bits, and none is set.
	 */
	put16(writable + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
					      PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	put16(space + PCI_STATUS, PCI_STATUS_CAP_LIST);
	space[PCI_CAPABILITY_LIST] = CAP_PM;
	writable[PCI_CACHE_LINE_SIZE] = 0xff;
	writable[PCI_INTERRUPT_LINE] = 0xff;

	add_bar64(pci, PCI_BASE_ADDRESS_0, vram_bytes);
	add_bar64(pci, PCI_BASE_ADDRESS_2, PCI_DOORBELL_BAR_BYTES);
	put32(writable + PCI_BASE_ADDRESS_5, ~(PCI_REGISTER_BAR_BYTES - 1u));
	put32(writable + PCI_ROM_ADDRESS, ~(PCI_ROM_BYTES - 1u) | PCI_ROM_ADDRESS_ENABLE);
}

static void add_power_management(struct pci_config *pci)
{
	uint8_t *cap = pci->space + CAP_PM;

	cap[PCI_CAP_LIST_ID] = PCI_CAP_ID_PM;
	cap[PCI_CAP_LIST_NEXT] = CAP_PCIE;
	put16(cap + PCI_PM_PMC, 3); /* version of the specification: 1.2 */
	put16(cap + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	put16(pci->writable + CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
}

static void add_pcie(struct pci_config *pci)
{
	uint8_t *cap = pci->space + CAP_PCIE, *writable = pci->writable + CAP_PCIE;

	cap[PCI_CAP_LIST_ID] = PCI_CAP_ID_EXP;
	cap[PCI_CAP_LIST_NEXT] = CAP_MSI;
	put16(cap + PCI_EXP_FLAGS, PCIE_CAP_VERSION | PCI_EXP_TYPE_ENDPOINT << 4);
	/*
	 * No function level reset: the guest would start it by a write here. QEMU's own reset goes
	 * through a protocol message instead.
	 */
	put32(cap + PCI_EXP_DEVCAP,
	      PCIE_MAX_PAYLOAD_256 | PCI_EXP_DEVCAP_EXT_TAG | PCI_EXP_DEVCAP_RBER);
	put16(writable + PCI_EXP_DEVCTL,
	      PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |
		      PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD |
		      PCI_EXP_DEVCTL_EXT_TAG | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ);
	put32(cap + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_16_0GB | PCIE_WIDTH << 4);
	put16(writable + PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC);
	put16(cap + PCI_EXP_LNKSTA,
	      PCI_EXP_LNKSTA_CLS_16_0GB | PCIE_WIDTH << PCI_EXP_LNKSTA_NLW_SHIFT);
	put32(cap + PCI_EXP_DEVCAP2, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS);
	put16(writable + PCI_EXP_DEVCTL2,
	      PCI_EXP_DEVCTL2_COMP_TMOUT_DIS | PCI_EXP_DEVCTL2_ATOMIC_REQ);
	put32(cap + PCI_EXP_LNKCAP2, PCI_EXP_LNKCAP2_SLS_2_5GB | PCI_EXP_LNKCAP2_SLS_5_0GB |
					     PCI_EXP_LNKCAP2_SLS_8_0GB |
					     PCI_EXP_LNKCAP2_SLS_16_0GB);
	put16(cap + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_16_0GT);
}

static void add_msi(struct pci_config *pci)
{
	uint8_t *cap = pci->space + CAP_MSI, *writable = pci->writable + CAP_MSI;

	cap[PCI_CAP_LIST_ID] = PCI_CAP_ID_MSI;
	put16(cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT); /* QMASK 0: one vector */
	put16(writable + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	put32(writable + PCI_MSI_ADDRESS_LO, ~3u);
	put32(writable + PCI_MSI_ADDRESS_HI, ~0u);
	put16(writable + PCI_MSI_DATA_64, 0xffff);
}

/*
 * amdgpu takes the absence of a vendor-specific capability as a sign that the system cannot reach
 * extended configuration space, and says so (amdgpu_device_resize_fb_bar).
 */
static void add_vendor_specific(struct pci_config *pci)
{
	uint8_t *cap = pci->space + PCI_CFG_SPACE_SIZE;

	put32(cap, PCI_EXT_CAP_ID_VNDR | VSEC_VERSION << 16);
	put32(cap + PCI_VNDR_HEADER, 1 | 1 << 16 | VSEC_BYTES << 20);
}

void pci_config_init(struct pci_config *pci, uint64_t vram_bytes)
{
	memset(pci, 0, sizeof(*pci));
	add_header(pci, vram_bytes);
	add_power_management(pci);
	add_pcie(pci);
	add_msi(pci);
	add_vendor_specific(pci);
}

static bool in_space(uint64_t offset, uint32_t bytes)
{
	return offset <= PCI_CONFIG_BYTES && bytes <= PCI_CONFIG_BYTES - offset;
}

void pci_config_read(const struct pci_config *pci, uint64_t offset, void *data, uint32_t bytes)
{
	if (in_space(offset, bytes))
		memcpy(data, pci->space + offset, bytes);
	else
		memset(data, 0xff, bytes); /* what a master abort returns */
}

void pci_config_write(struct pci_config *pci, uint64_t offset, const void *data, uint32_t bytes)
{
	const uint8_t *from = data;
	uint32_t i;

	if (!in_space(offset, bytes))
		return;
	for (i = 0; i < bytes; i++) {
		uint8_t *byte = &pci->space[offset + i];
		uint8_t mask = pci->writable[offset + i];

		*byte = (*byte & ~mask) | (from[i] & mask);
	}
}
