// SPDX-License-Identifier: MIT
/*
 * From an AQL kernel dispatch packet and the kernel descriptor that it names to what waves start
 * with. Layouts: HSA Platform System Architecture Specification 2.9; amd_hsa_queue.h; LLVM, "User
 * Guide for AMDGPU Backend", "Kernel Descriptor".
 */
#include <stdlib.h>
#include <string.h>

#include "../packet.h"
#include "../vgpu.h"
#include "engine.h"

#define PACKET_SETUP_DIMENSIONS(h) ((h) >> 16 & 3)
#define PACKET_ACQUIRE(h)	   ((h) >> 9 & 3)
#define DESCRIPTOR_DWORDS	   16
#define DESCRIPTOR_ENTRY	   4 /* dwords */
#define DESCRIPTOR_RSRC1	   12
#define DESCRIPTOR_RSRC2	   13
#define DESCRIPTOR_PROPERTIES	   14
#define PROPERTY_WAVE32		   (1u << 10)
#define RSRC1_VGPRS(r)		   (((r) & 0x3f) * 4 + 4)
#define RSRC1_SGPRS(r)		   (((r) >> 6 & 0xf) / 2 * 16 + 16)
#define RSRC2_SCRATCH_EN	   (1u << 0)
#define TRAP_SGPRS		   16u
#define MAX_ITEMS		   1024u /* of a group */
#define LDS_GRANULE		   512u
#define SCRATCH_GRANULE		   1024u
#define QUEUE_READ_DISPATCH_ID	   0x80 /* of amd_queue_t */
#define QUEUE_TMPRING_SIZE	   0x8c
#define QUEUE_SCRATCH_LOCATION	   0xa0
#define QUEUE_PROPERTIES	   0xb4
#define QUEUE_SCRATCH_DWORDS	   ((QUEUE_PROPERTIES - QUEUE_TMPRING_SIZE) / 4 + 1)
#define QUEUE_USE_SCRATCH_ONCE	   (1u << 4)
#define TMPRING_WAVES(v)	   ((v) & 0xfff)
#define TMPRING_WAVE_BYTES(v)	   (((v) >> 12 & 0x1fff) * SCRATCH_GRANULE)

static int fail(struct shader_result *result, enum shader_error error, const char *why)
{
	result->error = error;
	result->why = why;
	return STEP_HALT;
}

static int parse_packet(const uint32_t *p, struct kernel *k, struct shader_result *result)
{
	unsigned int dimensions = PACKET_SETUP_DIMENSIONS(p[0]);
	const uint32_t size[3] = { p[1] & 0xffff, p[1] >> 16, p[2] & 0xffff };

	if (!dimensions)
		return fail(result, SHADER_ERROR_DIMENSIONS, "a dispatch of no dimensions");
	for (unsigned int i = 0; i < 3; i++) {
		k->group_size[i] = i < dimensions ? size[i] : 1;
		k->grid_size[i] = i < dimensions ? p[3 + i] : 1;
		if (!k->group_size[i] || !k->grid_size[i])
			return fail(result, SHADER_ERROR_DIMENSIONS, "a dispatch of size 0");
		k->groups[i] = (k->grid_size[i] - 1) / k->group_size[i] + 1;
	}
	if ((uint64_t)k->group_size[0] * k->group_size[1] * k->group_size[2] > MAX_ITEMS)
		return fail(result, SHADER_ERROR_GROUP_SIZE, "a group of more than 1024 items");
	k->private_bytes = p[6];
	if (p[7] > OCCUPANCY_LDS)
		return fail(result, SHADER_ERROR_GROUP_MEMORY, "more than 64 KiB of group memory");
	k->lds_bytes = (p[7] + LDS_GRANULE - 1) & ~(LDS_GRANULE - 1);
	k->kernarg = address(p + 10);
	return STEP_DONE;
}

static int parse_descriptor(struct queue *q, uint64_t object, struct kernel *k,
			    struct shader_result *result)
{
	uint32_t d[DESCRIPTOR_DWORDS];
	struct occupancy_need need;
	int ret;

