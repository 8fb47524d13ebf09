// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marking copy-on-write in place.
 */
#include "marking.h"
#include "scatter.h"
#include "tap.h"
#include "world.h"

#define RANDOM	300

static struct marking all_of(struct world *w, u32 nr_roots)
{
	return (struct marking){
		.guest = &w->g,
		.mode = { .wp = true, .pse = true, .maxphyaddr = 40 },
		.roots = w->roots,
		.nr_roots = nr_roots,
		.end = 1ULL << 32,
		.max_tables = 100,
	};
}

static u32 entry_of(struct world *w, u32 root, u32 va)
{
	struct mmu_cpu cpu = { w->roots[root], true, true, 40 };
	struct mmu_result t = mmu_translate(&w->g.mem, &cpu, va);

	return t.large ? t.pde : t.pte;
}

/* Each flag of a leaf: only W and the CoW bit change, and only if W was set. */
static void flags_of_leaves(void)
{
	struct marking m;
	struct world w;
	u32 flags;
	u32 want;

	world_init(&w, 0x48, 1);
	for (flags = 0; flags < 1024; flags++)
		guest_map(&w.g, w.pd[0], flags << 12, 0x300, flags << 1 | P, ALL);
	m = all_of(&w, 1);
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.marked, 512);
	CHECK_EQ(m.out.already, 256);
	CHECK_EQ(m.out.read_only, 256);
	CHECK_EQ(m.out.tables, 2);
	for (flags = 0; flags < 1024; flags++) {
		want = (flags << 1 | P) & 0xfff;
		if (want & W)
			want = (want & ~W) | COW;
		CHECK_EQ(entry_of(&w, 0, flags << 12) & 0xfff, want);
	}
	/* twice changes nothing */
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.marked, 0);
	CHECK_EQ(m.out.already, 768);
	CHECK_EQ(m.out.read_only, 256);
	CHECK_EQ(w.g.holds, 1);
	guest_exit(&w.g);
}

/* Down to the page, over the ends of slots; directory entries stay. */
static void ranges(void)
{
	static const struct {
		u64 start;
		u64 end;
		u64 marked;
	} cases[] = {
		{ 0, 1ULL << 32, 16 }, { 0x3fc000, 0x404000, 8 }, { 0x3ff000, 0x400000, 1 },
		{ 0x400000, 0x401000, 1 }, { 0x3fb000, 0x3fb000, 0 }, { 0, 0x3f8000, 0 },
		{ 0x408000, 1ULL << 32, 0 }, { 0x407000, 1ULL << 32, 1 }, { 0, 0x3f9000, 1 },
	};
	struct marking m;
	struct world w;
	u32 va;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		world_init(&w, 0x48, 1);
		for (va = 0x3f8000; va < 0x408000; va += 0x1000)
			map_data(&w, 0, va, ALL, ALL);
		m = all_of(&w, 1);
		m.start = cases[i].start;
		m.end = cases[i].end;
		CHECK_EQ(marking_check(&m), 0);
		CHECK_EQ(m.out.marked, cases[i].marked);
		for (va = 0x3f8000; va < 0x408000; va += 0x1000)
			CHECK_EQ(!(entry_of(&w, 0, va) & W),
				 va >= cases[i].start && va < cases[i].end);
		CHECK_EQ(guest_entry(&w.g, w.pd[0], 0) & 0xfff, ALL);
		guest_exit(&w.g);
	}
}

