// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compact snapshots: what becomes of entries, tables and directories. One rule of
 * Documentation/design.rst a test, and each guest is also compared with its
 * snapshot address by address, by check.c.
 */
#include "tap.h"
#include "world.h"

static void writable_becomes_cow(void)
{
	struct world w;

	world_init(&w, 0x48, 1);
	map_data(&w, 0, 0x1000, P, ALL);
	map_data(&w, 0, 0x2000, P | W, ALL);
	map_data(&w, 0, 0x3000, P | U, ALL);
	map_data(&w, 0, 0x4000, P | W | U, ALL);
	map_data(&w, 0, 0x5000, P | COW, ALL);
	map_data(&w, 0, 0x6000, P | W | COW, ALL);
	map_data(&w, 0, 0x400000, P | W, ALL);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0x1000).pte, 0x1000 | P);
		CHECK_EQ(at(&w, 0, 0x2000).pte, 0x2000 | P | COW);
		CHECK_EQ(at(&w, 0, 0x3000).pte, 0x3000 | P | U);
		CHECK_EQ(at(&w, 0, 0x4000).pte, 0x4000 | P | U | COW);
		CHECK_EQ(at(&w, 0, 0x5000).pte, 0x5000 | P | COW);
		CHECK_EQ(at(&w, 0, 0x6000).pte, 0x6000 | P | COW);
		CHECK_EQ(at(&w, 0, 0x400000).pte, 0x7000 | P | COW);
		CHECK_EQ(w.c.snap->counts.copied, 7);
		CHECK_EQ(w.c.snap->counts.aliased, 0);
		/* root 0, two tables, scratch */
		CHECK_EQ(w.c.snap->counts.tables, 4);
		CHECK_EQ(w.c.snap->counts.tables_read, 3);
		CHECK_EQ(w.c.snap->first_free, (TOP - 0x48 + 8 + 4) << 12);
	}
	world_exit(&w);
}

static void avl_bits(void)
{
	struct world w;
	u32 want;
	u32 avl;

	world_init(&w, 0x48, 1);
	for (avl = 0; avl < 8; avl++) {
		map_data(&w, 0, avl << 12, P | avl << 9, ALL);
		map_data(&w, 0, 0x100000 | avl << 12, P | W | avl << 9, ALL);
	}
	if (world_go(&w)) {
		for (avl = 0; avl < 8; avl++) {
			CHECK_EQ(at(&w, 0, avl << 12).pte & 0xe00, avl << 9);
			CHECK_EQ(at(&w, 0, avl << 12).pte & W, 0);
			want = avl << 9 | COW;
			CHECK_EQ(at(&w, 0, 0x100000 | avl << 12).pte & 0xe00, want);
			CHECK_EQ(at(&w, 0, 0x100000 | avl << 12).pte & W, 0);
		}
	}
	world_exit(&w);
}

static void attribute_bits(void)
{
	struct world w;
	u32 bit;

	world_init(&w, 0x48, 1);
	for (bit = 3; bit < 9; bit++) {
		map_data(&w, 0, bit << 12, P | U | 1 << bit, ALL);
		map_data(&w, 0, bit << 16, P | W | 1 << bit, ALL);
	}
	if (world_go(&w)) {
		for (bit = 3; bit < 9; bit++) {
			CHECK_EQ(at(&w, 0, bit << 12).pte & 0xfff, P | U | 1 << bit);
			CHECK_EQ(at(&w, 0, bit << 16).pte & 0xfff, P | COW | 1 << bit);
		}
	}
	world_exit(&w);
}

static void restrictive_directory_entries(void)
{
	static const u32 flags[] = {
		P, P | W, P | U, ALL, P | A, ALL | PWT | PCD, P | 0xe00, ALL | 0xf58,
	};
	struct world w;
	u32 i;

	world_init(&w, 0x48, 1);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		map_data(&w, 0, i << 22, ALL, flags[i]);
		map_data(&w, 0, i << 22 | 0x1000, P, flags[i]);
	}
	if (world_go(&w)) {
		for (i = 0; i < ARRAY_SIZE(flags); i++) {
			CHECK_EQ(at(&w, 0, i << 22).pde & 0xfff, flags[i]);
			CHECK_EQ(at(&w, 0, i << 22).pte & 0xfff, P | U | COW);
		}
	}
	world_exit(&w);
}

