/* SPDX-License-Identifier: MIT */
/*
 * Physical memory as the GPU sees it: its own VRAM and, over the bus, what the client mapped for
 * DMA (guest RAM, and other devices' BARs that can be reached through the client only).
 */
#ifndef VGPU_MEM_H
#define VGPU_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dma_range {
	uint64_t iova;
	uint64_t bytes;
	uint8_t *host; /* NULL: only reachable through mem.client_read and client_write */
	bool writable;
};

struct mem {
	uint8_t *vram;
	uint64_t vram_bytes;
	int vram_fd;

	struct dma_range *ranges; /* sorted by iova, not overlapping */
	size_t num_ranges;
	size_t last; /* the range of the last look-up, most often the next one too */
	uint64_t generation; /* counts changes of ranges[]: cached pointers die with it */

	/* Slow path for ranges without host memory; 0 or -errno. */
	int (*client_read)(void *opaque, uint64_t iova, void *data, uint32_t bytes);
	int (*client_write)(void *opaque, uint64_t iova, const void *data, uint32_t bytes);
	void *client;
};

/*
 * A contiguous piece of memory. ptr is NULL for memory that only the client reaches (client is set)
 * and for an address that nothing answers (bytes is 0 then, or what the owner of the span made it).
 */
struct span {
	uint8_t *ptr;
	uint64_t address; /* VRAM offset or bus address */
	uint64_t bytes;
	bool system; /* on the other side of the bus */
	bool client; /* through mem.client_read and client_write */
	bool zero; /* reads as zeros where nothing answers, instead of ones */
};

int mem_init(struct mem *mem, uint64_t vram_bytes);
void mem_fini(struct mem *mem);
/* Afterwards VRAM reads as zeros, also through the client's mapping of it. */
void mem_lose_vram(struct mem *mem);

/* Bookkeeping for vfio_user_ops; fd is consumed. -EEXIST on overlap, -EINVAL on a bad range. */
int mem_dma_map(struct mem *mem, uint64_t iova, uint64_t bytes, int fd, uint64_t fd_offset,
		bool writable);
int mem_dma_unmap(struct mem *mem, uint64_t iova, uint64_t bytes);

/* The memory at an address, at most up to the end of its range. */
struct span mem_span(struct mem *mem, uint64_t address, bool system, bool write);

/* Copies; a part that nothing answers reads as all ones and swallows writes, as on a bus. */
void mem_read(struct mem *mem, const struct span *span, uint64_t offset, void *data, size_t bytes);
void mem_write(struct mem *mem, const struct span *span, uint64_t offset, const void *data,
	       size_t bytes);
void mem_copy(struct mem *mem, const struct span *dst, const struct span *src, size_t bytes);

/* Whole little-endian words at a physical address, for page tables, rings and write-backs. */
uint64_t mem_load64(struct mem *mem, uint64_t address, bool system);
void mem_store_span(struct mem *mem, const struct span *span, const void *data, size_t bytes);
void mem_store(struct mem *mem, uint64_t address, bool system, const void *data, size_t bytes);

#endif
