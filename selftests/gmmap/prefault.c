// SPDX-License-Identifier: MIT
/*
 * The GPU touches CPU memory that userfaultfd has not filled yet. Attached processes wait for it;
 * others get a memory exception from the driver.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/userfaultfd.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"
#include "pattern.h"
#include "svm_memory.h"

#define LIMIT_S	   180
#define WAIT_MS	   120000
#define PAGE_BYTES 4096u
#define BYTES	   (3ull << 20) /* more than the driver takes at once */

struct memory {
	uint8_t *at;
	uint8_t *content;
	int fd;
	unsigned int filled; /* pages */
	pthread_t server;
};

/* Memory without pages, and what it will have. */
static void memory_create(struct memory *memory, uint64_t seed)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register args = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	memset(memory, 0, sizeof(*memory));
	memory->at = svm_map(BYTES);
	memory->content = malloc(BYTES);
	ksft_assert(memory->content, "out of memory");
	pattern_fill(memory->content, BYTES, seed);
	memory->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (memory->fd < 0)
		ksft_skip("userfaultfd: %s", strerror(errno));
	expect(request(memory->fd, UFFDIO_API, &api), 0);
	args.range.start = (uintptr_t)memory->at;
	args.range.len = BYTES;
	expect(request(memory->fd, UFFDIO_REGISTER, &args), 0);
}

/* Fills each page when it is asked for. */
static void *serve(void *argument)
{
	struct memory *memory = argument;
	struct pollfd poll_fd = { .fd = memory->fd, .events = POLLIN };
	struct uffd_msg message;

	while (poll(&poll_fd, 1, -1) > 0) {
		struct uffdio_copy copy = { .len = PAGE_BYTES };

		if (read(memory->fd, &message, sizeof(message)) != sizeof(message) ||
		    message.event != UFFD_EVENT_PAGEFAULT)
			continue;
		copy.dst = message.arg.pagefault.address & ~(uint64_t)(PAGE_BYTES - 1);
		copy.src = (uintptr_t)memory->content + copy.dst - (uintptr_t)memory->at;
		if (!request(memory->fd, UFFDIO_COPY, &copy))
			__atomic_add_fetch(&memory->filled, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void open_all(struct lazy *lazy, struct queue *queue, struct memory *memory, uint64_t seed)
{
	lazy_open(lazy, BYTES + GRANULE_BYTES, seed);
	kfd_require_xnack(&lazy->kfd);
	queue_create(queue, &lazy->kfd, QUEUE_SDMA);
	memory_create(memory, seed);
}

static void read_by_gpu(struct lazy *lazy, struct queue *queue, const struct memory *memory,
			uint64_t offset, uint64_t bytes)
{
	queue_copy(queue, lazy->result.va + offset, (uintptr_t)memory->at + offset, bytes);
}

/* Read and write, here and there and all of it. */
static void waits_for_userfaultfd(void)
{
	struct memory memory;
	struct queue queue;
	struct lazy lazy;

	open_all(&lazy, &queue, &memory, 1);
	lazy_map(&lazy);
	pthread_create(&memory.server, NULL, serve, &memory);
	read_by_gpu(&lazy, &queue, &memory, 5 * PAGE_BYTES + 100, 64);
	queue_finish(&queue);
	ksft_assert(!memcmp((uint8_t *)lazy.result.cpu + 5 * PAGE_BYTES + 100,
			    memory.content + 5 * PAGE_BYTES + 100, 64),
		    "the GPU reads something else");
	ksft_print("%u pages for the first access", memory.filled);
	ksft_assert(memory.filled, "nobody asked for the page");
	queue_fill(&queue, (uintptr_t)memory.at + (5 << 19), 0x5c5c5c5c, 256);
	queue_finish(&queue);
	memset(memory.content + (5 << 19), 0x5c, 256);
	read_by_gpu(&lazy, &queue, &memory, 0, BYTES);
	queue_finish(&queue);
	ksft_assert(!memcmp(lazy.result.cpu, memory.content, BYTES), "the GPU reads something else");
	/* the buffer is served meanwhile as always */
	lazy_read_by(&lazy, &queue, 0, GRANULE_BYTES);
	queue_finish(&queue);
	lazy_assert_equal(&lazy, 0, GRANULE_BYTES);
	session_check_faults(&lazy.session, "beside it");
	queue_destroy(&queue);
	lazy_close(&lazy);
}

/* Without a mapping the driver has the fault at once. */
static void without_gmmap(unsigned int index)
{
	struct kfd_event_data data = { 0 };
	struct kfd_event event;
	struct memory memory;
	struct queue queue;
	struct lazy lazy;

	(void)index;
	open_all(&lazy, &queue, &memory, 2);
	pthread_create(&memory.server, NULL, serve, &memory);
	kfd_event_create(&lazy.kfd, &event, KFD_IOC_EVENT_MEMORY);
	read_by_gpu(&lazy, &queue, &memory, 0, 64);
	queue_fence(&queue);
	ksft_assert(kfd_event_wait(&lazy.kfd, &event, 30000, &data),
		    "the driver can do it without us: no memory exception");
}

static void the_driver_alone_cannot(void)
{
	struct process process = process_start(without_gmmap, 0);

	process_join(&process, WAIT_MS);
}

/* Nobody fills the page: the mapping's faults are served nevertheless. */
static void a_silent_server(unsigned int index)
{
	struct queue queues[2];
	struct memory memory;
	struct lazy lazy;

	open_all(&lazy, &queues[0], &memory, 3);
	queue_create(&queues[1], &lazy.kfd, QUEUE_PM4);
	lazy_map(&lazy);
	read_by_gpu(&lazy, &queues[0], &memory, 0, 64);
	ksft_assert(!queue_wait_for(&queues[0], queue_fence(&queues[0]), 500), "it was read");
	lazy_read_by(&lazy, &queues[1], 0, 4 * GRANULE_BYTES);
	queue_finish(&queues[1]);
	lazy_assert_equal(&lazy, 0, 4 * GRANULE_BYTES);
	if (index) {
		/* Now somebody does. */
		pthread_create(&memory.server, NULL, serve, &memory);
		queue_finish(&queues[0]);
		ksft_assert(!memcmp(lazy.result.cpu, memory.content, 64), "something else was read");
		return;
	}
	for (;;)
		pause();
}

static void mappings_do_not_wait(void)
{
	struct process process = process_start(a_silent_server, 1);

	process_join(&process, WAIT_MS);
}

/* A process dies though its page never comes. */
static void killed_while_waiting(void)
{
	struct kfd kfd;

	kfd_open(&kfd);
	kfd_require_xnack(&kfd); /* skips here rather than in a process that is killed */
	kfd_close(&kfd);
	for (unsigned int i = 0; i < 3; i++) {
		struct process process = process_start(a_silent_server, 0);

		usleep(2500000);
		process_kill(&process);
		ksft_assert(process_wait(&process, WAIT_MS) != PROCESS_TIMEOUT, "does not die");
	}
}

static const struct ksft_test tests[] = {
	{ "the_driver_alone_cannot", the_driver_alone_cannot, LIMIT_S },
	{ "waits_for_userfaultfd", waits_for_userfaultfd, LIMIT_S },
	{ "mappings_do_not_wait", mappings_do_not_wait, LIMIT_S },
	{ "killed_while_waiting", killed_while_waiting, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
