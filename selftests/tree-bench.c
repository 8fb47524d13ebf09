// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: what it costs to go from one snapshot to a sibling.
 *
 *	tree-bench [--mib N] [--rounds N] [--json FILE] [--disk DIR] [PAGES...]
 *
 * First the memory of a tree of three layers and ten leaves, 64 pages apart, by the cgroup's
 * account, beside the sum of the pages that differ; and with --disk the bytes of all of it saved to
 * a folder in DIR. Then the time.
 *
 * A tree of three layers and ten leaves. Siblings differ by so many pages. A call writes 64
 * pages and reads 64 others, which all have in common. Three kinds of difference: in pages
 * that calls do not touch, in pages that they write, in pages that they read. Beside each
 * stands the restore of one and the same snapshot with the same call. Medians, in ticks of
 * the TSC; with QEMU's -icount shift=0 these are instructions.
 */
#include <x86intrin.h>

#include "cgroup.h"
#include "family.h"
#include "stored/files.h"

#define CALL		64U
#define STRIDE		37U		/* pages lie in many chunks */
#define LEAVES		10

enum kind { APART, WRITTEN, READ, KINDS };

static const char *const kinds[KINDS] = { "apart", "written", "read" };

static u64 bytes = 1UL << 30;
static u32 rounds = 60;
static FILE *json;
static const char *disk;
static bool more;

static int by_size(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : *(const u64 *)a > *(const u64 *)b;
}

/**
 * struct cost - what one way takes
 * @ticks: restore and call
 * @faults: nested page faults of a call
 * @window: of these, those that the module was asked for a page in
 */
struct cost {
	u64 ticks;
	double faults;
	double window;
};

/* The leaves of one parent stand side by side. Return: the first of the last five */
static int tree(struct family *f, const struct family_pages *common,
		const struct family_pages *differ)
{
	int middle = 0;
	u32 i;

	for (i = 0; i < LEAVES; i++) {
		if (i % (LEAVES / 2) == 0)
			middle = family_child(f, 0, common, 0x100 + i);
		family_child(f, middle, differ, 0x1000 + i);
	}
	return middle + 1;
}

/* Each is a layer on its parent: on the root, or on the last one that is a layer on that. */
static u64 save(struct family *f)
{
	struct hlk_snap *saved[FAMILY_MOST];
	char folder[256], name[16];
	u32 i, middle = 0, parent;
	u64 sum;

	snprintf(folder, sizeof(folder), "%s/tree-bench", disk);
	files_remove(folder);
	for (i = 0; i < f->nr; i++) {
		parent = middle;
		if (i && (i - 1) % (LEAVES / 2 + 1) == 0) {
			parent = 0;
			middle = i;
		}
		snprintf(name, sizeof(name), "snapshot-%u", i);
		saved[i] = files_save(f->snap[i], i ? saved[parent] : NULL, folder, name);
	}
	while (i)
		files_forget(saved[--i]);
	sum = files_bytes(folder);
	files_remove(folder);
	return sum;
}

static int say(const char *where, u32 nr, u64 taken, u64 pages)
{
	printf("a tree of %u snapshots: %llu pages, %llu KiB %s, %.4f of their bytes\n", nr,
	       (unsigned long long)pages, (unsigned long long)taken / 1024, where,
	       (double)taken / (pages * PAGE));
	fflush(stdout);
	return taken > pages * PAGE / 100 * 101;
}

/* What is left when the VM has gone; more than a hundredth is too much. */
static int memory(void)
{
	const struct family_pages common = { 1000, CALL, 3 };
	const struct family_pages differ = { 40000, CALL, STRIDE };
	u64 pages = bytes / PAGE + (2 + LEAVES) * CALL;
	u64 before = cg_charged(), charged;
	struct family f;
	int failed;

	family_open(&f, bytes, &common, &common);
	tree(&f, &common, &differ);
	tvm_close(&f.t);
	charged = cg_charged() - before;
	failed = say("in memory", f.nr, charged, pages);
	return disk ? failed | say("on disk", f.nr, save(&f), pages) : failed;
}

/* Leaves by turns, or always the first one */
static struct cost measure(struct family *f, int first, u32 leaves)
{
	u64 *ticks = calloc(rounds, sizeof(*ticks));
	struct hlk_vm_stats before;
	struct hlk_vm_stats after;
	struct cost cost = {};
	u64 taken = 0;
	u64 start;
	u32 i;

