// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/kfd_ioctl.h>

#include "contents.h"
#include "fds.h"
#include "image.h"
#include "kfd.h"
#include "lazy.h"
#include "log.h"
#include "topology.h"

/* Bits of an offset in /dev/kfd (kfd_priv.h): what is mapped, and of which GPU. */
#define MMAP_TYPE_SHIFT    62
#define MMAP_TYPE_DOORBELL 3ull
#define MMAP_TYPE_MMIO     0ull
#define MMAP_GPU_SHIFT     46
#define MMAP_GPU_MASK      (0xffffull << MMAP_GPU_SHIFT)

/**
 * struct place - which GPU of this machine has taken the place of one of the image
 * @wanted: as the process knows it
 * @gpu: of this machine
 * @render_fd: the open file by which the process uses it; mappings work by this one only. -1: not yet
 */
struct place {
	struct gpu wanted;
	struct gpu gpu;
	int render_fd;
};

/* Where a buffer is mapped now. */
struct moved {
	uint64_t address;
	uint64_t size;
	uint64_t old_offset;
	uint64_t new_offset;
	const struct place *place;
};

/* Of the task in which this runs. */
static struct {
	struct topology topology;
	struct place places[MAX_GPUS];
	unsigned int place_count;
	struct moved *moved;
	uint32_t moved_count;
} task;

static bool is_taken(const struct gpu *gpu)
{
	for (unsigned int i = 0; i < task.place_count; i++)
		if (task.places[i].gpu.gpu_id == gpu->gpu_id)
			return true;
	return false;
}

/* The GPU of the same id if it fits, so that nothing moves on the same machine; else the first. */
static const struct gpu *choose(const struct gpu *wanted)
{
	const struct gpu *same = topology_find(&task.topology, wanted->gpu_id);

	if (same && gpu_can_replace(same, wanted) && !is_taken(same))
		return same;
	for (unsigned int i = 0; i < task.topology.count; i++) {
		const struct gpu *gpu = &task.topology.gpus[i];

		if (gpu_can_replace(gpu, wanted) && !is_taken(gpu))
			return gpu;
	}
	return NULL;
}

static struct place *find_place(const struct gpu *wanted)
{
	struct place *place;
	const struct gpu *gpu;

	for (unsigned int i = 0; i < task.place_count; i++)
		if (task.places[i].wanted.gpu_id == wanted->gpu_id)
			return &task.places[i];
	if (!task.topology.count && topology_read(&task.topology))
		return NULL;
	gpu = choose(wanted);
	if (!gpu || task.place_count == MAX_GPUS) {
		log_error("no GPU of gfx version %u, device 0x%x, with %llu MiB is free for GPU %u",
			  wanted->gfx_target_version, wanted->device_id,
			  (unsigned long long)wanted->vram_bytes >> 20, wanted->gpu_id);
		return NULL;
	}
	place = &task.places[task.place_count++];
	*place = (struct place){ .wanted = *wanted, .gpu = *gpu, .render_fd = -1 };
	return place;
}

static int open_render_node(struct place *place, int folder)
{
	int above = fds_above_all(folder);
	char path[64];
	int fd;

	if (above < 0)
		return -1;
	if (place->render_fd >= 0)
		return 0;
	snprintf(path, sizeof(path), "/dev/dri/renderD%u", place->gpu.render_minor);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return log_error("%s: %s", path, strerror(errno));
	place->render_fd = fcntl(fd, F_DUPFD_CLOEXEC, above);
	if (place->render_fd < 0)
		log_error("%s: a descriptor above %d: %s", path, above, strerror(errno));
	close(fd);
	return place->render_fd < 0 ? -1 : 0;
}

