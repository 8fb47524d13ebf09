// SPDX-License-Identifier: GPL-2.0-only
/*
 * Relocation: a guest's page tables and pages, compacted into a snapshot.
 *
 * It rests on one observation: what a page table becomes depends on the
 * physical page that it is in, not on the address at which it is reached.
 * So there is one map from source frames to new tables, filled as tables are
 * met, over all roots. Tables shared by many address spaces stay shared, a
 * directory that maps itself maps its own new directory, and a leaf that maps
 * a table maps the new table, all without a special case. The exceptions are
 * tables that are made and not copied: those of split 4 MiB pages, those of
 * scratch, and those of the one slot that scratch may share with other
 * mappings; they are keyed by what decides their contents.
 */
#include "delta.h"
#include "place.h"

static_assert(HLK_GUEST_PAGE_SIZE == PAGE_SIZE);

/* The fixed places of GUEST-ABI are apart from each other. */
static_assert(HLK_GUEST_OFF_SEED - HLK_GUEST_SEED_SIZE >= HLK_GUEST_OFF_UNIQUE + 8);
static_assert(HLK_GUEST_OFF_SEED <= PAGE_SIZE);
static_assert(8 * (1 + HLK_GUEST_MAX_ROOTS) <=
	      HLK_GUEST_OFF_ROOTS - HLK_GUEST_OFF_COUNTER);
static_assert(HLK_GUEST_OFF_ROOTS % PAGE_SIZE == 0);
static_assert(HLK_GUEST_OFF_EXN_STACK >= HLK_GUEST_OFF_ROOTS);
static_assert(HLK_GUEST_OFF_GUARD ==
	      HLK_GUEST_OFF_EXN_STACK + HLK_GUEST_EXN_STACK_SIZE + PAGE_SIZE);
static_assert(HLK_GUEST_OFF_ALLOC_END >= HLK_GUEST_OFF_GUARD);
static_assert(HLK_GUEST_OFF_ALLOC_END + PAGE_SIZE <= HLK_GUEST_SCRATCH_EXTRA);
static_assert((u64)HLK_GUEST_SCRATCH_TOP + HLK_GUEST_SCRATCH_DELTA == I686_VA_END);
static_assert(HLK_GUEST_PTE_COW == I686_COW);

/*
 * What is known of a source frame that leaves map, and that is no table: its number,
 * whether a leaf maps it writable, and above that how many do, at most U16_MAX
 */
#define FRAME_NR	GENMASK(I686_GFN_BITS - 1, 0)
#define FRAME_WRITABLE	BIT(I686_GFN_BITS)
#define FRAME_LEAF	BIT(I686_GFN_BITS + 1)
#define MAX_FRAMES	BIT(I686_GFN_BITS)

/* Where it is placed, beside its address there: several leaves map it. */
#define PLACED_ALIASED	BIT(0)

/* Keys of tables that depend on more, or less, than one source frame */
#define KEY_SHARED_SLOT(gfn, wu) (1ULL << 33 | (u64)(gfn) << 2 | (wu))
#define KEY_SCRATCH(slot)	(1ULL << 34 | (slot))
#define KEY_SPLIT(pde, partly)	(1ULL << 35 | (u64)(partly) << 32 | (pde))

/**
 * struct new_table - a table of the snapshot while it is being made
 * @node: in reloc.tables, in order of @gfn
 * @gfn: where it will be
 * @source: the frame that it is read from, or NO_SOURCE
 * @ahead: what is there, from reloc_fetch() to reloc_read(); a reference is held
 * @page: it; holds the source's entries until they are relocated
 * @root: index of the root by which it was met first
 * @slot: slot by which it was met first
 * @is_root: a directory
 * @seen: though it is one, user code sees it as a table, through another or itself
 * @odd: one of its slots, plus one, whose entry user code would see changed then
 * @split: made from a 4 MiB entry
 * @split_gfn: first source frame of that entry
 * @split_leaf: its flags, as those of a leaf
 * @keep: flags that leaves may keep: without the rights that the directory
 *	entry did not give, where the new one has to give them
 * @end: entries from this one on map scratch
 * @lines: which of its cache lines hold entries that are present; most entries of
 *	most tables are not, above all where pages lie scattered
 * @pending: for each line, which of its entries hold the number of a frame
 */
