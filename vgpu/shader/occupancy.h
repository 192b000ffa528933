/* SPDX-License-Identifier: MIT */
/*
 * Which waves fit on the chip at once: 4 shader engines of 16 compute units of 4 SIMDs with 10 wave
 * slots each. Limits: LLVM's AMDGPU back end for gfx9 (AMDGPUBaseInfo, IsaInfo).
 */
#ifndef VGPU_SHADER_OCCUPANCY_H
#define VGPU_SHADER_OCCUPANCY_H

#include <stdbool.h>
#include <stdint.h>

#define OCCUPANCY_CUS	 64u
#define OCCUPANCY_SIMDS	 4u /* of a CU */
#define OCCUPANCY_SLOTS	 10u /* of a SIMD */
#define OCCUPANCY_WAVES	 (OCCUPANCY_CUS * OCCUPANCY_SIMDS * OCCUPANCY_SLOTS)
#define OCCUPANCY_VGPRS	 256u /* of a SIMD, for each lane */
#define OCCUPANCY_SGPRS	 800u
#define OCCUPANCY_LDS	 65536u /* bytes of a CU */
#define OCCUPANCY_GROUPS 16u /* of a CU, of those that have more than one wave */

struct occupancy {
	struct {
		uint16_t slots[OCCUPANCY_SIMDS]; /* bitmap */
		uint16_t vgprs[OCCUPANCY_SIMDS], sgprs[OCCUPANCY_SIMDS];
		uint32_t lds;
		unsigned int groups;
	} cu[OCCUPANCY_CUS];
	unsigned int waves;
	unsigned int next_cu;
};

struct occupancy_need {
	unsigned int waves;
	uint32_t vgprs, sgprs; /* of each */
	uint32_t lds; /* of all */
};

/* False if it would not even fit on an empty CU. */
bool occupancy_possible(const struct occupancy_need *need);
/* Takes a slot for each wave, on one CU; slots[] gets their numbers. */
bool occupancy_take(struct occupancy *o, const struct occupancy_need *need, unsigned int *slots);
void occupancy_give(struct occupancy *o, const struct occupancy_need *need,
		    const unsigned int *slots);
/* HW_ID of a slot, but for the fields that say whose wave it is. */
uint32_t occupancy_hw_id(unsigned int slot);

#endif
