// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a compact snapshot costs in the module, beside a copy of the same bytes by
 * this process into memory that is there; and what the second one costs, after
 * a sandbox that runs from the first wrote 16 pages. A table, then JSON.
 *
 * compact-bench [MAX_MIB]: guests above MAX_MIB are left out. In an emulator the
 * times are not real ones: only those of one run may be compared.
 */
#include <time.h>

#include "hlk_test.h"

#define SLOT		0x400000UL
#define MIB		256UL		/* pages */
#define TABLES		PAGE		/* at the start of low memory */
#define SCRATCH_MIN	(16UL << 20)
#define KERNEL_VA	0xc0000000U
#define USER_VA		0x08000000U
#define BUFFER		0x4000
#define ROUNDS		3
#define NR_CHANGED	16
#define MAX_ROOTS	1024

struct bench {
	struct tvm t;
	struct tvm_pt pt;
	u64 root[MAX_ROOTS];
	u32 nr_roots;
	u64 low;
	u64 data;
	u64 pages;
	u32 seed;
};

struct row {
	const char *kind;
	const char *name;
	u32 roots;
	struct hlk_snapshot_counts first;
	struct hlk_snapshot_counts second;
	double us;
	double copy_us;
	double second_us;
};

static struct row rows[16];
static u32 nr_rows;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void machine(struct bench *b)
{
	tvm_open(&b->t);
	tvm_attach(&b->t, 0, 0);
	tvm_window(&b->t, 0, b->low, 0);
	tvm_window(&b->t, HLK_GUEST_SCRATCH_TOP - SCRATCH_MIN, SCRATCH_MIN, HLK_WINDOW_SCRATCH);
}

static void begin(struct bench *b, u64 pages, u32 tables, u32 roots)
{
	u32 i;

	memset(b, 0, sizeof(*b));
	b->seed = 12345;
	b->nr_roots = roots;
	b->data = (1 + tables + roots) * PAGE;
	b->low = b->data + pages * PAGE;
	machine(b);
	b->pt = (struct tvm_pt){ &b->t, TABLES, PTE_P | PTE_W | PTE_U };
	for (i = 0; i < roots; i++)
		b->root[i] = tvm_pt_page(&b->pt);
}

static void map_one(struct bench *b, u32 root, u32 va)
{
	u64 gpa = b->data + b->pages++ * PAGE;
	u64 *to = (u64 *)tvm_at(&b->t, gpa);
	u32 i;

	for (i = 0; i < PAGE / 8; i++)
		to[i] = gpa << 10 | i | 1;
	tvm_pt_map(&b->pt, b->root[root], va, gpa, 1,
		   PTE_P | (t_rnd(&b->seed) % 10 < 3 ? PTE_W : 0));
}

static void map_some(struct bench *b, u32 root, u32 va, u32 pages)
{
	for (; pages--; va += PAGE)
		map_one(b, root, va);
}

static u32 *directory(struct bench *b, u32 root)
{
	return (u32 *)tvm_at(&b->t, b->root[root]);
}

static int compact(struct bench *b, const u64 *roots, struct hlk_snapshot_counts *counts,
		   double *us)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	double start;
	int snap;

	s.head.flags = HLK_SNAPSHOT_COMPACT;
	s.roots = (uintptr_t)roots;
	s.nr_roots = b->nr_roots;
	s.input_bytes = BUFFER;
	s.output_bytes = BUFFER;
	start = now();
	snap = hlk_snapshot(b->t.hlk, &s);
	start = now() - start;
	errno = snap < 0 ? -snap : 0;
	t_must(snap >= 0);
	*counts = s.counts;
	if (!*us || start < *us)
		*us = start;
	return snap;
}

/* As many bytes, from where they are to where nobody has to be asked for memory */
static double copy(struct bench *b, u64 pages)
{
	u64 bytes = pages * PAGE;
	double start, best = 0;
	u8 *to, *from;
	u32 round;
	u64 at;

	if (bytes > b->low)
		bytes = b->low;
	from = tvm_at(&b->t, 0);
	to = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	t_must(to != MAP_FAILED);
	for (round = 0; round < ROUNDS; round++) {
		start = now();
		for (at = 0; at < bytes; at += PAGE)
			memcpy(to + at, from + at, PAGE);
		start = now() - start;
		if (!best || start < best)
			best = start;
	}
	munmap(to, bytes);
	return best;
}

/* The guest's handler: a page of scratch for one that is copy-on-write */
static u32 write_pages(struct bench *b, u64 root)
{
	u64 *alloc = (u64 *)tvm_at(&b->t, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ALLOC);
	u32 *pd = (u32 *)tvm_at(&b->t, root);
	u32 slot, i, n = 0;
	u32 *table;

	for (slot = 0; slot < 1000 && n < NR_CHANGED; slot++) {
		if (!(pd[slot] & PTE_P))
			continue;
		table = (u32 *)tvm_at(&b->t, pd[slot] & -PAGE);
		for (i = 0; i < 1024 && n < NR_CHANGED; i++) {
			if (!(table[i] & PTE_COW))
				continue;
			memset(tvm_at(&b->t, *alloc), ++n, PAGE);
			table[i] = *alloc | PTE_P | PTE_W;
			*alloc += PAGE;
		}
	}
	return n;
}

