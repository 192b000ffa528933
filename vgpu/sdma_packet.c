// SPDX-License-Identifier: MIT
/*
 * SDMA packets. Field positions are those of amdgpu's vega10_sdma_pkt_open.h; counts of bytes,
 * dwords and pitches are "less one" where that header's users write them so.
 */
#include "sdma_packet.h"

#include "atomic.h"
#include "packet.h"
#include "sdma.h"
#include "vgpu.h"

enum sdma_op {
	SDMA_OP_NOP = 0,
	SDMA_OP_COPY = 1,
	SDMA_OP_WRITE = 2,
	SDMA_OP_INDIRECT = 4,
	SDMA_OP_FENCE = 5,
	SDMA_OP_TRAP = 6,
	SDMA_OP_POLL_REGMEM = 8,
	SDMA_OP_COND_EXE = 9,
	SDMA_OP_ATOMIC = 10,
	SDMA_OP_CONST_FILL = 11,
	SDMA_OP_PTEPDE = 12,
	SDMA_OP_TIMESTAMP = 13,
	SDMA_OP_SRBM_WRITE = 14,
};

#define SDMA_SUBOP_COPY_LINEAR		 0
#define SDMA_SUBOP_COPY_LINEAR_SUB_WIND	 4
#define SDMA_SUBOP_TIMESTAMP_SET	 0
#define SDMA_COPY_COUNT_MASK		 0x3fffffu
#define SDMA_POLL_HDP_FLUSH		 (1u << 26)
#define SDMA_POLL_MEM			 (1u << 31)

static int refuse(struct queue *q, uint32_t header)
{
	error(q->dev, "%s: SDMA packet 0x%08x is not one that this engine knows", q->name, header);
	return STEP_HALT;
}

static int finish(struct queue *q, int ret, uint32_t dwords)
{
	if (ret == STEP_DONE)
		queue_consume(q, dwords);
	return ret;
}

static int nop(struct queue *q, uint32_t header)
{
	uint64_t dwords = 1 + (header >> 16 & 0x3fff);
	uint64_t left = queue_available(q);

	queue_consume(q, (uint32_t)(dwords < left ? dwords : left));
	return STEP_DONE;
}

static int copy_linear(struct queue *q, const uint32_t *p)
{
	uint64_t bytes = (p[1] & SDMA_COPY_COUNT_MASK) + 1;
	uint64_t src = address(p + 3), dst = address(p + 5);
	int ret;

	if (!q->progress && inject_take(&q->dev->inject.copy_errors)) {
		/* The engine loses the packet's data; its parity logic tells the driver. */
		struct iv iv = {
			.client = (uint8_t)(IH_CLIENT_SDMA0 +
					    ((struct sdma_ring *)q->owner)->sdma->instance),
			.src = IH_SRC_SDMA_ECC,
			.ring = q->ih_ring_id,
			.vmid = queue_vmid(q),
			.pasid = gmc_pasid(q->dev, q->hub, queue_vmid(q)),
		};

		trace(q->dev, "copy_error", "\"queue\":\"%s\",\"bytes\":%llu", q->name,
		      (unsigned long long)bytes);
		ih_raise(q->dev, &iv);
		return STEP_HALT;
	}
	ret = queue_copy(q, dst, src, bytes);
	if (ret == STEP_DONE) {
		trace(q->dev, "copy", "\"queue\":\"%s\",\"vmid\":%u,\"src\":\"0x%llx\","
		      "\"dst\":\"0x%llx\",\"bytes\":%llu", q->name, queue_vmid(q),
		      (unsigned long long)src, (unsigned long long)dst, (unsigned long long)bytes);
		if (q->dev->inject.copy_delay_ns)
			link_delay(q->dev, q->dev->inject.copy_delay_ns);
	}
	return finish(q, ret, 7);
}

/* A window of a three-dimensional array: rows of elements, copied one at a time. */
struct window {
	uint64_t base;
	uint64_t x, y, z;
	uint64_t pitch, slice; /* elements */
};

static struct window window_decode(const uint32_t *p)
{
	return (struct window){
		.base = address(p),
		.x = p[2] & 0x3fff,
		.y = p[2] >> 16 & 0x3fff,
		.z = p[3] & 0x7ff,
		.pitch = (p[3] >> 13 & 0x7ffff) + 1,
		.slice = (p[4] & 0x0fffffff) + 1,
	};
}

static uint64_t window_row(const struct window *w, uint64_t y, uint64_t z, unsigned int shift)
{
	return w->base + ((w->x + (w->y + y) * w->pitch + (w->z + z) * w->slice) << shift);
}

