// SPDX-License-Identifier: MIT
/*
 * The driver is unbound from a GPU that has a mapping. KFD kills the processes on it, by SIGBUS, and
 * may wait for their end. Afterwards this kernel may have no GPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "queue.h"
#include "session.h"

#define BYTES	 (64ull * GRANULE_BYTES)
#define LIMIT_S	 120
#define RECORDS	 64

/* By another process: this one is waited for. */
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
	/* Nothing of this process may keep the GPU's descriptors. */
	for (int other = 3; other < 1024; other++)
		if (other != fd)
			close(other);
	n = write(fd, strrchr(device, '/') + 1, strlen(strrchr(device, '/') + 1));
	_exit(n < 0);
}

static const struct gmmap_record *find(const struct gmmap_record *records, ssize_t count,
				       uint32_t type)
{
	for (ssize_t i = 0; i < count; i++)
		if (records[i].type == type)
			return &records[i];
	ksft_fail(__FILE__, __LINE__, "there is no record of type %u among %zd", type, count);
}

static void mappings_are_given_up(void)
{
	struct gmmap_records args = {
		.size = sizeof(args),
		.mask = 1 << GMMAP_RECORD_GPU_LOST | 1 << GMMAP_RECORD_ABANDON |
			1 << GMMAP_RECORD_COMPLETE,
		.capacity = RECORDS,
		.eventfd = -1,
	};
	struct gmmap_record records[RECORDS];
	struct gmmap_extent extent = { .length = BYTES };
	struct queue queue;
	struct lazy lazy;
	ssize_t count;
	int ret;

	lazy_open(&lazy, BYTES, 81);
	ksft_assert(!ioctl(lazy.session.fd, GMMAP_IOC_RECORDS, &args), "RECORDS: %s",
		    strerror(errno));
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 5 * GRANULE_BYTES, 100);
	queue_finish(&queue);
	queue_destroy(&queue);
	signal(SIGBUS, SIG_IGN);
	unbind(&lazy.kfd.gpu);
	sleep(2);
	count = read(lazy.session.fd, records, sizeof(records));
	ksft_assert(count > 0, "records: %s", strerror(errno));
	count /= (ssize_t)sizeof(records[0]);
	ksft_assert(find(records, count, GMMAP_RECORD_GPU_LOST)->gpu_id == lazy.kfd.gpu.gpu_id,
		    "another GPU is lost");
	ksft_assert(find(records, count, GMMAP_RECORD_ABANDON)->error == -ENODEV,
		    "the mapping ended with %d", find(records, count, GMMAP_RECORD_ABANDON)->error);
	extent.fd = lazy.file.fd;
	ret = session_try_map(&lazy.session, &(struct gmmap_map){
						     .size = sizeof(struct gmmap_map),
						     .handle = lazy.vram.handle,
						     .extents = (uintptr_t)&extent,
						     .extent_count = 1,
					     });
	ksft_assert(ret == -ENODEV || ret == -ENOENT, "MAP on a GPU that is gone: %s",
		    strerror(-ret));
	/* Everything else ends with the process. */
	_exit(KSFT_PASS);
}

static const struct ksft_test tests[] = {
	{ "mappings_are_given_up", mappings_are_given_up, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
