// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether vCPUs can have a state, asked before anything is changed: what KVM would
 * refuse when it loads it, and what nothing could bring back.
 */
#include <linux/kvm_host.h>

#include <asm/trapnr.h>

#include "hlk.h"
#include "vcpustate.h"

/*
 * In a guest of its own; or, with VMX, where it may begin one: a VMXON, and the VMCS that
 * was made current by then, KVM keeps to itself, and it takes no CR4 that has VMXE
 * clear until VMXOFF. A guest can clear that no sooner.
 */
static bool vcpu_nested(const struct kvm_vcpu *vcpu)
{
	return vcpu->arch.hflags & HF_GUEST_MASK || vcpu->arch.cr4 & X86_CR4_VMXE;
}

/*
 * Guests of the guest that have nested paging of their own run by tables that KVM keeps
 * for them, and keeps when they are left. It write-protects those of the guest, for
 * itself, and does not see that a restore changes them: the next call's guest would
 * run by what the call before had there. Nobody can make such tables while vCPUs are held.
 */
static int vcpus_unshadowed(struct hlk_vm *vm, struct hlk_why_at *at)
{
	u32 shadows = READ_ONCE(vm->kvm->arch.indirect_shadow_pages);

	lockdep_assert_held(&vm->kvm->lock);
	if (likely(!shadows))
		return 0;
	return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_NESTED, 0, shadows);
}

/*
 * In SMM a guest shows no VMXE, and KVM keeps to itself that it was in VMX operation
 * before, until RSM. It forgets that when it is taken out of SMM, so only who is in
 * it and shall be is in question.
 */
static bool vcpu_smm_hides(struct kvm_vcpu *vcpu, const struct hlk_snap *snap, u32 nr)
{
	const struct hlk_vcpu_state *state = nr < snap->nr_vcpus ? snap->vcpus[nr] : NULL;
	const struct kvm_cpuid_entry2 *features;

	if (likely(!(vcpu->arch.hflags & HLK_HF_SMM)) || !boot_cpu_has(X86_FEATURE_VMX) ||
	    (state && !state->sync.events.smi.smm))
		return false;
	features = hlk_vcpu_cpuid(vcpu, 1, 0);
	return features && features->ecx & BIT(5);
}

/**
 * hlk_vcpus_restorable() - can all that vCPUs have be brought back?
 * @vm: the VM, whose vCPUs are held
 * @snap: the snapshot, or one that is being made
 * @at: the reason of a failure
 *
 * What nothing here brings back: a guest of the guest, unless a program does; and that
 * it is halted, where the processor keeps that in the VMCS, because HLT does not leave
 * the guest. The next call would wait for an interrupt before its first instruction.
 * AMD's processors do not keep it.
 *
 * Return: 0 or -EOPNOTSUPP
 */
int hlk_vcpus_restorable(struct hlk_vm *vm, const struct hlk_snap *snap,
			 struct hlk_why_at *at)
{
	u32 i;

	if (hlk_vcpus_nr(vm) && boot_cpu_has(X86_FEATURE_VMX) &&
	    hlk_hlt_in_guest(vm->kvm))
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_HLT_IN_GUEST, 0, 0);
	for (i = 0; i < hlk_vcpus_nr(vm); i++)
		if (unlikely(vcpu_nested(vm->vcpus[i]) ||
			     vcpu_smm_hides(vm->vcpus[i], snap, i)) &&
		    !hlk_program_does(snap->program, HLK_PROGRAM_NESTED, i))
			return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_NESTED, i, 0);
	return vcpus_unshadowed(vm, at);
}

/*
 * KVM loads XCR0 and the FPU's image before it enters the guest, and believes
 * that the processor takes them, which it has checked when they were set.
 */
static enum hlk_why vcpu_misfit(struct kvm_vcpu *vcpu, struct hlk_vcpu_state *state)
{
	struct fpstate *fpstate = hlk_vcpu_fpstate(vcpu);

	if (state->xcr0 & ~(vcpu->arch.guest_supported_xcr0 | XFEATURE_MASK_FP))
		return HLK_WHY_VCPU_XCR0;
	if (state->fpu_bytes && (state->fpu_bytes != fpstate->size ||
				 hlk_fpu_format(state->fpu, state->fpu_bytes) !=
				 hlk_fpu_format(&fpstate->regs, fpstate->size)))
		return HLK_WHY_VCPU_FPU;
	return HLK_WHY_NONE;
}

/* Bits of EFER that CPUID offers; AMD manual volume 2, "EFER" */
static u64 vcpu_efer_bits(struct kvm_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *extended = hlk_vcpu_cpuid(vcpu, 0x80000001, 0);
	const struct kvm_cpuid_entry2 *more = hlk_vcpu_cpuid(vcpu, 0x80000021, 0);
	u64 bits = EFER_SCE;

	if (extended) {
		bits |= extended->edx & BIT(20) ? EFER_NX : 0;
		bits |= extended->edx & BIT(25) ? EFER_FFXSR : 0;
		bits |= extended->edx & BIT(29) ? EFER_LME | EFER_LMA : 0;
		bits |= extended->ecx & BIT(2) ? EFER_SVME : 0;
	}
	if (more)
		bits |= more->eax & BIT(8) ? EFER_AUTOIBRS : 0;
	return bits;
}

/* Reserved bits of CR3 in long mode, in which two may choose how addresses are masked */
static u64 vcpu_cr3_reserved(struct kvm_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *features = hlk_vcpu_cpuid(vcpu, 7, 1);
	u64 lam = features && features->eax & BIT(26) ? X86_CR3_LAM_U48 |
							X86_CR3_LAM_U57 : 0;

	return vcpu->arch.reserved_gpa_bits & ~lam;
}

