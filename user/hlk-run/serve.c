// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run serve-bench: a pool of sandboxes under the calls of several threads. */
#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fail.h"
#include "guest.h"
#include "interrupt.h"
#include "json.h"
#include "latency.h"
#include "metrics.h"
#include "option.h"
#include "samples.h"
#include "serve.h"
#include "table.h"
#include "term.h"

#define NSEC		1000000000ULL
#define ANSWER_SIZE	65536
#define MAX_QUEUE	4096

/**
 * struct serve - one run
 * @opt: what of the command line other commands have too
 * @threads: threads that call
 * @sandboxes: sandboxes in the pool
 * @restorers: threads of the pool
 * @queue: calls that a thread makes at once
 * @wait_us: longest wait for a sandbox, or 0
 * @metrics: where what the pool does is told, or NULL
 * @pool: the pool
 * @left: calls that are still to be made
 * @elapsed: how long all of it took
 * @stats: what the pool did
 * @callers: the threads
 * @failed: the one that failed first and so ended all; set once, by it
 * @wait: how long they waited for a sandbox
 * @call: how long calls took
 * @both: from the wish for a sandbox until it was given back
 */
struct serve {
	struct options opt;
	uint32_t threads;
	uint32_t sandboxes;
	uint32_t restorers;
	uint32_t queue;
	uint64_t wait_us;
	const char *metrics;
	struct hlk_pool *pool;
	int64_t left;
	uint64_t elapsed;
	struct hlk_pool_stats stats;
	struct caller *callers;
	struct caller *failed;
	struct samples wait;
	struct samples call;
	struct samples both;
};

/**
 * struct caller - one thread
 * @serve: the run
 * @thread: the thread
 * @calls: calls it made
 * @ret: how it ended, an exit code
 * @err: why
 * @wait: see struct serve
 * @call: see struct serve
 * @both: see struct serve
 * @answers: room for the answers of a queue
 * @queue: the calls
 */
