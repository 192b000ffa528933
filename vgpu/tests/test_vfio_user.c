// SPDX-License-Identifier: MIT
/* What a vfio-user request does: every one of them, well formed and not. */
#define _GNU_SOURCE /* pipe2 */
#include "vfio_user_client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- version ---- */

static void version_must_come_first(void **state)
{
	post(*state, COMMAND_DEVICE_RESET, 0, NULL, 0, NULL, 0);
	assert_dropped(*state, -EPROTO);
}

static void version_without_capabilities_is_accepted(void **state)
{
	const struct version version = { 0, 7 };
	struct fixture *f = *state;
	uint8_t reply[1024];
	struct version answer;

	post(f, COMMAND_VERSION, 0, &version, sizeof(version), NULL, 0);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	assert_true(recv(f->client, reply, sizeof(reply), MSG_DONTWAIT) > 20);
	memcpy(&answer, reply + sizeof(struct header), sizeof(answer));
	assert_int_equal(answer.major, 0);
	assert_int_equal(answer.minor, 0);
}

static void another_major_version_is_refused(void **state)
{
	const struct version version = { 1, 0 };
	struct fixture *f = *state;

	post(f, COMMAND_VERSION, 0, &version, sizeof(version), NULL, 0);
	assert_int_equal(vfio_user_dispatch(f->vu), -EPROTO);
	assert_int_equal(get_reply(f, COMMAND_VERSION, NULL, 0, NULL), EPROTONOSUPPORT);
}

static void capabilities_must_be_a_string(void **state)
{
	struct fixture *f = *state;

	post(f, COMMAND_VERSION, 0, "\0\0\0\0{}", 6, NULL, 0);
	assert_int_equal(vfio_user_dispatch(f->vu), -EPROTO);
	assert_int_equal(get_reply(f, COMMAND_VERSION, NULL, 0, NULL), EINVAL);
}

static void version_comes_once(void **state)
{
	const struct version version = { 0, 0 };

	assert_int_equal(call(*state, COMMAND_VERSION, &version, sizeof(version), NULL, 0), EINVAL);
	assert_true(vfio_user_connected(((struct fixture *)*state)->vu));
}

/* ---- information ---- */

static void device_info_describes_a_pci_device(void **state)
{
	struct device_info info = { .argsz = sizeof(info) };

	assert_int_equal(
		call(*state, COMMAND_DEVICE_GET_INFO, &info, sizeof(info), &info, sizeof(info)), 0);
	assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	assert_int_equal(info.num_regions, 9);
	assert_int_equal(info.num_irqs, 5);
	info.argsz = sizeof(info) - 1;
	assert_int_equal(call(*state, COMMAND_DEVICE_GET_INFO, &info, sizeof(info), NULL, 0),
			 EINVAL);
}

static void check_region(struct fixture *f, uint32_t index, uint32_t flags, uint64_t bytes)
{
	struct region_info info = { .argsz = sizeof(info), .index = index };
	int fd;

	post(f, COMMAND_DEVICE_GET_REGION_INFO, 0, &info, sizeof(info), NULL, 0);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	assert_int_equal(get_reply(f, COMMAND_DEVICE_GET_REGION_INFO, &info, sizeof(info), &fd), 0);
	assert_int_equal(info.argsz, sizeof(info));
	assert_int_equal(info.flags, flags);
	assert_int_equal(info.index, index);
	assert_int_equal(info.bytes, bytes);
	assert_int_equal(info.fd_offset, 0);
	assert_int_equal(fd >= 0, !!(flags & VFIO_REGION_INFO_FLAG_MMAP));
	if (fd >= 0)
		close(fd);
}

static void region_info_describes_each_region(void **state)
{
	struct region_info info = { .argsz = sizeof(info), .index = VFIO_USER_NUM_REGIONS };
	const uint32_t rw = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

	check_region(*state, MMAP_REGION, rw | VFIO_REGION_INFO_FLAG_MMAP, GUEST_BYTES);
	check_region(*state, 1, 0, 0);
	check_region(*state, REGISTER_REGION, rw, REGISTER_BYTES);
	check_region(*state, ROM_REGION, VFIO_REGION_INFO_FLAG_READ, ROM_BYTES);
	assert_int_equal(call(*state, COMMAND_DEVICE_GET_REGION_INFO, &info, sizeof(info), NULL, 0),
			 EINVAL);
}