static void shared_tables_once(void)
{
	struct marking m;
	struct world w;
	u32 i;

	world_init(&w, 0x48, 3);
	for (i = 0; i < 5; i++)
		map_data(&w, 0, 0xc0000000 + (i << 12), P | W, ALL);
	guest_set(&w.g, w.pd[0], 5, guest_entry(&w.g, w.pd[0], 768));
	guest_set(&w.g, w.pd[1], 768, guest_entry(&w.g, w.pd[0], 768));
	w.roots[2] = w.roots[0] | PCD | PWT;	/* repeated, with flags */
	m = all_of(&w, 3);
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.marked, 5);
	CHECK_EQ(m.out.tables, 3);
	/* the part of one slot and the part of another come together */
	CHECK_EQ(w.g.holds, 1);
	guest_exit(&w.g);

	world_init(&w, 0x48, 1);
	for (i = 0; i < 4; i++)
		map_data(&w, 0, 0x3fe000 + (i << 12), P | W, ALL);
	guest_set(&w.g, w.pd[0], 1, guest_entry(&w.g, w.pd[0], 0));
	map_data(&w, 0, 0x400000, P | W, ALL);
	m = all_of(&w, 1);
	m.start = 0x3ff000;
	m.end = 0x401000;
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.marked, 2);
	guest_exit(&w.g);
}

/* Tables that the guest writes where they are */
static void live_tables(void)
{
	struct marking m;
	struct world w;
	u64 table;
	u32 i;

	world_init(&w, 0x48, 2);
	guest_set(&w.g, w.pd[0], 1022, w.pd[0] << 12 | P | W);	/* itself */
	table = guest_map(&w.g, w.pd[0], 0x1000, guest_data(&w.g), P | W, ALL);
	guest_map(&w.g, w.pd[0], 0x2000, table, P | W, ALL);
	guest_map(&w.g, w.pd[0], 0x3000, w.pd[0], P | W, ALL);
	guest_map(&w.g, w.pd[0], 0x4000, w.pd[1], P | W, ALL);
	guest_map(&w.g, w.pd[0], 0x5000, table, P, ALL);
	/* a table of the other root, of a slot that is out of the range */
	map_data(&w, 1, 0xe0000000, P | W, ALL);
	guest_map(&w.g, w.pd[0], 0x6000, guest_entry(&w.g, w.pd[1], 0xe0000000 >> 22) >> 12,
		  P | W, ALL);
	m = all_of(&w, 2);
	m.end = 0x10000;
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.marked, 1);
	CHECK_EQ(m.out.live, 4);
	CHECK_EQ(m.out.read_only, 1);
	CHECK_EQ(m.out.tables, 4);
	for (i = 2; i < 7; i++)
		CHECK_EQ(!!(entry_of(&w, 0, i << 12) & W), i != 5);
	/* the self map as a range: directory entries are no leaves */
	m.start = 1022ULL << 22;
	m.end = 1023ULL << 22;
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.marked, 0);
	guest_exit(&w.g);
}

static void large_pages(void)
{
	struct marking m;
	struct world w;

	world_init(&w, 0x48, 1);
	guest_ram(&w.g, 0x400, 0xc00);
	guest_ram(&w.g, 0x100000, 0x400);
	guest_set(&w.g, w.pd[0], 1, guest_large(0x400, ALL | G));
	guest_set(&w.g, w.pd[0], 2, guest_large(0x800, P | U));
	guest_set(&w.g, w.pd[0], 3, guest_large(0x8000, ALL));		/* no memory */
	guest_set(&w.g, w.pd[0], 4, guest_large(0, ALL));	/* the tables are in it */
	guest_set(&w.g, w.pd[0], 5, guest_large(0x100000, ALL));
	guest_set(&w.g, w.pd[0], 6, guest_large(0xc00, ALL | COW));
	m = all_of(&w, 1);
	m.start = 0x7ff000;	/* one page of it is enough */
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.marked, 3);
	CHECK_EQ(m.out.read_only, 1);
	/* page 0 is no memory, so of the pages of tables all but one */
	CHECK_EQ(m.out.not_ram, 2);
	CHECK_EQ(m.out.live, 0);
	CHECK_EQ(entry_of(&w, 0, 0x400000), guest_large(0x400, P | U | G | COW));
	CHECK_EQ(entry_of(&w, 0, 0x1400000), guest_large(0x100000, P | U | COW));
	guest_ram(&w.g, 0, 1);
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.live, 1);
	CHECK_EQ(m.out.already, 3);

	/* without CR4.PSE these are tables, and those that are memory are read */
	m.mode.pse = false;
	CHECK_EQ(marking_check(&m), 0);
	guest_exit(&w.g);
}

