// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a compaction costs, beside a copy of the same bytes into memory that is
 * already there. Medians of several rounds, in which both take turns; the ratio is
 * that of each round, so that it holds where the machine's speed drifts.
 *
 *   bench [JSON-FILE]
 */
#include <linux/hlk_guest.h>
#include <stdio.h>
#include <time.h>

#include "check.h"
#include "guest.h"
#include "pool.h"

#define MIN_ROUNDS	25UL
#define MAX_ROUNDS	401UL
#define PAGES		1600000UL	/* in all rounds of a shape, about */
#define TOP		(HLK_GUEST_SCRATCH_TOP >> 12)
#define LOW		0x10UL		/* first frame of the low window */
#define MIB		256UL		/* pages of a MiB */
#define WINDOW		(800 * MIB)
#define POOL		(1500 * MIB)
#define KERNEL_VA	0xc0000000U
#define RW		0x3U
#define RO		0x1U

/**
 * struct shape - a guest to compact
 * @name: for the table
 * @make: makes it; returns how many roots it has
 * @arg: for @make
 */
struct shape {
	const char *name;
	u32 (*make)(struct guest *g, u64 *roots, u32 arg);
	u32 arg;
};

struct row {
	const char *name;
	u32 roots;
	u64 tables;
	u64 pages;
	double compact;		/* all in microseconds */
	double copy;
	double ratio;
	double again;
	u64 copied_again;
};

static FILE *json;
static u64 hash_state = 88172645463325252ULL;

static u32 rnd(u32 limit)
{
	hash_state ^= hash_state << 13;
	hash_state ^= hash_state >> 7;
	hash_state ^= hash_state << 17;
	return hash_state % limit;
}

