/* SPDX-License-Identifier: GPL-2.0-only */
/* A process on one GPU of KFD: its staging memory. */
#ifndef GMMAP_AMDGPU_CLIENT_H
#define GMMAP_AMDGPU_CLIENT_H

#include "../client.h"
#include "driver.h"

struct gmmap_device;
struct gmmap_process;

/**
 * struct gmmap_kfd_client - see above
 * @base: the core's part
 * @device: referenced; constant
 * @staging: memory of all slots, or NULL before the first mapping; guarded by kfd_process.mutex
 * @pages: of @staging
 */
struct gmmap_kfd_client {
	struct gmmap_client base;
	struct gmmap_device *device;
	struct amdgpu_bo *staging;
	struct bio_vec *pages;
};

struct gmmap_kfd_client *gmmap_kfd_client_create(struct gmmap_process *process,
						 struct amdgpu_device *adev, u32 gpu_id);
int gmmap_kfd_client_prepare(struct gmmap_kfd_client *client);
void gmmap_kfd_client_lose(struct gmmap_kfd_client *client);
void gmmap_kfd_client_destroy(struct gmmap_kfd_client *client);

#endif