/* CR4.PSE clear: bit 7 of a directory entry is nothing */
static void large_needs_pse(void)
{
	struct world w;

	world_init(&w, 0x48, 1);
	w.c.params.mode.pse = false;
	map_data(&w, 0, 0x400000, ALL, ALL | 0x80);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0x400000).pde & 0xfff, ALL | 0x80);
		CHECK_EQ(w.c.snap->counts.large, 0);
		CHECK_EQ(w.c.snap->counts.tables, 3);
	}
	world_exit(&w);
}

static void large_is_split(void)
{
	struct world w;
	u64 table;

	world_init(&w, 0x48, 2);
	guest_window(&w.g, 0x400, 0x800, 0);
	guest_bytes(&w.g, 0x400)[5] = 1;
	guest_bytes(&w.g, 0x7ff)[6] = 2;
	guest_bytes(&w.g, 0x801)[6] = 3;
	guest_set(&w.g, w.pd[0], 1, guest_large(0x400, ALL | PWT | G | 0xc00));
	/* alike but for accessed and dirty bits: the kernel half of another root */
	guest_set(&w.g, w.pd[1], 1, guest_large(0x400, ALL | PWT | G | 0xc00 | D | A));
	guest_set(&w.g, w.pd[1], 2, guest_large(0x800, P | PCD | 0x1000));
	if (world_go(&w)) {
		table = at(&w, 0, 0x400000).pde >> 12;
		CHECK_EQ(at(&w, 0, 0x400000).pde & 0xfff, ALL);
		CHECK_EQ(at(&w, 1, 0x400000).pde & 0xfff, ALL | A);
		CHECK_EQ(at(&w, 1, 0x400000).pde >> 12, table);
		CHECK_EQ(at(&w, 0, 0x7ff000).pte & 0xfff, P | U | PWT | G | A | D | 0xe00);
		CHECK_EQ(at(&w, 1, 0x800000).pde & 0xfff, P);
		CHECK_EQ(at(&w, 1, 0x801000).pte & 0xfff, P | PCD | PAT);
		CHECK_EQ(w.c.snap->counts.large, 3);
		CHECK_EQ(w.c.snap->counts.zero, 2045);
		CHECK_EQ(w.c.snap->counts.copied, 3);
		CHECK_EQ(w.c.snap->counts.aliased, 0);
		/* two roots, two splits, scratch */
		CHECK_EQ(w.c.snap->counts.tables, 5);
	}
	world_exit(&w);
}

static void large_copy_on_write(void)
{
	struct world w;

	world_init(&w, 0x48, 1);
	guest_window(&w.g, 0x400, 0x800, 0);
	guest_set(&w.g, w.pd[0], 1, guest_large(0x400, P | U | COW));
	if (world_go(&w)) {
		/* a handler makes the leaf writable, so the entry above it is */
		CHECK_EQ(at(&w, 0, 0x400000).pde & 0xfff, ALL);
		CHECK_EQ(at(&w, 0, 0x400000).pte & 0xfff, P | U | COW);
	}
	world_exit(&w);
}

/* One page through a 4 MiB mapping and through a table */
static void large_and_small(void)
{
	struct world w;
	u64 frame;

	world_init(&w, 0x48, 1);
	guest_window(&w.g, 0x400, 0x400, 0);
	guest_bytes(&w.g, 0x456)[5] = 1;
	guest_set(&w.g, w.pd[0], 1, guest_large(0x400, ALL));
	guest_map(&w.g, w.pd[0], 0x1000000, 0x456, P, ALL);
	if (world_go(&w)) {
		frame = at(&w, 0, 0x1000000).frame;
		CHECK(in_scratch(&w, frame));
		CHECK_EQ(at(&w, 0, 0x456000).frame, frame);
		CHECK_EQ(at(&w, 0, 0x456000).pte & 0xfff, ALL);
		CHECK_EQ(at(&w, 0, 0x1000000).pte & 0xfff, P);
		CHECK_EQ(w.c.snap->counts.aliased, 1);
	}
	world_exit(&w);
}

