// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: guest memory that the module hands out page by page, so that it
 * knows what the guest wrote without asking anybody.
 *
 * A page is shared (a base page of the snapshot, or the page of zeroes) until
 * it is written; then it is private, and stays so and stays mapped: a restore
 * writes the base back into it. The list of private pages is all that the
 * restore path looks at.
 *
 * Pages are put into page tables by vm_insert_page() under the window's lock,
 * not returned to the fault's caller: a page that was looked up must not be
 * mapped after it stopped being the right one.
 */
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "hlk.h"
#include "payer.h"
#include "trace.h"

/* Private pages side by side that are unmapped at once when they are given back */
#define DROP_PAGES	64

/*
 * How much of a window is unmapped at once, with no look at signals. All mappings may
 * have all of it, so it is less if they are many; but not too little, for a step takes
 * its time where nothing is mapped, too.
 */
#define UNMAP_PAGES	65536UL
#define UNMAP_LEAST	4096UL

/* Comparisons in a row that have to find a page idle until it is given back */
#define IDLE_ENOUGH	2

/* Mappings of one shared page that leave its counters far from wrapping */
#define MAX_SHARES	(INT_MAX / 4)

/*
 * Lock a window in which a page may be made, with its base in memory, and charge the page,
 * the list, the index and page tables. -EINTR after a fatal signal, -EIO if the base
 * cannot be read, -EAGAIN with @nowait.
 */
static int window_begin(struct hlk_vm_window *window, u64 index, bool nowait,
			struct payer *payer)
{
	int ret;

	for (;;) {
		if (mutex_lock_killable(&window->lock))
			return -EINTR;
		if (likely(!window->base || !hlk_base_unread(window->base, index)))
			break;
		ret = hlk_window_read(window, index, nowait);
		if (ret)
			return ret;
	}
	payer_begin(window, payer);
	return 0;
}

static void window_end(struct hlk_vm_window *window, struct payer *payer)
{
	hlk_assert(window->nr <= window->room);
	hlk_assert(window->pinned <= window->nr);
	payer_end(payer);
	mutex_unlock(&window->lock);
}

/* For assertions: does this place of the list have the page? */
static bool window_agrees(const struct hlk_vm_window *window, u64 index, u64 pos)
{
	return pos < window->nr && window->list[pos].index == index &&
	       window->list[pos].page != window->list[pos].base;
}

static struct hlk_private *window_private(struct hlk_vm_window *window, u64 index)
{
	void *pos;

	lockdep_assert_held(&window->lock);
	pos = xa_load(&window->index, index);
	hlk_assert(!pos || window_agrees(window, index, xa_to_value(pos)));
	return pos ? &window->list[xa_to_value(pos)] : NULL;
}

/**
 * hlk_window_base() - what a page is to be when it was restored
 * @window: the window; its lock is held
 * @index: page number in it
 *
 * Return: the page, or NULL for that of zeroes
 */
struct page *hlk_window_base(struct hlk_vm_window *window, u64 index)
{
	struct page *page;

	lockdep_assert_held(&window->lock);
	if (!window->base)
		return NULL;
	page = hlk_learned_page(window, index);
	return page ?: hlk_base_page(window->base, index);
}

static int window_room(struct hlk_vm_window *window)
{
	struct hlk_private *list;
	u64 room = max_t(u64, 64, 2 * window->room);

	if (window->nr < window->room)
		return 0;
	list = kvmalloc_array(room, sizeof(*list), HLK_GFP);
	if (!list)
		return -ENOMEM;
	if (window->nr)
		memcpy(list, window->list, window->nr * sizeof(*list));
	kvfree(window->list);
	window->list = list;
	window->room = room;
	return 0;
}

/**
 * hlk_window_touch() - remember in the snapshot what its guests touch
 * @window: the window; its lock is held
 * @index: page number in it
 * @bits: HLK_TOUCHED_*_BIT
 * @gfp: how to allocate, if it was not known yet
 *
 * So that the next sandbox can be made ready for it. Only a hint: nothing is
 * lost if there is no room.
 */
