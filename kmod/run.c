// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore, give input, run: one system call for one call into a guest.
 *
 * The guest is entered by the vCPU file's own ioctl, as user space would, so
 * signals, immediate_exit and all checks are KVM's.
 */
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <linux/sched/signal.h>
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
 * @nr_inputs: how many
 * @bytes: of those that all calls get
 * @inputs: copied in, checked against the windows; with room for that of one of many calls
 * @regs: the registers to start with
 */
struct run_call {
	u32 nr_inputs;
	u64 bytes;
	struct hlk_segment inputs[HLK_MAX_INPUTS + 1];
	struct kvm_regs regs;
};

static int run_add(struct hlk_vm *vm, struct run_call *call, u64 *bytes,
		   struct hlk_why_at *at)
{
	const struct hlk_segment *in = &call->inputs[call->nr_inputs];

	if (in->bytes > HLK_MAX_INPUT_BYTES - *bytes)
		return hlk_fail(at, -E2BIG, HLK_WHY_INPUT, call->nr_inputs,
				HLK_MAX_INPUT_BYTES);
	*bytes += in->bytes;
	if (in->bytes && !run_window(vm, in->gpa, in->bytes))
		return hlk_fail(at, -EINVAL, HLK_WHY_INPUT, call->nr_inputs, in->gpa);
	call->nr_inputs++;
	return 0;
}

static int run_read(struct hlk_vm *vm, const struct hlk_run *run,
		    struct run_call *call, struct hlk_why_at *at)
{
	u32 i;
	int ret;

