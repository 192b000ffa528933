// SPDX-License-Identifier: MIT
/* gmmap image ls, gmmap image show */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "store.h"
#include "summary.h"

static const char *const space_names[SUMMARY_SPACES] = { "gpu", "cpu" };

static const char *const kind_names[] = {
	[GMMAP_IMAGE_KFD_BO] = "kfd-bo",
	[GMMAP_IMAGE_DRM_BO] = "drm-bo",
	[GMMAP_IMAGE_PAGES] = "pages",
};

static struct json_object *summary_json(const struct gmmap_image *image)
{
	struct json_object *json = json_object_new_object();
	struct gmmap_image_info info;
	struct summary summary;

	gmmap_image_info(image, &info);
	summarize(image, &summary);
	json_add_text(json, "name", info.name);
	json_add_text(json, "sha256", digest_text(info.sha256));
	json_add_text(json, "created", time_text(info.created_ns));
	json_add_u64(json, "processes", info.processes);
	json_add_u64(json, "extents", info.extents);
	for (int i = 0; i < SUMMARY_SPACES; i++) {
		struct json_object *space = json_object_new_object();

		json_add_u64(space, "objects", summary.space[i].objects);
		json_add_u64(space, "content_bytes", summary.space[i].content);
		json_add_u64(space, "zero_bytes", summary.space[i].zeros);
		json_add_u64(space, "base_bytes", summary.space[i].base);
		json_add_u64(space, "own_bytes", summary.space[i].own);
		json_object_object_add(json, space_names[i], space);
	}
	json_add_u64(json, "file_bytes", summary.file_bytes);
	json_add_u64(json, "own_pack_bytes", summary.own_pack_bytes);
	json_add_u64(json, "base_pack_bytes", summary.base_pack_bytes);
	return json;
}

static void print_summary_line(const struct gmmap_image *image)
{
	struct gmmap_image_info info;
	struct summary summary;

	gmmap_image_info(image, &info);
	summarize(image, &summary);
	printf("%-24s %-20s %10s %10s %10s %10s\n", info.name, time_text(info.created_ns),
	       bytes_text(summary.space[SUMMARY_GPU].content),
	       bytes_text(summary.space[SUMMARY_CPU].content),
	       bytes_text(summary.space[SUMMARY_GPU].base + summary.space[SUMMARY_CPU].base),
	       bytes_text(summary.own_pack_bytes + summary.file_bytes));
}

/* Prints or adds one image of ls; an image that cannot be read does not hide the others. */
static int list_one(const struct store_options *options, const char *name, struct json_object *list)
{
	struct gmmap_image_error error;
	struct gmmap_image *image;

	if (gmmap_image_open(options->store, name, GMMAP_IMAGE_WITHOUT_PACKS, &image, &error))
		return fail("%s", error.text);
	if (list)
		json_object_array_add(list, summary_json(image));
	else
		print_summary_line(image);
	gmmap_image_close(image);
	return COMMAND_OK;
}

int image_ls(int argc, char **argv)
{
	static const struct option long_options[] = { STORE_OPTIONS, { 0 } };
	struct json_object *list = NULL;
	struct store_options options;
	struct gmmap_image_error error;
	int option, fd, ret, status = COMMAND_OK;
	size_t count;
	char **names;

	store_options_init(&options);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!store_option(&options, option))
			return COMMAND_USAGE;
	if (optind != argc)
		return usage_error("ls takes no name; see show");
	fd = gmmap_store_open(options.store, &error);
	if (fd < 0)
		return fail("%s", error.text);
	ret = gmmap_store_list(fd, &names, &count);
	close(fd);
	if (ret)
		return fail("store %s: %s", options.store, strerror(-ret));
	if (options.json)
		list = json_object_new_array();
	else
		printf("%-24s %-20s %10s %10s %10s %10s\n", "NAME", "CREATED", "GPU", "CPU",
		       "FROM BASE", "STORED");
	for (size_t i = 0; i < count; i++)
		if (list_one(&options, names[i], list))
			status = COMMAND_FAILED;
	gmmap_store_free_list(names, count);
	if (list)
		json_print(list);
	return status;
}

static void print_objects(const struct gmmap_image *image, uint32_t count)
{
	printf("\n%6s %-7s %7s %5s %8s %18s %12s %8s  %s\n", "OBJECT", "KIND", "PROCESS", "INDEX",
	       "GPU", "ADDRESS", "BYTES", "EXTENTS", "FILE");
	for (uint32_t i = 0; i < count; i++) {
		struct gmmap_image_object object;

		gmmap_image_object(image, i, &object);
		printf("%6u %-7s ", i, kind_names[object.kind]);
		if (object.process == GMMAP_IMAGE_NONE)
			printf("%7s ", "-");
		else
			printf("%7u ", object.process);
		printf("%5u %8x %#18llx %12llu %8llu  %s\n", object.index, object.gpu_id,
		       (unsigned long long)object.address, (unsigned long long)object.size,
		       (unsigned long long)object.extents, object.file ? object.file : "");
	}
}