static int copy_window(struct queue *q, const uint32_t *p)
{
	unsigned int shift = p[0] >> 29 & 7;
	struct window src = window_decode(p + 1), dst = window_decode(p + 6);
	uint64_t row_bytes = (uint64_t)((p[11] & 0x3fff) + 1) << shift;
	uint64_t rows = (p[11] >> 16 & 0x3fff) + 1, slices = (p[12] & 0x7ff) + 1;
	uint64_t moved = 0;

	/* q->progress counts the bytes of all rows; queue_copy() counts those of one. */
	while (q->window_row < rows * slices) {
		uint64_t y = q->window_row % rows, z = q->window_row / rows;
		int ret = queue_copy(q, window_row(&dst, y, z, shift),
				     window_row(&src, y, z, shift), row_bytes);

		if (ret)
			return ret;
		q->progress = 0;
		moved += row_bytes;
		if (++q->window_row % 64 == 0 || moved >= QUEUE_STEP_BYTES)
			return STEP_PART;
	}
	return finish(q, STEP_DONE, 13);
}

static int copy(struct queue *q, uint32_t header)
{
	const uint32_t *p;
	bool linear = (header >> 8 & 0xff) == SDMA_SUBOP_COPY_LINEAR;
	int ret;

	if (!linear && (header >> 8 & 0xff) != SDMA_SUBOP_COPY_LINEAR_SUB_WIND)
		return refuse(q, header);
	ret = queue_packet(q, linear ? 7 : 13, &p);
	if (ret)
		return ret;
	return linear ? copy_linear(q, p) : copy_window(q, p);
}

static int write_linear(struct queue *q, const uint32_t *p)
{
	uint32_t count = (p[3] & 0xfffff) + 1;
	uint64_t dst = address(p + 1);
	int ret = queue_packet(q, 4 + count, &p);

	if (ret)
		return ret;
	return finish(q, queue_store(q, dst, p + 4, 4ULL * count), 4 + count);
}

static int trap(struct queue *q, const uint32_t *p)
{
	const struct sdma_ring *ring = q->owner;
	uint8_t vmid = queue_vmid(q);
	struct iv iv = {
		.client = (uint8_t)(IH_CLIENT_SDMA0 + ring->sdma->instance),
		.src = IH_SRC_SDMA_TRAP,
		.ring = q->ih_ring_id,
		.vmid = vmid,
		.vmid_src = 1,
		.pasid = gmc_pasid(q->dev, q->hub, vmid),
		.data = { p[1] & 0x0fffffff },
	};

	ih_raise(q->dev, &iv);
	return finish(q, STEP_DONE, 2);
}

static int poll_regmem(struct queue *q, const uint32_t *p)
{
	unsigned int func = p[0] >> 28 & 7;
	uint32_t value = 0;

	if (p[0] & SDMA_POLL_HDP_FLUSH) {
		if (!queue_vmid(q))
			reg_write(q->dev, p[2], p[3]);
		value = queue_read_reg(q, p[1]);
	} else if (!(p[0] & SDMA_POLL_MEM)) {
		value = queue_read_reg(q, p[1]);
	} else if (func) {
		int ret = queue_read(q, address(p + 1) & ~3ULL, &value, sizeof(value));

		if (ret)
			return ret;
	}
	/* p[5] holds an interval and a retry count: the driver uses "for ever" only. */
	if (!condition_met(func, value & p[4], p[3]))
		return STEP_POLL;
	return finish(q, STEP_DONE, 6);
}

static int cond_exe(struct queue *q, const uint32_t *p)
{
	uint32_t skip = p[4] & 0x3fff, value;
	int ret = queue_read(q, address(p + 1) & ~3ULL, &value, sizeof(value));

	if (ret)
		return ret;
	if (value == p[3])
		skip = 0;
	if (5 + skip > queue_available(q))
		return q->depth ? refuse(q, p[0]) : STEP_STARVED;
	return finish(q, STEP_DONE, 5 + skip);
}

static int atomic(struct queue *q, const uint32_t *p)
{
	unsigned int op = p[0] >> 25 & 0x7f, bytes = atomic_bytes(op);
	bool loop = p[0] & 1u << 16;
	uint64_t old, compare = address(p + 5);
	struct span span;
	int ret;

	if (!bytes || address(p + 1) & (bytes - 1))
		return refuse(q, p[0]);
	ret = queue_span(q, address(p + 1), GMC_READ | GMC_WRITE, &span);
	if (ret)
		return ret;
	if (span.ptr) {
		old = atomic_apply(op, span.ptr, address(p + 3), compare);
		if (loop && atomic_is_cmpswap(op) &&
		    old != (bytes == 8 ? compare : (uint32_t)compare))
			return STEP_POLL;
	}
	return finish(q, STEP_DONE, 8);
}

