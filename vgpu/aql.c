// SPDX-License-Identifier: MIT
/*
 * AQL packets: 64 bytes, in order. Layouts: HSA Platform System Architecture Specification 2.9;
 * signals and queues as in the public amd_hsa_signal.h and amd_hsa_queue.h.
 */
#include "aql.h"

#include <string.h>

#include "cp.h"
#include "pm4.h"
#include "vgpu.h"

enum aql_type {
	AQL_VENDOR = 0,
	AQL_INVALID = 1,
	AQL_KERNEL_DISPATCH = 2,
	AQL_BARRIER_AND = 3,
	AQL_AGENT_DISPATCH = 4,
	AQL_BARRIER_OR = 5,
};

#define AQL_DWORDS		  16
#define AQL_DEPENDENCIES	  5
#define AQL_DEPENDENCY_DWORD	  2 /* of the first signal */
#define AQL_COMPLETION_DWORD	  14
#define AMD_FORMAT_PM4_IB	  1
#define AMD_FORMAT_BARRIER_VALUE  2
#define PM4_INDIRECT_BUFFER_OP	  0x3f
#define SIGNAL_VALUE		  0x08 /* of amd_signal_t */
#define SIGNAL_EVENT_MAILBOX_PTR  0x10
#define SIGNAL_EVENT_ID		  0x18
#define QUEUE_READ_DISPATCH_ID	  0x80 /* of amd_queue_t: what rptr_report_va points to */
#define QUEUE_INACTIVE_SIGNAL	  0xc0
#define ERROR_INVALID_PACKET	  0x20 /* in the inactive signal: not a packet to be executed */

static uint64_t qword(const uint32_t *p, unsigned int dword)
{
	return p[dword] | (uint64_t)p[dword + 1] << 32;
}

static uint64_t packet_va(const struct queue *q)
{
	return q->ring_va + 4 * (q->rptr & (q->ring_dwords - 1));
}

/* Where a signal's waiters are told; mailbox 0: they poll. */
struct signal_event {
	uint64_t mailbox;
	uint64_t id;
};

/* Faults in all of a signal that signal_set() touches. */
static int signal_prepare(struct queue *q, uint64_t signal, struct signal_event *event)
{
	uint32_t id;
	int ret = queue_probe(q, signal + SIGNAL_VALUE, 8, GMC_READ | GMC_WRITE);

	if (!ret)
		ret = queue_read(q, signal + SIGNAL_EVENT_MAILBOX_PTR, &event->mailbox, 8);
	if (!ret)
		ret = queue_read(q, signal + SIGNAL_EVENT_ID, &id, sizeof(id));
	if (ret)
		return ret;
	event->id = id;
	if (event->mailbox)
		ret = queue_probe(q, event->mailbox, 8, GMC_WRITE);
	return ret;
}

static void signal_notify(struct queue *q, const struct signal_event *event)
{
	if (!event->mailbox)
		return;
	queue_write(q, event->mailbox, &event->id, sizeof(event->id));
	pm4_eop_interrupt(q, (uint32_t)event->id);
}

/* Consumes the packet; nothing is changed before everything that is to be changed is present. */
static int complete(struct queue *q, uint64_t signal)
{
	static const uint16_t invalid = AQL_INVALID;
	struct signal_event event = { 0 };
	int ret = queue_probe(q, packet_va(q), sizeof(invalid), GMC_WRITE);

	if (!ret && signal)
		ret = signal_prepare(q, signal, &event);
	if (ret)
		return ret;
	queue_write(q, packet_va(q), &invalid, sizeof(invalid));
	if (signal) {
		struct span span;

		ret = queue_span(q, signal + SIGNAL_VALUE, GMC_READ | GMC_WRITE, &span);
		if (!ret && span.ptr && !((uintptr_t)span.ptr & 7))
			__atomic_fetch_sub((uint64_t *)(void *)span.ptr, 1, __ATOMIC_SEQ_CST);
		signal_notify(q, &event);
	}
	queue_consume(q, AQL_DWORDS);
	q->ib_done = false;
	return STEP_DONE;
}

/*
 * The queue becomes inactive: the runtime learns it through amd_queue_t's inactive signal, whose
 * place the command processor knows from the address of read_dispatch_id.
 */
