// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of the module, and the VMs and snapshots that they make.
 */
#include "model.h"
#include "tap.h"

static int call(struct mvm *m, u32 cmd, void *arg)
{
	kernel_act(&m->mm, &m->mm);
	return m->file->f_op->unlocked_ioctl(m->file, cmd, (unsigned long)arg);
}

static struct msnap *snap_slot(void)
{
	u32 i;

	for (i = 0; i < MAX_SNAPS; i++)
		if (!world.snap[i].used)
			return &world.snap[i];
	return NULL;
}

static void snap_begin(struct msnap *snap, int fd)
{
	memset(snap, 0, sizeof(*snap));
	snap->used = true;
	snap->fd = fd;
	snap->file = kernel.fds[fd];
	snap->snap = snap->file->private_data;
}

void snap_end(struct msnap *snap)
{
	if (snap->fd < 0 && !snap->maps && !snap->users)
		snap->used = false;
}

static void snaps_end(void)
{
	u32 i;

	for (i = 0; i < MAX_SNAPS; i++)
		if (world.snap[i].used)
			snap_end(&world.snap[i]);
}

void op_restore_any(void)
{
	struct mvm *m = any_vm(true);

	if (!m)
		return;
	op_restore(m, chance(70) ? NULL : any_snap());
	snaps_end();
}

/* Calls that write nothing, or the same: pages become idle. */
void op_restore_often(void)
{
	struct mvm *m = any_vm(true);
	u32 i;

	if (!m || !m->snap || world.poison)
		return;
	for (i = 0; i < 40 && !tap_failed(); i++) {
		inject_none();
		op_restore(m, NULL);
		world.ops++;
	}
}

/* Would the snapshot of it fail? */
static bool any_private_failed(const struct mvm *m)
{
	struct page *page;
	u32 s;

	for (s = 0; s < world.nr_sites && world.poison; s++) {
		page = real_private(m, s);
		if (page && page->failed)
			return true;
	}
	return false;
}

static u64 snap_fill(struct msnap *snap, const struct mvm *m)
{
	u64 pages = 0;
	u32 s;

	for (s = 0; s < world.nr_sites; s++) {
		if (m->page[s].private) {
			snap->base[s].c = m->page[s].c;
			snap->base[s].present = !content_zero(&m->page[s].c);
			/* equal to a page of zeroes that is one: it stays */
			if (m->snap && m->snap->base[s].present &&
			    content_same(&m->snap->base[s].c, &m->page[s].c))
				snap->base[s].present = hlk_snap_page(snap->snap,
								      world.site[s].gfn);
		} else if (m->snap) {
			snap->base[s].c = m->snap->base[s].c;
			snap->base[s].present = m->snap->base[s].present;
		}
		pages += snap->base[s].present;
	}
	return pages;
}

void op_snapshot(void)
{
	struct hlk_snapshot arg = {
		.head.size = sizeof(arg),
		.head.flags = chance(40) ? HLK_SNAPSHOT_DEDUP : 0,
	};
	struct msnap *snap = snap_slot();
	struct mvm *m = any_vm(true);
	int want;
	int ret;

	if (!m || !snap)
		return;
	want = m->half ? -EINVAL : any_private_failed(m) ? -EHWPOISON : 0;
	ret = call(m, HLK_SNAPSHOT, &arg);
	CHECK_MSG(ret == want || excused(ret), "snapshot: %d, not %d", ret, want);
	/* one that could not be handed out was taken all the same */
	m->took = ret ? m->vm->took : true;
	if (ret)
		return;
	snap_begin(snap, arg.out_fd);
	snap->generation = m->snap ? m->snap->generation + 1 : 1;
	CHECK_EQ(snap->snap->generation, snap->generation);
	CHECK_EQ(arg.counts.pages, snap_fill(snap, m));
}

