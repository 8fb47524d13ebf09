// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPU state: held still, put back.
 *
 * General, segment and control registers and pending events go through the
 * registers area of struct kvm_run (KVM_CAP_SYNC_REGS): KVM writes it at each
 * exit and loads it at the next entry, so neither direction needs a call into
 * KVM. The area is mapped by user space, which owns the VM and could set any of
 * these registers anyway; KVM checks them when it loads them. It is copied
 * once, then used.
 *
 * The rest is state of struct kvm_vcpu that nobody touches while its mutex is
 * held: the FPU's register image, the MP state, a half-done I/O instruction.
 */
#include <linux/delay.h>
#include <linux/kvm_host.h>

#include "fpu.h"
#include "hlk.h"
#include "vcpustate.h"

/* Added to the count of a vCPU's asynchronous faults: far more than it can have */
#define REFUSED BIT(16)

/*
 * How long to wait for a vCPU that somebody looks at, in jiffies: far longer than
 * any look takes, on a machine with more to do than it has CPUs, too
 */
#define LOOK_WAIT	HZ

/* Power-up values; Intel SDM volume 1, "x87 FPU Control Word", "MXCSR" */
#define FPU_FCW_RESET	0x37f
#define FPU_MXCSR_RESET	0x1f80

/* vCPUs come, and go only with the VM: those that are known need no look-up. */
static void vcpus_learn(struct hlk_vm *vm)
{
	u32 nr = min_t(u32, atomic_read(&vm->kvm->online_vcpus), HLK_MAX_VCPUS);

	lockdep_assert_held(&vm->lock);
	for (; vm->nr_vcpus < nr; vm->nr_vcpus++)
		vm->vcpus[vm->nr_vcpus] = kvm_get_vcpu(vm->kvm, vm->nr_vcpus);
}

/**
 * hlk_is_vcpu_file() - can a file be that of a vCPU, if its private data is?
 * @file: any file
 *
 * A vCPU's statistics fd has the same private data, but no ioctl and no mmap.
 */
bool hlk_is_vcpu_file(const struct file *file)
{
	return file->f_op->unlocked_ioctl && file->f_op->mmap;
}

/**
 * hlk_vcpu_of() - the vCPU behind a file
 * @vm: the VM; its lock is held
 * @file: any file
 *
 * Return: the vCPU, or NULL if the file is not that of one of this VM's
 */
struct kvm_vcpu *hlk_vcpu_of(struct hlk_vm *vm, struct file *file)
{
	u32 known = vm->nr_vcpus;
	u32 i;

	if (!hlk_is_vcpu_file(file))
		return NULL;
	for (i = 0;; i++) {
		if (i == known)
			vcpus_learn(vm);
		if (i == vm->nr_vcpus)
			return NULL;
		if (vm->vcpus[i] == file->private_data)
			return vm->vcpus[i];
	}
}

/**
 * hlk_task_in_guest() - is the task in the middle of KVM_RUN?
 *
 * KVM notes itself among a task's preemption notifiers for as long as it has a
 * vCPU loaded, and nobody else in the kernel uses them.
 */
bool hlk_task_in_guest(void)
{
	return !hlist_empty(&current->preempt_notifiers);
}

/**
 * hlk_vcpu_refused() - a page was refused, perhaps to a vCPU that runs
 * @kvm: a VM that has the page
 *
 * KVM's first try at a page is one that must not wait for I/O. When it fails and
 * there is an in-kernel APIC, KVM takes it that the page needs time, has a worker
 * ask for it, and enters the guest again when the worker is done, page or no
 * page: the guest would fault for ever, in silence. Only a vCPU with as many of
 * these asynchronous faults under way as it may have makes the second try itself,
 * and the error of that one ends KVM_RUN. So the vCPU that the caller runs, if
 * any, counts as such a one from here on. The count is its own thread's, goes down
 * as true ones come in, and KVM sets it to zero when the guest turns paging on
 * or off; a restore takes back what is added here. Nothing but this limit looks at
 * it. What try it is cannot be asked: page_mkwrite() does not see all flags of the
 * fault. A vCPU that runs is among its task's preemption notifiers; which of them
 * are KVM's, their operations say.
 */
void hlk_vcpu_refused(struct kvm *kvm)
{
	const struct kvm_vcpu *any = kvm_get_vcpu(kvm, 0);
	struct preempt_notifier *notifier;
	struct kvm_vcpu *vcpu;

	if (!any)
		return;
	hlist_for_each_entry(notifier, &current->preempt_notifiers, link) {
		if (notifier->ops != any->preempt_notifier.ops)
			continue;
		vcpu = container_of(notifier, struct kvm_vcpu, preempt_notifier);
		vcpu->async_pf.queued |= REFUSED;
	}
}

