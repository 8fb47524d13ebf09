// SPDX-License-Identifier: GPL-2.0-only
/*
 * A restore, and what it may give back.
 */
#include "model.h"
#include "tap.h"

/**
 * struct plan - what a restore should do
 * @m: the VM
 * @to: the snapshot
 * @nowait: rather fail than wait
 * @flags: HLK_RESTORE_*
 * @probe: which probe it is, 0 if none
 * @ret: what it returns
 * @copied: pages copied
 * @cleared: pages cleared
 * @failed: private pages whose memory failed
 * @unwritten: pages that a probe found as they should be
 * @strangers: pages of before a snapshot, which calls from it are not known to write
 * @unsure: some of these may have gone later, after they were copied to
 * @broken: sites of private pages whose memory failed
 * @kept: sites of private pages that nobody may give back
 * @order: for each window, the sites of its list before
 * @nr: how many
 * @arg: what the module says
 */
struct plan {
	struct mvm *m;
	struct msnap *to;
	bool nowait;
	u32 flags;
	u64 probe;
	int ret;
	u64 copied;
	u64 cleared;
	u64 failed;
	u64 unwritten;
	u64 strangers;
	bool unsure;
	bool broken[MAX_SITES];
	bool kept[MAX_SITES];
	u32 nr[HLK_MAX_WINDOWS];
	u32 order[HLK_MAX_WINDOWS][MAX_SITES];
	struct hlk_restore arg;
};

static struct plan plan;

static void plan_order(void)
{
	struct hlk_vm_window *window;
	u32 w;
	u32 i;

	for (w = 0; w < world.nr_windows; w++) {
		window = plan.m->window[w];
		plan.nr[w] = window->nr;
		for (i = 0; i < window->nr; i++)
			plan.order[w][i] = site_of(window->range.gfn +
						   window->list[i].index);
	}
}

static u64 excess(u64 now)
{
	u64 keep = plan.m->keep_private;

	return now > keep ? now - keep : 0;
}

/* What it says before anything changes */
static int plan_refused(void)
{
	struct mvm *m = plan.m;
	u32 w;

	if (!plan.to)
		return -EINVAL;
	if (plan.to->misfit)
		return -EMEDIUMTYPE;
	if (world.book >= 0 && real_private(m, world.book)->failed)
		return -EHWPOISON;
	if (plan.nowait && (plan.to != m->snap || m->trim ||
			    plan.flags & HLK_RESTORE_AUDIT || excess(m->nr_private)))
		return -EAGAIN;
	for (w = 0; w < world.nr_windows && plan.to != m->snap; w++)
		if (model_crowded(m, w))
			return -EMLINK;
	return 0;
}

/* A page that was asked and is as it should be stays as it is. */
static bool plan_idle(struct mpage *page, u32 s, bool base_failed)
{
	if (!plan.probe || plan.probe & (page->every - 1) || (int)s == world.book)
		return false;
	if (!base_failed && content_same(&page->c, model_base(plan.to, s))) {
		page->idle++;
		plan.unwritten++;
		return true;
	}
	page->idle = 0;
	if (!page->told)
		model_touch(plan.to, s, HLK_TOUCHED_WRITE_BIT);
	page->told = true;
	return false;
}

static int plan_page(u32 s)
{
	struct page *base = real_base(plan.m, s);
	struct mpage *page = &plan.m->page[s];

	if (plan.broken[s]) {
		plan.failed++;
		return 0;
	}
	if (plan_idle(page, s, base && base->failed))
		return 0;
	if (!plan.to->base[s].present)
		plan.cleared++;
	else if (base->failed)
		return -EHWPOISON;
	else if (++plan.copied == (u64)shim.fail_copy_at)
		return -EHWPOISON;
	page->c = *model_base(plan.to, s);
	return 0;
}

/* Bytes that were copied in part */
static void hear_content(void)
{
	struct page *page;
	u32 s;

	for (s = 0; s < world.nr_sites; s++) {
		page = real_private(plan.m, s);
		if (page)
			content_load(&plan.m->page[s].c, page);
	}
}

