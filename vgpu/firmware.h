/* SPDX-License-Identifier: MIT */
/* Stub firmware files: headers that amdgpu accepts, around a payload that nothing executes. */
#ifndef VGPU_FIRMWARE_H
#define VGPU_FIRMWARE_H

/* Writes every file that amdgpu asks for with fw_load_type=0 into dir. Returns 0 or -errno. */
int firmware_write(const char *dir);

#endif
