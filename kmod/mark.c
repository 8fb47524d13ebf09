// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marking copy-on-write in place.
 *
 * First all tables are found, a level after the other from the roots on, and of each
 * what part lies in the range; then entries are judged, and tables that have something to
 * be marked are held, so that nothing can fail any more; then entries are changed. What is
 * a table is known when they are judged, so that a leaf that maps one is left alone: the
 * guest goes on to write its tables where they are.
 *
 * A frame that is a table of several levels, as those of a map of the tables by
 * themselves, is one of the highest of them. Nothing is missed by that: what its entries
 * name is a table or a page at the lower levels, too.
 */
#include "pt.h"

/*
 * What part of a table lies in the range, all ways to it together. Of those that lead to
 * a level only one, for each root, has the beginning of the range inside, and one the end.
 */
#define MARK_ALL	BIT(0)
#define MARK_FROM	BIT(1)		/* from where the range begins */
#define MARK_TO		BIT(2)		/* up to where it ends */
#define MARK_PART	BIT(3)		/* from there up to there */

/**
 * struct mark_table - a table that was met
 * @page: it, held for writing; NULL if nothing is to be marked
 * @entries: a copy, as it was judged; NULL likewise
 * @va: where it was met first, linear
 * @root: in which root
 * @level: the highest that it was met at: entries are judged as of that, wherever it is
 *	mapped
 * @part: what of it lies in the range: MARK_*
 * @any: whether any of @wanted is set
 * @wanted: entries that map a page of the range; once judged, those to be marked
 */
struct mark_table {
	struct page *page;
	void *entries;
	u64 va;
	u32 root;
	u8 level;
	u8 part;
	bool any;
	bool wanted[PT_MAX_ENTRIES];
};

/* The part of what entry @nr leads to, of one way to its table, from @first to @last */
static u8 mark_piece(const struct pt_mark *mark, u64 span, s64 nr, s64 first, s64 last)
{
	bool cut_first = nr == first && mark->start & (span - 1);
	bool cut_last = nr == last && mark->end & (span - 1);

	if (nr < first || nr > last)
		return 0;
	if (cut_first)
		return cut_last ? MARK_PART : MARK_FROM;
	return cut_last ? MARK_TO : MARK_ALL;
}

static u8 mark_part(const struct pt_mark *mark, u8 part, u32 level, u32 nr)
{
	const struct pt_format *f = mark->mode.format;
	u32 entries = pt_entries(f, level);
	u64 span = pt_span(f, level);
	s64 first = mark->start / span % entries;
	s64 last = (mark->end - 1) / span % entries;
	u8 piece = 0;

	if (part & MARK_ALL)
		return MARK_ALL;
	if (part & MARK_FROM)
		piece |= mark_piece(mark, span, nr, first, entries);
	if (part & MARK_TO)
		piece |= mark_piece(mark, span, nr, -1, last);
	if (part & MARK_PART)
		piece |= mark_piece(mark, span, nr, first, last);
	return piece;
}

static struct mark_table *mark_meet(struct pt_mark *mark, u64 gfn, u32 level, u32 root,
				    u64 va, int *err, struct hlk_why_at *at)
{
	struct mark_table *table = xa_load(&mark->tables, gfn);

	if (table)
		return table;
	if (mark->nr_tables++ >= mark->max_tables) {
		*err = hlk_fail(at, -EDQUOT, HLK_WHY_TOO_MANY_TABLES, root,
				pt_canonical(mark->mode.format, va));
		return NULL;
	}
	*err = -ENOMEM;
	table = kzalloc(sizeof(*table), HLK_GFP);
	if (!table)
		return NULL;
	table->level = level;
	table->root = root;
	table->va = va;
	*err = xa_err(xa_store(&mark->tables, gfn, table, HLK_GFP));
	if (!*err)
		return table;
	kfree(table);
	return NULL;
}

static u64 mark_root_gfn(const struct pt_mark *mark, u32 root)
{
	return pt_root(mark->mode.format, mark->roots[root]) >> PAGE_SHIFT;
}

/* All roots first: a frame that is one is of no lower level. */
static int mark_roots(struct pt_mark *mark, struct hlk_why_at *at)
{
	struct mark_table *table;
	u64 gfn;
	u32 i;
	int err;

	for (i = 0; i < mark->nr_roots; i++) {
		gfn = mark_root_gfn(mark, i);
		if (!mark->gmem->ops->is_ram(mark->gmem, gfn))
			return hlk_fail(at, -ENODEV, HLK_WHY_ROOT_NOT_RAM, i,
					gfn << PAGE_SHIFT);
		table = mark_meet(mark, gfn, mark->mode.format->levels - 1, i, 0, &err, at);
		if (!table)
			return err;
	}
	return 0;
}

static int mark_reserved(const struct pt_mark *mark, const struct mark_table *table,
			 u32 level, u32 nr, struct hlk_why_at *at)
{
	const struct pt_format *f = mark->mode.format;
	u64 va = table->va + nr * pt_span(f, level);

	return hlk_fail(at, -EINVAL, HLK_WHY_PDE_RESERVED, table->root, pt_canonical(f, va));
}

