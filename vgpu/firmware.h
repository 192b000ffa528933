/* SPDX-License-Identifier: MIT */
/* Stub firmware files: headers that amdgpu accepts, around a payload that nothing executes. */
#ifndef VGPU_FIRMWARE_H
#define VGPU_FIRMWARE_H

/* The payload of every file begins so; the model's PSP accepts nothing else. */
#define FIRMWARE_MARK	     "vgpu firmware"

/* Below the version from which the driver prefers BACO, which needs power management, for resets. */
#define FIRMWARE_SOS_VERSION 0x80066u

/* Writes every file that amdgpu asks for into dir. Returns 0 or -errno. */
int firmware_write(const char *dir);

#endif
