// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hlk VM: a KVM VM that is attached, its windows, its fd.
 */
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "hlk.h"

static int cmd_window_add(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_window_add *add = ucmd->cmd;
	struct hlk_vm_window *window;
	struct hlk_vm *vm = obj;
	struct hlk_layout *layout = NULL;
	struct hlk_range range;
	int ret;

	ret = hlk_vm_check(vm, &ucmd->at);
	if (ret)
		return ret;
	ret = mutex_lock_killable(&vm->lock);
	if (ret)
		return ret;
	if (vm->sealed) {
		ret = hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_WINDOWS_FIXED, 0, 0);
		goto unlock;
	}
	ret = -ENOMEM;
	layout = kmemdup(&vm->layout, sizeof(*layout), HLK_GFP);
	if (!layout)
		goto unlock;
	ret = hlk_layout_add_user(layout, &add->window, &range, &ucmd->at);
	if (ret)
		goto unlock;
	window = hlk_window_alloc(vm, &range);
	if (!window) {
		ret = -ENOMEM;
		goto unlock;
	}
	if (range.flags & HLK_WINDOW_SCRATCH &&
	    range.gfn + range.pages == HLK_GUEST_SCRATCH_TOP >> PAGE_SHIFT) {
		ret = hlk_window_pin(window, range.pages - 1);
		if (ret) {
			hlk_window_free(window);
			goto unlock;
		}
		vm->book = window;
	}
	vm->layout = *layout;
	/* what lies beside the windows has to be looked for again */
	vm->slots_generation = U64_MAX;
	vm->windows[vm->nr_windows] = window;
	/* pairs with the acquire in hlk_vm_mmap() */
	smp_store_release(&vm->nr_windows, vm->nr_windows + 1);
unlock:
	mutex_unlock(&vm->lock);
	kfree(layout);
	return ret;
}

static int cmd_stats(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_vm_stats *stats = ucmd->cmd;
	struct hlk_vm_window *window;
	struct hlk_vm *vm = obj;
	u32 i;
	int ret;

	ret = mutex_lock_killable(&vm->lock);
	if (ret)
		return ret;
	stats->private_pages = atomic64_read(&vm->nr_private);
	stats->max_private = vm->max_private;
	stats->over_budget = atomic64_read(&vm->over_budget);
	stats->unread = atomic64_read(&vm->unread);
	stats->unread_gpa = READ_ONCE(vm->unread_gfn) << PAGE_SHIFT;
	stats->restores = vm->restores;
	stats->switches = vm->switches;
	stats->pages_copied = vm->copied;
	stats->pages_cleared = vm->cleared;
	stats->pages_freed = vm->freed;
	stats->unique = vm->unique;
	stats->generation = vm->snap ? vm->snap->generation : 0;
	stats->pages_idle = vm->idle;
	stats->prefaulted = vm->prefaulted;
	stats->learned = vm->learn.leaves;
	stats->runs = atomic64_read(&vm->runs);
	stats->audits = vm->audited.audits;
	stats->audit_mapped = vm->audited.mapped;
	stats->audit_absent = vm->audited.absent;
	stats->audit_beside = vm->audited.beside;
	stats->audit_elsewhere = vm->audited.elsewhere;
	stats->kept = vm->restores_kept;
	stats->residue = hlk_vcpus_residue(vm);
	if (vm->snap)
		stats->residue &= ~hlk_program_residue(vm->snap, vm->kvm, false);
	if (vm->beside)
		stats->residue |= HLK_RESIDUE_MEMSLOTS;
	stats->read_faults = 0;
	stats->write_faults = 0;
	for (i = 0; i < vm->nr_windows; i++) {
		window = vm->windows[i];
		mutex_lock(&window->lock);
		stats->read_faults += window->read_faults;
		stats->write_faults += window->write_faults;
		mutex_unlock(&window->lock);
	}
	mutex_unlock(&vm->lock);
	return 0;
}

