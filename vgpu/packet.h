/* SPDX-License-Identifier: MIT */
/* What the packets of all engines have in common. */
#ifndef VGPU_PACKET_H
#define VGPU_PACKET_H

#include <stdbool.h>
#include <stdint.h>

/* An address: low dword first. */
static inline uint64_t address(const uint32_t *p)
{
	return p[0] | (uint64_t)p[1] << 32;
}

/* The comparison of POLL_REGMEM and WAIT_REG_MEM: both engines number it alike. */
static inline bool condition_met(unsigned int func, uint32_t value, uint32_t reference)
{
	switch (func) {
	case 1:
		return value < reference;
	case 2:
		return value <= reference;
	case 3:
		return value == reference;
	case 4:
		return value != reference;
	case 5:
		return value >= reference;
	case 6:
		return value > reference;
	default: /* 0: always; 7 is reserved */
		return true;
	}
}

#endif
