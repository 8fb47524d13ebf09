// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the matrix does not show: what a page copy costs, what of a restore is
 * memory, how the hot set is learned, what a clone's first calls cost, and
 * whether two threads restore side by side.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../fail.h"
#include "extra.h"
#include "goals.h"
#include "image.h"
#include "ways_hlk.h"
#include "ways_kvm.h"

#define COPIED		64		/* pages of one measured copy */
#define MANY		512
#define FEW		8
#define MAX_CLONES	32
#define HUNDRED		100
#define LATE		10		/* calls that stand for the 100th */
#define HOT_CALLS	128
#define HOT_LIMIT	64		/* calls after which it has to be learned */

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static uint64_t median(uint64_t *value, uint32_t nr)
{
	if (!nr)
		return 0;
	qsort(value, nr, sizeof(*value), compare);
	return value[nr / 2];
}

static void say(const struct bench_way *way)
{
	fail_say("%s: %s", way->ops->id,
		 way->why[0] ? way->why : "failed");
}

/* ---- page copies ---- */

enum { BY_STRING, BY_LIBC, CLEAR, NR_KINDS };

static uint64_t time_copy(const struct bench_env *env, int kind, uint8_t *to,
			  const uint8_t *from)
{
	struct bench_env by = { .rep = kind != BY_LIBC };
	uint64_t start = bench_now(env);
	uint32_t i;

	for (i = 0; i < COPIED; i++)
		if (kind == CLEAR)
			pages_clear(&by, to + i * BENCH_PAGE, BENCH_PAGE);
		else
			pages_copy(&by, to + i * BENCH_PAGE,
				   from + i * BENCH_PAGE, BENCH_PAGE);
	return bench_now(env) - start;
}

struct copies {
	uint8_t *at;
	uint64_t *took[NR_KINDS];
	uint32_t nr;
};

static void copies_free(struct copies *c)
{
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		free(c->took[kind]);
	free(c->at);
}

static int copies_init(struct copies *c, uint32_t rounds)
{
	int kind;

	*c = (struct copies){};
	c->at = aligned_alloc(BENCH_PAGE, 2 * COPIED * BENCH_PAGE);
	for (kind = 0; kind < NR_KINDS; kind++)
		c->took[kind] = calloc(rounds, sizeof(uint64_t));
	if (!c->at || !c->took[BY_STRING] || !c->took[BY_LIBC] || !c->took[CLEAR])
		return -1;
	memset(c->at, 1, 2 * COPIED * BENCH_PAGE);
	return 0;
}

static void copies_time(struct copies *c, const struct bench_env *env)
{
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		c->took[kind][c->nr] = time_copy(env, kind, c->at,
						 c->at + COPIED * BENCH_PAGE);
	c->nr++;
}

static void copies_done(struct copies *c, struct bench_extra *extra)
{
	extra->copy = (double)median(c->took[BY_STRING], c->nr) / COPIED;
	extra->copy_libc = (double)median(c->took[BY_LIBC], c->nr) / COPIED;
	extra->clear = (double)median(c->took[CLEAR], c->nr) / COPIED;
}

/* ---- the memory part of a restore ---- */

static int timed_restore(struct bench_way *way, uint64_t *took)
{
	uint64_t start = bench_now(way->env);
	int ret = sandbox_restore(way, &way->m);

	*took = bench_now(way->env) - start;
	return ret;
}

/* HLK_RESTORE alone, after a call that wrote @n pages */
static int restore_after(struct bench_way *way, uint32_t n, uint64_t *took)
{
	way->n = n;
	way->m.run->s.regs.regs.rdi = n;
	way->m.run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	if (machine_enter(way, &way->m))
		return -1;
	return timed_restore(way, took);
}

struct sizes {
	struct bench_way way[BENCH_SIZES + 1];
	uint64_t *took[BENCH_SIZES + 1];
	uint64_t *again;
	uint32_t open;
	uint32_t nr;
};

static const uint32_t written[BENCH_SIZES + 1] = { 8, 64, MANY, 0 };

static int sizes_round(struct sizes *s)
{
	struct bench_way *none = &s->way[BENCH_SIZES];
	uint32_t i;

	for (i = 0; i <= BENCH_SIZES; i++)
		if (restore_after(&s->way[i], written[i], &s->took[i][s->nr])) {
			say(&s->way[i]);
			return -1;
		}
	/* the same work, with no world switch before it */
	if (timed_restore(none, &s->again[s->nr])) {
		say(none);
		return -1;
	}
	s->nr++;
	return 0;
}

