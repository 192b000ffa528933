// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "store.h"

#define STORE_ARGUMENTS "[--store DIR] [--json]"

static const struct command commands[] = {
	{ "create",
	  "NAME [--base NAME]... [--process PID] [--bo FILE[,gpu=ID][,address=A][,size=BYTES]]...\n"
	  "         [--pages FILE,address=A[,size=BYTES]]... [--file FILE]... [--threads "
	  "N] " STORE_ARGUMENTS,
	  "makes an image of files; FILE - is standard input", image_create },
	{ "import", "NAME FOLDER [--base NAME]... [--threads N] " STORE_ARGUMENTS,
	  "makes an image of a dump of CRIU, with or without its amdgpu plugin", image_import },
	{ "export", "NAME --stock FOLDER | --object N [--require-verity] " STORE_ARGUMENTS,
	  "gives the files that were imported, or the content of one object on standard output",
	  image_export },
	{ "ls", STORE_ARGUMENTS, "lists the images of the store", image_ls },
	{ "show", "NAME | --svg FILE [NAME]... " STORE_ARGUMENTS,
	  "tells what is in an image; or draws which images, of all, have their bytes in which "
	  "packs",
	  image_show },
	{ "diff", "NAME NAME " STORE_ARGUMENTS, "tells what two images have in common",
	  image_diff },
	{ "verify", "[NAME]... [--require-verity] [--threads N] " STORE_ARGUMENTS,
	  "reads images and their packs and compares with their digests; without NAME all images",
	  image_verify },
	{ "profile", COMMANDS_FOLLOW, "in which order a process touched its memory", profile_main },
	{ "verity", "NAME... " STORE_ARGUMENTS,
	  "enables fs-verity on the packs of images, so that the kernel checks what it reads",
	  image_verity },
	{ "rm", "NAME... " STORE_ARGUMENTS, "removes images; their packs stay until gc", image_rm },
	{ "gc", "[--dry-run] " STORE_ARGUMENTS,
	  "removes packs that no image needs, and the remains of writers that died", image_gc },
	{ 0 }
};

int image_main(int argc, char **argv)
{
	return command_run(commands, "gmmap image", argc, argv);
}

int image_rm(int argc, char **argv)
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
		return usage_error("name the images to remove");
	fd = gmmap_store_open(options.store, &error);
	if (fd < 0)
		return fail("%s", error.text);
	for (int i = optind; i < argc; i++)
		if (gmmap_store_remove(fd, argv[i], &error))
			status = fail("%s", error.text);
	close(fd);
	return status;
}

int image_gc(int argc, char **argv)
{
	static const struct option long_options[] = { { "dry-run", no_argument, NULL, 'n' },
						      STORE_OPTIONS,
						      { 0 } };
	struct gmmap_store_collected collected;
	struct store_options options;
	struct gmmap_image_error error;
	struct json_object *json;
	bool dry_run = false;
	int option;

	store_options_init(&options);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'n')
			dry_run = true;
		else if (!store_option(&options, option))
			return COMMAND_USAGE;
	}
	if (optind != argc)
		return usage_error("gc takes no name");
	if (gmmap_store_collect(options.store, dry_run, &collected, &error))
		return fail("%s", error.text);
	if (!options.json) {
		printf("%s %llu packs of %s and %llu unfinished images; %llu packs of %s stay\n",
		       dry_run ? "would remove" : "removed", (unsigned long long)collected.packs,
		       bytes_text(collected.pack_bytes), (unsigned long long)collected.unfinished,
		       (unsigned long long)collected.kept_packs, bytes_text(collected.kept_bytes));
		return COMMAND_OK;
	}
	json = json_object_new_object();
	json_object_object_add(json, "dry_run", json_object_new_boolean(dry_run));
	json_add_u64(json, "packs", collected.packs);
	json_add_u64(json, "pack_bytes", collected.pack_bytes);
	json_add_u64(json, "unfinished", collected.unfinished);
	json_add_u64(json, "kept_packs", collected.kept_packs);
	json_add_u64(json, "kept_bytes", collected.kept_bytes);
	json_print(json);
	return COMMAND_OK;
}

struct verification {
	const char *image;
	struct json_object *problems;
	struct progress progress;
};

static void report_problem(void *context, const char *what, const char *problem)
{
	struct verification *v = context;
	struct json_object *json;

	progress_end(&v->progress);
	if (!v->problems) {
		printf("%s: %s: %s\n", v->image, what, problem);
		return;
	}
	json = json_object_new_object();
	json_add_text(json, "image", v->image);
	json_add_text(json, "what", what);
	json_add_text(json, "problem", problem);
	json_object_array_add(v->problems, json);
}

static void show_progress(void *context, uint64_t done, uint64_t all)
{
	struct verification *v = context;

	v->progress.all = all;
	progress_show(&v->progress, done);
}

/* Returns the number of problems. */
static int verify_one(const struct store_options *options, const char *name, unsigned int flags,
		      unsigned int threads, struct json_object *problems)
{
	struct verification v = { .image = name, .problems = problems };
	struct gmmap_image_verify how = { report_problem, show_progress, &v, threads };
	struct gmmap_image_error error;
	struct gmmap_image *image;
	int ret;

	progress_begin(&v.progress, name, 0);
	/* Packs are opened one by one by the verification, which names all that are wrong. */
	ret = gmmap_image_open(options->store, name, flags ? flags : GMMAP_IMAGE_WITHOUT_PACKS,
			       &image, &error);
	if (ret) {
		report_problem(&v, "image", error.text);
		return 1;
	}
	ret = gmmap_image_verify(image, &how);
	gmmap_image_close(image);
	progress_end(&v.progress);
	if (ret < 0) {
		report_problem(&v, "image", strerror(-ret));
		return 1;
	}
	if (!problems && !ret)
		printf("%s: ok\n", name);
	return ret;
}

int image_verify(int argc, char **argv)
{
	static const struct option long_options[] = { { "require-verity", no_argument, NULL, 'v' },
						      { "threads", required_argument, NULL, 't' },
						      STORE_OPTIONS,
						      { 0 } };
	struct store_options options;
	struct gmmap_image_error error;
	struct json_object *json, *problems = NULL;
	unsigned int flags = 0, threads = 0;
	size_t count, wrong = 0;
	int option, fd, ret;
	char **names, **all;

	store_options_init(&options);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'v')
			flags = GMMAP_IMAGE_REQUIRE_VERITY;
		else if (option == 't')
			threads = strtoul(optarg, NULL, 10);
		else if (!store_option(&options, option))
			return COMMAND_USAGE;
	}
	fd = gmmap_store_open(options.store, &error);
	if (fd < 0)
		return fail("%s", error.text);
	ret = gmmap_store_list(fd, &all, &count);
	close(fd);
	if (ret)
		return fail("store %s: %s", options.store, strerror(-ret));
	names = all;
	if (optind < argc) {
		names = argv + optind;
		count = argc - optind;
	}
	if (options.json)
		problems = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		wrong += verify_one(&options, names[i], flags, threads, problems) > 0;
	if (options.json) {
		json = json_object_new_object();
		json_add_u64(json, "images", count);
		json_add_u64(json, "damaged", wrong);
		json_object_object_add(json, "problems", problems);
		json_print(json);
	} else {
		printf("%zu images, %zu damaged\n", count, wrong);
	}
	if (names == all)
		gmmap_store_free_list(all, count);
	return wrong ? COMMAND_FAILED : COMMAND_OK;
}
