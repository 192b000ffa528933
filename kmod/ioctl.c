// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every argument is a structure that begins with its size and flags. It is copied once, checked,
 * and copied back as far as the caller knows it.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/gmmap.h>

#include "backend.h"
#include "client.h"
#include "extent.h"
#include "fill.h"
#include "ioctl.h"
#include "mapping.h"
#include "process.h"
#include "recording.h"
#include "session.h"
#include "stream.h"

/* The first two members of every argument. */
struct header {
	u32 size;
	u32 flags;
};

/*
 * The structures are in their first version, so known is also the least. Where one has grown, the
 * least stays.
 */
static int copy_in(void *args, size_t known, void __user *from, u32 flags)
{
	struct header *header = args;
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)from))
		return -EFAULT;
	if (size < known || size > PAGE_SIZE)
		return -EINVAL;
	ret = copy_struct_from_user(args, known, from, size);
	if (ret)
		return ret;
	header->size = size;
	return header->flags & ~flags ? -EINVAL : 0;
}

static int copy_out(void __user *to, const void *args, size_t known)
{
	const struct header *header = args;

	return copy_to_user(to, args, min_t(size_t, header->size, known)) ? -EFAULT : 0;
}

static long query(void __user *arg)
{
	struct gmmap_query args;
	int ret;

	ret = copy_in(&args, sizeof(args), arg, 0);
	if (ret)
		return ret;
	args.abi_version = GMMAP_ABI_VERSION;
	args.granule_shift = GMMAP_GRANULE_SHIFT;
	args.max_extents = GMMAP_MAX_EXTENTS;
	args.max_mappings = GMMAP_MAX_MAPPINGS;
	args.chunk_shift = GMMAP_CHUNK_SHIFT;
	args.max_ranges = GMMAP_MAX_RANGES;
	return copy_out(arg, &args, sizeof(args));
}

/* The descriptor becomes visible last: until then everything can be undone. */
static int publish_session(struct gmmap_process *process, struct gmmap_attach *args,
			   void __user *arg)
{
	struct file *file;
	int fd;
	int ret;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		gmmap_process_put(process);
		return fd;
	}
	file = gmmap_session_create(process);
	if (IS_ERR(file)) {
		gmmap_process_put(process);
		ret = PTR_ERR(file);
		goto put_fd;
	}
	args->session_fd = fd;
	ret = copy_out(arg, args, sizeof(*args));
	if (ret) {
		fput(file);
		goto put_fd;
	}
	fd_install(fd, file);
	return 0;

put_fd:
	put_unused_fd(fd);
	return ret;
}

static long attach(void __user *arg)
{
	struct gmmap_process *process;
	struct gmmap_attach args;
	struct file *kfd;
	int ret;

	ret = copy_in(&args, sizeof(args), arg, 0);
	if (ret)
		return ret;
	kfd = fget(args.kfd_fd);
	if (!kfd)
		return -EBADF;
	process = gmmap_backend.attach(kfd);
	fput(kfd);
	if (IS_ERR(process))
		return PTR_ERR(process);
	return publish_session(process, &args, arg);
}

static int check_target(const struct gmmap_map *args)
{
	bool handle = args->target == GMMAP_TARGET_HANDLE;
	bool dmabuf = args->target == GMMAP_TARGET_DMABUF;
	bool address = args->target == GMMAP_TARGET_ADDRESS;
	u64 end;

	if (!handle && !dmabuf && !address)
		return -EINVAL;
	if (!handle && args->handle)
		return -EINVAL;
	if (!dmabuf && args->dmabuf_fd)
		return -EINVAL;
	if (!address && (args->gpu_id || args->address))
		return -EINVAL;
	if (address && !args->length)
		return -EINVAL;
	return check_add_overflow(args->address, args->length, &end) ? -EINVAL : 0;
}

/* Granules that are only partly covered have bytes that the GPU may write at any time. */
static int load_edges(struct gmmap_mapping *mapping)
{
	u32 i;
	int ret;

	for (i = 0; i < mapping->granules; i++) {
		u64 offset = gmmap_granule_offset(i);
		u64 bytes = gmmap_granule_bytes(mapping, i);
		u64 covered = gmmap_extents_covered(mapping->extents, offset, bytes);

		if (!covered || covered == bytes)
			continue;
		ret = gmmap_mapping_load(mapping, offset, bytes, GMMAP_BY_FILL);
		if (ret)
			return ret;
	}
	return 0;
}

