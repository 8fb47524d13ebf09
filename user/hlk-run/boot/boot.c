// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: boot a kernel, snapshot it at a point, restore and run it on. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../debug/core.h"
#include "../debug/debug.h"
#include "../fail.h"
#include "../interrupt.h"
#include "../saved.h"
#include "boot.h"
#include "calls.h"
#include "clone.h"
#include "code.h"
#include "console.h"
#include "file.h"
#include "rounds.h"

#define NSEC		1000000000ULL
#define IDLE_LIMIT	30000000ULL	/* microseconds */

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
	struct output *out = &rounds->now;
	FILE *file = rounds->opt->json ? stderr : stdout;

	for (; len; len--, text++) {
		if (out->len < OUTPUT_KEPT)
			out->text[out->len] = *text;
		out->len++;
		if (!rounds->silent && *text != '\r')
			print_text(&rounds->shown, file, text, 1);
	}
	/* A prompt has no end of line. */
	if (rounds->console)
		fflush(file);
}

static void print_flush(struct rounds *rounds)
{
	FILE *file = rounds->opt->json ? stderr : stdout;

	print_text(&rounds->shown, file, NULL, 0);
	fflush(file);
}

static int fail(const struct hlk_err *err)
{
	fail_err(NULL, err);
	return boot_error_code(err);
}

static int fail_machine(struct rounds *rounds)
{
	if (rounds->apart) {
		rounds->err = *hlk_machine_error(rounds->machine);
		return boot_error_code(&rounds->err);
	}
	print_flush(rounds);
	return fail(hlk_machine_error(rounds->machine));
}

static const char *mode_text(const struct hlk_machine_run *run, char *text, size_t size)
{
	if (!(run->cr0 & 1))
		return "in real mode";
	snprintf(text, size, "in %u-bit code of %s%s", run->bits,
		 run->ring == 3 ? "a program" : "the kernel",
		 run->cr0 >> 31 ? "" : ", without paging");
	return text;
}

/* AMD's processors do so at a triple fault. */
static bool was_reset(const struct hlk_machine_run *run)
{
	return run->rip == 0xfff0 && run->cs_base == 0xffff0000 && !(run->cr0 & 1);
}

/* What the guest did, and where it was */
static void say_stop(struct rounds *rounds, const char *what)
{
	const struct hlk_machine_run *run = &rounds->run;
	char text[80];

	print_flush(rounds);
	fprintf(stderr, "hlk-run: %s: %s", what, hlk_stop_text(run->stop));
	if (run->stop == HLK_STOP_EXIT || run->stop >= HLK_STOP_ENTRY)
		fprintf(stderr, " (0x%llx)", (unsigned long long)run->value);
	if (run->stop == HLK_STOP_SHUTDOWN && was_reset(run)) {
		fprintf(stderr, "\nguest: the processor reset itself, and where it was is lost\n");
		return;
	}
	fprintf(stderr, "\nguest: at 0x%llx, %s, interrupts %s",
		(unsigned long long)(run->rip + (run->cr0 & 1 ? 0 : run->cs_base)),
		mode_text(run, text, sizeof(text)), run->rflags & 0x200 ? "on" : "off");
	if (run->cr0 >> 31)
		fprintf(stderr, ", page tables at 0x%llx", (unsigned long long)run->cr3);
	report_name(stderr, run->rip);
	fprintf(stderr, "\n");
}

static const uint32_t stop_of[] = {
	[WHEN_END] = HLK_STOP_NONE,
	[WHEN_PRINT] = HLK_STOP_PRINT,
	[WHEN_PORT] = HLK_STOP_PORT,
	[WHEN_ADDR] = HLK_STOP_ADDR,
	[WHEN_AFTER] = HLK_STOP_TIME,
	[WHEN_IDLE] = HLK_STOP_IDLE,
};

