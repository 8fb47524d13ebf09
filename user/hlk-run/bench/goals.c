// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the restore path is meant to reach, each with the figure of this run. A
 * goal that is missed is said, and no failure of the program.
 */
#include <stdio.h>
#include <string.h>

#include "goals.h"
#include "ways_hlk.h"

#define MIB	(1ULL << 20)

const struct bench_cfg bench_base = { 64, 16 * MIB, 16 * MIB, false };

const struct bench_run *find_run(const struct bench_report *report,
				 const struct bench_cfg *cfg)
{
	const struct bench_cfg *have;
	uint32_t i;

	for (i = 0; i < report->nr; i++) {
		have = &report->run[i].cfg;
		if (have->pages == cfg->pages && have->scratch == cfg->scratch &&
		    have->guest == cfg->guest && have->data == cfg->data)
			return &report->run[i];
	}
	return NULL;
}

const struct bench_result *find_way(const struct bench_run *run, const char *id)
{
	uint32_t i;

	for (i = 0; run && i < run->nr; i++)
		if (!strcmp(run->result[i].ops->id, id) && run->result[i].present)
			return &run->result[i];
	return NULL;
}

struct list {
	const struct bench_report *report;
	const char *hlk;
	struct bench_goal *goal;
	uint32_t nr;
};

static struct bench_goal *add(struct list *list, const char *id, bool at_least,
			      double limit)
{
	struct bench_goal *goal = &list->goal[list->nr];

	if (list->nr < BENCH_MAX_GOALS - 1)
		list->nr++;
	*goal = (struct bench_goal){
		.id = id, .at_least = at_least, .limit = limit,
	};
	return goal;
}

static void set(struct bench_goal *goal, bool known, double figure)
{
	goal->known = known;
	goal->figure = known ? figure : 0;
	if (!known && !goal->why[0])
		snprintf(goal->why, sizeof(goal->why), "not measured");
}

static const struct bench_result *base_way(const struct list *list, uint32_t pages,
					   const char *id)
{
	struct bench_cfg cfg = bench_base;

	cfg.pages = pages;
	return find_way(find_run(list->report, &cfg), id);
}

static void ratio(struct bench_goal *goal, const struct bench_result *of,
		  const struct bench_result *to)
{
	bool known = of && to && to->p50;

	set(goal, known, known ? (double)of->p50 / to->p50 : 0);
}

/* 1: what one restore and call takes, in counts */
static void goals_counts(struct list *list)
{
	static const struct {
		enum bench_count count;
		double limit;
		const char *text;
	} wanted[] = {
		{ COUNT_SYSCALLS, 1, "system calls" },
		{ COUNT_SYSCALLS_SEEN, 1, "system calls, as the kernel counts them" },
		{ COUNT_ENTRIES, 1, "VM entries" },
		{ COUNT_NESTED, 0, "nested page faults" },
		{ COUNT_ALLOC, 0, "page allocations" },
		{ COUNT_IPI, 0, "IPIs" },
	};
	const struct bench_result *way = base_way(list, 64, list->hlk);
	struct bench_goal *goal;
	bool known;
	size_t i;

	for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		goal = add(list, "1", false, wanted[i].limit);
		snprintf(goal->text, sizeof(goal->text),
			 "%s per restore + call, 64 pages", wanted[i].text);
		known = way && way->count[wanted[i].count] != BENCH_NO_COUNT;
		set(goal, known, known ? way->count[wanted[i].count] : 0);
	}
}

/* 2: page copies */
static void goals_memory(struct list *list)
{
	const struct bench_extra *extra = &list->report->extra;
	struct bench_goal *goal;
	double copies, part;
	bool known;
	uint32_t i;

	for (i = 0; i < BENCH_SIZES; i++) {
		known = extra->copy > 0 && extra->restore[i];
		copies = extra->copy * extra->pages[i];
		part = (double)extra->restore[i] - extra->restore_none;
		goal = add(list, "2", false, 1.15);
		snprintf(goal->text, sizeof(goal->text),
			 "memory part of a restore in page copies per page, %u pages",
			 extra->pages[i]);
		set(goal, known, part / copies);
	}
	goal = add(list, "2", false, 16);
	snprintf(goal->text, sizeof(goal->text),
		 "pages written back per restore: 8 written now, 512 once, after 64 calls");
	set(goal, extra->hot_first, extra->hot_after);
	goal = add(list, "2", false, 2);
	snprintf(goal->text, sizeof(goal->text),
		 "what that takes, in copies of 8 pages");
	part = (double)extra->hot_restore - extra->restore_none;
	set(goal, extra->hot_first && extra->copy > 0, part / (8 * extra->copy));
}

/* How much more the dearer one costs */
static void spread(struct list *list, uint64_t a, uint64_t b, const char *text)
{
	struct bench_goal *goal = add(list, "3", false, 1.05);
	double dear = a > b ? a : b;
	double cheap = a > b ? b : a;

	snprintf(goal->text, sizeof(goal->text), "%s, 64 pages, dearer to cheaper",
		 text);
	set(goal, cheap > 0, cheap > 0 ? dear / cheap : 0);
}

