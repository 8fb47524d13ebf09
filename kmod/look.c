// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers as KVM has them. struct kvm_run has those of the last exit, if
 * kvm_valid_regs asked for them: none before the first KVM_RUN, and old ones after
 * KVM_SET_REGS. What is marked dirty there KVM will load; for all else it is asked.
 *
 * KVM answers by the vCPU's file, into memory of user space, under the vCPU's
 * mutex. So nothing of this is done under a lock of ours, and hlk_looks_settle() sees
 * whether the vCPU has been entered since.
 */
#include <linux/kvm_host.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hlk.h"

/**
 * struct hlk_look - one vCPU
 * @vcpu: the vCPU
 * @file: its file, or NULL if the caller has none; the VM holds it
 * @dirty: what of struct kvm_run KVM will load
 * @ask: KVM has to be asked
 * @exits: how often it left its guest
 * @regs: registers
 * @sregs: segment and control registers
 * @events: pending events
 */
struct hlk_look {
	struct kvm_vcpu *vcpu;
	struct file *file;
	u64 dirty;
	bool ask;
	u64 exits;
	struct kvm_regs regs;
	struct kvm_sregs2 sregs;
	struct kvm_vcpu_events events;
};

/**
 * struct hlk_looks - all vCPUs of a VM
 * @nr: how many
 * @ask: KVM has to be asked for one of them
 * @restores: of the VM, when it was looked at
 * @look: these
 * @sync: the registers that they would have at the next entry
 */
struct hlk_looks {
	u32 nr;
	bool ask;
	u64 restores;
	struct hlk_look look[HLK_MAX_VCPUS];
	struct kvm_sync_regs sync[HLK_MAX_VCPUS];
};

static void look_for_files(struct hlk_vm *vm, struct hlk_looks *looks)
{
	u32 i;

	hlk_vcpu_files_find(vm);
	for (i = 0; i < looks->nr; i++)
		looks->look[i].file = vm->vcpu_files[i];
}

/* Which vCPUs there are, at rest, and what is to be loaded into them */
static int look_around(struct hlk_vm *vm, struct hlk_looks *looks,
		       struct hlk_why_at *at)
{
	struct hlk_look *look;
	int ret;

	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	ret = hlk_vcpus_hold(vm, false, at);
	if (ret)
		goto unlock;
	looks->nr = vm->nr_vcpus;
	looks->restores = vm->restores;
	for (look = looks->look; look < looks->look + looks->nr; look++) {
		look->vcpu = vm->vcpus[look - looks->look];
		/* to end it needs no exit, so it would not be seen that it did */
		if (look->vcpu->arch.complete_userspace_io)
			ret = hlk_fail(at, -EBUSY, HLK_WHY_VCPU_IO,
				       look - looks->look, 0);
		look->dirty = look->vcpu->run->kvm_dirty_regs & HLK_SYNC_ALL;
		look->exits = look->vcpu->stat.exits;
		look->ask = look->dirty != HLK_SYNC_ALL ||
			    !hlk_events_whole(&look->vcpu->run->s.regs.events);
		looks->ask |= look->ask;
		hlk_vcpu_refresh(look->vcpu);
	}
	hlk_vcpus_release(vm);
	if (!ret && looks->ask)
		look_for_files(vm, looks);
unlock:
	mutex_unlock(&vm->lock);
	return ret;
}

static int look_call(struct hlk_look *look, unsigned int cmd, unsigned long page,
		     void *to, size_t bytes)
{
	long ret = look->file->f_op->unlocked_ioctl(look->file, cmd, page);

	if (ret)
		return ret;
	return copy_from_user(to, (void __user *)page, bytes) ? -EFAULT : 0;
}

static int look_ask(struct hlk_look *look, unsigned long page)
{
	int ret;

	ret = look_call(look, KVM_GET_VCPU_EVENTS, page, &look->events,
			sizeof(look->events));
	if (!ret)
		ret = look_call(look, KVM_GET_SREGS2, page, &look->sregs,
				sizeof(look->sregs));
	if (!ret)
		ret = look_call(look, KVM_GET_REGS, page, &look->regs,
				sizeof(look->regs));
	return ret;
}