static int restore_render(const struct image *image, int folder)
{
	struct place *place = find_place(&image->gpus[0]);
	int fd;

	if (!place || open_render_node(place, folder))
		return -1;
	fd = fcntl(place->render_fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? log_error("descriptor of a render node: %s", strerror(errno)) : fd;
}

static int fill_devices(const struct image *image, int folder,
			struct kfd_criu_device_bucket *devices, struct gpu *gpus)
{
	for (uint32_t i = 0; i < image->head.gpu_count; i++) {
		struct place *place = find_place(&image->gpus[i]);

		if (!place || open_render_node(place, folder))
			return -1;
		gpus[i] = place->gpu;
		devices[i] = (struct kfd_criu_device_bucket){
			.user_gpu_id = place->wanted.gpu_id,
			.actual_gpu_id = place->gpu.gpu_id,
			.drm_fd = (uint32_t)place->render_fd,
		};
	}
	return 0;
}

static void fill_bos(const struct image *image, struct kfd_criu_bo_bucket *buckets)
{
	for (uint32_t i = 0; i < image->head.bo_count; i++) {
		const struct image_bo *bo = &image->bos[i];

		buckets[i] = (struct kfd_criu_bo_bucket){
			.addr = bo->address,
			.size = bo->size,
			.offset = bo->mmap_offset,
			.gpu_id = bo->gpu_id,
			.alloc_flags = bo->alloc_flags,
			.dmabuf_fd = NO_DMABUF,
		};
	}
}

static int remember_moved(const struct image *image, const struct kfd_criu_bo_bucket *buckets)
{
	task.moved = calloc(image->head.bo_count + 1ull, sizeof(*task.moved));
	if (!task.moved)
		return log_error("no memory");
	for (uint32_t i = 0; i < image->head.bo_count; i++) {
		const struct place *place = NULL;

		for (unsigned int j = 0; j < task.place_count; j++)
			if (task.places[j].wanted.gpu_id == buckets[i].gpu_id)
				place = &task.places[j];
		if (!place)
			return log_error("a buffer is of GPU %u, which the image does not have",
					 buckets[i].gpu_id);
		task.moved[task.moved_count++] = (struct moved){
			.address = buckets[i].addr,
			.size = buckets[i].size,
			.old_offset = buckets[i].offset,
			.new_offset = buckets[i].restored_offset,
			.place = place,
		};
	}
	return 0;
}

/* MODES: it is wrong. */
static enum mode find_mode(void)
{
	static const char *const names[MODES] = { "auto", "lazy", "eager" };
	const char *name = getenv("GMMAP_RESTORE_MODE");
	unsigned int mode = MODE_AUTO;

	while (name && mode < MODES && strcmp(name, names[mode]))
		mode++;
	return mode;
}

static int restore_contents(int kfd_fd, int id, int folder, const struct image *image,
			    const struct kfd_criu_bo_bucket *buckets, const struct gpu *gpus)
{
	enum mode mode = find_mode();
	bool *wanted = calloc(image->head.bo_count + 1ull, sizeof(*wanted));
	int pages, ret = 0;

	if (!wanted)
		return log_error("no memory");
	if (mode == MODES) {
		ret = log_error("GMMAP_RESTORE_MODE is neither auto nor lazy nor eager");
		goto free;
	}
	for (uint32_t i = 0; i < image->head.bo_count; i++) {
		wanted[i] = image->bos[i].extent_count;
		if (wanted[i] && buckets[i].dmabuf_fd == NO_DMABUF) {
			ret = log_error("the buffer at 0x%llx cannot have content",
					(unsigned long long)image->bos[i].address);
			goto free;
		}
	}
	pages = image_open_pages(folder, id, image);
	if (pages < 0) {
		ret = -1;
		goto free;
	}
	ret = lazy_map(mode, kfd_fd, pages, image, buckets, wanted);
	if (!ret)
		ret = contents_restore(pages, image, buckets, gpus, wanted);
	close(pages);
free:
	free(wanted);
	return ret;
}

static int restore_process(int kfd_fd, int id, int folder, const struct image *image,
			   struct kfd_criu_device_bucket *devices,
			   struct kfd_criu_bo_bucket *buckets)
{
	struct kfd_ioctl_criu_args args = {
		.devices = (uintptr_t)devices,
		.bos = (uintptr_t)buckets,
		.priv_data = (uintptr_t)image->private,
		.priv_data_size = image->head.private_bytes,
		.num_devices = image->head.gpu_count,
		.num_bos = image->head.bo_count,
		.num_objects = image->head.object_count,
	};
	struct gpu gpus[MAX_GPUS];
	int ret;

	if (fill_devices(image, folder, devices, gpus))
		return -1;
	fill_bos(image, buckets);
	ret = kfd_criu(kfd_fd, KFD_CRIU_OP_RESTORE, &args);
	if (ret)
		return log_error("KFD's restore of %u buffers and %u objects: %s", args.num_bos,
				 args.num_objects, strerror(-ret));
	ret = remember_moved(image, buckets);
	if (!ret)
		ret = restore_contents(kfd_fd, id, folder, image, buckets, gpus);
	for (uint32_t i = 0; i < image->head.bo_count; i++)
		if (buckets[i].dmabuf_fd != NO_DMABUF)
			close((int)buckets[i].dmabuf_fd);
	return ret;
}

static int restore_kfd(int id, int folder, const struct image *image)
{
	struct kfd_criu_device_bucket *devices = calloc(MAX_GPUS, sizeof(*devices));
	struct kfd_criu_bo_bucket *buckets = calloc(image->head.bo_count + 1ull, sizeof(*buckets));
	int fd = kfd_open();
	int ret = -1;

	if (fd < 0)
		goto free;
	if (!devices || !buckets)
		log_error("no memory");
	else if (task.moved)
		log_error("a second process of KFD in one task");
	else
		ret = restore_process(fd, id, folder, image, devices, buckets);
free:
	free(devices);
	free(buckets);
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int restore_file(int id, int folder)
{
	struct image *image;
	int ret = image_read(folder, id, &image);

	if (ret || !image)
		return ret ?: -ENOTSUP;
	if (image->head.kind == IMAGE_KFD)
		ret = restore_kfd(id, folder, image);
	else if (image->head.kind == IMAGE_RENDER && image->head.gpu_count == 1)
		ret = restore_render(image, folder);
	else
		ret = log_error("gmmap-%d.img: unknown kind %u", id, image->head.kind);
	image_free(image);
	return ret;
}

/* A descriptor for CRIU, which closes it. */
static int give_render_fd(struct place *place)
{
	int twin = fds_find_twin(place->render_fd);
	int fd;

	/* From now on the process's own will do, and nothing stays behind. */
	if (twin >= 0 && twin < place->render_fd) {
		close(place->render_fd);
		place->render_fd = twin;
	}
	fd = fcntl(place->render_fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? log_error("descriptor of a render node: %s", strerror(errno)) : fd;
}

static const struct moved *find_moved(uint64_t address, uint64_t old_offset)
{
	for (uint32_t i = 0; i < task.moved_count; i++) {
		const struct moved *moved = &task.moved[i];

		/* A mapping may begin in the middle, and not be where the GPU has the buffer. */
		if (old_offset >= moved->old_offset &&
		    old_offset - moved->old_offset < moved->size &&
		    address - moved->address == old_offset - moved->old_offset)
			return moved;
	}
	for (uint32_t i = 0; i < task.moved_count; i++)
		if (old_offset >= task.moved[i].old_offset &&
		    old_offset - task.moved[i].old_offset < task.moved[i].size)
			return &task.moved[i];
	return NULL;
}

/* Doorbells and registers have the GPU's id in their offset. */
static int move_kfd_offset(uint64_t old_offset, uint64_t *new_offset)
{
	uint64_t type = old_offset >> MMAP_TYPE_SHIFT;
	uint32_t gpu_id = (uint32_t)((old_offset & MMAP_GPU_MASK) >> MMAP_GPU_SHIFT);

	if (type != MMAP_TYPE_DOORBELL && (type != MMAP_TYPE_MMIO || !gpu_id))
		return 0;
	for (unsigned int i = 0; i < task.place_count; i++) {
		if (task.places[i].wanted.gpu_id != gpu_id)
			continue;
		*new_offset = (old_offset & ~MMAP_GPU_MASK) |
			      (uint64_t)task.places[i].gpu.gpu_id << MMAP_GPU_SHIFT;
		return 1;
	}
	return log_error("a mapping of KFD at offset 0x%llx is of GPU %u, which the image does not have",
			 (unsigned long long)old_offset, gpu_id);
}

int restore_mapping(const char *path, uint64_t address, uint64_t old_offset, uint64_t *new_offset,
		    int *fd)
{
	const char *name = strrchr(path, '/');
	const struct moved *moved;
	bool render;

	name = name ? name + 1 : path;
	render = !strncmp(name, "renderD", strlen("renderD"));
	*fd = -1;
	if (!render && strcmp(name, "kfd"))
		return -ENOTSUP;
	moved = find_moved(address, old_offset);
	if (!moved)
		return render ? log_error("%s is mapped at 0x%llx, offset 0x%llx, where no buffer of KFD is",
					  path, (unsigned long long)address,
					  (unsigned long long)old_offset) :
				move_kfd_offset(old_offset, new_offset);
	*new_offset = moved->new_offset + (old_offset - moved->old_offset);
	if (render)
		*fd = give_render_fd((struct place *)moved->place);
	return render && *fd < 0 ? -1 : 1;
}

int restore_resume(pid_t pid)
{
	struct kfd_ioctl_criu_args args = { .pid = (uint32_t)pid };
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return log_error("/dev/kfd: %s", strerror(errno));
	ret = kfd_criu(fd, KFD_CRIU_OP_RESUME, &args);
	close(fd);
	if (ret == -ESRCH)
		return -ENOTSUP;
	return ret ? log_error("letting the GPU's queues of process %d run: %s", pid,
			       strerror(-ret)) : 0;
}
