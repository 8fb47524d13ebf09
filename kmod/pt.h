/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * x86 page tables of every format: translations, walks, copy-on-write marks.
 *
 * No KVM and no ioctl here: this also compiles in user space.
 */
#ifndef _HLK_PT_H
#define _HLK_PT_H

#include "i686pt.h"

#define PT_LEVELS	HLK_PAGING_LEVELS
#define PT_MAX_ENTRIES	I686_ENTRIES	/* in a table */
#define PT_PDPTES	4		/* of PAE paging */
#define PT_XD		BIT_ULL(63)	/* entries of 64 bits */

/**
 * struct pt_level - the tables of one level
 * @shift: lowest bit of the address that picks an entry, so the size of what one maps
 * @bits: how many bits pick it
 * @page: an entry with PS maps a page
 * @bare: its entries have no rights
 * @high: bits of such a one that are address bits from 32 on, as with PSE-36
 * @rsvd: bits that are reserved in entries that name a table
 * @rsvd_page: those in entries with PS that map a page
 */
struct pt_level {
	u8 shift;
	u8 bits;
	bool page;
	bool bare;
	u64 high;
	u64 rsvd;
	u64 rsvd_page;
};

/**
 * struct pt_format - a format of page tables
 * @name: HLK_FORMAT_*
 * @levels: how many levels; the last of @level is the root's
 * @width: bytes of an entry
 * @va_bits: bits of an address; above 32 the highest is extended
 * @maxphyaddr: the most bits of a physical address that entries can express
 * @root: bits of CR3 that are the address of the root
 * @level: the levels; entries of the first map pages of 4 KiB
 */
struct pt_format {
	u32 name;
	u8 levels;
	u8 width;
	u8 va_bits;
	u8 maxphyaddr;
	u64 root;
	struct pt_level level[PT_LEVELS];
};

/**
 * struct pt_mode - what the vCPU makes of tables
 * @format: their format
 * @flags: HLK_PAGING_*
 * @pkru: keys of pages for users
 * @pkrs: keys of other pages
 * @maxphyaddr: physical-address bits
 * @page: at which levels an entry with PS maps a page
 * @rsvd: for each level, bits that fault in an entry that names a table, or of 4 KiB
 * @rsvd_page: those that fault in a larger page's
 * @pdpte: with HLK_PAGING_PDPTRS: the highest table, as the processor holds it
 */
struct pt_mode {
	const struct pt_format *format;
	u32 flags;
	u32 pkru;
	u32 pkrs;
	u8 maxphyaddr;
	bool page[PT_LEVELS];
	u64 rsvd[PT_LEVELS];
	u64 rsvd_page[PT_LEVELS];
	u64 pdpte[PT_PDPTES];
};

/**
 * enum pt_kind - what an entry is
 * @PT_ABSENT: not present
 * @PT_TABLE: names a table
 * @PT_PAGE: maps a page
 * @PT_RESERVED: present, with bits set that fault
 */
enum pt_kind {
	PT_ABSENT,
	PT_TABLE,
	PT_PAGE,
	PT_RESERVED,
};

/* The table or page of 4 KiB that an entry names */
static inline u64 pt_gfn(u64 entry)
{
	return (entry & GENMASK_ULL(51, 12)) >> 12;
}

static inline u32 pt_entries(const struct pt_format *f, u32 level)
{
	return 1U << f->level[level].bits;
}

/* Bytes that an entry maps, or leads to */
static inline u64 pt_span(const struct pt_format *f, u32 level)
{
	return 1ULL << f->level[level].shift;
}

static inline u64 pt_entry(const struct pt_format *f, const void *entries, u32 nr)
{
	if (f->width == sizeof(u32))
		return ((const u32 *)entries)[nr];
	return ((const u64 *)entries)[nr];
}

/* Where a root is, by a value as of CR3; PAE's need not begin a page. */
static inline u64 pt_root(const struct pt_format *f, u64 cr3)
{
	return cr3 & f->root;
}

/* The address that a processor takes for one of so many bits */
static inline u64 pt_canonical(const struct pt_format *f, u64 linear)
{
	if (f->va_bits > 32 && linear >> (f->va_bits - 1))
		linear |= ~0ULL << f->va_bits;
	return linear;
}

int pt_mode_init(struct pt_mode *mode, const struct hlk_paging *paging,
		 struct hlk_why_at *at);
int pt_linear(const struct pt_format *f, u64 va, u64 *linear);
int pt_range(const struct pt_format *f, u64 va, u64 end_va, u64 *start, u64 *end);
enum pt_kind pt_kind(const struct pt_mode *mode, u32 level, u64 entry);
u64 pt_page_gfn(const struct pt_format *f, u32 level, u64 entry);
int pt_read(struct hlk_gmem *gmem, const struct pt_mode *mode, u32 level, u64 gpa,
	    void *entries);
int pt_translate(struct hlk_gmem *gmem, const struct pt_mode *mode, u64 root, u64 va,
		 struct hlk_translate *out, struct hlk_why_at *at);

/**
 * struct pt_walk - a walk over the tables of one or many roots
 * @gmem: in: memory
 * @mode: in: modes
 * @roots: in: addresses of the roots, as in CR3
 * @nr_roots: in: how many
 * @start: in: first address, without the bits that extend it
 * @end: in: first address not walked, likewise
 * @max_tables: in: how many distinct tables may be met
 * @emit: in: called for each mapping; 1 stops the walk before it
 * @cursor: in and out: root and page
 * @tables_read: out: distinct tables read
 * @done: out: the walk came to its end
 * @seen: private: gfn and level of a table -> root and page where it was met first
 * @from: private: this root is walked from here on; what is before was reported
 * @root: private: this root
 * @table: private: for each level, the table
 * @run: private: the mapping that is being put together
 */
struct pt_walk {
	struct hlk_gmem *gmem;
	struct pt_mode mode;
	const u64 *roots;
	u32 nr_roots;
	u64 start;
	u64 end;
	u32 max_tables;
	int (*emit)(struct pt_walk *walk, const struct hlk_mapping *mapping);
	u64 cursor;
	u64 tables_read;
	bool done;

	struct xarray seen;
	u64 from;
	u32 root;
	void *table[PT_LEVELS];
	struct hlk_mapping run;
};

int pt_walk(struct pt_walk *walk, struct hlk_why_at *at);

/**
 * struct pt_mark - copy-on-write to be marked in place
 * @gmem: in: memory
 * @mode: in: modes
 * @roots: in: addresses of the roots, as in CR3
 * @nr_roots: in: how many
 * @start: in: first address, without the bits that extend it
 * @end: in: first address not to be marked, likewise
 * @max_tables: in: how many distinct tables, roots among them, may be met
 * @out: out: @marked to @tables are written
 * @tables: private: gfn -> struct mark_table
 * @nr_tables: private: how many
 * @buffer: private: a table as it was read
 */
struct pt_mark {
	struct hlk_gmem *gmem;
	struct pt_mode mode;
	const u64 *roots;
	u32 nr_roots;
	u64 start;
	u64 end;
	u32 max_tables;
	struct hlk_mark_cow *out;

	struct xarray tables;
	u32 nr_tables;
	void *buffer;
};

/* mark.c */
int pt_mark(struct pt_mark *mark, struct hlk_why_at *at);

#endif /* _HLK_PT_H */
