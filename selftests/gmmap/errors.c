// SPDX-License-Identifier: MIT
/* Every error of the ABI, and what must not be one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"

#define BYTES (4 * GRANULE_BYTES)

static void query(void)
{
	struct {
		struct gmmap_query args;
		uint32_t later[4];
	} newer = { .args = { .size = sizeof(newer) } };
	struct gmmap_query args = { .size = sizeof(args) };
	int device = session_device();

	expect(request(device, GMMAP_IOC_QUERY, &args), 0);
	ksft_assert(args.abi_version == GMMAP_ABI_VERSION, "version %u", args.abi_version);
	ksft_assert(1u << args.granule_shift == GRANULE_BYTES, "granule %u", args.granule_shift);
	/* a newer program on this kernel: fine as long as what is not known is 0 */
	expect(request(device, GMMAP_IOC_QUERY, &newer), 0);
	ksft_assert(newer.args.size == sizeof(newer), "size was changed");
	newer.later[1] = 1;
	expect(request(device, GMMAP_IOC_QUERY, &newer), E2BIG);
	args.size = 4;
	expect(request(device, GMMAP_IOC_QUERY, &args), EINVAL);
	args.size = 1 << 20;
	expect(request(device, GMMAP_IOC_QUERY, &args), EINVAL);
	args.size = sizeof(args);
	args.flags = 1;
	expect(request(device, GMMAP_IOC_QUERY, &args), EINVAL);
	expect(request(device, GMMAP_IOC_QUERY, NULL), EFAULT);
	expect(request(device, GMMAP_IOC_STAT, &args), ENOTTY);
	close(device);
}

static void attach(void)
{
	struct gmmap_attach args = { .size = sizeof(args) };
	int device = session_device();
	struct session session;
	struct kfd kfd;
	int null = open("/dev/null", O_RDWR);

	kfd_open(&kfd);
	args.kfd_fd = -1;
	expect(request(device, GMMAP_IOC_ATTACH, &args), EBADF);
	args.kfd_fd = null;
	expect(request(device, GMMAP_IOC_ATTACH, &args), EINVAL);
	args.kfd_fd = kfd.drm_fd;
	expect(request(device, GMMAP_IOC_ATTACH, &args), EINVAL);
	args.kfd_fd = kfd.fd;
	args.flags = 1;
	expect(request(device, GMMAP_IOC_ATTACH, &args), EINVAL);
	expect(session_try_open(&session, kfd.fd), 0);
	session_close(&session);
	/* again, and more than once */
	session_open(&session, &kfd);
	expect(session_try_open(&session, kfd.fd), 0);
	close(null);
	close(device);
}

static int stranger_fd;

static void stranger(unsigned int index)
{
	struct session session;

	(void)index;
	expect(session_try_open(&session, stranger_fd), EPERM);
}

static void attach_to_another_process(void)
{
	struct process process;
	struct kfd kfd;

	kfd_open(&kfd);
	stranger_fd = kfd.fd;
	process = process_start(stranger, 0);
	process_join(&process, 10000);
}

/* The ioctls work on the kfd descriptor itself once it is attached, and KFD's go on working. */
static void on_the_kfd_descriptor(void)
{
	struct kfd_ioctl_get_version_args version = { 0 };
	struct gmmap_query query = { .size = sizeof(query) };
	struct gmmap_stat stat = { .size = sizeof(stat) };
	struct session session;
	struct kfd kfd;

	kfd_open(&kfd);
	expect(request(kfd.fd, GMMAP_IOC_QUERY, &query), ENOTTY);
	session_open(&session, &kfd);
	expect(request(kfd.fd, GMMAP_IOC_QUERY, &query), 0);
	expect(request(kfd.fd, GMMAP_IOC_STAT, &stat), 0);
	expect(request(kfd.fd, GMMAP_IOC_ATTACH, &query), ENOTTY);
	expect(request(kfd.fd, AMDKFD_IOC_GET_VERSION, &version), 0);
	session_close(&session);
	expect(request(kfd.fd, GMMAP_IOC_STAT, &stat), 0);
	kfd_close(&kfd);
}

static struct gmmap_map map_args(const struct lazy *lazy, const struct gmmap_extent *extents,
				 uint32_t count)
{
	return (struct gmmap_map){
		.size = sizeof(struct gmmap_map),
		.target = GMMAP_TARGET_HANDLE,
		.handle = lazy->vram.handle,
		.extents = (uintptr_t)extents,
		.extent_count = count,
	};
}

static int map_extents(struct lazy *lazy, const struct gmmap_extent *extents, uint32_t count)
{
	struct gmmap_map args = map_args(lazy, extents, count);

	return session_try_map(&lazy->session, &args);
}

