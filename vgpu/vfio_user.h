/* SPDX-License-Identifier: MIT */
/*
 * The server side of the vfio-user protocol, as much of it as one PCI device needs.
 *
 * QEMU's vfio-user-pci connects to a UNIX socket, asks what the device looks like, hands over its
 * guest memory as file descriptors (DMA_MAP) and then forwards every trapped access. This file
 * speaks that protocol and calls back; it knows nothing of the device behind it.
 *
 * One thread owns a server: vfio_user_dispatch() is called when vfio_user_poll_fd() is readable.
 */
#ifndef VGPU_VFIO_USER_H
#define VGPU_VFIO_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Region and interrupt indices of VFIO's PCI devices (linux/vfio.h has the same numbers). */
#define VFIO_USER_NUM_REGIONS 9
#define VFIO_USER_NUM_IRQS    5

struct vfio_user_region {
	uint64_t size; /* bytes; 0: the device has no such region */
	int mmap_fd;   /* the client may map this memory instead of trapping; -1: trapped */
	bool readonly; /* writes are refused */
};

/*
 * What the device does; every callback is needed. They return 0 or -errno, which goes to the client
 * as the error of the reply. They are called from vfio_user_dispatch() and vfio_user_destroy() only
 * and must not wait for the client.
 */
struct vfio_user_ops {
	int (*read)(void *opaque, unsigned int region, uint64_t offset, void *data, uint32_t bytes);
	int (*write)(void *opaque, unsigned int region, uint64_t offset, const void *data,
		     uint32_t bytes);
	/*
	 * Guest memory [iova, iova + bytes) appears. fd is -1 for ranges the client cannot share
	 * (other devices' BARs); the callee owns fd from here on, also when it fails. The range is
	 * page aligned, overlaps no other one, and lies within the file that fd is.
	 */
	int (*dma_map)(void *opaque, uint64_t iova, uint64_t bytes, int fd, uint64_t fd_offset,
		       bool writable);
	/* ... and goes away. An unknown range is -ENOENT. */
	int (*dma_unmap)(void *opaque, uint64_t iova, uint64_t bytes);
	/*
	 * Vector of interrupt index gets an eventfd (owned by the callee, also when it fails;
	 * writes do not block), or loses it (-1).
	 */
	int (*set_irq)(void *opaque, unsigned int index, unsigned int vector, int eventfd);
	/* The client asks for a function level reset. */
	void (*reset)(void *opaque);
};

struct vfio_user_config {
	struct vfio_user_region regions[VFIO_USER_NUM_REGIONS];
	uint32_t irq_count[VFIO_USER_NUM_IRQS]; /* vectors of each index */
};

struct vfio_user;

/* Listens on path (an existing socket there is replaced). Returns 0 or -errno. */
int vfio_user_create(struct vfio_user **out, const char *path,
		     const struct vfio_user_config *config, const struct vfio_user_ops *ops,
		     void *opaque);
/* The same around a connected socket, which it owns if it succeeds. Never listens. */
int vfio_user_create_connected(struct vfio_user **out, int fd,
			       const struct vfio_user_config *config,
			       const struct vfio_user_ops *ops, void *opaque);
void vfio_user_destroy(struct vfio_user *vu);

/*
 * The descriptor to poll for POLLIN: the listener, or the connection once there is one, or one that
 * is always readable while requests are kept. So ask before every poll.
 */
int vfio_user_poll_fd(const struct vfio_user *vu);
bool vfio_user_connected(const struct vfio_user *vu);

/*
 * Handles everything that can be handled without blocking. Returns 0, -ECONNRESET when the client
 * has left (the server listens again, all DMA ranges and interrupts were taken back through the
 * callbacks), or -EPROTO after dropping a client that broke the protocol, likewise. Without a
 * client: -errno of accept(), or -ENOTCONN if there is nothing to listen on.
 */
int vfio_user_dispatch(struct vfio_user *vu);

/*
 * Reads or writes guest memory through the client, for ranges that came without an fd. Blocks for
 * the reply; requests of the client that arrive meanwhile are kept for the next dispatch.
 *
 * QEMU serves these requests with its big lock held, which a vCPU that waits for one of our replies
 * holds as well. So this is -EDEADLK inside a callback, and -ETIMEDOUT after 1 s if a vCPU started
 * to wait just before: dispatch, then try again.
 *
 * Returns 0 or -errno: -EFAULT if the range is not mapped, -ENOTCONN without a client, -ENOBUFS if
 * too many requests are kept already, the client's error, or -ECONNRESET or -EPROTO if the client
 * is lost (the next dispatch takes everything back).
 */
int vfio_user_dma_read(struct vfio_user *vu, uint64_t iova, void *data, uint32_t bytes);
int vfio_user_dma_write(struct vfio_user *vu, uint64_t iova, const void *data, uint32_t bytes);

#endif
