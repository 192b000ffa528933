// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "queue.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksft.h"
#include "sdma_packets.h"

#define PAGE_BYTES       4096
#define EOP_BYTES        4096
#define RING_BYTES       65536
#define AQL_RING_BYTES   4096
#define AQL_IB_SLOT_DW   64
#define SYNC_FENCE_OFF   0
#define SYNC_SIGNAL_OFF  64
#define RING_ROOM_MS     60000

const char *queue_type_name(enum queue_type type)
{
	static const char *const names[] = { "SDMA", "PM4", "AQL" };

	return names[type];
}

static int queue_ioctl(struct kfd *kfd, unsigned long request, void *args)
{
	int ret;

	do {
		ret = ioctl(kfd->fd, request, args);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret < 0 ? -errno : 0;
}

/* kfd_queue_acquire_buffers() wants exactly this size for the mapping. */
uint64_t queue_cwsr_bytes(const struct kfd *kfd)
{
	uint64_t bytes = (uint64_t)kfd->gpu.cwsr_size + kfd->gpu.debug_memory_size;

	return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1ull);
}

static uint8_t *sync_at(const struct queue *queue, unsigned int offset)
{
	return (uint8_t *)queue->sync.cpu + offset;
}

static volatile uint64_t *pointer_at(const struct queue *queue, unsigned int offset)
{
	return (volatile uint64_t *)((uint8_t *)queue->pointers.cpu + offset);
}

/* All queues of a process share one mapping of its doorbells. */
static void map_doorbell(struct queue *queue, uint64_t doorbell_offset)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct kfd *kfd = queue->kfd;
	uint64_t in_slice = doorbell_offset & (KFD_DOORBELL_SLICE_BYTES - 1);

	pthread_mutex_lock(&lock);
	if (!kfd->doorbells) {
		kfd->doorbells = mmap(NULL, KFD_DOORBELL_SLICE_BYTES, PROT_READ | PROT_WRITE,
				      MAP_SHARED, kfd->fd, (off_t)(doorbell_offset - in_slice));
		ksft_assert(kfd->doorbells != MAP_FAILED, "mmap of the doorbells: %s",
			    strerror(errno));
	}
	pthread_mutex_unlock(&lock);
	queue->doorbell = (volatile uint64_t *)(kfd->doorbells + in_slice);
}

static void alloc_buffers(struct queue *queue, const struct queue_config *config)
{
	struct kfd *kfd = queue->kfd;

	kfd_bo_alloc(kfd, &queue->ring, queue->ring_bytes, KFD_BO_GTT);
	kfd_bo_alloc(kfd, &queue->pointers, PAGE_BYTES, KFD_BO_GTT);
	kfd_bo_alloc(kfd, &queue->sync, PAGE_BYTES, KFD_BO_GTT);
	memset(queue->pointers.cpu, 0, PAGE_BYTES);
	memset(queue->sync.cpu, 0, PAGE_BYTES);
	memset(queue->ring.cpu, 0, queue->ring_bytes);
	if (queue->type == QUEUE_SDMA)
		return;
	kfd_bo_alloc(kfd, &queue->eop, EOP_BYTES, KFD_BO_VRAM);
	if (!config->cwsr)
		kfd_bo_alloc(kfd, &queue->cwsr, queue_cwsr_bytes(kfd), KFD_BO_VRAM);
}

static void init_aql(struct queue *queue)
{
	uint32_t slots = queue->ring_bytes / AQL_PACKET_BYTES;
	struct aql_signal *signal = (struct aql_signal *)sync_at(queue, SYNC_SIGNAL_OFF);
	uint32_t *read_id_offset = (uint32_t *)((uint8_t *)queue->pointers.cpu +
						AMD_QUEUE_READ_DISPATCH_ID_BASE_OFF);

	for (uint32_t i = 0; i < slots; i++)
		((union aql_packet *)queue->ring.cpu)[i].barrier.header = AQL_INVALID;
	signal->kind = AQL_SIGNAL_KIND_USER;
	*read_id_offset = AMD_QUEUE_READ_DISPATCH_ID;
	kfd_bo_alloc(queue->kfd, &queue->ib, slots * AQL_IB_SLOT_DW * 4, KFD_BO_GTT);
}

