// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a vCPU reads page tables.
 */
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <linux/kvm_host.h>

#include "hlk.h"
#include "vcpustate.h"

/*
 * Control registers: those that KVM will load, or has at hand; else those of the
 * last exit.
 */
static int vcpu_control(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	const struct kvm_run *run = vcpu->run;

	if (!(run->kvm_dirty_regs & KVM_SYNC_X86_SREGS) &&
	    hlk_vcpu_has_control(vcpu)) {
		hlk_vcpu_refresh(vcpu);
		sregs->cr0 = vcpu->arch.cr0;
		sregs->cr3 = vcpu->arch.cr3;
		sregs->cr4 = vcpu->arch.cr4;
		sregs->efer = vcpu->arch.efer;
		return 0;
	}
	if (!((run->kvm_dirty_regs | run->kvm_valid_regs) & KVM_SYNC_X86_SREGS))
		return -EINVAL;
	memcpy(sregs, &run->s.regs.sregs, sizeof(*sregs));
	return 0;
}

/* The registers of vCPU 0 that say how tables are read */
static int paging_control(struct hlk_vm *vm, const struct hlk_snap *snap,
			  struct kvm_sregs *sregs, struct hlk_why_at *at)
{
	struct hlk_vcpu_state *state;

	if (!hlk_vcpus_nr(vm))
		return hlk_fail(at, -EINVAL, HLK_WHY_NO_VCPU, 0, 0);
	if (snap) {
		state = snap->vcpus[0];
		*sregs = state->sync.sregs;
	} else if (vcpu_control(vm->vcpus[0], sregs)) {
		return hlk_fail(at, -EINVAL, HLK_WHY_VCPU_REGS, 0, 0);
	}
	if (!(sregs->cr0 & X86_CR0_PG))
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_NOT_I686, 0, 0);
	return 0;
}

/**
 * hlk_vcpu_paging() - how vCPU 0 reads page tables, for a compact snapshot
 * @vm: the VM, whose vCPUs are held
 * @snap: the snapshot, which has its registers
 * @mode: out: the modes
 * @cr3: out: CR3
 * @at: the reason of a failure
 *
 * Return: 0; -EINVAL if there is no vCPU; -EOPNOTSUPP if it does not use 32-bit paging
 */
int hlk_vcpu_paging(struct hlk_vm *vm, const struct hlk_snap *snap,
		    struct i686_mode *mode, u64 *cr3, struct hlk_why_at *at)
{
	struct kvm_sregs sregs;
	int bits;
	int ret;

	ret = paging_control(vm, snap, &sregs, at);
	if (ret)
		return ret;
	if (sregs.cr4 & X86_CR4_PAE || sregs.efer & EFER_LMA)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_NOT_I686, 0, 0);
	bits = vm->vcpus[0]->arch.maxphyaddr;
	mode->wp = sregs.cr0 & X86_CR0_WP;
	mode->pse = sregs.cr4 & X86_CR4_PSE;
	mode->maxphyaddr = clamp(bits, 32, I686_PSE36_BITS);
	*cr3 = sregs.cr3;
	return 0;
}

/* Bits of control registers, and what they are here */
static const struct {
	u64 bit;
	u32 flag;
} paging_cr4[] = {
	{ X86_CR4_PSE, HLK_PAGING_PSE },
	{ X86_CR4_PAE, HLK_PAGING_PAE },
	{ X86_CR4_SMEP, HLK_PAGING_SMEP },
	{ X86_CR4_SMAP, HLK_PAGING_SMAP },
	{ X86_CR4_PKE, HLK_PAGING_PKE },
};

/*
 * Intel's processors hold the pointers since CR3 was loaded. AMD's read them from
 * memory with nested paging, and so does KVM when it loads registers of kvm_run.
 */
static void paging_pdptrs(struct kvm_vcpu *vcpu, struct hlk_paging *paging)
{
	const u64 *pdptrs = hlk_vcpu_pdptrs(vcpu);

	if (!pdptrs || !boot_cpu_has(X86_FEATURE_VMX) ||
	    vcpu->run->kvm_dirty_regs & KVM_SYNC_X86_SREGS)
		return;
	paging->flags |= HLK_PAGING_PDPTRS;
	memcpy(paging->pdpte, pdptrs, sizeof(paging->pdpte));
}

/**
 * hlk_vcpu_modes() - how vCPU 0 reads page tables, of whatever format
 * @vm: the VM, whose vCPUs are held
 * @paging: out: the modes
 * @cr3: out: CR3
 * @at: the reason of a failure
 *
 * What depends on the processor rather than on registers is that of the one that walks
 * the tables, the host's.
 *
 * Return: 0; -EINVAL if there is no vCPU or its registers are neither in its
 * kvm_run nor known to KVM; -EOPNOTSUPP if it does not use paging
 */
int hlk_vcpu_modes(struct hlk_vm *vm, struct hlk_paging *paging, u64 *cr3,
		   struct hlk_why_at *at)
{
	struct kvm_sregs sregs;
	struct kvm_vcpu *vcpu;
	int most = 52;
	int bits;
	int ret;
	u32 i;

	ret = paging_control(vm, NULL, &sregs, at);
	if (ret)
		return ret;
	vcpu = vm->vcpus[0];
	memset(paging, 0, sizeof(*paging));
	for (i = 0; i < ARRAY_SIZE(paging_cr4); i++)
		if (sregs.cr4 & paging_cr4[i].bit)
			paging->flags |= paging_cr4[i].flag;
	if (sregs.cr0 & X86_CR0_WP)
		paging->flags |= HLK_PAGING_WP;
	if (sregs.efer & EFER_NX)
		paging->flags |= HLK_PAGING_NXE;
	if (sregs.efer & EFER_LMA) {
		paging->flags |= HLK_PAGING_PAE | HLK_PAGING_LONG;
		if (sregs.cr4 & X86_CR4_LA57)
			paging->flags |= HLK_PAGING_LA57;
	} else if (sregs.cr4 & X86_CR4_PAE) {
		paging_pdptrs(vcpu, paging);
	} else {
		most = I686_PSE36_BITS;
	}
	if (!boot_cpu_has(X86_FEATURE_GBPAGES))
		paging->flags |= HLK_PAGING_NO_1G;
	if (boot_cpu_data.x86_vendor != X86_VENDOR_INTEL)
		paging->flags |= HLK_PAGING_AMD;
	bits = vcpu->arch.maxphyaddr;
	paging->maxphyaddr = clamp(bits, 32, most);
	paging->pkru = vcpu->arch.pkru;
	*cr3 = sregs.cr3;
	return 0;
}
