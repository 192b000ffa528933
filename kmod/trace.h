/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gmmap

#if !defined(GMMAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GMMAP_TRACE_H

#include <linux/tracepoint.h>

#include "client.h"
#include "load.h"
#include "mapping.h"
#include "process.h"

TRACE_DEFINE_ENUM(GMMAP_BY_GPU);
TRACE_DEFINE_ENUM(GMMAP_BY_CPU);
TRACE_DEFINE_ENUM(GMMAP_BY_FILL);

TRACE_EVENT(gmmap_map,
	TP_PROTO(const struct gmmap_mapping *mapping),
	TP_ARGS(mapping),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, id)
		__field(u32, gpu_id)
		__field(u64, address)
		__field(u64, bytes)
		__field(u32, absent)
	),
	TP_fast_assign(
		__entry->pid = mapping->process->pid;
		__entry->id = mapping->id;
		__entry->gpu_id = mapping->client->gpu_id;
		__entry->address = mapping->address;
		__entry->bytes = mapping->bytes;
		__entry->absent = mapping->absent;
	),
	TP_printk("pid=%d mapping=%llu gpu=%u address=0x%llx bytes=%llu absent=%u", __entry->pid,
		  __entry->id, __entry->gpu_id, __entry->address, __entry->bytes, __entry->absent)
);

TRACE_EVENT(gmmap_fault,
	TP_PROTO(const struct gmmap_mapping *mapping, u32 granule, u32 cam_index),
	TP_ARGS(mapping, granule, cam_index),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, id)
		__field(u32, granule)
		__field(u8, state)
		__field(u32, cam_index)
	),
	TP_fast_assign(
		__entry->pid = mapping->process->pid;
		__entry->id = mapping->id;
		__entry->granule = granule;
		__entry->state = mapping->states[granule];
		__entry->cam_index = cam_index;
	),
	TP_printk("pid=%d mapping=%llu granule=%u state=%s cam=%u", __entry->pid, __entry->id,
		  __entry->granule,
		  __print_symbolic(__entry->state, { 0, "present" }, { 1, "absent" },
				   { 2, "loading" }, { 3, "failed" }),
		  __entry->cam_index)
);

TRACE_EVENT(gmmap_load,
	TP_PROTO(const struct gmmap_load *load, u32 loaded, int error),
	TP_ARGS(load, loaded, error),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, id)
		__field(u32, first)
		__field(u32, count)
		__field(u32, loaded)
		__field(int, cause)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->pid = load->mapping->process->pid;
		__entry->id = load->mapping->id;
		__entry->first = load->first;
		__entry->count = load->count;
		__entry->loaded = loaded;
		__entry->cause = load->cause;
		__entry->error = error;
	),
	TP_printk("pid=%d mapping=%llu granule=%u count=%u loaded=%u by=%s error=%d",
		  __entry->pid, __entry->id, __entry->first, __entry->count, __entry->loaded,
		  __print_symbolic(__entry->cause, { GMMAP_BY_GPU, "gpu" },
				   { GMMAP_BY_CPU, "cpu" }, { GMMAP_BY_FILL, "fill" }),
		  __entry->error)
);

TRACE_EVENT(gmmap_cpu_fault,
	TP_PROTO(const struct gmmap_client *client, u64 address, int error),
	TP_ARGS(client, address, error),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u32, gpu_id)
		__field(u64, address)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->pid = client->process->pid;
		__entry->gpu_id = client->gpu_id;
		__entry->address = address;
		__entry->error = error;
	),
	TP_printk("pid=%d gpu=%u address=0x%llx error=%d", __entry->pid, __entry->gpu_id,
		  __entry->address, __entry->error)
);

TRACE_EVENT(gmmap_end,
	TP_PROTO(const struct gmmap_mapping *mapping, int error),
	TP_ARGS(mapping, error),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, id)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->pid = mapping->process->pid;
		__entry->id = mapping->id;
		__entry->error = error;
	),
	TP_printk("pid=%d mapping=%llu error=%d", __entry->pid, __entry->id, __entry->error)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
