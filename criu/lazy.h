/* SPDX-License-Identifier: MIT */
/* Large buffers are not read but mapped by gmmap.ko, which reads them when the GPU touches them. */
#ifndef GMMAP_CRIU_LAZY_H
#define GMMAP_CRIU_LAZY_H

#include <stdbool.h>
#include <linux/kfd_ioctl.h>

#include "image.h"

/* How content is restored: $GMMAP_RESTORE_MODE */
enum mode {
	MODE_AUTO,  /* large buffers are mapped, and loaded in the background */
	MODE_LAZY,  /* the same, but only what is touched is loaded */
	MODE_EAGER, /* everything is copied before the process runs */
	MODES
};

/*
 * Maps what can be mapped, and clears it in wanted[]; the rest is to be copied. Returns 0, or -1 after
 * an error was logged.
 */
int lazy_map(enum mode mode, int kfd_fd, int pages, const struct image *image,
	     const struct kfd_criu_bo_bucket *buckets, bool *wanted);

#endif
