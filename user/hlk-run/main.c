// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run: the command line. */
#include <argp.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "fail.h"
#include "info.h"
#include "loop.h"
#include "option.h"
#include "pt/pt.h"
#include "serve.h"

const char *argp_program_version = "hlk-run " HLK_RUN_VERSION;

enum {
	OPT_CALL = 'c',
	OPT_INPUT = 'i',
	OPT_EXPECT = 'e',
	OPT_REPEAT = 'n',
	OPT_TIMEOUT = 't',
	OPT_MEM = 'm',
	OPT_SCRATCH = 's',
	OPT_JSON = 'j',
	OPT_QUIET = 'q',
	OPT_NO_RESTORE = 256,
	OPT_FLAT,
	OPT_HOST_COW,
	OPT_STRICT,
	OPT_CR3,
	OPT_MAX_PRIVATE,
	OPT_NO_PROGRESS,
	OPT_AUDIT,
	OPT_DEDUP,
};

static error_t parse_memory(int key, char *arg, struct argp_state *state)
{
	struct options *opt = state->input;

	switch (key) {
	case OPT_MEM:
		opt->mem = option_number(state, "mem", arg, 0, 4096) << 20;
		return 0;
	case OPT_SCRATCH:
		opt->scratch = option_number(state, "scratch", arg, 0, 1 << 22) << 10;
		return 0;
	case OPT_MAX_PRIVATE:
		opt->max_private = option_number(state, "max-private", arg, 0, 1 << 20);
		return 0;
	case OPT_TIMEOUT:
		opt->timeout_us = option_number(state, "timeout", arg, 0,
						86400000) * 1000;
		return 0;
	case OPT_JSON:
		opt->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_snapshot(int key, struct options *opt)
{
	switch (key) {
	case OPT_NO_RESTORE:
		opt->restore = false;
		return 0;
	case OPT_FLAT:
		opt->snapshot |= HLK_SNAP_FLAT;
		return 0;
	case OPT_HOST_COW:
		opt->snapshot |= HLK_SNAP_HOST_COW;
		return 0;
	case OPT_STRICT:
		opt->snapshot |= HLK_SNAP_STRICT;
		return 0;
	case OPT_CR3:
		opt->snapshot |= HLK_SNAP_CR3;
		return 0;
	case OPT_DEDUP:
		opt->snapshot |= HLK_SNAP_DEDUP;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_snapshot_arg(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	return parse_snapshot(key, state->input);
}

static error_t parse_guest(int key, char *arg, struct argp_state *state)
{
	struct options *opt = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (opt->guest)
			argp_error(state, "one guest at a time, please");
		opt->guest = arg;
		return 0;
	case ARGP_KEY_END:
		if (!opt->guest)
			argp_error(state, "which guest? (an i686 ELF file)");
		return 0;
	default:
		return parse_memory(key, arg, state);
	}
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
	struct options *opt = state->input;

	switch (key) {
	case OPT_CALL:
		opt->call = arg;
		return 0;
	case OPT_INPUT:
		opt->input = arg;
		opt->input_len = strlen(arg);
		return 0;
	case OPT_EXPECT:
		opt->expect = arg;
		opt->expect_len = strlen(arg);
		return 0;
	case OPT_REPEAT:
		opt->repeat = option_number(state, "repeat", arg, 0, 1ULL << 40);
		return 0;
	case OPT_AUDIT:
		opt->audit = option_number(state, "audit", arg, 0, 1ULL << 40);
		return 0;
	case OPT_QUIET:
		opt->quiet = true;
		return 0;
	case OPT_NO_PROGRESS:
		opt->no_progress = true;
		return 0;
	case ARGP_KEY_END:
		if (!opt->call && (opt->input || opt->expect))
			argp_error(state, "--input and --expect want --call");
		if (opt->audit && !opt->restore)
			argp_error(state, "--audit is about restores");
		return parse_guest(key, arg, state);
	default:
		if (!parse_snapshot(key, opt))
			return 0;
		return parse_guest(key, arg, state);
	}
}

#define OPTIONS_MEMORY							\
	{ "mem", OPT_MEM, "MIB", 0,					\
	  "The guest's memory (default 16)", 2 },			\
	{ "scratch", OPT_SCRATCH, "KIB", 0,				\
	  "The guest's scratch region (default 288, or as much as its first page tables want)", 2 }, \
	{ "max-private", OPT_MAX_PRIVATE, "PAGES", 0,			\
	  "Most pages that the guest may write between two restores", 2 }, \
	{ "timeout", OPT_TIMEOUT, "MS", 0,				\
	  "Stop the guest when boot or a call takes longer", 2 },	\
	{ "json", OPT_JSON, NULL, 0, "Print JSON", 4 }

#define OPTIONS_SNAPSHOT						\
	{ "flat", OPT_FLAT, NULL, 0,					\
	  "Snapshot each page at its place, for guests that know nothing of hlk", 3 }, \
	{ "host-cow", OPT_HOST_COW, NULL, 0,				\
	  "Leave copy-on-write to the host", 3 },			\
	{ "strict", OPT_STRICT, NULL, 0,				\
	  "Refuse a guest with mappings that lead outside its memory", 3 }, \
	{ "cr3", OPT_CR3, NULL, 0,					\
	  "Take CR3 as the only page directory, not those that the guest published", 3 }

static const struct argp_option run_options[] = {
	{ "call", OPT_CALL, "NAME", 0, "Call this function of the guest", 1 },
	{ "input", OPT_INPUT, "TEXT", 0, "Its argument", 1 },
	{ "expect", OPT_EXPECT, "TEXT", 0,
	  "Compare each answer with this, stop at the first that differs", 1 },
	{ "repeat", OPT_REPEAT, "N", 0, "Call so many times (default 1)", 1 },
	{ "no-restore", OPT_NO_RESTORE, NULL, 0,
	  "Do not restore the guest between calls", 1 },
	{ "audit", OPT_AUDIT, "N", 0,
	  "Compare all with the snapshot after every N-th restore", 1 },
	OPTIONS_MEMORY,
	OPTIONS_SNAPSHOT,
	{ "dedup", OPT_DEDUP, NULL, 0,
	  "Keep equal pages once", 3 },
	{ "quiet", OPT_QUIET, NULL, 0,
	  "Do not print what the guest prints", 4 },
	{ "no-progress", OPT_NO_PROGRESS, NULL, 0,
	  "No progress line on long runs", 4 },
	{ 0 }
};

static const struct argp_option memory_options[] = {
	OPTIONS_MEMORY,
	{ 0 }
};

static const struct argp_option snapshot_options[] = {
	OPTIONS_SNAPSHOT,
	{ 0 }
};

static const struct argp_option info_options[] = {
	{ "json", OPT_JSON, NULL, 0, "Print JSON", 4 },
	{ 0 }
};

static const struct argp run_argp = {
	.options = run_options,
	.parser = parse_run,
	.args_doc = "GUEST",
	.doc = "Boot a guest, snapshot it, then restore and call it again and again.\v"
	       "Exit status: 0 all well, 1 hlk or the host failed, 2 usage, "
	       "3 the guest failed, 4 an answer was not the one expected, "
	       "5 timeout.",
};

/* Parts that other commands take in */
const struct argp memory_argp = {
	.options = memory_options,
	.parser = parse_memory,
};

const struct argp snapshot_argp = {
	.options = snapshot_options,
	.parser = parse_snapshot_arg,
};

static const struct argp info_argp = {
	.options = info_options,
	.parser = parse_memory,
	.doc = "Print version, limits and live objects of the kernel module.",
};

static const struct command {
	const char *name;
	const struct argp *argp;
	int (*run)(const struct options *opt);
	int (*own)(int argc, char **argv);
} commands[] = {
	{ "run", &run_argp, cmd_run, NULL },
	{ "info", &info_argp, cmd_info, NULL },
	{ "pt", NULL, NULL, cmd_pt },
	{ "serve-bench", NULL, NULL, cmd_serve_bench },
	{ "bench", NULL, NULL, cmd_bench },
};

static int run_command(const struct command *command, int argc, char **argv)
{
	struct options opt = {
		.restore = true,
		.repeat = 1,
	};
	char name[32];

	snprintf(name, sizeof(name), "hlk-run %s", command->name);
	argv[0] = name;
	if (command->own)
		return command->own(argc, argv);
	if (argp_parse(command->argp, argc, argv, 0, NULL, &opt))
		return RUN_USAGE;
	return command->run(&opt);
}

static error_t parse_command(int key, char *arg, struct argp_state *state)
{
	int *ret = state->input;
	size_t i;

	switch (key) {
	case ARGP_KEY_ARG:
		for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
			if (strcmp(arg, commands[i].name))
				continue;
			*ret = run_command(&commands[i],
					   state->argc - state->next + 1,
					   state->argv + state->next - 1);
			state->next = state->argc;
			return 0;
		}
		argp_error(state, "unknown command '%s'", arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp top_argp = {
	.parser = parse_command,
	.args_doc = "COMMAND [ARGUMENT...]",
	.doc = "Run i686 guests in sandboxes that are restored thousands of times a second.\v"
	       "Commands:\n"
	       "  run GUEST   boot, snapshot, restore and call a guest\n"
	       "  info        version, limits and live objects of the module\n"
	       "  pt          what a guest's page tables map\n"
	       "  serve-bench GUEST\n"
	       "              a pool of sandboxes under the calls of several threads\n"
	       "  bench       what a restore costs, here and by other ways\n\n"
	       "'hlk-run COMMAND --help' tells more; so does hlk-run(1).",
};

int main(int argc, char **argv)
{
	int ret = RUN_OK;

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	argp_err_exit_status = RUN_USAGE;
	if (argp_parse(&top_argp, argc, argv, ARGP_IN_ORDER, NULL, &ret))
		return RUN_USAGE;
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "hlk-run: cannot write the output\n");
		return ret ? ret : RUN_ERROR;
	}
	return ret;
}
