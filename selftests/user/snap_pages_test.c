// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compact snapshots: scratch, what lies outside memory, and what pages cost.
 */
#include "tap.h"
#include "world.h"

/* Scratch of 0x48 pages begins at 0xfffb8000, in the last slot. */
static void scratch_shares_a_slot(void)
{
	static const u32 rights[] = { P, P | W, P | U, ALL };
	struct world w;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rights); i++) {
		world_init(&w, 0x48, 2);
		map_data(&w, 0, 0xffc05000, ALL, rights[i] | PCD | 0x400);
		map_data(&w, 0, 0xffc06000, P | U | COW, 0);
		map_data(&w, 0, 0xfffb7000, P, 0);
		map_data(&w, 0, 0xfffb8000, ALL, 0);	/* dropped */
		map_data(&w, 0, 0xfffff000, ALL, 0);	/* dropped */
		/* another root, with all rights, over the same table */
		guest_set(&w.g, w.pd[1], 1023, (guest_entry(&w.g, w.pd[0], 1023) & ~0xfffU) | ALL);
		if (world_go(&w)) {
			CHECK_EQ(at(&w, 0, 0xffc05000).pde & 0xfff,
				 rights[i] | W | PCD | 0x400);
			CHECK_EQ(at(&w, 0, 0xffc05000).us, !!(rights[i] & U));
			if (!(rights[i] & W))
				CHECK_EQ(at(&w, 0, 0xffc06000).pte & (W | COW), 0);
			CHECK_EQ(at(&w, 1, 0xffc06000).pte & (W | COW), COW);
			CHECK_EQ(w.c.snap->counts.copied, 3);
			CHECK_EQ(w.c.snap->counts.tables_read, 3);
			CHECK_EQ(w.c.snap->counts.tables, rights[i] == ALL ? 3 : 4);
		}
		world_exit(&w);
	}
}

static void scratch_slot_kinds(void)
{
	struct world w;

	world_init(&w, 0x48, 3);
	guest_window(&w.g, 0x400, 0x400, 0);
	guest_bytes(&w.g, 0x400)[9] = 9;
	guest_bytes(&w.g, 0x7b7)[9] = 9;
	guest_set(&w.g, w.pd[0], 1023, guest_large(0x400, P | U | G));
	guest_set(&w.g, w.pd[1], 1023, NOTHING << 12 | ALL);
	guest_set(&w.g, w.pd[2], 1023, 0xdeadbeee);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0xffc00000).pde & 0xfff, ALL);
		CHECK_EQ(at(&w, 0, 0xffc00000).pte, 0x1000 | P | U | G);
		CHECK_EQ(at(&w, 0, 0xfffb7000).pte & 0xfff, P | U | G);
		CHECK_EQ(at(&w, 0, 0xfffb8000).pte & 0xfff, P | W | A | D);
		CHECK_EQ(at(&w, 1, 0xffc00000).outcome, MMU_PTE_ABSENT);
		CHECK_EQ(at(&w, 1, 0xffc00000).pde, at(&w, 2, 0xffc00000).pde);
		CHECK_EQ(w.c.snap->counts.table_not_ram, 1);
	}
	/* a device, of which scratch takes a part */
	guest_set(&w.g, w.pd[0], 1023, guest_large(0x8000, P | W | PCD));
	compact_end(&w.c);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0xffc00000).pte, 0x8000000 | P | W | PCD);
		CHECK_EQ(w.c.snap->counts.leaf_not_ram, 1024 - 0x48);
	}
	world_exit(&w);
}

