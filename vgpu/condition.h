/* SPDX-License-Identifier: MIT */
/* The comparison of POLL_REGMEM and WAIT_REG_MEM: both engines number it alike. */
#ifndef VGPU_CONDITION_H
#define VGPU_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

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
