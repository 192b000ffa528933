/* SPDX-License-Identifier: MIT */
/*
 * The control socket: a UNIX stream on which a command line gets one JSON line as its answer.
 *   stats             counters of the device, its queues and its link
 *   settings          present values
 *   set NAME VALUE    see settings.c
 *   reset             the device resets itself, and nobody told the driver
 */
#ifndef VGPU_CONTROL_H
#define VGPU_CONTROL_H

#include <poll.h>
#include <stdio.h>

struct vgpu;
struct control;

#define CONTROL_CLIENTS 4
#define CONTROL_FDS	(1 + CONTROL_CLIENTS)

/* Writes what "stats" answers; the program also does so when it ends (--stats). */
void control_print_stats(struct vgpu *dev, FILE *out);
/* Listens on path (an existing socket there is replaced). 0 or -errno. */
int control_create(struct control **out, const char *path);
void control_destroy(struct control *control);
/* Fills fds for poll() and handles what poll() found. */
void control_prepare(const struct control *control, struct pollfd fds[CONTROL_FDS]);
void control_dispatch(struct control *control, struct vgpu *dev,
		      const struct pollfd fds[CONTROL_FDS]);

#endif
