// SPDX-License-Identifier: MIT
/* SMEM: scalar loads, stores, atomics, and the counters. */
#include "memory.h"
#include "atomic_op.h"

enum { S_DCACHE_INV = 0x20, S_MEMTIME = 0x24, S_MEMREALTIME = 0x25 };
#define MAX_SCALAR_BYTES 64

/* Where the instruction's data is; false if a buffer does not reach there. */
static bool find_address(const struct wave *w, const struct instruction *in, unsigned int bytes,
			 uint64_t *va)
{
	uint64_t base = read_register(w, in->src[0]) |
			(uint64_t)read_register(w, in->src[0] + 1u) << 32;
	uint64_t offset = in->idxen ? (uint64_t)(int64_t)in->imm : 0, limit;

	if (in->offen || !in->idxen)
		offset += read_register(w, in->src[1]);
	if (!(in->op->flags & BUFFER)) {
		*va = ((base & ~3ull) + (offset & ~3ull)) & PC_MASK;
		return true;
	}
	/* num_records counts bytes, or records of stride bytes. */
	limit = read_register(w, in->src[0] + 2u);
	if (base >> 48 & 0x3fff)
		limit *= base >> 48 & 0x3fff;
	offset = (uint32_t)offset & ~3u;
	*va = ((base & PC_MASK & ~3ull) + offset) & PC_MASK;
	return offset + bytes <= limit;
}

/* Resolves count bytes, dword by dword, so that no page is left out. */
static int resolve(struct wave *w, uint64_t va, unsigned int bytes, unsigned int kind,
		   uint8_t **host)
{
	uint64_t span_va = 0, span_bytes = 0;
	void *span_host = NULL;
	int span, event;

	for (unsigned int i = 0; i < bytes; i += 4) {
		if (va + i - span_va >= span_bytes) {
			span_va = va + i;
			span = w->memory->span(w, span_va, kind | WAVE_SCALAR, &span_host,
					       &span_bytes);
			if (span != WAVE_PRESENT) {
				event = memory_fault(w, span_va, kind | WAVE_SCALAR, span);
				if (event != WAVE_NEXT)
					return event;
				span_host = NULL;
				span_bytes = 4;
			}
		}
		host[i / 4] = span_host ? (uint8_t *)span_host + (va + i - span_va) : NULL;
	}
	return WAVE_NEXT;
}

static int load(struct wave *w, const struct instruction *in)
{
	unsigned int dwords = type_dwords(in->op->d);
	uint8_t *host[MAX_SCALAR_BYTES / 4] = { NULL };
	uint64_t va;
	int event;

	if (find_address(w, in, 4 * dwords, &va)) {
		event = resolve(w, va, 4 * dwords, WAVE_READ, host);
		if (event != WAVE_NEXT)
			return event;
	}
	for (unsigned int i = 0; i < dwords; i++) {
		uint32_t value = 0;

		if (host[i])
			memcpy(&value, host[i], 4);
		write_scalar(w, in->d + i, value);
	}
	return WAVE_NEXT;
}

static int store(struct wave *w, const struct instruction *in)
{
	unsigned int dwords = type_dwords(in->op->d);
	uint8_t *host[MAX_SCALAR_BYTES / 4] = { NULL };
	uint64_t va;
	int event;

	if (!find_address(w, in, 4 * dwords, &va))
		return WAVE_NEXT;
	event = resolve(w, va, 4 * dwords, WAVE_WRITE, host);
	for (unsigned int i = 0; i < dwords && event == WAVE_NEXT; i++) {
		uint32_t value = read_register(w, in->d + i);

		if (host[i])
			memcpy(host[i], &value, 4);
	}
	return event;
}

static int time(struct wave *w, const struct instruction *in)
{
	uint64_t now = w->memory->time(w, in->number == S_MEMREALTIME);

	write_scalar(w, in->d, (uint32_t)now);
	write_scalar(w, in->d + 1u, (uint32_t)(now >> 32));
	return WAVE_NEXT;
}

int run_smem(struct wave *w, const struct instruction *in)
{
	if (in->number == S_MEMTIME || in->number == S_MEMREALTIME)
		return time(w, in);
	if (in->op->flags & NO_ADDRESS)
		return WAVE_NEXT; /* caches: there are none for data */
	if (in->op->flags & LOAD)
		return load(w, in);
	if (in->op->flags & STORE)
		return store(w, in);
	return illegal(w, in, "scalar atomics are not executed");
}
