/* SPDX-License-Identifier: MIT */
#ifndef GMMAP_STORE_INTERNAL_H
#define GMMAP_STORE_INTERNAL_H

#include "image_internal.h"
#include "store.h"

/*
 * Locks the store: writers share it, what removes packs has it alone. The lock ends with the
 * descriptor that is returned, so it outlives nobody.
 */
int store_lock(int store_fd, bool alone, struct gmmap_image_error *error);

/* Removes a folder and what is in it, not following links; PATH is relative. */
int remove_tree(int dirfd, const char *path);

/* fsync() of a folder. */
int sync_folder(int dirfd, const char *path);

/* Makes a folder of its own in tmp/ and returns a descriptor of it. */
int make_work_folder(int store_fd, char path[64]);

int write_all(int fd, const void *data, size_t length);

#endif