static void outside_memory(void)
{
	struct marking m;
	struct world w;

	world_init(&w, 0x48, 1);
	map_data(&w, 0, 0x1000, ALL, ALL);
	guest_map(&w.g, w.pd[0], 0x2000, NOTHING, ALL, ALL);
	guest_map(&w.g, w.pd[0], 0x3000, NOTHING, P, ALL);
	guest_set(&w.g, w.pd[0], 9, NOTHING << 12 | ALL);
	guest_set(&w.g, w.pd[0], 10, 0xfffffffe);	/* not present */
	m = all_of(&w, 1);
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.marked, 1);
	CHECK_EQ(m.out.not_ram, 1);
	CHECK_EQ(m.out.read_only, 1);
	CHECK_EQ(m.out.tables, 2);
	guest_exit(&w.g);
}

/* Whatever fails, and however late: no entry has changed. */
static void errors_change_nothing(void)
{
	struct marking m;
	struct world w;
	u32 i;

	world_init(&w, 0x48, 3);
	for (i = 0; i < 3; i++)
		map_data(&w, i, i << 22, ALL, ALL);
	m = all_of(&w, 3);
	w.roots[2] = NOTHING << 12 | PCD;
	CHECK_EQ(marking_check(&m), -ENODEV);
	CHECK_EQ(m.at.why, HLK_WHY_ROOT_NOT_RAM);
	CHECK_EQ(m.at.index, 2);
	CHECK_EQ(m.at.where, NOTHING << 12);
	w.roots[2] = w.pd[2] << 12;

	guest_set(&w.g, w.pd[2], 1000, guest_large(0x400, ALL) | 1 << 21);
	CHECK_EQ(marking_check(&m), -EINVAL);
	CHECK_EQ(m.at.index, 2);
	CHECK_EQ(m.at.where, 1000ULL << 22);
	guest_set(&w.g, w.pd[2], 1000, 0);

	for (i = 0; i < 6; i++) {
		m.max_tables = i;
		CHECK_EQ(marking_check(&m), -EDQUOT);
		CHECK_EQ(m.at.why, HLK_WHY_TOO_MANY_TABLES);
	}
	m.max_tables = 6;

	for (i = 1; i <= 3; i++) {
		w.g.holds = 0;
		w.g.fail_hold = i;
		w.g.hold_error = -EACCES;
		CHECK_EQ(marking_check(&m), -EACCES);
		CHECK_EQ(m.at.why, HLK_WHY_READ_ONLY);
		w.g.holds = 0;
		w.g.hold_error = -EDQUOT;
		CHECK_EQ(marking_check(&m), -EDQUOT);
		CHECK_EQ(m.at.why, HLK_WHY_BUDGET);
	}
	w.g.fail_hold = 0;
	CHECK_EQ(marking_check(&m), 0);
	CHECK_EQ(m.out.marked, 3);
	guest_exit(&w.g);
}

static struct marking of_scatter(struct guest *g, const struct scatter *s)
{
	struct marking m = {
		.guest = g,
		.mode = s->mode,
		.roots = s->roots,
		.nr_roots = s->nr_roots,
		.end = 1ULL << 32,
		.max_tables = 10000,
	};

	if (guest_chance(g, 50)) {
		m.start = (u64)guest_below(g, 1 << 12) << 12;
		m.end = m.start + ((u64)guest_below(g, 1 << 11) << 12);
	}
	return m;
}

static void fail_nth(void)
{
	struct scatter s;
	struct marking m;
	struct guest g;
	u64 seed;
	long n;
	int err;

	for (seed = 1; seed < 12; seed++) {
		err = -ENOMEM;
		for (n = 1; err == -ENOMEM; n++) {
			scatter(&g, seed, &s);
			m = of_scatter(&g, &s);
			shim.tries = 0;
			shim.fail_at = n;
			err = marking_go(&m);
			shim.fail_at = 0;
			if (err == -ENOMEM)
				CHECK_EQ(g.held, 0);
			guest_exit(&g);
		}
	}
}

