// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run: the command line. */
#include <argp.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "bench/bench.h"
#include "boot/boot.h"
#include "compare.h"
#include "fail.h"
#include "info.h"
#include "interrupt.h"
#include "loop.h"
#include "option.h"
#include "pt/pt.h"
#include "saved.h"
#include "serve.h"
#include "top.h"

const char *argp_program_version = "hlk-run " HLK_RUN_VERSION;

enum {
	OPT_QUIET = 'q',
	OPT_NO_RESTORE = OPT_OWN,
	OPT_NO_PROGRESS,
	OPT_AUDIT,
	OPT_BESIDE,
	OPT_FROM,
	OPT_VERIFY,
	OPT_ANSWER_FILE,
	OPT_TRACE,
	OPT_TRACE_JSON,
};

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
	struct options *opt = state->input;

	switch (key) {
	case OPT_NO_RESTORE:
		opt->restore = false;
		return 0;
	case OPT_AUDIT:
		opt->audit = option_number(state, "audit", arg, 0, 1ULL << 40);
		return 0;
	case OPT_GDB:
		opt->gdb = arg;
		return 0;
	case OPT_CORE:
		opt->core = arg;
		return 0;
	case OPT_CORE_AT_SNAPSHOT:
		opt->core_at_snapshot = arg;
		return 0;
	case OPT_BESIDE:
		opt->beside = option_number(state, "beside", arg, 0, 1ULL << 40);
		return 0;
	case OPT_FROM:
		opt->from = arg;
		return 0;
	case OPT_VERIFY:
		opt->verify = true;
		return 0;
	case OPT_ANSWER_FILE:
		opt->answer_file = arg;
		return 0;
	case OPT_TRACE_JSON:
		opt->trace_json = arg;
		/* fall through */
	case OPT_TRACE:
		opt->trace = true;
		return 0;
	case OPT_QUIET:
		opt->quiet = true;
		return 0;
	case OPT_NO_PROGRESS:
		opt->no_progress = true;
		return 0;
	case ARGP_KEY_END:
		if (!opt->call && (opt->input || opt->expect || opt->input_file ||
				   opt->answer_file))
			argp_error(state, "--input, --input-file, --answer-file and --expect want --call");
		if (opt->audit && !opt->restore)
			argp_error(state, "--audit is about restores");
		if ((opt->gdb || opt->core_at_snapshot) && !opt->restore)
			argp_error(state, "--gdb and --core-at-snapshot want restores");
		if (opt->trace && (!opt->call || opt->gdb))
			argp_error(state, "--trace wants --call, and no --gdb");
		if (opt->beside && (!opt->gdb || !opt->call))
			argp_error(state, "--beside wants --gdb and --call");
		break;
	}
	return option_parse_guest(key, arg, state, opt);
}

static error_t parse_info(int key, char *arg, struct argp_state *state)
{
	return option_parse(key, arg, state, state->input);
}