static int sizes_open(struct sizes *s, const struct bench_env *env,
		      const struct bench_image *image, uint32_t rounds)
{
	uint64_t ignored;
	uint32_t i, k;

	s->again = calloc(rounds, sizeof(uint64_t));
	if (!s->again)
		return -1;
	for (i = 0; i <= BENCH_SIZES; i++) {
		s->took[i] = calloc(rounds, sizeof(uint64_t));
		if (!s->took[i])
			return -1;
		if (way_open(&s->way[i], &hlk_ways[0], env, image)) {
			say(&s->way[i]);
			return -1;
		}
		s->open++;
		/* what happens to a page now and then has happened */
		for (k = 0; k < (env->quick ? 4 : HOT_LIMIT); k++)
			if (restore_after(&s->way[i], written[i], &ignored)) {
				say(&s->way[i]);
				return -1;
			}
	}
	return 0;
}

static void sizes_close(struct sizes *s)
{
	uint32_t i;

	for (i = 0; i < s->open; i++)
		way_close(&s->way[i]);
	for (i = 0; i <= BENCH_SIZES; i++)
		free(s->took[i]);
	free(s->again);
}

static int memory_part(const struct bench_env *env,
		       const struct bench_image *image, struct bench_extra *extra)
{
	const uint32_t rounds = env->quick ? 5 : 200;
	struct sizes *s = calloc(1, sizeof(*s));
	struct copies c;
	uint32_t i;
	int ret = -1;

	if (!s)
		return -1;
	if (!copies_init(&c, rounds) && !sizes_open(s, env, image, rounds))
		ret = 0;
	for (i = 0; !ret && i < rounds; i++) {
		copies_time(&c, env);
		ret = sizes_round(s);
	}
	if (!ret) {
		copies_done(&c, extra);
		for (i = 0; i < BENCH_SIZES; i++) {
			extra->pages[i] = written[i];
			extra->restore[i] = median(s->took[i], s->nr);
		}
		extra->restore_none = median(s->took[BENCH_SIZES], s->nr);
		extra->restore_again = median(s->again, s->nr);
	}
	copies_free(&c);
	sizes_close(s);
	free(s);
	return ret;
}

/* ---- the hot set ---- */

/* 512 pages once, then 8 at a time: how soon does it cost 8? */
static int hot_set(const struct bench_env *env, const struct bench_image *image,
		   struct bench_extra *extra)
{
	uint64_t late[HOT_CALLS];
	uint32_t nr = 0;
	struct bench_way way;
	uint64_t took, before, pages;
	uint64_t sum = 0;
	uint32_t i;
	int ret = 0;

	if (way_open(&way, &hlk_ways[0], env, image)) {
		say(&way);
		return -1;
	}
	for (i = 0; i < 2 && !ret; i++) {
		before = way.copied;
		ret = restore_after(&way, MANY, &took);
		extra->hot_first = way.copied - before;
	}
	for (i = 1; i <= HOT_CALLS && !ret; i++) {
		before = way.copied;
		ret = restore_after(&way, FEW, &took);
		pages = way.copied - before;
		if (pages <= 2 * FEW && !extra->hot_calls)
			extra->hot_calls = i;
		if (pages > 2 * FEW)
			extra->hot_calls = 0;
		if (i <= HOT_LIMIT)
			continue;
		late[nr++] = took;
		sum += pages;
	}
	if (ret)
		say(&way);
	way_close(&way);
	if (nr)
		extra->hot_after = (double)sum / nr;
	extra->hot_restore = median(late, nr);
	return ret;
}

/* ---- clones ---- */

struct clone_times {
	uint64_t create[MAX_CLONES];
	uint64_t first[MAX_CLONES];
	uint64_t hundredth[MAX_CLONES];
	uint32_t nr;
};

static int turn(struct bench_way *way, uint64_t *took)
{
	uint64_t start = bench_now(way->env);
	int ret = way->ops->turn(way);

	*took = bench_now(way->env) - start;
	return ret;
}

static int clone_turns(struct bench_way *way, struct clone_times *t)
{
	uint64_t late[LATE];
	uint64_t took;
	uint32_t i;

	if (turn(way, &t->first[t->nr]))
		return -1;
	for (i = 2; i <= HUNDRED; i++) {
		if (turn(way, &took))
			return -1;
		if (i > HUNDRED - LATE)
			late[i - (HUNDRED - LATE) - 1] = took;
	}
	t->hundredth[t->nr++] = median(late, LATE);
	return 0;
}

static int one_clone(const struct bench_env *env, const struct bench_image *image,
		     bool prefault, bool *nested, struct clone_times *t)
{
	struct bench_way way;
	uint64_t start = bench_now(env);
	int ret;

	ret = way_open(&way, best_hlk_way(env), env, image);
	if (ret) {
		say(&way);
		return -1;
	}
	if (prefault)
		ret = sandbox_prefault(&way, &way.m, nested);
	t->create[t->nr] = bench_now(env) - start;
	if (!ret)
		ret = clone_turns(&way, t);
	if (ret)
		say(&way);
	way_close(&way);
	return ret;
}

