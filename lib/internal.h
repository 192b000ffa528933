/* SPDX-License-Identifier: MIT */
#ifndef GMMAP_INTERNAL_H
#define GMMAP_INTERNAL_H

#include "gmmap.h"

#define EXPORT __attribute__((visibility("default")))

int gmmap_ioctl(int fd, unsigned long request, void *args);

/*
 * Calls visit for each descriptor of /dev/kfd of this process, until it returns something that is not
 * 0, which is returned.
 */
int gmmap_for_each_kfd(int (*visit)(int fd, void *data), void *data);

#define GMMAP_MAX_GPUS 64

/* KFD's ids of the GPUs as this process knows them. Returns how many, or -errno. */
int gmmap_gpu_ids(uint32_t ids[GMMAP_MAX_GPUS]);

#endif
