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
	__u32 chunk_shift;	/* out */
	__u32 max_ranges;	/* out: of one POPULATE */
};

struct gmmap_attach {
	__u32 size;
	__u32 flags;		/* 0 */
	__s32 kfd_fd;
	__s32 session_fd;	/* out */
};

/* struct gmmap_extent, flags */
#define GMMAP_EXTENT_ZERO	0x1	/* zeros; fd -1, file_offset 0 */
#define GMMAP_EXTENT_IMMUTABLE	0x2	/* refuse a file that can still be changed */
#define GMMAP_EXTENT_VERITY	0x4	/* refuse a file without fs-verity */

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

struct gmmap_range {
	__u64 mapping_id;
	__u64 offset;		/* bytes from the start of the BO */
	__u64 length;		/* bytes; 0: to the end of the BO */
};

struct gmmap_populate {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 ranges;		/* pointer to struct gmmap_range */
	__u32 range_count;
	__u32 reserved;		/* 0 */
	__u64 populate_id;	/* out */
};

struct gmmap_wait {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 mapping_id;
	__u64 offset;		/* bytes from the start of the BO */
	__u64 length;		/* bytes; 0: to the end of the BO */
	__s64 timeout_ns;	/* negative: no limit */
};

/* Bucket 0 counts below 1 us, bucket i up to 2^i us, the last one all above. */
#define GMMAP_LATENCY_BUCKETS	24

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
	__u64 loaded_granules;	/* all that were loaded */
	__u64 around_granules;	/* of these: in the chunk of a fault, but not touched by it */
	__u64 populated_granules; /* of these: by POPULATE or because the mapping had to end */
	__u64 cpu_granules;	/* of these: for the CPU */
	__u64 file_bytes;	/* read from files */
	__u64 zero_bytes;	/* from zero extents */
	__u64 requeued_loads;	/* page tables or memory were not available at first */
	__u64 failed_loads;	/* granules that could not be loaded */
	__u64 stall_ns;		/* sum of the times from interrupt to acknowledge */
	__u64 latency[GMMAP_LATENCY_BUCKETS]; /* the same times, counted */
};

/* struct gmmap_profile, flags */
#define GMMAP_PROFILE_EXACT	0x1	/* with START: no fault-around while recording */

/* struct gmmap_profile, op */
#define GMMAP_PROFILE_START	0
#define GMMAP_PROFILE_STOP	1
#define GMMAP_PROFILE_READ	2

/* A granule that was touched for the first time since START. */
struct gmmap_touch {
	__u64 mapping_id;
	__u64 offset;		/* of the granule, bytes from the start of the BO */
	__u64 time_ns;		/* since START */
	__u32 gpu_id;		/* 0: touched by the CPU */
	__u32 reserved;		/* 0 */
};

struct gmmap_profile {
	__u32 size;
	__u32 flags;		/* GMMAP_PROFILE_EXACT with START, else 0 */
	__u32 op;		/* GMMAP_PROFILE_* */
	__u32 count;		/* READ: how many; out: how many were read. START: how many fit */
	__u64 first;		/* READ: number of the first one */
	__u64 touches;		/* READ: pointer to struct gmmap_touch */
	__u64 recorded;		/* out */
	__u64 dropped;		/* out: did not fit */
};

/* struct gmmap_record, type */
#define GMMAP_RECORD_COMPLETE	0	/* everything is loaded, the mapping has ended */
#define GMMAP_RECORD_ABANDON	1	/* the mapping has ended otherwise; error says why */
#define GMMAP_RECORD_ERROR	2	/* a range could not be loaded */
#define GMMAP_RECORD_FAULT	3	/* a GPU page fault was taken */
#define GMMAP_RECORD_POPULATE	4	/* a POPULATE is through; error is the first one, or 0 */
#define GMMAP_RECORD_GPU_LOST	5	/* a GPU has lost its memory or is gone */
#define GMMAP_RECORD_EXIT	6	/* the process is gone, no record follows */
#define GMMAP_RECORD_DROPPED	7	/* length records did not fit here */

struct gmmap_record {
	__u32 size;		/* of this record */
	__u32 type;		/* GMMAP_RECORD_* */
	__u64 id;		/* of the mapping or the POPULATE */
	__u64 offset;		/* bytes from the start of the BO */
	__u64 length;		/* bytes */
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	__s32 error;		/* 0 or -errno */
	__u32 gpu_id;
};

struct gmmap_records {
	__u32 size;
	__u32 flags;		/* 0 */
	__u32 mask;		/* 1 << GMMAP_RECORD_*, those that are wanted; 0: stop */
	__u32 capacity;		/* records that fit before they are dropped */
	__s32 eventfd;		/* told about each record; -1: none */
	__u32 reserved;		/* 0 */
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
#define GMMAP_IOC_POPULATE	_IOWR(GMMAP_IOC_BASE, 0xe6, struct gmmap_populate)
#define GMMAP_IOC_PROFILE	_IOWR(GMMAP_IOC_BASE, 0xe7, struct gmmap_profile)
/* On the session only: it is this descriptor from which records are read. */
#define GMMAP_IOC_RECORDS	_IOWR(GMMAP_IOC_BASE, 0xe8, struct gmmap_records)

#endif