/*
 * Without nested paging KVM keeps tables of its own for the guest's; it could
 * not see that a restore changes the guest's.
 */
static bool vcpu_shadowed(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.cr0 & X86_CR0_PG &&
	       !vcpu->arch.mmu->root_role.direct;
}

/*
 * A vCPU's mutex is held for as long as its guest runs, and for a moment by any
 * other call on it, such as KVM_GET_REGS. Which of the two it is, KVM notes in
 * wants_to_run. An entry with immediate_exit does not count: it is short.
 */
static noinline int vcpu_wait(struct kvm_vcpu *vcpu, u32 nr, bool nowait,
			      struct hlk_why_at *at)
{
	unsigned long end = jiffies + LOOK_WAIT;

	while (!mutex_trylock(&vcpu->mutex)) {
		if (hlk_vcpu_wants_to_run(vcpu) || time_after(jiffies, end))
			return hlk_fail(at, -EBUSY, HLK_WHY_VCPU_RUNNING, nr, 0);
		if (nowait)
			return -EAGAIN;
		if (fatal_signal_pending(current))
			return -EINTR;
		usleep_range(20, 100);
	}
	return 0;
}

static void vcpus_release(struct hlk_vm *vm, u32 nr)
{
	while (nr--)
		mutex_unlock(&vm->vcpus[nr]->mutex);
	mutex_unlock(&vm->kvm->lock);
}

/**
 * hlk_vcpus_hold() - keep all vCPUs out of KVM_RUN
 * @vm: the VM; its lock is held
 * @nowait: do not wait at all
 * @at: the reason of a failure
 *
 * Takes kvm->lock, so that no vCPU is added, and the mutex of each vCPU. It waits
 * for who only looks at one, and not for a guest.
 *
 * Return: 0, -EBUSY if a vCPU is running, -EDQUOT if there are too many,
 * -EOPNOTSUPP without nested paging, -EAGAIN if it would wait, -EINTR after a fatal
 * signal
 */
int hlk_vcpus_hold(struct hlk_vm *vm, bool nowait, struct hlk_why_at *at)
{
	struct kvm_vcpu *vcpu;
	u32 nr;
	u32 i;
	int ret;

	lockdep_assert_held(&vm->lock);
	if (nowait) {
		if (!mutex_trylock(&vm->kvm->lock))
			return -EAGAIN;
	} else if (mutex_lock_killable(&vm->kvm->lock)) {
		return -EINTR;
	}
	nr = atomic_read(&vm->kvm->online_vcpus);
	if (nr > HLK_MAX_VCPUS) {
		mutex_unlock(&vm->kvm->lock);
		return hlk_fail(at, -EDQUOT, HLK_WHY_TOO_MANY_VCPUS, nr, 0);
	}
	vcpus_learn(vm);
	for (i = 0; i < nr; i++) {
		vcpu = vm->vcpus[i];
		ret = mutex_trylock(&vcpu->mutex) ? 0 : vcpu_wait(vcpu, i, nowait, at);
		if (ret) {
			vcpus_release(vm, i);
			return ret;
		}
		if (vcpu_shadowed(vcpu)) {
			vcpus_release(vm, i + 1);
			return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_NO_NPT, i, 0);
		}
	}
	return 0;
}

/**
 * hlk_vcpus_release() - let go what hlk_vcpus_hold() took
 * @vm: the VM
 */
void hlk_vcpus_release(struct hlk_vm *vm)
{
	vcpus_release(vm, hlk_vcpus_nr(vm));
}

/**
 * hlk_vcpus_flush() - have guest TLBs flushed, global entries too
 * @vm: the VM, whose vCPUs are held
 */
void hlk_vcpus_flush(struct hlk_vm *vm)
{
	u32 i;

	for (i = 0; i < hlk_vcpus_nr(vm); i++)
		kvm_make_request(KVM_REQ_TLB_FLUSH_GUEST, vm->vcpus[i]);
}

/* Of an image, what counts. Without a header all does. */
static u32 fpu_bytes(struct hlk_vcpu_state *state)
{
	if (state->fpu_bytes < HLK_FPU_LEGACY)
		return state->fpu_bytes;
	return hlk_fpu_bytes(hlk_fpu_header(state->fpu)->xfeatures, state->fpu_bytes);
}