static void plan_switch(void)
{
	struct mvm *m = plan.m;
	u32 s;

	if (plan.to == m->snap)
		return;
	if (m->snap)
		m->snap->users--;
	m->snap = plan.to;
	m->snap->users++;
	m->stats.switches++;
	m->stats.generation = m->snap->generation;
	for (s = 0; s < world.nr_sites; s++)
		m->page[s].told = false;
}

/* Could it be given back, if somebody wanted to? */
static bool droppable(u32 s)
{
	struct page *page = real_private(plan.m, s);

	return plan.m->page[s].private && !plan.kept[s] &&
	       !(page && page_is_pinned(page));
}

/* Is a page of the VM in somebody's hands? Then the number cannot be said. */
static bool any_locked(void)
{
	struct page *page;
	u32 s;

	for (s = 0; s < world.nr_sites; s++) {
		page = real_private(plan.m, s);
		if (page && page->locked)
			return true;
	}
	return false;
}

/*
 * One that was in somebody's hands when strangers went was asked with the others, and has gone
 * since as one above the watermark: that it was written is known.
 */
static void hear_asked(u32 s)
{
	struct hlk_touched_set *set = &plan.to->snap->touched[world.site[s].window];
	void *entry = xa_load(&set->pages, world.site[s].index);

	if (plan.probe && entry)
		model_touch(plan.to, s, xa_to_value(entry) & HLK_TOUCHED_WRITE_BIT);
}

/* Who took a snapshot begins as a clone does; the last one takes the place of what goes. */
static void plan_strangers(void)
{
	bool exact = !world.raced && !any_locked() && !shim.signal_at;
	u32 j, w, s;

	for (w = 0; w < world.nr_windows; w++)
		for (j = plan.nr[w]; j--;) {
			s = plan.order[w][j];
			if (!droppable(s) ||
			    plan.to->base[s].touched & HLK_TOUCHED_WRITE_BIT)
				continue;
			if (real_private(plan.m, s)) {
				CHECK_MSG(!exact, "site %u was not given back", s);
				continue;
			}
			model_drop(plan.m, s);
			if (!exact)
				hear_asked(s);
			plan.order[w][j] = plan.order[w][--plan.nr[w]];
			plan.strangers++;
			plan.unsure = !exact;
		}
}

/* All pages, in the order in which the module has them: that matters where one fails. */
static int plan_copy(void)
{
	bool other = plan.to != plan.m->snap;
	u32 i, j, w;
	int ret;

	plan_switch();
	if (other && plan.m->took)
		plan_strangers();
	for (i = 0; i < world.nr_windows; i++) {
		w = plan.m->order[i];
		for (j = 0; j < plan.nr[w]; j++) {
			ret = plan_page(plan.order[w][j]);
			if (ret)
				return ret;
		}
	}
	if (plan.failed && plan.nowait)
		return -EAGAIN;
	return 0;
}

/**
 * struct drops - pages of one kind that are given back
 * @want: is a page of this kind?
 * @most: how many at most
 * @gone: how many are
 * @clean: windows of which no page was given back before: their order is known
 */
struct drops {
	bool (*want)(u32 s);
	u64 most;
	u64 gone;
	bool clean[HLK_MAX_WINDOWS];
};

static bool dropped[MAX_SITES];	/* what has gone, in fact */
static bool judged[MAX_SITES];	/* of these, what has been explained */

/* The last window first, in each the last of its list first */
static void judge(struct drops *d, bool exact)
{
	u64 left = d->most;
	u32 i, j, w, s;
	u64 may, gone;
	bool kept;

	for (i = world.nr_windows; i--;) {
		w = plan.m->order[i];
		may = 0;
		gone = 0;
		kept = false;
		if (model_crowded(plan.m, w))
			continue;
		for (j = plan.nr[w]; j--;) {
			s = plan.order[w][j];
			if (judged[s] || !droppable(s) || !d->want(s))
				continue;
			may++;
			if (!dropped[s] || gone == left) {
				kept = true;
				continue;
			}
			if (exact && d->clean[w])
				CHECK_MSG(!kept, "site %u is not the youngest", s);
			judged[s] = true;
			gone++;
		}
		if (exact)
			CHECK_EQ(gone, min(may, left));
		if (gone)
			d->clean[w] = false;
		left -= gone;
		d->gone += gone;
	}
}

