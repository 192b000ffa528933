/* SPDX-License-Identifier: GPL-2.0-only */
/* The records that a session gets. */
#ifndef GMMAP_STREAM_H
#define GMMAP_STREAM_H

#include <linux/list.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <linux/gmmap.h>

struct eventfd_ctx;
struct iov_iter;

/* As many types as there are. */
#define GMMAP_RECORD_MASK	(BIT(GMMAP_RECORD_DROPPED + 1) - 1)

/**
 * struct gmmap_stream - see above
 * @link: in gmmap_process.streams, by its tell_lock
 * @lock: guards all below; taken in the hard interrupt
 * @wait: woken when there is a record
 * @mask: BIT(GMMAP_RECORD_*) of what is wanted; 0 while @ring is NULL
 * @ring: of @capacity records
 * @capacity: of @ring
 * @read: number of records that were read
 * @written: number of records that were written
 * @dropped: did not fit since the last one that did
 * @ended: the process is gone
 * @eventfd: told about each record, or NULL
 */
struct gmmap_stream {
	struct list_head link;
	spinlock_t lock; /* see above */
	wait_queue_head_t wait;
	u32 mask;
	struct gmmap_record *ring;
	u32 capacity;
	u32 read;
	u32 written;
	u64 dropped;
	bool ended;
	struct eventfd_ctx *eventfd;
};

void gmmap_stream_init(struct gmmap_stream *stream);
void gmmap_stream_destroy(struct gmmap_stream *stream);
int gmmap_stream_setup(struct gmmap_stream *stream, const struct gmmap_records *args);
void gmmap_stream_add(struct gmmap_stream *stream, const struct gmmap_record *record);
ssize_t gmmap_stream_read(struct gmmap_stream *stream, struct iov_iter *to, bool nonblock);
__poll_t gmmap_stream_poll(struct gmmap_stream *stream, struct file *file, poll_table *table);

#endif
