// SPDX-License-Identifier: MIT
/* RECORDS: what a session tells, how it is read, and what happens if nobody reads it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"

#define LIMIT_S	 120
#define WAIT_MS	 20000
#define GRANULES 64u
#define BYTES	 (GRANULES * GRANULE_BYTES)
#define BIT(n)	 (1u << (n))
#define ALL	 (BIT(GMMAP_RECORD_DROPPED + 1) - 1)

static void open_with_queue(struct lazy *lazy, struct queue *queue, uint64_t seed)
{
	lazy_open(lazy, BYTES, seed);
	queue_create(queue, &lazy->kfd, QUEUE_SDMA);
}

static void close_with_queue(struct lazy *lazy, struct queue *queue)
{
	session_check_faults(&lazy->session, "at the end");
	queue_destroy(queue);
	lazy_close(lazy);
}

/* Has the GPU fault on granules that are far from each other, so that each is a load of its own. */
static void fault_on(struct lazy *lazy, struct queue *queue, unsigned int first, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		lazy_read_by(lazy, queue, (uint64_t)(first + 2 * i) * GRANULE_BYTES, 4);
		queue_finish(queue);
	}
}

static void set_nonblocking(struct session *session)
{
	ksft_assert(!fcntl(session->fd, F_SETFL, O_NONBLOCK), "fcntl: %s", strerror(errno));
}

static ssize_t read_some(struct session *session, void *to, size_t bytes)
{
	ssize_t n = read(session->fd, to, bytes);

	return n < 0 ? -errno : n;
}

static void errors(void)
{
	struct gmmap_records good = {
		.size = sizeof(good), .mask = ALL, .capacity = 16, .eventfd = -1,
	}, args;
	struct pollfd poll_fd = { .events = POLLIN };
	struct gmmap_record record;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 1);
	ksft_assert(read_some(&lazy.session, &record, sizeof(record)) == -EINVAL,
		    "read() before RECORDS");
	poll_fd.fd = lazy.session.fd;
	ksft_assert(poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLERR, "poll() before RECORDS");
#define TRY(field, value, error)                                                 \
	do {                                                                     \
		args = good;                                                     \
		args.field = (value);                                            \
		expect(request(lazy.session.fd, GMMAP_IOC_RECORDS, &args), error); \
	} while (0)
	TRY(size, 16, EINVAL);
	TRY(flags, 1, EINVAL);
	TRY(mask, ALL + 1, EINVAL);
	TRY(capacity, 15, EINVAL);
	TRY(capacity, 65537, EINVAL);
	TRY(reserved, 1, EINVAL);
	TRY(eventfd, -2, EBADF);
	TRY(eventfd, 1000, EBADF);
	TRY(eventfd, lazy.file.fd, EINVAL);
	expect(request(lazy.kfd.fd, GMMAP_IOC_RECORDS, &good), ENOTTY);
	TRY(capacity, 65536, 0);
	set_nonblocking(&lazy.session);
	ksft_assert(read_some(&lazy.session, &record, sizeof(record)) == -EAGAIN, "nothing to read");
	ksft_assert(read_some(&lazy.session, &record, sizeof(record) - 1) == -EINVAL,
		    "less than a record");
	ksft_assert(!poll(&poll_fd, 1, 0), "poll() without a record");
	TRY(mask, 0, 0);
	ksft_assert(read_some(&lazy.session, &record, sizeof(record)) == -EINVAL,
		    "read() after the end");
	lazy_close(&lazy);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Faults, a POPULATE and the end of a mapping, in this order, by one read() each and by one of all. */
static void tells_in_order(void)
{
	struct gmmap_range range = { .offset = 10 * GRANULE_BYTES, .length = GRANULE_BYTES };
	struct gmmap_record records[16];
	uint64_t begin = now_ns(), populate;
	struct queue queue;
	struct lazy lazy;
	ssize_t n;

	open_with_queue(&lazy, &queue, 2);
	session_records(&lazy.session, ALL, 256);
	lazy_map(&lazy);
	fault_on(&lazy, &queue, 20, 2);
	range.mapping_id = lazy.mapping;
	for (unsigned int i = 0; i < 2; i++) {
		ksft_assert(session_read_record(&lazy.session, &records[0], WAIT_MS), "no record");
		ksft_assert(records[0].type == GMMAP_RECORD_FAULT && records[0].id == lazy.mapping &&
				    records[0].offset == (20 + 2 * i) * GRANULE_BYTES &&
				    records[0].length == GRANULE_BYTES && !records[0].error &&
				    records[0].gpu_id == lazy.kfd.gpu.gpu_id,
			    "fault %u: type %u offset 0x%llx", i, records[0].type,
			    (unsigned long long)records[0].offset);
		ksft_assert(records[0].time_ns >= begin && records[0].time_ns <= now_ns(),
			    "its time is not now");
		begin = records[0].time_ns;
	}
	populate = session_populate(&lazy.session, &range, 1);
	ksft_assert(session_read_record(&lazy.session, &records[0], WAIT_MS), "no record");
	ksft_assert(records[0].type == GMMAP_RECORD_POPULATE && records[0].id == populate &&
			    records[0].length == GRANULE_BYTES,
		    "not the POPULATE but type %u", records[0].type);
	expect(session_try_unmap(&lazy.session, lazy.mapping, 0), 0);
	lazy_map(&lazy);
	expect(session_try_unmap(&lazy.session, lazy.mapping, GMMAP_UNMAP_ABANDON), 0);
	/* room for one and a half more than there are */
	n = read_some(&lazy.session, records, 3 * sizeof(records[0]) + 20);
	ksft_assert(n == 2 * sizeof(records[0]), "%zd bytes", n);
	ksft_assert(records[0].type == GMMAP_RECORD_COMPLETE && records[0].length == BYTES &&
			    records[0].id == lazy.mapping - 1 && !records[0].error,
		    "not COMPLETE but %u", records[0].type);
	ksft_assert(records[1].type == GMMAP_RECORD_ABANDON && records[1].error == -ECANCELED &&
			    records[1].id == lazy.mapping,
		    "not ABANDON but %u, %d", records[1].type, records[1].error);
	close_with_queue(&lazy, &queue);
}

