// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: how long a guest rests while a snapshot is made of it.
 *
 *	pause-bench [--rounds N] [--json FILE] [PAGES...]
 *
 * A guest of 512 MiB that runs from a snapshot wrote so many pages, all of them or only every
 * other one of its memory. Beside the second snapshot stand the call that writes the same pages
 * once more right after it, and the same without a snapshot. Medians, in ticks of the TSC; with
 * QEMU's -icount shift=0 these are instructions.
 */
#include <x86intrin.h>

#include "family.h"

#define BYTES	(512UL << 20)

static u32 rounds = 5;

static int by_size(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : *(const u64 *)a > *(const u64 *)b;
}

static u64 median(u64 *ticks)
{
	qsort(ticks, rounds, sizeof(*ticks), by_size);
	return ticks[rounds / 2];
}

/* The same pages, with no restore before: registers alone */
static u64 call_again(struct family *f, const struct kvm_sync_regs *regs)
{
	u64 start;

	f->t.run->s.regs.regs = regs->regs;
	f->t.run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	start = __rdtsc();
	family_call(f);
	return __rdtsc() - start;
}

static void row(u32 pages, u32 step, FILE *json)
{
	const struct family_pages writes = { 0, pages, step };
	const struct family_pages none = { 0, 0, 1 };
	u64 *took = calloc(rounds, sizeof(u64)), *after = calloc(rounds, sizeof(u64));
	u64 *plain = calloc(rounds, sizeof(u64));
	struct kvm_sync_regs regs;
	struct family f;
	u64 start;
	int snap;
	u32 i;

	family_open(&f, BYTES, &writes, &none);
	regs = f.t.run->s.regs;
	for (i = 0; i < rounds; i++) {
		family_go(&f, 0);
		family_call(&f);
		plain[i] = call_again(&f, &regs);
		start = __rdtsc();
		snap = hlk_snapshot_flat(f.t.hlk);
		took[i] = __rdtsc() - start;
		t_must(snap >= 0);
		after[i] = call_again(&f, &regs);
		close(snap);
	}
	printf("%6u %6u %12llu %8.0f %12llu %12llu\n", pages, step,
	       (unsigned long long)median(took), (double)median(took) / pages,
	       (unsigned long long)median(plain), (unsigned long long)median(after));
	fflush(stdout);
	if (json)
		fprintf(json, "%s\n  {\"pages\": %u, \"step\": %u, \"snapshot_ticks\": %llu,",
			ftell(json) > 16 ? "," : "", pages, step,
			(unsigned long long)median(took));
	if (json)
		fprintf(json, " \"call_ticks\": %llu, \"call_after_ticks\": %llu}",
			(unsigned long long)median(plain), (unsigned long long)median(after));
	family_close(&f);
	free(took);
	free(after);
	free(plain);
}

int main(int argc, char **argv)
{
	static const char *const all[] = { "64", "512", "4096", "16384", "65536" };
	FILE *json = NULL;
	u32 k, pages;
	int i;

	for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "--rounds"))
			rounds = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--json"))
			json = fopen(argv[i + 1], "w");
		else
			break;
	}
	if ((i < argc && argv[i][0] == '-') || !rounds) {
		fprintf(stderr, "pause-bench [--rounds N] [--json FILE] [PAGES...]\n");
		return 2;
	}
	if (json)
		fprintf(json, "{\"rows\": [");
	printf(" pages   step     snapshot   a page        call   call after\n");
	for (k = 0; k < (i < argc ? (u32)(argc - i) : ARRAY_SIZE(all)); k++) {
		pages = strtoul(i < argc ? argv[i + k] : all[k], NULL, 0);
		row(pages, 1, json);
		if (2 * pages * PAGE < BYTES - FAMILY_DATA)
			row(pages, 2, json);
	}
	if (json) {
		fprintf(json, "\n]}\n");
		fclose(json);
	}
	return 0;
}
