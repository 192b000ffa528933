/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters of a mapping, as struct gmmap_stat has them. */
#ifndef GMMAP_STAT_H
#define GMMAP_STAT_H

#include <linux/types.h>

#include <linux/gmmap.h>

struct gmmap_stat_counters {
	u64 faults;
	u64 joined;
	u64 stale;
	u64 refused;
	u64 acknowledged;
	u64 loaded;
	u64 around;
	u64 populated;
	u64 cpu;
	u64 file_bytes;
	u64 zero_bytes;
	u64 requeued;
	u64 failed;
	u64 stall_ns;
	u64 latency[GMMAP_LATENCY_BUCKETS];
};

void gmmap_stat_add(struct gmmap_stat_counters *to, const struct gmmap_stat_counters *from);
void gmmap_stat_stall(struct gmmap_stat_counters *stat, u64 ns);
void gmmap_stat_export(struct gmmap_stat *to, const struct gmmap_stat_counters *from);

#endif