static int clones(const struct bench_env *env, const struct bench_image *image,
		  struct bench_clones *c)
{
	const uint32_t nr = env->quick ? 3 : 20;
	struct clone_times plain = {}, ahead = {};
	uint32_t i;

	c->prefault = env->features & HLK_FEATURE_PREFAULT;
	for (i = 0; i < nr; i++) {
		if (one_clone(env, image, false, &c->nested, &plain))
			return -1;
		if (c->prefault &&
		    one_clone(env, image, true, &c->nested, &ahead))
			return -1;
	}
	c->create = median(plain.create, plain.nr);
	c->first = median(plain.first, plain.nr);
	c->hundredth = median(plain.hundredth, plain.nr);
	c->create_prefault = median(ahead.create, ahead.nr);
	c->first_prefault = median(ahead.first, ahead.nr);
	return 0;
}

/* ---- what must not matter: sizes, side by side ---- */

struct side {
	struct bench_image image;
	struct bench_way way;
	uint64_t *took;
	bool open;
};

static int side_open(struct side *side, const struct bench_env *env,
		     const struct bench_cfg *cfg, uint32_t rounds)
{
	char why[128];
	uint64_t ignored;
	uint32_t i;

	if (image_make(env, cfg, &side->image, why, sizeof(why))) {
		fail_say("%s", why);
		return -1;
	}
	side->open = true;
	side->took = calloc(rounds, sizeof(*side->took));
	if (way_open(&side->way, best_hlk_way(env), env, &side->image)) {
		say(&side->way);
		image_free(&side->image);
		side->open = false;
		return -1;
	}
	for (i = 0; side->took && i < 10; i++)
		if (turn(&side->way, &ignored)) {
			say(&side->way);
			return -1;
		}
	return side->took ? 0 : -1;
}

static int side_turns(struct side *side, uint32_t rounds)
{
	uint32_t i, k;

	for (i = 0; i < rounds; i++)
		for (k = 0; k < NR_SIDES; k++)
			if (turn(&side[k].way, &side[k].took[i])) {
				say(&side[k].way);
				return -1;
			}
	return 0;
}

/* By turns, not one after the other: a few per cent are looked for. */
static int sides(const struct bench_env *env, struct bench_extra *extra)
{
	const uint32_t rounds = 1000;
	struct side *side = calloc(NR_SIDES, sizeof(*side));
	struct bench_cfg cfg[NR_SIDES];
	uint32_t k;
	int ret = 0;

	if (!side)
		return -1;
	for (k = 0; k < NR_SIDES; k++)
		cfg[k] = bench_base;
	cfg[SIDE_GUEST].guest <<= 6;
	cfg[SIDE_SMALL].scratch = 1 << 20;
	cfg[SIDE_LARGE].scratch = 64 << 20;
	for (k = 0; k < NR_SIDES && !ret; k++)
		ret = side_open(&side[k], env, &cfg[k], rounds);
	if (!ret)
		ret = side_turns(side, rounds);
	for (k = 0; k < NR_SIDES; k++) {
		if (!ret)
			extra->side[k] = median(side[k].took, rounds);
		free(side[k].took);
		if (!side[k].open)
			continue;
		way_close(&side[k].way);
		image_free(&side[k].image);
	}
	free(side);
	return ret;
}

/* ---- two threads ---- */

struct worker {
	const struct bench_env *env;
	struct bench_way way;
	pthread_t thread;
	pthread_barrier_t *start;
	volatile bool *stop;
	uint32_t cpu;
	uint64_t calls;
	int ret;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t calls = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	pthread_barrier_wait(w->start);
	while (!*w->stop && !w->ret) {
		w->ret = w->way.ops->turn(&w->way);
		calls++;
	}
	w->calls = calls;
	return NULL;
}

/* Calls per second of so many threads, for a while */
static double rate_of(struct worker *w, uint32_t nr, uint64_t for_ns)
{
	const struct timespec nap = { 0, for_ns };
	const struct bench_env clock = { .perf_counts = false };
	pthread_barrier_t barrier;
	volatile bool stop = false;
	uint64_t calls = 0;
	uint64_t start;
	uint32_t i;

	pthread_barrier_init(&barrier, NULL, nr + 1);
	for (i = 0; i < nr; i++) {
		w[i].start = &barrier;
		w[i].stop = &stop;
		if (pthread_create(&w[i].thread, NULL, work, &w[i])) {
			perror("hlk-run: pthread_create");
			exit(RUN_ERROR);
		}
	}
	pthread_barrier_wait(&barrier);
	start = bench_now(&clock);
	nanosleep(&nap, NULL);
	stop = true;
	for (i = 0; i < nr; i++) {
		pthread_join(w[i].thread, NULL);
		calls += w[i].calls;
	}
	pthread_barrier_destroy(&barrier);
	return calls * 1e9 / (bench_now(&clock) - start);
}

