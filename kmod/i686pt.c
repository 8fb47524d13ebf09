// SPDX-License-Identifier: GPL-2.0-only
/*
 * 32-bit x86 page tables: reading entries, translating, walking.
 *
 * The guest may change its tables while they are read, so each entry is read
 * once and judged from that copy. Bounds come from the shape of the tables
 * (1024 entries a level) and from limits of the caller, never from the guest.
 *
 * Source of the rules: Intel SDM volume 3, "32-Bit Paging". The module runs on
 * x86 only, so entries, little-endian by that manual, are in host order.
 */
#include "i686pt.h"

/**
 * i686_pde_kind() - what a directory entry is
 * @pde: the entry
 * @mode: CR4.PSE and MAXPHYADDR decide
 *
 * With CR4.PSE clear bit 7 is ignored. With PSE-36 bit 21 and the address bits
 * at and above MAXPHYADDR are reserved.
 */
enum i686_pde_kind i686_pde_kind(u32 pde, const struct i686_mode *mode)
{
	if (!(pde & I686_P))
		return I686_PDE_ABSENT;
	if (!(pde & I686_PS) || !mode->pse)
		return I686_PDE_TABLE;
	if (pde & I686_LARGE_RSVD)
		return I686_PDE_RESERVED;
	if (i686_large_gfn(pde) >> (mode->maxphyaddr - 12))
		return I686_PDE_RESERVED;
	return I686_PDE_LARGE;
}

/**
 * i686_copy_table() - the entries of a table, read once
 * @gpage: the page; its reference is taken over
 * @entries: out: I686_ENTRIES entries
 *
 * Return: which of the I686_LINES lines have an entry that is present
 */
u64 i686_copy_table(const struct hlk_gpage *gpage, u32 *entries)
{
	const u64 *at = (const u64 *)entries;
	u64 lines = 0;
	void *from;
	u64 any;
	u32 i;

	if (!gpage->page) {
		memset(entries, 0, PAGE_SIZE);
		return 0;
	}
	from = kmap_local_page(gpage->page);
	memcpy(entries, from, PAGE_SIZE);
	kunmap_local(from);
	put_page(gpage->page);
	/* two at a time; a loop over eight of them takes twice as long */
	for (i = 0; i < I686_LINES; i++, at += I686_LINE_ENTRIES / 2) {
		any = at[0] | at[1] | at[2] | at[3] | at[4] | at[5] | at[6] | at[7];
		lines |= ((any | any >> 32) & I686_P) << i;
	}
	return lines;
}

/**
 * i686_read_table() - read a whole table or directory, once
 * @gmem: memory
 * @gfn: its frame
 * @entries: out: I686_ENTRIES entries
 *
 * Return: 0, or -ENODEV if there is no memory, or what the read gave
 */
int i686_read_table(struct hlk_gmem *gmem, u64 gfn, u32 *entries)
{
	struct hlk_gpage gpage;
	int ret;

	ret = gmem->ops->get(gmem, gfn, &gpage);
	if (!ret)
		i686_copy_table(&gpage, entries);
	return ret;
}

static int i686_read_entry(struct hlk_gmem *gmem, u64 gfn, u32 nr, u32 *entry)
{
	struct hlk_gpage gpage;
	u32 *from;
	int ret;

	ret = gmem->ops->get(gmem, gfn, &gpage);
	if (ret)
		return ret;
	*entry = 0;
	if (!gpage.page)
		return 0;
	from = kmap_local_page(gpage.page);
	*entry = READ_ONCE(from[nr]);
	kunmap_local(from);
	put_page(gpage.page);
	return 0;
}

/* What both levels together allow; a 4 MiB entry is its own leaf. */
static u32 i686_rights(u32 pde, u32 leaf, const struct i686_mode *mode)
{
	u32 both = pde & leaf;
	u32 map = 0;

	if (both & I686_W)
		map |= HLK_MAP_WRITE;
	else if (!mode->wp)
		map |= HLK_MAP_SUPER_WRITE;
	if (both & I686_U)
		map |= HLK_MAP_USER;
	if (leaf & I686_COW)
		map |= HLK_MAP_COW;
	return map;
}

