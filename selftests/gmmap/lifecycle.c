// SPDX-License-Identifier: MIT
/* What a process may do to a buffer while it is incomplete, and how a mapping ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drm.h"
#include "ksft.h"
#include "lazy.h"
#include "pattern.h"

#define LIMIT_S   300
#define GRANULES  32
#define BYTES     (GRANULES * GRANULE_BYTES)
#define WAIT_NS   20000000000ll
#define WAIT_MS   120000

static void open_with_queue(struct lazy *lazy, struct queue *queue, uint64_t bytes, uint64_t seed)
{
	lazy_open(lazy, bytes, seed);
	queue_create(queue, &lazy->kfd, QUEUE_SDMA);
}

static void close_with_queue(struct lazy *lazy, struct queue *queue)
{
	session_check_faults(&lazy->session, "at the end");
	queue_destroy(queue);
	lazy_close(lazy);
}

static uint64_t loads(struct lazy *lazy)
{
	struct gmmap_stat stat;

	session_stat(&lazy->session, 0, &stat);
	return stat.loaded_granules;
}

static void assert_ended(struct lazy *lazy)
{
	struct gmmap_stat stat;
	int ret;

	session_stat(&lazy->session, 0, &stat);
	ksft_assert(!stat.granules, "%llu granules are still mapped",
		    (unsigned long long)stat.granules);
	ret = session_try_unmap(&lazy->session, lazy->mapping, 0);
	ksft_assert(ret == -ENOENT, "UNMAP of a mapping that has ended: %s", strerror(-ret));
	ret = session_try_wait(&lazy->session, lazy->mapping, 0);
	ksft_assert(!ret, "WAIT for a mapping that has ended: %s", strerror(-ret));
}

static void unmap_loads_the_rest(void)
{
	struct queue queue;
	struct lazy lazy;
	int ret;

	open_with_queue(&lazy, &queue, BYTES, 1);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 5 * GRANULE_BYTES, 8);
	queue_finish(&queue);
	ret = session_try_unmap(&lazy.session, lazy.mapping, 0);
	ksft_assert(!ret, "UNMAP: %s", strerror(-ret));
	ksft_assert(loads(&lazy) == GRANULES, "%llu loads", (unsigned long long)loads(&lazy));
	assert_ended(&lazy);
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

static void abandoned_memory_is_as_before(void)
{
	struct queue queue;
	struct lazy lazy;
	int ret;

	open_with_queue(&lazy, &queue, BYTES, 2);
	queue_fill(&queue, lazy.vram.va, 0x77777777, BYTES);
	queue_finish(&queue);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 5 * GRANULE_BYTES, 8);
	queue_finish(&queue);
	ret = session_try_unmap(&lazy.session, lazy.mapping, GMMAP_UNMAP_ABANDON);
	ksft_assert(!ret, "UNMAP: %s", strerror(-ret));
	assert_ended(&lazy);
	memset(lazy.file.data, 0x77, 5 * GRANULE_BYTES);
	memset(lazy.file.data + 6 * GRANULE_BYTES, 0x77, BYTES - 6 * GRANULE_BYTES);
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

static void map_again_at_once(void)
{
	struct queue queue;
	struct lazy lazy;
	int ret;

	open_with_queue(&lazy, &queue, BYTES, 3);
	for (unsigned int i = 0; i < 10; i++) {
		lazy_map(&lazy);
		if (i % 2)
			lazy_check_all(&lazy, &queue);
		ret = session_try_unmap(&lazy.session, lazy.mapping, GMMAP_UNMAP_ABANDON);
		ksft_assert(!ret || ret == -ENOENT, "UNMAP: %s", strerror(-ret));
	}
	lazy_map(&lazy);
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

static void free_while_incomplete(void)
{
	struct queue queue;
	struct lazy lazy;
	uint64_t bytes;

	open_with_queue(&lazy, &queue, BYTES, 4);
	for (unsigned int i = 0; i < 4; i++) {
		lazy_map(&lazy);
		lazy_read_by(&lazy, &queue, i * GRANULE_BYTES, 8);
		queue_finish(&queue);
		bytes = lazy.vram.bytes;
		kfd_bo_free(&lazy.kfd, &lazy.vram);
		assert_ended(&lazy);
		kfd_bo_alloc(&lazy.kfd, &lazy.vram, bytes, KFD_BO_VRAM);
	}
	lazy_map(&lazy);
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

/* The buffer was mapped on the CPU before MAP, and its pages had been touched. */
static void cpu_sees_the_file(void)
{
	volatile uint8_t *cpu;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, BYTES, 5);
	cpu = lazy.vram.cpu;
	for (unsigned int i = 0; i < BYTES; i += 4096)
		cpu[i] = 0xaa;
	lazy_map(&lazy);
	for (unsigned int i = 3 * GRANULE_BYTES; i < 4 * GRANULE_BYTES; i += 509)
		ksft_assert(cpu[i] == lazy.file.data[i], "byte %u is 0x%02x", i, cpu[i]);
	ksft_assert(loads(&lazy) <= 2, "%llu loads for one granule",
		    (unsigned long long)loads(&lazy));
	for (unsigned int i = 0; i < BYTES; i += 4093)
		ksft_assert(cpu[i] == lazy.file.data[i], "byte %u is 0x%02x", i, cpu[i]);
	ksft_assert(!session_try_wait(&lazy.session, lazy.mapping, WAIT_NS), "not complete");
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

