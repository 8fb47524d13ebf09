// SPDX-License-Identifier: GPL-2.0-only
/*
 * pt_translate() and pt_walk() over 32-bit tables against the software MMU, and the copy
 * of a table.
 */
#include "guest.h"
#include "scatter.h"
#include "tap.h"
#include "walking.h"

#define P	0x001
#define W	0x002
#define U	0x004
#define PS	0x080
#define COW	0x200
#define ALL	(P | W | U)

#define NOTHING	0x6000ULL	/* a frame where no memory is */

static const struct i686_mode usual = { .wp = true, .pse = true, .maxphyaddr = 40 };

static struct mmu_cpu cpu_of(const struct i686_mode *mode, u64 root)
{
	return (struct mmu_cpu){
		.cr3 = root,
		.cr0_wp = mode->wp,
		.cr4_pse = mode->pse,
		.maxphyaddr = mode->maxphyaddr,
	};
}

/* HLK_MAP_* bits and attributes, as the uAPI defines them, from the oracle's */
static u32 oracle_map(const struct guest *g, const struct i686_mode *mode,
		      const struct mmu_result *t)
{
	u32 map = 0;

	if (t->rw)
		map |= HLK_MAP_WRITE;
	else if (!mode->wp)
		map |= HLK_MAP_SUPER_WRITE;
	if (t->us)
		map |= HLK_MAP_USER;
	if (t->attr.ignored & 1)
		map |= HLK_MAP_COW;
	if (t->large)
		map |= HLK_MAP_LARGE;
	if (!guest_is_ram(g, t->frame))
		map |= HLK_MAP_NOT_RAM;
	return map;
}

static void check_translate(struct guest *g, const struct i686_mode *mode, u64 root,
			    u32 va)
{
	struct mmu_cpu cpu = cpu_of(mode, root);
	struct mmu_result t = mmu_translate(&g->mem, &cpu, va);
	struct pt_mode made = guest_mode(mode);
	struct hlk_translate out;
	struct hlk_why_at at = {};
	int ret;

	memset(&out, 0xee, sizeof(out));
	ret = pt_translate(&g->gmem, &made, root, va, &out, &at);
	switch (t.outcome) {
	case MMU_MAPPED:
		CHECK_EQ(ret, 0);
		CHECK_EQ(out.gpa, t.frame * 4096 + va % 4096);
		CHECK_EQ(out.map, oracle_map(g, mode, &t));
		CHECK_EQ(out.page_shift, t.large ? 22 : 12);
		CHECK_EQ(out.entry[0], t.large ? 0 : t.pte);
		break;
	case MMU_NO_DIRECTORY:
		CHECK_EQ(ret, -ENODEV);
		CHECK_EQ(at.why, HLK_WHY_NOT_RAM);
		CHECK_EQ(at.where, root & ~0xfffULL);
		break;
	case MMU_PDE_ABSENT:
		CHECK_EQ(ret, -ENXIO);
		CHECK_EQ(at.why, HLK_WHY_NOT_PRESENT);
		CHECK_EQ(at.where, t.pde_at);
		break;
	case MMU_PDE_RESERVED:
		CHECK_EQ(ret, -EINVAL);
		CHECK_EQ(at.why, HLK_WHY_PDE_RESERVED);
		CHECK_EQ(at.where, va);
		break;
	case MMU_NO_TABLE:
		CHECK_EQ(ret, -ENODEV);
		CHECK_EQ(at.why, HLK_WHY_NOT_RAM);
		CHECK_EQ(at.where, t.pde & ~0xfffU);
		break;
	case MMU_PTE_ABSENT:
		CHECK_EQ(ret, -ENXIO);
		CHECK_EQ(at.why, HLK_WHY_NOT_PRESENT);
		CHECK_EQ(at.where, t.leaf_at);
		CHECK_EQ(out.entry[0], t.pte);
		break;
	}
	if (t.outcome != MMU_NO_DIRECTORY)
		CHECK_EQ(out.entry[1], t.pde);
	else
		CHECK_EQ(out.entry[1], 0);
	CHECK(!memchr_inv(&out.entry[2], 0, sizeof(out.entry) - 2 * sizeof(out.entry[0])));
}