/* 3: what must not matter */
static void goals_size(struct list *list)
{
	const uint64_t *side = list->report->extra.side;

	spread(list, side[SIDE_BASE], side[SIDE_GUEST],
	       "guest of 16 MiB and of 1 GiB");
	spread(list, side[SIDE_SMALL], side[SIDE_LARGE],
	       "scratch of 1 MiB and of 64 MiB");
}

static const struct bench_result *best_other(const struct list *list,
					     uint32_t pages)
{
	static const char *const ids[] = { "B1", "B2", "B3", "B4", "B5", "B5w" };
	const struct bench_result *best = NULL;
	const struct bench_result *way;
	size_t i;

	for (i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		way = base_way(list, pages, ids[i]);
		if (way && (!best || way->p50 < best->p50))
			best = way;
	}
	return best;
}

/* 4: against user space */
static void goals_others(struct list *list)
{
	static const uint32_t pages[] = { 1, 8, 64, 512 };
	const struct bench_result *other;
	struct bench_goal *goal;
	size_t i;

	for (i = 0; i < 3; i++) {
		other = best_other(list, pages[i]);
		goal = add(list, "4", true, 2);
		snprintf(goal->text, sizeof(goal->text),
			 "times faster than the best of B1 to B5 (%s), %u pages",
			 other ? other->ops->id : "-", pages[i]);
		ratio(goal, other, base_way(list, pages[i], list->hlk));
	}
	for (i = 0; i < 4; i++) {
		goal = add(list, "4", true, 1);
		snprintf(goal->text, sizeof(goal->text),
			 "times faster than B6, %u pages", pages[i]);
		ratio(goal, base_way(list, pages[i], "B6"),
		      base_way(list, pages[i], list->hlk));
	}
	for (i = 0; i < 3; i++) {
		goal = add(list, "4", true, 1);
		goal->stated = true;
		snprintf(goal->text, sizeof(goal->text),
			 "times faster than B6 with FPU and seed (B6f), %u pages",
			 pages[i]);
		ratio(goal, base_way(list, pages[i], "B6f"),
		      base_way(list, pages[i], list->hlk));
	}
	goal = add(list, "4", true, 10);
	snprintf(goal->text, sizeof(goal->text),
		 "times faster than B1, 16 MiB of scratch, 64 pages");
	ratio(goal, base_way(list, 64, "B1"), base_way(list, 64, list->hlk));
	goal = add(list, "4", true, 100);
	snprintf(goal->text, sizeof(goal->text), "times faster than B7, 64 pages");
	ratio(goal, base_way(list, 64, "B7"), base_way(list, 64, list->hlk));
}

/* 5: against no restore */
static void goals_call(struct list *list)
{
	static const uint32_t pages[] = { 1, 8 };
	struct bench_goal *goal;
	size_t i;

	for (i = 0; i < 2; i++) {
		goal = add(list, "5", false, 1.5);
		snprintf(goal->text, sizeof(goal->text),
			 "restore + call to the call alone (C), %u pages", pages[i]);
		ratio(goal, base_way(list, pages[i], list->hlk),
		      base_way(list, pages[i], "C"));
	}
}

/* 5: against the floor, the call alone and one copy of each page */
static void goals_floor(struct list *list)
{
	static const uint32_t pages[] = { 1, 8, 64, 512 };
	static const char *const ids[] = { "A2", "B3", "B4", "B5", "B6", "B7" };
	const struct bench_result *call;
	const struct bench_result *way;
	struct bench_goal *goal;
	double floor;
	size_t i, k;

	for (i = 0; i < 4; i++) {
		call = base_way(list, pages[i], "C");
		floor = call ? call->p50 + pages[i] * list->report->extra.copy : 0;
		for (k = 0; k < 6; k++) {
			way = base_way(list, pages[i], ids[k]);
			goal = add(list, "5", false, 1);
			goal->stated = true;
			snprintf(goal->text, sizeof(goal->text),
				 "%s to the floor: the call and a copy of each page, %u pages",
				 ids[k], pages[i]);
			set(goal, way && floor > 0, way && floor > 0 ? way->p50 / floor : 0);
		}
	}
}

static void goal_used(struct list *list, const char *what, uint32_t pages, double limit,
		      double figure)
{
	struct bench_goal *goal = add(list, "9", false, limit);

	snprintf(goal->text, sizeof(goal->text), "%s, %u pages", what, pages);
	set(goal, figure > 0, figure);
}

