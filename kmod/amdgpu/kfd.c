// SPDX-License-Identifier: GPL-2.0-only
/*
 * ATTACH gives a kfd descriptor a copy of KFD's file operations, so that our ioctls arrive on it.
 * While any process is attached, its GPUs are hooked and the driver's functions wrapped.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../backend.h"
#include "../ioctl.h"
#include "bo.h"
#include "client.h"
#include "device.h"
#include "driver.h"
#include "kfd.h"
#include "power.h"
#include "wrap.h"

/* Serializes attaching and releasing, and guards all below. */
static DEFINE_MUTEX(attach_lock);
static LIST_HEAD(processes);
static unsigned int wrap_users;

/* A copy of KFD's file operations with ours in it; made at the first ATTACH, kept until unload. */
static const struct file_operations *attached_fops;

/* Guards gmmap_kfd.released and .files, and processes against reading without attach_lock. */
static DEFINE_SPINLOCK(processes_lock);

/* Finds the process of a descriptor that is attached, and therefore keeps KFD's process. */
static struct gmmap_kfd *find_by_file(const struct file *file)
{
	struct gmmap_kfd *kfd, *found = NULL;

	spin_lock(&processes_lock);
	list_for_each_entry(kfd, &processes, link) {
		if (kfd->files && kfd->process == file->private_data) {
			found = kfd;
			break;
		}
	}
	spin_unlock(&processes_lock);
	return found;
}

static long attached_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct gmmap_kfd *kfd;

	if (!gmmap_is_ioctl(cmd))
		return amdgpu_call(kfd_ioctl)(file, cmd, arg);
	kfd = find_by_file(file);
	if (WARN_ON_ONCE(!kfd))
		return -ENOTTY;
	return gmmap_process_ioctl(&kfd->base, cmd, (void __user *)arg);
}

static int attached_release(struct inode *inode, struct file *file)
{
	struct gmmap_kfd *kfd = find_by_file(file);
	struct module *owner = kfd->owner;
	int ret;

	spin_lock(&processes_lock);
	kfd->files--;
	spin_unlock(&processes_lock);
	ret = amdgpu_call(kfd_release)(inode, file);
	/* The reference that opening took; closing gives back the one that attaching took. */
	module_put(owner);
	gmmap_process_put(&kfd->base);
	return ret;
}

/* As kfd_ioctl() does for checkpoint and restore. */
static bool may_attach(struct kfd_process *process)
{
	struct task_struct *task = *kfd_process__lead_thread(process);
	bool traced;

	if (task == current->group_leader)
		return true;
	rcu_read_lock();
	traced = ptrace_parent(task) == current;
	rcu_read_unlock();
	return traced && (capable(CAP_CHECKPOINT_RESTORE) || capable(CAP_SYS_ADMIN));
}

static int create_clients(struct gmmap_kfd *kfd)
{
	struct kfd_process *process = kfd->process;
	unsigned int i;

	for (i = 0; i < *kfd_process__n_pdds(process); i++) {
		struct kfd_process_device *pdd = kfd_process__pdds(process)[i];
		struct amdgpu_device *adev = *kfd_node__adev(*kfd_process_device__dev(pdd));
		struct gmmap_kfd_client *client;

		client = gmmap_kfd_client_create(&kfd->base, adev,
						 *kfd_process_device__user_gpu_id(pdd));
		if (!IS_ERR(client))
			kfd->clients[i] = client;
		else if (PTR_ERR(client) != -EOPNOTSUPP)
			return PTR_ERR(client);
	}
	return 0;
}

static void destroy_clients(struct gmmap_kfd *kfd)
{
	unsigned int i;

	for (i = 0; i < GMMAP_MAX_DEVICES; i++)
		if (kfd->clients[i])
			gmmap_kfd_client_destroy(kfd->clients[i]);
}

static int take_wraps(void)
{
	int ret = 0;

	if (!wrap_users)
		ret = gmmap_wrap_install();
	if (!ret)
		wrap_users++;
	return ret;
}

static void drop_wraps(void)
{
	if (!--wrap_users)
		gmmap_wrap_remove();
}

/* The address space, referenced; also checks that KFD's process is what we think. */
static struct mm_struct *get_mm(struct kfd_process *process)
{
	struct mm_struct *mm = get_task_mm(*kfd_process__lead_thread(process));

	if (!mm)
		return ERR_PTR(-ESRCH);
	if (mm == *kfd_process__mm(process))
		return mm;
	mmput(mm);
	return ERR_PTR(-ESRCH);
}

static struct gmmap_kfd *create(struct kfd_process *process, struct module *owner)
{
	struct mm_struct *mm = get_mm(process);
	struct gmmap_kfd *kfd;
	int ret;

