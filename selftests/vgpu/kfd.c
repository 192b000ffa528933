// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "kfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksft.h"

#define TOPOLOGY_NODES "/sys/class/kfd/kfd/topology/nodes"
#define HUGE_BYTES     (2ull << 20)

/* KFD waits for locks with interruptible sleeps, so EINTR and EAGAIN mean "again". */
static int kfd_ioctl(struct kfd *kfd, unsigned long request, void *args)
{
	int ret;

	do {
		ret = ioctl(kfd->fd, request, args);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret < 0 ? -errno : 0;
}

/* The value of a line "NAME VALUE" of a node's properties, 0 if there is no such line. */
static uint64_t node_property(unsigned int node, const char *name)
{
	char path[128];
	char key[64];
	unsigned long long value;
	uint64_t found = 0;
	FILE *file;

	snprintf(path, sizeof(path), TOPOLOGY_NODES "/%u/properties", node);
	file = fopen(path, "r");
	if (!file)
		return 0;
	while (fscanf(file, "%63s %llu", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	fclose(file);
	return found;
}

/* Returns -1 if there is no such node. */
static int64_t node_gpu_id(unsigned int node)
{
	char path[128];
	unsigned int gpu_id;
	FILE *file;
	int n;

	snprintf(path, sizeof(path), TOPOLOGY_NODES "/%u/gpu_id", node);
	file = fopen(path, "r");
	if (!file)
		return -1;
	n = fscanf(file, "%u", &gpu_id);
	fclose(file);
	return n == 1 ? gpu_id : 0;
}

/* kfd_queue_ctx_save_restore_size() in the driver: 32 bytes for each wave. */
static uint32_t debug_memory_size(unsigned int node)
{
	uint64_t cu_count = node_property(node, "simd_count") /
			    (node_property(node, "simd_per_cu") ?: 1);
	uint64_t engine_count = node_property(node, "array_count") /
				(node_property(node, "simd_arrays_per_engine") ?: 1);
	uint64_t wave_count;

	if (node_property(node, "gfx_target_version") >= 100100)
		wave_count = cu_count * 32;
	else
		wave_count = cu_count * 40 < engine_count * 512 ? cu_count * 40 :
								  engine_count * 512;
	return (uint32_t)((wave_count * 32 + 63) & ~63ull);
}

static void read_gpu(struct kfd_gpu *gpu, unsigned int node, uint32_t gpu_id)
{
	gpu->node = node;
	gpu->gpu_id = gpu_id;
	gpu->gfx_target_version = (uint32_t)node_property(node, "gfx_target_version");
	gpu->drm_render_minor = (uint32_t)node_property(node, "drm_render_minor");
	gpu->vendor_id = (uint32_t)node_property(node, "vendor_id");
	gpu->device_id = (uint32_t)node_property(node, "device_id");
	gpu->cwsr_size = (uint32_t)node_property(node, "cwsr_size");
	gpu->ctl_stack_size = (uint32_t)node_property(node, "ctl_stack_size");
	gpu->debug_memory_size = debug_memory_size(node);
	gpu->sdma_queue_count = (uint32_t)(node_property(node, "num_sdma_engines") *
					   node_property(node, "num_sdma_queues_per_engine"));
}

void kfd_find_gpu(struct kfd_gpu *gpu)
{
	const char *wanted = getenv("SELFTEST_GPU");
	unsigned int skip = wanted ? (unsigned int)strtoul(wanted, NULL, 0) : 0;
	bool found = false;
	unsigned int node;
	int64_t gpu_id;

	if (access("/dev/kfd", F_OK))
		ksft_skip("no /dev/kfd");
	for (node = 0; (gpu_id = node_gpu_id(node)) >= 0; node++) {
		if (!gpu_id || found || skip-- > 0)
			continue;
		read_gpu(gpu, node, (uint32_t)gpu_id);
		found = true;
	}
	if (!found)
		ksft_skip("KFD has no GPU");
	gpu->node_count = node;
}

static void check_apertures(struct kfd *kfd)
{
	struct kfd_process_device_apertures apertures[16] = { 0 };
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = (uintptr_t)apertures,
		/* more than the topology has is EINVAL */
		.num_of_nodes = kfd->gpu.node_count < 16 ? kfd->gpu.node_count : 16,
	};
	int ret = kfd_ioctl(kfd, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args);

	ksft_assert(!ret, "GET_PROCESS_APERTURES_NEW: %s", strerror(-ret));
	for (unsigned int i = 0; i < args.num_of_nodes; i++)
		if (apertures[i].gpu_id == kfd->gpu.gpu_id)
			return;
	ksft_fail(__FILE__, __LINE__, "no apertures of gpu_id %u", kfd->gpu.gpu_id);
}

static void map_hdp(struct kfd *kfd)
{
	kfd->hdp.bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	if (kfd_bo_try_alloc(kfd, &kfd->hdp, kfd->hdp.bytes,
			     KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP | KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE |
				     KFD_IOC_ALLOC_MEM_FLAGS_COHERENT))
		memset(&kfd->hdp, 0, sizeof(kfd->hdp));
}

void kfd_open(struct kfd *kfd)
{
	struct kfd_ioctl_acquire_vm_args acquire = { 0 };
	char path[64];
	int ret;

	memset(kfd, 0, sizeof(*kfd));
	kfd_find_gpu(&kfd->gpu);
	kfd->fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	ksft_assert(kfd->fd >= 0, "/dev/kfd: %s", strerror(errno));
	snprintf(path, sizeof(path), "/dev/dri/renderD%u", kfd->gpu.drm_render_minor);
	kfd->drm_fd = open(path, O_RDWR | O_CLOEXEC);
	ksft_assert(kfd->drm_fd >= 0, "%s: %s", path, strerror(errno));
	check_apertures(kfd);
	acquire.drm_fd = (uint32_t)kfd->drm_fd;
	acquire.gpu_id = kfd->gpu.gpu_id;
	ret = kfd_ioctl(kfd, AMDKFD_IOC_ACQUIRE_VM, &acquire);
	ksft_assert(!ret, "ACQUIRE_VM: %s", strerror(-ret));
	map_hdp(kfd);
}

void kfd_close(struct kfd *kfd)
{
	if (kfd->hdp.handle)
		kfd_bo_free(kfd, &kfd->hdp);
	if (kfd->doorbells)
		munmap(kfd->doorbells, KFD_DOORBELL_SLICE_BYTES);
	close(kfd->drm_fd);
	close(kfd->fd);
	memset(kfd, 0, sizeof(*kfd));
}

int kfd_module_parameter(const char *name, int fallback)
{
	char path[128];
	FILE *file;
	int value;

	snprintf(path, sizeof(path), "/sys/module/amdgpu/parameters/%s", name);
	file = fopen(path, "r");
	if (!file)
		return fallback;
	if (fscanf(file, "%d", &value) != 1)
		value = fallback;
	fclose(file);
	return value;
}

/* Address space for a buffer, aligned so that the driver can use its largest page table entries. */
static uint64_t reserve_va(uint64_t bytes)
{
	uint64_t align = bytes >= HUGE_BYTES ? HUGE_BYTES : (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t total = bytes + align;
	uintptr_t base;
	uintptr_t va;
	void *map;

	map = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ksft_assert(map != MAP_FAILED, "mmap of %llu bytes: %s", (unsigned long long)total,
		    strerror(errno));
	base = (uintptr_t)map;
	va = (base + align - 1) & ~(align - 1);
	if (va > base)
		munmap(map, va - base);
	if (base + total > va + bytes)
		munmap((void *)(va + bytes), base + total - va - bytes);
	return va;
}

static int map_to_gpu(struct kfd *kfd, const struct kfd_bo *bo)
{
	struct kfd_ioctl_map_memory_to_gpu_args args = {
		.handle = bo->handle,
		.device_ids_array_ptr = (uintptr_t)&kfd->gpu.gpu_id,
		.n_devices = 1,
	};

	return kfd_ioctl(kfd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args);
}

static void free_handle(struct kfd *kfd, uint64_t handle)
{
	struct kfd_ioctl_free_memory_of_gpu_args args = { .handle = handle };
	int ret = kfd_ioctl(kfd, AMDKFD_IOC_FREE_MEMORY_OF_GPU, &args);

	ksft_assert(!ret, "FREE_MEMORY_OF_GPU: %s", strerror(-ret));
}

static int map_to_cpu(struct kfd *kfd, struct kfd_bo *bo, uint64_t mmap_offset)
{
	int fd = bo->flags & KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP ? kfd->fd : kfd->drm_fd;

	bo->cpu = mmap((void *)bo->va, bo->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		       fd, (off_t)mmap_offset);
	if (bo->cpu == MAP_FAILED) {
		bo->cpu = NULL;
		return -errno;
	}
	madvise(bo->cpu, bo->bytes, MADV_DONTFORK);
	return 0;
}

int kfd_bo_try_alloc(struct kfd *kfd, struct kfd_bo *bo, uint64_t bytes, uint32_t flags)
{
	uint32_t cpu_visible = KFD_IOC_ALLOC_MEM_FLAGS_PUBLIC | KFD_IOC_ALLOC_MEM_FLAGS_GTT |
			       KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP;
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.size = bytes,
		.gpu_id = kfd->gpu.gpu_id,
		.flags = flags,
	};
	int ret;

	*bo = (struct kfd_bo){ .va = reserve_va(bytes), .bytes = bytes, .flags = flags };
	args.va_addr = bo->va;
	ret = kfd_ioctl(kfd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);
	if (ret)
		goto unreserve;
	bo->handle = args.handle;
	if (flags & cpu_visible)
		ret = map_to_cpu(kfd, bo, args.mmap_offset);
	if (!ret)
		ret = map_to_gpu(kfd, bo);
	if (!ret)
		return 0;
	free_handle(kfd, bo->handle);
unreserve:
	munmap((void *)bo->va, bytes);
	memset(bo, 0, sizeof(*bo));
	return ret;
}

void kfd_bo_alloc(struct kfd *kfd, struct kfd_bo *bo, uint64_t bytes, uint32_t flags)
{
	int ret = kfd_bo_try_alloc(kfd, bo, bytes, flags);

	ksft_assert(!ret, "buffer of %llu bytes, flags 0x%x: %s", (unsigned long long)bytes, flags,
		    strerror(-ret));
}

void kfd_bo_userptr(struct kfd *kfd, struct kfd_bo *bo, void *cpu, uint64_t bytes)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = (uintptr_t)cpu,
		.size = bytes,
		.mmap_offset = (uintptr_t)cpu, /* "overloaded to specify the CPU address" */
		.gpu_id = kfd->gpu.gpu_id,
		.flags = KFD_BO_USERPTR,
	};
	int ret = kfd_ioctl(kfd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);

	ksft_assert(!ret, "userptr of %llu bytes: %s", (unsigned long long)bytes, strerror(-ret));
	*bo = (struct kfd_bo){ .va = (uintptr_t)cpu,
			       .bytes = bytes,
			       .handle = args.handle,
			       .flags = KFD_BO_USERPTR,
			       .cpu = cpu };
	ret = map_to_gpu(kfd, bo);
	ksft_assert(!ret, "mapping a userptr of %llu bytes: %s", (unsigned long long)bytes,
		    strerror(-ret));
}

