// SPDX-License-Identifier: MIT
/* VRAM and the table of DMA ranges. */
#define _GNU_SOURCE
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int mem_init(struct mem *mem, uint64_t vram_bytes)
{
	memset(mem, 0, sizeof(*mem));
	mem->vram_fd = memfd_create("vgpu-vram", MFD_CLOEXEC);
	if (mem->vram_fd < 0)
		return -errno;
	if (ftruncate(mem->vram_fd, (off_t)vram_bytes) < 0)
		goto fail;
	mem->vram = mmap(NULL, vram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, mem->vram_fd, 0);
	if (mem->vram == MAP_FAILED)
		goto fail;
	mem->vram_bytes = vram_bytes;
	return 0;
fail:;
	int err = -errno;

	close(mem->vram_fd);
	return err;
}

void mem_fini(struct mem *mem)
{
	while (mem->num_ranges)
		mem_dma_unmap(mem, mem->ranges[0].iova, mem->ranges[0].bytes);
	free(mem->ranges);
	munmap(mem->vram, mem->vram_bytes);
	close(mem->vram_fd);
}

void mem_lose_vram(struct mem *mem)
{
	if (fallocate(mem->vram_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      (off_t)mem->vram_bytes))
		memset(mem->vram, 0, mem->vram_bytes);
}

