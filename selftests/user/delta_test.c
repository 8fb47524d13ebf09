// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compacting a guest over the snapshot that it runs from: what may have changed,
 * what it costs then, and when it is done as for the first time.
 */
#include "tap.h"
#include "world.h"

#define VA(n)	(0x10000000U + ((n) << 12))
#define RO	8	/* from this page on they are read-only */
#define PAGES	16

/**
 * struct line - a guest, its snapshot, and the guest that runs from that
 * @w: the first guest, and its snapshot in @w.c
 * @g: the restored one
 * @c: its snapshot
 */
struct line {
	struct world w;
	struct guest g;
	struct compact c;
};

static void line_restore(struct line *l)
{
	struct world *w = &l->w;

	CHECK(world_go(w));
	compact_restore(&w->c, &l->g);
	l->c = w->c;
	l->c.guest = &l->g;
	l->c.generation++;
	l->c.params.parent = w->c.snap;
	l->c.params.roots = w->c.snap->roots;
	l->c.snap = NULL;
}

/* 16 pages, of which the last is mapped twice, in each of two roots */
static void line_begin(struct line *l, u32 flags)
{
	struct world *w = &l->w;
	u64 gfn;
	u32 i;

	world_init(w, 0x48, 2);
	w->c.params.flags = flags;
	for (i = 0; i < PAGES; i++)
		gfn = map_data(w, 0, VA(i), i < RO ? ALL : P | U, ALL);
	guest_map(&w->g, w->pd[0], VA(20), gfn, P | U, ALL);
	guest_map(&w->g, w->pd[0], VA(21), guest_frame(&w->g), ALL, ALL);	/* zero */
	guest_map(&w->g, w->pd[0], VA(22), guest_data(&w->g), ALL, ALL);
	guest_map(&w->g, w->pd[0], VA(23), guest_entry(&w->g, w->pd[0], 64) >> 12, P | W, ALL);
	guest_map(&w->g, w->pd[0], VA(24), 0x300, P | W, ALL);
	guest_map(&w->g, w->pd[0], VA(25), 0x300, P | W, ALL);
	guest_bytes(&w->g, 0x300)[0] = 3;
	for (i = 0; i < 3; i++)
		map_data(w, 1, VA(i), ALL, ALL);
	guest_set(&w->g, w->pd[0], 1020, w->roots[0] | P | W);
	line_restore(l);
}

static void line_end(struct line *l)
{
	compact_end(&l->c);
	guest_exit(&l->g);
	world_exit(&l->w);
}

static struct mmu_result look(struct line *l, u32 root, u32 va)
{
	struct mmu_cpu cpu = { l->c.params.roots[root], true, true, 40 };

	return mmu_translate(&l->g.mem, &cpu, va);
}

static void put(struct line *l, u32 va, u32 entry)
{
	struct mmu_result t = look(l, 0, va);

	guest_set(&l->g, t.leaf_at >> 12, t.leaf_at % 4096 / 4, entry);
}

static bool guest_writes(struct line *l, u32 root, u32 va)
{
	struct mmu_cpu cpu = { l->c.params.roots[root], true, true, 40 };

	return cow_write(&l->g, &cpu, va, 0x1234567 + va);
}

/* A free page of scratch */
static u64 spare(struct line *l, u32 n)
{
	u64 gfn = (l->w.c.snap->first_free >> 12) + 10 + n;

	memset(guest_bytes(&l->g, gfn), n + 1, PAGE_SIZE);
	return gfn;
}

/* Made, right, and over the parent or not */
static bool go(struct line *l, bool delta)
{
	if (!CHECK_EQ(compact_go(&l->c), 0))
		return false;
	CHECK_EQ(compact_is_delta(&l->c), delta);
	return true;
}

