// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a run in time: at a deadline, or by HLK_KICK.
 *
 * Both are the expiry of one timer. It does to the task that runs the vCPU what
 * task work that is urgent does (TIF_NOTIFY_SIGNAL): KVM takes that for a pending
 * signal, does not enter the guest, does not go on waiting in HLT, and returns
 * EINTR. No signal is sent, so there is nothing to be queued, blocked or handled,
 * and nothing that goes by a thread's number.
 *
 * Whoever does the task's work takes the flag away, and that may be in the middle
 * of KVM_RUN; so from its first expiry on the timer is started again and again,
 * until the run is over.
 */
#include <linux/ktime.h>
#include <linux/nospec.h>
#include <linux/resume_user_mode.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>
#include <linux/wait.h>

#include "hlk.h"

#define AGAIN_NS	NSEC_PER_MSEC

/* What set_notify_signal() does, of which a part is not for modules */
static void watch_notify(struct task_struct *task)
{
	struct wait_queue_entry sleeper = { .private = task };

	set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL);
	if (!default_wake_function(&sleeper, TASK_INTERRUPTIBLE, 0, NULL))
		kick_process(task);
}

/* In hard interrupt context, on any CPU; the task is in hlk_watch_end() at the latest. */
static enum hrtimer_restart watch_expired(struct hrtimer *timer)
{
	struct hlk_watch *watch = container_of(timer, struct hlk_watch, timer);

	WRITE_ONCE(watch->fired, true);
	watch_notify(watch->task);
	/* by hrtimer_start(), since HLK_KICK may do it at the same time */
	hrtimer_start(timer, ktime_add_ns(ktime_get(), AGAIN_NS), HRTIMER_MODE_ABS_HARD);
	return HRTIMER_NORESTART;
}

/**
 * hlk_deadline_in() - the deadline that is some time from now
 * @timeout_ns: the time
 *
 * Return: the deadline; HLK_DEADLINE_NEVER if it is later than a clock can say
 */
u64 hlk_deadline_in(u64 timeout_ns)
{
	u64 now = ktime_get_ns();

	return timeout_ns < KTIME_MAX - now ? now + timeout_ns : HLK_DEADLINE_NEVER;
}

/**
 * hlk_watch_begin() - have a run of the task end in time
 * @vm: the VM
 * @vcpu: one of its vCPUs
 * @deadline: in ns of CLOCK_MONOTONIC, or HLK_DEADLINE_NEVER
 * @watch: for as long as the run is under way; hlk_watch_end() has to follow
 *	when 0 was returned
 * @at: the reason of a failure
 *
 * Return: 0, -ETIMEDOUT if it is over already, -EBUSY if the vCPU has another one
 */
int hlk_watch_begin(struct hlk_vm *vm, struct kvm_vcpu *vcpu, u64 deadline,
		    struct hlk_watch *watch, struct hlk_why_at *at)
{
	struct hlk_watch **at_vcpu = &vm->watch[vcpu->vcpu_idx];
	bool busy;

	if (deadline <= ktime_get_ns())
		return -ETIMEDOUT;
	watch->task = current;
	watch->vcpu = vcpu->vcpu_idx;
	watch->deadline = deadline;
	watch->kicked = false;
	watch->fired = false;
	hrtimer_setup_on_stack(&watch->timer, watch_expired, CLOCK_MONOTONIC,
			       HRTIMER_MODE_ABS_HARD);
	spin_lock(&vm->watch_lock);
	busy = *at_vcpu;
	if (!busy) {
		*at_vcpu = watch;
		/* inside, lest it undo a kick */
		if (deadline < KTIME_MAX)
			hrtimer_start(&watch->timer, ns_to_ktime(deadline),
				      HRTIMER_MODE_ABS_HARD);
	}
	spin_unlock(&vm->watch_lock);
	if (!busy)
		return 0;
	destroy_hrtimer_on_stack(&watch->timer);
	return hlk_fail(at, -EBUSY, HLK_WHY_VCPU_RUNNING, vcpu->vcpu_idx, 0);
}

/* Nothing is left of its expiry. The timer does not run any more. */
static void watch_forget(struct hlk_watch *watch)
{
	if (!watch->fired)
		return;
	watch->fired = false;
	clear_notify_signal();
	/*
	 * Work of others, be it urgent or not: it is done on the way to user
	 * space, or by KVM before the next guest of the same call.
	 */
	if (task_work_pending(current))
		set_notify_resume(current);
}

