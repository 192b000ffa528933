// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures how fast the kernel reads a file into its own memory, as gmmap's workers do. Loading it
 * reads the file once; the parameter "us" says how long it took.
 */
#include <linux/bvec.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uio.h>

#define PIECE_BYTES	SZ_2M
#define PIECE_PAGES	(PIECE_BYTES >> PAGE_SHIFT)

static char *path;
module_param(path, charp, 0400);
MODULE_PARM_DESC(path, "the file");

static bool direct;
module_param(direct, bool, 0400);
MODULE_PARM_DESC(direct, "open it with O_DIRECT");

static ulong us;
module_param(us, ulong, 0400);
MODULE_PARM_DESC(us, "out: the time in microseconds");

static int read_all(struct file *file, const struct bio_vec *pages)
{
	loff_t position = 0;
	ssize_t n;

	do {
		struct iov_iter iter;

		iov_iter_bvec(&iter, ITER_DEST, pages, PIECE_PAGES, PIECE_BYTES);
		n = vfs_iter_read(file, &iter, &position, 0);
	} while (n > 0);
	return n;
}

static int measure(const struct bio_vec *pages)
{
	struct file *file = filp_open(path, O_RDONLY | (direct ? O_DIRECT : 0), 0);
	ktime_t start = ktime_get();
	int ret;

	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = read_all(file, pages);
	us = ktime_us_delta(ktime_get(), start);
	filp_close(file, NULL);
	return ret;
}

static int __init read_speed_init(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, get_order(PIECE_BYTES));
	struct bio_vec *pages;
	unsigned int i;
	int ret = -ENOMEM;

	if (!page)
		return -ENOMEM;
	pages = kcalloc(PIECE_PAGES, sizeof(*pages), GFP_KERNEL);
	if (pages) {
		for (i = 0; i < PIECE_PAGES; i++)
			bvec_set_page(&pages[i], page + i, PAGE_SIZE, 0);
		ret = path ? measure(pages) : -EINVAL;
		kfree(pages);
	}
	__free_pages(page, get_order(PIECE_BYTES));
	return ret;
}
module_init(read_speed_init);

static void __exit read_speed_exit(void)
{
}
module_exit(read_speed_exit);

MODULE_DESCRIPTION("Measures reading a file in the kernel");
MODULE_LICENSE("GPL");
