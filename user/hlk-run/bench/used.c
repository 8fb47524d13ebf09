// SPDX-License-Identifier: GPL-2.0-only
/*
 * What users of libhlk get: a function of the example guest, called by its name,
 * in a sandbox as it is by default, and with copy-on-write by the guest or by the
 * host alone. Which pages a call writes is told by its argument.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hlk.h>

#include "../fail.h"
#include "../samples.h"
#include "image.h"
#include "used.h"
#include "ways_hlk.h"

#define MIB		(1ULL << 20)
#define MEM		(32 * MIB)
#define SCRATCH		(24 * MIB)
#define FEW		8	/* so many pages fit the scratch that there is by default */
#define YOUNG		32
#define SEED		20240607U

static const uint32_t all_pages[NR_USED_PAGES] = { 1, 8, 64, 200, 2000 };

/**
 * struct user - a sandbox and what is called in it
 * @env: the run
 * @pages: pages that a call writes
 * @of: of so many
 * @which: which of them
 * @calls: calls so far
 * @queue: calls that are made at once
 * @random: for others; the same numbers in each run
 * @sb: the sandbox
 */
struct user {
	const struct bench_env *env;
	uint32_t pages;
	uint32_t of;
	uint32_t which;
	uint32_t calls;
	uint32_t queue;
	uint32_t random;
	struct hlk_sandbox *sb;
};

static uint32_t draw(struct user *u, uint32_t below)
{
	u->random = u->random * 1664525U + 1013904223U;
	return (u->random >> 8) % below;
}

/*
 * An odd stride, so that no page comes twice. What drifts is a range that goes on by a
 * page in 16 calls, and an eighth of the pages are others each time.
 */
static void argument(struct user *u, char *text, size_t size)
{
	uint32_t others = u->pages / 8;

	switch (u->which) {
	case USED_SAME:
		if (u->pages <= 256)
			snprintf(text, size, "%u", u->pages);
		else
			snprintf(text, size, "%u 0 1 %u", u->pages, u->of);
		return;
	case USED_OTHER:
		snprintf(text, size, "%u %u %u %u", u->pages, draw(u, u->of),
			 draw(u, u->of / 2) * 2 + 1, u->of);
		return;
	default:
		snprintf(text, size, "%u %u 1 %u %u %u %u %u", u->pages - others,
			 u->calls / 16 % u->of, u->of, others, draw(u, u->of),
			 draw(u, u->of / 2) * 2 + 1, u->of);
	}
}

static int used_call(struct user *u, uint64_t *took)
{
	char text[96], answer[16];
	uint64_t start;
	size_t len;
	int ret;

	argument(u, text, sizeof(text));
	u->calls++;
	start = bench_now(u->env);
	ret = hlk_sandbox_restore_call(u->sb, "touch", text, strlen(text), answer,
				       sizeof(answer), &len, 0);
	*took = bench_now(u->env) - start;
	return ret ? fail_sandbox(u->sb) : RUN_OK;
}

/* What each of them took, of calls that are made at once */
static int used_queue(struct user *u, uint64_t *took)
{
	struct hlk_call calls[BENCH_BATCH] = {};
	char text[96], answer[16];
	uint64_t start;
	uint32_t i;
	int ret;

	argument(u, text, sizeof(text));
	for (i = 0; i < u->queue; i++)
		calls[i] = (struct hlk_call){
			.name = "touch",
			.in = text,
			.in_len = strlen(text),
			.out = answer,
			.out_size = sizeof(answer),
		};
	start = bench_now(u->env);
	ret = hlk_sandbox_calls(u->sb, calls, u->queue, 0);
	*took = (bench_now(u->env) - start) / u->queue;
	return ret ? fail_sandbox(u->sb) : RUN_OK;
}

