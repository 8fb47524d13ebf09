// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turns: several vCPUs of a VM begin together.
 *
 * A restore wants all vCPUs out of KVM_RUN, and afterwards all go in. One of them leads:
 * it restores, gives input, and begins a turn. The threads of the others wait here, with
 * nothing held, and enter when it did. They say which turn they ran in last, so that one
 * that began before they came is not missed.
 */
#include <linux/kvm_host.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "hlk.h"

/**
 * hlk_turn_begin() - let all who follow go on
 * @vm: the VM; its lock is held. It is as its leader wants it, or half restored
 *
 * Return: the turn
 */
u64 hlk_turn_begin(struct hlk_vm *vm)
{
	lockdep_assert_held(&vm->lock);
	WRITE_ONCE(vm->turn, vm->turn + 1);
	/* has the barrier that pairs with that of who begins to wait */
	if (wq_has_sleeper(&vm->followers))
		wake_up_interruptible(&vm->followers);
	return vm->turn;
}

static bool turn_came(const struct hlk_vm *vm, const struct kvm_vcpu *vcpu, u64 seen)
{
	return READ_ONCE(vm->turn) != seen || hlk_immediate_exit(vcpu->run);
}

/**
 * hlk_turn_wait() - wait for the next turn
 * @vm: the VM; no lock is held
 * @vcpu: who waits; the caller watches over its run, so kicks and its deadline are signals
 * @turn: the one that it ran in last; out: the one that it is to run in, if one came
 * @at: the reason of a failure
 *
 * A turn that came counts more than a signal: who is not told of it would have to ask.
 *
 * Return: 0 in a turn; -EINTR after a signal or with immediate_exit; -EINVAL if the VM is
 * half restored
 */
int hlk_turn_wait(struct hlk_vm *vm, const struct kvm_vcpu *vcpu, u64 *turn,
		  struct hlk_why_at *at)
{
	u64 seen = *turn;
	int ret = -EINTR;

	if (wait_event_interruptible(vm->followers, turn_came(vm, vcpu, seen)) ||
	    mutex_lock_killable(&vm->lock))
		return -EINTR;
	if (vm->turn != seen)
		ret = vm->half ? hlk_fail(at, -EINVAL, HLK_WHY_HALF_RESTORED, 0, 0) : 0;
	*turn = vm->turn;
	mutex_unlock(&vm->lock);
	return ret;
}
