// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread for each process on each GPU, which waits for user space as any task does that touches
 * such a page, and then gives the fault to the driver. It stops waiting when nobody but itself uses
 * the address space any more, and after a time.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include <linux/userfaultfd_k.h>

#include "client.h"
#include "gpu.h"
#include "load.h"
#include "prefault.h"
#include "process.h"
#include "trace.h"

/* The driver maps up to so much around a fault, if the program has not set another granularity. */
#define BLOCK_BYTES	SZ_2M
#define WATCH_MS	200
/* Who does not fill a page in this time does not fill it. */
#define LIMIT_MS	60000

static struct gmmap_client *client_of(struct gmmap_prefault *prefault)
{
	return container_of(prefault, struct gmmap_client, prefault);
}

/* What has to be filled around an address: nothing, if userfaultfd has no part in it. */
static bool find_block(struct mm_struct *mm, u64 address, u64 *start, u64 *end)
{
	struct vm_area_struct *vma;
	bool armed = false;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, address);
	if (vma && userfaultfd_armed(vma)) {
		*start = round_down(address, BLOCK_BYTES);
		*end = min_t(u64, *start + BLOCK_BYTES, vma->vm_end);
		*start = max_t(u64, *start, vma->vm_start);
		armed = true;
	}
	mmap_read_unlock(mm);
	return armed;
}

static int fill_page(struct mm_struct *mm, u64 address, bool write)
{
	bool unlocked = false;
	int ret;

	mmap_read_lock(mm);
	ret = fixup_user_fault(mm, address, write ? FAULT_FLAG_WRITE : 0, &unlocked);
	mmap_read_unlock(mm);
	return ret;
}

/* The page that is wanted first. What is next to it may fail: that is for the driver to find. */
static int fill(struct mm_struct *mm, u64 address, bool write)
{
	u64 start, end, page;
	int ret;

	if (!find_block(mm, address, &start, &end))
		return 0;
	ret = fill_page(mm, address, write);
	for (page = start; page < end && !ret; page += PAGE_SIZE) {
		if (signal_pending(current))
			return -EINTR;
		fill_page(mm, page, false);
		cond_resched();
	}
	return ret;
}

/* Context: the thread. */
static int fill_within_limits(struct gmmap_client *client, const struct gmmap_cpu_fault *fault)
{
	struct gmmap_prefault *prefault = &client->prefault;
	struct gmmap_process *process = client->process;
	int ret;

	if (READ_ONCE(prefault->stopped) || !mmget_not_zero(prefault->mm))
		return -ESRCH;
	atomic_inc(&process->prefaulting);
	WRITE_ONCE(prefault->begun, jiffies ?: 1);
	queue_delayed_work(gmmap_load_queue, &prefault->watch, msecs_to_jiffies(WATCH_MS));
	ret = fill(prefault->mm, fault->address, fault->write);
	WRITE_ONCE(prefault->begun, 0);
	atomic_dec(&process->prefaulting);
	mmput(prefault->mm);
	return ret;
}

/* Has the thread stop waiting when that leads to nothing. */
static void watch_work(struct work_struct *work)
{
	struct gmmap_prefault *prefault = container_of(to_delayed_work(work),
						       struct gmmap_prefault, watch);
	struct gmmap_process *process = client_of(prefault)->process;
	unsigned long begun = READ_ONCE(prefault->begun);

	if (!begun)
		return;
	if (time_after(jiffies, begun + msecs_to_jiffies(LIMIT_MS)) ||
	    atomic_read(&prefault->mm->mm_users) <= atomic_read(&process->prefaulting))
		send_sig(SIGKILL, prefault->thread, 1);
	queue_delayed_work(gmmap_load_queue, &prefault->watch, msecs_to_jiffies(WATCH_MS));
}

/* The next fault, or NULL. It is still in use. */
static struct gmmap_cpu_fault *next_fault(struct gmmap_client *client)
{
	struct gmmap_cpu_fault *fault;

	spin_lock_irq(&client->gpu->lock);
	fault = list_first_entry_or_null(&client->prefault.faults, struct gmmap_cpu_fault, link);
	if (fault)
		list_del_init(&fault->link);
	spin_unlock_irq(&client->gpu->lock);
	return fault;
}

/* Gives a fault to the driver, which acknowledges it. */
static void pass_on(struct gmmap_client *client, struct gmmap_cpu_fault *fault)
{
	struct gmmap_gpu *gpu = client->gpu;
	u8 iv[GMMAP_MAX_IV_BYTES] __aligned(8);

	/* As soon as it is acknowledged, its index may come again. */
	spin_lock_irq(&gpu->lock);
	memcpy(iv, fault->iv, sizeof(iv));
	fault->busy = false;
	spin_unlock_irq(&gpu->lock);
	gpu->ops->pass_on(gpu, iv);
}

