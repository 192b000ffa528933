// SPDX-License-Identifier: MIT
#include "queue.h"

#include "vgpu.h"

#define POLL_FIRST_NS  20000u
#define POLL_LAST_NS   1000000u
#define RETRY_FIRST_NS 100000u
#define RETRY_LAST_NS  20000000u

static void waiter_wake(struct cam_waiter *waiter)
{
	queue_wake((struct queue *)((char *)waiter - offsetof(struct queue, waiter)));
}

void queue_init(struct vgpu *dev, struct queue *q)
{
	q->dev = dev;
	q->waiter.wake = waiter_wake;
	q->fault_page = UINT64_MAX;
}

void queue_start(struct queue *q)
{
	q->depth = 0;
	q->ib_done = false;
	q->inactive = false;
	q->progress = 0;
	q->window_row = 0;
	q->active = true;
	q->state = QUEUE_READY;
	q->poll_ns = 0;
	q->fault_page = UINT64_MAX;
	q->wptr_pending = q->wptr_va != 0;
	q->report_pending = false;
	sched_add(q->dev, q);
	trace(q->dev, "queue_start",
	      "\"queue\":\"%s\",\"vmid\":%u,\"rptr\":%llu,\"wptr\":%llu,\"doorbell\":%u", q->name,
	      q->vmid, (unsigned long long)q->rptr, (unsigned long long)q->wptr, q->doorbell);
}

static void stall_end(struct queue *q)
{
	if (!q->stalled_since_ns)
		return;
	q->stats.stalled_ns += now_ns() - q->stalled_since_ns;
	q->stalled_since_ns = 0;
}

void queue_stop(struct queue *q)
{
	if (!q->active)
		return;
	cam_cancel(&q->waiter);
	stall_end(q);
	q->active = false;
	q->state = QUEUE_IDLE;
	sched_remove(q->dev, q);
	trace(q->dev, "queue_stop", "\"queue\":\"%s\",\"rptr\":%llu,\"wptr\":%llu", q->name,
	      (unsigned long long)q->rptr, (unsigned long long)q->wptr);
}

void queue_wake(struct queue *q)
{
	if (q->state == QUEUE_HALTED)
		return;
	if (q->state == QUEUE_FAULTED)
		stall_end(q);
	q->state = QUEUE_READY;
}

void queue_set_wptr(struct queue *q, uint64_t dwords)
{
	q->wptr = dwords;
	q->wptr_pending = false;
	/* A queue that polls looks at once; one that waits for the link goes on waiting. */
	if (q->state == QUEUE_IDLE || (q->state == QUEUE_POLLING && q->poll_ns))
		q->state = QUEUE_READY;
	q->poll_ns = 0;
}

/* The write pointer as memory and doorbells hold it: dwords, bytes (SDMA) or packets (AQL). */
static uint64_t wptr_dwords(const struct queue *q, uint64_t value)
{
	switch (q->kind) {
	case QUEUE_AQL:
		return value * 16;
	case QUEUE_SDMA:
		return value / 4;
	default:
		return value;
	}
}

void queue_doorbell(struct queue *q, uint64_t value)
{
	/* An AQL doorbell carries the index of the last packet, not of the next one. */
	queue_set_wptr(q, wptr_dwords(q, q->kind == QUEUE_AQL ? value + 1 : value));
}

uint8_t queue_vmid(const struct queue *q)
{
	return q->depth ? q->ib[q->depth - 1].vmid : q->vmid;
}

uint64_t queue_available(const struct queue *q)
{
	uint64_t left = q->wptr - q->rptr;

	if (q->depth) {
		const struct stream *ib = &q->ib[q->depth - 1];

		return ib->dwords - ib->offset;
	}
	return left <= q->ring_dwords ? left : left & (q->ring_dwords - 1);
}

static int fetch_ring(struct queue *q, uint32_t *packet, uint32_t dwords)
{
	for (uint32_t done = 0; done < dwords;) {
		uint32_t at = (uint32_t)((q->rptr + done) & (q->ring_dwords - 1));
		uint32_t part = q->ring_dwords - at;
		int ret;

		if (part > dwords - done)
			part = dwords - done;
		ret = queue_read(q, q->ring_va + 4ULL * at, packet + done, 4ULL * part);
		if (ret)
			return ret;
		done += part;
	}
	return STEP_DONE;
}