struct caller {
	struct serve *serve;
	pthread_t thread;
	uint64_t calls;
	int ret;
	struct hlk_err err;
	struct samples wait;
	struct samples call;
	struct samples both;
	char *answers;
	struct hlk_call *queue;
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

/* ---- the threads ---- */

static int check_answer(const struct options *opt, const char *answer,
			size_t len)
{
	if (!opt->expect ||
	    (len == opt->expect_len && !memcmp(answer, opt->expect, len)))
		return RUN_OK;
	return RUN_MISMATCH;
}

static int one_call(struct caller *caller, char *answer)
{
	struct serve *serve = caller->serve;
	const struct options *opt = &serve->opt;
	uint64_t start = now(), got, called;
	struct hlk_sandbox *sb;
	size_t len = 0;
	int ret;

	if (hlk_pool_get(serve->pool, serve->wait_us, &sb, &caller->err))
		return exit_code(&caller->err);
	got = now();
	ret = hlk_sandbox_call(sb, opt->call, opt->input, opt->input_len,
			       answer, ANSWER_SIZE, &len, opt->timeout_us);
	called = now();
	if (ret)
		caller->err = *hlk_sandbox_error(sb);
	hlk_pool_put(serve->pool, sb);
	samples_add(&caller->wait, got - start);
	samples_add(&caller->call, called - got);
	samples_add(&caller->both, now() - start);
	caller->calls++;
	return ret ? exit_code(&caller->err) : check_answer(opt, answer, len);
}

static int check_queue(struct caller *caller, uint32_t nr)
{
	const struct options *opt = &caller->serve->opt;
	const struct hlk_call *call;
	int ret = RUN_OK;

	for (call = caller->queue; call < caller->queue + nr && !ret; call++)
		ret = check_answer(opt, call->out, call->out_len);
	return ret;
}

/* What each of them took is told as the same part of all. */
static int many_calls(struct caller *caller, uint32_t nr)
{
	struct serve *serve = caller->serve;
	const struct options *opt = &serve->opt;
	uint64_t start = now(), took;
	uint32_t i;
	int ret;

	for (i = 0; i < nr; i++)
		caller->queue[i] = (struct hlk_call) {
			.name = opt->call,
			.in = opt->input,
			.in_len = opt->input_len,
			.out = caller->answers + (size_t)i * ANSWER_SIZE,
			.out_size = ANSWER_SIZE,
			.timeout_us = opt->timeout_us,
		};
	ret = hlk_pool_calls(serve->pool, serve->wait_us, caller->queue, nr, 0,
			     &caller->err);
	took = (now() - start) / nr;
	for (i = 0; i < nr; i++)
		samples_add(&caller->both, took);
	caller->calls += nr;
	return ret ? exit_code(&caller->err) : check_queue(caller, nr);
}

/* How many calls this thread is to make next, of those that are left; 0: none */
static uint32_t take_some(struct serve *serve)
{
	int64_t left = __atomic_fetch_sub(&serve->left, serve->queue, __ATOMIC_RELAXED);

	if (left <= 0 || interrupted())
		return 0;
	return left < serve->queue ? left : serve->queue;
}

static void *call_on(void *arg)
{
	struct caller *caller = arg;
	struct serve *serve = caller->serve;
	struct caller *none = NULL;
	uint32_t nr;

	caller->answers = malloc((size_t)serve->queue * ANSWER_SIZE);
	caller->queue = calloc(serve->queue, sizeof(*caller->queue));
	if (!caller->answers || !caller->queue)
		caller->ret = RUN_ERROR;
	while (!caller->ret && (nr = take_some(serve)))
		caller->ret = serve->queue > 1 ? many_calls(caller, nr) :
						 one_call(caller, caller->answers);
	/* One that failed ends all; what others find then is of no interest. */
	if (caller->ret) {
		__atomic_compare_exchange_n(&serve->failed, &none, caller, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		__atomic_store_n(&serve->left, 0, __ATOMIC_RELAXED);
	}
	free(caller->answers);
	free(caller->queue);
	return NULL;
}

static int run_threads(struct serve *serve)
{
	uint64_t start = now();
	uint32_t nr, i;
	int ret = RUN_OK;

	interrupt_begin();
	serve->left = serve->opt.repeat;
	for (nr = 0; nr < serve->threads; nr++) {
		errno = pthread_create(&serve->callers[nr].thread, NULL, call_on,
				       &serve->callers[nr]);
		if (errno)
			break;
	}
	if (nr < serve->threads) {
		fail_say("cannot start a thread: %s",
			 strerror(errno));
		__atomic_store_n(&serve->left, 0, __ATOMIC_RELAXED);
		ret = RUN_ERROR;
	}
	for (i = 0; i < nr; i++)
		pthread_join(serve->callers[i].thread, NULL);
	serve->elapsed = now() - start;
	return ret;
}

/* ---- what it took ---- */

static uint64_t all_calls(const struct serve *serve)
{
	uint64_t calls = 0;
	uint32_t i;

	for (i = 0; i < serve->threads; i++)
		calls += serve->callers[i].calls;
	return calls;
}

static double rate(const struct serve *serve)
{
	return serve->elapsed ? all_calls(serve) * 1e9 / serve->elapsed : 0;
}

static void print_table(const struct serve *serve)
{
	const struct hlk_pool_stats *stats = &serve->stats;
	char more[96], text[24];
	struct term term;

	term_init(&term, stdout);
	snprintf(more, sizeof(more), "%.0f per second, by %u threads",
		 rate(serve), serve->threads);
	table_count(&term, "calls", all_calls(serve), more);
	snprintf(more, sizeof(more), "%llu restored by %u threads, %llu made anew",
		 (unsigned long long)stats->restores, serve->restorers,
		 (unsigned long long)stats->replaced);
	table_count(&term, "sandboxes", stats->sandboxes, more);
	table_count(&term, "waits for one", stats->waits, "");
	table_count(&term, "taken by another", stats->moved, "thread than the last time");
	if (stats->restores) {
		format_ns(text, sizeof(text),
			  stats->restore_ns / stats->restores);
		snprintf(more, sizeof(more), "%s on average, in the background",
			 text);
		table_count(&term, "restores", stats->restores, more);
	}
	if (!serve->both.nr)
		return;
	latency_table(&term, (const struct latency[]) {
		{ "wait", &serve->wait },
		{ "call", &serve->call },
		{ "both", &serve->both },
	}, 3);
	latency_note(&term);
}

static void json_hist(struct cJSON *to, const char *name, const uint64_t *hist)
{
	struct cJSON *array = cJSON_AddArrayToObject(to, name);
	int i;

	for (i = 0; i < HLK_POOL_BUCKETS; i++)
		cJSON_AddItemToArray(array, cJSON_CreateNumber(hist[i]));
}

static void json_pool(struct cJSON *to, const struct hlk_pool_stats *stats)
{
	struct cJSON *one = cJSON_AddObjectToObject(to, "pool");

	json_u64(one, "sandboxes", stats->sandboxes);
	json_u64(one, "gets", stats->gets);
	json_u64(one, "waits", stats->waits);
	json_u64(one, "wait_timeouts", stats->wait_timeouts);
	json_u64(one, "moved", stats->moved);
	json_u64(one, "switches", stats->switches);
	json_u64(one, "restores", stats->restores);
	json_u64(one, "restore_failures", stats->restore_failures);
	json_u64(one, "replaced", stats->replaced);
	json_u64(one, "make_failures", stats->make_failures);
	json_u64(one, "wait_ns", stats->wait_ns);
	json_u64(one, "restore_ns", stats->restore_ns);
	json_hist(one, "wait_hist_log2_ns", stats->wait_hist);
	json_hist(one, "restore_hist_log2_ns", stats->restore_hist);
}

static void print_json(const struct serve *serve, int code)
{
	struct cJSON *root = cJSON_CreateObject();
	struct cJSON *latency;

	cJSON_AddNumberToObject(root, "exit_code", code);
	if (code)
		fail_json(root);
	cJSON_AddBoolToObject(root, "interrupted", interrupted());
	json_u64(root, "threads", serve->threads);
	json_u64(root, "restorers", serve->restorers);
	json_u64(root, "queue", serve->queue);
	json_u64(root, "calls", all_calls(serve));
	json_u64(root, "elapsed_ns", serve->elapsed);
	cJSON_AddNumberToObject(root, "calls_per_second", rate(serve));
	latency = cJSON_AddObjectToObject(root, "latency_ns");
	latency_json(latency, "wait", &serve->wait);
	latency_json(latency, "call", &serve->call);
	latency_json(latency, "both", &serve->both);
	json_pool(root, &serve->stats);
	cJSON_AddBoolToObject(root, "emulated", emulated());
	json_print(root);
}

static int say_failed(const struct caller *caller)
{
	if (!caller)
		return RUN_OK;
	if (caller->err.code)
		fail_err(NULL, &caller->err);
	else if (caller->ret == RUN_MISMATCH)
		fail_say("an answer was not the one expected");
	else
		fail_say("out of memory");
	return caller->ret;
}

static int collect(struct serve *serve)
{
	struct caller *caller;
	uint32_t i;

	for (i = 0; i < serve->threads; i++) {
		caller = &serve->callers[i];
		samples_merge(&serve->wait, &caller->wait);
		samples_merge(&serve->call, &caller->call);
		samples_merge(&serve->both, &caller->both);
	}
	return say_failed(serve->failed);
}

/* ---- the run ---- */

static int add_functions(void *arg, struct hlk_sandbox *sb)
{
	(void)arg;
	return guest_functions(sb);
}

static int with_snapshot(struct serve *serve, struct hlk_ctx *ctx,
			 struct hlk_snap *snap)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_config sandbox = HLK_CONFIG_INIT;
	struct metrics *metrics;
	struct hlk_err err;
	int ret, code;

	sandbox.flags = serve->opt.config;
	sandbox.max_private = serve->opt.max_private;
	config.sandboxes = serve->sandboxes;
	config.restorers = serve->restorers;
	config.config = &sandbox;
	config.setup = add_functions;
	if (hlk_pool_open(ctx, snap, &config, &serve->pool, &err))
		return fail_err(NULL, &err);
	ret = metrics_begin(serve->pool, serve->metrics, &metrics);
	if (ret) {
		hlk_pool_close(serve->pool);
		return ret;
	}
	ret = run_threads(serve);
	hlk_pool_stats(serve->pool, &serve->stats);
	code = metrics_end(metrics);
	if (!ret)
		ret = code;
	code = collect(serve);
	if (!ret)
		ret = code;
	if (serve->opt.json)
		print_json(serve, ret);
	else
		print_table(serve);
	hlk_pool_close(serve->pool);
	return ret;
}

static int with_ctx(struct serve *serve, struct hlk_ctx *ctx)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	int ret;

