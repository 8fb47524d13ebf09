// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest-physical pages for the pure files: what the VM's memslots say is
 * memory. Where a window is mapped at a memslot's place, pages come from the
 * window, so that unchanged ones can be shared; elsewhere by get_user_pages.
 */
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "hlk.h"

/* The first slot behind this frame */
static u32 gmem_behind(const struct hlk_vm_gmem *g, u64 gfn)
{
	u32 low = 0;
	u32 high = g->nr;
	u32 mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (gfn < g->slots[mid].gfn)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static struct hlk_gmem_slot *gmem_find(struct hlk_vm_gmem *g, u64 gfn)
{
	u32 low;

	if (g->hit < g->nr && gfn - g->slots[g->hit].gfn < g->slots[g->hit].pages)
		return &g->slots[g->hit];
	low = gmem_behind(g, gfn);
	if (!low || gfn - g->slots[low - 1].gfn >= g->slots[low - 1].pages)
		return NULL;
	g->hit = low - 1;
	return &g->slots[g->hit];
}

static bool gmem_is_ram(struct hlk_gmem *gmem, u64 gfn)
{
	return gmem_find(container_of(gmem, struct hlk_vm_gmem, gmem), gfn);
}

static u64 gmem_alike(struct hlk_gmem *gmem, u64 gfn, u64 pages, bool *is_ram)
{
	struct hlk_vm_gmem *g = container_of(gmem, struct hlk_vm_gmem, gmem);
	struct hlk_gmem_slot *slot = gmem_find(g, gfn);
	u32 behind;

	*is_ram = slot;
	if (slot)
		return min(pages, slot->gfn + slot->pages - gfn);
	behind = gmem_behind(g, gfn);
	return behind < g->nr ? min(pages, g->slots[behind].gfn - gfn) : pages;
}

/*
 * A page of the VM's process, which need not be the caller's. Whoever has to bring it
 * may take long: the lock is let go meanwhile, and the wait ends at a fatal signal.
 */
static int gmem_user_page(struct hlk_vm_gmem *g, unsigned long hva, struct page **page)
{
	int locked = 1;
	long got;

	if (!g->mm)
		return get_user_pages_fast(hva, 1, 0, page) == 1 ? 0 : -EFAULT;
	if (mmap_read_lock_killable(g->mm))
		return -EINTR;
	got = hlk_get_user_page_remote(g->mm, hva, 0, page, &locked);
	if (locked)
		mmap_read_unlock(g->mm);
	return got == 1 ? 0 : -EFAULT;
}

static int gmem_get(struct hlk_gmem *gmem, u64 gfn, struct hlk_gpage *gpage)
{
	struct hlk_vm_gmem *g = container_of(gmem, struct hlk_vm_gmem, gmem);
	struct hlk_gmem_slot *slot = gmem_find(g, gfn);
	unsigned long hva;
	int ret = 0;

	if (!slot)
		return -ENODEV;
	if (slot->window) {
		ret = hlk_window_get(slot->window, slot->first + (gfn - slot->gfn),
				     gpage);
	} else {
		hva = slot->hva + ((gfn - slot->gfn) << PAGE_SHIFT);
		gpage->frozen = false;
		ret = gmem_user_page(g, hva, &gpage->page);
	}
	if (!ret && gpage->page && PageHWPoison(gpage->page)) {
		put_page(gpage->page);
		return -EHWPOISON;
	}
	return ret;
}

/*
 * Private pages of the windows, in order of their frames. What the guest can
 * reach beside the windows nobody keeps track of.
 */
static int gmem_changed(struct hlk_gmem *gmem, u64 *gfn)
{
	struct hlk_vm_gmem *g = container_of(gmem, struct hlk_vm_gmem, gmem);
	const struct hlk_range *range;
	struct hlk_vm_window *window;
	unsigned long index;
	u32 i;

	if (!g->whole)
		return -EOPNOTSUPP;
	for (i = 0; i < g->vm->layout.nr; i++) {
		range = &g->vm->layout.range[i];
		if (*gfn >= range->gfn + range->pages)
			continue;
		window = hlk_vm_window(g->vm, i);
		index = *gfn > range->gfn ? *gfn - range->gfn : 0;
		if (hlk_window_next(window, &index)) {
			*gfn = range->gfn + index;
			return 1;
		}
	}
	return 0;
}

static int gmem_hold(struct hlk_gmem *gmem, u64 gfn, struct page **page)
{
	struct hlk_vm_gmem *g = container_of(gmem, struct hlk_vm_gmem, gmem);
	struct hlk_gmem_slot *slot = gmem_find(g, gfn);
	struct page *private;
	unsigned long hva;

	if (!slot)
		return -ENODEV;
	if (slot->readonly)
		return -EACCES;
	if (slot->window) {
		private = hlk_window_private(slot->window,
					     slot->first + (gfn - slot->gfn));
		if (IS_ERR(private))
			return PTR_ERR(private);
		get_page(private);
		*page = private;
		return 0;
	}
	hva = slot->hva + ((gfn - slot->gfn) << PAGE_SHIFT);
	return pin_user_pages_fast(hva, 1, FOLL_WRITE, page) == 1 ? 0 : -EFAULT;
}

static void gmem_unhold(struct hlk_gmem *gmem, u64 gfn, struct page *page)
{
	struct hlk_vm_gmem *g = container_of(gmem, struct hlk_vm_gmem, gmem);

	if (gmem_find(g, gfn)->window)
		put_page(page);
	else
		unpin_user_pages_dirty_lock(&page, 1, true);
}

static const struct hlk_gmem_ops gmem_ops = {
	.is_ram = gmem_is_ram,
	.alike = gmem_alike,
	.get = gmem_get,
	.changed = gmem_changed,
	.hold = gmem_hold,
	.unhold = gmem_unhold,
};

static int gmem_by_gfn(const void *a, const void *b)
{
	const struct hlk_gmem_slot *x = a;
	const struct hlk_gmem_slot *y = b;

	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

/* Slots that KVM keeps for itself are no memory that the VMM gave to its guest. */
static bool gmem_wanted(const struct kvm_memory_slot *slot)
{
	return slot->id < KVM_USER_MEM_SLOTS && slot->npages &&
	       !(slot->flags & KVM_MEMSLOT_INVALID);
}

/* Copy up to @room slots; how many there are is returned. */
static u32 gmem_read_slots(struct hlk_vm_gmem *g, struct kvm *kvm, u32 room)
{
	struct kvm_memory_slot *slot;
	u32 nr = 0;
	int bkt;
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	kvm_for_each_memslot(slot, bkt, kvm_memslots(kvm)) {
		if (!gmem_wanted(slot))
			continue;
		if (nr < room) {
			g->slots[nr].gfn = slot->base_gfn;
			g->slots[nr].pages = slot->npages;
			g->slots[nr].hva = slot->userspace_addr;
			g->slots[nr].readonly = slot->flags & KVM_MEM_READONLY;
			g->slots[nr].logged = slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
		}
		nr++;
	}
	srcu_read_unlock(&kvm->srcu, idx);
	return nr;
}

/* Is all of the slot one mapping of one of this VM's windows? */
static void gmem_find_window(struct hlk_gmem_slot *slot, struct hlk_vm *vm)
{
	unsigned long bytes = slot->pages << PAGE_SHIFT;
	struct vm_area_struct *vma = vma_lookup(vm->kvm->mm, slot->hva);
	struct hlk_vm_window *window;
	u64 pgoff;

	if (!vma || vma->vm_ops != &hlk_window_vm_ops ||
	    vma->vm_end - slot->hva < bytes)
		return;
	window = vma->vm_private_data;
	if (window->vm != vm)
		return;
	pgoff = vma->vm_pgoff + ((slot->hva - vma->vm_start) >> PAGE_SHIFT);
	slot->window = window;
	slot->first = pgoff - window->range.gfn;
}

/* Is each window mapped, at its place, as a whole? */
static bool gmem_whole(struct hlk_vm_gmem *g)
{
	const struct hlk_gmem_slot *slot = g->slots;
	const struct hlk_gmem_slot *end = g->slots + g->nr;
	const struct hlk_range *range;
	u64 next;
	u32 i;

	for (i = 0; i < g->vm->layout.nr; i++) {
		range = &g->vm->layout.range[i];
		next = range->gfn;
		while (slot < end && slot->gfn < range->gfn)
			slot++;
		while (slot < end && slot->gfn == next &&
		       slot->window == hlk_vm_window(g->vm, i) &&
		       slot->first == next - range->gfn)
			next += slot++->pages;
		if (next != range->gfn + range->pages)
			return false;
	}
	return true;
}

/**
 * hlk_gmem_init() - look at a VM's memory
 * @g: what to fill
 * @vm: the VM
 *
 * Return: 0, -ENOMEM, -ESRCH if the VM's process is gone, -EAGAIN if
 * memslots come faster than they are read, or -EINTR after a fatal signal
 */
int hlk_gmem_init(struct hlk_vm_gmem *g, struct hlk_vm *vm)
{
	u32 room;
	u32 i;

	memset(g, 0, sizeof(*g));
	g->gmem.ops = &gmem_ops;
	g->vm = vm;
	if (vm->kvm->mm != current->mm) {
		if (!mmget_not_zero(vm->kvm->mm))
			return -ESRCH;
		g->mm = vm->kvm->mm;
	}
	room = gmem_read_slots(g, vm->kvm, 0) + 16;
	g->slots = kvcalloc(room, sizeof(*g->slots), HLK_GFP);
	if (!g->slots) {
		hlk_gmem_exit(g);
		return -ENOMEM;
	}
	g->nr = gmem_read_slots(g, vm->kvm, room);
	if (g->nr > room) {
		hlk_gmem_exit(g);
		return -EAGAIN;
	}
	sort(g->slots, g->nr, sizeof(*g->slots), gmem_by_gfn, NULL);
	cond_resched();

	if (mmap_read_lock_killable(vm->kvm->mm)) {
		hlk_gmem_exit(g);
		return -EINTR;
	}
	for (i = 0; i < g->nr; i++) {
		gmem_find_window(&g->slots[i], vm);
		cond_resched();
	}
	mmap_read_unlock(vm->kvm->mm);
	g->whole = gmem_whole(g);
	return 0;
}

/**
 * hlk_gmem_exit() - free what hlk_gmem_init() made
 * @g: the memory
 */
void hlk_gmem_exit(struct hlk_vm_gmem *g)
{
	kvfree(g->slots);
	if (g->mm)
		mmput(g->mm);
	memset(g, 0, sizeof(*g));
}
