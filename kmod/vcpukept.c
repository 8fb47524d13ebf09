// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers that KVM need not load again, because the vCPU has them.
 */
#include <linux/kvm_host.h>

#include "hlk.h"
#include "vcpustate.h"

/*
 * Segment and control registers take KVM longer to load than all the rest, and few calls
 * change them. A guest can do so with no exit, and whoever has the vCPU's file by an
 * ioctl. So they are looked at where KVM has just stored them, at the end of HLK_RUN, by
 * hlk_vcpu_keep(); if they are the snapshot's, the vCPU is marked, and if the mark is still
 * there at the next restore, KVM need not load them.
 *
 * The mark: KVM links each vCPU that it loads to its task's preemption notifiers, and
 * unlinks it when it puts it, which leaves hlist_del()'s poison there. Each ioctl that
 * reads or changes anything of a vCPU loads it. A link that is in no list, as it was before
 * the first load, is put there by nobody but us. A KVM VM may be attached more than once,
 * and each of its hlk VMs has a snapshot of its own: the link leads to the one that
 * marked, which nobody follows, for KVM writes both of its ends when it adds it to a list.
 */
static bool vcpu_marked(const struct kvm_vcpu *vcpu)
{
	lockdep_assert_held(&vcpu->mutex);
	return hlist_unhashed(&vcpu->preempt_notifier.link);
}

static bool vcpu_marked_by(const struct kvm_vcpu *vcpu, const struct hlk_vm *vm)
{
	return vcpu_marked(vcpu) && (void *)vcpu->preempt_notifier.link.next == vm;
}

static void vcpu_mark(struct kvm_vcpu *vcpu, struct hlk_vm *vm)
{
	lockdep_assert_held(&vcpu->mutex);
	INIT_HLIST_NODE(&vcpu->preempt_notifier.link);
	vcpu->preempt_notifier.link.next = (void *)vm;
}

/**
 * hlk_task_switches() - how often the task has been away from its CPU
 */
unsigned long hlk_task_switches(void)
{
	return current->nvcsw + current->nivcsw;
}

/*
 * Was it the task that loaded the vCPU last? If it has not been away since before it
 * did, nobody else's system call ran on this CPU, and any other CPU would have put its
 * number there.
 */
static bool vcpu_ours(const struct kvm_vcpu *vcpu, unsigned long switches)
{
	bool ours;

	lockdep_assert_held(&vcpu->mutex);
	preempt_disable();
	ours = vcpu->cpu == smp_processor_id() && hlk_task_switches() == switches;
	preempt_enable();
	return ours;
}

/* With these the processor keeps more than the registers say: a table that CR3 loaded. */
static bool sregs_pae(const struct kvm_sregs *sregs)
{
	return sregs->cr0 & X86_CR0_PG && sregs->cr4 & X86_CR4_PAE &&
	       !(sregs->efer & EFER_LMA);
}

static bool sregs_same(const struct kvm_sregs *one, const struct kvm_sregs *other)
{
	const u64 *a = (const u64 *)one;
	const u64 *b = (const u64 *)other;
	u64 differ = 0;
	u32 i;

	BUILD_BUG_ON(sizeof(*one) % sizeof(*a));
	/* nearly always all of them */
#pragma GCC unroll 64
	for (i = 0; i < sizeof(*one) / sizeof(*a); i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/**
 * hlk_vcpu_keep() - let the next restore leave out what the guest did not change
 * @vm: the VM; no lock is held
 * @vcpu: a vCPU that the task ran, and that KVM returned 0 for
 * @switches: hlk_task_switches() right before that
 *
 * What KVM stored in struct kvm_run is looked at within the call that it stored it in.
 * Somebody who writes there meanwhile gets what he could have written right before
 * KVM loads it, too: registers of his own choice.
 */
void hlk_vcpu_keep(struct hlk_vm *vm, struct kvm_vcpu *vcpu, unsigned long switches)
{
	u32 i = vcpu->vcpu_idx;
	const struct hlk_vcpu_state *state;

	if (!mutex_trylock(&vcpu->mutex))
		return;
	vm->kept[i] = NULL;
	/* with the mutex of any vCPU nobody goes over to another snapshot */
	if (!vm->snap || i >= vm->snap->nr_vcpus)
		goto unlock;
	state = vm->snap->vcpus[i];
	if (READ_ONCE(vcpu->run->kvm_valid_regs) & KVM_SYNC_X86_SREGS &&
	    state->loads & KVM_SYNC_X86_SREGS && !hlk_vcpu_modal(vcpu) &&
	    !vcpu_marked(vcpu) && vcpu_ours(vcpu, switches) &&
	    !sregs_pae(&state->sync.sregs) &&
	    sregs_same(&vcpu->run->s.regs.sregs, &state->sync.sregs)) {
		vcpu_mark(vcpu, vm);
		vm->kept[i] = state;
	}
unlock:
	mutex_unlock(&vcpu->mutex);
}

/**
 * hlk_vcpu_kept() - does a vCPU have the segment and control registers of the snapshot?
 * @vm: the VM, whose vCPUs are held
 * @vcpu: one of them
 *
 * Return: whether it has, and KVM need not load them
 */
bool hlk_vcpu_kept(struct hlk_vm *vm, const struct kvm_vcpu *vcpu)
{
	return vm->kept[vcpu->vcpu_idx] && vcpu_marked_by(vcpu, vm);
}
