// SPDX-License-Identifier: GPL-2.0-only
/*
 * The restore path, and nothing else.
 *
 * One loop over the private pages, each copied back or cleared in place, and
 * the registers of the vCPUs. No allocation, no page tables, no work that grows
 * with anything but the pages that the guest wrote. Going over to another
 * snapshot first rebases the windows, which unmaps what differs; from then on it is the
 * same loop.
 *
 * Private pages are copied back without asking whether they were written: they
 * are the pages that calls write. Now and then a restore asks, by comparing
 * before it copies, and gives those back that calls have stopped to write.
 */
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/slab.h>

#include "hlk.h"
#include "trace.h"

/* How many pages are copied before others may run */
#define RESCHED_PAGES	256

/* Every so many restores pages are compared before they are copied. */
#define PROBE_EVERY	16

static bool restore_unwritten(const struct hlk_private *private)
{
	if (!private->base)
		return !memchr_inv(private->at, 0, PAGE_SIZE);
	return !PageHWPoison(private->base) &&
	       !memcmp(private->at, page_address(private->base), PAGE_SIZE);
}

/*
 * Is a page as it should be already? Not all are asked each time, and never one that is
 * not given back anyway.
 */
static bool restore_idle(struct hlk_vm_window *window, struct hlk_private *private,
			 u64 probe)
{
	if (probe & (private->every - 1) || private < &window->list[window->pinned])
		return false;
	if (restore_unwritten(private)) {
		private->idle++;
		return true;
	}
	private->idle = 0;
	if (!private->told)
		hlk_window_touch(window, private->index, HLK_TOUCHED_WRITE_BIT,
				 GFP_NOWAIT | __GFP_ACCOUNT);
	private->told = true;
	return false;
}

/* What was learned is but a guess; the snapshot's own page may be well. */
static noinline int restore_unlearned(struct hlk_vm_window *window, struct hlk_private *private)
{
	if (!hlk_learned_give_up(window, private->index))
		return -EHWPOISON;
	private->base = hlk_window_base(window, private->index);
	return private->base ? hlk_copy_to(private->at, private->base) : -EHWPOISON;
}

static int restore_pages(struct hlk_vm_window *window, u64 from, u64 to, u64 probe,
			 struct hlk_restored *r, struct hlk_why_at *at)
{
	struct hlk_private *private = &window->list[from];
	const struct hlk_private *end = &window->list[to];
	u64 cleared = 0;
	u64 left = 0;

	for (; private < end; private++) {
		if (unlikely(PageHWPoison(private->page))) {
			r->failed++;
			left++;
			continue;
		}
		if (unlikely(probe) && restore_idle(window, private, probe)) {
			left++;
			continue;
		}
		if (!private->base) {
			clear_page(private->at);
			cleared++;
		} else if (unlikely(hlk_copy_to(private->at, private->base)) &&
			   restore_unlearned(window, private)) {
			return hlk_fail(at, -EHWPOISON, HLK_WHY_MEMORY_FAILED, 0,
					(window->range.gfn + private->index) << PAGE_SHIFT);
		}
	}
	r->copied += to - from - cleared - left;
	r->cleared += cleared;
	r->unwritten += left;
	return 0;
}

/* For assertions: is this what the page has to become? */
static bool restore_agrees(struct hlk_vm_window *window, const struct hlk_private *private)
{
	return window->base && private->base == hlk_window_base(window, private->index);
}

static int restore_window(struct hlk_vm_window *window, u64 probe,
			  struct hlk_restored *r, struct hlk_why_at *at)
{
	u64 from, to;
	int ret = 0;

	lockdep_assert_held(&window->lock);
	hlk_assert(window->nr <= window->room);
	for (from = 0; from < window->nr && !ret; from = to) {
		hlk_assert(restore_agrees(window, &window->list[from]));
		to = min(from + RESCHED_PAGES, window->nr);
		ret = restore_pages(window, from, to, probe, r, at);
		cond_resched();
	}
	return ret;
}

