// SPDX-License-Identifier: MIT
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

#include "vgpu.h"

#define MAX_ERRORS 200 /* printed; a guest must not be able to fill a disk */

void trace_write(struct vgpu *dev, const char *event, const char *fields, ...)
{
	va_list args;

	fprintf(dev->trace_file, "{\"ns\":%llu,\"event\":\"%s\",", (unsigned long long)now_ns(),
		event);
	va_start(args, fields);
	vfprintf(dev->trace_file, fields, args);
	va_end(args);
	fputs("}\n", dev->trace_file);
}

void error(struct vgpu *dev, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (dev->stats.errors++ < MAX_ERRORS)
		fprintf(stderr, "vgpu: %s\n", text);
	trace(dev, "error", "\"text\":\"%s\"", text);
}
