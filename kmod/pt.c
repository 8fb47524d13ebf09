// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86 page tables of every format: what a mode means, translating, walking.
 *
 * A format is a description: levels, the width of an entry, which bits are what.
 * Addresses in here are linear: those of 64-bit guests without the bits that extend
 * them, so that they have no gap.
 *
 * The guest may change its tables while they are read, so each entry is read
 * once and judged from that copy. Bounds come from the shape of the tables and from
 * limits of the caller, never from the guest: a table is gone into once for each level
 * that it is met at, however often and by whatever loops it is met.
 *
 * Source of the rules: Intel SDM volume 3, "Paging"; AMD APM volume 2, "Long-Mode
 * Page Translation". The module runs on x86 only, so entries, little-endian by these
 * manuals, are in host order.
 */
#include "pt.h"

#define PT_PAGE_BITS	45		/* of an address's page, at most */

static const struct pt_format pt_formats[] = {
	{
		.name = HLK_FORMAT_32BIT,
		.levels = 2,
		.width = sizeof(u32),
		.va_bits = 32,
		.maxphyaddr = I686_PSE36_BITS,
		.root = GENMASK_ULL(31, 12),
		.level = {
			{ .shift = 12, .bits = 10 },
			{ .shift = 22, .bits = 10, .page = true, .high = I686_LARGE_HIGH,
			  .rsvd_page = I686_LARGE_RSVD },
		},
	},
	{
		.name = HLK_FORMAT_PAE,
		.levels = 3,
		.width = sizeof(u64),
		.va_bits = 32,
		.maxphyaddr = 52,
		.root = GENMASK_ULL(31, 5),
		.level = {
			{ .shift = 12, .bits = 9, .rsvd = GENMASK_ULL(62, 52) },
			{ .shift = 21, .bits = 9, .page = true,
			  .rsvd = GENMASK_ULL(62, 52),
			  .rsvd_page = GENMASK_ULL(62, 52) | GENMASK_ULL(20, 13) },
			{ .shift = 30, .bits = 2, .bare = true,
			  .rsvd = GENMASK_ULL(63, 52) | GENMASK_ULL(8, 5) |
				  GENMASK_ULL(2, 1) },
		},
	},
	{
		.name = HLK_FORMAT_4LEVEL,
		.levels = 4,
		.width = sizeof(u64),
		.va_bits = 48,
		.maxphyaddr = 52,
		.root = GENMASK_ULL(51, 12),
		.level = {
			{ .shift = 12, .bits = 9 },
			{ .shift = 21, .bits = 9, .page = true,
			  .rsvd_page = GENMASK_ULL(20, 13) },
			{ .shift = 30, .bits = 9, .page = true,
			  .rsvd_page = GENMASK_ULL(29, 13) },
			{ .shift = 39, .bits = 9, .rsvd = I686_PS },
		},
	},
	{
		.name = HLK_FORMAT_5LEVEL,
		.levels = 5,
		.width = sizeof(u64),
		.va_bits = 57,
		.maxphyaddr = 52,
		.root = GENMASK_ULL(51, 12),
		.level = {
			{ .shift = 12, .bits = 9 },
			{ .shift = 21, .bits = 9, .page = true,
			  .rsvd_page = GENMASK_ULL(20, 13) },
			{ .shift = 30, .bits = 9, .page = true,
			  .rsvd_page = GENMASK_ULL(29, 13) },
			{ .shift = 39, .bits = 9, .rsvd = I686_PS },
			{ .shift = 48, .bits = 9, .rsvd = I686_PS },
		},
	},
};

static const struct pt_format *pt_format(u32 flags)
{
	if (!(flags & HLK_PAGING_PAE))
		return &pt_formats[0];
	if (!(flags & HLK_PAGING_LONG))
		return &pt_formats[1];
	return &pt_formats[flags & HLK_PAGING_LA57 ? 3 : 2];
}

