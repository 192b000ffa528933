// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ksft.h"

#define SETTLE_MS 10000

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
	int ret = ioctl(device, GMMAP_IOC_ATTACH, &args) ? -errno : 0;

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
	return ioctl(session->fd, GMMAP_IOC_MAP, args) ? -errno : 0;
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

	return ioctl(session->fd, GMMAP_IOC_UNMAP, &args) ? -errno : 0;
}

int session_try_wait(struct session *session, uint64_t mapping_id, int64_t timeout_ns)
{
	struct gmmap_wait args = {
		.size = sizeof(args),
		.mapping_id = mapping_id,
		.timeout_ns = timeout_ns,
	};

	return ioctl(session->fd, GMMAP_IOC_WAIT, &args) ? -errno : 0;
}

int session_try_stat(struct session *session, uint64_t mapping_id, struct gmmap_stat *stat)
{
	*stat = (struct gmmap_stat){ .size = sizeof(*stat), .mapping_id = mapping_id };
	return ioctl(session->fd, GMMAP_IOC_STAT, stat) ? -errno : 0;
}

void session_stat(struct session *session, uint64_t mapping_id, struct gmmap_stat *stat)
{
	int ret = session_try_stat(session, mapping_id, stat);

	ksft_assert(!ret, "STAT: %s", strerror(-ret));
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
