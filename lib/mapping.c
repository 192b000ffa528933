// SPDX-License-Identifier: MIT
#include "internal.h"

#include <errno.h>

static int map(int session, struct gmmap_map *args, const struct gmmap_extent *extents,
	       uint32_t extent_count, uint64_t *mapping_id)
{
	int ret;

	args->size = sizeof(*args);
	args->extents = (uintptr_t)extents;
	args->extent_count = extent_count;
	ret = gmmap_ioctl(session, GMMAP_IOC_MAP, args);
	if (!ret && mapping_id)
		*mapping_id = args->mapping_id;
	return ret;
}

EXPORT int gmmap_map_handle(int session, uint64_t handle, uint64_t bytes,
			    const struct gmmap_extent *extents, uint32_t extent_count,
			    uint64_t *mapping_id)
{
	struct gmmap_map args = {
		.target = GMMAP_TARGET_HANDLE,
		.handle = handle,
		.length = bytes,
	};

	return map(session, &args, extents, extent_count, mapping_id);
}

EXPORT int gmmap_map_dmabuf(int session, int dmabuf_fd, uint64_t bytes,
			    const struct gmmap_extent *extents, uint32_t extent_count,
			    uint64_t *mapping_id)
{
	struct gmmap_map args = {
		.target = GMMAP_TARGET_DMABUF,
		.dmabuf_fd = dmabuf_fd,
		.length = bytes,
	};

	return map(session, &args, extents, extent_count, mapping_id);
}

EXPORT int gmmap_map_address(int session, uint32_t gpu_id, uint64_t address, uint64_t bytes,
			     const struct gmmap_extent *extents, uint32_t extent_count,
			     uint64_t *mapping_id)
{
	struct gmmap_map args = {
		.target = GMMAP_TARGET_ADDRESS,
		.gpu_id = gpu_id,
		.address = address,
		.length = bytes,
	};

	return map(session, &args, extents, extent_count, mapping_id);
}

/*
 * The process does not know which GPU has the memory, and addresses are the same on all GPUs, so each
 * is asked: ENOENT comes from those that have nothing there.
 */
EXPORT int gmmap_map_file(int session, void *memory, size_t bytes, int fd, off_t file_offset,
			  unsigned int flags, uint64_t *mapping_id)
{
	struct gmmap_extent extent = {
		.length = bytes,
		.file_offset = (uint64_t)file_offset,
		.fd = fd,
	};
	uint32_t gpu_ids[GMMAP_MAX_GPUS];
	int ret, count;

	if (flags & ~GMMAP_FILE_ANY_CODE || file_offset < 0 || fd < 0)
		return -EINVAL;
	if (!(flags & GMMAP_FILE_ANY_CODE)) {
		ret = gmmap_check_code(0, NULL, 0);
		if (ret)
			return ret;
	}
	count = gmmap_gpu_ids(gpu_ids);
	if (count < 0)
		return count;
	ret = -ENOENT;
	for (int i = 0; i < count && ret == -ENOENT; i++)
		ret = gmmap_map_address(session, gpu_ids[i], (uintptr_t)memory, bytes, &extent, 1,
					mapping_id);
	return ret;
}

EXPORT int gmmap_unmap(int session, uint64_t mapping_id, uint32_t flags)
{
	struct gmmap_unmap args = {
		.size = sizeof(args),
		.flags = flags,
		.mapping_id = mapping_id,
	};

	return gmmap_ioctl(session, GMMAP_IOC_UNMAP, &args);
}

EXPORT int gmmap_populate(int session, const struct gmmap_range *ranges, uint32_t count,
			  uint64_t *populate_id)
{
	struct gmmap_populate args = {
		.size = sizeof(args),
		.ranges = (uintptr_t)ranges,
		.range_count = count,
	};
	int ret = gmmap_ioctl(session, GMMAP_IOC_POPULATE, &args);

	if (!ret && populate_id)
		*populate_id = args.populate_id;
	return ret;
}

EXPORT int gmmap_wait(int session, uint64_t mapping_id, uint64_t offset, uint64_t bytes,
		      int64_t timeout_ns)
{
	struct gmmap_wait args = {
		.size = sizeof(args),
		.mapping_id = mapping_id,
		.offset = offset,
		.length = bytes,
		.timeout_ns = timeout_ns,
	};

	return gmmap_ioctl(session, GMMAP_IOC_WAIT, &args);
}

EXPORT int gmmap_stat(int session, uint64_t mapping_id, struct gmmap_stat *stat)
{
	*stat = (struct gmmap_stat){ .size = sizeof(*stat), .mapping_id = mapping_id };
	return gmmap_ioctl(session, GMMAP_IOC_STAT, stat);
}
