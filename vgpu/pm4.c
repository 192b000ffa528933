// SPDX-License-Identifier: MIT
/*
 * PM4 packets of graphics, compute and scheduler queues. Fields are those of amdgpu's soc15d.h;
 * p[0] is the header, p[1] the first payload dword.
 */
#include "pm4.h"

#include "atomic.h"
#include "cp.h"
#include "hws.h"
#include "packet.h"
#include "vgpu.h"

enum pm4_op {
	PM4_NOP = 0x10,
	PM4_SET_BASE = 0x11,
	PM4_CLEAR_STATE = 0x12,
	PM4_DISPATCH_DIRECT = 0x15,
	PM4_DISPATCH_INDIRECT = 0x16,
	PM4_ATOMIC_MEM = 0x1e,
	PM4_COND_EXEC = 0x22,
	PM4_CONTEXT_CONTROL = 0x28,
	PM4_INDIRECT_BUFFER_CONST = 0x33,
	PM4_WRITE_DATA = 0x37,
	PM4_WAIT_REG_MEM = 0x3c,
	PM4_INDIRECT_BUFFER = 0x3f,
	PM4_COPY_DATA = 0x40,
	PM4_PFP_SYNC_ME = 0x42,
	PM4_EVENT_WRITE = 0x46,
	PM4_RELEASE_MEM = 0x49,
	PM4_PREAMBLE_CNTL = 0x4a,
	PM4_DMA_DATA = 0x50,
	PM4_ACQUIRE_MEM = 0x58,
	PM4_SET_CONFIG_REG = 0x68,
	PM4_SET_CONTEXT_REG = 0x69,
	PM4_SET_SH_REG = 0x76,
	PM4_SET_UCONFIG_REG = 0x79,
	PM4_SWITCH_BUFFER = 0x8b,
	PM4_FRAME_CONTROL = 0x90,
	PM4_INVALIDATE_TLBS = 0x98,
};

#define HEADER_TYPE(h)	  ((h) >> 30)
#define HEADER_OP(h)	  ((h) >> 8 & 0xff)
#define HEADER_COUNT(h)	  ((h) >> 16 & 0x3fff)
#define COUNT_ONE_DWORD	  0x3fffu /* of a NOP: no payload at all */
#define IB_SIZE		  0x000fffffu
#define DMA_BYTES	  0x03ffffffu
#define IH_SRC_PRIV_REG	  184
#define CONFIG_REG_BASE	  0x2000u /* dwords, as the SET packets count */
#define SH_REG_BASE	  0x2c00u
#define CONTEXT_REG_BASE  0xa000u
#define UCONFIG_REG_BASE  0xc000u

static bool privileged(const struct queue *q)
{
	return !queue_vmid(q);
}

static void cp_interrupt(struct queue *q, uint8_t src, uint32_t data)
{
	uint8_t vmid = queue_vmid(q);
	struct iv iv = {
		.client = IH_CLIENT_GRBM_CP,
		.src = src,
		.ring = q->ih_ring_id,
		.vmid = vmid,
		.pasid = gmc_pasid(q->dev, q->hub, vmid),
		.data = { data },
	};

	ih_raise(q->dev, &iv);
}

void pm4_eop_interrupt(struct queue *q, uint32_t context_id)
{
	cp_interrupt(q, IH_SRC_CP_EOP, context_id);
}

static int refuse(struct queue *q, uint32_t header, const char *why)
{
	error(q->dev, "%s: PM4 packet 0x%08x: %s", q->name, header, why);
	cp_interrupt(q, IH_SRC_CP_BAD_OPCODE, 0);
	return STEP_HALT;
}

/*
 * Registers are the kernel's: a packet of a user queue that writes some is dropped, and told to the
 * driver once.
 */
static bool may_write_regs(struct queue *q, uint32_t dword)
{
	if (privileged(q))
		return true;
	trace(q->dev, "privileged_register", "\"queue\":\"%s\",\"reg\":\"0x%x\"", q->name, dword * 4);
	cp_interrupt(q, IH_SRC_PRIV_REG, 0);
	return false;
}

static void write_reg(struct queue *q, uint32_t dword, uint32_t value)
{
	reg_write(q->dev, dword * 4, value);
}

