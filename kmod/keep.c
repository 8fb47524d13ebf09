// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest wrote, for a flat snapshot: private pages are copied a chunk at a time, so
 * that what is needed once for many of them is done once.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "hlk.h"

/**
 * struct keeping - private pages of a chunk, for a snapshot
 * @window: the window; its lock is held
 * @snap: the snapshot that is being made
 * @at: the chunk, as a number
 * @nr: how many pages
 * @pos: where each stands in the window's list, in order of their addresses
 */
struct keeping {
	struct hlk_vm_window *window;
	struct hlk_snap *snap;
	u64 at;
	u32 nr;
	u64 pos[HLK_CHUNK_PAGES];
};

/* Find the next chunk with private pages; false: there is none. */
static bool keep_collect(struct keeping *k, unsigned long *index)
{
	XA_STATE(xas, &k->window->index, *index);
	void *pos;

	lockdep_assert_held(&k->window->lock);
	k->nr = 0;
	rcu_read_lock();
	xas_for_each(&xas, pos, ULONG_MAX) {
		if (k->nr && xas.xa_index / HLK_CHUNK_PAGES != k->at)
			break;
		k->at = xas.xa_index / HLK_CHUNK_PAGES;
		k->pos[k->nr++] = xa_to_value(pos);
	}
	rcu_read_unlock();
	if (!k->nr)
		return false;
	*index = (k->at + 1) * HLK_CHUNK_PAGES;
	return true;
}

static int keep_chunk(struct keeping *k)
{
	struct hlk_kept kept[HLK_KEEP_MANY];
	const struct hlk_private *private;
	int ret = 0;
	u32 from, i;

	for (from = 0; from < k->nr && !ret; from += i) {
		for (i = 0; i < HLK_KEEP_MANY && from + i < k->nr; i++) {
			private = &k->window->list[k->pos[from + i]];
			kept[i] = (struct hlk_kept) {
				.gfn = k->window->range.gfn + private->index,
				.gpage.page = private->page,
			};
			get_page(private->page);
		}
		ret = hlk_snap_keep(k->snap, kept, i);
	}
	return ret;
}

/* Page faults may come in between, from one chunk to the next. */
static int keep_window(struct keeping *k)
{
	unsigned long index = 0;
	bool more;
	int ret;

	do {
		if (mutex_lock_killable(&k->window->lock))
			return -EINTR;
		more = keep_collect(k, &index);
		ret = more ? keep_chunk(k) : 0;
		mutex_unlock(&k->window->lock);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	} while (more && !ret);
	return ret;
}

/**
 * hlk_windows_keep() - copy what the guest wrote into a snapshot
 * @vm: the VM, whose vCPUs are held; its lock is held
 * @snap: the snapshot that is being made; it has the pages of the one restored last
 *
 * Return: 0, -EINTR after a fatal signal, or as hlk_snap_keep()
 */
int hlk_windows_keep(struct hlk_vm *vm, struct hlk_snap *snap)
{
	struct keeping *k;
	int ret = 0;
	u32 i;

	lockdep_assert_held(&vm->lock);
	hlk_might_sleep();
	k = kmalloc(sizeof(*k), HLK_GFP);
	if (!k)
		return -ENOMEM;
	k->snap = snap;
	for (i = 0; i < vm->nr_windows && !ret; i++) {
		k->window = vm->windows[i];
		ret = keep_window(k);
	}
	kfree(k);
	return ret;
}
