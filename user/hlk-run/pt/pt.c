// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run pt: what a guest's page tables map. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fail.h"
#include "../guest.h"
#include "../saved.h"
#include "at.h"
#include "collect.h"
#include "diff.h"
#include "pid.h"
#include "pt.h"
#include "svg.h"
#include "text.h"

static int walk_sandbox(void *arg, struct hlk_walk *walk)
{
	return hlk_sandbox_walk(arg, walk) ? fail_sandbox(arg) : RUN_OK;
}

static int translate_sandbox(void *arg, struct hlk_translate *translate)
{
	if (hlk_sandbox_translate(arg, translate) && !pt_way_ends(translate))
		return fail_sandbox(arg);
	return RUN_OK;
}

/* Roots that the guest published; a guest that published none has CR3 */
static int find_roots(struct hlk_sandbox *sb, uint64_t *roots, uint32_t *nr)
{
	struct hlk_regs regs;

	*nr = HLK_GUEST_MAX_ROOTS;
	if (hlk_sandbox_roots(sb, roots, nr))
		return fail_sandbox(sb);
	if (*nr)
		return RUN_OK;
	if (hlk_sandbox_regs(sb, &regs))
		return fail_sandbox(sb);
	roots[0] = regs.cr3;
	*nr = 1;
	return RUN_OK;
}

static int read_sandbox(void *arg, uint64_t gpa, void *buf, size_t len)
{
	return hlk_sandbox_read(arg, gpa, buf, len) ? fail_sandbox(arg) : RUN_OK;
}

static int of_sandbox(struct hlk_sandbox *sb, const struct pt_options *pt,
		      struct pt_moment *moment)
{
	uint64_t found[HLK_GUEST_MAX_ROOTS];
	const uint64_t *roots = pt->roots;
	struct pt_space *space = &moment->space;
	uint32_t nr = pt->nr_roots;
	int ret;

	if (!nr) {
		ret = find_roots(sb, found, &nr);
		if (ret)
			return ret;
		roots = found;
	}
	ret = pt_space_init(space, roots, nr);
	if (ret)
		return ret;
	if (pt->find)
		return pt_find(space, pt, translate_sandbox, sb);
	ret = pt_collect(space, pt, walk_sandbox, sb);
	if (!ret && pt->diff)
		ret = pt_pages_read(&moment->pages, space, read_sandbox, sb);
	return ret;
}

/* A snapshot has tables, but no CPU: a sandbox is made that runs from it, or a machine. */
static int of_snap(struct hlk_ctx *ctx, struct hlk_snap *snap,
		   const struct pt_options *opt, struct pt_moment *moment)
{
	struct hlk_machine *machine;
	struct hlk_sandbox *sb;
	struct hlk_err err;
	int ret;

	if (!hlk_sandbox_from_snapshot(ctx, snap, NULL, &sb, &err)) {
		ret = of_sandbox(sb, opt, moment);
		hlk_sandbox_close(sb);
		return ret;
	}
	if (hlk_machine_from_snapshot(ctx, snap, NULL, &machine, NULL))
		return fail_err(NULL, &err);
	ret = pt_of_vm(ctx, hlk_machine_fd(machine, HLK_FD_VM, 0), opt, moment);
	hlk_machine_close(machine);
	return ret;
}

static int of_saved(struct hlk_ctx *ctx, const struct pt_options *opt, const char *folder,
		    const char *name, struct pt_moment *moment)
{
	struct hlk_snap *snap;
	int ret;

	ret = saved_get(ctx, folder, name, false, &snap);
	if (ret)
		return ret;
	ret = of_snap(ctx, snap, opt, moment);
	hlk_snapshot_close(snap);
	snprintf(moment->space.source, sizeof(moment->space.source), "snapshot in %s%s%s",
		 folder, name ? ": " : "", name ? name : "");
	return ret;
}

static int of_snapshot_fd(struct hlk_ctx *ctx, const struct pt_options *opt,
			  struct pt_moment *moment)
{
	struct hlk_snap *snap;
	struct hlk_err err;
	int ret;

	if (hlk_snapshot_from_fd(opt->snapshot_fd, &snap, &err))
		return fail_err(NULL, &err);
	ret = of_snap(ctx, snap, opt, moment);
	hlk_snapshot_close(snap);
	snprintf(moment->space.source, sizeof(moment->space.source), "snapshot, fd %d",
		 opt->snapshot_fd);
	return ret;
}

static int make_calls(struct hlk_sandbox *sb, const struct options *run)
{
	char answer[4096];
	uint64_t i;

	for (i = 0; run->call && i < run->repeat; i++)
		if (hlk_sandbox_call(sb, run->call, run->input, run->input_len,
				     answer, sizeof(answer), NULL,
				     run->timeout_us) &&
		    hlk_sandbox_error(sb)->code != EMSGSIZE)
			return fail_sandbox(sb);
	return RUN_OK;
}

