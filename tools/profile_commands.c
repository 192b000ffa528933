// SPDX-License-Identifier: MIT
/* gmmap image profile: profiles as lines of text, and merged. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "image_internal.h"
#include "profile_writer.h"
#include "table.h"

static const char *const space_names[] = {
	[GMMAP_IMAGE_PROFILE_OBJECT] = "object",
	[GMMAP_IMAGE_PROFILE_MEMORY] = "memory",
};

/* Options of all profile commands; returns the number of arguments, or -1 after an error. */
static int parse(int argc, char **argv, struct store_options *options)
{
	static const struct option long_options[] = { STORE_OPTIONS, { 0 } };
	int option;

	store_options_init(options);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!store_option(options, option))
			return -1;
	return argc - optind;
}

static int profile_show(int argc, char **argv)
{
	const struct gmmap_image_profile_entry *entries;
	struct gmmap_image_profile *profile;
	struct gmmap_image_error error;
	struct store_options options;
	struct gmmap_image *image;
	size_t count;

	if (parse(argc, argv, &options) != 2)
		return usage_error("name an image and a profile");
	if (gmmap_image_open(options.store, argv[optind], GMMAP_IMAGE_WITHOUT_PACKS, &image,
			     &error))
		return fail("%s", error.text);
	if (gmmap_image_profile_open(image, argv[optind + 1], &profile, &error)) {
		gmmap_image_close(image);
		return fail("%s", error.text);
	}
	entries = gmmap_image_profile_entries(profile, &count);
	printf("# %u recordings: time_ns space index offset length recordings\n",
	       gmmap_image_profile_recordings(profile));
	for (size_t i = 0; i < count; i++)
		printf("%llu %s %u %#llx %#llx %u\n", (unsigned long long)entries[i].time_ns,
		       space_names[entries[i].space], entries[i].index,
		       (unsigned long long)entries[i].offset, (unsigned long long)entries[i].length,
		       entries[i].recordings);
	gmmap_image_profile_close(profile);
	gmmap_image_close(image);
	return COMMAND_OK;
}

