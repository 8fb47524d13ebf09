// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots that are refused or fail half way: limits, full memory, each
 * allocation, signals. And the small functions of snap.c by themselves.
 */
#include "scatter.h"
#include "tap.h"
#include "world.h"

static int add(struct hlk_layout *layout, u64 gfn, u64 pages, u32 flags,
	       struct hlk_why_at *at)
{
	struct hlk_range range = { gfn, pages, flags };

	memset(at, 0, sizeof(*at));
	return hlk_layout_add(layout, &range, at);
}

static void layout_order(void)
{
	struct hlk_layout layout = {};
	struct hlk_why_at at;
	u32 i;

	CHECK_EQ(hlk_layout_find(&layout, 0), -1);
	CHECK_EQ(hlk_layout_scratch(&layout), -1);
	CHECK_EQ(add(&layout, 0x100, 0x10, 0, &at), 0);
	CHECK_EQ(add(&layout, 0x300, 0x10, HLK_WINDOW_SCRATCH, &at), 0);
	CHECK_EQ(add(&layout, 1, 1, HLK_WINDOW_READONLY, &at), 0);
	CHECK_EQ(add(&layout, 0x200, 0x100, 0, &at), 0);	/* touches the next */
	CHECK_EQ(layout.nr, 4);
	for (i = 1; i < layout.nr; i++)
		CHECK(layout.range[i - 1].gfn < layout.range[i].gfn);
	CHECK_EQ(hlk_layout_scratch(&layout), 3);
	CHECK_EQ(hlk_layout_find(&layout, 0), -1);
	CHECK_EQ(hlk_layout_find(&layout, 1), 0);
	CHECK_EQ(hlk_layout_find(&layout, 2), -1);
	CHECK_EQ(hlk_layout_find(&layout, 0xff), -1);
	CHECK_EQ(hlk_layout_find(&layout, 0x100), 1);
	CHECK_EQ(hlk_layout_find(&layout, 0x10f), 1);
	CHECK_EQ(hlk_layout_find(&layout, 0x110), -1);
	CHECK_EQ(hlk_layout_find(&layout, 0x2ff), 2);
	CHECK_EQ(hlk_layout_find(&layout, 0x300), 3);
	CHECK_EQ(hlk_layout_find(&layout, ~0ULL), -1);
}

static void layout_refuses(void)
{
	struct hlk_layout layout = {};
	struct hlk_why_at at;
	u64 last = 1ULL << 28;
	u32 i;

	CHECK_EQ(add(&layout, 1, 0, 0, &at), -EINVAL);
	CHECK_EQ(at.why, HLK_WHY_GPA_ALIGN);
	CHECK_EQ(add(&layout, last - 1, 2, 0, &at), -EINVAL);
	CHECK_EQ(at.why, HLK_WHY_GPA_RANGE);
	CHECK_EQ(at.where, (last - 1) << 12);
	CHECK_EQ(add(&layout, (1ULL << 52) - 1, 1ULL << 52, 0, &at), -EINVAL);
	CHECK_EQ(at.why, HLK_WHY_GPA_RANGE);
	CHECK_EQ(add(&layout, TOP - 1, 2, 0, &at), -EINVAL);
	CHECK_EQ(at.why, HLK_WHY_APIC_PAGE);
	CHECK_EQ(at.where, TOP << 12);
	CHECK_EQ(add(&layout, TOP, 1, 0, &at), -EINVAL);
	CHECK_EQ(layout.nr, 0);

	CHECK_EQ(add(&layout, last - 1, 1, 0, &at), 0);
	CHECK_EQ(add(&layout, TOP - 1, 1, HLK_WINDOW_SCRATCH, &at), 0);
	CHECK_EQ(add(&layout, TOP + 1, 1, 0, &at), 0);
	CHECK_EQ(add(&layout, 1, 1, HLK_WINDOW_SCRATCH, &at), -EEXIST);
	CHECK_EQ(at.why, HLK_WHY_TWO_SCRATCH);
	CHECK_EQ(at.where, (TOP - 1) << 12);

	CHECK_EQ(add(&layout, 0x100, 0x10, 0, &at), 0);
	for (i = 0; i < 4; i++) {
		static const u64 over[][2] = {
			{ 0xff, 2 }, { 0x10f, 1 }, { 0x104, 2 }, { 0x80, 0x200 },
		};

		CHECK_EQ(add(&layout, over[i][0], over[i][1], 0, &at), -EEXIST);
		CHECK_EQ(at.why, HLK_WHY_OVERLAP);
		CHECK_EQ(at.where, 0x100000);
	}
	for (i = layout.nr; i < HLK_MAX_WINDOWS; i++)
		CHECK_EQ(add(&layout, 0x1000 + i, 1, 0, &at), 0);
	CHECK_EQ(add(&layout, 0x2000, 1, 0, &at), -EDQUOT);
	CHECK_EQ(at.why, HLK_WHY_TOO_MANY_WINDOWS);
	CHECK_EQ(layout.nr, HLK_MAX_WINDOWS);
}