static void serve(struct gmmap_client *client, struct gmmap_cpu_fault *fault)
{
	int ret = fill_within_limits(client, fault);

	trace_gmmap_cpu_fault(client, fault->address, ret);
	pass_on(client, fault);
	/* A signal was for this fault, unless it is for the end. */
	if (signal_pending(current) && !READ_ONCE(client->prefault.stopped))
		kernel_dequeue_signal();
}

static int prefault_thread(void *data)
{
	struct gmmap_client *client = data;
	struct gmmap_prefault *prefault = &client->prefault;
	struct gmmap_cpu_fault *fault;

	allow_kernel_signal(SIGKILL);
	while (!kthread_should_stop()) {
		fault = next_fault(client);
		if (fault)
			serve(client, fault);
		else
			wait_event_interruptible(prefault->wait,
						 !list_empty_careful(&prefault->faults) ||
						 kthread_should_stop());
	}
	return 0;
}

void gmmap_prefault_init(struct gmmap_client *client)
{
	struct gmmap_prefault *prefault = &client->prefault;

	INIT_LIST_HEAD(&prefault->faults);
	init_waitqueue_head(&prefault->wait);
	INIT_DELAYED_WORK(&prefault->watch, watch_work);
}

/**
 * gmmap_prefault_start() - take faults on CPU pages from now on
 * @client: whose; may have been started before
 * @pasid: of its address space
 *
 * Context: may sleep; the caller serializes with others for this client.
 * Return: 0, -ENOMEM, -EINTR if the caller is to die.
 */
int gmmap_prefault_start(struct gmmap_client *client, u32 pasid)
{
	struct gmmap_prefault *prefault = &client->prefault;
	struct task_struct *thread;
	int ret;

	if (prefault->thread)
		return 0;
	thread = kthread_create(prefault_thread, client, "gmmap/%d", client->process->pid);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	ret = xa_err(xa_store_irq(&client->gpu->clients, pasid, client, GFP_KERNEL_ACCOUNT));
	if (ret) {
		kthread_stop(thread);
		return ret;
	}
	mmgrab(client->process->mm);
	prefault->mm = client->process->mm;
	prefault->pasid = pasid;
	prefault->thread = get_task_struct(thread);
	wake_up_process(thread);
	return 0;
}

/**
 * gmmap_prefault_stop() - take no fault any more
 * @client: whose; may never have been started
 *
 * What was taken goes to the driver as it is.
 *
 * Context: may sleep; the caller serializes with others for this client.
 */
void gmmap_prefault_stop(struct gmmap_client *client)
{
	struct gmmap_prefault *prefault = &client->prefault;
	struct gmmap_cpu_fault *fault;

	if (!prefault->thread)
		return;
	/* The number may be another process's by now. */
	xa_lock_irq(&client->gpu->clients);
	__xa_cmpxchg(&client->gpu->clients, prefault->pasid, client, NULL, 0);
	xa_unlock_irq(&client->gpu->clients);
	spin_lock_irq(&client->gpu->lock);
	WRITE_ONCE(prefault->stopped, true);
	spin_unlock_irq(&client->gpu->lock);
	/* The interrupt may have found the client just before. */
	synchronize_rcu();
	send_sig(SIGKILL, prefault->thread, 1);
	kthread_stop(prefault->thread);
	cancel_delayed_work_sync(&prefault->watch);
	put_task_struct(prefault->thread);
	prefault->thread = NULL;
	while ((fault = next_fault(client)))
		pass_on(client, fault);
	mmdrop(prefault->mm);
}

/**
 * gmmap_prefault_take() - take a fault that no mapping wants
 * @gpu: where it was raised
 * @pasid: of the address space
 * @from: address, write and iv
 * @cam_index: less than GMMAP_CAM_ENTRIES
 *
 * Context: any, hard interrupt included; RCU read lock held.
 * Return: false if the driver is to have it at once.
 */
bool gmmap_prefault_take(struct gmmap_gpu *gpu, u32 pasid, const struct gmmap_cpu_fault *from,
			 u32 cam_index)
{
	struct gmmap_cpu_fault *fault = &gpu->cpu_faults[cam_index];
	struct gmmap_client *client;
	unsigned long flags;
	bool taken = false;

	client = xa_load(&gpu->clients, pasid);
	if (!client)
		return false;
	spin_lock_irqsave(&gpu->lock, flags);
	/* An index that is in use belongs to an IV that came twice. */
	if (!client->prefault.stopped && !fault->busy) {
		*fault = *from;
		fault->busy = true;
		list_add_tail(&fault->link, &client->prefault.faults);
		wake_up(&client->prefault.wait);
		taken = true;
	}
	spin_unlock_irqrestore(&gpu->lock, flags);
	return taken;
}
