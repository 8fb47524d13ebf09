// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run bench: the command line, and what comes after what. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../fail.h"
#include "../interrupt.h"
#include "../json.h"
#include "../option.h"
#include "../term.h"
#include "bench.h"
#include "count.h"
#include "extra.h"
#include "goals.h"
#include "image.h"
#include "linux_bench.h"
#include "measure.h"
#include "out.h"

#define KIB		(1ULL << 10)
#define MIB		(1ULL << 20)
#define MAX_CPUID	256
#define MAX_CFGS	64

enum {
	OPT_QUICK = 'q',
	OPT_WAYS = 'w',
	OPT_SVG = OPT_OWN,
	OPT_FULL,
	OPT_BUDGET,
	OPT_EMULATED,
	OPT_PERF_COUNTS,
	OPT_COPY,
	OPT_THREADS,
	OPT_CONFIG,
	OPT_GUEST,
	OPT_REPORT,
	OPT_MODEL,
};

struct bench_options {
	struct bench_env env;
	struct linux_options guest;
	const char *json;
	const char *svg;
	const char *report;
	bool model;
	const char *copy;
	struct bench_cfg cfg[MAX_CFGS];
	uint32_t nr_cfgs;
};

static const struct argp_option options[] = {
	{ "json", OPT_JSON, "FILE", 0, "Write JSON; - is standard output", 0 },
	{ "report", OPT_REPORT, "FILE", 0,
	  "Write what to send in: the machine, all figures, what the model predicts", 0 },
	{ "model", OPT_MODEL, NULL, 0, "Measure nothing: print what the model predicts", 0 },
	{ "svg", OPT_SVG, "FILE", 0, "Draw a chart", 0 },
	{ "quick", OPT_QUICK, NULL, 0,
	  "Two configurations, and no time for each: to see that it works", 0 },
	{ "full", OPT_FULL, NULL, 0, "All of the matrix", 0 },
	{ "config", OPT_CONFIG, "P,S,G[,data]", 0,
	  "Only this configuration: P pages, scratch of S KiB, guest of G MiB; can be given again", 0 },
	{ "ways", OPT_WAYS, "LIST", 0, "Only these, such as A2,B6,C", 0 },
	{ "budget", OPT_BUDGET, "MS", 0,
	  "Time for each way in each configuration (default 300)", 0 },
	{ "two-threads", OPT_THREADS, NULL, 0,
	  "Only compare two threads with one", 0 },
	{ "guest", OPT_GUEST, "FILE", 0,
	  "The example guest 'server': measure what users of libhlk get, too", 0 },
	{ "copy", OPT_COPY, "HOW", 0,
	  "User space copies by rep (string instructions) or libc (memcpy); default rep where emulated", 0 },
	{ "perf-counts", OPT_PERF_COUNTS, NULL, 0,
	  "Count instructions, by the TSC of an emulator that runs with -icount shift=0", 0 },
	{ "emulated", OPT_EMULATED, NULL, 0,
	  "Say that times are emulated, also where it cannot be seen", 0 },
	{ 0 }
};

static void parse_copy(struct bench_options *opt, const char *arg,
		       struct argp_state *state)
{
	if (strcmp(arg, "rep") && strcmp(arg, "libc"))
		argp_error(state, "--copy wants rep or libc, not '%s'", arg);
	opt->copy = arg;
}

static void parse_config(struct bench_options *opt, const char *arg,
			 struct argp_state *state)
{
	struct bench_cfg *cfg = &opt->cfg[opt->nr_cfgs];
	unsigned int pages, scratch, guest;
	int end = 0, data = 0;

	if (opt->nr_cfgs == MAX_CFGS)
		argp_error(state, "too many configurations");
	if (sscanf(arg, "%u,%u,%u%n,data%n", &pages, &scratch, &guest, &end,
		   &data) < 3 || arg[data ?: end])
		argp_error(state, "--config wants P,S,G or P,S,G,data, not '%s'",
			   arg);
	*cfg = (struct bench_cfg){ pages, scratch * KIB, guest * MIB, data };
	if (scratch < 64 || scratch > 1 << 20 || scratch % 4 || guest < 16 ||
	    guest > 2048 || !cfg_fits(cfg))
		argp_error(state, "'%s' does not fit together", arg);
	opt->nr_cfgs++;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bench_options *opt = state->input;