struct filler {
	u8 next;
	u32 calls;
	u32 fail_at;
};

static int fill(void *to, size_t bytes, void *arg)
{
	struct filler *f = arg;
	u8 *p = to;

	if (++f->calls == f->fail_at)
		return -EFAULT;
	while (bytes--)
		*p++ = f->next++;
	return 0;
}

static int zeroes(void *to, size_t bytes, void *arg)
{
	(void)arg;
	memset(to, 0, bytes);
	return 0;
}

static void snap_write(void)
{
	struct filler f = { .next = 1 };
	struct hlk_layout layout = {};
	struct hlk_why_at at;
	struct hlk_snap *snap;
	struct page *page;
	const u8 *bytes;
	u32 i;

	add(&layout, 1, 2, 0, &at);
	add(&layout, 3, 2, 0, &at);
	snap = hlk_snap_alloc(&layout, 1000);
	CHECK_EQ(hlk_snap_write(snap, 0x1ffe, 0x2005, fill, &f), 0);
	CHECK_EQ(f.calls, 4);
	CHECK_EQ(snap->counts.pages, 4);
	CHECK_EQ(shim.counted_pages, 4);
	page = hlk_snap_page(snap, 1);
	bytes = page->bytes;
	CHECK(!memchr_inv(bytes, 0, 0xffe));
	CHECK_EQ(bytes[0xffe], 1);
	page = hlk_snap_page(snap, 4);
	bytes = page->bytes;
	for (i = 0; i < 3; i++)
		CHECK_EQ(bytes[i], (u8)(1 + 2 + 0x2000 + i));
	CHECK(!memchr_inv(bytes + 3, 0, 4096 - 3));

	/* over what is there: no new page */
	f.next = 0x80;
	CHECK_EQ(hlk_snap_write(snap, 0x4001, 1, fill, &f), 0);
	CHECK_EQ(bytes[1], 0x80);
	CHECK_EQ(bytes[2], (u8)(3 + 0x2000 + 2));
	CHECK_EQ(snap->counts.pages, 4);
	CHECK_EQ(hlk_snap_write(snap, 0x4001, 0, fill, &f), 0);

	/* over with zeroes: it costs nothing any more, nor does a new one */
	CHECK_EQ(hlk_snap_write(snap, 0x4000, 3, zeroes, NULL), 0);
	CHECK(!hlk_snap_page(snap, 4));
	CHECK_EQ(snap->counts.pages, 3);
	CHECK_EQ(shim.counted_pages, 3);
	CHECK_EQ(hlk_snap_write(snap, 0x4010, 0x10, zeroes, NULL), 0);
	CHECK(!hlk_snap_page(snap, 4));
	f.fail_at = f.calls + 1;
	CHECK_EQ(hlk_snap_write(snap, 0x4010, 0x10, fill, &f), -EFAULT);
	CHECK_EQ(shim.counted_pages, 3);
	CHECK_EQ(hlk_snap_write(snap, 0x4010, 0x10, fill, &f), 0);
	CHECK_EQ(snap->counts.pages, 4);
	CHECK_EQ(snap->nr_pages, 4);

	f.fail_at = f.calls + 2;
	CHECK_EQ(hlk_snap_write(snap, 0x1000, 0x3000, fill, &f), -EFAULT);
	shim.signal_at = 1;
	CHECK_EQ(hlk_snap_write(snap, 0x1000, 0x3000, fill, &f), -EINTR);
	shim.signal_at = 0;
	hlk_snap_put(snap);
}