static void large_device(void)
{
	struct world w;
	u32 all = guest_large(0x8000, ALL | PCD | A | D | 0x1000);
	u32 beyond = guest_large(0x123400, P | W | G);

	world_init(&w, 0x48, 2);
	guest_ram(&w.g, 0x9000, 0x10);
	guest_bytes(&w.g, 0x9003)[0] = 1;
	guest_set(&w.g, w.pd[0], 1, all);
	guest_set(&w.g, w.pd[0], 2, beyond);
	guest_set(&w.g, w.pd[1], 2, beyond);
	guest_set(&w.g, w.pd[0], 3, guest_large(0x9000, ALL | PCD));
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0x400000).pde, all);
		CHECK_EQ(at(&w, 0, 0x800000).pde, beyond);
		CHECK_EQ(at(&w, 1, 0x800000).pde, beyond);
		/* partly memory: split, and pages of the device stay */
		CHECK_EQ(at(&w, 0, 0xc10000).pte, 0x9010000 | ALL | PCD);
		CHECK_EQ(at(&w, 0, 0xc03000).pte & 0xfff, P | U | PCD | COW);
		CHECK_EQ(w.c.snap->counts.leaf_not_ram, 3 + 1008);
		CHECK_EQ(w.c.snap->counts.large, 1);
	}
	world_exit(&w);
}

static void pse36(void)
{
	struct world w;

	world_init(&w, 0x48, 1);
	guest_ram(&w.g, 0x100000, 0x400);
	guest_ram(&w.g, 0xff00000, 0x400);
	guest_window(&w.g, 0x1000, 0x800, 0);
	guest_bytes(&w.g, 0x100005)[5] = 1;
	guest_bytes(&w.g, 0xff003ff)[5] = 1;
	guest_set(&w.g, w.pd[0], 1, guest_large(0x100000, ALL));
	guest_set(&w.g, w.pd[0], 2, guest_large(0xff00000, ALL));
	if (world_go(&w)) {
		CHECK(at(&w, 0, 0x405000).frame < 0x1800);
		CHECK_EQ(w.c.snap->counts.zero, 2046);
	}
	world_exit(&w);
}

static void pse36_refused(void)
{
	struct world w;

	world_init(&w, 0x48, 2);
	/* beyond MAXPHYADDR, or bit 21 */
	w.c.params.mode.maxphyaddr = 36;
	guest_set(&w.g, w.pd[1], 5, guest_large(0xf00000, P));
	CHECK_EQ(compact_run(&w.c), 0);
	guest_set(&w.g, w.pd[1], 5, guest_large(0x1000000, P));
	CHECK_EQ(compact_run(&w.c), -EINVAL);
	CHECK_EQ(w.c.at.why, HLK_WHY_PDE_RESERVED);
	CHECK_EQ(w.c.at.index, 1);
	CHECK_EQ(w.c.at.where, 5 << 22);
	guest_set(&w.g, w.pd[1], 5, guest_large(0x400, P) | 1 << 21);
	CHECK_EQ(compact_run(&w.c), -EINVAL);
	/* partly memory, partly a device that a 4 KiB entry cannot name */
	guest_ram(&w.g, 0x100000, 0x3f0);
	guest_window(&w.g, 0x1000, 0x800, 0);
	guest_set(&w.g, w.pd[1], 5, guest_large(0x100000, P));
	CHECK_EQ(compact_run(&w.c), -EINVAL);
	CHECK_EQ(w.c.at.index, 1);
	CHECK_EQ(w.c.at.where, 5 << 22 | 0x3f0000);
	guest_exit(&w.g);
}

static void self_map(void)
{
	struct world w;
	u64 pd;

	world_init(&w, 0x48, 2);
	map_data(&w, 0, 0x5000, ALL, ALL);
	map_data(&w, 1, 0x6000, P | W, ALL);
	guest_set(&w.g, w.pd[0], 700, w.pd[0] << 12 | P | W);
	guest_set(&w.g, w.pd[0], 701, w.pd[1] << 12 | P | W);	/* the other's too */
	guest_set(&w.g, w.pd[1], 0, w.pd[1] << 12 | P);
	if (world_go(&w)) {
		pd = w.c.snap->roots[0];
		CHECK_EQ(at(&w, 0, 700U << 22).pde, pd | P | W);
		CHECK_EQ(at(&w, 0, 701U << 22).pde, w.c.snap->roots[1] | P | W);
		/* entry 0 of the directory, at the slot's first page, is the table */
		CHECK_EQ(at(&w, 0, 700U << 22).frame, at(&w, 0, 0x5000).pde >> 12);
		CHECK_EQ(at(&w, 0, 700U << 22 | 700U << 12).frame, pd >> 12);
		CHECK_EQ(at(&w, 1, 0).frame, w.c.snap->roots[1] >> 12);
		/* scratch's table is there to be seen as well */
		CHECK_EQ(at(&w, 0, 700U << 22 | 1023U << 12).frame,
			 at(&w, 0, 0xfffff000).pde >> 12);
	}
	world_exit(&w);
}