static void translate_kinds(void)
{
	static const u32 pdes[] = {
		0, ALL, P, P | W, P | U, W | U, PS, PS | W,
		PS | ALL, PS | P | 1 << 21, PS | ALL | 0x400000, PS | P | 0x1000,
		PS | P | 1 << 13, PS | P | 1 << 16, PS | P | 1 << 17, PS | P | 1 << 20,
		PS | P | 0xff << 13, PS | P | 0xffc00000,
	};
	static const u32 ptes[] = {
		0, ALL, P, P | W, P | U, W | U, ALL | PS, ALL | COW, P | 0xe00,
		P | 0x400, P | 0x1f8, ALL | 0xff8,
	};
	struct i686_mode mode;
	struct guest g;
	u64 table;
	u64 pd;
	u64 page;
	u32 bits;
	u32 i;
	u32 j;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	table = guest_frame(&g);
	page = guest_data(&g);
	for (bits = 0; bits < 4 * 9; bits++) {
		mode = (struct i686_mode){ bits & 1, bits & 2, 32 + bits / 4 };
		for (i = 0; i < ARRAY_SIZE(pdes); i++) {
			for (j = 0; j < ARRAY_SIZE(ptes); j++) {
				guest_set(&g, pd, 5, pdes[i] | (pdes[i] & PS ? 0 : table << 12));
				guest_set(&g, table, 7, page << 12 | ptes[j]);
				check_translate(&g, &mode, pd << 12, 0x01407abc);
			}
		}
	}
	guest_exit(&g);
}

static void translate_bounds(void)
{
	struct guest g;
	u64 table;
	u64 pd;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	table = guest_frame(&g);
	guest_set(&g, pd, 0, table << 12 | ALL);
	guest_set(&g, pd, 1023, table << 12 | ALL);
	guest_set(&g, pd, 3, NOTHING << 12 | ALL);
	guest_set(&g, pd, 4, guest_large(0x400, ALL));
	guest_set(&g, table, 0, 0x9000 | ALL);
	guest_set(&g, table, 1023, NOTHING << 12 | P);
	check_translate(&g, &usual, pd << 12, 0);
	check_translate(&g, &usual, pd << 12, 0xfff);
	check_translate(&g, &usual, pd << 12, 0x3fffff);
	check_translate(&g, &usual, pd << 12, 0x1000);
	check_translate(&g, &usual, pd << 12, 0xffffffff);
	check_translate(&g, &usual, pd << 12, 0xffc00000);
	check_translate(&g, &usual, pd << 12, 0xc00000);
	check_translate(&g, &usual, pd << 12, 0x1000000);
	check_translate(&g, &usual, pd << 12, 0x13fffff);
	check_translate(&g, &usual, pd << 12, 0x1400000);
	/* CR3 holds flags in its low bits */
	check_translate(&g, &usual, pd << 12 | 0xfff, 0x3ff123);
	check_translate(&g, &usual, NOTHING << 12, 0x3ff123);
	/* a directory and a table of zeroes that cost no page */
	check_translate(&g, &usual, 0x200000, 0x3ff123);
	guest_set(&g, pd, 8, 0x200 << 12 | ALL);
	check_translate(&g, &usual, pd << 12, 0x2000000);
	guest_exit(&g);
}

/* One entry that is present, among others that are not: its line is named, no other. */
static void lines_of_a_table(void)
{
	struct hlk_gpage gpage = {};
	u32 got[1024];
	u32 *entries;
	u32 nr;

	gpage.page = alloc_page(HLK_GFP);
	entries = page_address(gpage.page);
	memset(entries, 0xfe, PAGE_SIZE);
	for (nr = 0; nr < 1024; nr++) {
		entries[nr] = P;
		get_page(gpage.page);
		CHECK_EQ(i686_copy_table(&gpage, got), 1ULL << (nr / 16));
		CHECK(!memcmp(got, entries, PAGE_SIZE));
		entries[nr] = 0xfefefefe;
	}
	get_page(gpage.page);
	CHECK_EQ(i686_copy_table(&gpage, got), 0);
	put_page(gpage.page);
	gpage.page = NULL;
	CHECK_EQ(i686_copy_table(&gpage, got), 0);
	CHECK(!memchr_inv(got, 0, PAGE_SIZE));
}

