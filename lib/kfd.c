// SPDX-License-Identifier: MIT
/* What the process has of KFD already: the runtime opened it, and does not tell where. */
#define _GNU_SOURCE
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <linux/kfd_ioctl.h>

int gmmap_for_each_kfd(int (*visit)(int fd, void *data), void *data)
{
	struct stat kfd, other;
	struct dirent *entry;
	DIR *folder;
	int ret = 0;

	if (stat("/dev/kfd", &kfd))
		return errno == ENOENT ? -ENXIO : -errno;
	folder = opendir("/proc/self/fd");
	if (!folder)
		return -errno;
	while (!ret && (entry = readdir(folder))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fstat(fd, &other))
			continue;
		if (S_ISCHR(other.st_mode) && other.st_rdev == kfd.st_rdev)
			ret = visit(fd, data);
	}
	closedir(folder);
	return ret;
}

struct gpu_ids {
	uint32_t *ids;
	int count;
};

/*
 * Not from sysfs: in a restored process the ids are those of the machine where it was checkpointed
 * (kfd_process_device.user_gpu_id).
 */
static int ask_for_gpus(int kfd_fd, void *data)
{
	struct kfd_process_device_apertures apertures[GMMAP_MAX_GPUS];
	struct kfd_ioctl_get_process_apertures_new_args args = { 0 };
	struct gpu_ids *gpus = data;

	/* With no room it only counts; more room than there are nodes is an error. */
	if (gmmap_ioctl(kfd_fd, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args))
		return 0;
	if (args.num_of_nodes > GMMAP_MAX_GPUS)
		args.num_of_nodes = GMMAP_MAX_GPUS;
	args.kfd_process_device_apertures_ptr = (uintptr_t)apertures;
	if (args.num_of_nodes &&
	    gmmap_ioctl(kfd_fd, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args))
		return 0;
	for (uint32_t i = 0; i < args.num_of_nodes; i++)
		gpus->ids[i] = apertures[i].gpu_id;
	gpus->count = (int)args.num_of_nodes;
	return 1;
}

int gmmap_gpu_ids(uint32_t ids[GMMAP_MAX_GPUS])
{
	struct gpu_ids gpus = { .ids = ids };
	int ret = gmmap_for_each_kfd(ask_for_gpus, &gpus);

	if (ret < 0)
		return ret;
	return ret ? gpus.count : -ENXIO;
}