static void irq_info_describes_each_index(void **state)
{
	struct irq_info info = { .argsz = sizeof(info), .index = MSI };

	assert_int_equal(
		call(*state, COMMAND_DEVICE_GET_IRQ_INFO, &info, sizeof(info), &info, sizeof(info)),
		0);
	assert_int_equal(info.count, MSI_VECTORS);
	assert_int_equal(info.flags, VFIO_IRQ_INFO_EVENTFD);
	info.index = 0;
	assert_int_equal(
		call(*state, COMMAND_DEVICE_GET_IRQ_INFO, &info, sizeof(info), &info, sizeof(info)),
		0);
	assert_int_equal(info.count, 0);
	info.index = VFIO_USER_NUM_IRQS;
	assert_int_equal(call(*state, COMMAND_DEVICE_GET_IRQ_INFO, &info, sizeof(info), NULL, 0),
			 EINVAL);
}

/* ---- region access ---- */

/* The bytes that QEMU sends for a 4-byte read, written out: the layout is not ours to choose. */
static void a_read_has_the_layout_of_the_protocol(void **state)
{
	static const uint8_t request[] = {
		0x01, 0x00, 0x09, 0x00, 0x20, 0x00, 0x00, 0x00, /* id, command, size */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* flags, error */
		0x8c, 0x37, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* offset */
		0x05, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, /* region, count */
	};
	static const uint8_t expected[] = {
		0x01, 0x00, 0x09, 0x00, 0x24, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x8c, 0x37, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x05, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x5a, 0x5a, 0x5a, 0x5a,
	};
	struct fixture *f = *state;
	uint8_t reply[64];

	send_fds(f->client, request, sizeof(request), NULL, 0);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	assert_int_equal(recv(f->client, reply, sizeof(reply), MSG_DONTWAIT), sizeof(expected));
	assert_memory_equal(reply, expected, sizeof(expected));
	assert_int_equal(f->region, REGISTER_REGION);
	assert_int_equal(f->offset, 0x378c);
}

static void reads_outside_of_a_region_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_at(f, REGISTER_REGION, REGISTER_BYTES - 4, 4), 0);
	assert_int_equal(read_at(f, REGISTER_REGION, REGISTER_BYTES - 3, 4), EINVAL);
	assert_int_equal(read_at(f, REGISTER_REGION, REGISTER_BYTES, 1), EINVAL);
	assert_int_equal(read_at(f, REGISTER_REGION, UINT64_MAX, 4), EINVAL);
	assert_int_equal(read_at(f, REGISTER_REGION, UINT64_MAX - 3, 8), EINVAL);
	assert_int_equal(read_at(f, REGISTER_REGION, 0, 0), EINVAL);
	assert_int_equal(read_at(f, REGISTER_REGION, 0, UINT32_MAX), EINVAL);
	assert_int_equal(read_at(f, 1, 0, 4), EINVAL);
	assert_int_equal(read_at(f, VFIO_USER_NUM_REGIONS, 0, 4), EINVAL);
	assert_int_equal(read_at(f, UINT32_MAX, 0, 4), EINVAL);
	assert_int_equal(f->reads, 1);
}

static void the_device_refuses_by_errno(void **state)
{
	struct fixture *f = *state;

	f->result = -EACCES;
	assert_int_equal(read_at(f, REGISTER_REGION, 0, 4), EACCES);
}

static int write_at(struct fixture *f, uint32_t flags, uint32_t region, uint64_t offset,
		    uint32_t bytes, size_t data_bytes)
{
	struct {
		struct region_access access;
		uint8_t data[16];
	} message = { { offset, region, bytes }, { 1, 2, 3, 4, 5, 6, 7, 8 } };
	struct region_access echo;

	post(f, COMMAND_REGION_WRITE, flags, &message, sizeof(message.access) + data_bytes, NULL,
	     0);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	if (flags & FLAG_NO_REPLY) {
		assert_no_reply(f);
		return 0;
	}
	return get_reply(f, COMMAND_REGION_WRITE, &echo, sizeof(echo), NULL);
}

