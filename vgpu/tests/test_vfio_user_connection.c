// SPDX-License-Identifier: MIT
/* The connection of a vfio-user server: framing, a client that misbehaves or leaves, DMA. */
#include "vfio_user_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- framing ---- */

static void commands_without_meaning_are_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[40] = { 0 };

	assert_int_equal(call(f, COMMAND_DEVICE_GET_REGION_IO_FDS, payload, 16, NULL, 0), ENOTSUP);
	assert_int_equal(call(f, COMMAND_DIRTY_PAGES, payload, 8, NULL, 0), ENOTSUP);
	assert_int_equal(call(f, COMMAND_DEVICE_FEATURE, payload, 40, NULL, 0), ENOTTY);
	assert_int_equal(call(f, COMMAND_DMA_READ, payload, 16, NULL, 0), ENOTSUP);
	assert_int_equal(call(f, 0, NULL, 0, NULL, 0), ENOTSUP);
	assert_int_equal(call(f, 0xffff, NULL, 0, NULL, 0), ENOTSUP);
}

static void payloads_of_a_wrong_length_are_refused(void **state)
{
	static const struct {
		uint16_t command;
		uint32_t bytes;
	} fixed[] = {
		{ COMMAND_DMA_MAP, 32 },
		{ COMMAND_DMA_UNMAP, 24 },
		{ COMMAND_DEVICE_GET_INFO, 16 },
		{ COMMAND_DEVICE_GET_REGION_INFO, 32 },
		{ COMMAND_DEVICE_GET_IRQ_INFO, 16 },
		{ COMMAND_REGION_READ, 16 },
	};
	struct fixture *f = *state;
	uint8_t payload[64];
	size_t i;

	memset(payload, 0xff, sizeof(payload));
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		assert_int_equal(call(f, fixed[i].command, payload, fixed[i].bytes - 1, NULL, 0),
				 EINVAL);
		assert_int_equal(call(f, fixed[i].command, payload, fixed[i].bytes + 1, NULL, 0),
				 EINVAL);
		assert_int_equal(call(f, fixed[i].command, NULL, 0, NULL, 0), EINVAL);
	}
	assert_int_equal(call(f, COMMAND_DEVICE_SET_IRQS, payload, 19, NULL, 0), EINVAL);
	assert_int_equal(call(f, COMMAND_REGION_WRITE, payload, 15, NULL, 0), EINVAL);
	assert_int_equal(call(f, COMMAND_REGION_WRITE_MULTI, payload, 7, NULL, 0), EINVAL);
	assert_int_equal(call(f, COMMAND_DEVICE_RESET, payload, 1, NULL, 0), EINVAL);
	assert_int_equal(f->resets, 0);
}

static void descriptors_nobody_asked_for_are_closed(void **state)
{
	const struct region_access access = { 0, REGISTER_REGION, 4 };
	struct fixture *f = *state;
	int fds[2] = { f->memory_fd, f->memory_fd };

	assert_int_equal(call_fds(f, COMMAND_REGION_READ, &access, sizeof(access), fds, 2), EINVAL);
	assert_int_equal(call_fds(f, 77, NULL, 0, fds, 2), ENOTSUP);
}

/* The half message at the end moves to the start of the buffer when the others are done. */
static void descriptors_stay_with_their_message(void **state)
{
	const struct dma_map request = {
		.argsz = sizeof(request),
		.flags = 1,
		.iova = 0x1000,
		.bytes = 0x1000,
	};
	struct fixture *f = *state;
	uint8_t message[sizeof(struct header) + sizeof(request)];
	size_t bytes = make_message(message, COMMAND_DMA_MAP, 0, &request, sizeof(request));
	unsigned int i;

	for (i = 0; i < 10; i++)
		post(f, COMMAND_DEVICE_RESET, 0, NULL, 0, NULL, 0);
	send_fds(f->client, message, 20, &f->memory_fd, 1);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	assert_int_equal(f->resets, 10);
	assert_int_equal(f->maps, 0);
	send_fds(f->client, message + 20, bytes - 20, NULL, 0);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	assert_int_equal(f->maps_with_fd, 1);
}

static void too_many_descriptors_end_the_connection(void **state)
{
	struct fixture *f = *state;
	int fds[20];
	unsigned int i;

	for (i = 0; i < 20; i++)
		fds[i] = f->memory_fd;
	post(f, COMMAND_DEVICE_RESET, 0, NULL, 0, fds, MAX_MESSAGE_FDS + 1);
	assert_dropped(f, -EPROTO);
}