static void translate_get_fails(void)
{
	struct pt_mode made = guest_mode(&usual);
	struct hlk_translate out;
	struct hlk_why_at at = {};
	struct guest g;
	u64 pd;
	int i;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	guest_map(&g, pd, 0x400000, guest_data(&g), ALL, ALL);
	for (i = 1; i <= 2; i++) {
		g.gets = 0;
		g.fail_get = i;
		CHECK_EQ(pt_translate(&g.gmem, &made, pd << 12, 0x400000, &out, &at),
			 -EFAULT);
	}
	g.gets = 0;
	g.fail_get = 3;
	CHECK_EQ(pt_translate(&g.gmem, &made, pd << 12, 0x400000, &out, &at), 0);
	guest_exit(&g);
}

/* Random entries: every bit of both levels */
static void translate_random(void)
{
	struct i686_mode mode;
	struct guest g;
	u64 table;
	u64 pd;
	u32 pde;
	u32 va;
	int i;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	table = guest_frame(&g);
	for (i = 0; i < 20000; i++) {
		va = guest_random(&g);
		mode.wp = guest_chance(&g, 50);
		mode.pse = guest_chance(&g, 70);
		mode.maxphyaddr = 32 + guest_below(&g, 9);
		pde = guest_random(&g);
		if (guest_chance(&g, 60))
			pde = (pde & 0xfff) | table << 12;
		if (guest_chance(&g, 50))
			pde &= ~(1U << 21);
		if (guest_chance(&g, 50))
			pde &= ~(0xffU << 13);
		guest_set(&g, pd, va >> 22, pde | guest_chance(&g, 80));
		guest_set(&g, table, va >> 12 & 0x3ff,
			  guest_random(&g) >> guest_below(&g, 24));
		check_translate(&g, &mode, pd << 12 | guest_below(&g, 4096), va);
	}
	guest_exit(&g);
}

/* A list of single pages and of slots, made by asking for each address */
struct oracle {
	struct list list;
	u64 owner[1 << 20];	/* of a table's frame: 1 + (root << 10 | slot) */
	u64 tables;
	int err;
};

static void oracle_add(struct oracle *o, struct hlk_mapping m)
{
	if (CHECK(o->list.nr < MAX_LIST))
		o->list.at[o->list.nr++] = m;
}

static u64 overlap(const struct query *q, u64 slot_va, u64 *first)
{
	u64 start = slot_va > q->start ? slot_va : q->start;
	u64 end = slot_va + (4 << 20) < q->end ? slot_va + (4 << 20) : q->end;

	*first = start;
	return start < end ? (end - start) / 4096 : 0;
}

static void oracle_slot(struct oracle *o, const struct query *q, u32 root, u32 slot)
{
	struct mmu_cpu cpu = cpu_of(&q->mode, q->roots[root]);
	struct hlk_mapping m = { .root = root };
	u64 me = 1 + ((u64)root << 10 | slot);
	struct mmu_result t;
	u64 first;
	u64 pages = overlap(q, (u64)slot << 22, &first);
	u64 table;
	u64 va;

	t = mmu_translate(&q->g->mem, &cpu, slot << 22);
	if (t.outcome == MMU_NO_DIRECTORY) {
		o->err = -ENODEV;
		return;
	}
	if (!pages || t.outcome == MMU_PDE_ABSENT)
		return;
	if (t.outcome == MMU_PDE_RESERVED) {
		o->err = -EINVAL;
		return;
	}
	table = t.pde >> 12;
	m.va = first;
	m.pages = pages;
	m.gpa = table << 12;
	m.map = (t.pde & 2 ? HLK_MAP_WRITE : q->mode.wp ? 0 : HLK_MAP_SUPER_WRITE) |
		(t.pde & 4 ? HLK_MAP_USER : 0);
	if (t.outcome == MMU_NO_TABLE) {
		m.map |= HLK_MAP_TABLE_NOT_RAM;
		oracle_add(o, m);
		return;
	}
	if (!t.large && !o->owner[table]) {
		o->owner[table] = me;
		o->tables++;
	}
	if (!t.large && o->owner[table] != me) {
		m.map |= HLK_MAP_ALIAS;
		m.alias_root = (o->owner[table] - 1) >> 10;
		m.alias_va = (u32)((o->owner[table] - 1) << 22);
		oracle_add(o, m);
		return;
	}
	for (va = first; va < first + pages * 4096; va += 4096) {
		t = mmu_translate(&q->g->mem, &cpu, va);
		if (t.outcome != MMU_MAPPED)
			continue;
		oracle_add(o, (struct hlk_mapping){
			.va = va,
			.gpa = t.frame * 4096,
			.pages = 1,
			.root = root,
			.map = oracle_map(q->g, &q->mode, &t),
			.attributes = mmu_attr_bits(&t.attr),
			.page_shift = t.large ? 22 : 12,
		});
	}
}