/* One entry in the slot of scratch and elsewhere: there, all of it is mapped. */
static void scratch_slot_and_another(void)
{
	u32 large = guest_large(0x400, P | U);
	struct world w;

	world_init(&w, 0x48, 2);
	guest_window(&w.g, 0x400, 0x400, 0);
	guest_bytes(&w.g, 0x7ff)[9] = 9;
	guest_set(&w.g, w.pd[0], 3, large);
	guest_set(&w.g, w.pd[0], 1023, large);
	guest_set(&w.g, w.pd[1], 1023, large);
	guest_set(&w.g, w.pd[1], 3, large | A);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0xfff000).pte & 0xfff, P | U | A);
		CHECK_EQ(at(&w, 0, 0xffc00000).pte & 0xfff, P | U);
		CHECK_EQ(at(&w, 0, 0xffc00000).frame, at(&w, 1, 0xc00000).frame);
		CHECK_EQ(w.c.snap->counts.large, 4);
		CHECK_EQ(w.c.snap->counts.tables, 4);
	}
	world_exit(&w);
}

/* What leaves map of a table in that slot: the copy made elsewhere, if there is one */
static void scratch_slot_and_a_copy(void)
{
	struct world w;
	u64 table;
	u32 root;

	for (root = 0; root < 2; root++) {
		world_init(&w, 0x48, 2);
		map_data(&w, root, 0xffc05000, ALL, ALL);
		table = guest_entry(&w.g, w.pd[root], 1023) >> 12;
		guest_map(&w.g, w.pd[0], 0x5000, table, P | W, ALL);
		if (world_go(&w)) {
			CHECK_EQ(at(&w, 0, 0x5000).pte,
				 (at(&w, root, 0xffc05000).pde & ~0xfffU) | P | W);
			CHECK_EQ(w.c.snap->counts.tables_read, 4);
		}
		compact_end(&w.c);
		/* met before the other, and after it */
		guest_set(&w.g, w.pd[!root], 3, table << 12 | ALL);
		guest_set(&w.g, w.pd[1], 4, table << 12 | ALL);
		if (world_go(&w)) {
			CHECK_EQ(at(&w, 0, 0x5000).pte,
				 (at(&w, !root, 0xc05000).pde & ~0xfffU) | P | W);
			CHECK_EQ(at(&w, 1, 0x1005000).pde, at(&w, !root, 0xc05000).pde);
			CHECK_EQ(w.c.snap->counts.tables_read, 4);
		}
		world_exit(&w);
	}
}

static void scratch_of_any_size(void)
{
	static const u64 sizes[] = {
		0x10, 0x48, 1023, 1024, 1025, 2047, 2048, 2049, 3000, 16384,
	};
	struct world w;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		world_init(&w, sizes[i], 2);
		w.c.params.input_bytes = 0x2000;
		w.c.params.output_bytes = 0x2000;
		if (sizes[i] == 0x10)
			w.c.params.nr_roots = 1;
		/* old mappings of what will be scratch, and just below it */
		map_data(&w, 0, -(sizes[i] << 12) - 0x1000, ALL, ALL);
		map_data(&w, 0, -(sizes[i] << 12), ALL, ALL);
		/* what would be an error elsewhere */
		if (sizes[i] > 2048)
			guest_set(&w.g, w.pd[0], 1023, guest_large(0x400, ALL) | 1 << 21);
		guest_set(&w.g, w.pd[1], 1023, sizes[i] < 1024 ? 0 : 0xffffffff);
		if (world_go(&w)) {
			CHECK_EQ(at(&w, 0, 0xfffff000).frame, TOP - 1);
			CHECK_EQ(at(&w, 0, -(sizes[i] << 12)).frame, TOP - sizes[i]);
			CHECK_EQ(w.c.snap->counts.copied, 1);
		}
		world_exit(&w);
	}
}

static void garbage_in_absent_entries(void)
{
	struct world w;
	u64 table;

	world_init(&w, 0x48, 1);
	table = guest_map(&w.g, w.pd[0], 0x5000, guest_data(&w.g), ALL, ALL);
	guest_set(&w.g, table, 6, 0xfffffffe);
	guest_set(&w.g, table, 1023, 0x12345678);
	guest_set(&w.g, w.pd[0], 1, 0xfffffffe);
	guest_set(&w.g, w.pd[0], 1022, 0x80000080);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0x6000).pte, 0xfffffffe);
		CHECK_EQ(at(&w, 0, 0x3ff000).pte, 0x12345678);
		CHECK_EQ(at(&w, 0, 0x400000).pde, 0xfffffffe);
		CHECK_EQ(at(&w, 0, 1022U << 22).pde, 0x80000080);
		CHECK_EQ(w.c.snap->counts.tables, 3);
	}
	world_exit(&w);
}