static int set_regs(struct queue *q, const uint32_t *p, uint32_t n, uint32_t base)
{
	/* Shader and context state of a user queue is its own; nothing here reads it yet. */
	if (!privileged(q) && (base == SH_REG_BASE || base == CONTEXT_REG_BASE))
		return STEP_DONE;
	if (!may_write_regs(q, base + (p[1] & 0xffff)))
		return STEP_DONE;
	for (uint32_t i = 1; i < n; i++)
		write_reg(q, base + (p[1] & 0xffff) + i - 1, p[1 + i]);
	return STEP_DONE;
}

static int write_data(struct queue *q, const uint32_t *p, uint32_t n)
{
	bool no_increment = p[1] & 1u << 16;
	unsigned int dst = p[1] >> 8 & 0xf;
	uint32_t count = n - 3;
	int ret = STEP_DONE;

	if (dst == 0) {
		if (!may_write_regs(q, p[2]))
			return STEP_DONE;
		for (uint32_t i = 0; i < count; i++)
			write_reg(q, p[2] + (no_increment ? 0 : i), p[4 + i]);
		return STEP_DONE;
	}
	if (!no_increment)
		return queue_store(q, address(p + 2) & ~3ULL, p + 4, 4ULL * count);
	for (uint32_t i = 0; i < count && !ret; i++)
		ret = queue_store(q, address(p + 2) & ~3ULL, p + 4 + i, 4);
	return ret;
}

static int wait_reg_mem(struct queue *q, const uint32_t *p, uint32_t n)
{
	bool memory = p[1] >> 4 & 3, write_first = (p[1] >> 6 & 3) == 1;
	uint32_t value, reference = p[4];

	(void)n;
	if (memory) {
		int ret = queue_read(q, address(p + 2) & ~3ULL, &value, sizeof(value));

		if (ret)
			return ret;
	} else if (write_first) {
		/* The TLB flush: the reference is the whole request, the mask its VMID. */
		if (!may_write_regs(q, p[2]))
			return STEP_DONE;
		write_reg(q, p[2], reference);
		value = queue_read_reg(q, p[3] * 4);
		reference &= p[5];
	} else {
		value = queue_read_reg(q, p[2] * 4);
	}
	return condition_met(p[1] & 7, value & p[5], reference) ? STEP_DONE : STEP_POLL;
}

static int copy_data(struct queue *q, const uint32_t *p, uint32_t n)
{
	unsigned int src = p[1] & 0xf, dst = p[1] >> 8 & 0xf;
	bool wide = p[1] & 1u << 16;
	uint64_t value = 0;
	int ret = STEP_DONE;

	(void)n;
	switch (src) {
	case 0:
		value = queue_read_reg(q, p[2] * 4);
		if (wide)
			value |= (uint64_t)queue_read_reg(q, p[2] * 4 + 4) << 32;
		break;
	case 1:
	case 2:
		ret = queue_read(q, address(p + 2) & ~3ULL, &value, wide ? 8 : 4);
		break;
	case 5:
		value = wide ? address(p + 2) : p[2];
		break;
	case 9:
		value = gpu_clock(q->dev);
		break;
	default:
		return refuse(q, p[0], "this source of COPY_DATA is not implemented");
	}
	if (ret)
		return ret;
	if (dst)
		return queue_write(q, address(p + 4) & ~3ULL, &value, wide ? 8 : 4);
	if (!may_write_regs(q, p[4]))
		return STEP_DONE;
	write_reg(q, p[4], (uint32_t)value);
	if (wide)
		write_reg(q, p[4] + 1, (uint32_t)(value >> 32));
	return STEP_DONE;
}

static int release_mem(struct queue *q, const uint32_t *p, uint32_t n)
{
	unsigned int data_sel = p[2] >> 29, int_sel = p[2] >> 24 & 7;
	uint64_t va = address(p + 3) & ~3ULL, value = address(p + 5);
	int ret = STEP_DONE;

	if (data_sel >= 3)
		value = gpu_clock(q->dev);
	if (data_sel)
		ret = queue_write(q, va, &value, data_sel == 1 ? 4 : 8);
	if (ret)
		return ret;
	if (int_sel == 1 || int_sel == 2)
		pm4_eop_interrupt(q, n >= 7 ? p[7] : 0);
	return STEP_DONE;
}

