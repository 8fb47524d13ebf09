// SPDX-License-Identifier: GPL-2.0-only
/*
 * State programs: mapped, and their calls made.
 *
 * KVM exports nothing by which a local APIC or an MSR could be set, but its files
 * take calls from user space, and so they do from here, with user pointers. The
 * arguments lie in pages of the snapshot, which the caller maps by the snapshot's fd.
 * They cannot be written by anybody. What the mapping shows while KVM reads is
 * the caller's care all the same: he could unmap it, and put other bytes there. All
 * that can come of it is what he could have asked KVM for himself.
 */
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "hlk.h"
#include "program.h"

#define PROGRAM_PGOFF	(HLK_PROGRAM_OFFSET >> PAGE_SHIFT)

/**
 * hlk_program_residue() - what would be residue without the program
 * @snap: the snapshot
 * @kvm: the VM, with its interrupt controllers
 * @time_back: the program of HLK_RESTORE_TIME_BACK
 *
 * Return: HLK_RESIDUE_* bits
 */
u32 hlk_program_residue(const struct hlk_snap *snap, const struct kvm *kvm,
			bool time_back)
{
	u32 all = BIT(snap->nr_vcpus) - 1;
	u32 residue = 0;
	const u32 *does;

	if (!snap->program || !all)
		return 0;
	does = snap->program->does[time_back];
	if (does[HLK_PROGRAM_MSRS] == all && !hlk_vcpus_shadow_stacks(snap))
		residue |= HLK_RESIDUE_MSRS;
	if (does[HLK_PROGRAM_DEBUGREGS] == all)
		residue |= HLK_RESIDUE_DEBUGREGS;
	if (does[HLK_PROGRAM_LAPIC] != all || hlk_vcpus_await(snap))
		return residue;
	/* memory to guests that may write IA32_APIC_BASE, and no call reaches it */
	if (READ_ONCE(kvm->arch.apic_access_memslot_enabled) &&
	    !rcu_access_pointer(kvm->arch.msr_filter))
		return residue;
	if (kvm->arch.irqchip_mode == KVM_IRQCHIP_SPLIT ||
	    (does[HLK_PROGRAM_CHIPS] == BIT(KVM_NR_IRQCHIPS) - 1 &&
	     (does[HLK_PROGRAM_PIT] || !READ_ONCE(kvm->arch.vpit))))
		residue |= HLK_RESIDUE_IRQCHIP;
	return residue;
}

static vm_fault_t program_fault(struct vm_fault *vmf)
{
	const struct hlk_snap *snap = vmf->vma->vm_private_data;
	const struct hlk_program *program = snap->program;

	if (vmf->pgoff - PROGRAM_PGOFF >= program->nr_pages)
		return VM_FAULT_SIGBUS;
	return hlk_insert_shared(vmf, program->pages[vmf->pgoff - PROGRAM_PGOFF]);
}

static const struct vm_operations_struct program_vm_ops = {
	.fault = program_fault,
};

/**
 * hlk_program_mmap() - map a snapshot's program
 * @snap: the snapshot, which the mapping's file holds
 * @vma: the mapping: shared, read-only
 *
 * Return: 0, -ENXIO if there is no program, or not at this offset, -EINVAL for a part
 * of it
 */
int hlk_program_mmap(struct hlk_snap *snap, struct vm_area_struct *vma)
{
	if (!snap->program || vma->vm_pgoff != PROGRAM_PGOFF)
		return -ENXIO;
	if (vma_pages(vma) != snap->program->nr_pages)
		return -EINVAL;
	vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = snap;
	vma->vm_ops = &program_vm_ops;
	return 0;
}

static int program_mapped(const struct hlk_snap *snap, u64 address,
			  struct hlk_why_at *at)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool mapped;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, address);
	mapped = vma && vma->vm_ops == &program_vm_ops &&
		 vma->vm_private_data == snap && vma->vm_start == address &&
		 vma->vm_pgoff == PROGRAM_PGOFF &&
		 vma_pages(vma) == snap->program->nr_pages;
	mmap_read_unlock(mm);
	return mapped ? 0 : hlk_fail(at, -EFAULT, HLK_WHY_PROGRAM_MAPPING, 0, address);
}

/**
 * hlk_program_ready() - can a snapshot's program be made?
 * @vm: the VM; its lock is held, its vCPUs fit the snapshot and are held
 * @snap: the snapshot
 * @address: where the caller has the program mapped, or 0
 * @at: the reason of a failure
 *
 * Asked before a restore changes anything.
 *
 * Return: 0, -EINVAL, -EFAULT, -EMEDIUMTYPE or -EINTR
 */
int hlk_program_ready(struct hlk_vm *vm, const struct hlk_snap *snap, u64 address,
		      struct hlk_why_at *at)
{
	const struct hlk_program *program = snap->program;
	u32 bytes;
	u32 i;
	int ret;

