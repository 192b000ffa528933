// SPDX-License-Identifier: MIT
/* DS: LDS, and exchanges between lanes that use its crossbar. */
#include "memory.h"
#include "atomic_op.h"
#include "valu.h"

enum { DS_SWIZZLE = 0x3d, DS_PERMUTE = 0x3e, DS_BPERMUTE = 0x3f };

static uint32_t *vgpr(struct wave *w, unsigned int operand)
{
	return w->v[operand - OPERAND_VGPR];
}

/* ---- exchanges ---- */

/* The lane that lane reads; FFT mode is not executed. */
static unsigned int swizzle_lane(unsigned int offset, unsigned int lane)
{
	unsigned int keep = offset & 31, amount = offset >> 5 & 31, in_group;

	if (offset >> 14 == 3) { /* rotate within 32, down if bit 10 */
		in_group = offset >> 10 & 1 ? lane - amount : lane + amount;
		return (lane & 32) | (lane & keep) | (in_group & 31 & ~keep);
	}
	if (offset >> 15)
		return (lane & ~3u) | (offset >> 2 * (lane & 3) & 3);
	return (lane & 32) | (((lane & keep) | amount) ^ (offset >> 10 & 31));
}

static int exchange(struct wave *w, const struct instruction *in)
{
	uint64_t exec = wave_s64(w, SGPR_EXEC);
	const uint32_t *address = vgpr(w, in->src[0]), *data = vgpr(w, in->src[1]);
	row result = { 0 };

	if (in->number == DS_SWIZZLE && in->imm >> 13 == 7)
		return illegal(w, in, "the FFT mode of ds_swizzle is not executed");
	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		unsigned int other = (address[lane] + (uint32_t)in->imm) / 4 & 63;

		if (in->number == DS_PERMUTE) {
			if (exec >> lane & 1)
				result[other] = data[lane];
		} else if (in->number == DS_BPERMUTE) {
			result[lane] = exec >> other & 1 ? data[other] : 0;
		} else {
			other = swizzle_lane((uint32_t)in->imm, lane);
			result[lane] = exec >> other & 1 ? address[other] : 0;
		}
	}
	valu_store(w->v + (in->d - OPERAND_VGPR), &result, 1, exec);
	return WAVE_NEXT;
}

/* ---- LDS ---- */

static void resolve(struct wave *w, struct access *a, const uint32_t *address, uint32_t offset)
{
	for (unsigned int lane = 0; lane < WAVE_LANES; lane++)
		access_lds(w, a, lane, (uint64_t)address[lane] + offset);
}

static uint64_t read_value(const struct access *a, unsigned int lane)
{
	uint64_t value = 0;

	access_read(a, lane, &value);
	return value;
}

static uint64_t data_value(const struct wave *w, unsigned int operand, unsigned int lane, bool wide)
{
	unsigned int reg = operand - OPERAND_VGPR;

	return w->v[reg][lane] | (wide ? (uint64_t)w->v[reg + 1][lane] << 32 : 0);
}

/* Lanes one after the other: they may address the same place. */
static void atomics(struct wave *w, const struct instruction *in, const struct access *a,
		    unsigned int data, unsigned int result)
{
	const struct opcode *op = in->op;
	bool wide = op->bytes == 8;

	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		uint64_t old, value, first, second;

		if (!(a->lanes >> lane & 1))
			continue;
		old = read_value(a, lane);
		first = data_value(w, data, lane, wide);
		second = op->flags & DATA2 ? data_value(w, in->src[2], lane, wide) : 0;
		value = atomic_result(op->atomic, wide, old, first, second);
		access_write(a, lane, &value);
		if (!(op->flags & RETURN))
			continue;
		w->v[result][lane] = (uint32_t)old;
		if (wide)
			w->v[result + 1][lane] = (uint32_t)(old >> 32);
	}
}

/* ds_wrxchg2: both values are exchanged before a result replaces a data register. */
static void exchange_two(struct wave *w, const struct instruction *in, const struct access *a,
			 const struct access *b)
{
	bool wide = in->op->bytes == 8;
	unsigned int d = in->d - OPERAND_VGPR;

	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		uint64_t values[2], old[2];

		if (!(a->lanes >> lane & 1))
			continue;
		values[0] = data_value(w, in->src[1], lane, wide);
		values[1] = data_value(w, in->src[2], lane, wide);
		old[0] = read_value(a, lane);
		access_write(a, lane, &values[0]);
		old[1] = read_value(b, lane);
		access_write(b, lane, &values[1]);
		for (unsigned int i = 0; i < (wide ? 4 : 2); i++)
			w->v[d + i][lane] = (uint32_t)(wide ? old[i / 2] >> 32 * (i % 2) : old[i]);
	}
}

static int two_places(struct wave *w, const struct instruction *in, uint64_t exec)
{
	const struct opcode *op = in->op;
	unsigned int step = op->flags & STRIDE64 ? 64u * op->bytes : op->bytes;
	unsigned int d = in->d - OPERAND_VGPR, dwords = op->bytes / 4;
	struct access a, b;

	access_begin(&a, 0, op->bytes, exec);
	access_begin(&b, 0, op->bytes, exec);
	resolve(w, &a, vgpr(w, in->src[0]), in->offset0 * step);
	resolve(w, &b, vgpr(w, in->src[0]), in->offset1 * step);
	if (op->flags & ATOMIC) {
		exchange_two(w, in, &a, &b);
		return WAVE_NEXT;
	}
	access_transfer(w, in, &a, in->src[1] - OPERAND_VGPR, d, false);
	return access_transfer(w, in, &b, in->src[2] - OPERAND_VGPR, d + dwords, false);
}

static int one_place(struct wave *w, const struct instruction *in, uint64_t exec)
{
	struct access a;

	access_begin(&a, 0, in->op->bytes, exec);
	resolve(w, &a, vgpr(w, in->src[0]), (uint32_t)in->imm);
	if (!(in->op->flags & ATOMIC))
		return access_transfer(w, in, &a, in->src[1] - OPERAND_VGPR,
				       in->d - OPERAND_VGPR, false);
	atomics(w, in, &a, in->src[1], in->d - OPERAND_VGPR);
	return WAVE_NEXT;
}

static int refused(struct wave *w, const struct instruction *in)
{
	if (in->gds || in->op->flags & GDS_ONLY)
		return illegal(w, in, "global data share and global wave sync are not executed");
	return illegal(w, in, "instruction is not executed");
}

int run_ds(struct wave *w, const struct instruction *in)
{
	const struct opcode *op = in->op;
	uint64_t exec = wave_s64(w, SGPR_EXEC);

	if (in->registers > w->num_vgprs)
		return illegal(w, in, "a VGPR beyond those of the wave");
	if (in->gds || op->flags & REFUSED)
		return refused(w, in);
	if (op->flags & NO_ADDRESS)
		return WAVE_NEXT;
	if (in->number >= DS_SWIZZLE && in->number <= DS_BPERMUTE)
		return exchange(w, in);
	valu_environment(w, in);
	return op->flags & TWO ? two_places(w, in, exec) : one_place(w, in, exec);
}