int queue_packet(struct queue *q, uint32_t dwords, const uint32_t **packet)
{
	uint32_t *buffer = q->dev->packet;
	const struct stream *ib;

	*packet = buffer;
	if (dwords > QUEUE_MAX_PACKET || dwords > queue_available(q)) {
		if (!q->depth && dwords <= q->ring_dwords && dwords <= QUEUE_MAX_PACKET)
			return STEP_STARVED;
		error(q->dev, "%s: a packet of %u dwords is longer than what holds it", q->name,
		      dwords);
		return STEP_HALT;
	}
	if (!q->depth)
		return fetch_ring(q, buffer, dwords);
	ib = &q->ib[q->depth - 1];
	return queue_read(q, ib->va + 4ULL * ib->offset, buffer, 4ULL * dwords);
}

void queue_consume(struct queue *q, uint32_t dwords)
{
	q->stats.packets++;
	q->progress = 0;
	q->window_row = 0;
	q->poll_ns = 0;
	q->fault_page = UINT64_MAX;
	while (q->depth) {
		struct stream *ib = &q->ib[q->depth - 1];

		ib->offset += dwords;
		if (ib->offset < ib->dwords)
			return;
		dwords = ib->caller;
		q->depth--;
	}
	q->rptr += dwords;
	q->report_pending = q->rptr_report_va != 0;
}

int queue_call(struct queue *q, uint64_t va, uint32_t dwords, uint8_t vmid, uint32_t caller)
{
	if (!dwords) {
		queue_consume(q, caller);
		return STEP_DONE;
	}
	if (q->depth == QUEUE_IB_DEPTH) {
		error(q->dev, "%s: indirect buffers nested deeper than %d", q->name,
		      QUEUE_IB_DEPTH);
		return STEP_HALT;
	}
	q->ib[q->depth++] = (struct stream){
		.va = va, .dwords = dwords, .caller = caller, .vmid = vmid,
	};
	q->progress = 0;
	q->window_row = 0;
	return STEP_DONE;
}

/*
 * The page is absent. After an answer that did not help (a driver may acknowledge before its page
 * table update has landed) the next question waits a little, longer each time.
 */
static int queue_park(struct queue *q, uint64_t va, unsigned int access)
{
	uint64_t page = va & ~(uint64_t)(GMC_PAGE_BYTES - 1);

	if (page != q->fault_page) {
		q->fault_page = page;
		q->retry_ns = 0;
	} else if (!q->paused) {
		q->retry_ns = q->retry_ns ? q->retry_ns * 2 : RETRY_FIRST_NS;
		if (q->retry_ns > RETRY_LAST_NS)
			q->retry_ns = RETRY_LAST_NS;
		q->paused = true;
		q->state = QUEUE_POLLING;
		q->wake_ns = now_ns() + q->retry_ns;
		return STEP_PARKED;
	}
	q->paused = false;
	q->stats.faults++;
	q->stalled_since_ns = now_ns();
	q->state = QUEUE_FAULTED;
	cam_wait(q->dev, &q->waiter, q->hub, queue_vmid(q), va, access);
	return STEP_PARKED;
}

int queue_span(struct queue *q, uint64_t va, unsigned int access, struct span *span)
{
	uint8_t vmid = queue_vmid(q);

	switch (gmc_translate(q->dev, q->hub, vmid, va, access, span)) {
	case GMC_OK:
		return STEP_DONE;
	case GMC_RETRY:
		return queue_park(q, va, access);
	case GMC_NORETRY:
		gmc_report_fault(q->dev, q->hub, vmid, va, access);
		break;
	case GMC_PRT:
		break;
	}
	*span = (struct span){ .bytes = GMC_PAGE_BYTES - (va & (GMC_PAGE_BYTES - 1)) };
	span->zero = true;
	return STEP_DONE;
}

