// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a snapshot takes of vCPUs.
 */
#include <linux/kvm_host.h>
#include <linux/slab.h>

#include "fpu.h"
#include "hlk.h"
#include "vcpustate.h"

/* Values after reset; Intel SDM volume 3, "Debug Registers" */
#define DR6_RESET	0xffff0ff0
#define DR7_RESET	0x400

/* An image and the IA32_XFD that belongs to it, as the processor takes them */
static void vcpu_capture_fpu(struct hlk_vcpu_state *state,
			     const struct fpstate *fpstate)
{
	struct xstate_header *header = hlk_fpu_header(state->fpu);

	state->fpu_bytes = fpstate->size;
	state->xfd = fpstate->xfd;
	memcpy(state->fpu, &fpstate->regs, fpstate->size);
	if (fpstate->size >= HLK_FPU_LEGACY)
		header->xfeatures = hlk_fpu_loadable(header->xfeatures,
						     header->xcomp_bv, state->xfd);
}

#define EVENTS_WHOLE	(KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM)

/**
 * hlk_events_whole() - do events say all that a restore has to bring back?
 * @events: the events
 *
 * KVM leaves alone what their flags leave out: that would be what the call before
 * the restore had.
 */
bool hlk_events_whole(const struct kvm_vcpu_events *events)
{
	return (events->flags & EVENTS_WHOLE) == EVENTS_WHOLE;
}

/**
 * hlk_events_complete() - add what the flags of events leave out
 * @events: the events
 * @now: those that the vCPU has
 */
void hlk_events_complete(struct kvm_vcpu_events *events,
			 const struct kvm_vcpu_events *now)
{
	if (!(events->flags & KVM_VCPUEVENT_VALID_SHADOW))
		events->interrupt.shadow = now->interrupt.shadow;
	if (!(events->flags & KVM_VCPUEVENT_VALID_SMM))
		events->smi = now->smi;
	events->flags |= EVENTS_WHOLE;
}

/* KVM counts all that KVM_NMI asks for, and delivers two at most. */
static u8 vcpu_nmis(struct kvm_vcpu *vcpu)
{
	return min(vcpu->arch.nmi_pending + atomic_read(&vcpu->arch.nmi_queued), 2U);
}

/*
 * NMIs that wait are put back by the restore itself, and not with the other events
 * at the next entry: what KVM_NMI asks for in between would be lost. Where the flags
 * do not tell them, as after a restore, they are those that the vCPU has.
 */
static void vcpu_own_nmis(struct hlk_vcpu_state *state, u8 now)
{
	if (!(state->sync.events.flags & KVM_VCPUEVENT_VALID_NMI_PENDING))
		state->sync.events.nmi.pending = now;
	state->sync.events.flags &= ~KVM_VCPUEVENT_VALID_NMI_PENDING;
}

static int vcpu_capture(struct kvm_vcpu *vcpu, const struct kvm_sync_regs *sync,
			u64 host_tsc, u32 nr, struct hlk_snap *snap,
			struct hlk_why_at *at)
{
	struct fpstate *fpstate = hlk_vcpu_fpstate(vcpu);
	struct hlk_vcpu_state *state;
	u32 *bytes;
	u32 i;

	lockdep_assert_held(&vcpu->mutex);
	if (vcpu->arch.complete_userspace_io)
		return hlk_fail(at, -EBUSY, HLK_WHY_VCPU_IO, nr, 0);
	state = kvzalloc(struct_size(state, fpu, fpstate->size), HLK_GFP);
	if (!state)
		return -ENOMEM;
	state->sync = *sync;
	vcpu_own_nmis(state, vcpu_nmis(vcpu));
#ifdef KVM_REQ_SMI
	/* what KVM_SMI asked for since a restore, KVM adds to these events */
	if (kvm_test_request(KVM_REQ_SMI, vcpu))
		state->sync.events.smi.pending = 1;
#endif
	state->mp_state = vcpu->arch.mp_state;
	state->ext_vector = vcpu->arch.pending_external_vector;
	state->pkru = vcpu->arch.pkru;
	state->loads = HLK_SYNC_ALL;
	state->has_tsc = true;
	/* with what a restore asked for and no entry has done yet */
	state->tsc_offset = vcpu->arch.l1_tsc_offset + vcpu->arch.tsc_offset_adjustment;
	state->host_tsc = host_tsc;
	memcpy(state->db, vcpu->arch.db, sizeof(state->db));
	state->dr6 = vcpu->arch.dr6;
	state->dr7 = vcpu->arch.dr7;
	state->xcr0 = vcpu->arch.xcr0;
	for (i = 0; i < ARRAY_SIZE(state->xsave_bytes); i++) {
		bytes = hlk_vcpu_xsave_bytes(vcpu, i);
		state->xsave_bytes[i] = bytes ? *bytes : 0;
	}
	vcpu_capture_fpu(state, fpstate);
	snap->vcpus[snap->nr_vcpus++] = state;
	return 0;
}

