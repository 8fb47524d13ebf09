// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doubt: after a restore, compare all that the guest can reach with the
 * snapshot. Slow, and on purpose not by what the restore went by: what mappings show
 * is taken from the page tables of the process, and not from the private lists
 * alone. KVM maps for the guest what these page tables have, and is told when they
 * change, so who looks there sees what the guest does. What cannot be looked at is
 * counted.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "hlk.h"

/* Pages or mappings that are looked at before others may have the memory map */
#define AUDIT_BATCH	256

/**
 * struct audit - one audit
 * @vm: the VM, whose vCPUs are held
 * @snap: the snapshot that it was restored to
 * @flags: HLK_RESTORE_* of the restore
 * @at: what differs first
 * @mappings: mappings of windows that were met
 * @done: what was looked at
 */
struct audit {
	struct hlk_vm *vm;
	struct hlk_snap *snap;
	u32 flags;
	struct hlk_why_at *at;
	u64 mappings;
	struct hlk_audited done;
};

static int audit_fail(struct audit *a, enum hlk_why why, u64 gpa)
{
	return hlk_fail(a->at, -EUCLEAN, why, 0, gpa);
}

/* Does the restore write new numbers into the page with the bookkeeping? */
static bool audit_renewed(const struct audit *a)
{
	return a->vm->book && !(a->flags & HLK_RESTORE_REPRODUCIBLE);
}

static bool audit_fresh(const struct audit *a, u64 gpa)
{
	u64 off = HLK_GUEST_SCRATCH_TOP - gpa;

	if (!audit_renewed(a) || gpa >= HLK_GUEST_SCRATCH_TOP)
		return false;
	return (off <= HLK_GUEST_OFF_SEED &&
		off > HLK_GUEST_OFF_SEED - HLK_GUEST_SEED_SIZE) ||
	       (off <= HLK_GUEST_OFF_UNIQUE && off > HLK_GUEST_OFF_UNIQUE - sizeof(u64));
}

/* The numbers that are not the snapshot's have to be new ones. */
static int audit_book(struct audit *a)
{
	const u64 top = HLK_GUEST_SCRATCH_TOP;
	struct page *base = hlk_snap_page(a->snap, (top - 1) >> PAGE_SHIFT);
	const u8 *old = page_address(base ?: ZERO_PAGE(0)) + PAGE_SIZE;
	const u8 *now;

	if (!audit_renewed(a))
		return 0;
	now = page_address(a->vm->book->pinned_page) + PAGE_SIZE;
	if (memcmp(now - HLK_GUEST_OFF_UNIQUE, &a->vm->unique, sizeof(u64)))
		return audit_fail(a, HLK_WHY_AUDIT_MEMORY, top - HLK_GUEST_OFF_UNIQUE);
	if (!memcmp(now - HLK_GUEST_OFF_SEED, old - HLK_GUEST_OFF_SEED,
		    HLK_GUEST_SEED_SIZE))
		return audit_fail(a, HLK_WHY_AUDIT_MEMORY, top - HLK_GUEST_OFF_SEED);
	return 0;
}

/* What a page is to be; of tables that were learned, which hlk_learn_audit() looks at */
static struct page *audit_base(struct audit *a, u64 gfn)
{
	int nr = hlk_layout_find(&a->vm->layout, gfn);
	struct hlk_vm_window *window;
	struct page *page = NULL;

	if (nr >= 0) {
		window = a->vm->windows[nr];
		mutex_lock(&window->lock);
		page = hlk_learned_page(window, gfn - window->range.gfn);
		mutex_unlock(&window->lock);
	}
	return page ?: hlk_snap_page(a->snap, gfn) ?: ZERO_PAGE(0);
}

static int audit_page(struct audit *a, u64 gfn, struct page *page)
{
	struct page *base = audit_base(a, gfn);
	const u8 *want = page_address(base);
	const u8 *have = page_address(page);
	u64 gpa = gfn << PAGE_SHIFT;
	u32 i;

	if (PageHWPoison(base) || PageHWPoison(page))
		return hlk_fail(a->at, -EHWPOISON, HLK_WHY_MEMORY_FAILED, 0, gpa);
	if (page == base || !memcmp(want, have, PAGE_SIZE))
		return 0;
	for (i = 0; i < PAGE_SIZE; i++)
		if (want[i] != have[i] && !audit_fresh(a, gpa + i))
			return audit_fail(a, HLK_WHY_AUDIT_MEMORY, gpa + i);
	return 0;
}

/* The VM's page of zeroes, once for all mappings that show it */
static int audit_zero_page(struct audit *a)
{
	const u8 *zero = page_address(a->vm->zero_page);
	const u8 *wrong = memchr_inv(zero, 0, PAGE_SIZE);

	return wrong ? audit_fail(a, HLK_WHY_AUDIT_MEMORY, wrong - zero) : 0;
}

