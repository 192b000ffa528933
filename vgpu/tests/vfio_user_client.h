/* SPDX-License-Identifier: MIT */
/*
 * A vfio-user client and the server it talks to, in one thread: the test sends, lets the server
 * dispatch, and looks at the reply and at what the callbacks saw.
 */
#ifndef VGPU_TESTS_VFIO_USER_CLIENT_H
#define VGPU_TESTS_VFIO_USER_CLIENT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/vfio.h>

#include "../vfio_user_internal.h"

#define MMAP_REGION	0
#define REGISTER_REGION 5
#define ROM_REGION	6
#define REGISTER_BYTES	0x80000u
#define ROM_BYTES	0x10000u
#define MSI		1
#define MSI_VECTORS	2
#define GUEST_BYTES	0x10000u

struct fixture {
	struct vfio_user *vu;
	int client;
	int memory_fd; /* guest memory and mappable region */
	unsigned int open_fds;

	/* What the callbacks saw. */
	int result; /* what they return */
	unsigned int reads, writes, maps, maps_with_fd, unmaps, resets;
	uint64_t offset;
	uint32_t region, bytes;
	uint8_t data[16];
	uint64_t iova, map_bytes, fd_offset;
	int map_fd;
	bool writable;
	int eventfds[MSI_VECTORS];
	int dma_in_callback; /* what vfio_user_dma_read() returns there */
};

#define SET_EVENTFD  (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define TRIGGER_NONE (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)
#define TRIGGER_BOOL (VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER)

extern const struct vfio_user_ops fixture_ops;

/* Closes *fd and puts another in its place. */
void replace_fd(int *fd, int by);
struct vfio_user_config make_config(int memory_fd);

/* Sends bytes as they are, with descriptors. */
void send_fds(int socket, const void *data, size_t bytes, const int *fds, unsigned int count);

/* A header and a payload; returns the length. */
size_t make_message(uint8_t *message, uint16_t command, uint32_t flags, const void *payload,
		    size_t bytes);

/* Sends a request and leaves it there. */
void post(struct fixture *f, uint16_t command, uint32_t flags, const void *payload, size_t bytes,
	  const int *fds, unsigned int num_fds);

/* Receives a reply; returns its errno, its payload and the descriptor that came with it. */
int get_reply(struct fixture *f, uint16_t command, void *payload, size_t bytes, int *fd);
void assert_no_reply(struct fixture *f);

/* One request and its reply. Returns the errno of the reply. */
int call(struct fixture *f, uint16_t command, const void *payload, size_t bytes, void *reply,
	 size_t reply_bytes);
int call_fds(struct fixture *f, uint16_t command, const void *payload, size_t bytes, const int *fds,
	     unsigned int num_fds);

/* Exchanges VERSION; the client says max_data_xfer_size 4096. */
void negotiate(struct fixture *f);

/* Shorthands for single requests, likewise. */
int map(struct fixture *f, uint64_t iova, uint64_t bytes, int fd, uint64_t fd_offset);
int unmap(struct fixture *f, uint64_t iova, uint64_t bytes, uint32_t flags);
int set_irqs(struct fixture *f, uint32_t flags, uint32_t start, uint32_t count, const int *fds,
	     unsigned int num_fds);

/* The fixture, without and with VERSION exchanged. */
int setup_unnegotiated(void **state);
int setup(void **state);

/* Nothing may be left: every descriptor that was sent has been closed by somebody. */
int teardown(void **state);

/* The next dispatch drops the client for this reason. */
void assert_dropped(struct fixture *f, int why);
int read_at(struct fixture *f, uint32_t region, uint64_t offset, uint32_t bytes);

#define T(name)		     cmocka_unit_test_setup_teardown(name, setup, teardown)
#define T_UNNEGOTIATED(name) cmocka_unit_test_setup_teardown(name, setup_unnegotiated, teardown)

#endif