static const struct hlk_op vm_ops[] = {
	[HLK_CMD_WINDOW_ADD - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_window_add, 72, 0, cmd_window_add),
	[HLK_CMD_SNAPSHOT - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_snapshot, 240,
		       HLK_SNAPSHOT_COMPACT | HLK_SNAPSHOT_GUEST_ROOTS |
		       HLK_SNAPSHOT_HOST_COW | HLK_SNAPSHOT_STRICT |
		       HLK_SNAPSHOT_DEDUP,
		       hlk_cmd_snapshot),
	[HLK_CMD_RESTORE - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_restore, 64,
		       HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_AUDIT |
		       HLK_RESTORE_TIME_BACK | HLK_RESTORE_LEARN,
		       hlk_cmd_restore),
	[HLK_CMD_TRANSLATE - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_translate, 160, 0, hlk_cmd_translate),
	[HLK_CMD_WALK - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_walk, 152, 0, hlk_cmd_walk),
	[HLK_CMD_VM_STATS - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_vm_stats, 144, 0, cmd_stats),
	[HLK_CMD_MARK_COW - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_mark_cow, 168, 0, hlk_cmd_mark_cow),
	[HLK_CMD_PREFAULT - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_prefault, 48, 0, hlk_cmd_prefault),
	[HLK_CMD_RUN - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_run, 120,
		       HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_TIME_BACK |
		       HLK_RESTORE_LEARN | HLK_RUN_CONTINUE | HLK_RUN_REGS |
		       HLK_RUN_SIZED | HLK_RUN_LEAD | HLK_RUN_FOLLOW,
		       hlk_cmd_run),
	[HLK_CMD_KICK - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_kick, 32, HLK_KICK_ALL, hlk_cmd_kick),
	[HLK_CMD_READ - HLK_CMD_WINDOW_ADD] =
		HLK_OP(struct hlk_read, 56, 0, hlk_cmd_read),
};

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return hlk_ioctl(file, cmd, arg, false, vm_ops, HLK_CMD_WINDOW_ADD,
			 ARRAY_SIZE(vm_ops));
}

/*
 * A guest would run under the ring's lock, for as long as it likes; and in the
 * middle of another one, when the request is issued by task work.
 */
static int uring_run(void *obj, struct hlk_ucmd *ucmd)
{
	return hlk_fail(&ucmd->at, -EOPNOTSUPP, HLK_WHY_IO_URING, 0, 0);
}

static const struct hlk_op uring_ops[] = {
	[HLK_CMD_RESTORE - HLK_CMD_RESTORE] =
		HLK_OP(struct hlk_restore, 64,
		       HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_AUDIT |
		       HLK_RESTORE_TIME_BACK | HLK_RESTORE_LEARN,
		       hlk_cmd_restore),
	[HLK_CMD_RUN - HLK_CMD_RESTORE] =
		HLK_OP(struct hlk_run, 120, U32_MAX, uring_run),
};

/*
 * Restores by io_uring. The first try is made by the task that submits, or by
 * its task work, and should not wait; with -EAGAIN a worker tries again, which
 * holds no lock. KVM does task work in the middle of KVM_RUN, where the task has
 * a vCPU's mutex: then it is always the worker's, so that what a restore takes
 * is never taken inside of that. The command area may be in memory that user
 * space can write.
 */
static int vm_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	const struct hlk_uring *payload = hlk_uring_payload(cmd);
	u64 arg = READ_ONCE(payload->arg);

	if (READ_ONCE(payload->__reserved))
		return -EOPNOTSUPP;
	if (hlk_task_in_guest())
		return -EAGAIN;
	return hlk_ioctl(cmd->file, cmd->cmd_op, arg,
			 issue_flags & IO_URING_F_NONBLOCK, uring_ops,
			 HLK_CMD_RESTORE, ARRAY_SIZE(uring_ops));
}

/* The offset in the file is the guest-physical address. */
static int hlk_vm_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct hlk_vm *vm = file->private_data;
	const struct hlk_range *range;
	u64 pages = vma_pages(vma);
	u32 nr;
	u32 i;

	if (vm->kvm->mm != vma->vm_mm)
		return -EPERM;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* pairs with the release in cmd_window_add() */
	nr = smp_load_acquire(&vm->nr_windows);
	for (i = 0; i < nr; i++) {
		range = &vm->windows[i]->range;
		if (hlk_range_has(range, vma->vm_pgoff) &&
		    pages <= range->pages - (vma->vm_pgoff - range->gfn))
			return hlk_window_mmap(vm->windows[i], vma);
	}
	return -ENXIO;
}

static void vm_free(struct hlk_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->nr_windows; i++)
		hlk_window_free(vm->windows[i]);
	hlk_snap_put(vm->snap);
	if (vm->zero_page)
		put_page(vm->zero_page);
	hlk_vcpu_files_put(vm);
	kvm_put_kvm(vm->kvm);
	fput(vm->kvm_file);
	hlk_seed_forget(&vm->seeds);
	kfree(vm);
	hlk_count_vms(-1);
}