	lockdep_assert_held(&vm->lock);
	if (!program)
		return hlk_fail(at, -EFAULT, HLK_WHY_PROGRAM_MAPPING, 0, address);
	if (!address)
		return hlk_fail(at, -EINVAL, HLK_WHY_PROGRAM_MISSING, 0, 0);
	/* nothing will be read there */
	if (!program->nr_calls)
		return 0;
	ret = program_mapped(snap, address, at);
	if (ret)
		return ret;
	if (program->vcpus)
		hlk_vcpu_files_find(vm);
	for (i = 0; i < snap->nr_vcpus; i++) {
		if (!(program->vcpus & BIT(i)))
			continue;
		if (!vm->vcpu_files[i])
			return hlk_fail(at, -EINVAL, HLK_WHY_VCPU_FD, i, 0);
		bytes = vm->vcpus[i]->arch.guest_fpu.uabi_size;
		if (program->xsave[i] && program->xsave[i] < bytes)
			return hlk_fail(at, -EMEDIUMTYPE, HLK_WHY_PROGRAM_XSAVE, i,
					bytes);
	}
	return 0;
}

static long program_call(struct hlk_vm *vm, const struct hlk_program_call *call,
			 u64 address)
{
	struct file *file = call->target == HLK_PROGRAM_VM ? vm->kvm_file :
							     vm->vcpu_files[call->target];

	return file->f_op->unlocked_ioctl(file, call->cmd,
					  call->by_value ? call->value :
							   address + call->offset);
}

/* KVM's word for it, which may be that it took the first few MSRs alone. */
static int program_failed(const struct hlk_program *program, u32 nr, long ret,
			  struct hlk_why_at *at)
{
	const struct hlk_program_call *call = &program->calls[nr];
	u32 msr;

	if (ret >= 0 && ret < call->success) {
		hlk_program_read(program,
				 call->offset + offsetof(struct kvm_msrs, entries[ret]),
				 &msr, sizeof(msr));
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_PROGRAM_MSR, nr, msr);
	}
	return hlk_fail(at, ret < 0 ? ret : -EINVAL, HLK_WHY_PROGRAM_CALL, nr, call->cmd);
}

/**
 * hlk_program_accept() - have KVM take INIT and SIPI that the call before left under way
 * @vm: the VM; its lock is held, and its vCPUs are not
 * @snap: the snapshot
 * @at: the reason of a failure
 *
 * KVM keeps them where no call sets them, but takes them whenever it is asked for the MP
 * state. What comes of it is thrown away by the restore, like all that the call before did;
 * so is the answer, for which there is no room at the end of user space.
 *
 * Return: 0, or what KVM returns
 */
int hlk_program_accept(struct hlk_vm *vm, const struct hlk_snap *snap,
		       struct hlk_why_at *at)
{
	const struct hlk_program *program = snap->program;
	const struct hlk_program_call *call;
	struct file *file;
	long ret;
	u32 i;

	lockdep_assert_held(&vm->lock);
	hlk_vcpu_files_find(vm);
	for (i = 0; i < program->nr_calls; i++) {
		call = &program->calls[i];
		/* that a file, or the vCPU, is not there is told when all are held */
		file = call->first ? vm->vcpu_files[call->target] : NULL;
		if (!file)
			continue;
		ret = file->f_op->unlocked_ioctl(file, call->cmd, TASK_SIZE_MAX);
		if (ret != -EFAULT)
			return hlk_fail(at, ret < 0 ? ret : -EINVAL,
					HLK_WHY_PROGRAM_CALL, i, call->cmd);
		cond_resched();
	}
	return 0;
}

/**
 * hlk_program_run() - make a program's calls
 * @vm: the VM; its lock is held, and its vCPUs are not
 * @snap: the snapshot, for which hlk_program_ready() said yes
 * @address: where the program is mapped
 * @flags: HLK_RESTORE_*
 * @at: the reason of a failure
 *
 * Return: 0, -EINTR after a fatal signal, -EOPNOTSUPP for an MSR, or what KVM returns
 */
int hlk_program_run(struct hlk_vm *vm, const struct hlk_snap *snap, u64 address,
		    u32 flags, struct hlk_why_at *at)
{
	const u32 others = (flags & HLK_RESTORE_TIME_BACK ? HLK_PROGRAM_TIME_GOES_ON :
							    HLK_PROGRAM_TIME_BACK) |
			   (flags & HLK_RESTORE_REPRODUCIBLE ? HLK_PROGRAM_FRESH : 0);
	const struct hlk_program *program = snap->program;
	long ret;
	u32 i;

	lockdep_assert_held(&vm->lock);
	for (i = 0; i < program->nr_calls; i++) {
		if (program->calls[i].when & others || program->calls[i].first)
			continue;
		ret = program_call(vm, &program->calls[i], address);
		if (unlikely(ret != program->calls[i].success))
			return program_failed(program, i, ret, at);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
