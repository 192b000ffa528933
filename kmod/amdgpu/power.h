/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens to GPUs as a whole: sleep, reset, unbinding. */
#ifndef GMMAP_AMDGPU_POWER_H
#define GMMAP_AMDGPU_POWER_H

#include "driver.h"

int gmmap_power_init(void);
void gmmap_power_exit(void);

int gmmap_power_begin_map(void);
void gmmap_power_end_map(void);

void gmmap_power_was_reset(struct amdgpu_device *adev);

#endif