static long map(struct gmmap_process *process, void __user *arg)
{
	struct gmmap_mapping *mapping;
	struct gmmap_extents *extents;
	struct gmmap_map args;
	int ret;

	ret = copy_in(&args, sizeof(args), arg, 0);
	if (ret)
		return ret;
	ret = check_target(&args);
	if (ret)
		return ret;
	extents = gmmap_extents_create(u64_to_user_ptr(args.extents), args.extent_count);
	if (IS_ERR(extents))
		return PTR_ERR(extents);
	mapping = gmmap_backend.map(process, &args, extents);
	if (IS_ERR(mapping)) {
		gmmap_extents_destroy(extents);
		return PTR_ERR(mapping);
	}
	ret = load_edges(mapping);
	if (!ret) {
		args.mapping_id = mapping->id;
		ret = copy_out(arg, &args, sizeof(args));
	}
	if (ret)
		gmmap_mapping_end(mapping, GMMAP_END_ABANDON);
	gmmap_mapping_put(mapping);
	return ret;
}

static long unmap(struct gmmap_process *process, void __user *arg)
{
	struct gmmap_mapping *mapping;
	struct gmmap_unmap args;
	int ret;

	ret = copy_in(&args, sizeof(args), arg, GMMAP_UNMAP_ABANDON);
	if (ret)
		return ret;
	mapping = gmmap_process_find(process, args.mapping_id);
	if (!mapping)
		return -ENOENT;
	if (args.flags & GMMAP_UNMAP_ABANDON) {
		ret = gmmap_mapping_end(mapping, GMMAP_END_ABANDON);
	} else {
		ret = gmmap_mapping_fill(mapping);
		if (!ret)
			ret = gmmap_mapping_end(mapping, GMMAP_END_COMPLETE);
	}
	gmmap_mapping_put(mapping);
	return ret;
}

static long wait(struct gmmap_process *process, void __user *arg)
{
	struct gmmap_mapping *mapping;
	struct gmmap_wait args;
	int ret;

	ret = copy_in(&args, sizeof(args), arg, 0);
	if (ret)
		return ret;
	mapping = gmmap_process_find(process, args.mapping_id);
	if (!mapping)
		return gmmap_process_knew(process, args.mapping_id) ? 0 : -ENOENT;
	if (args.offset >= mapping->bytes || args.length > mapping->bytes - args.offset)
		ret = -EINVAL;
	else
		ret = gmmap_mapping_wait(mapping, args.offset,
					 args.length ?: mapping->bytes - args.offset,
					 args.timeout_ns);
	gmmap_mapping_put(mapping);
	return ret;
}

static long stat(struct gmmap_process *process, void __user *arg)
{
	struct gmmap_stat args;
	struct gmmap_stat out;
	int ret;

	ret = copy_in(&args, sizeof(args), arg, 0);
	if (ret)
		return ret;
	out = (struct gmmap_stat){ .size = args.size, .mapping_id = args.mapping_id };
	ret = gmmap_process_stat(process, &out);
	if (ret)
		return ret;
	return copy_out(arg, &out, sizeof(out));
}

/* Finds the mapping of a range. Returns 1 if there is something to load, 0 if it has ended. */
static int place_range(struct gmmap_process *process, const struct gmmap_range *from,
		       struct gmmap_fill_range *to)
{
	struct gmmap_mapping *mapping = gmmap_process_find(process, from->mapping_id);
	u64 length;

	if (!mapping)
		return gmmap_process_knew(process, from->mapping_id) ? 0 : -ENOENT;
	to->mapping = mapping;
	if (from->offset >= mapping->bytes || from->length > mapping->bytes - from->offset)
		return -EINVAL;
	length = from->length ?: mapping->bytes - from->offset;
	to->first = from->offset >> GMMAP_GRANULE_SHIFT;
	to->last = (from->offset + length - 1) >> GMMAP_GRANULE_SHIFT;
	return 1;
}

/* Fills in the ranges and returns how many there are, or an error. */
static int place_ranges(struct gmmap_process *process, const struct gmmap_range *ranges,
			struct gmmap_fill *fill, u32 count)
{
	u32 placed = 0;
	u32 i;
	int ret;

	for (i = 0; i < count; i++) {
		cond_resched();
		ret = place_range(process, &ranges[i], &fill->ranges[placed]);
		if (ret < 0)
			return ret;
		placed += ret;
		if (placed && fill->ranges[placed - 1].mapping->client !=
			      fill->ranges[0].mapping->client)
			return -EXDEV;
	}
	return placed;
}

/* A fill of which nothing is left: told at once. */
static void tell_empty(struct gmmap_process *process, u64 id)
{
	struct gmmap_record record = { .type = GMMAP_RECORD_POPULATE, .id = id };

	gmmap_process_tell(process, &record);
}

static long start_populate(struct gmmap_process *process, struct gmmap_populate *args,
			   const struct gmmap_range *ranges)
{
	struct gmmap_fill *fill = gmmap_fill_create(args->range_count);
	int ret;

	if (!fill)
		return -ENOMEM;
	ret = place_ranges(process, ranges, fill, args->range_count);
	if (ret < 0)
		goto free;
	args->populate_id = gmmap_process_next_fill(process);
	if (!ret) {
		tell_empty(process, args->populate_id);
		goto free;
	}
	fill->count = ret;
	ret = gmmap_fill_start(fill, fill->ranges[0].mapping->client, args->populate_id);
	if (ret)
		goto free;
	return 0;

free:
	gmmap_fill_free(fill);
	return ret;
}

