/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GPU faults on CPU pages that userfaultfd has not filled yet. The driver cannot wait for them
 * there: its hmm_range_fault() gets an error, and the process a memory exception. So they are
 * filled before the driver sees the fault.
 */
#ifndef GMMAP_PREFAULT_H
#define GMMAP_PREFAULT_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

/* What an interrupt has brought, as the driver keeps it. */
#define GMMAP_MAX_IV_BYTES	128

struct gmmap_client;
struct gmmap_gpu;
struct mm_struct;
struct task_struct;

/**
 * struct gmmap_cpu_fault - a fault that the driver will get when its pages are filled
 * @link: in gmmap_prefault.faults
 * @address: in the process's address space
 * @write: it wants to write
 * @busy: in use; there is one for each CAM index
 * @iv: for the driver
 *
 * Guarded by gmmap_gpu.lock.
 */
struct gmmap_cpu_fault {
	struct list_head link;
	u64 address;
	bool write;
	bool busy;
	u8 iv[GMMAP_MAX_IV_BYTES] __aligned(8);
};

/**
 * struct gmmap_prefault - what a process on a GPU needs for it
 * @pasid: of its address space, in gmmap_gpu.clients; 0 before the first mapping
 * @faults: struct gmmap_cpu_fault in the order of arrival; guarded by gmmap_gpu.lock
 * @stopped: takes no faults any more; guarded by gmmap_gpu.lock
 * @wait: woken when there is a fault
 * @thread: fills pages; a thread, because only what gets a signal can stop waiting for user space.
 *	Referenced; NULL before the first mapping, as all that follows
 * @mm: the address space, which need not have any pages any more; referenced
 * @begun: jiffies when it began to fill, or 0
 * @watch: looks whether it takes too long, or the process is gone
 */
struct gmmap_prefault {
	u32 pasid;
	struct list_head faults;
	bool stopped;
	wait_queue_head_t wait;
	struct task_struct *thread;
	struct mm_struct *mm;
	unsigned long begun;
	struct delayed_work watch;
};

void gmmap_prefault_init(struct gmmap_client *client);
int gmmap_prefault_start(struct gmmap_client *client, u32 pasid);
void gmmap_prefault_stop(struct gmmap_client *client);
bool gmmap_prefault_take(struct gmmap_gpu *gpu, u32 pasid, const struct gmmap_cpu_fault *fault,
			 u32 cam_index);

#endif