	switch (key) {
	case OPT_JSON:
		opt->json = arg;
		return 0;
	case OPT_REPORT:
		opt->report = arg;
		return 0;
	case OPT_MODEL:
		opt->model = true;
		return 0;
	case OPT_SVG:
		opt->svg = arg;
		return 0;
	case OPT_QUICK:
		opt->env.quick = true;
		return 0;
	case OPT_FULL:
		opt->env.full = true;
		return 0;
	case OPT_WAYS:
		opt->env.only = arg;
		if (bench_no_way(arg))
			argp_error(state, "there is no way '%s'", bench_no_way(arg));
		return 0;
	case OPT_BUDGET:
		opt->env.budget_ns = option_number(state, "budget", arg, 1,
						   3600000) * 1000000;
		return 0;
	case OPT_CONFIG:
		parse_config(opt, arg, state);
		return 0;
	case OPT_THREADS:
		opt->env.threads_only = true;
		return 0;
	case OPT_GUEST:
		opt->env.guest = arg;
		return 0;
	case OPT_COPY:
		parse_copy(opt, arg, state);
		return 0;
	case OPT_PERF_COUNTS:
		opt->env.perf_counts = true;
		return 0;
	case OPT_EMULATED:
		opt->env.emulated = true;
		return 0;
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &opt->guest;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "what is '%s'?", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &linux_argp, 0, NULL, 1 },
	{ 0 }
};

static const struct argp bench_argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.doc = "Time restore and call of a small guest: by hlk, and by user space at its best on ordinary memory.\v"
	       "Goals that are missed are said and are no failure. See Documentation/bench.rst.",
};

/* Which of the matrix, one axis after the other */
static const struct bench_cfg usual[] = {
	{ 64, 16 * MIB, 16 * MIB, false },
	{ 1, 16 * MIB, 16 * MIB, false },
	{ 8, 16 * MIB, 16 * MIB, false },
	{ 512, 16 * MIB, 16 * MIB, false },
	{ 64, 288 * KIB, 16 * MIB, false },
	{ 64, MIB, 16 * MIB, false },
	{ 64, 64 * MIB, 16 * MIB, false },
	{ 64, 16 * MIB, 256 * MIB, false },
	{ 64, 16 * MIB, 1024 * MIB, false },
	{ 8, 16 * MIB, 16 * MIB, true },
	{ 64, 16 * MIB, 16 * MIB, true },
	{ 512, 16 * MIB, 16 * MIB, true },
};

static const struct bench_cfg quick[] = {
	{ 64, 16 * MIB, 16 * MIB, false },
	{ 8, MIB, 16 * MIB, true },
};

