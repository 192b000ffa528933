/* SPDX-License-Identifier: MIT */
/*
 * The interrupt handler: interrupt vectors (IVs) go into a ring in guest memory, its write pointer
 * is written back, an MSI follows. When the ring is full, IVs wait here and their producers stall.
 */
#ifndef VGPU_IH_H
#define VGPU_IH_H

#include <stdbool.h>
#include <stdint.h>

struct vgpu;
struct hub;

#define IH_IV_BYTES 32
#define IH_PENDING  1024 /* IVs that wait for the ring */

/* Clients and sources (soc15_ih_clientid.h, ivsrcid/) besides those of the hubs. */
#define IH_CLIENT_SDMA0	     0x08 /* + instance */
#define IH_CLIENT_GRBM_CP    0x14
#define IH_SRC_SDMA_ECC	     220
#define IH_SRC_SDMA_TRAP     224
#define IH_SRC_CP_GENERIC2   178
#define IH_SRC_CP_EOP	     181
#define IH_SRC_CP_BAD_OPCODE 183

struct iv {
	uint8_t client;
	uint8_t src;
	uint8_t ring;
	uint8_t vmid;
	uint8_t vmid_src; /* 0 GFX hub, 1 MM hub */
	uint16_t pasid;
	uint32_t data[4];
};

struct ih {
	struct iv pending[IH_PENDING];
	uint32_t pending_head, pending_tail;
	uint32_t rptr, wptr; /* bytes */
	int msi_fd; /* eventfd of MSI vector 0, -1 while masked */
	uint64_t msi_ns; /* a delayed MSI is due then; 0: none */
};

void ih_init(struct vgpu *dev);
void ih_reset(struct vgpu *dev);
/* Whether producers may raise more; they stall while not. */
bool ih_has_room(const struct vgpu *dev);
void ih_raise(struct vgpu *dev, const struct iv *iv);
/* A page fault of a hub: with a retry CAM index, or (cam NULL) without retry. */
void ih_raise_fault(struct vgpu *dev, const struct hub *hub, uint8_t vmid, uint64_t va,
		    unsigned int access, const unsigned int *cam);
/* A 32-bit doorbell write; true if it was one of the interrupt handler's. */
bool ih_doorbell(struct vgpu *dev, uint32_t offset, uint32_t value);
/* Sends a delayed MSI that is due. Returns when to call again in ns, UINT64_MAX: no need. */
uint64_t ih_poll(struct vgpu *dev, uint64_t now_ns);

#endif