static long populate(struct gmmap_process *process, void __user *arg)
{
	struct gmmap_populate args;
	struct gmmap_range *ranges;
	long ret;

	ret = copy_in(&args, sizeof(args), arg, 0);
	if (ret)
		return ret;
	if (!args.range_count || args.range_count > GMMAP_MAX_RANGES || args.reserved)
		return -EINVAL;
	ranges = vmemdup_user(u64_to_user_ptr(args.ranges),
			      array_size(args.range_count, sizeof(*ranges)));
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	ret = start_populate(process, &args, ranges);
	kvfree(ranges);
	/* If the id does not arrive, the ranges are loaded nevertheless. */
	return ret ?: copy_out(arg, &args, sizeof(args));
}

static int check_profile(const struct gmmap_profile *args)
{
	bool start = args->op == GMMAP_PROFILE_START;
	bool read = args->op == GMMAP_PROFILE_READ;

	if (args->op > GMMAP_PROFILE_READ)
		return -EINVAL;
	if (args->flags && !start)
		return -EINVAL;
	if (start ? !args->count || args->count > GMMAP_MAX_TOUCHES : !read && args->count)
		return -EINVAL;
	return !read && (args->first || args->touches) ? -EINVAL : 0;
}

static long profile(struct gmmap_process *process, void __user *arg)
{
	struct gmmap_recording *recording;
	struct gmmap_profile args;
	int ret;

	ret = copy_in(&args, sizeof(args), arg, GMMAP_PROFILE_EXACT);
	if (ret)
		return ret;
	ret = check_profile(&args);
	if (ret)
		return ret;
	if (args.op == GMMAP_PROFILE_START) {
		ret = gmmap_process_start_recording(process, args.count,
						    args.flags & GMMAP_PROFILE_EXACT);
		if (ret)
			return ret;
	}
	recording = gmmap_process_recording(process, args.op == GMMAP_PROFILE_STOP);
	if (!recording)
		return -ENODATA;
	if (args.op == GMMAP_PROFILE_READ)
		ret = gmmap_recording_read(recording, args.first, u64_to_user_ptr(args.touches),
					   &args.count);
	args.recorded = READ_ONCE(recording->recorded);
	args.dropped = READ_ONCE(recording->dropped);
	gmmap_recording_put(recording);
	return ret ?: copy_out(arg, &args, sizeof(args));
}

static long records(struct gmmap_process *process, struct gmmap_stream *stream, void __user *arg)
{
	struct gmmap_records args;
	int ret;

	ret = copy_in(&args, sizeof(args), arg, 0);
	return ret ?: gmmap_process_records(process, stream, &args);
}

/* The size in a number is that of its first version and says nothing. */
static unsigned int number(unsigned int cmd)
{
	return cmd & ~(_IOC_SIZEMASK << _IOC_SIZESHIFT);
}

#define NUMBER(cmd)	((cmd) & ~(_IOC_SIZEMASK << _IOC_SIZESHIFT))

/* Whether a command on a descriptor of the driver is meant for this module. */
bool gmmap_is_ioctl(unsigned int cmd)
{
	return _IOC_TYPE(cmd) == GMMAP_IOC_BASE && _IOC_NR(cmd) >= _IOC_NR(GMMAP_IOC_QUERY) &&
	       _IOC_NR(cmd) <= _IOC_NR(GMMAP_IOC_RECORDS);
}

long gmmap_device_ioctl(unsigned int cmd, void __user *arg)
{
	switch (number(cmd)) {
	case NUMBER(GMMAP_IOC_QUERY):
		return query(arg);
	case NUMBER(GMMAP_IOC_ATTACH):
		return attach(arg);
	default:
		return -ENOTTY;
	}
}

long gmmap_process_ioctl(struct gmmap_process *process, unsigned int cmd, void __user *arg)
{
	switch (number(cmd)) {
	case NUMBER(GMMAP_IOC_QUERY):
		return query(arg);
	case NUMBER(GMMAP_IOC_MAP):
		return map(process, arg);
	case NUMBER(GMMAP_IOC_UNMAP):
		return unmap(process, arg);
	case NUMBER(GMMAP_IOC_WAIT):
		return wait(process, arg);
	case NUMBER(GMMAP_IOC_STAT):
		return stat(process, arg);
	case NUMBER(GMMAP_IOC_POPULATE):
		return populate(process, arg);
	case NUMBER(GMMAP_IOC_PROFILE):
		return profile(process, arg);
	default:
		return -ENOTTY;
	}
}

long gmmap_session_ioctl(struct gmmap_process *process, struct gmmap_stream *stream,
			 unsigned int cmd, void __user *arg)
{
	if (number(cmd) == NUMBER(GMMAP_IOC_RECORDS))
		return records(process, stream, arg);
	return gmmap_process_ioctl(process, cmd, arg);
}