	for (i = 0; i < 2 * LEAVES + rounds; i++) {
		if (i == 2 * LEAVES) {
			before = family_stats(f);
			taken = tvm_stat(&f->t, "pf_taken");
		}
		start = __rdtsc();
		family_go(f, first + i % leaves);
		family_call(f);
		if (i >= 2 * LEAVES)
			ticks[i - 2 * LEAVES] = __rdtsc() - start;
	}
	after = family_stats(f);
	cost.faults = (double)(tvm_stat(&f->t, "pf_taken") - taken) / rounds;
	cost.window = (double)(after.read_faults + after.write_faults - before.read_faults -
			       before.write_faults) / rounds;
	qsort(ticks, rounds, sizeof(*ticks), by_size);
	cost.ticks = ticks[rounds / 2];
	free(ticks);
	return cost;
}

static void row(u32 pages, enum kind kind)
{
	const struct family_pages apart = { 40000, pages, STRIDE };
	const struct family_pages common = { 1000, CALL, 3 };
	struct family_pages writes = { 2000, CALL, 5 };
	struct family_pages reads = common;
	struct family_pages differ = apart;
	struct cost same, go;
	struct family f;
	int first;

	if (40000UL + pages * STRIDE > bytes / PAGE)
		differ.step = 1;
	if (kind == WRITTEN) {
		writes.nr = pages > CALL ? pages : CALL;
		writes.step = 5;
		differ = (struct family_pages){ writes.first, pages, writes.step };
		reads.first = 0;
		reads.step = 7;
	} else if (kind == READ) {
		reads = differ;
	}
	family_open(&f, bytes, &writes, &reads);
	first = tree(&f, &common, &differ);
	same = measure(&f, first, 1);
	go = measure(&f, first, LEAVES / 2);
	printf("%6u  %-8s %12llu %12llu %7.2f %9.1f %9.1f\n", pages, kinds[kind],
	       (unsigned long long)same.ticks, (unsigned long long)go.ticks,
	       (double)go.ticks / same.ticks, go.faults, go.window);
	fflush(stdout);
	if (json)
		fprintf(json, "%s\n  {\"pages\": %u, \"kind\": \"%s\", \"restore_ticks\": %llu,",
			more ? "," : "", pages, kinds[kind], (unsigned long long)same.ticks);
	if (json)
		fprintf(json, " \"switch_ticks\": %llu, \"faults\": %.2f, \"window_faults\": %.2f}",
			(unsigned long long)go.ticks, go.faults, go.window);
	more = true;
	family_close(&f);
}

int main(int argc, char **argv)
{
	static const char *const all[] = { "0", "8", "64", "512", "4096" };
	int i, failed;
	u32 k;

	for (i = 1; i < argc && argv[i][0] == '-'; i += 2) {
		if (i + 1 == argc)
			break;
		if (!strcmp(argv[i], "--mib"))
			bytes = strtoul(argv[i + 1], NULL, 0) << 20;
		else if (!strcmp(argv[i], "--rounds"))
			rounds = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--json"))
			json = fopen(argv[i + 1], "w");
		else if (!strcmp(argv[i], "--disk"))
			disk = argv[i + 1];
		else
			break;
	}
	if ((i < argc && argv[i][0] == '-') || !rounds || bytes < 256UL << 20) {
		fprintf(stderr, "tree-bench [--mib N] [--rounds N] [--json FILE] [--disk DIR] [PAGES...]\n");
		return 2;
	}
	if (json)
		fprintf(json, "{\"mib\": %lu, \"rows\": [", (unsigned long)(bytes >> 20));
	cg_begin();
	failed = IN_CHILD(_exit(memory()));
	cg_end();
	printf(" pages  kind          restore       switch   times    nested   windows'\n");
	for (k = 0; k < (i < argc ? (u32)(argc - i) : ARRAY_SIZE(all)); k++) {
		u32 pages = strtoul(i < argc ? argv[i + k] : all[k], NULL, 0);
		enum kind kind;

		for (kind = APART; kind < KINDS; kind++)
			if (pages || kind == APART)
				row(pages, kind);
	}
	if (json) {
		fprintf(json, "\n]}\n");
		fclose(json);
	}
	return failed;
}
