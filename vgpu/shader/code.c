// SPDX-License-Identifier: MIT
/*
 * Instruction fetch through a cache of decoded instructions: pages of 4 KiB, found by address,
 * direct mapped. A page's instructions are decoded when they are first executed.
 */
#include "code.h"

#include <stdlib.h>

#define CODE_PAGE_BYTES	 4096u
#define CODE_PAGE_DWORDS (CODE_PAGE_BYTES / 4)
#define CODE_PAGES	 64u

struct code_page {
	uint64_t va; /* UINT64_MAX: unused */
	struct instruction instructions[CODE_PAGE_DWORDS]; /* run is NULL: not decoded */
};

struct code_cache {
	struct code_page *pages[CODE_PAGES]; /* allocated when first used */
};

struct code_cache *code_cache_new(void)
{
	return calloc(1, sizeof(struct code_cache));
}

void code_cache_clear(struct code_cache *code)
{
	for (unsigned int i = 0; i < CODE_PAGES; i++) {
		if (code->pages[i])
			code->pages[i]->va = UINT64_MAX;
	}
}

void code_cache_free(struct code_cache *code)
{
	if (!code)
		return;
	for (unsigned int i = 0; i < CODE_PAGES; i++)
		free(code->pages[i]);
	free(code);
}

static struct code_page *find_page(struct code_cache *code, uint64_t va)
{
	struct code_page **slot = &code->pages[va / CODE_PAGE_BYTES % CODE_PAGES];

	if (!*slot) {
		*slot = malloc(sizeof(**slot));
		if (!*slot)
			return NULL;
		(*slot)->va = UINT64_MAX;
	}
	if ((*slot)->va != va) {
		memset((*slot)->instructions, 0, sizeof((*slot)->instructions));
		(*slot)->va = va;
	}
	return *slot;
}

/* The dword at va. A refused fetch reads zero, as any load. */
static int fetch_dword(struct wave *wave, uint64_t va, uint32_t *word)
{
	uint64_t bytes = 0;
	void *host;

	*word = 0;
	switch (wave->memory->span(wave, va, WAVE_EXECUTE, &host, &bytes)) {
	case WAVE_PRESENT:
		memcpy(word, host, 4);
		return WAVE_NEXT;
	case WAVE_ABSENT:
		wave->fault_va = va;
		wave->fault_access = WAVE_EXECUTE;
		return WAVE_FAULT;
	default:
		wave->trapsts |= TRAPSTS_MEM_VIOL;
		memset(wave->encoding, 0, sizeof(wave->encoding));
		wave->fault_va = va;
		wave->reason = "code is not readable";
		return WAVE_ILLEGAL;
	}
}

static int decode_at(struct wave *wave, struct instruction *instruction)
{
	uint32_t words[MAX_INSTRUCTION_DWORDS] = { 0 };
	unsigned int have = 0, need = 1;
	int event;

	while (have < need) {
		event = fetch_dword(wave, wave->pc + 4 * have, &words[have]);
		if (event != WAVE_NEXT)
			return event;
		have++;
		need = decode(instruction, words, have);
	}
	return WAVE_NEXT;
}

int code_fetch(struct wave *wave, const struct instruction **instruction)
{
	uint64_t offset = wave->pc % CODE_PAGE_BYTES;
	struct code_page *page = find_page(wave->code, wave->pc - offset);
	struct instruction decoded;
	int event;

	if (!page || offset % 4) {
		wave->reason = page ? "pc is not a multiple of 4" : "out of memory";
		memset(wave->encoding, 0, sizeof(wave->encoding));
		return WAVE_ILLEGAL;
	}
	*instruction = &page->instructions[offset / 4];
	if ((*instruction)->run)
		return WAVE_NEXT;
	event = decode_at(wave, &decoded);
	if (event == WAVE_NEXT)
		page->instructions[offset / 4] = decoded;
	return event;
}