/* A directory maps itself in the slot that scratch takes a part of. */
static void self_map_under_scratch(void)
{
	struct world w;

	world_init(&w, 0x48, 1);
	map_data(&w, 0, 0x5000, ALL, ALL);
	guest_set(&w.g, w.pd[0], 1023, w.pd[0] << 12 | P | W);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0xffc00000).frame, at(&w, 0, 0x5000).pde >> 12);
		CHECK_EQ(at(&w, 0, 0xfffff000).frame, TOP - 1);
	}
	world_exit(&w);
}

/* A 4 MiB entry in a directory that is used as a table: a leaf, for 4 KiB */
static void large_as_leaf(void)
{
	struct world w;
	u64 table;

	world_init(&w, 0x48, 2);
	guest_window(&w.g, 0x400, 0x400, 0);
	guest_bytes(&w.g, 0x400)[5] = 1;
	guest_set(&w.g, w.pd[0], 3, guest_large(0x400, ALL));
	guest_set(&w.g, w.pd[1], 5, w.pd[0] << 12 | ALL);
	/* user code would get at the table that the entry becomes */
	CHECK_EQ(compact_run(&w.c), -EINVAL);
	CHECK_EQ(w.c.at.why, HLK_WHY_LARGE_AS_LEAF);
	CHECK_EQ(w.c.at.index, 0);
	CHECK_EQ(w.c.at.where, 3 << 22);
	/* and in itself */
	guest_set(&w.g, w.pd[1], 5, 0);
	guest_set(&w.g, w.pd[0], 700, w.pd[0] << 12 | P | U);
	CHECK_EQ(compact_run(&w.c), -EINVAL);
	CHECK_EQ(w.c.at.why, HLK_WHY_LARGE_AS_LEAF);
	/* as many kernels have it: for the kernel alone, which sees the new table */
	guest_set(&w.g, w.pd[0], 700, w.pd[0] << 12 | P | W);
	if (world_go(&w)) {
		table = at(&w, 0, 0xc00000).pde >> 12;
		CHECK(is_table(&w, table));
		CHECK_EQ(at(&w, 0, 700U << 22 | 3 << 12).frame, table);
		CHECK_EQ(at(&w, 0, 700U << 22 | 3 << 12).us, 0);
	}
	/* nor if the entry itself is not for user code */
	hlk_snap_put(w.c.snap);
	guest_set(&w.g, w.pd[0], 700, w.pd[0] << 12 | ALL);
	guest_set(&w.g, w.pd[0], 3, guest_large(0x400, P | W));
	world_go(&w);
	world_exit(&w);
}

/* One that is kept leads to a device; the leaf that it also is may lead to memory. */
static void large_device_as_leaf(void)
{
	struct world w;

	world_init(&w, 0x48, 1);
	guest_window(&w.g, 0x23400, 0x400, 0);
	guest_set(&w.g, w.pd[0], 3, guest_large(0x123400, ALL));
	guest_set(&w.g, w.pd[0], 700, w.pd[0] << 12 | ALL);
	/* its bits 13 to 20 are those of an address, and of the leaf's */
	CHECK(guest_is_ram(&w.g, guest_entry(&w.g, w.pd[0], 3) >> 12));
	CHECK_EQ(compact_run(&w.c), -EINVAL);
	CHECK_EQ(w.c.at.why, HLK_WHY_LARGE_AS_LEAF);
	/* split for a page of memory that the leaf does not lead to */
	guest_ram(&w.g, 0x9010, 1);
	guest_set(&w.g, w.pd[0], 3, guest_large(0x9000, ALL));
	CHECK_EQ(compact_run(&w.c), -EINVAL);
	CHECK_EQ(w.c.at.why, HLK_WHY_LARGE_AS_LEAF);
	guest_set(&w.g, w.pd[0], 3, guest_large(0x8000, ALL));
	world_go(&w);
	world_exit(&w);
}

