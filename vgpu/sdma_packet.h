/* SPDX-License-Identifier: MIT */
#ifndef VGPU_SDMA_PACKET_H
#define VGPU_SDMA_PACKET_H

struct queue;

/* Executes one SDMA packet (vega10_sdma_pkt_open.h); returns enum step. */
int sdma_execute(struct queue *q);

#endif