static void writes_reach_the_device(void **state)
{
	static const uint8_t sent[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct fixture *f = *state;

	assert_int_equal(write_at(f, 0, REGISTER_REGION, 0x10, 8, 8), 0);
	assert_int_equal(f->offset, 0x10);
	assert_int_equal(f->bytes, 8);
	assert_memory_equal(f->data, sent, 8);
}

static void bad_writes_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write_at(f, 0, ROM_REGION, 0, 4, 4), EPERM);
	assert_int_equal(write_at(f, 0, REGISTER_REGION, 0, 8, 4), EINVAL);
	assert_int_equal(write_at(f, 0, REGISTER_REGION, 0, 4, 8), EINVAL);
	assert_int_equal(write_at(f, 0, REGISTER_REGION, 0, 0, 0), EINVAL);
	assert_int_equal(write_at(f, 0, REGISTER_REGION, REGISTER_BYTES - 2, 4, 4), EINVAL);
	assert_int_equal(write_at(f, 0, REGISTER_REGION, 0, UINT32_MAX - 7, 8), EINVAL);
	assert_int_equal(f->writes, 0);
}

static void posted_writes_are_not_answered(void **state)
{
	struct fixture *f = *state;

	write_at(f, FLAG_NO_REPLY, REGISTER_REGION, 0x20, 4, 4);
	assert_int_equal(f->writes, 1);
	write_at(f, FLAG_NO_REPLY, ROM_REGION, 0, 4, 4);
	write_at(f, FLAG_NO_REPLY, 99, 0, 4, 4);
	assert_int_equal(f->writes, 1);
	assert_int_equal(read_at(f, REGISTER_REGION, 0, 4), 0);
}

static void pipelined_requests_are_handled_in_order(void **state)
{
	const struct region_access read = { 0x40, REGISTER_REGION, 4 };
	struct {
		struct region_access access;
		uint32_t data;
	} write = { { 0x44, REGISTER_REGION, 4 }, 7 };
	uint8_t stream[256], reply[sizeof(read) + 4];
	struct fixture *f = *state;
	size_t bytes = 0;

	bytes += make_message(stream + bytes, COMMAND_REGION_WRITE, FLAG_NO_REPLY, &write,
			      sizeof(read) + 4);
	bytes += make_message(stream + bytes, COMMAND_REGION_WRITE, FLAG_NO_REPLY, &write,
			      sizeof(read) + 4);
	bytes += make_message(stream + bytes, COMMAND_REGION_READ, 0, &read, sizeof(read));
	send_fds(f->client, stream, bytes, NULL, 0);
	assert_int_equal(vfio_user_dispatch(f->vu), 0);
	assert_int_equal(f->writes, 2);
	assert_int_equal(f->offset, 0x40);
	assert_int_equal(get_reply(f, COMMAND_REGION_READ, reply, sizeof(reply), NULL), 0);
}

static void a_request_may_come_byte_by_byte(void **state)
{
	const struct dma_map request = {
		.argsz = sizeof(request),
		.flags = 3,
		.iova = 0x1000,
		.bytes = 0x1000,
	};
	struct fixture *f = *state;
	uint8_t message[sizeof(struct header) + sizeof(request)];
	size_t bytes, i;

	bytes = make_message(message, COMMAND_DMA_MAP, 0, &request, sizeof(request));
	for (i = 0; i < bytes; i++) {
		assert_int_equal(f->maps, 0);
		send_fds(f->client, message + i, 1, &f->memory_fd, i == 0);
		assert_int_equal(vfio_user_dispatch(f->vu), 0);
	}
	assert_int_equal(get_reply(f, COMMAND_DMA_MAP, NULL, 0, NULL), 0);
	assert_int_equal(f->maps, 1);
	assert_true(f->map_fd >= 0);
}

