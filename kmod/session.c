// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/module.h>

#include "ioctl.h"
#include "process.h"
#include "session.h"

static long session_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return gmmap_process_ioctl(file->private_data, cmd, (void __user *)arg);
}

static int session_release(struct inode *inode, struct file *file)
{
	gmmap_process_put(file->private_data);
	return 0;
}

static const struct file_operations session_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = session_release,
};

/**
 * gmmap_session_create() - create a session
 * @process: the session takes over the caller's reference, unless this fails
 *
 * Context: may sleep.
 * Return: the file or an ERR_PTR.
 */
struct file *gmmap_session_create(struct gmmap_process *process)
{
	return anon_inode_getfile("[gmmap]", &session_fops, process, O_RDWR);
}
