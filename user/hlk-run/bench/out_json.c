// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run bench: JSON. */
#include <cjson/cJSON.h>

#include "../json.h"
#include "out.h"

static void add_cfg(struct cJSON *to, const struct bench_cfg *cfg)
{
	json_u64(to, "pages", cfg->pages);
	json_u64(to, "scratch", cfg->scratch);
	json_u64(to, "guest", cfg->guest);
	cJSON_AddBoolToObject(to, "data", cfg->data);
}

static void add_counts(struct cJSON *to, const double *count)
{
	struct cJSON *counts = cJSON_AddObjectToObject(to, "per_call");
	int i;

	for (i = 0; i < NR_COUNTS; i++)
		if (count[i] == BENCH_NO_COUNT)
			cJSON_AddNullToObject(counts, count_name(i));
		else
			cJSON_AddNumberToObject(counts, count_name(i), count[i]);
}

static struct cJSON *result_json(const struct bench_result *r)
{
	struct cJSON *to = cJSON_CreateObject();

	cJSON_AddStringToObject(to, "way", r->ops->id);
	cJSON_AddStringToObject(to, "name", r->ops->name);
	cJSON_AddBoolToObject(to, "present", r->present);
	if (!r->present) {
		cJSON_AddStringToObject(to, "why", r->why);
		return to;
	}
	json_u64(to, "turns", r->turns);
	json_u64(to, "min", r->min);
	json_u64(to, "mean", r->mean);
	json_u64(to, "p50", r->p50);
	json_u64(to, "p90", r->p90);
	json_u64(to, "p99", r->p99);
	json_u64(to, "p999", r->p999);
	json_u64(to, "p9999", r->p9999);
	json_u64(to, "first", r->first);
	add_counts(to, r->count);
	return to;
}

static void add_runs(struct cJSON *root, const struct bench_report *report)
{
	struct cJSON *runs = cJSON_AddArrayToObject(root, "configurations");
	struct cJSON *run, *ways;
	uint32_t i, k;

	for (i = 0; i < report->nr; i++) {
		run = cJSON_CreateObject();
		add_cfg(run, &report->run[i].cfg);
		ways = cJSON_AddArrayToObject(run, "ways");
		for (k = 0; k < report->run[i].nr; k++)
			cJSON_AddItemToArray(ways,
					     result_json(&report->run[i].result[k]));
		cJSON_AddItemToArray(runs, run);
	}
}

static void add_clones(struct cJSON *root, const struct bench_clones *c)
{
	struct cJSON *to = cJSON_AddObjectToObject(root, "clones");

	cJSON_AddBoolToObject(to, "prefault", c->prefault);
	cJSON_AddBoolToObject(to, "prefault_by_kvm", c->nested);
	json_u64(to, "create", c->create);
	json_u64(to, "first", c->first);
	json_u64(to, "hundredth", c->hundredth);
	json_u64(to, "create_prefault", c->create_prefault);
	json_u64(to, "first_prefault", c->first_prefault);
}

static void add_extra(struct cJSON *root, const struct bench_extra *extra)
{
	struct cJSON *page = cJSON_AddObjectToObject(root, "page");
	struct cJSON *restores = cJSON_AddArrayToObject(root, "restore_alone");
	struct cJSON *hot, *threads, *one;
	uint32_t i;

	cJSON_AddNumberToObject(page, "copy", extra->copy);
	cJSON_AddNumberToObject(page, "copy_libc", extra->copy_libc);
	cJSON_AddNumberToObject(page, "clear", extra->clear);
	for (i = 0; i <= BENCH_SIZES; i++) {
		one = cJSON_CreateObject();
		json_u64(one, "pages", i < BENCH_SIZES ? extra->pages[i] : 0);
		json_u64(one, "p50", i < BENCH_SIZES ? extra->restore[i] :
						       extra->restore_none);
		cJSON_AddItemToArray(restores, one);
	}
	json_u64(root, "restore_again", extra->restore_again);
	hot = cJSON_AddObjectToObject(root, "hot_set");
	json_u64(hot, "pages_first", extra->hot_first);
	cJSON_AddNumberToObject(hot, "pages_after_64", extra->hot_after);
	json_u64(hot, "restore_p50", extra->hot_restore);
	json_u64(hot, "calls_to_learn", extra->hot_calls);
	add_clones(root, &extra->clones);
	threads = cJSON_AddObjectToObject(root, "threads");
	json_u64(threads, "cpus", extra->cpus);
	cJSON_AddNumberToObject(threads, "one_per_s", extra->one);
	cJSON_AddNumberToObject(threads, "two_per_s", extra->two);
	cJSON_AddNumberToObject(threads, "one_alone_per_s", extra->one_alone);
	cJSON_AddNumberToObject(threads, "two_alone_per_s", extra->two_alone);
}

static void add_goals(struct cJSON *root, const struct bench_goal *goal,
		      uint32_t nr)
{
	struct cJSON *goals = cJSON_AddArrayToObject(root, "goals");
	struct cJSON *to;
	uint32_t i;

	for (i = 0; i < nr; i++, goal++) {
		to = cJSON_CreateObject();
		cJSON_AddStringToObject(to, "goal", goal->id);
		cJSON_AddStringToObject(to, "what", goal->text);
		cJSON_AddItemToArray(goals, to);
		if (!goal->known) {
			cJSON_AddNullToObject(to, "figure");
			cJSON_AddStringToObject(to, "why", goal->why);
			continue;
		}
		cJSON_AddNumberToObject(to, "figure", goal->figure);
		if (goal->stated)
			continue;
		cJSON_AddNumberToObject(to, goal->at_least ? "at_least" : "at_most",
					goal->limit);
		cJSON_AddBoolToObject(to, "met", goal_met(goal));
	}
}

/**
 * bench_json() - all of it, for programs
 * @report: the run
 * @goal: what it reached
 * @nr_goals: how many
 *
 * Return: to be freed by the caller
 */
struct cJSON *bench_json(const struct bench_report *report,
			 const struct bench_goal *goal, uint32_t nr_goals)
{
	const struct bench_env *env = report->env;
	struct cJSON *root = cJSON_CreateObject();

	cJSON_AddStringToObject(root, "version", HLK_RUN_VERSION);
	cJSON_AddStringToObject(root, "kernel", env->kernel);
	cJSON_AddStringToObject(root, "unit",
				env->perf_counts ? "instructions" : "ns");
	cJSON_AddBoolToObject(root, "emulated", env->emulated);
	cJSON_AddStringToObject(root, "user_space_copies_by",
				env->rep ? "string instructions" : "memcpy");
	json_u64(root, "module_features", env->features);
	json_u64(root, "batch", env->batch);
	add_runs(root, report);
	used_json(root, &report->used);
	add_extra(root, &report->extra);
	add_goals(root, goal, nr_goals);
	return root;
}
