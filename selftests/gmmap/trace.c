// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "ksft.h"

#define TRACING "/sys/kernel/tracing/"

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

void trace_start(void)
{
	if (access(TRACING "trace", R_OK))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	write_text(TRACING "trace", "");
	if (write_text(TRACING "events/gmmap/gmmap_load/enable", "1") ||
	    write_text(TRACING "tracing_on", "1"))
		ksft_skip("there is no tracing here, or it is not allowed");
}

unsigned int trace_stop(struct trace_load *loads, unsigned int limit)
{
	unsigned int count = 0;
	char line[512];
	FILE *file;
	int pid;

	write_text(TRACING "events/gmmap/gmmap_load/enable", "0");
	file = fopen(TRACING "trace", "re");
	ksft_assert(file, "trace: %s", strerror(errno));
	while (fgets(line, sizeof(line), file) && count < limit) {
		struct trace_load *load = &loads[count];
		const char *event = strstr(line, "gmmap_load: ");

		if (event &&
		    sscanf(event,
			   "gmmap_load: pid=%d mapping=%u granule=%u count=%u loaded=%u by=%7s "
			   "error=%d",
			   &pid, &load->mapping, &load->granule, &load->count, &load->loaded,
			   load->by, &load->error) == 7 &&
		    pid == getpid())
			count++;
	}
	fclose(file);
	return count;
}