static struct oracle *oracle_walk(const struct query *q)
{
	struct oracle *o = calloc(1, sizeof(*o));
	u32 root;
	u32 slot;

	list_init(&o->list);
	for (root = 0; root < q->nr_roots; root++)
		for (slot = 0; slot < 1024 && !o->err; slot++)
			oracle_slot(o, q, root, slot);
	return o;
}

static void check_list(const struct list *got, const struct list *want)
{
	struct hlk_mapping m;
	u32 at = 0;
	u32 pages;
	u32 i;

	for (i = 0; i < got->nr; i++) {
		m = got->at[i];
		pages = m.map & WHOLE_SLOT ? 1 : m.pages;
		CHECK(m.pages > 0);
		if (i)
			CHECK_MSG(!joinable(&got->at[i - 1], &m), "%u not merged", i);
		for (; pages; pages--, at++) {
			if (!CHECK(at < want->nr))
				return;
			if (!(m.map & WHOLE_SLOT))
				m.pages = 1;
			if (!CHECK_MSG(!memcmp(&m, &want->at[at], sizeof(m)),
				       "mapping %u: va %llx gpa %llx map %x attr %llx, want va %llx gpa %llx map %x attr %llx",
				       i, m.va, m.gpa, m.map, m.attributes,
				       want->at[at].va, want->at[at].gpa,
				       want->at[at].map, want->at[at].attributes))
				return;
			m.va += 4096;
			m.gpa += 4096;
		}
	}
	CHECK_EQ(at, want->nr);
}

static void check_walk(const struct query *q)
{
	struct oracle *o = oracle_walk(q);
	struct list steps;
	struct list list;
	u64 tables;

	CHECK_EQ(walk_all(q, &list, &tables), o->err);
	if (!o->err) {
		CHECK_EQ(tables, o->tables);
		check_list(&list, &o->list);
		walk_steps(q, &steps, 1);
		check_same(&steps, &list);
		list_exit(&steps);
		walk_steps(q, &steps, 1 + list.nr / 3);
		check_same(&steps, &list);
		list_exit(&steps);
	}
	list_exit(&list);
	list_exit(&o->list);
	free(o);
}

static void walk_merge(void)
{
	struct query q;
	struct list list;
	struct guest g;
	u64 tables;
	u64 root;
	u64 pd;
	u32 i;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	root = pd << 12;
	g.next = 0x100;
	/* a run over the boundary of two tables, then one that breaks at each step */
	for (i = 0; i < 16; i++)
		guest_map(&g, pd, 0x3f8000 + i * 0x1000, 0x10 + i, ALL, ALL);
	guest_map(&g, pd, 0x10000, 0x20, ALL, ALL);
	guest_map(&g, pd, 0x11000, 0x21, P, ALL);
	guest_map(&g, pd, 0x12000, 0x22, P | COW, ALL);
	guest_map(&g, pd, 0x13000, 0x23, P | 0x400, ALL);
	guest_map(&g, pd, 0x14000, 0x25, P | 0x400, ALL);
	guest_map(&g, pd, 0x16000, 0x27, P | 0x400, ALL);
	guest_map(&g, pd, 0x17000, NOTHING, P, ALL);
	guest_map(&g, pd, 0x18000, NOTHING + 1, P, ALL);
	query_init(&q, &g, &root, 1);
	check_walk(&q);
	CHECK_EQ(walk_all(&q, &list, &tables), 0);
	CHECK_EQ(list.nr, 8);
	CHECK_EQ(list.at[list.nr - 1].pages, 16);
	CHECK_EQ(tables, 2);
	list_exit(&list);
	guest_exit(&g);
}