static void measure(struct bench *b, const char *kind, const char *name)
{
	struct row *row = &rows[nr_rows++];
	u64 *roots = calloc(b->nr_roots, sizeof(*roots));
	struct hlk_snapshot_info info = {};
	struct hlk_window windows[8];
	u32 round;
	int snap, next;

	row->kind = kind;
	row->name = name;
	row->roots = b->nr_roots;
	tvm_set_paging(&b->t, TVM_CODE, b->root[0], 0);
	for (round = 0; round < ROUNDS; round++) {
		snap = compact(b, b->root, &row->first, &row->us);
		if (round < ROUNDS - 1)
			close(snap);
	}
	row->copy_us = copy(b, row->first.copied + row->first.tables);
	info.windows = (uintptr_t)windows;
	info.window_size = sizeof(struct hlk_window);
	info.nr_windows = 8;
	info.roots = (uintptr_t)roots;
	info.nr_roots = b->nr_roots;
	t_must(!hlk_snapshot_info(snap, &info));

	/* another sandbox, as they are made from a snapshot, goes on from it */
	tvm_close(&b->t);
	machine(b);
	tvm_set(&b->t, TVM_CODE);
	t_must(!hlk_restore(b->t.hlk, snap, NULL));
	t_must(write_pages(b, roots[0]) == NR_CHANGED);
	for (round = 0; round < ROUNDS; round++) {
		next = compact(b, roots, &row->second, &row->second_us);
		close(next);
	}
	close(snap);
	tvm_close(&b->t);
	free(roots);
	printf("# %-34s %5u %6llu %7llu %10.0f %8.3f %10.0f %6.2f %10.0f %6.0fx\n", name,
	       row->roots, (unsigned long long)row->first.tables_read,
	       (unsigned long long)row->first.copied, row->us, row->us / row->first.copied,
	       row->copy_us, row->us / row->copy_us, row->second_us, row->us / row->second_us);
	fflush(stdout);
}

static void size(struct bench *b, u32 mib, const char *name)
{
	begin(b, mib * MIB, mib / 4 + 2, 1);
	map_some(b, 0, USER_VA, mib * MIB);
	measure(b, "size", name);
}

static void kernel_half(struct bench *b)
{
	u32 i;

	begin(b, 64 * MIB + 64 * 508, 16 + 64 + 2, 64);
	map_some(b, 0, KERNEL_VA, 64 * MIB);
	for (i = 0; i < 64; i++) {
		memcpy(directory(b, i) + 768, directory(b, 0) + 768, 1024);
		map_some(b, i, USER_VA, 508);
	}
	measure(b, "size", "64 roots, shared kernel half");
}

static void scattered(struct bench *b)
{
	u32 i;

	begin(b, 4000, 1000, 1);
	for (i = 0; i < 4000; i++)
		map_one(b, 0, t_rnd(&b->seed) % 0xf0000 * PAGE);
	measure(b, "size", "4,000 scattered pages");
}

static void scaling(struct bench *b, u32 roots, const char *name)
{
	u32 i, slot;

	begin(b, 8 * 1024, 8 + 2, roots);
	map_some(b, 0, 0, 8 * 1024);
	for (i = 0; i < roots; i++)
		for (slot = i ? 0 : 8; slot < 1000; slot++)
			directory(b, i)[slot] = directory(b, 0)[slot % 8];
	measure(b, "roots", name);
}

static void json(void)
{
	u32 i;

	printf("{\"bench\": \"compaction\", \"where\": \"module\", \"rows\": [");
	for (i = 0; i < nr_rows; i++) {
		const struct row *r = &rows[i];

		printf("%s{\"kind\": \"%s\", \"name\": \"%s\", \"roots\": %u, ", i ? ", " : "",
		       r->kind, r->name, r->roots);
		printf("\"tables\": %llu, \"pages\": %llu, \"us\": %.1f, \"us_per_page\": %.4f, ",
		       (unsigned long long)r->first.tables_read,
		       (unsigned long long)r->first.copied, r->us, r->us / r->first.copied);
		printf("\"copy_us\": %.1f, \"ratio\": %.3f, \"second_us\": %.1f, ", r->copy_us,
		       r->us / r->copy_us, r->second_us);
		printf("\"second_copied\": %llu, \"second_cheaper\": %.1f}",
		       (unsigned long long)r->second.copied, r->us / r->second_us);
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	u32 max = argc > 1 ? atoi(argv[1]) : 256;
	struct bench *b = calloc(1, sizeof(*b));

	t_must(b);
	printf("# compact snapshots; the second comes after %u changed pages; best of %u\n",
	       NR_CHANGED, ROUNDS);
	printf("# %-34s %5s %6s %7s %10s %8s %10s %6s %10s %7s\n", "", "roots", "tables", "pages",
	       "us", "us/page", "copy us", "ratio", "second us", "less");
	if (max >= 16)
		size(b, 16, "16 MiB");
	if (max >= 64)
		size(b, 64, "64 MiB");
	if (max >= 256)
		size(b, 256, "256 MiB");
	if (max >= 191)
		kernel_half(b);
	scattered(b);
	scaling(b, 1, "1 full directory over 8 tables");
	scaling(b, 16, "16");
	scaling(b, 64, "64");
	scaling(b, 256, "256");
	scaling(b, 1024, "1,024");
	json();
	free(b);
	return 0;
}
