/* SPDX-License-Identifier: MIT */
/* The PCI configuration space of a Vega20 (Instinct MI50): 1002:66a1, one MSI vector, PCIe, PM. */
#ifndef VGPU_PCI_H
#define VGPU_PCI_H

#include <stdint.h>

#define PCI_VEGA20_VENDOR      0x1002
#define PCI_VEGA20_DEVICE      0x66a1

#define PCI_CONFIG_BYTES       4096
#define PCI_ROM_BYTES          65536    /* size of the ROM BAR; the image is smaller */
#define PCI_DOORBELL_BAR_BYTES 0x200000 /* BAR 2 */
#define PCI_REGISTER_BAR_BYTES 0x80000u  /* BAR 5 */

struct pci_config {
	uint8_t space[PCI_CONFIG_BYTES];
	uint8_t writable[PCI_CONFIG_BYTES]; /* mask of the bits that a write changes */
};

void pci_config_init(struct pci_config *pci, uint64_t vram_bytes);
void pci_config_read(const struct pci_config *pci, uint64_t offset, void *data, uint32_t bytes);
void pci_config_write(struct pci_config *pci, uint64_t offset, const void *data, uint32_t bytes);

#endif