static void free_buffers(struct queue *queue)
{
	struct kfd_bo *bos[] = { &queue->ring, &queue->pointers, &queue->sync,
				 &queue->eop,  &queue->cwsr,     &queue->ib };

	for (unsigned int i = 0; i < ARRAY_SIZE(bos); i++)
		if (bos[i]->handle)
			kfd_bo_free(queue->kfd, bos[i]);
}

int queue_try_create(struct queue *queue, struct kfd *kfd, const struct queue_config *config)
{
	static const uint32_t types[] = { KFD_IOC_QUEUE_TYPE_SDMA, KFD_IOC_QUEUE_TYPE_COMPUTE,
					  KFD_IOC_QUEUE_TYPE_COMPUTE_AQL };
	struct kfd_ioctl_create_queue_args args = { 0 };
	int ret;

	*queue = (struct queue){ .kfd = kfd, .type = config->type };
	queue->ring_bytes = config->type == QUEUE_AQL ? AQL_RING_BYTES : RING_BYTES;
	if (config->ring_bytes)
		queue->ring_bytes = config->ring_bytes;
	alloc_buffers(queue, config);
	if (queue->type == QUEUE_AQL)
		init_aql(queue);
	args.ring_base_address = queue->ring.va;
	args.ring_size = queue->ring_bytes;
	args.write_pointer_address = queue->pointers.va + AMD_QUEUE_WRITE_DISPATCH_ID;
	args.read_pointer_address = queue->pointers.va + AMD_QUEUE_READ_DISPATCH_ID;
	args.gpu_id = kfd->gpu.gpu_id;
	args.queue_type = types[queue->type];
	args.queue_percentage = KFD_MAX_QUEUE_PERCENTAGE;
	args.queue_priority = KFD_MAX_QUEUE_PRIORITY / 2;
	if (queue->type != QUEUE_SDMA) {
		args.eop_buffer_address = queue->eop.va;
		args.eop_buffer_size = EOP_BYTES;
		args.ctx_save_restore_address = config->cwsr ? config->cwsr->va : queue->cwsr.va;
		args.ctx_save_restore_size = kfd->gpu.cwsr_size;
		args.ctl_stack_size = kfd->gpu.ctl_stack_size;
	}
	ret = queue_ioctl(kfd, AMDKFD_IOC_CREATE_QUEUE, &args);
	if (ret) {
		free_buffers(queue);
		return ret;
	}
	queue->id = args.queue_id;
	map_doorbell(queue, args.doorbell_offset);
	return 0;
}

void queue_create(struct queue *queue, struct kfd *kfd, enum queue_type type)
{
	struct queue_config config = { .type = type };
	int ret = queue_try_create(queue, kfd, &config);

	ksft_assert(!ret, "CREATE_QUEUE %s: %s", queue_type_name(type), strerror(-ret));
}

void queue_destroy(struct queue *queue)
{
	struct kfd_ioctl_destroy_queue_args args = { .queue_id = queue->id };
	int ret = queue_ioctl(queue->kfd, AMDKFD_IOC_DESTROY_QUEUE, &args);

	ksft_assert(!ret, "DESTROY_QUEUE %s: %s", queue_type_name(queue->type), strerror(-ret));
	free_buffers(queue);
}

void queue_update(struct queue *queue, uint32_t percentage)
{
	struct kfd_ioctl_update_queue_args args = {
		.ring_base_address = queue->ring.va,
		.queue_id = queue->id,
		.ring_size = queue->ring_bytes,
		.queue_percentage = percentage,
		.queue_priority = KFD_MAX_QUEUE_PRIORITY / 2,
	};
	int ret = queue_ioctl(queue->kfd, AMDKFD_IOC_UPDATE_QUEUE, &args);

	ksft_assert(!ret, "UPDATE_QUEUE %s to %u %%: %s", queue_type_name(queue->type), percentage,
		    strerror(-ret));
}

