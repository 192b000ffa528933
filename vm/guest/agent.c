// SPDX-License-Identifier: MIT
/*
 * Runs one command in the test machine for vm/run.
 *
 * Four virtio-serial ports lead to the host: "ctl" carries lines both ways,
 * "in", "out" and "err" carry the command's bytes. The command itself gets
 * pipes or a terminal, never the ports: a port can be opened only once, so
 * "echo >/dev/stderr" would fail on it. Ports have no end-of-file that is
 * ordered with the data, so the end of each stream is told on ctl by its length.
 *
 * From the host: "clock SEC NSEC", "seed HEX", "cwd HEX", "env HEX",
 * "arg HEX", "tty ROWS COLS", "gpus COUNT SECONDS", "sync HEX", "run"; while
 * the command runs "eof BYTES", "winsz ROWS COLS". To the host: "up",
 * "gpus", "started", "log TEXT", "error TEXT", "exit STATUS OUT ERR".
 *
 * The agent is the first process and reaps orphans, unless systemd is wanted:
 * then it leaves that place to systemd and works beside it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/random.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CTL_FD 3
#define MAX_ARGS 4096

/* Bytes on their way from one descriptor to another; -1 is a closed side. */
struct relay {
	int from, to;
	size_t start, end;
	uint64_t total;
	char buf[1 << 16];
};

struct job {
	char *argv[MAX_ARGS + 1];
	int argc;
	char *cwd;
	char *sync_path;
	struct winsize size;
	bool tty;
};

static struct job job;
static struct relay in = { -1, -1, 0, 0, 0, "" };
static struct relay out = { -1, -1, 0, 0, 0, "" };
static struct relay err = { -1, -1, 0, 0, 0, "" };
static uint64_t in_length = UINT64_MAX;
static int master = -1;

static void say(const char *format, ...)
{
	char line[1200];
	size_t len, done = 0;
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	len = strlen(line);
	line[len++] = '\n';
	while (done < len) {
		ssize_t n = write(CTL_FD, line + done, len - done);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (n > 0)
			done += n;
	}
}

/* The host has the reason and ends the machine; the first process must not exit. */
static _Noreturn void fail(const char *what)
{
	say("error %s: %s", what, strerror(errno));
	for (;;)
		pause();
}

static size_t unhex(const char *hex, char *to)
{
	size_t n = 0;
	unsigned int byte;

	while (sscanf(hex + 2 * n, "%2x", &byte) == 1)
		to[n++] = byte;
	to[n] = 0;
	return n;
}

static char *unhex_new(const char *hex)
{
	char *s = malloc(strlen(hex) / 2 + 1);

	if (!s)
		fail("memory");
	unhex(hex, s);
	return s;
}

/* A restored snapshot repeats the random numbers of its siblings without this. */
static void seed(const char *hex)
{
	struct {
		struct rand_pool_info info;
		char bytes[256];
	} pool;
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	if (strlen(hex) >= 2 * sizeof(pool.bytes))
		return;
	pool.info.buf_size = unhex(hex, (char *)pool.info.buf);
	pool.info.entropy_count = 8 * pool.info.buf_size;
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) || ioctl(fd, RNDRESEEDCRNG))
		fail("seeding /dev/urandom");
	close(fd);
}

static int count(const char *pattern, bool nonzero)
{
	glob_t g;
	int n = 0;

	if (glob(pattern, 0, NULL, &g))
		return 0;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char text[32] = "1";

		if (nonzero) {
			int fd = open(g.gl_pathv[i], O_RDONLY | O_CLOEXEC);
			ssize_t len = read(fd, text, sizeof(text) - 1);

			text[len > 0 ? len : 0] = 0;
			close(fd);
		}
		n += strtoul(text, NULL, 10) != 0;
	}
	globfree(&g);
	return n;
}

/* The text of the next kernel message, NULL when there is none. */
static char *kernel_message(int fd)
{
	static char record[9000];
	ssize_t len;
	char *text;

	do
		len = read(fd, record, sizeof(record) - 1);
	while (len < 0 && errno == EPIPE);	/* overwritten meanwhile: next one */
	if (len <= 0)
		return NULL;
	record[len] = 0;
	text = strchr(record, ';');
	text = text ? text + 1 : record;
	text[strcspn(text, "\n")] = 0;
	return text;
}

/*
 * Waits until the driver serves @want GPUs: a render node for DRM and a
 * topology node with a GPU for KFD each. Ends early when the driver gives up.
 */