/*
 * A table was found at a level. The four pointers of PAE paging are not all of the page
 * that they are in, which may be a table as well; and they map no page.
 */
static void mark_found(const struct pt_mark *mark, struct mark_table *table, u32 level,
		       u8 part)
{
	if (mark->mode.format->level[table->level].bare)
		table->level = level;
	if (table->level == level)
		table->part |= part;
}

/* What an entry of a table above the lowest leads to; @part of what it leads to counts */
static int mark_entry(struct pt_mark *mark, struct mark_table *table, u32 level, u8 part,
		      u32 nr, u64 entry, struct hlk_why_at *at)
{
	u64 span = pt_span(mark->mode.format, level);
	struct mark_table *next;
	int err;

	switch (pt_kind(&mark->mode, level, entry)) {
	case PT_ABSENT:
		return 0;
	case PT_RESERVED:
		return mark_reserved(mark, table, level, nr, at);
	case PT_PAGE:
		table->wanted[nr] = part;
		table->any |= part;
		return 0;
	case PT_TABLE:
		break;
	}
	if (!mark->gmem->ops->is_ram(mark->gmem, pt_gfn(entry)))
		return 0;
	next = mark_meet(mark, pt_gfn(entry), level - 1, table->root,
			 table->va + nr * span, &err, at);
	if (!next)
		return err;
	mark_found(mark, next, level - 1, part);
	return 0;
}

