// SPDX-License-Identifier: MIT
/*
 * Random ioctls, read()s and KFD operations, most of them almost valid, by threads of processes that are
 * killed now and then. Whatever they do, the next process must find everything in order. The
 * environment: GARBAGE_SECONDS, GARBAGE_SEED.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "pattern.h"

#define LIMIT_S	 3000
#define THREADS	 3u
#define BOS	 6u
#define GRANULES 16u
#define BYTES	 (GRANULES * GRANULE_BYTES)

static uint64_t number(const char *name, uint64_t fallback)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : fallback;
}

struct fuzzed {
	struct lazy lazy;
	struct kfd_bo bos[BOS]; /* handle 0: was freed */
	pthread_mutex_t lock;	/* of bos */
	int direct_fd;
	int dmabuf;
	uint64_t seed;
};

struct counts {
	uint64_t calls;
	uint64_t successes;
	uint64_t errors[200];
};

static struct counts *counts;

static void *bad_page; /* cannot be read */

static uint64_t odd_value(uint64_t *random)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 4, 8, 15, 16, 17, 4095, 4096, 65535, 65536, BYTES - 1, BYTES, BYTES + 1,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
		0x8000000000000000, ~0ull, ~0ull - 4095,
	};

	return pattern_below(random, 4) ? values[pattern_below(random, ARRAY_SIZE(values))] :
					  pattern_random(random);
}

/* Overwrites some of it: a dword or a bit here and there, the size most seldom. */
static void spoil(uint64_t *random, void *args, size_t bytes)
{
	while (!pattern_below(random, 3)) {
		size_t at = pattern_below(random, bytes / 4) * 4;
		uint32_t value = (uint32_t)odd_value(random);

		if (at || !pattern_below(random, 4))
			memcpy((uint8_t *)args + at, &value, 4);
	}
}

static uint64_t some_pointer(uint64_t *random, const void *good)
{
	switch (pattern_below(random, 12)) {
	case 0:
		return (uintptr_t)bad_page;
	case 1:
		return (uintptr_t)bad_page - 8 * pattern_below(random, 8);
	case 2:
		return odd_value(random);
	default:
		return (uintptr_t)good;
	}
}

static uint64_t some_id(uint64_t *random)
{
	return pattern_below(random, 8) ? 1 + pattern_below(random, 40) : odd_value(random);
}

static uint64_t some_offset(uint64_t *random)
{
	return pattern_below(random, 6) ? pattern_below(random, BYTES + 1) & ~3ull :
					  odd_value(random);
}

static int some_fd(struct fuzzed *fuzzed, uint64_t *random)
{
	switch (pattern_below(random, 8)) {
	case 0:
		return fuzzed->direct_fd;
	case 1:
		return fuzzed->lazy.session.fd;
	case 2:
		return fuzzed->lazy.kfd.fd;
	case 3:
		return (int)odd_value(random);
	default:
		return fuzzed->lazy.file.fd;
	}
}

static void map_something(struct fuzzed *fuzzed, uint64_t *random, int fd)
{
	struct gmmap_extent extents[6];
	struct gmmap_map args = { .size = sizeof(args) };
	const struct kfd_bo *bo = &fuzzed->bos[pattern_below(random, BOS)];
	uint64_t offset = 0;

	args.target = (uint32_t)pattern_below(random, 3);
	if (args.target == GMMAP_TARGET_HANDLE) {
		args.handle = bo->handle;
	} else if (args.target == GMMAP_TARGET_DMABUF) {
		args.dmabuf_fd = fuzzed->dmabuf;
	} else {
		args.gpu_id = fuzzed->lazy.kfd.gpu.gpu_id;
		args.address = bo->va + (pattern_below(random, 4) & 1) * 4096;
		args.length = BYTES - 4096;
	}
	args.extent_count = 1 + (uint32_t)pattern_below(random, ARRAY_SIZE(extents));
	for (uint32_t i = 0; i < args.extent_count; i++) {
		uint64_t length = 1 + pattern_below(random, BYTES / args.extent_count);
		bool zero = !pattern_below(random, 4);

		extents[i] = (struct gmmap_extent){
			.offset = offset,
			.length = length,
			.file_offset = zero ? 0 : pattern_below(random, BYTES - length + 1),
			.fd = zero ? -1 : some_fd(fuzzed, random),
			.flags = zero ? GMMAP_EXTENT_ZERO : 0,
		};
		offset += length;
		spoil(random, &extents[i], sizeof(extents[i]));
	}
	args.extents = some_pointer(random, extents);
	spoil(random, &args, sizeof(args));
	request(fd, GMMAP_IOC_MAP, &args);
}

