/* SPDX-License-Identifier: MIT */
/*
 * A queue: a ring of packets in GPU memory and the context that executes it. Kernel rings, user
 * queues and the packet scheduler's own queue are all one of these.
 *
 * Everything runs in one thread. A queue advances in bounded steps and never blocks: an access to
 * an absent page, a wait for a memory value or a busy link leaves the queue parked with the packet
 * not consumed, and the others go on. A parked packet starts again from its first dword, therefore
 * it must either have had no effect yet or remember in q->progress how far it got.
 */
#ifndef VGPU_QUEUE_H
#define VGPU_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "cam.h"
#include "gmc.h"
#include "shader.h"

struct vgpu;
struct dispatch;

#define QUEUE_MAX	  512
#define QUEUE_MAX_PACKET  65536 /* dwords */
#define QUEUE_STEP_BYTES  (256u << 10) /* what a copy moves before others get a turn */
#define QUEUE_IB_DEPTH	  2

enum queue_kind { QUEUE_PM4, QUEUE_AQL, QUEUE_SDMA };

enum queue_state {
	QUEUE_IDLE, /* nothing to do until a doorbell */
	QUEUE_READY,
	QUEUE_FAULTED, /* until the CAM wakes it */
	QUEUE_POLLING, /* until wake_ns, then it looks again */
	QUEUE_BUSY, /* until the waves of its dispatch are through */
	QUEUE_HALTED, /* met something that it cannot execute; only a stop ends this */
};

/* How a step ended. Negative values leave the packet unconsumed. */
enum step {
	STEP_DONE = 0,
	STEP_PARKED = -1, /* on a fault, or for its waves */
	STEP_POLL = -2, /* condition not met yet */
	STEP_PART = -3, /* more of the same packet to do */
	STEP_HALT = -4,
	STEP_STARVED = -5, /* the packet is not complete in the ring yet */
};

/* Where packets come from: the ring, or an indirect buffer that a packet called. */
struct stream {
	uint64_t va;
	uint32_t dwords; /* size */
	uint32_t offset; /* dwords consumed */
	uint32_t caller; /* dwords of the calling packet, consumed when the buffer is done */
	uint8_t vmid;
};

struct queue_stats {
	uint64_t packets;
	uint64_t bytes;
	uint64_t faults;
	uint64_t stalled_ns;
};

struct queue {
	struct vgpu *dev;
	struct hub *hub;
	void *owner; /* SDMA ring or HQD slot */
	/* Executes one packet at the current position; returns enum step. */
	int (*execute)(struct queue *q);
	char name[24];
	enum queue_kind kind;
	bool active;
	uint8_t vmid;
	uint8_t ih_ring_id;
	uint64_t ring_va;
	uint32_t ring_dwords; /* a power of two */
	uint64_t rptr, wptr; /* dwords, counting on across wraps */
	uint64_t rptr_report_va; /* 0: not reported */
	uint64_t wptr_va; /* 0: none; read once when the queue starts */
	uint32_t doorbell; /* byte offset in BAR2, with doorbell_enabled */
	bool doorbell_enabled;
	bool wptr_pending, report_pending;

	struct stream ib[QUEUE_IB_DEPTH];
	unsigned int depth;
	uint64_t progress; /* bytes of the current packet that are done */
	uint64_t window_row; /* ... and rows, of a copy that has them */
	bool ib_done; /* the buffer that an AQL packet called is through */
	struct dispatch *dispatch; /* of the current AQL packet */
	bool inactive; /* the runtime has been asked for something */
	struct shader_resume resume;

	enum queue_state state;
	uint64_t wake_ns;
	uint64_t poll_ns; /* current poll interval */
	uint64_t stalled_since_ns;
	uint64_t fault_page; /* of the last fault, to see that an answer did not help */
	uint64_t retry_ns; /* pause before the same page is asked for again */
	bool paused; /* ... is over */
	struct cam_waiter waiter;
	struct queue_stats stats;
};

void queue_init(struct vgpu *dev, struct queue *q);
/* ring_va ... doorbell are set; starts at q->rptr and reads wptr from wptr_va if there is one. */
void queue_start(struct queue *q);
/* Ends at once, also a parked queue: rptr stays at the packet that was not completed. */
void queue_stop(struct queue *q);
void queue_wake(struct queue *q);
/* A doorbell value in the unit of the queue's kind. */
void queue_doorbell(struct queue *q, uint64_t value);
void queue_set_wptr(struct queue *q, uint64_t dwords);

/* One turn of an active queue; sets its state. */
void queue_step(struct queue *q);

/* For execute(): the first dwords of the current packet. Anything but STEP_DONE is to be returned. */
int queue_packet(struct queue *q, uint32_t dwords, const uint32_t **packet);
/* Dwords that are left in the current stream. */
uint64_t queue_available(const struct queue *q);
void queue_consume(struct queue *q, uint32_t dwords);
/* Calls an indirect buffer; caller is the length of the packet that does. STEP_* */
int queue_call(struct queue *q, uint64_t va, uint32_t dwords, uint8_t vmid, uint32_t caller);
uint8_t queue_vmid(const struct queue *q);

/*
 * Memory accesses of the current packet. STEP_DONE, or STEP_PARKED. A page that the driver refuses
 * is reported, reads as zeros and swallows writes.
 */
int queue_span(struct queue *q, uint64_t va, unsigned int access, struct span *span);
int queue_read(struct queue *q, uint64_t va, void *data, uint64_t bytes);
int queue_write(struct queue *q, uint64_t va, const void *data, uint64_t bytes);
/* Faults in what a packet with side effects will touch, before the first effect. */
int queue_probe(struct queue *q, uint64_t va, uint64_t bytes, unsigned int access);
/* One part of a long transfer; STEP_PART until all bytes are done. */
int queue_copy(struct queue *q, uint64_t dst, uint64_t src, uint64_t bytes);
int queue_fill(struct queue *q, uint64_t dst, uint32_t pattern, uint64_t bytes);
/* Data that the packet itself holds, all in one part; goes on where a fault interrupted it. */
int queue_store(struct queue *q, uint64_t va, const void *data, uint64_t bytes);
/* A register as the packet may see it: users get stored values, without side effects of reading. */
uint32_t queue_read_reg(struct queue *q, uint32_t reg);

#endif
