// SPDX-License-Identifier: MIT
/*
 * Groups of waves: room for them on the chip, and what a wave's registers hold when it starts (LLVM,
 * "User Guide for AMDGPU Backend", "Initial Kernel Execution State").
 */
#include <stdlib.h>
#include <string.h>

#include "../vgpu.h"
#include "engine.h"

#define RSRC2_SCRATCH_EN      (1u << 0)
#define RSRC2_USER_SGPRS(r)   ((r) >> 1 & 0x1f)
#define RSRC2_GROUP_ID(r, i)  ((r) >> (7 + (i)) & 1)
#define RSRC2_GROUP_INFO      (1u << 10)
#define RSRC2_ITEM_IDS(r)     ((r) >> 11 & 3)
#define RSRC2_EXCP_EN_MSB(r)  ((r) >> 13 & 3)
#define RSRC2_EXCP_EN(r)      ((r) >> 24 & 0x7f)
#define RSRC1_FLOAT_MODE(r)   ((r) >> 12 & 0xff)
#define RSRC1_DX10_CLAMP(r)   ((r) >> 21 & 1)
#define RSRC1_IEEE_MODE(r)    ((r) >> 23 & 1)
#define RSRC1_FP16_OVFL(r)    ((r) >> 26 & 1)
#define SGPR_PRIVATE_BUFFER   (1u << 0) /* of the kernel code properties */
#define SGPR_DISPATCH_PTR     (1u << 1)
#define SGPR_QUEUE_PTR	      (1u << 2)
#define SGPR_KERNARG_PTR      (1u << 3)
#define SGPR_DISPATCH_ID      (1u << 4)
#define SGPR_FLAT_SCRATCH_INIT (1u << 5)
#define SGPR_PRIVATE_SIZE     (1u << 6)
#define MODE_EXCP_EN_SHIFT    12
#define MODE_EXCP_EN_MSB_SHIFT 19
#define GROUP_INFO_FIRST      (1u << 31)
#define STATUS_IN_TG	      (1u << 11)
#define STATUS_ALLOW_REPLAY   (1u << 22)
#define GPR_ALLOC_VGPRS(n)    (((n) / 4 - 1) << 8)
#define GPR_ALLOC_SGPRS(n)    (((n) / 16 - 1) << 24)
#define LDS_ALLOC_SIZE(bytes) ((bytes) / 256 << 12)
#define HW_ID_VMID	      20
#define REGISTER_ALIGN	      64u

static struct occupancy_need group_need(const struct group *group)
{
	return (struct occupancy_need){
		.waves = group->num_units,
		.vgprs = group->units[0].wave.num_vgprs,
		.sgprs = group->dispatch->kernel.sgprs,
		.lds = group->lds_bytes,
	};
}

static void units_init(struct group *group, uint32_t vgprs, const unsigned int *slots)
{
	struct dispatch *dispatch = group->dispatch;
	const struct kernel *kernel = &dispatch->kernel;
	uint8_t *registers = group->registers;

	for (unsigned int i = 0; i < group->num_units; i++) {
		struct unit *unit = &group->units[i];

		unit->group = group;
		unit->slot = slots[i];
		unit->scratch_slot = -1;
		unit->last_page = UINT64_MAX;
		unit->wave = (struct wave){
			.v = (void *)(registers + (size_t)i * vgprs * WAVE_LANES * 4),
			.num_vgprs = vgprs,
			.status = STATUS_VALID | (kernel->retry ? STATUS_ALLOW_REPLAY : 0) |
				  (kernel->tba ? STATUS_TRAP_EN : 0) |
				  (group->num_units > 1 ? STATUS_IN_TG : 0),
			.hw_id = occupancy_hw_id(slots[i]) | (uint32_t)dispatch->vmid << HW_ID_VMID,
			.gpr_alloc = GPR_ALLOC_VGPRS(vgprs) | GPR_ALLOC_SGPRS(WAVE_SGPRS),
			.lds_alloc = LDS_ALLOC_SIZE(group->lds_bytes),
			.tba = kernel->tba,
			.tma = kernel->tma,
			.shared_base = kernel->shared_base,
			.private_base = kernel->private_base,
			.lds = group->lds,
			.lds_bytes = group->lds_bytes,
			.memory = &shader_memory,
			.context = unit,
		};
	}
}

static void group_discard(struct group *group)
{
	if (!group)
		return;
	free(group->registers);
	free(group->lds);
	free(group);
}

