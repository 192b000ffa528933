// SPDX-License-Identifier: MIT
#include "load.h"

#include <stdio.h>
#include <string.h>

#include "ksft.h"
#include "pattern.h"

int load_try_open(struct load *load, struct kfd *kfd, const struct queue_config *config,
		  uint64_t seed)
{
	int ret;

	*load = (struct load){ .seed = seed << 16 };
	ret = queue_try_create(&load->queue, kfd, config);
	if (ret)
		return ret;
	kfd_bo_alloc(kfd, &load->source, LOAD_BYTES, KFD_BO_GTT);
	kfd_bo_alloc(kfd, &load->vram, LOAD_BYTES, KFD_BO_VRAM);
	kfd_bo_alloc(kfd, &load->result, LOAD_BYTES, KFD_BO_GTT);
	return 0;
}

void load_open(struct load *load, struct kfd *kfd, const struct queue_config *config, uint64_t seed)
{
	int ret = load_try_open(load, kfd, config, seed);

	ksft_assert(!ret, "CREATE_QUEUE %s: %s", queue_type_name(config->type), strerror(-ret));
}

void load_close(struct load *load)
{
	struct kfd *kfd = load->queue.kfd;

	queue_destroy(&load->queue);
	kfd_bo_free(kfd, &load->source);
	kfd_bo_free(kfd, &load->vram);
	kfd_bo_free(kfd, &load->result);
}

void load_begin(struct load *load)
{
	load->rounds++;
	pattern_fill(load->source.cpu, LOAD_BYTES, load->seed + load->rounds);
	memset(load->result.cpu, 0, LOAD_BYTES);
	queue_copy(&load->queue, load->vram.va, load->source.va, LOAD_BYTES);
	queue_copy(&load->queue, load->result.va, load->vram.va, LOAD_BYTES);
	queue_fence(&load->queue);
}

void load_end(struct load *load)
{
	char what[64];

	snprintf(what, sizeof(what), "%s queue, round %u", queue_type_name(load->queue.type),
		 load->rounds);
	queue_wait(&load->queue, load->queue.fences);
	pattern_assert(load->result.cpu, LOAD_BYTES, load->seed + load->rounds, what);
}
