// SPDX-License-Identifier: MIT
/* Others that can reach a buffer while it is incomplete: children, debuggers, importers, CRIU's dump. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drm.h"
#include "ksft.h"
#include "lazy.h"
#include "pattern.h"

#define LIMIT_S	 120
#define GRANULES 32u
#define BYTES	 (GRANULES * GRANULE_BYTES)
#define WAIT_MS	 60000
#define OLD	 0x77 /* what was in the buffer before MAP: nobody may ever see it */

static void open_with_queue(struct lazy *lazy, struct queue *queue, uint64_t seed)
{
	lazy_open(lazy, BYTES, seed);
	queue_create(queue, &lazy->kfd, QUEUE_SDMA);
	queue_fill(queue, lazy->vram.va, 0x01010101 * OLD, BYTES);
	queue_finish(queue);
}

static void close_with_queue(struct lazy *lazy, struct queue *queue)
{
	session_check_faults(&lazy->session, "at the end");
	queue_destroy(queue);
	lazy_close(lazy);
}

static uint64_t granules_left(struct lazy *lazy)
{
	struct gmmap_stat stat;

	session_stat(&lazy->session, 0, &stat);
	return stat.granules;
}

static uint64_t loads(struct lazy *lazy)
{
	struct gmmap_stat stat;

	session_stat(&lazy->session, 0, &stat);
	return stat.loaded_granules;
}

/* Maps the buffer on the CPU once more, as the first mapping is not inherited (MADV_DONTFORK). */
static volatile uint8_t *map_again(const struct lazy *lazy)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t start, end, offset = 0;
	char line[512];
	void *cpu;

	ksft_assert(maps, "/proc/self/maps: %s", strerror(errno));
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) == 3 &&
		    start == (uintptr_t)lazy->vram.cpu)
			break;
	fclose(maps);
	cpu = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, lazy->kfd.drm_fd,
		   (off_t)offset);
	ksft_assert(cpu != MAP_FAILED, "mmap: %s", strerror(errno));
	return cpu;
}

/* The lazy buffer that children look at. */
static struct lazy *parents;
static volatile uint8_t *parents_cpu;

static void child_reads(unsigned int index)
{
	for (unsigned int i = 0; i < BYTES; i += 4099)
		ksft_assert(parents_cpu[i] == parents->file.data[i], "child %u: byte %u is 0x%02x",
			    index, i, parents_cpu[i]);
	parents_cpu[index * GRANULE_BYTES] = (uint8_t)(0xc0 + index);
}

/* Children see what the file has, and the parent what they write. The mapping is still the parent's. */
static void forked_children(void)
{
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 1);
	parents_cpu = map_again(&lazy);
	lazy_map(&lazy);
	parents = &lazy;
	process_run_all(child_reads, 4, WAIT_MS);
	for (unsigned int i = 0; i < 4; i++)
		lazy.file.data[i * GRANULE_BYTES] = (uint8_t)(0xc0 + i);
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

static void child_ends(unsigned int index)
{
	(void)index;
}

/* A child that ends, with copies of all descriptors, ends nothing. */
static void a_child_ends(void)
{
	struct process process;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 2);
	lazy_map(&lazy);
	process = process_start(child_ends, 0);
	process_join(&process, WAIT_MS);
	ksft_assert(granules_left(&lazy) == GRANULES, "the mapping has ended with the child");
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

static struct shared {
	int session_fd;
	void *cpu;
	uint8_t data[BYTES];
} *shared;

static void create_shared(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ksft_assert(shared != MAP_FAILED, "mmap: %s", strerror(errno));
	close(session_device()); /* skips here rather than in a child */
}

static void map_and_tell(struct lazy *lazy, struct queue *queue, uint64_t seed)
{
	open_with_queue(lazy, queue, seed);
	lazy_map(lazy);
	shared->cpu = lazy->vram.cpu;
	memcpy(shared->data, lazy->file.data, BYTES);
	__atomic_store_n(&shared->session_fd, lazy->session.fd, __ATOMIC_RELEASE);
}

static struct session session_of(const struct process *process)
{
	struct ksft_poll poll = ksft_poll_start(WAIT_MS);
	struct session session;

	while (!__atomic_load_n(&shared->session_fd, __ATOMIC_ACQUIRE))
		ksft_assert(ksft_poll_again(&poll), "no session");
	session.fd = (int)syscall(SYS_pidfd_getfd, process->pidfd, shared->session_fd, 0);
	ksft_assert(session.fd >= 0, "pidfd_getfd: %s", strerror(errno));
	return session;
}