static const uint32_t flag_of[] = {
	[WHEN_END] = 0,
	[WHEN_PRINT] = HLK_MACHINE_PRINT,
	[WHEN_PORT] = HLK_MACHINE_PORT,
	[WHEN_ADDR] = HLK_MACHINE_ADDR,
	[WHEN_AFTER] = 0,
	[WHEN_IDLE] = HLK_MACHINE_IDLE,
};

/* Its own end, when nothing else was asked for: but not a failure */
static bool good_end(const struct hlk_machine_run *run)
{
	return run->stop == HLK_STOP_OFF || run->stop == HLK_STOP_RESET ||
	       run->stop == HLK_STOP_EXIT || run->stop == HLK_STOP_HALT ||
	       run->stop == HLK_STOP_ASKED;
}

static uint64_t limit(const struct boot_options *opt, uint32_t flags)
{
	if (!(flags & HLK_MACHINE_RESTORE) && opt->boot_timeout_us)
		return opt->boot_timeout_us;
	return opt->timeout_us;
}

static void kick(void *arg)
{
	hlk_machine_stop(((struct rounds *)arg)->machine);
}

static size_t take_keys(void *arg, const void *text, size_t len)
{
	size_t taken = 0;

	hlk_machine_receive(((struct rounds *)arg)->machine, text, len, &taken);
	return taken;
}

/* On, as long as it only stops for what was typed */
static int go_typed(struct rounds *rounds)
{
	struct hlk_machine_run *run = &rounds->run;
	uint64_t begin = now(), limit = run->timeout_us, gone;
	int ret;

	for (;;) {
		ret = rounds->debug ? debug_go(rounds->debug, run) :
				      hlk_machine_go(rounds->machine, run);
		rounds->copied += run->copied;
		rounds->exits += run->exits;
		if (ret || run->stop != HLK_STOP_ASKED ||
		    !console_give(rounds->console, take_keys, rounds))
			return ret;
		run->flags &= ~(HLK_MACHINE_RESTORE | HLK_MACHINE_TIME_BACK);
		gone = (now() - begin) / 1000;
		if (limit)
			run->timeout_us = gone < limit ? limit - gone : 1;
	}
}

static int go(struct rounds *rounds, const struct point *point, uint32_t flags)
{
	struct hlk_machine_run *run = &rounds->run;

	*run = (struct hlk_machine_run)HLK_MACHINE_RUN_INIT;
	run->flags = flags | flag_of[point->when];
	run->print = point->text;
	run->addr = point->when == WHEN_ADDR ? point->number : 0;
	run->port = point->when == WHEN_PORT ? point->number : 0;
	run->timeout_us = point->when == WHEN_AFTER ? point->number :
			  rounds->debug ? 0 : limit(rounds->opt, flags);
	/* Without a limit, who only waits would be waited for. */
	if (!run->timeout_us && !rounds->console && !rounds->debug && !(run->flags & HLK_MACHINE_IDLE)) {
		run->flags |= HLK_MACHINE_IDLE;
		run->idle_us = IDLE_LIMIT;
	}
	if (go_typed(rounds)) {
		run->stop = HLK_STOP_NONE;
		if (debug_killed(rounds->debug)) {
			print_flush(rounds);
			fail_say("gdb ended the guest");
			return RUN_GUEST;
		}
		return fail_machine(rounds);
	}
	if (point->when == WHEN_END ? good_end(run) :
	    run->stop == stop_of[point->when])
		return RUN_OK;
	return boot_stop_code(run->stop);
}

static int take(struct hlk_ctx *ctx, struct rounds *rounds)
{
	struct hlk_err err;

	debug_hide(rounds->debug);
	if (!rounds->snap && (hlk_machine_snapshot(rounds->machine, &rounds->snap) ||
			      hlk_machine_restore(rounds->machine, rounds->snap)))
		return fail_machine(rounds);
	debug_took(rounds->debug);
	if (hlk_snapshot_get_info(rounds->snap, &rounds->info, &err))
		return fail(&err);
	return rounds_save(ctx, rounds);
}

