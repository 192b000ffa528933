// SPDX-License-Identifier: MIT
/*
 * Draws which images have their bytes in which packs: a bar for each image and kind of memory, cut
 * into a piece for each pack. What has one colour is on disk, and in the page cache, once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "image_internal.h"
#include "sharing.h"

#define LABEL_WIDTH   180
#define BAR_WIDTH     760
#define BAR_HEIGHT    18
#define ROW_HEIGHT    24
#define LEGEND_HEIGHT 20
#define MARGIN	      16

static struct sharing_pack *find_pack(struct sharing *sharing, const struct gmmap_image_pack *pack)
{
	struct sharing_pack *packs = sharing->packs.data, *record;

	for (uint64_t i = 0; i < sharing->packs.count; i++)
		if (!memcmp(packs[i].digest, pack->digest, sizeof(pack->digest)))
			return &packs[i];
	record = table_add(&sharing->packs, sizeof(*record), 1);
	if (!record)
		return NULL;
	*record = (struct sharing_pack){
		.bytes = pack->slots << pack->granule_shift,
	};
	memcpy(record->digest, pack->digest, sizeof(record->digest));
	return record;
}

static int add_piece(struct sharing *sharing, uint64_t row, uint64_t pack, uint64_t bytes)
{
	struct sharing_piece *pieces = sharing->pieces.data, *piece;

	for (uint64_t i = 0; i < sharing->pieces.count; i++) {
		if (pieces[i].row == row && pieces[i].pack == pack) {
			pieces[i].bytes += bytes;
			return 0;
		}
	}
	piece = table_add(&sharing->pieces, sizeof(*piece), 1);
	if (!piece)
		return -1;
	*piece = (struct sharing_piece){ row, pack, bytes };
	return 0;
}

static int add_extent(struct sharing *sharing, const struct gmmap_image *image, uint64_t row,
		      const struct gmmap_image_extent *extent)
{
	struct sharing_pack *found;
	struct gmmap_image_pack pack;

	if (gmmap_image_pack(image, extent->pack, &pack))
		return add_piece(sharing, row, SHARING_ZEROS, extent->length);
	found = find_pack(sharing, &pack);
	if (!found)
		return -1;
	return add_piece(sharing, row, found - (struct sharing_pack *)sharing->packs.data,
			 extent->length);
}

int sharing_add(struct sharing *sharing, const struct gmmap_image *image)
{
	struct sharing_row *rows = table_add(&sharing->rows, sizeof(*rows), 2);
	uint64_t first = sharing->rows.count - 2;
	struct gmmap_image_object object;
	struct gmmap_image_info info;

	if (!rows)
		return -1;
	gmmap_image_info(image, &info);
	for (int i = 0; i < 2; i++) {
		rows[i] = (struct sharing_row){ .space = i ? "CPU" : "GPU" };
		snprintf(rows[i].image, sizeof(rows[i].image), "%s", info.name);
	}
	for (uint32_t i = 0; !gmmap_image_object(image, i, &object); i++) {
		uint64_t row = first + (object.kind == GMMAP_IMAGE_PAGES), offset = 0;
		struct gmmap_image_extent extent;

		while (gmmap_image_extents(image, i, offset, &extent, 1) > 0) {
			if (add_extent(sharing, image, row, &extent))
				return -1;
			offset += extent.length;
		}
		rows = sharing->rows.data;
		rows[row].bytes += object.size;
	}
	return 0;
}

void sharing_free(struct sharing *sharing)
{
	table_free(&sharing->rows);
	table_free(&sharing->packs);
	table_free(&sharing->pieces);
}

/* Colours far apart: the golden angle from one hue to the next. */
static void print_colour(FILE *file, uint64_t pack)
{
	if (pack == SHARING_ZEROS)
		fprintf(file, "#e4e4e4");
	else
		fprintf(file, "hsl(%u,60%%,%u%%)", (unsigned int)(pack * 137 + 210) % 360,
			(unsigned int)(50 + pack % 3 * 10));
}

static unsigned int count_users(const struct sharing *sharing, uint64_t pack)
{
	const struct sharing_piece *pieces = sharing->pieces.data;
	unsigned int users = 0;

	for (uint64_t i = 0; i < sharing->pieces.count; i++)
		users += pieces[i].pack == pack;
	return users;
}

static void draw_row(const struct sharing *sharing, FILE *file, uint64_t row, double scale, int y)
{
	const struct sharing_row *rows = sharing->rows.data;
	const struct sharing_piece *pieces = sharing->pieces.data;
	double x = MARGIN + LABEL_WIDTH;

	fprintf(file, "<text x='%d' y='%d'>%s %s</text>\n", MARGIN, y + BAR_HEIGHT - 5,
		rows[row].image, rows[row].space);
	for (uint64_t i = 0; i < sharing->pieces.count; i++) {
		double width = pieces[i].bytes * scale;

		if (pieces[i].row != row)
			continue;
		fprintf(file, "<rect x='%.2f' y='%d' width='%.2f' height='%d' fill='", x, y, width,
			BAR_HEIGHT);
		print_colour(file, pieces[i].pack);
		fprintf(file, "'><title>%llu bytes</title></rect>\n",
			(unsigned long long)pieces[i].bytes);
		x += width;
	}
}

static void draw_legend(const struct sharing *sharing, FILE *file, uint64_t pack, int y)
{
	const struct sharing_pack *packs = sharing->packs.data;

	fprintf(file, "<rect x='%d' y='%d' width='14' height='14' fill='", MARGIN, y);
	print_colour(file, pack);
	fprintf(file, "'/><text x='%d' y='%d'>", MARGIN + 22, y + 12);
	if (pack == SHARING_ZEROS)
		fprintf(file, "zeros, not stored</text>\n");
	else
		fprintf(file, "pack %02x%02x%02x%02x%02x%02x, %.1f MiB, in %u bars</text>\n",
			packs[pack].digest[0], packs[pack].digest[1], packs[pack].digest[2],
			packs[pack].digest[3], packs[pack].digest[4], packs[pack].digest[5],
			packs[pack].bytes / 1048576.0, count_users(sharing, pack));
}

void sharing_draw(const struct sharing *sharing, FILE *file)
{
	const struct sharing_row *rows = sharing->rows.data;
	int width = 2 * MARGIN + LABEL_WIDTH + BAR_WIDTH, y = MARGIN;
	int height = 2 * MARGIN + sharing->rows.count * ROW_HEIGHT +
		     (sharing->packs.count + 2) * LEGEND_HEIGHT;
	uint64_t most = 1;

	for (uint64_t i = 0; i < sharing->rows.count; i++)
		if (rows[i].bytes > most)
			most = rows[i].bytes;
	fprintf(file,
		"<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
		"font-family='sans-serif' font-size='12'>\n<rect width='100%%' height='100%%' "
		"fill='white'/>\n",
		width, height);
	for (uint64_t i = 0; i < sharing->rows.count; i++, y += ROW_HEIGHT)
		draw_row(sharing, file, i, (double)BAR_WIDTH / most, y);
	y += LEGEND_HEIGHT;
	for (uint64_t i = 0; i < sharing->packs.count; i++, y += LEGEND_HEIGHT)
		draw_legend(sharing, file, i, y);
	draw_legend(sharing, file, SHARING_ZEROS, y);
	fprintf(file, "</svg>\n");
}