/* Nothing happened: it costs the two bookkeeping pages and those of the buffers. */
static void nothing(void)
{
	struct hlk_snapshot_counts *now;
	struct hlk_snapshot_counts *was;
	struct line l;
	long pages;

	line_begin(&l, 0);
	pages = shim.pages;
	if (go(&l, true)) {
		was = &l.w.c.snap->counts;
		now = &l.c.snap->counts;
		CHECK_EQ(now->copied, 0);
		CHECK_EQ(now->inherited, was->copied);
		CHECK_EQ(now->tables_kept, was->tables);
		CHECK_EQ(now->tables_read, 0);
		CHECK_EQ(shim.pages, pages + 4);
		CHECK_EQ(l.c.snap->first_free, l.w.c.snap->first_free);
	}
	line_end(&l);
}

static void copies_on_write(void)
{
	struct hlk_snapshot_counts *now;
	struct line l;
	u64 frame;
	u32 i;

	line_begin(&l, 0);
	frame = look(&l, 0, VA(1)).frame;
	for (i = 0; i < 3; i++)
		CHECK(guest_writes(&l, 0, VA(i)));
	CHECK(guest_writes(&l, 1, VA(2)));
	CHECK(guest_writes(&l, 0, VA(21)));	/* was zero */
	CHECK(look(&l, 0, VA(1)).frame != frame);
	if (go(&l, true)) {
		now = &l.c.snap->counts;
		CHECK_EQ(now->copied, 5);
		CHECK_EQ(now->zero, l.w.c.snap->counts.zero - 1);
		CHECK_EQ(now->tables_read, 2);
		/* in the place of what it replaces, copy-on-write again */
		CHECK_EQ(compact_at(&l.c, 0, VA(1)).frame, frame);
		CHECK_EQ(compact_at(&l.c, 0, VA(1)).pte & (W | COW), COW);
	}
	line_end(&l);
}

/* A page that is mapped twice stays for the other one when one is copied. */
static void one_of_two_mappings(void)
{
	struct line l;
	u64 frame;

	line_begin(&l, 0);
	frame = look(&l, 0, VA(15)).frame;
	CHECK_EQ(look(&l, 0, VA(20)).frame, frame);
	put(&l, VA(15), spare(&l, 0) << 12 | P | U);
	if (go(&l, true)) {
		CHECK_EQ(compact_at(&l.c, 0, VA(20)).frame, frame);
		CHECK(compact_at(&l.c, 0, VA(15)).frame != frame);
		CHECK_EQ(hlk_snap_leaves(l.c.snap, frame), 1);
		CHECK_EQ(hlk_snap_leaves(l.w.c.snap, frame), 2);
	}
	compact_end(&l.c);
	/* and both: the second takes the place */
	put(&l, VA(20), spare(&l, 1) << 12 | P | U);
	if (go(&l, true)) {
		CHECK_EQ(compact_at(&l.c, 0, VA(20)).frame, frame);
		CHECK(compact_at(&l.c, 0, VA(15)).frame != frame);
	}
	line_end(&l);
}

static void maps_and_unmaps(void)
{
	struct line l;
	u64 pages;
	u64 zero;

	line_begin(&l, 0);
	pages = l.w.c.snap->counts.pages;
	zero = l.w.c.snap->counts.zero;
	put(&l, VA(40), spare(&l, 0) << 12 | ALL | 0x400);
	put(&l, VA(41), 0xdead000);		/* not present */
	put(&l, VA(3), look(&l, 0, VA(3)).pte & ~P);
	put(&l, VA(21), 0);
	put(&l, VA(20), 0);
	if (go(&l, true)) {
		CHECK_EQ(l.c.snap->counts.pages, pages);	/* one more, one less */
		CHECK_EQ(l.c.snap->counts.zero, zero - 1);
		CHECK_EQ(compact_at(&l.c, 0, VA(40)).pte & 0xfff, P | U | COW | 0x400);
	}
	line_end(&l);
}

