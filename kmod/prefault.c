// SPDX-License-Identifier: GPL-2.0-only
/*
 * A new sandbox made ready for what calls from its snapshot touch, so that its
 * first call costs about what its hundredth does.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "hlk.h"

/**
 * struct prefault - one call
 * @p: what was asked
 * @run: the run that is being put together
 * @nr: runs written or counted
 */
struct prefault {
	struct hlk_prefault *p;
	struct hlk_touched run;
	u32 nr;
};

static int prefault_flush(struct prefault *f)
{
	if (!f->run.pages)
		return 0;
	if (f->nr < f->p->nr_runs &&
	    hlk_element_put(f->p->runs, f->p->run_size, f->nr, &f->run,
			    sizeof(f->run)))
		return -EFAULT;
	f->nr++;
	f->run.pages = 0;
	return 0;
}

static int prefault_add(struct prefault *f, u64 gpa, u32 flags)
{
	int ret;

	if (f->run.pages && f->run.flags == flags &&
	    f->run.gpa + (f->run.pages << PAGE_SHIFT) == gpa) {
		f->run.pages++;
		return 0;
	}
	ret = prefault_flush(f);
	f->run = (struct hlk_touched){ .gpa = gpa, .pages = 1, .flags = flags };
	return ret;
}

/* Is there room for one more private page, as far as it would be kept? */
static bool prefault_room(struct hlk_vm *vm)
{
	u64 now = atomic64_read(&vm->nr_private);

	return now < vm->keep_private && hlk_budget(vm, now + 1);
}

/**
 * hlk_prefault_page() - make a page private that calls are going to write
 * @vm: the VM; its lock is held
 * @window: the window
 * @index: page number in it
 * @made: one more, if it was not private yet
 *
 * It is none of the next call's budget.
 *
 * Return: 0, -ENOSPC if there is no room for more that are kept, or what
 * hlk_window_private() returns
 */
int hlk_prefault_page(struct hlk_vm *vm, struct hlk_vm_window *window, u64 index,
		      u64 *made)
{
	u64 before = atomic64_read(&vm->nr_private);
	struct page *page;

	if (!prefault_room(vm))
		return -ENOSPC;
	page = hlk_window_private(window, index);
	if (IS_ERR(page))
		return PTR_ERR(page);
	if (atomic64_read(&vm->nr_private) > before) {
		++*made;
		/* what was there when the call began, as after a restore */
		WRITE_ONCE(vm->nr_kept, vm->nr_kept + 1);
	}
	return 0;
}

static int prefault_one(struct hlk_vm *vm, struct hlk_vm_window *window, u64 index,
			unsigned long bits, struct prefault *f)
{
	struct hlk_gpage gpage;
	u32 flags = 0;
	int ret = -ENOSPC;

	if (bits & HLK_TOUCHED_WRITE_BIT) {
		ret = hlk_prefault_page(vm, window, index, &f->p->made);
		flags = ret ? 0 : HLK_TOUCHED_WRITE;
	}
	if (ret == -ENOSPC) {
		/* what calls read: out of its file, if it is in one */
		ret = hlk_window_get(window, index, &gpage);
		if (!ret && gpage.page)
			put_page(gpage.page);
	}
	if (ret)
		return ret;
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	return prefault_add(f, (window->range.gfn + index) << PAGE_SHIFT, flags);
}

static int prefault(struct hlk_vm *vm, struct prefault *f)
{
	struct hlk_vm_window *window;
	unsigned long index;
	void *entry;
	u32 i;
	int ret;

	for (i = 0; i < vm->layout.nr; i++) {
		window = hlk_vm_window(vm, i);
		xa_for_each(&vm->snap->touched[i].pages, index, entry) {
			ret = prefault_one(vm, window, index, xa_to_value(entry), f);
			if (ret)
				return ret;
		}
		ret = prefault_flush(f);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * hlk_cmd_prefault() - HLK_PREFAULT
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: 0; -EMSGSIZE if the runs do not fit; or an errno: pages that were made
 * private stay so, which the guest cannot tell
 */
int hlk_cmd_prefault(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_prefault *p = ucmd->cmd;
	struct prefault f = { .p = p };
	struct hlk_vm *vm = obj;
	int ret;

	p->made = 0;
	ret = hlk_vm_check(vm, &ucmd->at);
	if (ret)
		return ret;
	if (p->nr_runs) {
		ret = hlk_element_size(p->run_size, HLK_FIRST_TOUCHED,
				       HLK_WHY_ELEMENT_SIZE, &ucmd->at);
		if (ret)
			return ret;
	}
	ret = mutex_lock_killable(&vm->lock);
	if (ret)
		return ret;
	if (vm->snap)
		ret = prefault(vm, &f);
	else
		ret = hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_NO_SNAPSHOT, 0, 0);
	if (ret == -EIO)
		hlk_fail(&ucmd->at, ret, HLK_WHY_BASE_READ, 0,
			 READ_ONCE(vm->unread_gfn) << PAGE_SHIFT);
	vm->prefaulted += p->made;
	mutex_unlock(&vm->lock);
	if (!ret && f.nr > p->nr_runs)
		ret = -EMSGSIZE;
	p->nr_runs = f.nr;
	return ret;
}
