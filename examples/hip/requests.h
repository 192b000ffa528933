/* SPDX-License-Identifier: MIT */
/*
 * requests.h - lines to answer, from stdin or from a Unix socket
 *
 * On a socket, clients are served one after the other.
 */
#ifndef EXAMPLES_REQUESTS_H
#define EXAMPLES_REQUESTS_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct requests {
	int listener; /* -1: stdin and stdout */
	FILE *in;
	FILE *out; /* where answers go */
	char *line;
	size_t size;
};

/* A path of a socket, or NULL for stdin and stdout. Ends the program if it cannot listen there. */
void requests_open(struct requests *requests, const char *socket_path);

/* Sends the answer so far and waits for a line. NULL: no more will come. */
char *requests_next(struct requests *requests);

void requests_close(struct requests *requests);

#ifdef __cplusplus
}
#endif
#endif
