// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run snapshot: boot a guest, or load one, and save a snapshot of it. */
#include <stdlib.h>

#include "fail.h"
#include "guest.h"
#include "option.h"
#include "saved.h"

enum {
	OPT_OUTPUT = 'o',
	OPT_NAME = OPT_OWN,
	OPT_FROM,
	OPT_COMPRESS,
	OPT_QUIET = 'q',
};

/* what is said on the command line */
struct command {
	struct options opt;
	struct saving saving;
};

static const struct argp_option options[] = {
	{ "output", OPT_OUTPUT, "DIR", 0, "The folder that it is saved to", 1 },
	{ "name", OPT_NAME, "NAME", 0,
	  "Its name among those in the folder (default latest)", 1 },
	{ "compress", OPT_COMPRESS, NULL, 0, "Compress its pages, by zstd", 1 },
	{ "from", OPT_FROM, "NAME", 0,
	  "Where GUEST is a folder: the name of the snapshot in it", 1 },
	{ "call", OPT_CALL, "NAME", 0, "Call this function of the guest before", 2 },
	{ "input", OPT_INPUT, "TEXT", 0, "Its argument", 2 },
	OPTION_MAP(3),
	OPTIONS_MEMORY(3),
	OPTION_TIMEOUT(3),
	OPTIONS_SNAPSHOT(4),
	OPTION_DEDUP(4),
	{ "quiet", OPT_QUIET, NULL, 0, "Do not print what the guest prints", 5 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command *command = state->input;

	switch (key) {
	case OPT_OUTPUT:
		command->saving.folder = arg;
		return 0;
	case OPT_NAME:
		command->saving.name = arg;
		return 0;
	case OPT_FROM:
		command->opt.from = arg;
		return 0;
	case OPT_COMPRESS:
		command->saving.compress = true;
		return 0;
	case OPT_QUIET:
		command->opt.quiet = true;
		return 0;
	case ARGP_KEY_END:
		if (!command->saving.folder)
			argp_error(state, "where to? (--output DIR)");
		if (command->opt.input && !command->opt.call)
			argp_error(state, "--input wants --call");
		break;
	}
	return option_parse_guest(key, arg, state, &command->opt);
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "GUEST",
	.doc = "Boot a guest, or load one from a folder, and save a snapshot of it to a folder. Saved to the folder that it comes from it is a layer, which has what differs.\v"
	       "Exit status: 0 all well, 1 hlk or the host failed, 2 usage, "
	       "3 the guest failed, 5 timeout, 6 a folder is none, or not one of a snapshot.",
};

static int take(struct hlk_ctx *ctx, const struct command *command, struct hlk_sandbox *sb,
		struct hlk_snap *from)
{
	const struct options *opt = &command->opt;
	struct hlk_snapshot_config config = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_snap *parent = NULL, *snap;
	int ret;

	config.flags = opt->snapshot;
	if (opt->call && hlk_sandbox_call(sb, opt->call, opt->input, opt->input_len, NULL, 0,
					  NULL, opt->timeout_us) &&
	    hlk_sandbox_error(sb)->what != HLK_WHAT_OUTPUT)
		return fail_sandbox(sb);
	guest_printed(opt);
	if (hlk_sandbox_snapshot(sb, &config, &snap))
		return fail_sandbox(sb);
	if (from && same_folder(opt->guest, command->saving.folder))
		parent = from;
	ret = saved_put(ctx, snap, parent, &command->saving, stdout);
	hlk_snapshot_close(snap);
	return ret;
}

int cmd_snapshot(int argc, char **argv)
{
	struct command command = {};
	struct hlk_snap *from = NULL;
	struct hlk_sandbox *sb;
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret;

	if (argp_parse(&argp, argc, argv, 0, NULL, &command))
		return RUN_USAGE;
	if (hlk_open(&ctx, &err))
		return fail_err(NULL, &err);
	ret = guest_open(ctx, &command.opt, &sb, &from);
	if (!ret) {
		ret = take(ctx, &command, sb, from);
		hlk_sandbox_close(sb);
		hlk_snapshot_close(from);
	}
	hlk_close(ctx);
	return ret;
}