/* Reads and writes of one span at a time; the caller knows how far it is. */
enum transfer { TRANSFER_READ, TRANSFER_WRITE, TRANSFER_PROBE };

static int queue_transfer(struct queue *q, enum transfer what, unsigned int access, uint64_t va,
			  uint8_t *data, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes;) {
		struct span span;
		uint64_t part = bytes - done;
		int ret = queue_span(q, va + done, access, &span);

		if (ret)
			return ret;
		if (part > span.bytes)
			part = span.bytes;
		if (what == TRANSFER_READ)
			mem_read(&q->dev->mem, &span, 0, data + done, part);
		else if (what == TRANSFER_WRITE)
			mem_write(&q->dev->mem, &span, 0, data + done, part);
		if (span.system && what != TRANSFER_PROBE)
			link_charge(q->dev, what == TRANSFER_READ ? LINK_TO_GPU : LINK_FROM_GPU,
				    part);
		done += part;
	}
	return STEP_DONE;
}

int queue_read(struct queue *q, uint64_t va, void *data, uint64_t bytes)
{
	return queue_transfer(q, TRANSFER_READ, GMC_READ, va, data, bytes);
}

int queue_write(struct queue *q, uint64_t va, const void *data, uint64_t bytes)
{
	/* Words that the CPU polls must appear whole. */
	if ((bytes == 4 || bytes == 8) && !(va & (bytes - 1))) {
		struct span span;
		int ret = queue_span(q, va, GMC_WRITE, &span);

		if (ret)
			return ret;
		if (span.system)
			link_charge(q->dev, LINK_FROM_GPU, bytes);
		mem_store_span(&q->dev->mem, &span, data, bytes);
		return STEP_DONE;
	}
	return queue_transfer(q, TRANSFER_WRITE, GMC_WRITE, va, (uint8_t *)(uintptr_t)data, bytes);
}

int queue_probe(struct queue *q, uint64_t va, uint64_t bytes, unsigned int access)
{
	return queue_transfer(q, TRANSFER_PROBE, access, va, NULL, bytes);
}

/* The end of this part of a transfer, and what is left of it. */
static int transfer_end(struct queue *q, uint64_t bytes)
{
	return q->progress < bytes ? STEP_PART : STEP_DONE;
}

static uint64_t part_limit(const struct queue *q, uint64_t bytes)
{
	uint64_t limit = q->progress + QUEUE_STEP_BYTES;

	return limit < bytes ? limit : bytes;
}

static void span_advance(struct span *span, uint64_t bytes)
{
	if (span->ptr)
		span->ptr += bytes;
	span->address += bytes;
	span->bytes -= bytes;
}

int queue_copy(struct queue *q, uint64_t dst, uint64_t src, uint64_t bytes)
{
	uint64_t limit = part_limit(q, bytes);
	struct span from = { 0 }, to = { 0 };

	while (q->progress < limit) {
		uint64_t part = limit - q->progress;

		if ((!from.bytes && queue_span(q, src + q->progress, GMC_READ, &from)) ||
		    (!to.bytes && queue_span(q, dst + q->progress, GMC_WRITE, &to)))
			return STEP_PARKED;
		if (part > from.bytes)
			part = from.bytes;
		if (part > to.bytes)
			part = to.bytes;
		mem_copy(&q->dev->mem, &to, &from, part);
		if (from.system)
			link_charge(q->dev, LINK_TO_GPU, part);
		if (to.system)
			link_charge(q->dev, LINK_FROM_GPU, part);
		span_advance(&from, part);
		span_advance(&to, part);
		q->progress += part;
		q->stats.bytes += part;
	}
	return transfer_end(q, bytes);
}

/* Writes data to va + progress, up to va + limit but not past what one translation covers. */
static int store_part(struct queue *q, uint64_t va, const uint8_t *data, uint64_t limit)
{
	struct span span;
	uint64_t part = limit - q->progress;
	int ret = queue_span(q, va + q->progress, GMC_WRITE, &span);

	if (ret)
		return ret;
	if (part > span.bytes)
		part = span.bytes;
	mem_write(&q->dev->mem, &span, 0, data, part);
	if (span.system)
		link_charge(q->dev, LINK_FROM_GPU, part);
	q->stats.bytes += part;
	q->progress += part;
	return STEP_DONE;
}