static void outside_memory(void)
{
	struct world w;

	world_init(&w, 0x48, 2);
	guest_map(&w.g, w.pd[1], 0x5000, NOTHING, ALL | PCD | COW, ALL);
	guest_map(&w.g, w.pd[1], 0x6000, 0xfee00, P | W | PCD, ALL);
	guest_map(&w.g, w.pd[1], 0x7000, 0, ALL, ALL);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 1, 0x5000).pte, NOTHING << 12 | ALL | PCD | COW);
		CHECK_EQ(at(&w, 1, 0x6000).pte, 0xfee00000 | P | W | PCD);
		CHECK_EQ(at(&w, 1, 0x7000).pte, ALL);
		CHECK_EQ(w.c.snap->counts.leaf_not_ram, 3);
	}
	compact_end(&w.c);
	w.c.params.flags |= HLK_SNAPSHOT_STRICT;
	CHECK_EQ(compact_run(&w.c), -ENODEV);
	CHECK_EQ(w.c.at.why, HLK_WHY_LEAF_NOT_RAM);
	CHECK_EQ(w.c.at.index, 1);
	CHECK_EQ(w.c.at.where, 0x5000);

	guest_set(&w.g, w.pd[1], 0, 0);
	guest_set(&w.g, w.pd[1], 9, guest_large(0x8000, ALL));
	CHECK_EQ(compact_run(&w.c), -ENODEV);
	CHECK_EQ(w.c.at.why, HLK_WHY_LEAF_NOT_RAM);
	CHECK_EQ(w.c.at.index, 1);
	CHECK_EQ(w.c.at.where, 9 << 22);

	guest_set(&w.g, w.pd[1], 9, NOTHING << 12 | ALL | 0xf40);
	CHECK_EQ(compact_run(&w.c), -ENODEV);
	CHECK_EQ(w.c.at.why, HLK_WHY_TABLE_NOT_RAM);
	CHECK_EQ(w.c.at.where, 9 << 22);

	w.c.params.flags = 0;
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 1, 9 << 22).pde, NOTHING << 12 | W | U | 0xf40);
		CHECK_EQ(w.c.snap->counts.table_not_ram, 1);
	}
	/* in the range of scratch nothing counts */
	compact_end(&w.c);
	guest_set(&w.g, w.pd[1], 9, 0);
	guest_map(&w.g, w.pd[0], 0xfffff000, NOTHING, ALL, ALL);
	w.c.params.flags = HLK_SNAPSHOT_STRICT;
	world_go(&w);
	world_exit(&w);
}

