// SPDX-License-Identifier: MIT
/* requests.c - lines to answer, see requests.h */

#include "requests.h"

#include <err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		errx(1, "%s: too long for a socket, at most %zu bytes", path,
		     sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16))
		err(1, "%s", path);
	return fd;
}

void requests_open(struct requests *requests, const char *socket_path)
{
	memset(requests, 0, sizeof(*requests));
	requests->listener = -1;
	/* A client that leaves before its answer is no reason to end. */
	signal(SIGPIPE, SIG_IGN);
	if (socket_path) {
		requests->listener = listen_at(socket_path);
		return;
	}
	requests->in = stdin;
	requests->out = stdout;
}

static void hang_up(struct requests *requests)
{
	fclose(requests->in);
	fclose(requests->out);
	requests->in = NULL;
	requests->out = NULL;
}

static void accept_client(struct requests *requests)
{
	int in = accept4(requests->listener, NULL, NULL, SOCK_CLOEXEC);
	int out = in < 0 ? -1 : dup(in);

	if (out < 0)
		err(1, "accept");
	requests->in = fdopen(in, "r");
	requests->out = fdopen(out, "w");
	if (!requests->in || !requests->out)
		err(1, "fdopen");
}

char *requests_next(struct requests *requests)
{
	ssize_t length;

	for (;;) {
		if (!requests->in)
			accept_client(requests);
		fflush(requests->out);
		length = getline(&requests->line, &requests->size, requests->in);
		if (length >= 0)
			break;
		if (requests->listener < 0)
			return NULL;
		hang_up(requests);
	}
	if (length > 0 && requests->line[length - 1] == '\n')
		requests->line[length - 1] = '\0';
	return requests->line;
}

void requests_close(struct requests *requests)
{
	fflush(requests->out);
	free(requests->line);
	if (requests->listener >= 0)
		close(requests->listener);
}
