// SPDX-License-Identifier: MIT
/*
 * What each request of a vfio-user client does.
 *
 * One function for each command, and a table that says how long its payload may be. The client is
 * not trusted: a handler checks every field before it uses it, and takes a descriptor out of the
 * request only when it hands it on; the caller closes the rest.
 */
#include "vfio_user_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Capabilities; QEMU's receive buffer is as long as its own list, so this one must be shorter. */
#define CAPABILITIES                                                           \
	"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576," \
	"\"pgsizes\":4096,\"write_multiple\":true}}"
#define CAPABILITY_MAX_TRANSFER "\"max_data_xfer_size\""

static void *reply_payload(struct vfio_user *vu, uint32_t bytes)
{
	vu->reply_bytes = bytes;
	return vu->tx + sizeof(struct header);
}

static void set_reply(struct vfio_user *vu, const void *data, uint32_t bytes)
{
	memcpy(reply_payload(vu, bytes), data, bytes);
}

static int take_fd(struct request *req, unsigned int index)
{
	int fd = req->fds[index];

	req->fds[index] = -1;
	return fd;
}

/* The capabilities are a flat list with unique names: no JSON parser is needed for one number. */
static uint64_t capability_number(const char *json, const char *name, uint64_t missing)
{
	const char *at = strstr(json, name);
	uint64_t value;
	char *end;

	if (!at)
		return missing;
	at += strlen(name);
	at += strspn(at, " \t\r\n");
	if (*at != ':')
		return missing;
	value = strtoull(at + 1, &end, 10);
	return end == at + 1 || !value ? missing : value;
}

static int handle_version(struct vfio_user *vu, struct request *req)
{
	const char *json = (const char *)req->payload + sizeof(struct version);
	struct version version;
	uint64_t transfer;

	if (vu->negotiated)
		return -EINVAL;
	memcpy(&version, req->payload, sizeof(version));
	if (version.major != 0)
		return -EPROTONOSUPPORT;
	vu->dma_chunk_bytes = DMA_CHUNK_BYTES;
	if (req->payload_bytes > sizeof(version)) {
		if (req->payload[req->payload_bytes - 1] != '\0')
			return -EINVAL;
		transfer = capability_number(json, CAPABILITY_MAX_TRANSFER, DMA_CHUNK_BYTES);
		if (transfer < DMA_CHUNK_BYTES)
			vu->dma_chunk_bytes = transfer;
	}
	version.minor = 0;
	memcpy(reply_payload(vu, sizeof(version) + sizeof(CAPABILITIES)), &version,
	       sizeof(version));
	memcpy(vu->tx + sizeof(struct header) + sizeof(version), CAPABILITIES,
	       sizeof(CAPABILITIES));
	vu->negotiated = true;
	return 0;
}

/* ---- requests: guest memory ---- */

static bool ranges_overlap(const struct vfio_user *vu, uint64_t iova, uint64_t bytes)
{
	size_t i;

	for (i = 0; i < vu->num_ranges; i++) {
		const struct dma_range *range = &vu->ranges[i];

		/* Differences cannot overflow, sums of a range up to 2^64 can. */
		if (iova >= range->iova ? iova - range->iova < range->bytes
					: range->iova - iova < bytes)
			return true;
	}
	return false;
}

static int reserve_range(struct vfio_user *vu)
{
	struct dma_range *ranges;
	size_t room;

	if (vu->num_ranges < vu->room_ranges)
		return 0;
	if (vu->num_ranges >= MAX_DMA_RANGES)
		return -ENOSPC;
	room = vu->room_ranges ? 2 * vu->room_ranges : 64;
	ranges = realloc(vu->ranges, room * sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	vu->ranges = ranges;
	vu->room_ranges = room;
	return 0;
}

/* Access beyond the end of a mapped file is a SIGBUS, so the file must be long enough. */
static int check_memory_fd(int fd, uint64_t offset, uint64_t bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || offset % PAGE_BYTES)
		return -EINVAL;
	if (offset > (uint64_t)st.st_size || bytes > (uint64_t)st.st_size - offset)
		return -EINVAL;
	return 0;
}

static int check_dma_map(const struct vfio_user *vu, const struct request *req,
			 const struct dma_map *map)
{
	if (map->argsz < sizeof(*map) || req->num_fds > 1)
		return -EINVAL;
	if (map->flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE))
		return -EINVAL;
	if (!map->bytes || map->bytes - 1 > UINT64_MAX - map->iova)
		return -EINVAL;
	if ((map->iova | map->bytes) % PAGE_BYTES)
		return -EINVAL;
	if (ranges_overlap(vu, map->iova, map->bytes))
		return -EEXIST;
	return req->num_fds ? check_memory_fd(req->fds[0], map->fd_offset, map->bytes) : 0;
}