static int compare_rates(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return left < right ? -1 : left > right;
}

#define RACES	7

/* A pair of sandboxes, one and two of them at a time */
struct pair {
	struct worker w[2];
	uint32_t open;
	double one[RACES];
	double two[RACES];
};

static int pair_open(struct pair *p, const struct way_ops *ops,
		     const struct bench_env *env, const struct bench_image *image)
{
	for (p->open = 0; p->open < 2; p->open++) {
		p->w[p->open].env = env;
		p->w[p->open].cpu = p->open;
		if (way_open(&p->w[p->open].way, ops, env, image)) {
			say(&p->w[p->open].way);
			return -1;
		}
	}
	return 0;
}

static int pair_close(struct pair *p)
{
	int ret = 0;
	uint32_t i;

	for (i = 0; i < p->open; i++) {
		if (p->w[i].ret) {
			say(&p->w[i].way);
			ret = -1;
		}
		way_close(&p->w[i].way);
	}
	return ret;
}

static double median_rate(double *rate, uint32_t nr)
{
	qsort(rate, nr, sizeof(*rate), compare_rates);
	return rate[nr / 2];
}

/* All by turns, with the call alone beside it; the median of each */
static void race(struct pair *hlk, struct pair *alone, const struct bench_env *env,
		 struct bench_extra *extra)
{
	const uint64_t for_ns = env->quick ? 20000000 : 300000000;
	const uint32_t times = env->quick ? 1 : RACES;
	uint32_t i;

	for (i = 0; i < times; i++) {
		hlk->one[i] = rate_of(hlk->w, 1, for_ns);
		hlk->two[i] = rate_of(hlk->w, 2, for_ns);
		alone->one[i] = rate_of(alone->w, 1, for_ns);
		alone->two[i] = rate_of(alone->w, 2, for_ns);
	}
	extra->one = median_rate(hlk->one, times);
	extra->two = median_rate(hlk->two, times);
	extra->one_alone = median_rate(alone->one, times);
	extra->two_alone = median_rate(alone->two, times);
}

static int threads(const struct bench_env *env, const struct bench_image *image,
		   struct bench_extra *extra)
{
	const struct way_ops *no_restore = &kvm_ways[nr_kvm_ways - 1];
	struct pair *pair = calloc(2, sizeof(*pair));
	int ret;

	if (!pair)
		return -1;
	extra->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	ret = pair_open(&pair[0], best_hlk_way(env), env, image);
	if (!ret)
		ret = pair_open(&pair[1], no_restore, env, image);
	if (!ret && extra->cpus > 1)
		race(&pair[0], &pair[1], env, extra);
	if (pair_close(&pair[0]) | pair_close(&pair[1]))
		ret = -1;
	free(pair);
	return ret;
}

static int with_image(const struct bench_env *env, const struct bench_cfg *cfg,
		      struct bench_extra *extra,
		      int (*measure)(const struct bench_env *env,
				     const struct bench_image *image,
				     struct bench_extra *extra))
{
	struct bench_image image;
	char why[128];
	int ret;

	if (image_make(env, cfg, &image, why, sizeof(why))) {
		fail_say("%s", why);
		return -1;
	}
	ret = measure(env, &image, extra);
	image_free(&image);
	return ret;
}

static int part_and_hot(const struct bench_env *env,
			const struct bench_image *image, struct bench_extra *extra)
{
	return memory_part(env, image, extra) ?: hot_set(env, image, extra);
}

static int measure_clones(const struct bench_env *env,
			  const struct bench_image *image,
			  struct bench_extra *extra)
{
	return clones(env, image, &extra->clones);
}

/**
 * bench_extras() - what the matrix does not show
 * @env: the run
 * @extra: out: that
 *
 * Return: 0 or -1; zeroes stand for what could not be measured
 */
int bench_extras(const struct bench_env *env, struct bench_extra *extra)
{
	struct bench_cfg cfg = bench_base;
	int ret = 0;

	*extra = (struct bench_extra){};
	if (env->dev < 0)
		return 0;
	if (!env->threads_only) {
		cfg.data = true;
		cfg.pages = MANY;
		ret = with_image(env, &cfg, extra, part_and_hot);
		if (with_image(env, &bench_base, extra, measure_clones))
			ret = -1;
		if (!env->quick && sides(env, extra))
			ret = -1;
	}
	if (with_image(env, &bench_base, extra, threads))
		ret = -1;
	return ret;
}
