/* SPDX-License-Identifier: MIT */
/*
 * The hardware scheduler: maps the queues of a run list to VMIDs and hardware queues, and takes
 * turns when they do not all fit. Its packets come through the KIQ and the HIQ.
 */
#ifndef VGPU_HWS_H
#define VGPU_HWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cp.h"

struct vgpu;
struct queue;
struct hqd;
struct sdma_ring;

#define PM4_SET_RESOURCES 0xa0
#define PM4_MAP_PROCESS	  0xa1
#define PM4_MAP_QUEUES	  0xa2
#define PM4_UNMAP_QUEUES  0xa3
#define PM4_QUERY_STATUS  0xa4
#define PM4_RUN_LIST	  0xa5

struct hws_process {
	uint16_t pasid;
	uint8_t vmid; /* 0: has none now */
	uint64_t pt_base;
	struct cp_vmid vm;
};

struct hws_queue {
	size_t process;
	unsigned int engine; /* MAP_QUEUES.engine_sel: 0 compute, 2 SDMA0, 3 SDMA1 */
	uint32_t doorbell; /* byte offset */
	uint64_t mqd;
	uint64_t wptr_va;
	struct hqd *hqd; /* where it is mapped: one of these, or none */
	struct sdma_ring *ring;
};

struct hws {
	uint32_t vmid_mask;
	uint64_t queue_mask; /* bit (me - 1) * 32 + pipe * 8 + queue */
	struct hws_process *processes;
	size_t num_processes;
	struct hws_queue *queues;
	size_t num_queues;
	size_t next; /* queue that the next slice begins with */
	uint64_t slice_ns; /* end of the current one; 0: everything is mapped */
	uint64_t quantum_ns;
	bool stopping; /* waves of queues that are to be unmapped are being taken away */
};

/* Packets; p[0] is the header, n the number of dwords behind it. They return enum step. */
int hws_set_resources(struct queue *q, const uint32_t *p, uint32_t n);
int hws_map_queues(struct queue *q, const uint32_t *p, uint32_t n);
int hws_unmap_queues(struct queue *q, const uint32_t *p, uint32_t n);
int hws_query_status(struct queue *q, const uint32_t *p, uint32_t n);
int hws_run_list(struct queue *q, const uint32_t *p, uint32_t n);

/* Begins the next time slice if it is due. When to call again: 0 at once, UINT64_MAX no need. */
uint64_t hws_poll(struct vgpu *dev, uint64_t now_ns);
void hws_reset(struct vgpu *dev);

#endif