static void change_buffers(struct fuzzed *fuzzed, uint64_t *random)
{
	struct kfd_bo *bo = &fuzzed->bos[pattern_below(random, BOS)];
	struct kfd_ioctl_unmap_memory_from_gpu_args unmap = { .n_devices = 1 };
	struct kfd_ioctl_map_memory_to_gpu_args map = { .n_devices = 1 };
	struct kfd_ioctl_export_dmabuf_args export = { .handle = bo->handle };

	unmap.handle = map.handle = bo->handle;
	unmap.device_ids_array_ptr = map.device_ids_array_ptr =
		(uintptr_t)&fuzzed->lazy.kfd.gpu.gpu_id;
	switch (pattern_below(random, 4)) {
	case 0:
		pthread_mutex_lock(&fuzzed->lock);
		if (bo->handle)
			kfd_bo_free(&fuzzed->lazy.kfd, bo);
		kfd_bo_try_alloc(&fuzzed->lazy.kfd, bo, BYTES, KFD_BO_VRAM);
		pthread_mutex_unlock(&fuzzed->lock);
		break;
	case 1:
		pthread_mutex_lock(&fuzzed->lock);
		request(fuzzed->lazy.kfd.fd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &unmap);
		request(fuzzed->lazy.kfd.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &map);
		pthread_mutex_unlock(&fuzzed->lock);
		break;
	case 2:
		if (!request(fuzzed->lazy.kfd.fd, AMDKFD_IOC_EXPORT_DMABUF, &export))
			close((int)export.dmabuf_fd);
		break;
	default: {
		uint8_t data[64];
		int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

		/* may fail: another thread may be freeing it */
		if (pread(mem, data, sizeof(data), (off_t)(bo->va + some_offset(random) % BYTES)) < 0)
			errno = 0;
		close(mem);
	}
	}
}

static void one_call(struct fuzzed *fuzzed, uint64_t *random)
{
	uint64_t operation = pattern_below(random, 12);
	struct session *session = &fuzzed->lazy.session;
	int fd = pattern_below(random, 4) ? session->fd : fuzzed->lazy.kfd.fd;
	union {
		struct gmmap_query query;
		struct gmmap_unmap unmap;
		struct gmmap_populate populate;
		struct gmmap_wait wait;
		struct gmmap_stat stat;
		struct gmmap_profile profile;
		struct gmmap_records records;
		uint32_t words[64];
	} args = { .words = { 0 } };
	struct gmmap_range ranges[8];
	struct gmmap_touch touches[32];
	static const size_t sizes[] = {
		sizeof(args.query), sizeof(args.unmap), sizeof(args.populate), sizeof(args.wait),
		sizeof(args.stat), sizeof(args.profile), sizeof(args.records),
	};
	static const unsigned long requests[] = {
		GMMAP_IOC_QUERY, GMMAP_IOC_UNMAP, GMMAP_IOC_POPULATE, GMMAP_IOC_WAIT,
		GMMAP_IOC_STAT, GMMAP_IOC_PROFILE, GMMAP_IOC_RECORDS,
	};
	int ret;

	if (operation >= 10) {
		change_buffers(fuzzed, random);
		return;
	}
	if (operation == 9) {
		struct gmmap_record records[8];

		if (read(session->fd, records, pattern_below(random, sizeof(records))) < 0)
			errno = 0;
		return;
	}
	if (operation >= 7) {
		map_something(fuzzed, random, fd);
		return;
	}
	args.words[0] = (uint32_t)sizes[operation];
	switch (operation) {
	case 1:
		args.unmap.mapping_id = some_id(random);
		args.unmap.flags = pattern_below(random, 3) ? GMMAP_UNMAP_ABANDON : 0;
		break;
	case 2:
		for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++)
			ranges[i] = (struct gmmap_range){ some_id(random), some_offset(random),
							  some_offset(random) };
		args.populate.range_count = 1 + (uint32_t)pattern_below(random, ARRAY_SIZE(ranges));
		args.populate.ranges = some_pointer(random, ranges);
		break;
	case 3:
		args.wait.mapping_id = some_id(random);
		args.wait.offset = some_offset(random);
		args.wait.timeout_ns = (int64_t)pattern_below(random, 3000000);
		break;
	case 4:
		args.stat.mapping_id = some_id(random);
		break;
	case 5:
		args.profile.op = (uint32_t)pattern_below(random, 3);
		args.profile.count = args.profile.op == GMMAP_PROFILE_STOP ? 0 : ARRAY_SIZE(touches);
		if (args.profile.op == GMMAP_PROFILE_READ)
			args.profile.touches = some_pointer(random, touches);
		break;
	case 6:
		args.records.mask = (uint32_t)pattern_below(random, 256);
		args.records.capacity = 16 + (uint32_t)pattern_below(random, 32);
		args.records.eventfd = -1;
		break;
	default:
		break;
	}
	spoil(random, &args, sizes[operation]);
	if (operation == 3 && (args.wait.timeout_ns < 0 || args.wait.timeout_ns > 5000000))
		args.wait.timeout_ns = 5000000; /* it would wait for ever, as it should */
	ret = request(fd, requests[operation], pattern_below(random, 30) ? (void *)&args : bad_page);
	if (!ret)
		__atomic_add_fetch(&counts->successes, 1, __ATOMIC_RELAXED);
	else if (-ret < (int)ARRAY_SIZE(counts->errors))
		__atomic_add_fetch(&counts->errors[-ret], 1, __ATOMIC_RELAXED);
}