void kfd_bo_free(struct kfd *kfd, struct kfd_bo *bo)
{
	struct kfd_ioctl_unmap_memory_from_gpu_args args = {
		.handle = bo->handle,
		.device_ids_array_ptr = (uintptr_t)&kfd->gpu.gpu_id,
		.n_devices = 1,
	};
	int ret = kfd_ioctl(kfd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &args);

	ksft_assert(!ret, "UNMAP_MEMORY_FROM_GPU: %s", strerror(-ret));
	free_handle(kfd, bo->handle);
	if (!(bo->flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR))
		munmap((void *)bo->va, bo->bytes);
	memset(bo, 0, sizeof(*bo));
}

int kfd_bo_export(struct kfd *kfd, const struct kfd_bo *bo)
{
	struct kfd_ioctl_export_dmabuf_args args = { .handle = bo->handle };
	int ret = kfd_ioctl(kfd, AMDKFD_IOC_EXPORT_DMABUF, &args);

	ksft_assert(!ret, "EXPORT_DMABUF: %s", strerror(-ret));
	return (int)args.dmabuf_fd;
}

void kfd_bo_import(struct kfd *kfd, struct kfd_bo *bo, int dmabuf_fd, uint64_t bytes)
{
	struct kfd_ioctl_import_dmabuf_args args = {
		.gpu_id = kfd->gpu.gpu_id,
		.dmabuf_fd = (uint32_t)dmabuf_fd,
	};
	int ret;

	*bo = (struct kfd_bo){ .va = reserve_va(bytes), .bytes = bytes };
	args.va_addr = bo->va;
	ret = kfd_ioctl(kfd, AMDKFD_IOC_IMPORT_DMABUF, &args);
	ksft_assert(!ret, "IMPORT_DMABUF: %s", strerror(-ret));
	bo->handle = args.handle;
	ret = map_to_gpu(kfd, bo);
	ksft_assert(!ret, "mapping an imported buffer: %s", strerror(-ret));
}