/**
 * i686_translate() - one address, as the CPU would
 * @gmem: memory
 * @mode: modes
 * @root: address of the directory, as in CR3
 * @va: the address
 * @out: @gpa, @entry, @map and @page_shift are written
 * @at: the reason of a failure
 *
 * Return: 0, -ENXIO if an entry is not present, -EINVAL if one has reserved
 * bits set, -ENODEV if a table is not in memory
 */
int i686_translate(struct hlk_gmem *gmem, const struct i686_mode *mode,
		   u64 root, u32 va, struct hlk_translate *out,
		   struct hlk_why_at *at)
{
	u64 pd = i686_gfn(root);
	u32 slot = va >> I686_SLOT_SHIFT;
	u32 nr = (va >> 12) % I686_ENTRIES;
	u32 pde, pte;
	u64 gfn;
	int ret;

	out->gpa = 0;
	memset(out->entry, 0, sizeof(out->entry));
	out->map = 0;
	out->page_shift = I686_SLOT_SHIFT;
	ret = i686_read_entry(gmem, pd, slot, &pde);
	if (ret)
		return hlk_fail(at, ret, HLK_WHY_NOT_RAM, 0, pd << 12);
	out->entry[1] = pde;

	switch (i686_pde_kind(pde, mode)) {
	case I686_PDE_ABSENT:
		return hlk_fail(at, -ENXIO, HLK_WHY_NOT_PRESENT, 0,
				(pd << 12) + 4 * slot);
	case I686_PDE_RESERVED:
		return hlk_fail(at, -EINVAL, HLK_WHY_PDE_RESERVED, 0, va);
	case I686_PDE_LARGE:
		gfn = i686_large_gfn(pde) + nr;
		out->map = i686_rights(pde, i686_large_leaf(pde), mode) |
			   HLK_MAP_LARGE;
		break;
	case I686_PDE_TABLE:
		gfn = i686_gfn(pde);
		out->page_shift = 12;
		ret = i686_read_entry(gmem, gfn, nr, &pte);
		if (ret)
			return hlk_fail(at, ret, HLK_WHY_NOT_RAM, 0, gfn << 12);
		out->entry[0] = pte;
		if (!(pte & I686_P))
			return hlk_fail(at, -ENXIO, HLK_WHY_NOT_PRESENT, 0,
					(gfn << 12) + 4 * nr);
		gfn = i686_gfn(pte);
		out->map = i686_rights(pde, pte, mode);
		break;
	}
	if (!gmem->ops->is_ram(gmem, gfn))
		out->map |= HLK_MAP_NOT_RAM;
	out->gpa = gfn << 12 | (va & ~PAGE_MASK);
	return 0;
}

/* Hand over the run that was put together; 1 if the caller has no room. */
static int walk_flush(struct i686_walk *walk)
{
	int ret;

	if (!walk->run.pages)
		return 0;
	ret = walk->emit(walk, &walk->run);
	if (ret)
		walk->cursor = (u64)walk->run.root << 32 | walk->run.va;
	else
		walk->run.pages = 0;
	return ret;
}

static bool walk_joins(const struct hlk_mapping *run, const struct hlk_mapping *m)
{
	u64 bytes = run->pages << 12;

	return run->pages && run->root == m->root && run->map == m->map &&
	       run->attributes == m->attributes &&
	       !(m->map & (HLK_MAP_ALIAS | HLK_MAP_TABLE_NOT_RAM)) &&
	       run->va + bytes == m->va && run->gpa + bytes == m->gpa;
}

/*
 * Add a mapping, cut down to the range of the walk. Only whole slots can begin before
 * it, and those have no frame for each page.
 */
