/* SPDX-License-Identifier: MIT */
/*
 * A translation cache of one hub, as unfriendly as hardware may be: a valid translation is kept for
 * the whole fragment that its entry announces, and stays until the driver invalidates its VMID. A
 * missing invalidation therefore shows as stale data. Absent entries are not cached.
 */
#ifndef VGPU_TLB_H
#define VGPU_TLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLB_ENTRIES 16384
#define TLB_WAYS    4
#define TLB_VMIDS   16

struct tlb_entry {
	uint64_t tag; /* va >> shift */
	uint64_t base; /* physical address of the fragment's first byte (mod 2^64) */
	uint32_t generation;
	uint8_t vmid;
	uint8_t shift; /* 0: empty */
	uint8_t access; /* GMC_READ | GMC_WRITE | GMC_EXEC */
	bool system;
};

struct tlb {
	struct tlb_entry entries[TLB_ENTRIES];
	uint32_t generation[TLB_VMIDS]; /* an entry of an older generation is invalid */
	uint64_t shifts[TLB_VMIDS]; /* bitmap of fragment sizes in use */
	uint32_t victim;
};

void tlb_flush(struct tlb *tlb, uint32_t vmid_mask);
const struct tlb_entry *tlb_lookup(const struct tlb *tlb, uint8_t vmid, uint64_t va);
/* Caches that [va, 2^shift) around va is at physical address + (va' - va). */
void tlb_insert(struct tlb *tlb, uint8_t vmid, uint64_t va, uint8_t shift, uint64_t physical,
		uint8_t access, bool system);

#endif
