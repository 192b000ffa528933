// SPDX-License-Identifier: MIT
#include "hws.h"

#include <stdlib.h>
#include <string.h>

#include "cp.h"
#include "packet.h"
#include "sdma.h"
#include "vgpu.h"

#define QUANTUM_NS	 10000000u /* when MAP_PROCESS asks for none */
#define IDLE_SLICE_NS	 1000000u /* a slice in which nobody has work ends early */
#define MAX_LIST_DWORDS	 0x100000u
#define MAX_QUEUES	 65536u
#define ENGINE_COMPUTE	 0
#define ENGINE_HIQ	 1
#define ENGINE_SDMA0	 2
#define ENGINE_SDMA1	 3
#define RUN_LIST_VALID	 (1u << 23)
#define UNMAP_BY_DOORBELL 0
#define UNMAP_BY_PASID	 1
#define ACTION_RESET	 1
#define ACTION_NO_UNMAP	 3

int hws_set_resources(struct queue *q, const uint32_t *p, uint32_t n)
{
	struct hws *hws = &q->dev->hws;

	(void)n;
	/* The KIQ's own call (queue type 0) tells of kernel queues, which are mapped one by one. */
	if (p[1] >> 29) {
		hws->vmid_mask = p[1] & 0xffff;
		hws->queue_mask = address(p + 2);
	}
	return STEP_DONE;
}

/* The slot is taken from a run list's queue, if one has it. */
static void forget_slot(struct hws *hws, const struct hqd *hqd)
{
	for (size_t i = 0; i < hws->num_queues; i++) {
		if (hws->queues[i].hqd == hqd)
			hws->queues[i].hqd = NULL;
	}
}

/* Outside of a run list: the kernel gives a queue a slot of its choice. */
int hws_map_queues(struct queue *q, const uint32_t *p, uint32_t n)
{
	struct hqd *hqd = cp_slot(q->dev, 1 + (p[1] >> 18 & 1), p[1] >> 16 & 3, p[1] >> 13 & 7);
	unsigned int engine = p[1] >> 26 & 7;

	(void)n;
	if (engine > ENGINE_HIQ || &hqd->queue == q) {
		error(q->dev, "%s: MAP_QUEUES of engine %u outside of a run list", q->name, engine);
		return STEP_HALT;
	}
	if (!cp_unmap(q->dev, hqd, SHADER_SAVE))
		return STEP_POLL;
	forget_slot(&q->dev->hws, hqd);
	cp_map(q->dev, hqd, address(p + 3) & GMC_VA_MASK, p[1] >> 8 & 0xf, p[2] & 0x0ffffffc,
	       address(p + 5) & GMC_VA_MASK & ~3ULL);
	return STEP_DONE;
}

static bool is_mapped(const struct hws_queue *queue)
{
	return queue->hqd || queue->ring;
}

static struct queue *mapped_queue(const struct hws_queue *queue)
{
	return queue->hqd ? &queue->hqd->queue : queue->ring ? &queue->ring->queue : NULL;
}

/* False if it still has waves. */
static bool unmap(struct vgpu *dev, struct hws_queue *queue, enum shader_stop how)
{
	if (queue->ring)
		sdma_unmap(dev, queue->ring, queue->mqd);
	queue->ring = NULL;
	if (queue->hqd && !cp_unmap(dev, queue->hqd, how))
		return false;
	queue->hqd = NULL;
	return true;
}

static bool unmap_all(struct vgpu *dev, enum shader_stop how)
{
	struct hws *hws = &dev->hws;
	bool done = true;

	for (size_t i = 0; i < hws->num_queues; i++)
		done &= unmap(dev, &hws->queues[i], how);
	hws->stopping = !done;
	if (!done)
		return false;
	for (size_t i = 0; i < hws->num_processes; i++)
		hws->processes[i].vmid = 0;
	return true;
}

static struct hqd *free_slot(struct vgpu *dev)
{
	for (unsigned int i = 0; i < CP_SLOTS; i++) {
		if (dev->hws.queue_mask & 1ULL << i && !dev->cp.slots[i].queue.active)
			return &dev->cp.slots[i];
	}
	return NULL;
}

static bool get_vmid(struct vgpu *dev, struct hws_process *process)
{
	struct hws *hws = &dev->hws;
	uint32_t used = 0;

	if (process->vmid)
		return true;
	for (size_t i = 0; i < hws->num_processes; i++)
		used |= 1u << hws->processes[i].vmid;
	for (uint8_t vmid = 1; vmid < GMC_NUM_VMIDS; vmid++) {
		if (hws->vmid_mask & ~used & 1u << vmid) {
			process->vmid = vmid;
			gmc_bind_vmid(dev, vmid, process->pasid, process->pt_base);
			dev->cp.vmid[vmid] = process->vm;
			return true;
		}
	}
	return false;
}