static void extents(void)
{
	struct gmmap_extent good[2] = {
		{ .length = GRANULE_BYTES },
		{ .offset = GRANULE_BYTES, .length = GRANULE_BYTES },
	};
	struct gmmap_extent bad[2];
	struct lazy lazy;
	int fd;

	lazy_open(&lazy, BYTES, 1);
	good[0].fd = lazy.file.fd;
	good[1].fd = lazy.file.fd;
#define BAD(field, value, error)                             \
	do {                                                 \
		memcpy(bad, good, sizeof(bad));              \
		bad[1].field = (value);                      \
		expect(map_extents(&lazy, bad, 2), (error)); \
	} while (0)
	BAD(length, 0, EINVAL);
	BAD(length, BYTES, EINVAL);
	BAD(length, ~0ull, EINVAL);
	BAD(offset, GRANULE_BYTES - 1, EINVAL);
	BAD(offset, BYTES, EINVAL);
	BAD(offset, ~0ull, EINVAL);
	BAD(flags, 8, EINVAL);
	BAD(flags, GMMAP_EXTENT_IMMUTABLE, EACCES);
	BAD(flags, GMMAP_EXTENT_VERITY, EACCES);
	BAD(flags, GMMAP_EXTENT_ZERO, EINVAL);
	BAD(fd, -1, EBADF);
	BAD(file_offset, BYTES, ENODATA);
	BAD(file_offset, BYTES - GRANULE_BYTES + 1, ENODATA);
	BAD(file_offset, ~0ull, EINVAL);
	BAD(file_offset, ~0ull - 2 * GRANULE_BYTES, EINVAL);
	fd = backing_open_for_writing(&lazy.file);
	BAD(fd, fd, ETXTBSY);
	close(fd);
	fd = open("/dev/zero", O_RDONLY);
	BAD(fd, fd, EINVAL);
	close(fd);
	fd = open("/proc/self/status", O_RDONLY);
	bad[1].length = 1;
	ksft_assert(map_extents(&lazy, bad, 2), "a file of /proc was taken");
	close(fd);
	fd = open("/tmp", O_RDONLY | O_DIRECTORY);
	BAD(fd, fd, EINVAL);
	close(fd);
	fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	BAD(fd, fd, ENODATA);
	close(fd);
	expect(map_extents(&lazy, good, 0), EINVAL);
	expect(map_extents(&lazy, good, ~0u), EINVAL);
	expect(map_extents(&lazy, NULL, 2), EFAULT);
	expect(map_extents(&lazy, good, 2), 0);
	lazy_close(&lazy);
}

static void targets(void)
{
	struct gmmap_extent extent = { .length = GRANULE_BYTES };
	struct gmmap_map good, args;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 2);
	extent.fd = lazy.file.fd;
	good = map_args(&lazy, &extent, 1);
#define TRY(field, value, error)                                     \
	do {                                                         \
		args = good;                                         \
		args.field = (value);                                \
		expect(session_try_map(&lazy.session, &args), error); \
	} while (0)
	TRY(flags, 1, EINVAL);
	TRY(target, 3, EINVAL);
	TRY(gpu_id, 1, EINVAL);
	TRY(address, 1, EINVAL);
	TRY(dmabuf_fd, 1, EINVAL);
	TRY(handle, 0, ENOENT);
	TRY(handle, good.handle + 1000, ENOENT);
	TRY(handle, ~0ull, ENOENT);
	TRY(length, BYTES + 4096, EINVAL);
	TRY(handle, lazy.result.handle, EOPNOTSUPP); /* not VRAM */
	TRY(extent_count, 1, 0);
	TRY(extent_count, 1, EEXIST);
	lazy_close(&lazy);
}