static void *fuzz_thread(void *argument)
{
	struct fuzzed *fuzzed = argument;
	uint64_t random = __atomic_add_fetch(&fuzzed->seed, 1ull << 32, __ATOMIC_RELAXED);

	for (;;) {
		one_call(fuzzed, &random);
		__atomic_add_fetch(&counts->calls, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Until it is killed. What the GPU reads meanwhile may be anything, or an exception. */
static void fuzz(unsigned int seed)
{
	struct fuzzed *fuzzed = calloc(1, sizeof(*fuzzed));
	pthread_t thread;
	struct queue queue;

	ksft_assert(fuzzed, "out of memory");
	fuzzed->seed = seed;
	bad_page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bad_page = (uint8_t *)bad_page + 4096;
	mprotect(bad_page, 4096, PROT_NONE);
	lazy_open(&fuzzed->lazy, BYTES, seed);
	fcntl(fuzzed->lazy.session.fd, F_SETFL, O_NONBLOCK);
	queue_create(&queue, &fuzzed->lazy.kfd, QUEUE_SDMA);
	pthread_mutex_init(&fuzzed->lock, NULL);
	fuzzed->direct_fd = open("/etc/passwd", O_RDONLY | O_DIRECT | O_CLOEXEC);
	fuzzed->dmabuf = kfd_bo_export(&fuzzed->lazy.kfd, &fuzzed->lazy.vram);
	for (unsigned int i = 0; i < BOS; i++)
		kfd_bo_alloc(&fuzzed->lazy.kfd, &fuzzed->bos[i], BYTES, KFD_BO_VRAM);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, fuzz_thread, fuzzed);
	for (uint64_t random = seed;;) {
		queue_copy(&queue, fuzzed->lazy.result.va,
			   fuzzed->bos[pattern_below(&random, BOS)].va +
				   pattern_below(&random, GRANULES) * GRANULE_BYTES,
			   4096);
		queue_wait_for(&queue, queue_fence(&queue), 100);
	}
}

/* A process of its own finds everything in order. */
static void is_in_order(unsigned int seed)
{
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, seed);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	lazy_map(&lazy);
	lazy_check_all(&lazy, &queue);
	session_check_faults(&lazy.session, "afterwards");
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static void random_calls(void)
{
	uint64_t random = number("GARBAGE_SEED", 1);
	uint64_t end_us = ksft_now_us() + number("GARBAGE_SECONDS", 6) * 1000000;
	unsigned int processes = 0;

	close(session_device());
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ksft_assert(counts != MAP_FAILED, "mmap: %s", strerror(errno));
	for (; ksft_now_us() < end_us; processes++) {
		struct process process = process_start(fuzz, (unsigned int)random);
		struct ksft_poll begun = ksft_poll_start(60000);
		uint64_t calls = counts->calls;

		while (__atomic_load_n(&counts->calls, __ATOMIC_RELAXED) == calls)
			ksft_assert(ksft_poll_again(&begun), "process %u does not begin", processes);
		usleep((useconds_t)(300000 + pattern_below(&random, 1500000)));
		process_kill(&process);
		ksft_assert(process_wait(&process, 120000) != PROCESS_TIMEOUT,
			    "process %u does not die", processes);
		process = process_start(is_in_order, (unsigned int)random);
		process_join(&process, 120000);
	}
	ksft_print("seed %llu: %u processes, %llu calls, %llu ioctls successful",
		   (unsigned long long)number("GARBAGE_SEED", 1), processes,
		   (unsigned long long)counts->calls, (unsigned long long)counts->successes);
	for (unsigned int i = 0; i < ARRAY_SIZE(counts->errors); i++)
		if (counts->errors[i])
			ksft_print("%s: %llu", strerror((int)i), (unsigned long long)counts->errors[i]);
	ksft_assert(counts->successes > counts->calls / 50, "hardly anything was valid");
}

static const struct ksft_test tests[] = {
	{ "random_calls", random_calls, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
