/* SPDX-License-Identifier: MIT */
/*
 * What vfio_user.c (the connection) and vfio_user_request.c (what the requests do) share: the
 * messages as they are on the wire, and the server.
 *
 * Protocol: libvfio-user's docs/vfio-user.rst, with QEMU's hw/vfio-user as the client that counts.
 * Every message is a 16-byte header and a payload of fixed-size fields; some carry descriptors.
 */
#ifndef VGPU_VFIO_USER_INTERNAL_H
#define VGPU_VFIO_USER_INTERNAL_H

#include "vfio_user.h"

#include <sys/un.h>

#define PAGE_BYTES	   4096u
#define MAX_TRANSFER_BYTES (1u << 20)
#define MAX_MESSAGE_FDS	   8
#define MAX_RECEIVED_FDS   64	 /* of requests kept while a DMA request is under way */
#define MAX_DMA_RANGES	   65535 /* the protocol's default for max_dma_maps */
/* Guest memory is asked for in pieces: QEMU allocates a buffer of this size for each. */
#define DMA_CHUNK_BYTES 65536u

enum {
	COMMAND_VERSION = 1,
	COMMAND_DMA_MAP = 2,
	COMMAND_DMA_UNMAP = 3,
	COMMAND_DEVICE_GET_INFO = 4,
	COMMAND_DEVICE_GET_REGION_INFO = 5,
	COMMAND_DEVICE_GET_REGION_IO_FDS = 6,
	COMMAND_DEVICE_GET_IRQ_INFO = 7,
	COMMAND_DEVICE_SET_IRQS = 8,
	COMMAND_REGION_READ = 9,
	COMMAND_REGION_WRITE = 10,
	COMMAND_DMA_READ = 11,
	COMMAND_DMA_WRITE = 12,
	COMMAND_DEVICE_RESET = 13,
	COMMAND_DIRTY_PAGES = 14,
	COMMAND_REGION_WRITE_MULTI = 15,
	COMMAND_DEVICE_FEATURE = 16,
};

/* header.flags */
#define FLAG_TYPE_MASK	  0xfu
#define FLAG_TYPE_REQUEST 0x0u
#define FLAG_TYPE_REPLY	  0x1u
#define FLAG_NO_REPLY	  0x10u
#define FLAG_ERROR	  0x20u

struct header {
	uint16_t id;
	uint16_t command;
	uint32_t message_bytes; /* with this header */
	uint32_t flags;
	uint32_t error; /* positive errno */
};

struct version {
	uint16_t major;
	uint16_t minor;
};

struct dma_map {
	uint32_t argsz;
	uint32_t flags; /* VFIO_DMA_MAP_FLAG_* */
	uint64_t fd_offset;
	uint64_t iova;
	uint64_t bytes;
};

struct dma_unmap {
	uint32_t argsz;
	uint32_t flags; /* VFIO_DMA_UNMAP_FLAG_* */
	uint64_t iova;
	uint64_t bytes;
};

struct device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};

struct region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t bytes;
	uint64_t fd_offset;
};

struct irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

struct irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};

struct region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t bytes;
};

/* One element of REGION_WRITE_MULTI. */
struct multi_write {
	struct region_access access;
	uint8_t data[8];
};

struct dma_access {
	uint64_t iova;
	uint64_t bytes;
};

#define MAX_MESSAGE_BYTES \
	(sizeof(struct header) + sizeof(struct region_access) + MAX_TRANSFER_BYTES)
/* Twice: a partial message never leaves less than one message of room. */
#define RX_BYTES (2 * MAX_MESSAGE_BYTES)

struct dma_range {
	uint64_t iova;
	uint64_t bytes;
	bool has_fd;
};

/* A descriptor that no message took yet. It belongs to the message that has the byte at position.
 */
struct received_fd {
	int fd;
	size_t position; /* index in rx */
};

/* A request being handled. A handler that keeps a descriptor takes it by take_fd(). */
struct request {
	struct header header;
	const uint8_t *payload; /* in rx, any alignment */
	uint32_t payload_bytes;
	int fds[MAX_MESSAGE_FDS];
	unsigned int num_fds;
};

struct vfio_user {
	struct vfio_user_config config;
	struct vfio_user_ops ops;
	void *opaque;

	int listen_fd; /* -1: the server was made around a connection */
	int client_fd; /* -1: no client */
	int kept_fd;   /* always readable: polled while rx holds a complete message */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

	bool negotiated;  /* VERSION was exchanged */
	bool in_callback; /* a handler is running */
	int failure;	  /* set outside of dispatch: why the next dispatch drops the client */
	uint32_t dma_chunk_bytes;
	uint16_t next_dma_id;
	unsigned int abandoned_dma; /* DMA requests whose replies are still to be thrown away */

	struct dma_range *ranges;
	size_t num_ranges, room_ranges;
	int *eventfds[VFIO_USER_NUM_IRQS]; /* own duplicates, -1: vector without an eventfd */

	uint8_t *rx; /* RX_BYTES; bytes [rx_start, rx_end) are not handled yet */
	size_t rx_start, rx_end;
	struct received_fd rx_fds[MAX_RECEIVED_FDS];
	unsigned int num_rx_fds;

	uint8_t *tx;	      /* MAX_MESSAGE_BYTES: the reply in the making */
	uint32_t reply_bytes; /* payload */
	int reply_fd;
};

/*
 * Carries out a request and prepares its reply in tx, reply_bytes and reply_fd. Returns 0 or
 * -errno, which is the client's answer.
 */
int vfio_user_handle_request(struct vfio_user *vu, struct request *req);

/* The client has left: takes back all that it gave through the callbacks. */
void vfio_user_take_back(struct vfio_user *vu);

#endif
