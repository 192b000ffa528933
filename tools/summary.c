// SPDX-License-Identifier: MIT
#include "image_internal.h"
#include "summary.h"

#define AT_ONCE 64

static void add_object(const struct gmmap_image *image, uint32_t index, struct summary *summary)
{
	struct gmmap_image_extent extents[AT_ONCE];
	struct gmmap_image_object object;
	enum summary_space space;
	uint64_t offset = 0;
	ssize_t n;

	gmmap_image_object(image, index, &object);
	space = object.kind == GMMAP_IMAGE_PAGES ? SUMMARY_CPU : SUMMARY_GPU;
	summary->space[space].objects++;
	summary->space[space].content += object.size;
	while ((n = gmmap_image_extents(image, index, offset, extents, AT_ONCE)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			struct gmmap_image_pack pack;

			offset = extents[i].offset + extents[i].length;
			if (gmmap_image_pack(image, extents[i].pack, &pack))
				summary->space[space].zeros += extents[i].length;
			else if (pack.written_with_image)
				summary->space[space].own += extents[i].length;
			else
				summary->space[space].base += extents[i].length;
		}
	}
}

void summarize(const struct gmmap_image *image, struct summary *summary)
{
	struct gmmap_image_info info;

	*summary = (struct summary){ 0 };
	gmmap_image_info(image, &info);
	for (uint32_t i = 0; i < info.objects; i++)
		add_object(image, i, summary);
	for (uint32_t i = 0; i < info.files; i++) {
		struct gmmap_image_file file;

		gmmap_image_file(image, i, &file);
		summary->file_bytes += file.size;
	}
	for (uint32_t i = 0; i < info.packs; i++) {
		struct gmmap_image_pack pack;
		uint64_t bytes;

		gmmap_image_pack(image, i, &pack);
		bytes = pack_file_size(pack.slots, pack.granule_shift);
		if (pack.written_with_image)
			summary->own_pack_bytes += bytes;
		else
			summary->base_pack_bytes += bytes;
	}
}
