// SPDX-License-Identifier: MIT
/*
 * Saving and restoring waves with the driver's trap handler (cwsr_trap_handler_gfx9.asm).
 *
 * Each wave has a piece of the save area: VGPRs, SGPRs, 128 bytes of other registers, and, the first
 * of a group, LDS; 64 bytes are spare. The control stack says whose they are: two dwords of a
 * SET_SH_REG packet, then values of COMPUTE_RELAUNCH, for each group its registers' size and one value
 * for each wave. It grows down while the save area grows up, so the group that was saved last is
 * read first, its first wave before the others (ROCdbgapi: control_stack_iterate()).
 */
#include <stdlib.h>
#include <string.h>

#include "../vgpu.h"
#include "engine.h"

#define RELAUNCH_STATE	       (1u << 31)
#define RELAUNCH_EVENT	       (1u << 30)
#define RELAUNCH_VGPRS(v)      (((v) & 0x3f) * 4 + 4)
#define RELAUNCH_LDS(v)	       (((v) >> 9 & 0x1ff) * 512)
#define RELAUNCH_FIRST	       (1u << 17)
#define RELAUNCH_LAST	       (1u << 16)
#define RELAUNCH_SCRATCH(v)    ((int)((v) & 0x1fff) - 1) /* slot; -1: none */
#define SAVE_FIRST	       (1ULL << 58) /* S_SAVE_SPI_INIT_FIRST_WAVE_MASK of the high dword */
#define RESTORE_ENTRY	       4 /* behind the first instruction of the handler */
#define SET_SH_REG(n)	       (3u << 30 | (n) << 16 | 0x76u << 8)
#define SH_COMPUTE_RELAUNCH    0x222u
#define HEADER_WORDS	       2u
#define USER_HEADER_BYTES      40u /* kfd_context_save_area_header, at the other end of the stack */
#define HWREG_BYTES	       128u
#define SPARE_BYTES	       64u
#define STACK_PAGE	       4096u /* where the control stack begins, from the MQD */

static uint32_t group_state_word(uint32_t vgprs, uint32_t lds_bytes)
{
	return RELAUNCH_STATE | (vgprs / 4 - 1) | (WAVE_SGPRS / 16) << 6 | lds_bytes / 512 << 9;
}

static uint32_t wave_bytes(uint32_t vgprs, uint32_t lds_bytes, bool first)
{
	return vgprs * WAVE_LANES * 4 + WAVE_SGPRS * 4 + HWREG_BYTES + SPARE_BYTES +
	       (first ? lds_bytes : 0);
}

static void push(struct dispatch *dispatch, uint32_t word)
{
	dispatch->stack[dispatch->stack_words++] = word;
}

static void save_group(struct dispatch *dispatch, struct group *group)
{
	uint32_t vgprs = group->units[0].wave.num_vgprs;
	bool last = true;

	for (unsigned int i = group->num_units; i-- > 0;) {
		struct unit *unit = &group->units[i];
		bool first = true;

		if (unit->state == UNIT_ENDED)
			continue;
		for (unsigned int j = 0; j < i; j++)
			first &= group->units[j].state == UNIT_ENDED;
		unit->save_va = (dispatch->area.va + dispatch->area_end) | (first ? SAVE_FIRST : 0);
		dispatch->area_end += wave_bytes(vgprs, group->lds_bytes, first);
		push(dispatch, (uint32_t)(unit->scratch_slot + 1) | (first ? RELAUNCH_FIRST : 0) |
				       (last ? RELAUNCH_LAST : 0));
		last = false;
	}
	push(dispatch, group_state_word(vgprs, group->lds_bytes));
}

/* Words and bytes that the waves in residence need. */
static void measure(const struct dispatch *dispatch, size_t *words, uint64_t *bytes)
{
	const struct group *group;

	*words = 0;
	*bytes = 0;
	TAILQ_FOREACH(group, &dispatch->groups, entry) {
		unsigned int waves = group->num_units - group->num_ended;

		*words += waves + 1;
		*bytes += (uint64_t)waves * wave_bytes(group->units[0].wave.num_vgprs, 0, false) +
			  group->lds_bytes;
	}
}

bool cwsr_save(struct dispatch *dispatch)
{
	uint32_t stack_bytes = dispatch->area.stack_bytes;
	struct group *group;
	uint32_t *stack;
	uint64_t bytes;
	size_t words;

	if (!dispatch->stack_words)
		dispatch->area_end = stack_bytes;
	measure(dispatch, &words, &bytes);
	words += dispatch->stack_words;
	if (dispatch->area_end + bytes > dispatch->area.bytes ||
	    (words + HEADER_WORDS) * 4 + USER_HEADER_BYTES > stack_bytes)
		return false;
	stack = realloc(dispatch->stack, (words + 1) * sizeof(*stack));
	if (!stack)
		return false;
	dispatch->stack = stack;
	TAILQ_FOREACH(group, &dispatch->groups, entry) {
		save_group(dispatch, group);
		dispatch->shader->stats.saved += group->num_units - group->num_ended;
	}
	return true;
}