static void snap_write_fail_nth(void)
{
	struct hlk_layout layout = {};
	struct hlk_why_at at;
	struct hlk_snap *snap;
	int ret = 0;

	add(&layout, 1, 200, 0, &at);
	for (shim.fail_at = 1;; shim.fail_at++) {
		struct filler f = {};

		shim.tries = 0;
		snap = hlk_snap_alloc(&layout, 1000);
		if (snap) {
			ret = hlk_snap_write(snap, 0x1000, 0x46000, fill, &f);
			hlk_snap_put(snap);
		}
		CHECK_EQ(shim.allocs + shim.pages + shim.counted_snaps, 0);
		if (shim.tries < shim.fail_at)
			break;
		CHECK(!snap || ret == -ENOMEM);
	}
	CHECK_EQ(ret, 0);
	CHECK(shim.fail_at > 0x46);
}

static int keep(struct hlk_snap *snap, u64 gfn, const struct hlk_gpage *gpage, u16 leaves)
{
	struct hlk_kept kept = { .gfn = gfn, .gpage = *gpage, .leaves = leaves };

	return hlk_snap_keep(snap, &kept, 1);
}

/* What a flat snapshot is made of; a page may come again, and replaces itself. */
static void snap_keep(void)
{
	struct hlk_layout layout = {};
	struct hlk_gpage gpage = {};
	struct hlk_why_at at;
	struct hlk_snap *snap;
	struct page *page = alloc_page(HLK_GFP | __GFP_ZERO);
	struct page *base;

	add(&layout, 1, 2, 0, &at);
	snap = hlk_snap_alloc(&layout, 1000);
	CHECK_EQ(keep(snap, 1, &gpage, 0), 0);
	gpage.page = page;
	get_page(page);
	CHECK_EQ(keep(snap, 2, &gpage, 0), 0);
	CHECK_EQ(snap->counts.zero, 2);
	CHECK_EQ(shim.counted_pages, 0);
	memset(page->bytes, 7, 4096);
	get_page(page);
	CHECK_EQ(keep(snap, 2, &gpage, 0), 0);
	base = hlk_snap_page(snap, 2);
	CHECK(base != page && !memcmp(base->bytes, page->bytes, 4096));
	gpage.frozen = true;
	get_page(page);
	CHECK_EQ(keep(snap, 2, &gpage, 0), 0);
	CHECK(hlk_snap_page(snap, 2) == page);
	CHECK_EQ(shim.counted_pages, 1);
	CHECK_EQ(shim.pages, 1);
	CHECK_EQ(page->refs, 2);
	/* neither shared nor copied when its memory has failed */
	page->failed = true;
	for (gpage.frozen = false;; gpage.frozen = true) {
		get_page(page);
		CHECK_EQ(keep(snap, 1, &gpage, 0), -EHWPOISON);
		CHECK(!hlk_snap_page(snap, 1));
		if (gpage.frozen)
			break;
	}
	hlk_snap_put(snap);
	CHECK_EQ(page->refs, 1);
	put_page(page);
}

/* Many at once: those after one that cannot be kept are given back, no more. */
static void snap_keep_many(void)
{
	struct hlk_kept kept[HLK_KEEP_MANY];
	struct page *page[HLK_KEEP_MANY];
	struct hlk_layout layout = {};
	struct hlk_why_at at;
	struct hlk_snap *snap;
	u32 limit;
	u32 i;

	for (i = 0; i < HLK_KEEP_MANY; i++) {
		page[i] = alloc_page(HLK_GFP | __GFP_ZERO);
		memset(page[i]->bytes, i, 4096);
	}
	add(&layout, 1, HLK_KEEP_MANY, 0, &at);
	for (limit = 0; limit <= HLK_KEEP_MANY; limit++) {
		snap = hlk_snap_alloc(&layout, limit);
		for (i = 0; i < HLK_KEEP_MANY; i++) {
			kept[i] = (struct hlk_kept){ .gfn = 1 + i, .leaves = 1 };
			kept[i].gpage.page = page[i];
			kept[i].gpage.frozen = i % 3 == 1;
			get_page(page[i]);
		}
		/* page 0 is one of zeroes */
		CHECK_EQ(hlk_snap_keep(snap, kept, HLK_KEEP_MANY),
			 limit < HLK_KEEP_MANY - 1 ? -EDQUOT : 0);
		CHECK(!hlk_snap_page(snap, 1));
		for (i = 1; i < HLK_KEEP_MANY; i++) {
			struct page *base = hlk_snap_page(snap, 1 + i);

			CHECK_EQ(!!base, i <= limit);
			CHECK(!base || !memcmp(base->bytes, page[i]->bytes, 4096));
			CHECK_EQ(page[i]->refs, 1 + (base == page[i]));
			CHECK_EQ(base == page[i], i % 3 == 1 && i <= limit);
		}
		hlk_snap_put(snap);
	}
	for (i = 0; i < HLK_KEEP_MANY; i++) {
		CHECK_EQ(page[i]->refs, 1);
		put_page(page[i]);
	}
	CHECK_EQ(shim.pages, 0);
}

