// SPDX-License-Identifier: GPL-2.0-only
/*
 * 32-bit x86 page tables: what compaction asks of them. pt.c has those of every format.
 *
 * The guest may change its tables while they are read, so each entry is read
 * once and judged from that copy.
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
