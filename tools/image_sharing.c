// SPDX-License-Identifier: MIT
/* gmmap image show --svg: a picture of which images share which packs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "sharing.h"
#include "store.h"

static int add_images(struct sharing *sharing, const char *store, char **names, size_t count)
{
	struct gmmap_image_error error;
	struct gmmap_image *image;

	for (size_t i = 0; i < count; i++) {
		int ret;

		if (gmmap_image_open(store, names[i], GMMAP_IMAGE_WITHOUT_PACKS, &image, &error))
			return fail("%s", error.text);
		ret = sharing_add(sharing, image);
		gmmap_image_close(image);
		if (ret)
			return fail("no memory");
	}
	return COMMAND_OK;
}

static int draw(const struct sharing *sharing, const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "we") : stdout;
	bool bad;

	if (!file)
		return fail("%s: %m", path);
	sharing_draw(sharing, file);
	bad = fflush(file) || ferror(file);
	if (file != stdout && fclose(file))
		bad = true;
	return bad ? fail("%s: %m", path) : COMMAND_OK;
}

int show_sharing(const char *store, const char *path, char **names, size_t count)
{
	struct gmmap_image_error error;
	struct sharing sharing = { 0 };
	int fd, ret, status;
	size_t all_count;
	char **all;

	fd = gmmap_store_open(store, &error);
	if (fd < 0)
		return fail("%s", error.text);
	ret = gmmap_store_list(fd, &all, &all_count);
	close(fd);
	if (ret)
		return fail("store %s: %s", store, strerror(-ret));
	status = add_images(&sharing, store, count ? names : all, count ? count : all_count);
	gmmap_store_free_list(all, all_count);
	if (!status)
		status = draw(&sharing, path);
	sharing_free(&sharing);
	return status;
}
