// SPDX-License-Identifier: MIT
/*
 * The connection of a vfio-user server: framing, descriptors, dispatch, and its own DMA requests.
 *
 * One buffer receives: a single recvmsg() usually brings a whole request, and a reply is built in
 * place in a second buffer and sent at once, so an access costs two system calls and no allocation.
 * Requests that arrive while the server waits for the reply of its own DMA request simply stay in
 * the receive buffer.
 *
 * The client is not trusted: no size is used before it is checked, descriptors that nobody takes
 * are closed, and a client that breaks the framing is dropped.
 */
#define _GNU_SOURCE /* accept4 */
#include "vfio_user_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * A client that does not empty its socket, or does not answer, is given up after this time. QEMU
 * waits 5 s for a reply (x-msg-timeout), so it is less than that.
 */
#ifndef CLIENT_TIMEOUT_MS /* a fuzzer cannot wait */
#define CLIENT_TIMEOUT_MS 1000
#endif

/*
 * Where the data of DMA_READ replies and DMA_WRITE requests starts in the payload. The protocol
 * says 16, after a 64-bit count. QEMU's VFIOUserDMARW has a 32-bit count and its data right after
 * it, but checks sizes against the padded structure of 16 bytes. QEMU is the client, so its layout
 * is used: a message is as long as the protocol says, with the data 4 bytes early.
 */
#define DMA_DATA_OFFSET 12

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* Waits until the client can be read or written. Returns 0 or -ETIMEDOUT. */
static int wait_client(const struct vfio_user *vu, short events, int64_t deadline_ms)
{
	struct pollfd pfd = { .fd = vu->client_fd, .events = events };
	int64_t left_ms;
	int ready;

	do {
		left_ms = deadline_ms - now_ms();
		if (left_ms < 0)
			return -ETIMEDOUT;
		ready = poll(&pfd, 1, left_ms);
	} while (ready < 0 && errno == EINTR);
	return ready > 0 ? 0 : -ETIMEDOUT;
}

/* ---- sending ---- */

