// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "fds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/kcmp.h>

#include "log.h"

#define MAX_ENTRY_BYTES 65536
#define FDINFO_FD_FIELD 4 /* of fdinfo_entry, in CRIU's images/fdinfo.proto */

/* A varint of protobuf; returns the byte behind it, or NULL. */
static const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
	*value = 0;
	for (unsigned int shift = 0; at < end && shift < 64; shift += 7) {
		*value |= (uint64_t)(*at & 0x7f) << shift;
		if (!(*at++ & 0x80))
			return at;
	}
	return NULL;
}

/* The number of the descriptor in a message, or -1. */
static int64_t entry_fd(const uint8_t *at, uint32_t bytes)
{
	const uint8_t *end = at + bytes;

	while (at && at < end) {
		uint64_t key, value;

		at = read_varint(at, end, &key);
		if (!at)
			break;
		at = read_varint(at, end, &value); /* or the length of a string */
		if (!at)
			break;
		if (key == (FDINFO_FD_FIELD << 3))
			return value <= INT32_MAX ? (int64_t)value : -1;
		if ((key & 7) == 2)
			at = value <= (uint64_t)(end - at) ? at + value : NULL;
		else if ((key & 7) != 0)
			break;
	}
	return -1;
}

/* Two words of magic, then messages, each with its size before it. */
static int scan(FILE *file, int *highest)
{
	static uint8_t entry[MAX_ENTRY_BYTES];
	uint32_t word[2], bytes;

	if (fread(word, sizeof(word), 1, file) != 1)
		return -EBADMSG;
	while (fread(&bytes, sizeof(bytes), 1, file) == 1) {
		int64_t fd;

		if (bytes > sizeof(entry) || fread(entry, 1, bytes, file) != bytes)
			return -EBADMSG;
		fd = entry_fd(entry, bytes);
		if (fd < 0)
			return -EBADMSG;
		if (fd > *highest)
			*highest = (int)fd;
	}
	return ferror(file) ? -EIO : 0;
}

static int scan_file(int folder, const char *name, int *highest)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int ret;

	if (!file)
		return log_error("%s: %s", name, strerror(errno));
	ret = scan(file, highest);
	fclose(file);
	return ret ? log_error("%s: %s", name, strerror(-ret)) : 0;
}

int fds_above_all(int folder)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int highest = 2;
	int ret = 0;

	if (!files)
		return log_error("the folder of the image: %s", strerror(errno));
	while (!ret && (entry = readdir(files)))
		if (!strncmp(entry->d_name, "fdinfo-", strlen("fdinfo-")))
			ret = scan_file(folder, entry->d_name, &highest);
	closedir(files);
	return ret ? -1 : highest + 1;
}

int fds_find_twin(int fd)
{
	DIR *folder = opendir("/proc/self/fd");
	struct stat mine, other;
	struct dirent *entry;
	int found = -1;

	if (!folder)
		return -1;
	if (fstat(fd, &mine))
		mine.st_rdev = 0;
	while (found < 0 && (entry = readdir(folder))) {
		int number = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || number == fd || fstat(number, &other) ||
		    !S_ISCHR(other.st_mode) || other.st_rdev != mine.st_rdev)
			continue;
		if (!syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, number))
			found = number;
	}
	closedir(folder);
	return found;
}