static int smaller(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *of, u32 nr)
{
	qsort(of, nr, sizeof(*of), smaller);
	return of[nr / 2];
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* A page of bytes that no other page has */
static u64 data(struct guest *g)
{
	u64 gfn = guest_frame(g);
	u64 *to = (u64 *)guest_bytes(g, gfn);
	u32 i;

	for (i = 0; i < PAGE_SIZE / 8; i++)
		to[i] = gfn << 32 | (i + 1);
	return gfn;
}

static void map_some(struct guest *g, u64 root, u32 va, u32 pages)
{
	for (; pages--; va += PAGE_SIZE)
		guest_map(g, root >> 12, va, data(g), rnd(10) < 3 ? RW : RO, RW);
}

static u64 new_root(struct guest *g)
{
	u64 gfn = guest_frame(g);

	guest_bytes(g, gfn);
	return gfn << 12;
}

/* One address space of @mib MiB */
static u32 shape_flat(struct guest *g, u64 *roots, u32 mib)
{
	roots[0] = new_root(g);
	map_some(g, roots[0], 0x08000000, mib * MIB);
	return 1;
}

/* Processes of 508 pages each under a kernel half of 16,384 */
static u32 shape_kernel(struct guest *g, u64 *roots, u32 nr)
{
	u32 slot;
	u32 i;

	for (i = 0; i < nr; i++) {
		roots[i] = new_root(g);
		if (!i)
			map_some(g, roots[0], KERNEL_VA, 64 * MIB);
		for (slot = KERNEL_VA >> 22; i && slot < 1024; slot++)
			guest_set(g, roots[i] >> 12, slot,
				  guest_entry(g, roots[0] >> 12, slot));
		map_some(g, roots[i], 0x08000000, 508);
	}
	return nr;
}

static u32 shape_scattered(struct guest *g, u64 *roots, u32 pages)
{
	roots[0] = new_root(g);
	while (pages--)
		guest_map(g, roots[0] >> 12, rnd(0xf0000) << 12, data(g),
			  rnd(10) < 3 ? RW : RO, RW);
	return 1;
}

/* Full directories over the same 32 tables */
static u32 shape_shared(struct guest *g, u64 *roots, u32 nr)
{
	u32 slot;
	u32 i;

	for (i = 0; i < nr; i++)
		roots[i] = new_root(g);
	map_some(g, roots[0], 0, 32 * 4 * MIB);
	for (i = 0; i < nr; i++)
		for (slot = i ? 0 : 32; slot < 1000; slot++)
			guest_set(g, roots[i] >> 12, slot,
				  guest_entry(g, roots[0] >> 12, slot % 32));
	return nr;
}

static void init(struct guest *g)
{
	memset(&shim, 0, sizeof(shim));
	pool_reset();
	guest_init(g);
	guest_window(g, LOW, WINDOW, 0);
	guest_window(g, TOP - 32 * MIB, 32 * MIB, HLK_WINDOW_SCRATCH);
	g->next = LOW;
}

/*
 * The same bytes, from where they are in the guest to pages that are there. Not
 * the snapshot's, and not to pages just cleared: these would be in the cache.
 */
static double copy(struct guest *g, u64 pages)
{
	struct page **from = calloc(pages, sizeof(*from));
	struct page **to = calloc(pages, sizeof(*to));
	unsigned long index;
	struct page *page;
	double start;
	u64 n = 0;
	u64 i;

	SHIM_ASSERT(from && to);
	xa_for_each(&g->pages, index, page) {
		if (n == pages)
			break;
		from[n] = page;
		to[n++] = alloc_page(HLK_GFP);
	}
	SHIM_ASSERT(n == pages);
	start = now();
	for (i = 0; i < n; i++)
		memcpy(to[i]->bytes, from[i]->bytes, PAGE_SIZE);
	start = now() - start;
	for (i = 0; i < n; i++)
		put_page(to[i]);
	free(from);
	free(to);
	return start;
}

static double compact(struct compact *c)
{
	double start = now();
	int err = compact_make(c);

	start = now() - start;
	SHIM_ASSERT(!err);
	return start;
}

/* The guest runs from the snapshot, writes 16 pages, and is compacted again. */
static void again(struct compact *first, struct row *row)
{
	struct mmu_cpu cpu = { first->snap->roots[0], true, true, 40 };
	struct compact c = *first;
	struct guest g;
	double us[MIN_ROUNDS];
	u32 written = 0;
	u32 round;
	u32 va;

	compact_restore(first, &g);
	c.guest = &g;
	c.params.roots = first->snap->roots;
	c.params.parent = first->snap;
	for (va = 0x08000000; written < 16 && va < 0xf0000000; va += 37 * PAGE_SIZE)
		written += cow_write(&g, &cpu, va, va);
	for (round = 0; round < MIN_ROUNDS; round++) {
		us[round] = compact(&c);
		row->copied_again = c.snap->counts.copied;
		compact_end(&c);
	}
	row->again = median(us, MIN_ROUNDS);
	guest_exit(&g);
}

static struct row measure(const struct shape *shape)
{
	static double compacts[MAX_ROUNDS], copies[MAX_ROUNDS], ratios[MAX_ROUNDS];
	struct row row = { .name = shape->name };
	u32 rounds = MAX_ROUNDS;
	static u64 roots[HLK_MAX_ROOTS];
	struct compact c;
	struct guest g;
	u32 round;

	init(&g);
	row.roots = shape->make(&g, roots, shape->arg);
	compact_init(&c, &g, roots, row.roots);
	for (round = 0; round < rounds; round++) {
		compacts[round] = compact(&c);
		row.tables = c.snap->counts.tables_read;
		row.pages = c.snap->counts.copied;
		rounds = clamp(PAGES / (unsigned long)row.pages, MIN_ROUNDS, MAX_ROUNDS);
		/* by turns, so that both meet the same machine */
		copies[round] = copy(&g, row.pages + row.tables);
		ratios[round] = compacts[round] / copies[round];
		if (round == rounds - 1)
			again(&c, &row);
		compact_end(&c);
	}
	guest_exit(&g);
	row.compact = median(compacts, rounds);
	row.copy = median(copies, rounds);
	row.ratio = median(ratios, rounds);
	return row;
}

static void print_row(const struct row *row, const char *kind)
{
	static bool any;

	printf("%-34s %6u %7llu %8llu %10.0f %8.3f %10.0f %6.2f", row->name, row->roots,
	       row->tables, row->pages, row->compact, row->compact / row->pages, row->copy,
	       row->ratio);
	printf(" %9.0f %5.0fx\n", row->again, row->compact / row->again);
	if (!json)
		return;
	fprintf(json, "%s{\"kind\": \"%s\", \"name\": \"%s\", \"roots\": %u, \"tables\": %llu, ",
		any ? ",\n  " : "\n  ", kind, row->name, row->roots, row->tables);
	fprintf(json, "\"pages\": %llu, \"us\": %.1f, \"us_per_page\": %.4f, \"copy_us\": %.1f, ",
		row->pages, row->compact, row->compact / row->pages, row->copy);
	fprintf(json, "\"ratio\": %.3f, \"second_us\": %.1f, \"second_copied\": %llu, ",
		row->ratio, row->again, row->copied_again);
	fprintf(json, "\"second_cheaper\": %.1f}", row->compact / row->again);
	any = true;
}

static void table(const char *kind, const char *title, const struct shape *shapes, u32 nr)
{
	struct row row;
	u32 i;

	printf("\n%s\n%-34s %6s %7s %8s %10s %8s %10s %6s %9s %6s\n", title, "", "roots",
	       "tables", "pages", "compact us", "us/page", "copy us", "ratio", "second us",
	       "less");
	for (i = 0; i < nr; i++) {
		row = measure(&shapes[i]);
		print_row(&row, kind);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static const struct shape sizes[] = {
		{ "16 MiB", shape_flat, 16 },
		{ "64 MiB", shape_flat, 64 },
		{ "256 MiB", shape_flat, 256 },
		{ "64 roots, shared kernel half", shape_kernel, 64 },
		{ "4,000 scattered pages", shape_scattered, 4000 },
	};
	static const struct shape scaling[] = {
		{ "full directories, 32 shared tables", shape_shared, 1 },
		{ "", shape_shared, 16 },
		{ "", shape_shared, 64 },
		{ "", shape_shared, 256 },
		{ "", shape_shared, 1024 },
	};

	pool_init(POOL);
	if (argc > 1) {
		json = fopen(argv[1], "w");
		if (!json)
			return 1;
		fprintf(json, "{\"bench\": \"compaction\", \"where\": \"user space\", \"rows\": [");
	}
	printf("kmod/reloc.c and delta.c in user space, medians of %lu to %lu rounds\n",
	       MIN_ROUNDS, MAX_ROUNDS);
	table("size", "By size; the second snapshot comes after 16 changed pages", sizes,
	      ARRAY_SIZE(sizes));
	table("roots", "Many roots over the same tables; distinct tables are read once",
	      scaling, ARRAY_SIZE(scaling));
	if (json) {
		fprintf(json, "\n]}\n");
		fclose(json);
	}
	return 0;
}
