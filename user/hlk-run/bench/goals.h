/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: the ratios that are wanted. */
#ifndef HLK_RUN_BENCH_GOALS_H
#define HLK_RUN_BENCH_GOALS_H

#include "results.h"

/**
 * struct bench_goal - a ratio that is wanted
 * @id: its number
 * @text: what
 * @figure: what it is
 * @limit: what it should be
 * @at_least: a lower limit, not an upper one
 * @known: there is a figure
 * @stated: the figure is only to be stated
 * @why: why not, or where it was missed
 */
struct bench_goal {
	const char *id;
	char text[112];
	double figure;
	double limit;
	bool at_least;
	bool known;
	bool stated;
	char why[96];
};

#define BENCH_MAX_GOALS	96

static inline bool goal_met(const struct bench_goal *goal)
{
	return goal->at_least ? goal->figure >= goal->limit :
				goal->figure <= goal->limit;
}

uint32_t bench_goals(const struct bench_report *report, struct bench_goal *goal);
const struct bench_run *find_run(const struct bench_report *report,
				 const struct bench_cfg *cfg);
const struct bench_result *find_way(const struct bench_run *run, const char *id);
extern const struct bench_cfg bench_base;

#endif /* HLK_RUN_BENCH_GOALS_H */
