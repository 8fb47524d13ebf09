// SPDX-License-Identifier: GPL-2.0-only
/*
 * pt_translate(), pt_walk() and pt_mark() over tables of 64-bit entries, against the second
 * walker. PT_GUESTS= is how many random guests of each format, from PT_SEED= on.
 */
#include "mazed.h"
#include "tap.h"
#include "walking.h"

#define P	0x001ULL
#define W	0x002ULL
#define U	0x004ULL
#define PS	0x080ULL
#define COW	0x200ULL
#define XD	BIT_ULL(63)
#define ALL	(P | W | U)

static u64 number(const char *name, u64 otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

static u64 end_of(enum sdm_paging paging)
{
	return paging == SDM_PAE ? 1ULL << 32 : paging == SDM_4LEVEL ? 1ULL << 48 : 1ULL << 57;
}

struct probe {
	struct mazed *m;
	u32 root;
};

/* An address of the entry, its neighbours, and the borders of what it is for */
static bool probe_visit(void *with, int level, __u64 linear, const struct sdm_result *t)
{
	struct probe *p = with;
	enum sdm_paging paging = p->m->cpu.paging;
	u64 span = 1ULL << sdm_shift(level);
	u64 most = end_of(paging) - 1;
	u64 at[] = { linear, linear + span - 1, linear - 1, linear + span,
		     linear + guest_random(&p->m->g) % span, linear + 4096, linear + span - 4097 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(at); i++)
		mazed_translate(p->m, p->root, sdm_canonical(paging, at[i] & most));
	return t->level < level && !tap_failed();
}

static void one_guest(enum sdm_paging paging, u64 seed)
{
	struct hlk_mark_cow out;
	struct mazed m;
	struct probe p = { .m = &m };
	u64 most = end_of(paging);
	u64 start;
	u64 end;
	u32 i;

	mazed_init(&m, paging, seed, NULL, 0, seed % 3 == 0);
	for (p.root = 0; p.root < MAZE_ROOTS && !tap_failed(); p.root++) {
		m.cpu.cr3 = m.roots[p.root];
		maze_visit(&m.mem, &m.cpu, probe_visit, &p);
		for (i = 0; i < 100; i++)
			mazed_translate(&m, p.root, guest_random(&m.g) >> guest_below(&m.g, 64));
	}
	mazed_walk(&m, MAZE_ROOTS, 0, most);
	for (i = 0; i < 2; i++) {
		/* near each other or not, at borders or not */
		start = (guest_random(&m.g) & (most - 1)) >> guest_below(&m.g, 45) & ~4095ULL;
		end = start + (4096ULL << guest_below(&m.g, 46));
		if (guest_chance(&m.g, 30))
			start &= ~((1ULL << 30) - 1);
		if (end > most)
			end = most;
		mazed_walk(&m, MAZE_ROOTS, start, end);
		mazed_mark(&m, 1 + guest_below(&m.g, MAZE_ROOTS), start, end, &out);
	}
	mazed_mark(&m, MAZE_ROOTS, 0, most, &out);
	/* twice changes nothing */
	if (!mazed_mark(&m, MAZE_ROOTS, 0, most, &out))
		CHECK_EQ(out.marked, 0);
	mazed_exit(&m);
}

static void guests(enum sdm_paging paging)
{
	u64 seed = number("PT_SEED", 1);
	u64 last = seed + number("PT_GUESTS", 60);

	for (; seed < last && !tap_failed(); seed++) {
		one_guest(paging, seed);
		if (tap_failed())
			printf("# seed %llu\n", (unsigned long long)seed);
	}
}

static void random_pae(void)
{
	guests(SDM_PAE);
}

static void random_4level(void)
{
	guests(SDM_4LEVEL);
}

static void random_5level(void)
{
	guests(SDM_5LEVEL);
}

/* A guest of a few tables, with registers that allow all */
static void plain(struct mazed *m, enum sdm_paging paging)
{
	u32 i;
	u32 nr;

	mazed_init(m, paging, 1, NULL, 0, false);
	for (i = 0; i < MAZE_TABLES; i++)
		for (nr = 0; nr < 512; nr++)
			mazed_set(m, MAZED_FIRST + i, nr, 0);
	m->cpu = (struct sdm_cpu){ .paging = paging, .wp = true, .nxe = true,
				   .maxphyaddr = 46 };
	for (i = 0; i < MAZE_ROOTS; i++)
		m->roots[i] = (MAZED_FIRST + i) << 12;
	mazed_mode(m);
}

static u64 table(u32 nr, u64 flags)
{
	return (MAZED_FIRST + nr) << 12 | flags;
}

/* Root 0 leads through tables 3, 4, ... to one of 4 KiB pages, which is returned. */
static u32 chain(struct mazed *m, u64 flags)
{
	u32 levels = sdm_levels(m->cpu.paging);
	u32 i;

	for (i = 0; i < levels - 1; i++)
		mazed_set(m, MAZED_FIRST + (i ? 2 + i : 0), 0,
			  table(3 + i, i || m->cpu.paging != SDM_PAE ? flags : P));
	return levels + 1;
}

/* Each bit of each level by itself, with each register that gives it a meaning */
static void each_bit(void)
{
	enum sdm_paging paging;
	struct mazed m;
	u32 levels;
	u64 was;
	u32 regs;
	u32 bit;
	u32 i;

	for (paging = SDM_PAE; paging <= SDM_5LEVEL; paging++) {
		plain(&m, paging);
		levels = sdm_levels(paging);
		mazed_set(&m, MAZED_FIRST + chain(&m, ALL), 0, 0x5000 | ALL);
		for (regs = 0; regs < 256 && !tap_failed(); regs++) {
			m.cpu.wp = regs & 1;
			m.cpu.nxe = regs & 2;
			m.cpu.smep = regs & 4;
			m.cpu.smap = regs & 4;
			m.cpu.pke = regs & 8;
			m.cpu.pks = regs & 8;
			m.cpu.no_1g = regs & 16;
			m.cpu.amd = regs & 32;
			m.cpu.maxphyaddr = regs & 64 ? 52 : 36;
			m.cpu.pkru = regs & 128 ? 0x55555555 : 0xaaaaaaaa;
			m.cpu.pkrs = ~m.cpu.pkru;
			mazed_mode(&m);
			for (i = 0; i < levels; i++) {
				u64 frame = MAZED_FIRST + (i ? 2 + i : 0);

				was = mazed_entry(&m, frame, 0);
				for (bit = 0; bit < 64; bit++) {
					mazed_set(&m, frame, 0, was ^ 1ULL << bit);
					mazed_translate(&m, 0, 0x123);
					mazed_set(&m, frame, 0, (was ^ 1ULL << bit) & ~U);
					mazed_translate(&m, 0, 0x123);
				}
				mazed_set(&m, frame, 0, was);
			}
			mazed_walk(&m, 1, 0, end_of(paging));
		}
		mazed_exit(&m);
	}
}

/* Each of the sixteen keys with each of what a key's two bits can be */
static void each_key(void)
{
	struct mazed m;
	u32 leaf;
	u32 key;
	u32 i;

	plain(&m, SDM_4LEVEL);
	leaf = chain(&m, ALL);
	m.cpu.pke = true;
	m.cpu.pks = true;
	for (key = 0; key < 16; key++) {
		for (i = 0; i < 32; i++) {
			m.cpu.pkru = (i & 3) << 2 * key;
			m.cpu.pkrs = (i >> 2 & 3) << 2 * key;
			m.cpu.wp = i & 16;
			mazed_mode(&m);
			mazed_set(&m, MAZED_FIRST + leaf, 0, 0x5000 | ALL | (u64)key << 59);
			mazed_set(&m, MAZED_FIRST + leaf, 1, 0x6000 | P | W | (u64)key << 59);
			mazed_translate(&m, 0, 0);
			mazed_translate(&m, 0, 0x1000);
		}
	}
	mazed_exit(&m);
}

/* Where addresses of 64 bits have their gap */
static void halves(void)
{
	enum sdm_paging paging;
	struct mazed m;
	u64 start;
	u64 half;
	u64 end;

	for (paging = SDM_4LEVEL; paging <= SDM_5LEVEL; paging++) {
		plain(&m, paging);
		half = end_of(paging) / 2;
		CHECK_EQ(pt_range(m.mode.format, 0, 0, &start, &end), 0);
		CHECK_EQ(start, 0);
		CHECK_EQ(end, 2 * half);
		CHECK_EQ(pt_range(m.mode.format, half - 4096, -half + 4096, &start, &end), 0);
		CHECK_EQ(start, half - 4096);
		CHECK_EQ(end, half + 4096);
		CHECK_EQ(pt_range(m.mode.format, half, -half, &start, &end), 0);
		CHECK_EQ(start, half);
		CHECK_EQ(end, half);
		CHECK_EQ(pt_range(m.mode.format, half * 2, -8192ULL, &start, &end), 0);
		CHECK_EQ(start, half);
		CHECK_EQ(end, 2 * half - 8192);
		CHECK_EQ(pt_range(m.mode.format, -4096ULL, 0, &start, &end), 0);
		CHECK_EQ(start, 2 * half - 4096);
		CHECK_EQ(pt_range(m.mode.format, 4096, 4096, &start, &end), -EINVAL);
		/* runs of pages go on to the border, and begin anew behind it */
		mazed_set(&m, MAZED_FIRST, 255, table(3, ALL));
		mazed_set(&m, MAZED_FIRST, 256, table(4, ALL));
		mazed_set(&m, MAZED_FIRST + 3, 511, PS | ALL);
		mazed_set(&m, MAZED_FIRST + 4, 0, 1ULL << 30 | PS | ALL);
		if (paging == SDM_5LEVEL) {
			mazed_set(&m, MAZED_FIRST + 3, 511, table(5, ALL));
			mazed_set(&m, MAZED_FIRST + 4, 0, table(6, ALL));
			mazed_set(&m, MAZED_FIRST + 5, 511, PS | ALL);
			mazed_set(&m, MAZED_FIRST + 6, 0, 1ULL << 30 | PS | ALL);
		}
		CHECK(mazed_walk(&m, 1, 0, 2 * half) >= 4);
		mazed_walk(&m, 1, half - 8192, half + 8192);
		mazed_walk(&m, 1, half, half + 8192);
		mazed_translate(&m, 0, half - 1);
		mazed_translate(&m, 0, half);
		mazed_translate(&m, 0, -half);
		mazed_translate(&m, 0, -half - 1);
		mazed_translate(&m, 0, ~0ULL);
		mazed_exit(&m);
	}
}

/* A table that each of its entries leads back to: one of every level, met once at each */
static void loops(void)
{
	enum sdm_paging paging;
	struct hlk_mark_cow out;
	struct hlk_why_at at = {};
	struct pt_mark mark;
	struct mazed m;
	u32 i;

	for (paging = SDM_4LEVEL; paging <= SDM_5LEVEL; paging++) {
		plain(&m, paging);
		for (i = 0; i < 512; i++)
			mazed_set(&m, MAZED_FIRST, i, table(0, ALL));
		CHECK_EQ(mazed_walk(&m, 1, 0, end_of(paging)),
			 512 + 511 * (sdm_levels(paging) - 1));
		/* ways that the oracle would not come to the end of */
		memset(&out, 0, sizeof(out));
		mark = (struct pt_mark){ .gmem = &m.g.gmem, .mode = m.mode, .roots = m.roots,
					 .nr_roots = 1, .end = end_of(paging),
					 .max_tables = 1, .out = &out };
		CHECK_EQ(pt_mark(&mark, &at), 0);
		CHECK_EQ(out.tables, 1);
		CHECK_EQ(out.marked, 0);
		/* and what Windows and others do: one entry */
		for (i = 1; i < 512; i++)
			mazed_set(&m, MAZED_FIRST, i, 0);
		mazed_set(&m, MAZED_FIRST, 0, table(0, P | W));
		mazed_set(&m, MAZED_FIRST, 5, table(3, ALL));
		mazed_set(&m, MAZED_FIRST + 3, 5, table(4, ALL));
		mazed_set(&m, MAZED_FIRST + 4, 5, table(5, ALL));
		mazed_set(&m, MAZED_FIRST + 5, 5,
			  paging == SDM_5LEVEL ? table(6, ALL) : 0x7000 | ALL);
		mazed_set(&m, MAZED_FIRST + 6, 5, 0x7000 | ALL);
		mazed_walk(&m, 1, 0, end_of(paging));
		CHECK_EQ(mazed_mark(&m, 1, 0, end_of(paging), &out), 0);
		CHECK_EQ(out.marked, 1);
		mazed_exit(&m);
	}
}

/* All of the levels' ways to one page: countless, and marked as soon as one of them is in */
static void countless_ways(void)
{
	struct hlk_mark_cow out;
	struct mazed m;
	u64 start;
	u32 last;
	u32 i;
	u32 nr;

	plain(&m, SDM_5LEVEL);
	last = chain(&m, ALL);
	for (i = 0; i < last; i = i ? i + 1 : 3)
		for (nr = 0; nr < 512; nr++)
			mazed_set(&m, MAZED_FIRST + i, nr, table(i ? i + 1 : 3, ALL));
	for (nr = 0; nr < 512; nr++)
		mazed_set(&m, MAZED_FIRST + last, nr, (nr % 64) << 12 | ALL);
	for (i = 0; i < 40; i++) {
		struct pt_mark mark = { .gmem = &m.g.gmem, .mode = m.mode, .roots = m.roots,
					.nr_roots = 1, .max_tables = 10, .out = &out };
		struct hlk_why_at at = {};
		u64 pages = guest_below(&m.g, 600);
		u32 want = 0;

		for (nr = 0; nr < 512; nr++)
			mazed_set(&m, MAZED_FIRST + last, nr, (nr % 64) << 12 | ALL);
		start = guest_random(&m.g) & (end_of(SDM_5LEVEL) / 2 - 1) & ~4095ULL;
		memset(&out, 0, sizeof(out));
		mark.start = start;
		mark.end = start + (pages << 12);
		CHECK_EQ(pt_mark(&mark, &at), 0);
		for (nr = 0; nr < 512; nr++)
			want += ((nr - (start >> 12)) & 511) < pages;
		CHECK_EQ(out.marked, want);
		CHECK_EQ(out.tables, 5);
	}
	/* the walk: a table a level, and as many aliases as there are entries */
	{
		struct query q = { .g = &m.g, .roots = m.roots, .nr_roots = 1,
				   .end = end_of(SDM_5LEVEL), .pt = &m.mode };
		struct list list;
		u64 tables;

		CHECK_EQ(walk_all(&q, &list, &tables), 0);
		CHECK_EQ(tables, 4);
		CHECK(list.nr >= 4 * 511);
		list_exit(&list);
	}
	mazed_exit(&m);
}

/* What the processor holds counts, not what memory has meanwhile. */
static void pdptrs(void)
{
	struct hlk_mark_cow out;
	struct mazed m;
	u32 leaf;
	u32 i;

	plain(&m, SDM_PAE);
	leaf = chain(&m, ALL);
	mazed_set(&m, MAZED_FIRST + leaf, 0, 0x5000 | ALL | XD);
	m.cpu.loaded = true;
	for (i = 0; i < 4; i++) {
		memset(m.cpu.pdptr, 0, sizeof(m.cpu.pdptr));
		m.cpu.pdptr[i] = table(3, P);
		mazed_mode(&m);
		mazed_translate(&m, 0, 0);
		mazed_translate(&m, 0, (u64)i << 30);
		mazed_walk(&m, 1, 0, 1ULL << 32);
	}
	CHECK_EQ(mazed_mark(&m, 1, 0, 1ULL << 32, &out), 0);
	CHECK_EQ(out.marked, 1);
	m.cpu.loaded = false;
	mazed_mode(&m);
	mazed_translate(&m, 0, 0);
	/* the page of the pointers as a directory, and as a table */
	mazed_set(&m, MAZED_FIRST, 1, table(0, P));
	mazed_set(&m, MAZED_FIRST, 2, table(3, P));
	mazed_set(&m, MAZED_FIRST, 7, table(8, ALL));
	mazed_set(&m, MAZED_FIRST + 8, 3, 0x9000 | ALL);
	mazed_set(&m, MAZED_FIRST + 3, 4, table(0, ALL));
	mazed_set(&m, MAZED_FIRST, 9, 0x8000 | ALL);
	mazed_walk(&m, 1, 0, 1ULL << 32);
	CHECK_EQ(mazed_mark(&m, 1, 0, 1ULL << 32, &out), 0);
	mazed_exit(&m);
}

/* Pages of different sizes that follow each other are two runs. */
static void sizes(void)
{
	struct mazed m;

	plain(&m, SDM_4LEVEL);
	mazed_set(&m, MAZED_FIRST, 0, table(3, ALL));
	mazed_set(&m, MAZED_FIRST + 3, 0, table(4, ALL));
	mazed_set(&m, MAZED_FIRST + 3, 1, 1ULL << 30 | PS | ALL);
	mazed_set(&m, MAZED_FIRST + 4, 511, 511ULL << 21 | PS | ALL);
	/* no memory, memory of both, no memory */
	CHECK_EQ(mazed_walk(&m, 1, 0, end_of(SDM_4LEVEL)), 4);
	mazed_exit(&m);
}

/* Large pages are marked as one, whatever of them is in the range; all else stays. */
static void mark_large(void)
{
	struct hlk_mark_cow out;
	struct mazed m;
	u32 i;

	plain(&m, SDM_4LEVEL);
	guest_ram(&m.g, 1 << 18, 1 << 18);
	mazed_set(&m, MAZED_FIRST, 0, table(3, ALL));
	mazed_set(&m, MAZED_FIRST + 3, 0, 1ULL << 30 | PS | ALL | XD | 5ULL << 59 | 0x1958);
	mazed_set(&m, MAZED_FIRST + 3, 1, table(4, ALL));
	for (i = 0; i < 4; i++)
		mazed_set(&m, MAZED_FIRST + 4, i, 1ULL << 30 | (u64)i << 21 | PS | ALL | XD);
	CHECK_EQ(mazed_mark(&m, 1, 0x3ffff000, 0x40001000, &out), 0);
	CHECK_EQ(out.marked, 2);
	CHECK_EQ(mazed_entry(&m, MAZED_FIRST + 3, 0),
		 1ULL << 30 | PS | P | U | XD | 5ULL << 59 | 0x1958 | COW);
	CHECK_EQ(mazed_mark(&m, 1, 0x40200000, 0x40201000, &out), 0);
	CHECK_EQ(out.marked, 1);
	CHECK_EQ(mazed_entry(&m, MAZED_FIRST + 4, 2), (1ULL << 30 | 2ULL << 21 | PS | ALL | XD));
	mazed_exit(&m);
}

/* Modes that no processor has */
static void modes(void)
{
	static const struct {
		u32 flags;
		u32 maxphyaddr;
		enum hlk_why why;
	} bad[] = {
		{ HLK_PAGING_LONG, 0, HLK_WHY_FLAGS },
		{ HLK_PAGING_PAE | HLK_PAGING_LA57, 0, HLK_WHY_FLAGS },
		{ HLK_PAGING_PDPTRS, 0, HLK_WHY_FLAGS },
		{ HLK_PAGING_PDPTRS | HLK_PAGING_PAE | HLK_PAGING_LONG, 0, HLK_WHY_FLAGS },
		{ 0, 41, HLK_WHY_GPA_RANGE },
		{ HLK_PAGING_PAE, 53, HLK_WHY_GPA_RANGE },
		{ HLK_PAGING_PAE | HLK_PAGING_LONG, 31, HLK_WHY_GPA_RANGE },
	};
	struct hlk_paging paging = {};
	struct hlk_why_at at = {};
	struct pt_mode mode;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		paging.flags = bad[i].flags;
		paging.maxphyaddr = bad[i].maxphyaddr;
		CHECK_EQ(pt_mode_init(&mode, &paging, &at), -EINVAL);
		CHECK_EQ(at.why, bad[i].why);
	}
}