static int kfd_request(int fd, unsigned long request, void *args)
{
	int ret;

	do {
		ret = ioctl(fd, request, args);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	return ret ? -errno : 0;
}

static void unmap_and_map(struct lazy *lazy, int kfd_fd)
{
	struct kfd_ioctl_unmap_memory_from_gpu_args unmap = {
		.handle = lazy->vram.handle,
		.device_ids_array_ptr = (uintptr_t)&lazy->kfd.gpu.gpu_id,
		.n_devices = 1,
	};
	struct kfd_ioctl_map_memory_to_gpu_args map = {
		.handle = lazy->vram.handle,
		.device_ids_array_ptr = (uintptr_t)&lazy->kfd.gpu.gpu_id,
		.n_devices = 1,
	};

	ksft_assert(!kfd_request(kfd_fd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &unmap), "unmapping");
	ksft_assert(!kfd_request(kfd_fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &map), "mapping");
}

/* The driver maps the whole buffer: nothing of it may be seen that is not loaded. */
static void driver_maps_it_again(bool other_descriptor)
{
	struct queue queue;
	struct lazy lazy;
	int fd;

	open_with_queue(&lazy, &queue, BYTES, 6);
	fd = other_descriptor ? open("/dev/kfd", O_RDWR | O_CLOEXEC) : lazy.kfd.fd;
	ksft_assert(fd >= 0, "/dev/kfd: %s", strerror(errno));
	queue_fill(&queue, lazy.vram.va, 0x66666666, BYTES);
	queue_finish(&queue);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, GRANULE_BYTES, 8);
	queue_finish(&queue);
	unmap_and_map(&lazy, fd);
	lazy_check_all(&lazy, &queue);
	if (other_descriptor)
		close(fd);
	close_with_queue(&lazy, &queue);
}

static void driver_maps_it_again_by_this_descriptor(void)
{
	driver_maps_it_again(false);
}

static void driver_maps_it_again_by_another_descriptor(void)
{
	driver_maps_it_again(true);
}

