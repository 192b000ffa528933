// SPDX-License-Identifier: MIT
/*
 * Which GPU code gmmap_check_code() takes. The list of what is loaded is the test's own, in a library
 * that has the runtime's name.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmmap.h>

#include "ksft.h"

#define FILE_OFFSET 8192

static struct r_debug *open_list(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	struct r_debug *list;
	void *library;

	ksft_assert(n > 0, "/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/libhsa-runtime64.so.test");
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ksft_assert(library, "%s", dlerror());
	list = dlsym(library, "_amdgpu_r_debug");
	ksft_assert(list, "%s", dlerror());
	return list;
}

static Elf64_Ehdr code_object(unsigned char abi, uint32_t flags)
{
	Elf64_Ehdr header = { .e_machine = EM_AMDGPU, .e_flags = flags };

	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_OSABI] = 64;
	header.e_ident[EI_ABIVERSION] = abi;
	return header;
}

/* Has the list one object, which is in memory. */
static int check_one(struct r_debug *list, const Elf64_Ehdr *header, char *reason, size_t bytes)
{
	char uri[128];
	struct link_map map = { .l_name = uri };

	snprintf(uri, sizeof(uri), "memory://%d#offset=0x%" PRIxPTR "&size=%zu", getpid(),
		 (uintptr_t)header, sizeof(*header));
	list->r_map = &map;
	return gmmap_check_code(0, reason, bytes);
}

static void every_kind_of_code(void)
{
	static const struct {
		unsigned char abi;
		uint32_t flags;
		int ret;
	} kinds[] = {
		{ 0, 0x00, -EOPNOTSUPP },  { 0, 0x01, 0 },
		{ 1, 0x02f, -EOPNOTSUPP }, { 1, 0x12f, 0 },
		{ 2, 0x02f, -EOPNOTSUPP }, { 2, 0x12f, 0 },
		{ 2, 0x22f, -EOPNOTSUPP }, { 2, 0x32f, 0 },
		{ 3, 0xd2f, 0 },           { 3, 0xe2f, -EOPNOTSUPP },
		{ 4, 0x32f, 0 },           { 4, 0x22f, -EOPNOTSUPP },
	};
	struct r_debug *list = open_list();
	char reason[256];

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		Elf64_Ehdr header = code_object(kinds[i].abi, kinds[i].flags);
		int ret = check_one(list, &header, reason, sizeof(reason));

		ksft_assert(ret == kinds[i].ret, "ABI %u, flags 0x%x: %s", kinds[i].abi,
			    kinds[i].flags, strerror(-ret));
	}
}

static void the_reason_names_the_object(void)
{
	Elf64_Ehdr header = code_object(2, 0x22f);
	struct r_debug *list = open_list();
	char reason[256] = "", address[32], little[8];
	int ret = check_one(list, &header, reason, sizeof(reason));

	snprintf(address, sizeof(address), "%" PRIxPTR, (uintptr_t)&header);
	ksft_print("%s", reason);
	ksft_assert(ret == -EOPNOTSUPP, "%s", strerror(-ret));
	ksft_assert(strstr(reason, address) && strstr(reason, "xnack-"), "%s", reason);
	ksft_assert(!strchr(reason, '\n'), "more than a line");
	check_one(list, &header, little, sizeof(little));
	ksft_assert(strlen(little) == sizeof(little) - 1, "'%s' is not cut off", little);
}

static void nothing_is_loaded(void)
{
	int ret = gmmap_check_code(0, NULL, 0);

	ksft_assert(!ret, "without the runtime: %s", strerror(-ret));
	open_list()->r_map = NULL;
	ret = gmmap_check_code(0, NULL, 0);
	ksft_assert(!ret, "without code: %s", strerror(-ret));
}

/* The URI of a code object in a file whose name must be escaped. */
static void make_file(char *uri, size_t room, char *path, const Elf64_Ehdr *header)
{
	int fd = mkstemp(path);

	ksft_assert(fd >= 0, "%s: %s", path, strerror(errno));
	ksft_assert(pwrite(fd, header, sizeof(*header), FILE_OFFSET) == sizeof(*header), "%s: %s",
		    path, strerror(errno));
	close(fd);
	snprintf(uri, room, "file:///tmp/code%%20%%6fbject-%s#offset=%u&size=%zu",
		 strchr(path, '-') + 1, FILE_OFFSET, sizeof(*header));
}