struct new_table {
	struct list_head node;
	u64 gfn;
	u64 source;
	struct hlk_gpage ahead;
	struct page *page;
	u32 root;
	u32 slot;
	bool is_root;
	bool seen;
	u32 odd;
	bool split;
	u64 split_gfn;
	u32 split_leaf;
	u32 keep;
	u32 end;
	u64 lines;
	u16 pending[I686_LINES];
};

#define NO_SOURCE	(~0ULL)

/**
 * struct reloc - one relocation
 * @snap: the snapshot that is being made
 * @gmem: the guest
 * @p: what was asked
 * @at: the reason of a failure
 * @frames: source gfn -> struct new_table, or FRAME_* as a value
 * @nr_frames: source frames that are no tables, numbered as they were met
 * @nr_aliased: those of them that are one page for several leaves
 * @placed: for each of them: its new address, with PLACED_ALIASED
 * @memo: KEY_* -> struct new_table, or a value for a 4 MiB entry to be kept
 * @tables: all new tables
 * @nr_tables: how many
 * @nr_met: tables and 4 MiB entries met, for the limit
 * @scratch: the scratch window
 * @scratch_slot: the first slot that maps scratch
 * @scratch_first: the first entry in that slot that does
 * @tables_gfn: first frame of the new tables
 * @next_shared: next frame in scratch for pages with several mappings
 */
struct reloc {
	struct hlk_snap *snap;
	struct hlk_gmem *gmem;
	const struct hlk_snap_params *p;
	struct hlk_why_at *at;
	struct xarray frames;
	u64 nr_frames;
	u64 nr_aliased;
	u32 *placed;
	struct xarray memo;
	struct list_head tables;
	u64 nr_tables;
	u64 nr_met;
	const struct hlk_range *scratch;
	u32 scratch_slot;
	u32 scratch_first;
	u64 tables_gfn;
	u64 next_shared;
};

static u64 slot_va(u32 slot, u32 nr)
{
	return (u64)slot << I686_SLOT_SHIFT | (u64)nr << PAGE_SHIFT;
}

static u32 *table_entries(const struct new_table *table)
{
	return page_address(table->page);
}

static int reloc_limit(struct reloc *r, u32 root, u32 slot)
{
	if (r->nr_met++ >= r->p->max_tables)
		return hlk_fail(r->at, -EDQUOT, HLK_WHY_TOO_MANY_TABLES, root,
				slot_va(slot, 0));
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	return 0;
}

/* A new table, to be read from frame @source. */
static struct new_table *reloc_new(struct reloc *r, u64 source, u32 root, u32 slot,
				   int *err)
{
	struct new_table *table;

	*err = reloc_limit(r, root, slot);
	if (*err)
		return NULL;
	table = kzalloc(sizeof(*table), HLK_GFP);
	if (!table) {
		*err = -ENOMEM;
		return NULL;
	}
	table->gfn = r->tables_gfn + r->nr_tables++;
	table->source = source;
	table->root = root;
	table->slot = slot;
	table->keep = ~0;
	table->end = I686_ENTRIES;
	list_add_tail(&table->node, &r->tables);
	return table;
}

/*
 * What becomes of the table in frame @gfn. Which frames are tables is known before
 * any table but the roots is read, and so before any leaf is.
 */
static struct new_table *reloc_copy(struct reloc *r, u64 gfn, u32 root, u32 slot,
				    int *err)
{
	struct new_table *known = xa_load(&r->frames, gfn);
	struct new_table *table;

	/* one that maps scratch too is for its slot alone */
	if (known && known->end == I686_ENTRIES)
		return known;
	table = reloc_new(r, gfn, root, slot, err);
	if (!table)
		return NULL;
	r->snap->counts.tables_read += !known;
	*err = xa_err(xa_store(&r->frames, gfn, table, HLK_GFP));
	return *err ? NULL : table;
}

/* A table that is more, or less, than a copy of the one in frame @source */
static struct new_table *reloc_made(struct reloc *r, u64 key, u64 source, u32 root,
				    u32 slot, int *err)
{
	struct new_table *table = xa_load(&r->memo, key);

	if (table)
		return table;
	table = reloc_new(r, source, root, slot, err);
	if (!table)
		return NULL;
	*err = xa_err(xa_store(&r->memo, key, table, HLK_GFP));
	if (*err)
		return NULL;
	if (source == NO_SOURCE || xa_load(&r->frames, source))
		return table;
	/* there is no copy yet: a leaf that maps the frame will map this one */
	r->snap->counts.tables_read++;
	*err = xa_err(xa_store(&r->frames, source, table, HLK_GFP));
	return *err ? NULL : table;
}