static bool want_failed(u32 s)
{
	return plan.broken[s];
}

static bool want_idle(u32 s)
{
	return plan.m->page[s].idle >= 2;
}

static bool want_unwritten(u32 s)
{
	return plan.m->page[s].idle;
}

static bool want_any(u32 s)
{
	return s < MAX_SITES;
}

static u64 find_dropped(void)
{
	u64 nr = 0;
	u32 s;

	memset(judged, 0, sizeof(judged));
	for (s = 0; s < world.nr_sites; s++) {
		dropped[s] = plan.m->page[s].private && !real_private(plan.m, s);
		nr += dropped[s];
	}
	return nr;
}

static void judge_drops(struct hlk_restore *arg, bool trim)
{
	bool exact = !world.raced && !any_locked() && !(shim.signal_at && failed_any());
	struct drops d = {};
	u64 before = plan.m->nr_private;
	u64 idle = plan.m->stats.pages_idle;
	u64 all = find_dropped();
	u32 s;

	memset(d.clean, true, sizeof(d.clean));
	if (plan.failed) {
		d.want = want_failed;
		d.most = plan.failed;
		judge(&d, exact);
		if (d.gone != plan.failed)
			plan.ret = -EHWPOISON;
	}
	if (!plan.ret && !plan.nowait) {
		if (plan.probe || trim) {
			d.want = want_idle;
			d.most = U64_MAX;
			judge(&d, exact);
			idle += d.gone - plan.failed;
		}
		d.most = excess(before - d.gone);
		d.want = want_unwritten;
		judge(&d, exact);
		d.most = excess(before - d.gone);
		d.want = want_any;
		judge(&d, exact);
	}
	CHECK_MSG(d.gone == all, "%llu pages were given back, of which %llu should",
		  all, d.gone);
	for (s = 0; s < world.nr_sites; s++)
		if (dropped[s])
			model_drop(plan.m, s);
	if (!plan.ret) {
		all += plan.strangers;
		plan.m->stats.pages_freed += all;
		/* one that was in somebody's hands may have gone as one of another kind */
		CHECK(plan.unsure || (exact ? plan.m->vm->idle == idle :
					      plan.m->vm->idle <= idle));
		plan.m->stats.pages_idle = plan.m->vm->idle;
		if (arg)
			CHECK_EQ(arg->freed, all);
	}
}

/* The page with the bookkeeping */
static void hear_book(u64 unique)
{
	struct content *c;

	if (world.book < 0)
		return;
	c = &plan.m->page[world.book].c;
	if (plan.flags & HLK_RESTORE_REPRODUCIBLE)
		return;
	plan.m->stats.unique = unique + 1;
	content_load(c, real_private(plan.m, world.book));
	CHECK_EQ(c->word[6], plan.m->stats.unique);
	c->word[0] = model_base(plan.to, world.book)->word[0];
	c->word[1] = model_base(plan.to, world.book)->word[1];
	c->word[7] = model_base(plan.to, world.book)->word[7];
}

static long call(int fd)
{
	struct hlk_uring payload = {};
	struct io_uring_cmd cmd = {
		.file = plan.m->file,
		.cmd_op = HLK_RESTORE,
		.payload = &payload,
	};
	long ret;

	plan.arg = (struct hlk_restore){
		.head = { .size = sizeof(plan.arg), .flags = plan.flags },
		.snapshot_fd = fd,
	};
	payload.arg = (unsigned long)&plan.arg;
	shim.no_alloc = true;
	if (plan.nowait)
		ret = plan.m->file->f_op->uring_cmd(&cmd, IO_URING_F_NONBLOCK);
	else
		ret = plan.m->file->f_op->unlocked_ioctl(plan.m->file, HLK_RESTORE,
							 payload.arg);
	shim.no_alloc = false;
	return ret;
}