static void dmabuf_and_address(void)
{
	struct gmmap_extent extent = { .length = GRANULE_BYTES };
	struct gmmap_map args;
	struct queue queue;
	struct lazy lazy;
	int dmabuf;

	lazy_open(&lazy, BYTES, 3);
	extent.fd = lazy.file.fd;
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	queue_fill(&queue, lazy.vram.va, 0x11111111, BYTES);
	queue_finish(&queue);
	dmabuf = kfd_bo_export(&lazy.kfd, &lazy.vram);
	args = map_args(&lazy, &extent, 1);
	args.target = GMMAP_TARGET_DMABUF;
	args.dmabuf_fd = dmabuf;
	expect(session_try_map(&lazy.session, &args), EINVAL); /* both */
	args.handle = 0;
	args.dmabuf_fd = lazy.file.fd;
	expect(session_try_map(&lazy.session, &args), EINVAL);
	args.dmabuf_fd = dmabuf;
	expect(session_try_map(&lazy.session, &args), 0);
	expect(session_try_unmap(&lazy.session, args.mapping_id, 0), 0);
	close(dmabuf);
	args.dmabuf_fd = 0;
	args.target = GMMAP_TARGET_ADDRESS;
	args.gpu_id = lazy.kfd.gpu.gpu_id;
	args.address = lazy.vram.va + 2 * GRANULE_BYTES;
	expect(session_try_map(&lazy.session, &args), EINVAL); /* no length */
	args.length = GRANULE_BYTES - 1;
	expect(session_try_map(&lazy.session, &args), EINVAL); /* the extent is longer */
	args.length = 3 * GRANULE_BYTES;
	expect(session_try_map(&lazy.session, &args), EINVAL); /* longer than the BO */
	args.length = 2 * GRANULE_BYTES;
	args.gpu_id++;
	expect(session_try_map(&lazy.session, &args), ENOENT);
	args.gpu_id--;
	args.address = lazy.vram.va - 1;
	expect(session_try_map(&lazy.session, &args), ENOENT);
	args.address = lazy.vram.va + 2 * GRANULE_BYTES;
	expect(session_try_map(&lazy.session, &args), 0);
	memcpy(lazy.file.data + 2 * GRANULE_BYTES, lazy.file.data, GRANULE_BYTES);
	memset(lazy.file.data + GRANULE_BYTES, 0x11, GRANULE_BYTES);
	memset(lazy.file.data + 3 * GRANULE_BYTES, 0x11, GRANULE_BYTES);
	lazy_check_all(&lazy, &queue);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

static int wait_for(struct lazy *lazy, uint64_t offset, uint64_t length, int64_t timeout_ns)
{
	struct gmmap_wait args = {
		.size = sizeof(args),
		.mapping_id = lazy->mapping,
		.offset = offset,
		.length = length,
		.timeout_ns = timeout_ns,
	};

	return request(lazy->session.fd, GMMAP_IOC_WAIT, &args);
}

static void waits_and_counters(void)
{
	struct gmmap_stat stat;
	struct queue queue;
	struct lazy lazy;

	lazy_open(&lazy, BYTES, 4);
	queue_create(&queue, &lazy.kfd, QUEUE_SDMA);
	expect(session_try_wait(&lazy.session, 1, 0), ENOENT);
	lazy_map(&lazy);
	expect(session_try_wait(&lazy.session, lazy.mapping + 1, 0), ENOENT);
	expect(session_try_stat(&lazy.session, lazy.mapping + 1, &stat), ENOENT);
	expect(session_try_unmap(&lazy.session, lazy.mapping + 1, 0), ENOENT);
	expect(session_try_unmap(&lazy.session, lazy.mapping, 2), EINVAL);
	expect(wait_for(&lazy, 0, 0, 0), ETIMEDOUT);
	expect(wait_for(&lazy, BYTES, 0, 0), EINVAL);
	expect(wait_for(&lazy, 4096, BYTES, 0), EINVAL);
	expect(wait_for(&lazy, 4096, ~0ull, 0), EINVAL);
	lazy_read_by(&lazy, &queue, GRANULE_BYTES, GRANULE_BYTES);
	queue_finish(&queue);
	expect(wait_for(&lazy, GRANULE_BYTES, GRANULE_BYTES, 0), 0);
	expect(wait_for(&lazy, GRANULE_BYTES, GRANULE_BYTES + 1, 1000000), ETIMEDOUT);
	session_stat(&lazy.session, lazy.mapping, &stat);
	ksft_assert(stat.granules == 4 && stat.absent_granules == 3, "%llu of %llu absent",
		    (unsigned long long)stat.absent_granules, (unsigned long long)stat.granules);
	queue_destroy(&queue);
	lazy_close(&lazy);
}

/* Half of VRAM is what a process may pin. */
static void pinned_memory_is_limited(void)
{
	struct gmmap_extent extent = { .length = 4096, .fd = -1, .flags = GMMAP_EXTENT_ZERO };
	struct kfd_bo bo[8];
	unsigned int count;
	struct lazy lazy;
	int ret = 0;

	lazy_open(&lazy, BYTES, 5);
	for (count = 0; count < ARRAY_SIZE(bo) && !ret; count++) {
		struct gmmap_map args = map_args(&lazy, &extent, 1);

		ret = kfd_bo_try_alloc(&lazy.kfd, &bo[count], 96 << 20, KFD_BO_VRAM);
		if (ret)
			ksft_skip("the GPU has not enough memory for this test");
		extent.offset = 0;
		extent.length = 2 * GRANULE_BYTES;
		args.handle = bo[count].handle;
		ret = session_try_map(&lazy.session, &args);
	}
	if (!ret)
		ksft_skip("the GPU has too much memory for this test");
	expect(ret, ENOSPC);
	lazy_close(&lazy);
}

static const struct ksft_test tests[] = {
	{ "query", query, 0 },
	{ "attach", attach, 0 },
	{ "attach_to_another_process", attach_to_another_process, 0 },
	{ "on_the_kfd_descriptor", on_the_kfd_descriptor, 0 },
	{ "extents", extents, 0 },
	{ "targets", targets, 0 },
	{ "dmabuf_and_address", dmabuf_and_address, 0 },
	{ "waits_and_counters", waits_and_counters, 0 },
	{ "pinned_memory_is_limited", pinned_memory_is_limited, 0 },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