/* A snapshot of an image: some pages, written in the middle of others */
void op_build(void)
{
	static struct hlk_window windows[HLK_MAX_WINDOWS];
	static struct hlk_segment segments[8];
	static u64 words[8];
	struct hlk_snapshot_build arg = {
		.head.size = sizeof(arg),
		.windows = (unsigned long)windows,
		.nr_windows = world.nr_windows,
		.window_size = sizeof(windows[0]),
		.segments = (unsigned long)segments,
		.nr_segments = below(ARRAY_SIZE(segments)),
		.segment_size = sizeof(segments[0]),
	};
	struct hlk_ucmd ucmd = { .cmd = &arg };
	struct msnap *snap = snap_slot();
	bool misfit = chance(20);
	u32 site[8], nr[8];
	u32 i;
	int ret;

	if (!snap)
		return;
	for (i = 0; i < world.nr_windows; i++)
		windows[i] = (struct hlk_window){
			.gpa = world.range[i].gfn << PAGE_SHIFT,
			.bytes = (world.range[i].pages - (misfit && !i)) << PAGE_SHIFT,
			.flags = world.range[i].flags,
		};
	if (misfit && world.range[0].pages == 1)
		return;
	if (misfit)
		arg.nr_segments = 0;
	for (i = 0; i < arg.nr_segments; i++) {
		site[i] = below(world.nr_sites);
		nr[i] = below(WORDS);
		words[i] = any_value();
		segments[i].gpa = (world.site[site[i]].gfn << PAGE_SHIFT) + word_at[nr[i]];
		segments[i].bytes = sizeof(words[i]);
		segments[i].data = (unsigned long)&words[i];
	}
	kernel_act(NULL, NULL);
	ret = hlk_cmd_snapshot_build(NULL, &ucmd);
	if (!ret)
		fd_install(ucmd.new_fd, ucmd.new_file);
	CHECK_MSG(!ret || excused(ret), "build: %d", ret);
	if (ret)
		return;
	snap_begin(snap, arg.out_fd);
	snap->misfit = misfit;
	for (i = 0; i < arg.nr_segments; i++)
		snap->base[site[i]].c.word[nr[i]] = words[i];
	for (i = 0; i < world.nr_sites && !misfit; i++)
		snap->base[i].present = hlk_snap_page(snap->snap, world.site[i].gfn);
	for (i = 0; i < world.nr_sites && !misfit; i++)
		CHECK(snap->base[i].present || content_zero(&snap->base[i].c));
}

void op_snap_close(void)
{
	struct msnap *snap = any_snap();

	if (!snap)
		return;
	kernel_close(snap->fd);
	snap->fd = -1;
	snap_end(snap);
}

/* What calls are known to write is made private, what they read is told. */
struct prefaulted {
	struct hlk_touched run[MAX_SITES];
	u32 nr;
	u64 made;
};

static void want_run(struct prefaulted *f, u32 s, u32 flags)
{
	struct hlk_touched *run = &f->run[f->nr ? f->nr - 1 : 0];
	u64 gpa = world.site[s].gfn << PAGE_SHIFT;

	if (f->nr && run->flags == flags && run->gpa + (run->pages << PAGE_SHIFT) == gpa &&
	    world.site[site_of(run->gpa >> PAGE_SHIFT)].window == world.site[s].window) {
		run->pages++;
		return;
	}
	f->run[f->nr++] = (struct hlk_touched){ .gpa = gpa, .pages = 1, .flags = flags };
}

static int want_prefault(struct mvm *m, struct prefaulted *f)
{
	bool private;
	u32 s;
	int err;

	for (s = 0; s < world.nr_sites; s++) {
		if (!m->snap->base[s].touched)
			continue;
		if (!(m->snap->base[s].touched & HLK_TOUCHED_WRITE_BIT) ||
		    m->nr_private >= m->keep_private ||
		    !model_budget(m, m->nr_private + 1)) {
			want_run(f, s, 0);
			continue;
		}
		private = m->page[s].private;
		err = model_private(m, s);
		if (err)
			return err;
		f->made += !private;
		m->kept += !private;
		want_run(f, s, HLK_TOUCHED_WRITE);
	}
	return 0;
}

void op_prefault(void)
{
	static struct hlk_touched runs[MAX_SITES];
	static struct prefaulted f;
	struct hlk_prefault arg = {
		.head.size = sizeof(arg),
		.runs = (unsigned long)runs,
		.nr_runs = ARRAY_SIZE(runs),
		.run_size = sizeof(runs[0]),
	};
	struct mvm *m = any_vm(true);
	bool few = chance(10);
	u64 before;
	int want;
	int ret;

	if (!m)
		return;
	f.nr = 0;
	f.made = 0;
	before = m->vm->prefaulted;
	want = m->snap ? want_prefault(m, &f) : -EINVAL;
	if (few)
		arg.nr_runs = f.nr / 2;
	if (few && !want && f.nr)
		want = -EMSGSIZE;
	ret = call(m, HLK_PREFAULT, &arg);
	CHECK_MSG(ret == want || excused(ret), "prefault: %d, not %d", ret, want);
	m->stats.prefaulted += m->vm->prefaulted - before;
	if (failed_any()) {
		m->kept = m->vm->nr_kept;
		model_hear(m);
		return;
	}
	CHECK_EQ(m->vm->prefaulted - before, f.made);
	if (ret && ret != -EMSGSIZE)
		return;
	CHECK_EQ(arg.made, f.made);
	CHECK_EQ(arg.nr_runs, f.nr);
	CHECK(!memcmp(runs, f.run, (few ? f.nr / 2 : f.nr) * sizeof(runs[0])));
}