	if (!object || object % 64)
		return fail(result, SHADER_ERROR_CODE, "a dispatch without a kernel descriptor");
	ret = queue_read(q, object, d, sizeof(d));
	if (ret)
		return ret;
	k->code = object + address(d + DESCRIPTOR_ENTRY);
	k->rsrc1 = d[DESCRIPTOR_RSRC1];
	k->rsrc2 = d[DESCRIPTOR_RSRC2];
	k->properties = d[DESCRIPTOR_PROPERTIES] & 0xffff;
	k->vgprs = RSRC1_VGPRS(k->rsrc1);
	k->sgprs = RSRC1_SGPRS(k->rsrc1) + (k->tba ? TRAP_SGPRS : 0);
	if (k->properties & PROPERTY_WAVE32 || k->code % 4)
		return fail(result, SHADER_ERROR_CODE, "a kernel for another processor");
	need = (struct occupancy_need){
		.waves = (k->group_size[0] * k->group_size[1] * k->group_size[2] + 63) / 64,
		.vgprs = k->vgprs, .sgprs = k->sgprs, .lds = k->lds_bytes,
	};
	if (!occupancy_possible(&need))
		return fail(result, SHADER_ERROR_REGISTERS,
			    "a group needs more registers than a compute unit has");
	return STEP_DONE;
}

/* The runtime provides scratch memory when the queue tells it that there is too little. */
static int parse_scratch(struct queue *q, struct kernel *k, struct shader_result *result)
{
	uint32_t a[QUEUE_SCRATCH_DWORDS];
	uint64_t need = ((uint64_t)k->private_bytes * WAVE_LANES + SCRATCH_GRANULE - 1) /
			SCRATCH_GRANULE * SCRATCH_GRANULE;
	unsigned int waves = (k->group_size[0] * k->group_size[1] * k->group_size[2] + 63) / 64;
	int ret;

	if (!k->private_bytes || !(k->rsrc2 & RSRC2_SCRATCH_EN))
		return STEP_DONE;
	ret = queue_read(q, k->queue + QUEUE_TMPRING_SIZE, a, sizeof(a));
	if (ret)
		return ret;
	k->scratch_waves = TMPRING_WAVES(a[0]);
	k->scratch_wave_bytes = TMPRING_WAVE_BYTES(a[0]);
	memcpy(k->scratch_descriptor, a + 1, sizeof(k->scratch_descriptor));
	k->scratch_va = address(a + (QUEUE_SCRATCH_LOCATION - QUEUE_TMPRING_SIZE) / 4);
	k->scratch_once = a[QUEUE_SCRATCH_DWORDS - 1] & QUEUE_USE_SCRATCH_ONCE;
	if (k->scratch_wave_bytes < need || k->scratch_waves < waves)
		return fail(result, SHADER_ERROR_SCRATCH, "not enough scratch memory");
	return STEP_DONE;
}

static int parse(struct queue *q, uint64_t packet, const uint32_t *p, struct kernel *k,
		 struct shader_result *result)
{
	const struct cp_vmid *vm = &q->dev->cp.vmid[q->vmid];
	int ret;

	*k = (struct kernel){
		.packet = packet,
		.queue = q->rptr_report_va - QUEUE_READ_DISPATCH_ID,
		.dispatch_id = q->rptr / 16,
		.tba = CP_TRAP_ADDRESS(vm->tba),
		.tma = CP_TRAP_ADDRESS(vm->tma),
		.shared_base = (uint64_t)(vm->sh_mem_bases >> 16) << 48,
		.private_base = (uint64_t)(vm->sh_mem_bases & 0xffff) << 48,
		.retry = !(vm->sh_mem_config & SH_MEM_RETRY_DISABLE),
	};
	ret = parse_packet(p, k, result);
	if (!ret)
		ret = parse_descriptor(q, address(p + 8), k, result);
	return ret ? ret : parse_scratch(q, k, result);
}

static struct dispatch *dispatch_new(struct queue *q, const struct kernel *kernel)
{
	struct dispatch *dispatch = calloc(1, sizeof(*dispatch));
	size_t words = kernel->scratch_waves / 64 + 1;

	if (!dispatch)
		return NULL;
	dispatch->scratch = calloc(words, sizeof(dispatch->scratch[0]));
	if (!dispatch->scratch) {
		free(dispatch);
		return NULL;
	}
	dispatch->shader = q->dev->shader;
	dispatch->q = q;
	dispatch->vmid = q->vmid;
	dispatch->kernel = *kernel;
	dispatch->total = (uint64_t)kernel->groups[0] * kernel->groups[1] * kernel->groups[2];
	dispatch->start_clock = gpu_clock(q->dev);
	TAILQ_INIT(&dispatch->groups);
	return dispatch;
}