static int const_fill(struct queue *q, const uint32_t *p)
{
	uint64_t bytes = (p[4] & SDMA_COPY_COUNT_MASK) + 1;
	uint32_t pattern = p[3];

	switch (p[0] >> 30) { /* fill size: bytes, words, dwords */
	case 0:
		pattern = (pattern & 0xff) * 0x01010101u;
		break;
	case 1:
		pattern = (pattern & 0xffff) * 0x00010001u;
		break;
	}
	return finish(q, queue_fill(q, address(p + 1), pattern, bytes), 5);
}

static int ptepde(struct queue *q, const uint32_t *p)
{
	uint64_t dst = address(p + 1), flags = address(p + 3);
	uint64_t value = address(p + 5), increment = address(p + 7);
	uint64_t count = (p[9] & 0x7ffff) + 1;

	while (q->progress < 8 * count) {
		uint64_t index = q->progress / 8;
		uint64_t entry = (value + index * increment) | flags;
		int ret = queue_write(q, dst + q->progress, &entry, sizeof(entry));

		if (ret)
			return ret;
		q->progress += 8;
		if (q->progress % QUEUE_STEP_BYTES == 0 && q->progress < 8 * count)
			return STEP_PART;
	}
	return finish(q, STEP_DONE, 10);
}

static int timestamp(struct queue *q, const uint32_t *p)
{
	uint64_t clock = gpu_clock(q->dev);

	if ((p[0] >> 8 & 0xff) == SDMA_SUBOP_TIMESTAMP_SET)
		return refuse(q, p[0]);
	return finish(q, queue_write(q, address(p + 1) & ~7ULL, &clock, sizeof(clock)), 3);
}

static int srbm_write(struct queue *q, const uint32_t *p)
{
	/* Registers belong to the kernel: a user queue's write is ignored by hardware, too. */
	if (!queue_vmid(q))
		reg_write(q->dev, (p[1] & 0x3ffff) * 4, p[2]);
	return finish(q, STEP_DONE, 3);
}

static int fence(struct queue *q, const uint32_t *p)
{
	return finish(q, queue_write(q, address(p + 1) & ~3ULL, p + 3, 4), 4);
}

static int indirect(struct queue *q, const uint32_t *p)
{
	/* Kernel rings choose the VMID; user queues and the buffers of users stay in theirs. */
	uint8_t vmid = queue_vmid(q) ? queue_vmid(q) : p[0] >> 16 & 0xf;

	return queue_call(q, address(p + 1) & ~0x1fULL, p[3] & 0xfffff, vmid, 6);
}

int sdma_execute(struct queue *q)
{
	static const struct {
		int (*run)(struct queue *q, const uint32_t *p);
		uint32_t dwords; /* to fetch first */
	} ops[] = {
		[SDMA_OP_WRITE] = { write_linear, 4 },
		[SDMA_OP_INDIRECT] = { indirect, 6 },
		[SDMA_OP_FENCE] = { fence, 4 },
		[SDMA_OP_TRAP] = { trap, 2 },
		[SDMA_OP_POLL_REGMEM] = { poll_regmem, 6 },
		[SDMA_OP_COND_EXE] = { cond_exe, 5 },
		[SDMA_OP_ATOMIC] = { atomic, 8 },
		[SDMA_OP_CONST_FILL] = { const_fill, 5 },
		[SDMA_OP_PTEPDE] = { ptepde, 10 },
		[SDMA_OP_TIMESTAMP] = { timestamp, 3 },
		[SDMA_OP_SRBM_WRITE] = { srbm_write, 3 },
	};
	const uint32_t *p;
	uint32_t op, header;
	int ret = queue_packet(q, 1, &p);

	if (ret)
		return ret;
	header = p[0];
	op = header & 0xff;
	if (op == SDMA_OP_NOP)
		return nop(q, header);
	if (op == SDMA_OP_COPY)
		return copy(q, header);
	if (op >= sizeof(ops) / sizeof(ops[0]) || !ops[op].run)
		return refuse(q, header);
	ret = queue_packet(q, ops[op].dwords, &p);
	return ret ? ret : ops[op].run(q, p);
}
