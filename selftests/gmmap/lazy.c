// SPDX-License-Identifier: MIT
#include "lazy.h"

#include <string.h>

#include "ksft.h"

void lazy_open(struct lazy *lazy, uint64_t bytes, uint64_t seed)
{
	*lazy = (struct lazy){ .random = seed };
	kfd_open(&lazy->kfd);
	session_open(&lazy->session, &lazy->kfd);
	backing_create(&lazy->file, bytes, seed);
	kfd_bo_alloc(&lazy->kfd, &lazy->vram, bytes, KFD_BO_VRAM);
	kfd_bo_alloc(&lazy->kfd, &lazy->result, bytes, KFD_BO_GTT);
	memset(lazy->result.cpu, 0xee, bytes);
}

void lazy_map(struct lazy *lazy)
{
	lazy->mapping = session_map_file(&lazy->session, &lazy->vram, lazy->file.fd, 0);
}

void lazy_close(struct lazy *lazy)
{
	kfd_bo_free(&lazy->kfd, &lazy->result);
	if (lazy->vram.handle)
		kfd_bo_free(&lazy->kfd, &lazy->vram);
	backing_destroy(&lazy->file);
	session_close(&lazy->session);
	kfd_close(&lazy->kfd);
}

void lazy_read_by(struct lazy *lazy, struct queue *queue, uint64_t offset, uint64_t bytes)
{
	queue_copy(queue, lazy->result.va + offset, lazy->vram.va + offset, bytes);
}

void lazy_assert_equal(const struct lazy *lazy, uint64_t offset, uint64_t bytes)
{
	const uint8_t *got = (uint8_t *)lazy->result.cpu + offset;
	const uint8_t *want = lazy->file.data + offset;

	for (uint64_t i = 0; i < bytes; i++)
		ksft_assert(got[i] == want[i], "byte %llu is 0x%02x, the file has 0x%02x",
			    (unsigned long long)(offset + i), got[i], want[i]);
}

void lazy_check_all(struct lazy *lazy, struct queue *queue)
{
	memset(lazy->result.cpu, 0xee, lazy->result.bytes);
	lazy_read_by(lazy, queue, 0, lazy->vram.bytes);
	queue_finish(queue);
	lazy_assert_equal(lazy, 0, lazy->vram.bytes);
}
