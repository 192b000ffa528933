/* SPDX-License-Identifier: GPL-2.0-only */
/* A recording of which granules were touched, in the order of their first touch. */
#ifndef GMMAP_RECORDING_H
#define GMMAP_RECORDING_H

#include <linux/kref.h>
#include <linux/types.h>

#include <linux/gmmap.h>

#define GMMAP_MAX_TOUCHES	BIT(22)

/**
 * struct gmmap_recording - see above
 * @kref: the process has one, and whoever reads it
 * @start_ns: when it began; constant
 * @exact: no fault-around meanwhile; constant
 * @running: guarded by gmmap_process.tell_lock
 * @dropped: touches that did not fit; guarded by gmmap_process.tell_lock
 * @recorded: of @touches; written under gmmap_process.tell_lock, those below it are constant
 * @capacity: of @touches; constant
 */
struct gmmap_recording {
	struct kref kref;
	u64 start_ns;
	bool exact;
	bool running;
	u64 dropped;
	u32 recorded;
	u32 capacity;
	struct gmmap_touch touches[] __counted_by(capacity);
};

struct gmmap_recording *gmmap_recording_create(u32 capacity, bool exact);
void gmmap_recording_get(struct gmmap_recording *recording);
void gmmap_recording_put(struct gmmap_recording *recording);
void gmmap_recording_add(struct gmmap_recording *recording, const struct gmmap_touch *touch);
int gmmap_recording_read(struct gmmap_recording *recording, u64 first, void __user *to,
			 u32 *count);

#endif
