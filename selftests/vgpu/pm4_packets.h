/* SPDX-License-Identifier: MIT */
/*
 * PM4 type 3 packets of the GFX9 compute micro engine, as in the driver's soc15d.h. A builder stores
 * one packet and returns its length in dwords.
 */
#ifndef SELFTESTS_PM4_PACKETS_H
#define SELFTESTS_PM4_PACKETS_H

#include <stdint.h>
#include <string.h>

#define PACKET3_NOP             0x10
#define PACKET3_ATOMIC_MEM      0x1e
#define PACKET3_COND_EXEC       0x22
#define PACKET3_WRITE_DATA      0x37
#define PACKET3_WAIT_REG_MEM    0x3c
#define PACKET3_INDIRECT_BUFFER 0x3f
#define PACKET3_COPY_DATA       0x40
#define PACKET3_RELEASE_MEM     0x49
#define PACKET3_DMA_DATA        0x50
#define PACKET3_ACQUIRE_MEM     0x58

/* count: dwords after the header, less one */
#define PACKET3(op, count) (3u << 30 | (uint32_t)(count) << 16 | (uint32_t)(op) << 8)

#define PM4_NOP_DWORD      0xffff1000u /* count 0x3fff: a NOP of one dword */
#define PM4_PACKET_MAX_DW  32
#define PM4_DMA_MAX_BYTES  (1u << 20) /* below the limit of every generation */
#define PM4_WRITE_MAX_DW   24

#define WRITE_DATA_DST_MEM    (5u << 8)
#define WRITE_DATA_WR_CONFIRM (1u << 20)

#define DMA_DATA_SRC_IMMEDIATE (2u << 29)
#define DMA_DATA_CP_SYNC       (1u << 31)

#define WAIT_REG_MEM_EQUAL (3u << 0)
#define WAIT_REG_MEM_GE    (5u << 0)
#define WAIT_REG_MEM_MEM   (1u << 4)

#define INDIRECT_BUFFER_VALID (1u << 23)

#define CACHE_FLUSH_AND_INV_TS_EVENT 0x14
#define EVENT_INDEX_EOP              (5u << 8)
#define EOP_TC_WB_ACTION_EN          (1u << 15)
#define EOP_TCL1_ACTION_EN           (1u << 16)
#define EOP_TC_ACTION_EN             (1u << 17)
#define RELEASE_MEM_DATA_32          (1u << 29)
#define RELEASE_MEM_DATA_64          (2u << 29)
#define RELEASE_MEM_DATA_CLOCK       (3u << 29)
#define RELEASE_MEM_INT              (2u << 24) /* after the write is confirmed */

#define COPY_DATA_SRC_MEM       (2u << 0) /* through TC L2 */
#define COPY_DATA_SRC_IMMEDIATE (5u << 0)
#define COPY_DATA_SRC_CLOCK     (9u << 0)
#define COPY_DATA_DST_MEM       (5u << 8)
#define COPY_DATA_64            (1u << 16)
#define COPY_DATA_WR_CONFIRM    (1u << 20)

#define ATOMIC_ADD_RTN_64 47u

static inline void pm4_address(uint32_t *dw, uint64_t va)
{
	dw[0] = (uint32_t)va;
	dw[1] = (uint32_t)(va >> 32);
}

/* A NOP of dwords >= 2. */
static inline unsigned int pm4_nop(uint32_t *dw, unsigned int dwords)
{
	memset(dw, 0, dwords * sizeof(*dw));
	dw[0] = PACKET3(PACKET3_NOP, dwords - 2);
	return dwords;
}

static inline unsigned int pm4_write_data(uint32_t *dw, uint64_t dst, const uint32_t *data,
					  unsigned int count)
{
	dw[0] = PACKET3(PACKET3_WRITE_DATA, 2 + count);
	dw[1] = WRITE_DATA_DST_MEM | WRITE_DATA_WR_CONFIRM;
	pm4_address(dw + 2, dst);
	memcpy(dw + 4, data, count * sizeof(*data));
	return 4 + count;
}

static inline unsigned int pm4_dma_data(uint32_t *dw, uint64_t dst, uint64_t src, uint32_t bytes)
{
	dw[0] = PACKET3(PACKET3_DMA_DATA, 5);
	dw[1] = DMA_DATA_CP_SYNC;
	pm4_address(dw + 2, src);
	pm4_address(dw + 4, dst);
	dw[6] = bytes;
	return 7;
}

static inline unsigned int pm4_dma_fill(uint32_t *dw, uint64_t dst, uint32_t value, uint32_t bytes)
{
	pm4_dma_data(dw, dst, value, bytes);
	dw[1] |= DMA_DATA_SRC_IMMEDIATE;
	return 7;
}

/* select: data and interrupt selection, RELEASE_MEM_* */
static inline unsigned int pm4_release_mem(uint32_t *dw, uint32_t select, uint64_t dst,
					   uint64_t value, uint32_t context_id)
{
	dw[0] = PACKET3(PACKET3_RELEASE_MEM, 6);
	dw[1] = CACHE_FLUSH_AND_INV_TS_EVENT | EVENT_INDEX_EOP | EOP_TC_WB_ACTION_EN |
		EOP_TCL1_ACTION_EN | EOP_TC_ACTION_EN;
	dw[2] = select;
	pm4_address(dw + 3, dst);
	pm4_address(dw + 5, value);
	dw[7] = context_id;
	return 8;
}

static inline unsigned int pm4_wait_mem(uint32_t *dw, uint32_t function, uint64_t va,
					uint32_t reference)
{
	dw[0] = PACKET3(PACKET3_WAIT_REG_MEM, 5);
	dw[1] = function | WAIT_REG_MEM_MEM;
	pm4_address(dw + 2, va);
	dw[4] = reference;
	dw[5] = 0xffffffff;
	dw[6] = 4; /* poll interval */
	return 7;
}

/* Skips the next count dwords if the dword at va is 0. */
static inline unsigned int pm4_cond_exec(uint32_t *dw, uint64_t va, uint32_t count)
{
	dw[0] = PACKET3(PACKET3_COND_EXEC, 3);
	pm4_address(dw + 1, va);
	dw[3] = 0;
	dw[4] = count;
	return 5;
}

static inline unsigned int pm4_indirect_buffer(uint32_t *dw, uint64_t va, uint32_t dwords)
{
	dw[0] = PACKET3(PACKET3_INDIRECT_BUFFER, 2);
	pm4_address(dw + 1, va);
	dw[3] = dwords | INDIRECT_BUFFER_VALID;
	return 4;
}

/* select: COPY_DATA_*; source: an address or the value itself */
static inline unsigned int pm4_copy_data(uint32_t *dw, uint32_t select, uint64_t dst,
					 uint64_t source)
{
	dw[0] = PACKET3(PACKET3_COPY_DATA, 4);
	dw[1] = select | COPY_DATA_DST_MEM | COPY_DATA_WR_CONFIRM;
	pm4_address(dw + 2, source);
	pm4_address(dw + 4, dst);
	return 6;
}

static inline unsigned int pm4_atomic_add64(uint32_t *dw, uint64_t va, uint64_t value)
{
	dw[0] = PACKET3(PACKET3_ATOMIC_MEM, 7);
	dw[1] = ATOMIC_ADD_RTN_64;
	pm4_address(dw + 2, va);
	pm4_address(dw + 4, value);
	pm4_address(dw + 6, 0);
	dw[8] = 0;
	return 9;
}

#endif