/* What was printed by a clock may be longer or shorter, but no other. */
static bool same(const struct rounds *rounds)
{
	const struct output *first = &rounds->first, *last = &rounds->now;
	uint64_t len = first->len < last->len ? first->len : last->len;
	uint64_t kept = len < OUTPUT_KEPT ? len : OUTPUT_KEPT;

	if (rounds->opt->until.when != WHEN_AFTER &&
	    (first->len != last->len || rounds->stop != rounds->run.stop ||
	     rounds->value != rounds->run.value))
		return false;
	return !memcmp(first->text, last->text, kept);
}

static void show(const char *what, const struct output *out)
{
	size_t len = out->len < OUTPUT_KEPT ? out->len : OUTPUT_KEPT;

	fprintf(stderr, "%s: '", what);
	print_safe(stderr, out->text, len);
	fprintf(stderr, "'\n");
}

/* What was bad about the last round, if that was not an error of the host */
static void say_round(struct rounds *rounds)
{
	char what[64];

	if (rounds->bad == ROUND_GOOD)
		return;
	snprintf(what, sizeof(what), "round %llu%s", (unsigned long long)rounds->done,
		 rounds->bad == ROUND_DIFFERS ? " is not as the first" : "");
	say_stop(rounds, what);
	if (rounds->bad == ROUND_DIFFERS)
		show("the first printed", &rounds->first);
	show(rounds->bad == ROUND_DIFFERS ? "this one" : "it printed", &rounds->now);
}

static int check(struct rounds *rounds)
{
	if (!rounds->has_first) {
		rounds->has_first = true;
		rounds->first = rounds->now;
		rounds->stop = rounds->run.stop;
		rounds->value = rounds->run.value;
		rounds->silent = true;
		print_flush(rounds);
		return RUN_OK;
	}
	if (same(rounds))
		return RUN_OK;
	rounds->bad = ROUND_DIFFERS;
	return RUN_MISMATCH;
}

static uint32_t restore_flags(const struct boot_options *opt)
{
	return HLK_MACHINE_RESTORE | (opt->time_back ? HLK_MACHINE_TIME_BACK : 0);
}

static bool is_due(const struct rounds *rounds, uint64_t every)
{
	return every && (rounds->done + 1) % every == 0;
}

static int audit(struct rounds *rounds)
{
	if (!is_due(rounds, rounds->opt->audit))
		return RUN_OK;
	if (hlk_machine_audit(rounds->machine))
		return fail_machine(rounds);
	debug_restored(rounds->debug);
	rounds->audits++;
	return RUN_OK;
}

/* It ends anywhere between the snapshot and where the last one ended. */
static int cut_off(struct rounds *rounds, uint64_t last_ns)
{
	struct point point = { .when = WHEN_AFTER };
	uint64_t copied = rounds->copied, exits = rounds->exits;
	bool silent = rounds->silent;
	int ret;

	if (!rounds->done || !is_due(rounds, rounds->opt->cut_off))
		return RUN_OK;
	point.number = 1 + (uint64_t)random() % (last_ns / 1000 + 1);
	rounds->silent = true;
	ret = go(rounds, &point, restore_flags(rounds->opt));
	rounds->silent = silent;
	rounds->copied = copied;
	rounds->exits = exits;
	rounds->cuts++;
	/* It may have come to its end, as it does. */
	return rounds->run.stop ? RUN_OK : ret;
}

static int turn(struct rounds *rounds)
{
	const struct boot_options *opt = rounds->opt;
	uint64_t start;
	int ret;

	ret = audit(rounds);
	if (!ret)
		ret = cut_off(rounds, rounds->last_ns);
	if (ret || rounds->stopped)
		return ret;
	rounds->now.len = 0;
	start = now();
	ret = go(rounds, &opt->until, restore_flags(opt));
	rounds->last_ns = now() - start;
	/* It did not come to an end that could be compared. */
	if (rounds->stopped && rounds->run.stop)
		return RUN_OK;
	samples_add(&rounds->both, rounds->last_ns);
	rounds->done++;
	if (ret && rounds->run.stop)
		rounds->bad = ROUND_STOPPED;
	return ret ? ret : check(rounds);
}

