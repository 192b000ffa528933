/* SPDX-License-Identifier: MIT */
/* What can be set at the command line and, while the device runs, through the control socket. */
#ifndef VGPU_SETTINGS_H
#define VGPU_SETTINGS_H

#include <stdint.h>
#include <stdio.h>

struct vgpu;

/* 0; -ENOENT: no such setting; -EINVAL: not a number; -ERANGE: too big. */
int setting_set(struct vgpu *dev, const char *name, const char *value);
/* NAME=VALUE's help lines, and all present values as members of a JSON object. */
void settings_help(FILE *out);
void settings_print(const struct vgpu *dev, FILE *out);
/* A number with an optional K, M or G (powers of 1024). -EINVAL if it is none. */
int parse_size(const char *text, uint64_t *value);

#endif
