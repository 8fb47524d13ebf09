// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: /dev/hlk, the ioctl dispatcher, and files of our own.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/nospec.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hlk.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define HLK_FS_MAGIC	0x686c6b31	/* "hlk1" */

unsigned int hlk_max_tables = 16384;
module_param_named(max_tables, hlk_max_tables, uint, 0644);
MODULE_PARM_DESC(max_tables, "distinct page tables per snapshot or walk: memory of the kernel, charged to the caller");

unsigned int hlk_max_segments = 1U << 20;
module_param_named(max_segments, hlk_max_segments, uint, 0644);
MODULE_PARM_DESC(max_segments, "segments per image: how long one call reads");

unsigned long hlk_max_pages = 1UL << 24;
module_param_named(max_pages, hlk_max_pages, ulong, 0644);
MODULE_PARM_DESC(max_pages, "pages per snapshot: memory, charged to the caller");

unsigned long hlk_max_private = 1UL << 24;
module_param_named(max_private, hlk_max_private, ulong, 0644);
MODULE_PARM_DESC(max_private, "largest budget of private pages per VM: memory, charged to who writes");

/* What a page without a base looks like, in every window. Never written. */
struct page *hlk_zero_page;

static atomic_long_t live_vms;
static atomic_long_t live_snaps;
static atomic_long_t live_pages;

/**
 * hlk_count_vms() - count attached VMs
 * @by: how many more
 */
void hlk_count_vms(long by)
{
	atomic_long_add(by, &live_vms);
}

/**
 * hlk_count_snaps() - count snapshots
 * @by: how many more
 */
void hlk_count_snaps(long by)
{
	atomic_long_add(by, &live_snaps);
}

/**
 * hlk_count_pages() - count guest pages that VMs and snapshots hold
 * @by: how many more
 *
 * A page that two snapshots share counts in each.
 */
void hlk_count_pages(long by)
{
	atomic_long_add(by, &live_pages);
}

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

/**
 * hlk_ucmd_new() - give a new object an fd
 * @ucmd: the call
 * @file: the object's file; taken over
 * @out_fd: where the reply says the fd
 *
 * The dispatcher installs it once nothing can fail any more.
 *
 * Return: 0 or an errno
 */
int hlk_ucmd_new(struct hlk_ucmd *ucmd, struct file *file, s32 *out_fd)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0) {
		fput(file);
		return fd;
	}
	ucmd->new_file = file;
	ucmd->new_fd = fd;
	*out_fd = fd;
	return 0;
}

static void ucmd_finish(struct hlk_ucmd *ucmd, int ret)
{
	if (!ucmd->new_file)
		return;
	if (!ret) {
		fd_install(ucmd->new_fd, ucmd->new_file);
		return;
	}
	put_unused_fd(ucmd->new_fd);
	fput(ucmd->new_file);
}

static int ucmd_read(struct hlk_ucmd *ucmd, const struct hlk_op *op,
		     void __user *from, u32 size)
{
	struct hlk_head *head = ucmd->cmd;
	int ret;

	if (size < op->min_size)
		return hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_SIZE, 0, op->min_size);
	/* the tail is looked at in one go */
	if (size > HLK_MAX_STRUCT)
		return hlk_fail(&ucmd->at, -E2BIG, HLK_WHY_SIZE, 0, HLK_MAX_STRUCT);
	ret = copy_struct_from_user(head, op->size, from, size);
	if (ret == -E2BIG)
		return hlk_fail(&ucmd->at, ret, HLK_WHY_TAIL, 0, op->size);
	if (ret)
		return ret;
	if (head->flags & ~op->flags)
		return hlk_fail(&ucmd->at, -EOPNOTSUPP, HLK_WHY_FLAGS, 0, op->flags);
	return 0;
}

/* Tell why, whatever the size of the struct, if it has room for it. */
static int ucmd_write_head(struct hlk_ucmd *ucmd, void __user *to, u32 size)
{
	struct hlk_head head = {
		.why = ucmd->at.why,
		.index = ucmd->at.index,
		.where = ucmd->at.where,
	};
	const size_t skip = offsetof(struct hlk_head, why);

	if (size < sizeof(head))
		return 0;
	return copy_to_user(to + skip, (void *)&head + skip, sizeof(head) - skip) ?
		-EFAULT : 0;
}

