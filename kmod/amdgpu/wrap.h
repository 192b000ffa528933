/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions of amdgpu that we stand in for while a process is attached. */
#ifndef GMMAP_AMDGPU_WRAP_H
#define GMMAP_AMDGPU_WRAP_H

int gmmap_wrap_install(void);
void gmmap_wrap_remove(void);
void gmmap_wrap_drain_cpu_faults(void);

#endif
