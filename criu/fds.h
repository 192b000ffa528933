/* SPDX-License-Identifier: MIT */
/* Descriptors that the plugin keeps in a task that is being restored. */
#ifndef GMMAP_CRIU_FDS_H
#define GMMAP_CRIU_FDS_H

/*
 * The first number above those that any task of the image has, so that what is kept there is in
 * nobody's way. Returns -1 after an error was logged.
 */
int fds_above_all(int folder);

/* Another descriptor of this process for the same open file, or -1. */
int fds_find_twin(int fd);

#endif
