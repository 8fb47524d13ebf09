// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compacting a guest that was compacted before, at the cost of what it changed.
 *
 * A guest that runs from a compact snapshot has the snapshot's tables, and each
 * page that it did not write is the snapshot's. So a child of that snapshot
 * begins as its parent, and only tables and pages that differ are looked at.
 *
 * That is right as long as the guest did what guests do between two
 * snapshots: copy a page on write, map fresh pages from scratch, unmap pages,
 * change the rights of a page that is mapped once. Then a new page is mapped
 * once, for no entry of the parent's tables can map free scratch; it takes
 * the frame of the page it replaced, or a new one. Whoever does more (another
 * directory entry, a page mapped twice) is compacted as if for the first
 * time. All tables are judged before anything is done.
 */
#include "delta.h"
#include "place.h"

/**
 * struct delta - one compaction over a parent
 * @snap: the snapshot that is being made
 * @parent: the one that the guest runs from
 * @gmem: the guest
 * @p: what was asked
 * @at: the reason of a failure
 * @tables: index of a changed table -> struct page, as the guest has it
 * @frames: frames in free scratch that changed entries map, and frames of the
 *	child that have their page already -> a value
 * @scratch: the scratch window
 */
struct delta {
	struct hlk_snap *snap;
	struct hlk_snap *parent;
	struct hlk_gmem *gmem;
	const struct hlk_snap_params *p;
	struct hlk_why_at *at;
	struct xarray tables;
	struct xarray frames;
	const struct hlk_range *scratch;
};

static bool same_mode(const struct i686_mode *a, const struct i686_mode *b)
{
	return a->pse == b->pse && a->maxphyaddr == b->maxphyaddr;
}

/* Is the guest still the one that the parent's tables were made for? */
static bool delta_possible(const struct delta *d)
{
	const struct hlk_snap *parent = d->parent;
	const struct hlk_snap_params *p = d->p;
	u32 i;

	if (!parent->tables || !d->gmem->ops->changed ||
	    (parent->flags ^ p->flags) & HLK_SNAPSHOT_HOST_COW ||
	    parent->input_bytes != p->input_bytes ||
	    parent->output_bytes != p->output_bytes ||
	    !same_mode(&parent->mode, &p->mode) ||
	    parent->counts.leaf_not_ram || parent->counts.table_not_ram ||
	    parent->tables->nr > p->max_tables || parent->nr_roots != p->nr_roots)
		return false;
	for (i = 0; i < p->nr_roots; i++)
		if (p->roots[i] >= I686_VA_END ||
		    i686_gfn(parent->roots[i]) != i686_gfn(p->roots[i]))
			return false;
	return true;
}

/* The guest takes fresh pages from here. */
static bool delta_free_scratch(const struct delta *d, u64 gfn)
{
	return gfn >= d->parent->first_free >> PAGE_SHIFT && gfn < SCRATCH_ALLOC_END;
}

static bool delta_dense(const struct delta *d, u64 gfn)
{
	return hlk_layout_find(&d->snap->layout, gfn) >= 0 &&
	       !hlk_range_has(d->scratch, gfn);
}

/* What the CPU sets by itself is no change. */
static u32 delta_differ(u32 a, u32 b)
{
	return (a ^ b) & ~(I686_A | I686_D);
}

/*
 * May the leaf @old have become @new? -EAGAIN if that is more than is done
 * here. Nothing is changed yet, so counts are the parent's: more leaves than
 * there are, at worst.
 */
static int delta_judge(struct delta *d, u32 old, u32 new)
{
	u64 from = i686_gfn(old);
	u64 to = i686_gfn(new);

	if (!delta_differ(old, new) || !((old | new) & I686_P))
		return 0;
	if (old & I686_P && !delta_dense(d, from))
		return -EAGAIN;
	if (!(new & I686_P))
		return 0;
	if (old & I686_P && from == to)
		return hlk_snap_leaves(d->parent, from) == 1 ? 0 : -EAGAIN;
	if (!delta_free_scratch(d, to) || xa_load(&d->frames, to))
		return -EAGAIN;
	return xa_err(xa_store(&d->frames, to, xa_mk_value(0), HLK_GFP));
}

static u32 *table_entries(struct page *page)
{
	return page_address(page);
}