uint64_t queue_rptr(const struct queue *queue)
{
	return __atomic_load_n(pointer_at(queue, AMD_QUEUE_READ_DISPATCH_ID), __ATOMIC_ACQUIRE);
}

/* Ring units in use. PM4 reports 32 bits, which some generations wrap at the ring's size. */
static uint64_t ring_used(const struct queue *queue)
{
	if (queue->type == QUEUE_PM4)
		return (queue->wptr - (uint32_t)queue_rptr(queue)) & (queue->ring_bytes / 4 - 1);
	return queue->wptr - queue_rptr(queue);
}

static void wait_for_room(struct queue *queue, uint64_t units, uint64_t capacity)
{
	struct ksft_poll poll;

	if (ring_used(queue) + units < capacity)
		return;
	queue_submit(queue); /* what is emitted must run, or there will never be room */
	poll = ksft_poll_start(RING_ROOM_MS);
	while (ring_used(queue) + units >= capacity)
		ksft_assert(ksft_poll_again(&poll), "%s queue %u: no room, rptr 0x%llx wptr 0x%llx",
			    queue_type_name(queue->type), queue->id,
			    (unsigned long long)queue_rptr(queue),
			    (unsigned long long)queue->wptr);
}

void queue_emit(struct queue *queue, const uint32_t *dw, unsigned int count)
{
	uint32_t *ring = queue->ring.cpu;
	uint32_t mask = queue->ring_bytes / 4 - 1;
	unsigned int unit = queue->type == QUEUE_SDMA ? 4 : 1; /* of wptr, per dword */

	wait_for_room(queue, (uint64_t)count * unit, (uint64_t)(mask + 1) * unit);
	for (unsigned int i = 0; i < count; i++)
		ring[(queue->wptr / unit + i) & mask] = dw[i];
	queue->wptr += (uint64_t)count * unit;
}

uint64_t aql_emit(struct queue *queue, const union aql_packet *packet)
{
	uint32_t slots = queue->ring_bytes / AQL_PACKET_BYTES;
	union aql_packet *slot = (union aql_packet *)queue->ring.cpu + queue->wptr % slots;

	wait_for_room(queue, 1, slots + 1);
	memcpy(&slot->dw[1], &packet->dw[1], sizeof(*slot) - sizeof(slot->dw[0]));
	/* the header makes the packet valid, so it comes last */
	__atomic_store_n(&slot->dw[0], packet->dw[0], __ATOMIC_RELEASE);
	return queue->wptr++;
}

void queue_submit(struct queue *queue)
{
	if (!queue->wptr)
		return;
	kfd_hdp_flush(queue->kfd);
	__atomic_store_n(pointer_at(queue, AMD_QUEUE_WRITE_DISPATCH_ID), queue->wptr,
			 __ATOMIC_RELEASE);
	__sync_synchronize();
	*queue->doorbell = queue->type == QUEUE_AQL ? queue->wptr - 1 : queue->wptr;
}

/* Runs PM4 packets of at most AQL_IB_SLOT_DW dwords on an AQL queue. */
static void aql_emit_pm4(struct queue *queue, const uint32_t *dw, unsigned int count)
{
	uint32_t slots = queue->ring_bytes / AQL_PACKET_BYTES;
	uint64_t offset = queue->wptr % slots * AQL_IB_SLOT_DW * 4;
	union aql_packet packet;

	/* the slot's last user has run when the ring has room for its successor */
	wait_for_room(queue, 1, slots + 1);
	memcpy((uint8_t *)queue->ib.cpu + offset, dw, count * sizeof(*dw));
	packet = aql_pm4_ib(queue->ib.va + offset, count, 0);
	aql_emit(queue, &packet);
}

static void emit_pm4(struct queue *queue, const uint32_t *dw, unsigned int count)
{
	if (queue->type == QUEUE_AQL)
		aql_emit_pm4(queue, dw, count);
	else
		queue_emit(queue, dw, count);
}

