/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters of a mapping, as struct gmmap_stat has them. */
#ifndef GMMAP_STAT_H
#define GMMAP_STAT_H

#include <linux/types.h>

struct gmmap_stat_counters {
	u64 faults;
	u64 joined;
	u64 stale;
	u64 refused;
	u64 acknowledged;
	u64 loads;
	u64 file_bytes;
	u64 zero_bytes;
	u64 requeued;
	u64 failed;
};

static inline void gmmap_stat_add(struct gmmap_stat_counters *to,
				  const struct gmmap_stat_counters *from)
{
	to->faults += from->faults;
	to->joined += from->joined;
	to->stale += from->stale;
	to->refused += from->refused;
	to->acknowledged += from->acknowledged;
	to->loads += from->loads;
	to->file_bytes += from->file_bytes;
	to->zero_bytes += from->zero_bytes;
	to->requeued += from->requeued;
	to->failed += from->failed;
}

#endif
