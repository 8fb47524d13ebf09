// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of our own: what the fds of VMs and snapshots are.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "hlk.h"

#define HLK_FS_MAGIC	0x686c6b31	/* "hlk1" */

/*
 * A file system of our own, never mounted by anybody, so that each object has
 * an inode and with it an address space to unmap pages from.
 */
static int hlk_init_fs_context(struct fs_context *fc)
{
	if (!init_pseudo(fc, HLK_FS_MAGIC))
		return -ENOMEM;
	fc->s_iflags |= SB_I_NOEXEC | SB_I_NODEV;
	return 0;
}

static struct file_system_type hlk_fs_type = {
	.name = "hlk",
	.owner = THIS_MODULE,
	.init_fs_context = hlk_init_fs_context,
	.kill_sb = kill_anon_super,
};

static struct vfsmount *hlk_mnt;
static int hlk_mnt_count;

/**
 * hlk_file() - a file for a new object
 * @name: what /proc shows
 * @fops: its operations; their release calls hlk_file_released()
 * @obj: the object, for private_data
 * @flags: O_RDWR or O_RDONLY
 *
 * Return: the file or an error pointer; then @obj is still the caller's
 */
struct file *hlk_file(const char *name, const struct file_operations *fops,
		      void *obj, int flags)
{
	struct inode *inode;
	struct file *file;
	int ret;

	ret = simple_pin_fs(&hlk_fs_type, &hlk_mnt, &hlk_mnt_count);
	if (ret)
		return ERR_PTR(ret);
	inode = alloc_anon_inode(hlk_mnt->mnt_sb);
	if (IS_ERR(inode)) {
		file = ERR_CAST(inode);
		goto release_fs;
	}
	/* the file's last put drops this */
	__module_get(fops->owner);
	file = alloc_file_pseudo(inode, hlk_mnt, name, flags, fops);
	if (IS_ERR(file))
		goto put_inode;
	file->private_data = obj;
	return file;

put_inode:
	module_put(fops->owner);
	iput(inode);
release_fs:
	simple_release_fs(&hlk_mnt, &hlk_mnt_count);
	return file;
}

/**
 * hlk_file_released() - the last act of a file's release
 * @inode: its inode
 */
void hlk_file_released(struct inode *inode)
{
	simple_release_fs(&hlk_mnt, &hlk_mnt_count);
}
