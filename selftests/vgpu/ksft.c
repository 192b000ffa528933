// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "ksft.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_LIMIT_MS 60000 /* for the kernel to tear down a killed GPU process */

/* Shared by the runner, the tests and their children: why a test was skipped. */
struct ksft_report {
	char skip_reason[256];
};

static struct ksft_report *report;

uint64_t ksft_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* One write(), because several processes print at once. */
static void print_line(const char *prefix, const char *format, va_list args)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s", prefix);

	n += vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	fflush(stdout);
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(KSFT_FAIL);
}

void ksft_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("# ", format, args);
	va_end(args);
}

void ksft_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (report)
		vsnprintf(report->skip_reason, sizeof(report->skip_reason), format, args);
	va_end(args);
	_exit(KSFT_SKIP);
}

void ksft_fail(const char *file, int line, const char *format, ...)
{
	char prefix[96];
	va_list args;

	snprintf(prefix, sizeof(prefix), "# %s:%d: ", file, line);
	va_start(args, format);
	print_line(prefix, format, args);
	va_end(args);
	_exit(KSFT_FAIL);
}

struct ksft_poll ksft_poll_start(unsigned int limit_ms)
{
	return (struct ksft_poll){ .begin_us = ksft_now_us(), .limit_us = limit_ms * 1000ull };
}

bool ksft_poll_again(struct ksft_poll *poll)
{
	struct timespec pause = { .tv_nsec = 50000 };

	if (++poll->rounds < 100)
		return true;
	if (ksft_now_us() - poll->begin_us > poll->limit_us)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

bool ksft_wait_dword(const uint32_t *at, uint32_t value, unsigned int limit_ms)
{
	struct ksft_poll poll = ksft_poll_start(limit_ms);

	while (__atomic_load_n(at, __ATOMIC_ACQUIRE) != value)
		if (!ksft_poll_again(&poll))
			return __atomic_load_n(at, __ATOMIC_ACQUIRE) == value;
	return true;
}

struct process process_start(void (*run)(unsigned int index), unsigned int index)
{
	struct process process;
	pid_t parent = getpid();

	fflush(stdout);
	process.pid = fork();
	ksft_assert(process.pid >= 0, "fork: %s", strerror(errno));
	if (!process.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(KSFT_FAIL);
		run(index);
		fflush(stdout);
		_exit(KSFT_PASS);
	}
	process.pidfd = (int)syscall(SYS_pidfd_open, process.pid, 0);
	ksft_assert(process.pidfd >= 0, "pidfd_open: %s", strerror(errno));
	return process;
}

int process_wait(struct process *process, unsigned int limit_ms)
{
	struct pollfd pollfd = { .fd = process->pidfd, .events = POLLIN };
	int status;
	int n;

	do {
		n = poll(&pollfd, 1, (int)limit_ms);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return PROCESS_TIMEOUT;
	ksft_assert(waitpid(process->pid, &status, 0) == process->pid, "waitpid: %s",
		    strerror(errno));
	close(process->pidfd);
	return status;
}

void process_kill(const struct process *process)
{
	syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
}

void process_join(struct process *process, unsigned int limit_ms)
{
	int status = process_wait(process, limit_ms);

	ksft_assert(status != PROCESS_TIMEOUT, "process %d still runs after %u ms", process->pid,
		    limit_ms);
	ksft_assert(!WIFSIGNALED(status), "process %d killed by signal %d", process->pid,
		    WTERMSIG(status));
	if (WEXITSTATUS(status) == KSFT_SKIP)
		_exit(KSFT_SKIP);
	if (WEXITSTATUS(status) != KSFT_PASS)
		_exit(KSFT_FAIL);
}

void process_run_all(void (*run)(unsigned int index), unsigned int count, unsigned int limit_ms)
{
	uint64_t end_us = ksft_now_us() + limit_ms * 1000ull;
	struct process *processes = calloc(count, sizeof(*processes));

	ksft_assert(processes, "out of memory");
	for (unsigned int i = 0; i < count; i++)
		processes[i] = process_start(run, i);
	for (unsigned int i = 0; i < count; i++) {
		uint64_t now_us = ksft_now_us();

		process_join(&processes[i],
			     now_us < end_us ? (unsigned int)((end_us - now_us) / 1000) : 0);
	}
	free(processes);
}

struct gate {
	unsigned int count;
	unsigned int arrived;
};

struct gate *gate_create(unsigned int count)
{
	struct gate *gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ksft_assert(gate != MAP_FAILED, "mmap: %s", strerror(errno));
	gate->count = count;
	return gate;
}

void gate_pass(struct gate *gate, unsigned int limit_ms)
{
	struct ksft_poll poll = ksft_poll_start(limit_ms);

	__atomic_add_fetch(&gate->arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&gate->arrived, __ATOMIC_ACQUIRE) < gate->count)
		ksft_assert(ksft_poll_again(&poll), "only %u of %u came in %u ms", gate->arrived,
			    gate->count, limit_ms);
}

unsigned int gate_peek(const struct gate *gate)
{
	return __atomic_load_n(&gate->arrived, __ATOMIC_ACQUIRE);
}

static const struct ksft_test *running;

static void run_test(unsigned int index)
{
	(void)index;
	setpgid(0, 0); /* the runner kills the group: children of a test that timed out go too */
	running->run();
}

static int finish_test(struct process *process, unsigned int number)
{
	unsigned int limit_s = running->limit_s ? running->limit_s : KSFT_LIMIT_S;
	int status = process_wait(process, limit_s * 1000);
	const char *why = "";

	if (status == PROCESS_TIMEOUT) {
		why = " # timed out";
		kill(-process->pid, SIGKILL);
		if (process_wait(process, KILL_LIMIT_MS) == PROCESS_TIMEOUT)
			why = " # timed out and cannot be killed";
		ksft_print("%s: no result after %u s", running->name, limit_s);
	} else if (WIFSIGNALED(status)) {
		ksft_print("%s: killed by signal %d", running->name, WTERMSIG(status));
	} else if (WEXITSTATUS(status) == KSFT_PASS) {
		printf("ok %u %s\n", number, running->name);
		return KSFT_PASS;
	} else if (WEXITSTATUS(status) == KSFT_SKIP) {
		printf("ok %u %s # SKIP %s\n", number, running->name, report->skip_reason);
		return KSFT_SKIP;
	}
	kill(-process->pid, SIGKILL);
	printf("not ok %u %s%s\n", number, running->name, why);
	return KSFT_FAIL;
}

static bool selected(const struct ksft_test *test, char *const *names)
{
	if (!names || !*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, test->name))
			return true;
	return false;
}

int ksft_run(const struct ksft_test *tests, unsigned int count, char *const *names)
{
	unsigned int results[KSFT_SKIP + 1] = { 0 };
	unsigned int number = 0;
	unsigned int planned = 0;

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ksft_assert(report != MAP_FAILED, "mmap: %s", strerror(errno));
	for (unsigned int i = 0; i < count; i++)
		planned += selected(&tests[i], names);
	printf("TAP version 13\n1..%u\n", planned);
	for (unsigned int i = 0; i < count; i++) {
		struct process process;

		if (!selected(&tests[i], names))
			continue;
		running = &tests[i];
		process = process_start(run_test, 0);
		results[finish_test(&process, ++number)]++;
		fflush(stdout);
	}
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n", results[KSFT_PASS],
	       results[KSFT_FAIL], results[KSFT_SKIP]);
	if (results[KSFT_FAIL] || !planned)
		return KSFT_FAIL;
	return results[KSFT_PASS] ? KSFT_PASS : KSFT_SKIP;
}
