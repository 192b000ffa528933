// SPDX-License-Identifier: MIT
#include "sched.h"

#include "vgpu.h"

#define BURST_PACKETS 16 /* at most so many packets of one queue in a turn */
#define JITTER_ODDS   16 /* one turn in so many is delayed */

uint32_t sched_random(struct vgpu *dev, uint32_t below)
{
	uint64_t x = dev->sched.random;

	/* xorshift64*: the state must not be 0, which vgpu_init() sees to. */
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	dev->sched.random = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dULL) >> 32) % below;
}

void sched_add(struct vgpu *dev, struct queue *q)
{
	struct sched *sched = &dev->sched;

	if (sched->num_queues == QUEUE_MAX) {
		error(dev, "%s: more than %d queues at once", q->name, QUEUE_MAX);
		q->active = false;
		return;
	}
	sched->queues[sched->num_queues++] = q;
}

void sched_remove(struct vgpu *dev, struct queue *q)
{
	struct sched *sched = &dev->sched;

	for (unsigned int i = 0; i < sched->num_queues; i++) {
		if (sched->queues[i] == q) {
			sched->queues[i] = sched->queues[--sched->num_queues];
			return;
		}
	}
}

void sched_doorbell(struct vgpu *dev, uint32_t offset, uint64_t value, uint32_t bytes)
{
	struct sched *sched = &dev->sched;

	if (bytes == 4 && ih_doorbell(dev, offset, (uint32_t)value))
		return;
	for (unsigned int i = 0; i < sched->num_queues; i++) {
		struct queue *q = sched->queues[i];

		if (!q->doorbell_enabled || q->doorbell != offset)
			continue;
		trace(dev, "doorbell", "\"queue\":\"%s\",\"value\":%llu", q->name,
		      (unsigned long long)value);
		queue_doorbell(q, value);
		return;
	}
	/* A queue that is not active reads its write pointer from memory when it starts. */
	dev->stats.doorbells_dropped++;
}

static bool runnable(const struct queue *q, uint64_t now)
{
	return q->state == QUEUE_READY || (q->state == QUEUE_POLLING && q->wake_ns <= now);
}

/* A turn of the queue at i; the queue may stop itself and others meanwhile. */
static void run_turn(struct vgpu *dev, struct queue *q)
{
	unsigned int burst = 1 + sched_random(dev, BURST_PACKETS);

	if (dev->sched.jitter_ns && !sched_random(dev, JITTER_ODDS)) {
		q->state = QUEUE_POLLING;
		q->wake_ns = now_ns() + sched_random(dev, (uint32_t)dev->sched.jitter_ns);
		return;
	}
	do {
		queue_step(q);
	} while (--burst && q->active && q->state == QUEUE_READY && ih_has_room(dev));
}

uint64_t sched_run(struct vgpu *dev, uint64_t budget_ns)
{
	struct sched *sched = &dev->sched;
	uint64_t start = now_ns(), now = start;

	if (dev->inject.hang)
		return UINT64_MAX;
	while (sched->num_queues) {
		unsigned int first = sched_random(dev, sched->num_queues);
		uint64_t wake_ns = UINT64_MAX;
		bool ran = false;

		if (!ih_has_room(dev))
			return now + 100000; /* until the driver has read some */
		for (unsigned int i = 0; i < sched->num_queues; i++) {
			struct queue *q = sched->queues[(first + i) % sched->num_queues];

			if (runnable(q, now) && ih_has_room(dev)) {
				run_turn(dev, q);
				ran = true;
			}
			if (q->active && q->state == QUEUE_POLLING && q->wake_ns < wake_ns)
				wake_ns = q->wake_ns;
		}
		if (!ran)
			return wake_ns;
		now = now_ns();
		if (now - start >= budget_ns)
			return 0;
	}
	return UINT64_MAX;
}