/* Return: -EINTR after a kick, or 0 */
static int watch_move(struct hlk_vm *vm, struct hlk_watch *watch, u64 deadline)
{
	int ret = -EINTR;

	spin_lock(&vm->watch_lock);
	watch->deadline = deadline;
	/* who was kicked ends, whatever the time */
	if (!watch->kicked) {
		hrtimer_cancel(&watch->timer);
		watch_forget(watch);
		if (deadline < KTIME_MAX)
			hrtimer_start(&watch->timer, ns_to_ktime(deadline),
				      HRTIMER_MODE_ABS_HARD);
		ret = 0;
	}
	spin_unlock(&vm->watch_lock);
	return ret;
}

/**
 * hlk_watch_call() - begin one of many calls that are watched together
 * @vm: the VM
 * @watch: of the task, without a deadline
 * @deadline: of this call; hlk_watch_called() has to follow when 0 was returned
 *
 * Who kicks finds the watch between two calls as well.
 *
 * Return: 0, -ETIMEDOUT if it is over already, -EINTR after a kick
 */
int hlk_watch_call(struct hlk_vm *vm, struct hlk_watch *watch, u64 deadline)
{
	if (deadline <= ktime_get_ns())
		return -ETIMEDOUT;
	return watch_move(vm, watch, deadline);
}

/* At its end, or at that of one call. -ETIMEDOUT where it was cut short by its deadline */
static int watch_result(const struct hlk_watch *watch, int ret)
{
	return ret == -EINTR && ktime_get_ns() >= watch->deadline ? -ETIMEDOUT : ret;
}

/**
 * hlk_watch_called() - the call is over
 * @vm: the VM
 * @watch: as given to hlk_watch_call()
 * @ret: what KVM_RUN returned
 *
 * Return: as hlk_watch_end()
 */
int hlk_watch_called(struct hlk_vm *vm, struct hlk_watch *watch, int ret)
{
	ret = watch_result(watch, ret);
	watch_move(vm, watch, HLK_DEADLINE_NEVER);
	return ret;
}

/**
 * hlk_watch_end() - the run is over
 * @vm: the VM
 * @watch: as given to hlk_watch_begin(), by the same task
 * @ret: what KVM_RUN returned
 *
 * Return: @ret; but -ETIMEDOUT where that was EINTR and the deadline has come
 */
int hlk_watch_end(struct hlk_vm *vm, struct hlk_watch *watch, int ret)
{
	spin_lock(&vm->watch_lock);
	vm->watch[watch->vcpu] = NULL;
	spin_unlock(&vm->watch_lock);
	hrtimer_cancel(&watch->timer);
	destroy_hrtimer_on_stack(&watch->timer);
	watch_forget(watch);
	return watch_result(watch, ret);
}

/* Whether there is somebody. Who has the watch's lock keeps them there. */
static u32 watch_kick(struct hlk_watch *watch)
{
	if (!watch)
		return 0;
	/* once, lest kicks from several CPUs take the timer from each other for ever */
	if (!watch->kicked) {
		watch->kicked = true;
		hrtimer_start(&watch->timer, 0, HRTIMER_MODE_ABS_HARD);
	}
	return 1;
}

/**
 * hlk_cmd_kick() - HLK_KICK
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: 0, -EINVAL if there is no such vCPU
 */
int hlk_cmd_kick(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_kick *kick = ucmd->cmd;
	bool all = kick->head.flags & HLK_KICK_ALL;
	struct hlk_vm *vm = obj;
	u32 nr;
	u32 i;
	int ret;

	kick->kicked = 0;
	ret = hlk_vm_check(vm, &ucmd->at);
	if (ret)
		return ret;
	if (all && kick->vcpu)
		return hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_FLAGS, 0, 0);
	nr = min_t(u32, atomic_read(&vm->kvm->online_vcpus), HLK_MAX_VCPUS);
	if (!all && kick->vcpu >= nr)
		return hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_NO_VCPU, kick->vcpu, 0);
	spin_lock(&vm->watch_lock);
	if (!all)
		kick->kicked = watch_kick(vm->watch[array_index_nospec(kick->vcpu, nr)]);
	for (i = 0; all && i < nr; i++)
		kick->kicked += watch_kick(vm->watch[i]);
	spin_unlock(&vm->watch_lock);
	return 0;
}
