// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making compact snapshots, and judging the reasons of those that fail.
 */
#include "check.h"
#include "tap.h"

void compact_init(struct compact *c, struct guest *guest, const u64 *roots, u32 nr)
{
	memset(c, 0, sizeof(*c));
	c->guest = guest;
	c->generation = 7;
	c->params.mode = (struct i686_mode){ .wp = true, .pse = true, .maxphyaddr = 40 };
	c->params.roots = roots;
	c->params.nr_roots = nr;
	c->params.input_bytes = 0x4000;
	c->params.output_bytes = 0x4000;
	c->params.max_tables = 10000;
	c->params.max_pages = 1000000;
}

int compact_make(struct compact *c)
{
	int err;

	memset(&c->at, 0, sizeof(c->at));
	c->snap = hlk_snap_alloc(&c->guest->layout, 1UL << 22);
	if (!c->snap)
		return -ENOMEM;
	c->snap->generation = c->generation;
	err = hlk_snap_compact(c->snap, &c->guest->gmem, &c->params, &c->at);
	if (err) {
		hlk_snap_put(c->snap);
		c->snap = NULL;
	}
	return err;
}

int compact_go(struct compact *c)
{
	int err = compact_make(c);

	compact_check(c, err);
	return err;
}

void compact_end(struct compact *c)
{
	hlk_snap_put(c->snap);
	c->snap = NULL;
}

struct mmu_result compact_at(const struct compact *c, u32 root, u32 va)
{
	const struct i686_mode *mode = &c->params.mode;
	struct restored r;
	struct mmu_cpu cpu = { c->snap->roots[root], mode->wp, mode->pse, mode->maxphyaddr };

	restored_init(&r, c->snap);
	return mmu_translate(&r.mem, &cpu, va);
}

void compact_restore(const struct compact *c, struct guest *guest)
{
	const struct hlk_layout *layout = &c->snap->layout;
	struct page *page;
	u64 index = 0;
	u32 nr = 0;
	u64 gfn;
	u32 i;

	guest_init(guest);
	guest->restored = true;
	guest->seed = c->guest->seed + 1;
	for (i = 0; i < layout->nr; i++) {
		guest_window(guest, layout->range[i].gfn, layout->range[i].pages,
			     layout->range[i].flags);
	}
	for (; (page = hlk_snap_next(c->snap, &nr, &index)); index++) {
		gfn = layout->range[nr].gfn + index;
		get_page(page);
		if (xa_is_err(xa_store(&guest->pages, gfn, page, HLK_GFP)))
			abort();
		guest_freeze(guest, gfn);
	}
}

int compact_run(struct compact *c)
{
	u64 before = guest_hash(c->guest);
	int err;

	err = compact_go(c);
	compact_end(c);
	CHECK_MSG(guest_hash(c->guest) == before, "the guest has changed");
	return err;
}

static struct mmu_result blamed(const struct compact *c)
{
	const struct i686_mode *mode = &c->params.mode;
	struct mmu_cpu cpu = { 0, mode->wp, mode->pse, mode->maxphyaddr };

	if (!CHECK(c->at.index < c->params.nr_roots && c->at.where < 1ULL << 32))
		return (struct mmu_result){};
	cpu.cr3 = c->params.roots[c->at.index];
	return mmu_translate(&c->guest->mem, &cpu, c->at.where);
}

/* Does user code see a directory as a table, through one of the roots? */
static bool seen_as_table(const struct compact *c, u64 frame)
{
	u32 pde;
	u32 i;
	u32 nr;

	for (i = 0; i < c->params.nr_roots; i++) {
		for (nr = 0; nr < 1024; nr++) {
			pde = guest_entry(c->guest, c->params.roots[i] >> 12, nr);
			if (pde >> 12 == frame && (pde & 5) == 5)
				return true;
		}
	}
	return false;
}

/* A failure names its reason, and the reason is there to be seen. */
void compact_check_failure(const struct compact *c, int err)
{
	bool strict = c->params.flags & HLK_SNAPSHOT_STRICT;
	const struct hlk_why_at *at = &c->at;
	const struct guest *g = c->guest;
	struct mmu_result t = {};

	switch (at->why) {
	case HLK_WHY_ROOT_NOT_RAM:
		CHECK_EQ(err, -ENODEV);
		CHECK(at->index < c->params.nr_roots);
		CHECK_EQ(at->where, c->params.roots[at->index] & ~0xfffULL);
		CHECK(!guest_is_ram(g, at->where >> 12));
		break;
	case HLK_WHY_TABLE_NOT_RAM:
		t = blamed(c);
		CHECK(strict);
		CHECK_EQ(err, -ENODEV);
		CHECK_EQ(t.outcome, MMU_NO_TABLE);
		break;
	case HLK_WHY_LEAF_NOT_RAM:
		t = blamed(c);
		CHECK(strict);
		CHECK_EQ(err, -ENODEV);
		CHECK_EQ(t.outcome, MMU_MAPPED);
		CHECK(!guest_is_ram(g, t.frame));
		break;
	case HLK_WHY_PDE_RESERVED:
		t = blamed(c);
		CHECK_EQ(err, -EINVAL);
		CHECK(t.outcome == MMU_PDE_RESERVED ||
		      (t.outcome == MMU_MAPPED && t.frame >> 20 && !guest_is_ram(g, t.frame)));
		break;
	case HLK_WHY_LARGE_AS_LEAF:
		t = blamed(c);
		CHECK_EQ(err, -EINVAL);
		CHECK_EQ(t.pde & 5, 5);
		CHECK(t.large || !(t.pde & 2));
		CHECK(seen_as_table(c, c->params.roots[at->index] >> 12));
		break;
	case HLK_WHY_SCRATCH_FULL:
		CHECK_EQ(err, -ENOSPC);
		break;
	case HLK_WHY_SNAPSHOT_FULL:
		CHECK_EQ(err, -ENOSPC);
		break;
	case HLK_WHY_TOO_MANY_TABLES:
	case HLK_WHY_TOO_MANY_PAGES:
		CHECK_EQ(err, -EDQUOT);
		break;
	default:
		CHECK_MSG(false, "failed with %d, reason %d", err, at->why);
		break;
	}
}