/* Leaves that map a frame are added to those that do already, up to an end. */
static void snap_keep_leaves(void)
{
	struct hlk_layout layout = {};
	struct hlk_gpage gpage = {};
	struct hlk_why_at at;
	struct hlk_snap *snap;

	add(&layout, 1, 2, 0, &at);
	snap = hlk_snap_alloc(&layout, 1000);
	CHECK_EQ(keep(snap, 1, &gpage, 3), 0);
	CHECK_EQ(hlk_snap_leaves(snap, 1), 3);
	CHECK_EQ(hlk_snap_leaves(snap, 2), 0);
	CHECK_EQ(keep(snap, 1, &gpage, U16_MAX - 4), 0);
	CHECK_EQ(hlk_snap_leaves(snap, 1), U16_MAX - 1);
	CHECK_EQ(keep(snap, 1, &gpage, 5), 0);
	CHECK_EQ(hlk_snap_leaves(snap, 1), U16_MAX);
	CHECK_EQ(keep(snap, 1, &gpage, U16_MAX), 0);
	CHECK_EQ(hlk_snap_leaves(snap, 1), U16_MAX);
	hlk_snap_put(snap);
}

static void snap_references(void)
{
	struct hlk_layout layout = {};
	struct hlk_why_at at;
	struct hlk_snap *snap;

	add(&layout, 1, 2, 0, &at);
	snap = hlk_snap_alloc(&layout, 1000);
	CHECK_EQ(shim.counted_snaps, 1);
	snap->nr_vcpus = 2;
	snap->vcpus[0] = kmalloc(100, HLK_GFP);
	snap->vcpus[1] = kmalloc(100, HLK_GFP);
	kref_get(&snap->ref);
	hlk_snap_put(snap);
	CHECK_EQ(shim.counted_snaps, 1);
	CHECK_EQ(shim.allocs, 3);
	hlk_snap_put(snap);
	hlk_snap_put(NULL);
}

static void refused(struct world *w, int err, enum hlk_why why, u32 index, u64 where)
{
	CHECK_EQ(compact_make(&w->c), err);
	CHECK_EQ(w->c.at.why, why);
	CHECK_EQ(w->c.at.index, index);
	CHECK_EQ(w->c.at.where, where);
}

static void parameters(void)
{
	static const u32 bad[][2] = {
		{ 0x1000, 0x4000 }, { 0x4000, 0x1000 }, { 0, 0x4000 }, { 0x4000, 0 },
		{ 0x4001, 0x4000 }, { 0x4000, 0x4800 }, { 0x38000, 0x5000 },
		{ 0xfffff000, 0x4000 }, { 0xfffff000, 0xfffff000 }, { 0x80000000, 0x80000000 },
	};
	struct world w;
	u32 i;

	world_init(&w, 0x48, 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		w.c.params.input_bytes = bad[i][0];
		w.c.params.output_bytes = bad[i][1];
		refused(&w, -EINVAL, HLK_WHY_IO_BUFFERS, 0, (u64)bad[i][0] + bad[i][1] + 0xc000);
	}
	/* as large as can be; then tables have no room */
	w.c.params.input_bytes = 0x38000;
	w.c.params.output_bytes = 0x4000;
	w.c.params.max_tables = 2;
	CHECK_EQ(compact_run(&w.c), 0);
	w.c.params.max_tables = 100;

	w.c.params.nr_roots = 0;
	refused(&w, -EINVAL, HLK_WHY_NO_ROOTS, 0, 0);
	w.c.params.nr_roots = 2;
	w.roots[1] = NOTHING << 12 | 0xfff;
	refused(&w, -ENODEV, HLK_WHY_ROOT_NOT_RAM, 1, NOTHING << 12);

	/* CR3 has 32 bits: no root is found by cutting an address off */
	w.roots[1] = 1ULL << 32 | w.roots[0];
	refused(&w, -EINVAL, HLK_WHY_GPA_RANGE, 1, w.roots[1]);

	w.g.layout.range[1].flags = 0;
	refused(&w, -EINVAL, HLK_WHY_NO_SCRATCH, 0, 0);
	w.g.layout.range[1].flags = HLK_WINDOW_SCRATCH;
	w.g.layout.range[1].pages--;
	refused(&w, -EINVAL, HLK_WHY_NO_SCRATCH, 0, (TOP - 0x48) << 12);
	w.g.layout.nr = 0;
	refused(&w, -EINVAL, HLK_WHY_NO_SCRATCH, 0, 0);
	guest_exit(&w.g);
}