static int refuse(struct queue *q, const char *why)
{
	uint64_t queue = q->rptr_report_va - QUEUE_READ_DISPATCH_ID, signal = 0;
	int64_t code = ERROR_INVALID_PACKET;
	struct signal_event event;
	int ret = queue_read(q, queue + QUEUE_INACTIVE_SIGNAL, &signal, sizeof(signal));

	if (!ret && signal)
		ret = signal_prepare(q, signal, &event);
	if (ret)
		return ret;
	error(q->dev, "%s: %s", q->name, why);
	if (signal) {
		queue_write(q, signal + SIGNAL_VALUE, &code, sizeof(code));
		signal_notify(q, &event);
	}
	return STEP_HALT;
}

static int signal_value(struct queue *q, uint64_t signal, int64_t *value)
{
	return queue_read(q, signal + SIGNAL_VALUE, value, sizeof(*value));
}

static int barrier(struct queue *q, const uint32_t *p, bool any)
{
	unsigned int waiting = 0, met = 0;

	for (unsigned int i = 0; i < AQL_DEPENDENCIES; i++) {
		uint64_t signal = qword(p, AQL_DEPENDENCY_DWORD + 2 * i);
		int64_t value;
		int ret;

		if (!signal)
			continue;
		ret = signal_value(q, signal, &value);
		if (ret)
			return ret;
		if (value)
			waiting++;
		else
			met++;
	}
	if (any ? waiting && !met : waiting)
		return STEP_POLL;
	return complete(q, qword(p, AQL_COMPLETION_DWORD));
}

static int barrier_value(struct queue *q, const uint32_t *p)
{
	uint64_t signal = qword(p, 2), mask = qword(p, 6);
	int64_t reference = (int64_t)qword(p, 4), value;
	bool met;

	if (signal) {
		int ret = signal_value(q, signal, &value);

		if (ret)
			return ret;
		value &= (int64_t)mask;
		switch (p[8]) { /* hsa_signal_condition_t */
		case 0:
			met = value == reference;
			break;
		case 1:
			met = value != reference;
			break;
		case 2:
			met = value < reference;
			break;
		default:
			met = value >= reference;
			break;
		}
		if (!met)
			return STEP_POLL;
	}
	return complete(q, qword(p, AQL_COMPLETION_DWORD));
}

static int vendor(struct queue *q, const uint32_t *p)
{
	switch (p[0] >> 16) {
	case AMD_FORMAT_PM4_IB:
		if ((p[1] >> 8 & 0xff) != PM4_INDIRECT_BUFFER_OP)
			return refuse(q, "an AQL PM4 packet without an indirect buffer");
		if (q->ib_done || !(p[4] & 0xfffff))
			return complete(q, qword(p, AQL_COMPLETION_DWORD));
		return queue_call(q, qword(p, 2) & GMC_VA_MASK & ~3ULL, p[4] & 0xfffff, q->vmid, 0);
	case AMD_FORMAT_BARRIER_VALUE:
		return barrier_value(q, p);
	default:
		return refuse(q, "a vendor AQL packet of an unknown format");
	}
}

static int kernel_dispatch(struct queue *q, const uint32_t *p)
{
	int ret;

	if (!q->dev->shader)
		return refuse(q, "kernel dispatch refused: this device has no shader engine");
	ret = q->dev->shader->dispatch(q, packet_va(q), p);
	return ret ? ret : complete(q, qword(p, AQL_COMPLETION_DWORD));
}

static int packet_execute(struct queue *q, const uint32_t *p)
{
	switch (p[0] & 0xff) {
	case AQL_VENDOR:
		return vendor(q, p);
	case AQL_INVALID: /* the producer is still writing it */
		return STEP_POLL;
	case AQL_KERNEL_DISPATCH:
		return kernel_dispatch(q, p);
	case AQL_BARRIER_AND:
		return barrier(q, p, false);
	case AQL_BARRIER_OR:
		return barrier(q, p, true);
	case AQL_AGENT_DISPATCH:
		return refuse(q, "agent dispatch packets are for CPU agents");
	default:
		return refuse(q, "an AQL packet of an unknown type");
	}
}

int aql_execute(struct queue *q)
{
	uint32_t packet[AQL_DWORDS];
	const uint32_t *p;
	int ret;

	if (q->depth) {
		ret = pm4_execute(q);
		q->ib_done = !q->depth;
		return ret;
	}
	ret = queue_packet(q, AQL_DWORDS, &p);
	if (ret)
		return ret;
	memcpy(packet, p, sizeof(packet));
	return packet_execute(q, packet);
}