void hlk_window_touch(struct hlk_vm_window *window, u64 index, unsigned long bits,
		      gfp_t gfp)
{
	struct hlk_touched_set *set = window->touched;
	unsigned long known = 0;
	void *entry;

	lockdep_assert_held(&window->lock);
	if (!set)
		return;
	entry = xa_load(&set->pages, index);
	if (entry)
		known = xa_to_value(entry);
	if ((known | bits) == known)
		return;
	/* Guests of other VMs touch it, too. What is saved must be what can be loaded. */
	if (!entry && !atomic_add_unless(&set->nr, 1, HLK_MAX_TOUCHED))
		return;
	if (xa_store(&set->pages, index, xa_mk_value(known | bits), gfp) && !entry)
		atomic_dec(&set->nr);
}

static unsigned long window_known(struct hlk_vm_window *window, u64 index)
{
	void *entry;

	lockdep_assert_held(&window->lock);
	entry = window->touched ? xa_load(&window->touched->pages, index) : NULL;
	return entry ? xa_to_value(entry) : 0;
}

/* Written once, but not any more */
static void window_cool(struct hlk_vm_window *window, u64 index)
{
	unsigned long known = window_known(window, index);
	unsigned long back = known >> HLK_TOUCHED_BACK_SHIFT;

	if (!known)
		return;
	back = min_t(unsigned long, back + 1, HLK_TOUCHED_BACK_MAX);
	xa_store(&window->touched->pages, index,
		 xa_mk_value(HLK_TOUCHED_READ_BIT | back << HLK_TOUCHED_BACK_SHIFT),
		 HLK_GFP);
}

/*
 * How seldom a page is asked whether it is idle. One that came back each time,
 * such as a page that is written with what it holds already, or a page table
 * that the processor walks, is left alone for longer and longer.
 */
static u16 window_every(struct hlk_vm_window *window, u64 index)
{
	return 1U << (window_known(window, index) >> HLK_TOUCHED_BACK_SHIFT);
}

/*
 * Say whose page it is, as a file system does. Since Linux 6.5
 * get_user_pages_fast() takes no page that does not say so, and by this alone KVM
 * finds that a page which it maps for a read may be written, too: without, each
 * page that KVM_PRE_FAULT_MEMORY mapped would be a nested fault once more.
 */
static void window_own(struct hlk_vm_window *window, u64 index, struct page *page)
{
	struct folio *folio = page_folio(page);

	folio->index = window->range.gfn + index;
	WRITE_ONCE(folio->mapping, window->vm->mapping);
}

/*
 * The other way round, as if truncated: whoever has it may keep it. Under the
 * folio's lock, for who marks the page dirty, to the end of a pin that outlives the
 * VM, goes to the mapping that he finds under it.
 */
static void window_disown(struct page *page)
{
	struct folio *folio = page_folio(page);

	folio_lock(folio);
	WRITE_ONCE(folio->mapping, NULL);
	folio_unlock(folio);
	hlk_page_free(page);
}

/*
 * The same for a page that no mapping shows any more and that the guest goes on
 * without: not while a device has it, which would go on with the old page when the
 * guest has a new one; and nobody is waited for.
 */
static bool window_try_disown(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (folio_maybe_dma_pinned(folio) || !folio_trylock(folio))
		return false;
	WRITE_ONCE(folio->mapping, NULL);
	folio_unlock(folio);
	hlk_page_free(page);
	return true;
}

/*
 * No more are made beyond HLK_MAX_MAPPINGS, but a move has one more for a moment,
 * and a fork that was asked for copies them, which cannot be refused. So what would
 * have to go through far too many is refused instead.
 */
static bool window_crowded(struct hlk_vm_window *window)
{
	return atomic_read(&window->mappings) > 2 * HLK_MAX_MAPPINGS;
}