static void wait_for_gpus(int want, int seconds)
{
	static const char *const relevant[] = {
		"amdgpu", "kfd", "drm", "irmware", "no space", "can't assign", "BUG", "Oops", "RIP",
	};
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int render = 0, nodes = 0;
	bool failed = false;
	char *text;

	for (int tick = 0; tick < seconds * 50; tick++) {
		render = count("/dev/dri/renderD*", false);
		nodes = count("/sys/class/kfd/kfd/topology/nodes/*/gpu_id", true);
		if (render >= want && nodes >= want) {
			close(kmsg);
			say("gpus");
			return;
		}
		while ((text = kernel_message(kmsg)))
			failed |= strstr(text, "Fatal error during GPU init") ||
				  strstr(text, "Oops: ") ||
				  (strstr(text, "amdgpu") && strstr(text, "failed with error"));
		if (failed)
			break;
		usleep(20000);
	}
	lseek(kmsg, 0, SEEK_SET);
	while ((text = kernel_message(kmsg)))
		for (size_t i = 0; i < sizeof(relevant) / sizeof(*relevant); i++)
			if (strstr(text, relevant[i])) {
				say("log %s", text);
				break;
			}
	say("error %s: %d of %d render nodes, %d of %d KFD nodes",
	    failed ? "the driver's probe failed" : "the driver's probe did not end in time",
	    render, want, nodes, want);
	for (;;)
		pause();
}

/* Until the default target is reached; systemctl fails as long as nobody listens. */
static void wait_for_systemd(void)
{
	for (int tick = 0; tick < 600; tick++) {
		FILE *f = popen("systemctl is-system-running --wait 2>/dev/null", "re");
		char state[32] = "";
		bool told = f && fgets(state, sizeof(state), f);

		if (f)
			pclose(f);
		if (told && (!strcmp(state, "running\n") || !strcmp(state, "degraded\n")))
			return;
		usleep(100000);
	}
	errno = ETIMEDOUT;
	fail("systemd did not come up");
}