/* Have the first bytes of a table on their way, to be read by reloc_read() */
static int reloc_fetch(struct reloc *r, struct new_table *table)
{
	int err;

	if (table->source == NO_SOURCE || table->page)
		return 0;
	err = r->gmem->ops->get(r->gmem, table->source, &table->ahead);
	if (!err && table->ahead.page)
		prefetch(page_address(table->ahead.page));
	return err;
}

/* The guard page under the exception stack stays unmapped. */
static u32 scratch_leaf(u64 gfn)
{
	if (gfn == SCRATCH_END - (HLK_GUEST_OFF_GUARD >> PAGE_SHIFT))
		return 0;
	return gfn << PAGE_SHIFT | I686_P | I686_W | I686_A | I686_D;
}

/* Map scratch in the entries of @table from @table->end on. */
static void reloc_fill_scratch(struct reloc *r, struct new_table *table)
{
	u32 *entries = table_entries(table);
	u64 gfn;
	u32 nr;

	gfn = r->scratch->gfn - r->scratch_first + table->end +
	      (u64)(table->slot - r->scratch_slot) * I686_SLOT_PAGES;
	for (nr = table->end; nr < I686_ENTRIES; nr++)
		entries[nr] = scratch_leaf(gfn++);
}

/* Read a table once, after reloc_fetch(), and map scratch in it where it has to be. */
static int reloc_read(struct reloc *r, struct new_table *table)
{
	table->page = hlk_page_alloc(table->source == NO_SOURCE ? __GFP_ZERO : 0);
	if (!table->page)
		return -ENOMEM;
	if (table->source != NO_SOURCE) {
		table->lines = i686_copy_table(&table->ahead, table_entries(table));
		table->ahead.page = NULL;
	}
	reloc_fill_scratch(r, table);
	return 0;
}

/* Does all of a 4 MiB page lie outside memory? */
static bool large_not_ram(struct reloc *r, u64 gfn)
{
	u32 nr;

	for (nr = 0; nr < I686_SLOT_PAGES; nr++)
		if (r->gmem->ops->is_ram(r->gmem, gfn + nr))
			return false;
	return true;
}

/*
 * A 4 MiB entry becomes a table, but for device memory, which stays as it is.
 * Entries that differ in accessed and dirty bits alone share the table, so
 * that a shared kernel half stays shared.
 */
static int reloc_large(struct reloc *r, u32 root, u32 slot, bool partly, u32 *pde)
{
	u32 flags = I686_P | I686_W | I686_U | I686_A;
	u64 key = KEY_SPLIT(*pde & ~(I686_A | I686_D), partly);
	struct new_table *table;
	void *known = xa_load(&r->memo, key);
	bool writable;
	int err = 0;

	if (!known && !partly && large_not_ram(r, i686_large_gfn(*pde))) {
		err = reloc_limit(r, root, slot);
		if (err)
			return err;
		known = xa_mk_value(0);
		err = xa_err(xa_store(&r->memo, key, known, HLK_GFP));
		if (err)
			return err;
	}
	if (xa_is_value(known)) {
		if (r->p->flags & HLK_SNAPSHOT_STRICT)
			return hlk_fail(r->at, -ENODEV, HLK_WHY_LEAF_NOT_RAM,
					root, slot_va(slot, 0));
		r->snap->counts.leaf_not_ram++;
		return 0;
	}
	table = reloc_made(r, key, NO_SOURCE, root, slot, &err);
	if (!table)
		return err;
	table->split = true;
	table->lines = ~0ULL;
	table->split_gfn = i686_large_gfn(*pde);
	table->split_leaf |= i686_large_leaf(*pde);
	if (partly)
		table->end = r->scratch_first;
	r->snap->counts.large++;

	/* A leaf that may be written after a copy wants a writable directory. */
	writable = partly || *pde & (I686_W | I686_COW);
	*pde = (*pde & flags) | (writable ? I686_W : 0) | table->gfn << PAGE_SHIFT;
	return 0;
}

