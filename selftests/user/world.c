// SPDX-License-Identifier: GPL-2.0-only
#include "tap.h"
#include "world.h"

void world_init(struct world *w, u64 scratch_pages, u32 nr_roots)
{
	u32 i;

	guest_usual(&w->g, scratch_pages);
	for (i = 0; i < ARRAY_SIZE(w->pd); i++) {
		w->pd[i] = guest_frame(&w->g);
		w->roots[i] = w->pd[i] << 12;
	}
	compact_init(&w->c, &w->g, w->roots, nr_roots);
	w->c.writes = 20;
}

bool world_go(struct world *w)
{
	return CHECK_EQ(compact_go(&w->c), 0);
}

void world_exit(struct world *w)
{
	u64 before;

	compact_end(&w->c);
	before = guest_hash(&w->g);
	compact_run(&w->c);	/* once more: nothing was changed */
	CHECK_EQ(guest_hash(&w->g), before);
	guest_exit(&w->g);
}

struct mmu_result at(const struct world *w, u32 root, u32 va)
{
	return compact_at(&w->c, root, va);
}

u64 map_data(struct world *w, u32 root, u32 va, u32 flags, u32 pde_flags)
{
	u64 gfn = guest_data(&w->g);

	guest_map(&w->g, w->pd[root], va, gfn, flags, pde_flags);
	return gfn;
}

bool in_scratch(const struct world *w, u64 frame)
{
	return frame >= TOP - 0x1000 && frame < w->c.snap->first_free >> 12;
}

bool is_table(const struct world *w, u64 frame)
{
	u64 base = w->c.snap->roots[0] >> 12;

	return frame >= base && frame < base + w->c.snap->counts.tables;
}