static bool audit_writable(struct mm_struct *mm, unsigned long hva)
{
	struct page *page;

	if (hlk_get_user_page_remote(mm, hva, FOLL_NOFAULT | FOLL_WRITE, &page,
				     NULL) != 1)
		return false;
	put_page(page);
	return true;
}

/*
 * Does a mapping show the page that the window has there, and a shared one not to
 * be written, and is it noted as shown, as the next switch goes by? Under the window's
 * lock neither changes. No page is asked for, so no fault waits for that lock. Private
 * pages are compared by audit_private().
 */
static int audit_shown(struct audit *a, struct hlk_vm_window *window, u64 index,
		       unsigned long hva)
{
	struct mm_struct *mm = a->vm->kvm->mm;
	u64 gfn = window->range.gfn + index;
	struct page *page;
	struct page *want;
	bool wrong = false;
	bool frozen;
	long got;
	int ret = 0;

	mutex_lock(&window->lock);
	got = hlk_get_user_page_remote(mm, hva, FOLL_NOFAULT | FOLL_FORCE, &page,
				       NULL);
	if (got == 1) {
		want = hlk_window_page(window, index, &frozen) ?: a->vm->zero_page;
		wrong = page != want || frozen != hlk_window_shows(window, index) ||
			(frozen && audit_writable(mm, hva));
	}
	mutex_unlock(&window->lock);
	if (got != 1) {
		a->done.absent++;
		/* but for "nothing there" something is odd, and is told */
		return got < 0 && got != -EFAULT ? got : 0;
	}
	a->done.mapped++;
	if (wrong || (frozen && (page != a->vm->zero_page || hlk_snap_page(a->snap, gfn))))
		ret = audit_page(a, gfn, page);
	put_page(page);
	if (wrong && !ret)
		ret = audit_fail(a, HLK_WHY_AUDIT_MAPPING, gfn << PAGE_SHIFT);
	return ret;
}

/* The window that a mapping shows, if it is one of this VM's */
static struct hlk_vm_window *audit_window(const struct audit *a,
					  const struct vm_area_struct *vma)
{
	struct hlk_vm_window *window = vma->vm_private_data;

	if (vma->vm_ops != &hlk_window_vm_ops || window->vm != a->vm)
		return NULL;
	return window;
}

/* Go on at @hva, for a while; it is 0 when all was seen. */
static int audit_some(struct audit *a, unsigned long *hva)
{
	struct hlk_vm_window *window;
	struct vm_area_struct *vma;
	u64 index;
	u32 left;
	int ret;

	for (left = AUDIT_BATCH; left; left--) {
		vma = find_vma(a->vm->kvm->mm, *hva);
		if (!vma) {
			*hva = 0;
			return 0;
		}
		window = audit_window(a, vma);
		if (!window) {
			*hva = vma->vm_end;
			continue;
		}
		if (*hva <= vma->vm_start) {
			*hva = vma->vm_start;
			a->mappings++;
		}
		index = vma->vm_pgoff + ((*hva - vma->vm_start) >> PAGE_SHIFT) -
			window->range.gfn;
		ret = audit_shown(a, window, index, *hva);
		if (ret)
			return ret;
		*hva += PAGE_SIZE;
	}
	return 0;
}

/* All mappings that the process has of the windows, as memslots or not */
static int audit_mappings(struct audit *a)
{
	struct mm_struct *mm = a->vm->kvm->mm;
	unsigned long hva = 0;
	u64 all = 0;
	u32 i;
	int ret;

	do {
		if (mmap_read_lock_killable(mm))
			return -EINTR;
		ret = audit_some(a, &hva);
		mmap_read_unlock(mm);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	} while (hva && !ret);
	for (i = 0; i < a->vm->nr_windows; i++)
		all += atomic_read(&a->vm->windows[i]->mappings);
	/* others may map and unmap meanwhile */
	a->done.elsewhere = all > a->mappings ? all - a->mappings : 0;
	return ret;
}

/* What of a memslot is no window; all of it until the opposite is seen */
static int audit_slot(struct audit *a, const struct hlk_gmem_slot *slot)
{
	unsigned long end = slot->hva + (slot->pages << PAGE_SHIFT);
	struct mm_struct *mm = a->vm->kvm->mm;
	unsigned long hva = slot->hva;
	struct vm_area_struct *vma;
	unsigned long next;
	u32 left;

	/* this is asked of all slots, not of their windows' alone */
	if (slot->logged)
		return audit_fail(a, HLK_WHY_DIRTY_LOG, slot->gfn << PAGE_SHIFT);
	a->done.beside += slot->pages;
	while (hva < end) {
		if (mmap_read_lock_killable(mm))
			return -EINTR;
		for (left = AUDIT_BATCH; left && hva < end; left--) {
			vma = find_vma(mm, hva);
			next = vma ? min(vma->vm_end, end) : end;
			hva = vma ? max(vma->vm_start, hva) : end;
			if (hva < next && audit_window(a, vma))
				a->done.beside -= (next - hva) >> PAGE_SHIFT;
			hva = max(hva, next);
		}
		mmap_read_unlock(mm);
		cond_resched();
	}
	return 0;
}