void cwsr_finish(struct dispatch *dispatch, struct shader_progress *progress)
{
	uint32_t words = (uint32_t)dispatch->stack_words;
	uint32_t bytes = words ? 4 * (words + HEADER_WORDS) : 0;
	uint32_t *image;

	progress->stack_offset = dispatch->area.stack_bytes - bytes;
	progress->area_end = words ? dispatch->area_end : dispatch->area.stack_bytes;
	if (!words)
		return;
	image = malloc(bytes);
	if (!image) {
		error(dispatch->shader->dev, "%s: out of memory, its waves are lost",
		      dispatch->q->name);
		progress->stack_offset = dispatch->area.stack_bytes;
		return;
	}
	image[0] = SET_SH_REG(words);
	image[1] = SH_COMPUTE_RELAUNCH;
	for (uint32_t i = 0; i < words; i++)
		image[HEADER_WORDS + i] = dispatch->stack[words - 1 - i];
	vgpu_write(dispatch->shader->dev,
		   dispatch->area.mqd + STACK_PAGE + progress->stack_offset, image, bytes);
	free(image);
}

void cwsr_load(struct dispatch *dispatch, const struct shader_progress *progress)
{
	const struct shader_area *area = &dispatch->area;
	uint32_t bytes, words, *image;

	if (progress->stack_offset >= area->stack_bytes)
		return;
	bytes = area->stack_bytes - progress->stack_offset;
	words = bytes / 4;
	image = malloc(bytes);
	dispatch->stack = malloc(bytes);
	if (words <= HEADER_WORDS || !image || !dispatch->stack) {
		error(dispatch->shader->dev, "%s: its control stack cannot be read",
		      dispatch->q->name);
		free(image);
		return;
	}
	vgpu_read(dispatch->shader->dev, area->mqd + STACK_PAGE + progress->stack_offset, image,
		  bytes);
	words -= HEADER_WORDS;
	for (uint32_t i = 0; i < words; i++)
		dispatch->stack[words - 1 - i] = image[HEADER_WORDS + i];
	dispatch->stack_words = words;
	dispatch->area_end = progress->area_end;
	free(image);
}

/* Waves of the group on top; 0: the stack makes no sense. */
static unsigned int top_waves(const struct dispatch *dispatch)
{
	size_t at = dispatch->stack_words;

	if (!(dispatch->stack[--at] & RELAUNCH_STATE))
		return 0;
	for (unsigned int waves = 1; at && waves <= GROUP_MAX_WAVES; waves++) {
		uint32_t word = dispatch->stack[--at];

		if (word & (RELAUNCH_STATE | RELAUNCH_EVENT) ||
		    (waves == 1) != !!(word & RELAUNCH_FIRST))
			return 0;
		if (word & RELAUNCH_LAST)
			return waves;
	}
	return 0;
}

static struct group *reject(struct dispatch *dispatch)
{
	dispatch->stack_words = 0;
	dispatch->error = SHADER_ERROR_PACKET;
	shader_notify(dispatch->shader);
	return NULL;
}

static void restore_unit(struct dispatch *dispatch, struct unit *unit, uint32_t va_offset,
			 bool first)
{
	struct wave *wave = &unit->wave;

	wave->pc = wave->tba + RESTORE_ENTRY;
	wave->status |= STATUS_PRIV;
	wave_set_s64(wave, SGPR_EXEC, (dispatch->area.va + va_offset) | (first ? SAVE_FIRST : 0));
}

struct group *cwsr_restore(struct dispatch *dispatch)
{
	uint32_t state = dispatch->stack[dispatch->stack_words - 1];
	uint32_t vgprs = RELAUNCH_VGPRS(state), lds_bytes = RELAUNCH_LDS(state);
	unsigned int waves = top_waves(dispatch);
	uint64_t bytes = (uint64_t)waves * wave_bytes(vgprs, 0, false) + lds_bytes;
	struct group *group;

	if (!waves || lds_bytes > OCCUPANCY_LDS || !dispatch->kernel.tba ||
	    bytes > dispatch->area_end || dispatch->area_end > dispatch->area.bytes)
		return reject(dispatch);
	group = group_new(dispatch, waves, vgprs, lds_bytes);
	if (!group)
		return NULL;
	dispatch->stack_words--;
	for (unsigned int i = 0; i < waves; i++) {
		uint32_t word = dispatch->stack[--dispatch->stack_words];
		int slot = RELAUNCH_SCRATCH(word);

		dispatch->area_end -= wave_bytes(vgprs, lds_bytes, i == 0);
		restore_unit(dispatch, &group->units[i], dispatch->area_end, i == 0);
		if (slot >= 0 && !scratch_take(dispatch, &group->units[i], slot)) {
			group_free(group);
			return reject(dispatch);
		}
	}
	dispatch->shader->stats.restored += waves;
	return group;
}