static int look_all(struct hlk_looks *looks, unsigned long page, struct hlk_why_at *at)
{
	u32 i;
	int ret;

	for (i = 0; i < looks->nr; i++) {
		if (!looks->look[i].ask)
			continue;
		if (!looks->look[i].file)
			return hlk_fail(at, -EINVAL, HLK_WHY_VCPU_FD, i, 0);
		ret = look_ask(&looks->look[i], page);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * hlk_looks_free() - forget what hlk_looks_take() found
 * @looks: it, or NULL
 */
void hlk_looks_free(struct hlk_looks *looks)
{
	kvfree(looks);
}

/**
 * hlk_looks_take() - ask KVM for the registers of all vCPUs
 * @vm: the VM; no lock is held
 * @at: the reason of a failure
 *
 * Waits while a vCPU that was at rest is entered in between.
 *
 * Return: what was found, or an ERR_PTR(): as hlk_vcpus_hold(), -EBUSY if an I/O is
 * pending, -EINVAL if the caller has no fd of a vCPU, -ENOMEM, and what KVM returns
 */
struct hlk_looks *hlk_looks_take(struct hlk_vm *vm, struct hlk_why_at *at)
{
	struct hlk_looks *looks = kvzalloc(sizeof(*looks), HLK_GFP);
	unsigned long page;
	int ret;

	if (!looks)
		return ERR_PTR(-ENOMEM);
	ret = look_around(vm, looks, at);
	if (ret)
		goto free;
	if (!looks->ask)
		return looks;
	page = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_ANONYMOUS | MAP_PRIVATE, 0);
	if (IS_ERR_VALUE(page)) {
		/* EAGAIN is for what goes by itself, not for RLIMIT_MEMLOCK */
		ret = page == -EAGAIN ? -ENOMEM : page;
		goto free;
	}
	ret = look_all(looks, page, at);
	vm_munmap(page, PAGE_SIZE);
	if (!ret)
		return looks;
free:
	hlk_looks_free(looks);
	return ERR_PTR(ret);
}

/*
 * A guest with PAE paging may have changed its table of page directory pointers,
 * and go on with those that the processor loaded with CR3. From memory is how KVM
 * loads them.
 */
static bool look_pdptrs(struct hlk_vm *vm, const struct kvm_sregs2 *sregs)
{
	u32 at = sregs->cr3 & ~PAGE_MASK & ~(sizeof(sregs->pdptrs) - 1);
	struct hlk_vm_gmem g;
	u8 *table;
	bool same = false;

	table = kmalloc(PAGE_SIZE, HLK_GFP);
	if (!table)
		return false;
	if (!hlk_gmem_init(&g, vm)) {
		same = !i686_read_table(&g.gmem, (u32)sregs->cr3 >> PAGE_SHIFT,
					(u32 *)table) &&
		       !memcmp(table + at, sregs->pdptrs, sizeof(sregs->pdptrs));
		hlk_gmem_exit(&g);
	}
	kfree(table);
	return same;
}

static int look_settle(struct hlk_vm *vm, struct hlk_looks *looks, u32 nr,
		       const struct hlk_program *program, struct hlk_why_at *at)
{
	const struct hlk_look *look = &looks->look[nr];
	struct kvm_sync_regs *sync = &looks->sync[nr];
	struct kvm_vcpu *vcpu = vm->vcpus[nr];

	lockdep_assert_held(&vcpu->mutex);
	if (look->exits != vcpu->stat.exits ||
	    look->dirty != (vcpu->run->kvm_dirty_regs & HLK_SYNC_ALL))
		return hlk_fail(at, -EBUSY, HLK_WHY_VCPU_RUNNING, nr, 0);
	memcpy(sync, &vcpu->run->s.regs, sizeof(*sync));
	if (!(look->dirty & KVM_SYNC_X86_REGS))
		sync->regs = look->regs;
	if (!(look->dirty & KVM_SYNC_X86_EVENTS))
		sync->events = look->events;
	hlk_events_complete(&sync->events, &look->events);
	if (look->dirty & KVM_SYNC_X86_SREGS)
		return 0;
	/* an interrupt that waits is one of the events */
	memset(&sync->sregs, 0, sizeof(sync->sregs));
	memcpy(&sync->sregs, &look->sregs, offsetof(struct kvm_sregs, interrupt_bitmap));
	/* AMD's processors go by memory with nested paging, whatever KVM remembers */
	if (look->sregs.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID &&
	    boot_cpu_has(X86_FEATURE_VMX) &&
	    !hlk_program_does(program, HLK_PROGRAM_PDPTRS, nr) &&
	    !look_pdptrs(vm, &look->sregs))
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_PDPTRS, nr, look->sregs.cr3);
	return 0;
}

/**
 * hlk_looks_settle() - the registers that vCPUs would have at the next entry
 * @vm: the VM, whose vCPUs are held
 * @looks: what was found
 * @program: what the snapshot brings back beside them, or NULL
 * @at: the reason of a failure
 *
 * Return: one element for each vCPU, part of @looks; or an ERR_PTR(): -EBUSY if one
 * was entered or restored since, -EOPNOTSUPP if nothing could bring them back
 */
const struct kvm_sync_regs *hlk_looks_settle(struct hlk_vm *vm, struct hlk_looks *looks,
					     const struct hlk_program *program,
					     struct hlk_why_at *at)
{
	u32 i;
	int ret;

	lockdep_assert_held(&vm->kvm->lock);
	/* a restore, and KVM_RUN with immediate_exit after it, are no exit either */
	if (vm->nr_vcpus != looks->nr ||
	    (looks->ask && vm->restores != looks->restores))
		return ERR_PTR(hlk_fail(at, -EBUSY, HLK_WHY_VCPU_RUNNING, looks->nr, 0));
	for (i = 0; i < looks->nr; i++) {
		ret = look_settle(vm, looks, i, program, at);
		if (ret)
			return ERR_PTR(ret);
	}
	return looks->sync;
}
