// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading, and /dev/gmmap. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "backend.h"
#include "debug.h"
#include "ioctl.h"
#include "load.h"
#include "mapping.h"

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return gmmap_device_ioctl(cmd, (void __user *)arg);
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* As /dev/kfd: who may use the GPU may use it, the rest is decided by the kfd descriptor. */
static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gmmap",
	.mode = 0666,
	.fops = &device_fops,
};

static int __init gmmap_init(void)
{
	int ret;

	gmmap_load_queue = alloc_workqueue("gmmap_load", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!gmmap_load_queue)
		return -ENOMEM;
	gmmap_end_queue = alloc_workqueue("gmmap_end", WQ_UNBOUND, 0);
	if (!gmmap_end_queue) {
		ret = -ENOMEM;
		goto destroy_load_queue;
	}
	ret = gmmap_backend.init();
	if (ret)
		goto destroy_end_queue;
	ret = misc_register(&device);
	if (ret)
		goto exit_backend;
	gmmap_debug_init();
	return 0;

exit_backend:
	gmmap_backend.exit();
destroy_end_queue:
	destroy_workqueue(gmmap_end_queue);
destroy_load_queue:
	destroy_workqueue(gmmap_load_queue);
	return ret;
}

/* No process is left, because each holds the module; but the work of one may not have returned. */
static void __exit gmmap_exit(void)
{
	gmmap_debug_exit();
	misc_deregister(&device);
	rcu_barrier();
	destroy_workqueue(gmmap_end_queue);
	gmmap_backend.exit();
	destroy_workqueue(gmmap_load_queue);
	mmu_notifier_synchronize();
}

module_init(gmmap_init);
module_exit(gmmap_exit);

MODULE_DESCRIPTION("File-backed GPU memory, loaded by retry faults");
MODULE_LICENSE("GPL");
