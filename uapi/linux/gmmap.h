/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR MIT */
/*
 * gmmap: ranges of a process's GPU address space that are backed by files.
 *
 * Documentation/uapi.md explains every field, unit and error.
 */
#ifndef _UAPI_LINUX_GMMAP_H
#define _UAPI_LINUX_GMMAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define GMMAP_ABI_VERSION	1

/* struct gmmap_query */
struct gmmap_query {
	__u32 size;
	__u32 flags;		/* 0 */
	__u32 abi_version;	/* out */
	__u32 granule_shift;	/* out */
	__u32 max_extents;	/* out: of one MAP */
	__u32 max_mappings;	/* out: of one process */
};

struct gmmap_attach {
	__u32 size;
	__u32 flags;		/* 0 */
	__s32 kfd_fd;
	__s32 session_fd;	/* out */
};

/* struct gmmap_extent, flags */
#define GMMAP_EXTENT_ZERO	0x1	/* zeros; fd -1, file_offset 0 */

struct gmmap_extent {
	__u64 offset;		/* bytes from the start of the target */
	__u64 length;		/* bytes */
	__u64 file_offset;	/* bytes */
	__s32 fd;
	__u32 flags;		/* GMMAP_EXTENT_* */
};

/* struct gmmap_map, target */
#define GMMAP_TARGET_HANDLE	0	/* a whole BO by KFD's handle */
#define GMMAP_TARGET_DMABUF	1	/* a whole BO by a dmabuf of it */
#define GMMAP_TARGET_ADDRESS	2	/* a range inside a BO by GPU address */

struct gmmap_map {
	__u32 size;
	__u32 flags;		/* 0 */
	__u32 target;		/* GMMAP_TARGET_* */
	__u32 gpu_id;		/* ADDRESS, else 0 */
	__u64 handle;		/* HANDLE, else 0 */
	__u64 address;		/* ADDRESS, else 0 */
	__u64 length;		/* ADDRESS: bytes; else the BO's size, or 0 */
	__s32 dmabuf_fd;	/* DMABUF, else 0 */
	__u32 extent_count;
	__u64 extents;		/* pointer to struct gmmap_extent */
	__u64 mapping_id;	/* out */
};

/* struct gmmap_unmap, flags */
#define GMMAP_UNMAP_ABANDON	0x1	/* do not load what is absent */

struct gmmap_unmap {
	__u32 size;
	__u32 flags;		/* GMMAP_UNMAP_* */
	__u64 mapping_id;
};

struct gmmap_wait {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 mapping_id;
	__u64 offset;		/* bytes from the start of the BO */
	__u64 length;		/* bytes; 0: to the end of the BO */
	__s64 timeout_ns;	/* negative: no limit */
};

struct gmmap_stat {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 mapping_id;	/* 0: the attached process, ended mappings included */
	/* all below: out */
	__u64 granules;		/* of mappings that have not ended */
	__u64 absent_granules;	/* of these */
	__u64 failed_granules;	/* of these */
	__u64 faults;		/* interrupts of GPU page faults in the mapping */
	__u64 joined_faults;	/* of these: for a granule that was being loaded */
	__u64 stale_faults;	/* of these: for a granule that was present */
	__u64 refused_faults;	/* of these: left to the driver */
	__u64 acknowledged_faults;
	__u64 loads;		/* granules loaded */
	__u64 file_bytes;	/* read from files */
	__u64 zero_bytes;	/* from zero extents */
	__u64 requeued_loads;	/* page tables were not available at first */
	__u64 failed_loads;
};

/*
 * On /dev/gmmap: QUERY and ATTACH. On the session, and on the kfd descriptor that was attached:
 * all but ATTACH. The numbers are above all of the kfd driver's.
 */
#define GMMAP_IOC_BASE		'K'
#define GMMAP_IOC_QUERY		_IOWR(GMMAP_IOC_BASE, 0xe0, struct gmmap_query)
#define GMMAP_IOC_ATTACH	_IOWR(GMMAP_IOC_BASE, 0xe1, struct gmmap_attach)
#define GMMAP_IOC_MAP		_IOWR(GMMAP_IOC_BASE, 0xe2, struct gmmap_map)
#define GMMAP_IOC_UNMAP		_IOWR(GMMAP_IOC_BASE, 0xe3, struct gmmap_unmap)
#define GMMAP_IOC_WAIT		_IOWR(GMMAP_IOC_BASE, 0xe4, struct gmmap_wait)
#define GMMAP_IOC_STAT		_IOWR(GMMAP_IOC_BASE, 0xe5, struct gmmap_stat)

#endif
