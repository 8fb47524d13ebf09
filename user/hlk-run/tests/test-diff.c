// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is different between two moments: made-up ones, and random ones against a comparison
 * page by page.
 */
#include <stdlib.h>
#include <string.h>

#include "../../libhlk/tests/tap.h"
#include "../pt/diff.h"

#define PAGE	0x1000ULL
#define PAGES	64	/* of memory, and virtual ones of a root, of random moments */
#define ROOTS	2

#define A	0x20
#define D	0x40
#define PWT	0x8

static unsigned char memory[2][PAGES][PAGE];

static int read_memory(void *arg, uint64_t gpa, void *buf, size_t len)
{
	unsigned char (*pages)[PAGE] = arg;

	if (gpa + len > PAGES * PAGE)
		abort();
	memcpy(buf, pages[gpa / PAGE], len);
	return 0;
}

static void add(struct pt_moment *m, uint32_t root, uint64_t va, uint64_t gpa,
		uint64_t pages, uint32_t map, uint64_t attributes)
{
	struct pt_space *space = &m->space;

	space->maps[space->nr++] = (struct hlk_mapping) {
		.va = va, .gpa = gpa, .pages = pages, .root = root, .map = map,
		.attributes = attributes, .page_shift = 12,
	};
}

static void begin(struct pt_moment *m)
{
	static const uint64_t addr[ROOTS] = { 0x1000, 0x2000 };

	memset(m, 0, sizeof(*m));
	if (pt_space_init(&m->space, addr, ROOTS))
		abort();
	m->space.format = HLK_FORMAT_4LEVEL;
	m->space.maps = calloc(2 * ROOTS * PAGES, sizeof(*m->space.maps));
	if (!m->space.maps)
		abort();
}

static void finish(struct pt_moment *m, int nr)
{
	if (pt_pages_read(&m->pages, &m->space, read_memory, memory[nr]))
		abort();
}

static void end(struct pt_moment *m, struct pt_diff *diff)
{
	int i;

	for (i = 0; i < 2; i++) {
		pt_space_free(&m[i].space);
		pt_pages_free(&m[i].pages);
	}
	pt_diff_free(diff);
}

static bool is(const struct pt_diff *diff, size_t nr, uint32_t what, uint64_t va,
	       uint64_t pages)
{
	const struct pt_change *c = &diff->change[nr];

	return nr < diff->nr && c->what == what && c->page * PAGE == va && c->pages == pages;
}

/* One of each, in ranges that are cut differently at both moments */
static void each_kind(void)
{
	struct pt_moment m[2];
	struct pt_diff diff;

	memset(memory, 0, sizeof(memory));
	memory[1][5][4095] = 1;
	begin(&m[0]);
	add(&m[0], 0, 0x10000, 0x0000, 8, HLK_MAP_WRITE, A);
	add(&m[0], 0, 0x20000, 0x10000, 2, 0, 0);
	add(&m[0], 0, 0x30000, 0x12000, 4, HLK_MAP_WRITE, 0);
	add(&m[0], 0, 0xfffffffffffff000, 0x20000, 1, 0, 0);
	add(&m[0], 1, 0x10000, 0x3000, 4, 0, 0);
	finish(&m[0], 0);
	begin(&m[1]);
	add(&m[1], 0, 0x10000, 0x0000, 2, HLK_MAP_WRITE, A);
	add(&m[1], 0, 0x12000, 0x2000, 6, HLK_MAP_WRITE, A | D);
	add(&m[1], 0, 0x21000, 0x11000, 3, 0, 0);
	add(&m[1], 0, 0x30000, 0x12000, 2, 0, 0);
	add(&m[1], 0, 0x32000, 0x16000, 2, HLK_MAP_WRITE, PWT);
	add(&m[1], 0, 0xfffffffffffff000, 0x20000, 1, HLK_MAP_WRITE, 0);
	add(&m[1], 1, 0x10000, 0x3000, 4, 0, 0);
	finish(&m[1], 1);
	tap(!pt_compare(&diff, &m[0], &m[1]) && diff.nr == 6, "six changes");
	tap(is(&diff, 0, PT_CONTENTS, 0x15000, 1) && diff.change[0].is.gpa == 0x5000,
	    "bytes of a page that two roots map, once");
	tap(is(&diff, 1, PT_WENT, 0x20000, 1), "went");
	tap(is(&diff, 2, PT_CAME, 0x22000, 2) && diff.change[2].is.gpa == 0x12000, "came");
	tap(is(&diff, 3, PT_RIGHTS, 0x30000, 2), "other rights");
	tap(is(&diff, 4, PT_MOVED | PT_ATTRIBUTES, 0x32000, 2) &&
	    diff.change[4].was.gpa == 0x14000, "elsewhere, and other attributes");
	tap(is(&diff, 5, PT_RIGHTS, 0xfffffffffffff000, 1), "the last page");
	tap(diff.accessed == 0 && diff.dirty == 6, "dirty pages are counted, not listed");
	end(m, &diff);
}