void queue_copy(struct queue *queue, uint64_t dst, uint64_t src, uint64_t bytes)
{
	uint32_t max = queue->type == QUEUE_SDMA ? SDMA_COPY_MAX_BYTES : PM4_DMA_MAX_BYTES;
	uint32_t dw[PM4_PACKET_MAX_DW];

	while (bytes) {
		uint32_t n = bytes < max ? (uint32_t)bytes : max;

		if (queue->type == QUEUE_SDMA)
			queue_emit(queue, dw, sdma_copy_linear(dw, dst, src, n));
		else
			emit_pm4(queue, dw, pm4_dma_data(dw, dst, src, n));
		dst += n;
		src += n;
		bytes -= n;
	}
}

void queue_fill(struct queue *queue, uint64_t dst, uint32_t value, uint64_t bytes)
{
	uint32_t max = queue->type == QUEUE_SDMA ? SDMA_FILL_MAX_BYTES : PM4_DMA_MAX_BYTES;
	uint32_t dw[PM4_PACKET_MAX_DW];

	while (bytes) {
		uint32_t n = bytes < max ? (uint32_t)bytes : max;

		if (queue->type == QUEUE_SDMA)
			queue_emit(queue, dw, sdma_const_fill(dw, dst, value, n));
		else
			emit_pm4(queue, dw, pm4_dma_fill(dw, dst, value, n));
		dst += n;
		bytes -= n;
	}
}

void queue_wait_mem(struct queue *queue, uint64_t va, uint32_t value)
{
	uint32_t dw[PM4_PACKET_MAX_DW];

	if (queue->type == QUEUE_SDMA)
		queue_emit(queue, dw, sdma_poll_mem(dw, SDMA_POLL_FUNC_GE, va, value));
	else
		emit_pm4(queue, dw, pm4_wait_mem(dw, WAIT_REG_MEM_GE, va, value));
}

uint32_t queue_fence(struct queue *queue)
{
	uint64_t fence_va = queue->sync.va + SYNC_FENCE_OFF;
	uint32_t dw[PM4_PACKET_MAX_DW];
	union aql_packet packet;

	queue->fences++;
	switch (queue->type) {
	case QUEUE_SDMA:
		queue_emit(queue, dw, sdma_fence(dw, fence_va, queue->fences));
		break;
	case QUEUE_PM4:
		queue_emit(queue, dw,
			   pm4_release_mem(dw, RELEASE_MEM_DATA_32, fence_va, queue->fences, 0));
		break;
	default:
		packet = aql_barrier(AQL_BARRIER_AND, queue->sync.va + SYNC_SIGNAL_OFF);
		aql_emit(queue, &packet);
	}
	queue_submit(queue);
	return queue->fences;
}

/* The number of fences that have come: an AQL signal counts down from 0. */
static uint32_t fences_done(const struct queue *queue)
{
	struct aql_signal *signal = (struct aql_signal *)sync_at(queue, SYNC_SIGNAL_OFF);

	if (queue->type == QUEUE_AQL)
		return (uint32_t)-__atomic_load_n(&signal->value, __ATOMIC_ACQUIRE);
	return __atomic_load_n((uint32_t *)sync_at(queue, SYNC_FENCE_OFF), __ATOMIC_ACQUIRE);
}

bool queue_fence_done(const struct queue *queue, uint32_t fence)
{
	return (int32_t)(fences_done(queue) - fence) >= 0;
}

bool queue_wait_for(struct queue *queue, uint32_t fence, unsigned int limit_ms)
{
	struct ksft_poll poll = ksft_poll_start(limit_ms);

	while (!queue_fence_done(queue, fence))
		if (!ksft_poll_again(&poll))
			return queue_fence_done(queue, fence);
	kfd_hdp_flush(queue->kfd);
	return true;
}

void queue_wait(struct queue *queue, uint32_t fence)
{
	ksft_assert(queue_wait_for(queue, fence, QUEUE_WAIT_MS),
		    "%s queue %u: fence %u not after %u ms; done %u, rptr 0x%llx wptr 0x%llx",
		    queue_type_name(queue->type), queue->id, fence, QUEUE_WAIT_MS,
		    fences_done(queue), (unsigned long long)queue_rptr(queue),
		    (unsigned long long)queue->wptr);
}

void queue_finish(struct queue *queue)
{
	queue_wait(queue, queue_fence(queue));
}
