// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of a snapshot its mapping does not show: HLK_SNAPSHOT_EXPORT and
 * HLK_SNAPSHOT_PAGES. Snapshots do not change, so there is nothing to lock, but what
 * their guests touch.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "hlk.h"

/* ---- all but pages ---- */

static int export_vcpus(struct hlk_snapshot_export *x, const struct hlk_snap *snap,
			bool *fits, struct hlk_why_at *at)
{
	u32 i;
	int ret;

	if (!x->nr_vcpus)
		return 0;
	ret = hlk_element_size(x->vcpu_size, HLK_FIRST_VCPU_IMAGE, HLK_WHY_ELEMENT_SIZE, at);
	if (ret)
		return ret;
	for (i = 0; i < min(x->nr_vcpus, snap->nr_vcpus); i++) {
		ret = hlk_vcpu_image_put(x->vcpus, x->vcpu_size, i, snap, at);
		if (ret == -EMSGSIZE)
			*fits = false;
		else if (ret)
			return ret;
	}
	return 0;
}

static int export_tables(struct hlk_snapshot_export *x, const struct hlk_tables *tables)
{
	u32 nr = tables ? tables->nr : 0;
	u32 table;
	u32 i;

	x->tables_gpa = tables ? tables->gfn << PAGE_SHIFT : 0;
	for (i = 0; i < min(x->nr_tables, nr); i++) {
		table = tables->info[i].end | (tables->info[i].is_root ? HLK_TABLE_ROOT : 0);
		if (copy_to_user(u64_to_user_ptr(x->tables + i * sizeof(table)), &table,
				 sizeof(table)))
			return -EFAULT;
		if (!(i % 1024)) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	return 0;
}

/* A run that is full; those that the caller has no room for are counted. */
static int touched_put(struct hlk_snapshot_export *x, struct hlk_touched *run, u32 *nr)
{
	if (!run->pages)
		return 0;
	if (*nr < x->nr_touched &&
	    hlk_element_put(x->touched, x->touched_size, *nr, run, sizeof(*run)))
		return -EFAULT;
	++*nr;
	run->pages = 0;
	return 0;
}

static int export_window(struct hlk_snapshot_export *x, struct xarray *pages, u64 first,
			 u32 *nr)
{
	struct hlk_touched run = {};
	unsigned long index;
	void *entry;
	u32 flags;
	u64 gpa;
	int ret;

	xa_for_each(pages, index, entry) {
		gpa = (first + index) << PAGE_SHIFT;
		flags = xa_to_value(entry) & HLK_TOUCHED_WRITE_BIT ? HLK_TOUCHED_WRITE : 0;
		if (run.flags != flags || run.gpa + (run.pages << PAGE_SHIFT) != gpa) {
			ret = touched_put(x, &run, nr);
			if (ret)
				return ret;
			run.gpa = gpa;
			run.flags = flags;
		}
		run.pages++;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return touched_put(x, &run, nr);
}

static int export_touched(struct hlk_snapshot_export *x, struct hlk_snap *snap, u32 *nr,
			  struct hlk_why_at *at)
{
	u32 i;
	int ret = 0;

	*nr = 0;
	if (x->nr_touched)
		ret = hlk_element_size(x->touched_size, HLK_FIRST_TOUCHED,
				       HLK_WHY_ELEMENT_SIZE, at);
	for (i = 0; i < snap->layout.nr && !ret; i++)
		ret = export_window(x, &snap->touched[i].pages, snap->layout.range[i].gfn, nr);
	return ret;
}

/**
 * hlk_snap_export() - HLK_SNAPSHOT_EXPORT
 * @snap: the snapshot
 * @x: what is asked, and the answer
 * @at: the reason of a failure
 *
 * Return: 0, -EMSGSIZE if an array is too short, or an errno
 */
int hlk_snap_export(struct hlk_snap *snap, struct hlk_snapshot_export *x,
		    struct hlk_why_at *at)
{
	u32 tables = snap->tables ? snap->tables->nr : 0;
	bool fits = true;
	u32 touched;
	int ret;

	if (x->__reserved)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	ret = export_vcpus(x, snap, &fits, at);
	if (!ret)
		ret = export_tables(x, snap->tables);
	if (!ret)
		ret = export_touched(x, snap, &touched, at);
	if (ret)
		return ret;
	fits &= x->nr_vcpus >= snap->nr_vcpus && x->nr_tables >= tables &&
		x->nr_touched >= touched;
	x->nr_vcpus = snap->nr_vcpus;
	x->nr_tables = tables;
	x->nr_touched = touched;
	return fits ? 0 : -EMSGSIZE;
}

/* ---- pages ---- */

/**
 * struct pages - one call
 * @p: what was asked
 * @snap: the snapshot
 * @other: what it is compared with, or NULL
 * @extent: the extent that is being put together; @bytes is 0 if there is none
 * @nr: extents written
 * @next: where to go on, as a cursor
 * @full: there is no room for more
 */
struct pages {
	struct hlk_snapshot_pages *p;
	struct hlk_snap *snap;
	struct hlk_snap *other;
	struct hlk_extent extent;
	u32 nr;
	u64 next;
	bool full;
};

static int pages_flush(struct pages *pages)
{
	if (!pages->extent.bytes)
		return 0;
	if (hlk_element_put(pages->p->extents, pages->p->extent_size, pages->nr,
			    &pages->extent, sizeof(pages->extent)))
		return -EFAULT;
	pages->nr++;
	pages->extent.bytes = 0;
	return 0;
}

static bool pieces_same(const struct hlk_piece *a, const struct hlk_piece *b)
{
	if (a->leaves != b->leaves)
		return false;
	if (a->from && b->from)
		return hlk_files_same(a->files, a->from, b->files, b->from);
	/* one that was read for both, of which one does not know the file any more */
	if (a->page || b->page)
		return a->page == b->page;
	return !a->from && !b->from;
}

static bool extent_goes_on(const struct hlk_extent *a, const struct hlk_extent *b)
{
	if (!a->bytes || a->gpa + a->bytes != b->gpa || a->source != b->source ||
	    a->leaves != b->leaves)
		return false;
	return a->source == HLK_EXTENT_ZERO || a->source == HLK_EXTENT_MEMORY ||
	       a->offset + a->bytes == b->offset;
}

static int pages_piece(struct pages *pages, u64 gfn, const struct hlk_piece *piece)
{
	struct hlk_extent extent = {
		.gpa = gfn << PAGE_SHIFT,
		.bytes = PAGE_SIZE,
		.source = piece->page ? HLK_EXTENT_MEMORY : HLK_EXTENT_ZERO,
		.leaves = piece->leaves,
	};
	int ret;

	if (piece->from) {
		extent.source = hlk_from_file(piece->from);
		extent.offset = hlk_from_page(piece->from) << PAGE_SHIFT;
	}
	if (extent_goes_on(&pages->extent, &extent)) {
		pages->extent.bytes += PAGE_SIZE;
		return 0;
	}
	ret = pages_flush(pages);
	if (ret)
		return ret;
	pages->full = pages->nr == pages->p->nr_extents;
	if (!pages->full)
		pages->extent = extent;
	return 0;
}

/* To the end of a chunk at most */
static int pages_chunk(struct pages *pages, u32 nr, u64 index)
{
	const struct hlk_range *range = &pages->snap->layout.range[nr];
	u64 end = min_t(u64, range->pages, round_down(index, HLK_CHUNK_PAGES) + HLK_CHUNK_PAGES);
	struct hlk_piece theirs = {};
	struct hlk_piece ours;
	int ret;

	for (; index < end; index++) {
		hlk_base_piece(&pages->snap->base[nr], index, &ours);
		if (pages->other)
			hlk_base_piece(&pages->other->base[nr], index, &theirs);
		pages->next = range->gfn + index + 1;
		if (pieces_same(&ours, &theirs))
			continue;
		ret = pages_piece(pages, range->gfn + index, &ours);
		if (ret || pages->full)
			return ret;
	}
	pages->next = range->gfn + index + 1;
	return 0;
}

static int pages_window(struct pages *pages, u32 nr)
{
	const struct hlk_range *range = &pages->snap->layout.range[nr];
	struct xarray *other = pages->other ? &pages->other->base[nr] : NULL;
	u64 begin = pages->p->cursor ? pages->p->cursor - 1 : 0;
	u64 index = begin > range->gfn ? begin - range->gfn : 0;
	int ret;

	while (index < range->pages &&
	       hlk_base_next(&pages->snap->base[nr], other, &index)) {
		ret = pages_chunk(pages, nr, index);
		if (ret || pages->full)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		index = round_down(index, HLK_CHUNK_PAGES) + HLK_CHUNK_PAGES;
	}
	return 0;
}

static int pages_all(struct pages *pages)
{
	u32 i;
	int ret = 0;

	for (i = 0; i < pages->snap->layout.nr && !ret && !pages->full; i++)
		ret = pages_window(pages, i);
	if (!ret)
		ret = pages_flush(pages);
	return ret;
}

static bool pages_same_layout(const struct hlk_layout *a, const struct hlk_layout *b)
{
	u32 i;

	for (i = 0; i < a->nr && i < b->nr; i++)
		if (a->range[i].gfn != b->range[i].gfn ||
		    a->range[i].pages != b->range[i].pages)
			return false;
	return a->nr == b->nr;
}

/**
 * hlk_snap_pages() - HLK_SNAPSHOT_PAGES
 * @snap: the snapshot
 * @other: what it is compared with, or NULL
 * @p: what is asked, and the answer
 * @at: the reason of a failure
 *
 * Return: 0, -EMEDIUMTYPE if the other snapshot has other windows, or an errno
 */
int hlk_snap_pages(struct hlk_snap *snap, struct hlk_snap *other,
		   struct hlk_snapshot_pages *p, struct hlk_why_at *at)
{
	struct pages pages = { .p = p, .snap = snap, .other = other };
	int ret;

	if (other && !pages_same_layout(&snap->layout, &other->layout))
		return hlk_fail(at, -EMEDIUMTYPE, HLK_WHY_LAYOUT, 0, 0);
	ret = pages_all(&pages);
	if (ret)
		return ret;
	p->nr_extents = pages.nr;
	p->cursor = pages.full ? pages.next : 0;
	return 0;
}