	ret = guest_open(ctx, &serve->opt, &sb, NULL);
	if (ret)
		return ret;
	how.flags = serve->opt.snapshot;
	if (hlk_sandbox_snapshot(sb, &how, &snap)) {
		ret = fail_sandbox(sb);
		hlk_sandbox_close(sb);
		return ret;
	}
	hlk_sandbox_close(sb);
	ret = with_snapshot(serve, ctx, snap);
	hlk_snapshot_close(snap);
	return ret;
}

static int init(struct serve *serve)
{
	struct caller *caller;
	uint32_t i;

	if (samples_init(&serve->wait) || samples_init(&serve->call) ||
	    samples_init(&serve->both))
		return RUN_ERROR;
	serve->callers = calloc(serve->threads, sizeof(*serve->callers));
	if (!serve->callers)
		return RUN_ERROR;
	for (i = 0; i < serve->threads; i++) {
		caller = &serve->callers[i];
		caller->serve = serve;
		if (samples_init(&caller->wait) ||
		    samples_init(&caller->call) || samples_init(&caller->both))
			return RUN_ERROR;
	}
	return RUN_OK;
}

static void deinit(struct serve *serve)
{
	uint32_t i;

	for (i = 0; serve->callers && i < serve->threads; i++) {
		samples_free(&serve->callers[i].wait);
		samples_free(&serve->callers[i].call);
		samples_free(&serve->callers[i].both);
	}
	free(serve->callers);
	samples_free(&serve->wait);
	samples_free(&serve->call);
	samples_free(&serve->both);
}

