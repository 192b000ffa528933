/* SPDX-License-Identifier: MIT */
/*
 * libgmmap: files as content of GPU memory, read when the GPU touches it.
 *
 * A session is a file descriptor; close() ends it, and it may be passed to other processes. Functions
 * return 0 or a number as said, or -errno. They print nothing, keep nothing, and may be called
 * by any number of threads at once. gmmap(7) is the introduction; the structures and what each error
 * means are those of the kernel's interface, linux/gmmap.h.
 */
#ifndef GMMAP_H
#define GMMAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/gmmap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the kernel can do. Needs no session and no GPU. */
int gmmap_query(struct gmmap_query *query);

/*
 * Return a session. gmmap_open() finds the descriptor of /dev/kfd that this process, or a library in
 * it such as ROCr, has opened. -ENXIO: there is none yet; -ENOENT: gmmap.ko is not loaded.
 */
int gmmap_open(void);
int gmmap_attach(int kfd_fd);

/*
 * Begin a mapping; mapping_id may be NULL. By KFD's handle of a buffer, by a dmabuf of it, or by an
 * address on a GPU in it. bytes of a handle or dmabuf is a check of the buffer's size, or 0.
 */
int gmmap_map_handle(int session, uint64_t handle, uint64_t bytes,
		     const struct gmmap_extent *extents, uint32_t extent_count,
		     uint64_t *mapping_id);
int gmmap_map_dmabuf(int session, int dmabuf_fd, uint64_t bytes, const struct gmmap_extent *extents,
		     uint32_t extent_count, uint64_t *mapping_id);
int gmmap_map_address(int session, uint32_t gpu_id, uint64_t address, uint64_t bytes,
		      const struct gmmap_extent *extents, uint32_t extent_count,
		      uint64_t *mapping_id);

/* flags of gmmap_map_file() */
#define GMMAP_FILE_ANY_CODE 0x1u /* do not look at the GPU code that is loaded */

/*
 * The call for applications: bytes at memory, which this process has allocated in VRAM by hipMalloc(),
 * hsa_amd_memory_pool_allocate() or the like, are those of the file from file_offset on. Kernels that
 * use them may be started at once.
 */
int gmmap_map_file(int session, void *memory, size_t bytes, int fd, off_t file_offset,
		   unsigned int flags, uint64_t *mapping_id);

int gmmap_unmap(int session, uint64_t mapping_id, uint32_t flags);

/* Loads ranges in this order in the background; populate_id may be NULL. */
int gmmap_populate(int session, const struct gmmap_range *ranges, uint32_t count,
		   uint64_t *populate_id);
int gmmap_wait(int session, uint64_t mapping_id, uint64_t offset, uint64_t bytes,
	       int64_t timeout_ns);
int gmmap_stat(int session, uint64_t mapping_id, struct gmmap_stat *stat);

/* How many touches were kept and how many did not fit. */
struct gmmap_profile_count {
	uint64_t recorded;
	uint64_t dropped;
};

/* count may be NULL. gmmap_profile_read() returns how many touches it has copied. */
int gmmap_profile_start(int session, uint32_t capacity, uint32_t flags);
int gmmap_profile_stop(int session, struct gmmap_profile_count *count);
int gmmap_profile_read(int session, uint64_t first, struct gmmap_touch *touches, uint32_t capacity,
		       struct gmmap_profile_count *count);

/*
 * Records of the types in mask are kept for gmmap_read(), which returns how many it has stored;
 * 0: none will follow. poll() says when there is one; eventfd may be -1.
 */
int gmmap_records(int session, uint32_t mask, uint32_t capacity, int eventfd);
int gmmap_read(int session, struct gmmap_record *records, uint32_t capacity);

/*
 * Whether the GPU code that ROCr has loaded in a process survives that its memory accesses are
 * repeated (XNACK): 0, or -EOPNOTSUPP and one line in reason that says which does not. reason may be
 * NULL. pid 0 is this process; another one must be stopped.
 */
int gmmap_check_code(pid_t pid, char *reason, size_t reason_bytes);

#ifdef __cplusplus
}
#endif

#endif
