// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "process.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define PAGE_BYTES  4096u
#define MAX_HEADERS 64
#define MAX_DYNAMIC 256
#define MAX_CHAIN   65536

int process_read(pid_t pid, uint64_t address, void *to, size_t bytes)
{
	struct iovec local = { to, bytes };
	struct iovec remote = { (void *)(uintptr_t)address, bytes };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == bytes ? 0 : -EFAULT;
}

/* Page by page, since the string may end right before memory that cannot be read. */
int process_read_string(pid_t pid, uint64_t address, char *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		size_t n = PAGE_BYTES - (address + done) % PAGE_BYTES;
		int ret;

		if (n > bytes - done)
			n = bytes - done;
		ret = process_read(pid, address + done, to + done, n);
		if (ret)
			return ret;
		if (memchr(to + done, '\0', n))
			return 0;
		done += n;
	}
	return -ENAMETOOLONG;
}

/* The address of the first page of a file whose path contains name. */
static int find_file(pid_t pid, const char *name, uint64_t *base)
{
	char path[64], *line = NULL;
	int ret = -ENOENT;
	size_t room = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	while (ret && getline(&line, &room, maps) > 0) {
		unsigned long long start, offset;

		if (strstr(line, name) &&
		    sscanf(line, "%llx-%*x %*s %llx", &start, &offset) == 2 && !offset) {
			*base = start;
			ret = 0;
		}
	}
	free(line);
	fclose(maps);
	return ret;
}

/* A shared library in memory: its symbols are reached by the GNU hash table. */
struct library {
	pid_t pid;
	uint64_t base;
	uint64_t symbols;
	uint64_t strings;
	uint64_t hash;
};

/* The dynamic loader adds the base in place on some machines and not on others. */
static uint64_t absolute(const struct library *library, uint64_t value)
{
	return value < library->base ? value + library->base : value;
}

static int read_dynamic(struct library *library, uint64_t address)
{
	for (unsigned int i = 0; i < MAX_DYNAMIC; i++) {
		Elf64_Dyn dyn;
		int ret = process_read(library->pid, address + i * sizeof(dyn), &dyn, sizeof(dyn));

		if (ret)
			return ret;
		switch (dyn.d_tag) {
		case DT_SYMTAB:
			library->symbols = absolute(library, dyn.d_un.d_ptr);
			break;
		case DT_STRTAB:
			library->strings = absolute(library, dyn.d_un.d_ptr);
			break;
		case DT_GNU_HASH:
			library->hash = absolute(library, dyn.d_un.d_ptr);
			break;
		case DT_NULL:
			return library->symbols && library->strings && library->hash ? 0 : -ENOEXEC;
		}
	}
	return -ENOEXEC;
}

static int open_library(struct library *library)
{
	Elf64_Ehdr header;
	int ret = process_read(library->pid, library->base, &header, sizeof(header));

	if (ret)
		return ret;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	for (unsigned int i = 0; i < header.e_phnum && i < MAX_HEADERS; i++) {
		Elf64_Phdr segment;

		ret = process_read(library->pid,
				   library->base + header.e_phoff + i * sizeof(segment), &segment,
				   sizeof(segment));
		if (ret)
			return ret;
		if (segment.p_type == PT_DYNAMIC)
			return read_dynamic(library, library->base + segment.p_vaddr);
	}
	return -ENOEXEC;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	while (*name)
		hash = hash * 33 + (unsigned char)*name++;
	return hash;
}

static int symbol_is(const struct library *library, uint32_t index, const char *name,
		     uint64_t *address)
{
	char found[256];
	Elf64_Sym symbol;
	int ret;

	ret = process_read(library->pid, library->symbols + index * sizeof(symbol), &symbol,
			   sizeof(symbol));
	if (ret)
		return ret;
	ret = process_read_string(library->pid, library->strings + symbol.st_name, found,
				  sizeof(found));
	if (ret && ret != -ENAMETOOLONG)
		return ret;
	if (ret || strcmp(found, name) || symbol.st_shndx == SHN_UNDEF)
		return 0;
	*address = library->base + symbol.st_value;
	return 1;
}

/* The table: a head of 4 words, 64-bit words of a filter, buckets, chains that end with bit 0 set. */
static int find_symbol(const struct library *library, const char *name, uint64_t *address)
{
	uint32_t head[4], hash = gnu_hash(name), index, value;
	uint64_t buckets, chains;
	int ret = process_read(library->pid, library->hash, head, sizeof(head));

	if (ret)
		return ret;
	if (!head[0])
		return -ENOEXEC;
	buckets = library->hash + sizeof(head) + head[2] * 8ull;
	chains = buckets + head[0] * 4ull;
	ret = process_read(library->pid, buckets + hash % head[0] * 4ull, &index, sizeof(index));
	if (ret)
		return ret;
	if (index < head[1])
		return -ENOEXEC;
	for (unsigned int i = 0; i < MAX_CHAIN; i++, index++) {
		ret = process_read(library->pid, chains + (index - head[1]) * 4ull, &value,
				   sizeof(value));
		if (!ret && (value | 1) == (hash | 1))
			ret = symbol_is(library, index, name, address);
		if (ret)
			return ret < 0 ? ret : 0;
		if (value & 1)
			break;
	}
	return -ENOEXEC;
}

int process_find_symbol(pid_t pid, const char *file, const char *symbol, uint64_t *address)
{
	struct library library = { .pid = pid };
	int ret = find_file(pid, file, &library.base);

	if (!ret)
		ret = open_library(&library);
	return ret ?: find_symbol(&library, symbol, address);
}
