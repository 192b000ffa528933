/* SPDX-License-Identifier: MIT */
/* KFD's checkpoint and restore. Functions return 0, or -1 after an error was logged. */
#ifndef GMMAP_CRIU_KFD_H
#define GMMAP_CRIU_KFD_H

#include <linux/kfd_ioctl.h>
#include <sys/types.h>

int kfd_criu(int fd, enum kfd_criu_op op, struct kfd_ioctl_criu_args *args);

/*
 * Opens /dev/kfd in a task that is restored. Returns a descriptor, or -1 after an error was logged.
 */
int kfd_open(void);

/* -1: this kernel's KFD has no checkpoint and restore; nothing is logged. */
int kfd_check_version(void);

/*
 * Stops the process's queues and writes gmmap-ID.img and gmmap-pages-ID.img. fd is the process's
 * descriptor of KFD. On an error, too, the queues stand still until kfd_dump_finish().
 */
int kfd_dump(int fd, int id, int folder);
/* Lets the queues of all processes run. */
int kfd_dump_finish(void);

#endif
