// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver finds the handler of GPU page faults through a pointer to a table of functions,
 * amdgpu_device.gmc.vm_fault.funcs. While a process is attached, the pointer leads to our copy of
 * the table, and retry faults come to us before the driver sees them.
 */
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "bo.h"
#include "device.h"

/* Data of a fault's IV, see gmc_v9_0_process_interrupt(). */
#define FAULT_RETRY		0x80		/* of src_data[1] */
#define FAULT_WRITE		0x20		/* of src_data[1] */
#define FAULT_ADDRESS_HIGH	0xf		/* of src_data[1] */
#define FAULT_CAM_INDEX		0x3ff		/* of src_data[2] */

/* As IP_VERSION(), without variant and sub-revision. */
#define GC_VERSION(major, minor, revision)	((major) << 24 | (minor) << 16 | (revision) << 8)
#define GC_VERSION_MASK				0xffffff00

static_assert(FAULT_CAM_INDEX < GMMAP_CAM_ENTRIES);
static_assert(AMDGPU_ABI_SIZEOF_amdgpu_iv_entry <= GMMAP_MAX_IV_BYTES);

static bool allow_untested;
module_param(allow_untested, bool, 0444);
MODULE_PARM_DESC(allow_untested, "Also attach to GPUs on which no release was tested");

/* Read in the interrupt by RCU, changed under the mutex. */
static LIST_HEAD(devices);
static DEFINE_MUTEX(devices_lock);

static struct gmmap_device *find_device(struct amdgpu_device *adev)
{
	struct gmmap_device *device;

	list_for_each_entry_rcu(device, &devices, link, lockdep_is_held(&devices_lock))
		if (device->adev == adev)
			return device;
	return NULL;
}

static bool is_retry_fault(struct amdgpu_device *adev, const struct amdgpu_iv_entry *entry)
{
	/* What the driver put in its own ring was left to it before. */
	return amdgpu_iv_entry__src_data(entry)[1] & FAULT_RETRY &&
	       *amdgpu_iv_entry__ih(entry) != amdgpu_device__irq_ih_soft(adev);
}

/* Context: RCU read lock held. */
static bool take_fault(struct gmmap_device *device, struct amdgpu_iv_entry *entry)
{
	const u32 *data = amdgpu_iv_entry__src_data(entry);
	struct gmmap_cpu_fault fault = {
		.address = (u64)data[0] << 12 | (u64)(data[1] & FAULT_ADDRESS_HIGH) << 44,
		.write = data[1] & FAULT_WRITE,
	};
	u32 pasid = *amdgpu_iv_entry__pasid(entry);
	u32 cam_index = data[2] & FAULT_CAM_INDEX;

	if (gmmap_gpu_fault(&device->base, pasid, fault.address, cam_index))
		return true;
	memcpy(fault.iv, entry, AMDGPU_ABI_SIZEOF_amdgpu_iv_entry);
	return gmmap_prefault_take(&device->base, pasid, &fault, cam_index);
}

/* In place of gmc_v9_0_process_interrupt(). Context: hard interrupt or work of an IH ring. */
static s32 process_interrupt(struct amdgpu_device *adev, struct amdgpu_irq_src *source,
			     struct amdgpu_iv_entry *entry)
{
	struct gmmap_device *device;
	bool ours = false;

	if (is_retry_fault(adev, entry)) {
		rcu_read_lock();
		device = find_device(adev);
		if (device)
			ours = take_fault(device, entry);
		rcu_read_unlock();
	}
	if (ours)
		return 1;
	return amdgpu_call(gmc_v9_0_process_interrupt)(adev, source, entry);
}

/* As if the driver had put it in its own ring, whose entries it handles where it may sleep. */
static void pass_on(struct gmmap_gpu *gpu, void *iv)
{
	struct amdgpu_device *adev = container_of(gpu, struct gmmap_device, base)->adev;
	struct amdgpu_iv_entry *entry = iv;

	*amdgpu_iv_entry__ih(entry) = amdgpu_device__irq_ih_soft(adev);
	amdgpu_call(gmc_v9_0_process_interrupt)(adev, amdgpu_device__gmc_vm_fault(adev), entry);
}

static u32 gc_version(struct amdgpu_device *adev)
{
	unsigned int instances = AMDGPU_ABI_COUNT_amdgpu_device__ip_versions /
				 AMDGPU_ABI_VALUE_MAX_HWIP;

	return amdgpu_device__ip_versions(adev)[AMDGPU_ABI_VALUE_GC_HWIP * instances] &
	       GC_VERSION_MASK;
}

static bool is_supported(u32 version)
{
	switch (version) {
	case GC_VERSION(9, 4, 0):
		return true;
	case GC_VERSION(9, 4, 2):
	case GC_VERSION(9, 4, 3):
	case GC_VERSION(9, 4, 4):
	case GC_VERSION(9, 5, 0):
		return allow_untested;
	default:
		return false;
	}
}

/* The device must be what the accessors were generated for, and one that can retry. */
static int check_device(struct amdgpu_device *adev)
{
	struct pci_dev *pdev = *amdgpu_device__pdev(adev);
	struct amdgpu_irq_src_funcs *funcs = *amdgpu_device__gmc_vm_fault_funcs(adev);
	struct amdgpu_gmc_funcs *gmc = *amdgpu_device__gmc_gmc_funcs(adev);

	if (!is_supported(gc_version(adev)))
		return -EOPNOTSUPP;
	if (!pdev || !pdev->driver || strcmp(pdev->driver->name, "amdgpu") ||
	    !amdgpu_function_is(AMDGPU_gmc_v9_0_process_interrupt,
				*amdgpu_irq_src_funcs__process(funcs)) ||
	    !amdgpu_function_is(AMDGPU_gmc_v9_0_get_vm_pte,
				*amdgpu_gmc_funcs__get_vm_pte(gmc))) {
		pr_err("gmmap: amdgpu's device is not as expected; somebody else has changed it\n");
		return -ENODEV;
	}
	if (!*amdgpu_device__irq_retry_cam_enabled(adev))
		return -EOPNOTSUPP;
	return 0;
}