static void limit(void)
{
	struct hlk_mark_cow out;
	struct hlk_why_at at = {};
	struct collect c;
	struct mazed m;
	struct list list;
	struct query q = { .g = &m.g, .nr_roots = 1, .end = end_of(SDM_4LEVEL), .pt = &m.mode };
	struct pt_mark mark = { .nr_roots = 1, .end = end_of(SDM_4LEVEL), .out = &out };

	plain(&m, SDM_4LEVEL);
	mazed_set(&m, MAZED_FIRST + chain(&m, ALL), 0, 0x5000 | ALL);
	mazed_set(&m, MAZED_FIRST, 511, table(9, ALL));
	q.roots = m.roots;
	list_init(&list);
	collect_init(&c, &q, &list);
	c.walk.max_tables = 4;
	CHECK_EQ(pt_walk(&c.walk, &at), 0);
	collect_init(&c, &q, &list);
	c.walk.max_tables = 3;
	CHECK_EQ(pt_walk(&c.walk, &at), -EDQUOT);
	CHECK_EQ(at.why, HLK_WHY_TOO_MANY_TABLES);
	CHECK_EQ(at.where, 0xffffff8000000000);
	list_exit(&list);
	mark.gmem = &m.g.gmem;
	mark.mode = m.mode;
	mark.roots = m.roots;
	mark.max_tables = 4;
	memset(&at, 0, sizeof(at));
	CHECK_EQ(pt_mark(&mark, &at), -EDQUOT);
	CHECK_EQ(at.why, HLK_WHY_TOO_MANY_TABLES);
	mark.max_tables = 5;
	CHECK_EQ(pt_mark(&mark, &at), 0);
	mazed_exit(&m);
}

