// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marking copy-on-write in place.
 *
 * First all tables are found, and of each those entries that lie in the range;
 * then entries are judged, and tables that have something to be marked are held, so
 * that nothing can fail any more; then entries are changed. What is a table is known
 * when they are judged, so that a leaf that maps one is left alone: the guest goes on
 * to write its tables where they are.
 */
#include "i686pt.h"

/**
 * struct mark_table - a table or directory that was met
 * @page: it, held for writing; NULL if nothing is to be marked
 * @entries: a copy, as it was judged; NULL likewise
 * @is_root: a directory: entries are judged as such, wherever it is mapped
 * @wanted: which of its entries lie in the range; once judged, those to be marked
 */
struct mark_table {
	struct page *page;
	u32 *entries;
	bool is_root;
	bool wanted[I686_ENTRIES];
};

static struct mark_table *mark_meet(struct i686_mark *mark, u64 gfn, u32 root,
				    u64 va, int *err, struct hlk_why_at *at)
{
	struct mark_table *table = xa_load(&mark->tables, gfn);

	if (table)
		return table;
	if (mark->nr_tables++ >= mark->max_tables) {
		*err = hlk_fail(at, -EDQUOT, HLK_WHY_TOO_MANY_TABLES, root, va);
		return NULL;
	}
	*err = -ENOMEM;
	table = kzalloc(sizeof(*table), HLK_GFP);
	if (!table)
		return NULL;
	*err = xa_err(xa_store(&mark->tables, gfn, table, HLK_GFP));
	if (!*err)
		return table;
	kfree(table);
	return NULL;
}

/* All directories first: a frame that is one is no table. */
static int mark_roots(struct i686_mark *mark, struct hlk_why_at *at)
{
	struct mark_table *table;
	u64 gfn;
	u32 i;
	int err;

	for (i = 0; i < mark->nr_roots; i++) {
		gfn = i686_gfn(mark->roots[i]);
		if (!mark->gmem->ops->is_ram(mark->gmem, gfn))
			return hlk_fail(at, -ENODEV, HLK_WHY_ROOT_NOT_RAM, i,
					gfn << PAGE_SHIFT);
		table = mark_meet(mark, gfn, i, 0, &err, at);
		if (!table)
			return err;
		table->is_root = true;
	}
	return 0;
}

/* The part of a slot that lies in the range: entries from @first to @end */
static void mark_range(const struct i686_mark *mark, u32 slot, u32 *first, u32 *end)
{
	u64 va = (u64)slot << I686_SLOT_SHIFT;
	u64 next = va + (1ULL << I686_SLOT_SHIFT);

	*first = (clamp(mark->start, va, next) - va) >> PAGE_SHIFT;
	*end = (clamp(mark->end, va, next) - va) >> PAGE_SHIFT;
}

static int mark_pde(struct i686_mark *mark, struct mark_table *pd, u32 root,
		    u32 slot, u32 pde, struct hlk_why_at *at)
{
	u64 va = (u64)slot << I686_SLOT_SHIFT;
	struct mark_table *table;
	u32 first;
	u32 end;
	int err;

	mark_range(mark, slot, &first, &end);
	switch (i686_pde_kind(pde, &mark->mode)) {
	case I686_PDE_ABSENT:
		return 0;
	case I686_PDE_RESERVED:
		return hlk_fail(at, -EINVAL, HLK_WHY_PDE_RESERVED, root, va);
	case I686_PDE_LARGE:
		pd->wanted[slot] |= first < end;
		return 0;
	case I686_PDE_TABLE:
		break;
	}
	if (!mark->gmem->ops->is_ram(mark->gmem, i686_gfn(pde)))
		return 0;
	table = mark_meet(mark, i686_gfn(pde), root, va, &err, at);
	if (!table)
		return err;
	if (!table->is_root && first < end)
		memset(table->wanted + first, true, end - first);
	return 0;
}

