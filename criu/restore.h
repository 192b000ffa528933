/* SPDX-License-Identifier: MIT */
/*
 * What one task restores of KFD and DRM. CRIU asks for the files in any order, then for the mappings
 * of device files, all in the task that is to be; nothing but descriptors survives in it.
 */
#ifndef GMMAP_CRIU_RESTORE_H
#define GMMAP_CRIU_RESTORE_H

#include <stdint.h>
#include <sys/types.h>

/* Returns a descriptor, -1 after an error was logged, or -ENOTSUP if the file is not the plugin's. */
int restore_file(int id, int folder);

/*
 * Where a mapping of a device file is now. Returns 1 and the new offset and a descriptor (-1: by the
 * path), 0 if it stays as it is, -1 after an error was logged.
 */
int restore_mapping(const char *path, uint64_t address, uint64_t old_offset, uint64_t *new_offset,
		    int *fd);

/* Lets the queues of a process run. Returns 0, -1 after an error, -ENOTSUP: it has none. */
int restore_resume(pid_t pid);

#endif