static int used_calls(struct user *u, uint32_t warm, uint32_t nr, struct used_cell *cell)
{
	struct hlk_vm_stats stats;
	struct samples samples;
	uint64_t young = 0;
	uint64_t took;
	uint32_t i;
	int ret = 0;

	if (samples_init(&samples))
		return -1;
	for (i = 0; i < warm + nr && !ret; i++) {
		ret = u->queue ? used_queue(u, &took) : used_call(u, &took);
		if (i < YOUNG)
			young += took;
		if (i >= warm)
			samples_add(&samples, took);
	}
	if (!ret && !hlk_sandbox_stats(u->sb, &stats)) {
		*cell = (struct used_cell){
			.known = true,
			.young = u->queue ? 0 : young / YOUNG,
			.p50 = samples_at(&samples, 5000),
			.mean = samples_mean(&samples),
			.private = stats.private_pages,
		};
	}
	samples_free(&samples);
	return ret;
}

/* A snapshot of its own for each, which has no hot set yet */
static int used_one(struct user *u, struct hlk_ctx *ctx, uint32_t how,
		    struct used_cell *cell)
{
	struct hlk_snapshot_config snapshot = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_config config = HLK_CONFIG_INIT;
	uint32_t warm = u->env->quick ? YOUNG : u->pages > 500 ? 64 : 400;
	uint32_t nr = u->env->quick ? 16 : u->pages > 500 ? 64 : 400;
	struct hlk_snap *snap;
	struct hlk_err err;
	int ret;

	/* Each of these is many calls. */
	if (u->queue) {
		warm = warm / 8 < 8 ? 8 : warm / 8;
		nr = nr / 8 < 8 ? 8 : nr / 8;
	}
	config.mem_size = MEM;
	if (u->pages > FEW)
		config.scratch_size = SCRATCH;
	if (how != USED_GUEST && how != USED_HOST)
		config.flags = HLK_CONFIG_LEARN;
	if (how == USED_HOST)
		snapshot.flags = HLK_SNAP_HOST_COW;
	if (hlk_sandbox_from_path(ctx, u->env->guest, &config, &u->sb, &err))
		return fail_err(NULL, &err);
	if (hlk_sandbox_boot(u->sb, 0) || hlk_sandbox_snapshot(u->sb, &snapshot, &snap)) {
		ret = fail_sandbox(u->sb);
		goto close;
	}
	ret = hlk_sandbox_restore(u->sb, snap) ? fail_sandbox(u->sb) :
						 used_calls(u, warm, nr, cell);
	hlk_snapshot_close(snap);
close:
	hlk_sandbox_close(u->sb);
	return ret;
}

/* HLK_RUN on the guest of the matrix, which writes straight into scratch */
static uint64_t used_a2(const struct bench_env *env, uint32_t pages)
{
	const struct bench_cfg cfg = { pages, 16 * MIB, 16 * MIB, false };
	const uint32_t warm = env->quick ? 8 : 64;
	struct bench_image image;
	struct samples samples;
	struct bench_way way;
	uint64_t start, p50 = 0;
	char why[128];
	uint32_t i;

	if (image_make(env, &cfg, &image, why, sizeof(why)))
		return 0;
	if (samples_init(&samples))
		goto free_image;
	if (way_open(&way, best_hlk_way(env), env, &image))
		goto free_samples;
	for (i = 0; i < 2 * warm; i++) {
		start = bench_now(env);
		if (way.ops->turn(&way))
			break;
		if (i >= warm)
			samples_add(&samples, bench_now(env) - start);
	}
	if (i == 2 * warm)
		p50 = samples_at(&samples, 5000);
	way_close(&way);
free_samples:
	samples_free(&samples);
free_image:
	image_free(&image);
	return p50;
}

/* ---- who took the snapshot ---- */

static int touch(struct hlk_sandbox *sb, const char *pages)
{
	char answer[16];

	return hlk_sandbox_call(sb, "touch", pages, strlen(pages), answer, sizeof(answer),
				NULL, 0);
}

