// SPDX-License-Identifier: GPL-2.0-only
/* main: the device, from insmod to rmmod. */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "heap.h"

static int file_open(struct inode *inode, struct file *file)
{
	struct bw_file *f = bw_file_make(inode);

	if (IS_ERR(f))
		return PTR_ERR(f);
	file->private_data = f;
	/* Unmapping by offset must find this file's mappings and no others. */
	file->f_mapping = &f->mapping;
	return 0;
}

static int file_release(struct inode *inode, struct file *file)
{
	bw_file_release(file->private_data);
	return 0;
}

static const struct file_operations burrow_fops = {
	.owner		= THIS_MODULE,
	.open		= file_open,
	.release	= file_release,
	.mmap		= bw_mmap,
	.poll		= bw_poll,
	.unlocked_ioctl	= bw_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/* Open to everybody: limits are per user, per heap and per memory cgroup. */
static struct miscdevice burrow_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "burrow",
	.fops	= &burrow_fops,
	.mode	= 0666,
};

static int __init burrow_init(void)
{
	int err;

	bw_debugfs_init("burrow");
	err = bw_arenas_init();
	if (err)
		goto err_debugfs;
	err = bw_lazy_init("burrow_piece");
	if (err)
		goto err_arenas;
	err = misc_register(&burrow_device);
	if (err)
		goto err_lazy;
	return 0;

err_lazy:
	bw_lazy_exit();
err_arenas:
	bw_arenas_exit();
err_debugfs:
	bw_debugfs_exit();
	return err;
}

static void __exit burrow_exit(void)
{
	misc_deregister(&burrow_device);
	bw_lazy_exit();
	bw_arenas_exit();
	bw_debugfs_exit();
}

module_init(burrow_init);
module_exit(burrow_exit);

MODULE_DESCRIPTION("heaps, spans and parking for the burrow runtime");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
