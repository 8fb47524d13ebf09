// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore, give input, run: one system call for one call into a guest.
 *
 * The guest is entered by the vCPU file's own ioctl, as user space would, so
 * signals, immediate_exit and all checks are KVM's.
 */
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "hlk.h"
#include "trace.h"

/* The window that has all of a range and may be written */
static struct hlk_vm_window *run_window(struct hlk_vm *vm, u64 gpa, u64 bytes)
{
	int nr = hlk_layout_find_bytes(&vm->layout, gpa, bytes);

	if (nr < 0 || vm->layout.range[nr].flags & HLK_WINDOW_READONLY)
		return NULL;
	return hlk_vm_window(vm, nr);
}

/**
 * struct run_call - what a run was asked for, read once
 * @inputs: the inputs; copied in, checked against the windows
 * @regs: the registers to start with
 */
struct run_call {
	struct hlk_segment inputs[HLK_MAX_INPUTS];
	struct kvm_regs regs;
};

static int run_read(struct hlk_vm *vm, const struct hlk_run *run,
		    struct run_call *call, struct hlk_why_at *at)
{
	u64 bytes = 0;
	u32 i;
	int ret;

	lockdep_assert_held(&vm->lock);
	if (run->head.flags & HLK_RUN_REGS &&
	    copy_from_user(&call->regs, u64_to_user_ptr(run->regs),
			   sizeof(call->regs)))
		return -EFAULT;
	for (i = 0; i < run->nr_inputs; i++) {
		struct hlk_segment *in = &call->inputs[i];

		ret = hlk_element_get(in, sizeof(*in), run->inputs, run->input_size,
				      i, at);
		if (ret)
			return ret;
		if (in->bytes > HLK_MAX_INPUT_BYTES - bytes)
			return hlk_fail(at, -E2BIG, HLK_WHY_INPUT, i,
					HLK_MAX_INPUT_BYTES);
		bytes += in->bytes;
		if (in->bytes && !run_window(vm, in->gpa, in->bytes))
			return hlk_fail(at, -EINVAL, HLK_WHY_INPUT, i, in->gpa);
	}
	return 0;
}

static int run_input(struct hlk_vm *vm, const struct hlk_segment *in, u32 nr,
		     struct hlk_why_at *at)
{
	const void __user *from = u64_to_user_ptr(in->data);
	u64 gpa = in->gpa;
	u64 bytes = in->bytes;
	struct hlk_vm_window *window;
	struct page *page;
	size_t piece;

	for (; bytes; bytes -= piece, gpa += piece, from += piece) {
		piece = min_t(u64, bytes, PAGE_SIZE - offset_in_page(gpa));
		window = run_window(vm, gpa, piece);
		page = hlk_window_private(window, (gpa >> PAGE_SHIFT) -
						  window->range.gfn);
		if (IS_ERR(page))
			return hlk_fail(at, PTR_ERR(page),
					PTR_ERR(page) == -EDQUOT ?
					HLK_WHY_BUDGET : HLK_WHY_NONE, nr, gpa);
		if (copy_from_user(page_address(page) + offset_in_page(gpa), from,
				   piece))
			return -EFAULT;
	}
	return 0;
}

/*
 * Restore and give input: all that comes before the guest. @kept: KVM has some registers
 * as they should be, and was not told to load them
 */
static int run_prepare(struct hlk_vm *vm, struct kvm_vcpu *vcpu, struct hlk_run *run,
		       bool *kept, struct hlk_why_at *at)
{
	struct hlk_restored done __uninitialized;
	struct run_call call __uninitialized;
	u32 i;
	int ret;

	lockdep_assert_held(&vm->lock);
	ret = run_read(vm, run, &call, at);
	if (ret)
		return ret;
	if (!(run->head.flags & HLK_RUN_CONTINUE)) {
		ret = hlk_restore(vm, NULL,
				  run->head.flags & (HLK_RESTORE_REPRODUCIBLE |
						     HLK_RESTORE_TIME_BACK |
						     HLK_RESTORE_LEARN),
				  run->program, vcpu, &done, at);
		if (ret)
			return ret;
		*kept = done.kept;
		run->done |= HLK_DONE_RESTORED;
		run->residue = done.residue;
		run->copied = done.copied;
		run->cleared = done.cleared;
		run->freed = done.freed;
		run->private_pages = done.private_pages;
	} else if (vm->half) {
		return hlk_fail(at, -EINVAL, HLK_WHY_HALF_RESTORED, 0, 0);
	} else if (run->nr_inputs) {
		ret = hlk_vm_check_slots(vm, at);
		if (ret)
			return ret;
	}
	for (i = 0; i < run->nr_inputs; i++) {
		ret = run_input(vm, &call.inputs[i], i, at);
		if (ret)
			return ret;
	}
	if (run->head.flags & HLK_RUN_REGS) {
		vcpu->run->s.regs.regs = call.regs;
		vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	}
	run->done |= HLK_DONE_INPUT;
	return 0;
}

