/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest in a few lines: what the tests of compact snapshots begin with.
 */
#ifndef _WORLD_H
#define _WORLD_H

#include <linux/hlk_guest.h>

#include "check.h"
#include "guest.h"

#define P	0x001
#define W	0x002
#define U	0x004
#define PWT	0x008
#define PCD	0x010
#define A	0x020
#define D	0x040
#define PAT	0x080
#define G	0x100
#define COW	0x200
#define ALL	(P | W | U)

#define NOTHING	0x6000ULL	/* a frame where no memory is */
#define TOP	0xfee00ULL	/* the frame where scratch ends */

/**
 * struct world - a guest with directories and what is asked of it
 * @g: the guest
 * @pd: frames of directories
 * @roots: their addresses
 * @c: the snapshot
 */
struct world {
	struct guest g;
	u64 pd[3];
	u64 roots[3];
	struct compact c;
};

void world_init(struct world *w, u64 scratch_pages, u32 nr_roots);
bool world_go(struct world *w);
void world_exit(struct world *w);

/* One address in the snapshot */
struct mmu_result at(const struct world *w, u32 root, u32 va);

/* Map a new page with bytes; its frame is returned. */
u64 map_data(struct world *w, u32 root, u32 va, u32 flags, u32 pde_flags);

/* What is a frame of the snapshot? */
bool in_scratch(const struct world *w, u64 frame);
bool is_table(const struct world *w, u64 frame);

#endif /* _WORLD_H */