static pid_t start(void)
{
	int p[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int slave = -1;
	pid_t pid;

	if (job.tty) {
		if (openpty(&master, &slave, NULL, NULL, &job.size))
			fail("openpty");
		fcntl(master, F_SETFD, FD_CLOEXEC);
	} else {
		for (int i = 0; i < 3; i++)
			if (pipe2(p[i], O_CLOEXEC))
				fail("pipe");
	}
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		setsid();
		if (job.tty)
			ioctl(slave, TIOCSCTTY, 0);
		dup2(job.tty ? slave : p[0][0], 0);
		dup2(job.tty ? slave : p[1][1], 1);
		dup2(job.tty ? slave : p[2][1], 2);
		if (slave > 2)
			close(slave);
		if (chdir(job.cwd)) {
			fprintf(stderr, "vm: cannot enter %s in the guest: %s\n", job.cwd,
				strerror(errno));
			_exit(125);
		}
		execvp(job.argv[0], job.argv);
		fprintf(stderr, "vm: cannot run %s in the guest: %s\n", job.argv[0],
			strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (job.tty) {
		close(slave);
		fcntl(master, F_SETFL, O_NONBLOCK);
		in.to = master;
		out.from = master;
	} else {
		close(p[0][0]);
		close(p[1][1]);
		close(p[2][1]);
		in.to = p[0][1];
		out.from = p[1][0];
		err.from = p[2][0];
		fcntl(in.to, F_SETFL, O_NONBLOCK);
		fcntl(out.from, F_SETFL, O_NONBLOCK);
		fcntl(err.from, F_SETFL, O_NONBLOCK);
	}
	return pid;
}

static void fill(struct relay *r)
{
	ssize_t n = read(r->from, r->buf, sizeof(r->buf));

	if (n > 0) {
		r->start = 0;
		r->end = n;
		r->total += n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		r->from = -1;	/* end of file, or EIO of a terminal that nobody has open */
	}
}

static void drain(struct relay *r)
{
	ssize_t n;

	if (r->to < 0) {	/* the reader is gone: swallow, so that the writer ends */
		r->start = r->end;
		return;
	}
	n = write(r->to, r->buf + r->start, r->end - r->start);
	if (n > 0)
		r->start += n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		r->to = -1;
}

static void close_input_at_end(void)
{
	if (in.total < in_length || in.start < in.end || in.to < 0)
		return;
	if (!job.tty)
		close(in.to);
	in.to = -1;
}

static void request(char *line)
{
	char *value = strchr(line, ' ');
	unsigned long a = 0, b = 0;

	value = value ? value + 1 : line + strlen(line);
	sscanf(value, "%lu %lu", &a, &b);
	if (!strncmp(line, "clock ", 6)) {
		clock_settime(CLOCK_REALTIME, &(struct timespec){ a, b });
	} else if (!strncmp(line, "seed ", 5)) {
		seed(value);
	} else if (!strncmp(line, "cwd ", 4)) {
		job.cwd = unhex_new(value);
	} else if (!strncmp(line, "sync ", 5)) {
		job.sync_path = unhex_new(value);
	} else if (!strncmp(line, "env ", 4)) {
		putenv(unhex_new(value));
	} else if (!strncmp(line, "arg ", 4) || !strcmp(line, "arg")) {
		errno = E2BIG;
		if (job.argc == MAX_ARGS)
			fail("too many arguments");
		job.argv[job.argc++] = unhex_new(value);
	} else if (!strncmp(line, "tty ", 4) || !strncmp(line, "winsz ", 6)) {
		job.size = (struct winsize){ .ws_row = a, .ws_col = b };
		job.tty |= line[0] == 't';
		if (master >= 0)
			ioctl(master, TIOCSWINSZ, &job.size);
	} else if (!strncmp(line, "gpus ", 5)) {
		wait_for_gpus(a, b);
	} else if (!strncmp(line, "eof ", 4)) {
		in_length = strtoull(value, NULL, 10);
		close_input_at_end();
	}
}

/* Reads what ctl has; true when the last line was @until (NULL: never). */
static bool control(const char *until)
{
	static char line[1 << 18];
	static size_t len;
	char c;

	/* By single bytes: what follows "run" must stay in the port. */
	while (read(CTL_FD, &c, 1) == 1) {
		if (c != '\n') {
			if (len < sizeof(line) - 1)
				line[len++] = c;
			continue;
		}
		line[len] = 0;
		len = 0;
		if (until && !strcmp(line, until))
			return true;
		request(line);
	}
	return false;
}

/* Collects ended children; the status of @pid goes to @status. True if it is among them. */
static bool reap(int sigfd, pid_t pid, int *status)
{
	struct signalfd_siginfo info;
	bool found = false;
	pid_t child;
	int s;

	while (read(sigfd, &info, sizeof(info)) > 0)
		;
	while ((child = waitpid(-1, &s, WNOHANG)) > 0)
		if (child == pid) {
			*status = WIFSIGNALED(s) ? 128 + WTERMSIG(s) : WEXITSTATUS(s);
			found = true;
		}
	return found;
}

static void want(struct pollfd *p, const struct relay *r)
{
	bool full = r->start < r->end;

	p[0] = (struct pollfd){ .fd = full ? -1 : r->from, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = full ? r->to : -1, .events = POLLOUT };
}

/* Writes out the rest; background processes may still hold the pipe, so no waiting for its end. */
static void finish(struct relay *r)
{
	for (;;) {
		while (r->start < r->end) {
			struct pollfd p = { .fd = r->to, .events = POLLOUT };

			if (r->to >= 0)
				poll(&p, 1, -1);
			drain(r);
		}
		if (r->from < 0)
			return;
		fill(r);
		if (r->start == r->end)
			return;
	}
}

static int run(int sigfd)
{
	pid_t pid = start();
	int status = 0;

	say("started");
	for (;;) {
		struct pollfd p[8];

		want(p, &in);
		want(p + 2, &out);
		want(p + 4, &err);
		p[6] = (struct pollfd){ .fd = CTL_FD, .events = POLLIN };
		p[7] = (struct pollfd){ .fd = sigfd, .events = POLLIN };
		if (poll(p, 8, -1) < 0)
			continue;
		for (int i = 0; i < 3; i++) {
			struct relay *r = i == 0 ? &in : i == 1 ? &out : &err;

			if (p[2 * i].revents)
				fill(r);
			if (r->start < r->end)
				drain(r);
		}
		close_input_at_end();
		if (p[6].revents)
			control(NULL);
		if (p[7].revents && reap(sigfd, pid, &status))
			break;
	}
	finish(&out);
	finish(&err);
	return status;
}

static int open_port(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/vm/%s", name);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

int main(int argc, char **argv)
{
	bool systemd = argc > 1 && !strcmp(argv[1], "systemd");
	sigset_t set;
	int status, sigfd, fd;

	fcntl(CTL_FD, F_SETFD, FD_CLOEXEC);
	if (systemd && fork() > 0) {
		execl("/sbin/init", "/sbin/init", NULL);
		fail("/sbin/init");
	}
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C.UTF-8", 1);
	signal(SIGPIPE, SIG_IGN);
	say("up");
	while (!control("run"))
		;
	in.from = open_port("in");
	out.to = open_port("out");
	err.to = open_port("err");
	if (systemd)
		wait_for_systemd();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	fcntl(CTL_FD, F_SETFL, O_NONBLOCK);
	status = run(sigfd);
	if (job.sync_path) {
		fd = open(job.sync_path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			syncfs(fd);
	}
	say("exit %d %llu %llu", status, (unsigned long long)out.total,
	    (unsigned long long)err.total);
	for (;;)
		pause();
}
