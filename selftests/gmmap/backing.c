// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "backing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ksft.h"
#include "pattern.h"

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

void backing_create(struct backing *backing, uint64_t bytes, uint64_t seed)
{
	backing_create_in(backing, "/tmp", bytes, seed);
}

void backing_create_in(struct backing *backing, const char *folder, uint64_t bytes, uint64_t seed)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/gmmap-XXXXXX", folder);
	fd = mkostemp(path, O_CLOEXEC);
	ksft_assert(fd >= 0, "%s: %s", path, strerror(errno));
	backing->bytes = bytes;
	backing->data = malloc(bytes);
	ksft_assert(backing->data, "out of memory");
	pattern_fill(backing->data, bytes, seed);
	for (uint64_t done = 0; done < bytes;) {
		ssize_t n = write(fd, backing->data + done, bytes - done);

		ksft_assert(n > 0, "%s: %s", path, strerror(errno));
		done += (uint64_t)n;
	}
	backing->fd = reopen(fd, O_RDONLY);
	ksft_assert(backing->fd >= 0, "%s: %s", path, strerror(errno));
	unlink(path);
	fsync(fd);
	close(fd);
	posix_fadvise(backing->fd, 0, 0, POSIX_FADV_DONTNEED);
	posix_fadvise(backing->fd, 0, 0, POSIX_FADV_RANDOM);
}

void backing_destroy(struct backing *backing)
{
	close(backing->fd);
	free(backing->data);
}

int backing_open_for_writing(const struct backing *backing)
{
	int fd = reopen(backing->fd, O_RDWR);

	ksft_assert(fd >= 0 || errno == ETXTBSY, "reopening a file: %s", strerror(errno));
	return fd;
}