static int delta_judge_table(struct delta *d, u32 nr, struct page *page)
{
	const struct hlk_tables *tables = d->parent->tables;
	struct page *base = hlk_snap_page(d->parent, tables->gfn + nr);
	u32 *new = table_entries(page);
	u32 *old;
	u32 i;
	int err;

	/* a table of a snapshot maps something, if only scratch; one that failed is not read */
	if (!base || PageHWPoison(base))
		return -EAGAIN;
	old = table_entries(base);
	for (i = 0; i < tables->info[nr].end; i++) {
		if (old[i] == new[i])
			continue;
		if (tables->info[nr].is_root)
			err = delta_differ(old[i], new[i]) ? -EAGAIN : 0;
		else
			err = delta_judge(d, old[i], new[i]);
		if (err)
			return err;
	}
	return 0;
}

/* Read a table that changed, once, and judge it. */
static int delta_table(struct delta *d, u32 nr)
{
	struct page *page = hlk_page_alloc(0);
	int err;

	if (!page)
		return -ENOMEM;
	err = i686_read_table(d->gmem, d->parent->tables->gfn + nr,
			      table_entries(page));
	if (!err)
		err = xa_err(xa_store(&d->tables, nr, page, HLK_GFP));
	if (err) {
		hlk_page_free(page);
		return err;
	}
	return delta_judge_table(d, nr, page);
}

static int delta_judge_all(struct delta *d)
{
	const struct hlk_tables *tables = d->parent->tables;
	u64 gfn = tables->gfn;
	int ret;

	while ((ret = d->gmem->ops->changed(d->gmem, &gfn)) == 1 &&
	       gfn < tables->gfn + tables->nr) {
		ret = delta_table(d, gfn - tables->gfn);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		gfn++;
	}
	if (ret == -EOPNOTSUPP)
		return -EAGAIN;
	return ret < 0 ? ret : 0;
}

/* Put what the guest has at @from to @to. */
static int delta_keep(struct delta *d, u64 from, u64 to)
{
	struct hlk_snapshot_counts *counts = &d->snap->counts;
	struct hlk_kept kept = { .gfn = to };
	int err;

	if (hlk_snap_leaves(d->parent, to) && !hlk_snap_has(d->snap, to))
		counts->zero--;
	err = d->gmem->ops->get(d->gmem, from, &kept.gpage);
	if (err)
		return hlk_fail(d->at, err, HLK_WHY_NOT_RAM, 0, from << PAGE_SHIFT);
	err = xa_err(xa_store(&d->frames, to, xa_mk_value(0), HLK_GFP));
	if (err) {
		if (kept.gpage.page)
			put_page(kept.gpage.page);
		return err;
	}
	return hlk_snap_keep(d->snap, &kept, 1);
}

/* A frame that no leaf maps any more is given up. */
static int delta_unmap(struct delta *d, u64 gfn)
{
	struct hlk_snapshot_counts *counts = &d->snap->counts;
	int err;

	err = hlk_snap_count_leaf(d->snap, gfn, -1);
	if (err || hlk_snap_leaves(d->snap, gfn))
		return err;
	if (hlk_snap_has(d->snap, gfn)) {
		counts->pages--;
		counts->inherited--;
	} else {
		counts->zero--;
	}
	return hlk_snap_set(d->snap, gfn, NULL);
}

/* A fresh page: in the frame of the one it replaces, if that is free now. */
static int delta_map(struct delta *d, u32 old, u32 *new)
{
	u64 from = i686_gfn(*new);
	u64 to = i686_gfn(old);
	int err;

	if (!(old & I686_P) || hlk_snap_leaves(d->snap, to) != 1) {
		if (old & I686_P) {
			err = hlk_snap_count_leaf(d->snap, to, -1);
			if (err)
				return err;
		}
		err = hlk_reloc_dense(d->snap, &to);
		if (!err)
			err = hlk_snap_count_leaf(d->snap, to, 1);
		if (err)
			return err;
	}
	err = delta_keep(d, from, to);
	*new = to << PAGE_SHIFT | hlk_reloc_cow(d->snap, *new & I686_FLAGS);
	return err;
}

static int delta_leaf(struct delta *d, u32 old, u32 *new)
{
	if (!((old | *new) & I686_P) || !delta_differ(old, *new))
		return 0;
	if (!(*new & I686_P))
		return delta_unmap(d, i686_gfn(old));
	if (old & I686_P && i686_gfn(old) == i686_gfn(*new)) {
		*new = (*new & ~I686_FLAGS) |
		       hlk_reloc_cow(d->snap, *new & I686_FLAGS);
		return 0;
	}
	return delta_map(d, old, new);
}

