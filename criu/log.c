// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

/* CRIU's (criu-log.h); weak so that the plugin can be loaded elsewhere to look at it. */
void print_on_level(unsigned int level, const char *format, ...) __attribute__((weak));

enum { LEVEL_ERROR = 1, LEVEL_INFO = 3 };

static void print(unsigned int level, const char *prefix, const char *format, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof(line), format, args);
	if (print_on_level)
		print_on_level(level, "%sgmmap: %s\n", prefix, line);
	else
		fprintf(stderr, "%sgmmap: %s\n", prefix, line);
}

int log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(LEVEL_ERROR, "Error: ", format, args);
	va_end(args);
	return -1;
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(LEVEL_INFO, "", format, args);
	va_end(args);
}