/* Bits that fault in any entry of 64 bits: of the address, and XD where it is none */
static u64 pt_rsvd_all(const struct pt_mode *mode)
{
	u64 rsvd = GENMASK_ULL(51, 0) & (~0ULL << mode->maxphyaddr);

	if (mode->format->width == sizeof(u32))
		return 0;
	return mode->flags & HLK_PAGING_NXE ? rsvd : rsvd | PT_XD;
}

static void pt_mode_level(struct pt_mode *mode, u32 level)
{
	const struct pt_level *l = &mode->format->level[level];
	u64 rsvd = pt_rsvd_all(mode);

	mode->page[level] = l->page;
	mode->rsvd[level] = l->rsvd | rsvd;
	mode->rsvd_page[level] = l->rsvd_page | rsvd;
	/* 1 GiB is one of those things that not every processor has */
	if (l->page && l->shift == 30 && mode->flags & HLK_PAGING_NO_1G) {
		mode->page[level] = false;
		mode->rsvd[level] |= I686_PS;
	}
	if (l->shift >= 39 && mode->flags & HLK_PAGING_AMD)
		mode->rsvd[level] |= I686_G;
	if (l->high) {
		mode->page[level] = mode->flags & HLK_PAGING_PSE;
		mode->rsvd_page[level] |= l->high & (~0ULL << (mode->maxphyaddr - 32 + 13));
	}
}

static int pt_mode_check(const struct hlk_paging *p, struct hlk_why_at *at)
{
	bool pae = p->flags & HLK_PAGING_PAE;
	bool longmode = p->flags & HLK_PAGING_LONG;
	u32 most = pt_format(p->flags)->maxphyaddr;

	if ((longmode && !pae) || (p->flags & HLK_PAGING_LA57 && !longmode) ||
	    (p->flags & HLK_PAGING_PDPTRS && (longmode || !pae)))
		return hlk_fail(at, -EINVAL, HLK_WHY_FLAGS, 0, 0);
	if (p->maxphyaddr && (p->maxphyaddr < 32 || p->maxphyaddr > most))
		return hlk_fail(at, -EINVAL, HLK_WHY_GPA_RANGE, 0, 0);
	return 0;
}

/**
 * pt_mode_init() - what a vCPU with such modes makes of tables
 * @mode: what to fill
 * @paging: the modes, HLK_PAGING_GIVEN or not
 * @at: the reason of a failure
 *
 * Return: 0, or -EINVAL if no processor has such modes
 */
int pt_mode_init(struct pt_mode *mode, const struct hlk_paging *paging,
		 struct hlk_why_at *at)
{
	u32 level;
	int ret;

	ret = pt_mode_check(paging, at);
	if (ret)
		return ret;
	memset(mode, 0, sizeof(*mode));
	mode->format = pt_format(paging->flags);
	mode->flags = paging->flags;
	mode->pkru = paging->pkru;
	mode->pkrs = paging->pkrs;
	mode->maxphyaddr = paging->maxphyaddr ?: mode->format->maxphyaddr;
	memcpy(mode->pdpte, paging->pdpte, sizeof(mode->pdpte));
	for (level = 0; level < mode->format->levels; level++)
		pt_mode_level(mode, level);
	return 0;
}

/**
 * pt_linear() - an address without the bits that extend it
 * @f: the format
 * @va: the address
 * @linear: out
 *
 * Return: 0, or -EINVAL if no instruction can have that address
 */
int pt_linear(const struct pt_format *f, u64 va, u64 *linear)
{
	*linear = va & GENMASK_ULL(f->va_bits - 1, 0);
	return pt_canonical(f, *linear) == va ? 0 : -EINVAL;
}

/* Where a part begins; in the gap between the halves that is where the upper begins */
static u64 pt_border(const struct pt_format *f, u64 va)
{
	u64 half = 1ULL << (f->va_bits - 1);

	if (f->va_bits == 32 || va < half)
		return va;
	return va >= -half ? va & (half * 2 - 1) : half;
}

/**
 * pt_range() - a part of the address space
 * @f: the format
 * @va: first address
 * @end_va: first address behind; 0 is the end of the address space
 * @start: out: the first, linear
 * @end: out: the one behind, linear
 *
 * Return: 0, or -EINVAL if there is no such part
 */