static int serve_bench(struct serve *serve)
{
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret;

	ret = init(serve);
	if (ret)
		fail_say("out of memory");
	else
		ret = option_input(&serve->opt);
	if (!ret && hlk_open(&ctx, &err)) {
		ret = fail_err(NULL, &err);
	} else if (!ret) {
		ret = with_ctx(serve, ctx);
		hlk_close(ctx);
	}
	option_input_free(&serve->opt);
	deinit(serve);
	return ret;
}

/**
 * serve_snapshot() - a pool of sandboxes of a snapshot under the calls of several threads
 * @ctx: the context
 * @snap: the snapshot
 * @opt: what is called, how often, and what is printed
 * @threads: how many, at most SERVE_MAX_THREADS
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int serve_snapshot(struct hlk_ctx *ctx, struct hlk_snap *snap,
		   const struct options *opt, uint32_t threads)
{
	struct serve serve = {
		.opt = *opt,
		.threads = threads,
		.sandboxes = 2 * threads,
		.restorers = 1,
		.queue = 1,
		.wait_us = opt->timeout_us,
	};
	int ret = init(&serve);

	if (ret)
		fail_say("out of memory");
	else
		ret = with_snapshot(&serve, ctx, snap);
	deinit(&serve);
	return ret;
}

/* ---- the command line ---- */

