// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ksft.h"

#define SETTLE_MS 10000

int request(int fd, unsigned long number, void *args)
{
	return ioctl(fd, number, args) ? -errno : 0;
}

int session_device(void)
{
	int fd = open("/dev/gmmap", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		ksft_skip("/dev/gmmap: %s", strerror(errno));
	return fd;
}

int session_try_open(struct session *session, int kfd_fd)
{
	struct gmmap_attach args = { .size = sizeof(args), .kfd_fd = kfd_fd };
	int device = session_device();
	int ret = request(device, GMMAP_IOC_ATTACH, &args);

	close(device);
	session->fd = args.session_fd;
	return ret;
}

void session_open(struct session *session, struct kfd *kfd)
{
	int ret = session_try_open(session, kfd->fd);

	ksft_assert(!ret, "ATTACH: %s", strerror(-ret));
}

void session_close(struct session *session)
{
	close(session->fd);
}

int session_try_map(struct session *session, struct gmmap_map *args)
{
	return request(session->fd, GMMAP_IOC_MAP, args);
}

uint64_t session_map(struct session *session, const struct kfd_bo *bo,
		     const struct gmmap_extent *extents, uint32_t count)
{
	struct gmmap_map args = {
		.size = sizeof(args),
		.target = GMMAP_TARGET_HANDLE,
		.handle = bo->handle,
		.length = bo->bytes,
		.extents = (uintptr_t)extents,
		.extent_count = count,
	};
	int ret = session_try_map(session, &args);

	if (ret == -EOPNOTSUPP)
		ksft_skip("MAP: the GPU or the process cannot retry faults");
	ksft_assert(!ret, "MAP of %llu bytes: %s", (unsigned long long)bo->bytes, strerror(-ret));
	return args.mapping_id;
}

uint64_t session_map_file(struct session *session, const struct kfd_bo *bo, int fd,
			  uint64_t file_offset)
{
	struct gmmap_extent extent = { .length = bo->bytes, .file_offset = file_offset, .fd = fd };

	return session_map(session, bo, &extent, 1);
}

int session_try_unmap(struct session *session, uint64_t mapping_id, uint32_t flags)
{
	struct gmmap_unmap args = {
		.size = sizeof(args),
		.flags = flags,
		.mapping_id = mapping_id,
	};

	return request(session->fd, GMMAP_IOC_UNMAP, &args);
}

int session_try_wait(struct session *session, uint64_t mapping_id, int64_t timeout_ns)
{
	struct gmmap_wait args = {
		.size = sizeof(args),
		.mapping_id = mapping_id,
		.timeout_ns = timeout_ns,
	};

	return request(session->fd, GMMAP_IOC_WAIT, &args);
}

int session_try_populate(struct session *session, const struct gmmap_range *ranges, uint32_t count,
			 uint64_t *populate_id)
{
	struct gmmap_populate args = {
		.size = sizeof(args),
		.ranges = (uintptr_t)ranges,
		.range_count = count,
	};
	int ret = request(session->fd, GMMAP_IOC_POPULATE, &args);

	*populate_id = args.populate_id;
	return ret;
}

uint64_t session_populate(struct session *session, const struct gmmap_range *ranges,
			  uint32_t count)
{
	uint64_t id;
	int ret = session_try_populate(session, ranges, count, &id);

	ksft_assert(!ret, "POPULATE of %u ranges: %s", count, strerror(-ret));
	return id;
}

void session_records(struct session *session, uint32_t mask, uint32_t capacity)
{
	struct gmmap_records args = {
		.size = sizeof(args),
		.mask = mask,
		.capacity = capacity,
		.eventfd = -1,
	};
	int ret = request(session->fd, GMMAP_IOC_RECORDS, &args);

	ksft_assert(!ret, "RECORDS: %s", strerror(-ret));
}

bool session_read_record(struct session *session, struct gmmap_record *record,
			 unsigned int limit_ms)
{
	struct pollfd poll_fd = { .fd = session->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&poll_fd, 1, (int)limit_ms) <= 0)
		return false;
	n = read(session->fd, record, sizeof(*record));
	ksft_assert(n == sizeof(*record), "read() of a record: %zd, %s", n, strerror(errno));
	ksft_assert(record->size == sizeof(*record), "a record of %u bytes", record->size);
	return true;
}

int session_try_stat(struct session *session, uint64_t mapping_id, struct gmmap_stat *stat)
{
	*stat = (struct gmmap_stat){ .size = sizeof(*stat), .mapping_id = mapping_id };
	return request(session->fd, GMMAP_IOC_STAT, stat);
}

void session_stat(struct session *session, uint64_t mapping_id, struct gmmap_stat *stat)
{
	int ret = session_try_stat(session, mapping_id, stat);

	ksft_assert(!ret, "STAT: %s", strerror(-ret));
}

static void profile(struct session *session, struct gmmap_profile *args)
{
	int ret;

	args->size = sizeof(*args);
	ret = request(session->fd, GMMAP_IOC_PROFILE, args);
	ksft_assert(!ret, "PROFILE %u: %s", args->op, strerror(-ret));
}

void session_profile_start(struct session *session, uint32_t capacity, uint32_t flags)
{
	struct gmmap_profile args = {
		.op = GMMAP_PROFILE_START,
		.count = capacity,
		.flags = flags,
	};

	profile(session, &args);
}

void session_profile_stop(struct session *session)
{
	struct gmmap_profile args = { .op = GMMAP_PROFILE_STOP };

	profile(session, &args);
}

uint32_t session_profile_read(struct session *session, struct gmmap_touch *touches, uint32_t count)
{
	struct gmmap_profile args = {
		.op = GMMAP_PROFILE_READ,
		.touches = (uintptr_t)touches,
		.count = count,
	};

	profile(session, &args);
	return args.count;
}

void session_check_faults(struct session *session, const char *what)
{
	struct ksft_poll poll = ksft_poll_start(SETTLE_MS);
	struct gmmap_stat stat;

	do {
		session_stat(session, 0, &stat);
	} while (stat.faults != stat.acknowledged_faults + stat.refused_faults &&
		 ksft_poll_again(&poll));
	ksft_print("%s: %llu faults, %llu joined, %llu stale, %llu acknowledged, "
		   "%llu refused, %llu loads, %llu requeued",
		   what, (unsigned long long)stat.faults, (unsigned long long)stat.joined_faults,
		   (unsigned long long)stat.stale_faults,
		   (unsigned long long)stat.acknowledged_faults,
		   (unsigned long long)stat.refused_faults, (unsigned long long)stat.loaded_granules,
		   (unsigned long long)stat.requeued_loads);
	ksft_assert(stat.faults == stat.acknowledged_faults + stat.refused_faults,
		    "%s: a fault was not acknowledged", what);
}