static void limit_of_tables(void)
{
	struct world w;
	u32 i;

	world_init(&w, 0x48, 2);
	for (i = 0; i < 4; i++)
		map_data(&w, 1, i << 22, ALL, ALL);
	guest_set(&w.g, w.pd[1], 9, guest_large(0x8000, P));	/* met, not made */
	/* two roots, four tables, a device, scratch */
	w.c.params.max_tables = 8;
	CHECK_EQ(compact_run(&w.c), 0);
	w.c.params.max_tables = 7;
	CHECK_EQ(compact_run(&w.c), -EDQUOT);
	CHECK_EQ(w.c.at.why, HLK_WHY_TOO_MANY_TABLES);
	CHECK_EQ(w.c.at.index, 1);
	CHECK_EQ(w.c.at.where, 9 << 22);
	w.c.params.max_tables = 1;
	CHECK_EQ(compact_run(&w.c), -EDQUOT);
	CHECK_EQ(w.c.at.index, 1);
	guest_exit(&w.g);
}

static void limit_of_pages(void)
{
	struct world w;
	u64 gfn;
	u32 i;

	world_init(&w, 0x48, 1);
	for (i = 0; i < 5; i++)
		gfn = map_data(&w, 0, i << 12, ALL, ALL);
	guest_map(&w.g, w.pd[0], 0x10000, gfn, ALL, ALL);	/* no further page */
	guest_map(&w.g, w.pd[0], 0x11000, w.pd[0], ALL, ALL);	/* a table */
	guest_map(&w.g, w.pd[0], 0x12000, TOP - 1, ALL, ALL);	/* stays */
	guest_map(&w.g, w.pd[0], 0x13000, NOTHING, ALL, ALL);	/* a device */
	w.c.params.max_pages = 5;
	CHECK_EQ(compact_run(&w.c), 0);
	w.c.params.max_pages = 4;
	CHECK_EQ(compact_run(&w.c), -EDQUOT);
	CHECK_EQ(w.c.at.why, HLK_WHY_TOO_MANY_PAGES);
	guest_exit(&w.g);
}

/* A leaf that waits holds the number of its frame, in the 20 bits of an address. */
static void limit_of_frames(void)
{
	struct world w;
	u32 i;

	world_init(&w, 0x48, 2);
	guest_ram(&w.g, 0x100000, 0x100400);	/* more than 4 GiB, for 4 MiB entries alone */
	for (i = 0; i <= 0x400; i++)
		guest_set(&w.g, w.pd[i / 1000], i % 1000, guest_large(0x100000 + 0x400 * i, P));
	w.c.params.max_pages = 0x200000;
	refused(&w, -ENOSPC, HLK_WHY_SNAPSHOT_FULL, 0, 1ULL << 32);
	guest_exit(&w.g);
}

static void snapshot_full(void)
{
	struct world w;
	u32 i;

	guest_init(&w.g);
	guest_window(&w.g, 4, 3, 0);
	guest_window(&w.g, 0x10, 2, 0);
	guest_window(&w.g, TOP - 0x48, 0x48, HLK_WINDOW_SCRATCH);
	guest_window(&w.g, 0x100000, 0x10, 0);	/* no 4 KiB entry can name it */
	guest_ram(&w.g, 0x2000, 0x100);		/* memory of the guest's, no window */
	w.g.next = 0x2000;
	w.pd[0] = guest_frame(&w.g);
	w.roots[0] = w.pd[0] << 12;
	compact_init(&w.c, &w.g, w.roots, 1);
	for (i = 0; i < 5; i++)
		map_data(&w, 0, i << 12, ALL, ALL);
	CHECK_EQ(compact_run(&w.c), 0);
	guest_map(&w.g, w.pd[0], 0x10000, guest_entry(&w.g, w.pd[0], 0) >> 12, ALL, ALL);
	CHECK_EQ(compact_run(&w.c), 0);
	map_data(&w, 0, 5 << 12, ALL, ALL);
	CHECK_EQ(compact_run(&w.c), -ENOSPC);
	CHECK_EQ(w.c.at.why, HLK_WHY_SNAPSHOT_FULL);
	CHECK_EQ(w.c.at.where, 6 << 12);
	/* a page with several mappings is in scratch, not there */
	guest_map(&w.g, w.pd[0], 6 << 12, w.g.next - 1, ALL, ALL);
	CHECK_EQ(compact_run(&w.c), 0);
	guest_exit(&w.g);
}

