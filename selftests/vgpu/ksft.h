/* SPDX-License-Identifier: MIT */
/*
 * A small kselftest harness. Every test runs in a process of its own with a time limit, so that a
 * failed assertion, a signal or a hang ends one test, and the kernel's clean-up of a dead GPU process
 * is part of what is tested. Output is TAP, the exit code that of kselftest.
 */
#ifndef SELFTESTS_KSFT_H
#define SELFTESTS_KSFT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KSFT_PASS 0
#define KSFT_FAIL 1
#define KSFT_SKIP 4

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct ksft_test {
	const char *name;
	void (*run)(void);
	unsigned int limit_s; /* 0: KSFT_LIMIT_S */
};

#define KSFT_LIMIT_S 120

/*
 * Runs the tests whose names are in argv (all, if there is none) and returns the exit code of the
 * program: KSFT_FAIL if one failed, KSFT_SKIP if all were skipped, otherwise KSFT_PASS.
 */
int ksft_run(const struct ksft_test *tests, unsigned int count, char *const *names);

void ksft_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* End the calling process: the test is skipped, or has failed, for the reason given. */
_Noreturn void ksft_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void ksft_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define ksft_assert(condition, ...)                                   \
	do {                                                          \
		if (!(condition))                                     \
			ksft_fail(__FILE__, __LINE__, ##__VA_ARGS__); \
	} while (0)

uint64_t ksft_now_us(void);

/*
 * Waiting for something that only memory tells, such as a fence that the GPU writes. At first the
 * CPU spins, later it gives way, because the GPU may be software on the same CPUs.
 */
struct ksft_poll {
	uint64_t begin_us;
	uint64_t limit_us;
	unsigned int rounds;
};

struct ksft_poll ksft_poll_start(unsigned int limit_ms);
bool ksft_poll_again(struct ksft_poll *poll); /* false: the limit is over */

/* Waits until *at, which the GPU writes, is value; returns whether it is. */
bool ksft_wait_dword(const uint32_t *at, uint32_t value, unsigned int limit_ms);

/* A child process. It is killed when its parent dies. */
struct process {
	pid_t pid;
	int pidfd;
};

#define PROCESS_TIMEOUT (-1)

/* Runs run(index) in a child, which ends with KSFT_PASS when that returns. */
struct process process_start(void (*run)(unsigned int index), unsigned int index);
/* Returns what waitpid() reports, or PROCESS_TIMEOUT. The process is gone unless it timed out. */
int process_wait(struct process *process, unsigned int limit_ms);
void process_kill(const struct process *process);
/* Waits, and fails or skips the calling test as the child did. */
void process_join(struct process *process, unsigned int limit_ms);
/* Starts count processes and joins them all. */
void process_run_all(void (*run)(unsigned int index), unsigned int count, unsigned int limit_ms);

/* Where processes that inherit it meet: gate_pass() returns when count of them have come. */
struct gate;

struct gate *gate_create(unsigned int count);
void gate_pass(struct gate *gate, unsigned int limit_ms);
unsigned int gate_peek(const struct gate *gate); /* how many have come */

#endif
