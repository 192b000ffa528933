// SPDX-License-Identifier: MIT
#define _GNU_SOURCE /* memfd_create */
#include "vfio_user_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

void replace_fd(int *fd, int by)
{
	if (*fd >= 0)
		close(*fd);
	*fd = by;
}

static int on_read(void *opaque, unsigned int region, uint64_t offset, void *data, uint32_t bytes)
{
	struct fixture *f = opaque;
	uint8_t byte;

	f->reads++;
	f->region = region;
	f->offset = offset;
	f->bytes = bytes;
	memset(data, 0x5a, bytes);
	f->dma_in_callback = vfio_user_dma_read(f->vu, 0, &byte, 1);
	return f->result;
}

static int on_write(void *opaque, unsigned int region, uint64_t offset, const void *data,
		    uint32_t bytes)
{
	struct fixture *f = opaque;

	f->writes++;
	f->region = region;
	f->offset = offset;
	f->bytes = bytes;
	memcpy(f->data, data, bytes < sizeof(f->data) ? bytes : sizeof(f->data));
	return f->result;
}

static int on_dma_map(void *opaque, uint64_t iova, uint64_t bytes, int fd, uint64_t fd_offset,
		      bool writable)
{
	struct fixture *f = opaque;

	f->maps++;
	f->maps_with_fd += fd >= 0;
	f->iova = iova;
	f->map_bytes = bytes;
	f->fd_offset = fd_offset;
	f->writable = writable;
	replace_fd(&f->map_fd, fd);
	return f->result;
}

static int on_dma_unmap(void *opaque, uint64_t iova, uint64_t bytes)
{
	struct fixture *f = opaque;

	f->unmaps++;
	f->iova = iova;
	f->map_bytes = bytes;
	return f->result;
}

static int on_set_irq(void *opaque, unsigned int index, unsigned int vector, int fd)
{
	struct fixture *f = opaque;

	assert_int_equal(index, MSI);
	assert_true(vector < MSI_VECTORS);
	replace_fd(&f->eventfds[vector], fd);
	return f->result;
}

static void on_reset(void *opaque)
{
	((struct fixture *)opaque)->resets++;
}

const struct vfio_user_ops fixture_ops = {
	.read = on_read,
	.write = on_write,
	.dma_map = on_dma_map,
	.dma_unmap = on_dma_unmap,
	.set_irq = on_set_irq,
	.reset = on_reset,
};

struct vfio_user_config make_config(int memory_fd)
{
	struct vfio_user_config config = { .irq_count = { [MSI] = MSI_VECTORS } };
	unsigned int i;

	for (i = 0; i < VFIO_USER_NUM_REGIONS; i++)
		config.regions[i].mmap_fd = -1;
	config.regions[MMAP_REGION].size = GUEST_BYTES;
	config.regions[MMAP_REGION].mmap_fd = memory_fd;
	config.regions[REGISTER_REGION].size = REGISTER_BYTES;
	config.regions[ROM_REGION].size = ROM_BYTES;
	config.regions[ROM_REGION].readonly = true;
	return config;
}

/* ---- the client ---- */

void send_fds(int socket, const void *data, size_t bytes, const int *fds, unsigned int count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(32 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(socket, &msg, MSG_NOSIGNAL), bytes);
}

size_t make_message(uint8_t *message, uint16_t command, uint32_t flags, const void *payload,
		    size_t bytes)
{
	const struct header header = {
		.id = 0x1234,
		.command = command,
		.message_bytes = sizeof(header) + bytes,
		.flags = flags,
	};

	memcpy(message, &header, sizeof(header));
	if (bytes)
		memcpy(message + sizeof(header), payload, bytes);
	return sizeof(header) + bytes;
}

void post(struct fixture *f, uint16_t command, uint32_t flags, const void *payload, size_t bytes,
	  const int *fds, unsigned int num_fds)
{
	uint8_t message[4096];

	bytes = make_message(message, command, flags, payload, bytes);
	send_fds(f->client, message, bytes, fds, num_fds);
}