static void write_multi_carries_many_writes(void **state)
{
	struct {
		uint64_t count;
		struct multi_write writes[3];
	} message = { 3,
		      {
			      { { 0x0, REGISTER_REGION, 4 }, { 1 } },
			      { { 0x8, ROM_REGION, 4 }, { 2 } },
			      { { 0x10, REGISTER_REGION, 8 }, { 3 } },
		      } };
	struct fixture *f = *state;
	uint64_t done;

	/* The refused write in the middle does not keep back the last. */
	assert_int_equal(
		call(f, COMMAND_REGION_WRITE_MULTI, &message, sizeof(message), &done, sizeof(done)),
		EPERM);
	assert_int_equal(f->writes, 2);
	assert_int_equal(f->offset, 0x10);
	message.writes[1].access.region = REGISTER_REGION;
	assert_int_equal(
		call(f, COMMAND_REGION_WRITE_MULTI, &message, sizeof(message), &done, sizeof(done)),
		0);
	assert_int_equal(done, 3);
	assert_int_equal(f->writes, 5);
	message.writes[0].access.bytes = 9;
	assert_int_equal(call(f, COMMAND_REGION_WRITE_MULTI, &message, sizeof(message), NULL, 0),
			 EINVAL);
	assert_int_equal(f->writes, 7);
	message.count = 4;
	assert_int_equal(call(f, COMMAND_REGION_WRITE_MULTI, &message, sizeof(message), NULL, 0),
			 EINVAL);
	message.count = 1 + (UINT64_MAX / sizeof(struct multi_write));
	assert_int_equal(call(f, COMMAND_REGION_WRITE_MULTI, &message, sizeof(message), NULL, 0),
			 EINVAL);
	assert_int_equal(f->writes, 7);
}

/* ---- guest memory ---- */

static void guest_memory_comes_and_goes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(map(f, 0x100000, 0x4000, f->memory_fd, 0x2000), 0);
	assert_int_equal(f->iova, 0x100000);
	assert_int_equal(f->map_bytes, 0x4000);
	assert_int_equal(f->fd_offset, 0x2000);
	assert_true(f->writable);
	assert_true(f->map_fd >= 0);
	assert_int_equal(map(f, 0xc0000000, 0x40000000, -1, 0), 0);
	assert_int_equal(f->map_fd, -1);
	assert_int_equal(unmap(f, 0x100000, 0x4000, 0), 0);
	assert_int_equal(f->map_bytes, 0x4000);
	assert_int_equal(unmap(f, 0x100000, 0x4000, 0), ENOENT);
	assert_int_equal(unmap(f, 0xc0000000, 0x1000, 0), ENOENT);
	assert_int_equal(unmap(f, 0, 0, VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP), ENOTSUP);
	assert_int_equal(unmap(f, 0xc0000000, 0x40000000, 0), 0);
	assert_int_equal(f->unmaps, 2);
}

static void all_guest_memory_goes_at_once(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < 200; i++)
		assert_int_equal(map(f, 0x10000ull * i, 0x1000, -1, 0), 0);
	assert_int_equal(unmap(f, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL), 0);
	assert_int_equal(f->unmaps, 200);
}

static void guest_memory_does_not_overlap(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(map(f, 0x10000, 0x4000, -1, 0), 0);
	assert_int_equal(map(f, 0x10000, 0x4000, -1, 0), EEXIST);
	assert_int_equal(map(f, 0xf000, 0x2000, -1, 0), EEXIST);
	assert_int_equal(map(f, 0x13000, 0x1000, -1, 0), EEXIST);
	assert_int_equal(map(f, 0x0, 0xfffffffffffff000, -1, 0), EEXIST);
	assert_int_equal(map(f, 0xf000, 0x1000, -1, 0), 0);
	assert_int_equal(map(f, 0x14000, 0xfffffffffffec000, -1, 0), 0);
	assert_int_equal(map(f, 0xfffffffffffff000, 0x1000, -1, 0), EEXIST);
}

