// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

int gmmap_ioctl(int fd, unsigned long request, void *args)
{
	return ioctl(fd, request, args) < 0 ? -errno : 0;
}

static int device_ioctl(unsigned long request, void *args)
{
	int fd = open("/dev/gmmap", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = gmmap_ioctl(fd, request, args);
	close(fd);
	return ret;
}

EXPORT int gmmap_query(struct gmmap_query *query)
{
	*query = (struct gmmap_query){ .size = sizeof(*query) };
	return device_ioctl(GMMAP_IOC_QUERY, query);
}

EXPORT int gmmap_attach(int kfd_fd)
{
	struct gmmap_attach args = { .size = sizeof(args), .kfd_fd = kfd_fd };
	int ret = device_ioctl(GMMAP_IOC_ATTACH, &args);

	return ret ?: args.session_fd;
}

/*
 * A descriptor that a fork has inherited belongs to the parent's process in KFD (EPERM), and between
 * the look and ATTACH another thread may have closed one (EBADF, EINVAL).
 */
static int attach_one(int kfd_fd, void *session)
{
	int ret = gmmap_attach(kfd_fd);

	if (ret == -EPERM || ret == -EBADF || ret == -EINVAL)
		return 0;
	*(int *)session = ret;
	return 1;
}

EXPORT int gmmap_open(void)
{
	int session = -ENXIO;
	int ret = gmmap_for_each_kfd(attach_one, &session);

	return ret < 0 ? ret : session;
}