int get_reply(struct fixture *f, uint16_t command, void *payload, size_t bytes, int *fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	uint8_t message[4096];
	struct header header;
	struct iovec iov = { .iov_base = message, .iov_len = sizeof(message) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(f->client, &msg, MSG_DONTWAIT);

	assert_true(got >= (ssize_t)sizeof(header));
	memcpy(&header, message, sizeof(header));
	assert_int_equal(header.message_bytes, got);
	assert_int_equal(header.id, 0x1234);
	assert_int_equal(header.command, command);
	if (header.flags & FLAG_ERROR) {
		assert_int_equal(header.flags, FLAG_TYPE_REPLY | FLAG_ERROR);
		assert_int_equal(got, sizeof(header));
		return header.error;
	}
	assert_int_equal(header.flags, FLAG_TYPE_REPLY);
	assert_int_equal(header.error, 0);
	assert_int_equal(got, sizeof(header) + bytes);
	if (bytes)
		memcpy(payload, message + sizeof(header), bytes);
	if (msg.msg_controllen) {
		assert_non_null(fd);
		memcpy(fd, CMSG_DATA(&control.header), sizeof(*fd));
	} else if (fd) {
		*fd = -1;
	}
	return 0;
}

void assert_no_reply(struct fixture *f)
{
	char byte;

	assert_int_equal(recv(f->client, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

int call(struct fixture *f, uint16_t command, const void *payload, size_t bytes, void *reply,
	 size_t reply_bytes)
{
	post(f, command, 0, payload, bytes, NULL, 0);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	return get_reply(f, command, reply, reply_bytes, NULL);
}

int call_fds(struct fixture *f, uint16_t command, const void *payload, size_t bytes, const int *fds,
	     unsigned int num_fds)
{
	post(f, command, 0, payload, bytes, fds, num_fds);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	return get_reply(f, command, NULL, 0, NULL);
}

void negotiate(struct fixture *f)
{
	static const char hello[] = "\0\0\0\0{\"capabilities\":{\"max_data_xfer_size\": 4096}}";
	uint8_t reply[4096];
	ssize_t got;

	post(f, COMMAND_VERSION, 0, hello, sizeof(hello), NULL, 0);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	got = recv(f->client, reply, sizeof(reply), MSG_DONTWAIT);
	assert_true(got > 20);
	assert_int_equal(reply[got - 1], 0);
	assert_non_null(strstr((char *)reply + 20, "\"write_multiple\":true"));
}

int map(struct fixture *f, uint64_t iova, uint64_t bytes, int fd, uint64_t fd_offset)
{
	const struct dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.fd_offset = fd_offset,
		.iova = iova,
		.bytes = bytes,
	};

	return call_fds(f, COMMAND_DMA_MAP, &map, sizeof(map), &fd, fd >= 0);
}

int unmap(struct fixture *f, uint64_t iova, uint64_t bytes, uint32_t flags)
{
	const struct dma_unmap unmap = { sizeof(unmap), flags, iova, bytes };
	struct dma_unmap echo;
	int err = call(f, COMMAND_DMA_UNMAP, &unmap, sizeof(unmap), &echo, sizeof(echo));

	if (!err)
		assert_memory_equal(&echo, &unmap, sizeof(unmap));
	return err;
}

int set_irqs(struct fixture *f, uint32_t flags, uint32_t start, uint32_t count, const int *fds,
	     unsigned int num_fds)
{
	const struct irq_set set = { sizeof(set), flags, MSI, start, count };

	return call_fds(f, COMMAND_DEVICE_SET_IRQS, &set, sizeof(set), fds, num_fds);
}

int read_at(struct fixture *f, uint32_t region, uint64_t offset, uint32_t bytes)
{
	const struct region_access access = { offset, region, bytes };
	uint8_t reply[sizeof(access) + 8];

	return call(f, COMMAND_REGION_READ, &access, sizeof(access), reply, sizeof(access) + bytes);
}

/* ---- fixture ---- */

int setup_unnegotiated(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct vfio_user_config config;
	int sockets[2];

	memset(f, 0, sizeof(*f));
	f->open_fds = count_fds();
	f->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	f->map_fd = -1;
	f->eventfds[0] = -1;
	f->eventfds[1] = -1;
	if (ftruncate(f->memory_fd, GUEST_BYTES) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -1;
	f->client = sockets[0];
	config = make_config(f->memory_fd);
	*state = f;
	return vfio_user_create_connected(&f->vu, sockets[1], &config, &fixture_ops, f);
}

int setup(void **state)
{
	int err = setup_unnegotiated(state);

	if (!err)
		negotiate(*state);
	return err;
}

int teardown(void **state)
{
	struct fixture *f = *state;

	f->result = 0;
	vfio_user_destroy(f->vu);
	replace_fd(&f->map_fd, -1);
	assert_int_equal(f->eventfds[0], -1);
	assert_int_equal(f->eventfds[1], -1);
	assert_int_equal(f->unmaps, f->maps);
	replace_fd(&f->client, -1);
	close(f->memory_fd);
	assert_int_equal(count_fds(), f->open_fds);
	return 0;
}

void assert_dropped(struct fixture *f, int why)
{
	assert_int_equal(vfio_user_dispatch(f->vu), why);
	assert_false(vfio_user_connected(f->vu));
	assert_int_equal(vfio_user_poll_fd(f->vu), -1);
	assert_int_equal(vfio_user_dispatch(f->vu), -ENOTCONN);
}