int pt_range(const struct pt_format *f, u64 va, u64 end_va, u64 *start, u64 *end)
{
	u64 most = 1ULL << f->va_bits;

	*start = pt_border(f, va);
	*end = end_va ? pt_border(f, end_va) : most;
	if (*end > most || *start >= most || (end_va && va >= end_va))
		return -EINVAL;
	return 0;
}

/**
 * pt_kind() - what an entry is
 * @mode: the modes
 * @level: of the table that it is in, from 0
 * @entry: the entry
 *
 * Where PS is no bit that says so, it is ignored, or among the reserved ones.
 */
enum pt_kind pt_kind(const struct pt_mode *mode, u32 level, u64 entry)
{
	if (!(entry & I686_P))
		return PT_ABSENT;
	if (entry & I686_PS && mode->page[level])
		return entry & mode->rsvd_page[level] ? PT_RESERVED : PT_PAGE;
	if (entry & mode->rsvd[level])
		return PT_RESERVED;
	return level ? PT_TABLE : PT_PAGE;
}

/**
 * pt_page_gfn() - first frame of the page that an entry maps
 * @f: the format
 * @level: of the table that it is in
 * @entry: an entry that is PT_PAGE
 */
u64 pt_page_gfn(const struct pt_format *f, u32 level, u64 entry)
{
	const struct pt_level *l = &f->level[level];

	if (l->high)
		return pt_gfn(entry & GENMASK_ULL(31, 22)) |
		       (entry & l->high) >> 13 << I686_GFN_BITS;
	return pt_gfn(entry & (~0ULL << l->shift));
}

/* Flags as those of an entry of 4 KiB: PAT moves from bit 12 to bit 7 */
static u64 pt_page_flags(u32 level, u64 entry)
{
	u64 flags = entry & ~GENMASK_ULL(51, 12);

	if (!level)
		return flags;
	flags &= ~I686_PS;
	return entry & I686_PAT_LARGE ? flags | I686_PAT : flags;
}

/**
 * pt_read() - read a table, once
 * @gmem: memory
 * @mode: modes
 * @level: which level it is of
 * @gpa: its address
 * @entries: out: a page, its first entry at the beginning
 *
 * Return: 0, or -ENODEV if there is no memory, or what the read gave
 */
int pt_read(struct hlk_gmem *gmem, const struct pt_mode *mode, u32 level, u64 gpa,
	    void *entries)
{
	const struct pt_level *l = &mode->format->level[level];
	u32 offset = gpa & ~PAGE_MASK;
	int ret;

	if (l->bare && mode->flags & HLK_PAGING_PDPTRS) {
		memcpy(entries, mode->pdpte, sizeof(mode->pdpte));
		return 0;
	}
	ret = i686_read_table(gmem, gpa >> PAGE_SHIFT, entries);
	if (!ret && offset)
		memmove(entries, entries + offset, PT_PDPTES * sizeof(u64));
	return ret;
}

static int pt_read_entry(struct hlk_gmem *gmem, const struct pt_mode *mode, u32 level,
			 u64 gpa, u32 nr, u64 *entry)
{
	struct hlk_gpage gpage;
	void *from;
	int ret;

	if (mode->format->level[level].bare && mode->flags & HLK_PAGING_PDPTRS) {
		*entry = mode->pdpte[nr % PT_PDPTES];
		return 0;
	}
	gpa += nr * mode->format->width;
	ret = gmem->ops->get(gmem, gpa >> PAGE_SHIFT, &gpage);
	if (ret)
		return ret;
	*entry = 0;
	if (!gpage.page)
		return 0;
	from = kmap_local_page(gpage.page);
	if (mode->format->width == sizeof(u32))
		*entry = READ_ONCE(*(u32 *)(from + (gpa & ~PAGE_MASK)));
	else
		*entry = READ_ONCE(*(u64 *)(from + (gpa & ~PAGE_MASK)));
	kunmap_local(from);
	put_page(gpage.page);
	return 0;
}