static void vcpu_fpu_restore(struct fpstate *fpstate, struct hlk_vcpu_state *state)
{
	memcpy(&fpstate->regs, state->fpu, fpu_bytes(state));
	/* KVM loads it with the registers, as it saves it with them */
	fpstate->xfd = state->xfd;
}

/* An FPU as after FNINIT. A component that the header leaves out is reset. */
static void vcpu_fpu_reset(struct fpstate *fpstate)
{
	u64 format = fpstate->regs.xsave.header.xcomp_bv;

	memset(&fpstate->regs, 0, min_t(u32, fpstate->size, HLK_FPU_LEGACY));
	fpstate->regs.fxsave.cwd = FPU_FCW_RESET;
	fpstate->regs.fxsave.mxcsr = FPU_MXCSR_RESET;
	if (fpstate->size > sizeof(fpstate->regs.fxsave))
		fpstate->regs.xsave.header.xcomp_bv = format;
}

/*
 * An I/O that KVM would finish at the next entry belongs to the state that is
 * thrown away, and so does a shutdown that was not delivered, and what
 * hlk_vcpu_refused() left.
 */
static void vcpu_cancel(struct kvm_vcpu *vcpu)
{
	vcpu->arch.complete_userspace_io = NULL;
	vcpu->arch.pio.count = 0;
	vcpu->mmio_needed = 0;
	vcpu->async_pf.queued &= ~REFUSED;
	kvm_clear_request(KVM_REQ_TRIPLE_FAULT, vcpu);
#ifdef KVM_REQ_SMI
	kvm_clear_request(KVM_REQ_SMI, vcpu);
#endif
}

static void vcpu_restore_nmis(struct kvm_vcpu *vcpu, u32 pending)
{
	vcpu->arch.nmi_pending = 0;
	atomic_set(&vcpu->arch.nmi_queued, pending);
	if (pending)
		kvm_make_request(KVM_REQ_NMI, vcpu);
	else
		kvm_clear_request(KVM_REQ_NMI, vcpu);
}

static void vcpu_restore_xcr0(struct kvm_vcpu *vcpu,
			      const struct hlk_vcpu_state *state)
{
	u32 *bytes;
	u32 i;

	if (vcpu->arch.xcr0 == state->xcr0)
		return;
	vcpu->arch.xcr0 = state->xcr0;
	for (i = 0; i < ARRAY_SIZE(state->xsave_bytes); i++) {
		bytes = hlk_vcpu_xsave_bytes(vcpu, i);
		if (bytes && state->xsave_bytes[i])
			*bytes = state->xsave_bytes[i];
	}
	hlk_vcpu_xcr0_changed(vcpu);
}

static bool vcpu_db_same(const struct kvm_vcpu *vcpu, const struct hlk_vcpu_state *state)
{
	unsigned long differ = 0;
	u32 i;

#pragma GCC unroll 4
	for (i = 0; i < ARRAY_SIZE(state->db); i++)
		differ |= state->db[i] ^ vcpu->arch.db[i];
	return !differ;
}

/* The debugger of a VMM has the hardware's debug registers, not the guest. */
static bool vcpu_debugged(const struct kvm_vcpu *vcpu)
{
	return vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP;
}

/*
 * KVM loads DR0 to DR3 and DR6 from here. DR7 it hands to the hardware when
 * somebody sets it, and this cannot: that is the residue. Whether it was done
 * since, KVM_DEBUGREG_BP_ENABLED tells. KVM works it out anew from the DR7 that it
 * hands on, and all that it does is that DR0 to DR3 are loaded. So it is set here,
 * and still set at the next restore if nobody came, or if the snapshot's DR7 has
 * breakpoints: then nobody knows, and it is told each time. A guest that leaves
 * debug registers alone, as nearly all do, costs nothing.
 */
static u32 vcpu_restore_debug(struct kvm_vcpu *vcpu,
			      const struct hlk_vcpu_state *state)
{
	bool missed = vcpu->arch.switch_db_regs & KVM_DEBUGREG_BP_ENABLED;

	if (vcpu_db_same(vcpu, state) && state->dr6 == vcpu->arch.dr6 &&
	    state->dr7 == vcpu->arch.dr7 && !missed)
		return 0;
	memcpy(vcpu->arch.db, state->db, sizeof(state->db));
	vcpu->arch.dr6 = state->dr6;
	if (vcpu_debugged(vcpu)) {
		/* loaded when the debugger goes */
		vcpu->arch.dr7 = state->dr7;
		return 0;
	}
	memcpy(vcpu->arch.eff_db, state->db, sizeof(state->db));
	if (state->dr7 == vcpu->arch.dr7 && !missed)
		return 0;
	vcpu->arch.dr7 = state->dr7;
	vcpu->arch.switch_db_regs |= KVM_DEBUGREG_BP_ENABLED;
	return HLK_RESIDUE_DEBUGREGS;
}