static ssize_t send_some(int client_fd, const void *data, size_t bytes, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd < 0)
		return send(client_fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(client_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Sends a whole message, with fd unless it is -1. An error means that the client is lost. */
static int send_message(struct vfio_user *vu, const void *data, size_t bytes, int fd)
{
	const uint8_t *at = data;
	int64_t deadline_ms = 0;

	while (bytes) {
		ssize_t sent = send_some(vu->client_fd, at, bytes, fd);

		if (sent >= 0) {
			at += sent;
			bytes -= sent;
			fd = -1; /* it went with the first byte */
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return errno == EPIPE ? -ECONNRESET : -errno;
		if (!deadline_ms)
			deadline_ms = now_ms() + CLIENT_TIMEOUT_MS;
		if (wait_client(vu, POLLOUT, deadline_ms))
			return -EPROTO;
	}
	return 0;
}

static int send_reply(struct vfio_user *vu, const struct request *req, int err)
{
	struct header header = {
		.id = req->header.id,
		.command = req->header.command,
		.flags = FLAG_TYPE_REPLY | (err ? FLAG_ERROR : 0),
		.error = -err,
	};

	if (req->header.flags & FLAG_NO_REPLY)
		return 0;
	if (err) { /* an error reply is a header only */
		vu->reply_bytes = 0;
		vu->reply_fd = -1;
	}
	header.message_bytes = sizeof(header) + vu->reply_bytes;
	memcpy(vu->tx, &header, sizeof(header));
	return send_message(vu, vu->tx, header.message_bytes, vu->reply_fd);
}

/* Moves the descriptors of the message that ends before rx[end] to fds. */
static int take_message_fds(struct vfio_user *vu, size_t end, int *fds, unsigned int *num_fds)
{
	unsigned int i, taken = 0;

	while (taken < vu->num_rx_fds && vu->rx_fds[taken].position < end)
		taken++;
	for (i = 0; i < taken; i++) {
		if (i < MAX_MESSAGE_FDS)
			fds[i] = vu->rx_fds[i].fd;
		else
			close(vu->rx_fds[i].fd);
	}
	vu->num_rx_fds -= taken;
	memmove(vu->rx_fds, vu->rx_fds + taken, vu->num_rx_fds * sizeof(vu->rx_fds[0]));
	*num_fds = taken < MAX_MESSAGE_FDS ? taken : MAX_MESSAGE_FDS;
	return taken > MAX_MESSAGE_FDS ? -EPROTO : 0;
}

static void close_fds(const int *fds, unsigned int num_fds)
{
	unsigned int i;

	for (i = 0; i < num_fds; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

/*
 * Looks at the message that starts at rx[at]. Returns 1 if it is there completely, 0 if bytes are
 * missing, -EPROTO if it cannot be a message (where the next one starts is then unknown).
 */
static int peek_message(const struct vfio_user *vu, size_t at, struct header *header)
{
	if (vu->rx_end - at < sizeof(*header))
		return 0;
	memcpy(header, vu->rx + at, sizeof(*header));
	if (header->message_bytes < sizeof(*header) || header->message_bytes > MAX_MESSAGE_BYTES)
		return -EPROTO;
	if ((header->flags & FLAG_TYPE_MASK) > FLAG_TYPE_REPLY)
		return -EPROTO;
	return vu->rx_end - at >= header->message_bytes;
}

/* The reply of a DMA request that was given up. Any other reply was not asked for. */
static int drop_late_reply(struct vfio_user *vu, const struct header *header)
{
	if (!vu->abandoned_dma ||
	    (header->command != COMMAND_DMA_READ && header->command != COMMAND_DMA_WRITE))
		return -EPROTO;
	vu->abandoned_dma--;
	return 0;
}

/* Handles the complete message at rx_start. Returns 0, or why the client has to go. */
static int handle_message(struct vfio_user *vu, const struct header *header)
{
	struct request req = { .header = *header };
	int err;

	req.payload = vu->rx + vu->rx_start + sizeof(*header);
	req.payload_bytes = header->message_bytes - sizeof(*header);
	vu->rx_start += header->message_bytes;
	err = take_message_fds(vu, vu->rx_start, req.fds, &req.num_fds);
	if (!err && (header->flags & FLAG_TYPE_MASK) == FLAG_TYPE_REPLY) {
		err = drop_late_reply(vu, header);
	} else if (!err && !vu->negotiated && header->command != COMMAND_VERSION) {
		err = -EPROTO;
	} else if (!err) {
		vu->reply_bytes = 0;
		vu->reply_fd = -1;
		vu->in_callback = true;
		err = send_reply(vu, &req, vfio_user_handle_request(vu, &req));
		vu->in_callback = false;
		if (!err && !vu->negotiated) /* the version was refused */
			err = -EPROTO;
	}
	close_fds(req.fds, req.num_fds);
	return err;
}

/* Makes room at the end of rx by moving what is left to its start. */
static void compact(struct vfio_user *vu)
{
	unsigned int i;

	if (!vu->rx_start)
		return;
	memmove(vu->rx, vu->rx + vu->rx_start, vu->rx_end - vu->rx_start);
	for (i = 0; i < vu->num_rx_fds; i++)
		vu->rx_fds[i].position -= vu->rx_start;
	vu->rx_end -= vu->rx_start;
	vu->rx_start = 0;
}

static int handle_received(struct vfio_user *vu)
{
	struct header header;
	int ret;

	while ((ret = peek_message(vu, vu->rx_start, &header)) > 0) {
		ret = handle_message(vu, &header);
		if (ret)
			return ret;
	}
	compact(vu);
	return ret;
}

/* ---- receiving ---- */

static int collect_fds(struct vfio_user *vu, struct msghdr *msg, size_t position)
{
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t count, i;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			struct received_fd *to = &vu->rx_fds[vu->num_rx_fds++];

			memcpy(&to->fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			to->position = position;
		}
	}
	/* More than max_msg_fds; the kernel has closed those that did not fit. */
	return msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
}

/*
 * Receives once, without waiting. The kernel ends a recvmsg() behind the data that descriptors
 * were sent with (unix_stream_read_generic), so they belong to the last message received.
 */
static int receive(struct vfio_user *vu)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(MAX_MESSAGE_FDS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = vu->rx + vu->rx_end, .iov_len = RX_BYTES - vu->rx_end };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t bytes;

	if (!iov.iov_len || vu->num_rx_fds + MAX_MESSAGE_FDS > MAX_RECEIVED_FDS)
		return -ENOBUFS;
	bytes = recvmsg(vu->client_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (bytes < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
	if (!bytes)
		return -ECONNRESET;
	vu->rx_end += bytes;
	return msg.msg_controllen ? collect_fds(vu, &msg, vu->rx_end - 1) : 0;
}

/* ---- DMA through the client ---- */

/* Takes the message rx[at, at + bytes) out of the buffer and closes its descriptors. */
static void remove_message(struct vfio_user *vu, size_t at, size_t bytes)
{
	size_t end = at + bytes;
	unsigned int i, kept = 0;

	for (i = 0; i < vu->num_rx_fds; i++) {
		struct received_fd fd = vu->rx_fds[i];

		if (fd.position >= at && fd.position < end) {
			close(fd.fd);
			continue;
		}
		if (fd.position >= end)
			fd.position -= bytes;
		vu->rx_fds[kept++] = fd;
	}
	vu->num_rx_fds = kept;
	memmove(vu->rx + at, vu->rx + end, vu->rx_end - end);
	vu->rx_end -= bytes;
}

/*
 * Looks for the reply to sent from rx[*at] on and moves *at past the requests before it. Returns
 * 1 if rx[*at] is the reply, 0 if it has not arrived, or -EPROTO.
 */
static int find_reply(struct vfio_user *vu, size_t *at, const struct header *sent,
		      struct header *reply)
{
	int ret;

	while ((ret = peek_message(vu, *at, reply)) > 0) {
		if ((reply->flags & FLAG_TYPE_MASK) == FLAG_TYPE_REQUEST) {
			*at += reply->message_bytes;
			continue;
		}
		if (reply->id == sent->id && reply->command == sent->command)
			return 1;
		ret = drop_late_reply(vu, reply);
		if (ret)
			return ret;
		remove_message(vu, *at, reply->message_bytes);
	}
	return ret;
}

static int wait_reply(struct vfio_user *vu, const struct header *sent, size_t *at,
		      struct header *reply)
{
	int64_t deadline_ms = now_ms() + CLIENT_TIMEOUT_MS;
	int ret;

	*at = vu->rx_start;
	while (!(ret = find_reply(vu, at, sent, reply))) {
		ret = wait_client(vu, POLLIN, deadline_ms);
		if (!ret)
			ret = receive(vu);
		if (ret)
			break;
	}
	if (ret == -ETIMEDOUT || ret == -ENOBUFS)
		vu->abandoned_dma++;
	else if (ret < 0)
		vu->failure = ret;
	return ret < 0 ? ret : 0;
}

static int check_reply(const struct header *reply, uint32_t payload_bytes)
{
	if (reply->flags & FLAG_ERROR)
		return reply->error && reply->error < 4096 ? -(int)reply->error : -EIO;
	if (reply->message_bytes - sizeof(*reply) < payload_bytes)
		return -EIO;
	return 0;
}

/* One DMA_READ (data is read into) or DMA_WRITE (data is written from) of at most a chunk. */
static int dma_chunk(struct vfio_user *vu, uint16_t command, uint64_t iova, void *data,
		     uint32_t bytes)
{
	bool write = command == COMMAND_DMA_WRITE;
	struct dma_access access = { iova, bytes };
	struct header header = {
		.id = vu->next_dma_id++,
		.command = command,
		.message_bytes = sizeof(header) + sizeof(access) + (write ? bytes : 0),
	};
	uint8_t *payload = vu->tx + sizeof(header);
	struct header reply;
	size_t at;
	int err;

	memcpy(vu->tx, &header, sizeof(header));
	memcpy(payload, &access, sizeof(access));
	if (write) {
		memcpy(payload + DMA_DATA_OFFSET, data, bytes);
		memset(payload + DMA_DATA_OFFSET + bytes, 0, sizeof(access) - DMA_DATA_OFFSET);
	}
	err = send_message(vu, vu->tx, header.message_bytes, -1);
	if (err) {
		vu->failure = err;
		return err;
	}
	err = wait_reply(vu, &header, &at, &reply);
	if (err)
		return err;
	err = check_reply(&reply, write ? 0 : DMA_DATA_OFFSET + bytes);
	if (!err && !write)
		memcpy(data, vu->rx + at + sizeof(reply) + DMA_DATA_OFFSET, bytes);
	remove_message(vu, at, reply.message_bytes);
	return err;
}

static bool is_mapped(const struct vfio_user *vu, uint64_t iova, uint32_t bytes)
{
	size_t i;

	for (i = 0; i < vu->num_ranges; i++) {
		const struct dma_range *range = &vu->ranges[i];

		if (iova >= range->iova && iova - range->iova < range->bytes &&
		    bytes <= range->bytes - (iova - range->iova))
			return true;
	}
	return false;
}

static int dma(struct vfio_user *vu, uint16_t command, uint64_t iova, uint8_t *data, uint32_t bytes)
{
	int err = 0;

	if (vu->in_callback)
		return -EDEADLK;
	if (vu->client_fd < 0 || !vu->negotiated)
		return -ENOTCONN;
	if (vu->failure)
		return vu->failure;
	if (!is_mapped(vu, iova, bytes))
		return -EFAULT;
	while (bytes && !err) {
		uint32_t chunk = bytes < vu->dma_chunk_bytes ? bytes : vu->dma_chunk_bytes;

		err = dma_chunk(vu, command, iova, data, chunk);
		iova += chunk;
		data += chunk;
		bytes -= chunk;
	}
	return err;
}

int vfio_user_dma_read(struct vfio_user *vu, uint64_t iova, void *data, uint32_t bytes)
{
	return dma(vu, COMMAND_DMA_READ, iova, data, bytes);
}

int vfio_user_dma_write(struct vfio_user *vu, uint64_t iova, const void *data, uint32_t bytes)
{
	return dma(vu, COMMAND_DMA_WRITE, iova, (void *)data, bytes);
}

/* ---- connection ---- */

static void disconnect(struct vfio_user *vu)
{
	unsigned int i;

	vu->in_callback = true;
	vfio_user_take_back(vu);
	vu->in_callback = false;
	for (i = 0; i < vu->num_rx_fds; i++)
		close(vu->rx_fds[i].fd);
	if (vu->client_fd >= 0)
		close(vu->client_fd);
	vu->client_fd = -1;
	vu->num_rx_fds = 0;
	vu->rx_start = 0;
	vu->rx_end = 0;
	vu->negotiated = false;
	vu->failure = 0;
	vu->abandoned_dma = 0;
}

static int accept_client(struct vfio_user *vu)
{
	int fd = accept4(vu->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return 0;
		return -errno;
	}
	vu->client_fd = fd;
	return 0;
}

int vfio_user_dispatch(struct vfio_user *vu)
{
	int err;

	if (vu->client_fd < 0)
		return vu->listen_fd < 0 ? -ENOTCONN : accept_client(vu);
	err = vu->failure;
	if (!err)
		err = handle_received(vu); /* what a DMA request left behind */
	if (!err)
		err = receive(vu);
	if (!err)
		err = handle_received(vu);
	if (!err)
		return 0;
	disconnect(vu);
	return err == -ECONNRESET ? err : -EPROTO;
}

int vfio_user_poll_fd(const struct vfio_user *vu)
{
	struct header header;

	/* A DMA request has left messages here, which the socket does not tell of any more. */
	if (vu->failure || peek_message(vu, vu->rx_start, &header))
		return vu->kept_fd;
	return vu->client_fd >= 0 ? vu->client_fd : vu->listen_fd;
}

bool vfio_user_connected(const struct vfio_user *vu)
{
	return vu->client_fd >= 0;
}

static int allocate_vectors(struct vfio_user *vu)
{
	unsigned int index, i;

	for (index = 0; index < VFIO_USER_NUM_IRQS; index++) {
		unsigned int count = vu->config.irq_count[index];

		vu->eventfds[index] = calloc(count ? count : 1, sizeof(int));
		if (!vu->eventfds[index])
			return -ENOMEM;
		for (i = 0; i < count; i++)
			vu->eventfds[index][i] = -1;
	}
	return 0;
}

static int allocate(struct vfio_user **out, const struct vfio_user_config *config,
		    const struct vfio_user_ops *ops, void *opaque)
{
	struct vfio_user *vu = calloc(1, sizeof(*vu));

	if (!vu)
		return -ENOMEM;
	vu->listen_fd = -1;
	vu->client_fd = -1;
	vu->config = *config;
	vu->ops = *ops;
	vu->opaque = opaque;
	vu->kept_fd = eventfd(1, EFD_CLOEXEC);
	vu->rx = malloc(RX_BYTES);
	vu->tx = malloc(MAX_MESSAGE_BYTES);
	if (vu->kept_fd < 0 || !vu->rx || !vu->tx || allocate_vectors(vu)) {
		vfio_user_destroy(vu);
		return -ENOMEM;
	}
	*out = vu;
	return 0;
}

static int listen_at(struct vfio_user *vu, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode) && unlink(path))
		return -errno;
	vu->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (vu->listen_fd < 0 || bind(vu->listen_fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	strcpy(vu->path, path); /* from here on it is ours to remove */
	return listen(vu->listen_fd, 1) ? -errno : 0;
}

int vfio_user_create(struct vfio_user **out, const char *path,
		     const struct vfio_user_config *config, const struct vfio_user_ops *ops,
		     void *opaque)
{
	struct vfio_user *vu;
	int err = allocate(&vu, config, ops, opaque);

	if (err)
		return err;
	err = listen_at(vu, path);
	if (err) {
		vfio_user_destroy(vu);
		return err;
	}
	*out = vu;
	return 0;
}

int vfio_user_create_connected(struct vfio_user **out, int fd,
			       const struct vfio_user_config *config,
			       const struct vfio_user_ops *ops, void *opaque)
{
	int err = allocate(out, config, ops, opaque);

	if (!err)
		(*out)->client_fd = fd;
	return err;
}

void vfio_user_destroy(struct vfio_user *vu)
{
	unsigned int index;

	if (!vu)
		return;
	disconnect(vu);
	if (vu->listen_fd >= 0)
		close(vu->listen_fd);
	if (vu->path[0])
		unlink(vu->path);
	if (vu->kept_fd >= 0)
		close(vu->kept_fd);
	for (index = 0; index < VFIO_USER_NUM_IRQS; index++)
		free(vu->eventfds[index]);
	free(vu->ranges);
	free(vu->rx);
	free(vu->tx);
	free(vu);
}