static int dma_data(struct queue *q, const uint32_t *p, uint32_t n)
{
	unsigned int src_sel = p[1] >> 29 & 3;
	uint64_t bytes = p[6] & DMA_BYTES, src = address(p + 2), dst = address(p + 4);
	int ret;

	(void)n;
	if (p[6] & (3u << 26) || src_sel == 1 || (p[1] >> 20 & 3) == 1)
		return refuse(q, p[0], "DMA_DATA of registers or GDS is not implemented");
	if (src_sel == 2)
		return queue_fill(q, dst, p[2], bytes);
	ret = queue_copy(q, dst, src, bytes);
	if (ret == STEP_DONE)
		trace(q->dev, "copy", "\"queue\":\"%s\",\"vmid\":%u,\"src\":\"0x%llx\","
		      "\"dst\":\"0x%llx\",\"bytes\":%llu", q->name, queue_vmid(q),
		      (unsigned long long)src, (unsigned long long)dst, (unsigned long long)bytes);
	return ret;
}

static int atomic_mem(struct queue *q, const uint32_t *p, uint32_t n)
{
	unsigned int op = p[1] & 0x7f, bytes = atomic_bytes(op);
	uint64_t old, compare = address(p + 6);
	struct span span;
	int ret;

	(void)n;
	if (!bytes || address(p + 2) & (bytes - 1))
		return refuse(q, p[0], "not an atomic operation, or not aligned");
	ret = queue_span(q, address(p + 2), GMC_READ | GMC_WRITE, &span);
	if (ret || !span.ptr)
		return ret;
	old = atomic_apply(op, span.ptr, address(p + 4), compare);
	/* Command 1: a compare and swap that repeats until it succeeds. */
	if ((p[1] >> 8 & 0xf) == 1 && atomic_is_cmpswap(op) &&
	    old != (bytes == 8 ? compare : (uint32_t)compare))
		return STEP_POLL;
	return STEP_DONE;
}

static int invalidate_tlbs(struct queue *q, const uint32_t *p, uint32_t n)
{
	(void)n;
	if (privileged(q))
		gmc_invalidate_pasid(q->dev, (uint16_t)(p[1] >> 5), p[1] & 1u << 4);
	return STEP_DONE;
}

static int nothing(struct queue *q, const uint32_t *p, uint32_t n)
{
	(void)q;
	(void)p;
	(void)n;
	return STEP_DONE;
}

static int set_config_reg(struct queue *q, const uint32_t *p, uint32_t n)
{
	return set_regs(q, p, n, CONFIG_REG_BASE);
}

static int set_sh_reg(struct queue *q, const uint32_t *p, uint32_t n)
{
	return set_regs(q, p, n, SH_REG_BASE);
}

static int set_context_reg(struct queue *q, const uint32_t *p, uint32_t n)
{
	return set_regs(q, p, n, CONTEXT_REG_BASE);
}

static int set_uconfig_reg(struct queue *q, const uint32_t *p, uint32_t n)
{
	return set_regs(q, p, n, UCONFIG_REG_BASE);
}

static int dispatch(struct queue *q, const uint32_t *p, uint32_t n)
{
	(void)n;
	return refuse(q, p[0], "dispatch refused: this device has no shader engine");
}