static void export_loads_the_rest(void)
{
	struct queue queue;
	struct lazy lazy;
	int fd;

	open_with_queue(&lazy, &queue, BYTES, 7);
	lazy_map(&lazy);
	fd = kfd_bo_export(&lazy.kfd, &lazy.vram);
	assert_ended(&lazy);
	/* a descriptor that is only open does not hinder the next mapping */
	lazy_map(&lazy);
	close(fd);
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

static void file_is_closed_to_writers(void)
{
	struct queue queue;
	struct lazy lazy;
	int fd;

	open_with_queue(&lazy, &queue, BYTES, 8);
	lazy_map(&lazy);
	fd = backing_open_for_writing(&lazy.file);
	ksft_assert(fd < 0, "the file could be opened for writing");
	lazy_check_all(&lazy, &queue);
	ksft_assert(!session_try_wait(&lazy.session, lazy.mapping, WAIT_NS), "not complete");
	close_with_queue(&lazy, &queue);
}

/* Reads everything in random order until it is killed. */
static void victim(unsigned int index)
{
	struct queue queues[2];
	struct lazy lazy;

	lazy_open(&lazy, 16 << 20, 100 + index);
	queue_create(&queues[0], &lazy.kfd, QUEUE_SDMA);
	queue_create(&queues[1], &lazy.kfd, QUEUE_PM4);
	lazy_map(&lazy);
	for (unsigned int i = 0;; i++) {
		uint64_t offset = pattern_below(&lazy.random, lazy.vram.bytes - 64);

		lazy_read_by(&lazy, &queues[i % 2], offset, 64);
		if (i % 16 == 15) {
			queue_fence(&queues[0]);
			queue_fence(&queues[1]);
			queue_submit(&queues[0]);
			queue_submit(&queues[1]);
		}
	}
}

static void killed_with_faults_pending(void)
{
	const char *kills = getenv("KILLS");
	uint64_t random = 9;
	struct queue queue;
	struct lazy lazy;

	for (unsigned int i = 0; i < (kills ? strtoul(kills, NULL, 0) : 12); i++) {
		struct process process = process_start(victim, i);

		usleep((useconds_t)(100000 + pattern_below(&random, 600000)));
		process_kill(&process);
		ksft_assert(process_wait(&process, WAIT_MS) != PROCESS_TIMEOUT,
			    "process %u does not die", i);
	}
	open_with_queue(&lazy, &queue, BYTES, 9);
	lazy_map(&lazy);
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

/* Graphics buffers in VRAM, more than fits beside the ballast, so that the driver evicts that. */
static void hog(unsigned int index)
{
	struct drm_bo bos[10];
	struct kfd_gpu gpu;
	struct drm drm;

	(void)index;
	kfd_find_gpu(&gpu);
	drm_open(&drm, gpu.drm_render_minor);
	for (unsigned int i = 0; i < ARRAY_SIZE(bos); i++) {
		drm_bo_create(&drm, &bos[i], 64 << 20, AMDGPU_GEM_DOMAIN_VRAM);
		*(volatile int *)bos[i].cpu = 1;
	}
	usleep(300000);
	for (unsigned int i = 0; i < ARRAY_SIZE(bos); i++)
		drm_bo_destroy(&drm, &bos[i]);
	drm_close(&drm);
}

/* Evicting the ballast stops the process's queues and takes its page tables away for a time. */
static void survives_memory_pressure(void)
{
	struct process process;
	struct kfd_bo ballast;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, BYTES, 10);
	kfd_bo_alloc(&lazy.kfd, &ballast, 512 << 20, KFD_BO_VRAM);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 0, BYTES / 2);
	queue_finish(&queue);
	process = process_start(hog, 0);
	for (unsigned int i = 0; i < 4; i++) {
		lazy_read_by(&lazy, &queue, BYTES / 2 + i * GRANULE_BYTES, GRANULE_BYTES);
		queue_finish(&queue);
		usleep(100000);
	}
	process_join(&process, WAIT_MS);
	lazy_check_all(&lazy, &queue);
	kfd_bo_free(&lazy.kfd, &ballast);
	close_with_queue(&lazy, &queue);
}

/* Has the driver evict everything from VRAM that is not pinned. */
static void evict_vram(const struct kfd_gpu *gpu)
{
	char path[128];
	char text[32];
	int fd;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/amdgpu_evict_vram",
		 gpu->drm_render_minor);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		ksft_skip("%s: %s", path, strerror(errno));
	ksft_assert(read(fd, text, sizeof(text)) > 0, "%s: %s", path, strerror(errno));
	close(fd);
}

/* The driver stops the queues and takes page tables away while there are faults. */
static void survives_eviction(void)
{
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 4 * BYTES, 11);
	lazy_map(&lazy);
	for (unsigned int i = 0; i < 16; i++) {
		lazy_read_by(&lazy, &queue, i * 8ull * GRANULE_BYTES, GRANULE_BYTES);
		queue_fence(&queue);
		evict_vram(&lazy.kfd.gpu);
	}
	queue_finish(&queue);
	for (unsigned int i = 0; i < 16; i++)
		lazy_assert_equal(&lazy, i * 8ull * GRANULE_BYTES, GRANULE_BYTES);
	ksft_assert(loads(&lazy) < 4 * GRANULES, "everything was loaded");
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