/* Each session has its own mask and its own records. */
static void sessions_are_independent(void)
{
	struct session other;
	struct gmmap_record record;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 3);
	session_open(&other, &lazy.kfd);
	session_records(&lazy.session, BIT(GMMAP_RECORD_FAULT), 64);
	session_records(&other, BIT(GMMAP_RECORD_COMPLETE), 64);
	lazy_map(&lazy);
	fault_on(&lazy, &queue, 0, 3);
	expect(session_try_unmap(&lazy.session, lazy.mapping, 0), 0);
	ksft_assert(session_read_record(&other, &record, WAIT_MS) &&
			    record.type == GMMAP_RECORD_COMPLETE,
		    "the other session has no record, or of type %u", record.type);
	ksft_assert(!session_read_record(&other, &record, 0), "and one more");
	for (unsigned int i = 0; i < 3; i++)
		ksft_assert(session_read_record(&lazy.session, &record, WAIT_MS) &&
				    record.type == GMMAP_RECORD_FAULT,
			    "the first session: record %u is of type %u", i, record.type);
	ksft_assert(!session_read_record(&lazy.session, &record, 0), "and one more");
	/* RECORDS again forgets what was not read. */
	lazy_map(&lazy);
	fault_on(&lazy, &queue, 0, 3);
	session_records(&lazy.session, ALL, 64);
	ksft_assert(!session_read_record(&lazy.session, &record, 0), "an old record is left");
	session_close(&other);
	close_with_queue(&lazy, &queue);
}

/* What does not fit is counted, where it is missing. */
static void overflow(void)
{
	struct gmmap_record record;
	unsigned int faults = 0;
	uint64_t dropped = 0;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 4);
	session_records(&lazy.session, BIT(GMMAP_RECORD_FAULT), 16);
	lazy_map(&lazy);
	fault_on(&lazy, &queue, 0, 30);
	for (unsigned int i = 0; i < 16; i++) {
		ksft_assert(session_read_record(&lazy.session, &record, 0), "record %u is missing", i);
		ksft_assert(record.type == GMMAP_RECORD_FAULT &&
				    record.offset == 2ull * i * GRANULE_BYTES,
			    "record %u: type %u", i, record.type);
		faults++;
	}
	/* one that fits again comes behind what was dropped */
	fault_on(&lazy, &queue, 60, 1);
	while (session_read_record(&lazy.session, &record, 0)) {
		if (record.type == GMMAP_RECORD_DROPPED)
			dropped += record.length;
		else
			faults++;
	}
	ksft_print("%u records, %llu dropped", faults, (unsigned long long)dropped);
	ksft_assert(dropped == 14 && faults == 17, "31 faults, but %u and %llu", faults,
		    (unsigned long long)dropped);
	/* nothing follows, and it is told nevertheless */
	fault_on(&lazy, &queue, 1, 20);
	for (faults = dropped = 0; session_read_record(&lazy.session, &record, 0); faults++)
		if (record.type == GMMAP_RECORD_DROPPED)
			dropped += record.length;
	ksft_assert(dropped + faults - 1 == 20, "%u records, %llu dropped", faults,
		    (unsigned long long)dropped);
	close_with_queue(&lazy, &queue);
}

