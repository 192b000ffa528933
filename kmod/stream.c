// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records are written where things happen, also in the hard interrupt, into memory that was
 * allocated when the session asked for them. What does not fit is counted.
 */
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uio.h>

#include "stream.h"

#define MIN_CAPACITY	16
#define MAX_CAPACITY	65536

void gmmap_stream_init(struct gmmap_stream *stream)
{
	INIT_LIST_HEAD(&stream->link);
	spin_lock_init(&stream->lock);
	init_waitqueue_head(&stream->wait);
}

/* Context: may sleep; it is in no list. */
void gmmap_stream_destroy(struct gmmap_stream *stream)
{
	kvfree(stream->ring);
	if (stream->eventfd)
		eventfd_ctx_put(stream->eventfd);
}

static int check(const struct gmmap_records *args)
{
	if (args->reserved || args->mask & ~GMMAP_RECORD_MASK)
		return -EINVAL;
	if (args->mask && (args->capacity < MIN_CAPACITY || args->capacity > MAX_CAPACITY))
		return -EINVAL;
	return 0;
}

/**
 * gmmap_stream_setup() - choose what is recorded
 * @stream: the stream; records that were not read are lost
 * @args: from user space
 *
 * Context: may sleep.
 * Return: 0, -EINVAL, -EBADF if the eventfd is none, -ENOMEM.
 */
int gmmap_stream_setup(struct gmmap_stream *stream, const struct gmmap_records *args)
{
	struct eventfd_ctx *eventfd = NULL;
	struct gmmap_record *ring = NULL;
	int ret = check(args);

	if (ret)
		return ret;
	if (args->mask) {
		if (args->eventfd != -1)
			eventfd = eventfd_ctx_fdget(args->eventfd);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
		ring = kvcalloc(args->capacity, sizeof(*ring), GFP_KERNEL_ACCOUNT);
		if (!ring) {
			if (eventfd)
				eventfd_ctx_put(eventfd);
			return -ENOMEM;
		}
	}
	spin_lock_irq(&stream->lock);
	swap(stream->ring, ring);
	swap(stream->eventfd, eventfd);
	stream->mask = args->mask;
	stream->capacity = args->mask ? args->capacity : 0;
	stream->read = 0;
	stream->written = 0;
	stream->dropped = 0;
	spin_unlock_irq(&stream->lock);
	/* Who waits on it for records may have to wait no longer. */
	wake_up_interruptible_all(&stream->wait);
	kvfree(ring);
	if (eventfd)
		eventfd_ctx_put(eventfd);
	return 0;
}

static u32 space(const struct gmmap_stream *stream)
{
	return stream->capacity - (stream->written - stream->read);
}

static void put(struct gmmap_stream *stream, const struct gmmap_record *record)
{
	struct gmmap_record *to = &stream->ring[stream->written++ % stream->capacity];

	*to = *record;
	to->size = sizeof(*to);
	to->time_ns = ktime_get_ns();
}

/* What was dropped is told where it is missing. Context: stream.lock held. */
static void put_dropped(struct gmmap_stream *stream)
{
	struct gmmap_record record = {
		.type = GMMAP_RECORD_DROPPED,
		.length = stream->dropped,
	};

	put(stream, &record);
	stream->dropped = 0;
}

/* Adds a record; its size and time are set here. Context: any, hard interrupt included. */
void gmmap_stream_add(struct gmmap_stream *stream, const struct gmmap_record *record)
{
	unsigned long flags;

	spin_lock_irqsave(&stream->lock, flags);
	if (record->type == GMMAP_RECORD_EXIT)
		stream->ended = true;
	if (stream->mask & BIT(record->type)) {
		if (space(stream) > !!stream->dropped) {
			if (stream->dropped)
				put_dropped(stream);
			put(stream, record);
			if (stream->eventfd)
				eventfd_signal(stream->eventfd);
		} else {
			stream->dropped++;
		}
	}
	wake_up_interruptible_all(&stream->wait);
	spin_unlock_irqrestore(&stream->lock, flags);
}

static bool is_readable(struct gmmap_stream *stream)
{
	return READ_ONCE(stream->read) != READ_ONCE(stream->written) ||
	       READ_ONCE(stream->dropped) || READ_ONCE(stream->ended) ||
	       !READ_ONCE(stream->ring);
}

/* Takes the oldest record. Returns false if there is none. */
static bool take(struct gmmap_stream *stream, struct gmmap_record *record)
{
	bool taken = false;

	spin_lock_irq(&stream->lock);
	if (stream->ring) {
		if (stream->read == stream->written && stream->dropped)
			put_dropped(stream);
		taken = stream->read != stream->written;
		if (taken)
			*record = stream->ring[stream->read++ % stream->capacity];
	}
	spin_unlock_irq(&stream->lock);
	return taken;
}

/**
 * gmmap_stream_read() - read whole records
 * @stream: the stream
 * @to: user space
 * @nonblock: do not wait for the first one
 *
 * Context: may sleep.
 * Return: bytes; 0 if the process is gone and nothing is left, -EINVAL if not even one record fits
 * or none was ever wanted, -EAGAIN, -ERESTARTSYS, -EFAULT (the record is lost then).
 */
ssize_t gmmap_stream_read(struct gmmap_stream *stream, struct iov_iter *to, bool nonblock)
{
	struct gmmap_record record;
	ssize_t bytes = 0;
	int ret;

	if (iov_iter_count(to) < sizeof(record))
		return -EINVAL;
	for (;;) {
		if (!READ_ONCE(stream->ring))
			return bytes ?: -EINVAL;
		while (iov_iter_count(to) >= sizeof(record) && take(stream, &record)) {
			if (copy_to_iter(&record, sizeof(record), to) != sizeof(record))
				return bytes ?: -EFAULT;
			bytes += sizeof(record);
		}
		if (bytes || READ_ONCE(stream->ended))
			return bytes;
		if (nonblock)
			return -EAGAIN;
		ret = wait_event_interruptible(stream->wait, is_readable(stream));
		if (ret)
			return ret;
	}
}

__poll_t gmmap_stream_poll(struct gmmap_stream *stream, struct file *file, poll_table *table)
{
	poll_wait(file, &stream->wait, table);
	if (!READ_ONCE(stream->ring))
		return EPOLLERR;
	if (READ_ONCE(stream->ended))
		return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	return is_readable(stream) ? EPOLLIN | EPOLLRDNORM : 0;
}