static int first_restores(const struct bench_env *env, struct hlk_sandbox *sb,
			  struct used_first *out)
{
	const struct hlk_restore *did = hlk_sandbox_restored(sb);
	uint64_t start, took, sum = 0, pages = 0;
	uint32_t i;

	for (i = 0; i < YOUNG; i++) {
		if (touch(sb, "8"))
			return fail_sandbox(sb);
		start = bench_now(env);
		if (hlk_sandbox_restore(sb, NULL))
			return fail_sandbox(sb);
		took = bench_now(env) - start;
		if (!i)
			out->first = took;
		sum += took;
		pages += did->copied + did->cleared;
	}
	out->mean = sum / YOUNG;
	out->pages = (double)pages / YOUNG;
	return 0;
}

static int used_clone(const struct bench_env *env, struct hlk_ctx *ctx,
		      struct hlk_snap *snap, struct bench_used *used)
{
	struct hlk_sandbox *clone;
	struct hlk_err err;
	int ret;

	if (hlk_sandbox_from_snapshot(ctx, snap, NULL, &clone, &err))
		return fail_err(NULL, &err);
	ret = first_restores(env, clone, &used->clone);
	hlk_sandbox_close(clone);
	return ret;
}

/* It wrote pages before that no call writes again, as a boot does. */
static int used_taker(const struct bench_env *env, struct hlk_ctx *ctx,
		      struct bench_used *used)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	struct hlk_err err;
	int ret;

	if (hlk_sandbox_from_path(ctx, env->guest, NULL, &sb, &err))
		return fail_err(NULL, &err);
	how.flags = HLK_SNAP_HOST_COW;
	ret = hlk_sandbox_boot(sb, 0) || touch(sb, "256") ||
	      hlk_sandbox_snapshot(sb, &how, &snap) ? fail_sandbox(sb) : 0;
	if (!ret) {
		ret = hlk_sandbox_restore(sb, snap) ? fail_sandbox(sb) :
						      first_restores(env, sb, &used->taker);
		if (!ret)
			ret = used_clone(env, ctx, snap, used);
		hlk_snapshot_close(snap);
	}
	hlk_sandbox_close(sb);
	return ret;
}

static int used_pages(const struct bench_env *env, struct hlk_ctx *ctx, uint32_t i,
		      struct bench_used *used)
{
	const struct user start = {
		.env = env,
		.pages = all_pages[i],
		.of = all_pages[i] > 500 ? 4096 : 2048,
		.random = SEED,
	};
	struct user u = start;
	uint32_t which, how;
	int ret = 0;

	used->pages[i] = all_pages[i];
	used->a2[i] = used_a2(env, all_pages[i]);
	for (which = 0; which < NR_USED_WHICH; which++)
		for (how = 0; how < NR_USED_HOW && !ret; how++) {
			u = start;
			u.which = which;
			ret = used_one(&u, ctx, how, &used->cell[i][which][how]);
		}
	u = start;
	u.queue = BENCH_BATCH;
	return ret ? ret : used_one(&u, ctx, USED_LEARN, &used->queue[i]);
}

/**
 * bench_used() - what users of libhlk get
 * @env: the run; with a guest
 * @used: out: that
 *
 * Return: 0 or -1, after the reason was printed
 */
int bench_used(const struct bench_env *env, struct bench_used *used)
{
	uint32_t nr = env->quick ? 3 : NR_USED_PAGES;
	struct hlk_ctx *ctx;
	struct hlk_err err;
	uint32_t i;
	int ret = 0;

	if (hlk_open(&ctx, &err)) {
		fail_err(NULL, &err);
		return -1;
	}
	for (i = 0; i < nr && !ret; i++)
		ret = used_pages(env, ctx, i, used);
	if (!ret)
		ret = used_taker(env, ctx, used);
	hlk_close(ctx);
	return ret ? -1 : 0;
}