static int reloc_no_table(struct reloc *r, u32 root, u32 slot, u32 *pde)
{
	if (r->p->flags & HLK_SNAPSHOT_STRICT)
		return hlk_fail(r->at, -ENODEV, HLK_WHY_TABLE_NOT_RAM, root,
				slot_va(slot, 0));
	r->snap->counts.table_not_ram++;
	*pde &= ~I686_P;
	return 0;
}

/*
 * The slot in which scratch begins may hold other mappings below it. The
 * directory entry must be writable for scratch's sake, so what the old one
 * denied is taken from the leaves.
 */
static int reloc_shared_slot(struct reloc *r, u32 root, u32 slot, u32 *pde)
{
	u32 rights = *pde & (I686_W | I686_U);
	u64 key = KEY_SHARED_SLOT(i686_gfn(*pde), rights >> 1);
	struct new_table *table;
	int err;

	table = reloc_made(r, key, i686_gfn(*pde), root, slot, &err);
	if (!table)
		return err;
	table->end = r->scratch_first;
	if (!(rights & I686_W))
		table->keep &= ~(I686_W | I686_COW);
	if (!(rights & I686_U))
		table->keep &= ~I686_U;
	*pde = (*pde & I686_FLAGS) | I686_W | table->gfn << PAGE_SHIFT;
	return 0;
}

static int reloc_scratch(struct reloc *r, u32 root, u32 slot, u32 *pde)
{
	struct new_table *table;
	int err;

	table = reloc_made(r, KEY_SCRATCH(slot), NO_SOURCE, root, slot, &err);
	if (!table)
		return err;
	table->end = slot == r->scratch_slot ? r->scratch_first : 0;
	*pde = I686_P | I686_W | I686_A | table->gfn << PAGE_SHIFT;
	return 0;
}

/* Relocate one directory entry in place. */
static int reloc_pde(struct reloc *r, u32 root, u32 slot, u32 *pde)
{
	bool partly = slot == r->scratch_slot && r->scratch_first;
	enum i686_pde_kind kind = i686_pde_kind(*pde, &r->p->mode);
	struct new_table *table;
	u64 gfn = i686_gfn(*pde);
	int err;

	if (slot >= r->scratch_slot && !partly)
		return reloc_scratch(r, root, slot, pde);

	switch (kind) {
	case I686_PDE_RESERVED:
		return hlk_fail(r->at, -EINVAL, HLK_WHY_PDE_RESERVED, root,
				slot_va(slot, 0));
	case I686_PDE_LARGE:
		return reloc_large(r, root, slot, partly, pde);
	case I686_PDE_TABLE:
		if (!r->gmem->ops->is_ram(r->gmem, gfn)) {
			err = reloc_no_table(r, root, slot, pde);
			if (err || !partly)
				return err;
			break;
		}
		if (partly)
			return reloc_shared_slot(r, root, slot, pde);
		table = reloc_copy(r, gfn, root, slot, &err);
		if (!table)
			return err;
		table->seen |= table->is_root && *pde & I686_U;
		*pde = (*pde & I686_FLAGS) | table->gfn << PAGE_SHIFT;
		return 0;
	case I686_PDE_ABSENT:
		break;
	}
	return partly ? reloc_scratch(r, root, slot, pde) : 0;
}

/*
 * All roots first: a frame that is a directory is one wherever else it is
 * mapped, and root i is the i-th new table as long as no root is repeated.
 */
static int reloc_roots(struct reloc *r)
{
	struct new_table *table;
	u64 gfn;
	u32 i;
	int err;

	for (i = 0; i < r->p->nr_roots; i++) {
		if (r->p->roots[i] >= I686_VA_END)
			return hlk_fail(r->at, -EINVAL, HLK_WHY_GPA_RANGE, i,
					r->p->roots[i]);
		gfn = i686_gfn(r->p->roots[i]);
		table = reloc_copy(r, gfn, i, 0, &err);
		if (!table)
			return err;
		err = reloc_fetch(r, table);
		if (err == -ENODEV)
			hlk_fail(r->at, err, HLK_WHY_ROOT_NOT_RAM, i,
				 gfn << PAGE_SHIFT);
		if (!err && !table->page)
			err = reloc_read(r, table);
		if (err)
			return err;
		table->is_root = true;
		r->snap->roots[i] = table->gfn << PAGE_SHIFT |
				    (r->p->roots[i] & (I686_PWT | I686_PCD));
	}
	return 0;
}

