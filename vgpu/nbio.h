/* SPDX-License-Identifier: MIT */
/* Registers outside of the engines: bus interface, HDP, ATHUB, RLC, SMUIO. */
#ifndef VGPU_NBIO_H
#define VGPU_NBIO_H

struct vgpu;

void nbio_init(struct vgpu *dev);
void nbio_reset(struct vgpu *dev);

#endif
