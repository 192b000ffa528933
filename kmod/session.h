/* SPDX-License-Identifier: GPL-2.0-only */
/* The descriptor that ATTACH returns. Who holds it may use it. */
#ifndef GMMAP_SESSION_H
#define GMMAP_SESSION_H

struct file;
struct gmmap_process;

struct file *gmmap_session_create(struct gmmap_process *process);

#endif
