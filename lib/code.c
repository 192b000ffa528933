// SPDX-License-Identifier: MIT
/*
 * GPU code must be compiled so that its memory accesses can be repeated after a fault; a code object
 * says so in its ELF header (LLVM's "User Guide for AMDGPU Backend", ELF header). Which are loaded is
 * told by the list that ROCr keeps for debuggers: _amdgpu_r_debug, a struct r_debug of the dynamic
 * loader's kind, whose names are URIs.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

#define RUNTIME_NAME "/libhsa-runtime64.so"
#define LIST_NAME    "_amdgpu_r_debug"

#define MAX_OBJECTS   65536
#define MAX_URI_BYTES 8192

/* Values of e_ident[EI_ABIVERSION] with ELFOSABI_AMDGPU_HSA */
#define ELFOSABI_AMDGPU_HSA 64
#define CODE_OBJECT_V2      0
#define CODE_OBJECT_V3      1

#define EF_XNACK_V2         0x001u
#define EF_XNACK_V3         0x100u
#define EF_XNACK_MASK       0x300u
#define EF_XNACK_NONE       0x000u
#define EF_XNACK_OFF        0x200u

struct place {
	unsigned long long offset;
	const char *path; /* NULL: in memory */
};

/* file://PATH[#offset=N&size=N] or memory://PID#offset=N&size=N; changes uri */
static int parse_uri(char *uri, struct place *place)
{
	char *fragment = strchr(uri, '#');
	char *offset = fragment ? strstr(fragment, "offset=") : NULL;

	place->offset = offset ? strtoull(offset + strlen("offset="), NULL, 0) : 0;
	if (fragment)
		*fragment = '\0';
	if (!strncmp(uri, "memory://", strlen("memory://"))) {
		place->path = NULL;
		return offset ? 0 : -EPROTO;
	}
	if (strncmp(uri, "file://", strlen("file://")))
		return -EPROTO;
	place->path = uri + strlen("file://");
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Copies what %XX stands for. */
static void decode(char *to, const char *from)
{
	while (*from) {
		if (from[0] == '%' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
			*to++ = (char)(hex_digit(from[1]) << 4 | hex_digit(from[2]));
			from += 3;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* The file as the process sees it, which may have a root of its own. */
static int read_file(pid_t pid, const struct place *place, Elf64_Ehdr *header)
{
	char path[64 + MAX_URI_BYTES];
	ssize_t n;
	int fd;

	decode(path + snprintf(path, 64, "/proc/%d/root", pid), place->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pread(fd, header, sizeof(*header), (off_t)place->offset);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	return n == sizeof(*header) ? 0 : -ENODATA;
}

/* Why the code must not be interrupted by a page fault, or NULL. */
static const char *complaint(const Elf64_Ehdr *header)
{
	uint32_t xnack = header->e_flags & EF_XNACK_MASK;

	if (memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_machine != EM_AMDGPU ||
	    header->e_ident[EI_OSABI] != ELFOSABI_AMDGPU_HSA)
		return "is not a code object of an AMD GPU";
	switch (header->e_ident[EI_ABIVERSION]) {
	case CODE_OBJECT_V2:
		xnack = header->e_flags & EF_XNACK_V2 ? EF_XNACK_MASK : EF_XNACK_OFF;
		break;
	case CODE_OBJECT_V3:
		xnack = header->e_flags & EF_XNACK_V3 ? EF_XNACK_MASK : EF_XNACK_OFF;
		break;
	}
	if (xnack == EF_XNACK_NONE)
		return "is for a GPU that cannot repeat memory accesses";
	if (xnack == EF_XNACK_OFF)
		return "is compiled for xnack-; compile it for xnack+ or without either";
	return NULL;
}

static int check_object(pid_t pid, uint64_t name, char *reason, size_t reason_bytes)
{
	char uri[MAX_URI_BYTES], shown[MAX_URI_BYTES];
	const char *why = NULL;
	struct place place;
	Elf64_Ehdr header;
	int ret;

	ret = process_read_string(pid, name, uri, sizeof(uri));
	if (ret)
		return ret;
	memcpy(shown, uri, sizeof(uri));
	ret = parse_uri(uri, &place);
	if (!ret)
		ret = place.path ? read_file(pid, &place, &header) :
				   process_read(pid, place.offset, &header, sizeof(header));
	if (!ret)
		why = complaint(&header);
	if (ret)
		why = strerrordesc_np(-ret);
	if (why && reason)
		snprintf(reason, reason_bytes, "GPU code %s %s%s", shown,
			 ret ? "cannot be read: " : "", why);
	return why ? -EOPNOTSUPP : 0;
}

EXPORT int gmmap_check_code(pid_t pid, char *reason, size_t reason_bytes)
{
	struct r_debug debug;
	struct link_map map;
	uint64_t list, next;
	int ret;

	if (!pid)
		pid = getpid();
	ret = process_find_symbol(pid, RUNTIME_NAME, LIST_NAME, &list);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	ret = process_read(pid, list, &debug, sizeof(debug));
	next = (uintptr_t)debug.r_map;
	for (unsigned int i = 0; !ret && next; i++) {
		if (i == MAX_OBJECTS)
			return -ELOOP;
		ret = process_read(pid, next, &map, sizeof(map));
		if (!ret)
			ret = check_object(pid, (uintptr_t)map.l_name, reason, reason_bytes);
		next = (uintptr_t)map.l_next;
	}
	return ret;
}
