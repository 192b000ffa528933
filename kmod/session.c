// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "ioctl.h"
#include "process.h"
#include "session.h"
#include "stream.h"

/**
 * struct gmmap_session - see session.h
 * @process: whose; referenced
 * @stream: what it reads
 */
struct gmmap_session {
	struct gmmap_process *process;
	struct gmmap_stream stream;
};

static long session_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct gmmap_session *session = file->private_data;

	return gmmap_session_ioctl(session->process, &session->stream, cmd, (void __user *)arg);
}

static ssize_t session_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct gmmap_session *session = iocb->ki_filp->private_data;

	return gmmap_stream_read(&session->stream, to,
				 iocb->ki_filp->f_flags & O_NONBLOCK ||
				 iocb->ki_flags & IOCB_NOWAIT);
}

static __poll_t session_poll(struct file *file, poll_table *table)
{
	struct gmmap_session *session = file->private_data;

	return gmmap_stream_poll(&session->stream, file, table);
}

static int session_release(struct inode *inode, struct file *file)
{
	struct gmmap_session *session = file->private_data;

	gmmap_process_unlisten(session->process, &session->stream);
	gmmap_stream_destroy(&session->stream);
	gmmap_process_put(session->process);
	kfree(session);
	return 0;
}

static const struct file_operations session_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read_iter = session_read,
	.poll = session_poll,
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
	struct gmmap_session *session;
	struct file *file;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return ERR_PTR(-ENOMEM);
	session->process = process;
	gmmap_stream_init(&session->stream);
	file = anon_inode_getfile("[gmmap]", &session_fops, session, O_RDWR);
	if (IS_ERR(file)) {
		kfree(session);
		return file;
	}
	gmmap_process_listen(process, &session->stream);
	return file;
}
