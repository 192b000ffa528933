/* SPDX-License-Identifier: MIT */
/* How much is in an image and where it lies. */
#ifndef GMMAP_SUMMARY_H
#define GMMAP_SUMMARY_H

#include "gmmap-image.h"

enum summary_space { SUMMARY_GPU, SUMMARY_CPU, SUMMARY_SPACES };

struct summary {
	struct {
		uint64_t objects, content, zeros;
		uint64_t base; /* in packs that were there before */
		uint64_t own;  /* in packs written with the image */
	} space[SUMMARY_SPACES];
	uint64_t file_bytes;
	uint64_t own_pack_bytes;
	uint64_t base_pack_bytes; /* of all packs that it shares, whole */
};

void summarize(const struct gmmap_image *image, struct summary *summary);

#endif