static void bad_guest_memory_is_refused(void **state)
{
	struct fixture *f = *state;
	int pipes[2], two[2] = { f->memory_fd, f->memory_fd };
	struct dma_map raw = { .argsz = sizeof(raw), .flags = 1, .iova = 0, .bytes = 0x1000 };

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(map(f, 0x1000, 0, -1, 0), EINVAL);
	assert_int_equal(map(f, 0x1001, 0x1000, -1, 0), EINVAL);
	assert_int_equal(map(f, 0x1000, 0x1001, -1, 0), EINVAL);
	assert_int_equal(map(f, 0xfffffffffffff000, 0x2000, -1, 0), EINVAL);
	assert_int_equal(map(f, 0x1000, 0x1000, pipes[0], 0), EINVAL);
	assert_int_equal(map(f, 0x1000, GUEST_BYTES + 0x1000, f->memory_fd, 0), EINVAL);
	assert_int_equal(map(f, 0x1000, GUEST_BYTES, f->memory_fd, 0x1000), EINVAL);
	assert_int_equal(map(f, 0x1000, 0x1000, f->memory_fd, 0xfffffffffffff000), EINVAL);
	assert_int_equal(map(f, 0x1000, 0x1000, f->memory_fd, 1), EINVAL);
	assert_int_equal(call_fds(f, COMMAND_DMA_MAP, &raw, sizeof(raw), two, 2), EINVAL);
	raw.flags = 0x10;
	assert_int_equal(call_fds(f, COMMAND_DMA_MAP, &raw, sizeof(raw), NULL, 0), EINVAL);
	raw.flags = 1;
	raw.argsz = 8;
	assert_int_equal(call_fds(f, COMMAND_DMA_MAP, &raw, sizeof(raw), NULL, 0), EINVAL);
	assert_int_equal(f->maps, 0);
	close(pipes[0]);
	close(pipes[1]);
}

static void memory_that_the_device_refuses_is_not_kept(void **state)
{
	struct fixture *f = *state;

	f->result = -ENOMEM;
	assert_int_equal(map(f, 0x1000, 0x1000, f->memory_fd, 0), ENOMEM);
	f->result = 0;
	assert_int_equal(unmap(f, 0x1000, 0x1000, 0), ENOENT);
	f->unmaps++; /* for the balance in teardown */
}

/* ---- interrupts ---- */

static void vectors_get_and_lose_eventfds(void **state)
{
	int fds[MSI_VECTORS] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC) };
	struct fixture *f = *state;
	uint64_t count;

	assert_int_equal(set_irqs(f, SET_EVENTFD, 0, 2, fds, 2), 0);
	assert_true(f->eventfds[0] >= 0 && f->eventfds[1] >= 0);
	eventfd_write(f->eventfds[1], 1);
	assert_int_equal(read(fds[1], &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);

	assert_int_equal(set_irqs(f, SET_EVENTFD, 1, 1, NULL, 0), 0);
	assert_true(f->eventfds[0] >= 0);
	assert_int_equal(f->eventfds[1], -1);
	assert_int_equal(set_irqs(f, SET_EVENTFD, 1, 1, &fds[0], 1), 0);
	assert_int_equal(set_irqs(f, TRIGGER_NONE, 0, 0, NULL, 0), 0);
	assert_int_equal(f->eventfds[0], -1);
	assert_int_equal(f->eventfds[1], -1);
	close(fds[0]);
	close(fds[1]);
}