static void code_in_a_file(void)
{
	char path[] = "/tmp/code object-XXXXXX", uri[256], reason[512];
	struct link_map second = { .l_name = uri };
	struct link_map first = { .l_next = &second };
	Elf64_Ehdr good = code_object(2, 0x12f), bad = code_object(2, 0x22f);
	struct r_debug *list = open_list();
	char first_uri[128];
	int ret;

	snprintf(first_uri, sizeof(first_uri), "memory://1#offset=%" PRIuPTR "&size=64",
		 (uintptr_t)&good);
	first.l_name = first_uri;
	make_file(uri, sizeof(uri), path, &bad);
	list->r_map = &first;
	ret = gmmap_check_code(0, reason, sizeof(reason));
	ksft_print("%s", reason);
	ksft_assert(ret == -EOPNOTSUPP && strstr(reason, "xnack-"), "%s: %s", strerror(-ret),
		    reason);
	unlink(path);
	ret = gmmap_check_code(0, reason, sizeof(reason));
	ksft_print("%s", reason);
	ksft_assert(ret == -EOPNOTSUPP && strstr(reason, "cannot be read"),
		    "the file is gone: %s: %s", strerror(-ret), reason);
}

/* Wrong addresses, strings without end and circles are errors, not crashes. */
static void a_broken_list(void)
{
	struct r_debug *list = open_list();
	struct link_map map = { .l_name = (char *)8 };
	Elf64_Ehdr header = code_object(2, 0x12f);
	char uri[128];
	int ret;

	list->r_map = (struct link_map *)16;
	ret = gmmap_check_code(0, NULL, 0);
	ksft_assert(ret == -EFAULT, "an object at 16: %s", strerror(-ret));
	list->r_map = &map;
	ret = gmmap_check_code(0, NULL, 0);
	ksft_assert(ret == -EFAULT, "a name at 8: %s", strerror(-ret));
	map.l_name = malloc(1 << 20);
	memset(map.l_name, 'x', (1 << 20) - 1);
	ret = gmmap_check_code(0, NULL, 0);
	ksft_assert(ret == -ENAMETOOLONG, "a long name: %s", strerror(-ret));
	snprintf(uri, sizeof(uri), "memory://1#offset=%" PRIuPTR "&size=64", (uintptr_t)&header);
	map.l_name = uri;
	map.l_next = &map;
	ret = gmmap_check_code(0, NULL, 0);
	ksft_assert(ret == -ELOOP, "a circle: %s", strerror(-ret));
	map.l_next = NULL;
	strcpy(uri, "http://example.org/");
	ret = gmmap_check_code(0, NULL, 0);
	ksft_assert(ret == -EOPNOTSUPP, "an unknown place: %s", strerror(-ret));
	strcpy(uri, "memory://1#offset=0x10&size=64");
	ret = gmmap_check_code(0, NULL, 0);
	ksft_assert(ret == -EOPNOTSUPP, "no memory there: %s", strerror(-ret));
}

static void child_with_code(unsigned int index)
{
	static Elf64_Ehdr header;
	static char uri[128];
	static struct link_map map = { .l_name = uri };

	(void)index;
	header = code_object(2, 0x22f);
	snprintf(uri, sizeof(uri), "memory://%d#offset=%" PRIuPTR "&size=64", getpid(),
		 (uintptr_t)&header);
	open_list()->r_map = &map;
	raise(SIGSTOP);
}

static void code_of_another_process(void)
{
	struct process child = process_start(child_with_code, 0);
	struct ksft_poll poll = ksft_poll_start(10000);
	char reason[256] = "";
	int ret;

	do {
		ret = gmmap_check_code(child.pid, reason, sizeof(reason));
	} while (ret != -EOPNOTSUPP && ksft_poll_again(&poll));
	ksft_assert(ret == -EOPNOTSUPP && strstr(reason, "xnack-"), "%s: %s", strerror(-ret),
		    reason);
	process_kill(&child);
	process_wait(&child, 10000);
	ret = gmmap_check_code(child.pid, reason, sizeof(reason));
	ksft_assert(ret == -ESRCH, "a process that is gone: %s", strerror(-ret));
}

static const struct ksft_test tests[] = {
	{ "nothing_is_loaded", nothing_is_loaded, 0 },
	{ "every_kind_of_code", every_kind_of_code, 0 },
	{ "the_reason_names_the_object", the_reason_names_the_object, 0 },
	{ "code_in_a_file", code_in_a_file, 0 },
	{ "a_broken_list", a_broken_list, 0 },
	{ "code_of_another_process", code_of_another_process, 0 },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
