// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: how long a guest rests while a snapshot is made of it.
 *
 *	pause-bench [--rounds N] [--mib N] [--json FILE] [PAGES...]
 *
 * A guest of 512 MiB, or as many as are given, that runs from a snapshot wrote so many
 * pages, all of them or only every other one of its memory. Beside the second snapshot stand
 * the call that writes the same pages once more right after it, the same without a snapshot,
 * and the way to the new snapshot, for who does not go on. Medians, in ticks of the TSC; with
 * QEMU's -icount shift=0 these are instructions.
 */
#include <x86intrin.h>

#include "family.h"

static u64 bytes = 512UL << 20;
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

/**
 * struct row - what was measured
 * @took: a snapshot
 * @plain: a call that writes the same once more, without one
 * @after: and right after it
 * @go: the way to it
 */
struct row {
	u64 *took;
	u64 *plain;
	u64 *after;
	u64 *go;
};

static void row_round(struct family *f, const struct kvm_sync_regs *regs, struct row *r, u32 i)
{
	u64 start;
	int snap;

	family_go(f, 0);
	family_call(f);
	r->plain[i] = call_again(f, regs);
	start = __rdtsc();
	snap = hlk_snapshot_flat(f->t.hlk);
	r->took[i] = __rdtsc() - start;
	t_must(snap >= 0);
	r->after[i] = call_again(f, regs);
	close(snap);
}

/* Who does not go on goes to it. */
static void row_go(struct family *f, struct row *r, u32 i)
{
	u64 start;
	int snap;

	family_go(f, 0);
	family_call(f);
	snap = hlk_snapshot_flat(f->t.hlk);
	t_must(snap >= 0);
	start = __rdtsc();
	t_must(!hlk_restore(f->t.hlk, snap, NULL));
	r->go[i] = __rdtsc() - start;
	close(snap);
}

static void row_print(u32 pages, u32 step, struct row *r, FILE *json)
{
	unsigned long long took = median(r->took), plain = median(r->plain);
	unsigned long long after = median(r->after), go = median(r->go);

	printf("%6u %6u %12llu %8.0f %12llu %12llu %12llu\n", pages, step, took,
	       (double)took / pages, plain, after, go);
	fflush(stdout);
	if (!json)
		return;
	fprintf(json, "%s\n  {\"pages\": %u, \"step\": %u, \"snapshot_ticks\": %llu,",
		ftell(json) > 16 ? "," : "", pages, step, took);
	fprintf(json, " \"call_ticks\": %llu,", plain);
	fprintf(json, " \"call_after_ticks\": %llu, \"restore_ticks\": %llu}", after, go);
}

static void row(u32 pages, u32 step, FILE *json)
{
	const struct family_pages writes = { 0, pages, step };
	const struct family_pages none = { 0, 0, 1 };
	struct row r = {
		calloc(rounds, sizeof(u64)), calloc(rounds, sizeof(u64)),
		calloc(rounds, sizeof(u64)), calloc(rounds, sizeof(u64)),
	};
	struct kvm_sync_regs regs;
	struct family f;
	u32 i;

	t_must(r.took && r.plain && r.after && r.go);
	family_open(&f, bytes, &writes, &none);
	regs = f.t.run->s.regs;
	for (i = 0; i < rounds; i++)
		row_round(&f, &regs, &r, i);
	for (i = 0; i < rounds; i++)
		row_go(&f, &r, i);
	row_print(pages, step, &r, json);
	family_close(&f);
	free(r.took);
	free(r.plain);
	free(r.after);
	free(r.go);
}

int main(int argc, char **argv)
{
	static const char *const all[] = { "64", "512", "4096", "16384", "65536" };
	FILE *json = NULL;
	u32 k, pages, step;
	int i;

	for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "--rounds"))
			rounds = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--mib"))
			bytes = strtoul(argv[i + 1], NULL, 0) << 20;
		else if (!strcmp(argv[i], "--json"))
			json = fopen(argv[i + 1], "w");
		else
			break;
	}
	if ((i < argc && argv[i][0] == '-') || !rounds) {
		fprintf(stderr, "pause-bench [--rounds N] [--mib N] [--json FILE] [PAGES...]\n");
		return 2;
	}
	if (json)
		fprintf(json, "{\"rows\": [");
	printf(" pages   step     snapshot   a page         call   call after        to it\n");
	for (k = 0; k < (i < argc ? (u32)(argc - i) : ARRAY_SIZE(all)); k++) {
		pages = strtoul(i < argc ? argv[i + k] : all[k], NULL, 0);
		for (step = 1; step <= 2 && step * pages * PAGE < bytes - FAMILY_DATA; step++)
			row(pages, step, json);
	}
	if (json) {
		fprintf(json, "\n]}\n");
		fclose(json);
	}
	return 0;
}
