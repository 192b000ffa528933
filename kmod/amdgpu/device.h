/* SPDX-License-Identifier: GPL-2.0-only */
/* A GPU: its interrupt hook and its copy engines. */
#ifndef GMMAP_AMDGPU_DEVICE_H
#define GMMAP_AMDGPU_DEVICE_H

#include <linux/kref.h>
#include <linux/list.h>

#include "../gpu.h"
#include "driver.h"
#include "engine.h"

struct pci_dev;

/**
 * struct gmmap_device - see above
 * @base: the core's part
 * @kref: of processes
 * @link: in the list of devices
 * @adev: the driver's
 * @funcs: the driver's table for faults
 * @hook: our copy of it, in use while the device is in the list
 * @demand: copies that somebody waits for
 * @fill: all others
 * @cam_doorbell: where to acknowledge
 * @hooked: in the list of devices; guarded by its lock
 * @lost: it is being unbound; see gmmap_power_begin_map()
 * @vram_lost_counter: what it was when we last looked
 */
struct gmmap_device {
	struct gmmap_gpu base;
	struct kref kref;
	struct list_head link;
	struct amdgpu_device *adev;
	struct amdgpu_irq_src_funcs *funcs;
	void *hook[AMDGPU_ABI_SIZEOF_amdgpu_irq_src_funcs / sizeof(void *)];
	struct gmmap_engine demand;
	struct gmmap_engine fill;
	u32 cam_doorbell;
	bool hooked;
	bool lost;
	s32 vram_lost_counter;
};

struct gmmap_device *gmmap_device_get(struct amdgpu_device *adev);
struct gmmap_device *gmmap_device_find(const struct pci_dev *pdev);
void gmmap_device_unhook(struct gmmap_device *device);
void gmmap_device_put(struct gmmap_device *device);

#endif