static int audit_slots(struct audit *a)
{
	struct hlk_vm_gmem g;
	u32 i;
	int ret;

	ret = hlk_gmem_init(&g, a->vm);
	if (ret)
		return ret;
	for (i = 0; i < g.nr && !ret; i++)
		ret = audit_slot(a, &g.slots[i]);
	hlk_gmem_exit(&g);
	return ret;
}

/* What the next restore is going to copy from where */
static int audit_list(struct audit *a, struct hlk_vm_window *window)
{
	int nr = hlk_layout_find(&a->snap->layout, window->range.gfn);
	const struct hlk_private *private;
	struct xarray *base;
	void *pos;
	int ret = 0;
	u64 i;

	if (nr < 0)
		return audit_fail(a, HLK_WHY_AUDIT_LIST, window->range.gfn << PAGE_SHIFT);
	base = &a->snap->base[nr];
	mutex_lock(&window->lock);
	if (window->base != base)
		ret = audit_fail(a, HLK_WHY_AUDIT_LIST, window->range.gfn << PAGE_SHIFT);
	for (i = 0; i < window->nr && !ret; i++) {
		private = &window->list[i];
		pos = xa_load(&window->index, private->index);
		if (!pos || xa_to_value(pos) != i ||
		    private->base != hlk_window_base(window, private->index))
			ret = audit_fail(a, HLK_WHY_AUDIT_LIST,
					 (window->range.gfn + private->index) << PAGE_SHIFT);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (!(i % AUDIT_BATCH))
			cond_resched();
	}
	mutex_unlock(&window->lock);
	return ret;
}

/* Private pages, mapped or not */
static int audit_private(struct audit *a, struct hlk_vm_window *window)
{
	unsigned long index;
	struct hlk_gpage gpage;
	int ret;

	for (index = 0; hlk_window_next(window, &index); index++) {
		ret = hlk_window_get(window, index, &gpage);
		if (ret)
			return ret;
		ret = audit_page(a, window->range.gfn + index, gpage.page);
		put_page(gpage.page);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/* Are as many private pages counted as there are? */
static int audit_count(struct audit *a)
{
	struct hlk_vm *vm = a->vm;
	u64 all = 0;
	u64 nr;
	u32 i;

	for (i = 0; i < vm->nr_windows; i++) {
		mutex_lock_nest_lock(&vm->windows[i]->lock, &vm->lock);
		all += vm->windows[i]->nr;
	}
	nr = atomic64_read(&vm->nr_private);
	for (i = vm->nr_windows; i--;)
		mutex_unlock(&vm->windows[i]->lock);
	return nr == all ? 0 : audit_fail(a, HLK_WHY_AUDIT_LIST, 0);
}

static int audit_memory(struct audit *a)
{
	u32 i;
	int ret;

	ret = audit_zero_page(a) ?: hlk_learn_audit(a->vm, a->at);
	for (i = 0; i < a->vm->nr_windows && !ret; i++) {
		ret = audit_private(a, a->vm->windows[i]);
		if (!ret)
			ret = audit_list(a, a->vm->windows[i]);
	}
	if (!ret)
		ret = audit_count(a);
	if (!ret)
		ret = audit_book(a);
	if (!ret)
		ret = audit_mappings(a);
	return ret ?: audit_slots(a);
}

/**
 * hlk_audit() - compare a VM with the snapshot that it was restored to
 * @vm: the VM, whose vCPUs are held
 * @snap: the snapshot
 * @flags: HLK_RESTORE_* of the restore
 * @at: what differs first
 *
 * @vm->audited says afterwards what was looked at, and what was not.
 *
 * Return: 0, -EUCLEAN, -ENOMEM, -EHWPOISON if the memory of a page failed, or
 * -EINTR after a fatal signal
 */
int hlk_audit(struct hlk_vm *vm, struct hlk_snap *snap, u32 flags,
	      struct hlk_why_at *at)
{
	struct audit a = {
		.vm = vm,
		.snap = snap,
		.flags = flags,
		.at = at,
		.done.audits = vm->audited.audits + 1,
	};
	int ret;

	lockdep_assert_held(&vm->lock);
	ret = hlk_vcpus_audit(vm, snap, at);
	if (!ret)
		ret = audit_memory(&a);
	vm->audited = a.done;
	return ret;
}
