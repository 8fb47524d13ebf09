/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Version differences, and nothing else. Included on the command line, before
 * all other headers; the sources are written for the newest kernel.
 *
 * Supported: 6.1, 6.12, 7.3 and what lies between.
 */
#ifndef _HLK_COMPAT_H
#define _HLK_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "hlk needs Linux 6.1 or later"
#endif

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#include <linux/io_uring.h>
#else
#include <linux/io_uring/cmd.h>
#endif

/* vm_flags is read-only from 6.3 on. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/*
 * From 6.18 on KVM exports file_is_kvm() to its own modules alone. There a VM's
 * file is known by three things together, none of which another file has: it
 * is an anonymous inode, KVM's vendor module owns its operations, and KVM named
 * it so.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
static inline bool hlk_file_is_kvm(struct file *file)
{
	return file_is_kvm(file);
}
#else
static inline bool hlk_file_is_kvm(struct file *file)
{
	const struct module *owner = file->f_op->owner;

	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       owner && (!strcmp(owner->name, "kvm") ||
			 !strcmp(owner->name, "kvm_amd") ||
			 !strcmp(owner->name, "kvm_intel")) &&
	       !strcmp(file->f_path.dentry->d_name.name, "kvm-vm");
}
#endif

/* One array less from 6.5 on. @locked: NULL, or in: 1. out: is the memory map still locked? */
static inline long hlk_get_user_page_remote(struct mm_struct *mm, unsigned long hva,
					    unsigned int flags, struct page **page,
					    int *locked)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, hva, 1, flags, page, NULL, locked);
#else
	return get_user_pages_remote(mm, hva, 1, flags, page, locked);
#endif
}

/* From 6.11 on */
#ifndef fd_file
#define fd_file(fd)	((fd).file)
#endif

/* Its name before 6.8 */
#ifndef KVM_MAX_NR_ADDRESS_SPACES
#define KVM_MAX_NR_ADDRESS_SPACES KVM_ADDRESS_SPACE_NUM
#endif

/* Until 6.12 the function was set by hand. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hrtimer_setup_on_stack(struct hrtimer *timer,
					  enum hrtimer_restart (*fn)(struct hrtimer *),
					  clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init_on_stack(timer, clock, mode);
	timer->function = fn;
}
#endif

/* What a caller put into the command area of an SQE */
static inline const void *hlk_uring_payload(const struct io_uring_cmd *cmd)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return cmd->cmd;
#else
	return cmd->sqe->cmd;
#endif
}

/*
 * From 6.16 on. Before, each lock that was tried takes one of lockdep's 48 places, so
 * it is told anew that this one nests.
 */
#ifndef mutex_trylock_nest_lock
static inline bool mutex_trylock_nest_lock(struct mutex *lock, struct mutex *nest_lock)
{
	if (!mutex_trylock(lock))
		return false;
	mutex_release(&lock->dep_map, _THIS_IP_);
	mutex_acquire_nest(&lock->dep_map, 0, 1, &nest_lock->dep_map, _THIS_IP_);
	return true;
}
#endif

/*
 * From 6.14 on KVM works out what CPUID says of XCR0 when somebody asks, if XCR0
 * has changed since the last time.
 */
static inline void hlk_vcpu_xcr0_changed(struct kvm_vcpu *vcpu)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
	vcpu->arch.cpuid_dynamic_bits_dirty = true;
#endif
}

/*
 * Does the vCPU run a guest, if its mutex is held? Where KVM does not tell, who only
 * looks at it is taken for one. Kbuild has looked.
 */
static inline bool hlk_vcpu_wants_to_run(const struct kvm_vcpu *vcpu)
{
#ifdef HLK_KVM_WANTS_TO_RUN
	return READ_ONCE(vcpu->wants_to_run);
#else
	return true;
#endif
}

/* Its name says in the kernel from 6.11 on that user space may change it; Kbuild has looked. */
static inline bool hlk_immediate_exit(const struct kvm_run *run)
{
#ifdef HLK_KVM_EXIT_UNSAFE
	return READ_ONCE(run->immediate_exit__unsafe);
#else
	return READ_ONCE(run->immediate_exit);
#endif
}

/* Does HLT of a guest not leave it? One word for all such instructions from 6.17 on */
static inline bool hlk_hlt_in_guest(const struct kvm *kvm)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
	return kvm->arch.hlt_in_guest;
#else
	return kvm->arch.disabled_exits & KVM_X86_DISABLE_EXITS_HLT;
#endif
}

/* From 6.2 on KVM can be built without system management mode. */
#ifdef KVM_REQ_SMI
#define HLK_KVM_HAS_SMM	true
#define HLK_HF_SMM	HF_SMM_MASK
#else
#define HLK_KVM_HAS_SMM	false
#define HLK_HF_SMM	0
#endif

/* Is the vCPU in a guest of its guest, or in system management mode? */
static inline bool hlk_vcpu_modal(const struct kvm_vcpu *vcpu)
{
#ifdef HF_SMM_MASK
	return vcpu->arch.hflags & (HF_GUEST_MASK | HF_SMM_MASK);
#else
	return vcpu->arch.hflags & HF_GUEST_MASK;
#endif
}

/* From 6.3, 6.4 and 6.6 on; kernels before do not offer them to a guest. */
#ifndef X86_CR4_CET
#define X86_CR4_CET	BIT_ULL(23)
#endif
#ifndef EFER_AUTOIBRS
#define EFER_AUTOIBRS	BIT_ULL(21)
#endif
#ifndef X86_CR3_LAM_U48
#define X86_CR3_LAM_U57	BIT_ULL(61)
#define X86_CR3_LAM_U48	BIT_ULL(62)
#endif

/* Does KVM have the vCPU's CR0 and CR3 at hand, or only the hardware? */
static inline bool hlk_vcpu_has_control(struct kvm_vcpu *vcpu)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
	return vcpu->arch.regs_avail & BIT(VCPU_EXREG_CR0) &&
	       vcpu->arch.regs_avail & BIT(VCPU_EXREG_CR3);
#else
	return test_bit(VCPU_REG_CR0, vcpu->arch.regs_avail) &&
	       test_bit(VCPU_REG_CR3, vcpu->arch.regs_avail);
#endif
}

/* Has KVM a CR3 that is for the next entry? */
static inline bool hlk_vcpu_cr3_set(struct kvm_vcpu *vcpu)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
	return vcpu->arch.regs_dirty & BIT(VCPU_EXREG_CR3);
#else
	return test_bit(VCPU_REG_CR3, vcpu->arch.regs_dirty);
#endif
}

/* The page directory pointers, if KVM has them at hand; part of the MMU until 7.1 */
static inline const u64 *hlk_vcpu_pdptrs(struct kvm_vcpu *vcpu)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
	if (vcpu->arch.regs_avail & BIT(VCPU_EXREG_PDPTR))
		return vcpu->arch.walk_mmu->pdptrs;
#else
	if (test_bit(VCPU_REG_PDPTR, vcpu->arch.regs_avail))
		return vcpu->arch.pdptrs;
#endif
	return NULL;
}

#endif /* _HLK_COMPAT_H */