/* What all levels together allow: W and U where all have them, XD where one has */
#define PT_ALL	((u64)(I686_W | I686_U))

static u64 pt_with(const struct pt_mode *mode, u32 level, u64 rights, u64 entry)
{
	if (mode->format->level[level].bare)
		return rights;
	return (rights & entry & PT_ALL) | ((rights | entry) & PT_XD);
}

static u32 pt_rights(const struct pt_mode *mode, u64 rights)
{
	u32 map = 0;

	if (rights & I686_W)
		map |= HLK_MAP_WRITE;
	else if (!(mode->flags & HLK_PAGING_WP))
		map |= HLK_MAP_SUPER_WRITE;
	if (rights & PT_XD)
		map |= HLK_MAP_NX;
	if (!(rights & I686_U))
		return map;
	map |= HLK_MAP_USER;
	if (mode->flags & HLK_PAGING_SMEP)
		map |= HLK_MAP_SUPER_NX;
	if (mode->flags & HLK_PAGING_SMAP)
		map |= HLK_MAP_SUPER_AC;
	return map;
}

/* What a leaf adds: whether it is to be copied, and what its key denies */
static u32 pt_leaf(const struct pt_mode *mode, u64 rights, u64 leaf)
{
	u32 on = rights & I686_U ? HLK_PAGING_PKE : HLK_PAGING_PKS;
	u32 keys = rights & I686_U ? mode->pkru : mode->pkrs;
	u32 map = leaf & I686_COW ? HLK_MAP_COW : 0;

	if (!(mode->flags & HLK_PAGING_LONG) || !(mode->flags & on))
		return map;
	keys >>= (leaf >> 59 & 15) * 2;
	if (keys & 1)
		map |= HLK_MAP_KEY_NO_ACCESS;
	if (keys & 2)
		map |= HLK_MAP_KEY_NO_WRITE;
	return map;
}

/**
 * pt_translate() - one address, as the CPU would
 * @gmem: memory
 * @mode: modes
 * @root: address of the root, as in CR3
 * @va: the address
 * @out: @gpa, @entry, @map, @page_shift and @format are written
 * @at: the reason of a failure
 *
 * Return: 0, -ENXIO if an entry is not present, -EINVAL if one has reserved
 * bits set or the address is none, -ENODEV if a table is not in memory
 */
int pt_translate(struct hlk_gmem *gmem, const struct pt_mode *mode, u64 root, u64 va,
		 struct hlk_translate *out, struct hlk_why_at *at)
{
	const struct pt_format *f = mode->format;
	u64 gpa = pt_root(f, root);
	u64 rights = PT_ALL;
	u32 level = f->levels;
	enum pt_kind kind;
	u64 linear;
	u64 entry;
	u64 gfn;
	u32 nr;
	int ret;

	out->gpa = 0;
	memset(out->entry, 0, sizeof(out->entry));
	out->map = 0;
	out->format = f->name;
	if (pt_linear(f, va, &linear))
		return hlk_fail(at, -EINVAL, HLK_WHY_GPA_RANGE, 0, va);
	do {
		level--;
		out->page_shift = f->level[level].shift;
		nr = (linear >> out->page_shift) & (pt_entries(f, level) - 1);
		ret = pt_read_entry(gmem, mode, level, gpa, nr, &entry);
		if (ret)
			return hlk_fail(at, ret, HLK_WHY_NOT_RAM, 0, gpa);
		out->entry[level] = entry;
		kind = pt_kind(mode, level, entry);
		if (kind == PT_ABSENT)
			return hlk_fail(at, -ENXIO, HLK_WHY_NOT_PRESENT, 0,
					gpa + nr * f->width);
		if (kind == PT_RESERVED)
			return hlk_fail(at, -EINVAL, HLK_WHY_PDE_RESERVED, 0, va);
		rights = pt_with(mode, level, rights, entry);
		gpa = pt_gfn(entry) << PAGE_SHIFT;
	} while (kind == PT_TABLE);