static void executes_another_program(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	(void)index;
	map_and_tell(&lazy, &queue, 3);
	lazy_read_by(&lazy, &queue, 0, BYTES);
	queue_fence(&queue);
	usleep(200000); /* until the parent has the session */
	execlp("sleep", "sleep", "1000", NULL);
	ksft_fail(__FILE__, __LINE__, "sleep: %s", strerror(errno));
}

/* The mapping ends with the address space, though the process lives. */
static void exec_ends_the_mapping(void)
{
	struct ksft_poll poll = ksft_poll_start(WAIT_MS);
	struct gmmap_stat stat;
	struct session session;
	struct process process;

	create_shared();
	process = process_start(executes_another_program, 0);
	session = session_of(&process);
	do {
		session_stat(&session, 0, &stat);
	} while (stat.granules && ksft_poll_again(&poll));
	ksft_assert(!stat.granules, "the mapping did not end");
	ksft_assert(!kill(process.pid, 0), "the process is gone");
	ksft_assert(stat.faults == stat.acknowledged_faults + stat.refused_faults,
		    "a fault was not acknowledged");
	process_kill(&process);
	process_wait(&process, WAIT_MS);
	session_close(&session);
}

static void waits_to_be_debugged(unsigned int index)
{
	struct queue queue;
	struct lazy lazy;

	(void)index;
	map_and_tell(&lazy, &queue, 4);
	pause();
}

/* By ptrace and by /proc/PID/mem. process_vm_readv() cannot read the memory of devices. */
static void debugger(void)
{
	struct gmmap_stat before, after;
	struct session session;
	struct process process;
	uint8_t data[8192];
	char path[64];
	long word;
	int fd;

	create_shared();
	process = process_start(waits_to_be_debugged, 0);
	session = session_of(&process);
	session_stat(&session, 0, &before);
	snprintf(path, sizeof(path), "/proc/%d/mem", process.pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ksft_assert(fd >= 0, "%s: %s", path, strerror(errno));
	/* across the border of two granules */
	ksft_assert(pread(fd, data, sizeof(data),
			  (off_t)(uintptr_t)shared->cpu + 3 * GRANULE_BYTES - 4096) == sizeof(data),
		    "pread: %s", strerror(errno));
	ksft_assert(!memcmp(data, shared->data + 3 * GRANULE_BYTES - 4096, sizeof(data)),
		    "the debugger reads something else");
	ksft_assert(pwrite(fd, "gmmap", 5, (off_t)(uintptr_t)shared->cpu + 9 * GRANULE_BYTES + 7) ==
			    5,
		    "pwrite: %s", strerror(errno));
	memcpy(shared->data + 9 * GRANULE_BYTES + 7, "gmmap", 5);
	ksft_assert(pread(fd, data, 64, (off_t)(uintptr_t)shared->cpu + 9 * GRANULE_BYTES) == 64,
		    "pread: %s", strerror(errno));
	ksft_assert(!memcmp(data, shared->data + 9 * GRANULE_BYTES, 64), "what it wrote is not there");
	close(fd);
	ksft_assert(!ptrace(PTRACE_SEIZE, process.pid, NULL, NULL), "PTRACE_SEIZE: %s",
		    strerror(errno));
	ksft_assert(!ptrace(PTRACE_INTERRUPT, process.pid, NULL, NULL), "PTRACE_INTERRUPT: %s",
		    strerror(errno));
	waitpid(process.pid, NULL, 0);
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, process.pid, shared->cpu + 20 * GRANULE_BYTES, NULL);
	ksft_assert(!errno && !memcmp(&word, shared->data + 20 * GRANULE_BYTES, sizeof(word)),
		    "PTRACE_PEEKDATA: 0x%lx, %s", word, strerror(errno));
	session_stat(&session, 0, &after);
	ksft_assert(after.loaded_granules == before.loaded_granules + 4 && after.cpu_granules == 4,
		    "%llu granules were loaded", (unsigned long long)after.loaded_granules);
	process_kill(&process);
	process_wait(&process, WAIT_MS);
	session_close(&session);
}

static int dmabuf_for_child;

static void imports_it(unsigned int index)
{
	struct kfd_bo imported;
	struct queue queue;
	struct kfd_bo result;
	struct kfd kfd;

	(void)index;
	kfd_open(&kfd);
	queue_create(&queue, &kfd, QUEUE_SDMA);
	kfd_bo_alloc(&kfd, &result, BYTES, KFD_BO_GTT);
	kfd_bo_import(&kfd, &imported, dmabuf_for_child, BYTES);
	queue_copy(&queue, result.va, imported.va, BYTES);
	queue_finish(&queue);
	for (unsigned int i = 0; i < BYTES; i++)
		ksft_assert(((uint8_t *)result.cpu)[i] == parents->file.data[i],
			    "the importer reads 0x%02x at %u", ((uint8_t *)result.cpu)[i], i);
}

