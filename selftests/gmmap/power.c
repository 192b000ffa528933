// SPDX-License-Identifier: MIT
/* The machine sleeps: mappings are complete before, or it does not. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "queue.h"
#include "session.h"

#define BYTES	(64ull * GRANULE_BYTES)
#define LIMIT_S 120

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

/* Goes through all that happens up to freezing the tasks, and back. */
static int sleep_a_little(void)
{
	int ret = write_text("/sys/power/pm_test", "freezer");

	if (ret)
		ksft_skip("/sys/power/pm_test: %s; it wants CONFIG_PM_DEBUG", strerror(-ret));
	ret = write_text("/sys/power/state", "freeze");
	write_text("/sys/power/pm_test", "none");
	return ret;
}

static void mappings_are_complete_before(void)
{
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 71);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 5 * GRANULE_BYTES, 100);
	queue_finish(&queue);
	ksft_assert(!sleep_a_little(), "the machine did not sleep");
	ksft_assert(!session_try_wait(&lazy.session, lazy.mapping, 0), "not complete");
	lazy_check_all(&lazy, &queue);
	/* Afterwards everything is as before. */
	lazy_map(&lazy);
	lazy_check_all(&lazy, &queue);
	session_check_faults(&lazy.session, "after sleep");
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static const struct ksft_test tests[] = {
	{ "mappings_are_complete_before", mappings_are_complete_before, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
