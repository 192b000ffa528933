/* SPDX-License-Identifier: GPL-2.0-only */
/* A table of all mappings, for whoever looks after the machine. */
#ifndef GMMAP_DEBUG_H
#define GMMAP_DEBUG_H

void gmmap_debug_init(void);
void gmmap_debug_exit(void);

#endif