static void the_client_can_trigger_a_vector(void **state)
{
	const struct irq_set set = { sizeof(set), TRIGGER_BOOL, MSI, 0, 2 };
	int fds[MSI_VECTORS] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC) };
	uint8_t message[sizeof(set) + 2] = { 0 };
	struct fixture *f = *state;
	uint64_t count;

	assert_int_equal(set_irqs(f, SET_EVENTFD, 0, 2, fds, 2), 0);
	assert_int_equal(set_irqs(f, TRIGGER_NONE, 0, 2, NULL, 0), 0);
	memcpy(message, &set, sizeof(set));
	message[sizeof(set) + 1] = 1;
	assert_int_equal(call(f, COMMAND_DEVICE_SET_IRQS, message, sizeof(message), NULL, 0), 0);
	assert_int_equal(read(fds[0], &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	assert_int_equal(read(fds[1], &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 2);
	assert_int_equal(call(f, COMMAND_DEVICE_SET_IRQS, message, sizeof(message) - 1, NULL, 0),
			 EINVAL);
	close(fds[0]);
	close(fds[1]);
}

/* A pipe could block the device that raises an interrupt; a full eventfd, too. */
static void only_eventfds_raise_interrupts(void **state)
{
	struct fixture *f = *state;
	int pipes[2], full = eventfd(0, EFD_CLOEXEC), mixed[2];

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(set_irqs(f, SET_EVENTFD, 0, 1, &pipes[1], 1), EINVAL);
	assert_int_equal(set_irqs(f, SET_EVENTFD, 0, 1, &f->memory_fd, 1), EINVAL);
	mixed[0] = full;
	mixed[1] = pipes[1];
	assert_int_equal(set_irqs(f, SET_EVENTFD, 0, 2, mixed, 2), EINVAL);
	assert_int_equal(f->eventfds[0], -1);
	eventfd_write(full, UINT64_MAX - 1);
	assert_int_equal(set_irqs(f, SET_EVENTFD, 0, 1, &full, 1), 0);
	assert_int_equal(eventfd_write(f->eventfds[0], 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(set_irqs(f, TRIGGER_NONE, 0, 1, NULL, 0), 0);
	close(full);
	close(pipes[0]);
	close(pipes[1]);
}

static void bad_vectors_are_refused(void **state)
{
	struct irq_set set = { sizeof(set), SET_EVENTFD, VFIO_USER_NUM_IRQS, 0, 1 };
	int fds[3] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC) };
	struct fixture *f = *state;

	assert_int_equal(set_irqs(f, SET_EVENTFD, 0, 3, fds, 3), EINVAL);
	assert_int_equal(set_irqs(f, SET_EVENTFD, 2, 1, fds, 1), EINVAL);
	assert_int_equal(set_irqs(f, SET_EVENTFD, 1, UINT32_MAX, fds, 1), EINVAL);
	assert_int_equal(set_irqs(f, SET_EVENTFD, UINT32_MAX, 2, fds, 2), EINVAL);
	assert_int_equal(set_irqs(f, SET_EVENTFD, 0, 2, fds, 1), EINVAL);
	assert_int_equal(set_irqs(f, SET_EVENTFD, 0, 1, fds, 2), EINVAL);
	assert_int_equal(set_irqs(f, TRIGGER_NONE, 0, 1, fds, 1), EINVAL);
	assert_int_equal(set_irqs(f, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 1, NULL, 0), EINVAL);
	assert_int_equal(
		set_irqs(f, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL, 0),
		ENOTSUP);
	assert_int_equal(call_fds(f, COMMAND_DEVICE_SET_IRQS, &set, sizeof(set), fds, 1), EINVAL);
	assert_int_equal(f->eventfds[0], -1);
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_UNNEGOTIATED(version_must_come_first),
		T_UNNEGOTIATED(version_without_capabilities_is_accepted),
		T_UNNEGOTIATED(another_major_version_is_refused),
		T_UNNEGOTIATED(capabilities_must_be_a_string),
		T(version_comes_once),
		T(device_info_describes_a_pci_device),
		T(region_info_describes_each_region),
		T(irq_info_describes_each_index),
		T(a_read_has_the_layout_of_the_protocol),
		T(reads_outside_of_a_region_are_refused),
		T(the_device_refuses_by_errno),
		T(writes_reach_the_device),
		T(bad_writes_are_refused),
		T(posted_writes_are_not_answered),
		T(pipelined_requests_are_handled_in_order),
		T(a_request_may_come_byte_by_byte),
		T(write_multi_carries_many_writes),
		T(guest_memory_comes_and_goes),
		T(all_guest_memory_goes_at_once),
		T(guest_memory_does_not_overlap),
		T(bad_guest_memory_is_refused),
		T(memory_that_the_device_refuses_is_not_kept),
		T(vectors_get_and_lose_eventfds),
		T(the_client_can_trigger_a_vector),
		T(only_eventfds_raise_interrupts),
		T(bad_vectors_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
