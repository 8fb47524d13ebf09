// SPDX-License-Identifier: GPL-2.0-only
/*
 * What hardware would say: what each way does, times what each of it costs by what was
 * published. An estimate from which to learn what matters, and no measurement. Each
 * parameter says where it is from, and what of it nobody measured for this.
 */
#include <stdio.h>
#include <string.h>

#include "out.h"

enum { SYSCALL, INSNS, ENTRY, COPY, REFILL, GFAULT, NFAULT, IBPB, NR_COSTS };
enum { AMD, INTEL, NR_KINDS };

static const struct {
	const char *what;
	double ns[NR_KINDS];
	const char *source;
} cost[NR_COSTS] = {
	[SYSCALL] = { "a system call, there and back", { 100, 100 },
		"assumed: 300 cycles at 3 GHz with mitigations; never measured here" },
	[INSNS] = { "a thousand instructions of a kernel", { 250, 250 },
		"assumed: 1.3 per cycle at 3 GHz; cold caches cost more" },
	[ENTRY] = { "an entry and exit of a guest", { 460, 390 },
		"AMD: 1,376 cycles around VMRUN, LKML, December 2020, of patches "
		"for VMLOAD after exits. Intel: VMCALL, 1,181 cycles, Linux "
		"b7ffc44d5b2e (2017). At 3 GHz; without IBRS or L1D flush" },
	[COPY] = { "a page copied, both in the cache", { 100, 100 },
		"assumed: 14 bytes per cycle; hlk-run bench measures it in user space" },
	[REFILL] = { "a TLB entry filled after a flush, nested", { 30, 30 },
		"assumed: 10 ns of a native walk (strided reads), times 3; 24 references "
		"at worst, Bhargava et al., ASPLOS 2008. Never measured after a flush" },
	[GFAULT] = { "a page fault in the guest, handled there", { 300, 300 },
		"assumed: 900 cycles for exception, handler, INVLPG and IRET; never measured" },
	[NFAULT] = { "a nested fault with a page of the host's", { 2000, 1900 },
		"an entry and exit, 1,000 ns of a minor fault (median, 11th generation "
		"Core, Linux 6.6), 500 of KVM; never measured together" },
	[IBPB] = { "IBPB, between two vCPUs of a thread", { 1500, 1500 },
		"assumed: some thousands of cycles; it differs tenfold between models. "
		"Never measured here" },
};

/**
 * struct row - what a way does
 * @id: the way; one of the matrix if it is in capitals
 * @what: in words
 * @fixed: in each restore and call
 * @page: more for each page that the call writes
 */
static const struct row {
	const char *id;
	const char *what;
	double fixed[NR_COSTS];
	double page[NR_COSTS];
} rows[] = {
	{ "C", "the call, with no restore",
	  { [SYSCALL] = 1, [INSNS] = 4.4, [ENTRY] = 1 }, { 0 } },
	{ "floor", "the call, and one copy of each page",
	  { [SYSCALL] = 1, [INSNS] = 4.4, [ENTRY] = 1 }, { [COPY] = 1 } },
	{ "A2", "hlk: fused",
	  { [SYSCALL] = 1, [INSNS] = 6.7, [ENTRY] = 1, [COPY] = 4, [REFILL] = 8 },
	  { [COPY] = 1, [REFILL] = 1 } },
	{ "name", "libhlk, by name: learns, or host's copy-on-write",
	  { [SYSCALL] = 1, [INSNS] = 10.3, [ENTRY] = 1, [COPY] = 7, [REFILL] = 15 },
	  { [COPY] = 1, [REFILL] = 1 } },
	{ "queue", "the same, 64 calls in one system call",
	  { [SYSCALL] = 1.0 / 64, [INSNS] = 9, [ENTRY] = 1, [COPY] = 7,
	    [REFILL] = 15 },
	  { [COPY] = 1, [REFILL] = 1 } },
	{ "guest", "libhlk, by name: guest's copy-on-write",
	  { [SYSCALL] = 1, [INSNS] = 10.3, [ENTRY] = 1, [COPY] = 7, [REFILL] = 15 },
	  { [COPY] = 2, [REFILL] = 3, [GFAULT] = 1 } },
	{ "other", "libhlk, host's copy-on-write, a page not written before",
	  { [SYSCALL] = 1, [INSNS] = 10.3, [ENTRY] = 1, [COPY] = 7, [REFILL] = 15 },
	  { [COPY] = 40, [REFILL] = 1, [NFAULT] = 1 } },
	{ "pool", "A2, each call by another sandbox of the thread",
	  { [SYSCALL] = 1, [INSNS] = 7, [ENTRY] = 1, [COPY] = 4, [REFILL] = 8,
	    [IBPB] = 1 },
	  { [COPY] = 1, [REFILL] = 1 } },
	{ "B4", "dirty ring",
	  { [SYSCALL] = 2, [INSNS] = 9, [ENTRY] = 1, [COPY] = 3, [REFILL] = 6 },
	  { [COPY] = 1, [REFILL] = 1, [INSNS] = 0.5, [ENTRY] = 1 } },
	{ "B6", "user space is told what was written",
	  { [SYSCALL] = 1, [INSNS] = 5, [ENTRY] = 1 }, { [COPY] = 1 } },
};