int queue_fill(struct queue *q, uint64_t dst, uint32_t pattern, uint64_t bytes)
{
	uint64_t limit = part_limit(q, bytes);
	uint32_t block[1025];

	for (unsigned int i = 0; i < 1025; i++)
		block[i] = pattern;
	while (q->progress < limit) {
		uint64_t end = q->progress + 4096 < limit ? q->progress + 4096 : limit;
		/* A page boundary may cut the pattern. */
		int ret = store_part(q, dst, (uint8_t *)block + q->progress % 4, end);

		if (ret)
			return ret;
	}
	return transfer_end(q, bytes);
}

int queue_store(struct queue *q, uint64_t va, const void *data, uint64_t bytes)
{
	if (bytes <= 8) {
		q->stats.bytes += bytes;
		return queue_write(q, va, data, bytes);
	}
	while (q->progress < bytes) {
		int ret = store_part(q, va, (const uint8_t *)data + q->progress, bytes);

		if (ret)
			return ret;
	}
	return STEP_DONE;
}

uint32_t queue_read_reg(struct queue *q, uint32_t reg)
{
	if (!queue_vmid(q))
		return reg_read(q->dev, reg);
	return reg < REG_BAR_BYTES ? reg_get(q->dev, reg) : UINT32_MAX;
}

static int fetch_wptr(struct queue *q)
{
	uint64_t value;
	int ret = queue_read(q, q->wptr_va, &value, sizeof(value));

	if (!ret)
		queue_set_wptr(q, wptr_dwords(q, value));
	return ret;
}

static int report_rptr(struct queue *q)
{
	uint64_t value = q->kind == QUEUE_AQL  ? q->rptr / 16 :
			 q->kind == QUEUE_SDMA ? q->rptr * 4 :
						 q->rptr;
	/* PM4 queues have a 32-bit report, the others one of 64 bits. */
	uint64_t bytes = q->kind == QUEUE_PM4 ? 4 : 8;
	int ret = queue_write(q, q->rptr_report_va, &value, bytes);

	if (!ret)
		q->report_pending = false;
	return ret;
}

static int queue_advance(struct queue *q)
{
	int ret = STEP_DONE;

	if (q->wptr_pending)
		ret = fetch_wptr(q);
	if (!ret && q->report_pending && !q->depth)
		ret = report_rptr(q);
	if (ret)
		return ret;
	if (!queue_available(q)) {
		q->state = QUEUE_IDLE;
		return STEP_DONE;
	}
	return q->execute(q);
}

/* A packet whose transfers the link is still busy with is not over yet. */
static void wait_for_link(struct queue *q, bool packet_done)
{
	uint64_t until = link_busy_until(q->dev, packet_done);

	if (!until || q->state == QUEUE_FAULTED)
		return;
	q->state = QUEUE_POLLING;
	q->wake_ns = until;
}

void queue_step(struct queue *q)
{
	int ret;

	/* Memory accesses and queue_advance() change this where it does not hold. */
	q->state = QUEUE_READY;
	link_begin(q->dev);
	ret = queue_advance(q);
	switch (ret) {
	case STEP_DONE:
	case STEP_PART:
		if (q->state == QUEUE_READY)
			wait_for_link(q, ret == STEP_DONE);
		break;
	case STEP_POLL:
		q->poll_ns = q->poll_ns ? q->poll_ns * 2 : POLL_FIRST_NS;
		if (q->poll_ns > POLL_LAST_NS)
			q->poll_ns = POLL_LAST_NS;
		q->state = QUEUE_POLLING;
		q->wake_ns = now_ns() + q->poll_ns;
		break;
	case STEP_STARVED:
		q->state = QUEUE_IDLE;
		break;
	case STEP_HALT:
		q->state = QUEUE_HALTED;
		trace(q->dev, "queue_halt", "\"queue\":\"%s\"", q->name);
		break;
	default: /* STEP_PARKED: queue_park() has set the state */
		break;
	}
}