/*
 * Is the guest's TSC the host's and an offset, no more? KVM scales it if its frequency
 * is another one (the neutral ratio is 1, with 48 bits behind the point on Intel's, 32
 * on AMD's processors); it writes the offset itself where the host's does not run
 * evenly, and when that was set back, as by suspend.
 */
static bool vcpu_tsc_plain(const struct kvm_vcpu *vcpu)
{
	u64 ratio = vcpu->arch.l1_tsc_scaling_ratio;

	return (ratio == BIT_ULL(32) || ratio == BIT_ULL(48)) &&
	       !vcpu->arch.tsc_catchup && !vcpu->arch.tsc_always_catchup &&
	       !vcpu->kvm->arch.backwards_tsc_observed;
}

/*
 * A TSC with another offset is one that the guest set, or that of another VM, or it is
 * to be set back by @since. KVM adds this to the offset when it loads the vCPU next.
 */
static u32 vcpu_restore_tsc(struct kvm_vcpu *vcpu, const struct hlk_vcpu_state *state,
			    u64 since)
{
	u64 differs = state->tsc_offset - since - vcpu->arch.l1_tsc_offset;

	if (likely(!(differs | vcpu->arch.tsc_offset_adjustment)))
		return 0;
	if (!vcpu_tsc_plain(vcpu))
		return differs ? HLK_RESIDUE_TIME : 0;
	vcpu->arch.tsc_offset_adjustment = differs;
	return 0;
}

/**
 * hlk_vcpus_scaled() - TSCs that run otherwise since a program said so
 * @vm: the VM; its lock is held
 * @snap: the snapshot, whose program was run
 * @time_back: TSCs were to go back to what they were
 *
 * The offset was put back before, as of one that runs as the host's does.
 *
 * Return: HLK_RESIDUE_TIME if it says nothing now, or 0
 */
u32 hlk_vcpus_scaled(struct hlk_vm *vm, const struct hlk_snap *snap, bool time_back)
{
	u32 scaled = snap->program->does[time_back][HLK_PROGRAM_TSC_KHZ];
	u32 i;

	lockdep_assert_held(&vm->lock);
	for (i = 0; i < snap->nr_vcpus; i++)
		if (scaled & BIT(i) && !vcpu_tsc_plain(vm->vcpus[i]) &&
		    (time_back || vm->vcpus[i]->arch.tsc_catchup))
			return HLK_RESIDUE_TIME;
	return 0;
}

/*
 * SWAPGS writes an MSR and is no WRMSR, so no filter closes it to who is in long mode,
 * or about to be; nor are shadow stacks closed to who has them.
 */
static u32 vcpu_residue(const struct hlk_vcpu_state *state)
{
	return state->sync.sregs.efer & (EFER_LME | EFER_LMA) ||
	       state->sync.sregs.cr4 & X86_CR4_CET ? HLK_RESIDUE_MSRS : 0;
}

/**
 * hlk_vcpus_shadow_stacks() - does a vCPU of a snapshot use shadow stacks?
 * @snap: the snapshot
 *
 * KVM has their pointer by KVM_SET_ONE_REG alone, which programs may not call: its
 * argument is a pointer.
 */
bool hlk_vcpus_shadow_stacks(const struct hlk_snap *snap)
{
	const struct hlk_vcpu_state *state;
	bool any = false;
	u32 i;

	for (i = 0; i < snap->nr_vcpus; i++) {
		state = snap->vcpus[i];
		any |= state->sync.sregs.cr4 & X86_CR4_CET;
	}
	return any;
}

/**
 * hlk_vcpus_residue() - what a VM has that no snapshot holds, whatever its guest does
 * @vm: the VM; its lock is held
 *
 * A VMM that sets an MSR filter knows what it leaves open.
 *
 * Return: HLK_RESIDUE_* bits
 */
u32 hlk_vcpus_residue(struct hlk_vm *vm)
{
	const struct kvm_arch *arch = &vm->kvm->arch;
	u32 residue = 0;

	if (arch->irqchip_mode != KVM_IRQCHIP_NONE)
		residue |= HLK_RESIDUE_IRQCHIP;
	if (!rcu_access_pointer(arch->msr_filter))
		residue |= HLK_RESIDUE_MSRS;
	return residue;
}