/* Any cursor ends, and reports only what is there. */
static void any_cursor(void)
{
	enum sdm_paging paging;
	struct hlk_why_at at;
	struct collect c;
	struct list list;
	struct mazed m;
	u32 whole;
	u32 i;

	for (paging = SDM_PAE; paging <= SDM_5LEVEL; paging++) {
		mazed_init(&m, paging, 4711, NULL, 0, false);
		whole = mazed_walk(&m, MAZE_ROOTS, 0, end_of(paging));
		for (i = 0; i < 200; i++) {
			struct query q = { .g = &m.g, .roots = m.roots, .nr_roots = MAZE_ROOTS,
					   .end = end_of(paging), .pt = &m.mode };

			list_init(&list);
			collect_init(&c, &q, &list);
			c.walk.cursor = guest_random(&m.g) >> guest_below(&m.g, 64);
			if (paging == SDM_PAE)
				c.walk.cursor &= ~4095ULL;
			CHECK_EQ(pt_walk(&c.walk, &at), 0);
			CHECK(c.walk.done);
			CHECK(list.nr <= whole);
			list_exit(&list);
		}
		mazed_exit(&m);
	}
}

/* Each allocation, each read and each hold fails once; a signal comes at each question. */
static void fail_nth(void)
{
	struct hlk_mark_cow out;
	struct hlk_why_at at;
	struct collect c;
	struct mazed m;
	struct list list;
	struct query q = { .g = &m.g, .nr_roots = 2, .end = end_of(SDM_4LEVEL), .pt = &m.mode };
	struct pt_mark mark = { .nr_roots = 2, .end = end_of(SDM_4LEVEL), .max_tables = 100,
				.out = &out };
	long *const fails[] = { &shim.fail_at, &shim.signal_at, &m.g.fail_get, &m.g.fail_hold };
	const int errors[] = { -ENOMEM, -EINTR, -EFAULT, -EACCES };
	u64 before;
	u32 kind;
	int ret;

	mazed_init(&m, SDM_4LEVEL, 5, NULL, 0, false);
	q.roots = m.roots;
	mark.gmem = &m.g.gmem;
	mark.mode = m.mode;
	mark.roots = m.roots;
	m.g.hold_error = -EACCES;
	list_init(&list);
	for (kind = 0; kind < 3; kind++) {
		for (*fails[kind] = 1;; ++*fails[kind]) {
			list.nr = 0;
			shim.tries = 0;
			shim.checks = 0;
			m.g.gets = 0;
			collect_init(&c, &q, &list);
			ret = pt_walk(&c.walk, &at);
			if (!ret)
				break;
			CHECK_EQ(ret, errors[kind]);
			CHECK_EQ(c.walk.done, false);
		}
		CHECK(*fails[kind] > 4);
		*fails[kind] = 0;
	}
	list_exit(&list);
	before = guest_hash(&m.g);
	for (kind = 0; kind < 4; kind++) {
		for (*fails[kind] = 1; *fails[kind] < 1000; ++*fails[kind]) {
			memset(&out, 0, sizeof(out));
			shim.tries = 0;
			shim.checks = 0;
			m.g.gets = 0;
			m.g.holds = 0;
			ret = pt_mark(&mark, &at);
			if (!ret)
				break;
			CHECK_EQ(ret, errors[kind]);
			CHECK_EQ(guest_hash(&m.g), before);
		}
		CHECK_EQ(ret, 0);
		CHECK(*fails[kind] > 2);
		*fails[kind] = 0;
		/* it was marked: once more with what it was */
		mazed_exit(&m);
		mazed_init(&m, SDM_4LEVEL, 5, NULL, 0, false);
		m.g.hold_error = -EACCES;
		CHECK_EQ(guest_hash(&m.g), before);
	}
	mazed_exit(&m);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(modes),
		TAP_TEST(each_bit),
		TAP_TEST(each_key),
		TAP_TEST(halves),
		TAP_TEST(loops),
		TAP_TEST(countless_ways),
		TAP_TEST(pdptrs),
		TAP_TEST(sizes),
		TAP_TEST(mark_large),
		TAP_TEST(limit),
		TAP_TEST(any_cursor),
		TAP_TEST(fail_nth),
		TAP_TEST(random_pae),
		TAP_TEST(random_4level),
		TAP_TEST(random_5level),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