static int mark_directory(struct i686_mark *mark, u32 root, struct hlk_why_at *at)
{
	u64 gfn = i686_gfn(mark->roots[root]);
	struct mark_table *pd = xa_load(&mark->tables, gfn);
	u32 slot;
	int err;

	err = i686_read_table(mark->gmem, gfn, mark->buffer);
	if (err)
		return hlk_fail(at, err, HLK_WHY_ROOT_NOT_RAM, root,
				gfn << PAGE_SHIFT);
	for (slot = 0; slot < I686_ENTRIES; slot++) {
		err = mark_pde(mark, pd, root, slot, mark->buffer[slot], at);
		if (err)
			return err;
	}
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static bool mark_is_ram(struct i686_mark *mark, u64 gfn, u32 pages)
{
	u32 nr;

	for (nr = 0; nr < pages; nr++)
		if (!mark->gmem->ops->is_ram(mark->gmem, gfn + nr))
			return false;
	return true;
}

static bool mark_is_live(struct i686_mark *mark, u64 gfn, u32 pages)
{
	unsigned long index = gfn;

	return xa_find(&mark->tables, &index, gfn + pages - 1, XA_PRESENT);
}

/* What is to be done with an entry: the count that it goes to, or NULL */
static __u64 *mark_judge(struct i686_mark *mark, const struct mark_table *table,
			 u32 entry)
{
	u64 gfn = i686_gfn(entry);
	u32 pages = 1;

	if (!(entry & I686_P))
		return NULL;
	if (table->is_root) {
		if (i686_pde_kind(entry, &mark->mode) != I686_PDE_LARGE)
			return NULL;
		gfn = i686_large_gfn(entry);
		pages = I686_SLOT_PAGES;
	}
	if (!(entry & I686_W))
		return entry & I686_COW ? &mark->out->already : &mark->out->read_only;
	if (!mark_is_ram(mark, gfn, pages))
		return &mark->out->not_ram;
	if (mark_is_live(mark, gfn, pages))
		return &mark->out->live;
	return &mark->out->marked;
}

/* Judge a table; whether it has something to be marked, or an errno */
static int mark_judge_table(struct i686_mark *mark, struct mark_table *table)
{
	bool any = false;
	__u64 *count;
	u32 nr;

	for (nr = 0; nr < I686_ENTRIES; nr++) {
		if (!table->wanted[nr])
			continue;
		/* 4 MiB is a thousand questions whether it is memory */
		if (table->is_root) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
		count = mark_judge(mark, table, mark->buffer[nr]);
		table->wanted[nr] = count == &mark->out->marked;
		if (table->wanted[nr])
			any = true;
		else if (count)
			++*count;
	}
	return any;
}

/* Hold a table that has something to be marked. */
static int mark_hold(struct i686_mark *mark, u64 gfn, struct mark_table *table,
		     struct hlk_why_at *at)
{
	int err;

	err = i686_read_table(mark->gmem, gfn, mark->buffer);
	if (err)
		return hlk_fail(at, err, HLK_WHY_NOT_RAM, 0, gfn << PAGE_SHIFT);
	err = mark_judge_table(mark, table);
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

static int mark_hold_all(struct i686_mark *mark, struct hlk_why_at *at)
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

/* An entry that somebody else changes meanwhile stays as that one wrote it. */
static void mark_table(struct i686_mark *mark, const struct mark_table *table)
{
	u32 *entries = page_address(table->page);
	u32 marked;
	u32 old;
	u32 now;
	u32 nr;

	for (nr = 0; nr < I686_ENTRIES; nr++) {
		if (!table->wanted[nr])
			continue;
		old = table->entries[nr];
		marked = (old & ~I686_W) | I686_COW;
		now = cmpxchg(&entries[nr], old, marked);
		if (now == old)
			mark->out->marked++;
		else if (now == marked)
			mark->out->already++;
	}
}

static void mark_finish(struct i686_mark *mark, bool go)
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
 * i686_mark() - mark writable leaves copy-on-write, in place
 * @mark: what to mark; see struct i686_mark
 * @at: the reason of a failure
 *
 * Return: 0; -EINVAL at an entry with reserved bits, -ENODEV if a root is not
 * in memory, -EDQUOT over a limit, -EACCES if a table cannot be written,
 * -ENOMEM, -EINTR after a fatal signal: then no entry was changed
 */
int i686_mark(struct i686_mark *mark, struct hlk_why_at *at)
{
	u32 root;
	int err;

	mark->nr_tables = 0;
	mark->buffer = kmalloc(PAGE_SIZE, HLK_GFP);
	if (!mark->buffer)
		return -ENOMEM;
	xa_init_flags(&mark->tables, XA_FLAGS_ACCOUNT);
	err = mark_roots(mark, at);
	for (root = 0; root < mark->nr_roots && !err; root++)
		err = mark_directory(mark, root, at);
	if (!err)
		err = mark_hold_all(mark, at);
	mark_finish(mark, !err);
	xa_destroy(&mark->tables);
	kfree(mark->buffer);
	return err;
}