	out->map = pt_rights(mode, rights) | pt_leaf(mode, rights, entry);
	if (level)
		out->map |= HLK_MAP_LARGE;
	linear &= pt_span(f, level) - 1;
	gfn = pt_page_gfn(f, level, entry) + (linear >> PAGE_SHIFT);
	if (!gmem->ops->is_ram(gmem, gfn))
		out->map |= HLK_MAP_NOT_RAM;
	out->gpa = gfn << PAGE_SHIFT | (linear & ~PAGE_MASK);
	return 0;
}

/*
 * A cursor is a root and a page. With 32 bits it looks like an address, since there it
 * always did.
 */
static u64 walk_cursor(const struct pt_format *f, u32 root, u64 linear)
{
	if (f->va_bits == 32)
		return (u64)root << 32 | linear;
	return (u64)root << PT_PAGE_BITS | linear >> PAGE_SHIFT;
}

static u64 walk_cursor_root(const struct pt_format *f, u64 cursor)
{
	return cursor >> (f->va_bits == 32 ? 32 : PT_PAGE_BITS);
}

static u64 walk_cursor_linear(const struct pt_format *f, u64 cursor)
{
	if (f->va_bits == 32)
		return (u32)cursor;
	return (cursor & GENMASK_ULL(PT_PAGE_BITS - 1, 0)) << PAGE_SHIFT;
}

/* Hand over the run that was put together; 1 if the caller has no room. */
static int walk_flush(struct pt_walk *walk)
{
	const struct pt_format *f = walk->mode.format;
	u64 linear = walk->run.va & GENMASK_ULL(f->va_bits - 1, 0);
	int ret;

	if (!walk->run.pages)
		return 0;
	ret = walk->emit(walk, &walk->run);
	if (ret)
		walk->cursor = walk_cursor(f, walk->run.root, linear);
	else
		walk->run.pages = 0;
	return ret;
}

#define WALK_WHOLE (HLK_MAP_ALIAS | HLK_MAP_TABLE_NOT_RAM | HLK_MAP_RESERVED)

static bool walk_joins(const struct hlk_mapping *run, const struct hlk_mapping *m)
{
	u64 bytes = run->pages << PAGE_SHIFT;

	return run->pages && run->root == m->root && run->map == m->map &&
	       run->attributes == m->attributes && run->page_shift == m->page_shift &&
	       !(m->map & WALK_WHOLE) &&
	       run->va + bytes == m->va && run->gpa + bytes == m->gpa;
}

/*
 * Add a mapping at a linear address, cut down to the range of the walk. Only what is
 * one entry and has no frame for each page can begin before it.
 */
static int walk_add(struct pt_walk *walk, struct hlk_mapping m)
{
	u64 end = m.va + (m.pages << PAGE_SHIFT);
	u64 skip;
	int ret;

	if (end > walk->end)
		m.pages -= (end - walk->end) >> PAGE_SHIFT;
	if (m.va < walk->start) {
		skip = walk->start - m.va;
		m.va += skip;
		m.pages -= skip >> PAGE_SHIFT;
	}
	m.va = pt_canonical(walk->mode.format, m.va);
	m.root = walk->root;
	if (walk_joins(&walk->run, &m)) {
		walk->run.pages += m.pages;
		return 0;
	}
	ret = walk_flush(walk);
	if (!ret)
		walk->run = m;
	return ret;
}

