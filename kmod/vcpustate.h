/* SPDX-License-Identifier: GPL-2.0-only */
/* What a snapshot has of a vCPU, and what is asked of the vCPU itself; its mutex is held */
#ifndef _HLK_VCPUSTATE_H
#define _HLK_VCPUSTATE_H

#include <linux/kvm_host.h>

#include "fpu.h"
#include "hlk.h"

/**
 * struct hlk_vcpu_state - one vCPU in a snapshot
 * @sync: registers and events
 * @mp_state: KVM_MP_STATE_*
 * @ext_vector: the vector that a VMM with a PIC of its own gave, or -1
 * @pkru: protection keys of user pages
 * @loads: KVM_SYNC_X86_* of @sync that go in by struct kvm_run; the others are set by
 *	the snapshot's program
 * @has_tsc: what follows is known
 * @tsc_offset: how far the guest's TSC is from the host's
 * @host_tsc: what the host's was, the same for all vCPUs
 * @db: DR0 to DR3
 * @dr6: DR6
 * @dr7: DR7
 * @xcr0: XCR0
 * @xfd: components that the guest has disabled, by IA32_XFD
 * @xsave_bytes: what CPUID says that XSAVE takes for it, plain and compacted
 * @fpu_bytes: size of @fpu; 0 stands for an FPU after reset
 * @fpu: the FPU's register image, in the host's XSAVE format
 */
struct hlk_vcpu_state {
	struct kvm_sync_regs sync;
	u32 mp_state;
	int ext_vector;
	u32 pkru;
	u32 loads;
	bool has_tsc;
	u64 tsc_offset;
	u64 host_tsc;
	unsigned long db[4];
	unsigned long dr6;
	unsigned long dr7;
	u64 xcr0;
	u64 xfd;
	u32 xsave_bytes[2];
	u32 fpu_bytes;
	u8 fpu[] __aligned(64);
};

/**
 * hlk_vcpus_nr() - how many vCPUs there are
 * @vm: the VM, whose vCPUs are held
 */
static inline u32 hlk_vcpus_nr(struct hlk_vm *vm)
{
	lockdep_assert_held(&vm->kvm->lock);
	return vm->nr_vcpus;
}

/**
 * hlk_vcpu_fpstate() - the guest's FPU
 * @vcpu: the vCPU
 */
static inline struct fpstate *hlk_vcpu_fpstate(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.guest_fpu.fpstate;
}

/**
 * hlk_vcpu_cpuid() - what a vCPU's CPUID says
 * @vcpu: the vCPU
 * @function: EAX
 * @index: ECX
 *
 * Return: the entry, or NULL
 */
static inline struct kvm_cpuid_entry2 *hlk_vcpu_cpuid(struct kvm_vcpu *vcpu,
						      u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *entry = vcpu->arch.cpuid_entries;
	int i;

	for (i = 0; i < vcpu->arch.cpuid_nent; i++)
		if (entry[i].function == function && entry[i].index == index)
			return &entry[i];
	return NULL;
}

/**
 * hlk_vcpu_xsave_bytes() - what CPUID says that XSAVE takes; it follows XCR0, by KVM's hand
 * @vcpu: the vCPU
 * @index: 0: plain, 1: compacted
 *
 * Return: where that is, or NULL if the vCPU has no such leaf
 */
static inline u32 *hlk_vcpu_xsave_bytes(struct kvm_vcpu *vcpu, u32 index)
{
	struct kvm_cpuid_entry2 *entry = hlk_vcpu_cpuid(vcpu, 0xd, index);

	return entry ? &entry->ebx : NULL;
}

/**
 * hlk_fpu_header() - the header of a register image
 * @image: an image that has one
 */
static inline struct xstate_header *hlk_fpu_header(void *image)
{
	return &((union fpregs_state *)image)->xsave.header;
}

/**
 * hlk_fpu_format() - XCOMP_BV of a register image
 * @image: the image
 * @size: its size; an image without a header has but one format
 */
static inline u64 hlk_fpu_format(void *image, u32 size)
{
	return size < HLK_FPU_LEGACY ? 0 : hlk_fpu_header(image)->xcomp_bv;
}

#endif /* _HLK_VCPUSTATE_H */
