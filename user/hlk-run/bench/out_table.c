// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run bench: tables for people. */
#include <stdio.h>
#include <string.h>

#include "../samples.h"
#include "out.h"
#include "ways_hlk.h"

static const enum bench_count shown[] = {
	COUNT_SYSCALLS, COUNT_ENTRIES, COUNT_NESTED, COUNT_TLB, COUNT_PAGES,
	COUNT_FAULTS, COUNT_ALLOC, COUNT_IPI,
};

static const char *const heading[] = {
	"calls", "entries", "npf", "tlb", "pages", "faults", "allocs", "IPIs",
};

#define NR_SHOWN	(sizeof(shown) / sizeof(*shown))

static void print_count(double count)
{
	if (count == BENCH_NO_COUNT)
		printf(" %7s", "-");
	else if (count == (double)(uint64_t)count)
		printf(" %7llu", (unsigned long long)count);
	else
		printf(" %7.2f", count);
}

static void print_time(const struct bench_env *env, uint64_t value)
{
	char text[24];

	format_time(env, text, sizeof(text), value);
	printf(" %8s", value ? text : "-");
}

static void print_result(const struct bench_env *env,
			 const struct bench_result *r,
			 const struct bench_result *hlk)
{
	size_t i;

	printf("  %-4s%-32s", r->ops->id, r->ops->name);
	if (!r->present) {
		printf(" %s\n", r->why);
		return;
	}
	print_time(env, r->p50);
	print_time(env, r->mean);
	print_time(env, r->p90);
	print_time(env, r->p99);
	print_time(env, r->first);
	if (hlk && hlk->p50)
		printf(" %7.2f", (double)r->p50 / hlk->p50);
	else
		printf(" %7s", "-");
	for (i = 0; i < NR_SHOWN; i++)
		print_count(r->count[shown[i]]);
	putchar('\n');
}

static void print_run(const struct bench_env *env, const struct bench_run *run)
{
	const struct bench_result *hlk = find_way(run, best_hlk_way(env)->id);
	char text[96];
	size_t i;

	format_cfg(text, sizeof(text), &run->cfg);
	printf("\n%s\n  %-36s %8s %8s %8s %8s %8s %7s", text, "", "p50", "mean", "p90", "p99",
	       "first", "ratio");
	for (i = 0; i < NR_SHOWN; i++)
		printf(" %7s", heading[i]);
	putchar('\n');
	for (i = 0; i < run->nr; i++)
		print_result(env, &run->result[i], hlk);
}

static void print_pair(const struct bench_env *env, const char *what, double value)
{
	char text[24];

	format_time(env, text, sizeof(text), value);
	printf("  %-58s %10s\n", what, value > 0 ? text : "-");
}

static void print_clones(const struct bench_env *env, const struct bench_clones *c)
{
	puts("\nsandboxes made from a snapshot in memory, 64 pages");
	print_pair(env, "made", c->create);
	print_pair(env, "first restore + call", c->first);
	print_pair(env, "100th", c->hundredth);
	if (!c->prefault) {
		puts("  (this module does not prefault)");
		return;
	}
	print_pair(env, c->nested ? "made and prefaulted, by KVM too" :
		   "made and prefaulted; this KVM cannot", c->create_prefault);
	print_pair(env, "first restore + call then", c->first_prefault);
}

static void print_extra(const struct bench_report *report)
{
	const struct bench_extra *extra = &report->extra;
	const struct bench_env *env = report->env;
	char text[64];
	uint32_t i;

	if (!env->threads_only) {
		puts("\na page, in user space");
		print_pair(env, "copied by a string instruction, as the kernel does",
			   extra->copy);
		print_pair(env, "copied by memcpy()", extra->copy_libc);
		print_pair(env, "cleared by a string instruction", extra->clear);
		puts("\nHLK_RESTORE alone, pages of data");
		print_pair(env, "after a call that wrote nothing",
			   extra->restore_none);
		print_pair(env, "once more, with no world switch between",
			   extra->restore_again);
		for (i = 0; i < BENCH_SIZES; i++) {
			snprintf(text, sizeof(text), "after one that wrote %u pages",
				 extra->pages[i]);
			print_pair(env, text, extra->restore[i]);
		}
		printf("\na sandbox that wrote 512 pages once and 8 from then on\n"
		       "  pages per restore: %llu at first, %.1f after 64 calls; 16 or less ",
		       (unsigned long long)extra->hot_first, extra->hot_after);
		if (extra->hot_calls)
			printf("from call %u on\n", extra->hot_calls);
		else
			puts("never");
		print_clones(env, &extra->clones);
	}
	if (extra->one > 0)
		printf("\ntwo threads, a sandbox each: %.0f calls/s; one: %.0f calls/s\n",
		       extra->two, extra->one);
	if (extra->one_alone > 0)
		printf("with no restore: %.0f calls/s; one: %.0f calls/s\n",
		       extra->two_alone, extra->one_alone);
}

static void print_goal(const struct bench_goal *goal)
{
	printf("  %s  %-74s ", goal->id, goal->text);
	if (!goal->known) {
		printf("%s\n", goal->why);
		return;
	}
	printf("%9.2f", goal->figure);
	if (goal->stated)
		puts("  (only stated)");
	else
		printf("  %s %g: %s\n", goal->at_least ? "at least" : "at most ",
		       goal->limit, goal_met(goal) ? "met" : "MISSED");
}

static void print_head(const struct bench_env *env)
{
	printf("Restore + call, on Linux %s\n", env->kernel);
	if (env->perf_counts)
		puts("Figures are instructions, if the emulator runs with -icount shift=0.");
	else if (env->emulated)
		puts("This machine's processor is emulated: times mean something only in relation.");
	printf("User space copies pages by %s.\n",
	       env->rep ? "string instructions, as the kernel does" : "memcpy()");
	if (env->threads_only)
		return;
	puts("ratio: median to that of the best way of hlk. calls: system calls. npf: nested");
	puts("page faults. pages: copied or cleared. All per restore + call, after warm-up, but");
	puts("for first: the first call in a new VM.");
}

/**
 * bench_table() - all of it, for people
 * @report: the run
 * @goal: what it reached
 * @nr_goals: how many
 */
void bench_table(const struct bench_report *report,
		 const struct bench_goal *goal, uint32_t nr_goals)
{
	uint32_t i;

	print_head(report->env);
	for (i = 0; i < report->nr; i++)
		print_run(report->env, &report->run[i]);
	if (report->used.pages[0])
		used_table(report->env, &report->used);
	print_extra(report);
	puts("\ngoals");
	for (i = 0; i < nr_goals; i++)
		print_goal(&goal[i]);
	if (!report->env->threads_only)
		puts("  8  a million restores with random guests, audited: make check-long");
}