static int handle_dma_map(struct vfio_user *vu, struct request *req)
{
	struct dma_map map;
	bool has_fd = req->num_fds > 0;
	int err;

	memcpy(&map, req->payload, sizeof(map));
	err = check_dma_map(vu, req, &map);
	if (!err)
		err = reserve_range(vu);
	if (!err)
		err = vu->ops.dma_map(vu->opaque, map.iova, map.bytes,
				      has_fd ? take_fd(req, 0) : -1, map.fd_offset,
				      map.flags & VFIO_DMA_MAP_FLAG_WRITE);
	if (err)
		return err;
	vu->ranges[vu->num_ranges++] = (struct dma_range){ map.iova, map.bytes, has_fd };
	return 0;
}

static int unmap_range(struct vfio_user *vu, size_t index)
{
	struct dma_range range = vu->ranges[index];

	vu->ranges[index] = vu->ranges[--vu->num_ranges];
	return vu->ops.dma_unmap(vu->opaque, range.iova, range.bytes);
}

static int unmap_all_ranges(struct vfio_user *vu)
{
	int err = 0;

	while (vu->num_ranges) {
		int ret = unmap_range(vu, vu->num_ranges - 1);

		err = err ? err : ret;
	}
	return err;
}

static int handle_dma_unmap(struct vfio_user *vu, struct request *req)
{
	struct dma_unmap unmap;
	size_t i;

	memcpy(&unmap, req->payload, sizeof(unmap));
	if (unmap.argsz < sizeof(unmap))
		return -EINVAL;
	if (unmap.flags & ~VFIO_DMA_UNMAP_FLAG_ALL) /* dirty bitmaps: no migration */
		return -ENOTSUP;
	set_reply(vu, &unmap, sizeof(unmap));
	if (unmap.flags & VFIO_DMA_UNMAP_FLAG_ALL)
		return unmap_all_ranges(vu);
	for (i = 0; i < vu->num_ranges; i++) {
		if (vu->ranges[i].iova == unmap.iova && vu->ranges[i].bytes == unmap.bytes)
			return unmap_range(vu, i);
	}
	return -ENOENT;
}

/* ---- requests: what the device is ---- */

static int handle_device_get_info(struct vfio_user *vu, struct request *req)
{
	struct device_info info;

	memcpy(&info, req->payload, sizeof(info));
	if (info.argsz < sizeof(info))
		return -EINVAL;
	info = (struct device_info){
		.argsz = sizeof(info),
		.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		.num_regions = VFIO_USER_NUM_REGIONS,
		.num_irqs = VFIO_USER_NUM_IRQS,
	};
	set_reply(vu, &info, sizeof(info));
	return 0;
}

static int handle_get_region_info(struct vfio_user *vu, struct request *req)
{
	const struct vfio_user_region *region;
	struct region_info info;

	memcpy(&info, req->payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= VFIO_USER_NUM_REGIONS)
		return -EINVAL;
	region = &vu->config.regions[info.index];
	info = (struct region_info){
		.argsz = sizeof(info),
		.index = info.index,
		.bytes = region->size,
	};
	if (region->size) {
		info.flags = VFIO_REGION_INFO_FLAG_READ;
		if (!region->readonly)
			info.flags |= VFIO_REGION_INFO_FLAG_WRITE;
		if (region->mmap_fd >= 0) {
			info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
			vu->reply_fd = region->mmap_fd;
		}
	}
	set_reply(vu, &info, sizeof(info));
	return 0;
}

static int handle_get_irq_info(struct vfio_user *vu, struct request *req)
{
	struct irq_info info;

	memcpy(&info, req->payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= VFIO_USER_NUM_IRQS)
		return -EINVAL;
	info.argsz = sizeof(info);
	info.count = vu->config.irq_count[info.index];
	info.flags = info.count ? VFIO_IRQ_INFO_EVENTFD : 0;
	set_reply(vu, &info, sizeof(info));
	return 0;
}

/* ---- requests: interrupts ---- */

/*
 * Anything but an eventfd could block the device when it raises the interrupt. Non-blocking, since
 * a full counter (somebody wrote 2^64 - 2 to it) would block, too.
 */
static int check_eventfd(int fd)
{
	static const char expected[] = "anon_inode:[eventfd]";
	char link[64], target[sizeof(expected)];
	ssize_t bytes;
	int flags;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	bytes = readlink(link, target, sizeof(target));
	if (bytes != sizeof(expected) - 1 || memcmp(target, expected, bytes) != 0)
		return -EINVAL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	return 0;
}