/**
 * hlk_budget() - may a VM have so many private pages in the call that it is in?
 * @vm: the VM
 * @pages: how many
 *
 * What earlier calls left is not the call's, or one of them could use up the budget
 * of those that come after it.
 *
 * Return: whether it may
 */
bool hlk_budget(const struct hlk_vm *vm, u64 pages)
{
	u64 kept = READ_ONCE(vm->nr_kept);

	return pages <= kept || pages - kept <= vm->max_private;
}

/* Make a page private: no mapping shows the shared one when this returns. */
static int window_make_private(struct hlk_vm_window *window, u64 index)
{
	struct hlk_vm *vm = window->vm;
	struct hlk_private *private;
	struct page *base;
	struct page *page;
	int ret;

	if (window_private(window, index))
		return 0;
	if (!payer_there(vm->kvm->mm))
		return -ESRCH;
	if (window_crowded(window))
		return -EMLINK;
	if (!hlk_budget(vm, atomic64_inc_return(&vm->nr_private))) {
		atomic64_inc(&vm->over_budget);
		trace_hlk_over_budget(vm->id, (window->range.gfn + index) << PAGE_SHIFT,
				      vm->max_private);
		ret = -EDQUOT;
		goto uncount;
	}
	ret = window_room(window);
	if (ret)
		goto uncount;
	base = hlk_window_base(window, index);
	page = hlk_page_alloc(base ? 0 : __GFP_ZERO);
	if (!page) {
		ret = -ENOMEM;
		goto uncount;
	}
	ret = base ? hlk_copy_page(page, base) : 0;
	if (ret)
		goto free_page;
	ret = xa_err(xa_store(&window->index, index, xa_mk_value(window->nr), HLK_GFP));
	if (ret)
		goto free_page;

	hlk_assert(window->nr < window->room);
	private = &window->list[window->nr++];
	private->page = page;
	private->at = page_address(page);
	private->base = base;
	private->index = index;
	private->idle = 0;
	private->every = window_every(window, index);
	private->told = true;
	window_own(window, index, page);
	window->write_faults++;
	hlk_window_touch(window, index, HLK_TOUCHED_WRITE_BIT, HLK_GFP);
	trace_hlk_cow_fault(vm->id, (window->range.gfn + index) << PAGE_SHIFT,
			    atomic64_read(&vm->nr_private));
	unmap_mapping_pages(vm->mapping, window->range.gfn + index, 1, false);
	hlk_window_hide(window, index);
	return 0;

free_page:
	hlk_page_free(page);
uncount:
	atomic64_dec(&vm->nr_private);
	return ret;
}

/*
 * Out of memory is an error for who asks in the name of a guest. A thread of user
 * space would fault again for ever, for nobody was killed to make room. Which of
 * them it is page_mkwrite() is not told.
 */