static const struct argp_option run_options[] = {
	{ "call", OPT_CALL, "NAME", 0, "Call this function of the guest", 1 },
	{ "input", OPT_INPUT, "TEXT", 0, "Its argument", 1 },
	OPTION_INPUT_FILE(1),
	{ "answer-file", OPT_ANSWER_FILE, "FILE", 0,
	  "Write the last answer there, byte by byte; - is standard output, and all else goes to standard error then", 1 },
	{ "expect", OPT_EXPECT, "TEXT", 0,
	  "Compare each answer with this, stop at the first that differs", 1 },
	{ "repeat", OPT_REPEAT, "N", 0, "Call so many times (default 1)", 1 },
	{ "no-restore", OPT_NO_RESTORE, NULL, 0,
	  "Do not restore the guest between calls", 1 },
	{ "audit", OPT_AUDIT, "N", 0,
	  "Compare all with the snapshot after every N-th restore", 1 },
	{ "trace", OPT_TRACE, NULL, 0,
	  "Print what happens in the last call, in order, and what it takes", 1 },
	{ "trace-json", OPT_TRACE_JSON, "FILE", 0,
	  "Write that for Chrome or Perfetto instead", 1 },
	OPTION_GDB(1),
	OPTIONS_CORE(1),
	{ "beside", OPT_BESIDE, "N", 0,
	  "With --gdb: another guest of the same snapshot makes so many calls meanwhile", 1 },
	{ "name", OPT_FROM, "NAME", 0,
	  "Where GUEST is a folder with snapshots: the name of one", 1 },
	{ "verify", OPT_VERIFY, NULL, 0,
	  "Of one that was saved read all pages first, and compare them with their digests", 1 },
	OPTION_MAP(2),
	OPTIONS_MEMORY(2),
	OPTION_TIMEOUT(2),
	OPTIONS_SNAPSHOT(3),
	OPTION_DEDUP(3),
	OPTION_JSON(4),
	{ "quiet", OPT_QUIET, NULL, 0,
	  "Do not print what the guest prints", 4 },
	{ "no-progress", OPT_NO_PROGRESS, NULL, 0,
	  "No progress line on long runs", 4 },
	{ 0 }
};

static const struct argp_option info_options[] = {
	OPTION_JSON(4),
	{ 0 }
};

static const struct argp run_argp = {
	.options = run_options,
	.parser = parse_run,
	.args_doc = "GUEST",
	.doc = "Boot a guest and snapshot it, or load a snapshot from a folder, then restore and call it again and again.\v"
	       "Exit status: 0 all well, 1 hlk or the host failed, 2 usage, "
	       "3 the guest failed, 4 an answer was not the one expected, "
	       "5 timeout, 6 a folder that is none, or not one of a snapshot.",
};

static const struct argp info_argp = {
	.options = info_options,
	.parser = parse_info,
	.doc = "Print version, limits and live objects of the kernel module.",
};

static const struct command {
	const char *name;
	const struct argp *argp;
	int (*run)(struct options *opt);
	int (*own)(int argc, char **argv);
} commands[] = {
	{ "run", &run_argp, cmd_run, NULL },
	{ "snapshot", NULL, NULL, cmd_snapshot },
	{ "inspect", NULL, NULL, cmd_inspect },
	{ "boot", NULL, NULL, cmd_boot },
	{ "info", &info_argp, cmd_info, NULL },
	{ "pt", NULL, NULL, cmd_pt },
	{ "serve-bench", NULL, NULL, cmd_serve_bench },
	{ "bench", NULL, NULL, cmd_bench },
	{ "compare", NULL, NULL, cmd_compare },
	{ "top", NULL, NULL, cmd_top },
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
	.doc = "Run guests that are restored thousands of times a second.\v"
	       "Commands:\n"
	       "  run GUEST   boot, snapshot, restore and call a guest\n"
	       "  snapshot GUEST\n"
	       "              save a snapshot of a guest to a folder, for run\n"
	       "  inspect DIR what is in a folder with snapshots\n"
	       "  boot KERNEL boot and restore a kernel that was not written for hlk\n"
	       "  info        version, limits and live objects of the module\n"
	       "  pt          what a guest's page tables map\n"
	       "  serve-bench GUEST\n"
	       "              a pool of sandboxes under the calls of several threads\n"
	       "  bench       what a restore costs, here and by other ways\n"
	       "  compare FILE FILE\n"
	       "              two runs of one of these, by their --json\n"
	       "  top FILE|unix:SOCKET...\n"
	       "              what pools do just now, by their metrics\n\n"
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
	fail_end(ret);
	/* A write that failed before is tried no more, and so why is not known any more. */
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "hlk-run: cannot write the output%s%s\n", errno ? ": " : "",
			errno ? strerror(errno) : "");
		return ret ? ret : RUN_ERROR;
	}
	interrupt_end();
	return ret;
}