static void plan_pages(void)
{
	struct page *page;
	u32 s;

	for (s = 0; s < world.nr_sites; s++) {
		page = real_private(plan.m, s);
		plan.broken[s] = page && page->failed;
		plan.kept[s] = page && ((int)s == world.book || page->locked ||
					page_is_pinned(page));
	}
}

/**
 * op_restore() - restore a VM
 * @m: the VM
 * @target: the snapshot, NULL for the one before
 */
void op_restore(struct mvm *m, struct msnap *target)
{
	u64 unique = m->stats.unique;
	u64 restores = m->vm->restores;
	u64 switches = m->vm->switches;
	bool trim = m->trim;
	struct hlk_restore *arg;
	u64 pages = m->nr_private;
	bool other = chance(2);
	long ret;

	plan.m = m;
	plan.to = target ?: m->snap;
	plan.nowait = chance(30);
	plan.flags = (chance(50) ? HLK_RESTORE_REPRODUCIBLE : 0) |
		     (chance(5) ? HLK_RESTORE_AUDIT : 0);
	plan.probe = (m->stats.restores + 1) % 16 ? 0 : (m->stats.restores + 1) / 16;
	plan.copied = 0;
	plan.cleared = 0;
	plan.failed = 0;
	plan.unwritten = 0;
	plan.strangers = 0;
	plan.unsure = false;
	plan_order();
	plan_pages();
	plan.ret = other ? -EPERM : plan_refused();
	kernel_act(other ? NULL : &m->mm, &m->mm);
	kernel.vcpus_restored = 0;
	shim.rescheds = 0;
	ret = call(target ? target->fd : -1);
	kernel_act(&m->mm, &m->mm);
	arg = ret == -EFAULT ? NULL : &plan.arg;

	/* refused, or given up before anything changed */
	if (m->vm->restores == restores && m->vm->switches == switches &&
	    (plan.ret || (ret != -EHWPOISON && excused(ret)))) {
		CHECK_MSG(ret == plan.ret || excused(ret), "restore: %ld, not %d", ret,
			  plan.ret);
		CHECK_EQ(kernel.vcpus_restored, 0);
		return;
	}
	if (!CHECK_MSG(!plan.ret, "restore: %ld, not %d", ret, plan.ret))
		return;
	m->stats.restores += m->vm->restores != restores;
	m->half = m->vm->restores == restores;
	CHECK_EQ(m->vm->half, m->half);
	plan.ret = plan_copy();
	if (plan.ret == -EHWPOISON) {
		CHECK_EQ(ret, plan.ret);
		hear_content();
		return;
	}
	if (plan.ret) {
		CHECK_EQ(ret, plan.ret);
		return;
	}
	judge_drops(arg, trim);
	if (plan.ret) {
		CHECK_EQ(ret, plan.ret);
		CHECK_EQ(m->vm->restores, restores);
		return;
	}
	CHECK_MSG(!ret || excused(ret), "restore: %ld", ret);
	CHECK_EQ(m->vm->restores, restores + 1);
	CHECK_EQ(kernel.vcpus_restored, 1);
	CHECK((u64)shim.rescheds >= pages / 256);
	hear_book(unique);
	m->kept = min(m->nr_private, m->keep_private);
	m->took = false;
	m->trim = plan.nowait && plan.unwritten + plan.failed;
	if (plan.unsure) {
		plan.copied = m->vm->copied - m->stats.pages_copied;
		plan.cleared = m->vm->cleared - m->stats.pages_cleared;
	}
	m->stats.pages_copied += plan.copied;
	m->stats.pages_cleared += plan.cleared;
	if (!arg)
		return;
	CHECK_EQ(arg->copied, plan.copied);
	CHECK_EQ(arg->cleared, plan.cleared);
	CHECK_EQ(arg->private_pages, m->nr_private);
}