/* The size that a failure names is the size that suffices. */
static void scratch_full(void)
{
	struct world w;
	u64 want = 0;
	u64 gfn;
	u64 pages;
	u32 i;

	for (pages = 0x14; pages < 0x60; pages++) {
		world_init(&w, pages, 3);
		w.c.params.input_bytes = 0x2000;
		w.c.params.output_bytes = 0x2000;
		for (i = 0; i < 20; i++) {
			gfn = map_data(&w, i % 3, i << 22, ALL, ALL);
			guest_map(&w.g, w.pd[0], i << 12 | 0x100000, gfn, ALL, ALL);
		}
		if (compact_run(&w.c)) {
			CHECK_EQ(w.c.at.why, HLK_WHY_SCRATCH_FULL);
			CHECK(!want || want == w.c.at.where);
			want = w.c.at.where;
			CHECK(want > pages << 12);
		} else {
			CHECK(want && want <= pages << 12);
		}
		guest_exit(&w.g);
	}
	/* 4 pages of buffers, 3 roots, 20 tables, scratch's, 20 shared, 7 on top */
	CHECK_EQ(want, (4 + 3 + 20 + 1 + 20 + 7) << 12);
}

static void published_roots(void)
{
	static const u32 counts[] = { 1, 509, 510, 511, 1024 };
	u64 roots[1024];
	struct guest g;
	struct compact c;
	u64 first[2];
	u32 i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		guest_usual(&g, 0x500);
		first[0] = guest_frame(&g);
		first[1] = guest_frame(&g);
		guest_map(&g, first[0], 0x5000, guest_data(&g), ALL, ALL);
		for (n = 0; n < counts[i]; n++)
			roots[n] = n < 900 ? guest_frame(&g) << 12 : first[n % 2] << 12 | (n & 0x18);
		roots[counts[i] - 1] = first[0] << 12 | PWT;
		compact_init(&c, &g, roots, counts[i]);
		CHECK_EQ(compact_run(&c), 0);
		guest_exit(&g);
	}
}

/* A guest that takes every path, and all of whose paths succeed */
static void build_all_paths(struct world *w)
{
	u64 gfn;
	u32 i;

	world_init(w, 0x60, 3);
	guest_window(&w->g, 0x1000, 0x800, 0);
	for (i = 0; i < 4; i++)
		map_data(w, i % 3, i << 22 | i << 12, ALL, ALL);
	gfn = map_data(w, 0, 0x10000, ALL, ALL);
	guest_map(&w->g, w->pd[1], 0x10000, gfn, ALL, ALL);
	guest_freeze(&w->g, map_data(w, 1, 0x20000, ALL, ALL));
	guest_map(&w->g, w->pd[1], 0x30000, 0x88, ALL, ALL);
	guest_map(&w->g, w->pd[1], 0x40000, NOTHING, ALL, ALL);
	guest_set(&w->g, w->pd[0], 700, w->pd[0] << 12 | P | W);
	guest_set(&w->g, w->pd[0], 701, guest_large(0x1000, ALL));
	guest_set(&w->g, w->pd[1], 701, guest_large(0x8000, ALL));
	guest_set(&w->g, w->pd[1], 702, NOTHING << 12 | ALL);
	map_data(w, 2, 0xffc05000, ALL, P);
}

