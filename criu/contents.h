/* SPDX-License-Identifier: MIT */
/* Content of buffers: from VRAM to the file of content at a dump, and back by copies or by gmmap. */
#ifndef GMMAP_CRIU_CONTENTS_H
#define GMMAP_CRIU_CONTENTS_H

#include <stdbool.h>
#include <linux/kfd_ioctl.h>

#include "image.h"

/* KFD has no dmabuf for buffers without content. */
#define NO_DMABUF UINT32_MAX

/*
 * Writes the content of all buffers and their extents. gpus are this machine's; gpu_of gives for each
 * entry of image->gpus its index there. Returns 0, or -1 after an error was logged.
 */
int contents_dump(int pages, struct image *image, const struct kfd_criu_bo_bucket *buckets,
		  const struct gpu *gpus);

/* Reads the content of those buffers that are wanted[] into them. */
int contents_restore(int pages, const struct image *image,
		     const struct kfd_criu_bo_bucket *buckets, const struct gpu *gpus,
		     const bool *wanted);

#endif
