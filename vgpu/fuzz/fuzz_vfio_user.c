// SPDX-License-Identifier: MIT
/*
 * Feeds a hostile client to the vfio-user server.
 *
 * The input is a list of steps. A step sends raw bytes, sends a message whose header is made to
 * fit (so that the fuzzer need not guess lengths), or has the device do DMA. After each step the
 * server dispatches and the replies are thrown away. Build with -DCLIENT_TIMEOUT_MS=0. In the end
 * nothing may be left over: no descriptor, no guest memory, no interrupt.
 */
#define _GNU_SOURCE /* memfd_create */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../vfio_user_internal.h"

#define MEMORY_BYTES   0x10000u
#define MAX_STEP_BYTES 1024
#define MAX_STEP_FDS   12
#define DMA_BYTES      256
#define ALL_EVENTFDS   0x55 /* fd_kind: two bits for each descriptor */

struct device {
	int memory_fd;
	int eventfds[VFIO_USER_NUM_IRQS][4];
	long maps;
};

struct input {
	const uint8_t *data;
	size_t bytes;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* ---- the device: uses everything that it is given ---- */

static int device_read(void *opaque, unsigned int region, uint64_t offset, void *data,
		       uint32_t bytes)
{
	(void)opaque;
	(void)region;
	memset(data, (int)offset, bytes);
	return offset & 1 ? -EIO : 0;
}

static int device_write(void *opaque, unsigned int region, uint64_t offset, const void *data,
			uint32_t bytes)
{
	const uint8_t *from = data;
	uint8_t sum = 0;
	uint32_t i;

	(void)opaque;
	(void)region;
	(void)offset;
	for (i = 0; i < bytes; i++)
		sum ^= from[i]; /* the sanitizer sees a read of every byte */
	return sum & 1 ? -EIO : 0;
}

static int device_dma_map(void *opaque, uint64_t iova, uint64_t bytes, int fd, uint64_t fd_offset,
			  bool writable)
{
	struct device *device = opaque;

	require(bytes && bytes - 1 <= UINT64_MAX - iova);
	if (fd >= 0) {
		int protection = PROT_READ | (writable ? PROT_WRITE : 0);
		volatile uint8_t *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd, fd_offset);

		require(memory != MAP_FAILED);
		(void)memory[0];
		(void)memory[bytes - 1];
		munmap((void *)memory, bytes);
		close(fd);
	}
	device->maps++;
	return 0;
}

static int device_dma_unmap(void *opaque, uint64_t iova, uint64_t bytes)
{
	struct device *device = opaque;

	(void)iova;
	(void)bytes;
	require(device->maps-- > 0);
	return 0;
}

static int device_set_irq(void *opaque, unsigned int index, unsigned int vector, int fd)
{
	struct device *device = opaque;
	int *own = &device->eventfds[index][vector];

	if (*own >= 0)
		close(*own);
	*own = fd;
	if (fd >= 0)
		eventfd_write(fd, 1);
	return 0;
}

static void device_reset(void *opaque)
{
	(void)opaque;
}

static const struct vfio_user_ops ops = {
	.read = device_read,
	.write = device_write,
	.dma_map = device_dma_map,
	.dma_unmap = device_dma_unmap,
	.set_irq = device_set_irq,
	.reset = device_reset,
};

static struct vfio_user_config make_config(const struct device *device)
{
	struct vfio_user_config config = { .irq_count = { 1, 4, 0, 0, 1 } };
	unsigned int i;

	for (i = 0; i < VFIO_USER_NUM_REGIONS; i++) {
		config.regions[i].size = i * 0x1000;
		config.regions[i].mmap_fd = i == 2 ? device->memory_fd : -1;
		config.regions[i].readonly = i == 6;
	}
	config.regions[8].size = UINT64_MAX;
	return config;
}

/* ---- the client ---- */

static uint8_t next_byte(struct input *in)
{
	if (!in->bytes)
		return 0;
	in->bytes--;
	return *in->data++;
}

static size_t next_bytes(struct input *in, uint8_t *to, size_t bytes)
{
	if (bytes > in->bytes)
		bytes = in->bytes;
	memcpy(to, in->data, bytes);
	in->data += bytes;
	in->bytes -= bytes;
	return bytes;
}