static u32 vcpu_restore(struct kvm_vcpu *vcpu, struct hlk_vcpu_state *state, bool kept,
			u64 now)
{
	struct fpstate *fpstate = hlk_vcpu_fpstate(vcpu);
	u32 loads = state->loads & ~(kept ? KVM_SYNC_X86_SREGS : 0);
	u32 residue = vcpu_residue(state);

	lockdep_assert_held(&vcpu->mutex);
	vcpu_cancel(vcpu);
	memcpy(&vcpu->run->s.regs, &state->sync, sizeof(state->sync));
	vcpu->run->kvm_dirty_regs = (vcpu->run->kvm_dirty_regs & ~(u64)HLK_SYNC_ALL) |
				    loads;
	/* without an APIC of its own, KVM loads this one after the registers */
	vcpu->run->cr8 = state->sync.sregs.cr8;
	/* the processor's CR3, which KVM may not have looked at, see vmcb_same() */
	if (loads & KVM_SYNC_X86_SREGS && boot_cpu_has(X86_FEATURE_SVM))
		kvm_make_request(KVM_REQ_LOAD_MMU_PGD, vcpu);
	/* KVM_INTERRUPT is for when this is set: the next entry would undo it */
	vcpu->run->ready_for_interrupt_injection = 0;
	vcpu->arch.mp_state = state->mp_state;
	vcpu->arch.pending_external_vector = state->ext_vector;
	vcpu->arch.pkru = state->pkru;
	vcpu_restore_nmis(vcpu, state->sync.events.nmi.pending);
	vcpu_restore_xcr0(vcpu, state);
	if (state->fpu_bytes)
		vcpu_fpu_restore(fpstate, state);
	else
		vcpu_fpu_reset(fpstate);
	if (state->has_tsc)
		residue |= vcpu_restore_tsc(vcpu, state, now ? now - state->host_tsc : 0);
	return residue | vcpu_restore_debug(vcpu, state);
}

static void barrier_here(void *unused)
{
	wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB, 0);
}

/*
 * Who was in a vCPU before has trained the branch predictors of the CPU that it ran
 * on last. KVM draws a barrier where it loads another vCPU there; after a
 * restore it is the same one with somebody else in it. Where it ran before that
 * kvm-intel draws one by itself, kvm-amd does not; see security.rst.
 */
static void vcpus_barrier(struct hlk_vm *vm)
{
	int cpu;
	u32 i;

	for (i = 0; i < hlk_vcpus_nr(vm); i++) {
		cpu = vm->vcpus[i]->cpu;
		/* one that has gone offline since has forgotten all */
		if (cpu >= 0)
			smp_call_function_single(cpu, barrier_here, NULL, true);
	}
}

/**
 * hlk_vcpus_restore() - put the state of all vCPUs back
 * @vm: the VM, whose vCPUs are held
 * @snap: a snapshot that fits
 * @time_back: TSCs go back to what they were, too
 * @kept: the vCPU that has its segment and control registers already, or NULL
 *
 * Guest TLBs are flushed, global entries too, whether or not CR3 changes.
 *
 * Return: HLK_RESIDUE_* bits: what user space has to reset
 */
u32 hlk_vcpus_restore(struct hlk_vm *vm, const struct hlk_snap *snap, bool time_back,
		      const struct kvm_vcpu *kept)
{
	u64 now = time_back ? rdtsc_ordered() : 0;
	u32 residue = 0;
	u32 i;

	if (snap->nr_vcpus && vm->kvm->arch.irqchip_mode != KVM_IRQCHIP_NONE)
		residue = HLK_RESIDUE_IRQCHIP;
	for (i = 0; i < snap->nr_vcpus; i++)
		residue |= vcpu_restore(vm->vcpus[i], snap->vcpus[i],
					vm->vcpus[i] == kept, now);
	hlk_vcpus_flush(vm);
	if (unlikely(vm->ibpb))
		vcpus_barrier(vm);
	return residue;
}

/* An FPU as an image has it, or as after FNINIT */
static bool vcpu_fpu_same(const struct fpstate *fpstate, struct hlk_vcpu_state *state)
{
	const struct fxregs_state *fx = &fpstate->regs.fxsave;

	if (state->fpu_bytes)
		return fpstate->xfd == state->xfd &&
		       !memcmp(&fpstate->regs, state->fpu, fpu_bytes(state));
	return fx->cwd == FPU_FCW_RESET && fx->mxcsr == FPU_MXCSR_RESET &&
	       !memchr_inv(fx->st_space, 0, sizeof(fx->st_space)) &&
	       !memchr_inv(fx->xmm_space, 0, sizeof(fx->xmm_space));
}