static uint32_t full_matrix(struct bench_cfg *cfg)
{
	static const uint32_t pages[] = { 1, 8, 64, 512 };
	static const uint64_t scratch[] = { 288 * KIB, MIB, 16 * MIB, 64 * MIB };
	static const uint64_t guest[] = { 16 * MIB, 256 * MIB, 1024 * MIB };
	uint32_t nr = 0;
	uint32_t i;

	for (i = 0; i < 4 * 4 * 3; i++) {
		cfg[nr] = (struct bench_cfg){
			pages[i % 4], scratch[i / 4 % 4], guest[i / 16], false,
		};
		nr += cfg_fits(&cfg[nr]);
	}
	for (i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (usual[i].data)
			cfg[nr++] = usual[i];
	return nr;
}

static uint32_t choose(const struct bench_options *opt, struct bench_cfg *cfg)
{
	const struct bench_env *env = &opt->env;

	if (env->threads_only)
		return 0;
	if (opt->nr_cfgs) {
		memcpy(cfg, opt->cfg, opt->nr_cfgs * sizeof(*cfg));
		return opt->nr_cfgs;
	}
	if (env->full)
		return full_matrix(cfg);
	if (env->quick) {
		memcpy(cfg, quick, sizeof(quick));
		return sizeof(quick) / sizeof(*quick);
	}
	memcpy(cfg, usual, sizeof(usual));
	return sizeof(usual) / sizeof(*usual);
}

static int no_kvm(const char *what)
{
	fail_file(what, "cannot use");
	return -1;
}

static int open_kvm(struct bench_env *env)
{
	int bytes;

	env->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (env->kvm < 0)
		return no_kvm("/dev/kvm");
	bytes = ioctl(env->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (bytes < 0)
		return no_kvm("KVM_GET_VCPU_MMAP_SIZE");
	env->run_bytes = bytes;
	env->cpuid = calloc(1, sizeof(*env->cpuid) +
			       MAX_CPUID * sizeof(struct kvm_cpuid_entry2));
	if (!env->cpuid)
		return no_kvm("memory");
	env->cpuid->nent = MAX_CPUID;
	if (ioctl(env->kvm, KVM_GET_SUPPORTED_CPUID, env->cpuid))
		return no_kvm("KVM_GET_SUPPORTED_CPUID");
	return 0;
}

/* Without the module there is still something to measure. */
static void open_hlk(struct bench_env *env)
{
	struct hlk_info info = { .head.size = sizeof(info) };

	env->dev = open("/dev/hlk", O_RDWR | O_CLOEXEC);
	if (env->dev >= 0 && !ioctl(env->dev, HLK_INFO, &info)) {
		env->features = info.features;
		return;
	}
	fprintf(stderr, "hlk-run: /dev/hlk: %s; going on without it\n",
		strerror(errno));
	if (env->dev >= 0)
		close(env->dev);
	env->dev = -1;
}

/* To the last CPU: the first has interrupts to look after. */
static void stay(void)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	for (cpu = CPU_SETSIZE - 1; cpu > 0 && !CPU_ISSET(cpu, &set); cpu--)
		;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int init(struct bench_options *opt)
{
	struct bench_env *env = &opt->env;
	struct utsname name;

	if (open_kvm(env))
		return -1;
	open_hlk(env);
	env->emulated |= emulated();
	env->rep = opt->copy ? !strcmp(opt->copy, "rep") : env->emulated;
	env->stdout_busy = opt->json && !strcmp(opt->json, "-");
	env->batch = env->quick ? 8 : BENCH_BATCH;
	env->firsts = env->quick ? 1 : 5;
	env->rounds = env->quick ? 2 : 10;
	if (!env->budget_ns)
		env->budget_ns = env->quick ? 4000000 : 300000000;
	if (!uname(&name))
		snprintf(env->kernel, sizeof(env->kernel), "%s", name.release);
	stay();
	return 0;
}

static int measure(const struct bench_options *opt, struct bench_report *report)
{
	const struct bench_env *env = &opt->env;
	struct bench_cfg cfg[MAX_CFGS];
	uint32_t nr = choose(opt, cfg);
	char text[96];
	uint32_t i;

	report->env = env;
	report->run = calloc(nr + 1, sizeof(*report->run));
	if (!report->run) {
		fail_say("out of memory");
		return -1;
	}
	interrupt_begin();
	for (i = 0; i < nr && !interrupted(); i++) {
		format_cfg(text, sizeof(text), &cfg[i]);
		fprintf(stderr, "%u of %u: %s\n", i + 1, nr, text);
		if (!bench_measure(env, &cfg[i], &report->run[report->nr]))
			report->nr++;
	}
	if (env->guest && env->dev >= 0 && !env->threads_only &&
	    !interrupted() && bench_used(env, &report->used))
		return -1;
	return interrupted() ? 0 : bench_extras(env, &report->extra);
}

static int output(const struct bench_options *opt,
		  const struct bench_report *report)
{
	struct bench_goal goal[BENCH_MAX_GOALS];
	uint32_t nr = bench_goals(report, goal);
	int ret = 0;

	if (!opt->env.stdout_busy)
		bench_table(report, goal, nr);
	if (opt->json && json_write(bench_json(report, goal, nr), opt->json)) {
		fail_file(opt->json, "cannot write");
		ret = -1;
	}
	if (opt->report && bench_report_file(report, goal, nr, opt->report))
		ret = -1;
	if (opt->svg && bench_svg(report, opt->svg))
		ret = -1;
	return ret;
}

/**
 * cmd_bench() - hlk-run bench
 * @argc: as of main
 * @argv: as of main
 *
 * Return: the exit code
 */
int cmd_bench(int argc, char **argv)
{
	struct bench_options opt = { .env = { .kvm = -1, .dev = -1 } };
	struct bench_report report = {};
	int ret = RUN_OK;

	if (argp_parse(&bench_argp, argc, argv, 0, NULL, &opt))
		return RUN_USAGE;
	if (opt.model) {
		model_table();
		return RUN_OK;
	}
	if (init(&opt))
		return RUN_ERROR;
	if (opt.guest.kernel)
		ret = bench_linux(&opt.env, &opt.guest, opt.json);
	else if (measure(&opt, &report))
		ret = RUN_ERROR;
	if (report.run && output(&opt, &report))
		ret = RUN_ERROR;
	free(report.run);
	free(opt.env.cpuid);
	if (opt.env.dev >= 0)
		close(opt.env.dev);
	close(opt.env.kvm);
	return ret;
}