void kfd_hdp_flush(struct kfd *kfd)
{
	__sync_synchronize();
	if (kfd->hdp.cpu)
		*(volatile uint32_t *)((uint8_t *)kfd->hdp.cpu + KFD_MMIO_REMAP_HDP_MEM_FLUSH_CNTL) =
			1;
	__sync_synchronize();
}

void kfd_event_create(struct kfd *kfd, struct kfd_event *event, uint32_t type)
{
	struct kfd_ioctl_create_event_args args = { .event_type = type, .auto_reset = 1 };
	int ret;

	if (!kfd->event_page.handle) {
		kfd_bo_alloc(kfd, &kfd->event_page, KFD_SIGNAL_EVENT_LIMIT * sizeof(uint64_t),
			     KFD_BO_GTT);
		args.event_page_offset = kfd->event_page.handle;
	}
	args.node_id = kfd->gpu.node;
	ret = kfd_ioctl(kfd, AMDKFD_IOC_CREATE_EVENT, &args);
	ksft_assert(!ret, "CREATE_EVENT of type %u: %s", type, strerror(-ret));
	event->id = args.event_id;
	event->trigger_data = args.event_trigger_data;
	event->slot_va = kfd->event_page.va + args.event_slot_index * sizeof(uint64_t);
}

void kfd_event_destroy(struct kfd *kfd, const struct kfd_event *event)
{
	struct kfd_ioctl_destroy_event_args args = { .event_id = event->id };
	int ret = kfd_ioctl(kfd, AMDKFD_IOC_DESTROY_EVENT, &args);

	ksft_assert(!ret, "DESTROY_EVENT: %s", strerror(-ret));
}