/* A page that cannot be had, or a signal, at each step: nothing has changed. */
static void interrupted(void)
{
	struct scatter s;
	struct marking m;
	struct guest g;
	u64 before;
	long n;
	int err;

	for (n = 1, err = -1; err; n++) {
		scatter(&g, 3, &s);
		m = of_scatter(&g, &s);
		before = guest_hash(&g);
		shim.checks = 0;
		shim.signal_at = n;
		err = marking_go(&m);
		shim.signal_at = 0;
		if (err) {
			CHECK_EQ(err, -EINTR);
			CHECK_EQ(guest_hash(&g), before);
		}
		guest_exit(&g);
	}
	CHECK(n > 3);
	for (n = 1, err = -1; err; n++) {
		scatter(&g, 3, &s);
		m = of_scatter(&g, &s);
		g.gets = 0;
		g.fail_get = n;
		before = guest_hash(&g);
		err = marking_go(&m);
		g.fail_get = 0;
		if (err) {
			CHECK_EQ(err, -EFAULT);
			CHECK_EQ(guest_hash(&g), before);
		}
		guest_exit(&g);
	}
	CHECK(n > 3);
}

/* Somebody rewrites entries between the look and the mark: theirs stay. */
static void meddle_entry(struct guest *g, u64 gfn)
{
	u32 nr;

	for (nr = 0; nr < 8; nr++)
		if (guest_chance(g, 30))
			guest_set(g, gfn, nr, guest_random(g));
}

static void rewritten_meanwhile(void)
{
	struct scatter s;
	struct marking m;
	struct guest g;
	u64 seed;
	int err;

	for (seed = 1; seed < 100; seed++) {
		scatter(&g, seed, &s);
		m = of_scatter(&g, &s);
		g.meddle = meddle_entry;
		err = marking_go(&m);
		CHECK(!err || err == -EINVAL);
		guest_exit(&g);
	}
}

/* A 4 MiB entry becomes one that names a table: that is not to be marked. */
static void meddle_directory(struct guest *g, u64 gfn)
{
	if (g->gets == 2)
		guest_set(g, gfn, 1, 0x800 << 12 | P | W);
}

static void directory_rewritten_meanwhile(void)
{
	struct marking m;
	struct world w;

	world_init(&w, 0x48, 1);
	guest_ram(&w.g, 0x400, 0x800);
	guest_set(&w.g, w.pd[0], 1, guest_large(0x400, ALL));
	m = all_of(&w, 1);
	w.g.meddle = meddle_directory;
	CHECK_EQ(marking_go(&m), 0);
	CHECK_EQ(w.g.gets, 2);
	CHECK_EQ(guest_entry(&w.g, w.pd[0], 1), 0x800 << 12 | P | W);
	CHECK_EQ(m.out.marked, 0);
	guest_exit(&w.g);
}

static void marks_random_guests(void)
{
	const char *env = getenv("ROUNDS");
	u64 rounds = env ? strtoull(env, NULL, 0) : RANDOM;
	u64 marked = 0;
	struct scatter s;
	struct marking m;
	struct guest g;
	u64 seed;
	int err;

	for (seed = 1; seed <= rounds && !tap_failed(); seed++) {
		scatter(&g, seed, &s);
		m = of_scatter(&g, &s);
		err = marking_check(&m);
		marked += m.out.marked;
		if (!err) {
			CHECK_EQ(marking_check(&m), 0);
			CHECK_EQ(m.out.marked, 0);
		}
		guest_exit(&g);
		if (tap_failed())
			printf("# SEED=%llu\n", seed);
	}
	printf("# %llu leaves marked\n", marked);
	CHECK(marked > rounds);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(flags_of_leaves),
		TAP_TEST(ranges),
		TAP_TEST(shared_tables_once),
		TAP_TEST(live_tables),
		TAP_TEST(large_pages),
		TAP_TEST(outside_memory),
		TAP_TEST(errors_change_nothing),
		TAP_TEST(fail_nth),
		TAP_TEST(interrupted),
		TAP_TEST(rewritten_meanwhile),
		TAP_TEST(directory_rewritten_meanwhile),
		TAP_TEST(marks_random_guests),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
