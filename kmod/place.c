// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a compact snapshot has beside the guest's pages and tables, whichever way
 * it is made: the places of pages, bookkeeping, buffers, and CR3.
 */
#include "place.h"

/**
 * hlk_reloc_dense() - the next frame for a data page, from the lowest window on
 * @snap: the snapshot that is being made
 * @gfn: out: the frame
 *
 * Return: 0 or -ENOSPC
 */
int hlk_reloc_dense(struct hlk_snap *snap, u64 *gfn)
{
	const struct hlk_layout *layout = &snap->layout;
	const struct hlk_range *range;

	for (; snap->dense < layout->nr; snap->dense++, snap->dense_used = 0) {
		range = &layout->range[snap->dense];
		if (range->flags & HLK_WINDOW_SCRATCH ||
		    snap->dense_used == range->pages)
			continue;
		/* there a write that the guest may make would be an exit */
		if (range->flags & HLK_WINDOW_READONLY &&
		    snap->flags & HLK_SNAPSHOT_HOST_COW)
			continue;
		*gfn = range->gfn + snap->dense_used++;
		if (*gfn >> I686_GFN_BITS)
			break;
		return 0;
	}
	return -ENOSPC;
}

static int snap_poke(struct hlk_snap *snap, u64 gpa, u64 value)
{
	struct page *page = hlk_snap_page(snap, gpa >> PAGE_SHIFT);
	int err;

	if (!page) {
		page = hlk_page_alloc(__GFP_ZERO);
		if (!page)
			return -ENOMEM;
		err = hlk_snap_set(snap, gpa >> PAGE_SHIFT, page);
		if (err)
			return err;
		snap->counts.pages++;
	}
	memcpy(page_address(page) + gpa % PAGE_SIZE, &value, sizeof(value));
	return 0;
}

/**
 * hlk_reloc_bookkeeping() - bookkeeping, published roots and empty buffers
 * @snap: the snapshot that is being made; its roots and first_free are set
 *
 * As guests find them. Pages of a parent at these places are replaced.
 *
 * Return: 0, -ENOMEM or -EDQUOT
 */
int hlk_reloc_bookkeeping(struct hlk_snap *snap)
{
	const struct hlk_range *scratch =
		&snap->layout.range[hlk_layout_scratch(&snap->layout)];
	const u64 top = HLK_GUEST_SCRATCH_TOP;
	u64 bottom = scratch->gfn << PAGE_SHIFT;
	u32 published = snap->nr_roots <= HLK_GUEST_MAX_ROOTS ? snap->nr_roots : 0;
	u32 i;
	int err;
	struct {
		u64 gpa;
		u64 value;
	} words[] = {
		{ top - HLK_GUEST_OFF_SIZE, scratch->pages << PAGE_SHIFT },
		{ top - HLK_GUEST_OFF_ALLOC, snap->first_free },
		{ top - HLK_GUEST_OFF_PT_BASE, snap->tables->gfn << PAGE_SHIFT },
		{ top - HLK_GUEST_OFF_GENERATION, snap->generation },
		{ top - HLK_GUEST_OFF_ROOTS, published },
		{ bottom, HLK_GUEST_BUFFER_EMPTY },
		{ bottom + snap->input_bytes, HLK_GUEST_BUFFER_EMPTY },
	};

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (!hlk_snap_has(snap, words[i].gpa >> PAGE_SHIFT))
			continue;
		snap->counts.pages--;
		snap->counts.inherited--;
		err = hlk_snap_set(snap, words[i].gpa >> PAGE_SHIFT, NULL);
		if (err)
			return err;
	}
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		err = snap_poke(snap, words[i].gpa, words[i].value);
		if (err)
			return err;
	}
	for (i = 0; i < published; i++) {
		err = snap_poke(snap, top - HLK_GUEST_OFF_ROOTS + 8 * (i + 1),
				snap->roots[i]);
		if (err)
			return err;
	}
	return 0;
}

/**
 * hlk_snap_cr3() - the CR3 that stands for an old one
 * @snap: a compact snapshot
 * @old_roots: the roots that it was made from, @snap->nr_roots of them
 * @cr3: the old CR3
 *
 * Return: the new address of that directory, or of root 0 if it was not among
 * the roots
 */
u64 hlk_snap_cr3(const struct hlk_snap *snap, const u64 *old_roots, u64 cr3)
{
	u64 flags = cr3 & (I686_PWT | I686_PCD);
	u32 i;

	for (i = 0; i < snap->nr_roots; i++)
		if (i686_gfn(old_roots[i]) == i686_gfn(cr3))
			return (snap->roots[i] & ~(u64)I686_FLAGS) | flags;
	return (snap->roots[0] & ~(u64)I686_FLAGS) | flags;
}
