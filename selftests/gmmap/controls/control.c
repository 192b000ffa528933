// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module would be without one of its precautions, and failures that hardware seldom has. The
 * parameter "control" names them, separated by commas; it can be changed at any time:
 *
 *   no-pin          BOs are not pinned
 *   no-flush        the TLB is not flushed when granules are taken away
 *   no-acknowledge  faults are not acknowledged
 *   no-wrappers     the driver's functions do what they like
 *   busy            two of three page table updates fail with EBUSY or ENOMEM
 *   cancelled       two of three copies are cancelled as by a reset
 *   copy-fails      copies to VRAM fail for good
 *
 * Writing to the parameter "lose_vram" has the driver believe that a GPU's memory is lost.
 */
#include <drm/ttm/ttm_bo.h>
#include <linux/atomic.h>
#include <linux/module.h>
#include <linux/string.h>

#include "bo.h"
#include "device.h"
#include "gpu.h"

void control_pin(struct ttm_buffer_object *tbo);
void control_unpin(struct ttm_buffer_object *tbo);
struct gmmap_bo *control_find(const struct amdgpu_bo *bo);
void control_gpu_init(struct gmmap_gpu *gpu, const struct gmmap_gpu_ops *ops);
void shipped_flush_tlb(struct gmmap_bo *bo);

static char control[64];
module_param_string(control, control, sizeof(control), 0644);
MODULE_PARM_DESC(control, "Precautions to leave out, see control.c");

static const struct gmmap_gpu_ops *shipped;
static struct gmmap_gpu_ops controlled;
static atomic_t attempts;
static struct gmmap_gpu *the_gpu; /* the last one that was hooked */

static bool is_on(const char *name)
{
	return strstr(control, name);
}

void control_pin(struct ttm_buffer_object *tbo)
{
	if (!is_on("no-pin"))
		ttm_bo_pin(tbo);
}

void control_unpin(struct ttm_buffer_object *tbo)
{
	if (tbo->pin_count)
		ttm_bo_unpin(tbo);
}

void gmmap_bo_flush_tlb(struct gmmap_bo *bo)
{
	if (!is_on("no-flush"))
		shipped_flush_tlb(bo);
}

struct gmmap_bo *control_find(const struct amdgpu_bo *bo)
{
	return is_on("no-wrappers") ? NULL : gmmap_bo_find(bo);
}

static void acknowledge(struct gmmap_gpu *gpu, u32 cam_index)
{
	if (!is_on("no-acknowledge"))
		shipped->acknowledge(gpu, cam_index);
}

static int copy_in(struct gmmap_mapping *mapping, const struct gmmap_slot *slot,
		   const struct gmmap_run *runs, u32 count, bool demand)
{
	if (is_on("copy-fails"))
		return -EIO;
	if (is_on("cancelled") && atomic_inc_return(&attempts) % 3)
		return -EAGAIN;
	return shipped->copy_in(mapping, slot, runs, count, demand);
}

static int map_granules(struct gmmap_mapping *mapping, u32 first, u32 count)
{
	switch (is_on("busy") ? atomic_inc_return(&attempts) % 3 : 0) {
	case 1:
		return -EBUSY;
	case 2:
		return -ENOMEM;
	default:
		return shipped->map_granules(mapping, first, count);
	}
}

static int restore(struct gmmap_mapping *mapping, bool remap)
{
	if (is_on("busy") && atomic_inc_return(&attempts) % 3)
		return -EBUSY;
	return shipped->restore(mapping, remap);
}

/* The driver writes all page table entries anew when it validates BOs next. */
static void lose_vram(struct gmmap_gpu *gpu)
{
	struct gmmap_device *device = container_of(gpu, struct gmmap_device, base);

	++*amdgpu_device__vram_lost_counter_counter(device->adev);
}

void control_gpu_init(struct gmmap_gpu *gpu, const struct gmmap_gpu_ops *ops)
{
	shipped = ops;
	controlled = *ops;
	controlled.acknowledge = acknowledge;
	controlled.copy_in = copy_in;
	controlled.map_granules = map_granules;
	controlled.restore = restore;
	gmmap_gpu_init(gpu, &controlled);
	the_gpu = gpu;
}

static int set_lost(const char *value, const struct kernel_param *param)
{
	if (!the_gpu)
		return -ENODEV;
	lose_vram(the_gpu);
	return 0;
}

static const struct kernel_param_ops lost_ops = { .set = set_lost };
module_param_cb(lose_vram, &lost_ops, NULL, 0200);
MODULE_PARM_DESC(lose_vram, "Have the driver believe that a GPU's memory is lost; only while a process is attached");