static void walk_large(void)
{
	struct query q;
	struct guest g;
	u64 root;
	u64 pd;
	u32 i;

	guest_usual(&g, 0x48);
	guest_ram(&g, 0x100000, 0x500);
	pd = guest_frame(&g);
	root = pd << 12;
	guest_set(&g, pd, 0, guest_large(0, ALL));
	guest_set(&g, pd, 1, guest_large(0x400, ALL));
	guest_set(&g, pd, 2, guest_large(0x400, P | COW | 0x1000));
	guest_set(&g, pd, 5, guest_large(0xfec00, P | 0x178));
	guest_set(&g, pd, 6, guest_large(0x100000, ALL));
	guest_set(&g, pd, 7, guest_large(0x100400, ALL));
	guest_set(&g, pd, 1023, guest_large(0x3ffc00, ALL));
	guest_map(&g, pd, 0x1000000, 0x200, ALL, ALL);
	query_init(&q, &g, &root, 1);
	check_walk(&q);
	/* ranges cut in the middle of a 4 MiB page */
	for (i = 0; i < 8; i++) {
		q.start = 0x1000 * (1023 - i);
		q.end = 0x400000 * i + 0x5000;
		if (q.start < q.end)
			check_walk(&q);
	}
	q.start = 0;
	q.end = 1ULL << 32;
	q.mode.pse = false;
	check_walk(&q);
	q.mode.pse = true;
	q.mode.maxphyaddr = 33;
	check_walk(&q);		/* 0x3ffc00 is beyond: -EINVAL */
	guest_exit(&g);
}

static void walk_aliases(void)
{
	struct list list;
	struct query q;
	struct guest g;
	u64 roots[3];
	u64 tables;
	u64 table;
	u64 pd[2];
	u32 i;

	guest_usual(&g, 0x48);
	pd[0] = guest_frame(&g);
	pd[1] = guest_frame(&g);
	roots[0] = pd[0] << 12;
	roots[1] = pd[1] << 12;
	roots[2] = pd[0] << 12 | 0x18;	/* repeated, with flags of CR3 */
	table = guest_map(&g, pd[0], 0x800000, guest_data(&g), ALL, ALL);
	guest_map(&g, pd[0], 0x805000, guest_data(&g), P | COW, ALL);
	guest_set(&g, pd[0], 700, table << 12 | P);
	guest_set(&g, pd[1], 0, table << 12 | P | W);
	guest_set(&g, pd[1], 1, table << 12 | P | U | COW);
	guest_map(&g, pd[1], 0x1000000, guest_data(&g), ALL, ALL);
	query_init(&q, &g, roots, 3);
	check_walk(&q);
	CHECK_EQ(walk_all(&q, &list, &tables), 0);
	CHECK_EQ(tables, 2);
	for (i = 0; i < list.nr; i++)
		if (list.at[i].root == 2)
			CHECK(list.at[i].map & HLK_MAP_ALIAS);
	list_exit(&list);
	/* out of the range, slot 2 of root 0 owns nothing */
	q.start = 0xc00000;
	check_walk(&q);
	q.start = 0;
	q.mode.wp = false;
	check_walk(&q);
	/* cut in the middle of aliases */
	q.start = 0x2000;
	q.end = 0x401000;
	check_walk(&q);
	guest_exit(&g);
}

static void walk_self_map(void)
{
	struct query q;
	struct guest g;
	u64 roots[2];
	u64 pd;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	roots[0] = pd << 12;
	guest_map(&g, pd, 0x800000, guest_data(&g), ALL, ALL);
	guest_set(&g, pd, 1023, pd << 12 | P | W);
	query_init(&q, &g, roots, 1);
	check_walk(&q);
	guest_set(&g, pd, 0, pd << 12 | P);
	check_walk(&q);
	roots[1] = guest_entry(&g, pd, 2) & ~0xfffU;	/* a table as a directory */
	q.nr_roots = 2;
	check_walk(&q);
	guest_exit(&g);
}