/* Buffers, bookkeeping and stacks stay, and their bytes are new. */
static void fixed_pages(void)
{
	struct world w;
	u64 scratch = TOP - 0x48;

	world_init(&w, 0x48, 1);
	memset(guest_bytes(&w.g, scratch), 0x11, 4096);
	memset(guest_bytes(&w.g, scratch + 7), 0x11, 4096);
	memset(guest_bytes(&w.g, scratch + 8), 0x11, 4096);
	memset(guest_bytes(&w.g, TOP - 8), 0x11, 4096);
	memset(guest_bytes(&w.g, TOP - 7), 0x11, 4096);
	memset(guest_bytes(&w.g, TOP - 1), 0x11, 4096);
	guest_map(&w.g, w.pd[0], 0x5000, scratch, ALL, ALL);
	guest_map(&w.g, w.pd[0], 0x6000, scratch, P | COW, ALL);
	guest_map(&w.g, w.pd[0], 0x7000, scratch + 7, P | W | COW, ALL);
	guest_map(&w.g, w.pd[0], 0x8000, scratch + 8, ALL, ALL);	/* not fixed */
	guest_map(&w.g, w.pd[0], 0x9000, TOP - 8, P, ALL);		/* not fixed */
	guest_map(&w.g, w.pd[0], 0xa000, TOP - 7, ALL, ALL);
	guest_map(&w.g, w.pd[0], 0xb000, TOP - 1, ALL | G, ALL);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0x5000).pte, scratch << 12 | ALL);
		CHECK_EQ(at(&w, 0, 0x6000).pte, scratch << 12 | P | COW);
		CHECK_EQ(at(&w, 0, 0x7000).pte, (scratch + 7) << 12 | P | W | COW);
		CHECK_EQ(at(&w, 0, 0x8000).pte, 0x1000 | P | U | COW);
		CHECK_EQ(at(&w, 0, 0x9000).pte, 0x2000 | P);
		CHECK_EQ(at(&w, 0, 0xa000).pte, (TOP - 7) << 12 | ALL);
		CHECK_EQ(at(&w, 0, 0xb000).pte, (TOP - 1) << 12 | ALL | G);
		CHECK_EQ(w.c.snap->counts.copied, 2);
	}
	world_exit(&w);
}

/* A table that lies there is one all the same. */
static void table_on_a_fixed_page(void)
{
	static const u64 places[] = { TOP - 0x48, TOP - 0x41, TOP - 7, TOP - 1 };
	struct world w;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		world_init(&w, 0x48, 1);
		guest_set(&w.g, w.pd[0], 0, places[i] << 12 | ALL);
		map_data(&w, 0, 0x5000, ALL, ALL);
		guest_map(&w.g, w.pd[0], 0x6000, places[i], P | W, ALL);
		if (world_go(&w)) {
			CHECK(is_table(&w, at(&w, 0, 0x5000).pde >> 12));
			CHECK_EQ(at(&w, 0, 0x6000).pte,
				 (at(&w, 0, 0x5000).pde & ~0xfffU) | P | W);
		}
		world_exit(&w);
	}
}

static void zero_and_inherited_pages(void)
{
	struct world w;
	u64 frozen[3];
	struct page *page;

	world_init(&w, 0x48, 1);
	frozen[0] = map_data(&w, 0, 0x1000, ALL, ALL);
	frozen[1] = map_data(&w, 0, 0x2000, P, ALL);
	guest_map(&w.g, w.pd[0], 0x3000, 0x80, ALL, ALL);	/* never touched */
	guest_bytes(&w.g, 0x81);				/* touched, zero */
	guest_map(&w.g, w.pd[0], 0x4000, 0x81, ALL, ALL);
	guest_bytes(&w.g, 0x82)[4095] = 1;			/* nearly zero */
	guest_map(&w.g, w.pd[0], 0x5000, 0x82, ALL, ALL);
	frozen[2] = map_data(&w, 0, 0x6000, P | W, ALL);	/* aliased */
	guest_map(&w.g, w.pd[0], 0x7000, frozen[2], P, ALL);
	guest_freeze(&w.g, frozen[0]);
	guest_freeze(&w.g, frozen[1]);
	guest_freeze(&w.g, frozen[2]);
	guest_freeze(&w.g, w.pd[0]);	/* tables are copied all the same */
	page = xa_load(&w.g.pages, frozen[0]);
	if (world_go(&w)) {
		CHECK_EQ(page->refs, 2);
		CHECK_EQ(w.c.snap->counts.inherited, 3);
		CHECK_EQ(w.c.snap->counts.zero, 2);
		CHECK_EQ(w.c.snap->counts.copied, 1);
	}
	world_exit(&w);
}