static bool map(struct vgpu *dev, struct hws_queue *queue)
{
	struct hws_process *process = &dev->hws.processes[queue->process];

	if (!get_vmid(dev, process))
		return false;
	if (queue->engine == ENGINE_COMPUTE) {
		queue->hqd = free_slot(dev);
		if (queue->hqd)
			cp_map(dev, queue->hqd, queue->mqd, process->vmid, queue->doorbell,
			       queue->wptr_va);
	} else {
		queue->ring = sdma_map(dev, queue->engine - ENGINE_SDMA0, queue->mqd, process->vmid,
				       queue->doorbell, queue->wptr_va);
	}
	return is_mapped(queue);
}

/* Maps queues from hws->next on, as many as fit. */
static void begin_slice(struct vgpu *dev, uint64_t now)
{
	struct hws *hws = &dev->hws;
	size_t mapped = 0;

	while (mapped < hws->num_queues) {
		if (!map(dev, &hws->queues[hws->next]))
			break;
		mapped++;
		hws->next = (hws->next + 1) % hws->num_queues;
	}
	/* One that cannot be mapped although nothing else is must not hold up those behind it. */
	if (!mapped && hws->num_queues)
		hws->next = (hws->next + 1) % hws->num_queues;
	hws->slice_ns = mapped < hws->num_queues ? now + hws->quantum_ns : 0;
	if (hws->slice_ns)
		dev->stats.time_slices++;
}

static bool all_idle(const struct hws *hws)
{
	for (size_t i = 0; i < hws->num_queues; i++) {
		const struct queue *q = mapped_queue(&hws->queues[i]);

		if (q && q->state != QUEUE_IDLE && q->state != QUEUE_HALTED)
			return false;
	}
	return true;
}

uint64_t hws_poll(struct vgpu *dev, uint64_t now)
{
	struct hws *hws = &dev->hws;
	uint64_t early;

	if (!hws->slice_ns)
		return UINT64_MAX;
	early = hws->slice_ns - hws->quantum_ns + IDLE_SLICE_NS;
	if (!hws->stopping && now < hws->slice_ns && (now < early || !all_idle(hws)))
		return now < early ? early : hws->slice_ns;
	if (!unmap_all(dev, SHADER_SAVE))
		return UINT64_MAX; /* until the shader engine tells */
	begin_slice(dev, now);
	return 0; /* there are other queues to run now */
}

static void forget(struct hws *hws)
{
	hws->num_queues = 0;
	hws->num_processes = 0;
	hws->next = 0;
	hws->slice_ns = 0;
	hws->stopping = false;
}

static bool has_pasid(const struct hws *hws, const struct hws_queue *queue, uint32_t pasid)
{
	return hws->processes[queue->process].pasid == pasid;
}

static bool has_doorbell(const struct hws *hws, const struct hws_queue *queue, uint32_t doorbell)
{
	(void)hws;
	return queue->doorbell == doorbell;
}

/* Takes queues out of the run list; false if some still have waves. */
static bool drop(struct vgpu *dev, enum shader_stop how,
		 bool (*has)(const struct hws *hws, const struct hws_queue *queue, uint32_t value),
		 uint32_t value)
{
	struct hws *hws = &dev->hws;
	bool done = true;
	size_t kept = 0;

	for (size_t i = 0; i < hws->num_queues; i++) {
		struct hws_queue *queue = &hws->queues[i];
		bool gone = has(hws, queue, value);

		if (gone && !unmap(dev, queue, how)) {
			done = false;
			gone = false;
		}
		if (!gone)
			hws->queues[kept++] = *queue;
	}
	hws->num_queues = kept;
	hws->next = 0;
	return done;
}

static bool unmap_pasid(struct vgpu *dev, enum shader_stop how, uint16_t pasid)
{
	struct hws *hws = &dev->hws;

	if (!drop(dev, how, has_pasid, pasid))
		return false;
	for (size_t i = 0; i < hws->num_processes; i++) {
		if (hws->processes[i].pasid == pasid)
			hws->processes[i].vmid = 0;
	}
	return true;
}

static bool unmap_doorbell(struct vgpu *dev, enum shader_stop how, uint32_t doorbell)
{
	bool done = drop(dev, how, has_doorbell, doorbell);

	for (unsigned int i = 0; i < CP_SLOTS; i++) {
		struct queue *q = &dev->cp.slots[i].queue;

		if (q->active && q->doorbell_enabled && q->doorbell == doorbell)
			done &= cp_unmap(dev, &dev->cp.slots[i], how);
	}
	return done;
}