static void walk_not_ram(void)
{
	struct hlk_why_at at = {};
	struct collect c;
	struct query q;
	struct list list;
	struct guest g;
	u64 roots[2];
	u64 pd;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	roots[0] = pd << 12;
	roots[1] = NOTHING << 12 | 0xfff;
	guest_set(&g, pd, 4, NOTHING << 12 | P);
	guest_set(&g, pd, 5, NOTHING << 12 | ALL | COW);
	guest_set(&g, pd, 6, (NOTHING + 1) << 12 | ALL);
	guest_map(&g, pd, 0x1fff000, NOTHING, ALL, ALL);
	query_init(&q, &g, roots, 1);
	check_walk(&q);
	q.start = 0x1003000;
	q.end = 0x1a00000 - 0x1000;
	check_walk(&q);
	q.nr_roots = 2;
	check_walk(&q);
	list_init(&list);
	collect_init(&c, &q, &list);
	CHECK_EQ(pt_walk(&c.walk, &at), -ENODEV);
	CHECK_EQ(at.why, HLK_WHY_ROOT_NOT_RAM);
	CHECK_EQ(at.index, 1);
	CHECK_EQ(at.where, NOTHING << 12);
	list_exit(&list);
	guest_exit(&g);
}

static void walk_reserved(void)
{
	struct hlk_why_at at = {};
	struct collect c;
	struct list list;
	struct query q;
	struct guest g;
	u64 roots[2];
	u64 pd;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	roots[0] = 0x300000;
	roots[1] = pd << 12;
	guest_set(&g, pd, 9, guest_large(0x400, P) | 1 << 21);
	query_init(&q, &g, roots, 2);
	list_init(&list);
	collect_init(&c, &q, &list);
	CHECK_EQ(pt_walk(&c.walk, &at), -EINVAL);
	CHECK_EQ(at.why, HLK_WHY_PDE_RESERVED);
	CHECK_EQ(at.index, 1);
	CHECK_EQ(at.where, 9 << 22);
	list_exit(&list);
	q.end = 9 << 22;	/* not in the range: no error */
	check_walk(&q);
	q.start = 10 << 22;
	q.end = 1ULL << 32;
	check_walk(&q);
	guest_exit(&g);
}

static void walk_limit(void)
{
	struct hlk_why_at at = {};
	struct collect c;
	struct list list;
	struct query q;
	struct guest g;
	u64 root;
	u64 pd;
	u32 i;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	root = pd << 12;
	for (i = 0; i < 5; i++)
		guest_map(&g, pd, i << 22, 0x200 + i, ALL, ALL);
	query_init(&q, &g, &root, 1);
	list_init(&list);
	collect_init(&c, &q, &list);
	c.walk.max_tables = 5;
	CHECK_EQ(pt_walk(&c.walk, &at), 0);
	c.walk.max_tables = 4;
	CHECK_EQ(pt_walk(&c.walk, &at), -EDQUOT);
	CHECK_EQ(at.why, HLK_WHY_TOO_MANY_TABLES);
	CHECK_EQ(at.index, 0);
	CHECK_EQ(at.where, 4 << 22);
	CHECK_EQ(c.walk.tables_read, 4);
	list_exit(&list);
	guest_exit(&g);
}

/* A cursor comes from outside: any value ends, and reports only what is there */
static void walk_bad_cursor(void)
{
	struct hlk_why_at at = {};
	struct list whole;
	struct collect c;
	struct list list;
	struct query q;
	struct guest g;
	struct scatter s;
	u64 tables;
	int i;

	scatter(&g, 4711, &s);
	query_init(&q, &g, s.roots, s.nr_roots);
	q.mode = s.mode;
	CHECK_EQ(walk_all(&q, &whole, &tables), 0);
	for (i = 0; i < 300; i++) {
		list_init(&list);
		collect_init(&c, &q, &list);
		c.walk.cursor = guest_random(&g) >> guest_below(&g, 40) & ~0xfffULL;
		CHECK_EQ(pt_walk(&c.walk, &at), 0);
		CHECK(c.walk.done);
		CHECK(list.nr <= whole.nr);
		list_exit(&list);
	}
	list_exit(&whole);
	guest_exit(&g);
}

static void walk_emit_fails(void)
{
	struct hlk_why_at at = {};
	struct collect c;
	struct list list;
	struct query q;
	struct guest g;
	u64 root;
	u64 pd;
	u32 i;

	guest_usual(&g, 0x48);
	pd = guest_frame(&g);
	root = pd << 12;
	for (i = 0; i < 5; i++)
		guest_map(&g, pd, i << 20, 0x200 + i, ALL, ALL);
	query_init(&q, &g, &root, 1);
	list_init(&list);
	list.err = -EFAULT;
	for (list.room = 0; list.room < 5; list.room++) {
		list.nr = 0;
		collect_init(&c, &q, &list);
		CHECK_EQ(pt_walk(&c.walk, &at), -EFAULT);
		CHECK_EQ(c.walk.done, false);
	}
	/* no room at all: the cursor stays at the first mapping */
	list.nr = 0;
	list.room = 0;
	list.err = 0;
	collect_init(&c, &q, &list);
	CHECK_EQ(pt_walk(&c.walk, &at), 0);
	CHECK_EQ(c.walk.done, false);
	CHECK_EQ(c.walk.cursor, 0);
	list_exit(&list);
	guest_exit(&g);
}

