/* SPDX-License-Identifier: MIT */
/*
 * Looks into a process's memory, this one's or a stopped one's. Nothing found there is trusted: a wrong
 * address is an error. Functions return 0 or -errno.
 */
#ifndef GMMAP_PROCESS_H
#define GMMAP_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int process_read(pid_t pid, uint64_t address, void *to, size_t bytes);
int process_read_string(pid_t pid, uint64_t address, char *to, size_t bytes);

/*
 * Finds what a shared library exports. file is a part of the library's path. -ENOENT: no such library
 * is loaded.
 */
int process_find_symbol(pid_t pid, const char *file, const char *symbol, uint64_t *address);

#endif