static u64 restore_drop(struct hlk_vm *vm, u64 pages, enum hlk_drop which)
{
	u64 dropped = 0;
	u32 i = vm->nr_windows;

	while (dropped < pages && i--)
		dropped += hlk_window_drop(vm->windows[i], pages - dropped, which);
	return dropped;
}

static u64 restore_excess(struct hlk_vm *vm)
{
	u64 now = atomic64_read(&vm->nr_private);

	return now > vm->keep_private ? now - vm->keep_private : 0;
}

/*
 * Give back what calls do not write any more, and what is above the
 * watermark: idle pages first, then the youngest.
 */
static void restore_trim(struct hlk_vm *vm, u64 probe, struct hlk_restored *r)
{
	if (probe || vm->trim)
		r->idle = restore_drop(vm, U64_MAX, HLK_DROP_IDLE);
	vm->trim = false;
	r->freed += r->idle;
	if (!restore_excess(vm))
		return;
	r->freed += restore_drop(vm, restore_excess(vm), HLK_DROP_UNWRITTEN);
	r->freed += restore_drop(vm, restore_excess(vm), HLK_DROP_ANY);
}

/* Restores read no file: what private pages are copied from has to be in memory. */
static int restore_fetch(struct hlk_vm *vm, struct hlk_snap *snap, struct hlk_why_at *at)
{
	struct hlk_vm_window *window;
	u64 index;
	u32 i;
	int nr;
	int ret;

	for (i = 0; i < vm->nr_windows; i++) {
		window = vm->windows[i];
		nr = hlk_layout_find(&snap->layout, window->range.gfn);
		ret = hlk_window_fetch(window, &snap->base[nr], &index);
		if (ret == -EIO)
			hlk_fail(at, ret, HLK_WHY_BASE_READ, 0,
				 (window->range.gfn + index) << PAGE_SHIFT);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * What both snapshots have stays mapped. Until all windows have let go the rest nothing has
 * changed.
 */
static int restore_switch(struct hlk_vm *vm, struct hlk_snap *snap,
			  struct hlk_restored *r, struct hlk_why_at *at)
{
	u32 i;
	int nr;
	int ret;

	ret = snap->files ? restore_fetch(vm, snap, at) : 0;
	if (ret)
		return ret;
	for (i = 0; i < vm->nr_windows; i++) {
		nr = hlk_layout_find(&snap->layout, vm->windows[i]->range.gfn);
		ret = hlk_window_unmap(vm->windows[i], &snap->base[nr]);
		if (ret == -EMLINK)
			hlk_fail(at, ret, HLK_WHY_MAPPINGS, i,
				 vm->windows[i]->range.gfn << PAGE_SHIFT);
		if (ret)
			return ret;
	}
	for (i = 0; i < vm->nr_windows; i++) {
		nr = hlk_layout_find(&snap->layout, vm->windows[i]->range.gfn);
		hlk_window_rebase(vm->windows[i], &snap->base[nr],
				  &snap->touched[nr]);
	}
	memset(vm->kept, 0, sizeof(vm->kept));
	kref_get(&snap->ref);
	r->old = vm->snap;
	vm->snap = snap;
	vm->sealed = true;
	vm->switches++;
	/* as a clone begins: what was written to get here, calls do not write */
	if (vm->took)
		r->freed = restore_drop(vm, U64_MAX, HLK_DROP_STRANGE);
	return 0;
}

/*
 * No two restores, of this VM or of a clone, start from the same numbers. The
 * page is the module's to write: it stays private for as long as its window.
 */
static void restore_unique(struct hlk_vm *vm)
{
	u8 *top = page_address(vm->book->pinned_page) + PAGE_SIZE;

	hlk_seed_take(&vm->seeds, top - HLK_GUEST_OFF_SEED);
	vm->unique++;
	memcpy(top - HLK_GUEST_OFF_UNIQUE, &vm->unique, sizeof(vm->unique));
}

/* The layout of a VM that has a snapshot is constant, and was compared. */
static int restore_fits(struct hlk_vm *vm, const struct hlk_snap *snap,
			struct hlk_why_at *at)
{
	const struct hlk_range *theirs;
	const struct hlk_range *ours;
	u32 i;

	if (snap == vm->snap)
		return hlk_vcpus_fit(vm, snap, at);
	for (i = 0; i < max(vm->layout.nr, snap->layout.nr); i++) {
		ours = &vm->layout.range[i];
		theirs = &snap->layout.range[i];
		if (vm->layout.nr != snap->layout.nr ||
		    ours->gfn != theirs->gfn || ours->pages != theirs->pages ||
		    ours->flags != theirs->flags)
			return hlk_fail(at, -EMEDIUMTYPE, HLK_WHY_LAYOUT, i,
					ours->gfn << PAGE_SHIFT);
	}
	return hlk_vcpus_fit(vm, snap, at);
}

static void restore_unlock(struct hlk_vm *vm, u32 nr)
{
	while (nr--)
		mutex_unlock(&vm->windows[nr]->lock);
}

/* Page faults wait from here on, on all windows. */
static int restore_lock(struct hlk_vm *vm, bool nowait)
{
	struct hlk_vm_window *window;
	u32 i;

	for (i = 0; i < vm->nr_windows; i++) {
		window = vm->windows[i];
		if (!nowait) {
			mutex_lock_nest_lock(&window->lock, &vm->lock);
		} else if (!mutex_trylock_nest_lock(&window->lock, &vm->lock)) {
			restore_unlock(vm, i);
			return -EAGAIN;
		}
	}
	return 0;
}

/*
 * To unmap pages is to wait: for who maps and unmaps, for page tables of KVM's, for
 * other processors. Who audits, or has a program, takes the process's memory map.
 */
static bool restore_waits(struct hlk_vm *vm, const struct hlk_snap *snap, u32 flags)
{
	return snap != vm->snap || vm->trim || flags & HLK_RESTORE_AUDIT ||
	       snap->program || restore_excess(vm);
}

/*
 * Private pages whose memory failed were not copied to. They are given back, and the
 * next access has the base. None may stay: it would show what calls left there.
 */
static int restore_failed(struct hlk_vm *vm, bool nowait, struct hlk_restored *r,
			  struct hlk_why_at *at)
{
	u64 freed;

	if (nowait)
		return -EAGAIN;
	freed = restore_drop(vm, U64_MAX, HLK_DROP_FAILED);
	r->freed += freed;
	if (freed == r->failed)
		return 0;
	return hlk_fail(at, -EHWPOISON, HLK_WHY_MEMORY_FAILED, 0, 0);
}

/* For assertions: private pages are made under the locks of windows, all of them held. */
static u64 restore_sum(struct hlk_vm *vm)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < vm->nr_windows; i++)
		sum += vm->windows[i]->nr;
	return sum;
}