	if (IS_ERR(mm))
		return ERR_CAST(mm);
	kfd = kzalloc(sizeof(*kfd), GFP_KERNEL_ACCOUNT);
	if (!kfd) {
		ret = -ENOMEM;
		goto put_mm;
	}
	kfd->process = process;
	kfd->owner = owner;
	ret = take_wraps();
	if (ret)
		goto free;
	ret = create_clients(kfd);
	if (ret)
		goto destroy_clients;
	kref_get(kfd_process__ref(process));
	__module_get(owner);
	ret = gmmap_process_init(&kfd->base, mm,
				 task_tgid_nr(*kfd_process__lead_thread(process)));
	if (ret)
		goto put_process;
	spin_lock(&processes_lock);
	list_add_tail(&kfd->link, &processes);
	spin_unlock(&processes_lock);
	mmput(mm);
	return kfd;

put_process:
	amdgpu_call(kfd_unref_process)(process);
	module_put(owner);
destroy_clients:
	destroy_clients(kfd);
	drop_wraps();
free:
	kfree(kfd);
put_mm:
	mmput(mm);
	return ERR_PTR(ret);
}

/* Context: attach_lock held. Returns the process, referenced. */
static struct gmmap_kfd *find_or_create(struct kfd_process *process, struct module *owner)
{
	struct gmmap_kfd *kfd;

	list_for_each_entry(kfd, &processes, link)
		if (kfd->process == process && !READ_ONCE(kfd->released) &&
		    gmmap_process_tryget(&kfd->base))
			return kfd;
	return create(process, owner);
}

static const struct file_operations *make_fops(const struct file_operations *original)
{
	struct file_operations *fops = kmemdup(original, sizeof(*original), GFP_KERNEL);

	if (!fops)
		return NULL;
	fops->unlocked_ioctl = attached_ioctl;
	fops->release = attached_release;
	fops->owner = THIS_MODULE;
	return fops;
}

/* Context: attach_lock held. */
static int take_file(struct gmmap_kfd *kfd, struct file *file)
{
	if (!attached_fops)
		attached_fops = make_fops(file->f_op);
	if (!attached_fops)
		return -ENOMEM;
	gmmap_process_get(&kfd->base);
	__module_get(THIS_MODULE);
	spin_lock(&processes_lock);
	kfd->files++;
	spin_unlock(&processes_lock);
	/* Whoever looks at it meanwhile finds one or the other, and both work. */
	smp_store_release(&file->f_op, attached_fops);
	return 0;
}

static bool is_kfd_file(const struct file *file)
{
	const struct file_operations *fops = file->f_op;

	return fops->owner && amdgpu_function_is(AMDGPU_kfd_ioctl, fops->unlocked_ioctl) &&
	       amdgpu_function_is(AMDGPU_kfd_release, fops->release) && file->private_data;
}

/**
 * gmmap_kfd_attach() - attach the process of a kfd descriptor
 * @file: of /dev/kfd
 *
 * Context: may sleep.
 * Return: the process, referenced, or an ERR_PTR: -EINVAL if it is not a kfd descriptor, -EPERM,
 * -ESRCH if its process is gone, -ENODEV or -EBUSY if the driver is not as expected, -ENOMEM.
 */
struct gmmap_process *gmmap_kfd_attach(struct file *file)
{
	struct gmmap_kfd *kfd;
	bool attached;
	int ret;

	mutex_lock(&attach_lock);
	attached = attached_fops && file->f_op == attached_fops;
	if (!attached && !is_kfd_file(file)) {
		kfd = ERR_PTR(-EINVAL);
		goto unlock;
	}
	if (!may_attach(file->private_data)) {
		kfd = ERR_PTR(-EPERM);
		goto unlock;
	}
	kfd = find_or_create(file->private_data,
			     attached ? find_by_file(file)->owner : file->f_op->owner);
	if (IS_ERR(kfd) || attached)
		goto unlock;
	ret = take_file(kfd, file);
	if (ret) {
		gmmap_process_put(&kfd->base);
		kfd = ERR_PTR(ret);
	}
unlock:
	mutex_unlock(&attach_lock);
	return IS_ERR(kfd) ? ERR_CAST(kfd) : &kfd->base;
}

/* The client of one of KFD's process devices, or NULL if it is not supported. */
struct gmmap_kfd_client *gmmap_kfd_client(struct gmmap_kfd *kfd, struct kfd_process_device *pdd)
{
	unsigned int i;

	for (i = 0; i < *kfd_process__n_pdds(kfd->process); i++)
		if (kfd_process__pdds(kfd->process)[i] == pdd)
			return kfd->clients[i];
	return NULL;
}

/* KFD's process, referenced, or NULL if it is dead. */
struct kfd_process *gmmap_kfd_hold(struct gmmap_kfd *kfd)
{
	struct kfd_process *process = NULL;

