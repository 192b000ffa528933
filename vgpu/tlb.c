// SPDX-License-Identifier: MIT
#include "tlb.h"

static uint32_t tlb_set(uint8_t vmid, uint64_t tag, uint8_t shift)
{
	uint64_t hash = (tag * 64 + shift) * 0x9e3779b97f4a7c15u + (uint64_t)vmid * 0x85ebca6bu;

	return (uint32_t)(hash >> 40) % (TLB_ENTRIES / TLB_WAYS) * TLB_WAYS;
}

void tlb_flush(struct tlb *tlb, uint32_t vmid_mask)
{
	for (unsigned int vmid = 0; vmid < TLB_VMIDS; vmid++) {
		if (vmid_mask & 1u << vmid) {
			tlb->generation[vmid]++;
			tlb->shifts[vmid] = 0;
		}
	}
}

static bool tlb_valid(const struct tlb *tlb, const struct tlb_entry *entry)
{
	return entry->shift && entry->generation == tlb->generation[entry->vmid];
}

const struct tlb_entry *tlb_lookup(const struct tlb *tlb, uint8_t vmid, uint64_t va)
{
	for (uint64_t left = tlb->shifts[vmid]; left; left &= left - 1) {
		uint8_t shift = (uint8_t)__builtin_ctzll(left);
		const struct tlb_entry *set = &tlb->entries[tlb_set(vmid, va >> shift, shift)];

		for (unsigned int way = 0; way < TLB_WAYS; way++) {
			if (set[way].shift == shift && set[way].vmid == vmid &&
			    set[way].tag == va >> shift && tlb_valid(tlb, &set[way]))
				return &set[way];
		}
	}
	return NULL;
}

void tlb_insert(struct tlb *tlb, uint8_t vmid, uint64_t va, uint8_t shift, uint64_t physical,
		uint8_t access, bool system)
{
	struct tlb_entry *set = &tlb->entries[tlb_set(vmid, va >> shift, shift)];
	struct tlb_entry *entry = NULL;

	for (unsigned int way = 0; way < TLB_WAYS && !entry; way++) {
		if (!tlb_valid(tlb, &set[way]) ||
		    (set[way].shift == shift && set[way].vmid == vmid &&
		     set[way].tag == va >> shift))
			entry = &set[way];
	}
	if (!entry)
		entry = &set[tlb->victim++ % TLB_WAYS];
	*entry = (struct tlb_entry){
		.tag = va >> shift,
		.base = physical - (va & ((1ULL << shift) - 1)),
		.generation = tlb->generation[vmid],
		.vmid = vmid,
		.shift = shift,
		.access = access,
		.system = system,
	};
	tlb->shifts[vmid] |= 1ULL << shift;
}