static void changes_rights(void)
{
	struct line l;

	line_begin(&l, 0);
	put(&l, VA(9), look(&l, 0, VA(9)).pte | W | G);	/* was read-only */
	put(&l, VA(1), look(&l, 0, VA(1)).pte & ~(COW | U));
	put(&l, VA(2), look(&l, 0, VA(2)).pte ^ (A | D));
	if (go(&l, true)) {
		CHECK_EQ(compact_at(&l.c, 0, VA(9)).pte & (W | COW | G), COW | G);
		CHECK_EQ(compact_at(&l.c, 0, VA(1)).pte & 0xfff, P);
		CHECK_EQ(compact_at(&l.c, 0, VA(2)).pte & 0xfff, P | U | COW | A | D);
		CHECK_EQ(l.c.snap->counts.copied, 0);
	}
	line_end(&l);
}

/* Where it is, without a fault: pages of one mapping, of several, in scratch */
static void writes_in_place(void)
{
	static const u32 where[] = { VA(4), VA(12), VA(15), VA(21), VA(24) };
	struct line l;
	u32 i;

	line_begin(&l, 0);
	for (i = 0; i < ARRAY_SIZE(where); i++)
		guest_bytes(&l.g, look(&l, 0, where[i]).frame)[77] ^= 0x55;
	/* and one back to what it was, one to zero */
	guest_bytes(&l.g, look(&l, 0, VA(5)).frame);
	memset(guest_bytes(&l.g, look(&l, 0, VA(6)).frame), 0, PAGE_SIZE);
	if (go(&l, true)) {
		CHECK_EQ(l.c.snap->counts.copied, ARRAY_SIZE(where));
		CHECK_EQ(l.c.snap->counts.tables_read, 0);
	}
	line_end(&l);
}

/* First where it is, then as a copy: the copy counts. */
static void writes_in_place_and_copies(void)
{
	struct line l;

	line_begin(&l, 0);
	guest_bytes(&l.g, look(&l, 0, VA(4)).frame)[77] ^= 0x55;
	CHECK(guest_writes(&l, 0, VA(4)));
	/* and what was left behind changes once more */
	guest_bytes(&l.g, compact_at(&l.w.c, 0, VA(4)).frame)[78] ^= 0x55;
	if (go(&l, true))
		CHECK_EQ(l.c.snap->counts.copied, 1);
	line_end(&l);
}

/* The scratch that the guest sees of its own is not part of the layout. */
static void own_scratch(void)
{
	struct line l;
	u64 root;

	line_begin(&l, 0);
	memset(guest_bytes(&l.g, l.w.c.snap->first_free >> 12), 7, PAGE_SIZE);
	memset(guest_bytes(&l.g, TOP - 0x48), 7, PAGE_SIZE);
	memset(guest_bytes(&l.g, TOP - 3), 7, PAGE_SIZE);
	guest_bytes(&l.g, TOP - 1)[9] = 9;
	/* an entry over scratch comes back */
	root = l.c.params.roots[0] >> 12;
	guest_set(&l.g, guest_entry(&l.g, root, 1023) >> 12, 1023, 0);
	if (go(&l, true))
		CHECK_EQ(l.c.snap->counts.tables_read, 1);
	line_end(&l);
}

static void directory_entry(struct line *l)
{
	u64 root = l->c.params.roots[0] >> 12;

	guest_set(&l->g, root, 64, guest_entry(&l->g, root, 64) ^ U);
}

static void new_table(struct line *l)
{
	guest_set(&l->g, l->c.params.roots[1] >> 12, 70,
		  guest_entry(&l->g, l->c.params.roots[1] >> 12, 64));
}

static void twice_the_fresh_page(struct line *l)
{
	u64 gfn = spare(l, 0);

	put(l, VA(50), gfn << 12 | ALL);
	put(l, VA(51), gfn << 12 | ALL);
}

static void twice_an_old_page(struct line *l)
{
	put(l, VA(50), look(l, 0, VA(1)).pte);
}

static void rights_of_two_mappings(struct line *l)
{
	put(l, VA(15), look(l, 0, VA(15)).pte | W);
}

static void table_as_data(struct line *l)
{
	put(l, VA(50), l->c.params.roots[0] | P | W);
}

static void table_no_longer_data(struct line *l)
{
	put(l, VA(23), 0);
}

