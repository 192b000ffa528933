/* SPDX-License-Identifier: MIT */
#ifndef GMMAP_SHARING_H
#define GMMAP_SHARING_H

#include <stdio.h>
#include "gmmap-image.h"
#include "table.h"

#define SHARING_ZEROS UINT64_MAX

struct sharing_pack {
	uint8_t digest[GMMAP_IMAGE_DIGEST_BYTES];
	uint64_t bytes;
};

struct sharing_row {
	char image[129];
	const char *space;
	uint64_t bytes;
};

/* So many bytes of a row lie in a pack. */
struct sharing_piece {
	uint64_t row, pack, bytes;
};

struct sharing {
	struct table rows, packs, pieces;
};

/* 0, or -1 without memory. */
int sharing_add(struct sharing *sharing, const struct gmmap_image *image);
/* As SVG. */
void sharing_draw(const struct sharing *sharing, FILE *file);
void sharing_free(struct sharing *sharing);

#endif