/* What an operation needs: at least min payload dwords, and that it may be done by users. */
static const struct {
	int (*run)(struct queue *q, const uint32_t *p, uint32_t n);
	uint8_t min;
	bool kernel_only;
} ops[256] = {
	[PM4_NOP] = { nothing, 0, false },
	[PM4_SET_BASE] = { nothing, 0, false },
	[PM4_CLEAR_STATE] = { nothing, 0, false },
	[PM4_DISPATCH_DIRECT] = { dispatch, 0, false },
	[PM4_DISPATCH_INDIRECT] = { dispatch, 0, false },
	[PM4_ATOMIC_MEM] = { atomic_mem, 8, false },
	[PM4_CONTEXT_CONTROL] = { nothing, 0, false },
	/* The constant engine's buffers prefetch for draws, of which there are none. */
	[PM4_INDIRECT_BUFFER_CONST] = { nothing, 0, false },
	[PM4_WRITE_DATA] = { write_data, 3, false },
	[PM4_WAIT_REG_MEM] = { wait_reg_mem, 6, false },
	[PM4_COPY_DATA] = { copy_data, 5, false },
	[PM4_PFP_SYNC_ME] = { nothing, 0, false },
	[PM4_EVENT_WRITE] = { nothing, 0, false },
	[PM4_RELEASE_MEM] = { release_mem, 6, false },
	[PM4_PREAMBLE_CNTL] = { nothing, 0, false },
	[PM4_DMA_DATA] = { dma_data, 6, false },
	[PM4_ACQUIRE_MEM] = { nothing, 0, false },
	[PM4_SET_CONFIG_REG] = { set_config_reg, 1, false },
	[PM4_SET_CONTEXT_REG] = { set_context_reg, 1, false },
	[PM4_SET_SH_REG] = { set_sh_reg, 1, false },
	[PM4_SET_UCONFIG_REG] = { set_uconfig_reg, 1, false },
	[PM4_SWITCH_BUFFER] = { nothing, 0, false },
	[PM4_FRAME_CONTROL] = { nothing, 0, false },
	[PM4_INVALIDATE_TLBS] = { invalidate_tlbs, 1, true },
	[PM4_SET_RESOURCES] = { hws_set_resources, 7, true },
	[PM4_MAP_QUEUES] = { hws_map_queues, 6, true },
	[PM4_UNMAP_QUEUES] = { hws_unmap_queues, 5, true },
	[PM4_QUERY_STATUS] = { hws_query_status, 6, true },
	[PM4_RUN_LIST] = { hws_run_list, 3, true },
};

/* These two change where the next packet comes from. */
static int cond_exec(struct queue *q, const uint32_t *p)
{
	uint32_t skip = p[4] & 0x3fff, value;
	int ret = queue_read(q, address(p + 1) & ~3ULL, &value, sizeof(value));

	if (ret)
		return ret;
	if (value)
		skip = 0;
	if (5 + skip > queue_available(q))
		return q->depth ? refuse(q, p[0], "COND_EXEC skips past its buffer") : STEP_STARVED;
	queue_consume(q, 5 + skip);
	return STEP_DONE;
}

static int indirect_buffer(struct queue *q, const uint32_t *p)
{
	uint8_t vmid = queue_vmid(q) ? queue_vmid(q) : p[3] >> 24 & 0xf;

	return queue_call(q, address(p + 1) & GMC_VA_MASK & ~3ULL, p[3] & IB_SIZE, vmid, 4);
}

static int type3(struct queue *q, uint32_t header)
{
	unsigned int op = HEADER_OP(header);
	uint32_t n = HEADER_COUNT(header) + 1;
	const uint32_t *p;
	int ret;

	if (op == PM4_NOP) {
		uint64_t left = queue_available(q);

		if (HEADER_COUNT(header) == COUNT_ONE_DWORD)
			n = 0;
		if (1 + n > left && !q->depth)
			return STEP_STARVED;
		queue_consume(q, 1 + n < left ? 1 + n : (uint32_t)left);
		return STEP_DONE;
	}
	ret = queue_packet(q, 1 + n, &p);
	if (ret)
		return ret;
	if (op == PM4_COND_EXEC && n >= 4)
		return cond_exec(q, p);
	if (op == PM4_INDIRECT_BUFFER && n >= 3)
		return indirect_buffer(q, p);
	if (!ops[op].run)
		return refuse(q, header, "not an operation that this engine knows");
	if (n < ops[op].min)
		return refuse(q, header, "shorter than its operation needs");
	if (ops[op].kernel_only && !privileged(q))
		return refuse(q, header, "this operation is the kernel's");
	ret = ops[op].run(q, p, n);
	if (ret == STEP_DONE)
		queue_consume(q, 1 + n);
	return ret;
}

int pm4_execute(struct queue *q)
{
	const uint32_t *p;
	int ret = queue_packet(q, 1, &p);

	if (ret)
		return ret;
	switch (HEADER_TYPE(p[0])) {
	case 3:
		return type3(q, p[0]);
	case 2: /* filler */
		queue_consume(q, 1);
		return STEP_DONE;
	default:
		return refuse(q, p[0], "only packets of type 2 and 3 exist");
	}
}