/* Eight with each byte of a message that never ends. */
static void descriptors_cannot_be_hoarded(void **state)
{
	struct fixture *f = *state;
	int fds[MAX_MESSAGE_FDS];
	int err = 0, i;

	for (i = 0; i < MAX_MESSAGE_FDS; i++)
		fds[i] = f->memory_fd;
	for (i = 0; i < 12 && !err; i++) {
		send_fds(f->client, "\4", 1, fds, MAX_MESSAGE_FDS);
		err = vfio_user_dispatch(f->vu);
	}
	assert_int_equal(err, -EPROTO);
}

static void send_header(struct fixture *f, uint32_t message_bytes, uint32_t flags)
{
	const struct header header = {
		.command = COMMAND_DEVICE_RESET,
		.message_bytes = message_bytes,
		.flags = flags,
	};

	send_fds(f->client, &header, sizeof(header), NULL, 0);
}

static void a_message_shorter_than_its_header_ends_the_connection(void **state)
{
	send_header(*state, 15, 0);
	assert_dropped(*state, -EPROTO);
}

static void a_message_longer_than_agreed_ends_the_connection(void **state)
{
	send_header(*state, MAX_MESSAGE_BYTES + 1, 0);
	assert_dropped(*state, -EPROTO);
}

static void an_unknown_type_ends_the_connection(void **state)
{
	send_header(*state, sizeof(struct header), 2);
	assert_dropped(*state, -EPROTO);
}

static void a_reply_nobody_waits_for_ends_the_connection(void **state)
{
	send_header(*state, sizeof(struct header), FLAG_TYPE_REPLY);
	assert_dropped(*state, -EPROTO);
}

static void the_longest_message_is_accepted(void **state)
{
	static uint8_t message[MAX_MESSAGE_BYTES];
	const struct region_access access = { 0, MMAP_REGION, MAX_TRANSFER_BYTES };
	struct fixture *f = *state;
	size_t bytes, sent = 0;

	memcpy(message + sizeof(struct header), &access, sizeof(access));
	bytes = make_message(message, COMMAND_REGION_WRITE, 0, message + sizeof(struct header),
			     sizeof(message) - sizeof(struct header));
	while (sent < bytes) {
		ssize_t ret = send(f->client, message + sent, bytes - sent, MSG_DONTWAIT);

		assert_true(ret > 0 || errno == EAGAIN);
		sent += ret > 0 ? ret : 0;
		assert_int_equal(vfio_user_dispatch(f->vu), 0);
	}
	/* Longer than the region, but the server is still in step. */
	assert_int_equal(get_reply(f, COMMAND_REGION_WRITE, NULL, 0, NULL), EINVAL);
	assert_int_equal(read_at(f, REGISTER_REGION, 0, 4), 0);
}

static void reset_reaches_the_device(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(call(f, COMMAND_DEVICE_RESET, NULL, 0, NULL, 0), 0);
	assert_int_equal(f->resets, 1);
}

/* ---- the end of a connection ---- */

static void a_client_that_leaves_takes_everything_along(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct fixture *f = *state;

	assert_int_equal(map(f, 0x1000, 0x1000, f->memory_fd, 0), 0);
	assert_int_equal(map(f, 0x2000, 0x1000, -1, 0), 0);
	assert_int_equal(set_irqs(f, SET_EVENTFD, 1, 1, &fd, 1), 0);
	close(fd);
	send_fds(f->client, "\1\2\3", 3, &f->memory_fd, 1); /* half a message */
	replace_fd(&f->client, -1);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	assert_dropped(f, -ECONNRESET);
	assert_int_equal(f->unmaps, 2);
	assert_int_equal(f->eventfds[1], -1);
}

/* The socket of a client that only sends fills up with replies. */
static void a_client_that_does_not_listen_is_dropped(void **state)
{
	const struct region_access access = { 0, REGISTER_REGION, 0x8000 };
	uint8_t message[sizeof(struct header) + sizeof(access)];
	struct fixture *f = *state;
	size_t bytes = make_message(message, COMMAND_REGION_READ, 0, &access, sizeof(access));
	int err = 0, i;

	for (i = 0; i < 1000 && !err; i++) {
		send_fds(f->client, message, bytes, NULL, 0);
		err = vfio_user_dispatch(f->vu);
	}
	assert_int_equal(err, -EPROTO);
}

static void the_server_listens_again(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fixture f = { .map_fd = -1, .eventfds = { -1, -1 } };
	const struct vfio_user_config config = make_config(-1);
	int i;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test_vfio_user.%d", getpid());
	assert_int_equal(vfio_user_create(&f.vu, address.sun_path, &config, &fixture_ops, &f), 0);
	vfio_user_destroy(f.vu);
	assert_int_equal(access(address.sun_path, F_OK), -1);
	assert_int_equal(vfio_user_create(&f.vu, address.sun_path, &config, &fixture_ops, &f), 0);
	assert_int_equal(vfio_user_dispatch(f.vu), 0); /* nobody there */
	for (i = 0; i < 3; i++) {
		f.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(f.client, (struct sockaddr *)&address, sizeof(address)),
				 0);
		assert_int_equal(vfio_user_dispatch(f.vu), 0);
		assert_true(vfio_user_connected(f.vu));
		negotiate(&f);
		assert_int_equal(map(&f, 0, 0x1000, -1, 0), 0);
		close(f.client);
		assert_int_equal(vfio_user_dispatch(f.vu), -ECONNRESET);
		assert_int_equal(f.unmaps, i + 1);
	}
	vfio_user_destroy(f.vu);
}