/* A dmabuf from before MAP, imported afterwards by another process (as ROCm's IPC does). */
static void another_process_imports_it(void)
{
	struct process process;
	struct queue queue;
	struct lazy lazy;

	open_with_queue(&lazy, &queue, 5);
	dmabuf_for_child = kfd_bo_export(&lazy.kfd, &lazy.vram);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, GRANULE_BYTES, 8);
	queue_finish(&queue);
	parents = &lazy;
	process = process_start(imports_it, 0);
	process_join(&process, WAIT_MS);
	ksft_assert(!granules_left(&lazy), "the mapping goes on");
	close(dmabuf_for_child);
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

/* A buffer of KFD in a graphics VM. */
static int add_to_graphics(struct drm *drm, struct drm_bo *bo, int dmabuf)
{
	struct drm_prime_handle prime = { .fd = dmabuf };
	struct drm_amdgpu_gem_va va = {
		.operation = AMDGPU_VA_OP_MAP,
		.flags = AMDGPU_VM_PAGE_READABLE | AMDGPU_VM_PAGE_WRITEABLE,
		.map_size = BYTES,
	};
	int ret = request(drm->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);

	ksft_assert(!ret, "PRIME_FD_TO_HANDLE: %s", strerror(-ret));
	*bo = (struct drm_bo){ .handle = prime.handle, .va = drm_reserve_va(drm, BYTES),
			       .bytes = BYTES };
	va.handle = bo->handle;
	va.va_address = bo->va;
	return request(drm->fd, DRM_IOCTL_AMDGPU_GEM_VA, &va);
}

static int remove_from_graphics(struct drm *drm, const struct drm_bo *bo)
{
	struct drm_amdgpu_gem_va va = {
		.handle = bo->handle,
		.operation = AMDGPU_VA_OP_UNMAP,
		.va_address = bo->va,
		.map_size = BYTES,
	};

	return request(drm->fd, DRM_IOCTL_AMDGPU_GEM_VA, &va);
}

/* Has a graphics VM copy a page of the buffer by SDMA; returns 0 or the error of the submission. */
static int copy_by_graphics(struct drm *drm, const struct drm_bo *bo, const struct drm_bo *ib,
			    const struct drm_bo *result, uint64_t offset)
{
	uint32_t copy[] = { 1, 4095, 0,
			    (uint32_t)(bo->va + offset), (uint32_t)((bo->va + offset) >> 32),
			    (uint32_t)result->va, (uint32_t)(result->va >> 32), 0 };
	struct drm_amdgpu_bo_list_entry entries[] = {
		{ .bo_handle = bo->handle }, { .bo_handle = ib->handle },
		{ .bo_handle = result->handle },
	};
	struct drm_amdgpu_bo_list_in list = {
		.operation = ~0u, .list_handle = ~0u, .bo_number = ARRAY_SIZE(entries),
		.bo_info_size = sizeof(entries[0]), .bo_info_ptr = (uintptr_t)entries,
	};
	struct drm_amdgpu_cs_chunk_ib command = {
		.va_start = ib->va, .ib_bytes = sizeof(copy), .ip_type = AMDGPU_HW_IP_DMA,
	};
	struct drm_amdgpu_cs_chunk chunks[] = {
		{ AMDGPU_CHUNK_ID_BO_HANDLES, sizeof(list) / 4, (uintptr_t)&list },
		{ AMDGPU_CHUNK_ID_IB, sizeof(command) / 4, (uintptr_t)&command },
	};
	uint64_t pointers[] = { (uintptr_t)&chunks[0], (uintptr_t)&chunks[1] };
	union drm_amdgpu_cs cs = {
		.in = { .ctx_id = drm->context, .num_chunks = 2, .chunks = (uintptr_t)pointers },
	};
	int ret;

	memcpy(ib->cpu, copy, sizeof(copy));
	do {
		ret = request(drm->fd, DRM_IOCTL_AMDGPU_CS, &cs);
	} while (ret == -EINTR || ret == -EAGAIN);
	if (!ret)
		ksft_assert(drm_wait(drm, AMDGPU_HW_IP_DMA, cs.out.handle, WAIT_MS),
			    "the copy does not end");
	return ret;
}