static int of_guest_snapshot(struct hlk_ctx *ctx, struct hlk_sandbox *sb,
			     const struct pt_options *opt, struct pt_moment *moment)
{
	struct hlk_snapshot_config config = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_snap *snap;
	int ret;

	config.flags = opt->run.snapshot;
	if (hlk_sandbox_snapshot(sb, &config, &snap))
		return fail_sandbox(sb);
	ret = of_snap(ctx, snap, opt, moment);
	hlk_snapshot_close(snap);
	return ret;
}

static void name_guest(struct pt_space *space, const struct pt_options *opt, const char *when)
{
	snprintf(space->source, sizeof(space->source), "%s%s%s%s",
		 opt->of_snapshot ? "snapshot of " : "", opt->run.guest, when,
		 *when ? opt->run.call : "");
}

/* Before the calls, and after them */
static int of_calls(struct hlk_sandbox *sb, const struct pt_options *opt,
		    struct pt_moment *moments)
{
	int ret;

	ret = of_sandbox(sb, opt, &moments[0]);
	if (!ret)
		ret = make_calls(sb, &opt->run);
	if (!ret)
		ret = of_sandbox(sb, opt, &moments[1]);
	name_guest(&moments[0].space, opt, ", before ");
	name_guest(&moments[1].space, opt, ", after ");
	return ret;
}

static int of_guest(struct hlk_ctx *ctx, const struct pt_options *opt,
		    struct pt_moment *moments)
{
	struct hlk_sandbox *sb;
	int ret;

	ret = guest_open(ctx, &opt->run, &sb, NULL);
	if (ret)
		return ret;
	if (opt->diff) {
		ret = of_calls(sb, opt, moments);
		hlk_sandbox_close(sb);
		return ret;
	}
	ret = make_calls(sb, &opt->run);
	if (!ret && opt->of_snapshot)
		ret = of_guest_snapshot(ctx, sb, opt, moments);
	else if (!ret)
		ret = of_sandbox(sb, opt, moments);
	hlk_sandbox_close(sb);
	name_guest(&moments->space, opt, "");
	return ret;
}

static int write_svg(const struct pt_space *space, const char *path)
{
	bool out = !strcmp(path, "-");
	FILE *file = out ? stdout : fopen(path, "we");
	int ret;

	if (!file)
		return fail_file(path, "cannot write");
	ret = pt_write_svg(space, file);
	if (!ret && (fflush(file) || ferror(file)))
		ret = fail_file(path, "cannot write");
	if (!out)
		fclose(file);
	return ret;
}

static int look(struct hlk_ctx *ctx, const struct pt_options *opt, struct pt_moment *moments)
{
	int ret;

	if (opt->pid)
		return pt_of_process(ctx, opt, moments);
	if (opt->snapshot_fd >= 0)
		return of_snapshot_fd(ctx, opt, moments);
	if (!opt->saved)
		return of_guest(ctx, opt, moments);
	ret = of_saved(ctx, opt, opt->run.guest, opt->run.from, &moments[0]);
	if (!ret && opt->other)
		ret = of_saved(ctx, opt, opt->other, opt->to, &moments[1]);
	return ret;
}

static int print_diff(const struct pt_moment *moments, const struct pt_options *opt)
{
	struct pt_diff diff;
	int ret;

	ret = pt_compare(&diff, &moments[0], &moments[1]);
	if (!ret && opt->run.json)
		pt_diff_json(&diff, &moments[0], &moments[1]);
	else if (!ret)
		pt_diff_text(&diff, &moments[0], &moments[1], opt->fold);
	pt_diff_free(&diff);
	return ret;
}

static int print_all(struct pt_space *space, const struct pt_options *opt)
{
	int ret;

	if (opt->find) {
		pt_print_at(space, opt->run.json);
		return RUN_OK;
	}
	ret = pt_count(space);
	if (ret)
		return ret;
	if (opt->svg && !strcmp(opt->svg, "-"))
		return write_svg(space, opt->svg);
	if (opt->run.json)
		pt_print_json(space);
	else
		pt_print_text(space, opt->fold);
	return opt->svg ? write_svg(space, opt->svg) : RUN_OK;
}

/**
 * cmd_pt() - hlk-run pt
 * @argc: as of main
 * @argv: as of main
 *
 * Return: the exit code
 */
int cmd_pt(int argc, char **argv)
{
	struct pt_options opt = {
		.run = { .repeat = 1, .quiet = true },
		.fd = -1,
		.snapshot_fd = -1,
		.fold = 4096,
		.after_ms = PT_AFTER,
	};
	struct pt_moment moments[2] = {};
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret, i;

	if (argp_parse(&pt_argp, argc, argv, 0, NULL, &opt))
		return RUN_USAGE;
	if (hlk_open(&ctx, &err))
		return fail_err(NULL, &err);
	ret = look(ctx, &opt, moments);
	hlk_close(ctx);
	if (!ret)
		ret = opt.diff ? print_diff(moments, &opt) : print_all(&moments->space, &opt);
	for (i = 0; i < 2; i++) {
		pt_space_free(&moments[i].space);
		pt_pages_free(&moments[i].pages);
	}
	return ret;
}
