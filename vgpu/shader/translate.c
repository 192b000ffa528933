// SPDX-License-Identifier: MIT
/*
 * Memory as waves see it: through a translation cache of each worker, which forgets a VMID when the
 * driver invalidates it, and the page tables behind it.
 */
#include <string.h>
#include <time.h>

#include "../vgpu.h"
#include "engine.h"

#define SMALL_SHIFT 12u
#define LARGE_SHIFT 21u
#define VMID_SHIFT  56u /* above the page number in a tag */

static struct translation *translation_slot(struct worker *worker, unsigned int shift, uint64_t va)
{
	uint64_t page = va >> shift;

	return shift == SMALL_SHIFT ? &worker->small[(page ^ page >> 10) % TRANSLATE_SMALL] :
				      &worker->large[(page ^ page >> 8) % TRANSLATE_LARGE];
}

static uint64_t translation_tag(unsigned int shift, uint8_t vmid, uint64_t va)
{
	return ((va >> shift) + 1) | (uint64_t)vmid << VMID_SHIFT;
}

static uint8_t *translation_find(struct worker *worker, unsigned int shift, uint8_t vmid,
				 uint64_t va, unsigned int access)
{
	const struct translation *t = translation_slot(worker, shift, va);

	if (t->tag != translation_tag(shift, vmid, va) ||
	    t->generation != worker->shader->generation[vmid] || access & ~t->access)
		return NULL;
	return t->host + (va & ((1ULL << shift) - 1));
}

static void translation_keep(struct worker *worker, unsigned int shift, uint8_t vmid, uint64_t va,
			     uint8_t access, uint8_t *host)
{
	*translation_slot(worker, shift, va) = (struct translation){
		.tag = translation_tag(shift, vmid, va),
		.generation = worker->shader->generation[vmid],
		.host = host - (va & ((1ULL << shift) - 1)),
		.access = access,
	};
}

/*
 * Caches what the walk found: the fragment's 2 MiB around va if there are so many and the host has
 * them in one piece, else the page.
 */
static void translation_insert(struct worker *worker, uint8_t vmid, uint64_t va,
			       const struct gmc_page *page, const struct span *span)
{
	struct vgpu *dev = worker->shader->dev;
	uint64_t offset = va & ((1ULL << LARGE_SHIFT) - 1);
	struct span whole;

	if (!__atomic_load_n(&dev->tlb, __ATOMIC_RELAXED))
		return;
	if (page->shift >= LARGE_SHIFT && page->physical >= offset) {
		whole = mem_span(&dev->mem, page->physical - offset, page->system,
				 page->access & GMC_WRITE);
		if (whole.ptr && whole.bytes >= 1ULL << LARGE_SHIFT) {
			translation_keep(worker, LARGE_SHIFT, vmid, va, page->access,
					 whole.ptr + offset);
			return;
		}
	}
	translation_keep(worker, SMALL_SHIFT, vmid, va, page->access, span->ptr);
}

/* A page that reads as what fill says and forgets what is written. */
static void *nowhere(struct worker *worker, uint64_t va, int fill)
{
	memset(worker->nowhere, fill, sizeof(worker->nowhere));
	return worker->nowhere + va % GMC_PAGE_BYTES;
}

static enum wave_span absent(struct unit *unit, bool retry)
{
	unit->refused = !retry;
	return WAVE_ABSENT;
}

static enum wave_span walk(struct unit *unit, uint64_t va, unsigned int access, void **host)
{
	struct worker *worker = unit->worker;
	struct dispatch *dispatch = unit->group->dispatch;
	struct vgpu *dev = worker->shader->dev;
	struct gmc_page page;
	struct span span;

	switch (gmc_walk(dev, &dev->hubs[HUB_GFX], dispatch->vmid, va, access, &page)) {
	case GMC_OK:
		break;
	case GMC_RETRY:
		return absent(unit, dispatch->kernel.retry);
	case GMC_NORETRY:
		return absent(unit, false);
	case GMC_PRT:
		*host = nowhere(worker, va, 0);
		return WAVE_PRESENT;
	}
	span = mem_span(&dev->mem, page.physical, page.system, access & GMC_WRITE);
	/* Memory that only the client reaches: it is asked by the main thread alone. */
	if (!span.ptr || span.bytes < GMC_PAGE_BYTES - va % GMC_PAGE_BYTES) {
		*host = nowhere(worker, va, 0xff);
		return WAVE_PRESENT;
	}
	if (page.access & GMC_WRITE && !(access & GMC_WRITE) &&
	    !mem_span(&dev->mem, page.physical, page.system, true).ptr)
		page.access &= (uint8_t)~GMC_WRITE;
	translation_insert(worker, dispatch->vmid, va, &page, &span);
	*host = span.ptr;
	return WAVE_PRESENT;
}

static enum wave_span shader_span(struct wave *wave, uint64_t va, unsigned int access, void **host,
				  uint64_t *bytes)
{
	struct unit *unit = wave_unit(wave);
	uint8_t vmid = unit->group->dispatch->vmid;

	access &= GMC_READ | GMC_WRITE | GMC_EXEC;
	*bytes = GMC_PAGE_BYTES - va % GMC_PAGE_BYTES;
	/* Not an address of 48 bits. */
	if (va & ~GMC_VA_MASK)
		return absent(unit, false);
	*host = translation_find(unit->worker, SMALL_SHIFT, vmid, va, access);
	if (*host)
		return WAVE_PRESENT;
	*host = translation_find(unit->worker, LARGE_SHIFT, vmid, va, access);
	if (*host) {
		*bytes = (1ULL << LARGE_SHIFT) - (va & ((1ULL << LARGE_SHIFT) - 1));
		return WAVE_PRESENT;
	}
	return walk(unit, va, access, host);
}

static uint64_t shader_time(struct wave *wave, bool real)
{
	struct timespec ts;
	uint64_t ns;

	(void)wave;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	return real ? ns / 10 : ns;
}

const struct wave_memory shader_memory = { .span = shader_span, .time = shader_time };
