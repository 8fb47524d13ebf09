// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is asked before a VM or what user space describes is used.
 */
#include <linux/capability.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include <asm/vmx.h>

#include "hlk.h"

/**
 * hlk_vm_window() - the window of a range
 * @vm: the VM
 * @nr: index of the range in its layout, which is sorted; windows are not
 */
struct hlk_vm_window *hlk_vm_window(struct hlk_vm *vm, u32 nr)
{
	u32 i;

	for (i = 0; i < vm->nr_windows; i++)
		if (vm->windows[i]->range.gfn == vm->layout.range[nr].gfn)
			return vm->windows[i];
	return NULL;
}

/**
 * hlk_vm_check() - may the caller use the VM?
 * @vm: the VM
 * @at: the reason of a failure
 *
 * Return: 0 or -EPERM
 */
int hlk_vm_check(struct hlk_vm *vm, struct hlk_why_at *at)
{
	if (vm->inspect)
		return hlk_fail(at, -EPERM, HLK_WHY_INSPECT_ONLY, 0, 0);
	if (vm->kvm->mm != current->mm)
		return hlk_fail(at, -EPERM, HLK_WHY_OTHER_PROCESS, 0, 0);
	return 0;
}

/**
 * hlk_vm_check_look() - may the caller look at the VM's memory and page tables?
 * @vm: the VM
 * @at: the reason of a failure
 *
 * Asked at each call, since an fd may be passed on to somebody with less rights.
 *
 * Return: 0 or -EPERM
 */
int hlk_vm_check_look(struct hlk_vm *vm, struct hlk_why_at *at)
{
	if (vm->kvm->mm == current->mm)
		return 0;
	if (!vm->inspect)
		return hlk_fail(at, -EPERM, HLK_WHY_OTHER_PROCESS, 0, 0);
	if (!capable(CAP_SYS_PTRACE))
		return hlk_fail(at, -EPERM, HLK_WHY_PRIVILEGE, 0, 0);
	return 0;
}

/* May the guest write memory there that no snapshot holds? By addresses alone. */
static bool slot_beside(const struct hlk_layout *layout,
			const struct kvm_memory_slot *slot)
{
	u64 end = slot->base_gfn + slot->npages;
	u64 beside = slot->npages;
	const struct hlk_range *range;
	u64 from, to;
	u32 i;

	if (slot->flags & KVM_MEM_READONLY || slot->id >= KVM_USER_MEM_SLOTS)
		return false;
	for (i = 0; i < layout->nr; i++) {
		range = &layout->range[i];
		from = max_t(u64, slot->base_gfn, range->gfn);
		to = min_t(u64, end, range->gfn + range->pages);
		if (from < to)
			beside -= to - from;
	}
	return beside;
}

/*
 * Why a VM with this memslot is refused. Of the slots that KVM makes for itself, those
 * that it has where the processor's guests are restricted (the TSS, the identity map)
 * are memory to the guest, and to nobody else: it finds there what it wrote before the
 * restore. The APIC's is told by HLK_RESIDUE_IRQCHIP.
 */
static enum hlk_why slot_why(const struct kvm_memory_slot *slot)
{
	if (slot->id >= KVM_USER_MEM_SLOTS && slot->id != APIC_ACCESS_PAGE_PRIVATE_MEMSLOT)
		return HLK_WHY_KVM_PAGES;
	return slot->flags & KVM_MEM_LOG_DIRTY_PAGES ? HLK_WHY_DIRTY_LOG : HLK_WHY_NONE;
}

/* What cannot be turned off is told first, and of several slots the lowest. */
static void slots_refuse(struct hlk_vm *vm, enum hlk_why why, u64 gfn)
{
	if (why < vm->slots_why || (why == vm->slots_why && gfn >= vm->slots_gfn))
		return;
	vm->slots_why = why;
	vm->slots_gfn = gfn;
}

/*
 * What is of interest of memslots, in each address space. Inline, each restore would save
 * registers for it.
 */
static noinline void slots_look(struct hlk_vm *vm)
{
	struct kvm_memory_slot *slot;
	struct kvm_memslots *slots;
	int bkt;
	int idx;
	u32 i;

	vm->slots_why = HLK_WHY_NONE;
	vm->slots_gfn = 0;
	vm->beside = false;
	idx = srcu_read_lock(&vm->kvm->srcu);
	for (i = 0; i < KVM_MAX_NR_ADDRESS_SPACES; i++) {
		slots = srcu_dereference(vm->kvm->memslots[i], &vm->kvm->srcu);
		if (!slots)
			continue;
		kvm_for_each_memslot(slot, bkt, slots) {
			vm->beside |= slot_beside(&vm->layout, slot);
			slots_refuse(vm, slot_why(slot), slot->base_gfn);
			/* they may be 32,764, and windows 64 */
			cond_resched();
		}
	}
	srcu_read_unlock(&vm->kvm->srcu, idx);
}

/**
 * hlk_vm_check_slots() - has the VM no memslot that rules snapshots and restores out?
 * @vm: the VM; its lock is held
 * @at: the reason of a failure
 *
 * Nothing that is exported tells KVM's dirty log, or its ring, of a page, and who
 * reads it would miss what a restore writes. Memory that KVM made for itself is in no
 * snapshot. Slots come after an attach as well, and whether there is such a one changes
 * with their generation, which lies in struct kvm: so this costs a look at two numbers
 * that only grow, however many slots there are. One that is read before the slots belongs
 * to them or is an older one. What else they say, @vm keeps for whoever asks later.
 *
 * Return: 0 or -EOPNOTSUPP
 */
int hlk_vm_check_slots(struct hlk_vm *vm, struct hlk_why_at *at)
{
	const struct kvm_memslots *slots;
	u64 generation = 0;
	u32 i;

	lockdep_assert_held(&vm->lock);
	for (i = 0; i < KVM_MAX_NR_ADDRESS_SPACES; i++) {
		slots = rcu_dereference_raw(vm->kvm->memslots[i]);
		generation += slots ? READ_ONCE(slots->generation) : 0;
	}
	if (unlikely(generation != vm->slots_generation)) {
		vm->slots_generation = generation;
		slots_look(vm);
	}
	if (likely(!vm->slots_why))
		return 0;
	return hlk_fail(at, -EOPNOTSUPP, vm->slots_why, 0, vm->slots_gfn << PAGE_SHIFT);
}

/**
 * hlk_layout_add_user() - add a window that user space describes
 * @layout: the layout
 * @window: the description, copied in
 * @range: out: the window
 * @at: the reason of a failure
 *
 * Return: 0, -EOPNOTSUPP for unknown flags, -EINVAL for a bad range, -EEXIST
 * if it overlaps, -EDQUOT if there are too many
 */
int hlk_layout_add_user(struct hlk_layout *layout, const struct hlk_window *window,
			struct hlk_range *range, struct hlk_why_at *at)
{
	if (window->flags & ~(HLK_WINDOW_READONLY | HLK_WINDOW_SCRATCH))
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_FLAGS, 0, window->gpa);
	if (window->__reserved || memchr_inv(window->__reserved2, 0,
					     sizeof(window->__reserved2)))
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, window->gpa);
	if (!PAGE_ALIGNED(window->gpa) || !PAGE_ALIGNED(window->bytes))
		return hlk_fail(at, -EINVAL, HLK_WHY_GPA_ALIGN, 0, window->gpa);
	range->gfn = window->gpa >> PAGE_SHIFT;
	range->pages = window->bytes >> PAGE_SHIFT;
	range->flags = window->flags;
	return hlk_layout_add(layout, range, at);
}
