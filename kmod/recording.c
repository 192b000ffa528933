// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "recording.h"

/* Returns a running one, or NULL. Context: may sleep. */
struct gmmap_recording *gmmap_recording_create(u32 capacity, bool exact)
{
	struct gmmap_recording *recording;

	recording = kvzalloc(struct_size(recording, touches, capacity), GFP_KERNEL_ACCOUNT);
	if (!recording)
		return NULL;
	kref_init(&recording->kref);
	recording->capacity = capacity;
	recording->exact = exact;
	recording->running = true;
	recording->start_ns = ktime_get_ns();
	return recording;
}

void gmmap_recording_get(struct gmmap_recording *recording)
{
	kref_get(&recording->kref);
}

static void release(struct kref *kref)
{
	kvfree(container_of(kref, struct gmmap_recording, kref));
}

/* Context: may sleep. */
void gmmap_recording_put(struct gmmap_recording *recording)
{
	if (recording)
		kref_put(&recording->kref, release);
}

/* Adds a touch; its time is set here. Context: gmmap_process.tell_lock held. */
void gmmap_recording_add(struct gmmap_recording *recording, const struct gmmap_touch *touch)
{
	u32 n = recording->recorded;

	if (n == recording->capacity) {
		recording->dropped++;
		return;
	}
	recording->touches[n] = *touch;
	recording->touches[n].time_ns = ktime_get_ns() - recording->start_ns;
	/* Readers do not take the lock. */
	smp_store_release(&recording->recorded, n + 1);
}

/**
 * gmmap_recording_read() - copy touches to user space
 * @recording: running or not
 * @first: number of the first one
 * @to: array of struct gmmap_touch
 * @count: in: of @to; out: how many were copied
 *
 * Context: may sleep.
 * Return: 0 or -EFAULT.
 */
int gmmap_recording_read(struct gmmap_recording *recording, u64 first, void __user *to,
			 u32 *count)
{
	/* Pairs with gmmap_recording_add(). */
	u32 recorded = smp_load_acquire(&recording->recorded);

	*count = first < recorded ? min(*count, recorded - (u32)first) : 0;
	if (copy_to_user(to, &recording->touches[*count ? first : 0],
			 array_size(*count, sizeof(struct gmmap_touch))))
		return -EFAULT;
	return 0;
}