/* What the owner of a session tells the process that takes it over. */
static struct shared {
	int session_fd;
	uint64_t handle;
} *shared;

static void owner(unsigned int index)
{
	struct lazy lazy;

	(void)index;
	lazy_open(&lazy, BYTES, 12);
	lazy_map(&lazy);
	shared->handle = lazy.vram.handle;
	__atomic_store_n(&shared->session_fd, lazy.session.fd, __ATOMIC_RELEASE);
	pause();
}

/* A session that another process holds outlives its process, and does nothing any more. */
static void session_outlives_its_process(void)
{
	struct gmmap_extent extent = { .length = 4096, .fd = -1, .flags = GMMAP_EXTENT_ZERO };
	struct gmmap_map args = { .size = sizeof(args), .extent_count = 1 };
	struct session session;
	struct process process;
	struct ksft_poll poll = ksft_poll_start(WAIT_MS);
	struct gmmap_stat stat;
	int ret;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ksft_assert(shared != MAP_FAILED, "mmap: %s", strerror(errno));
	close(session_device()); /* skips here rather than there */
	process = process_start(owner, 0);
	while (!__atomic_load_n(&shared->session_fd, __ATOMIC_ACQUIRE))
		ksft_assert(ksft_poll_again(&poll), "no session");
	session.fd = (int)syscall(SYS_pidfd_getfd, process.pidfd, shared->session_fd, 0);
	ksft_assert(session.fd >= 0, "pidfd_getfd: %s", strerror(errno));
	session_stat(&session, 0, &stat);
	ksft_assert(stat.absent_granules == GRANULES, "the session does not know the mapping");
	process_kill(&process);
	ksft_assert(process_wait(&process, WAIT_MS) != PROCESS_TIMEOUT, "does not die");
	args.handle = shared->handle;
	args.extents = (uintptr_t)&extent;
	ret = session_try_map(&session, &args);
	ksft_assert(ret == -ESRCH, "MAP in a dead process: %s", strerror(-ret));
	do {
		session_stat(&session, 0, &stat);
	} while (stat.granules && ksft_poll_again(&poll));
	ksft_assert(!stat.granules, "the mapping did not end");
	session_close(&session);
}

static void reads_its_own_file(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, 4 << 20, 200 + index);
	queue_create(&queue, &lazy.kfd, index % 2 ? QUEUE_PM4 : QUEUE_SDMA);
	lazy_map(&lazy);
	for (unsigned int i = 0; i < 40; i++) {
		uint64_t bytes = 1 + pattern_below(&lazy.random, 3 * GRANULE_BYTES);
		uint64_t offset = pattern_below(&lazy.random, lazy.vram.bytes - bytes);

		lazy_read_by(&lazy, &queue, offset, bytes);
		queue_finish(&queue);
		lazy_assert_equal(&lazy, offset, bytes);
	}
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

static void four_processes(void)
{
	process_run_all(reads_its_own_file, 4, WAIT_MS);
}

static const struct ksft_test tests[] = {
	{ "unmap_loads_the_rest", unmap_loads_the_rest, LIMIT_S },
	{ "abandoned_memory_is_as_before", abandoned_memory_is_as_before, LIMIT_S },
	{ "map_again_at_once", map_again_at_once, LIMIT_S },
	{ "free_while_incomplete", free_while_incomplete, LIMIT_S },
	{ "cpu_sees_the_file", cpu_sees_the_file, LIMIT_S },
	{ "driver_maps_it_again_by_this_descriptor", driver_maps_it_again_by_this_descriptor,
	  LIMIT_S },
	{ "driver_maps_it_again_by_another_descriptor", driver_maps_it_again_by_another_descriptor,
	  LIMIT_S },
	{ "export_loads_the_rest", export_loads_the_rest, LIMIT_S },
	{ "file_is_closed_to_writers", file_is_closed_to_writers, LIMIT_S },
	{ "killed_with_faults_pending", killed_with_faults_pending, 3000 },
	{ "survives_memory_pressure", survives_memory_pressure, LIMIT_S },
	{ "survives_eviction", survives_eviction, LIMIT_S },
	{ "session_outlives_its_process", session_outlives_its_process, LIMIT_S },
	{ "four_processes", four_processes, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
