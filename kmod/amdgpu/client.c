// SPDX-License-Identifier: GPL-2.0-only
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>
#include <linux/bvec.h>
#include <linux/err.h>
#include <linux/slab.h>

#include <drm/amdgpu_drm.h>

#include "../process.h"
#include "client.h"
#include "device.h"

#define STAGING_BYTES	(GMMAP_SLOTS * GMMAP_CHUNK_BYTES)

/**
 * gmmap_kfd_client_create() - make a process known to one of its GPUs
 * @process: whose
 * @adev: the driver's device
 * @gpu_id: its name for the process
 *
 * Context: may sleep.
 * Return: the client or an ERR_PTR, see gmmap_device_get().
 */
struct gmmap_kfd_client *gmmap_kfd_client_create(struct gmmap_process *process,
						 struct amdgpu_device *adev, u32 gpu_id)
{
	struct gmmap_kfd_client *client;
	struct gmmap_device *device;

	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return ERR_PTR(-ENOMEM);
	device = gmmap_device_get(adev);
	if (IS_ERR(device)) {
		kfree(client);
		return ERR_CAST(device);
	}
	client->device = device;
	gmmap_client_init(&client->base, process, &device->base, gpu_id);
	return client;
}

/* A kernel BO in system memory has its pages as long as it lives: it is pinned. */
static void place_slots(struct gmmap_kfd_client *client, u64 gpu_address)
{
	struct page **pages = amdgpu_bo__tbo(client->staging)->ttm->pages;
	unsigned int i;

	for (i = 0; i < GMMAP_SLOTS * GMMAP_SLOT_PAGES; i++)
		bvec_set_page(&client->pages[i], pages[i], PAGE_SIZE, 0);
	for (i = 0; i < GMMAP_SLOTS; i++) {
		client->base.slots[i].pages = &client->pages[i * GMMAP_SLOT_PAGES];
		client->base.slots[i].gpu_address = gpu_address + i * GMMAP_CHUNK_BYTES;
	}
}

/**
 * gmmap_kfd_client_prepare() - see that there is staging memory
 * @client: the client
 *
 * Context: may sleep; kfd_process.mutex held.
 * Return: 0, -ENODEV if the GPU is being unbound, -ENOMEM, or another error of the driver's memory.
 */
int gmmap_kfd_client_prepare(struct gmmap_kfd_client *client)
{
	u64 gpu_address;
	int ret;

	if (client->device->lost)
		return -ENODEV;
	if (client->staging)
		return 0;
	if (!client->pages)
		client->pages = kvcalloc(GMMAP_SLOTS * GMMAP_SLOT_PAGES, sizeof(*client->pages),
					 GFP_KERNEL_ACCOUNT);
	if (!client->pages)
		return -ENOMEM;
	ret = amdgpu_call(amdgpu_bo_create_kernel)(client->device->adev, STAGING_BYTES, PAGE_SIZE,
						   AMDGPU_GEM_DOMAIN_GTT, &client->staging,
						   &gpu_address, NULL);
	if (ret)
		return ret;
	place_slots(client, gpu_address);
	return 0;
}

static void free_staging(struct gmmap_kfd_client *client)
{
	if (client->staging)
		amdgpu_call(amdgpu_bo_free_kernel)(&client->staging, NULL, NULL);
}

/**
 * gmmap_kfd_client_lose() - give up everything on a GPU that goes away
 * @client: the client; there can be no MAP any more
 *
 * Context: may sleep.
 */
void gmmap_kfd_client_lose(struct gmmap_kfd_client *client)
{
	struct gmmap_record record = {
		.type = GMMAP_RECORD_GPU_LOST,
		.error = -ENODEV,
		.gpu_id = client->base.gpu_id,
	};

	gmmap_process_tell(client->base.process, &record);
	gmmap_process_lose(client->base.process, &client->base);
	gmmap_prefault_stop(&client->base);
	/* Nothing is left to load, so no worker uses it. */
	free_staging(client);
}

/* Context: may sleep; the client has no mappings; not in a worker of it. */
void gmmap_kfd_client_destroy(struct gmmap_kfd_client *client)
{
	gmmap_client_destroy(&client->base);
	free_staging(client);
	kvfree(client->pages);
	gmmap_device_put(client->device);
	kfree(client);
}