static int walk_add(struct i686_walk *walk, struct hlk_mapping m)
{
	u64 end = m.va + (m.pages << 12);
	u64 skip;
	int ret;

	if (end > walk->end)
		m.pages -= (end - walk->end) >> 12;
	if (m.va < walk->start) {
		skip = walk->start - m.va;
		m.va += skip;
		m.pages -= skip >> 12;
	}
	if (walk_joins(&walk->run, &m)) {
		walk->run.pages += m.pages;
		return 0;
	}
	ret = walk_flush(walk);
	if (!ret)
		walk->run = m;
	return ret;
}

static int walk_leaf(struct i686_walk *walk, u32 root, u64 va, u32 pde, u32 leaf,
		     u64 gfn, u32 kind)
{
	struct hlk_mapping m = {
		.va = va,
		.gpa = gfn << 12,
		.pages = 1,
		.root = root,
		.map = i686_rights(pde, leaf, &walk->mode) | kind,
		.attributes = leaf & I686_FLAGS & ~(I686_P | I686_W | I686_U),
		.page_shift = kind & HLK_MAP_LARGE ? I686_SLOT_SHIFT : PAGE_SHIFT,
	};

	if (!walk->gmem->ops->is_ram(walk->gmem, gfn))
		m.map |= HLK_MAP_NOT_RAM;
	return walk_add(walk, m);
}

static bool walk_slot_outside(const struct i686_walk *walk, u64 va)
{
	return va >= walk->end || va + (1ULL << I686_SLOT_SHIFT) <= walk->start;
}

/*
 * Which root and slot own a table: those that met it first. Kept as a value, so
 * that a walk continued by its cursor finds the same owners again from the
 * directories alone.
 */
static int walk_owner(struct i686_walk *walk, u64 gfn, u32 root, u32 slot,
		      u64 *owner, struct hlk_why_at *at)
{
	void *old = xa_load(&walk->seen, gfn);

	if (old) {
		*owner = xa_to_value(old);
		return 0;
	}
	if (walk->tables_read >= walk->max_tables)
		return hlk_fail(at, -EDQUOT, HLK_WHY_TOO_MANY_TABLES, root,
				(u64)slot << I686_SLOT_SHIFT);
	walk->tables_read++;
	*owner = (u64)root << 10 | slot;
	return xa_err(xa_store(&walk->seen, gfn, xa_mk_value(*owner), HLK_GFP));
}

static int walk_table(struct i686_walk *walk, u32 root, u32 slot, u32 pde,
		      u64 from, struct hlk_why_at *at)
{
	u64 gfn = i686_gfn(pde);
	u64 va = (u64)slot << I686_SLOT_SHIFT;
	struct hlk_mapping m = {
		.va = va,
		.gpa = gfn << 12,
		.pages = I686_SLOT_PAGES,
		.root = root,
		.map = i686_rights(pde, pde & ~I686_COW, &walk->mode),
	};
	u64 owner;
	u32 nr;
	int ret;

	if (!walk->gmem->ops->is_ram(walk->gmem, gfn)) {
		m.map |= HLK_MAP_TABLE_NOT_RAM;
		return walk_add(walk, m);
	}
	ret = walk_owner(walk, gfn, root, slot, &owner, at);
	if (ret)
		return ret;
	if (owner != ((u64)root << 10 | slot)) {
		m.map |= HLK_MAP_ALIAS;
		m.alias_root = owner >> 10;
		m.alias_va = (owner & 1023) << I686_SLOT_SHIFT;
		return walk_add(walk, m);
	}
	ret = i686_read_table(walk->gmem, gfn, walk->pt);
	if (ret)
		return hlk_fail(at, ret, HLK_WHY_NOT_RAM, root, gfn << 12);
	for (nr = 0; nr < I686_ENTRIES; nr++, va += PAGE_SIZE) {
		if (va < from || va >= walk->end || !(walk->pt[nr] & I686_P))
			continue;
		ret = walk_leaf(walk, root, va, pde, walk->pt[nr],
				i686_gfn(walk->pt[nr]), 0);
		if (ret)
			return ret;
	}
	return 0;
}