/*
 * Where a directory is used as a table, too, its entries are leaves, of which each maps
 * the new table of its slot, live. That was not so for a 4 MiB entry, which
 * maps 4 KiB then; nor where an entry is writable now and was not.
 */
static bool reloc_odd(const struct reloc *r, u32 old, u32 new)
{
	if (~old & (I686_P | I686_U) || ~new & (I686_P | I686_U))
		return false;
	if (i686_pde_kind(old, &r->p->mode) == I686_PDE_LARGE)
		return old != new || r->gmem->ops->is_ram(r->gmem, i686_gfn(old));
	return new & ~old & I686_W;
}

/* What user code of the guest would reach and did not: no kernel of it wants that. */
static int reloc_check_odd(struct reloc *r)
{
	struct new_table *table;

	list_for_each_entry(table, &r->tables, node) {
		if (!table->is_root)
			break;
		if (table->seen && table->odd)
			return hlk_fail(r->at, -EINVAL, HLK_WHY_LARGE_AS_LEAF,
					table->root, slot_va(table->odd - 1, 0));
	}
	return 0;
}

static int reloc_directories(struct reloc *r)
{
	struct new_table *table;
	u32 *entries;
	u32 slot;
	u32 old;
	int err;

	/* Tables are added at the end, behind all directories. */
	list_for_each_entry(table, &r->tables, node) {
		if (!table->is_root)
			break;
		entries = table_entries(table);
		for (slot = 0; slot < I686_ENTRIES; slot++) {
			old = entries[slot];
			err = reloc_pde(r, table->root, slot, &entries[slot]);
			if (err)
				return err;
			if (reloc_odd(r, old, entries[slot]))
				table->odd = slot + 1;
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return reloc_check_odd(r);
}

/* Buffers, bookkeeping and exception stack stay where they are. */
static bool reloc_fixed(const struct reloc *r, u64 gfn)
{
	return hlk_range_has(r->scratch, gfn) &&
	       (gfn < r->tables_gfn ||
		gfn >= SCRATCH_ALLOC_END);
}

/* A leaf that leads outside memory stays as it is, if an entry can say so. */
static int reloc_device(struct reloc *r, const struct new_table *table, u32 nr,
			u64 gfn, u32 flags)
{
	if (r->p->flags & HLK_SNAPSHOT_STRICT)
		return hlk_fail(r->at, -ENODEV, HLK_WHY_LEAF_NOT_RAM,
				table->root, slot_va(table->slot, nr));
	if (gfn >> I686_GFN_BITS)
		return hlk_fail(r->at, -EINVAL, HLK_WHY_PDE_RESERVED,
				table->root, slot_va(table->slot, nr));
	r->snap->counts.leaf_not_ram++;
	table_entries(table)[nr] = gfn << PAGE_SHIFT | flags;
	return 0;
}

/* Pages that stay one page for all who map them */
static bool reloc_aliased(const struct reloc *r, unsigned long known)
{
	return known & FRAME_WRITABLE && known >= 2 * FRAME_LEAF &&
	       !(r->p->flags & HLK_SNAPSHOT_HOST_COW);
}

/* The number of a frame that is met for the first time */
static int reloc_number(struct reloc *r, u64 gfn)
{
	if (r->nr_frames >= r->p->max_pages)
		return hlk_fail(r->at, -EDQUOT, HLK_WHY_TOO_MANY_PAGES, 0,
				gfn << PAGE_SHIFT);
	if (r->nr_frames == MAX_FRAMES)
		return hlk_fail(r->at, -ENOSPC, HLK_WHY_SNAPSHOT_FULL, 0,
				r->nr_frames << PAGE_SHIFT);
	r->nr_frames++;
	return 0;
}

/*
 * One more leaf maps a frame of memory. What is known of it, as in @frames, goes to
 * @entry.
 */
static int reloc_meet(struct reloc *r, u64 gfn, unsigned long writable, void **entry)
{
	unsigned long frame = r->nr_frames | writable | FRAME_LEAF;
	unsigned long before;
	void *known;

	/* Most frames are met once: those need no look before. */
	*entry = xa_mk_value(frame);
	known = xa_store(&r->frames, gfn, *entry, HLK_GFP);
	if (xa_is_err(known))
		return xa_err(known);
	if (!known)
		return reloc_number(r, gfn);
	*entry = known;
	if (xa_is_value(known)) {
		before = xa_to_value(known);
		frame = before | writable;
		if (frame < U16_MAX * FRAME_LEAF)
			frame += FRAME_LEAF;
		r->nr_aliased += reloc_aliased(r, frame) - reloc_aliased(r, before);
		*entry = xa_mk_value(frame);
	}
	/* in place of another entry: no allocation */
	xa_store(&r->frames, gfn, *entry, HLK_GFP);
	return 0;
}

/*
 * Pages that the guest writes through one mapping and sees through another
 * must stay one page, so who maps what is known before any page is placed. A leaf
 * that maps one waits with its number; all others are done at once.
 */
static int reloc_leaf(struct reloc *r, struct new_table *table, u32 nr, u64 gfn,
		      u32 flags)
{
	const struct new_table *live;
	void *entry;
	int err;

	if (reloc_fixed(r, gfn)) {
		entry = xa_load(&r->frames, gfn);
	} else if (r->gmem->ops->is_ram(r->gmem, gfn)) {
		err = reloc_meet(r, gfn, flags & I686_W ? FRAME_WRITABLE : 0, &entry);
		if (err)
			return err;
	} else {
		return reloc_device(r, table, nr, gfn, flags);
	}
	if (xa_is_value(entry)) {
		gfn = xa_to_value(entry) & FRAME_NR;
		table->pending[nr / I686_LINE_ENTRIES] |= BIT(nr % I686_LINE_ENTRIES);
	} else if (entry) {
		live = entry;
		gfn = live->gfn;
	}
	table_entries(table)[nr] = gfn << PAGE_SHIFT | flags;
	return 0;
}

static int reloc_leaves(struct reloc *r, struct new_table *table)
{
	u32 *entries = table_entries(table);
	u64 lines = table->lines;
	u32 entry;
	u32 end;
	u32 nr;
	int err;

	for (; lines; lines &= lines - 1) {
		nr = __ffs64(lines) * I686_LINE_ENTRIES;
		end = min(nr + I686_LINE_ENTRIES, table->end);
		for (; nr < end; nr++) {
			entry = entries[nr];
			if (!(entry & I686_P))
				continue;
			err = reloc_leaf(r, table, nr, i686_gfn(entry),
					 entry & I686_FLAGS & table->keep);
			if (err)
				return err;
		}
	}
	return 0;
}

/* The leaves that a 4 MiB entry is split into */
static int reloc_split(struct reloc *r, struct new_table *table)
{
	u32 nr;
	int err;

	for (nr = 0; nr < table->end; nr++) {
		err = reloc_leaf(r, table, nr, table->split_gfn + nr,
				 table->split_leaf);
		if (err)
			return err;
	}
	return 0;
}

/* Read all tables, and look at the leaves of each while it is in the cache. */
static int reloc_tables(struct reloc *r)
{
	struct new_table *table;
	int err = 0;

	/* the first are roots, so each other one has one before it */
	list_for_each_entry(table, &r->tables, node) {
		if (!list_is_last(&table->node, &r->tables))
			err = reloc_fetch(r, list_next_entry(table, node));
		if (!err && !table->is_root)
			err = reloc_read(r, table);
		if (!err && !table->is_root)
			err = table->split ? reloc_split(r, table) :
					     reloc_leaves(r, table);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Give a data page its place in the snapshot, and get it. */
static int reloc_place(struct reloc *r, u64 gfn, unsigned long frame,
		       struct hlk_kept *kept)
{
	bool aliased = reloc_aliased(r, frame);
	int err = 0;

	if (aliased) {
		kept->gfn = r->next_shared++;
		r->snap->counts.aliased++;
	} else {
		err = hlk_reloc_dense(r->snap, &kept->gfn);
	}
	if (err)
		return hlk_fail(r->at, err, HLK_WHY_SNAPSHOT_FULL, 0,
				r->nr_frames << PAGE_SHIFT);
	r->placed[frame & FRAME_NR] = kept->gfn << PAGE_SHIFT |
				      (aliased ? PLACED_ALIASED : 0);
	kept->leaves = frame / FRAME_LEAF;
	err = r->gmem->ops->get(r->gmem, gfn, &kept->gpage);
	if (err)
		return hlk_fail(r->at, err, HLK_WHY_NOT_RAM, 0, gfn << PAGE_SHIFT);
	if (kept->gpage.page)
		prefetch(page_address(kept->gpage.page));
	return 0;
}

/*
 * In the order in which they lie in the guest, not in that of the leaves: pages
 * that are scattered over the address space are read one after the other.
 */
static int reloc_pages(struct reloc *r)
{
	struct hlk_kept kept[HLK_KEEP_MANY];
	unsigned long gfn;
	void *entry;
	int err = 0;
	u32 nr = 0;
	int last;

	r->placed = kvcalloc(r->nr_frames, sizeof(*r->placed), HLK_GFP);
	if (!r->placed)
		return -ENOMEM;
	xa_for_each(&r->frames, gfn, entry) {
		if (!xa_is_value(entry))
			continue;
		err = reloc_place(r, gfn, xa_to_value(entry), &kept[nr]);
		if (err)
			break;
		if (++nr < HLK_KEEP_MANY)
			continue;
		err = hlk_snap_keep(r->snap, kept, nr);
		nr = 0;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		cond_resched();
	}
	/* what was taken is given back after a failure, too */
	last = hlk_snap_keep(r->snap, kept, nr);
	return err ?: last;
}

/* Tables lie anywhere: have the next one's lines on their way in time. */
static void reloc_prefetch(const struct reloc *r, const struct new_table *table)
{
	u64 lines;

	if (list_is_last(&table->node, &r->tables))
		return;
	table = list_next_entry(table, node);
	for (lines = table->lines; lines; lines &= lines - 1)
		prefetch(table_entries(table) + __ffs64(lines) * I686_LINE_ENTRIES);
}

/* The entry of a leaf whose page has its place */
static u32 reloc_placed(const struct reloc *r, u32 entry)
{
	u32 placed = r->placed[i686_gfn(entry)];
	u32 flags = entry & I686_FLAGS;

	if (!(placed & PLACED_ALIASED))
		return placed | hlk_reloc_cow(r->snap, flags);
	if (flags & I686_W)
		flags &= ~I686_COW;
	return (placed & ~PLACED_ALIASED) | flags;
}

static int reloc_finish_leaves(struct reloc *r)
{
	struct new_table *table;
	u32 *entry;
	u64 lines;
	u64 bits;
	u32 line;

	list_for_each_entry(table, &r->tables, node) {
		reloc_prefetch(r, table);
		for (lines = table->lines; lines; lines &= lines - 1) {
			line = __ffs64(lines);
			for (bits = table->pending[line]; bits; bits &= bits - 1) {
				entry = &table_entries(table)[line * I686_LINE_ENTRIES +
							      __ffs64(bits)];
				*entry = reloc_placed(r, *entry);
			}
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* How much of scratch tables and shared pages need; the rest is the guest's. */
static int reloc_reserve(struct reloc *r)
{
	u64 limit = SCRATCH_ALLOC_END;
	u64 end;

	r->next_shared = r->tables_gfn + r->nr_tables;
	end = r->next_shared + r->nr_aliased;
	if (end > limit)
		return hlk_fail(r->at, -ENOSPC, HLK_WHY_SCRATCH_FULL, 0,
				(r->scratch->pages + end - limit) << PAGE_SHIFT);
	r->snap->first_free = end << PAGE_SHIFT;
	return 0;
}

/* The new tables become base pages of scratch. */
static int reloc_finish_tables(struct reloc *r)
{
	struct hlk_snap *snap = r->snap;
	struct new_table *table;
	u32 nr = 0;
	int err;

	snap->tables = kvzalloc(struct_size(snap->tables, info, r->nr_tables), HLK_GFP);
	if (!snap->tables)
		return -ENOMEM;
	kref_init(&snap->tables->ref);
	snap->tables->gfn = r->tables_gfn;
	snap->tables->nr = r->nr_tables;
	list_for_each_entry(table, &r->tables, node) {
		snap->tables->info[nr].end = table->end;
		snap->tables->info[nr++].is_root = table->is_root;
		err = hlk_snap_set(snap, table->gfn, table->page);
		table->page = NULL;
		if (err)
			return err;
		snap->counts.tables++;
	}
	return 0;
}

static int reloc_init(struct reloc *r)
{
	const struct hlk_snap_params *p = r->p;
	int scratch = hlk_layout_scratch(&r->snap->layout);
	u64 least = (u64)p->input_bytes + p->output_bytes + HLK_GUEST_SCRATCH_EXTRA;
	u64 va;

	if (scratch < 0)
		return hlk_fail(r->at, -EINVAL, HLK_WHY_NO_SCRATCH, 0, 0);
	r->scratch = &r->snap->layout.range[scratch];
	if (r->scratch->gfn + r->scratch->pages != SCRATCH_END)
		return hlk_fail(r->at, -EINVAL, HLK_WHY_NO_SCRATCH, 0,
				r->scratch->gfn << PAGE_SHIFT);
	if (!PAGE_ALIGNED(p->input_bytes) || !PAGE_ALIGNED(p->output_bytes) ||
	    p->input_bytes < HLK_GUEST_BUFFER_MIN ||
	    p->output_bytes < HLK_GUEST_BUFFER_MIN ||
	    r->scratch->pages << PAGE_SHIFT < least)
		return hlk_fail(r->at, -EINVAL, HLK_WHY_IO_BUFFERS, 0, least);
	if (!p->nr_roots)
		return hlk_fail(r->at, -EINVAL, HLK_WHY_NO_ROOTS, 0, 0);

	va = I686_VA_END - (r->scratch->pages << PAGE_SHIFT);
	r->scratch_slot = va >> I686_SLOT_SHIFT;
	r->scratch_first = (va >> PAGE_SHIFT) % I686_ENTRIES;
	r->tables_gfn = r->scratch->gfn +
			((p->input_bytes + p->output_bytes) >> PAGE_SHIFT);
	r->snap->mode = p->mode;
	r->snap->input_bytes = p->input_bytes;
	r->snap->output_bytes = p->output_bytes;
	r->snap->roots = kvcalloc(p->nr_roots, sizeof(u64), HLK_GFP);
	if (!r->snap->roots)
		return -ENOMEM;
	r->snap->nr_roots = p->nr_roots;
	return 0;
}

static int reloc_all(struct hlk_snap *snap, struct hlk_gmem *gmem,
		     const struct hlk_snap_params *params, struct hlk_why_at *at)
{
	struct reloc r = {
		.snap = snap,
		.gmem = gmem,
		.p = params,
		.at = at,
	};
	struct new_table *table;
	struct new_table *next;
	int err;

	INIT_LIST_HEAD(&r.tables);
	xa_init_flags(&r.frames, XA_FLAGS_ACCOUNT);
	xa_init_flags(&r.memo, XA_FLAGS_ACCOUNT);
	err = reloc_init(&r);
	if (!err)
		err = reloc_roots(&r);
	if (!err)
		err = reloc_directories(&r);
	if (!err)
		err = reloc_tables(&r);
	if (!err)
		err = reloc_reserve(&r);
	if (!err)
		err = reloc_pages(&r);
	if (!err)
		err = reloc_finish_leaves(&r);
	if (!err)
		err = reloc_finish_tables(&r);
	if (!err)
		err = hlk_reloc_bookkeeping(snap);

	list_for_each_entry_safe(table, next, &r.tables, node) {
		if (table->ahead.page)
			put_page(table->ahead.page);
		if (table->page)
			hlk_page_free(table->page);
		kfree(table);
		cond_resched();
	}
	hlk_xa_destroy(&r.frames, r.nr_frames + r.nr_tables);
	hlk_xa_destroy(&r.memo, r.nr_met);
	kvfree(r.placed);
	return err;
}

/**
 * hlk_snap_compact() - compact a guest into a snapshot
 * @snap: an empty snapshot with the layout of the guest's windows and its
 *	generation set
 * @gmem: the guest's memory
 * @params: what is asked
 * @at: the reason of a failure
 *
 * Nothing of the guest is changed. After a failure @snap is only good for
 * hlk_snap_put(). A guest that runs from a compact snapshot, and has done no more
 * to its tables than to copy on write, to map fresh pages and to unmap, is
 * compacted at the cost of what it changed; see delta.c.
 *
 * Return: 0; -EINVAL, -ENODEV, -ENOSPC or -EDQUOT with a reason; -ENOMEM;
 * -EINTR after a fatal signal
 */
int hlk_snap_compact(struct hlk_snap *snap, struct hlk_gmem *gmem,
		     const struct hlk_snap_params *params, struct hlk_why_at *at)
{
	int err;

	snap->flags = params->flags;
	if (params->parent) {
		err = hlk_reloc_delta(snap, gmem, params, at);
		if (err != -EAGAIN)
			return err;
	}
	return reloc_all(snap, gmem, params, at);
}