static void eventfd_and_epoll(void)
{
	struct gmmap_records args = {
		.size = sizeof(args),
		.mask = BIT(GMMAP_RECORD_FAULT),
		.capacity = 64,
	};
	struct epoll_event event = { .events = EPOLLIN };
	struct gmmap_record records[8];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct queue queue;
	struct lazy lazy;
	uint64_t count;

	open_with_queue(&lazy, &queue, 5);
	args.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	expect(request(lazy.session.fd, GMMAP_IOC_RECORDS, &args), 0);
	ksft_assert(!epoll_ctl(epoll, EPOLL_CTL_ADD, lazy.session.fd, &event), "epoll: %s",
		    strerror(errno));
	lazy_map(&lazy);
	ksft_assert(!epoll_wait(epoll, &event, 1, 0), "epoll without a record");
	fault_on(&lazy, &queue, 0, 5);
	ksft_assert(epoll_wait(epoll, &event, 1, WAIT_MS) == 1 && event.events & EPOLLIN,
		    "epoll does not tell");
	ksft_assert(read(args.eventfd, &count, sizeof(count)) == sizeof(count) && count == 5,
		    "the eventfd has %llu", (unsigned long long)count);
	ksft_assert(read_some(&lazy.session, records, sizeof(records)) == 5 * sizeof(records[0]),
		    "not five records");
	ksft_assert(!epoll_wait(epoll, &event, 1, 0), "epoll after the last record");
	close(args.eventfd);
	fault_on(&lazy, &queue, 20, 1); /* the module has a reference */
	close(epoll);
	close_with_queue(&lazy, &queue);
}

struct reader {
	struct session *session;
	struct gmmap_record record;
	ssize_t n;
};

static void *read_one(void *argument)
{
	struct reader *reader = argument;

	reader->n = read_some(reader->session, &reader->record, sizeof(reader->record));
	return NULL;
}

/* A read() that waits is woken by a record, and by RECORDS with mask 0. */
static void blocking_read(void)
{
	struct reader reader;
	pthread_t thread;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 6);
	session_records(&lazy.session, BIT(GMMAP_RECORD_FAULT), 64);
	lazy_map(&lazy);
	reader.session = &lazy.session;
	pthread_create(&thread, NULL, read_one, &reader);
	usleep(100000);
	fault_on(&lazy, &queue, 7, 1);
	pthread_join(thread, NULL);
	ksft_assert(reader.n == sizeof(reader.record) && reader.record.offset == 7 * GRANULE_BYTES,
		    "read() gave %zd", reader.n);
	pthread_create(&thread, NULL, read_one, &reader);
	usleep(100000);
	session_records(&lazy.session, 0, 0);
	pthread_join(thread, NULL);
	ksft_assert(reader.n == -EINVAL, "read() gave %zd", reader.n);
	close_with_queue(&lazy, &queue);
}

static struct shared {
	int session_fd;
} *shared;

static void owner(unsigned int index)
{
	struct lazy lazy;

	(void)index;
	lazy_open(&lazy, BYTES, 7);
	session_records(&lazy.session, ALL, 64);
	lazy_map(&lazy);
	__atomic_store_n(&shared->session_fd, lazy.session.fd, __ATOMIC_RELEASE);
	pause();
}

/* Who holds the session of a process that is killed reads how its mappings end, EXIT, and the end. */
static void end_of_the_process(void)
{
	struct ksft_poll wait = ksft_poll_start(WAIT_MS);
	struct gmmap_record record;
	struct session session;
	struct process process;
	struct pollfd poll_fd;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ksft_assert(shared != MAP_FAILED, "mmap: %s", strerror(errno));
	close(session_device()); /* skips here rather than there */
	process = process_start(owner, 0);
	while (!__atomic_load_n(&shared->session_fd, __ATOMIC_ACQUIRE))
		ksft_assert(ksft_poll_again(&wait), "no session");
	session.fd = (int)syscall(SYS_pidfd_getfd, process.pidfd, shared->session_fd, 0);
	ksft_assert(session.fd >= 0, "pidfd_getfd: %s", strerror(errno));
	process_kill(&process);
	ksft_assert(process_wait(&process, WAIT_MS) != PROCESS_TIMEOUT, "does not die");
	ksft_assert(session_read_record(&session, &record, WAIT_MS) &&
			    record.type == GMMAP_RECORD_ABANDON && record.error == -ESRCH,
		    "not ABANDON but %u, %d", record.type, record.error);
	ksft_assert(session_read_record(&session, &record, WAIT_MS) &&
			    record.type == GMMAP_RECORD_EXIT && !record.error,
		    "not EXIT but %u", record.type);
	ksft_assert(!read_some(&session, &record, sizeof(record)), "it is not the end");
	poll_fd = (struct pollfd){ .fd = session.fd, .events = POLLIN };
	ksft_assert(poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLHUP, "no POLLHUP");
	session_close(&session);
}

static const struct ksft_test tests[] = {
	{ "errors", errors, LIMIT_S },
	{ "tells_in_order", tells_in_order, LIMIT_S },
	{ "sessions_are_independent", sessions_are_independent, LIMIT_S },
	{ "overflow", overflow, LIMIT_S },
	{ "eventfd_and_epoll", eventfd_and_epoll, LIMIT_S },
	{ "blocking_read", blocking_read, LIMIT_S },
	{ "end_of_the_process", end_of_the_process, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
