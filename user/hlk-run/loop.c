// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run run: boot, snapshot, then restore and call, again and again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "debug/beside.h"
#include "debug/core.h"
#include "debug/debug.h"
#include "fail.h"
#include "guest.h"
#include "loop.h"
#include "report.h"
#include "saved.h"
#include "term.h"

#define NSEC		1000000000ULL
#define TICK		(NSEC / 10)
#define ANSWERS_SHOWN	10
#define ANSWER_SIZE	65536

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

static void progress(struct loop *loop, uint64_t time)
{
	uint64_t done = loop->done;
	double rate;

	if (!loop->progress || time < loop->next_tick)
		return;
	loop->next_tick = time + TICK;
	loop->shown = true;
	rate = done * 1e9 / (time - loop->start);
	fprintf(stderr, "\r%llu of %llu (%.0f%%), %.0f/s\033[K",
		(unsigned long long)done,
		(unsigned long long)loop->opt->repeat,
		100.0 * done / loop->opt->repeat, rate);
}

static void clear_progress(struct loop *loop)
{
	if (loop->shown)
		fputs("\r\033[K", stderr);
	loop->shown = false;
}

/* The report goes on to use the sandbox, and with it its error. */
static int fail_loop(struct loop *loop)
{
	loop->err = *hlk_sandbox_error(loop->sb);
	clear_progress(loop);
	return fail_sandbox(loop->sb);
}

static bool audit_is_due(const struct loop *loop)
{
	return loop->opt->audit &&
	       (loop->restores + 1) % loop->opt->audit == 0;
}

/* An audit restores too, but how long it takes is not what a restore takes. */
static int audit(struct loop *loop)
{
	debug_rest(loop->debug);
	if (hlk_sandbox_audit(loop->sb))
		return fail_loop(loop);
	debug_restored(loop->debug);
	loop->audits++;
	loop->restores++;
	return RUN_OK;
}

static int restore(struct loop *loop)
{
	uint64_t start = now();

	/* The first restore goes to the snapshot, an audit where it is. */
	if (loop->restores && audit_is_due(loop))
		return audit(loop);
	debug_rest(loop->debug);
	if (hlk_sandbox_restore(loop->sb, loop->snap))
		return fail_loop(loop);
	debug_restored(loop->debug);
	samples_add(&loop->restore, now() - start);
	loop->restores++;
	return RUN_OK;
}

/* An answer is shown when it is not the one before it */
static void show_answer(struct loop *loop, size_t len)
{
	if (len > sizeof(loop->last))
		len = sizeof(loop->last);
	if (loop->answers && len == loop->last_len &&
	    !memcmp(loop->last, loop->answer, len))
		return;
	memcpy(loop->last, loop->answer, len);
	loop->last_len = len;
	loop->answers++;
	if (loop->opt->json || loop->answers > ANSWERS_SHOWN)
		return;
	clear_progress(loop);
	printf("answer: ");
	print_safe(stdout, loop->answer, len);
	putchar('\n');
	if (loop->answers == ANSWERS_SHOWN)
		puts("(answers go on to differ)");
}

static int check_answer(struct loop *loop, size_t len)
{
	const struct options *opt = loop->opt;

	if (!opt->expect || (len == opt->expect_len &&
			     !memcmp(loop->answer, opt->expect, len)))
		return RUN_OK;
	clear_progress(loop);
	fprintf(stderr, "hlk-run: call %llu: expected '",
		(unsigned long long)loop->calls);
	print_safe(stderr, opt->expect, opt->expect_len);
	fprintf(stderr, "', got '");
	print_safe(stderr, loop->answer, len);
	fprintf(stderr, "'\n");
	return RUN_MISMATCH;
}

/* A guest that ran too long can be restored and called again. */
static int timed_out(struct loop *loop)
{
	if (!loop->timeouts++)
		fail_loop(loop);
	return loop->opt->restore ? RUN_OK : RUN_TIMEOUT;
}

static int make_snapshot(struct loop *loop)
{
	struct hlk_snapshot_config config = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_err err;

	if (!loop->opt->restore)
		return RUN_OK;
	config.flags = loop->opt->snapshot;
	/* nothing of another one, with its arrays */
	loop->info = (struct hlk_snapshot_info) {};
	debug_hide(loop->debug);
	if (!loop->snap && hlk_sandbox_snapshot(loop->sb, &config, &loop->snap))
		return fail_sandbox(loop->sb);
	if (hlk_snapshot_get_info(loop->snap, &loop->info, &err))
		return fail_err(NULL, &err);
	return RUN_OK;
}

static int call_once(struct loop *loop, size_t *len)
{
	const struct options *opt = loop->opt;

	loop->calls++;
	return hlk_sandbox_call(loop->sb, opt->call, opt->input, opt->input_len,
				loop->answer, ANSWER_SIZE, len,
				loop->debug ? HLK_TIMEOUT_KICK : opt->timeout_us);
}

