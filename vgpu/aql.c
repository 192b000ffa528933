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
#define SIGNAL_START_TS		  0x20
#define QUEUE_PROPERTIES	  0xb4
#define QUEUE_ENABLE_PROFILING	  (1u << 3)
#define QUEUE_USE_SCRATCH_ONCE	  (1u << 4)

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
static int complete_with_times(struct queue *q, uint64_t signal, const uint64_t times[2])
{
	static const uint16_t invalid = AQL_INVALID;
	struct signal_event event = { 0 };
	int ret = queue_probe(q, packet_va(q), sizeof(invalid), GMC_WRITE);

	if (!ret && signal)
		ret = signal_prepare(q, signal, &event);
	if (!ret && signal && times)
		ret = queue_write(q, signal + SIGNAL_START_TS, times, 16);
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

static int complete(struct queue *q, uint64_t signal)
{
	return complete_with_times(q, signal, NULL);
}

/*
 * The queue becomes inactive: the runtime learns it through amd_queue_t's inactive signal, whose
 * place the command processor knows from the address of read_dispatch_id.
 */
static int deactivate(struct queue *q, int64_t code)
{
	uint64_t queue = q->rptr_report_va - QUEUE_READ_DISPATCH_ID, signal = 0;
	struct signal_event event;
	int ret = queue_read(q, queue + QUEUE_INACTIVE_SIGNAL, &signal, sizeof(signal));

	if (!ret && signal)
		ret = signal_prepare(q, signal, &event);
	if (!ret && signal) {
		queue_write(q, signal + SIGNAL_VALUE, &code, sizeof(code));
		signal_notify(q, &event);
	}
	return ret;
}

static int refuse_with(struct queue *q, int64_t code, const char *why)
{
	int ret = deactivate(q, code);

	if (ret)
		return ret;
	error(q->dev, "%s: %s", q->name, why);
	return STEP_HALT;
}

static int refuse(struct queue *q, const char *why)
{
	return refuse_with(q, SHADER_ERROR_PACKET, why);
}

/* Something that the runtime can help with: it does so and sets the signal to 0. */
static int ask_runtime(struct queue *q, int64_t code)
{
	int ret = deactivate(q, code);

	if (ret)
		return ret;
	q->inactive = true;
	return STEP_POLL;
}

/* If it cannot help, the signal keeps another value. */
static int await_runtime(struct queue *q)
{
	uint64_t queue = q->rptr_report_va - QUEUE_READ_DISPATCH_ID, signal = 0, value = 0;
	int ret = queue_read(q, queue + QUEUE_INACTIVE_SIGNAL, &signal, sizeof(signal));

	if (!ret && signal)
		ret = queue_read(q, signal + SIGNAL_VALUE, &value, sizeof(value));
	if (ret)
		return ret;
	q->inactive = value;
	return value ? STEP_POLL : STEP_DONE;
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
	struct shader_result result = { 0 };
	uint32_t properties = 0;
	int ret = q->inactive ? await_runtime(q) : STEP_DONE;

	if (ret)
		return ret;
	ret = shader_dispatch(q, packet_va(q), p, &result);
	if (ret == STEP_HALT && result.error == SHADER_ERROR_SCRATCH)
		return ask_runtime(q, result.error);
	if (ret == STEP_HALT)
		return refuse_with(q, result.error, result.why);
	if (ret)
		return ret;
	ret = queue_read(q, q->rptr_report_va - QUEUE_READ_DISPATCH_ID + QUEUE_PROPERTIES,
			 &properties, sizeof(properties));
	if (!ret && result.reclaim && properties & QUEUE_USE_SCRATCH_ONCE)
		return ask_runtime(q, SHADER_ERROR_RECLAIM);
	if (!ret)
		ret = complete_with_times(q, qword(p, AQL_COMPLETION_DWORD),
					  properties & QUEUE_ENABLE_PROFILING ? result.times :
									       NULL);
	if (!ret)
		shader_release(q);
	return ret;
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
