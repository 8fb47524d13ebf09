// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared pages that mappings show, and what of them goes when a VM goes over to another
 * snapshot: pages that both have stay mapped, and chunks that are one object are not
 * looked into. So that costs what differs, not what the guest has.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "hlk.h"

#define SHOWN_BITS	64

/**
 * struct hlk_shown - the pages of a chunk that mappings may show as shared ones
 * @bits: one for each. One that no mapping shows any more may be among them, but none that
 *	is private
 *
 * Protected by the window's lock.
 */
struct hlk_shown {
	u64 bits[HLK_CHUNK_PAGES / SHOWN_BITS];
};

/**
 * hlk_window_show() - a mapping is about to show a shared page
 * @window: the window; its lock is held
 * @index: page number in it
 *
 * Return: 0 or -ENOMEM
 */
int hlk_window_show(struct hlk_vm_window *window, u64 index)
{
	u32 slot = index % HLK_CHUNK_PAGES;
	struct hlk_shown *shown;
	int err;

	lockdep_assert_held(&window->lock);
	shown = xa_load(&window->shown, index / HLK_CHUNK_PAGES);
	if (!shown) {
		shown = kzalloc(sizeof(*shown), HLK_GFP);
		if (!shown)
			return -ENOMEM;
		err = xa_err(xa_store(&window->shown, index / HLK_CHUNK_PAGES, shown,
				      HLK_GFP));
		if (err) {
			kfree(shown);
			return err;
		}
	}
	shown->bits[slot / SHOWN_BITS] |= BIT_ULL(slot % SHOWN_BITS);
	return 0;
}

static void shown_clear(struct hlk_shown *shown, u32 slot)
{
	shown->bits[slot / SHOWN_BITS] &= ~BIT_ULL(slot % SHOWN_BITS);
}

/**
 * hlk_window_hide() - no mapping shows the shared page of a place any more
 * @window: the window; its lock is held
 * @index: page number in it
 */
void hlk_window_hide(struct hlk_vm_window *window, u64 index)
{
	struct hlk_shown *shown;

	lockdep_assert_held(&window->lock);
	shown = xa_load(&window->shown, index / HLK_CHUNK_PAGES);
	if (shown)
		shown_clear(shown, index % HLK_CHUNK_PAGES);
}

/**
 * hlk_window_shows() - may a mapping show the shared page of a place?
 * @window: the window; its lock is held
 * @index: page number in it
 *
 * Return: whether it was noted
 */
bool hlk_window_shows(struct hlk_vm_window *window, u64 index)
{
	u32 slot = index % HLK_CHUNK_PAGES;
	const struct hlk_shown *shown;

	lockdep_assert_held(&window->lock);
	shown = xa_load(&window->shown, index / HLK_CHUNK_PAGES);
	return shown && shown->bits[slot / SHOWN_BITS] & BIT_ULL(slot % SHOWN_BITS);
}

/**
 * struct leaving - pages that are unmapped at once
 * @window: the window
 * @base: what it goes over to
 * @all: also those that both have
 * @step: how many pages these may be, for all mappings may have all of them
 * @first: page number of the first
 * @end: behind the last one; @first if there are none
 *
 * Between them are only pages that no mapping shows.
 */
struct leaving {
	struct hlk_vm_window *window;
	struct xarray *base;
	bool all;
	u64 step;
	u64 first;
	u64 end;
};

static void leaving_flush(struct leaving *l)
{
	if (l->end != l->first)
		unmap_mapping_pages(l->window->vm->mapping,
				    l->window->range.gfn + l->first, l->end - l->first,
				    false);
	l->first = l->end;
}

/* Private pages stay mapped, whatever they are going to have in them. */
static bool leaving_reaches(const struct leaving *l, u64 index)
{
	unsigned long private = l->end;

	if (l->end == l->first || index - l->first >= l->step)
		return false;
	return index == l->end ||
	       !xa_find(&l->window->index, &private, index - 1, XA_PRESENT);
}

static void leaving_add(struct leaving *l, u64 index)
{
	if (!leaving_reaches(l, index)) {
		leaving_flush(l);
		l->first = index;
	}
	l->end = index + 1;
}

static void leaving_word(struct leaving *l, struct hlk_shown *shown, u64 at, u32 word,
			 const struct hlk_chunk *ours, const struct hlk_chunk *theirs)
{
	u64 bits = shown->bits[word];
	u32 slot;

	for (; bits; bits &= bits - 1) {
		slot = word * SHOWN_BITS + __ffs64(bits);
		if (!l->all && chunk_same(ours, theirs, slot)) {
			leaving_flush(l);
			continue;
		}
		leaving_add(l, at * HLK_CHUNK_PAGES + slot);
		shown_clear(shown, slot);
	}
}

static void leaving_chunk(struct leaving *l, struct hlk_shown *shown, u64 at)
{
	const struct hlk_chunk *theirs = xa_load(l->base, at);
	const struct hlk_chunk *ours;
	u32 i;

	ours = l->window->base ? xa_load(l->window->base, at) : NULL;
	if (!l->all && ours == theirs) {
		leaving_flush(l);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(shown->bits); i++)
		leaving_word(l, shown, at, i, ours, theirs);
}

/* Tables that were learned are shown instead of the snapshot's, and of no other one. */
static int leaving_learned(struct leaving *l)
{
	struct hlk_learned *learned;
	unsigned long index;

	if (!l->window->nr_learned)
		return 0;
	xa_for_each(&l->window->learned, index, learned) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (xa_load(&l->window->index, index))
			continue;
		leaving_add(l, index);
		leaving_flush(l);
		hlk_window_hide(l->window, index);
		cond_resched();
	}
	return 0;
}

/* What got empty since the last switch stays until the next one: pages come back there. */
static bool leaving_empty(struct hlk_vm_window *window, struct hlk_shown *shown,
			  unsigned long at)
{
	if (memchr_inv(shown->bits, 0, sizeof(shown->bits)))
		return false;
	xa_erase(&window->shown, at);
	kfree(shown);
	return true;
}

/**
 * hlk_window_leave() - have mappings ask anew for the pages that another snapshot does not have
 * @window: the window; its lock is held
 * @base: the base pages of the other snapshot
 * @step: how many pages may be unmapped at once
 *
 * For as long as the lock is held they do not get one, so a caller who gives up
 * after a failure has changed nothing.
 *
 * A VM that took a snapshot since its last restore asks anew for all pages: those that
 * stay mapped would be missing in what the snapshot remembers of its calls.
 *
 * Return: 0, or -EINTR after a fatal signal
 */
int hlk_window_leave(struct hlk_vm_window *window, struct xarray *base, u64 step)
{
	struct leaving l = {
		.window = window, .base = base, .step = step,
		/* calls are about to show for the first time which pages they read */
		.all = window->vm->took,
	};
	struct hlk_shown *shown;
	unsigned long at;
	int ret;

	lockdep_assert_held(&window->lock);
	hlk_might_sleep();
	ret = leaving_learned(&l);
	if (ret)
		return ret;
	xa_for_each(&window->shown, at, shown) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		if (!leaving_empty(window, shown, at))
			leaving_chunk(&l, shown, at);
		cond_resched();
	}
	leaving_flush(&l);
	return ret;
}

/**
 * hlk_shown_free() - forget what mappings showed
 * @window: a window that is not mapped any more
 */
void hlk_shown_free(struct hlk_vm_window *window)
{
	struct hlk_shown *shown;
	unsigned long at;

	xa_for_each(&window->shown, at, shown) {
		xa_erase(&window->shown, at);
		kfree(shown);
		cond_resched();
	}
	xa_destroy(&window->shown);
}