static int profile_ls(int argc, char **argv)
{
	struct gmmap_image_error error;
	struct store_options options;
	struct gmmap_image *image;
	struct dirent **names;
	int fd, count;

	if (parse(argc, argv, &options) != 1)
		return usage_error("name an image");
	if (gmmap_image_open(options.store, argv[optind], GMMAP_IMAGE_WITHOUT_PACKS, &image,
			     &error))
		return fail("%s", error.text);
	fd = openat(image->image_fd, "profiles", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	count = fd < 0 ? -1 : scandirat(fd, ".", &names, NULL, alphasort);
	if (fd >= 0)
		close(fd);
	gmmap_image_close(image);
	if (count < 0)
		return fail("profiles of %s: %m", argv[optind]);
	for (int i = 0; i < count; i++) {
		if (image_name_valid(names[i]->d_name))
			puts(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return COMMAND_OK;
}

/* A line as show prints it; recordings may be left out. */
static int parse_line(const char *line, struct gmmap_image_profile_entry *entry)
{
	unsigned long long time_ns, offset, length;
	char space[16];

	*entry = (struct gmmap_image_profile_entry){ .recordings = 1 };
	if (sscanf(line, "%llu %15s %u %lli %lli %u", &time_ns, space, &entry->index,
		   (long long *)&offset, (long long *)&length, &entry->recordings) < 5)
		return -EINVAL;
	entry->time_ns = time_ns;
	entry->offset = offset;
	entry->length = length;
	for (uint32_t i = GMMAP_IMAGE_PROFILE_OBJECT; i <= GMMAP_IMAGE_PROFILE_MEMORY; i++)
		if (!strcmp(space, space_names[i]))
			entry->space = i;
	return entry->space ? 0 : -EINVAL;
}

static int read_lines(FILE *file, const char *path, struct table *entries)
{
	size_t room = 0, number = 0;
	char *line = NULL;
	int status = COMMAND_OK;

	while (!status && getline(&line, &room, file) > 0) {
		struct gmmap_image_profile_entry *entry;

		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		entry = table_add(entries, sizeof(*entry), 1);
		if (!entry)
			status = fail("no memory");
		else if (parse_line(line, entry))
			status = fail("%s, line %zu: not time_ns, object or memory, index, offset, "
				      "length",
				      path, number);
	}
	free(line);
	return status;
}

static uint32_t most_recordings(const struct table *table)
{
	const struct gmmap_image_profile_entry *entries = table->data;
	uint32_t most = 1;

	for (uint64_t i = 0; i < table->count; i++)
		if (entries[i].recordings > most)
			most = entries[i].recordings;
	return most;
}

static int profile_add(int argc, char **argv)
{
	struct gmmap_image_error error;
	struct store_options options;
	struct table entries = { 0 };
	const char *path;
	FILE *file;
	int status;

	if (parse(argc, argv, &options) != 3)
		return usage_error(
			"name an image, a profile, and a file of lines as show prints them, or -");
	path = argv[optind + 2];
	file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	if (!file)
		return fail("%s: %m", path);
	status = read_lines(file, path, &entries);
	if (file != stdin)
		fclose(file);
	if (!status &&
	    gmmap_store_write_profile(options.store, argv[optind], argv[optind + 1], entries.data,
				      entries.count, most_recordings(&entries), &error))
		status = fail("%s", error.text);
	table_free(&entries);
	return status;
}

static int profile_rm(int argc, char **argv)
{
	struct gmmap_image_error error;
	struct store_options options;

	if (parse(argc, argv, &options) != 2)
		return usage_error("name an image and a profile");
	if (gmmap_store_remove_profile(options.store, argv[optind], argv[optind + 1], &error))
		return fail("%s", error.text);
	return COMMAND_OK;
}

static int merge(const char *store, const struct gmmap_image *image, const char *image_name,
		 const char *name, struct gmmap_image_profile **profiles, size_t profile_count)
{
	struct gmmap_image_profile_entry *entries;
	struct gmmap_image_error error;
	uint32_t recordings;
	size_t count;
	int ret = gmmap_store_merge_profiles((const struct gmmap_image_profile *const *)profiles,
					     profile_count, image, &entries, &count, &recordings);

	if (ret)
		return fail("no memory to merge");
	ret = gmmap_store_write_profile(store, image_name, name, entries, count, recordings,
					&error);
	free(entries);
	return ret ? fail("%s", error.text) : COMMAND_OK;
}

static int profile_merge(int argc, char **argv)
{
	struct gmmap_image_profile **profiles;
	struct gmmap_image_error error;
	struct store_options options;
	struct gmmap_image *image;
	int status = COMMAND_OK, opened = 0, count = parse(argc, argv, &options);

	if (count < 3)
		return usage_error("name an image, the profile to make, and the profiles to merge");
	if (gmmap_image_open(options.store, argv[optind], GMMAP_IMAGE_WITHOUT_PACKS, &image,
			     &error))
		return fail("%s", error.text);
	profiles = calloc(count, sizeof(*profiles));
	if (!profiles)
		status = fail("no memory");
	while (!status && opened < count - 2) {
		if (gmmap_image_profile_open(image, argv[optind + 2 + opened], &profiles[opened],
					     &error))
			status = fail("%s", error.text);
		else
			opened++;
	}
	if (!status)
		status = merge(options.store, image, argv[optind], argv[optind + 1], profiles,
			       opened);
	while (opened)
		gmmap_image_profile_close(profiles[--opened]);
	free(profiles);
	gmmap_image_close(image);
	return status;
}

static const struct command commands[] = {
	{ "ls", "IMAGE [--store DIR]", "lists the profiles of an image", profile_ls },
	{ "show", "IMAGE PROFILE [--store DIR]", "prints a profile, a line for an entry",
	  profile_show },
	{ "add", "IMAGE PROFILE FILE [--store DIR]",
	  "makes a profile of lines as show prints them; FILE - is standard input", profile_add },
	{ "merge", "IMAGE PROFILE PROFILE... [--store DIR]",
	  "makes the first profile of the others: mean times, GPU and CPU in one order",
	  profile_merge },
	{ "rm", "IMAGE PROFILE [--store DIR]", "removes a profile", profile_rm },
	{ 0 }
};

int profile_main(int argc, char **argv)
{
	return command_run(commands, "gmmap image profile", argc, argv);
}