/* The slot that scratch shares gets a writable entry, which a leaf must not. */
static void shared_slot_as_leaf(void)
{
	struct world w;

	world_init(&w, 0x48, 1);
	map_data(&w, 0, 0xffc05000, ALL, P | U);
	guest_set(&w.g, w.pd[0], 700, w.pd[0] << 12 | ALL);
	CHECK_EQ(compact_run(&w.c), -EINVAL);
	CHECK_EQ(w.c.at.why, HLK_WHY_LARGE_AS_LEAF);
	CHECK_EQ(w.c.at.where, 1023U << 22);
	guest_set(&w.g, w.pd[0], 700, w.pd[0] << 12 | P | W);
	world_go(&w);
	world_exit(&w);
}

/*
 * A table of slots that scratch takes as a whole is none any more: a leaf that maps it
 * elsewhere maps its bytes, and what is written there changes no mapping.
 */
static void table_of_scratch_as_data(void)
{
	struct world w;
	u64 scratch;
	u64 table;
	u64 copy;

	/* two slots: 1022 in part and 1023 */
	world_init(&w, 1025, 1);
	table = guest_frame(&w.g);
	guest_set(&w.g, w.pd[0], 1023, table << 12 | ALL);
	guest_set(&w.g, table, 7, 0x5000 | ALL);
	guest_map(&w.g, w.pd[0], 0x1000000, table, P | W, ALL);
	if (world_go(&w)) {
		scratch = at(&w, 0, 0xffc00000).pde >> 12;
		copy = at(&w, 0, 0x1000000).frame;
		CHECK(is_table(&w, scratch));
		CHECK(!is_table(&w, copy));
		CHECK(!memcmp(hlk_snap_page(w.c.snap, copy)->bytes,
			      guest_peek(&w.g, table), PAGE_SIZE));
	}
	/* not so if another slot uses it: then it is a table, and live */
	hlk_snap_put(w.c.snap);
	guest_set(&w.g, w.pd[0], 9, table << 12 | ALL);
	if (world_go(&w))
		CHECK_EQ(at(&w, 0, 0x1000000).frame, at(&w, 0, 9 << 22).pde >> 12);
	world_exit(&w);
}

static void table_twice_in_a_directory(void)
{
	struct world w;
	u64 table;

	world_init(&w, 0x48, 1);
	map_data(&w, 0, 0x5000, ALL, ALL);
	table = guest_entry(&w.g, w.pd[0], 0) >> 12;
	guest_set(&w.g, w.pd[0], 9, table << 12 | P | W);
	guest_set(&w.g, w.pd[0], 10, table << 12 | P);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0x5000).leaf_at, at(&w, 0, 9 << 22 | 0x5000).leaf_at);
		CHECK_EQ(at(&w, 0, 0x5000).leaf_at, at(&w, 0, 10 << 22 | 0x5000).leaf_at);
		CHECK_EQ(at(&w, 0, 9 << 22).pde & 0xfff, P | W);
		CHECK_EQ(at(&w, 0, 10 << 22).pde & 0xfff, P);
		/* one leaf, however often it is reached: no alias */
		CHECK_EQ(at(&w, 0, 0x5000).pte & 0xfff, P | U | COW);
		CHECK_EQ(w.c.snap->counts.tables, 3);
	}
	world_exit(&w);
}

