// SPDX-License-Identifier: GPL-2.0-only
/*
 * Base pages of windows that are in files: reading them, for who touches one and for
 * restores, which do not read themselves.
 */
#include <linux/sched/signal.h>

#include "hlk.h"
#include "payer.h"

/* So that who runs the guest is told why it ended */
static void window_unread(struct hlk_vm_window *window, u64 index)
{
	WRITE_ONCE(window->vm->unread_gfn, window->range.gfn + index);
	atomic64_inc(&window->vm->unread);
}

/**
 * hlk_window_read() - read a base page from its file
 * @window: the window, with a snapshot; its lock is held, and let go
 * @index: page number in it
 * @nowait: only if it is in the page cache
 *
 * With nothing held but the snapshot that has it: meanwhile the VM may go over to
 * another one. Charged to the VM's process.
 *
 * Return: 0, -EIO, -ENOMEM, or -EAGAIN with @nowait
 */
int hlk_window_read(struct hlk_vm_window *window, u64 index, bool nowait)
{
	struct hlk_vm *vm = window->vm;
	struct xarray *base = window->base;
	struct hlk_snap *snap = vm->snap;
	struct payer payer;
	int ret;

	lockdep_assert_held(&window->lock);
	kref_get(&snap->ref);
	mutex_unlock(&window->lock);
	payer_begin(window, &payer);
	ret = hlk_base_read(base, index, nowait);
	payer_end(&payer);
	hlk_snap_put(snap);
	if (ret == -EIO)
		window_unread(window, index);
	return ret;
}

/**
 * hlk_window_fetch() - have those pages of another snapshot in memory that are private here
 * @window: the window; its lock is held
 * @base: the other base pages
 * @index: out: where it failed
 *
 * Only they are copied by restores, which do not read. Charged to the caller.
 *
 * Return: 0, -EIO, -ENOMEM, or -EINTR after a fatal signal
 */
int hlk_window_fetch(struct hlk_vm_window *window, struct xarray *base, u64 *index)
{
	u64 i;
	int ret;

	lockdep_assert_held(&window->lock);
	hlk_might_sleep();
	for (i = 0; i < window->nr; i++) {
		*index = window->list[i].index;
		ret = hlk_base_read(base, *index, false);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