/* Sends bytes with descriptors that are closed here again; what does not fit is lost. */
static void send_with_fds(int client, int memory_fd, const void *data, size_t bytes,
			  unsigned int count, unsigned int kind)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MAX_STEP_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[MAX_STEP_FDS], pipes[2];
	unsigned int i;

	require(!pipe2(pipes, O_CLOEXEC));
	for (i = 0; i < count; i++) {
		const int sources[] = { memory_fd, -1, pipes[1], client };
		int source = sources[(kind >> 2 * (i % 4)) % 4];

		fds[i] = source < 0 ? eventfd(0, EFD_CLOEXEC) : dup(source);
	}
	if (count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	if (bytes)
		(void)!sendmsg(client, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	for (i = 0; i < count; i++)
		close(fds[i]);
	close(pipes[0]);
	close(pipes[1]);
}

static void drain(int client)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	static uint8_t replies[1 << 16];
	struct iovec iov = { .iov_base = replies, .iov_len = sizeof(replies) };

	for (;;) {
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};

		if (recvmsg(client, &msg, MSG_DONTWAIT) <= 0)
			return;
		if (msg.msg_controllen)
			close(*(int *)CMSG_DATA(&control.header));
	}
}

static void send_hello(int client)
{
	const struct {
		struct header header;
		struct version version;
	} hello = { { .command = COMMAND_VERSION, .message_bytes = sizeof(hello) }, { 0, 0 } };

	(void)!send(client, &hello, sizeof(hello), MSG_DONTWAIT);
}

/* Guest memory that only the client can reach, at the address that do_dma() uses. */
static void send_map(int client)
{
	const struct {
		struct header header;
		struct dma_map map;
	} message = {
		{ .command = COMMAND_DMA_MAP, .message_bytes = sizeof(message) },
		{ .argsz = sizeof(struct dma_map), .flags = 3, .bytes = MEMORY_BYTES },
	};

	(void)!send(client, &message, sizeof(message), MSG_DONTWAIT);
}

/* The client answers before it is asked, perhaps with the right id and enough data. */
static void send_reply(struct input *in, int client, int memory_fd, uint16_t command, uint16_t id)
{
	struct {
		struct header header;
		uint8_t payload[MAX_STEP_BYTES];
	} message = { 0 };
	unsigned int how = next_byte(in);
	size_t bytes = next_bytes(in, message.payload, next_byte(in));

	if (how & 1) /* as much as was asked for */
		bytes = sizeof(struct dma_access) + DMA_BYTES;
	message.header.id = id + (how >> 1 & 1);
	message.header.command = command + (how >> 2 & how >> 3 & 1);
	message.header.flags = FLAG_TYPE_REPLY | (how & 0x10 ? FLAG_ERROR : 0);
	message.header.error = how >> 5;
	message.header.message_bytes = sizeof(message.header) + bytes;
	send_with_fds(client, memory_fd, &message, message.header.message_bytes, how >> 7, how);
}

static void do_dma(struct input *in, struct vfio_user *vu, int client, int memory_fd, bool write)
{
	uint8_t data[DMA_BYTES] = { 0 };
	unsigned int replies = next_byte(in) & 3;

	while (replies--)
		send_reply(in, client, memory_fd, write ? COMMAND_DMA_WRITE : COMMAND_DMA_READ,
			   vu->next_dma_id);
	if (write)
		vfio_user_dma_write(vu, 0, data, sizeof(data));
	else
		vfio_user_dma_read(vu, 0, data, sizeof(data));
}

/* Lengths that the server accepts, and argsz as well: else hardly an input gets past them. */
static size_t make_payload_fit(uint16_t command, uint8_t *payload, size_t bytes)
{
	static const uint8_t lengths[] = {
		[COMMAND_DMA_MAP] = sizeof(struct dma_map),
		[COMMAND_DMA_UNMAP] = sizeof(struct dma_unmap),
		[COMMAND_DEVICE_GET_INFO] = sizeof(struct device_info),
		[COMMAND_DEVICE_GET_REGION_INFO] = sizeof(struct region_info),
		[COMMAND_DEVICE_GET_IRQ_INFO] = sizeof(struct irq_info),
		[COMMAND_DEVICE_SET_IRQS] = sizeof(struct irq_set),
		[COMMAND_REGION_READ] = sizeof(struct region_access),
	};
	uint32_t argsz = bytes;

	if (command < sizeof(lengths) && lengths[command]) {
		argsz = lengths[command];
		if (command != COMMAND_REGION_READ)
			memcpy(payload, &argsz, sizeof(argsz));
	}
	return argsz;
}