/*
 * All that can fail is behind us when the first byte changes, but for memory that
 * fails: then the guest has some pages of before and some of after.
 */
static int restore(struct hlk_vm *vm, struct hlk_snap *snap, u32 flags, u64 program,
		   const struct kvm_vcpu *next, struct hlk_restored *r,
		   struct hlk_why_at *at)
{
	u64 probe = (vm->restores + 1) % PROBE_EVERY ? 0 :
		    (vm->restores + 1) / PROBE_EVERY;
	bool nowait = flags & HLK_RESTORE_NOWAIT;
	u32 i;
	int ret;

	lockdep_assert_held(&vm->lock);
	ret = restore_fits(vm, snap, at);
	if (ret)
		return ret;
	if (vm->book && unlikely(PageHWPoison(vm->book->pinned_page)))
		return hlk_fail(at, -EHWPOISON, HLK_WHY_MEMORY_FAILED, 0,
				HLK_GUEST_SCRATCH_TOP - PAGE_SIZE);
	if (nowait && restore_waits(vm, snap, flags))
		return -EAGAIN;
	if (unlikely(snap->program || program)) {
		ret = hlk_program_ready(vm, snap, program, at);
		if (ret)
			return ret;
	}
	ret = restore_lock(vm, nowait);
	if (ret)
		return ret;
	if (snap != vm->snap)
		ret = restore_switch(vm, snap, r, at);
	if (!ret)
		vm->half = true;
	if (unlikely((probe || flags & HLK_RESTORE_AUDIT) && vm->book) && !nowait && !ret)
		hlk_learned_failed(vm->book);
	for (i = 0; i < vm->nr_windows && !ret; i++)
		ret = restore_window(vm->windows[i], probe, r, at);
	if (unlikely(r->failed) && !ret)
		ret = restore_failed(vm, nowait, r, at);
	if (ret)
		goto unlock;