static void tables_shared_by_roots(void)
{
	struct world w;
	u64 table;

	world_init(&w, 0x48, 3);
	map_data(&w, 0, 0xc0005000, ALL, ALL);
	table = guest_entry(&w.g, w.pd[0], 768) >> 12;
	guest_set(&w.g, w.pd[1], 768, table << 12 | P);
	guest_set(&w.g, w.pd[2], 768, table << 12 | P | W | G | A);
	map_data(&w, 2, 0x5000, ALL, ALL);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 1, 0xc0005000).leaf_at, at(&w, 0, 0xc0005000).leaf_at);
		CHECK_EQ(at(&w, 2, 0xc0005000).leaf_at, at(&w, 0, 0xc0005000).leaf_at);
		CHECK_EQ(at(&w, 1, 0xc0005000).pde & 0xfff, P);
		CHECK_EQ(at(&w, 2, 0xc0005000).pde & 0xfff, P | W | G | A);
		CHECK_EQ(at(&w, 0, 0xc0005000).pte & 0xfff, P | U | COW);
		CHECK_EQ(w.c.snap->counts.tables_read, 5);
		/* scratch's table is one for all roots */
		CHECK_EQ(w.c.snap->counts.tables, 6);
	}
	world_exit(&w);
}

static void tables_mapped_as_data(void)
{
	struct world w;
	u64 table;

	world_init(&w, 0x48, 2);
	map_data(&w, 0, 0x5000, ALL, ALL);
	table = guest_entry(&w.g, w.pd[0], 0) >> 12;
	guest_map(&w.g, w.pd[0], 0x6000, table, P | W, ALL);	/* maps its own table */
	guest_map(&w.g, w.pd[1], 0x7000, table, P, ALL);
	guest_map(&w.g, w.pd[1], 0x8000, w.pd[0], P | W | COW | PCD, ALL);
	guest_map(&w.g, w.pd[1], 0x9000, w.pd[1], P | U | COW, ALL);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0x6000).frame, at(&w, 0, 0x5000).pde >> 12);
		CHECK_EQ(at(&w, 0, 0x6000).pte & 0xfff, P | W);
		CHECK_EQ(at(&w, 1, 0x7000).frame, at(&w, 0, 0x5000).pde >> 12);
		CHECK_EQ(at(&w, 1, 0x7000).pte & 0xfff, P);
		CHECK_EQ(at(&w, 1, 0x8000).frame, w.c.snap->roots[0] >> 12);
		CHECK_EQ(at(&w, 1, 0x8000).pte & 0xfff, P | W | COW | PCD);
		CHECK_EQ(at(&w, 1, 0x9000).frame, w.c.snap->roots[1] >> 12);
		CHECK_EQ(at(&w, 1, 0x9000).pte & 0xfff, P | U | COW);
		CHECK_EQ(w.c.snap->counts.copied, 1);
	}
	world_exit(&w);
}

/* Directory and table are one frame; and a table of one root is another root. */
static void directory_on_its_own_table(void)
{
	struct world w;
	u64 table;

	world_init(&w, 0x48, 2);
	guest_set(&w.g, w.pd[0], 0, w.pd[0] << 12 | ALL);
	map_data(&w, 0, 0x800000, ALL, ALL);
	table = guest_entry(&w.g, w.pd[0], 2) >> 12;
	w.roots[1] = table << 12;
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0).pde, w.c.snap->roots[0] | ALL);
		CHECK_EQ(at(&w, 0, 0x800000).pde, w.c.snap->roots[1] | ALL);
		/* read as a directory, the table's first entry names data as a table */
		CHECK(is_table(&w, at(&w, 1, 0).pde >> 12));
		CHECK_EQ(w.c.snap->counts.tables_read, 3);
	}
	world_exit(&w);
}

static void aliased_writable_pages(void)
{
	struct world w;
	u64 gfn;

	world_init(&w, 0x48, 2);
	gfn = map_data(&w, 0, 0x5000, P | W, ALL);
	guest_map(&w.g, w.pd[0], 0x6000, gfn, P | U, ALL);
	guest_map(&w.g, w.pd[1], 0x7000, gfn, P | W | COW | G, ALL);
	guest_map(&w.g, w.pd[1], 0x8000, gfn, P | COW, ALL);
	map_data(&w, 1, 0x9000, P | W, ALL);
	if (world_go(&w)) {
		gfn = at(&w, 0, 0x5000).frame;
		CHECK_EQ(gfn, w.c.snap->roots[0] / 4096 + w.c.snap->counts.tables);
		CHECK_EQ(at(&w, 0, 0x5000).pte, gfn << 12 | P | W);
		CHECK_EQ(at(&w, 0, 0x6000).pte, gfn << 12 | P | U);
		CHECK_EQ(at(&w, 1, 0x7000).pte, gfn << 12 | P | W | G);
		CHECK_EQ(at(&w, 1, 0x8000).pte, gfn << 12 | P | COW);
		CHECK_EQ(at(&w, 1, 0x9000).pte, 0x1000 | P | COW);
		CHECK_EQ(w.c.snap->counts.aliased, 1);
		CHECK_EQ(w.c.snap->first_free, (gfn + 1) << 12);
	}
	world_exit(&w);
}