/**
 * hlk_vcpus_capture() - take the state of all vCPUs into a snapshot
 * @vm: the VM, whose vCPUs are held
 * @sync: registers, for each vCPU
 * @snap: the snapshot that is being made
 * @at: the reason of a failure
 *
 * Return: 0, -EBUSY if an I/O is pending, -EOPNOTSUPP if not all can be restored,
 * -ENOMEM
 */
int hlk_vcpus_capture(struct hlk_vm *vm, const struct kvm_sync_regs *sync,
		      struct hlk_snap *snap, struct hlk_why_at *at)
{
	u64 host_tsc = rdtsc_ordered();
	u32 nr = hlk_vcpus_nr(vm);
	u32 i;
	int ret;

	ret = hlk_vcpus_restorable(vm, snap, at);
	if (ret)
		return ret;
	for (i = 0; i < nr; i++) {
		ret = vcpu_capture(vm->vcpus[i], &sync[i], host_tsc, i, snap, at);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * hlk_vcpu_from_user() - add a vCPU to a snapshot that is built from an image
 * @array: an array of struct kvm_sync_regs, a user pointer
 * @size: what the caller takes for the size of one
 * @nr: which one
 * @snap: the snapshot
 * @at: the reason of a failure
 *
 * What the registers area has no room for is as after reset.
 *
 * Return: 0, -EFAULT, -ENOMEM, or -E2BIG for registers that are not known
 */
int hlk_vcpu_from_user(u64 array, u32 size, u32 nr, struct hlk_snap *snap,
		       struct hlk_why_at *at)
{
	struct hlk_vcpu_state *state = kvzalloc(sizeof(*state), HLK_GFP);
	int ret;

	if (!state)
		return -ENOMEM;
	ret = hlk_element_get(&state->sync, sizeof(state->sync), array, size, nr, at);
	if (ret) {
		kvfree(state);
		return ret;
	}
	state->sync.events.flags |= EVENTS_WHOLE;
	vcpu_own_nmis(state, state->sync.events.nmi.pending);
	state->loads = HLK_SYNC_ALL;
	state->mp_state = KVM_MP_STATE_RUNNABLE;
	state->ext_vector = -1;
	state->dr6 = DR6_RESET;
	state->dr7 = DR7_RESET;
	state->xcr0 = XFEATURE_MASK_FP;
	state->xsave_bytes[0] = HLK_FPU_LEGACY;
	state->xsave_bytes[1] = HLK_FPU_LEGACY;
	snap->vcpus[snap->nr_vcpus++] = state;
	return 0;
}

/**
 * hlk_vcpu_loads() - leave registers to a program
 * @snap: a snapshot that is being made
 * @nr: which vCPU
 * @loads: KVM_SYNC_X86_* that restores still put into struct kvm_run for KVM to load
 */
void hlk_vcpu_loads(struct hlk_snap *snap, u32 nr, u32 loads)
{
	struct hlk_vcpu_state *state = snap->vcpus[nr];

	state->loads = loads;
}

/**
 * hlk_vcpu_cr3() - CR3 in a snapshot
 * @snap: the snapshot
 * @nr: which vCPU
 */
u64 hlk_vcpu_cr3(const struct hlk_snap *snap, u32 nr)
{
	const struct hlk_vcpu_state *state = snap->vcpus[nr];

	return state->sync.sregs.cr3;
}

/**
 * hlk_vcpu_set_cr3() - change CR3 in a snapshot that is being made
 * @snap: the snapshot
 * @nr: which vCPU
 * @cr3: the new value
 */
void hlk_vcpu_set_cr3(struct hlk_snap *snap, u32 nr, u64 cr3)
{
	struct hlk_vcpu_state *state = snap->vcpus[nr];

	state->sync.sregs.cr3 = cr3;
}