	spin_lock(&processes_lock);
	if (!kfd->released) {
		process = kfd->process;
		kref_get(kfd_process__ref(process));
	}
	spin_unlock(&processes_lock);
	return process;
}

/* The process after one in the list, or the first one; referenced, or NULL. */
static struct gmmap_kfd *next_process(struct gmmap_kfd *kfd)
{
	spin_lock(&processes_lock);
	kfd = list_prepare_entry(kfd, &processes, link);
	list_for_each_entry_continue(kfd, &processes, link) {
		if (gmmap_process_tryget(&kfd->base)) {
			spin_unlock(&processes_lock);
			return kfd;
		}
	}
	spin_unlock(&processes_lock);
	return NULL;
}

/**
 * gmmap_kfd_visit() - visit every attached process
 * @visit: called with a process that stays meanwhile; what is not 0 ends the visits
 * @data: for @visit
 *
 * Context: may sleep.
 * Return: what @visit has returned last, or 0.
 */
int gmmap_kfd_visit(int (*visit)(struct gmmap_kfd *kfd, void *data), void *data)
{
	struct gmmap_kfd *kfd = NULL, *next;
	int ret = 0;

	/* A process that is referenced stays in the list. */
	while (!ret && (next = next_process(kfd))) {
		if (kfd)
			gmmap_process_put(&kfd->base);
		kfd = next;
		ret = visit(kfd, data);
	}
	if (kfd)
		gmmap_process_put(&kfd->base);
	return ret;
}

static int tell_lost(struct gmmap_kfd *kfd, void *data)
{
	const struct gmmap_device *device = data;
	struct gmmap_record record = {
		.type = GMMAP_RECORD_GPU_LOST,
		.error = -ENODEV,
	};
	unsigned int i;

	for (i = 0; i < GMMAP_MAX_DEVICES; i++) {
		if (!kfd->clients[i] || kfd->clients[i]->device != device)
			continue;
		record.gpu_id = kfd->clients[i]->base.gpu_id;
		gmmap_process_tell(&kfd->base, &record);
	}
	return 0;
}

/* Tells the processes on a device that its memory is lost. Context: may sleep. */
void gmmap_kfd_tell_lost(const struct gmmap_device *device)
{
	gmmap_kfd_visit(tell_lost, (void *)device);
}

/* KFD frees a dead process's memory only after the last reference to it. */
void gmmap_kfd_died(struct gmmap_process *base)
{
	struct gmmap_kfd *kfd = to_gmmap_kfd(base);
	bool released;

	spin_lock(&processes_lock);
	released = kfd->released;
	kfd->released = true;
	spin_unlock(&processes_lock);
	if (!released)
		amdgpu_call(kfd_unref_process)(kfd->process);
}

void gmmap_kfd_release(struct gmmap_process *base)
{
	struct gmmap_kfd *kfd = to_gmmap_kfd(base);

	mutex_lock(&attach_lock);
	spin_lock(&processes_lock);
	list_del(&kfd->link);
	spin_unlock(&processes_lock);
	destroy_clients(kfd);
	drop_wraps();
	mutex_unlock(&attach_lock);
	gmmap_kfd_died(base);
	module_put(kfd->owner);
	kfree(kfd);
}

static struct gmmap_mapping *map(struct gmmap_process *process, const struct gmmap_map *args,
				 struct gmmap_extents *extents)
{
	struct gmmap_mapping *mapping;
	int ret;

	ret = gmmap_power_begin_map();
	if (ret)
		return ERR_PTR(ret);
	mapping = gmmap_bo_map(to_gmmap_kfd(process), args, extents);
	gmmap_power_end_map();
	return mapping;
}

struct visitor {
	void (*show)(struct gmmap_process *process, void *data);
	void *data;
};

static int show(struct gmmap_kfd *kfd, void *data)
{
	const struct visitor *visitor = data;

	visitor->show(&kfd->base, visitor->data);
	return 0;
}

static void visit(void (*show_process)(struct gmmap_process *process, void *data), void *data)
{
	struct visitor visitor = { .show = show_process, .data = data };

	gmmap_kfd_visit(show, &visitor);
}

static int init_backend(void)
{
	int ret = amdgpu_driver_resolve();

	return ret ?: gmmap_power_init();
}

/* Context: nothing is attached. */
static void exit_backend(void)
{
	gmmap_power_exit();
	/* A wrapper that has given back the module may still have to return. */
	synchronize_rcu_tasks();
	kfree(attached_fops);
}

const struct gmmap_backend gmmap_backend = {
	.init = init_backend,
	.exit = exit_backend,
	.attach = gmmap_kfd_attach,
	.map = map,
	.visit = visit,
	.died = gmmap_kfd_died,
	.release = gmmap_kfd_release,
};
