/* SPDX-License-Identifier: MIT */
/* The video BIOS image that amdgpu reads its board data from: generated, no vendor content. */
#ifndef VGPU_ROM_H
#define VGPU_ROM_H

#include <stddef.h>
#include <stdint.h>

/* Fills rom[0..bytes) with a valid image; bytes is a multiple of 512 and at least 4096. */
void rom_generate(uint8_t *rom, size_t bytes);

#endif
