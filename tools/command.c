// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "command.h"
#include "image_verity.h"

#define SHOW_EVERY_NS 100000000

int fail(const char *format, ...)
{
	va_list arguments;

	fputs("gmmap: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return COMMAND_FAILED;
}

int usage_error(const char *format, ...)
{
	va_list arguments;

	fputs("gmmap: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\nTry --help.\n", stderr);
	return COMMAND_USAGE;
}

static void print_help(const struct command *table, const char *prefix, FILE *file)
{
	fprintf(file, "usage: %s COMMAND ...\n\n", prefix);
	for (; table->name; table++)
		fprintf(file, "  %s %s\n      %s\n", table->name, table->arguments, table->summary);
}

int command_run(const struct command *table, const char *prefix, int argc, char **argv)
{
	if (argc < 2) {
		print_help(table, prefix, stderr);
		return COMMAND_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(table, prefix, stdout);
		return COMMAND_OK;
	}
	for (const struct command *command = table; command->name; command++) {
		if (strcmp(command->name, argv[1]))
			continue;
		for (int i = 2; i < argc && strcmp(command->arguments, COMMANDS_FOLLOW); i++) {
			if (strcmp(argv[i], "--help") && strcmp(argv[i], "-h"))
				continue;
			printf("usage: %s %s %s\n\n%s\n", prefix, command->name, command->arguments,
			       command->summary);
			return COMMAND_OK;
		}
		return command->run(argc - 1, argv + 1);
	}
	return usage_error("there is no command `%s %s'", prefix, argv[1]);
}

void store_options_init(struct store_options *options)
{
	const char *store = getenv("GMMAP_STORE");

	options->store = store && store[0] ? store : "/var/lib/gmmap";
	options->json = false;
}

bool store_option(struct store_options *options, int option)
{
	extern char *optarg;

	if (option == 'S')
		options->store = optarg;
	else if (option == 'J')
		options->json = true;
	else
		return false;
	return true;
}

#define BUFFERS 8

static char *next_buffer(void)
{
	static char buffers[BUFFERS][DIGEST_HEX + 1];
	static unsigned int next;

	return buffers[next++ % BUFFERS];
}

const char *bytes_text(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	char *text = next_buffer();
	double value = bytes;
	int unit = 0;

	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	snprintf(text, DIGEST_HEX, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

const char *digest_text(const uint8_t digest[GMMAP_IMAGE_DIGEST_BYTES])
{
	char *text = next_buffer();

	digest_to_hex(digest, text);
	return text;
}

const char *time_text(uint64_t time_ns)
{
	time_t seconds = time_ns / 1000000000;
	char *text = next_buffer();
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, DIGEST_HEX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return text;
}

void json_add_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

void progress_begin(struct progress *progress, const char *what, uint64_t all)
{
	*progress = (struct progress){ .what = what, .all = all, .on = isatty(STDERR_FILENO) };
	progress->begin_ns = now_ns();
}

void progress_show(struct progress *progress, uint64_t done)
{
	static const char bar[] = "##############################";
	uint64_t now;
	int width;

	if (!progress->on)
		return;
	now = now_ns();
	if (now - progress->shown_ns < SHOW_EVERY_NS)
		return;
	progress->shown_ns = now;
	if (progress->all) {
		width = done >= progress->all ? 30 : done * 30.0 / progress->all;
		fprintf(stderr, "\r%s [%-30.*s] %s of %s ", progress->what, width, bar,
			bytes_text(done), bytes_text(progress->all));
	} else {
		fprintf(stderr, "\r%s %s ", progress->what, bytes_text(done));
	}
	if (now > progress->begin_ns)
		fprintf(stderr, "%s/s\033[K", bytes_text(done * 1e9 / (now - progress->begin_ns)));
}

void progress_end(struct progress *progress)
{
	if (progress->on && progress->shown_ns)
		fputs("\r\033[K", stderr);
}