static int run_rounds(struct rounds *rounds, uint64_t nr)
{
	uint64_t start = now();
	int ret = RUN_OK;

	/* Under gdb, and for a machine beside it, it is gdb that interrupts. */
	if (!rounds->opt->gdb)
		interrupt_begin();
	while (!ret && rounds->done < nr && !interrupted() && !rounds->stopped)
		ret = turn(rounds);
	rounds->elapsed = now() - start;
	if (!rounds->apart)
		say_round(rounds);
	return ret;
}

static int make_machine(struct hlk_ctx *ctx, struct rounds *rounds)
{
	const struct boot_options *opt = rounds->opt;
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_err err;
	int ret;

	config.flags = (opt->no_irqchip ? HLK_MACHINE_NO_IRQCHIP : 0) |
		       (opt->no_acpi ? HLK_MACHINE_NO_ACPI : 0) |
		       (opt->reproducible ? HLK_MACHINE_REPRODUCIBLE : 0);
	config.max_private = opt->max_private;
	config.print = print;
	config.print_arg = rounds;
	if (opt->loaded) {
		config.flags &= ~HLK_MACHINE_NO_IRQCHIP;
		ret = hlk_machine_from_snapshot(ctx, rounds->snap, &config,
						&rounds->machine, &err);
		return ret ? fail(&err) : RUN_OK;
	}
	config.nr_cpus = opt->cpus;
	config.mem_size = opt->mem;
	config.ram = opt->ram;
	config.nr_ram = opt->nr_ram;
	return hlk_machine_create(ctx, &config, &rounds->machine, &err) ? fail(&err) : RUN_OK;
}

/* Of the snapshot, with no kernel */
static int make_clone(struct hlk_ctx *ctx, struct rounds *rounds)
{
	int ret = make_machine(ctx, rounds);

	if (!ret && hlk_machine_restore(rounds->machine, rounds->snap))
		ret = fail_machine(rounds);
	return ret;
}

/* ---- another one, while gdb has the first ---- */

/**
 * struct beside - another machine of the snapshot; nothing that gdb does may be seen by it
 * @rounds: its rounds, each of which has to be as its first
 * @thread: who runs them
 * @ret: how they ended
 */
struct beside {
	struct rounds rounds;
	pthread_t thread;
	int ret;
};

static void *run_beside(void *arg)
{
	struct beside *beside = arg;

	beside->ret = run_rounds(&beside->rounds, beside->rounds.opt->beside);
	return NULL;
}

static void free_beside(struct beside *beside)
{
	hlk_machine_close(beside->rounds.machine);
	samples_free(&beside->rounds.both);
	free(beside);
}

static int beside_begin(struct hlk_ctx *ctx, struct rounds *rounds)
{
	struct beside *beside;
	int ret;

	if (!rounds->opt->beside)
		return RUN_OK;
	beside = calloc(1, sizeof(*beside));
	if (!beside || samples_init(&beside->rounds.both)) {
		free(beside);
		fail_say("out of memory");
		return RUN_ERROR;
	}
	beside->rounds.opt = rounds->opt;
	beside->rounds.snap = rounds->snap;
	beside->rounds.silent = true;
	beside->rounds.apart = true;
	ret = make_clone(ctx, &beside->rounds);
	if (!ret && pthread_create(&beside->thread, NULL, run_beside, beside)) {
		fail_say("beside gdb: no thread");
		ret = RUN_ERROR;
	}
	if (ret)
		free_beside(beside);
	else
		rounds->beside = beside;
	return ret;
}

/*
 * All that is said of it is said here: by one thread. What ended the first one, if that was no
 * end of its own, stays what is told to programs, and ends this one.
 */
