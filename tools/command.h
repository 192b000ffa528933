/* SPDX-License-Identifier: MIT */
/* Commands of the gmmap program and what they have in common. */
#ifndef GMMAP_COMMAND_H
#define GMMAP_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>
#include "gmmap-image.h"

enum command_status {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1,
	COMMAND_USAGE = 2,
};

/* Arguments of a command that has commands of its own, which take --help. */
#define COMMANDS_FOLLOW "COMMAND ..."

struct command {
	const char *name;
	const char *arguments;
	const char *summary;
	int (*run)(int argc, char **argv);
};

/* Runs the command that ARGV[1] names, of a table that ends with an empty one. */
int command_run(const struct command *table, const char *prefix, int argc, char **argv);

/* Image commands that have a file of their own */
int image_create(int argc, char **argv);
int image_import(int argc, char **argv);
int image_export(int argc, char **argv);
int image_diff(int argc, char **argv);
int profile_main(int argc, char **argv);
int image_ls(int argc, char **argv);
int image_show(int argc, char **argv);
int image_verify(int argc, char **argv);
int image_verity(int argc, char **argv);
int image_rm(int argc, char **argv);
int image_gc(int argc, char **argv);
int image_main(int argc, char **argv);
/* Draws images, or all, into a file. */
int show_sharing(const char *store, const char *path, char **names, size_t count);

/* The options that all image commands have: --store and --json. */
#define STORE_OPTIONS                                                                  \
	{ "store", required_argument, NULL, 'S' }, { "json", no_argument, NULL, 'J' }, \
	{                                                                              \
		"help", no_argument, NULL, 'h'                                         \
	}

struct store_options {
	const char *store; /* --store, else $GMMAP_STORE, else /var/lib/gmmap */
	bool json;
};
void store_options_init(struct store_options *options);
/* Takes one of STORE_OPTIONS; false: it is another one. */
bool store_option(struct store_options *options, int option);

/* "gmmap: " and a line on standard error; returns COMMAND_FAILED. */
__attribute__((format(printf, 1, 2))) int fail(const char *format, ...);
/* The same, and where to find help; returns COMMAND_USAGE. */
__attribute__((format(printf, 1, 2))) int usage_error(const char *format, ...);

/* "1.5 GiB", in one of a few buffers that are used in turns. */
const char *bytes_text(uint64_t bytes);
const char *digest_text(const uint8_t digest[GMMAP_IMAGE_DIGEST_BYTES]);
/* "2026-11-27T19:40:00Z" */
const char *time_text(uint64_t time_ns);

void json_add_u64(struct json_object *object, const char *key, uint64_t value);
void json_add_text(struct json_object *object, const char *key, const char *value);
/* Prints and frees. */
void json_print(struct json_object *object);

/* A bar on standard error, if that is a terminal. */
struct progress {
	const char *what;
	uint64_t all; /* bytes, 0: not known */
	uint64_t begin_ns, shown_ns;
	bool on;
};
void progress_begin(struct progress *progress, const char *what, uint64_t all);
void progress_show(struct progress *progress, uint64_t done);
void progress_end(struct progress *progress);

#endif
