/* SPDX-License-Identifier: MIT */
/*
 * The lanes' accesses to memory and LDS. An instruction first resolves every lane to host addresses,
 * then transfers: so a fault has no effects, and the instruction can be run again.
 */
#ifndef VGPU_SHADER_MEMORY_H
#define VGPU_SHADER_MEMORY_H

#include "execute.h"
#include "lanes.h"

#define MAX_ACCESS_BYTES 16

struct access {
	unsigned int kind;	   /* enum wave_access */
	unsigned int bytes;	   /* of each lane */
	uint64_t lanes;		   /* that access something */
	uint64_t split;		   /* lanes whose bytes are not contiguous: see byte */
	uint8_t *host[WAVE_LANES]; /* NULL: reads give zeros, writes are dropped */
	uint8_t *byte[WAVE_LANES][MAX_ACCESS_BYTES];
	/* The last span that was found. */
	uint64_t span_va, span_bytes;
	uint8_t *span_host;
};

void access_begin(struct access *a, unsigned int kind, unsigned int bytes, uint64_t lanes);

/* Each resolves one lane; WAVE_NEXT or WAVE_FAULT. */
int access_memory(struct wave *wave, struct access *a, unsigned int lane, uint64_t va);
int access_scratch(struct wave *wave, struct access *a, unsigned int lane, uint64_t base,
		   uint32_t offset);
void access_lds(struct wave *wave, struct access *a, unsigned int lane, uint64_t offset);
void access_nothing(struct access *a, unsigned int lane);

void access_read(const struct access *a, unsigned int lane, void *to);
void access_write(const struct access *a, unsigned int lane, const void *from);

/* Loads to, stores from or applies the instruction's operation with its data registers. */
int access_transfer(struct wave *wave, const struct instruction *in, struct access *a,
		    unsigned int data, unsigned int result, bool returns);

#endif
