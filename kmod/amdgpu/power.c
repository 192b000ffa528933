// SPDX-License-Identifier: GPL-2.0-only
/*
 *  - Before the machine sleeps, every mapping is completed: the driver saves what is in VRAM, but
 *    not what is pinned there, and nobody can read files while it wakes up. If that fails, the
 *    machine does not sleep.
 *  - Before a device is unbound, its mappings are given up and its hooks removed.
 *  - A reset that loses VRAM is told to the processes. What is absent can still be loaded; what was
 *    present is lost, as in every other BO.
 */
#include <linux/device/bus.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/suspend.h>

#include "../mapping.h"
#include "client.h"
#include "device.h"
#include "kfd.h"
#include "power.h"

/* Held for reading by MAP. Guards asleep, and gmmap_device.lost against becoming true. */
static DECLARE_RWSEM(map_lock);
static bool asleep;

/**
 * gmmap_power_begin_map() - begin a MAP
 *
 * Context: may sleep. gmmap_power_end_map() must follow if this succeeds.
 * Return: 0, or -EBUSY if the machine is about to sleep.
 */
int gmmap_power_begin_map(void)
{
	down_read(&map_lock);
	if (!asleep)
		return 0;
	up_read(&map_lock);
	return -EBUSY;
}

void gmmap_power_end_map(void)
{
	up_read(&map_lock);
}

static void set_asleep(bool value)
{
	down_write(&map_lock);
	asleep = value;
	up_write(&map_lock);
}

/* Ends the visits with an error if not everything can be loaded. */
static int complete_process(struct gmmap_kfd *kfd, void *data)
{
	int ret = gmmap_process_complete(&kfd->base);

	if (ret)
		pr_err("gmmap: a mapping of process %d cannot be loaded (%d), so the machine cannot sleep; kill the process or UNMAP with ABANDON\n",
		       kfd->base.pid, ret);
	return ret;
}

static int sleep_notify(struct notifier_block *block, unsigned long action, void *data)
{
	int ret;

	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		set_asleep(true);
		ret = gmmap_kfd_visit(complete_process, NULL);
		if (ret)
			set_asleep(false);
		return notifier_from_errno(ret);
	default:
		set_asleep(false);
		return NOTIFY_OK;
	}
}

/* Ends what a process has on a device. */
static int lose(struct gmmap_kfd *kfd, void *data)
{
	struct gmmap_device *device = data;
	unsigned int i;

	for (i = 0; i < GMMAP_MAX_DEVICES; i++)
		if (kfd->clients[i] && kfd->clients[i]->device == device)
			gmmap_kfd_client_lose(kfd->clients[i]);
	return 0;
}

static int unbind_notify(struct notifier_block *block, unsigned long action, void *data)
{
	struct device *dev = data;
	struct gmmap_device *device;

	if (action != BUS_NOTIFY_UNBIND_DRIVER)
		return NOTIFY_DONE;
	device = gmmap_device_find(to_pci_dev(dev));
	if (!device)
		return NOTIFY_DONE;
	down_write(&map_lock);
	device->lost = true;
	up_write(&map_lock);
	gmmap_kfd_visit(lose, device);
	gmmap_device_unhook(device);
	gmmap_device_put(device);
	return NOTIFY_OK;
}

/* After amdgpu_amdkfd_post_reset(). Context: the driver's reset; may sleep. */
void gmmap_power_was_reset(struct amdgpu_device *adev)
{
	struct gmmap_device *device = gmmap_device_find(*amdgpu_device__pdev(adev));
	s32 counter = READ_ONCE(*amdgpu_device__vram_lost_counter_counter(adev));

	if (!device)
		return;
	if (xchg(&device->vram_lost_counter, counter) != counter)
		gmmap_kfd_tell_lost(device);
	gmmap_device_put(device);
}

static struct notifier_block sleep_notifier = { .notifier_call = sleep_notify };
static struct notifier_block unbind_notifier = { .notifier_call = unbind_notify };

/* Context: may sleep. Return: 0 or the error of a notifier chain. */
int gmmap_power_init(void)
{
	int ret = register_pm_notifier(&sleep_notifier);

	if (ret)
		return ret;
	ret = bus_register_notifier(&pci_bus_type, &unbind_notifier);
	if (ret)
		unregister_pm_notifier(&sleep_notifier);
	return ret;
}

void gmmap_power_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &unbind_notifier);
	unregister_pm_notifier(&sleep_notifier);
}
