/* SPDX-License-Identifier: MIT */
/*
 * The bus between GPU and host memory: unlimited, or paced in each direction as a token bucket, so
 * that ratios between transfers and computation can be set up. Only the GPU's own transfers are
 * paced; the guest's accesses to BARs go at the speed of the emulator.
 */
#ifndef VGPU_LINK_H
#define VGPU_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct vgpu;

enum link_direction { LINK_TO_GPU, LINK_FROM_GPU, LINK_DIRECTIONS };

struct link {
	uint64_t bytes_per_s; /* 0: not limited */
	uint64_t latency_ns; /* of every packet that used the link */
	uint64_t free_ns[LINK_DIRECTIONS]; /* when all that was charged is through */
	uint64_t step_until_ns; /* of the current step's transfers; 0: none */
	uint64_t bytes[LINK_DIRECTIONS];
};

/* A queue's turn begins. */
void link_begin(struct vgpu *dev);
void link_charge(struct vgpu *dev, enum link_direction direction, uint64_t bytes);
/* Holds the queue of this turn for a while, as if a transfer took so much longer. */
void link_delay(struct vgpu *dev, uint64_t delay_ns);
/* When the transfers of this turn are through; 0 if they are already. */
uint64_t link_busy_until(struct vgpu *dev, bool packet_done);

#endif