static int beside_end(struct beside *beside, int first)
{
	struct rounds *rounds;
	unsigned long long done;
	int ret;

	if (!beside)
		return RUN_OK;
	rounds = &beside->rounds;
	if (first) {
		rounds->stopped = true;
		hlk_machine_stop(rounds->machine);
	}
	pthread_join(beside->thread, NULL);
	ret = beside->ret;
	done = rounds->done;
	say_round(rounds);
	if (ret && !rounds->bad && !first)
		fail(&rounds->err);
	if (ret)
		fprintf(stderr, "hlk-run: that was beside gdb, in round %llu\n", done);
	else
		fprintf(stderr, "hlk-run: beside gdb: %llu rounds, all as the first\n", done);
	free_beside(beside);
	return ret;
}

static int core(struct hlk_ctx *ctx, struct rounds *rounds, const char *path)
{
	debug_hide(rounds->debug);
	return core_of_machine(ctx, rounds->machine, rounds->opt->cpus, rounds->wide, path);
}

static int rounds_of_snapshot(struct hlk_ctx *ctx, struct rounds *rounds)
{
	int ret = take(ctx, rounds), other;

	if (!ret)
		ret = core(ctx, rounds, rounds->opt->core_at_snapshot);
	if (!ret)
		ret = beside_begin(ctx, rounds);
	if (!ret)
		ret = run_rounds(rounds, rounds->opt->repeat);
	other = beside_end(rounds->beside, ret);
	rounds->beside = NULL;
	ret = ret ? ret : other;
	return ret ? ret : clones_run(rounds->clones, rounds);
}

static const struct point agent_ready = {
	.when = WHEN_PORT,
	.said = "where its agent is ready",
	.number = HLK_GUEST_PORT_AGENT,
};

static const struct point *first_point(const struct boot_options *opt)
{
	if (opt->call)
		return &agent_ready;
	return opt->has_snapshot ? &opt->snapshot_at : &opt->until;
}

static int finish(struct rounds *rounds, int ret)
{
	print_flush(rounds);
	rounds->exit_code = ret;
	if (!rounds->opt->threads)
		rounds_report(rounds);
	return ret;
}

static int boot(struct hlk_ctx *ctx, struct rounds *rounds)
{
	const struct boot_options *opt = rounds->opt;
	const struct point *point = first_point(opt);
	uint64_t start = now();
	char what[320];
	int ret;

	rounds->silent = opt->quiet;
	ret = go(rounds, point, 0);
	rounds->boot_ns = now() - start;
	if (!ret && opt->call && opt->has_snapshot) {
		point = &opt->snapshot_at;
		ret = go(rounds, point, 0);
	}
	rounds->copied = 0;
	rounds->exits = 0;
	if (ret && rounds->run.stop) {
		snprintf(what, sizeof(what), "the guest did not come to %s",
			 point->said ? point->said : "an end of its own");
		say_stop(rounds, what);
	}
	if (!ret && opt->call)
		ret = calls_run(ctx, rounds);
	else if (!ret && opt->has_snapshot)
		ret = rounds_of_snapshot(ctx, rounds);
	return finish(rounds, ret);
}

/* A kernel of 64 bits begins with 32, but that is not what gdb is to see. */
static bool is_wide(const struct rounds *rounds, const struct hlk_kernel *kernel)
{
	static const char elf64[] = "\177ELF\2";

	return rounds->placed.protocol == HLK_PROTOCOL_LINUX64 ||
	       (kernel->image_size >= sizeof(elf64) &&
		!memcmp(kernel->image, elf64, sizeof(elf64) - 1));
}

/* What it printed before gdb restored it is no part of the round. */
static void round_begins(void *arg)
{
	((struct rounds *)arg)->now.len = 0;
}

static int debug(struct hlk_ctx *ctx, struct rounds *rounds,
		 const struct hlk_kernel *kernel)
{
	int ret = debug_open(rounds->opt->gdb, &rounds->debug);

	rounds->wide = is_wide(rounds, kernel);
	return ret ? ret : debug_machine(rounds->debug, ctx, rounds->machine,
					 rounds->opt->cpus, rounds->wide, round_begins,
					 rounds);
}