/* A graphics VM never sees what is not loaded: it is refused until everything is. */
static void graphics_are_refused(void)
{
	struct drm_bo bo, ib, result;
	struct queue queue;
	struct lazy lazy;
	struct drm drm;
	int dmabuf, ret;

	open_with_queue(&lazy, &queue, 6);
	drm_open(&drm, lazy.kfd.gpu.drm_render_minor);
	drm_bo_create(&drm, &ib, 4096, AMDGPU_GEM_DOMAIN_GTT);
	drm_bo_create(&drm, &result, 4096, AMDGPU_GEM_DOMAIN_GTT);
	dmabuf = kfd_bo_export(&lazy.kfd, &lazy.vram);
	lazy_map(&lazy);
	ret = add_to_graphics(&drm, &bo, dmabuf);
	ksft_print("GEM_VA of an incomplete buffer: %s", strerror(-ret));
	memset(result.cpu, 0xee, 4096);
	ret = copy_by_graphics(&drm, &bo, &ib, &result, 3 * GRANULE_BYTES);
	ksft_print("a submission that reads it: %s", strerror(-ret));
	ksft_assert(ret == -EBUSY, "a submission that reads an incomplete buffer: %s",
		    strerror(-ret));
	ksft_assert(*(uint8_t *)result.cpu == 0xee, "it was read");
	expect(session_try_unmap(&lazy.session, lazy.mapping, 0), 0);
	/* Whatever GEM_VA has said before, now it can be mapped. */
	remove_from_graphics(&drm, &bo);
	expect(add_to_graphics(&drm, &bo, dmabuf), 0);
	expect(copy_by_graphics(&drm, &bo, &ib, &result, 3 * GRANULE_BYTES), 0);
	ksft_assert(!memcmp(result.cpu, lazy.file.data + 3 * GRANULE_BYTES, 4096),
		    "graphics read something else");
	/* As long as it is in the other VM, it cannot be mapped again. */
	struct gmmap_extent extent = { .length = BYTES, .fd = lazy.file.fd };
	struct gmmap_map args = {
		.size = sizeof(args), .handle = lazy.vram.handle, .extents = (uintptr_t)&extent,
		.extent_count = 1,
	};
	expect(session_try_map(&lazy.session, &args), EBUSY);
	expect(remove_from_graphics(&drm, &bo), 0);
	expect(session_try_map(&lazy.session, &args), 0);
	lazy_check_all(&lazy, &queue);
	close(dmabuf);
	drm_bo_destroy(&drm, &result);
	drm_bo_destroy(&drm, &ib);
	drm_close(&drm);
	close_with_queue(&lazy, &queue);
}

/* CRIU's dump reads the memory through dmabufs that KFD exports. */
static void dumped_by_criu(void)
{
	struct kfd_ioctl_criu_args info = { .op = KFD_CRIU_OP_PROCESS_INFO }, dump, resume;
	struct kfd_criu_bo_bucket *bos;
	struct queue queue;
	struct lazy lazy;
	int ret;

	open_with_queue(&lazy, &queue, 7);
	lazy_map(&lazy);
	lazy_read_by(&lazy, &queue, 7 * GRANULE_BYTES, 8);
	queue_finish(&queue);
	ret = request(lazy.kfd.fd, AMDKFD_IOC_CRIU_OP, &info);
	if (ret)
		ksft_skip("CRIU_OP: %s", strerror(-ret));
	dump = info;
	dump.op = KFD_CRIU_OP_CHECKPOINT;
	bos = calloc(info.num_bos, sizeof(*bos));
	dump.bos = (uintptr_t)bos;
	dump.devices = (uintptr_t)calloc(info.num_devices, sizeof(struct kfd_criu_device_bucket));
	dump.priv_data = (uintptr_t)calloc(1, info.priv_data_size);
	expect(request(lazy.kfd.fd, AMDKFD_IOC_CRIU_OP, &dump), 0);
	ksft_assert(!granules_left(&lazy), "the dump has left something absent");
	ksft_assert(loads(&lazy) == GRANULES, "%llu were loaded", (unsigned long long)loads(&lazy));
	for (uint32_t i = 0; i < info.num_bos; i++)
		if (bos[i].alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM)
			close((int)bos[i].dmabuf_fd);
	resume = (struct kfd_ioctl_criu_args){ .op = KFD_CRIU_OP_UNPAUSE, .pid = info.pid };
	expect(request(lazy.kfd.fd, AMDKFD_IOC_CRIU_OP, &resume), 0);
	lazy_check_all(&lazy, &queue);
	close_with_queue(&lazy, &queue);
}

static const struct ksft_test tests[] = {
	{ "forked_children", forked_children, LIMIT_S },
	{ "a_child_ends", a_child_ends, LIMIT_S },
	{ "exec_ends_the_mapping", exec_ends_the_mapping, LIMIT_S },
	{ "debugger", debugger, LIMIT_S },
	{ "another_process_imports_it", another_process_imports_it, LIMIT_S },
	{ "graphics_are_refused", graphics_are_refused, LIMIT_S },
	{ "dumped_by_criu", dumped_by_criu, LIMIT_S },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
