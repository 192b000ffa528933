// SPDX-License-Identifier: MIT
#include "link.h"

#include "vgpu.h"

/* Unused time that a later transfer may catch up on: the event loop's timers are not exact. */
#define LINK_BURST_NS 500000u

void link_begin(struct vgpu *dev)
{
	dev->link.step_until_ns = 0;
}

void link_charge(struct vgpu *dev, enum link_direction direction, uint64_t bytes)
{
	struct link *link = &dev->link;
	uint64_t *free_ns = &link->free_ns[direction];
	uint64_t earliest;

	link->bytes[direction] += bytes;
	if (!link->bytes_per_s && !link->latency_ns)
		return;
	earliest = now_ns() - LINK_BURST_NS;
	if (*free_ns < earliest)
		*free_ns = earliest;
	if (link->bytes_per_s)
		*free_ns += (uint64_t)((unsigned __int128)bytes * 1000000000u / link->bytes_per_s);
	if (*free_ns > link->step_until_ns)
		link->step_until_ns = *free_ns;
}

void link_delay(struct vgpu *dev, uint64_t delay_ns)
{
	uint64_t until = now_ns() + delay_ns;

	if (until > dev->link.step_until_ns)
		dev->link.step_until_ns = until;
}

uint64_t link_busy_until(struct vgpu *dev, bool packet_done)
{
	const struct link *link = &dev->link;
	uint64_t until = link->step_until_ns;

	if (!until)
		return 0;
	if (packet_done && link->latency_ns) {
		uint64_t now = now_ns();

		until = (until > now ? until : now) + link->latency_ns;
	}
	return until > now_ns() ? until : 0;
}