/* Make the guest's table one of the snapshot. */
static int delta_apply_table(struct delta *d, u32 nr, struct page *page)
{
	const struct hlk_tables *tables = d->parent->tables;
	u64 gfn = tables->gfn + nr;
	u32 *old = table_entries(hlk_snap_page(d->parent, gfn));
	u32 *new = table_entries(page);
	u32 end = tables->info[nr].end;
	u32 i;
	int err;

	for (i = 0; i < end && !tables->info[nr].is_root; i++) {
		if (old[i] == new[i])
			continue;
		err = delta_leaf(d, old[i], &new[i]);
		if (err)
			return err;
	}
	memcpy(new + end, old + end, (I686_ENTRIES - end) * sizeof(*new));
	xa_erase(&d->tables, nr);
	return hlk_snap_set(d->snap, gfn, page);
}

static int delta_apply_tables(struct delta *d)
{
	unsigned long nr;
	struct page *page;
	int err;

	xa_for_each(&d->tables, nr, page) {
		d->snap->counts.tables_read++;
		d->snap->counts.tables_kept--;
		err = delta_apply_table(d, nr, page);
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Pages that were written where they are: by who runs without the CoW bit. */
static int delta_pages(struct delta *d)
{
	const struct hlk_tables *tables = d->parent->tables;
	u64 gfn;
	int ret;

	for (gfn = 0; (ret = d->gmem->ops->changed(d->gmem, &gfn)) == 1; gfn++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		if (gfn - tables->gfn < tables->nr || xa_load(&d->frames, gfn) ||
		    !hlk_snap_leaves(d->snap, gfn))
			continue;
		ret = delta_keep(d, gfn, gfn);
		if (ret)
			return ret;
	}
	return ret;
}

static int delta_begin(struct delta *d)
{
	struct hlk_snap *parent = d->parent;
	struct hlk_snap *snap = d->snap;
	u32 i;

	snap->roots = kvcalloc(parent->nr_roots, sizeof(u64), HLK_GFP);
	if (!snap->roots)
		return -ENOMEM;
	for (i = 0; i < parent->nr_roots; i++)
		snap->roots[i] = (parent->roots[i] & ~(u64)I686_FLAGS) |
				 (d->p->roots[i] & (I686_PWT | I686_PCD));
	snap->nr_roots = parent->nr_roots;
	snap->mode = d->p->mode;
	snap->input_bytes = parent->input_bytes;
	snap->output_bytes = parent->output_bytes;
	snap->first_free = parent->first_free;
	snap->dense = parent->dense;
	snap->dense_used = parent->dense_used;
	snap->tables = parent->tables;
	kref_get(&snap->tables->ref);
	snap->counts.zero = parent->counts.zero;
	snap->counts.aliased = parent->counts.aliased;
	snap->counts.tables = parent->counts.tables;
	snap->counts.tables_kept = parent->counts.tables;
	return hlk_snap_inherit(snap, parent);
}

/**
 * hlk_reloc_delta() - compact a guest over the snapshot that it runs from
 * @snap: an empty snapshot
 * @gmem: the guest's memory
 * @params: what is asked; with a parent
 * @at: the reason of a failure
 *
 * Return: 0; -EAGAIN if the guest has to be compacted as for the first time, and
 * @snap is as it was; else as hlk_snap_compact()
 */
int hlk_reloc_delta(struct hlk_snap *snap, struct hlk_gmem *gmem,
		    const struct hlk_snap_params *params, struct hlk_why_at *at)
{
	struct delta d = {
		.snap = snap,
		.parent = params->parent,
		.gmem = gmem,
		.p = params,
		.at = at,
	};
	unsigned long nr;
	struct page *page;
	int err;

	if (!delta_possible(&d))
		return -EAGAIN;
	d.scratch = &snap->layout.range[hlk_layout_scratch(&snap->layout)];
	xa_init_flags(&d.tables, XA_FLAGS_ACCOUNT);
	xa_init_flags(&d.frames, XA_FLAGS_ACCOUNT);
	err = delta_judge_all(&d);
	if (!err)
		err = delta_begin(&d);
	if (!err)
		err = delta_apply_tables(&d);
	if (!err)
		err = delta_pages(&d);
	if (!err)
		err = hlk_reloc_bookkeeping(snap);
	if (err == -ENOSPC) {
		/* there may be room once the frames that were given up are filled */
		hlk_snap_clear(snap);
		err = -EAGAIN;
	}
	xa_for_each(&d.tables, nr, page) {
		hlk_page_free(page);
		cond_resched();
	}
	xa_destroy(&d.tables);
	hlk_xa_destroy(&d.frames, U64_MAX);
	return err;
}
