// SPDX-License-Identifier: GPL-2.0-only
/*
 * One configuration: every way is opened, checked, called for the first time,
 * warmed up, and then all take turns in blocks, so that what happens to the
 * machine meanwhile happens to all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "../interrupt.h"
#include "../samples.h"
#include "count.h"
#include "image.h"
#include "measure.h"
#include "ways_hlk.h"
#include "ways_kvm.h"
#include "ways_program.h"

#define WARM		8
#define MAX_BLOCK	2000
#define MAX_COUNTED	50

struct runner {
	struct bench_way way;
	struct samples samples;
	struct bench_result *result;
	uint32_t block;
};

static int turn_timed(struct bench_way *way, uint64_t *took)
{
	uint64_t start;
	int ret;

	if (way->ops->before)
		way->ops->before(way);
	start = bench_now(way->env);
	ret = way->ops->turn(way);
	*took = (bench_now(way->env) - start) / way->batch;
	return ret;
}

static void drop(struct runner *r)
{
	snprintf(r->result->why, sizeof(r->result->why), "%s",
		 r->way.why[0] ? r->way.why : interrupted() ? "interrupted" : "failed");
	r->result->present = false;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* First calls, each in a VM of its own; the last of these VMs stays open. */
static int first_calls(struct runner *r, const struct bench_env *env,
		       const struct bench_image *image)
{
	const bool once = r->result->ops->flags & (WAY_BATCH | WAY_NEW_VM);
	uint32_t nr = once ? 1 : env->firsts;
	uint64_t took[16];
	uint32_t i;

	if (nr > sizeof(took) / sizeof(*took))
		nr = sizeof(took) / sizeof(*took);
	for (i = 0; i < nr; i++) {
		if (i)
			way_close(&r->way);
		if (way_open(&r->way, r->result->ops, env, image))
			return -1;
		if (turn_timed(&r->way, &took[i])) {
			way_close(&r->way);
			return -1;
		}
	}
	qsort(took, nr, sizeof(*took), compare);
	r->result->first = took[nr / 2];
	return 0;
}

/* How many turns make a block, by what the last warm ones took */
static int warm(struct runner *r, const struct bench_env *env)
{
	const uint64_t share = env->budget_ns / env->rounds;
	uint64_t took = 0, least = UINT64_MAX;
	uint64_t start = bench_now(env);
	uint32_t i;

	for (i = 0; i < WARM || bench_now(env) - start < share / 2; i++) {
		if (turn_timed(&r->way, &took))
			return -1;
		took *= r->way.batch;
		if (took < least)
			least = took;
		/* what takes that long has little to get used to */
		if (i >= 2 && bench_now(env) - start > 2 * share)
			break;
	}
	r->block = least ? share / least : MAX_BLOCK;
	if (r->block > MAX_BLOCK)
		r->block = MAX_BLOCK;
	if (!r->block)
		r->block = 1;
	return 0;
}

static int prepare(struct runner *r, const struct bench_env *env,
		   const struct bench_image *image)
{
	int ret;

	if (way_open(&r->way, r->result->ops, env, image))
		return -1;
	ret = way_verify(&r->way);
	way_close(&r->way);
	if (ret || first_calls(r, env, image))
		return -1;
	if (warm(r, env) || samples_init(&r->samples)) {
		way_close(&r->way);
		return -1;
	}
	return 0;
}

static void block(struct runner *r)
{
	uint64_t took;
	uint32_t i;

	for (i = 0; i < r->block && r->result->present; i++) {
		if (turn_timed(&r->way, &took))
			drop(r);
		else
			samples_add(&r->samples, took);
	}
}

static void count(struct runner *r)
{
	uint32_t turns = r->block < MAX_COUNTED ? r->block : MAX_COUNTED;

	if (turns < 2)
		turns = 2;
	if (count_way(&r->way, turns, r->result->count))
		drop(r);
}

static void finish(struct runner *r)
{
	struct bench_result *result = r->result;

	if (r->samples.nr) {
		result->turns = r->samples.nr;
		result->min = r->samples.min;
		result->mean = samples_mean(&r->samples);
		result->p50 = samples_at(&r->samples, 5000);
		result->p90 = samples_at(&r->samples, 9000);
		result->p99 = samples_at(&r->samples, 9900);
		result->p999 = samples_at(&r->samples, 9990);
		result->p9999 = samples_at(&r->samples, 9999);
	}
	samples_free(&r->samples);
	way_close(&r->way);
}

static bool asked_for(const struct bench_env *env, const char *id)
{
	const char *at = env->only;
	size_t len = strlen(id);

	if (!at)
		return true;
	while ((at = strstr(at, id))) {
		if ((at == env->only || at[-1] == ',') &&
		    (at[len] == ',' || !at[len]))
			return true;
		at += len;
	}
	return false;
}

static void list_ways(const struct bench_env *env, struct bench_run *run,
		      const struct way_ops *ops, uint32_t nr)
{
	struct bench_result *result;
	uint32_t i, k;

	for (i = 0; i < nr; i++) {
		if (!asked_for(env, ops[i].id) || run->nr == BENCH_MAX_WAYS)
			continue;
		result = &run->result[run->nr++];
		result->ops = &ops[i];
		for (k = 0; k < NR_COUNTS; k++)
			result->count[k] = BENCH_NO_COUNT;
	}
}

static bool is_way(const struct way_ops *ops, uint32_t nr, const char *name, size_t len)
{
	while (nr--)
		if (strlen(ops[nr].id) == len && !memcmp(ops[nr].id, name, len))
			return true;
	return false;
}

/**
 * bench_no_way() - the first name in a list that is not one of a way
 * @list: names, between commas
 *
 * Return: it and all behind it, or NULL
 */
const char *bench_no_way(const char *list)
{
	size_t len;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		if (!is_way(hlk_ways, nr_hlk_ways, list, len) &&
		    !is_way(program_ways, nr_program_ways, list, len) &&
		    !is_way(kvm_ways, nr_kvm_ways, list, len))
			return list;
		if (!list[len])
			return NULL;
	}
}

/**
 * bench_measure() - one configuration, all ways
 * @env: the run
 * @cfg: the configuration
 * @run: out: what came out; a way that could not be done says why
 *
 * Return: 0, or -1 if there was no memory for the guest
 */
int bench_measure(const struct bench_env *env, const struct bench_cfg *cfg,
		  struct bench_run *run)
{
	struct bench_image image;
	struct runner *runner;
	char why[128];
	uint32_t i, k;

	*run = (struct bench_run){ .cfg = *cfg };
	list_ways(env, run, hlk_ways, nr_hlk_ways);
	list_ways(env, run, program_ways, nr_program_ways);
	list_ways(env, run, kvm_ways, nr_kvm_ways);
	runner = calloc(run->nr, sizeof(*runner));
	if (!runner || image_make(env, cfg, &image, why, sizeof(why))) {
		fail_say("%s", runner ? why : "out of memory");
		free(runner);
		return -1;
	}
	for (i = 0; i < run->nr; i++) {
		runner[i].result = &run->result[i];
		run->result[i].present = true;
		if (interrupted() || prepare(&runner[i], env, &image))
			drop(&runner[i]);
	}
	for (k = 0; k < env->rounds && !interrupted(); k++)
		for (i = 0; i < run->nr; i++)
			block(&runner[i]);
	for (i = 0; i < run->nr; i++)
		if (run->result[i].present)
			count(&runner[i]);
	for (i = 0; i < run->nr; i++)
		if (runner[i].samples.count)
			finish(&runner[i]);
	image_free(&image);
	free(runner);
	return 0;
}