/* Copies that the guest owes itself stay separate. */
static void aliased_copy_on_write_pages(void)
{
	struct world w;
	u64 gfn;

	world_init(&w, 0x48, 2);
	gfn = map_data(&w, 0, 0x5000, P | U | COW, ALL);
	guest_map(&w.g, w.pd[0], 0x6000, gfn, P | COW, ALL);
	guest_map(&w.g, w.pd[1], 0x7000, gfn, P, ALL);
	if (world_go(&w)) {
		CHECK_EQ(w.c.snap->counts.aliased, 0);
		CHECK_EQ(w.c.snap->counts.copied, 1);
		CHECK_EQ(at(&w, 0, 0x5000).pte, 0x1000 | P | U | COW);
		CHECK_EQ(at(&w, 0, 0x6000).pte, 0x1000 | P | COW);
		CHECK_EQ(at(&w, 1, 0x7000).pte, 0x1000 | P);
	}
	world_exit(&w);
}

static void aliased_zero_page(void)
{
	struct world w;

	world_init(&w, 0x48, 1);
	guest_map(&w.g, w.pd[0], 0x5000, 0x80, ALL, ALL);
	guest_map(&w.g, w.pd[0], 0x6000, 0x80, ALL, ALL);
	if (world_go(&w)) {
		CHECK_EQ(w.c.snap->counts.aliased, 1);
		CHECK_EQ(w.c.snap->counts.zero, 1);
		CHECK_EQ(w.c.snap->counts.copied, 0);
	}
	world_exit(&w);
}

static void roots_repeated_and_dirty(void)
{
	struct world w;

	world_init(&w, 0x48, 3);
	map_data(&w, 0, 0x5000, P | W, ALL);
	map_data(&w, 2, 0x5000, P | W, ALL);
	w.roots[0] |= 0xfff;	/* CR3's low bits: PWT, PCD, and what is ignored */
	w.roots[1] = (w.roots[0] & ~0xfffULL) | PCD;
	if (world_go(&w)) {
		CHECK_EQ(w.c.snap->roots[0] & 0xfff, PWT | PCD);
		CHECK_EQ(w.c.snap->roots[1] & 0xfff, PCD);
		CHECK_EQ(w.c.snap->roots[2] & 0xfff, 0);
		CHECK_EQ(w.c.snap->roots[1] >> 12, w.c.snap->roots[0] >> 12);
		CHECK_EQ(w.c.snap->roots[2] >> 12, (w.c.snap->roots[0] >> 12) + 1);
		CHECK_EQ(w.c.snap->counts.tables, 5);
	}
	world_exit(&w);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(writable_becomes_cow),
		TAP_TEST(avl_bits),
		TAP_TEST(attribute_bits),
		TAP_TEST(restrictive_directory_entries),
		TAP_TEST(large_needs_pse),
		TAP_TEST(large_is_split),
		TAP_TEST(large_copy_on_write),
		TAP_TEST(large_and_small),
		TAP_TEST(large_device),
		TAP_TEST(pse36),
		TAP_TEST(pse36_refused),
		TAP_TEST(self_map),
		TAP_TEST(self_map_under_scratch),
		TAP_TEST(large_as_leaf),
		TAP_TEST(large_device_as_leaf),
		TAP_TEST(shared_slot_as_leaf),
		TAP_TEST(table_of_scratch_as_data),
		TAP_TEST(table_twice_in_a_directory),
		TAP_TEST(tables_shared_by_roots),
		TAP_TEST(tables_mapped_as_data),
		TAP_TEST(directory_on_its_own_table),
		TAP_TEST(aliased_writable_pages),
		TAP_TEST(aliased_copy_on_write_pages),
		TAP_TEST(aliased_zero_page),
		TAP_TEST(roots_repeated_and_dirty),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