	if (vm->book && !(flags & HLK_RESTORE_REPRODUCIBLE))
		restore_unique(vm);
	/* of others they are always loaded: calls that set them may come before the entry */
	r->kept = next && hlk_vcpu_kept(vm, next);
	r->residue = hlk_vcpus_restore(vm, snap, flags & HLK_RESTORE_TIME_BACK,
				       r->kept ? next : NULL) |
		     (vm->beside ? HLK_RESIDUE_MEMSLOTS : 0);
	if (nowait)
		vm->trim = r->unwritten;
	else
		restore_trim(vm, probe, r);
	r->private_pages = atomic64_read(&vm->nr_private);
	/* those that a device has, beyond that, go on to count */
	WRITE_ONCE(vm->nr_kept, min(r->private_pages, vm->keep_private));
	vm->restores++;
	vm->restores_kept += r->kept;
	vm->copied += r->copied;
	vm->cleared += r->cleared;
	vm->freed += r->freed;
	vm->idle += r->idle;
	vm->took = false;
	vm->half = snap->program;
unlock:
	hlk_assert(restore_sum(vm) == atomic64_read(&vm->nr_private));
	restore_unlock(vm, vm->nr_windows);
	/* with a program: when that was run */
	return !ret && flags & HLK_RESTORE_AUDIT && !snap->program ?
	       hlk_audit(vm, snap, flags, at) : ret;
}

/*
 * What the module cannot reach itself, when all else is back. KVM takes the locks of
 * the VM and its vCPUs for each call. An audit sees what these did, to memory as well.
 */
static int restore_program(struct hlk_vm *vm, struct hlk_snap *snap, u32 flags,
			   u64 program, struct hlk_restored *r, struct hlk_why_at *at)
{
	bool time_back = flags & HLK_RESTORE_TIME_BACK;
	int ret;

	ret = hlk_program_run(vm, snap, program, flags, at);
	if (ret)
		return ret;
	r->residue &= ~hlk_program_residue(snap, vm->kvm, time_back);
	r->residue |= hlk_vcpus_scaled(vm, snap, time_back);
	vm->half = false;
	if (!(flags & HLK_RESTORE_AUDIT))
		return 0;
	ret = hlk_vcpus_hold(vm, false, at);
	if (ret)
		return ret;
	ret = hlk_audit(vm, snap, flags, at);
	hlk_vcpus_release(vm);
	return ret;
}

/*
 * What a program wants done before anything is put back. It is known that no vCPU runs, and
 * KVM takes their locks itself.
 */
static int restore_before(struct hlk_vm *vm, const struct hlk_snap *snap, u32 flags,
			  struct hlk_why_at *at)
{
	int ret;

	if (!snap->program->does[false][HLK_PROGRAM_STARTS] ||
	    flags & HLK_RESTORE_NOWAIT)
		return 0;
	/* of one that does not fit nothing is done, not even this */
	ret = restore_fits(vm, snap, at);
	hlk_vcpus_release(vm);
	if (!ret)
		ret = hlk_program_accept(vm, snap, at);
	return ret ? ret : hlk_vcpus_hold(vm, false, at);
}