static void host_cow(void)
{
	struct world w;
	u64 gfn;

	world_init(&w, 0x48, 2);
	w.c.params.flags = HLK_SNAPSHOT_HOST_COW;
	map_data(&w, 0, 0x1000, P | W | G, ALL);
	map_data(&w, 0, 0x2000, P | W | COW, ALL);
	map_data(&w, 0, 0x3000, P | COW, ALL);
	gfn = map_data(&w, 0, 0x4000, P | W, ALL);
	guest_map(&w.g, w.pd[1], 0x4000, gfn, P | W | U | COW, ALL);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0x1000).pte, 0x1000 | P | W | G);
		CHECK_EQ(at(&w, 0, 0x2000).pte, 0x2000 | P | W | COW);
		CHECK_EQ(at(&w, 0, 0x3000).pte, 0x3000 | P | COW);
		CHECK_EQ(at(&w, 0, 0x4000).pte, 0x4000 | P | W);
		CHECK_EQ(at(&w, 1, 0x4000).pte, 0x4000 | P | W | U | COW);
		CHECK_EQ(w.c.snap->counts.aliased, 0);
	}
	world_exit(&w);
}

/* Data fills the lowest window, then the next, in the order of the guest's frames. */
static void dense_over_windows(void)
{
	struct world w;
	u32 i;

	guest_init(&w.g);
	guest_window(&w.g, 0x8000, 0x100, 0);
	guest_window(&w.g, TOP - 0x48, 0x48, HLK_WINDOW_SCRATCH);
	guest_window(&w.g, 5, 3, 0);
	guest_window(&w.g, 0x100, 2, 0);
	w.g.next = 0x8050;
	w.pd[0] = guest_frame(&w.g);
	w.roots[0] = w.pd[0] << 12;
	compact_init(&w.c, &w.g, w.roots, 1);
	w.c.writes = 20;
	for (i = 0; i < 8; i++)
		map_data(&w, 0, 0x100000 - (i << 12), ALL, ALL);
	if (world_go(&w)) {
		CHECK_EQ(at(&w, 0, 0x100000).frame, 5);
		CHECK_EQ(at(&w, 0, 0xfd000).frame, 0x100);
		CHECK_EQ(at(&w, 0, 0xfb000).frame, 0x8000);
		CHECK_EQ(at(&w, 0, 0xf9000).frame, 0x8002);
	}
	world_exit(&w);
}

/* A snapshot of a guest that was just restored shares everything with it. */
static void second_generation(void)
{
	struct mmu_cpu cpu = { 0, true, true, 40 };
	struct compact second;
	struct world w;
	struct guest g;
	u64 gfn;

	world_init(&w, 0x48, 2);
	map_data(&w, 0, 0x1000, ALL, ALL);
	map_data(&w, 0, 0x2000, P, ALL);
	gfn = map_data(&w, 0, 0x3000, P | W, ALL);
	guest_map(&w.g, w.pd[1], 0x4000, gfn, P | W, ALL);
	map_data(&w, 1, 0x5000, P | W, ALL);
	if (world_go(&w)) {
		compact_restore(&w.c, &g);
		compact_init(&second, &g, w.c.snap->roots, 2);
		second.generation = 8;
		second.writes = 20;
		CHECK_EQ(compact_go(&second), 0);
		CHECK_EQ(second.snap->counts.inherited, 4);
		CHECK_EQ(second.snap->counts.copied, 0);
		CHECK_EQ(second.snap->first_free, w.c.snap->first_free);
		compact_end(&second);

		/* after a write, one page is new */
		cpu.cr3 = w.c.snap->roots[0];
		CHECK(cow_write(&g, &cpu, 0x1000, 0x1234567890));
		CHECK(!cow_write(&g, &cpu, 0x2000, 0x1234567890));
		CHECK(cow_write(&g, &cpu, 0x3000, 0x1234567890));
		CHECK_EQ(compact_go(&second), 0);
		CHECK_EQ(second.snap->counts.inherited, 2);
		CHECK_EQ(second.snap->counts.copied, 2);
		compact_end(&second);
		guest_exit(&g);
	}
	world_exit(&w);
}