/* Gives fd (-1: nothing) to the device and keeps a duplicate. Owns fd. */
static int set_vector(struct vfio_user *vu, unsigned int index, unsigned int vector, int fd)
{
	int *own = &vu->eventfds[index][vector];
	int duplicate = -1;
	int err;

	if (fd >= 0) {
		duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (duplicate < 0) {
			err = -errno;
			close(fd);
			return err;
		}
	}
	if (*own >= 0)
		close(*own);
	*own = duplicate;
	err = vu->ops.set_irq(vu->opaque, index, vector, fd);
	if (err && duplicate >= 0) {
		close(duplicate);
		*own = -1;
	}
	return err;
}

static int clear_vectors(struct vfio_user *vu, unsigned int index, uint32_t start, uint32_t count)
{
	int err = 0, ret;
	uint32_t i;

	for (i = start; i < start + count; i++) {
		if (vu->eventfds[index][i] < 0)
			continue;
		ret = set_vector(vu, index, i, -1);
		err = err ? err : ret;
	}
	return err;
}

static int set_eventfds(struct vfio_user *vu, struct request *req, const struct irq_set *set)
{
	uint32_t i;
	int err;

	if (!req->num_fds)
		return clear_vectors(vu, set->index, set->start, set->count);
	if (req->num_fds != set->count)
		return -EINVAL;
	for (i = 0; i < set->count; i++) {
		err = check_eventfd(req->fds[i]);
		if (err)
			return err;
	}
	for (i = 0; i < set->count; i++) {
		err = set_vector(vu, set->index, set->start + i, take_fd(req, i));
		if (err)
			return err;
	}
	return 0;
}

/* The client raises interrupts itself (a loopback test); wanted is one byte per vector or NULL. */
static int trigger_vectors(struct vfio_user *vu, const struct irq_set *set, const uint8_t *wanted)
{
	uint32_t i;

	for (i = 0; i < set->count; i++) {
		int fd = vu->eventfds[set->index][set->start + i];

		if (fd >= 0 && (!wanted || wanted[i]))
			eventfd_write(fd, 1); /* EAGAIN: it is pending anyway */
	}
	return 0;
}

static int handle_set_irqs(struct vfio_user *vu, struct request *req)
{
	const uint8_t *data = req->payload + sizeof(struct irq_set);
	uint32_t data_bytes = req->payload_bytes - sizeof(struct irq_set);
	struct irq_set set;

	memcpy(&set, req->payload, sizeof(set));
	if (set.argsz < sizeof(set) || set.index >= VFIO_USER_NUM_IRQS)
		return -EINVAL;
	if (set.start > vu->config.irq_count[set.index] ||
	    set.count > vu->config.irq_count[set.index] - set.start)
		return -EINVAL;
	if ((set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) != VFIO_IRQ_SET_ACTION_TRIGGER)
		return -ENOTSUP; /* no index is maskable */

	switch (set.flags & ~VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return set_eventfds(vu, req, &set);
	case VFIO_IRQ_SET_DATA_NONE:
		if (req->num_fds)
			return -EINVAL;
		if (!set.count) /* count 0 disables the index */
			return clear_vectors(vu, set.index, 0, vu->config.irq_count[set.index]);
		return trigger_vectors(vu, &set, NULL);
	case VFIO_IRQ_SET_DATA_BOOL:
		if (req->num_fds || data_bytes < set.count)
			return -EINVAL;
		return trigger_vectors(vu, &set, data);
	}
	return -EINVAL;
}

/* ---- requests: access to the device ---- */

static int check_access(const struct vfio_user *vu, const struct region_access *access)
{
	const struct vfio_user_region *region;

	if (access->region >= VFIO_USER_NUM_REGIONS)
		return -EINVAL;
	region = &vu->config.regions[access->region];
	if (!access->bytes || access->bytes > MAX_TRANSFER_BYTES)
		return -EINVAL;
	if (access->offset > region->size || access->bytes > region->size - access->offset)
		return -EINVAL;
	return 0;
}

static int write_region(struct vfio_user *vu, const struct region_access *access, const void *data)
{
	int err = check_access(vu, access);

	if (err)
		return err;
	if (vu->config.regions[access->region].readonly)
		return -EPERM;
	return vu->ops.write(vu->opaque, access->region, access->offset, data, access->bytes);
}

static int handle_region_read(struct vfio_user *vu, struct request *req)
{
	struct region_access access;
	uint8_t *reply;
	int err;

	memcpy(&access, req->payload, sizeof(access));
	err = check_access(vu, &access);
	if (err)
		return err;
	reply = reply_payload(vu, sizeof(access) + access.bytes);
	memcpy(reply, &access, sizeof(access));
	return vu->ops.read(vu->opaque, access.region, access.offset, reply + sizeof(access),
			    access.bytes);
}

