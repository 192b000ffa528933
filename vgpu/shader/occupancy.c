// SPDX-License-Identifier: MIT
#include "occupancy.h"

#define HW_ID_SIMD 4
#define HW_ID_CU   8
#define HW_ID_SE   13
#define CUS_PER_SE 16u

static unsigned int slot_cu(unsigned int slot)
{
	return slot / (OCCUPANCY_SIMDS * OCCUPANCY_SLOTS);
}

static unsigned int slot_simd(unsigned int slot)
{
	return slot / OCCUPANCY_SLOTS % OCCUPANCY_SIMDS;
}

uint32_t occupancy_hw_id(unsigned int slot)
{
	unsigned int cu = slot_cu(slot);

	return slot % OCCUPANCY_SLOTS | slot_simd(slot) << HW_ID_SIMD |
	       cu % CUS_PER_SE << HW_ID_CU | cu / CUS_PER_SE << HW_ID_SE;
}

/* Waves of this kind that one empty SIMD holds. */
static unsigned int simd_waves(const struct occupancy_need *need)
{
	unsigned int waves = OCCUPANCY_SLOTS;

	if (waves > OCCUPANCY_VGPRS / need->vgprs)
		waves = OCCUPANCY_VGPRS / need->vgprs;
	if (waves > OCCUPANCY_SGPRS / need->sgprs)
		waves = OCCUPANCY_SGPRS / need->sgprs;
	return waves;
}

bool occupancy_possible(const struct occupancy_need *need)
{
	return need->lds <= OCCUPANCY_LDS && need->waves <= OCCUPANCY_SIMDS * simd_waves(need);
}

/* A slot on the SIMD, or -1. */
static int take_wave(struct occupancy *o, unsigned int cu, unsigned int simd,
		     const struct occupancy_need *need)
{
	uint32_t used = o->cu[cu].slots[simd];
	unsigned int slot;

	if (o->cu[cu].vgprs[simd] + need->vgprs > OCCUPANCY_VGPRS ||
	    o->cu[cu].sgprs[simd] + need->sgprs > OCCUPANCY_SGPRS ||
	    used == (1u << OCCUPANCY_SLOTS) - 1)
		return -1;
	slot = (unsigned int)__builtin_ctz(~used);
	o->cu[cu].slots[simd] |= (uint16_t)(1u << slot);
	o->cu[cu].vgprs[simd] += (uint16_t)need->vgprs;
	o->cu[cu].sgprs[simd] += (uint16_t)need->sgprs;
	o->waves++;
	return (int)((cu * OCCUPANCY_SIMDS + simd) * OCCUPANCY_SLOTS + slot);
}

static void give_wave(struct occupancy *o, const struct occupancy_need *need, unsigned int slot)
{
	unsigned int cu = slot_cu(slot), simd = slot_simd(slot);

	o->cu[cu].slots[simd] &= (uint16_t)~(1u << slot % OCCUPANCY_SLOTS);
	o->cu[cu].vgprs[simd] -= (uint16_t)need->vgprs;
	o->cu[cu].sgprs[simd] -= (uint16_t)need->sgprs;
	o->waves--;
}

static bool take_cu(struct occupancy *o, unsigned int cu, const struct occupancy_need *need,
		    unsigned int *slots)
{
	if (o->cu[cu].lds + need->lds > OCCUPANCY_LDS ||
	    (need->waves > 1 && o->cu[cu].groups == OCCUPANCY_GROUPS))
		return false;
	for (unsigned int i = 0; i < need->waves; i++) {
		int slot = -1;

		for (unsigned int j = 0; j < OCCUPANCY_SIMDS && slot < 0; j++)
			slot = take_wave(o, cu, (i + j) % OCCUPANCY_SIMDS, need);
		if (slot < 0) {
			while (i--)
				give_wave(o, need, slots[i]);
			return false;
		}
		slots[i] = (unsigned int)slot;
	}
	o->cu[cu].lds += need->lds;
	o->cu[cu].groups += need->waves > 1;
	return true;
}

bool occupancy_take(struct occupancy *o, const struct occupancy_need *need, unsigned int *slots)
{
	if (o->waves + need->waves > OCCUPANCY_WAVES)
		return false;
	for (unsigned int i = 0; i < OCCUPANCY_CUS; i++) {
		unsigned int cu = (o->next_cu + i) % OCCUPANCY_CUS;

		if (take_cu(o, cu, need, slots)) {
			o->next_cu = (cu + 1) % OCCUPANCY_CUS;
			return true;
		}
	}
	return false;
}

void occupancy_give(struct occupancy *o, const struct occupancy_need *need,
		    const unsigned int *slots)
{
	unsigned int cu = slot_cu(slots[0]);

	for (unsigned int i = 0; i < need->waves; i++)
		give_wave(o, need, slots[i]);
	o->cu[cu].lds -= need->lds;
	o->cu[cu].groups -= need->waves > 1;
}