/* Of a snapshot that was saved, with no kernel */
static int run_loaded(struct hlk_ctx *ctx, struct rounds *rounds)
{
	const struct boot_options *opt = rounds->opt;
	uint64_t start = now();
	int ret;

	rounds->silent = opt->quiet;
	ret = saved_get(ctx, opt->kernel, opt->from, opt->verify, &rounds->snap);
	rounds->boot_ns = now() - start;
	if (!ret && !opt->call)
		ret = make_machine(ctx, rounds);
	if (!ret && !opt->call && !opt->json)
		rounds->console = console_open(kick, rounds);
	if (!ret)
		ret = finish(rounds, opt->call ? calls_run(ctx, rounds) :
						 rounds_of_snapshot(ctx, rounds));
	console_close(rounds->console);
	hlk_snapshot_close(rounds->snap);
	hlk_machine_close(rounds->machine);
	return ret;
}

static int make(struct hlk_ctx *ctx, struct rounds *rounds,
		const struct files *files)
{
	int ret = make_machine(ctx, rounds), other;

	if (ret)
		return ret;
	if (hlk_machine_load(rounds->machine, &files->kernel, &rounds->placed))
		ret = fail_machine(rounds);
	if (!ret)
		ret = debug(ctx, rounds, &files->kernel);
	if (!ret && !rounds->opt->json)
		rounds->console = console_open(kick, rounds);
	if (!ret) {
		ret = boot(ctx, rounds);
		other = core(ctx, rounds, rounds->opt->core);
		ret = ret ? ret : other;
	}
	console_close(rounds->console);
	debug_end(rounds->debug, ret);
	debug_close(rounds->debug);
	hlk_snapshot_close(rounds->snap);
	hlk_machine_close(rounds->machine);
	return ret;
}

/* In another process */
static int rounds_of_clone(struct hlk_ctx *ctx, struct rounds *rounds)
{
	int ret = make_clone(ctx, rounds);

	if (!ret)
		ret = run_rounds(rounds, rounds->opt->clone_rounds ?
					 rounds->opt->clone_rounds : rounds->opt->repeat);
	hlk_machine_close(rounds->machine);
	return ret;
}

static int run_clone(struct rounds *rounds, int fd)
{
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret;

	if (hlk_open(&ctx, &err))
		return fail(&err);
	if (hlk_snapshot_from_fd(fd, &rounds->snap, &err)) {
		ret = fail(&err);
	} else {
		ret = rounds_of_clone(ctx, rounds);
		hlk_snapshot_close(rounds->snap);
	}
	hlk_close(ctx);
	return ret;
}

static int open_hlk(struct rounds *rounds, const struct files *files)
{
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret;

	if (hlk_open(&ctx, &err))
		return fail(&err);
	ret = rounds->opt->loaded ? run_loaded(ctx, rounds) : make(ctx, rounds, files);
	hlk_close(ctx);
	return ret;
}

int cmd_boot(int argc, char **argv)
{
	struct boot_options opt;
	struct rounds *rounds;
	struct files files;
	int ret;

	if (boot_parse(argc, argv, &opt))
		return RUN_USAGE;
	rounds = calloc(1, sizeof(*rounds));
	if (!rounds || samples_init(&rounds->both)) {
		fail_say("out of memory");
		free(rounds);
		return RUN_ERROR;
	}
	rounds->opt = &opt;
	report_symbols(opt.kernel);
	ret = files_read(&opt, &files);
	if (!ret)
		ret = clones_start(&opt, run_clone, &rounds->clones);
	if (!ret)
		ret = open_hlk(rounds, &files);
	clones_end(rounds->clones);
	files_free(&files);
	free(opt.own_append);
	samples_free(&rounds->both);
	free(rounds);
	return ret;
}
