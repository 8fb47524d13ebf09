// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run run: boot, snapshot, then restore and call, again and again. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "debug/beside.h"
#include "debug/core.h"
#include "debug/debug.h"
#include "fail.h"
#include "guest.h"
#include "interrupt.h"
#include "loop.h"
#include "report.h"
#include "saved.h"
#include "term.h"
#include "trace.h"

#define NSEC		1000000000ULL
#define TICK		(NSEC / 10)
#define ANSWERS_SHOWN	10
#define ANSWER_SIZE	65536
#define SHOWN(len)	((int)((len) < 200 ? (len) : 200))

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
	fail_say("call %llu: expected '%.*s', got '%.*s'", (unsigned long long)loop->calls,
		 SHOWN(opt->expect_len), opt->expect, SHOWN(len), loop->answer);
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
		fail_say("gdb ended the guest");
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

/* The last one, with what happens in it */
static int last_turn(struct loop *loop)
{
	int ret = RUN_OK, other = RUN_OK;

	if (loop->trace)
		ret = trace_begin(loop->trace);
	if (ret)
		return ret;
	ret = turn(loop);
	if (loop->trace)
		other = trace_end(loop->trace);
	return ret ? ret : other;
}

static int loop_run(struct loop *loop)
{
	const struct options *opt = loop->opt;
	int ret = RUN_OK;

	loop->start = now();
	loop->next_tick = loop->start + 5 * TICK;
	loop->progress = !opt->no_progress && isatty(STDERR_FILENO);
	/* Under gdb it is gdb that interrupts. */
	if (!loop->debug)
		interrupt_begin();
	while (!ret && loop->done < opt->repeat && !interrupted())
		ret = loop->done + 1 == opt->repeat ? last_turn(loop) : turn(loop);
	loop->elapsed = now() - loop->start;
	clear_progress(loop);
	return ret ? ret : loop->timeouts ? RUN_TIMEOUT : RUN_OK;
}

static int write_answer(const struct loop *loop)
{
	const char *at = loop->answer;
	size_t left = loop->answer_len;
	ssize_t put;

	while (loop->answer_to >= 0 && left) {
		put = write(loop->answer_to, at, left);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return fail_file(loop->opt->answer_file, "cannot write");
		at += put;
		left -= put;
	}
	return RUN_OK;
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
	if (loop->opt->trace)
		ret = trace_open(&loop->trace);
	if (!ret)
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
	if (!ret)
		ret = write_answer(loop);
	loop->exit_code = ret;
	report_loop(loop);
	if (loop->trace) {
		other = trace_print(loop->trace, loop->opt->trace_json,
				    loop->opt->json ? stderr : stdout);
		trace_close(loop->trace);
		ret = ret ? ret : other;
	}
	return ret;
}

/*
 * With the answer on standard output all else goes to standard error: what was printed
 * there before is none of it, for nothing was.
 */
static int answer_open(struct loop *loop)
{
	const char *path = loop->opt->answer_file;
	int fd;

	if (!path)
		return RUN_OK;
	if (!strcmp(path, "-")) {
		fflush(stdout);
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		if (fd >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
			close(fd);
			fd = -1;
		}
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	}
	if (fd < 0)
		return fail_file(path, "cannot write");
	loop->answer_to = fd;
	return RUN_OK;
}

/**
 * cmd_run() - hlk-run run
 * @opt: the command line
 *
 * Return: the exit code
 */
int cmd_run(struct options *opt)
{
	struct loop *loop;
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret = RUN_ERROR;

	loop = calloc(1, sizeof(*loop));
	if (!loop || samples_init(&loop->restore) ||
	    samples_init(&loop->both)) {
		fail_say("out of memory");
		goto free_loop;
	}
	loop->opt = opt;
	loop->answer_to = -1;
	loop->answer = malloc(ANSWER_SIZE);
	if (!loop->answer) {
		fail_say("out of memory");
		goto free_loop;
	}
	ret = option_input(opt);
	if (!ret)
		ret = answer_open(loop);
	if (ret)
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
		if (loop->answer && loop->answer_to >= 0)
			close(loop->answer_to);
	}
	free(loop);
	option_input_free(opt);
	return ret;
}