static int walk_large(struct i686_walk *walk, u32 root, u64 va, u32 pde, u64 from)
{
	u64 gfn = i686_large_gfn(pde);
	u32 nr;
	int ret;

	for (nr = 0; nr < I686_SLOT_PAGES; nr++, va += PAGE_SIZE) {
		if (va < from || va >= walk->end)
			continue;
		ret = walk_leaf(walk, root, va, pde, i686_large_leaf(pde),
				gfn + nr, HLK_MAP_LARGE);
		if (ret)
			return ret;
	}
	return 0;
}

static int walk_root(struct i686_walk *walk, u32 root, struct hlk_why_at *at)
{
	u32 first_root = walk->cursor >> 32;
	u64 from = max(walk->start, root == first_root ? (u32)walk->cursor : 0);
	u64 gfn = i686_gfn(walk->roots[root]);
	enum i686_pde_kind kind;
	u64 owner;
	u64 va;
	u32 slot;
	u32 pde;
	int ret;

	ret = i686_read_table(walk->gmem, gfn, walk->pd);
	if (ret)
		return hlk_fail(at, ret, HLK_WHY_ROOT_NOT_RAM, root, gfn << 12);
	for (slot = 0; slot < I686_ENTRIES; slot++) {
		pde = walk->pd[slot];
		va = (u64)slot << I686_SLOT_SHIFT;
		kind = i686_pde_kind(pde, &walk->mode);
		if (kind == I686_PDE_ABSENT || walk_slot_outside(walk, va))
			continue;
		if (root < first_root ||
		    va + (1ULL << I686_SLOT_SHIFT) <= from) {
			/* walked by an earlier call: only who owns what */
			ret = 0;
			if (kind == I686_PDE_TABLE &&
			    walk->gmem->ops->is_ram(walk->gmem, i686_gfn(pde)))
				ret = walk_owner(walk, i686_gfn(pde), root,
						 slot, &owner, at);
		} else if (kind == I686_PDE_TABLE) {
			ret = walk_table(walk, root, slot, pde, from, at);
		} else if (kind == I686_PDE_LARGE) {
			ret = walk_large(walk, root, va, pde, from);
		} else {
			ret = hlk_fail(at, -EINVAL, HLK_WHY_PDE_RESERVED, root, va);
		}
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * i686_walk() - walk the tables of one or many roots
 * @walk: what to walk; see struct i686_walk
 * @at: the reason of a failure
 *
 * Return: 0: @walk->done says whether the end was reached, and if not
 * @walk->cursor where to go on. -EINTR after a fatal signal, -EDQUOT over
 * @max_tables, -EINVAL at an entry with reserved bits, -ENODEV if a root is
 * not in memory, or what @walk->emit returned below 0
 */
int i686_walk(struct i686_walk *walk, struct hlk_why_at *at)
{
	int ret = -ENOMEM;
	u32 root;

	xa_init_flags(&walk->seen, XA_FLAGS_ACCOUNT);
	walk->run.pages = 0;
	walk->tables_read = 0;
	walk->done = false;
	walk->pd = kmalloc(PAGE_SIZE, HLK_GFP);
	walk->pt = kmalloc(PAGE_SIZE, HLK_GFP);
	if (!walk->pd || !walk->pt)
		goto out;

	ret = 0;
	for (root = 0; root < walk->nr_roots && !ret; root++)
		ret = walk_root(walk, root, at);
	if (!ret)
		ret = walk_flush(walk);
	if (!ret) {
		walk->cursor = 0;
		walk->done = true;
	}
	if (ret == 1)
		ret = 0;
out:
	kfree(walk->pt);
	kfree(walk->pd);
	xa_destroy(&walk->seen);
	return ret;
}