static bool vcpu_debug_same(const struct kvm_vcpu *vcpu,
			    const struct hlk_vcpu_state *state)
{
	return vcpu_db_same(vcpu, state) && vcpu->arch.dr6 == state->dr6 &&
	       vcpu->arch.dr7 == state->dr7 &&
	       (vcpu_debugged(vcpu) ||
		!memcmp(vcpu->arch.eff_db, state->db, sizeof(state->db)));
}

/* What a program sets is the program's to say. */
static enum hlk_audit_reg vcpu_audit(struct kvm_vcpu *vcpu, const struct hlk_snap *snap,
				     u32 nr)
{
	const struct hlk_program *program = snap->program;
	struct hlk_vcpu_state *state = snap->vcpus[nr];

	lockdep_assert_held(&vcpu->mutex);
	if ((vcpu->run->kvm_dirty_regs & HLK_SYNC_ALL) != state->loads ||
	    memcmp(&vcpu->run->s.regs, &state->sync, sizeof(state->sync)) ||
	    vcpu->run->cr8 != state->sync.sregs.cr8)
		return HLK_AUDIT_REGS;
	if (!hlk_program_touches(program, HLK_PROGRAM_FPU, nr) &&
	    !vcpu_fpu_same(hlk_vcpu_fpstate(vcpu), state))
		return HLK_AUDIT_FPU;
	if (!hlk_program_touches(program, HLK_PROGRAM_MP_STATE, nr) &&
	    vcpu->arch.mp_state != state->mp_state)
		return HLK_AUDIT_MP_STATE;
	if (!hlk_program_touches(program, HLK_PROGRAM_DEBUGREGS, nr) &&
	    !vcpu_debug_same(vcpu, state))
		return HLK_AUDIT_DEBUGREGS;
	if (!hlk_program_touches(program, HLK_PROGRAM_XCRS, nr) &&
	    vcpu->arch.xcr0 != state->xcr0)
		return HLK_AUDIT_XCR0;
	if (vcpu->arch.complete_userspace_io || vcpu->arch.pio.count ||
	    vcpu->mmio_needed || kvm_test_request(KVM_REQ_TRIPLE_FAULT, vcpu))
		return HLK_AUDIT_PENDING;
	if (!kvm_test_request(KVM_REQ_TLB_FLUSH_GUEST, vcpu))
		return HLK_AUDIT_TLB;
	return 0;
}

/**
 * hlk_vcpus_audit() - compare all vCPUs with those of a snapshot
 * @vm: the VM, whose vCPUs are held
 * @snap: the snapshot that they were restored to
 * @at: what differs first
 *
 * Return: 0 or -EUCLEAN
 */
int hlk_vcpus_audit(struct hlk_vm *vm, const struct hlk_snap *snap,
		    struct hlk_why_at *at)
{
	enum hlk_audit_reg reg;
	u32 i;

	for (i = 0; i < snap->nr_vcpus; i++) {
		reg = vcpu_audit(vm->vcpus[i], snap, i);
		if (reg)
			return hlk_fail(at, -EUCLEAN, HLK_WHY_AUDIT_VCPU, i, reg);
	}
	return 0;
}

/**
 * hlk_vcpus_await() - does a vCPU of a snapshot wait for INIT or SIPI?
 * @snap: the snapshot
 *
 * KVM keeps those that are under way apart from the APIC that KVM_SET_LAPIC sets. Events
 * take back an INIT, and a SIPI without one is nothing to who was never started; but
 * such a vCPU loads nothing from struct kvm_run before it has taken both. A program can have
 * them taken before the restore.
 *
 * Return: whether what was sent in the call before may still start one
 */
bool hlk_vcpus_await(const struct hlk_snap *snap)
{
	const struct hlk_vcpu_state *state;
	bool await = false;
	u32 i;

	for (i = 0; i < snap->nr_vcpus; i++) {
		state = snap->vcpus[i];
		await |= (state->mp_state == KVM_MP_STATE_INIT_RECEIVED &&
			  !hlk_program_does(snap->program, HLK_PROGRAM_STARTS, i)) ||
			 (state->mp_state == KVM_MP_STATE_UNINITIALIZED &&
			  state->loads);
	}
	return await;
}