static struct group *group_alloc(unsigned int num_units, uint32_t vgprs, uint32_t lds_bytes)
{
	size_t registers = (size_t)num_units * vgprs * WAVE_LANES * 4;
	struct group *group = calloc(1, sizeof(*group) + num_units * sizeof(group->units[0]));

	if (!group)
		return NULL;
	group->num_units = num_units;
	group->lds_bytes = lds_bytes;
	group->registers = aligned_alloc(REGISTER_ALIGN, registers);
	group->lds = lds_bytes ? aligned_alloc(REGISTER_ALIGN, lds_bytes) : NULL;
	if (!group->registers || (lds_bytes && !group->lds)) {
		group_discard(group);
		return NULL;
	}
	/* Nothing of another process's. */
	memset(group->registers, 0, registers);
	if (lds_bytes)
		memset(group->lds, 0, lds_bytes);
	return group;
}

struct group *group_new(struct dispatch *dispatch, unsigned int num_units, uint32_t vgprs,
			uint32_t lds_bytes)
{
	struct shader *shader = dispatch->shader;
	struct occupancy_need need = { num_units, vgprs, dispatch->kernel.sgprs, lds_bytes };
	unsigned int slots[GROUP_MAX_WAVES];
	struct group *group;

	if (!occupancy_take(&shader->occupancy, &need, slots))
		return NULL;
	group = group_alloc(num_units, vgprs, lds_bytes);
	if (!group) {
		occupancy_give(&shader->occupancy, &need, slots);
		return NULL;
	}
	group->dispatch = dispatch;
	units_init(group, vgprs, slots);
	TAILQ_INSERT_TAIL(&dispatch->groups, group, entry);
	if (shader->occupancy.waves > shader->stats.resident_max)
		shader->stats.resident_max = shader->occupancy.waves;
	return group;
}

bool scratch_take(struct dispatch *dispatch, struct unit *unit, int slot)
{
	if (slot < 0) {
		for (slot = 0; dispatch->scratch[slot / 64] == UINT64_MAX; slot += 64) {
			if ((uint32_t)slot + 64 >= dispatch->kernel.scratch_waves)
				return false;
		}
		slot += __builtin_ctzll(~dispatch->scratch[slot / 64]);
	}
	if ((uint32_t)slot >= dispatch->kernel.scratch_waves ||
	    dispatch->scratch[slot / 64] & 1ULL << slot % 64)
		return false;
	dispatch->scratch[slot / 64] |= 1ULL << slot % 64;
	unit->scratch_slot = slot;
	return true;
}

static void scratch_give(struct dispatch *dispatch, struct unit *unit)
{
	if (unit->scratch_slot < 0)
		return;
	dispatch->scratch[unit->scratch_slot / 64] &= ~(1ULL << unit->scratch_slot % 64);
	unit->scratch_slot = -1;
}

void group_free(struct group *group)
{
	struct occupancy_need need = group_need(group);
	unsigned int slots[GROUP_MAX_WAVES];

	for (unsigned int i = 0; i < group->num_units; i++) {
		slots[i] = group->units[i].slot;
		scratch_give(group->dispatch, &group->units[i]);
	}
	occupancy_give(&group->dispatch->shader->occupancy, &need, slots);
	TAILQ_REMOVE(&group->dispatch->groups, group, entry);
	group_discard(group);
}

static unsigned int put64(uint32_t *s, unsigned int at, uint64_t value)
{
	s[at] = (uint32_t)value;
	s[at + 1] = (uint32_t)(value >> 32);
	return at + 2;
}

static void set_user_sgprs(const struct kernel *k, uint32_t *s)
{
	unsigned int at = 0;

	if (k->properties & SGPR_PRIVATE_BUFFER) {
		memcpy(s, k->scratch_descriptor, sizeof(k->scratch_descriptor));
		at = 4;
	}
	if (k->properties & SGPR_DISPATCH_PTR)
		at = put64(s, at, k->packet);
	if (k->properties & SGPR_QUEUE_PTR)
		at = put64(s, at, k->queue);
	if (k->properties & SGPR_KERNARG_PTR)
		at = put64(s, at, k->kernarg);
	if (k->properties & SGPR_DISPATCH_ID)
		at = put64(s, at, k->dispatch_id);
	if (k->properties & SGPR_FLAT_SCRATCH_INIT)
		at = put64(s, at, k->scratch_va);
	if (k->properties & SGPR_PRIVATE_SIZE)
		s[at] = k->private_bytes;
}