/* What gdb made of the guest in this call is what all others begin with. */
static int take_again(struct loop *loop)
{
	struct hlk_snap *old = loop->snap;
	int ret;

	if (!debug_wants_snapshot(loop->debug))
		return RUN_OK;
	loop->snap = NULL;
	ret = make_snapshot(loop);
	if (loop->snap)
		hlk_snapshot_close(old);
	else
		loop->snap = old;
	return ret;
}

static int call(struct loop *loop)
{
	size_t len = 0;
	int ret = call_once(loop, &len);

	/* "Run this call again", as often as gdb likes */
	while (debug_again(loop->debug)) {
		ret = restore(loop);
		if (ret)
			return ret;
		ret = call_once(loop, &len);
	}
	if (debug_killed(loop->debug)) {
		fprintf(stderr, "hlk-run: gdb ended the guest\n");
		return RUN_GUEST;
	}
	if (!ret)
		ret = take_again(loop);
	else if (ret == -ETIMEDOUT)
		return timed_out(loop);
	else
		return fail_loop(loop);
	loop->answer_len = len;
	return ret;
}

static int turn(struct loop *loop)
{
	uint64_t timeouts = loop->timeouts;
	uint64_t audits = loop->audits;
	uint64_t start = now();
	uint64_t end;
	int ret = RUN_OK;

	if (loop->opt->restore)
		ret = restore(loop);
	if (!ret && loop->opt->call)
		ret = call(loop);
	end = now();
	loop->done++;
	progress(loop, end);
	if (ret || timeouts != loop->timeouts || !loop->opt->call)
		return ret;
	if (audits == loop->audits)
		samples_add(&loop->both, end - start);
	show_answer(loop, loop->answer_len);
	return check_answer(loop, loop->answer_len);
}

static int loop_run(struct loop *loop)
{
	const struct options *opt = loop->opt;
	int ret = RUN_OK;

	loop->start = now();
	loop->next_tick = loop->start + 5 * TICK;
	loop->progress = !opt->no_progress && isatty(STDERR_FILENO);
	while (!ret && loop->done < opt->repeat)
		ret = turn(loop);
	loop->elapsed = now() - loop->start;
	clear_progress(loop);
	return ret ? ret : loop->timeouts ? RUN_TIMEOUT : RUN_OK;
}

static int run_guest(struct loop *loop, struct hlk_ctx *ctx)
{
	struct beside *beside = NULL;
	int ret, other;

	ret = make_snapshot(loop);
	if (!ret)
		ret = core_of_sandbox(ctx, loop->sb, loop->opt->core_at_snapshot);
	if (!ret)
		ret = beside_start(ctx, loop->snap, loop->opt, &beside);
	if (ret)
		return ret;
	ret = loop_run(loop);
	debug_hide(loop->debug);
	other = core_of_sandbox(ctx, loop->sb, loop->opt->core);
	if (!ret)
		ret = other;
	other = beside_end(beside);
	if (!ret)
		ret = other;
	guest_printed(loop->opt);
	if (hlk_sandbox_stats(loop->sb, &loop->stats))
		return ret ? ret : fail_sandbox(loop->sb);
	fflush(stdout);
	samples_sort(&loop->restore);
	samples_sort(&loop->both);
	loop->exit_code = ret;
	report_loop(loop);
	return ret;
}

int cmd_run(const struct options *opt)
{
	struct loop *loop;
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret = RUN_ERROR;

	loop = calloc(1, sizeof(*loop));
	if (!loop || samples_init(&loop->restore) ||
	    samples_init(&loop->both)) {
		fprintf(stderr, "hlk-run: out of memory\n");
		goto free_loop;
	}
	loop->opt = opt;
	loop->answer = malloc(ANSWER_SIZE);
	if (!loop->answer)
		goto free_loop;
	if (hlk_open(&ctx, &err)) {
		ret = fail_err(NULL, &err);
		goto free_loop;
	}
	ret = debug_open(opt->gdb, &loop->debug);
	if (!ret && !loop->debug && is_folder(opt->guest))
		ret = guest_open(ctx, opt, &loop->sb, &loop->snap);
	else if (!ret)
		ret = guest_debug(ctx, opt, loop->debug, &loop->sb);
	if (ret)
		goto close_ctx;
	ret = run_guest(loop, ctx);
	hlk_snapshot_close(loop->snap);
	debug_end(loop->debug, ret);
	hlk_sandbox_close(loop->sb);
close_ctx:
	debug_close(loop->debug);
	hlk_close(ctx);
free_loop:
	if (loop) {
		samples_free(&loop->restore);
		samples_free(&loop->both);
		free(loop->answer);
	}
	free(loop);
	return ret;
}