/* However often a table or a page is met; a root is read before all others. */
static void each_page_is_read_once(void)
{
	struct hlk_snapshot_counts *counts;
	struct world w;
	u64 table;
	u64 gfn;

	world_init(&w, 0x48, 3);
	w.roots[1] = w.roots[0] | PCD;
	w.roots[2] = w.roots[0];
	gfn = map_data(&w, 0, 0x5000, ALL, ALL);
	table = guest_map(&w.g, w.pd[0], 0x6000, gfn, ALL, ALL);
	guest_map(&w.g, w.pd[0], 0x7000, table, ALL, ALL);
	guest_map(&w.g, w.pd[0], 0x8000, 0x80, ALL, ALL);
	map_data(&w, 0, 0x400000, ALL, ALL);
	guest_set(&w.g, w.pd[0], 2, table << 12 | ALL);
	guest_set(&w.g, w.pd[0], 700, w.pd[0] << 12 | ALL);
	if (CHECK_EQ(compact_make(&w.c), 0)) {
		counts = &w.c.snap->counts;
		CHECK_EQ(counts->tables_read, 3);
		CHECK_EQ(counts->copied + counts->zero, 3);
		CHECK_EQ(w.g.gets, 6);
		compact_check(&w.c, 0);
	}
	world_exit(&w);
}

static u32 meddling;	/* reads that were followed by changes */

/* A guest that rewrites each page as soon as it was read */
static void meddle(struct guest *g, u64 gfn)
{
	u32 n = 20;

	meddling++;
	while (n--)
		guest_set(g, gfn, guest_below(g, 1024), guest_random(g));
}

/*
 * Whatever the guest does meanwhile, the result is a whole: tables are where
 * tables are, pages where pages are.
 */
static void guest_changes_meanwhile(void)
{
	struct world w;
	struct mmu_result t;
	u32 good = 0;
	u32 seed;
	u32 va;

	for (seed = 0; seed < 20; seed++) {
		world_init(&w, 0x100, 2);
		w.g.seed = seed;
		w.c.params.mode.pse = seed % 4 == 0;
		map_data(&w, 0, 0x1000, ALL, ALL);
		map_data(&w, 1, 0x1000, ALL, ALL);
		guest_set(&w.g, w.pd[0], 5, w.pd[1] << 12 | ALL);
		guest_set(&w.g, w.pd[1], 5, w.pd[1] << 12 | ALL);
		guest_set(&w.g, w.pd[1], 1023, w.pd[0] << 12 | ALL);
		guest_map(&w.g, w.pd[0], 0x3000, w.pd[1], ALL, ALL);
		w.g.meddle = meddle;
		if (!compact_make(&w.c)) {
			good++;
			for (va = 0; va < 0xffc00000; va += 4096) {
				t = at(&w, va & 1, va);
				CHECK(t.outcome != MMU_NO_TABLE);
				if (t.outcome == MMU_MAPPED && guest_is_ram(&w.g, t.frame))
					CHECK(t.frame < 0x400 || in_scratch(&w, t.frame));
			}
			compact_end(&w.c);
		}
		guest_exit(&w.g);
	}
	CHECK(meddling > 100);
	CHECK(good > 5);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(scratch_shares_a_slot),
		TAP_TEST(scratch_slot_kinds),
		TAP_TEST(scratch_slot_and_another),
		TAP_TEST(scratch_slot_and_a_copy),
		TAP_TEST(scratch_of_any_size),
		TAP_TEST(garbage_in_absent_entries),
		TAP_TEST(outside_memory),
		TAP_TEST(fixed_pages),
		TAP_TEST(table_on_a_fixed_page),
		TAP_TEST(zero_and_inherited_pages),
		TAP_TEST(host_cow),
		TAP_TEST(dense_over_windows),
		TAP_TEST(second_generation),
		TAP_TEST(each_page_is_read_once),
		TAP_TEST(guest_changes_meanwhile),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