/* Small numbers in the fields, so that a good part of the requests that carry memory is granted. */
static void make_map_fit(uint8_t *payload)
{
	struct dma_map map;

	memcpy(&map, payload, sizeof(map));
	map.flags %= 4;
	map.fd_offset = map.fd_offset % 20 * PAGE_BYTES;
	map.iova = map.iova % 64 * PAGE_BYTES;
	map.bytes = map.bytes % 20 * PAGE_BYTES;
	memcpy(payload, &map, sizeof(map));
}

/* The same for interrupts. */
static void make_irqs_fit(uint8_t *payload, unsigned int num_fds)
{
	struct irq_set set;

	memcpy(&set, payload, sizeof(set));
	set.flags = VFIO_IRQ_SET_ACTION_TRIGGER | 1u << set.flags % 3;
	set.index %= VFIO_USER_NUM_IRQS;
	set.start %= 5;
	set.count = num_fds ? num_fds : set.count % 5;
	memcpy(payload, &set, sizeof(set));
}

static void do_step(struct input *in, struct vfio_user *vu, int client, int memory_fd)
{
	struct {
		struct header header;
		uint8_t payload[MAX_STEP_BYTES];
	} message = { 0 };
	unsigned int kind = next_byte(in), fd_count = next_byte(in), fd_kind = next_byte(in);
	size_t bytes = next_byte(in) << 2 | kind >> 6;

	fd_count = fd_count & 0x80 ? fd_count % (fd_count & 0x40 ? 3 : MAX_STEP_FDS + 1) : 0;
	switch (kind % 8) {
	case 0:
		do_dma(in, vu, client, memory_fd, kind & 8);
		return;
	case 1:
		bytes = next_bytes(in, message.payload, bytes);
		send_with_fds(client, memory_fd, message.payload, bytes, fd_count, fd_kind);
		return;
	}
	message.header.command = next_byte(in) % 20;
	message.header.flags = next_byte(in) & (FLAG_NO_REPLY | FLAG_ERROR | FLAG_TYPE_REPLY);
	bytes = next_bytes(in, message.payload, bytes);
	if (kind & 4)
		bytes = make_payload_fit(message.header.command, message.payload, bytes);
	if (kind & 8 && message.header.command == COMMAND_DMA_MAP)
		make_map_fit(message.payload);
	if (kind & 8 && message.header.command == COMMAND_DEVICE_SET_IRQS) {
		make_irqs_fit(message.payload, fd_count);
		fd_kind = kind & 0x10 ? fd_kind : ALL_EVENTFDS;
	}
	message.header.message_bytes = sizeof(message.header) + bytes;
	send_with_fds(client, memory_fd, &message, message.header.message_bytes, fd_count, fd_kind);
}

static int lowest_free_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void run(struct input *in, struct device *device)
{
	const struct vfio_user_config config = make_config(device);
	struct vfio_user *vu;
	unsigned int how;
	int sockets[2], steps, err = 0;

	require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets));
	require(!vfio_user_create_connected(&vu, sockets[1], &config, &ops, device));
	how = next_byte(in);
	if (how & 7)
		send_hello(sockets[0]);
	if (how & 8)
		send_map(sockets[0]);
	for (steps = 0; in->bytes && !err && steps < 100; steps++) {
		unsigned int rest = next_byte(in);

		do_step(in, vu, sockets[0], device->memory_fd);
		if (rest & 3) /* now and then, messages pile up */
			err = vfio_user_dispatch(vu);
		require(err == 0 || err == -EPROTO || err == -ECONNRESET);
		if (!(rest & 0x1c)) /* a full socket is rare, but happens */
			continue;
		drain(sockets[0]);
	}
	vfio_user_destroy(vu);
	close(sockets[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input in = { data, bytes };
	struct device device = { 0 };
	int first_fd = lowest_free_fd();
	unsigned int i, j;

	memset(device.eventfds, 0xff, sizeof(device.eventfds));
	device.memory_fd = memfd_create("guest", MFD_CLOEXEC);
	require(!ftruncate(device.memory_fd, MEMORY_BYTES));
	run(&in, &device);
	close(device.memory_fd);
	require(device.maps == 0);
	for (i = 0; i < VFIO_USER_NUM_IRQS; i++)
		for (j = 0; j < 4; j++)
			require(device.eventfds[i][j] == -1);
	require(lowest_free_fd() == first_fd);
	return 0;
}
