/* SPDX-License-Identifier: MIT */
/* A thread that sleeps in WAIT_EVENTS, to test that an interrupt of the GPU wakes it. */
#ifndef SELFTESTS_WAITER_H
#define SELFTESTS_WAITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "kfd.h"

struct waiter {
	struct kfd *kfd;
	struct kfd_event event;
	pthread_t thread;
	_Atomic pid_t tid;
	bool woken;
};

/* Returns when the thread sleeps in the kernel. */
void waiter_start(struct waiter *waiter, struct kfd *kfd);
/* Fails the test if the event did not come. */
void waiter_finish(struct waiter *waiter);

#endif