static void aliased_page_unmapped(struct line *l)
{
	put(l, VA(25), 0);
}

static void device(struct line *l)
{
	put(l, VA(50), NOTHING << 12 | P | PCD);
}

static void fixed_page(struct line *l)
{
	put(l, VA(50), (TOP - 1) << 12 | P);
}

static void another_layout(struct line *l)
{
	l->c.params.input_bytes += 0x1000;
}

static void other_buffer(struct line *l)
{
	l->c.params.output_bytes -= 0x1000;
}

static void other_cow(struct line *l)
{
	l->c.params.flags ^= HLK_SNAPSHOT_HOST_COW;
}

static void other_mode(struct line *l)
{
	l->c.params.mode.pse = false;
}

static void fewer_roots(struct line *l)
{
	l->c.params.nr_roots = 1;
}

static void roots_in_another_order(struct line *l)
{
	static u64 swapped[2];

	swapped[0] = l->w.c.snap->roots[1];
	swapped[1] = l->w.c.snap->roots[0];
	l->c.params.roots = swapped;
}

static void unknown_changes(struct line *l)
{
	l->g.restored = false;
}

/* What is not foreseen is compacted as for the first time, and is right. */
static void as_for_the_first_time(void)
{
	static void (*const what[])(struct line *l) = {
		directory_entry, new_table, twice_the_fresh_page, twice_an_old_page,
		rights_of_two_mappings, table_as_data, table_no_longer_data,
		aliased_page_unmapped, device, fixed_page, another_layout, other_buffer,
		other_cow, other_mode, fewer_roots, roots_in_another_order, unknown_changes,
	};
	struct line l;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(what) && !tap_failed(); i++) {
		line_begin(&l, 0);
		guest_writes(&l, 0, VA(0));
		what[i](&l);
		if (!go(&l, false))
			printf("# case %u\n", i);
		CHECK_EQ(l.c.snap ? l.c.snap->counts.tables_kept : 0, 0);
		line_end(&l);
	}
}

/* CR0.WP, the flags of CR3, and what the CPU sets by itself may differ. */
static void what_does_not_matter(void)
{
	struct line l;
	u64 roots[2];
	u64 root;

	line_begin(&l, 0);
	root = l.c.params.roots[0] >> 12;
	guest_set(&l.g, root, 64, guest_entry(&l.g, root, 64) | A);
	guest_set(&l.g, root, 1020, guest_entry(&l.g, root, 1020) | A | D);
	put(&l, VA(24), look(&l, 0, VA(24)).pte | A | D);
	put(&l, VA(23), look(&l, 0, VA(23)).pte | A | D);
	put(&l, VA(15), look(&l, 0, VA(15)).pte | A);
	l.c.params.mode.wp = false;
	roots[0] = l.c.params.roots[0] | PCD;
	roots[1] = l.c.params.roots[1] ^ PWT;
	l.c.params.roots = roots;
	go(&l, true);
	line_end(&l);
}

/* Parents with something outside memory know too little. */
static void parent_with_devices(void)
{
	struct line l;
	struct world *w = &l.w;
	u32 i;

	for (i = 0; i < 2; i++) {
		world_init(w, 0x48, 1);
		map_data(w, 0, VA(0), ALL, ALL);
		if (i)
			guest_map(&w->g, w->pd[0], VA(1), NOTHING, P, ALL);
		else
			guest_set(&w->g, w->pd[0], 9, NOTHING << 12 | ALL);
		CHECK(world_go(w));
		compact_restore(&w->c, &l.g);
		l.c = w->c;
		l.c.guest = &l.g;
		l.c.params.parent = w->c.snap;
		l.c.params.roots = w->c.snap->roots;
		go(&l, false);
		line_end(&l);
	}
}

