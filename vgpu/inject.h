/* SPDX-License-Identifier: MIT */
/* Faults to order: what the engines ask whether it is to go wrong now. See settings.c. */
#ifndef VGPU_INJECT_H
#define VGPU_INJECT_H

#include <stdbool.h>
#include <stdint.h>

struct inject {
	uint64_t lost_interrupts; /* so many MSIs are not sent */
	uint64_t interrupt_delay_ns;
	uint64_t cam_entries; /* usable entries of the retry CAM */
	uint64_t ih_noise; /* IVs of no meaning before each real one */
	uint64_t copy_delay_ns; /* of each SDMA copy packet */
	uint64_t copy_errors; /* so many SDMA copy packets fail and halt their ring */
	uint64_t hang; /* 1: no engine makes progress */
};

/* Takes one from a counter of things to go wrong. */
static inline bool inject_take(uint64_t *count)
{
	if (!*count)
		return false;
	(*count)--;
	return true;
}

#endif
