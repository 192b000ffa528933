// SPDX-License-Identifier: MIT
#include "memory.h"
#include "atomic_op.h"

void access_begin(struct access *a, unsigned int kind, unsigned int bytes, uint64_t lanes)
{
	a->kind = kind;
	a->bytes = bytes;
	a->lanes = lanes;
	a->split = 0;
	a->span_bytes = 0;
	a->span_va = 0;
}

/* Makes the span the one of va; its host address is NULL if memory is refused. */
static int find_span(struct wave *w, struct access *a, uint64_t va)
{
	void *host = NULL;
	uint64_t bytes = 0;
	int span = w->memory->span(w, va, a->kind, &host, &bytes);

	if (span == WAVE_PRESENT && bytes) {
		a->span_va = va;
		a->span_host = host;
		a->span_bytes = bytes;
		return WAVE_NEXT;
	}
	a->span_va = va & ~4095ull;
	a->span_host = NULL;
	a->span_bytes = 4096;
	return memory_fault(w, va, a->kind, span);
}

static int resolve(struct wave *w, struct access *a, uint64_t va, uint8_t **host)
{
	int event;

	if (va - a->span_va >= a->span_bytes) {
		event = find_span(w, a, va);
		if (event != WAVE_NEXT)
			return event;
	}
	*host = a->span_host ? a->span_host + (va - a->span_va) : NULL;
	return WAVE_NEXT;
}

static int resolve_bytes(struct wave *w, struct access *a, unsigned int lane, uint64_t va)
{
	int event = WAVE_NEXT;

	a->split |= 1ull << lane;
	for (unsigned int i = 0; i < a->bytes && event == WAVE_NEXT; i++)
		event = resolve(w, a, va + i, &a->byte[lane][i]);
	return event;
}

int access_memory(struct wave *w, struct access *a, unsigned int lane, uint64_t va)
{
	int event;

	va &= PC_MASK;
	event = resolve(w, a, va, &a->host[lane]);
	if (event != WAVE_NEXT || a->span_bytes - (va - a->span_va) >= a->bytes)
		return event;
	return resolve_bytes(w, a, lane, va);
}

/* Scratch is interleaved: the lanes' dwords side by side. */
static uint64_t swizzle(uint64_t base, uint32_t offset, unsigned int lane)
{
	return base + (uint64_t)(offset / 4) * 4 * WAVE_LANES + 4 * lane + offset % 4;
}

int access_scratch(struct wave *w, struct access *a, unsigned int lane, uint64_t base,
		   uint32_t offset)
{
	int event = WAVE_NEXT;

	if (offset % 4 + a->bytes <= 4)
		return access_memory(w, a, lane, swizzle(base, offset, lane));
	a->split |= 1ull << lane;
	for (unsigned int i = 0; i < a->bytes && event == WAVE_NEXT; i++)
		event = resolve(w, a, swizzle(base, offset + i, lane) & PC_MASK, &a->byte[lane][i]);
	return event;
}

void access_lds(struct wave *w, struct access *a, unsigned int lane, uint64_t offset)
{
	bool inside = offset < w->lds_bytes && w->lds_bytes - offset >= a->bytes;

	a->host[lane] = inside ? w->lds + offset : NULL;
}

void access_nothing(struct access *a, unsigned int lane)
{
	a->host[lane] = NULL;
}

/* Not inlined, for the compiler does not know that bytes is no more than what is read. */
static __attribute__((noinline)) void read_split(const struct access *a, unsigned int lane,
						 uint8_t *bytes)
{
	for (unsigned int i = 0; i < a->bytes; i++)
		bytes[i] = a->byte[lane][i] ? *a->byte[lane][i] : 0;
}

void access_read(const struct access *a, unsigned int lane, void *to)
{
	if (a->split >> lane & 1)
		read_split(a, lane, to);
	else if (a->host[lane])
		memcpy(to, a->host[lane], a->bytes);
	else
		memset(to, 0, a->bytes);
}

void access_write(const struct access *a, unsigned int lane, const void *from)
{
	const uint8_t *bytes = from;

	if (!(a->split >> lane & 1)) {
		if (a->host[lane])
			memcpy(a->host[lane], from, a->bytes);
		return;
	}
	for (unsigned int i = 0; i < a->bytes; i++) {
		if (a->byte[lane][i])
			*a->byte[lane][i] = bytes[i];
	}
}

/* What a register becomes that held old; value is what was read, zero-extended. */
static uint32_t extend(const struct opcode *op, uint32_t value, uint32_t old)
{
	unsigned int unused = op->bytes < 4 ? 32 - 8 * op->bytes : 0;

	if (op->flags & SIGNED)
		value = (uint32_t)((int32_t)(value << unused) >> unused);
	if (op->flags & D16)
		return (value & 0xffff) | (old & 0xffff0000);
	if (op->flags & D16_HIGH)
		return value << 16 | (old & 0xffff);
	return value;
}