/* No frame is left for a page more: all of them are given out anew. */
static void full_of_gaps(void)
{
	struct line l;
	struct world *w = &l.w;
	u32 i;

	guest_init(&w->g);
	guest_window(&w->g, 0x10, 4, 0);
	guest_window(&w->g, TOP - 0x48, 0x48, HLK_WINDOW_SCRATCH);
	guest_ram(&w->g, 0x1000, 0x100);
	w->g.next = 0x1000;
	w->pd[0] = guest_frame(&w->g);
	w->roots[0] = w->pd[0] << 12;
	compact_init(&w->c, &w->g, w->roots, 1);
	for (i = 0; i < 4; i++)
		map_data(w, 0, VA(i), ALL, ALL);
	CHECK(world_go(w));
	compact_restore(&w->c, &l.g);
	l.c = w->c;
	l.c.guest = &l.g;
	l.c.params.parent = w->c.snap;
	l.c.params.roots = w->c.snap->roots;
	put(&l, VA(0), 0);
	put(&l, VA(9), spare(&l, 0) << 12 | ALL);
	if (go(&l, false))
		CHECK_EQ(l.c.snap->counts.pages, w->c.snap->counts.pages);
	compact_end(&l.c);
	put(&l, VA(10), spare(&l, 1) << 12 | ALL);
	CHECK_EQ(compact_go(&l.c), -ENOSPC);
	CHECK_EQ(l.c.at.why, HLK_WHY_SNAPSHOT_FULL);
	line_end(&l);
}

/* More leaves than are counted: the frame is never given up. */
static void countless_leaves(void)
{
	struct line l;
	struct world *w = &l.w;
	u32 va;
	u64 gfn;

	world_init(w, 0x100, 1);
	gfn = guest_data(&w->g);
	for (va = 0; va < U16_MAX + 10U; va++)
		guest_map(&w->g, w->pd[0], VA(0) + (va << 12), gfn, P, ALL);
	CHECK(world_go(w));
	compact_restore(&w->c, &l.g);
	l.c = w->c;
	l.c.guest = &l.g;
	l.c.params.parent = w->c.snap;
	l.c.params.roots = w->c.snap->roots;
	for (va = 0; va < 20; va++)
		put(&l, VA(va), 0);
	/* the frame stays counted as it was, and so is not what check.c counts */
	CHECK_EQ(compact_make(&l.c), 0);
	CHECK(compact_is_delta(&l.c));
	CHECK_EQ(hlk_snap_leaves(l.c.snap, 1), U16_MAX);
	CHECK(hlk_snap_page(l.c.snap, 1));
	line_end(&l);
}

/* One after the other, each over the last, some parents long gone */
static void many_generations(void)
{
	struct compact c;
	struct compact child;
	struct guest now;
	struct guest next;
	struct line l;
	u32 i;

	line_begin(&l, 0);
	CHECK(go(&l, true));
	c = l.c;
	compact_restore(&c, &now);
	for (i = 0; i < 40 && !tap_failed(); i++) {
		live(&now, &c, 10, false);
		child = c;
		child.guest = &now;
		child.generation++;
		child.params.parent = c.snap;
		child.params.roots = c.snap->roots;
		if (!CHECK_EQ(compact_go(&child), 0))
			break;
		compact_restore(&child, &next);
		compact_end(&c);
		guest_exit(&now);
		now = next;
		c = child;
	}
	guest_exit(&now);
	compact_end(&c);
	l.c.snap = NULL;
	line_end(&l);
}

/* A child is whole when its parent is gone, and leaves it whole when it goes. */
static void chunks_are_shared(void)
{
	struct compact first;
	struct line l;
	u64 before;

	line_begin(&l, 0);
	CHECK(guest_writes(&l, 0, VA(0)));
	if (go(&l, true)) {
		first = l.w.c;
		CHECK(hlk_snap_page(l.c.snap, 2) == hlk_snap_page(first.snap, 2));
		CHECK(hlk_snap_page(l.c.snap, 1) != hlk_snap_page(first.snap, 1));
		before = hlk_snap_leaves(first.snap, 1);
		compact_end(&l.c);
		CHECK_EQ(hlk_snap_leaves(first.snap, 1), before);
		compact_check(&first, 0);
		CHECK(go(&l, true));
	}
	line_end(&l);
}