/* In instructions, which are told of A2, and of calls one by one */
static void goals_counted(struct list *list, uint32_t i)
{
	const struct bench_used *used = &list->report->used;
	const struct used_cell *cell = &used->cell[i][USED_SAME][USED_LEARN];
	const struct used_cell *queue = &used->queue[i];
	struct bench_goal *goal;

	if (!list->report->env->perf_counts || !used->a2[i] || !queue->known)
		return;
	if (used->pages[i] < 64)
		goal_used(list, "instructions by name above those of A2", used->pages[i], 5000,
			  (double)cell->p50 - used->a2[i]);
	goal = add(list, "9", true, 800);
	snprintf(goal->text, sizeof(goal->text),
		 "instructions less, on average, for each call of a queue, %u pages",
		 used->pages[i]);
	set(goal, true, (double)cell->mean - queue->mean);
}

/* 9: libhlk as it is used */
static void goals_used(struct list *list)
{
	const struct bench_used *used = &list->report->used;
	const struct used_cell *cell;
	uint32_t i, which;
	uint64_t best;

	for (i = 0; i < NR_USED_PAGES && used->pages[i]; i++) {
		cell = used->cell[i][USED_SAME];
		if (used->pages[i] >= 64)
			goal_used(list, "by name to A2", used->pages[i], 1.15,
				  used->a2[i] ? (double)cell[USED_LEARN].p50 / used->a2[i] : 0);
		goals_counted(list, i);
		for (which = 0; which < NR_USED_WHICH; which++) {
			cell = used->cell[i][which];
			best = cell[USED_GUEST].mean < cell[USED_HOST].mean ?
			       cell[USED_GUEST].mean : cell[USED_HOST].mean;
			goal_used(list, which == USED_SAME ?
				  "mean of what learns to the better of both, the same pages" :
				  which == USED_OTHER ?
				  "mean of what learns to the better of both, others each time" :
				  "mean of what learns to the better of both, drifting",
				  used->pages[i], 1.05,
				  best ? (double)cell[USED_LEARN].mean / best : 0);
		}
	}
	if (used->clone.mean)
		goal_used(list, "restores 1 to 32 of who took the snapshot to a clone's", 8, 1.2,
			  (double)used->taker.mean / used->clone.mean);
}

/* 6: new sandboxes */
static void goals_clones(struct list *list)
{
	const struct bench_clones *c = &list->report->extra.clones;
	struct bench_goal *goal = add(list, "6", false, 1.5);
	bool known = c->hundredth && (!c->prefault || c->first_prefault);
	uint64_t first = c->prefault ? c->first_prefault : c->first;

	snprintf(goal->text, sizeof(goal->text),
		 "1st call of a clone to its 100th, %s",
		 !c->prefault ? "no prefaulting in this module" :
		 c->nested ? "prefaulted" : "prefaulted, but not by KVM");
	goal->stated = !c->prefault || !c->nested;
	set(goal, known, known ? (double)first / c->hundredth : 0);
	goal = add(list, "6", true, 1);
	goal->stated = true;
	snprintf(goal->text, sizeof(goal->text),
		 "times faster than B7: a new sandbox and its call (A0), 64 pages");
	ratio(goal, base_way(list, 64, "B7"), base_way(list, 64, "A0"));
}

/* 7: batches and threads */
static void goals_many(struct list *list)
{
	const struct bench_extra *extra = &list->report->extra;
	const struct bench_result *way = base_way(list, 64, "A3");
	double calls = way ? way->count[COUNT_SYSCALLS] : 0;
	struct bench_goal *goal;

	if (!list->report->env->threads_only) {
		goal = add(list, "7", true, list->report->env->batch);
		snprintf(goal->text, sizeof(goal->text),
			 "restores and runs by one HLK_RUN_MANY");
		set(goal, calls > 0, calls > 0 ? 1 / calls : 0);
	}
	goal = add(list, "7", true, 1.8);
	snprintf(goal->text, sizeof(goal->text),
		 "two threads to one, independent sandboxes, %u CPUs", extra->cpus);
	/* an emulator with one host thread shows nothing */
	goal->stated = list->report->env->emulated &&
		       !list->report->env->threads_only;
	if (extra->cpus < 2)
		snprintf(goal->why, sizeof(goal->why), "only one CPU");
	set(goal, extra->one > 0, extra->one > 0 ? extra->two / extra->one : 0);
	if (extra->one_alone <= 0)
		return;
	goal = add(list, "7", true, 1.8);
	goal->stated = true;
	snprintf(goal->text, sizeof(goal->text),
		 "two threads to one, the call alone (C): what this machine can");
	set(goal, true, extra->two_alone / extra->one_alone);
}

/**
 * bench_goals() - which goals this run reaches
 * @report: the run
 * @goal: out: BENCH_MAX_GOALS of them
 *
 * Return: how many there are
 */
uint32_t bench_goals(const struct bench_report *report, struct bench_goal *goal)
{
	struct list list = {
		.report = report,
		.hlk = best_hlk_way(report->env)->id,
		.goal = goal,
	};

	if (!report->env->threads_only) {
		goals_counts(&list);
		goals_memory(&list);
		goals_size(&list);
		goals_others(&list);
		goals_call(&list);
		goals_floor(&list);
		goals_clones(&list);
	}
	goals_many(&list);
	goals_used(&list);
	return list.nr;
}