static const uint32_t pages[] = { 1, 8, 64, 200, 512 };

#define NR_PAGES	(sizeof(pages) / sizeof(*pages))
#define NR_ROWS		(sizeof(rows) / sizeof(*rows))

static double predict(const struct row *row, int kind, uint32_t n)
{
	double ns = 0;
	int i;

	for (i = 0; i < NR_COSTS; i++)
		ns += (row->fixed[i] + n * row->page[i]) * cost[i].ns[kind];
	return ns;
}

static void print_rows(int kind)
{
	char text[24];
	size_t i, k;

	for (i = 0; i < NR_ROWS; i++) {
		printf("  %-5s", rows[i].id);
		for (k = 0; k < NR_PAGES; k++) {
			format_time(&(struct bench_env){}, text, sizeof(text),
				    predict(&rows[i], kind, pages[k]));
			printf(" %9s (%4.2f)", text, predict(&rows[i], kind, pages[k]) /
						     predict(&rows[1], kind, pages[k]));
		}
		printf("  %s\n", rows[i].what);
	}
}

/**
 * model_table() - what hardware would say
 */
void model_table(void)
{
	static const char *const name[] = { "AMD", "Intel" };
	int kind, i;

	puts("Restore and call on servers of 3 GHz, and (multiples of the floor)");
	for (kind = 0; kind < NR_KINDS; kind++) {
		printf("%-7s %9s %16s %16s %16s %16s\n", name[kind], "1", "8", "64", "200",
		       "512");
		print_rows(kind);
	}
	puts("from, in ns, AMD and Intel");
	for (i = 0; i < NR_COSTS; i++)
		printf("  %-42s %6.0f %6.0f  %s\n", cost[i].what, cost[i].ns[AMD],
		       cost[i].ns[INTEL], cost[i].source);
}

static const struct row *find_row(const char *id)
{
	size_t i;

	for (i = 0; i < NR_ROWS; i++)
		if (!strcmp(rows[i].id, id))
			return &rows[i];
	return NULL;
}

/**
 * model_beside() - figures of a run, and the model's beside them
 * @report: the run
 */
void model_beside(const struct bench_report *report)
{
	const struct bench_result *result;
	const struct row *row;
	char p50[24], amd[24], intel[24];
	uint32_t i, k;

	puts("\nmodel: way, pages, median, as predicted for AMD, for Intel");
	for (i = 0; i < report->nr; i++)
		for (k = 0; k < report->run[i].nr; k++) {
			result = &report->run[i].result[k];
			row = find_row(result->ops->id);
			if (!row || !result->present)
				continue;
			format_time(report->env, p50, sizeof(p50), result->p50);
			format_time(&(struct bench_env){}, amd, sizeof(amd),
				    predict(row, AMD, report->run[i].cfg.pages));
			format_time(&(struct bench_env){}, intel, sizeof(intel),
				    predict(row, INTEL, report->run[i].cfg.pages));
			printf("  %-4s %5u %12s %12s %12s\n", row->id,
			       report->run[i].cfg.pages, p50, amd, intel);
		}
}