/**
 * hlk_restore() - go back to a snapshot
 * @vm: the VM; its lock is held
 * @snap: the snapshot; NULL for the one restored last
 * @flags: HLK_RESTORE_*
 * @program: where the caller has the snapshot's program mapped; 0 if it has none
 * @next: the vCPU that the caller enters next, by itself; NULL if it is not known
 * @r: out: what was done; @r->old is to be put, after a failure too
 * @at: the reason of a failure
 *
 * Return: 0; -EBUSY if a vCPU is running, -EMEDIUMTYPE if the snapshot does not
 * fit, -EINVAL if there is none, -EOPNOTSUPP for a VM that cannot be
 * restored, -EMLINK if a window has too many mappings, -EINTR after a fatal signal,
 * -EIO if a page of the snapshot's files cannot be read,
 * -EAGAIN with HLK_RESTORE_NOWAIT: nothing was changed, unless memory failed: then
 * pages were copied back, and registers not. -EUCLEAN if an audit found a difference,
 * and what hlk_audit() returns. -EHWPOISON if memory failed: the
 * guest is not as it was and not as it should be; so it is where KVM refuses a call of
 * the program
 */
int hlk_restore(struct hlk_vm *vm, struct hlk_snap *snap, u32 flags, u64 program,
		const struct kvm_vcpu *next, struct hlk_restored *r,
		struct hlk_why_at *at)
{
	u64 start = trace_hlk_restore_enabled() ? ktime_get_ns() : 0;
	int ret;

	lockdep_assert_held(&vm->lock);
	hlk_might_sleep();
	memset(r, 0, sizeof(*r));
	if (!snap)
		snap = vm->snap;
	if (!snap)
		return hlk_fail(at, -EINVAL, HLK_WHY_NO_SNAPSHOT, 0, 0);
	ret = hlk_vcpus_hold(vm, flags & HLK_RESTORE_NOWAIT, at);
	if (unlikely(snap->program) && !ret)
		ret = restore_before(vm, snap, flags, at);
	if (ret)
		return ret;
	if (flags & HLK_RESTORE_LEARN && snap == vm->snap && !(flags & HLK_RESTORE_NOWAIT))
		hlk_learn(vm);
	ret = restore(vm, snap, flags, program, next, r, at);
	hlk_vcpus_release(vm);
	if (unlikely(snap->program) && !ret)
		ret = restore_program(vm, snap, flags, program, r, at);
	trace_hlk_restore(vm->id, r, start, ret);
	return ret;
}

/**
 * hlk_cmd_restore() - HLK_RESTORE
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: as hlk_restore(), -EBADF if the fd is not that of a snapshot, or
 * -EAGAIN if it would wait and must not
 */
int hlk_cmd_restore(void *obj, struct hlk_ucmd *ucmd)
{
	u32 nowait = ucmd->nowait ? HLK_RESTORE_NOWAIT : 0;
	struct hlk_restore *r = ucmd->cmd;
	struct hlk_restored done = {};
	struct hlk_vm *vm = obj;
	struct file *file = NULL;
	int ret;

	ret = hlk_vm_check(vm, &ucmd->at);
	if (ret)
		return ret;
	if (hlk_restore_bad_flags(r->head.flags))
		return hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_FLAGS, 0, 0);
	if (r->snapshot_fd != -1) {
		file = hlk_snap_file(r->snapshot_fd);
		if (!file)
			return hlk_fail(&ucmd->at, -EBADF, HLK_WHY_NOT_SNAPSHOT,
					0, 0);
	}
	if (!nowait)
		ret = mutex_lock_killable(&vm->lock);
	else if (!mutex_trylock(&vm->lock))
		ret = -EAGAIN;
	if (!ret) {
		ret = hlk_restore(vm, file ? file->private_data : NULL,
				  r->head.flags | nowait, r->program, NULL, &done,
				  &ucmd->at);
		mutex_unlock(&vm->lock);
	}
	hlk_snap_put(done.old);
	/* not the snapshot itself: that may be the last reference, with much to free */
	if (file)
		fput(file);
	r->residue = done.residue;
	r->copied = done.copied;
	r->cleared = done.cleared;
	r->freed = done.freed;
	r->private_pages = done.private_pages;
	return ret;
}