static int vm_release(struct inode *inode, struct file *file)
{
	vm_free(file->private_data);
	hlk_file_released(inode);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.mmap = hlk_vm_mmap,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = vm_uring_cmd,
	.llseek = noop_llseek,
};

/**
 * hlk_vm_run() - HLK_RUN on the hlk VM behind an fd
 * @fd: the fd
 * @run: user pointer to the struct hlk_run
 * @at: the reason, if it is the fd that is wrong
 *
 * Return: what HLK_RUN returns, or -EBADF
 */
int hlk_vm_run(int fd, u64 run, struct hlk_why_at *at)
{
	struct file *file = fget(fd);
	int ret;

	if (!file)
		return hlk_fail(at, -EBADF, HLK_WHY_NOT_HLK_VM, 0, 0);
	if (file->f_op == &vm_fops)
		ret = vm_ioctl(file, HLK_RUN, run);
	else
		ret = hlk_fail(at, -EBADF, HLK_WHY_NOT_HLK_VM, 0, 0);
	fput(file);
	return ret;
}

/* Take hold of the KVM VM behind an fd. */
static int vm_hold_kvm(struct hlk_vm *vm, int fd, struct hlk_why_at *at)
{
	struct file *file = fget(fd);
	struct kvm *kvm;

	if (!file)
		return hlk_fail(at, -EBADF, HLK_WHY_NOT_KVM_VM, 0, 0);
	if (!hlk_file_is_kvm(file)) {
		fput(file);
		return hlk_fail(at, -EBADF, HLK_WHY_NOT_KVM_VM, 0, 0);
	}
	kvm = file->private_data;
	vm->kvm = kvm;
	if (hlk_vm_check_look(vm, at)) {
		fput(file);
		return -EPERM;
	}
	if (!kvm_get_kvm_safe(kvm)) {
		fput(file);
		return hlk_fail(at, -EBADF, HLK_WHY_NOT_KVM_VM, 0, 0);
	}
	vm->kvm_file = file;
	return 0;
}

/**
 * hlk_cmd_vm_attach() - HLK_VM_ATTACH
 * @obj: unused
 * @ucmd: the call
 *
 * Return: 0 or an errno; nothing is left behind after a failure
 */
int hlk_cmd_vm_attach(void *obj, struct hlk_ucmd *ucmd)
{
	static atomic_t last_id = ATOMIC_INIT(0);
	struct hlk_vm_attach *attach = ucmd->cmd;
	struct file *file;
	struct hlk_vm *vm;
	int ret;

	if (attach->max_private > hlk_max_private)
		return hlk_fail(&ucmd->at, -EDQUOT, HLK_WHY_BUDGET, 0,
				hlk_max_private);
	if (attach->head.flags & HLK_ATTACH_IBPB && !boot_cpu_has(X86_FEATURE_IBPB))
		return hlk_fail(&ucmd->at, -EOPNOTSUPP, HLK_WHY_NO_IBPB, 0, 0);
	vm = kzalloc(sizeof(*vm), HLK_GFP);
	if (!vm)
		return -ENOMEM;
	mutex_init(&vm->lock);
	spin_lock_init(&vm->watch_lock);
	init_waitqueue_head(&vm->followers);
	vm->id = atomic_inc_return(&last_id);
	vm->max_private = attach->max_private ?: hlk_max_private;
	vm->keep_private = min(attach->keep_private ?: U64_MAX, vm->max_private);
	vm->inspect = attach->head.flags & HLK_ATTACH_INSPECT;
	vm->ibpb = attach->head.flags & HLK_ATTACH_IBPB;
	ret = vm_hold_kvm(vm, attach->vm_fd, &ucmd->at);
	if (ret) {
		kfree(vm);
		return ret;
	}
	hlk_count_vms(1);
	/* one each: references to a page are counted, and may run out */
	if (!vm->inspect) {
		vm->zero_page = alloc_page(HLK_GFP | __GFP_ZERO);
		if (!vm->zero_page) {
			vm_free(vm);
			return -ENOMEM;
		}
	}
	file = hlk_file("hlk-vm", &vm_fops, vm, O_RDWR);
	if (IS_ERR(file)) {
		vm_free(vm);
		return PTR_ERR(file);
	}
	vm->mapping = file->f_mapping;
	return hlk_ucmd_new(ucmd, file, &attach->out_fd);
}