/**
 * hlk_ioctl() - the ioctl of every file of the module
 * @file: the file
 * @cmd: the number
 * @arg: user pointer to the struct
 * @nowait: see struct hlk_ucmd
 * @ops: the file's table
 * @first: command of its first row
 * @nr: how many rows
 *
 * Return: 0 or an errno
 */
long hlk_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool nowait,
	       const struct hlk_op *ops, u32 first, u32 nr)
{
	void __user *user = (void __user *)arg;
	union hlk_cmd_buffer buffer;
	struct hlk_ucmd ucmd = { .cmd = &buffer, .nowait = nowait };
	const struct hlk_op *op;
	u32 row;
	u32 size;
	int ret;

	if (cmd != _IO(HLK_IOC_TYPE, _IOC_NR(cmd)))
		return -ENOTTY;
	row = _IOC_NR(cmd) - first;
	if (row >= nr)
		return -ENOTTY;
	op = &ops[array_index_nospec(row, nr)];
	if (!op->execute)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	ret = ucmd_read(&ucmd, op, user, size);
	if (!ret) {
		ret = op->execute(file->private_data, &ucmd);
		buffer.head.size = size;
		if (copy_to_user(user, &buffer, min(size, op->size)) && !ret)
			ret = -EFAULT;
	}
	if (ucmd_write_head(&ucmd, user, size) && !ret)
		ret = -EFAULT;
	ucmd_finish(&ucmd, ret);
	return ret;
}

static int cmd_info(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_info *info = ucmd->cmd;

	info->version = HLK_ABI_VERSION;
	info->max_windows = HLK_MAX_WINDOWS;
	info->max_vcpus = HLK_MAX_VCPUS;
	info->max_roots = HLK_MAX_ROOTS;
	info->max_tables = hlk_max_tables;
	info->max_segments = hlk_max_segments;
	info->features = HLK_FEATURE_FLAT | HLK_FEATURE_COMPACT | HLK_FEATURE_WALK |
			 HLK_FEATURE_MARK_COW | HLK_FEATURE_RUN |
			 HLK_FEATURE_URING | HLK_FEATURE_DEDUP |
			 HLK_FEATURE_INSPECT | HLK_FEATURE_PREFAULT |
			 HLK_FEATURE_AUDIT;
	info->max_pages = hlk_max_pages;
	info->max_private = hlk_max_private;
	info->live_vms = atomic_long_read(&live_vms);
	info->live_snapshots = atomic_long_read(&live_snaps);
	info->live_pages = atomic_long_read(&live_pages);
	info->max_inputs = HLK_MAX_INPUTS;
	info->max_input_bytes = HLK_MAX_INPUT_BYTES;
	info->max_struct = HLK_MAX_STRUCT;
	info->vcpu_size = sizeof(struct kvm_sync_regs);
	return 0;
}

static const struct hlk_op dev_ops[] = {
	[HLK_CMD_INFO] = HLK_OP(struct hlk_info, 112, vcpu_size, 0, cmd_info),
	[HLK_CMD_VM_ATTACH] =
		HLK_OP(struct hlk_vm_attach, 48, keep_private,
		       HLK_ATTACH_INSPECT, hlk_cmd_vm_attach),
	[HLK_CMD_SNAPSHOT_BUILD] =
		HLK_OP(struct hlk_snapshot_build, 80, __reserved, 0,
		       hlk_cmd_snapshot_build),
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return hlk_ioctl(file, cmd, arg, false, dev_ops, HLK_CMD_INFO,
			 ARRAY_SIZE(dev_ops));
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice hlk_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hlk",
	.fops = &dev_fops,
	.mode = 0600,
};

static int __init hlk_init(void)
{
	int ret;

	hlk_zero_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!hlk_zero_page)
		return -ENOMEM;
	ret = misc_register(&hlk_dev);
	if (ret)
		put_page(hlk_zero_page);
	return ret;
}

static void __exit hlk_exit(void)
{
	misc_deregister(&hlk_dev);
	put_page(hlk_zero_page);
}

module_init(hlk_init);
module_exit(hlk_exit);

MODULE_DESCRIPTION("Snapshot and restore of i686 KVM guests");
MODULE_AUTHOR("the hlk authors");
MODULE_VERSION(HLK_MODULE_VERSION);
MODULE_LICENSE("GPL");
