/* SPDX-License-Identifier: MIT */
/*
 * SDMA 4 packets, as in the driver's vega10_sdma_pkt_open.h. A builder stores one packet and returns
 * its length in dwords.
 */
#ifndef SELFTESTS_SDMA_PACKETS_H
#define SELFTESTS_SDMA_PACKETS_H

#include <stdint.h>
#include <string.h>

#define SDMA_OP_NOP         0
#define SDMA_OP_COPY        1
#define SDMA_OP_WRITE       2
#define SDMA_OP_FENCE       5
#define SDMA_OP_TRAP        6
#define SDMA_OP_POLL_REGMEM 8
#define SDMA_OP_COND_EXE    9
#define SDMA_OP_ATOMIC      10
#define SDMA_OP_CONST_FILL  11
#define SDMA_OP_TIMESTAMP   13

#define SDMA_SUBOP_TIMESTAMP_GET_GLOBAL 2

#define SDMA_HEADER(op, sub_op) ((uint32_t)(op) | (uint32_t)(sub_op) << 8)

#define SDMA_COPY_MAX_BYTES (1u << 22) /* sdma_v4_0_buffer_funcs.copy_max_bytes */
#define SDMA_FILL_MAX_BYTES (1u << 22)
#define SDMA_PACKET_MAX_DW  16 /* of the packets here, SDMA_WRITE with up to 12 dwords of data */

#define SDMA_POLL_MEM            (1u << 31)
#define SDMA_POLL_FUNC_EQUAL     (3u << 28)
#define SDMA_POLL_FUNC_GE        (5u << 28)
#define SDMA_POLL_INTERVAL       10
#define SDMA_POLL_RETRY_FOREVER  (0xfffu << 16)
#define SDMA_ATOMIC_OP_ADD64     (47u << 25)
#define SDMA_CONST_FILL_DWORD    (2u << 30)

static inline unsigned int sdma_address(uint32_t *dw, uint64_t va)
{
	dw[0] = (uint32_t)va;
	dw[1] = (uint32_t)(va >> 32);
	return 2;
}

/* A NOP that skips dwords - 1 dwords after its header. */
static inline unsigned int sdma_nop(uint32_t *dw, unsigned int dwords)
{
	memset(dw, 0, dwords * sizeof(*dw));
	dw[0] = SDMA_HEADER(SDMA_OP_NOP, 0) | (dwords - 1) << 16;
	return dwords;
}

static inline unsigned int sdma_copy_linear(uint32_t *dw, uint64_t dst, uint64_t src,
					    uint32_t bytes)
{
	dw[0] = SDMA_HEADER(SDMA_OP_COPY, 0);
	dw[1] = bytes - 1;
	dw[2] = 0;
	sdma_address(dw + 3, src);
	sdma_address(dw + 5, dst);
	return 7;
}

static inline unsigned int sdma_write(uint32_t *dw, uint64_t dst, const uint32_t *data,
				      unsigned int count)
{
	dw[0] = SDMA_HEADER(SDMA_OP_WRITE, 0);
	sdma_address(dw + 1, dst);
	dw[3] = count - 1;
	memcpy(dw + 4, data, count * sizeof(*data));
	return 4 + count;
}

/* bytes is a multiple of four. */
static inline unsigned int sdma_const_fill(uint32_t *dw, uint64_t dst, uint32_t value,
					   uint32_t bytes)
{
	dw[0] = SDMA_HEADER(SDMA_OP_CONST_FILL, 0) | SDMA_CONST_FILL_DWORD;
	sdma_address(dw + 1, dst);
	dw[3] = value;
	dw[4] = bytes - 1;
	return 5;
}

static inline unsigned int sdma_fence(uint32_t *dw, uint64_t dst, uint32_t value)
{
	dw[0] = SDMA_HEADER(SDMA_OP_FENCE, 0);
	sdma_address(dw + 1, dst);
	dw[3] = value;
	return 4;
}

static inline unsigned int sdma_trap(uint32_t *dw, uint32_t context_id)
{
	dw[0] = SDMA_HEADER(SDMA_OP_TRAP, 0);
	dw[1] = context_id;
	return 2;
}

/* Waits until the dword at va is at least (or equals) value. */
static inline unsigned int sdma_poll_mem(uint32_t *dw, uint32_t function, uint64_t va,
					 uint32_t value)
{
	dw[0] = SDMA_HEADER(SDMA_OP_POLL_REGMEM, 0) | SDMA_POLL_MEM | function;
	sdma_address(dw + 1, va);
	dw[3] = value;
	dw[4] = 0xffffffff;
	dw[5] = SDMA_POLL_INTERVAL | SDMA_POLL_RETRY_FOREVER;
	return 6;
}

static inline unsigned int sdma_atomic_add64(uint32_t *dw, uint64_t va, uint64_t value)
{
	dw[0] = SDMA_HEADER(SDMA_OP_ATOMIC, 0) | SDMA_ATOMIC_OP_ADD64;
	sdma_address(dw + 1, va);
	sdma_address(dw + 3, value);
	dw[5] = 0;
	dw[6] = 0;
	dw[7] = 0;
	return 8;
}

/* Skips the next count dwords unless the dword at va equals reference. */
static inline unsigned int sdma_cond_exe(uint32_t *dw, uint64_t va, uint32_t reference,
					 uint32_t count)
{
	dw[0] = SDMA_HEADER(SDMA_OP_COND_EXE, 0);
	sdma_address(dw + 1, va);
	dw[3] = reference;
	dw[4] = count;
	return 5;
}

/* Stores the GPU's 64-bit clock; va is a multiple of 32. */
static inline unsigned int sdma_timestamp_get_global(uint32_t *dw, uint64_t va)
{
	dw[0] = SDMA_HEADER(SDMA_OP_TIMESTAMP, SDMA_SUBOP_TIMESTAMP_GET_GLOBAL);
	sdma_address(dw + 1, va);
	return 3;
}

#endif