#define FOR_LANES(lane, mask)                                                                      \
	for (uint64_t left = (mask), lane; left && (lane = (uint64_t)__builtin_ctzll(left), 1);    \
	     left &= left - 1)

static void load_small(struct wave *w, const struct opcode *op, const struct access *a,
		       unsigned int result)
{
	uint32_t *row = w->v[result];

	FOR_LANES(lane, a->lanes) {
		uint32_t value = 0;

		access_read(a, lane, &value);
		row[lane] = extend(op, value, row[lane]);
	}
}

/* The common case: dwords, whose size the compiler knows. */
static void load_dword(uint32_t *row, const struct access *a)
{
	FOR_LANES(lane, a->lanes) {
		uint32_t value = 0;

		if (a->split >> lane & 1)
			access_read(a, lane, &value);
		else if (a->host[lane])
			memcpy(&value, a->host[lane], 4);
		row[lane] = value;
	}
}

static void load(struct wave *w, const struct opcode *op, const struct access *a,
		 unsigned int result)
{
	uint32_t values[MAX_ACCESS_BYTES / 4];

	if (a->bytes < 4) {
		load_small(w, op, a, result);
		return;
	}
	if (a->bytes == 4) {
		load_dword(w->v[result], a);
		return;
	}
	FOR_LANES(lane, a->lanes) {
		access_read(a, lane, values);
		for (unsigned int i = 0; i < a->bytes / 4; i++)
			w->v[result + i][lane] = values[i];
	}
}

static void store(struct wave *w, const struct opcode *op, const struct access *a,
		  unsigned int data)
{
	uint32_t values[MAX_ACCESS_BYTES / 4];

	FOR_LANES(lane, a->lanes) {
		for (unsigned int i = 0; i < (a->bytes + 3) / 4; i++)
			values[i] = w->v[data + i][lane];
		if (op->flags & D16_HIGH)
			values[0] >>= 16;
		access_write(a, lane, values);
	}
}

static uint64_t lane_value(const struct wave *w, unsigned int reg, unsigned int lane, bool wide)
{
	return wide ? (uint64_t)w->v[reg + 1][lane] << 32 | w->v[reg][lane] : w->v[reg][lane];
}

/* One operation at a place that other waves and the host may access too; the old value. */
static uint64_t apply(enum atomic_op op, bool wide, uint8_t *at, uint64_t data, uint64_t data2)
{
	uint32_t old32, new32;
	uint64_t old64, new64;

	if (wide) {
		old64 = __atomic_load_n((uint64_t *)(void *)at, __ATOMIC_RELAXED);
		do {
			new64 = atomic_result(op, true, old64, data, data2);
		} while (!__atomic_compare_exchange_n((uint64_t *)(void *)at, &old64, new64, false,
						      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
		return old64;
	}
	old32 = __atomic_load_n((uint32_t *)(void *)at, __ATOMIC_RELAXED);
	do {
		new32 = (uint32_t)atomic_result(op, false, old32, data, data2);
	} while (!__atomic_compare_exchange_n((uint32_t *)(void *)at, &old32, new32, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return old32;
}

/* Atomics of memory: CMPSWAP has the compared value after the new one. */
static void atomics(struct wave *w, const struct opcode *op, const struct access *a,
		    unsigned int data, unsigned int result, bool returns)
{
	bool wide = op->bytes == 8;
	unsigned int second = op->atomic == ATOMIC_CMPSWAP ? data + (wide ? 2 : 1) : data;

	FOR_LANES(lane, a->lanes) {
		uint64_t value = lane_value(w, data, lane, wide);
		uint64_t value2 = lane_value(w, second, lane, wide), old = 0;

		/* An address that is not aligned is a violation, as a refused one. */
		if (a->split >> lane & 1 || (uintptr_t)a->host[lane] % op->bytes)
			w->trapsts |= TRAPSTS_MEM_VIOL;
		else if (a->host[lane])
			old = apply(op->atomic, wide, a->host[lane], value, value2);
		if (!returns)
			continue;
		w->v[result][lane] = (uint32_t)old;
		if (wide)
			w->v[result + 1][lane] = (uint32_t)(old >> 32);
	}
}

int access_transfer(struct wave *w, const struct instruction *in, struct access *a,
		    unsigned int data, unsigned int result, bool returns)
{
	if (in->op->flags & LOAD)
		load(w, in->op, a, result);
	else if (in->op->flags & STORE)
		store(w, in->op, a, data);
	else
		atomics(w, in->op, a, data, result, returns);
	return WAVE_NEXT;
}