/* The module writes a page itself, as an input of a call. */
void op_input(void)
{
	struct mvm *m = any_vm(true);
	u32 s = below(world.nr_sites);
	struct page *page;
	int want;

	if (!m)
		return;
	want = model_private(m, s);
	kernel_act(&m->mm, &m->mm);
	mutex_lock(&m->vm->lock);
	page = hlk_window_private(m->window[world.site[s].window], world.site[s].index);
	if (IS_ERR(page))
		CHECK_MSG(PTR_ERR(page) == want || excused(PTR_ERR(page)),
			  "a page to write: %ld, not %d", PTR_ERR(page), want);
	else if (CHECK(!want) && CHECK(page == real_private(m, s)))
		store(m, s, page, below(WORDS), any_value());
	mutex_unlock(&m->vm->lock);
}

/* What the module sees of the guest */
void op_get(void)
{
	struct mvm *m = any_vm(false);
	u32 s = below(world.nr_sites);
	struct hlk_gpage gpage;
	unsigned long index;
	u32 w = world.site[s].window;
	bool found;

	inject_none();
	if (!m)
		return;
	hlk_window_get(m->window[w], world.site[s].index, &gpage);
	CHECK_EQ(gpage.frozen, !m->page[s].private);
	CHECK(!gpage.page == (!m->page[s].private && !real_base(m, s)));
	if (gpage.page) {
		if (!gpage.page->failed)
			CHECK(page_shows(gpage.page, model_shows(m, s)));
		put_page(gpage.page);
	}
	index = world.site[s].index;
	found = hlk_window_next(m->window[w], &index);
	while (s < world.first_site[w + 1] && !m->page[s].private)
		s++;
	CHECK_EQ(found, s < world.first_site[w + 1]);
	if (found)
		CHECK_EQ(index, world.site[s].index);
}

/* The process is gone, for a while */
void op_owner(void)
{
	struct mvm *m = any_vm(false);

	if (m)
		m->mm.owner = NULL;
}

void vm_gone(struct mvm *m)
{
	u32 i;

	if (m->fd >= 0 || m->maps)
		return;
	for (i = 0; i < MAX_PINS; i++)
		if (world.pin[i].vm == m)
			world.pin[i].vm = NULL;
	if (m->snap)
		m->snap->users--;
	CHECK_EQ(m->kvm.refs, 0);
	m->used = false;
	snaps_end();
}

void op_stats(void)
{
	struct hlk_vm_stats arg = { .head.size = sizeof(arg) };
	struct mvm *m = any_vm(true);
	int ret;

	if (!m)
		return;
	ret = call(m, HLK_VM_STATS, &arg);
	CHECK_MSG(!ret || excused(ret), "stats: %d", ret);
	if (ret)
		return;
	m->stats.head = arg.head;
	m->stats.private_pages = m->nr_private;
	m->stats.max_private = m->max_private;
	CHECK_EQ(arg.read_faults, m->stats.read_faults);
	CHECK_EQ(arg.write_faults, m->stats.write_faults);
	CHECK_EQ(arg.over_budget, m->stats.over_budget);
	CHECK_EQ(arg.restores, m->stats.restores);
	CHECK_EQ(arg.switches, m->stats.switches);
	CHECK_EQ(arg.pages_copied, m->stats.pages_copied);
	CHECK_EQ(arg.pages_cleared, m->stats.pages_cleared);
	CHECK_EQ(arg.pages_freed, m->stats.pages_freed);
	CHECK_EQ(arg.pages_idle, m->stats.pages_idle);
	CHECK_EQ(arg.prefaulted, m->stats.prefaulted);
	CHECK(!memcmp(&arg, &m->stats, sizeof(arg)));
}