static int handle_region_write(struct vfio_user *vu, struct request *req)
{
	struct region_access access;

	memcpy(&access, req->payload, sizeof(access));
	if (access.bytes != req->payload_bytes - sizeof(access))
		return -EINVAL;
	set_reply(vu, &access, sizeof(access));
	return write_region(vu, &access, req->payload + sizeof(access));
}

/* The writes are independent of each other: one that fails does not keep back the others. */
static int handle_region_write_multi(struct vfio_user *vu, struct request *req)
{
	const uint8_t *at = req->payload + sizeof(uint64_t);
	uint32_t bytes = req->payload_bytes - sizeof(uint64_t);
	struct multi_write one;
	uint64_t count, i;
	int err = 0, ret;

	memcpy(&count, req->payload, sizeof(count));
	if (bytes % sizeof(one) || count != bytes / sizeof(one))
		return -EINVAL;
	for (i = 0; i < count; i++) {
		memcpy(&one, at + i * sizeof(one), sizeof(one));
		if (one.access.bytes > sizeof(one.data))
			ret = -EINVAL;
		else
			ret = write_region(vu, &one.access, one.data);
		err = err ? err : ret;
	}
	set_reply(vu, &count, sizeof(count));
	return err;
}

static int handle_device_reset(struct vfio_user *vu, struct request *req)
{
	(void)req;
	vu->ops.reset(vu->opaque);
	return 0;
}

/* QEMU probes for features (migration) and is content with the error of an unknown ioctl. */
static int handle_device_feature(struct vfio_user *vu, struct request *req)
{
	(void)vu;
	(void)req;
	return -ENOTTY;
}

/* ---- one request ---- */

static const struct command {
	int (*handle)(struct vfio_user *vu, struct request *req);
	uint32_t min_bytes, max_bytes; /* of the payload */
	bool takes_fds;
} commands[] = {
	[COMMAND_VERSION] = { handle_version, sizeof(struct version), PAGE_BYTES, false },
	[COMMAND_DMA_MAP] = { handle_dma_map, sizeof(struct dma_map), sizeof(struct dma_map),
			      true },
	[COMMAND_DMA_UNMAP] = { handle_dma_unmap, sizeof(struct dma_unmap),
				sizeof(struct dma_unmap), false },
	[COMMAND_DEVICE_GET_INFO] = { handle_device_get_info, sizeof(struct device_info),
				      sizeof(struct device_info), false },
	[COMMAND_DEVICE_GET_REGION_INFO] = { handle_get_region_info, sizeof(struct region_info),
					     sizeof(struct region_info), false },
	[COMMAND_DEVICE_GET_IRQ_INFO] = { handle_get_irq_info, sizeof(struct irq_info),
					  sizeof(struct irq_info), false },
	[COMMAND_DEVICE_SET_IRQS] = { handle_set_irqs, sizeof(struct irq_set), UINT32_MAX, true },
	[COMMAND_REGION_READ] = { handle_region_read, sizeof(struct region_access),
				  sizeof(struct region_access), false },
	[COMMAND_REGION_WRITE] = { handle_region_write, sizeof(struct region_access), UINT32_MAX,
				   false },
	[COMMAND_DEVICE_RESET] = { handle_device_reset, 0, 0, false },
	[COMMAND_REGION_WRITE_MULTI] = { handle_region_write_multi, sizeof(uint64_t), UINT32_MAX,
					 false },
	[COMMAND_DEVICE_FEATURE] = { handle_device_feature, 0, UINT32_MAX, false },
};

int vfio_user_handle_request(struct vfio_user *vu, struct request *req)
{
	const struct command *command;

	if (req->header.command >= sizeof(commands) / sizeof(commands[0]))
		return -ENOTSUP;
	command = &commands[req->header.command];
	if (!command->handle)
		return -ENOTSUP;
	if (req->payload_bytes < command->min_bytes || req->payload_bytes > command->max_bytes)
		return -EINVAL;
	if (req->num_fds && !command->takes_fds)
		return -EINVAL;
	return command->handle(vu, req);
}

void vfio_user_take_back(struct vfio_user *vu)
{
	unsigned int index;

	for (index = 0; index < VFIO_USER_NUM_IRQS; index++) {
		if (vu->eventfds[index]) /* NULL: the server was never complete */
			clear_vectors(vu, index, 0, vu->config.irq_count[index]);
	}
	unmap_all_ranges(vu);
}
