/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls, wherever they arrive. */
#ifndef GMMAP_IOCTL_H
#define GMMAP_IOCTL_H

#include <linux/types.h>

struct gmmap_process;
struct gmmap_stream;

bool gmmap_is_ioctl(unsigned int cmd);
long gmmap_device_ioctl(unsigned int cmd, void __user *arg);
long gmmap_process_ioctl(struct gmmap_process *process, unsigned int cmd, void __user *arg);
long gmmap_session_ioctl(struct gmmap_process *process, struct gmmap_stream *stream,
			 unsigned int cmd, void __user *arg);

#endif
