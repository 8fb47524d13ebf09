// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers that KVM need not load again, because the vCPU has them.
 */
#include <linux/kvm_host.h>
#include <linux/log2.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>

#include <asm/svm.h>

#include "hlk.h"
#include "vcpustate.h"

/*
 * Segment and control registers take KVM longer to load than all the rest, and few calls
 * change them. A guest can do so with no exit, and whoever has the vCPU's file by an
 * ioctl. So they are looked at by hlk_vcpu_keep() at the end of HLK_RUN: where the processor
 * left them, if that is memory, or where KVM has just stored them. If they are the
 * snapshot's, the vCPU is marked, and if the mark is still there at the next restore, KVM
 * need not load them.
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

/*
 * How kvm-amd's struct vcpu_svm begins. No header has it, so nothing is taken of it that does
 * not prove itself, see vmcb_known().
 */
struct svm_vcpu {
	struct kvm_vcpu vcpu;
	const struct vmcb *vmcb;
	struct {
		const struct vmcb *at;
		unsigned long pa;
		int cpu;
		u64 asid_generation;
	} first;
	const void *current_vmcb;
};

/*
 * The VMCB of a vCPU that is in no guest of its guest. Two places have its address, one its
 * physical address, and a fourth leads back to where these are.
 */
static const struct vmcb *svm_vmcb(const struct kvm_vcpu *vcpu)
{
	const struct svm_vcpu *svm = container_of(vcpu, struct svm_vcpu, vcpu);
	const struct vmcb *vmcb = svm->first.at;

	if (svm->vmcb != vmcb || svm->current_vmcb != &svm->first ||
	    !virt_addr_valid(vmcb) || !PAGE_ALIGNED(vmcb) ||
	    virt_to_phys((void *)vmcb) != __sme_clr(svm->first.pa))
		return NULL;
	return vmcb;
}

/**
 * hlk_vcpu_refresh() - have KVM know CR0 and CR3, as after any other exit
 * @vcpu: a vCPU whose mutex is held
 *
 * Where no APIC is in the kernel, KVM of some kernels goes from HLT to user space the short
 * way, and does not look at what the guest has written to them with no exit: 6.12 does on AMD's
 * processors. What it has loaded and no entry has taken yet is newer than theirs.
 *
 * Return: whether KVM knows them now
 */
bool hlk_vcpu_refresh(struct kvm_vcpu *vcpu)
{
	const struct vmcb *vmcb;

	lockdep_assert_held(&vcpu->mutex);
	if (!boot_cpu_has(X86_FEATURE_SVM) || boot_cpu_has(X86_FEATURE_VMX) ||
	    hlk_vcpu_cr3_set(vcpu))
		return true;
	if (vcpu->arch.guest_state_protected)
		return false;
	vmcb = svm_vmcb(vcpu);
	if (!vmcb)
		return false;
	/* CR3 for shadow pages is none of the guest's */
	if (!vmcb->control.nested_cr3)
		return true;
	if (!(vmcb->control.intercepts[INTERCEPT_CR] & BIT(INTERCEPT_CR0_WRITE)))
		vcpu->arch.cr0 = vmcb->save.cr0;
	vcpu->arch.cr3 = vmcb->save.cr3;
	return true;
}

/* @loose: bits that KVM_GET_SREGS tells otherwise than they are */
static bool segment_is(const struct vmcb_seg *seg, const struct kvm_segment *as, u16 loose)
{
	u16 attrib = as->type | as->s << SVM_SELECTOR_S_SHIFT |
		     as->dpl << SVM_SELECTOR_DPL_SHIFT |
		     as->present << SVM_SELECTOR_P_SHIFT |
		     as->avl << SVM_SELECTOR_AVL_SHIFT | as->l << SVM_SELECTOR_L_SHIFT |
		     as->db << SVM_SELECTOR_DB_SHIFT;

	return seg->base == as->base && seg->limit == as->limit &&
	       seg->selector == as->selector && as->unusable == !as->present &&
	       as->g == (seg->limit > 0xfffff) &&
	       !((seg->attrib ^ attrib) & ~(loose | SVM_SELECTOR_G_MASK));
}

static bool table_is(const struct vmcb_seg *seg, const struct kvm_dtable *as)
{
	return seg->base == as->base && seg->limit == as->limit;
}

#define ACCESSED	1	/* of data segments */
#define BUSY		2	/* of a TSS */

/* Would KVM_GET_SREGS give these segments? */
static bool vmcb_is(const struct vmcb_save_area *save, const struct kvm_sregs *sregs)
{
	return segment_is(&save->es, &sregs->es, ACCESSED) &&
	       segment_is(&save->cs, &sregs->cs, 0) &&
	       segment_is(&save->ss, &sregs->ss, SVM_SELECTOR_DPL_MASK) &&
	       segment_is(&save->ds, &sregs->ds, ACCESSED) &&
	       segment_is(&save->fs, &sregs->fs, ACCESSED) &&
	       segment_is(&save->gs, &sregs->gs, ACCESSED) &&
	       segment_is(&save->ldtr, &sregs->ldt, 0) &&
	       segment_is(&save->tr, &sregs->tr, BUSY) &&
	       table_is(&save->gdtr, &sregs->gdt) && table_is(&save->idtr, &sregs->idt) &&
	       save->cpl == sregs->ss.dpl;
}