static void over_the_limit(void)
{
	struct line l;

	line_begin(&l, 0);
	put(&l, VA(40), spare(&l, 0) << 12 | ALL);
	l.c.params.max_tables = l.w.c.snap->tables->nr - 1;
	CHECK_EQ(compact_go(&l.c), -EDQUOT);
	CHECK_EQ(l.c.at.why, HLK_WHY_TOO_MANY_TABLES);
	line_end(&l);
}

static void things_done(struct line *l)
{
	u32 i;

	for (i = 0; i < 3; i++)
		guest_writes(l, 0, VA(i));
	put(l, VA(5), 0);
	put(l, VA(40), spare(l, 0) << 12 | ALL);
	put(l, VA(15), spare(l, 1) << 12 | P);
	guest_bytes(&l->g, look(l, 0, VA(6)).frame)[5] ^= 1;
}

/* Each allocation and each read fails once: all is given back, the parent is as it was. */
static void fails_nth(void)
{
	struct line l;
	long n;
	int err;

	for (n = 1, err = -ENOMEM; err; n++) {
		line_begin(&l, 0);
		things_done(&l);
		shim.tries = 0;
		shim.fail_at = n;
		err = compact_make(&l.c);
		shim.fail_at = 0;
		CHECK(!err || err == -ENOMEM);
		compact_end(&l.c);
		compact_check(&l.w.c, 0);
		CHECK(go(&l, true));
		line_end(&l);
	}
	CHECK(n > 15);
	for (n = 1, err = -EFAULT; err; n++) {
		line_begin(&l, 0);
		things_done(&l);
		l.g.gets = 0;
		l.g.fail_get = n;
		err = compact_make(&l.c);
		l.g.fail_get = 0;
		CHECK(!err || err == -EFAULT);
		compact_end(&l.c);
		compact_check(&l.w.c, 0);
		line_end(&l);
	}
	CHECK(n > 5);
	for (n = 1, err = -EINTR; err; n++) {
		line_begin(&l, 0);
		things_done(&l);
		shim.checks = 0;
		shim.signal_at = n;
		err = compact_make(&l.c);
		shim.signal_at = 0;
		CHECK(!err || err == -EINTR);
		compact_end(&l.c);
		line_end(&l);
	}
	CHECK(n > 3);
}

/* A frame far from others takes memory to be noted: then its page is had already. */
static void far_page_fails_nth(void)
{
	struct line l;
	int err = -ENOMEM;
	long n;
	u32 i;

	for (n = 1; err; n++) {
		world_init(&l.w, 0x48, 1);
		for (i = 0; i < 100; i++)
			map_data(&l.w, 0, VA(i), ALL, ALL);
		line_restore(&l);
		guest_bytes(&l.g, look(&l, 0, VA(99)).frame)[5] ^= 1;
		shim.tries = 0;
		shim.fail_at = n;
		err = compact_make(&l.c);
		shim.fail_at = 0;
		CHECK(!err || err == -ENOMEM);
		line_end(&l);
	}
	CHECK(n > 10);
}

static void host_cow_line(void)
{
	struct line l;

	line_begin(&l, HLK_SNAPSHOT_HOST_COW);
	guest_bytes(&l.g, look(&l, 0, VA(4)).frame)[77] ^= 0x55;
	put(&l, VA(40), spare(&l, 0) << 12 | ALL);
	if (go(&l, true)) {
		CHECK_EQ(compact_at(&l.c, 0, VA(40)).pte & (W | COW), W);
		CHECK_EQ(l.c.snap->counts.copied, 2);
	}
	line_end(&l);
}

/* ---- equal pages ---- */

