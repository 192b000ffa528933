/* SPDX-License-Identifier: MIT */
#ifndef VGPU_PM4_H
#define VGPU_PM4_H

#include <stdint.h>

struct queue;

/* Executes one PM4 packet (soc15d.h); returns enum step. */
int pm4_execute(struct queue *q);
/* The interrupt that the end of a packet asks for. */
void pm4_eop_interrupt(struct queue *q, uint32_t context_id);

#endif
