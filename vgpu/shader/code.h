/* SPDX-License-Identifier: MIT */
#ifndef VGPU_SHADER_CODE_H
#define VGPU_SHADER_CODE_H

#include "instruction.h"

/*
 * Finds the decoded instruction at pc; an event if it cannot be fetched, or WAVE_NEXT. The pointer is
 * valid until the next call or the cache is cleared.
 */
int code_fetch(struct wave *wave, const struct instruction **instruction);

#endif
