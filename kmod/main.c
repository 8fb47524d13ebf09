// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: /dev/hlk, and what it says of itself.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "hlk.h"

/* What others do is seen in the counters: by time, each fault of a guest. */
static u64 info_live(const atomic_long_t *counter)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN) ?
	       atomic_long_read(counter) : 0;
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
			 HLK_FEATURE_AUDIT | HLK_FEATURE_RUN_MANY |
			 HLK_FEATURE_DEADLINE | HLK_FEATURE_PROGRAM |
			 HLK_FEATURE_LEARN | HLK_FEATURE_RUN_CALLS | HLK_FEATURE_TURNS |
			 HLK_FEATURE_IMPORT | HLK_FEATURE_READ;
	info->max_pages = hlk_max_pages;
	info->max_private = hlk_max_private;
	info->live_vms = info_live(&hlk_live_vms);
	info->live_snapshots = info_live(&hlk_live_snaps);
	info->live_pages = info_live(&hlk_live_pages);
	info->max_inputs = HLK_MAX_INPUTS;
	info->max_input_bytes = HLK_MAX_INPUT_BYTES;
	info->max_struct = HLK_MAX_STRUCT;
	info->vcpu_size = sizeof(struct kvm_sync_regs);
	return 0;
}

static const struct hlk_op dev_ops[] = {
	[HLK_CMD_INFO] = HLK_OP(struct hlk_info, 112, 0, cmd_info),
	[HLK_CMD_VM_ATTACH] =
		HLK_OP(struct hlk_vm_attach, 48,
		       HLK_ATTACH_INSPECT | HLK_ATTACH_IBPB, hlk_cmd_vm_attach),
	[HLK_CMD_SNAPSHOT_BUILD] =
		HLK_OP(struct hlk_snapshot_build, 80, 0,
		       hlk_cmd_snapshot_build),
	[HLK_CMD_RUN_MANY] =
		HLK_OP(struct hlk_run_many, 48, HLK_RUN_MANY_STOP,
		       hlk_cmd_run_many),
	[HLK_CMD_SNAPSHOT_IMPORT] =
		HLK_OP(struct hlk_snapshot_import, 376, 0,
		       hlk_cmd_snapshot_import),
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

	ret = hlk_seed_init();
	if (ret)
		return ret;
	ret = misc_register(&hlk_dev);
	if (ret)
		hlk_seed_exit();
	return ret;
}

static void __exit hlk_exit(void)
{
	misc_deregister(&hlk_dev);
	hlk_seed_exit();
}

module_init(hlk_init);
module_exit(hlk_exit);

MODULE_DESCRIPTION("Snapshot and restore of i686 KVM guests");
MODULE_AUTHOR("the hlk authors");
MODULE_VERSION(HLK_MODULE_VERSION);
MODULE_LICENSE("GPL");