/* The first range that ends behind iova. */
static size_t range_index(const struct mem *mem, uint64_t iova)
{
	size_t lo = 0, hi = mem->num_ranges;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (mem->ranges[mid].iova + mem->ranges[mid].bytes <= iova)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void range_remove(struct mem *mem, size_t i)
{
	if (mem->ranges[i].host)
		munmap(mem->ranges[i].host, mem->ranges[i].bytes);
	memmove(&mem->ranges[i], &mem->ranges[i + 1],
		(mem->num_ranges - i - 1) * sizeof(mem->ranges[0]));
	mem->num_ranges--;
	mem->last = 0;
	mem->generation++;
}

static int range_insert(struct mem *mem, struct dma_range range)
{
	size_t i = range_index(mem, range.iova);
	struct dma_range *ranges;

	/*
	 * While the firmware sizes BARs, the client announces them without an fd and may announce
	 * the same window again elsewhere before it takes the old one back.
	 */
	while (i < mem->num_ranges && mem->ranges[i].iova < range.iova + range.bytes) {
		if (mem->ranges[i].host || range.host)
			return -EEXIST;
		range_remove(mem, i);
	}
	ranges = realloc(mem->ranges, (mem->num_ranges + 1) * sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	mem->ranges = ranges;
	memmove(&ranges[i + 1], &ranges[i], (mem->num_ranges - i) * sizeof(*ranges));
	ranges[i] = range;
	mem->num_ranges++;
	mem->last = i;
	mem->generation++;
	return 0;
}

static int map_fd(struct dma_range *range, int fd, uint64_t fd_offset)
{
	int prot = PROT_READ | (range->writable ? PROT_WRITE : 0);
	struct stat st;
	void *host;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* Memory behind the end of the file would kill us with SIGBUS at the first access. */
	if (st.st_size < 0 || fd_offset > (uint64_t)st.st_size ||
	    range->bytes > (uint64_t)st.st_size - fd_offset)
		return -EINVAL;
	host = mmap(NULL, range->bytes, prot, MAP_SHARED, fd, (off_t)fd_offset);
	if (host == MAP_FAILED)
		return -errno;
	range->host = host;
	return 0;
}

int mem_dma_map(struct mem *mem, uint64_t iova, uint64_t bytes, int fd, uint64_t fd_offset,
		bool writable)
{
	struct dma_range range = { .iova = iova, .bytes = bytes, .writable = writable };
	int ret = -EINVAL;

	if (bytes && iova <= UINT64_MAX - bytes) {
		ret = fd >= 0 ? map_fd(&range, fd, fd_offset) : 0;
		if (!ret)
			ret = range_insert(mem, range);
		if (ret && range.host)
			munmap(range.host, bytes);
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

int mem_dma_unmap(struct mem *mem, uint64_t iova, uint64_t bytes)
{
	size_t i = range_index(mem, iova);

	if (i == mem->num_ranges || mem->ranges[i].iova != iova || mem->ranges[i].bytes != bytes)
		return -ENOENT;
	range_remove(mem, i);
	return 0;
}

struct span mem_span(struct mem *mem, uint64_t address, bool system, bool write)
{
	struct span span = { .address = address, .system = system };
	const struct dma_range *range;
	size_t i = __atomic_load_n(&mem->last, __ATOMIC_RELAXED);

	if (!system) {
		if (address < mem->vram_bytes) {
			span.ptr = mem->vram + address;
			span.bytes = mem->vram_bytes - address;
		}
		return span;
	}
	if (i >= mem->num_ranges || address < mem->ranges[i].iova ||
	    address - mem->ranges[i].iova >= mem->ranges[i].bytes)
		i = range_index(mem, address);
	if (i == mem->num_ranges || mem->ranges[i].iova > address)
		return span;
	range = &mem->ranges[i];
	__atomic_store_n(&mem->last, i, __ATOMIC_RELAXED);
	if (write && !range->writable)
		return span;
	if (range->host)
		span.ptr = range->host + (address - range->iova);
	span.client = !range->host;
	span.bytes = range->bytes - (address - range->iova);
	return span;
}

void mem_read(struct mem *mem, const struct span *span, uint64_t offset, void *data, size_t bytes)
{
	if (span->bytes < offset || span->bytes - offset < bytes)
		memset(data, 0xff, bytes);
	else if (span->zero)
		memset(data, 0, bytes);
	else if (span->ptr)
		memcpy(data, span->ptr + offset, bytes);
	else if (!span->client || !mem->client_read ||
		 mem->client_read(mem->client, span->address + offset, data, (uint32_t)bytes))
		memset(data, 0xff, bytes);
}

void mem_write(struct mem *mem, const struct span *span, uint64_t offset, const void *data,
	       size_t bytes)
{
	if (span->bytes < offset || span->bytes - offset < bytes)
		return;
	if (span->ptr)
		memcpy(span->ptr + offset, data, bytes);
	else if (span->client && mem->client_write)
		mem->client_write(mem->client, span->address + offset, data, (uint32_t)bytes);
}

void mem_copy(struct mem *mem, const struct span *dst, const struct span *src, size_t bytes)
{
	uint8_t buffer[4096];

	if (dst->ptr && src->ptr && dst->bytes >= bytes && src->bytes >= bytes) {
		memmove(dst->ptr, src->ptr, bytes);
		return;
	}
	for (size_t done = 0; done < bytes;) {
		size_t part = bytes - done < sizeof(buffer) ? bytes - done : sizeof(buffer);

		mem_read(mem, src, done, buffer, part);
		mem_write(mem, dst, done, buffer, part);
		done += part;
	}
}

uint64_t mem_load64(struct mem *mem, uint64_t address, bool system)
{
	struct span span = mem_span(mem, address, system, false);
	uint64_t value;

	/* One load: the driver may write the same page table entry right now. */
	if (span.ptr && span.bytes >= 8 && !(address & 7))
		return __atomic_load_n((uint64_t *)(void *)span.ptr, __ATOMIC_ACQUIRE);
	mem_read(mem, &span, 0, &value, sizeof(value));
	return value;
}

void mem_store_span(struct mem *mem, const struct span *span, const void *data, size_t bytes)
{
	bool whole = span->ptr && span->bytes >= bytes && !((uintptr_t)span->ptr & (bytes - 1));

	/* Words that a CPU polls become visible at once and after everything before them. */
	if (whole && bytes == 8) {
		uint64_t value;

		memcpy(&value, data, 8);
		__atomic_store_n((uint64_t *)(void *)span->ptr, value, __ATOMIC_RELEASE);
	} else if (whole && bytes == 4) {
		uint32_t value;

		memcpy(&value, data, 4);
		__atomic_store_n((uint32_t *)(void *)span->ptr, value, __ATOMIC_RELEASE);
	} else {
		mem_write(mem, span, 0, data, bytes);
	}
}

void mem_store(struct mem *mem, uint64_t address, bool system, const void *data, size_t bytes)
{
	struct span span = mem_span(mem, address, system, true);

	mem_store_span(mem, &span, data, bytes);
}
