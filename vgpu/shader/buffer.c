// SPDX-License-Identifier: MIT
/* MUBUF and MTBUF: memory through a resource descriptor in four scalar registers. */
#include "memory.h"

struct resource {
	uint64_t base;
	uint32_t stride, records, index_stride;
	bool swizzled, add_lane;
};

#define ELEMENT_BYTES 4u

static struct resource read_resource(const struct wave *w, unsigned int reg)
{
	uint32_t words[4];
	struct resource r;

	for (unsigned int i = 0; i < 4; i++)
		words[i] = read_register(w, reg + i);
	r.base = words[0] | (uint64_t)(words[1] & 0xffff) << 32;
	r.stride = words[1] >> 16 & 0x3fff;
	r.swizzled = words[1] >> 31;
	r.records = words[2];
	r.index_stride = 8u << (words[3] >> 21 & 3);
	r.add_lane = words[3] >> 23 & 1;
	/* With it, the data format is the upper part of the stride. */
	if (r.add_lane)
		r.stride |= (words[3] >> 15 & 15) << 14;
	return r;
}

static bool in_range(const struct resource *r, uint32_t index, uint64_t offset, uint32_t soffset,
		     unsigned int bytes)
{
	if (r->stride && r->swizzled)
		return index < r->records;
	offset += (uint64_t)r->stride * index;
	return r->records >= soffset && offset + bytes <= r->records - soffset;
}

static uint64_t linear(const struct resource *r, uint32_t index, uint32_t offset)
{
	return (uint64_t)r->stride * index + offset;
}

/* Elements of index_stride records are interleaved. */
static uint64_t swizzled(const struct resource *r, uint32_t index, uint32_t offset)
{
	uint64_t record = (uint64_t)(index / r->index_stride) * r->stride;
	uint64_t element = offset / ELEMENT_BYTES * ELEMENT_BYTES;

	return (record + element) * r->index_stride + index % r->index_stride * ELEMENT_BYTES +
	       offset % ELEMENT_BYTES;
}

struct buffer_access {
	struct resource r;
	uint32_t soffset;
};

/* A swizzled element is 4 bytes; what is larger or crosses it is resolved by bytes. */
static int resolve_swizzled(struct wave *w, struct access *a, unsigned int lane,
			    const struct buffer_access *b, uint32_t index, uint32_t offset)
{
	struct access byte;
	int event = WAVE_NEXT;

	if (offset % ELEMENT_BYTES + a->bytes <= ELEMENT_BYTES)
		return access_memory(w, a, lane,
				     b->r.base + b->soffset + swizzled(&b->r, index, offset));
	a->split |= 1ull << lane;
	access_begin(&byte, a->kind, 1, 1ull << lane);
	for (unsigned int i = 0; i < a->bytes && event == WAVE_NEXT; i++) {
		event = access_memory(w, &byte, lane,
				      b->r.base + b->soffset + swizzled(&b->r, index, offset + i));
		a->byte[lane][i] = byte.host[lane];
	}
	return event;
}

static int resolve_lane(struct wave *w, const struct instruction *in, struct access *a,
			unsigned int lane, const struct buffer_access *b)
{
	const uint32_t(*v)[WAVE_LANES] =
		(const uint32_t(*)[WAVE_LANES])w->v[in->src[0] - OPERAND_VGPR];
	uint32_t index = b->r.add_lane ? lane : 0, offset = (uint32_t)in->imm;

	if (in->idxen)
		index += v[0][lane];
	if (in->offen)
		offset += v[in->idxen][lane];
	if (!in_range(&b->r, index, offset, b->soffset, a->bytes)) {
		access_nothing(a, lane);
		return WAVE_NEXT;
	}
	if (b->r.swizzled && b->r.stride)
		return resolve_swizzled(w, a, lane, b, index, offset);
	return access_memory(w, a, lane, b->r.base + b->soffset + linear(&b->r, index, offset));
}

/* Loads to LDS: each lane a dword, from M0 and the offset on. */
static int load_lds(struct wave *w, const struct instruction *in, const struct access *a)
{
	uint32_t base = (w->s[SGPR_M0] & 0xffff) + (uint32_t)in->imm;
	struct access to;

	access_begin(&to, WAVE_WRITE, 4, a->lanes);
	for (unsigned int lane = 0; lane < WAVE_LANES; lane++) {
		uint32_t value = 0;

		if (!(a->lanes >> lane & 1))
			continue;
		access_lds(w, &to, lane, base + 4 * lane);
		access_read(a, lane, &value);
		if (in->op->flags & SIGNED)
			value = in->op->bytes == 1 ? (uint32_t)(int8_t)value :
						     (uint32_t)(int16_t)value;
		access_write(&to, lane, &value);
	}
	return WAVE_NEXT;
}

int run_buffer(struct wave *w, const struct instruction *in)
{
	const struct opcode *op = in->op;
	uint64_t exec = wave_s64(w, SGPR_EXEC);
	struct buffer_access b;
	int event = WAVE_NEXT;
	struct access a;

	if (op->flags & NO_ADDRESS)
		return WAVE_NEXT; /* cache write-backs: there is no cache */
	if (in->registers > w->num_vgprs)
		return illegal(w, in, "a VGPR beyond those of the wave");
	if (in->tfe || op->flags & FORMAT)
		return illegal(w, in, "typed buffers and residency (tfe) are not executed");
	if (in->lds && (!(op->flags & LOAD) || op->bytes > 4))
		return illegal(w, in, "only loads of up to a dword go to LDS");
	b.r = read_resource(w, in->src[1]);
	b.soffset = read_scalar32(w, in, in->src[2]);
	access_begin(&a,
		     op->flags & LOAD  ? WAVE_READ :
		     op->flags & STORE ? WAVE_WRITE :
					 WAVE_READ | WAVE_WRITE,
		     op->bytes, exec);
	for (unsigned int lane = 0; lane < WAVE_LANES && event == WAVE_NEXT; lane++) {
		if (exec >> lane & 1)
			event = resolve_lane(w, in, &a, lane, &b);
	}
	if (event != WAVE_NEXT)
		return event;
	if (in->lds)
		return load_lds(w, in, &a);
	return access_transfer(w, in, &a, in->d - OPERAND_VGPR, in->d - OPERAND_VGPR, in->glc);
}