static void set_system_sgprs(const struct kernel *k, struct unit *unit, const uint32_t id[3],
			     unsigned int index)
{
	unsigned int at = RSRC2_USER_SGPRS(k->rsrc2);
	uint32_t *s = unit->wave.s;

	for (unsigned int i = 0; i < 3; i++) {
		if (RSRC2_GROUP_ID(k->rsrc2, i))
			s[at++] = id[i];
	}
	if (k->rsrc2 & RSRC2_GROUP_INFO)
		s[at++] = unit->group->num_units | (index ? 0 : GROUP_INFO_FIRST);
	if (unit->scratch_slot >= 0)
		s[at] = (uint32_t)unit->scratch_slot * k->scratch_wave_bytes;
}

/* What a debugger finds there (ROCdbgapi): the packet, the group, the wave's number in it. */
static void set_ttmps(const struct kernel *k, struct unit *unit, const uint32_t id[3],
		      unsigned int index)
{
	uint32_t *ttmp = &unit->wave.s[SGPR_TTMP];

	put64(ttmp, 6, k->packet & 0xffffffffffULL);
	memcpy(&ttmp[8], id, 3 * sizeof(id[0]));
	ttmp[11] = index;
	if (unit->scratch_slot >= 0)
		ttmp[13] = (uint32_t)unit->scratch_slot * k->scratch_wave_bytes;
}

static void set_items(const struct kernel *k, struct unit *unit, const uint32_t size[3],
		      unsigned int index)
{
	uint32_t items = size[0] * size[1] * size[2], first = index * WAVE_LANES;
	unsigned int lanes = items - first < WAVE_LANES ? items - first : WAVE_LANES;
	unsigned int ids = RSRC2_ITEM_IDS(k->rsrc2);
	struct wave *wave = &unit->wave;

	for (unsigned int lane = 0; lane < lanes; lane++) {
		uint32_t item = first + lane;

		wave->v[0][lane] = item % size[0];
		if (ids >= 1)
			wave->v[1][lane] = item / size[0] % size[1];
		if (ids >= 2)
			wave->v[2][lane] = item / size[0] / size[1];
	}
	wave_set_s64(wave, SGPR_EXEC, lanes == 64 ? UINT64_MAX : (1ULL << lanes) - 1);
}

static uint32_t initial_mode(const struct kernel *k)
{
	return RSRC1_FLOAT_MODE(k->rsrc1) | RSRC1_DX10_CLAMP(k->rsrc1) * MODE_DX10_CLAMP |
	       RSRC1_IEEE_MODE(k->rsrc1) * MODE_IEEE | RSRC1_FP16_OVFL(k->rsrc1) * MODE_FP16_OVFL |
	       RSRC2_EXCP_EN(k->rsrc2) << MODE_EXCP_EN_SHIFT |
	       RSRC2_EXCP_EN_MSB(k->rsrc2) << MODE_EXCP_EN_MSB_SHIFT;
}

/* The group at the edge of the grid is as small as what is left. */
static void group_geometry(const struct kernel *k, uint64_t number, uint32_t id[3],
			   uint32_t size[3])
{
	for (unsigned int i = 0; i < 3; i++) {
		uint32_t left;

		id[i] = (uint32_t)(number % k->groups[i]);
		number /= k->groups[i];
		left = k->grid_size[i] - id[i] * k->group_size[i];
		size[i] = left < k->group_size[i] ? left : k->group_size[i];
	}
}

struct group *group_launch(struct dispatch *dispatch)
{
	const struct kernel *k = &dispatch->kernel;
	uint32_t id[3], size[3];
	unsigned int waves;
	struct group *group;

	group_geometry(k, dispatch->next, id, size);
	waves = (size[0] * size[1] * size[2] + WAVE_LANES - 1) / WAVE_LANES;
	group = group_new(dispatch, waves, k->vgprs, k->lds_bytes);
	if (!group)
		return NULL;
	for (unsigned int i = 0; i < waves; i++) {
		struct unit *unit = &group->units[i];

		if (k->rsrc2 & RSRC2_SCRATCH_EN && k->private_bytes &&
		    !scratch_take(dispatch, unit, -1)) {
			group_free(group);
			return NULL;
		}
		unit->wave.pc = k->code;
		unit->wave.mode = initial_mode(k);
		set_user_sgprs(k, unit->wave.s);
		set_system_sgprs(k, unit, id, i);
		set_ttmps(k, unit, id, i);
		set_items(k, unit, size, i);
	}
	dispatch->next++;
	dispatch->shader->stats.groups++;
	dispatch->shader->stats.waves += waves;
	return group;
}
