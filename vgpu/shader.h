/* SPDX-License-Identifier: MIT */
/*
 * The shader engine as the command processor and the memory controller see it. All of this is for
 * the thread that owns the device; waves run on threads of their own (shader/engine.h).
 */
#ifndef VGPU_SHADER_H
#define VGPU_SHADER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct vgpu;
struct queue;
struct shader;

/* What happens to a queue's waves when it stops. */
enum shader_stop {
	SHADER_RUN, /* it does not */
	SHADER_DRAIN, /* groups that were begun are finished, no others are begun */
	SHADER_SAVE, /* the trap handler saves them */
	SHADER_KILL,
};

/* Where the waves of a queue are saved; of its MQD. */
struct shader_area {
	uint64_t mqd; /* VMID 0; the control stack is one page behind it */
	uint32_t stack_bytes;
	uint64_t va; /* of the save area, in the queue's address space */
	uint32_t bytes;
};

/* How far the dispatch of a stopped queue was. */
struct shader_progress {
	bool active; /* there is one */
	uint32_t group[3]; /* to be begun next */
	uint64_t start_clock;
	uint32_t stack_offset; /* of what is in use in the control stack, which grows down */
	uint32_t area_end; /* of what is in use in the save area */
};

/* Bits of a queue's inactive signal (ROCr: AqlQueue::DynamicScratchHandler()). */
enum shader_error {
	SHADER_ERROR_SCRATCH = 0x1, /* not enough of it: the runtime provides it and goes on */
	SHADER_ERROR_DIMENSIONS = 0x2,
	SHADER_ERROR_GROUP_MEMORY = 0x4,
	SHADER_ERROR_CODE = 0x8,
	SHADER_ERROR_PACKET = 0x20,
	SHADER_ERROR_GROUP_SIZE = 0x40,
	SHADER_ERROR_REGISTERS = 0x80,
	SHADER_ERROR_RECLAIM = 0x200, /* scratch for one use has been used */
	SHADER_ERROR_MEMORY = 0x20000000,
	SHADER_ERROR_ILLEGAL = 0x40000000,
};

struct shader_result {
	enum shader_error error; /* with STEP_HALT */
	const char *why;
	uint64_t times[2]; /* with STEP_DONE: start and end, GPU clock */
	bool reclaim; /* ... and it used scratch that the runtime wants back */
};

/* ... and what its next packet, a dispatch, goes on with when it starts again. */
struct shader_resume {
	struct shader_area area;
	struct shader_progress progress;
};

/* Threads are started by the first dispatch. threads 0: all of the host's processors but one. */
int shader_init(struct vgpu *dev, unsigned int threads);
void shader_fini(struct vgpu *dev);
void shader_reset(struct vgpu *dev);

/*
 * Runs the AQL kernel dispatch packet at packet, whose copy p is. STEP_DONE once all waves are
 * through; STEP_PARKED until then, the queue is woken; STEP_HALT if it cannot be run. It goes on
 * with q->resume if that is active.
 */
int shader_dispatch(struct queue *q, uint64_t packet, const uint32_t *p,
		    struct shader_result *result);
/* The packet has completed. */
void shader_release(struct queue *q);
/*
 * Begins to take the queue's waves away; true once there are none. Is to be called again until then,
 * with the same arguments. What is then to be kept is in *progress.
 */
bool shader_stop(struct queue *q, enum shader_stop how, const struct shader_area *area,
		 struct shader_progress *progress);
/*
 * Translations or ranges of memory change between these two: no wave is in an instruction then.
 * VMIDs in the mask forget their translations.
 */
void shader_pause(struct vgpu *dev);
void shader_continue(struct vgpu *dev, uint32_t vmid_mask);
/* Instruction caches of the VMID are invalid. */
void shader_code_changed(struct vgpu *dev, uint8_t vmid);

/* Passes on what the threads reported. When to call again: 0 at once, UINT64_MAX no need. */
uint64_t shader_poll(struct vgpu *dev, uint64_t now_ns);
/* Readable when there is a reason to poll. */
int shader_fd(const struct vgpu *dev);
/* Some wave can go on without anybody's help. */
bool shader_busy(struct vgpu *dev);
/* "name":value pairs. */
void shader_print_stats(struct vgpu *dev, FILE *out);

#endif