/* A VM */
static int vm_window_add(struct mvm *m, u32 w)
{
	struct hlk_window_add arg = {
		.head.size = sizeof(arg),
		.window = {
			.gpa = world.range[w].gfn << PAGE_SHIFT,
			.bytes = world.range[w].pages << PAGE_SHIFT,
			.flags = world.range[w].flags,
		},
	};
	int ret = call(m, HLK_WINDOW_ADD, &arg);

	if (ret == -EFAULT && m->vm->nr_windows &&
	    m->vm->windows[m->vm->nr_windows - 1]->range.gfn == world.range[w].gfn)
		ret = 0;	/* the answer alone was lost */
	CHECK_MSG(!ret || excused(ret), "a window: %d", ret);
	return ret;
}

static void vm_windows(struct mvm *m)
{
	struct hlk_vm_window *window;
	u32 i, j, was;

	for (i = 0; i < world.nr_windows; i++)
		m->order[i] = i;
	for (i = world.nr_windows; i-- > 1;) {
		j = below(i + 1);
		was = m->order[i];
		m->order[i] = m->order[j];
		m->order[j] = was;
	}
	for (i = 0; i < world.nr_windows; i++) {
		inject_some();
		if (vm_window_add(m, m->order[i])) {
			inject_none();
			if (vm_window_add(m, m->order[i]))
				return;
		}
		window = m->vm->windows[i];
		j = m->order[i];
		CHECK_EQ(window->range.gfn, world.range[j].gfn);
		m->window[j] = window;
	}
	inject_none();
	if (world.book < 0)
		return;
	m->page[world.book] = (struct mpage){ .private = true, .told = true, .every = 1 };
	m->nr_private++;
	m->stats.write_faults++;
}

static void vm_make(struct mvm *m)
{
	struct hlk_vm_attach arg = { .head.size = sizeof(arg) };
	struct hlk_ucmd ucmd = { .cmd = &arg };
	struct file *kvm;
	int ret;

	memset(m, 0, sizeof(*m));
	m->fd = -1;
	m->mm.owner = m;
	m->kvm.mm = &m->mm;
	/* of large worlds long lists are wanted */
	if (chance(world.nr_sites > 100 ? 20 : 50))
		m->keep_private = 2 + below(world.nr_sites / 2 + 1);
	if (chance(world.nr_sites > 100 ? 20 : 50))
		m->max_private = 4 + below(world.nr_sites);
	arg.keep_private = m->keep_private;
	arg.max_private = m->max_private;
	kvm = kernel_kvm_file(&m->kvm);
	arg.vm_fd = kernel_fd(kvm);
	kernel_act(&m->mm, &m->mm);
	ret = hlk_cmd_vm_attach(NULL, &ucmd);
	kernel_close(arg.vm_fd);
	CHECK_MSG(!ret || excused(ret), "attach: %d", ret);
	if (ret) {
		CHECK_EQ(m->kvm.refs, 0);
		return;
	}
	fd_install(ucmd.new_fd, ucmd.new_file);
	if (!m->max_private)
		m->max_private = hlk_max_private;
	m->keep_private = min(m->keep_private ?: U64_MAX, m->max_private);
	m->used = true;
	m->fd = arg.out_fd;
	m->file = kernel.fds[m->fd];
	m->vm = m->file->private_data;
	vm_windows(m);
}

void op_vm(void)
{
	struct mvm *m = &world.vm[below(MAX_VMS)];
	u32 w;

	if (!m->used) {
		vm_make(m);
		for (w = 0; m->used && w < world.nr_windows; w++)
			map_vm(m, w);
		return;
	}
	if (m->fd < 0 || chance(85))
		return;
	kernel_close(m->fd);
	m->fd = -1;
	vm_gone(m);
}

/* No more windows, and what is no snapshot */
void op_wrong(void)
{
	struct hlk_window_add arg = { .head.size = sizeof(arg) };
	struct hlk_restore restore = {
		.head.size = sizeof(restore),
		.snapshot_fd = chance(50) ? 1000 : 0,
	};
	struct mvm *m = any_vm(true);
	int ret;

	if (!m)
		return;
	if (m->vm->sealed) {
		ret = call(m, HLK_WINDOW_ADD, &arg);
		CHECK(ret == -EINVAL || excused(ret));
	}
	if (restore.snapshot_fd == 0)
		restore.snapshot_fd = m->fd;
	ret = call(m, HLK_RESTORE, &restore);
	CHECK(ret == -EBADF || excused(ret));
}