static void acknowledge(struct gmmap_gpu *gpu, u32 cam_index)
{
	struct gmmap_device *device = container_of(gpu, struct gmmap_device, base);

	amdgpu_call(amdgpu_mm_wdoorbell)(device->adev, device->cam_doorbell, cam_index);
}

static const struct gmmap_gpu_ops gpu_ops = {
	.copy_in = gmmap_bo_copy_in,
	.map_granules = gmmap_bo_map_granules,
	.restore = gmmap_bo_restore,
	.acknowledge = acknowledge,
	.pass_on = pass_on,
	.free = gmmap_bo_free,
};

static int create_engines(struct gmmap_device *device)
{
	int ret;

	ret = gmmap_engine_init(&device->demand, device->adev, 0, DRM_SCHED_PRIORITY_HIGH);
	if (ret)
		return ret;
	ret = gmmap_engine_init(&device->fill, device->adev, 1, DRM_SCHED_PRIORITY_NORMAL);
	if (ret)
		gmmap_engine_destroy(&device->demand);
	return ret;
}

static void destroy_engines(struct gmmap_device *device)
{
	gmmap_engine_destroy(&device->fill);
	gmmap_engine_destroy(&device->demand);
}

static void install_hook(struct gmmap_device *device)
{
	struct amdgpu_irq_src_funcs **funcs = amdgpu_device__gmc_vm_fault_funcs(device->adev);
	struct amdgpu_irq_src_funcs *hook = (void *)device->hook;

	device->funcs = *funcs;
	memcpy(hook, device->funcs, sizeof(device->hook));
	*amdgpu_irq_src_funcs__process(hook) = process_interrupt;
	list_add_rcu(&device->link, &devices);
	device->hooked = true;
	/* The interrupt must find a complete table and the device in the list. */
	smp_store_release(funcs, hook);
}

/* Afterwards nobody is in process_interrupt() for this device, and nobody can come. */
static void remove_hook(struct gmmap_device *device)
{
	struct amdgpu_device *adev = device->adev;
	struct amdgpu_irq_src_funcs **funcs = amdgpu_device__gmc_vm_fault_funcs(adev);

	device->hooked = false;
	WARN_ON(*funcs != (void *)device->hook);
	WRITE_ONCE(*funcs, device->funcs);
	list_del_rcu(&device->link);
	synchronize_irq(*amdgpu_device__irq_irq(adev));
	flush_work(amdgpu_device__irq_ih1_work(adev));
	flush_work(amdgpu_device__irq_ih2_work(adev));
	flush_work(amdgpu_device__irq_ih_soft_work(adev));
	synchronize_rcu();
}

static struct gmmap_device *create_device(struct amdgpu_device *adev)
{
	struct gmmap_device *device;
	int ret;

	ret = check_device(adev);
	if (ret)
		return ERR_PTR(ret);
	device = kvzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return ERR_PTR(-ENOMEM);
	kref_init(&device->kref);
	device->adev = adev;
	device->cam_doorbell = *amdgpu_device__irq_retry_cam_doorbell_index(adev);
	device->vram_lost_counter = *amdgpu_device__vram_lost_counter_counter(adev);
	gmmap_gpu_init(&device->base, &gpu_ops);
	ret = create_engines(device);
	if (ret) {
		kvfree(device);
		return ERR_PTR(ret);
	}
	install_hook(device);
	return device;
}

/**
 * gmmap_device_get() - hook a device, or find it hooked
 * @adev: the driver's device, which the caller keeps from going away
 *
 * Context: may sleep.
 * Return: the device, referenced, or an ERR_PTR: -EOPNOTSUPP if this GPU cannot be used, -ENODEV
 * if the driver is not as expected, -ENOMEM.
 */
struct gmmap_device *gmmap_device_get(struct amdgpu_device *adev)
{
	struct gmmap_device *device;

	mutex_lock(&devices_lock);
	device = find_device(adev);
	if (device)
		kref_get(&device->kref);
	else
		device = create_device(adev);
	mutex_unlock(&devices_lock);
	return device;
}

static void release_device(struct kref *kref)
{
	struct gmmap_device *device = container_of(kref, struct gmmap_device, kref);

	if (device->hooked) {
		remove_hook(device);
		destroy_engines(device);
	}
	mutex_unlock(&devices_lock);
	gmmap_gpu_destroy(&device->base);
	kvfree(device);
}

/* The device of a PCI function, referenced, or NULL if it is not hooked. Context: may sleep. */
struct gmmap_device *gmmap_device_find(const struct pci_dev *pdev)
{
	struct gmmap_device *device, *found = NULL;

	mutex_lock(&devices_lock);
	list_for_each_entry(device, &devices, link) {
		if (*amdgpu_device__pdev(device->adev) == pdev) {
			kref_get(&device->kref);
			found = device;
			break;
		}
	}
	mutex_unlock(&devices_lock);
	return found;
}

/* Gives a device back to the driver before its time. Context: may sleep; it has no mappings. */
void gmmap_device_unhook(struct gmmap_device *device)
{
	mutex_lock(&devices_lock);
	if (device->hooked) {
		remove_hook(device);
		destroy_engines(device);
	}
	mutex_unlock(&devices_lock);
}

/* Context: may sleep; not in a worker of the GPU. */
void gmmap_device_put(struct gmmap_device *device)
{
	kref_put_mutex(&device->kref, release_device, &devices_lock);
}
