/* SPDX-License-Identifier: MIT */
/* A process's view of KFD: one GPU with its topology, memory and events, by plain ioctls. */
#ifndef SELFTESTS_KFD_H
#define SELFTESTS_KFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kfd_ioctl.h>

/* Values of /sys/class/kfd/kfd/topology/nodes/N. */
struct kfd_gpu {
	uint32_t node;
	uint32_t node_count; /* of the topology, CPUs included */
	uint32_t gpu_id;
	uint32_t gfx_target_version;
	uint32_t drm_render_minor;
	uint32_t vendor_id;
	uint32_t device_id;
	uint32_t cwsr_size;
	uint32_t ctl_stack_size;
	uint32_t debug_memory_size; /* computed: sysfs does not have it */
	uint32_t sdma_queue_count;  /* of all engines */
};

struct kfd_bo {
	uint64_t va; /* on the GPU and, where mapped, on the CPU */
	uint64_t bytes;
	uint64_t handle;
	uint32_t flags;
	void *cpu; /* NULL: not mapped on the CPU */
};

struct kfd {
	int fd;
	int drm_fd; /* the render node whose VM the GPU uses for this process */
	struct kfd_gpu gpu;
	struct kfd_bo event_page;
	struct kfd_bo hdp; /* flushes what the CPU wrote to VRAM; handle 0: not available */
	uint8_t *doorbells;
};

struct kfd_event {
	uint32_t id;
	uint32_t trigger_data;
	uint64_t slot_va; /* the GPU writes the id here before it raises the interrupt */
};

#define KFD_BO_ACCESS                                                           \
	(KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE | KFD_IOC_ALLOC_MEM_FLAGS_EXECUTABLE | \
	 KFD_IOC_ALLOC_MEM_FLAGS_NO_SUBSTITUTE)
#define KFD_BO_VRAM \
	(KFD_BO_ACCESS | KFD_IOC_ALLOC_MEM_FLAGS_VRAM | KFD_IOC_ALLOC_MEM_FLAGS_PUBLIC)
#define KFD_BO_GTT \
	(KFD_BO_ACCESS | KFD_IOC_ALLOC_MEM_FLAGS_GTT | KFD_IOC_ALLOC_MEM_FLAGS_COHERENT)
#define KFD_BO_USERPTR \
	(KFD_BO_ACCESS | KFD_IOC_ALLOC_MEM_FLAGS_USERPTR | KFD_IOC_ALLOC_MEM_FLAGS_COHERENT)

#define KFD_DOORBELL_SLICE_BYTES 8192 /* one process, GFX9 and later */

/*
 * Finds a GPU: the one that SELFTEST_GPU names by its index, else the first. Skips the test if there
 * is none.
 */
void kfd_find_gpu(struct kfd_gpu *gpu);

/* Opens /dev/kfd and the GPU's render node and gives the process a VM. Skips without a GPU. */
void kfd_open(struct kfd *kfd);
void kfd_close(struct kfd *kfd);

/* An integer parameter of the amdgpu module, or fallback if it cannot be read. */
int kfd_module_parameter(const char *name, int fallback);

/* Each fails the test on an error; the memory is mapped on the GPU, and on the CPU if public. */
void kfd_bo_alloc(struct kfd *kfd, struct kfd_bo *bo, uint64_t bytes, uint32_t flags);
/* As kfd_bo_alloc(), but returns -errno. */
int kfd_bo_try_alloc(struct kfd *kfd, struct kfd_bo *bo, uint64_t bytes, uint32_t flags);
void kfd_bo_userptr(struct kfd *kfd, struct kfd_bo *bo, void *cpu, uint64_t bytes);
void kfd_bo_free(struct kfd *kfd, struct kfd_bo *bo);
/* A file descriptor for kfd_bo_import() in this process or one that inherits it. */
int kfd_bo_export(struct kfd *kfd, const struct kfd_bo *bo);
void kfd_bo_import(struct kfd *kfd, struct kfd_bo *bo, int dmabuf_fd, uint64_t bytes);

/* Makes CPU writes to VRAM visible to the GPU and GPU writes to VRAM visible to the CPU. */
void kfd_hdp_flush(struct kfd *kfd);

void kfd_event_create(struct kfd *kfd, struct kfd_event *event, uint32_t type);
void kfd_event_destroy(struct kfd *kfd, const struct kfd_event *event);
/* Blocks in the kernel; returns whether the event came. data may be NULL. */
bool kfd_event_wait(struct kfd *kfd, const struct kfd_event *event, unsigned int limit_ms,
		    struct kfd_event_data *data);

/* Turns retry faults on for the process; skips the test where the driver cannot. */
void kfd_require_xnack(struct kfd *kfd);

#endif
