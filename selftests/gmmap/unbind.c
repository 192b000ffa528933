// SPDX-License-Identifier: MIT
/*
 * The driver is unbound from a GPU that has a mapping. The process that has it must not end while
 * the machine runs: the driver closes the DRM client that owns the memory of KFD's processes before
 * it waits for them, and to free it then is a use after free (Documentation/testing.md). So a
 * process of its own does everything, reports, and stays.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "queue.h"
#include "session.h"

#define BYTES	(64ull * GRANULE_BYTES)
#define LIMIT_S 120
#define RECORDS 64
#define WAIT_MS 60000

/* By another process: the driver may wait for the end of this one. */
static void unbind(const struct kfd_gpu *gpu)
{
	char link[128], device[256];
	ssize_t n;
	int fd;

	snprintf(link, sizeof(link), "/sys/class/drm/renderD%u/device", gpu->drm_render_minor);
	n = readlink(link, device, sizeof(device) - 1);
	ksft_assert(n > 0, "%s: %s", link, strerror(errno));
	device[n] = 0;
	fd = open("/sys/bus/pci/drivers/amdgpu/unbind", O_WRONLY | O_CLOEXEC);
	ksft_assert(fd >= 0, "unbind: %s", strerror(errno));
	if (fork())
		return;
	/* It may stay as long as this process, and then nobody is to wait for its descriptors. */
	for (int other = 0; other < 1024; other++)
		if (other != fd)
			close(other);
	n = write(fd, strrchr(device, '/') + 1, strlen(strrchr(device, '/') + 1));
	_exit(n < 0);
}

/* The next record, which must be of this type. */
static struct gmmap_record next_record(const struct lazy *lazy, uint32_t type)
{
	struct pollfd pollfd = { .fd = lazy->session.fd, .events = POLLIN };
	struct gmmap_record record;
	ssize_t n;

	ksft_assert(poll(&pollfd, 1, WAIT_MS) == 1, "no record of type %u comes", type);
	n = read(lazy->session.fd, &record, sizeof(record));
	ksft_assert(n == sizeof(record), "records: %s", n < 0 ? strerror(errno) : "short read");
	ksft_assert(record.type == type, "a record of type %u in place of %u", record.type, type);
	return record;
}

static void try_map(struct lazy *lazy)
{
	struct gmmap_extent extent = { .length = BYTES, .fd = lazy->file.fd };
	struct gmmap_map args = {
		.size = sizeof(args),
		.handle = lazy->vram.handle,
		.extents = (uintptr_t)&extent,
		.extent_count = 1,
	};
	int ret = session_try_map(&lazy->session, &args);

	ksft_assert(ret == -ENODEV, "MAP on a GPU that is gone: %s", strerror(-ret));
}

static void lose_gpu(void)
{
	struct gmmap_records args = {
		.size = sizeof(args),
		.mask = 1 << GMMAP_RECORD_GPU_LOST | 1 << GMMAP_RECORD_ABANDON |
			1 << GMMAP_RECORD_COMPLETE,
		.capacity = RECORDS,
		.eventfd = -1,
	};
	struct gmmap_record record;
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 81);
	ksft_assert(!ioctl(lazy.session.fd, GMMAP_IOC_RECORDS, &args), "RECORDS: %s",
		    strerror(errno));
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 5 * GRANULE_BYTES, 100);
	queue_finish(&queue);
	queue_destroy(&queue);
	unbind(&lazy.kfd.gpu);
	record = next_record(&lazy, GMMAP_RECORD_GPU_LOST);
	ksft_assert(record.gpu_id == lazy.kfd.gpu.gpu_id, "GPU %#x is lost", record.gpu_id);
	record = next_record(&lazy, GMMAP_RECORD_ABANDON);
	ksft_assert(record.id == lazy.mapping && record.error == -ENODEV,
		    "mapping %llu ended with %d", (unsigned long long)record.id, record.error);
	try_map(&lazy);
}

/* In a process that nothing ends but a failure. */
static void lose_gpu_and_stay(int report)
{
	char done = 1;
	int null;

	setsid();
	signal(SIGBUS, SIG_IGN); /* by which KFD tells it to end */
	lose_gpu();
	null = open("/dev/null", O_RDWR);
	ksft_assert(null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
			    dup2(null, STDERR_FILENO) >= 0,
		    "/dev/null: %s", strerror(errno));
	if (write(report, &done, 1) != 1)
		_exit(KSFT_FAIL);
	close(report);
	for (;;)
		pause();
}

static void mappings_are_given_up(void)
{
	int report[2];
	char done;
	pid_t pid;

	ksft_assert(!pipe2(report, O_CLOEXEC), "pipe: %s", strerror(errno));
	pid = fork();
	ksft_assert(pid >= 0, "fork: %s", strerror(errno));
	if (!pid)
		lose_gpu_and_stay(report[1]);
	close(report[1]);
	ksft_assert(read(report[0], &done, 1) == 1, "the process has failed");
}

static const struct ksft_test tests[] = {
	{ "mappings_are_given_up", mappings_are_given_up, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