static void print_packs(const struct gmmap_image *image, uint32_t count)
{
	printf("\n%-64s %8s %10s %s\n", "PACK", "GRANULE", "SLOTS", "WRITTEN");
	for (uint32_t i = 0; i < count; i++) {
		struct gmmap_image_pack pack;

		gmmap_image_pack(image, i, &pack);
		printf("%s %8s %10llu %s\n", digest_text(pack.digest),
		       bytes_text(UINT64_C(1) << pack.granule_shift),
		       (unsigned long long)pack.slots,
		       pack.written_with_image ? "with this image" : "before");
	}
}

static void print_image(const struct gmmap_image *image)
{
	struct gmmap_image_info info;
	struct summary summary;

	gmmap_image_info(image, &info);
	summarize(image, &summary);
	printf("name       %s\nsha256     %s\ncreated    %s\n", info.name, digest_text(info.sha256),
	       time_text(info.created_ns));
	for (uint32_t i = 0; i < info.properties; i++) {
		const char *key, *value;

		gmmap_image_property(image, i, &key, &value);
		printf("%-10s %s\n", key, value);
	}
	for (uint32_t i = 0; i < info.processes; i++) {
		struct gmmap_image_process process;

		gmmap_image_process(image, i, &process);
		printf("process %u  pid %u\n", i, process.pid);
	}
	printf("\n%-5s %8s %10s %10s %10s %10s\n", "", "OBJECTS", "CONTENT", "ZEROS", "BASE",
	       "OWN");
	for (int i = 0; i < SUMMARY_SPACES; i++)
		printf("%-5s %8llu %10s %10s %10s %10s\n", space_names[i],
		       (unsigned long long)summary.space[i].objects,
		       bytes_text(summary.space[i].content), bytes_text(summary.space[i].zeros),
		       bytes_text(summary.space[i].base), bytes_text(summary.space[i].own));
	printf("files %8u %10s\n", info.files, bytes_text(summary.file_bytes));
	print_objects(image, info.objects);
	print_packs(image, info.packs);
}

static struct json_object *objects_json(const struct gmmap_image *image, uint32_t count)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < count; i++) {
		struct json_object *json = json_object_new_object();
		struct gmmap_image_object object;

		gmmap_image_object(image, i, &object);
		json_add_text(json, "kind", kind_names[object.kind]);
		if (object.process != GMMAP_IMAGE_NONE)
			json_add_u64(json, "process", object.process);
		json_add_u64(json, "index", object.index);
		json_add_u64(json, "gpu_id", object.gpu_id);
		json_add_u64(json, "alloc_flags", object.alloc_flags);
		json_add_u64(json, "address", object.address);
		json_add_u64(json, "bytes", object.size);
		json_add_u64(json, "extents", object.extents);
		json_add_text(json, "file", object.file);
		json_object_array_add(list, json);
	}
	return list;
}

static struct json_object *packs_json(const struct gmmap_image *image, uint32_t count)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < count; i++) {
		struct json_object *json = json_object_new_object();
		struct gmmap_image_pack pack;

		gmmap_image_pack(image, i, &pack);
		json_add_text(json, "digest", digest_text(pack.digest));
		json_add_u64(json, "granule_bytes", UINT64_C(1) << pack.granule_shift);
		json_add_u64(json, "slots", pack.slots);
		json_object_object_add(json, "written_with_image",
				       json_object_new_boolean(pack.written_with_image));
		json_object_array_add(list, json);
	}
	return list;
}

static struct json_object *files_json(const struct gmmap_image *image, uint32_t count)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < count; i++) {
		struct json_object *json = json_object_new_object();
		struct gmmap_image_file file;

		gmmap_image_file(image, i, &file);
		json_add_text(json, "name", file.name);
		json_add_u64(json, "bytes", file.size);
		json_add_text(json, "sha256", digest_text(file.sha256));
		json_object_array_add(list, json);
	}
	return list;
}

static struct json_object *properties_json(const struct gmmap_image *image, uint32_t count)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < count; i++) {
		struct json_object *json = json_object_new_object();
		const char *key, *value;

		gmmap_image_property(image, i, &key, &value);
		json_add_text(json, key, value);
		json_object_array_add(list, json);
	}
	return list;
}

static struct json_object *image_json(const struct gmmap_image *image)
{
	struct json_object *json = summary_json(image);
	struct gmmap_image_info info;

	gmmap_image_info(image, &info);
	json_object_object_add(json, "properties", properties_json(image, info.properties));
	json_object_object_add(json, "objects", objects_json(image, info.objects));
	json_object_object_add(json, "packs", packs_json(image, info.packs));
	json_object_object_add(json, "files", files_json(image, info.files));
	return json;
}

int image_show(int argc, char **argv)
{
	static const struct option long_options[] = { { "svg", required_argument, NULL, 's' },
						      STORE_OPTIONS,
						      { 0 } };
	struct store_options options;
	struct gmmap_image_error error;
	struct gmmap_image *image;
	const char *svg = NULL;
	int option;

	store_options_init(&options);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (option == 's')
			svg = optarg;
		else if (!store_option(&options, option))
			return COMMAND_USAGE;
	if (svg)
		return show_sharing(options.store, svg, argv + optind, argc - optind);
	if (optind + 1 != argc)
		return usage_error("name one image");
	if (gmmap_image_open(options.store, argv[optind], GMMAP_IMAGE_WITHOUT_PACKS, &image,
			     &error))
		return fail("%s", error.text);
	if (options.json)
		json_print(image_json(image));
	else
		print_image(image);
	gmmap_image_close(image);
	return COMMAND_OK;
}