int hws_unmap_queues(struct queue *q, const uint32_t *p, uint32_t n)
{
	struct vgpu *dev = q->dev;
	uint32_t count = p[1] >> 29;
	enum shader_stop how = (p[1] & 3) == ACTION_RESET ? SHADER_KILL : SHADER_SAVE;
	bool done = true;

	if ((p[1] & 3) == ACTION_NO_UNMAP)
		return STEP_DONE;
	switch (p[1] >> 4 & 3) {
	case UNMAP_BY_DOORBELL:
		for (uint32_t i = 0; i < count && 2 + i <= n; i++)
			done &= unmap_doorbell(dev, how, p[2 + i] & 0x0ffffffc);
		break;
	case UNMAP_BY_PASID:
		done = unmap_pasid(dev, how, (uint16_t)p[2]);
		break;
	default: /* all of the run list; the kernel's own queues are static */
		done = unmap_all(dev, how);
		if (done)
			forget(&dev->hws);
		break;
	}
	return done ? STEP_DONE : STEP_POLL;
}

int hws_query_status(struct queue *q, const uint32_t *p, uint32_t n)
{
	(void)n;
	/* Packets are executed in order, so everything before is done. */
	return queue_write(q, address(p + 3) & ~7ULL, p + 5, 8);
}

static bool grow(void **array, size_t count, size_t size)
{
	void *bigger;

	/* Powers of two: grow when count is one. */
	if (count & (count - 1))
		return true;
	bigger = realloc(*array, (count ? 2 * count : 1) * size);
	if (bigger)
		*array = bigger;
	return bigger;
}

static bool add_process(struct hws *hws, const uint32_t *p)
{
	uint32_t quantum_ms = p[1] >> 25;

	if (!grow((void **)&hws->processes, hws->num_processes, sizeof(*hws->processes)))
		return false;
	hws->processes[hws->num_processes++] = (struct hws_process){
		.pasid = (uint16_t)p[1],
		.pt_base = address(p + 2),
		.vm = {
			.sh_mem_bases = p[4],
			.sh_mem_config = p[5],
			.tba = address(p + 6),
			.tma = address(p + 8),
		},
	};
	hws->quantum_ns = quantum_ms ? quantum_ms * 1000000u : QUANTUM_NS;
	return true;
}

static bool add_queue(struct hws *hws, const uint32_t *p)
{
	unsigned int engine = p[1] >> 26 & 7;

	if (!hws->num_processes || engine == ENGINE_HIQ || engine > ENGINE_SDMA1 ||
	    hws->num_queues == MAX_QUEUES ||
	    !grow((void **)&hws->queues, hws->num_queues, sizeof(*hws->queues)))
		return false;
	hws->queues[hws->num_queues++] = (struct hws_queue){
		.process = hws->num_processes - 1,
		.engine = engine,
		.doorbell = p[2] & 0x0ffffffc,
		.mqd = address(p + 3) & GMC_VA_MASK,
		.wptr_va = address(p + 5) & GMC_VA_MASK & ~3ULL,
	};
	return true;
}

/* Reads one packet of the list at va; returns its dwords, 0 at its end or if it makes no sense. */
static uint32_t parse_packet(struct vgpu *dev, uint64_t va, uint32_t left)
{
	uint32_t p[16], dwords;
	bool ok = true;

	vgpu_read(dev, va, p, 4);
	dwords = (p[0] >> 16 & 0x3fff) + 2;
	if (dwords > left || dwords > 16 || p[0] >> 30 != 3)
		return 0;
	vgpu_read(dev, va, p, 4ULL * dwords);
	switch (p[0] >> 8 & 0xff) {
	case PM4_MAP_PROCESS:
		ok = dwords == 16 && add_process(&dev->hws, p);
		break;
	case PM4_MAP_QUEUES:
		ok = dwords == 7 && add_queue(&dev->hws, p);
		break;
	case PM4_RUN_LIST: /* back to the beginning: the list is complete */
		return 0;
	}
	if (!ok)
		error(dev, "run list: packet 0x%08x is not understood", p[0]);
	return dwords;
}

int hws_run_list(struct queue *q, const uint32_t *p, uint32_t n)
{
	struct vgpu *dev = q->dev;
	uint64_t va = address(p + 1) & GMC_VA_MASK & ~3ULL;
	uint32_t left = p[3] & (MAX_LIST_DWORDS - 1);

	(void)n;
	if (!unmap_all(dev, SHADER_SAVE))
		return STEP_POLL;
	forget(&dev->hws);
	while (left && p[3] & RUN_LIST_VALID) {
		uint32_t dwords = parse_packet(dev, va, left);

		if (!dwords)
			break;
		va += 4ULL * dwords;
		left -= dwords;
	}
	trace(dev, "run_list", "\"processes\":%zu,\"queues\":%zu", dev->hws.num_processes,
	      dev->hws.num_queues);
	begin_slice(dev, now_ns());
	return STEP_DONE;
}

void hws_reset(struct vgpu *dev)
{
	struct hws *hws = &dev->hws;

	forget(hws);
	free(hws->processes);
	free(hws->queues);
	memset(hws, 0, sizeof(*hws));
}