bool kfd_event_wait(struct kfd *kfd, const struct kfd_event *event, unsigned int limit_ms,
		    struct kfd_event_data *data)
{
	struct kfd_event_data local = { 0 };
	struct kfd_ioctl_wait_events_args args = {
		.events_ptr = (uintptr_t)(data ? data : &local),
		.num_events = 1,
		.wait_for_all = 1,
		.timeout = limit_ms,
	};
	int ret;

	(data ? data : &local)->event_id = event->id;
	ret = kfd_ioctl(kfd, AMDKFD_IOC_WAIT_EVENTS, &args);
	ksft_assert(!ret, "WAIT_EVENTS: %s", strerror(-ret));
	return args.wait_result == KFD_IOC_WAIT_RESULT_COMPLETE;
}

void kfd_require_xnack(struct kfd *kfd)
{
	struct kfd_ioctl_set_xnack_mode_args query = { .xnack_enabled = -1 };
	struct kfd_ioctl_set_xnack_mode_args on = { .xnack_enabled = 1 };
	int ret = kfd_ioctl(kfd, AMDKFD_IOC_SET_XNACK_MODE, &query);

	if (ret)
		ksft_skip("this kernel has no SVM: SET_XNACK_MODE(-1): %s", strerror(-ret));
	if (query.xnack_enabled)
		return;
	ret = kfd_ioctl(kfd, AMDKFD_IOC_SET_XNACK_MODE, &on);
	if (ret)
		ksft_skip("retry faults are off: SET_XNACK_MODE(1): %s", strerror(-ret));
}
