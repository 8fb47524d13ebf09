// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run bench: tables for people. */
#include <stdio.h>
#include <string.h>

#include "../table.h"
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

#define WIDE		(38 + 5 * 9 + 8 + NR_SHOWN * 8)

static void format_count(char *text, size_t size, double count)
{
	if (count == BENCH_NO_COUNT)
		snprintf(text, size, "-");
	else if (count == (double)(uint64_t)count)
		snprintf(text, size, "%llu", (unsigned long long)count);
	else
		snprintf(text, size, "%.2f", count);
}

static void print_time(const struct bench_env *env, uint64_t value)
{
	char text[24];

	format_time(env, text, sizeof(text), value);
	printf(" %8s", value ? text : "-");
}

/**
 * struct words - figures with their names, where there is no room for columns
 * @len: how long they are
 * @text: the words
 */
struct words {
	size_t len;
	char text[512];
};

static void add_word(struct words *words, const char *name, const char *value)
{
	int len = snprintf(words->text + words->len, sizeof(words->text) - words->len,
			   "%s%s=", words->len ? " " : "", name);

	for (words->len += len; *value && words->len + 1 < sizeof(words->text); value++)
		if (*value != ' ')
			words->text[words->len++] = *value;
	words->text[words->len] = '\0';
}

static void add_time(struct words *words, const struct bench_env *env, const char *name,
		     uint64_t value)
{
	char text[24];

	format_time(env, text, sizeof(text), value);
	add_word(words, name, value ? text : "-");
}

static void print_words(const struct term *term, const struct bench_env *env,
			const struct bench_result *r, const struct bench_result *hlk)
{
	struct words words = {};
	char text[24] = "-";
	size_t i;

	add_time(&words, env, "p50", r->p50);
	add_time(&words, env, "mean", r->mean);
	add_time(&words, env, "p90", r->p90);
	add_time(&words, env, "p99", r->p99);
	add_time(&words, env, "p99.9", r->p999);
	add_time(&words, env, "first", r->first);
	if (hlk && hlk->p50)
		snprintf(text, sizeof(text), "%.2f", (double)r->p50 / hlk->p50);
	add_word(&words, "ratio", text);
	for (i = 0; i < NR_SHOWN; i++) {
		format_count(text, sizeof(text), r->count[shown[i]]);
		add_word(&words, heading[i], text);
	}
	printf("\n      ");
	table_words(term, 6, 6, words.text);
}

static void print_columns(const struct bench_env *env, const struct bench_result *r,
			  const struct bench_result *hlk)
{
	char text[24];
	size_t i;

	print_time(env, r->p50);
	print_time(env, r->mean);
	print_time(env, r->p90);
	print_time(env, r->p99);
	print_time(env, r->first);
	if (hlk && hlk->p50)
		printf(" %7.2f", (double)r->p50 / hlk->p50);
	else
		printf(" %7s", "-");
	for (i = 0; i < NR_SHOWN; i++) {
		format_count(text, sizeof(text), r->count[shown[i]]);
		printf(" %7s", text);
	}
	putchar('\n');
}

static void print_result(const struct term *term, const struct bench_env *env,
			 const struct bench_result *r, const struct bench_result *hlk)
{
	bool narrow = term->columns && term->columns < (int)WIDE;

	printf("  %-4s", r->ops->id);
	if (narrow || !r->present)
		printf("%s", r->ops->name);
	else
		printf("%-32s", r->ops->name);
	if (!r->present) {
		printf("\n      ");
		table_words(term, 6, 6, r->why);
	} else if (narrow) {
		print_words(term, env, r, hlk);
	} else {
		print_columns(env, r, hlk);
	}
}

static void print_run(const struct term *term, const struct bench_env *env,
		      const struct bench_run *run)
{
	const struct bench_result *hlk = find_way(run, best_hlk_way(env)->id);
	char text[96];
	size_t i;

	format_cfg(text, sizeof(text), &run->cfg);
	putchar('\n');
	table_words(term, 0, 2, text);
	if (!term->columns || term->columns >= (int)WIDE) {
		printf("  %-36s %8s %8s %8s %8s %8s %7s", "", "p50", "mean", "p90", "p99",
		       "first", "ratio");
		for (i = 0; i < NR_SHOWN; i++)
			printf(" %7s", heading[i]);
		putchar('\n');
	}
	for (i = 0; i < run->nr; i++)
		print_result(term, env, &run->result[i], hlk);
}

static void print_pair(const struct bench_env *env, const char *what, double value)
{
	char text[24];
	struct term term;

	term_init(&term, stdout);
	format_time(env, text, sizeof(text), value);
	if (term.columns && term.columns < 72) {
		printf("  ");
		table_words(&term, 2, 4, what);
		printf("    %s\n", value > 0 ? text : "-");
	} else {
		printf("  %-58s %10s\n", what, value > 0 ? text : "-");
	}
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

static void print_goal(const struct term *term, const struct bench_goal *goal)
{
	char text[512];
	int len;

	if (term->columns)
		len = snprintf(text, sizeof(text), "%s: ", goal->text);
	else
		len = snprintf(text, sizeof(text), "%-74s ", goal->text);
	if (!goal->known)
		snprintf(text + len, sizeof(text) - len, "%s", goal->why);
	else if (goal->stated)
		snprintf(text + len, sizeof(text) - len, "%*.2f  (only stated)",
			 term->columns ? 0 : 9, goal->figure);
	else
		snprintf(text + len, sizeof(text) - len, "%*.2f  %s %g: %s",
			 term->columns ? 0 : 9, goal->figure,
			 goal->at_least ? "at least" : "at most ", goal->limit,
			 goal_met(goal) ? "met" : "MISSED");
	printf("  %s  ", goal->id);
	if (term->columns)
		table_words(term, 4 + strlen(goal->id), 5, text);
	else
		puts(text);
}

static void print_head(const struct term *term, const struct bench_env *env)
{
	printf("Restore + call, on Linux %s\n", env->kernel);
	if (env->perf_counts)
		table_words(term, 0, 0, "Figures are instructions, if the emulator runs with -icount shift=0.");
	else if (env->emulated)
		table_words(term, 0, 0, "This machine's processor is emulated: times mean something only in relation.");
	printf("User space copies pages by %s.\n",
	       env->rep ? "string instructions, as the kernel does" : "memcpy()");
	if (env->threads_only)
		return;
	table_words(term, 0, 0, "ratio: median to that of the best way of hlk. calls: system calls. npf: nested page faults.");
	table_words(term, 0, 0, "pages: copied or cleared. All per restore + call, after warm-up, but for first: the first call in a new VM.");
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
	struct term term;
	uint32_t i;

	term_init(&term, stdout);
	print_head(&term, report->env);
	for (i = 0; i < report->nr; i++)
		print_run(&term, report->env, &report->run[i]);
	if (report->used.pages[0])
		used_table(report->env, &report->used);
	print_extra(report);
	puts("\ngoals");
	for (i = 0; i < nr_goals; i++)
		print_goal(&term, &goal[i]);
	if (!report->env->threads_only)
		puts("  8  a million restores with random guests, audited: make check-long");
}