static vm_fault_t fault_errno(const struct vm_fault *vmf, int err)
{
	const unsigned int theirs = FAULT_FLAG_USER | FAULT_FLAG_MKWRITE;

	if (!err)
		return VM_FAULT_NOPAGE;
	if (err == -EAGAIN)
		return VM_FAULT_RETRY;
	return err == -ENOMEM && !(vmf->flags & theirs) ?
	       VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/*
 * What keeps a page from being inserted: either another thread was faster, and the
 * entry is right; or the fault began with something in the entry that is no page:
 * userfaultfd's mark that it is write-protected (WP_ASYNC), which stays whatever is
 * done here. To say that all is well would be to fault again for ever.
 */
static bool fault_on_marker(const struct vm_fault *vmf)
{
	return vmf->flags & FAULT_FLAG_ORIG_PTE_VALID && !pte_none(vmf->orig_pte);
}

/**
 * hlk_insert_shared() - map a page at a faulting address
 * @vmf: the fault, in a VM_MIXEDMAP mapping
 * @page: the page; read-only until page_mkwrite says otherwise
 *
 * Return: a vm_fault_t
 */
vm_fault_t hlk_insert_shared(const struct vm_fault *vmf, struct page *page)
{
	int err;

	if (page_count(page) > MAX_SHARES || PageHWPoison(page))
		return VM_FAULT_SIGBUS;
	err = vm_insert_page(vmf->vma, vmf->address & PAGE_MASK, page);
	if (err == -EBUSY && !fault_on_marker(vmf))
		err = 0;
	return fault_errno(vmf, err);
}

/* An error has to end KVM_RUN, if that is who asks. */
static vm_fault_t window_answer(struct hlk_vm_window *window, vm_fault_t ret)
{
	if (ret & VM_FAULT_ERROR)
		hlk_vcpu_refused(window->vm->kvm);
	return ret;
}

/* KVM's first try: somebody else does the waiting, and comes again. */
static bool fault_nowait(const struct vm_fault *vmf)
{
	return vmf->flags & FAULT_FLAG_RETRY_NOWAIT;
}

/*
 * Does a fault belong to a call? KVM asks in the name of the VM's process, or by a worker
 * that has no memory map. Who looks on from another process is no guest.
 */
static bool fault_of_call(const struct hlk_vm_window *window)
{
	return !current->mm || current->mm == window->vm->kvm->mm;
}

static vm_fault_t window_fault(struct vm_fault *vmf)
{
	struct hlk_vm_window *window = vmf->vma->vm_private_data;
	u64 index = vmf->pgoff - window->range.gfn;
	struct hlk_private *private;
	struct payer payer;
	struct page *page;
	vm_fault_t ret;
	int err = 0;

	if (index >= window->range.pages)
		return VM_FAULT_SIGBUS;
	err = window_begin(window, index, fault_nowait(vmf), &payer);
	if (err)
		return window_answer(window, fault_errno(vmf, err));
	if (vmf->flags & FAULT_FLAG_WRITE)
		err = window_make_private(window, index);
	if (err) {
		ret = fault_errno(vmf, err);
		goto unlock;
	}
	private = window_private(window, index);
	page = private ? private->page : hlk_window_base(window, index);
	if (!private) {
		err = hlk_window_show(window, index);
		if (err) {
			ret = fault_errno(vmf, err);
			goto unlock;
		}
		window->read_faults++;
		if (fault_of_call(window))
			hlk_window_touch(window, index, HLK_TOUCHED_READ_BIT, HLK_GFP);
	}
	ret = hlk_insert_shared(vmf, page ?: window->vm->zero_page);
unlock:
	window_end(window, &payer);
	return window_answer(window, ret);
}

/*
 * A write to a mapped page. If the page is the private one already, the caller
 * makes the mapping writable, unless it changed meanwhile.
 */
static vm_fault_t window_mkwrite(struct vm_fault *vmf)
{
	struct hlk_vm_window *window = vmf->vma->vm_private_data;
	u64 index = vmf->pgoff - window->range.gfn;
	struct hlk_private *private;
	struct payer payer;
	vm_fault_t ret = VM_FAULT_NOPAGE;
	int err;

	/* unread: the VM went over to another snapshot, and nothing shows the page now */
	err = window_begin(window, index, true, &payer);
	if (err == -EAGAIN)
		return VM_FAULT_NOPAGE;
	if (err)
		return window_answer(window, fault_errno(vmf, err));
	private = window_private(window, index);
	if (private && private->page == vmf->page) {
		lock_page(vmf->page);
		ret = VM_FAULT_LOCKED;
	} else if (!private) {
		ret = fault_errno(vmf, window_make_private(window, index));
	}
	window_end(window, &payer);
	return window_answer(window, ret);
}

/* A mapping was split, moved or inherited. */
static void window_open(struct vm_area_struct *vma)
{
	struct hlk_vm_window *window = vma->vm_private_data;

	atomic_inc(&window->mappings);
}

static void window_close(struct vm_area_struct *vma)
{
	struct hlk_vm_window *window = vma->vm_private_data;

	atomic_dec(&window->mappings);
}

static int window_may_split(struct vm_area_struct *vma, unsigned long at)
{
	struct hlk_vm_window *window = vma->vm_private_data;

	return atomic_read(&window->mappings) < HLK_MAX_MAPPINGS ? 0 : -EMLINK;
}

const struct vm_operations_struct hlk_window_vm_ops = {
	.open = window_open,
	.close = window_close,
	.may_split = window_may_split,
	.fault = window_fault,
	.page_mkwrite = window_mkwrite,
};

/**
 * hlk_window_mmap() - map a part of a window
 * @window: the window; the caller has checked that it covers the mapping
 * @vma: the mapping
 *
 * Not inherited by fork and not dumped: a guest's memory is its process's own.
 *
 * Return: 0, -EACCES for a writable mapping of a read-only window, or -EMLINK if
 * there are too many mappings
 */
int hlk_window_mmap(struct hlk_vm_window *window, struct vm_area_struct *vma)
{
	if (window->range.flags & HLK_WINDOW_READONLY) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	if (atomic_inc_return(&window->mappings) > HLK_MAX_MAPPINGS) {
		atomic_dec(&window->mappings);
		return -EMLINK;
	}
	vm_flags_set(vma, VM_MIXEDMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = window;
	vma->vm_ops = &hlk_window_vm_ops;
	return 0;
}

/**
 * hlk_window_page() - the page that the guest sees
 * @window: the window; its lock is held
 * @index: page number in it
 * @frozen: out: it is a shared one
 *
 * Return: the page, or NULL for that of zeroes
 */
struct page *hlk_window_page(struct hlk_vm_window *window, u64 index, bool *frozen)
{
	struct hlk_private *private = window_private(window, index);

	*frozen = !private;
	return private ? private->page : hlk_window_base(window, index);
}

/**
 * hlk_window_get() - hold the page that the guest sees
 * @window: the window
 * @index: page number in it
 * @gpage: out: the page with a reference; a shared one is frozen
 *
 * Return: 0, -EINTR after a fatal signal: a restore keeps the lock to its end; -EIO or
 * -ENOMEM if a base page cannot be read from its file
 */
int hlk_window_get(struct hlk_vm_window *window, u64 index, struct hlk_gpage *gpage)
{
	struct payer payer;
	int ret;

	ret = window_begin(window, index, false, &payer);
	if (ret)
		return ret;
	gpage->page = hlk_window_page(window, index, &gpage->frozen);
	if (gpage->page)
		get_page(gpage->page);
	/* what was learned goes on to change, and so is nothing to be shared */
	gpage->frozen &= !hlk_learned_page(window, index);
	window_end(window, &payer);
	return 0;
}

/**
 * hlk_window_has() - is a page private?
 * @window: the window
 * @index: page number in it
 *
 * Return: whether it is
 */
bool hlk_window_has(struct hlk_vm_window *window, u64 index)
{
	bool has;

	mutex_lock(&window->lock);
	has = window_private(window, index);
	mutex_unlock(&window->lock);
	return has;
}

/**
 * hlk_window_next() - the next private page
 * @window: the window
 * @index: in: where to begin. out: its page number
 *
 * Return: whether there is one
 */
bool hlk_window_next(struct hlk_vm_window *window, unsigned long *index)
{
	bool found;

	mutex_lock(&window->lock);
	found = xa_find(&window->index, index, ULONG_MAX, XA_PRESENT);
	mutex_unlock(&window->lock);
	return found;
}

/**
 * hlk_window_pin() - make a page private for as long as the window lives
 * @window: a new window
 * @index: page number in it
 *
 * Return: 0, -EDQUOT over the budget, -ENOMEM
 */
int hlk_window_pin(struct hlk_vm_window *window, u64 index)
{
	struct payer payer;
	int ret;

	ret = window_begin(window, index, false, &payer);
	if (ret)
		return ret;
	ret = window_make_private(window, index);
	if (!ret)
		window->pinned_page = window_private(window, index)->page;
	window->pinned = window->nr;
	window_end(window, &payer);
	return ret;
}

/**
 * hlk_window_private() - a page that the module itself will write
 * @window: the window
 * @index: page number in it
 *
 * No restore and no give-back happens while the VM's lock is held, so the page
 * stays the private one for as long.
 *
 * Return: the page, or an error pointer: -EDQUOT over the budget, -ENOMEM,
 * -EHWPOISON if the memory of its base failed, -EIO if that cannot be read
 */
struct page *hlk_window_private(struct hlk_vm_window *window, u64 index)
{
	struct hlk_private *private;
	struct page *page = NULL;
	struct payer payer;
	int ret;

	lockdep_assert_held(&window->vm->lock);
	/* Nearly always it is there, and nobody has to pay. */
	if (mutex_lock_killable(&window->lock))
		return ERR_PTR(-EINTR);
	private = window_private(window, index);
	if (private)
		page = private->page;
	mutex_unlock(&window->lock);
	if (page)
		return page;
	ret = window_begin(window, index, false, &payer);
	if (ret)
		return ERR_PTR(ret);
	ret = window_make_private(window, index);
	page = ret ? ERR_PTR(ret) : window_private(window, index)->page;
	window_end(window, &payer);
	return page;
}

/**
 * hlk_window_unmap() - unmap what is not the same in another snapshot
 * @window: the window; its lock is held
 * @base: the base pages of the other snapshot
 *
 * Return: 0, -EMLINK if there are too many mappings, -EINTR after a fatal signal: then
 * nothing has changed, see hlk_window_leave()
 */
int hlk_window_unmap(struct hlk_vm_window *window, struct xarray *base)
{
	u32 mappings = max(atomic_read(&window->mappings), 1);

	lockdep_assert_held(&window->lock);
	if (window_crowded(window))
		return -EMLINK;
	return hlk_window_leave(window, base, max(UNMAP_PAGES / mappings, UNMAP_LEAST));
}

/**
 * hlk_window_rebase() - go over to the base pages of another snapshot
 * @window: the window, after hlk_window_unmap(); its lock is held
 * @base: the new base pages, for which hlk_window_fetch() was done
 * @touched: what is remembered of them
 *
 * Private pages stay private, with their old contents until they are copied
 * back.
 */
void hlk_window_rebase(struct hlk_vm_window *window, struct xarray *base,
		       struct hlk_touched_set *touched)
{
	u64 i;

	lockdep_assert_held(&window->lock);
	hlk_learned_forget(window);
	window->base = base;
	window->touched = touched;
	hlk_assert(window->nr <= window->room);
	for (i = 0; i < window->nr; i++) {
		window->list[i].base = hlk_base_page(base, window->list[i].index);
		window->list[i].told = false;
		if (!(i % UNMAP_PAGES))
			cond_resched();
	}
}

/* Give a private page back, if it can be; the last one takes its place in the list. */
static bool window_drop(struct hlk_vm_window *window, u64 pos)
{
	struct hlk_private private = window->list[pos];

	lockdep_assert_held(&window->lock);
	hlk_assert(pos >= window->pinned);
	hlk_assert(window_agrees(window, private.index, pos));
	if (!window_try_disown(private.page))
		return false;
	xa_erase(&window->index, private.index);
	if (pos != --window->nr) {
		window->list[pos] = window->list[window->nr];
		/* in place of another value: no allocation */
		xa_store(&window->index, window->list[pos].index,
			 xa_mk_value(pos), HLK_GFP);
	}
	if (private.idle)
		window_cool(window, private.index);
	atomic64_dec(&window->vm->nr_private);
	hlk_assert(atomic64_read(&window->vm->nr_private) >= 0);
	return true;
}

/**
 * struct drop - private pages side by side, to be given back together
 * @first: page number of the first
 * @nr: how many
 * @pos: where they stand in the list, the last one first
 */
struct drop {
	u64 first;
	u32 nr;
	u64 pos[DROP_PAGES];
};

static bool drop_add(struct drop *drop, u64 index, u64 pos)
{
	if (!drop->nr || index + 1 == drop->first)
		drop->first = index;
	else if (index != drop->first + drop->nr)
		return false;
	drop->pos[drop->nr++] = pos;
	return true;
}

/*
 * A page that got a pin before it was unmapped is seen to have it afterwards, and
 * stays private; get_user_pages_fast() lets go a page whose entry is gone.
 */
static u64 drop_flush(struct hlk_vm_window *window, struct drop *drop)
{
	u64 dropped = 0;
	u32 i;

	if (!drop->nr)
		return 0;
	unmap_mapping_pages(window->vm->mapping, window->range.gfn + drop->first,
			    drop->nr, false);
	for (i = 0; i < drop->nr; i++)
		dropped += window_drop(window, drop->pos[i]);
	drop->nr = 0;
	cond_resched();
	return dropped;
}

static bool drop_wanted(struct hlk_vm_window *window, const struct hlk_private *private,
			enum hlk_drop which)
{
	if ((which == HLK_DROP_IDLE && private->idle < IDLE_ENOUGH) ||
	    (which == HLK_DROP_UNWRITTEN && !private->idle) ||
	    (which == HLK_DROP_STRANGE &&
	     window_known(window, private->index) & HLK_TOUCHED_WRITE_BIT) ||
	    (which == HLK_DROP_FAILED && !PageHWPoison(private->page)))
		return false;
	return !folio_maybe_dma_pinned(page_folio(private->page));
}

/**
 * hlk_window_drop() - give private pages back, the youngest first
 * @window: the window; its lock is held
 * @pages: how many at most; those that are pinned stay
 * @which: which of them
 *
 * Ends at a fatal signal.
 *
 * Return: how many were given back
 */
u64 hlk_window_drop(struct hlk_vm_window *window, u64 pages, enum hlk_drop which)
{
	const struct hlk_private *private;
	struct drop drop = {};
	u64 dropped = 0;
	u64 pos;

	lockdep_assert_held(&window->lock);
	hlk_might_sleep();
	if (window_crowded(window))
		return 0;
	for (pos = window->nr; pos-- > window->pinned && dropped + drop.nr < pages;) {
		private = &window->list[pos];
		if (!(pos % UNMAP_PAGES)) {
			if (fatal_signal_pending(current))
				break;
			cond_resched();
		}
		if (!drop_wanted(window, private, which))
			continue;
		if (drop.nr < DROP_PAGES && drop_add(&drop, private->index, pos))
			continue;
		dropped += drop_flush(window, &drop);
		if (fatal_signal_pending(current))
			return dropped;
		drop_add(&drop, private->index, pos);
	}
	return dropped + drop_flush(window, &drop);
}

/**
 * hlk_window_alloc() - a window of zeroes
 * @vm: the VM it is for
 * @range: where it is
 *
 * Return: the window or NULL
 */
struct hlk_vm_window *hlk_window_alloc(struct hlk_vm *vm, const struct hlk_range *range)
{
	struct hlk_vm_window *window = kzalloc(sizeof(*window), HLK_GFP);

	if (!window)
		return NULL;
	window->vm = vm;
	window->range = *range;
	mutex_init(&window->lock);
	xa_init_flags(&window->index, XA_FLAGS_ACCOUNT);
	xa_init_flags(&window->shown, XA_FLAGS_ACCOUNT);
	xa_init_flags(&window->learned, XA_FLAGS_ACCOUNT);
	return window;
}

/**
 * hlk_window_free() - free a window that is not mapped any more
 * @window: the window
 */
void hlk_window_free(struct hlk_vm_window *window)
{
	u64 i;

	hlk_might_sleep();
	hlk_assert(window->nr <= window->room);
	for (i = 0; i < window->nr; i++) {
		xa_erase(&window->index, window->list[i].index);
		window_disown(window->list[i].page);
		cond_resched();
	}
	kvfree(window->list);
	xa_destroy(&window->index);
	hlk_shown_free(window);
	hlk_learned_forget(window);
	xa_destroy(&window->learned);
	kfree(window);
}