/* A list that ends early says nothing of what follows. */
static void cut_off(void)
{
	struct pt_moment m[2];
	struct pt_diff diff;

	begin(&m[0]);
	add(&m[0], 0, 0x10000, 0x0000, 2, 0, 0);
	m[0].space.cut = true;
	finish(&m[0], 0);
	begin(&m[1]);
	add(&m[1], 0, 0x0000, 0x0000, 1, 0, 0);
	add(&m[1], 0, 0x10000, 0x0000, 4, 0, 0);
	add(&m[1], 1, 0x10000, 0x0000, 4, 0, 0);
	finish(&m[1], 0);
	tap(!pt_compare(&diff, &m[0], &m[1]) && diff.nr == 1 && is(&diff, 0, PT_CAME, 0, 1),
	    "nothing behind where a list was cut");
	end(m, &diff);

	begin(&m[0]);
	m[0].space.cut = true;
	finish(&m[0], 0);
	begin(&m[1]);
	add(&m[1], 0, 0x0000, 0x0000, 1, 0, 0);
	finish(&m[1], 0);
	tap(!pt_compare(&diff, &m[0], &m[1]) && !diff.nr, "nor of a list of nothing");
	end(m, &diff);
}

static void tables(void)
{
	struct pt_moment m[2];
	struct pt_diff diff;
	int i;

	for (i = 0; i < 2; i++) {
		begin(&m[i]);
		add(&m[i], 0, 0x000000, 0x7000, 512, HLK_MAP_ALIAS, 0);
		m[i].space.maps[0].alias_va = i ? 0x400000 : 0x600000;
		add(&m[i], 0, 0x200000, 0xdead000, 512, HLK_MAP_TABLE_NOT_RAM, 0);
		add(&m[i], 0, 0x400000, 0xdead000, 4, HLK_MAP_NOT_RAM, 0);
		finish(&m[i], 0);
	}
	tap(!m[0].pages.total, "no page of them is read");
	tap(!pt_compare(&diff, &m[0], &m[1]) && diff.nr == 1 && is(&diff, 0, PT_RIGHTS, 0, 512),
	    "another table's alias is different, others are not");
	end(m, &diff);
}

/* All of memory, in each of so many places: each page is looked at once. */
static void many_times(void)
{
	struct pt_moment m[2];
	struct pt_diff diff;
	uint64_t i;
	int nr;

	memory[1][63][0] ^= 1;
	for (nr = 0; nr < 2; nr++) {
		begin(&m[nr]);
		free(m[nr].space.maps);
		m[nr].space.maps = calloc(1 << 20, sizeof(*m[nr].space.maps));
		if (!m[nr].space.maps)
			abort();
		for (i = 0; i < 1 << 20; i++)
			add(&m[nr], 0, i << 20, 0, PAGES, 0, 0);
		finish(&m[nr], nr);
	}
	memory[1][63][0] ^= 1;
	tap(m[0].pages.total == PAGES, "memory is read once, however often it is mapped");
	tap(!pt_compare(&diff, &m[0], &m[1]), "10^6 ranges are compared");
	tap(diff.pages[5] && diff.pages[5] <= PAGES, "and each page once");
	end(m, &diff);
}

