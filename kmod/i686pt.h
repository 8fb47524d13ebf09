/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * 32-bit x86 page tables: what an entry means; and memory as the pure files see it.
 *
 * No KVM and no ioctl here: this also compiles in user space.
 */
#ifndef _HLK_I686PT_H
#define _HLK_I686PT_H

#include "env.h"

#include <linux/hlk.h>

struct page;

/*
 * How everything that a caller asks for is allocated: charged to his cgroup,
 * whose limit is ENOMEM and kills nobody.
 */
#define HLK_GFP		(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Bits of entries: Intel SDM volume 3, "32-Bit Paging" */
#define I686_P		BIT(0)
#define I686_W		BIT(1)
#define I686_U		BIT(2)
#define I686_PWT	BIT(3)
#define I686_PCD	BIT(4)
#define I686_A		BIT(5)
#define I686_D		BIT(6)
#define I686_PS		BIT(7)		/* directory entry */
#define I686_PAT	BIT(7)		/* table entry */
#define I686_G		BIT(8)
#define I686_COW	BIT(9)		/* AVL: copy on write by the guest */
#define I686_AVL	(BIT(9) | BIT(10) | BIT(11))
#define I686_PAT_LARGE	BIT(12)		/* 4 MiB entry */
#define I686_LARGE_HIGH	GENMASK(20, 13)	/* 4 MiB entry: address bits 39:32 */
#define I686_LARGE_RSVD	BIT(21)		/* 4 MiB entry */
#define I686_FLAGS	GENMASK(11, 0)

#define I686_ENTRIES	1024
#define I686_LINE_ENTRIES 16		/* in a cache line */
#define I686_LINES	(I686_ENTRIES / I686_LINE_ENTRIES)
#define I686_SLOT_SHIFT	22
#define I686_SLOT_PAGES	1024
#define I686_GFN_BITS	20		/* of what a 4 KiB entry can name */
#define I686_PSE36_BITS	40
#define I686_VA_END	BIT_ULL(32)

/**
 * struct i686_mode - the modes of the vCPU that change what tables mean
 * @wp: CR0.WP
 * @pse: CR4.PSE
 * @maxphyaddr: physical-address bits, 32 to 40
 */
struct i686_mode {
	bool wp;
	bool pse;
	u8 maxphyaddr;
};

/**
 * enum i686_pde_kind - what a directory entry is
 * @I686_PDE_ABSENT: not present
 * @I686_PDE_TABLE: names a table
 * @I686_PDE_LARGE: maps 4 MiB
 * @I686_PDE_RESERVED: present, 4 MiB, with bits set that fault
 */
enum i686_pde_kind {
	I686_PDE_ABSENT,
	I686_PDE_TABLE,
	I686_PDE_LARGE,
	I686_PDE_RESERVED,
};

static inline u64 i686_gfn(u32 entry)
{
	return entry >> 12;
}

/**
 * i686_large_gfn() - first frame of a 4 MiB entry, PSE-36 bits included
 * @pde: the entry
 */
static inline u64 i686_large_gfn(u32 pde)
{
	u64 high = (pde & I686_LARGE_HIGH) >> 13;

	return (u64)(pde >> I686_SLOT_SHIFT) << 10 | high << I686_GFN_BITS;
}

/**
 * i686_large_leaf() - flags of a 4 KiB leaf that maps as a 4 MiB entry does
 * @pde: the entry
 *
 * PAT moves from bit 12 to bit 7; all else has the same place.
 */
static inline u32 i686_large_leaf(u32 pde)
{
	u32 leaf = pde & I686_FLAGS & ~I686_PS;

	return pde & I686_PAT_LARGE ? leaf | I686_PAT : leaf;
}

struct hlk_gmem;

/**
 * struct hlk_gpage - one guest page
 * @page: a reference to it; NULL is a page of zeroes
 * @frozen: nobody writes it any more, so it may be shared
 */
struct hlk_gpage {
	struct page *page;
	bool frozen;
};

/**
 * struct hlk_gmem_ops - guest-physical memory as the pure files see it
 * @is_ram: is there memory at this gfn?
 * @get: takes a reference to the page; -ENODEV where there is no memory,
 *	-EHWPOISON where it failed. May sleep and fault
 * @changed: the next frame, from *gfn on, that may differ from the snapshot that
 *	the guest was restored to last: 1 if there is one, 0 if not, -EOPNOTSUPP
 *	where this is not known for all memory
 * @hold: the page at this gfn, to be written until @unhold; -ENODEV where there
 *	is no memory, -EACCES where it is read-only
 * @unhold: let go of it
 * @alike: of so many pages from this gfn on, how many are memory like the first, or
 *	none like it; at least 1, and perhaps not all
 */
struct hlk_gmem_ops {
	bool (*is_ram)(struct hlk_gmem *gmem, u64 gfn);
	int (*get)(struct hlk_gmem *gmem, u64 gfn, struct hlk_gpage *gpage);
	int (*changed)(struct hlk_gmem *gmem, u64 *gfn);
	int (*hold)(struct hlk_gmem *gmem, u64 gfn, struct page **page);
	void (*unhold)(struct hlk_gmem *gmem, u64 gfn, struct page *page);
	u64 (*alike)(struct hlk_gmem *gmem, u64 gfn, u64 pages, bool *is_ram);
};

struct hlk_gmem {
	const struct hlk_gmem_ops *ops;
};

/**
 * struct hlk_why_at - which of the reasons behind an errno, for the caller
 * @why: the reason
 * @index: as in struct hlk_head
 * @where: as in struct hlk_head
 */
struct hlk_why_at {
	enum hlk_why why;
	u32 index;
	u64 where;
};

/**
 * hlk_fail() - note the reason of a failure
 * @at: where to note it
 * @err: the errno to return
 * @why: the reason
 * @index: which element, root or vCPU
 * @where: which address
 *
 * Return: @err
 */
static inline int hlk_fail(struct hlk_why_at *at, int err, enum hlk_why why,
			   u32 index, u64 where)
{
	at->why = why;
	at->index = index;
	at->where = where;
	return err;
}

enum i686_pde_kind i686_pde_kind(u32 pde, const struct i686_mode *mode);
u64 i686_copy_table(const struct hlk_gpage *gpage, u32 *entries);
int i686_read_table(struct hlk_gmem *gmem, u64 gfn, u32 *entries);

#endif /* _HLK_I686PT_H */