static int mark_entries(struct pt_mark *mark, struct mark_table *table, u32 level, u8 part,
			u64 gpa, struct hlk_why_at *at)
{
	const struct pt_format *f = mark->mode.format;
	bool is_root = level + 1 == f->levels;
	u32 nr;
	int err;

	err = pt_read(mark->gmem, &mark->mode, level, gpa, mark->buffer);
	if (err)
		return hlk_fail(at, err, is_root ? HLK_WHY_ROOT_NOT_RAM : HLK_WHY_NOT_RAM,
				table->root, gpa);
	for (nr = 0; nr < pt_entries(f, level); nr++) {
		err = mark_entry(mark, table, level, mark_part(mark, part, level, nr), nr,
				 pt_entry(f, mark->buffer, nr), at);
		if (err)
			return err;
	}
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* In the order of the roots, so that what is wrong is reported of the first */
static int mark_find(struct pt_mark *mark, struct hlk_why_at *at)
{
	const struct pt_format *f = mark->mode.format;
	u8 part = mark->start < mark->end ? MARK_PART : 0;
	struct mark_table *table;
	unsigned long gfn;
	u32 level;
	u32 root;
	u32 nr;
	int err;

	for (root = 0; root < mark->nr_roots; root++) {
		table = xa_load(&mark->tables, mark_root_gfn(mark, root));
		table->root = root;
		err = mark_entries(mark, table, f->levels - 1, part,
				   pt_root(f, mark->roots[root]), at);
		if (err)
			return err;
	}
	for (level = f->levels - 2; level; level--) {
		xa_for_each(&mark->tables, gfn, table) {
			if (table->level != level)
				continue;
			err = mark_entries(mark, table, level, table->part,
					   (u64)gfn << PAGE_SHIFT, at);
			if (err)
				return err;
		}
	}
	/* of the lowest it is the place alone that says what is in the range */
	xa_for_each(&mark->tables, gfn, table) {
		if (table->level || !table->part)
			continue;
		for (nr = 0; nr < pt_entries(f, 0); nr++)
			table->wanted[nr] = mark_part(mark, table->part, 0, nr);
		table->any = true;
		cond_resched();
	}
	return 0;
}

static bool mark_is_ram(struct pt_mark *mark, u64 gfn, u64 pages)
{
	bool is_ram = true;
	u64 nr;

	for (nr = 0; nr < pages && is_ram;)
		nr += mark->gmem->ops->alike(mark->gmem, gfn + nr, pages - nr, &is_ram);
	return is_ram;
}

static bool mark_is_live(struct pt_mark *mark, u64 gfn, u64 pages)
{
	unsigned long index = gfn;

	return xa_find(&mark->tables, &index, gfn + pages - 1, XA_PRESENT);
}

/* What is to be done with an entry that maps a page: the count that it goes to */
static __u64 *mark_judge(struct pt_mark *mark, u32 level, u64 entry)
{
	const struct pt_format *f = mark->mode.format;
	u64 gfn = pt_page_gfn(f, level, entry);
	u64 pages = pt_span(f, level) >> PAGE_SHIFT;

	if (!(entry & I686_W))
		return entry & I686_COW ? &mark->out->already : &mark->out->read_only;
	if (!mark_is_ram(mark, gfn, pages))
		return &mark->out->not_ram;
	if (mark_is_live(mark, gfn, pages))
		return &mark->out->live;
	return &mark->out->marked;
}

/* Judge a table; whether it has something to be marked, or an errno */
static int mark_judge_table(struct pt_mark *mark, struct mark_table *table,
			    struct hlk_why_at *at)
{
	const struct pt_format *f = mark->mode.format;
	enum pt_kind kind;
	__u64 *count;
	u64 entry;
	u32 nr;

	table->any = false;
	for (nr = 0; nr < pt_entries(f, table->level); nr++) {
		if (!table->wanted[nr])
			continue;
		/* a large page may be many questions whether it is memory */
		if (table->level) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
		entry = pt_entry(f, mark->buffer, nr);
		kind = pt_kind(&mark->mode, table->level, entry);
		if (kind == PT_RESERVED)
			return mark_reserved(mark, table, table->level, nr, at);
		count = kind == PT_PAGE ? mark_judge(mark, table->level, entry) : NULL;
		table->wanted[nr] = count == &mark->out->marked;
		if (table->wanted[nr])
			table->any = true;
		else if (count)
			++*count;
	}
	return table->any;
}

/* Hold a table that has something to be marked. */
static int mark_hold(struct pt_mark *mark, u64 gfn, struct mark_table *table,
		     struct hlk_why_at *at)
{
	int err;

	if (!table->any)
		return 0;
	err = i686_read_table(mark->gmem, gfn, mark->buffer);
	if (err)
		return hlk_fail(at, err, HLK_WHY_NOT_RAM, 0, gfn << PAGE_SHIFT);
	err = mark_judge_table(mark, table, at);
	if (err <= 0)
		return err;
	table->entries = kmalloc(PAGE_SIZE, HLK_GFP);
	if (!table->entries)
		return -ENOMEM;
	memcpy(table->entries, mark->buffer, PAGE_SIZE);
	err = mark->gmem->ops->hold(mark->gmem, gfn, &table->page);
	if (err == -EACCES)
		hlk_fail(at, err, HLK_WHY_READ_ONLY, 0, gfn << PAGE_SHIFT);
	if (err == -EDQUOT)
		hlk_fail(at, err, HLK_WHY_BUDGET, 0, gfn << PAGE_SHIFT);
	return err;
}

static int mark_hold_all(struct pt_mark *mark, struct hlk_why_at *at)
{
	struct mark_table *table;
	unsigned long gfn;
	int err;

	xa_for_each(&mark->tables, gfn, table) {
		err = mark_hold(mark, gfn, table, at);
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Exchange an entry, if it is still what it was; returns what it was */
static u64 mark_exchange(const struct pt_format *f, void *entries, u32 nr, u64 old, u64 new)
{
	if (f->width == sizeof(u32))
		return cmpxchg((u32 *)entries + nr, (u32)old, (u32)new);
	return cmpxchg((u64 *)entries + nr, old, new);
}

/* An entry that somebody else changes meanwhile stays as that one wrote it. */
static void mark_table(struct pt_mark *mark, const struct mark_table *table)
{
	const struct pt_format *f = mark->mode.format;
	u64 marked;
	u64 old;
	u64 now;
	u32 nr;

	for (nr = 0; nr < pt_entries(f, table->level); nr++) {
		if (!table->wanted[nr])
			continue;
		old = pt_entry(f, table->entries, nr);
		marked = (old & ~(u64)I686_W) | I686_COW;
		now = mark_exchange(f, page_address(table->page), nr, old, marked);
		if (now == old)
			mark->out->marked++;
		else if (now == marked)
			mark->out->already++;
	}
}

static void mark_finish(struct pt_mark *mark, bool go)
{
	struct mark_table *table;
	unsigned long gfn;

	xa_for_each(&mark->tables, gfn, table) {
		if (go && table->page)
			mark_table(mark, table);
		cond_resched();
	}
	xa_for_each(&mark->tables, gfn, table) {
		if (table->page)
			mark->gmem->ops->unhold(mark->gmem, gfn, table->page);
		kfree(table->entries);
		kfree(table);
		cond_resched();
	}
	mark->out->tables = mark->nr_tables;
}

/**
 * pt_mark() - mark writable leaves copy-on-write, in place
 * @mark: what to mark; see struct pt_mark
 * @at: the reason of a failure
 *
 * Return: 0; -EINVAL at an entry with reserved bits, -ENODEV if a root is not
 * in memory, -EDQUOT over a limit, -EACCES if a table cannot be written,
 * -ENOMEM, -EINTR after a fatal signal: then no entry was changed
 */
int pt_mark(struct pt_mark *mark, struct hlk_why_at *at)
{
	int err;

	mark->nr_tables = 0;
	mark->buffer = kmalloc(PAGE_SIZE, HLK_GFP);
	if (!mark->buffer)
		return -ENOMEM;
	xa_init_flags(&mark->tables, XA_FLAGS_ACCOUNT);
	err = mark_roots(mark, at);
	if (!err)
		err = mark_find(mark, at);
	if (!err)
		err = mark_hold_all(mark, at);
	mark_finish(mark, !err);
	xa_destroy(&mark->tables);
	kfree(mark->buffer);
	return err;
}
