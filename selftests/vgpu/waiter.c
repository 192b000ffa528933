// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "waiter.h"

#include <stdio.h>
#include <unistd.h>

#include "ksft.h"

#define WAIT_LIMIT_MS 30000

static void *wait_for_event(void *arg)
{
	struct waiter *waiter = arg;

	waiter->tid = gettid();
	waiter->woken = kfd_event_wait(waiter->kfd, &waiter->event, WAIT_LIMIT_MS, NULL);
	return NULL;
}

/* Field 3 of /proc/self/task/TID/stat, behind the name in parentheses. */
static bool thread_sleeps(pid_t tid)
{
	char path[64];
	char state = 0;
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return false;
	n = fscanf(file, "%*d (%*[^)]) %c", &state);
	fclose(file);
	return n == 1 && state == 'S';
}

void waiter_start(struct waiter *waiter, struct kfd *kfd)
{
	struct ksft_poll poll = ksft_poll_start(WAIT_LIMIT_MS);
	int ret;

	waiter->kfd = kfd;
	waiter->tid = 0;
	kfd_event_create(kfd, &waiter->event, KFD_IOC_EVENT_SIGNAL);
	ret = pthread_create(&waiter->thread, NULL, wait_for_event, waiter);
	ksft_assert(!ret, "pthread_create: %d", ret);
	while (!waiter->tid || !thread_sleeps(waiter->tid))
		ksft_assert(ksft_poll_again(&poll), "the thread does not sleep in WAIT_EVENTS");
}

void waiter_finish(struct waiter *waiter)
{
	pthread_join(waiter->thread, NULL);
	ksft_assert(waiter->woken, "event %u: no interrupt in %u ms", waiter->event.id,
		    WAIT_LIMIT_MS);
	kfd_event_destroy(waiter->kfd, &waiter->event);
}
