// SPDX-License-Identifier: MIT
#include "wave.h"
#include "code.h"

#include <immintrin.h>

uint32_t wave_status(const struct wave *wave)
{
	uint32_t status = wave->status & ~(STATUS_SCC | STATUS_EXECZ | STATUS_VCCZ);

	status |= wave->scc ? STATUS_SCC : 0;
	status |= wave_s64(wave, SGPR_EXEC) ? 0 : STATUS_EXECZ;
	return status | (wave_s64(wave, SGPR_VCC) ? 0 : STATUS_VCCZ);
}

bool wave_trap(struct wave *wave, unsigned int trap, bool host)
{
	if (!(wave->status & STATUS_TRAP_EN) || !wave->tba)
		return false;
	wave->s[SGPR_TTMP] = (uint32_t)wave->pc;
	wave->s[SGPR_TTMP + 1] =
		(uint32_t)(wave->pc >> 32 & 0xffff) | (trap & 0xff) << 16 | (uint32_t)host << 24;
	wave->pc = wave->tba;
	wave->status |= STATUS_PRIV;
	return true;
}

enum wave_event wave_run(struct wave *wave, unsigned int limit)
{
	const struct instruction *instruction;
	unsigned int environment = _mm_getcsr();
	int event = WAVE_BUDGET;

	wave->float_state = UINT32_MAX;
	for (unsigned int i = 0; i < limit; i++) {
		uint64_t pc = wave->pc;

		if (wave->status & STATUS_HALT && !(wave->status & STATUS_PRIV)) {
			event = WAVE_HALT;
			break;
		}
		event = code_fetch(wave, &instruction);
		if (event != WAVE_NEXT)
			break;
		wave->pc += 4 * instruction->dwords;
		event = instruction->run(wave, instruction);
		if (event == WAVE_FAULT || event == WAVE_ILLEGAL) {
			wave->pc = pc;
			break;
		}
		wave->executed++;
		if (event != WAVE_NEXT)
			break;
		event = WAVE_BUDGET;
	}
	_mm_setcsr(environment);
	return (enum wave_event)event;
}