static void a_path_that_is_no_socket_is_left_alone(void **state)
{
	const struct vfio_user_config config = make_config(-1);
	struct vfio_user *vu;
	char path[200] = "/tmp/test_vfio_user.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(vfio_user_create(&vu, path, &config, &fixture_ops, NULL), -EADDRINUSE);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	close(fd);
	memset(path, 'x', sizeof(path) - 1);
	assert_int_equal(vfio_user_create(&vu, path, &config, &fixture_ops, NULL), -ENAMETOOLONG);
}

/* ---- DMA through the client ---- */

static bool is_readable(const struct vfio_user *vu)
{
	struct pollfd pfd = { .fd = vfio_user_poll_fd(vu), .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

/* Sends the reply before it is asked for; the ids of the server count from 0. */
static void send_dma_reply(struct fixture *f, uint16_t id, uint16_t command, uint32_t error,
			   const void *data, uint32_t bytes)
{
	struct {
		struct header header;
		uint64_t iova;
		uint32_t count;
		uint8_t data[64];
	} reply = { .header = {
			    .id = id,
			    .command = command,
			    .flags = FLAG_TYPE_REPLY | (error ? FLAG_ERROR : 0),
			    .error = error,
			    .message_bytes = sizeof(struct header) + (bytes ? 16 + bytes : 0),
		    } };

	if (bytes)
		memcpy(reply.data, data, bytes);
	send_fds(f->client, &reply, reply.header.message_bytes, NULL, 0);
}

static void dma_reads_through_the_client(void **state)
{
	struct {
		struct header header;
		struct dma_access access;
	} request;
	struct fixture *f = *state;
	char data[8];

	assert_int_equal(map(f, 0x1000, 0x1000, -1, 0), 0);
	send_dma_reply(f, 0, COMMAND_DMA_READ, 0, "abcdefgh", 8);
	assert_int_equal(vfio_user_dma_read(f->vu, 0x1ff8, data, 8), 0);
	assert_memory_equal(data, "abcdefgh", 8);
	assert_int_equal(recv(f->client, &request, sizeof(request), MSG_DONTWAIT), sizeof(request));
	assert_int_equal(request.header.command, COMMAND_DMA_READ);
	assert_int_equal(request.header.message_bytes, sizeof(request));
	assert_int_equal(request.header.flags, 0);
	assert_int_equal(request.access.iova, 0x1ff8);
	assert_int_equal(request.access.bytes, 8);
	assert_false(is_readable(f->vu));
	send_dma_reply(f, 1, COMMAND_DMA_READ, EFAULT, NULL, 0);
	assert_int_equal(vfio_user_dma_read(f->vu, 0x1000, data, 8), -EFAULT);
	send_dma_reply(f, 2, COMMAND_DMA_READ, 0, data, 4); /* too short */
	assert_int_equal(vfio_user_dma_read(f->vu, 0x1000, data, 12), -EIO);
}

/* QEMU looks for the data right behind a 32-bit count, and for 16 bytes besides the data. */
static void dma_writes_through_the_client(void **state)
{
	struct fixture *f = *state;
	uint8_t request[64];

	assert_int_equal(map(f, 0x1000, 0x1000, -1, 0), 0);
	send_dma_reply(f, 0, COMMAND_DMA_WRITE, 0, NULL, 0);
	assert_int_equal(vfio_user_dma_write(f->vu, 0x1000, "abcdefgh", 8), 0);
	assert_int_equal(recv(f->client, request, sizeof(request), MSG_DONTWAIT), 16 + 16 + 8);
	assert_memory_equal(request + 16 + 12, "abcdefgh", 8);
}

static void long_dma_is_split(void **state)
{
	static uint8_t data[3 * 4096];
	struct fixture *f = *state;
	uint8_t request[3 * (4096 + 32)];
	unsigned int id;

	/* 4096 is the max_data_xfer_size that the client gave. */
	assert_int_equal(map(f, 0, 0x10000, -1, 0), 0);
	for (id = 0; id < 3; id++)
		send_dma_reply(f, id, COMMAND_DMA_WRITE, 0, NULL, 0);
	/* The second and third reply are early: they are kept until they are asked for. */
	assert_int_equal(vfio_user_dma_write(f->vu, 0x800, data, sizeof(data)), 0);
	assert_int_equal(recv(f->client, request, sizeof(request), MSG_DONTWAIT), sizeof(request));
}

static void requests_during_dma_are_kept(void **state)
{
	const struct region_access access = { 0x30, REGISTER_REGION, 4 };
	const struct dma_map second = {
		.argsz = sizeof(second),
		.flags = 1,
		.iova = 0x100000,
		.bytes = 0x1000,
	};
	struct dma_map third = second;
	uint8_t request[32];
	struct fixture *f = *state;
	char data[4];

	third.iova += third.bytes;
	assert_int_equal(map(f, 0x1000, 0x1000, -1, 0), 0);
	post(f, COMMAND_DMA_MAP, 0, &second, sizeof(second), &f->memory_fd, 1);
	send_dma_reply(f, 0, COMMAND_DMA_READ, 0, "wxyz", 4);
	post(f, COMMAND_REGION_READ, 0, &access, sizeof(access), NULL, 0);
	post(f, COMMAND_DMA_MAP, 0, &third, sizeof(third), &f->memory_fd, 1);
	assert_int_equal(vfio_user_dma_read(f->vu, 0x1000, data, 4), 0);
	assert_memory_equal(data, "wxyz", 4);
	assert_int_equal(recv(f->client, request, 32, MSG_DONTWAIT), 32);
	assert_int_equal(f->maps, 1);
	assert_true(is_readable(f->vu));
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	assert_int_equal(f->maps, 3);
	assert_int_equal(f->maps_with_fd, 2);
	assert_int_equal(f->reads, 1);
	assert_false(is_readable(f->vu));
}

static void dma_has_its_conditions(void **state)
{
	struct fixture *f = *state;
	char data[8];

	assert_int_equal(vfio_user_dma_read(f->vu, 0x1000, data, 8), -EFAULT);
	assert_int_equal(map(f, 0x1000, 0x1000, -1, 0), 0);
	assert_int_equal(vfio_user_dma_read(f->vu, 0x1ff9, data, 8), -EFAULT);
	assert_int_equal(vfio_user_dma_write(f->vu, 0xfff, data, 1), -EFAULT);
	assert_int_equal(read_at(f, REGISTER_REGION, 0, 4), 0);
	assert_int_equal(f->dma_in_callback, -EDEADLK);
	replace_fd(&f->client, -1);
	assert_int_equal(vfio_user_dma_read(f->vu, 0x1000, data, 8), -ECONNRESET);
	assert_true(is_readable(f->vu));
	assert_int_equal(f->unmaps, 0); /* that is left to dispatch */
	assert_dropped(f, -ECONNRESET);
	assert_int_equal(vfio_user_dma_read(f->vu, 0x1000, data, 8), -ENOTCONN);
}

static void a_late_dma_reply_is_thrown_away(void **state)
{
	struct fixture *f = *state;
	char data[4];

	assert_int_equal(map(f, 0x1000, 0x1000, -1, 0), 0);
	assert_int_equal(vfio_user_dma_read(f->vu, 0x1000, data, 4), -ETIMEDOUT);
	send_dma_reply(f, 0, COMMAND_DMA_READ, 0, "late", 4);
	send_dma_reply(f, 1, COMMAND_DMA_READ, 0, "good", 4);
	assert_int_equal(vfio_user_dma_read(f->vu, 0x1000, data, 4), 0);
	assert_memory_equal(data, "good", 4);
	send_dma_reply(f, 1, COMMAND_DMA_READ, 0, "more", 4);
	assert_dropped(f, -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(commands_without_meaning_are_refused),
		T(payloads_of_a_wrong_length_are_refused),
		T(descriptors_nobody_asked_for_are_closed),
		T(descriptors_stay_with_their_message),
		T(too_many_descriptors_end_the_connection),
		T(descriptors_cannot_be_hoarded),
		T(a_message_shorter_than_its_header_ends_the_connection),
		T(a_message_longer_than_agreed_ends_the_connection),
		T(an_unknown_type_ends_the_connection),
		T(a_reply_nobody_waits_for_ends_the_connection),
		T(the_longest_message_is_accepted),
		T(reset_reaches_the_device),
		T(a_client_that_leaves_takes_everything_along),
		T(a_client_that_does_not_listen_is_dropped),
		cmocka_unit_test(the_server_listens_again),
		cmocka_unit_test(a_path_that_is_no_socket_is_left_alone),
		T(dma_reads_through_the_client),
		T(dma_writes_through_the_client),
		T(long_dma_is_split),
		T(requests_during_dma_are_kept),
		T(dma_has_its_conditions),
		T(a_late_dma_reply_is_thrown_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