static void equal_pages_once(void)
{
	struct hlk_snapshot_counts *now;
	struct world w;
	u32 i;

	world_init(&w, 0x48, 1);
	for (i = 0; i < 12; i++)
		memset(guest_bytes(&w.g, map_data(&w, 0, VA(i), ALL, ALL)), 1 + i % 3, PAGE_SIZE);
	/* all but the last byte */
	guest_bytes(&w.g, map_data(&w, 0, VA(12), ALL, ALL));
	memset(guest_bytes(&w.g, w.g.next - 1), 1, PAGE_SIZE);
	guest_bytes(&w.g, w.g.next - 1)[4095] = 9;
	if (world_go(&w)) {
		compact_dedup(&w.c);
		now = &w.c.snap->counts;
		/* nine data pages, and the starts of the two buffers */
		CHECK_EQ(now->duplicate, 10);
		CHECK_EQ(now->pages, 13 + 4);
		/* once more: what is one stays one, and is counted as such */
		now->duplicate = 0;
		compact_dedup(&w.c);
		CHECK_EQ(now->duplicate, 10);
	}
	world_exit(&w);
}

/* A child of a snapshot whose equal pages are one writes to one of them. */
static void equal_pages_and_a_child(void)
{
	struct line l;
	u64 first;
	u64 second;

	line_begin(&l, 0);
	guest_exit(&l.g);
	/* anew, with two pages that are equal */
	first = compact_at(&l.w.c, 0, VA(0)).frame;
	second = compact_at(&l.w.c, 0, VA(1)).frame;
	memcpy(hlk_snap_page(l.w.c.snap, second)->bytes, hlk_snap_page(l.w.c.snap, first)->bytes,
	       PAGE_SIZE);
	memcpy(guest_bytes(&l.w.g, guest_entry(&l.w.g, guest_entry(&l.w.g, l.w.pd[0], 64) >> 12, 1)
			   >> 12),
	       hlk_snap_page(l.w.c.snap, first)->bytes, PAGE_SIZE);
	compact_dedup(&l.w.c);
	CHECK(hlk_snap_page(l.w.c.snap, first) == hlk_snap_page(l.w.c.snap, second));
	compact_restore(&l.w.c, &l.g);
	CHECK(guest_writes(&l, 0, VA(0)));
	if (go(&l, true)) {
		CHECK(hlk_snap_page(l.c.snap, first) != hlk_snap_page(l.c.snap, second));
		compact_dedup(&l.c);
		compact_check(&l.w.c, 0);
	}
	line_end(&l);
}

static void dedup_fails(void)
{
	const siphash_key_t key = { { 1, 2 } };
	struct line l;
	long n;
	int err;

	line_begin(&l, 0);
	for (n = 1, err = -ENOMEM; err; n++) {
		if (!go(&l, true))
			break;
		shim.tries = 0;
		shim.fail_at = n;
		err = hlk_snap_dedup(l.c.snap, &key);
		shim.fail_at = 0;
		CHECK(!err || err == -ENOMEM);
		compact_end(&l.c);
	}
	CHECK(n > 2);
	CHECK(go(&l, true));
	shim.checks = 0;
	shim.signal_at = 2;
	CHECK_EQ(hlk_snap_dedup(l.c.snap, &key), -EINTR);
	shim.signal_at = 0;
	line_end(&l);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(nothing),
		TAP_TEST(copies_on_write),
		TAP_TEST(one_of_two_mappings),
		TAP_TEST(maps_and_unmaps),
		TAP_TEST(changes_rights),
		TAP_TEST(writes_in_place),
		TAP_TEST(writes_in_place_and_copies),
		TAP_TEST(own_scratch),
		TAP_TEST(as_for_the_first_time),
		TAP_TEST(what_does_not_matter),
		TAP_TEST(parent_with_devices),
		TAP_TEST(full_of_gaps),
		TAP_TEST(countless_leaves),
		TAP_TEST(many_generations),
		TAP_TEST(chunks_are_shared),
		TAP_TEST(over_the_limit),
		TAP_TEST(fails_nth),
		TAP_TEST(far_page_fails_nth),
		TAP_TEST(host_cow_line),
		TAP_TEST(equal_pages_once),
		TAP_TEST(equal_pages_and_a_child),
		TAP_TEST(dedup_fails),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