/*
 * A byte for the log? What struct kvm_run says can be changed by user space at
 * any time; the byte itself is taken from KVM.
 */
static bool run_log(struct kvm_vcpu *vcpu, struct hlk_run *run)
{
	const struct kvm_run *exit = vcpu->run;
	u8 __user *to = u64_to_user_ptr(run->log);

	if (run->log_used == run->log_size ||
	    READ_ONCE(exit->exit_reason) != KVM_EXIT_IO ||
	    READ_ONCE(exit->io.direction) != KVM_EXIT_IO_OUT ||
	    READ_ONCE(exit->io.port) != run->log_port ||
	    READ_ONCE(exit->io.size) != 1 || READ_ONCE(exit->io.count) != 1)
		return false;
	if (put_user(*(u8 *)vcpu->arch.pio_data, to + run->log_used))
		return false;
	run->log_used++;
	return true;
}

static int run_enter(struct hlk_vm *vm, struct file *file, struct kvm_vcpu *vcpu,
		     struct hlk_run *run)
{
	unsigned long switches;
	long ret;

	run->done |= HLK_DONE_ENTERED;
	do {
		run->entries++;
		atomic64_inc(&vm->runs);
		switches = hlk_task_switches();
		ret = file->f_op->unlocked_ioctl(file, KVM_RUN, 0);
	} while (!ret && run_log(vcpu, run));
	run->exit_reason = READ_ONCE(vcpu->run->exit_reason);
	if (!ret)
		hlk_vcpu_keep(vm, vcpu, switches);
	return ret;
}

/* The same, but out in time */
static int run_in_time(struct hlk_vm *vm, struct file *file, struct kvm_vcpu *vcpu,
		       struct hlk_run *run, struct hlk_why_at *at)
{
	struct hlk_watch watch __uninitialized;
	int ret;

	ret = hlk_watch_begin(vm, vcpu, run->deadline_ns, &watch, at);
	if (ret)
		return ret;
	return hlk_watch_end(vm, &watch, run_enter(vm, file, vcpu, run));
}

static int run_check(struct hlk_vm *vm, const struct hlk_run *run,
		     struct hlk_why_at *at)
{
	int ret;

	ret = hlk_vm_check(vm, at);
	if (ret)
		return ret;
	if (run->nr_inputs > HLK_MAX_INPUTS)
		return hlk_fail(at, -E2BIG, HLK_WHY_INPUT, run->nr_inputs,
				HLK_MAX_INPUTS);
	if (run->head.flags & HLK_RUN_CONTINUE &&
	    run->head.flags & (HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_TIME_BACK |
			       HLK_RESTORE_LEARN))
		return hlk_fail(at, -EINVAL, HLK_WHY_FLAGS, 0, 0);
	if (!run->nr_inputs)
		return 0;
	return hlk_element_size(run->input_size, HLK_FIRST_SEGMENT,
				HLK_WHY_ELEMENT_SIZE, at);
}

/**
 * hlk_cmd_run() - HLK_RUN
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: 0 after an exit of the guest; -EINTR after a signal or a kick; -ETIMEDOUT
 * at the deadline; what hlk_restore() and KVM_RUN return
 */
int hlk_cmd_run(void *obj, struct hlk_ucmd *ucmd)
{
	u64 start = trace_hlk_run_enabled() ? ktime_get_ns() : 0;
	struct hlk_run *run = ucmd->cmd;
	struct hlk_vm *vm = obj;
	struct kvm_vcpu *vcpu;
	struct file *file;
	bool kept = false;
	int ret;

	run->done = 0;
	run->log_used = 0;
	run->exit_reason = 0;
	run->entries = 0;
	run->residue = 0;
	run->copied = 0;
	run->cleared = 0;
	run->freed = 0;
	run->private_pages = 0;
	if (run->timeout_ns)
		run->deadline_ns = hlk_deadline_in(run->timeout_ns);
	ret = run_check(vm, run, &ucmd->at);
	if (ret)
		return ret;
	file = fget(run->vcpu_fd);
	if (!file)
		return hlk_fail(&ucmd->at, -EBADF, HLK_WHY_NOT_VCPU, 0, 0);
	ret = mutex_lock_killable(&vm->lock);
	if (ret)
		goto put;
	vcpu = hlk_vcpu_of(vm, file);
	if (vcpu)
		ret = run_prepare(vm, vcpu, run, &kept, &ucmd->at);
	else
		ret = hlk_fail(&ucmd->at, -EBADF, HLK_WHY_NOT_VCPU, 0, 0);
	mutex_unlock(&vm->lock);
	if (!ret)
		ret = run->deadline_ns ?
		      run_in_time(vm, file, vcpu, run, &ucmd->at) :
		      run_enter(vm, file, vcpu, run);
	/* who enters the guest now may set registers before, and finds them set to be loaded */
	if (kept && !(run->done & HLK_DONE_ENTERED))
		vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
	trace_hlk_run(vm->id, run, start, ret);
put:
	fput(file);
	return ret;
}
