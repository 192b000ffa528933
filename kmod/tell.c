// SPDX-License-Identifier: GPL-2.0-only
/* What a process's sessions get to know: records for their streams, touches for the recording. */
#include <linux/err.h>
#include <linux/slab.h>

#include "gpu.h"
#include "mapping.h"
#include "process.h"
#include "recording.h"
#include "stream.h"

/* Context: may sleep. */
void gmmap_process_listen(struct gmmap_process *process, struct gmmap_stream *stream)
{
	spin_lock_irq(&process->tell_lock);
	list_add_tail(&stream->link, &process->streams);
	spin_unlock_irq(&process->tell_lock);
}

/* Context: tell_lock held. */
static void update_wanted(struct gmmap_process *process)
{
	struct gmmap_stream *stream;
	u32 wanted = 0;

	list_for_each_entry(stream, &process->streams, link)
		wanted |= stream->mask;
	WRITE_ONCE(process->wanted, wanted);
}

/* Afterwards nobody writes to the stream. Context: may sleep. */
void gmmap_process_unlisten(struct gmmap_process *process, struct gmmap_stream *stream)
{
	spin_lock_irq(&process->tell_lock);
	list_del_init(&stream->link);
	update_wanted(process);
	spin_unlock_irq(&process->tell_lock);
}

/* See gmmap_stream_setup(). */
int gmmap_process_records(struct gmmap_process *process, struct gmmap_stream *stream,
			  const struct gmmap_records *args)
{
	int ret = gmmap_stream_setup(stream, args);

	if (ret)
		return ret;
	spin_lock_irq(&process->tell_lock);
	update_wanted(process);
	spin_unlock_irq(&process->tell_lock);
	return 0;
}

/**
 * gmmap_process_tell() - give a record to every session
 * @process: the process
 * @record: size and time are set here
 *
 * Context: any, hard interrupt included; gmmap_gpu.lock may be held.
 */
void gmmap_process_tell(struct gmmap_process *process, const struct gmmap_record *record)
{
	struct gmmap_stream *stream;
	unsigned long flags;

	/* The end is told to those that want no record as well: they stop waiting. */
	if (record->type != GMMAP_RECORD_EXIT &&
	    !(READ_ONCE(process->wanted) & BIT(record->type)))
		return;
	spin_lock_irqsave(&process->tell_lock, flags);
	list_for_each_entry(stream, &process->streams, link)
		gmmap_stream_add(stream, record);
	spin_unlock_irqrestore(&process->tell_lock, flags);
}

/**
 * gmmap_process_touch() - note that a granule is touched before it is present
 * @mapping: whose
 * @granule: its number
 * @gpu_id: of the GPU that touches it, 0 for the CPU
 *
 * Context: any; gmmap_gpu.lock held.
 */
void gmmap_process_touch(struct gmmap_mapping *mapping, u32 granule, u32 gpu_id)
{
	struct gmmap_process *process = mapping->process;
	struct gmmap_touch touch = {
		.mapping_id = mapping->id,
		.offset = gmmap_granule_offset(granule),
		.gpu_id = gpu_id,
	};
	struct gmmap_recording *recording;
	unsigned long flags;

	lockdep_assert_held(&mapping->gpu->lock);
	if (!READ_ONCE(process->recording))
		return;
	spin_lock_irqsave(&process->tell_lock, flags);
	recording = process->recording;
	if (recording->running) {
		/* A recording that has begun since forgets the touches of those before it. */
		if (mapping->touched_ns < recording->start_ns) {
			bitmap_zero(mapping->touched, mapping->granules);
			mapping->touched_ns = recording->start_ns;
		}
		if (!__test_and_set_bit(granule, mapping->touched))
			gmmap_recording_add(recording, &touch);
	}
	spin_unlock_irqrestore(&process->tell_lock, flags);
}

/**
 * gmmap_process_start_recording() - begin a new recording
 * @process: the process
 * @capacity: how many touches fit
 * @exact: no fault-around while it runs
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM, -ESRCH if the process is gone.
 */
int gmmap_process_start_recording(struct gmmap_process *process, u32 capacity, bool exact)
{
	struct gmmap_recording *recording = gmmap_recording_create(capacity, exact);
	int ret = 0;

	if (!recording)
		return -ENOMEM;
	mutex_lock(&process->lock);
	if (process->dead) {
		ret = -ESRCH;
	} else {
		spin_lock_irq(&process->tell_lock);
		swap(process->recording, recording);
		WRITE_ONCE(process->exact, exact);
		spin_unlock_irq(&process->tell_lock);
	}
	mutex_unlock(&process->lock);
	gmmap_recording_put(recording);
	return ret;
}

/**
 * gmmap_process_recording() - find the recording
 * @process: the process
 * @stop: end it, so that nothing is added any more
 *
 * Context: may sleep.
 * Return: the recording, referenced, or NULL if there was none.
 */
struct gmmap_recording *gmmap_process_recording(struct gmmap_process *process, bool stop)
{
	struct gmmap_recording *recording;

	spin_lock_irq(&process->tell_lock);
	recording = process->recording;
	if (recording) {
		gmmap_recording_get(recording);
		if (stop) {
			recording->running = false;
			WRITE_ONCE(process->exact, false);
		}
	}
	spin_unlock_irq(&process->tell_lock);
	return recording;
}
