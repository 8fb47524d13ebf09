// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was learned of a window: tables that restores bring back instead of the
 * snapshot's. How it is learned: learn.c.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "hlk.h"

/**
 * hlk_learned_page() - what a restore brings back instead of the snapshot's page
 * @window: the window; its lock is held
 * @index: page number in it
 *
 * Return: the page, or NULL: nothing was learned there
 */
struct page *hlk_learned_page(struct hlk_vm_window *window, u64 index)
{
	struct hlk_learned *learned;

	lockdep_assert_held(&window->lock);
	if (!window->nr_learned)
		return NULL;
	learned = xa_load(&window->learned, index);
	return learned ? learned->page : NULL;
}

/**
 * hlk_learned_give_up() - do without what was learned of a table
 * @window: the window; its lock is held, and that of the VM
 * @index: page number of the table; no mapping shows what restores bring back there
 *
 * Return: whether there was something
 */
bool hlk_learned_give_up(struct hlk_vm_window *window, u64 index)
{
	struct hlk_learned *learned;

	lockdep_assert_held(&window->vm->lock);
	lockdep_assert_held(&window->lock);
	if (!window->nr_learned)
		return false;
	learned = xa_load(&window->learned, index);
	if (!learned)
		return false;
	xa_erase(&window->learned, index);
	window->nr_learned--;
	window->vm->learn.leaves -= learned->leaves;
	hlk_page_free(learned->page);
	kfree(learned);
	return true;
}

/**
 * hlk_learned_failed() - give up what was learned of tables that no call has written
 * @window: the window; its lock is held, and that of the VM
 *
 * Where memory of what was learned failed, and the page is not private: mappings show it, so
 * no call can read that table. Pages that are private a restore finds as it copies.
 */
void hlk_learned_failed(struct hlk_vm_window *window)
{
	struct hlk_learned *learned;
	unsigned long index;

	lockdep_assert_held(&window->lock);
	if (!window->nr_learned)
		return;
	xa_for_each(&window->learned, index, learned) {
		if (!PageHWPoison(learned->page) || xa_load(&window->index, index))
			continue;
		unmap_mapping_pages(window->vm->mapping, window->range.gfn + index, 1,
				    false);
		hlk_learned_give_up(window, index);
	}
}

/**
 * hlk_learned_forget() - forget what was learned in a window
 * @window: the window; nothing shows its pages, and no restore will bring them back
 */
void hlk_learned_forget(struct hlk_vm_window *window)
{
	struct hlk_learned *learned;
	unsigned long index;

	if (window == window->vm->book)
		memset(&window->vm->learn, 0, sizeof(window->vm->learn));
	if (!window->nr_learned)
		return;
	xa_for_each(&window->learned, index, learned) {
		xa_erase(&window->learned, index);
		hlk_page_free(learned->page);
		kfree(learned);
	}
	window->nr_learned = 0;
}
