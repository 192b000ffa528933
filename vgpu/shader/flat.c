// SPDX-License-Identifier: MIT
/* FLAT, GLOBAL and SCRATCH. */
#include "memory.h"

enum { SEGMENT_FLAT, SEGMENT_SCRATCH, SEGMENT_GLOBAL };
#define NO_SADDR 127u

static unsigned int kind_of(const struct opcode *op)
{
	return op->flags & LOAD ? WAVE_READ : op->flags & STORE ? WAVE_WRITE : WAVE_READ | WAVE_WRITE;
}

/* Flat addresses in an aperture are offsets into LDS or scratch. */
static int resolve_flat(struct wave *w, struct access *a, unsigned int lane, uint64_t va)
{
	if (va >> 32 == w->shared_base >> 32 && w->shared_base) {
		access_lds(w, a, lane, (uint32_t)va);
		return WAVE_NEXT;
	}
	if (va >> 32 == w->private_base >> 32 && w->private_base)
		return access_scratch(w, a, lane, wave_s64(w, SGPR_FLAT_SCRATCH), (uint32_t)va);
	return access_memory(w, a, lane, va);
}

static int resolve_lane(struct wave *w, const struct instruction *in, struct access *a,
			unsigned int lane)
{
	const uint32_t(*v)[WAVE_LANES] =
		(const uint32_t(*)[WAVE_LANES])w->v[in->src[0] - OPERAND_VGPR];
	uint64_t offset = (uint64_t)(int64_t)in->imm, base;

	if (in->seg == SEGMENT_SCRATCH) {
		/* Either a VGPR or an SGPR. */
		base = in->src[2] == NO_SADDR ? v[0][lane] : read_register(w, in->src[2]);
		return access_scratch(w, a, lane, wave_s64(w, SGPR_FLAT_SCRATCH),
				      (uint32_t)(base + offset));
	}
	if (in->seg == SEGMENT_GLOBAL && in->src[2] != NO_SADDR) {
		base = read_register(w, in->src[2]) |
		       (uint64_t)read_register(w, in->src[2] + 1u) << 32;
		return access_memory(w, a, lane, base + v[0][lane] + offset);
	}
	base = (uint64_t)v[1][lane] << 32 | v[0][lane];
	if (in->seg == SEGMENT_GLOBAL)
		return access_memory(w, a, lane, base + offset);
	return resolve_flat(w, a, lane, base + offset);
}

int run_flat(struct wave *w, const struct instruction *in)
{
	uint64_t exec = wave_s64(w, SGPR_EXEC);
	int event = WAVE_NEXT;
	struct access a;

	if (in->registers > w->num_vgprs)
		return illegal(w, in, "a VGPR beyond those of the wave");
	if (in->lds)
		return illegal(w, in, "a load to LDS is not executed");
	access_begin(&a, kind_of(in->op), in->op->bytes, exec);
	for (unsigned int lane = 0; lane < WAVE_LANES && event == WAVE_NEXT; lane++) {
		if (exec >> lane & 1)
			event = resolve_lane(w, in, &a, lane);
	}
	if (event != WAVE_NEXT)
		return event;
	return access_transfer(w, in, &a, in->src[1] - OPERAND_VGPR, in->d - OPERAND_VGPR, in->glc);
}