	lockdep_assert_held(&vm->lock);
	call->nr_inputs = 0;
	call->bytes = 0;
	if (run->head.flags & HLK_RUN_REGS &&
	    copy_from_user(&call->regs, u64_to_user_ptr(run->regs),
			   sizeof(call->regs)))
		return -EFAULT;
	for (i = 0; i < run->nr_inputs; i++) {
		ret = hlk_element_get(&call->inputs[i], sizeof(call->inputs[i]),
				      run->inputs, run->input_size, i, at);
		if (!ret)
			ret = run_add(vm, call, &call->bytes, at);
		if (ret)
			return ret;
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
					hlk_private_why(PTR_ERR(page)), nr, gpa);
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
		       const struct run_call *call, bool *kept, struct hlk_why_at *at)
{
	struct hlk_restored done __uninitialized;
	u32 i;
	int ret;

	lockdep_assert_held(&vm->lock);
	if (!(run->head.flags & HLK_RUN_CONTINUE)) {
		ret = hlk_restore(vm, NULL,
				  run->head.flags & (HLK_RESTORE_REPRODUCIBLE |
						     HLK_RESTORE_TIME_BACK |
						     HLK_RESTORE_LEARN),
				  run->program, vcpu, &done, at);
		/* also where the program failed behind it */
		*kept = done.kept;
		if (ret)
			return ret;
		run->done |= HLK_DONE_RESTORED;
		run->residue = done.residue;
		run->copied = done.copied;
		run->cleared = done.cleared;
		run->freed = done.freed;
		run->private_pages = done.private_pages;
	} else if (vm->half) {
		return hlk_fail(at, -EINVAL, HLK_WHY_HALF_RESTORED, 0, 0);
	} else if (call->nr_inputs) {
		ret = hlk_vm_check_slots(vm, at);
		if (ret)
			return ret;
	}
	for (i = 0; i < call->nr_inputs; i++) {
		ret = run_input(vm, &call->inputs[i], i, at);
		if (ret)
			return ret;
	}
	if (run->head.flags & HLK_RUN_REGS) {
		vcpu->run->s.regs.regs = call->regs;
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

/*
 * The same, but out in time. A follower is watched from the begin of its waiting on, so
 * there is one for each vCPU.
 */
static int run_in_time(struct hlk_vm *vm, struct file *file, struct kvm_vcpu *vcpu,
		       struct hlk_run *run, u64 deadline, struct hlk_why_at *at)
{
	struct hlk_watch watch __uninitialized;
	int ret;

	ret = hlk_watch_begin(vm, vcpu, deadline, &watch, at);
	if (ret)
		return ret;
	if (run->head.flags & HLK_RUN_FOLLOW)
		ret = hlk_turn_wait(vm, vcpu, &run->turn, at);
	if (!ret)
		ret = run_enter(vm, file, vcpu, run);
	return hlk_watch_end(vm, &watch, ret);
}

/* Who follows has the VM as it is when its turn comes. */
static bool run_bad_flags(const struct hlk_run *run)
{
	const u32 restores = HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_TIME_BACK |
			     HLK_RESTORE_LEARN;
	u32 flags = run->head.flags;

	if ((flags & HLK_RUN_CONTINUE && flags & restores) || hlk_restore_bad_flags(flags))
		return true;
	/* each call has a restore before it, which all vCPUs have to be at rest for */
	if (flags & (HLK_RUN_LEAD | HLK_RUN_FOLLOW) && run->nr_calls)
		return true;
	return flags & HLK_RUN_FOLLOW &&
	       (!(flags & HLK_RUN_CONTINUE) || flags & (HLK_RUN_LEAD | HLK_RUN_REGS) ||
		run->nr_inputs);
}

/* What the struct says when nothing was done yet */
static void run_clear(struct hlk_run *run)
{
	run->done = 0;
	run->exit_reason = 0;
	run->residue = 0;
	run->copied = 0;
	run->cleared = 0;
	run->freed = 0;
	run->private_pages = 0;
}

/**
 * struct run_calls - many calls in one
 * @vm: the VM
 * @file: the vCPU's file
 * @vcpu: the vCPU
 * @run: what is asked for
 * @all: of it, what is the same for all calls, and behind it what is not
 * @call: the call that is under way, copied in
 * @output: the window in which its output is
 * @watch: over all of them, where each has a deadline of its own; else NULL
 * @at: the reason of a failure
 */
struct run_calls {
	struct hlk_vm *vm;
	struct file *file;
	struct kvm_vcpu *vcpu;
	struct hlk_run *run;
	struct run_call *all;
	struct hlk_run_call call;
	struct hlk_vm_window *output;
	struct hlk_watch *watch;
	struct hlk_why_at *at;
};

static struct hlk_run_call __user *calls_user(const struct hlk_run *run)
{
	return u64_to_user_ptr(run->calls + (u64)run->calls_done * run->call_size);
}

/* The element is read when its turn comes, once. */
static int calls_read(struct run_calls *c, u32 nr_all)
{
	struct hlk_run_call *call = &c->call;
	struct hlk_run *run = c->run;
	u64 bytes = c->all->bytes;
	int ret;

	lockdep_assert_held(&c->vm->lock);
	/* the size is nearly always this, and then no copy of a size that varies */
	if (likely(run->call_size == sizeof(*call)))
		ret = copy_from_user(call, calls_user(run), sizeof(*call)) ? -EFAULT : 0;
	else
		ret = hlk_element_get(call, sizeof(*call), run->calls, run->call_size,
				      run->calls_done, c->at);
	if (ret)
		return ret;
	if (call->__reserved)
		return hlk_fail(c->at, -EOPNOTSUPP, HLK_WHY_RESERVED, run->calls_done, 0);
	c->output = call->out_bytes && call->out_bytes <= HLK_MAX_INPUT_BYTES ?
		    run_window(c->vm, call->out_gpa, call->out_bytes) : NULL;
	if (call->out_bytes &&
	    (!c->output ||
	     (run->head.flags & HLK_RUN_SIZED && call->out_gpa % sizeof(u64))))
		return hlk_fail(c->at, -EINVAL, HLK_WHY_OUTPUT, run->calls_done,
				call->out_gpa);
	c->all->nr_inputs = nr_all;
	if (!call->in_bytes)
		return 0;
	c->all->inputs[nr_all] = (struct hlk_segment){
		.gpa = call->in_gpa, .bytes = call->in_bytes, .data = call->in,
	};
	return run_add(c->vm, c->all, &bytes, c->at);
}

/* Copies guest memory out; @sized: only what it says first, if that is not too much. */
static int calls_output(struct run_calls *c, bool sized, u32 *used)
{
	u8 __user *to = u64_to_user_ptr(c->call.out);
	u64 bytes = c->call.out_bytes;
	struct hlk_vm_window *window = c->output;
	u64 gpa = c->call.out_gpa;
	struct page *page;
	size_t piece;
	u8 *from;

	lockdep_assert_held(&c->vm->lock);
	for (; bytes; bytes -= piece, gpa += piece, to += piece) {
		page = hlk_window_private(window, (gpa >> PAGE_SHIFT) - window->range.gfn);
		if (IS_ERR(page))
			return hlk_fail(c->at, PTR_ERR(page),
					hlk_private_why(PTR_ERR(page)),
					c->run->calls_done, gpa);
		from = page_address(page) + offset_in_page(gpa);
		if (sized) {
			u64 size = READ_ONCE(*(u64 *)from);

			if (size > bytes)
				return 1;
			bytes = size;
			sized = false;
		}
		piece = min_t(u64, bytes, PAGE_SIZE - offset_in_page(gpa));
		if (copy_to_user(to, from, piece))
			return -EFAULT;
		*used += piece;
	}
	return 0;
}

/* The guest has halted. Return: 0, 1 if user space has to look itself, or an errno */
static int calls_tell(struct run_calls *c)
{
	struct hlk_run_call __user *to = calls_user(c->run);
	struct hlk_run *run = c->run;
	u32 used = 0;
	int ret = 0;

	if (c->call.out_bytes) {
		if (mutex_lock_killable(&c->vm->lock))
			return -EINTR;
		ret = calls_output(c, run->head.flags & HLK_RUN_SIZED, &used);
		mutex_unlock(&c->vm->lock);
	}
	if (ret)
		return ret;
	if (put_user(used, &to->out_used) || put_user(run->log_used, &to->log_used) ||
	    put_user(run->residue, &to->residue))
		return -EFAULT;
	run->calls_done++;
	return 0;
}

static int calls_enter(struct run_calls *c)
{
	int ret;

	if (!c->watch)
		return run_enter(c->vm, c->file, c->vcpu, c->run);
	ret = hlk_watch_call(c->vm, c->watch, c->run->call_deadline_ns);
	if (ret)
		return ret;
	ret = run_enter(c->vm, c->file, c->vcpu, c->run);
	return hlk_watch_called(c->vm, c->watch, ret);
}

static int calls_next(struct run_calls *c, u32 nr_all)
{
	struct hlk_run *run = c->run;
	bool kept = false;
	int ret;

	run_clear(run);
	if (run->call_timeout_ns)
		run->call_deadline_ns = min(run->deadline_ns ?: HLK_DEADLINE_NEVER,
					    hlk_deadline_in(run->call_timeout_ns));
	if (mutex_lock_killable(&c->vm->lock))
		return -EINTR;
	ret = calls_read(c, nr_all);
	if (!ret)
		ret = run_prepare(c->vm, c->vcpu, run, c->all, &kept, c->at);
	mutex_unlock(&c->vm->lock);
	/* these have to be loaded before the guest is entered */
	if (!ret && likely(!(run->residue & HLK_RESIDUE_DEBUGREGS)))
		ret = calls_enter(c);
	if (kept && !(run->done & HLK_DONE_ENTERED))
		c->vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
	return ret;
}

/* Until something has to be seen: then 0 or an errno, as of the call that it came in */
static int calls_run(struct run_calls *c)
{
	u32 nr_all = c->all->nr_inputs;
	struct hlk_run *run = c->run;
	int ret;

	for (;;) {
		ret = calls_next(c, nr_all);
		if (ret || !(run->done & HLK_DONE_ENTERED) ||
		    run->exit_reason != KVM_EXIT_HLT)
			return ret;
		ret = calls_tell(c);
		if (ret)
			return min(ret, 0);
		if (run->calls_done == run->nr_calls)
			return 0;
		if (signal_pending(current) || hlk_immediate_exit(c->vcpu->run)) {
			run_clear(run);
			return -EINTR;
		}
		cond_resched();
	}
}

static int run_many(struct hlk_vm *vm, struct file *file, struct kvm_vcpu *vcpu,
		    struct hlk_run *run, struct run_call *all, struct hlk_why_at *at)
{
	struct hlk_watch watch __uninitialized;
	struct run_calls c = {
		.vm = vm, .file = file, .vcpu = vcpu, .run = run, .all = all, .at = at,
	};
	u64 deadline = run->deadline_ns;
	int ret;

	/* each call has its own, set when it begins; a kick counts in between, too */
	if (run->call_timeout_ns) {
		c.watch = &watch;
		deadline = HLK_DEADLINE_NEVER;
	}
	if (!deadline)
		return calls_run(&c);
	ret = hlk_watch_begin(vm, vcpu, deadline, &watch, at);
	return ret ? ret : hlk_watch_end(vm, &watch, calls_run(&c));
}

static int run_check_calls(const struct hlk_run *run, struct hlk_why_at *at)
{
	if (run->__reserved)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	if (!run->nr_calls)
		return run->head.flags & HLK_RUN_SIZED ?
		       hlk_fail(at, -EINVAL, HLK_WHY_FLAGS, 0, 0) : 0;
	if (run->head.flags & HLK_RUN_CONTINUE)
		return hlk_fail(at, -EINVAL, HLK_WHY_FLAGS, 0, 0);
	if (run->nr_calls > HLK_MAX_CALLS)
		return hlk_fail(at, -E2BIG, HLK_WHY_TOO_MANY_CALLS, 0, HLK_MAX_CALLS);
	return hlk_element_size(run->call_size, HLK_FIRST_RUN_CALL,
				HLK_WHY_ELEMENT_SIZE, at);
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
	if (run_bad_flags(run))
		return hlk_fail(at, -EINVAL, HLK_WHY_FLAGS, 0, 0);
	if (run->nr_inputs)
		ret = hlk_element_size(run->input_size, HLK_FIRST_SEGMENT,
				       HLK_WHY_ELEMENT_SIZE, at);
	return ret ? ret : run_check_calls(run, at);
}

/**
 * hlk_cmd_run() - HLK_RUN
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: 0 after an exit of the guest; -EINTR after a signal or a kick; -ETIMEDOUT
 * at the deadline; what hlk_restore(), hlk_turn_wait() and KVM_RUN return
 */
int hlk_cmd_run(void *obj, struct hlk_ucmd *ucmd)
{
	u64 start = trace_hlk_run_enabled() ? ktime_get_ns() : 0;
	struct run_call call __uninitialized;
	struct hlk_run *run = ucmd->cmd;
	struct hlk_vm *vm = obj;
	struct kvm_vcpu *vcpu;
	struct file *file;
	bool kept = false;
	struct fd fd;
	int ret;

	run_clear(run);
	run->log_used = 0;
	run->entries = 0;
	run->calls_done = 0;
	run->call_deadline_ns = 0;
	if (run->timeout_ns)
		run->deadline_ns = hlk_deadline_in(run->timeout_ns);
	if (!(run->head.flags & HLK_RUN_FOLLOW))
		run->turn = 0;
	else if (!run->deadline_ns)
		run->deadline_ns = HLK_DEADLINE_NEVER;
	ret = run_check(vm, run, &ucmd->at);
	if (ret)
		return ret;
	fd = fdget(run->vcpu_fd);
	file = fd_file(fd);
	if (!file)
		return hlk_fail(&ucmd->at, -EBADF, HLK_WHY_NOT_VCPU, 0, 0);
	ret = mutex_lock_killable(&vm->lock);
	if (ret)
		goto put;
	vcpu = hlk_vcpu_of(vm, file);
	ret = vcpu ? run_read(vm, run, &call, &ucmd->at) :
		     hlk_fail(&ucmd->at, -EBADF, HLK_WHY_NOT_VCPU, 0, 0);
	if (!ret && !run->nr_calls && !(run->head.flags & HLK_RUN_FOLLOW))
		ret = run_prepare(vm, vcpu, run, &call, &kept, &ucmd->at);
	if (unlikely(run->head.flags & HLK_RUN_LEAD) && vcpu && (!ret || vm->half))
		run->turn = hlk_turn_begin(vm);
	mutex_unlock(&vm->lock);
	if (!ret)
		ret = run->nr_calls ? run_many(vm, file, vcpu, run, &call, &ucmd->at) :
		      run->deadline_ns ?
		      run_in_time(vm, file, vcpu, run, run->deadline_ns, &ucmd->at) :
		      run_enter(vm, file, vcpu, run);
	/* who enters the guest now may set registers before, and finds them set to be loaded */
	if (kept && !(run->done & HLK_DONE_ENTERED))
		vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
	trace_hlk_run(vm->id, run, start, ret);
put:
	fdput(fd);
	return ret;
}