static void walk_signal(void)
{
	struct hlk_why_at at = {};
	struct collect c;
	struct list list;
	struct query q;
	struct guest g;
	u64 roots[2];

	guest_usual(&g, 0x48);
	roots[0] = guest_frame(&g) << 12;
	roots[1] = roots[0];
	guest_map(&g, roots[0] >> 12, 0x5000, guest_data(&g), ALL, ALL);
	query_init(&q, &g, roots, 2);
	list_init(&list);
	for (shim.signal_at = 1; shim.signal_at <= 2; shim.signal_at++) {
		shim.checks = 0;
		collect_init(&c, &q, &list);
		CHECK_EQ(pt_walk(&c.walk, &at), -EINTR);
		CHECK_EQ(c.walk.done, false);
	}
	shim.checks = 0;
	shim.signal_at = 0;
	collect_init(&c, &q, &list);
	CHECK_EQ(pt_walk(&c.walk, &at), 0);
	CHECK(shim.rescheds > 0);
	list_exit(&list);
	guest_exit(&g);
}

/* Each allocation and each read of the guest fails once. */
static void walk_fail_nth(void)
{
	struct hlk_why_at at = {};
	struct collect c;
	struct scatter s;
	struct list list;
	struct query q;
	struct guest g;
	long tries;
	int ret;

	scatter(&g, 100, &s);
	query_init(&q, &g, s.roots, s.nr_roots);
	q.mode = s.mode;
	list_init(&list);
	for (shim.fail_at = 1;; shim.fail_at++) {
		list.nr = 0;
		shim.tries = 0;
		collect_init(&c, &q, &list);
		ret = pt_walk(&c.walk, &at);
		tries = shim.tries;
		if (tries < shim.fail_at)
			break;
		CHECK_EQ(ret, -ENOMEM);
		CHECK_EQ(c.walk.done, false);
	}
	CHECK_EQ(ret, 0);
	CHECK(shim.fail_at > 3);
	shim.fail_at = 0;
	for (g.fail_get = 1;; g.fail_get++) {
		list.nr = 0;
		g.gets = 0;
		collect_init(&c, &q, &list);
		ret = pt_walk(&c.walk, &at);
		if (g.gets < g.fail_get)
			break;
		CHECK_EQ(ret, -EFAULT);
	}
	CHECK_EQ(ret, 0);
	list_exit(&list);
	guest_exit(&g);
}

static void walk_random(void)
{
	struct scatter s;
	struct query q;
	struct guest g;
	u32 seed;

	for (seed = 0; seed < 60 && !tap_failed(); seed++) {
		scatter(&g, 1000 + seed, &s);
		query_init(&q, &g, s.roots, s.nr_roots);
		q.mode = s.mode;
		check_walk(&q);
		q.start = guest_below(&g, 1 << 20) * 4096ULL;
		q.end = q.start + 4096ULL * (1 + guest_below(&g, (1 << 20) - q.start / 4096));
		check_walk(&q);
		if (tap_failed())
			printf("# seed %u\n", seed);
		guest_exit(&g);
	}
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(translate_kinds),
		TAP_TEST(translate_bounds),
		TAP_TEST(lines_of_a_table),
		TAP_TEST(translate_get_fails),
		TAP_TEST(translate_random),
		TAP_TEST(walk_merge),
		TAP_TEST(walk_large),
		TAP_TEST(walk_aliases),
		TAP_TEST(walk_self_map),
		TAP_TEST(walk_not_ram),
		TAP_TEST(walk_reserved),
		TAP_TEST(walk_limit),
		TAP_TEST(walk_bad_cursor),
		TAP_TEST(walk_emit_fails),
		TAP_TEST(walk_signal),
		TAP_TEST(walk_fail_nth),
		TAP_TEST(walk_random),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