/* Bits of IA32_APIC_BASE; SDM volume 3, "Local APIC Status and Location" */
#define APIC_BASE_RESERVED	0x2ffULL

static bool vcpu_apic_base_fits(struct kvm_vcpu *vcpu, u64 base)
{
	const struct kvm_cpuid_entry2 *features;

	if (base & (vcpu->arch.reserved_gpa_bits | APIC_BASE_RESERVED))
		return false;
	if (!(base & X2APIC_ENABLE))
		return true;
	features = hlk_vcpu_cpuid(vcpu, 1, 0);
	return base & MSR_IA32_APICBASE_ENABLE && features && features->ecx & BIT(21);
}

static bool vcpu_events_fit(struct kvm_vcpu *vcpu,
			    const struct kvm_vcpu_events *events)
{
	u32 known = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
		    KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM;
	bool exception = events->exception.injected;

	if (vcpu->kvm->arch.exception_payload_enabled)
		known |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (vcpu->kvm->arch.triple_fault_event)
		known |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	if (events->flags & KVM_VCPUEVENT_VALID_PAYLOAD)
		exception |= events->exception.pending;
	if (!HLK_KVM_HAS_SMM && events->flags & KVM_VCPUEVENT_VALID_SMM &&
	    (events->smi.smm || events->smi.pending || events->smi.smm_inside_nmi))
		return false;
	return !(events->flags & ~known) &&
	       !(exception && (events->exception.nr > 31 ||
			       events->exception.nr == X86_TRAP_NMI));
}

/*
 * What KVM checks when it loads the registers: it would fail each KVM_RUN from here
 * on, when the state that was there before is gone. As in kvm_is_valid_sregs()
 * and what it calls; the EFER of newer kernels is checked on older ones, too.
 */
static enum hlk_refused vcpu_refused(struct kvm_vcpu *vcpu,
				     const struct hlk_vcpu_state *state)
{
	const struct kvm_sregs *sregs = &state->sync.sregs;
	bool paging = sregs->cr0 & X86_CR0_PG;
	bool lm = sregs->efer & EFER_LME && paging;

	if (upper_32_bits(sregs->cr0) || (paging && !(sregs->cr0 & X86_CR0_PE)) ||
	    (sregs->cr0 & X86_CR0_NW && !(sregs->cr0 & X86_CR0_CD)))
		return HLK_REFUSED_CR0;
	if (sregs->cr4 & vcpu->arch.cr4_guest_rsvd_bits ||
	    (lm && !(sregs->cr4 & X86_CR4_PAE)))
		return HLK_REFUSED_CR4;
	if (sregs->efer & ~vcpu_efer_bits(vcpu) || lm != !!(sregs->efer & EFER_LMA) ||
	    (!lm && sregs->cs.l))
		return HLK_REFUSED_EFER;
	if (lm && sregs->cr3 & vcpu_cr3_reserved(vcpu))
		return HLK_REFUSED_CR3;
	if (!vcpu_apic_base_fits(vcpu, sregs->apic_base))
		return HLK_REFUSED_APIC_BASE;
	if (!vcpu_events_fit(vcpu, &state->sync.events))
		return HLK_REFUSED_EVENTS;
	/* as KVM_SET_MP_STATE does */
	if (!vcpu->arch.apic && state->mp_state != KVM_MP_STATE_RUNNABLE)
		return HLK_REFUSED_MP_STATE;
	return 0;
}

/* KVM takes another CPUID until the first entry. */
static bool vcpu_has_run(const struct kvm_vcpu *vcpu)
{
	return vcpu->arch.last_vmentry_cpu != -1;
}

/**
 * hlk_vcpus_fit() - can a snapshot's vCPUs be restored?
 * @vm: the VM, whose vCPUs are held
 * @snap: the snapshot
 * @at: the reason of a failure
 *
 * Asked before each restore, so this is where a dirty log is met, too.
 * What KVM takes once it takes always: only a snapshot that was not restored last is
 * looked at in full.
 *
 * Return: 0, -EMEDIUMTYPE, or -EOPNOTSUPP if not all could be restored
 */
int hlk_vcpus_fit(struct hlk_vm *vm, const struct hlk_snap *snap,
		  struct hlk_why_at *at)
{
	enum hlk_refused refused;
	enum hlk_why why;
	u32 i;
	int ret;

	ret = hlk_vm_check_slots(vm, at);
	if (ret)
		return ret;
	if (!snap->nr_vcpus)
		return vcpus_unshadowed(vm, at);
	if (snap->nr_vcpus != hlk_vcpus_nr(vm))
		return hlk_fail(at, -EMEDIUMTYPE, HLK_WHY_VCPU_COUNT,
				snap->nr_vcpus, 0);
	for (i = 0; i < snap->nr_vcpus; i++) {
		why = vcpu_misfit(vm->vcpus[i], snap->vcpus[i]);
		if (why)
			return hlk_fail(at, -EMEDIUMTYPE, why, i, 0);
		if (likely(snap == vm->snap && vcpu_has_run(vm->vcpus[i])))
			continue;
		refused = vcpu_refused(vm->vcpus[i], snap->vcpus[i]);
		if (refused)
			return hlk_fail(at, -EMEDIUMTYPE, HLK_WHY_VCPU_REFUSED, i,
					refused);
	}
	return hlk_vcpus_restorable(vm, snap, at);
}
