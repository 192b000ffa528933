// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "kfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <gmmap.h>

#include "contents.h"
#include "image.h"
#include "log.h"
#include "topology.h"

/* KFD's interface version that has GTT buffers in checkpoints. */
#define MIN_MINOR 8

#define RELEASE_LIMIT_MS 60000
#define RELEASE_STEP_MS  5

/* Processes whose queues stand still. */
static int *stopped;
static unsigned int stopped_count;

/* KFD waits for locks with interruptible sleeps. */
static int request(int fd, unsigned long number, void *args)
{
	int ret;

	do {
		ret = ioctl(fd, number, args);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret < 0 ? -errno : 0;
}

int kfd_criu(int fd, enum kfd_criu_op op, struct kfd_ioctl_criu_args *args)
{
	args->op = op;
	return request(fd, AMDKFD_IOC_CRIU_OP, args);
}

/*
 * KFD takes apart a process that has died in a worker of its own. Until that is done it has an entry
 * in sysfs by the process's number; and if the number is used again meanwhile, as CRIU does, KFD
 * opens nevertheless, and the kernel crashes when the new process ends (kfd_create_process() goes on
 * without a directory, kfd_process_wq_release() does not expect that).
 */
static int wait_for_number(void)
{
	struct timespec pause = { .tv_nsec = RELEASE_STEP_MS * 1000000 };
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/kfd/kfd/proc/%d", getpid());
	for (unsigned int ms = 0; ms < RELEASE_LIMIT_MS; ms += RELEASE_STEP_MS) {
		if (access(path, F_OK))
			return 0;
		nanosleep(&pause, NULL);
	}
	return log_error("KFD has not released the process that had the number %d before; try again",
			 getpid());
}

int kfd_open(void)
{
	int fd;

	if (wait_for_number())
		return -1;
	fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	return fd < 0 ? log_error("/dev/kfd: %s", strerror(errno)) : fd;
}

int kfd_check_version(void)
{
	struct kfd_ioctl_get_version_args args = { 0 };
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -1;
	ret = request(fd, AMDKFD_IOC_GET_VERSION, &args);
	close(fd);
	return !ret && args.major_version == 1 && args.minor_version >= MIN_MINOR ? 0 : -1;
}

/* Queues are stopped from here on, so this is remembered first. */
static int stop(int fd, struct kfd_ioctl_criu_args *args)
{
	int *list = reallocarray(stopped, stopped_count + 1, sizeof(*stopped));
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int ret;

	if (list)
		stopped = list;
	if (!list || copy < 0) {
		if (copy >= 0)
			close(copy);
		return log_error("remembering a descriptor of KFD: %s",
				 list ? strerror(errno) : "no memory");
	}
	ret = kfd_criu(fd, KFD_CRIU_OP_PROCESS_INFO, args);
	if (ret) {
		close(copy);
		return log_error("stopping the GPU's queues: %s", strerror(-ret));
	}
	stopped[stopped_count++] = copy;
	return 0;
}

int kfd_dump_finish(void)
{
	int result = 0;

	for (unsigned int i = 0; i < stopped_count; i++) {
		struct kfd_ioctl_criu_args args = { 0 };
		int ret = kfd_criu(stopped[i], KFD_CRIU_OP_UNPAUSE, &args);

		if (ret)
			result = log_error("letting the GPU's queues run again: %s", strerror(-ret));
		close(stopped[i]);
	}
	free(stopped);
	stopped = NULL;
	stopped_count = 0;
	return result;
}

static int fill_gpus(struct image *image, const struct kfd_criu_device_bucket *devices,
		     struct gpu *gpus)
{
	struct topology topology;

	if (topology_read(&topology))
		return -1;
	for (uint32_t i = 0; i < image->head.gpu_count; i++) {
		const struct gpu *gpu = topology_find(&topology, devices[i].actual_gpu_id);

		if (!gpu)
			return log_error("KFD's topology has no GPU %u", devices[i].actual_gpu_id);
		gpus[i] = image->gpus[i] = *gpu;
		image->gpus[i].gpu_id = devices[i].user_gpu_id;
	}
	return 0;
}

static void fill_bos(struct image *image, const struct kfd_criu_bo_bucket *buckets)
{
	for (uint32_t i = 0; i < image->head.bo_count; i++)
		image->bos[i] = (struct image_bo){
			.address = buckets[i].addr,
			.size = buckets[i].size,
			.mmap_offset = buckets[i].offset,
			.gpu_id = buckets[i].gpu_id,
			.alloc_flags = buckets[i].alloc_flags,
		};
}

/*
 * Whether the process may be restored lazily. If its code cannot be looked at, it is restored eagerly,
 * which is always right.
 */
static void check_code(struct image *image)
{
	char reason[512] = "";
	int ret = gmmap_check_code((pid_t)image->head.pid, reason, sizeof(reason));

	if (!ret)
		return;
	image->head.flags |= IMAGE_UNFIT_CODE;
	log_info("process %u will be restored eagerly: %s", image->head.pid,
		 reason[0] ? reason : strerror(-ret));
}

static int write_image(int folder, int id, struct image *image,
		       const struct kfd_criu_bo_bucket *buckets,
		       const struct kfd_criu_device_bucket *devices)
{
	struct gpu gpus[MAX_GPUS];
	int pages, ret;

	if (fill_gpus(image, devices, gpus))
		return -1;
	fill_bos(image, buckets);
	check_code(image);
	pages = image_create_pages(folder, id);
	if (pages < 0)
		return -1;
	ret = contents_dump(pages, image, buckets, gpus);
	if (close(pages) && !ret)
		ret = log_error("content of buffers: %s", strerror(errno));
	return ret ?: image_write(folder, id, image);
}

static int checkpoint(int fd, struct kfd_ioctl_criu_args *args,
		      struct kfd_criu_device_bucket *devices, struct kfd_criu_bo_bucket *buckets,
		      void *private)
{
	int ret;

	args->devices = (uintptr_t)devices;
	args->bos = (uintptr_t)buckets;
	args->priv_data = (uintptr_t)private;
	ret = kfd_criu(fd, KFD_CRIU_OP_CHECKPOINT, args);
	return ret ? log_error("KFD's checkpoint of process %u: %s", args->pid, strerror(-ret)) : 0;
}

int kfd_dump(int fd, int id, int folder)
{
	struct kfd_ioctl_criu_args args = { 0 };
	struct kfd_criu_device_bucket *devices;
	struct kfd_criu_bo_bucket *buckets;
	struct image *image;
	int ret = -1;

	if (stop(fd, &args))
		return -1;
	if (args.num_devices > MAX_GPUS)
		return log_error("more than %u GPUs", MAX_GPUS);
	devices = calloc(args.num_devices + 1, sizeof(*devices));
	buckets = calloc(args.num_bos + 1ull, sizeof(*buckets));
	image = calloc(1, sizeof(*image));
	if (image) {
		image->gpus = calloc(args.num_devices + 1, sizeof(*image->gpus));
		image->bos = calloc(args.num_bos + 1ull, sizeof(*image->bos));
		image->private = calloc(1, args.priv_data_size + 1);
	}
	if (!devices || !buckets || !image || !image->gpus || !image->bos || !image->private) {
		log_error("no memory");
		goto free;
	}
	image->head = (struct image_head){
		.magic = IMAGE_MAGIC,
		.version = IMAGE_VERSION,
		.kind = IMAGE_KFD,
		.pid = args.pid,
		.gpu_count = args.num_devices,
		.bo_count = args.num_bos,
		.object_count = args.num_objects,
		.private_bytes = args.priv_data_size,
	};
	if (checkpoint(fd, &args, devices, buckets, image->private))
		goto free;
	ret = write_image(folder, id, image, buckets, devices);
	for (uint32_t i = 0; i < args.num_bos; i++)
		if (buckets[i].dmabuf_fd != NO_DMABUF)
			close((int)buckets[i].dmabuf_fd);
	if (!ret)
		log_info("process %u: %u buffers, %llu extents of content", args.pid, args.num_bos,
			 (unsigned long long)image->head.extent_count);
free:
	image_free(image);
	free(buckets);
	free(devices);
	return ret;
}