static void compact_fail_nth(void)
{
	struct world w;
	int err;

	build_all_paths(&w);
	CHECK_EQ(compact_run(&w.c), 0);
	for (;;) {
		long allocs = shim.allocs;
		long pages = shim.pages;

		shim.tries = 0;
		shim.fail_at++;
		err = compact_make(&w.c);
		if (shim.tries < shim.fail_at)
			break;
		CHECK_EQ(err, -ENOMEM);
		CHECK_EQ(shim.allocs, allocs);
		CHECK_EQ(shim.pages, pages);
		CHECK_EQ(shim.counted_pages, 0);
		CHECK_EQ(shim.counted_snaps, 0);
	}
	CHECK_EQ(err, 0);
	CHECK(shim.fail_at > 50);
	shim.fail_at = 0;
	compact_end(&w.c);
	CHECK_EQ(compact_run(&w.c), 0);
	guest_exit(&w.g);
}

static void compact_get_fails(void)
{
	struct world w;
	long pages;
	int err;

	build_all_paths(&w);
	do {
		pages = shim.pages;
		w.g.gets = 0;
		w.g.fail_get++;
		err = compact_make(&w.c);
		if (!err)
			break;
		CHECK_EQ(err, -EFAULT);
		CHECK_EQ(shim.pages, pages);
		CHECK_EQ(shim.counted_pages, 0);
	} while (w.g.gets >= w.g.fail_get);
	CHECK_EQ(err, 0);
	CHECK(w.g.fail_get > 10);
	compact_end(&w.c);
	guest_exit(&w.g);
}

/* Memory that fails under each copy, and pages that are known to have failed */
static void compact_memory_fails(void)
{
	struct world w;
	long pages;
	int err;

	build_all_paths(&w);
	for (;;) {
		pages = shim.pages;
		shim.copies = 0;
		shim.fail_copy_at++;
		err = compact_make(&w.c);
		if (shim.copies < shim.fail_copy_at)
			break;
		CHECK_EQ(err, -EHWPOISON);
		CHECK_EQ(shim.pages, pages);
		CHECK_EQ(shim.counted_pages, 0);
		CHECK_EQ(shim.counted_snaps, 0);
	}
	CHECK_EQ(err, 0);
	CHECK(shim.fail_copy_at > 5);
	shim.fail_copy_at = 0;
	compact_end(&w.c);
	guest_exit(&w.g);
}

static void compact_signal(void)
{
	struct world w;
	long pages;
	int err;

	build_all_paths(&w);
	for (;;) {
		pages = shim.pages;
		shim.checks = 0;
		shim.signal_at++;
		err = compact_make(&w.c);
		if (shim.checks < shim.signal_at)
			break;
		CHECK_EQ(err, -EINTR);
		CHECK_EQ(shim.pages, pages);
		CHECK_EQ(shim.counted_pages, 0);
	}
	CHECK_EQ(err, 0);
	CHECK(shim.signal_at > 20);
	CHECK(shim.rescheds > 20);
	compact_end(&w.c);
	guest_exit(&w.g);
}

/* The same, where random guests are the paths */
static void random_fail_nth(void)
{
	struct compact c;
	struct scatter s;
	struct guest g;
	long pages;
	u32 seed;
	int err;

	for (seed = 0; seed < 300 && !tap_failed(); seed++) {
		scatter(&g, 70000 + seed, &s);
		compact_init(&c, &g, s.roots, s.nr_roots);
		c.params.mode = s.mode;
		c.params.input_bytes = s.input_bytes;
		c.params.output_bytes = s.output_bytes;
		pages = shim.pages;
		shim.tries = 0;
		shim.fail_at = 1 + guest_below(&g, 200);
		err = compact_make(&c);
		if (shim.tries >= shim.fail_at)
			CHECK_MSG(err == -ENOMEM, "seed %u: %d", seed, err);
		shim.fail_at = 0;
		compact_end(&c);
		CHECK_EQ(shim.pages, pages);
		guest_exit(&g);
	}
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(layout_order),
		TAP_TEST(layout_refuses),
		TAP_TEST(snap_write),
		TAP_TEST(snap_write_fail_nth),
		TAP_TEST(snap_keep),
		TAP_TEST(snap_keep_many),
		TAP_TEST(snap_keep_leaves),
		TAP_TEST(snap_references),
		TAP_TEST(parameters),
		TAP_TEST(limit_of_tables),
		TAP_TEST(limit_of_pages),
		TAP_TEST(limit_of_frames),
		TAP_TEST(snapshot_full),
		TAP_TEST(scratch_full),
		TAP_TEST(published_roots),
		TAP_TEST(compact_fail_nth),
		TAP_TEST(compact_get_fails),
		TAP_TEST(compact_memory_fails),
		TAP_TEST(compact_signal),
		TAP_TEST(random_fail_nth),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