void dispatch_free(struct dispatch *dispatch)
{
	free(dispatch->scratch);
	free(dispatch->stack);
	free(dispatch);
}

bool dispatch_finished(const struct dispatch *dispatch)
{
	return TAILQ_EMPTY(&dispatch->groups) && !dispatch->stack_words &&
	       (dispatch->next == dispatch->total || dispatch->error);
}

static void begin(struct dispatch *dispatch)
{
	struct shader *shader = dispatch->shader;
	struct queue *q = dispatch->q;

	trace(shader->dev, "dispatch_begin",
	      "\"queue\":\"%s\",\"vmid\":%u,\"id\":%llu,\"code\":\"0x%llx\",\"groups\":%llu,"
	      "\"next\":%llu",
	      q->name, q->vmid, (unsigned long long)dispatch->kernel.dispatch_id,
	      (unsigned long long)dispatch->kernel.code, (unsigned long long)dispatch->total,
	      (unsigned long long)dispatch->next);
	q->dispatch = dispatch;
	pthread_mutex_lock(&shader->lock);
	shader->stats.dispatches++;
	TAILQ_INSERT_TAIL(&shader->dispatches, dispatch, entry);
	/* It may have been stopped when all of it was done but the completion. */
	if (dispatch_finished(dispatch))
		shader_notify(shader);
	shader_news(shader);
	pthread_mutex_unlock(&shader->lock);
}

static void restore(struct dispatch *dispatch, const struct shader_area *area,
		    const struct shader_progress *progress)
{
	const struct kernel *k = &dispatch->kernel;

	dispatch->next = ((uint64_t)progress->group[2] * k->groups[1] + progress->group[1]) *
				 k->groups[0] +
			 progress->group[0];
	if (dispatch->next > dispatch->total)
		dispatch->next = dispatch->total;
	dispatch->start_clock = progress->start_clock;
	dispatch->area = *area;
	cwsr_load(dispatch, progress);
}

int shader_dispatch(struct queue *q, uint64_t packet, const uint32_t *p,
		    struct shader_result *result)
{
	struct dispatch *dispatch = q->dispatch;
	struct shader *shader = q->dev->shader;
	struct kernel kernel;
	int ret;

	if (dispatch) {
		bool finished;

		pthread_mutex_lock(&shader->lock);
		finished = dispatch_finished(dispatch);
		if (!finished)
			dispatch->told = false;
		pthread_mutex_unlock(&shader->lock);
		if (!finished) {
			q->state = QUEUE_BUSY;
			return STEP_PARKED;
		}
		if (dispatch->error)
			return fail(result, (enum shader_error)dispatch->error, "a wave failed");
		result->times[0] = dispatch->start_clock;
		result->times[1] = dispatch->end_clock;
		result->reclaim = dispatch->kernel.scratch_once;
		return STEP_DONE;
	}
	ret = parse(q, packet, p, &kernel, result);
	if (ret)
		return ret;
	if (!shader_start(shader))
		return fail(result, SHADER_ERROR_PACKET, "no thread to run waves on");
	if (PACKET_ACQUIRE(p[0]))
		shader_code_changed(q->dev, q->vmid);
	dispatch = dispatch_new(q, &kernel);
	if (!dispatch)
		return fail(result, SHADER_ERROR_PACKET, "the host is out of memory");
	if (q->resume.progress.active)
		restore(dispatch, &q->resume.area, &q->resume.progress);
	q->resume.progress.active = false;
	begin(dispatch);
	q->state = QUEUE_BUSY;
	return STEP_PARKED;
}

void shader_release(struct queue *q)
{
	struct dispatch *dispatch = q->dispatch;
	struct shader *shader = q->dev->shader;

	if (!dispatch)
		return;
	trace(q->dev, "dispatch_end", "\"queue\":\"%s\",\"id\":%llu", q->name,
	      (unsigned long long)dispatch->kernel.dispatch_id);
	pthread_mutex_lock(&shader->lock);
	TAILQ_REMOVE(&shader->dispatches, dispatch, entry);
	pthread_mutex_unlock(&shader->lock);
	q->dispatch = NULL;
	dispatch_free(dispatch);
}
