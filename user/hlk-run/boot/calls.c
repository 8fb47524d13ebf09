// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot --call: calls into a Linux guest in which an agent answers. */
#include <string.h>
#include <time.h>

#include "../fail.h"
#include "../interrupt.h"
#include "../serve.h"
#include "calls.h"

#define NSEC	1000000000ULL

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

/* A console ends lines by two characters, a text by one. */
static void print(void *arg, const char *text, size_t len)
{
	struct rounds *rounds = arg;

	if (rounds->silent)
		return;
	for (; len; len--, text++)
		if (*text != '\r')
			print_text(&rounds->shown, stderr, text, 1);
}

static void show(FILE *file, const char *what, const struct output *out)
{
	size_t len = out->len < OUTPUT_KEPT ? out->len : OUTPUT_KEPT;

	fprintf(file, "%s: '", what);
	print_safe(file, out->text, len);
	fprintf(file, "'\n");
}

/* Of a command that failed, what it printed; errno is not what it ended with. */
static int fail_call(struct hlk_sandbox *sb, struct rounds *rounds)
{
	const struct hlk_err *err = hlk_sandbox_error(sb);

	if (err->what != HLK_WHAT_GUEST_STATUS)
		return fail_sandbox(sb);
	fail_say("call %llu: %s ended with status %llu",
		 (unsigned long long)rounds->done + 1, rounds->opt->function,
		 (unsigned long long)err->where);
	show(stderr, "it answered", &rounds->now);
	return RUN_GUEST;
}

static bool is_same(const struct output *a, const struct output *b)
{
	return a->len == b->len &&
	       !memcmp(a->text, b->text, a->len < OUTPUT_KEPT ? a->len : OUTPUT_KEPT);
}

static int check_first(const struct rounds *rounds)
{
	const char *expect = rounds->opt->expect;
	const struct output *first = &rounds->first;

	if (!rounds->opt->json)
		show(stdout, "answer", first);
	if (!expect || (first->len == strlen(expect) &&
			!memcmp(first->text, expect, first->len)))
		return RUN_OK;
	fail_say("the answer is not the one expected");
	show(stderr, "it is", first);
	return RUN_MISMATCH;
}

static int check(struct rounds *rounds)
{
	if (rounds->done == 1) {
		rounds->first = rounds->now;
		rounds->silent = true;
		return check_first(rounds);
	}
	if (is_same(&rounds->first, &rounds->now))
		return RUN_OK;
	fail_say("answer %llu is not as the first",
		 (unsigned long long)rounds->done);
	show(stderr, "the first was", &rounds->first);
	show(stderr, "this one", &rounds->now);
	return RUN_MISMATCH;
}

/* An audit restores, too: the first call is before it. */
static int audit(struct hlk_sandbox *sb, struct rounds *rounds)
{
	if (!rounds->opt->audit || !rounds->done ||
	    rounds->done % rounds->opt->audit)
		return RUN_OK;
	if (hlk_sandbox_audit(sb))
		return fail_sandbox(sb);
	rounds->audits++;
	return RUN_OK;
}

static int call(struct hlk_sandbox *sb, struct rounds *rounds)
{
	const struct boot_options *opt = rounds->opt;
	uint64_t start = now();
	size_t len = 0;
	int ret;

	ret = hlk_sandbox_restore_call(sb, opt->function, opt->call, opt->call_len,
				       rounds->now.text, OUTPUT_KEPT, &len,
				       opt->timeout_us);
	rounds->now.len = len;
	if (ret)
		return fail_call(sb, rounds);
	samples_add(&rounds->both, now() - start);
	rounds->copied += hlk_sandbox_restored(sb)->copied;
	rounds->done++;
	return check(rounds);
}

static int call_all(struct hlk_sandbox *sb, struct rounds *rounds)
{
	uint64_t start = now();
	int ret = RUN_OK;

	interrupt_begin();
	while (!ret && rounds->done < rounds->opt->repeat && !interrupted()) {
		ret = audit(sb, rounds);
		if (!ret)
			ret = call(sb, rounds);
	}
	rounds->elapsed = now() - start;
	return ret;
}

static uint32_t config_flags(const struct boot_options *opt)
{
	return (opt->time_back ? HLK_CONFIG_TIME_BACK : 0) |
	       (opt->reproducible ? HLK_CONFIG_REPRODUCIBLE : 0);
}

static int serve(struct hlk_ctx *ctx, struct rounds *rounds)
{
	const struct boot_options *boot = rounds->opt;
	const struct options opt = {
		.call = boot->function,
		.input = boot->call,
		.input_len = boot->call_len,
		.expect = boot->expect,
		.expect_len = boot->expect ? strlen(boot->expect) : 0,
		.repeat = boot->repeat,
		.timeout_us = boot->timeout_us,
		.max_private = boot->max_private,
		.config = config_flags(boot),
		.json = boot->json,
	};

	return serve_snapshot(ctx, rounds->snap, &opt, boot->threads);
}

/**
 * calls_run() - snapshot a machine whose agent is ready, and call it again and again
 * @ctx: the context
 * @rounds: the run, with its machine, or the snapshot if that was loaded
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int calls_run(struct hlk_ctx *ctx, struct rounds *rounds)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *sb;
	struct hlk_err err;
	int ret;

	if (!rounds->snap && hlk_machine_snapshot(rounds->machine, &rounds->snap))
		return fail_err(NULL, hlk_machine_error(rounds->machine));
	if (hlk_snapshot_get_info(rounds->snap, &rounds->info, &err))
		return fail_err(NULL, &err);
	ret = rounds_save(ctx, rounds);
	if (ret)
		return ret;
	if (rounds->opt->threads)
		return serve(ctx, rounds);
	config.flags = config_flags(rounds->opt);
	config.max_private = rounds->opt->max_private;
	config.print = print;
	config.print_arg = rounds;
	if (hlk_sandbox_from_snapshot(ctx, rounds->snap, &config, &sb, &err))
		return fail_err(NULL, &err);
	ret = call_all(sb, rounds);
	hlk_sandbox_close(sb);
	return ret;
}
