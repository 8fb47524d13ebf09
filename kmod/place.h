/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two ways of compacting a guest share.
 */
#ifndef _HLK_PLACE_H
#define _HLK_PLACE_H

#include "snap.h"

#include <linux/hlk_guest.h>

#define SCRATCH_END	(HLK_GUEST_SCRATCH_TOP >> PAGE_SHIFT)

/* The first frame of scratch that the guest's allocator leaves alone */
#define SCRATCH_ALLOC_END	(SCRATCH_END - (HLK_GUEST_OFF_ALLOC_END >> PAGE_SHIFT))

/**
 * hlk_reloc_cow() - flags of a leaf that maps a data page of its own
 * @snap: the snapshot that is being made
 * @flags: what they were
 */
static inline u32 hlk_reloc_cow(const struct hlk_snap *snap, u32 flags)
{
	if (snap->flags & HLK_SNAPSHOT_HOST_COW || !(flags & (I686_W | I686_COW)))
		return flags;
	return (flags & ~I686_W) | I686_COW;
}

int hlk_reloc_dense(struct hlk_snap *snap, u64 *gfn);
int hlk_reloc_bookkeeping(struct hlk_snap *snap);

#endif /* _HLK_PLACE_H */
