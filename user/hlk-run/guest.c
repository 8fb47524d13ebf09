// SPDX-License-Identifier: GPL-2.0-only
/* A guest that is ready. */
#include <string.h>

#include "fail.h"
#include "files.h"
#include "guest.h"
#include "saved.h"
#include "term.h"
#include "trace.h"

/* One guest is looked at, by one thread */
static struct hlk_text printed;

static void print_guest(void *arg, const char *text, size_t len)
{
	const struct options *opt = arg;

	if (!opt->quiet)
		print_text(&printed, opt->json ? stderr : stdout, text, len);
}

/* A character that it began and did not end */
void guest_printed(const struct options *opt)
{
	print_text(&printed, opt->json ? stderr : stdout, NULL, 0);
}

/* The one function that hlk-run has for guests: the argument comes back */
static int echo(void *arg, const void *in, size_t in_len, void *out,
		size_t out_size, size_t *out_len)
{
	(void)arg;
	trace_mark("host function echo: begins");
	*out_len = in_len < out_size ? in_len : out_size;
	memcpy(out, in, *out_len);
	trace_mark("host function echo: returns");
	return 0;
}

/**
 * guest_functions() - give a guest the functions that hlk-run has for guests
 * @sb: the sandbox
 *
 * Return: 0 or a negative errno
 */
int guest_functions(struct hlk_sandbox *sb)
{
	return hlk_sandbox_host_function(sb, "echo", echo, NULL);
}

/* One that was saved is ready as it is. */
static int guest_load(struct hlk_ctx *ctx, const struct options *opt,
		      const struct hlk_config *config, struct hlk_sandbox **sb,
		      struct hlk_snap **from)
{
	struct hlk_sandbox *new;
	struct hlk_snap *snap;
	struct hlk_err err;
	int ret;

	ret = saved_get(ctx, opt->guest, opt->from, opt->verify, &snap);
	if (ret)
		return ret;
	if (hlk_sandbox_from_snapshot(ctx, snap, config, &new, &err)) {
		ret = fail_err(opt->guest, &err);
	} else {
		ret = guest_functions(new) ? fail_sandbox(new) : files_map(new, opt);
		if (ret)
			hlk_sandbox_close(new);
	}
	if (ret) {
		hlk_snapshot_close(snap);
		return ret;
	}
	*sb = new;
	*from = snap;
	return RUN_OK;
}

/* gdb may have it begin again. */
static int boot(struct hlk_sandbox *sb, const struct options *opt, struct debug *debug)
{
	int ret = hlk_sandbox_boot(sb, debug ? HLK_TIMEOUT_KICK : opt->timeout_us);

	while (debug_again(debug)) {
		ret = hlk_sandbox_restore(sb, NULL);
		debug_restored(debug);
		if (!ret)
			ret = hlk_sandbox_boot(sb, HLK_TIMEOUT_KICK);
	}
	return ret;
}

/**
 * guest_debug() - load a guest and run it until it is ready, under gdb
 * @ctx: the context
 * @opt: the command line
 * @debug: gdb, which has it from its first instruction on, or NULL
 * @sb: out: the sandbox
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int guest_debug(struct hlk_ctx *ctx, const struct options *opt, struct debug *debug,
		struct hlk_sandbox **sb)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *new;
	struct hlk_err err;
	int ret = RUN_OK;

	report_symbols(opt->guest);
	config.mem_size = opt->mem;
	config.scratch_size = opt->scratch;
	config.max_private = opt->max_private;
	config.print = print_guest;
	config.print_arg = (void *)opt;
	if (hlk_sandbox_from_path(ctx, opt->guest, &config, &new, &err))
		return fail_err(NULL, &err);
	ret = files_map(new, opt);
	if (!ret)
		ret = debug_sandbox(debug, ctx, new);
	if (!ret && (guest_functions(new) || boot(new, opt, debug)))
		ret = fail_sandbox(new);
	if (ret) {
		debug_end(debug, ret);
		hlk_sandbox_close(new);
		return ret;
	}
	*sb = new;
	return RUN_OK;
}

/**
 * guest_open() - load a guest and run it until it is ready
 * @ctx: the context
 * @opt: the command line
 * @sb: out: the sandbox
 * @from: out: the snapshot that it was loaded from, or NULL for one that was booted. If this
 *	is NULL, it has to be booted
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int guest_open(struct hlk_ctx *ctx, const struct options *opt, struct hlk_sandbox **sb,
	       struct hlk_snap **from)
{
	struct hlk_config config = HLK_CONFIG_INIT;

	if (!from || !is_folder(opt->guest))
		return guest_debug(ctx, opt, NULL, sb);
	config.max_private = opt->max_private;
	config.print = print_guest;
	config.print_arg = (void *)opt;
	return guest_load(ctx, opt, &config, sb, from);
}
