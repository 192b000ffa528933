/* SPDX-License-Identifier: MIT */
/*
 * Where a shader engine plugs in. Without one the command processor refuses dispatches. The engine
 * finds memory with gmc_translate() and waits for absent pages with cam_wait(), as queues do.
 */
#ifndef VGPU_SHADER_H
#define VGPU_SHADER_H

#include <stdint.h>

struct queue;

struct shader_ops {
	/*
	 * Runs the 64-byte AQL kernel dispatch packet at packet, whose copy p is. STEP_DONE once
	 * all waves are through and the packet may complete; STEP_POLL to be asked again.
	 */
	int (*dispatch)(struct queue *q, uint64_t packet, const uint32_t *p);
	/* Saves the queue's waves as the driver's trap handler has it; the queue stops after. */
	void (*preempt)(struct queue *q);
};

#endif