enum {
	OPT_THREADS = 'T',
	OPT_POOL = 'p',
	OPT_CALLS = 'n',
	OPT_RESTORERS = 'r',
	OPT_WAIT = OPT_OWN,
	OPT_QUEUE,
	OPT_METRICS,
};

static const struct argp_option options[] = {
	{ "threads", OPT_THREADS, "N", 0, "Threads that call (default 2)", 1 },
	{ "pool", OPT_POOL, "N", 0, "Sandboxes (default twice the threads)", 1 },
	{ "calls", OPT_CALLS, "N", 0, "Calls, together (default 1000)", 1 },
	{ "restorers", OPT_RESTORERS, "N", 0,
	  "Threads of the pool that restore (default 1)", 1 },
	{ "queue", OPT_QUEUE, "N", 0,
	  "Calls that a thread makes at once (default 1)", 1 },
	{ "call", OPT_CALL, "NAME", 0,
	  "Call this function of the guest (default echo)", 2 },
	{ "input", OPT_INPUT, "TEXT", 0, "Its argument", 2 },
	OPTION_INPUT_FILE(2),
	{ "expect", OPT_EXPECT, "TEXT", 0,
	  "Compare each answer with this, stop at the first that differs", 2 },
	{ "timeout", OPT_TIMEOUT, "MS", 0,
	  "Longest boot, wait for a sandbox, and call", 3 },
	{ "wait", OPT_WAIT, "MS", 0,
	  "Longest wait for a sandbox, if not as long as a call", 3 },
	OPTIONS_MEMORY(3),
	{ "flat", OPT_FLAT, NULL, 0, "Snapshot each page at its place", 4 },
	{ "host-cow", OPT_HOST_COW, NULL, 0, "Leave copy-on-write to the host", 4 },
	OPTION_DEDUP(4),
	{ "metrics", OPT_METRICS, "FILE|unix:SOCKET", 0,
	  "Tell what the pool does, as OpenMetrics: in a file, anew each second, or at a UNIX socket", 5 },
	OPTION_JSON(5),
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct serve *serve = state->input;
	struct options *opt = &serve->opt;

	switch (key) {
	case OPT_THREADS:
		serve->threads = option_number(state, "threads", arg, 1, SERVE_MAX_THREADS);
		return 0;
	case OPT_POOL:
		serve->sandboxes = option_number(state, "pool", arg, 1, HLK_POOL_MAX);
		return 0;
	case OPT_CALLS:
		opt->repeat = option_number(state, "calls", arg, 1, 1ULL << 40);
		return 0;
	case OPT_RESTORERS:
		serve->restorers = option_number(state, "restorers", arg, 1, 64);
		return 0;
	case OPT_METRICS:
		serve->metrics = arg;
		return 0;
	case OPT_QUEUE:
		serve->queue = option_number(state, "queue", arg, 1, MAX_QUEUE);
		return 0;
	case OPT_WAIT:
		serve->wait_us = option_number(state, "wait", arg, 1,
					       86400000) * 1000;
		return 0;
	default:
		return option_parse_guest(key, arg, state, opt);
	}
}

static const struct argp serve_argp = {
	.options = options,
	.parser = parse,
	.args_doc = "GUEST",
	.doc = "Boot a guest, make a pool of sandboxes of it, and call it from several threads.\v"
	       "Sandboxes are restored in the background after each call. "
	       "The exit status is that of 'hlk-run run'.",
};

int cmd_serve_bench(int argc, char **argv)
{
	struct serve serve = {
		.opt = { .restore = true, .repeat = 1000, .call = "echo",
			 .quiet = true },
		.threads = 2,
		.restorers = 1,
		.queue = 1,
	};

	if (argp_parse(&serve_argp, argc, argv, 0, NULL, &serve))
		return RUN_USAGE;
	if (!serve.sandboxes)
		serve.sandboxes = 2 * serve.threads;
	if (!serve.wait_us)
		serve.wait_us = serve.opt.timeout_us;
	return serve_bench(&serve);
}