/*
 * Of an AMD processor the segments lie in memory, where no user space is. Once it was seen
 * that they are the snapshot's, it is enough that they are the same again, bit by bit. That
 * they are all there, each in its place, shows that struct svm_vcpu is right, too.
 * Who changes them in each of the first calls is not asked often.
 *
 * With an APIC in the kernel CR8 is in it, which is not looked at. An interrupt that
 * waits in the snapshot's registers is put in by their load.
 */
static bool vmcb_known(struct hlk_vcpu_kept *kept, const struct kvm_vcpu *vcpu,
		       const struct kvm_sregs *sregs)
{
	const struct vmcb *vmcb;

	if (kept->vmcb)
		return true;
	if (!boot_cpu_has(X86_FEATURE_SVM) || boot_cpu_has(X86_FEATURE_VMX) ||
	    vcpu->kvm->arch.irqchip_mode != KVM_IRQCHIP_NONE ||
	    vcpu->arch.guest_state_protected ||
	    memchr_inv(sregs->interrupt_bitmap, 0, sizeof(sregs->interrupt_bitmap)) ||
	    !is_power_of_2(++kept->looks))
		return false;
	vmcb = svm_vmcb(vcpu);
	if (!vmcb || !vmcb_is(&vmcb->save, sregs) ||
	    vmcb->save.cr3 != sregs->cr3 ||
	    (vmcb->save.cr0 ^ sregs->cr0) & ~(u64)(X86_CR0_CD | X86_CR0_NW))
		return false;
	memcpy(kept->segment, &vmcb->save, sizeof(kept->segment));
	kept->cr0 = vmcb->save.cr0;
	kept->cr3 = vmcb->save.cr3;
	kept->cpl = vmcb->save.cpl;
	kept->vmcb = vmcb;
	return true;
}

/*
 * KVM has control registers at hand after exits of such a processor, but for CR0 and CR3, see
 * hlk_vcpu_refresh().
 */
static bool vmcb_same(const struct hlk_vcpu_kept *kept, const struct kvm_vcpu *vcpu,
		      const struct kvm_sregs *sregs)
{
	const struct vmcb_save_area *save = &kept->vmcb->save;
	const struct kvm_vcpu_arch *arch = &vcpu->arch;
	const u64 *segment = (const u64 *)save;
	u64 differ = save->cpl ^ kept->cpl;
	u32 i;

	BUILD_BUG_ON(offsetofend(struct vmcb_save_area, tr) != sizeof(kept->segment));
#pragma GCC unroll 20
	for (i = 0; i < HLK_VMCB_WORDS; i++)
		differ |= segment[i] ^ kept->segment[i];
	differ |= save->cr0 ^ kept->cr0;
	differ |= save->cr3 ^ kept->cr3;
	differ |= arch->cr0 ^ sregs->cr0;
	differ |= arch->cr2 ^ sregs->cr2;
	differ |= arch->cr3 ^ sregs->cr3;
	differ |= arch->cr4 ^ sregs->cr4;
	differ |= arch->efer ^ sregs->efer;
	differ |= arch->apic_base ^ sregs->apic_base;
	return !differ;
}

static bool vcpu_same(struct hlk_vcpu_kept *kept, struct kvm_vcpu *vcpu,
		      const struct kvm_sregs *sregs)
{
	lockdep_assert_held(&vcpu->mutex);
	if (likely(vmcb_known(kept, vcpu, sregs)))
		return vmcb_same(kept, vcpu, sregs);
	/* KVM may have stored a CR3 that the guest has no more */
	return READ_ONCE(vcpu->run->kvm_valid_regs) & KVM_SYNC_X86_SREGS &&
	       sregs_same(&vcpu->run->s.regs.sregs, sregs) && hlk_vcpu_refresh(vcpu) &&
	       vcpu->arch.cr0 == sregs->cr0 && vcpu->arch.cr3 == sregs->cr3;
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
	struct hlk_vcpu_kept *kept = &vm->kept[i];
	const struct hlk_vcpu_state *state;

	if (!mutex_trylock(&vcpu->mutex))
		return;
	kept->state = NULL;
	/* with the mutex of any vCPU nobody goes over to another snapshot */
	if (!vm->snap || i >= vm->snap->nr_vcpus)
		goto unlock;
	state = vm->snap->vcpus[i];
	if (state->loads & KVM_SYNC_X86_SREGS && !hlk_vcpu_modal(vcpu) &&
	    !vcpu_marked(vcpu) && vcpu_ours(vcpu, switches) &&
	    !sregs_pae(&state->sync.sregs) &&
	    vcpu_same(kept, vcpu, &state->sync.sregs)) {
		vcpu_mark(vcpu, vm);
		kept->state = state;
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
	return vm->kept[vcpu->vcpu_idx].state && vcpu_marked_by(vcpu, vm);
}
