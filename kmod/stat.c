// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitops.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "stat.h"

/* All members are u64, and are summed as an array of them. */
#define COUNTERS	(sizeof(struct gmmap_stat_counters) / sizeof(u64))

void gmmap_stat_add(struct gmmap_stat_counters *to, const struct gmmap_stat_counters *from)
{
	const u64 *source = (const u64 *)from;
	u64 *sum = (u64 *)to;
	unsigned int i;

	for (i = 0; i < COUNTERS; i++)
		sum[i] += source[i];
}

/* Counts one acknowledge. Context: any; gmmap_gpu.lock held. */
void gmmap_stat_stall(struct gmmap_stat_counters *stat, u64 ns)
{
	unsigned int bucket = fls64(div_u64(ns, NSEC_PER_USEC));

	stat->acknowledged++;
	stat->stall_ns += ns;
	stat->latency[min_t(unsigned int, bucket, GMMAP_LATENCY_BUCKETS - 1)]++;
}

void gmmap_stat_export(struct gmmap_stat *to, const struct gmmap_stat_counters *from)
{
	to->faults = from->faults;
	to->joined_faults = from->joined;
	to->stale_faults = from->stale;
	to->refused_faults = from->refused;
	to->acknowledged_faults = from->acknowledged;
	to->loaded_granules = from->loaded;
	to->around_granules = from->around;
	to->populated_granules = from->populated;
	to->cpu_granules = from->cpu;
	to->file_bytes = from->file_bytes;
	to->zero_bytes = from->zero_bytes;
	to->requeued_loads = from->requeued;
	to->failed_loads = from->failed;
	to->stall_ns = from->stall_ns;
	memcpy(to->latency, from->latency, sizeof(to->latency));
}