/* A page of whatever size: as many runs as it is in and out of memory by turns */
static int walk_page(struct pt_walk *walk, u32 level, u64 va, u64 rights, u64 entry)
{
	const struct pt_format *f = walk->mode.format;
	u64 end = min(va + pt_span(f, level), walk->end);
	u64 first = max(va, walk->from);
	u64 flags = pt_page_flags(level, entry);
	struct hlk_mapping m = {
		.map = pt_rights(&walk->mode, rights) | pt_leaf(&walk->mode, rights, entry),
		.attributes = flags & ~(u64)(I686_P | I686_W | I686_U),
		.page_shift = f->level[level].shift,
	};
	u64 gfn = pt_page_gfn(f, level, entry) + ((first - va) >> PAGE_SHIFT);
	u32 map = m.map | (level ? HLK_MAP_LARGE : 0);
	bool is_ram;
	int ret;

	for (; first < end; first += m.pages << PAGE_SHIFT, gfn += m.pages) {
		m.va = first;
		m.gpa = gfn << PAGE_SHIFT;
		m.pages = walk->gmem->ops->alike(walk->gmem, gfn,
						 (end - first) >> PAGE_SHIFT, &is_ram);
		m.map = is_ram ? map : map | HLK_MAP_NOT_RAM;
		ret = walk_add(walk, m);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * Where a table was met first. Kept as a value, so that a walk continued by its cursor
 * finds the same again from the tables above alone.
 */
static int walk_owner(struct pt_walk *walk, u32 level, u64 gfn, u64 va, u64 *owner,
		      struct hlk_why_at *at)
{
	u64 key = gfn << 2 | level;
	void *old = xa_load(&walk->seen, key);

	if (old) {
		*owner = xa_to_value(old);
		return 0;
	}
	if (walk->tables_read >= walk->max_tables)
		return hlk_fail(at, -EDQUOT, HLK_WHY_TOO_MANY_TABLES, walk->root,
				pt_canonical(walk->mode.format, va));
	walk->tables_read++;
	*owner = (u64)walk->root << PT_PAGE_BITS | va >> PAGE_SHIFT;
	return xa_err(xa_store(&walk->seen, key, xa_mk_value(*owner), HLK_GFP));
}

static int walk_table(struct pt_walk *walk, u32 level, u64 base, u64 rights,
		      struct hlk_why_at *at);

/* An entry that names a table: into it if this is where it was met first */
static int walk_down(struct pt_walk *walk, u32 level, u64 va, u64 rights, u64 entry,
		     struct hlk_why_at *at)
{
	const struct pt_format *f = walk->mode.format;
	u64 end = va + pt_span(f, level);
	u64 gfn = pt_gfn(entry);
	struct hlk_mapping m = {
		.va = va,
		.gpa = gfn << PAGE_SHIFT,
		.pages = pt_span(f, level) >> PAGE_SHIFT,
		.map = pt_rights(&walk->mode, rights),
	};
	bool before = end <= walk->from;
	u64 owner;
	int ret;

	if (!walk->gmem->ops->is_ram(walk->gmem, gfn)) {
		m.map |= HLK_MAP_TABLE_NOT_RAM;
		return before ? 0 : walk_add(walk, m);
	}
	ret = walk_owner(walk, level - 1, gfn, va, &owner, at);
	if (ret)
		return ret;
	if (owner != ((u64)walk->root << PT_PAGE_BITS | va >> PAGE_SHIFT)) {
		m.map |= HLK_MAP_ALIAS;
		m.alias_root = owner >> PT_PAGE_BITS;
		m.alias_va = pt_canonical(f, (owner & GENMASK_ULL(PT_PAGE_BITS - 1, 0)) <<
					  PAGE_SHIFT);
		return before ? 0 : walk_add(walk, m);
	}
	/* reported by an earlier call: only who owns what */
	if (before && level == 1)
		return 0;
	ret = pt_read(walk->gmem, &walk->mode, level - 1, gfn << PAGE_SHIFT,
		      walk->table[level - 1]);
	if (ret)
		return hlk_fail(at, ret, HLK_WHY_NOT_RAM, walk->root, gfn << PAGE_SHIFT);
	return walk_table(walk, level - 1, va, rights, at);
}

/*
 * An entry with reserved bits ends the walk of 32-bit tables, since there it always
 * did; with those of 64 bits it is told from the rest.
 */
static int walk_reserved(struct pt_walk *walk, u32 level, u64 va, struct hlk_why_at *at)
{
	const struct pt_format *f = walk->mode.format;
	struct hlk_mapping m = {
		.va = va,
		.pages = pt_span(f, level) >> PAGE_SHIFT,
		.map = HLK_MAP_RESERVED,
	};

	if (f->width == sizeof(u32))
		return hlk_fail(at, -EINVAL, HLK_WHY_PDE_RESERVED, walk->root, va);
	return walk_add(walk, m);
}

static int walk_entry(struct pt_walk *walk, u32 level, u64 va, u64 rights, u64 entry,
		      struct hlk_why_at *at)
{
	enum pt_kind kind = pt_kind(&walk->mode, level, entry);

	if (kind == PT_TABLE)
		return walk_down(walk, level, va,
				 pt_with(&walk->mode, level, rights, entry), entry, at);
	if (va + pt_span(walk->mode.format, level) <= walk->from)
		return 0;
	if (kind == PT_RESERVED)
		return walk_reserved(walk, level, va, at);
	return walk_page(walk, level, va, pt_with(&walk->mode, level, rights, entry), entry);
}

/* The table that was read into the buffer of its level; as deep as there are levels */
static int walk_table(struct pt_walk *walk, u32 level, u64 base, u64 rights,
		      struct hlk_why_at *at)
{
	const struct pt_format *f = walk->mode.format;
	u64 va = base;
	u64 entry;
	u32 nr;
	int ret;

	for (nr = 0; nr < pt_entries(f, level); nr++, va += pt_span(f, level)) {
		entry = pt_entry(f, walk->table[level], nr);
		if (!(entry & I686_P) || va >= walk->end ||
		    va + pt_span(f, level) <= walk->start)
			continue;
		ret = walk_entry(walk, level, va, rights, entry, at);
		if (ret)
			return ret;
		if (!level)
			continue;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int walk_root(struct pt_walk *walk, struct hlk_why_at *at)
{
	const struct pt_format *f = walk->mode.format;
	u64 first = walk_cursor_root(f, walk->cursor);
	u64 root = pt_root(f, walk->roots[walk->root]);
	u32 level = f->levels - 1;
	int ret;

	walk->from = walk->start;
	if (walk->root < first)
		walk->from = U64_MAX;
	else if (walk->root == first)
		walk->from = max(walk->start, walk_cursor_linear(f, walk->cursor));
	ret = pt_read(walk->gmem, &walk->mode, level, root, walk->table[level]);
	if (ret)
		return hlk_fail(at, ret, HLK_WHY_ROOT_NOT_RAM, walk->root, root);
	return walk_table(walk, level, 0, PT_ALL, at);
}

/**
 * pt_walk() - walk the tables of one or many roots
 * @walk: what to walk; see struct pt_walk
 * @at: the reason of a failure
 *
 * Return: 0: @walk->done says whether the end was reached, and if not
 * @walk->cursor where to go on. -EINTR after a fatal signal, -EDQUOT over
 * @max_tables, -EINVAL at an entry of 32 bits with reserved ones, -ENODEV if a root is
 * not in memory, or what @walk->emit returned below 0
 */
int pt_walk(struct pt_walk *walk, struct hlk_why_at *at)
{
	u32 levels = walk->mode.format->levels;
	int ret = -ENOMEM;
	u32 i;

	xa_init_flags(&walk->seen, XA_FLAGS_ACCOUNT);
	walk->run.pages = 0;
	walk->tables_read = 0;
	walk->done = false;
	memset(walk->table, 0, sizeof(walk->table));
	for (i = 0; i < levels; i++) {
		walk->table[i] = kmalloc(PAGE_SIZE, HLK_GFP);
		if (!walk->table[i])
			goto out;
	}

	ret = 0;
	for (walk->root = 0; walk->root < walk->nr_roots && !ret; walk->root++)
		ret = walk_root(walk, at);
	if (!ret)
		ret = walk_flush(walk);
	if (!ret) {
		walk->cursor = 0;
		walk->done = true;
	}
	if (ret == 1)
		ret = 0;
out:
	for (i = 0; i < levels; i++)
		kfree(walk->table[i]);
	xa_destroy(&walk->seen);
	return ret;
}
