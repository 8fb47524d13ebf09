// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doubt: after a restore, compare all that the guest can reach with the
 * snapshot. Slow, and on purpose not by what the restore went by: pages are
 * taken from the page tables of the process, not from the private lists alone.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "hlk.h"

/* What a restore writes anew into the page with the bookkeeping */
static bool audit_fresh(struct hlk_vm *vm, u64 gpa, u32 flags)
{
	u64 off = HLK_GUEST_SCRATCH_TOP - gpa;

	if (!vm->book || flags & HLK_RESTORE_REPRODUCIBLE ||
	    gpa >= HLK_GUEST_SCRATCH_TOP)
		return false;
	return (off <= HLK_GUEST_OFF_SEED &&
		off > HLK_GUEST_OFF_SEED - HLK_GUEST_SEED_SIZE) ||
	       (off <= HLK_GUEST_OFF_UNIQUE && off > HLK_GUEST_OFF_UNIQUE - sizeof(u64));
}

static int audit_page(struct hlk_vm *vm, struct hlk_snap *snap, u64 gfn,
		      struct page *page, u32 flags, struct hlk_why_at *at)
{
	struct page *base = hlk_snap_page(snap, gfn) ?: ZERO_PAGE(0);
	const u8 *want = page_address(base);
	const u8 *have = page_address(page);
	u64 gpa = gfn << PAGE_SHIFT;
	u32 i;

	if (PageHWPoison(base) || PageHWPoison(page))
		return hlk_fail(at, -EHWPOISON, HLK_WHY_MEMORY_FAILED, 0, gpa);
	if (page == base || !memcmp(want, have, PAGE_SIZE))
		return 0;
	for (i = 0; i < PAGE_SIZE; i++)
		if (want[i] != have[i] && !audit_fresh(vm, gpa + i, flags))
			return hlk_fail(at, -EUCLEAN, HLK_WHY_AUDIT_MEMORY, 0, gpa + i);
	return 0;
}

/* Pages that the process has mapped; all others have yet to be asked for. */
static int audit_slot(struct hlk_vm *vm, struct hlk_snap *snap,
		      const struct hlk_gmem_slot *slot, u32 flags,
		      struct hlk_why_at *at)
{
	u64 gfn = slot->window->range.gfn + slot->first;
	unsigned long hva = slot->hva;
	struct page *page;
	u64 i;
	int ret;

	for (i = 0; i < slot->pages; i++, hva += PAGE_SIZE) {
		if (get_user_pages_fast_only(hva, 1, 0, &page) == 1) {
			ret = audit_page(vm, snap, gfn + i, page, flags, at);
			put_page(page);
			if (ret)
				return ret;
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Private pages, mapped or not */
static int audit_window(struct hlk_vm *vm, struct hlk_snap *snap,
			struct hlk_vm_window *window, u32 flags,
			struct hlk_why_at *at)
{
	unsigned long index;
	struct hlk_gpage gpage;
	int ret;

	for (index = 0; hlk_window_next(window, &index); index++) {
		ret = hlk_window_get(window, index, &gpage);
		if (ret)
			return ret;
		ret = audit_page(vm, snap, window->range.gfn + index, gpage.page,
				 flags, at);
		put_page(gpage.page);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/**
 * hlk_audit() - compare a VM with the snapshot that it was restored to
 * @vm: the VM, whose vCPUs are held
 * @snap: the snapshot
 * @flags: HLK_RESTORE_* of the restore
 * @at: what differs first
 *
 * Return: 0, -EUCLEAN, -ENOMEM, -EHWPOISON if the memory of a page failed, or
 * -EINTR after a fatal signal
 */
int hlk_audit(struct hlk_vm *vm, struct hlk_snap *snap, u32 flags,
	      struct hlk_why_at *at)
{
	struct hlk_vm_gmem g;
	u32 i;
	int ret;

	lockdep_assert_held(&vm->lock);
	ret = hlk_vcpus_audit(vm, snap, at);
	for (i = 0; i < vm->nr_windows && !ret; i++)
		ret = audit_window(vm, snap, vm->windows[i], flags, at);
	if (ret)
		return ret;
	ret = hlk_gmem_init(&g, vm);
	if (ret)
		return ret;
	for (i = 0; i < g.nr && !ret; i++)
		if (g.slots[i].window)
			ret = audit_slot(vm, snap, &g.slots[i], flags, at);
	hlk_gmem_exit(&g);
	return ret;
}
