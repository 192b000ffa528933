// SPDX-License-Identifier: MIT
/* gmmap image verity: the kernel checks each page of a pack when it is read. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/fsverity.h>
#include "command.h"
#include "image_internal.h"
#include "store.h"

static const char *why_not(int error)
{
	switch (error) {
	case EOPNOTSUPP:
		return "the file system has no fs-verity; for ext4: tune2fs -O verity DEVICE";
	case ENOTTY:
		return "the file system does not know fs-verity; ext4, btrfs and f2fs do";
	case ETXTBSY:
		return "it is open for writing";
	}
	return strerror(error);
}

static int enable_pack(int store_fd, const struct gmmap_image_pack *pack, unsigned int *enabled)
{
	struct fsverity_enable_arg argument = {
		.version = 1,
		.hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
		.block_size = PAGE_BYTES,
	};
	char path[DIGEST_HEX + 16];
	int ret, fd;

	pack_path(pack->digest, path);
	fd = openat(store_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return fail("%s: %m", path);
	ret = ioctl(fd, FS_IOC_ENABLE_VERITY, &argument) ? errno : 0;
	close(fd);
	if (ret && ret != EEXIST)
		return fail("%s: %s", path, why_not(ret));
	*enabled += !ret;
	return COMMAND_OK;
}

static int enable_image(const struct store_options *options, int store_fd, const char *name)
{
	struct gmmap_image_error error;
	struct gmmap_image *image;
	struct gmmap_image_pack pack;
	unsigned int enabled = 0;
	int status = COMMAND_OK;

	if (gmmap_image_open(options->store, name, GMMAP_IMAGE_WITHOUT_PACKS, &image, &error))
		return fail("%s", error.text);
	for (uint32_t i = 0; !status && !gmmap_image_pack(image, i, &pack); i++)
		status = enable_pack(store_fd, &pack, &enabled);
	gmmap_image_close(image);
	/* What was enabled must be what the image means. */
	if (!status &&
	    gmmap_image_open(options->store, name, GMMAP_IMAGE_REQUIRE_VERITY, &image, &error))
		return fail("%s", error.text);
	if (!status) {
		gmmap_image_close(image);
		printf("%s: fs-verity protects all packs, %u of them since now\n", name, enabled);
	}
	return status;
}

int image_verity(int argc, char **argv)
{
	static const struct option long_options[] = { STORE_OPTIONS, { 0 } };
	struct store_options options;
	struct gmmap_image_error error;
	int option, fd, status = COMMAND_OK;

	store_options_init(&options);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!store_option(&options, option))
			return COMMAND_USAGE;
	if (optind == argc)
		return usage_error("name the images whose packs are to be protected");
	fd = gmmap_store_open(options.store, &error);
	if (fd < 0)
		return fail("%s", error.text);
	for (int i = optind; i < argc; i++)
		if (enable_image(&options, fd, argv[i]))
			status = COMMAND_FAILED;
	close(fd);
	return status;
}