/* ---- random moments ---- */

static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* What one page of a root leads to, or pages = 0 */
static struct hlk_mapping page_at(const struct pt_moment *m, uint32_t root, uint64_t page)
{
	struct hlk_mapping map = {};
	uint64_t off;
	size_t i;

	for (i = 0; i < m->space.nr; i++) {
		off = page - m->space.maps[i].va / PAGE;
		if (m->space.maps[i].root != root || off >= m->space.maps[i].pages)
			continue;
		map = m->space.maps[i];
		map.gpa += off * PAGE;
	}
	return map;
}

static uint32_t judge(const struct hlk_mapping *a, const struct hlk_mapping *b)
{
	if (!a->pages || !b->pages)
		return a->pages ? PT_WENT : b->pages ? PT_CAME : 0;
	return (a->gpa != b->gpa ? PT_MOVED : 0) | (a->map != b->map ? PT_RIGHTS : 0) |
	       ((a->attributes ^ b->attributes) & PWT ? PT_ATTRIBUTES : 0);
}

static uint32_t found(const struct pt_diff *diff, uint32_t root, uint64_t page)
{
	uint32_t what = 0;
	size_t i;

	for (i = 0; i < diff->nr; i++)
		if (diff->change[i].root == root &&
		    page - diff->change[i].page < diff->change[i].pages)
			what |= diff->change[i].what;
	return what;
}

static bool as_page_by_page(const struct pt_moment *m, const struct pt_diff *diff)
{
	bool seen[PAGES] = {}, data;
	struct hlk_mapping a, b;
	uint32_t root, want;
	uint64_t page;

	for (root = 0; root < ROOTS; root++)
		for (page = 0; page < PAGES; page++) {
			a = page_at(&m[0], root, page);
			b = page_at(&m[1], root, page);
			want = judge(&a, &b);
			data = a.pages && b.pages && !seen[b.gpa / PAGE];
			if (data)
				seen[b.gpa / PAGE] = true;
			if (data && memcmp(memory[0][a.gpa / PAGE], memory[1][b.gpa / PAGE],
					   PAGE))
				want |= PT_CONTENTS;
			if (found(diff, root, page) != want)
				return false;
		}
	return true;
}

static void random_moment(struct pt_moment *m, int nr)
{
	uint64_t at, pages, gpa;
	uint32_t root;

	begin(m);
	for (root = 0; root < ROOTS; root++)
		for (at = random_below(4); at < PAGES; at += pages + random_below(3)) {
			pages = 1 + random_below(PAGES - at < 8 ? PAGES - at : 8);
			gpa = random_below(3) ? at : random_below(PAGES - pages + 1);
			add(m, root, at * PAGE, gpa * PAGE, pages,
			    random_below(4) ? HLK_MAP_WRITE : 0,
			    (random_below(8) ? 0 : PWT) | (random_below(2) ? A : 0));
		}
	finish(m, nr);
}

static void random_moments(void)
{
	struct pt_moment m[2];
	struct pt_diff diff;
	int i, page, bad = 0;

	for (i = 1; i <= 500 && !bad; i++) {
		seed = i;
		for (page = 0; page < PAGES; page++) {
			memory[0][page][7] = random_below(3);
			memory[1][page][7] = memory[0][page][7] ^ !random_below(4);
		}
		random_moment(&m[0], 0);
		random_moment(&m[1], 1);
		if (pt_compare(&diff, &m[0], &m[1]) || !as_page_by_page(m, &diff))
			bad = i;
		end(m, &diff);
	}
	tap(!bad, "random moments, as page by page; bad seed: %d", bad);
}

int main(void)
{
	each_kind();
	cut_off();
	tables();
	many_times();
	random_moments();
	return tap_done();
}
