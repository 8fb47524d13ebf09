// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run pt: its command line. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../saved.h"
#include "options.h"

enum {
	OPT_PID = 'p',
	OPT_ROOT = 'r',
	OPT_FD = OPT_OWN,
	OPT_RUNNING,
	OPT_SNAPSHOT,
	OPT_SNAPSHOT_FD,
	OPT_NO_WP,
	OPT_NO_PSE,
	OPT_MAXPHYADDR,
	OPT_RANGE,
	OPT_LIMIT,
	OPT_SVG,
	OPT_FORMAT,
	OPT_AT,
	OPT_FOLD,
	OPT_DIFF,
	OPT_FROM,
	OPT_TO,
	OPT_AFTER,
};

#define MAX_LIMIT	(1ULL << 24)
#define MAX_AFTER	86400000	/* a day */

static const struct argp_option pt_options[] = {
	{ "pid", OPT_PID, "PID", 0,
	  "The VM of another program; wants CAP_SYS_PTRACE", 1 },
	{ "fd", OPT_FD, "N", 0, "Which of its VMs: the one with this fd there", 1 },
	{ "running", OPT_RUNNING, NULL, 0,
	  "Do not stop the program; wants --root", 1 },
	{ "snapshot", OPT_SNAPSHOT, NULL, 0,
	  "List a snapshot of the guest, not the guest", 1 },
	{ "snapshot-fd", OPT_SNAPSHOT_FD, "N", 0,
	  "List the snapshot that is open as fd N", 1 },
	{ "call", OPT_CALL, "NAME", 0,
	  "Call this function of the guest before", 2 },
	{ "input", OPT_INPUT, "TEXT", 0, "Its argument", 2 },
	{ "repeat", OPT_REPEAT, "N", 0, "Call so many times (default 1)", 2 },
	{ "root", OPT_ROOT, "GPA", 0,
	  "A page directory, as in CR3; can be given again and again", 3 },
	{ "no-wp", OPT_NO_WP, NULL, 0, "Read the tables as with CR0.WP clear", 3 },
	{ "no-pse", OPT_NO_PSE, NULL, 0, "Read the tables as with CR4.PSE clear", 3 },
	{ "maxphyaddr", OPT_MAXPHYADDR, "BITS", 0,
	  "Physical-address bits of the processor, 32 to 52", 3 },
	{ "format", OPT_FORMAT, "32|pae|4|5", 0,
	  "Read the tables as of that format, whatever vCPU 0 does", 3 },
	{ "range", OPT_RANGE, "START-END", 0,
	  "Only these virtual addresses; END is the last one", 3 },
	{ "limit", OPT_LIMIT, "N", 0,
	  "Stop after N ranges (default 262144)", 3 },
	{ "at", OPT_AT, "ADDRESS", 0,
	  "Only the way to this virtual address, entry by entry", 3 },
	{ "diff", OPT_DIFF, NULL, 0,
	  "What is different: between two saved snapshots, before and after --call, "
	  "or in the VM of --pid now and --after", 4 },
	{ "from", OPT_FROM, "NAME", 0,
	  "In a folder: the name of the snapshot", 2 },
	{ "to", OPT_TO, "NAME", 0,
	  "In the second folder: the name of the snapshot", 2 },
	{ "after", OPT_AFTER, "MS", 0,
	  "With --diff: look again so much later (default 1000)", 4 },
	{ "fold", OPT_FOLD, "N", 0,
	  "At most N lines for a root: put together what lies near each other "
	  "(default 4096; 0 for none)", 4 },
	{ "svg", OPT_SVG, "FILE", 0,
	  "Draw a map of virtual and physical memory; - is standard output, and then there is no list", 4 },
	OPTION_JSON(4),
	OPTIONS_MEMORY(5),
	OPTION_TIMEOUT(5),
	OPTIONS_SNAPSHOT(6),
	{ 0 }
};

static void parse_range(struct argp_state *state, const char *arg,
			struct pt_options *pt)
{
	unsigned long long start, last;
	char *end;

	errno = 0;
	start = strtoull(arg, &end, 16);
	if (errno || end == arg || *end != '-' || strchr(arg, '+'))
		goto bad;
	arg = end + 1;
	last = strtoull(arg, &end, 16);
	if (errno || end == arg || *end || *arg == '-' || start > last)
		goto bad;
	pt->start = start & ~4095ULL;
	pt->end = (last | 4095) + 1;
	return;
bad:
	argp_error(state, "--range wants two addresses, such as 8000000-80fffff");
}

static void parse_root(struct argp_state *state, const char *arg,
		       struct pt_options *pt)
{
	if (pt->nr_roots == PT_MAX_ROOTS)
		argp_error(state, "at most %u roots", PT_MAX_ROOTS);
	pt->roots[pt->nr_roots++] = option_number(state, "root", arg, 0, UINT64_MAX);
}

static void parse_at(struct argp_state *state, const char *arg, struct pt_options *pt)
{
	char *end;

	errno = 0;
	pt->at = strtoull(arg, &end, 16);
	if (errno || end == arg || *end || strpbrk(arg, "+-"))
		argp_error(state, "--at wants an address, such as ffffffff81000000");
	pt->find = true;
}

/* A mode that is given says that all are */
static void give(struct pt_options *pt, uint32_t clear)
{
	if (!pt->paging.flags)
		pt->paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_WP |
				   HLK_PAGING_PSE;
	pt->paging.flags &= ~clear;
}

/* All that does not take rights away by itself is on. */
static void give_format(struct argp_state *state, const char *arg, struct pt_options *pt)
{
	const uint32_t wide = HLK_PAGING_PAE | HLK_PAGING_NXE;

	give(pt, 0);
	if (!strcmp(arg, "pae"))
		pt->paging.flags |= wide;
	else if (!strcmp(arg, "4"))
		pt->paging.flags |= wide | HLK_PAGING_LONG;
	else if (!strcmp(arg, "5"))
		pt->paging.flags |= wide | HLK_PAGING_LONG | HLK_PAGING_LA57;
	else if (strcmp(arg, "32"))
		argp_error(state, "--format wants 32, pae, 4 or 5");
}

static error_t parse_tables(int key, char *arg, struct argp_state *state,
			    struct pt_options *pt)
{
	switch (key) {
	case OPT_ROOT:
		parse_root(state, arg, pt);
		return 0;
	case OPT_NO_WP:
		give(pt, HLK_PAGING_WP);
		return 0;
	case OPT_NO_PSE:
		give(pt, HLK_PAGING_PSE);
		return 0;
	case OPT_MAXPHYADDR:
		give(pt, 0);
		pt->paging.maxphyaddr = option_number(state, "maxphyaddr", arg, 32, 52);
		return 0;
	case OPT_FORMAT:
		give_format(state, arg, pt);
		return 0;
	case OPT_AT:
		parse_at(state, arg, pt);
		return 0;
	case OPT_FOLD:
		pt->fold = option_number(state, "fold", arg, 0, MAX_LIMIT);
		return 0;
	case OPT_RANGE:
		parse_range(state, arg, pt);
		return 0;
	case OPT_LIMIT:
		pt->limit = option_number(state, "limit", arg, 0, MAX_LIMIT);
		return 0;
	default:
		return option_parse_guest(key, arg, state, &pt->run);
	}
}

static error_t parse_diff(int key, char *arg, struct argp_state *state,
			  struct pt_options *pt)
{
	switch (key) {
	case OPT_DIFF:
		pt->diff = true;
		return 0;
	case OPT_FROM:
		pt->run.from = arg;
		return 0;
	case OPT_TO:
		pt->to = arg;
		return 0;
	case OPT_AFTER:
		pt->after_ms = option_number(state, "after", arg, 0, MAX_AFTER);
		return 0;
	case ARGP_KEY_ARG:
		/* whether that makes sense is seen at the end */
		if (pt->run.guest && !pt->other) {
			pt->other = arg;
			return 0;
		}
		break;
	}
	return parse_tables(key, arg, state, pt);
}

static error_t parse_source(int key, char *arg, struct argp_state *state,
			    struct pt_options *opt)
{
	switch (key) {
	case OPT_PID:
		opt->pid = option_number(state, "pid", arg, 1, INT_MAX);
		return 0;
	case OPT_FD:
		opt->fd = option_number(state, "fd", arg, 0, INT_MAX);
		return 0;
	case OPT_RUNNING:
		opt->running = true;
		return 0;
	case OPT_SNAPSHOT:
		opt->of_snapshot = true;
		return 0;
	case OPT_SNAPSHOT_FD:
		opt->snapshot_fd = option_number(state, "snapshot-fd", arg, 0, INT_MAX);
		return 0;
	case OPT_SVG:
		opt->svg = arg;
		return 0;
	default:
		return parse_diff(key, arg, state, opt);
	}
}

static void check_diff(struct argp_state *state, const struct pt_options *pt)
{
	if (pt->other && (!pt->diff || !pt->saved))
		argp_error(state, "one guest at a time, please; two folders with --diff");
	if (pt->to && !pt->other)
		argp_error(state, "--to wants a second folder");
	if (pt->diff && (pt->find || pt->svg || pt->of_snapshot || pt->snapshot_fd >= 0))
		argp_error(state, "--diff goes with no --at, --svg, --snapshot, --snapshot-fd");
	if (pt->diff && !pt->other && !pt->pid && !pt->run.call)
		argp_error(state, "--diff between what? (two folders, --call, or --pid)");
	if (pt->after_ms != PT_AFTER && !(pt->diff && pt->pid))
		argp_error(state, "--after wants --diff and --pid");
}

static void check(struct argp_state *state, const struct pt_options *pt)
{
	const struct options *run = &pt->run;
	bool snapshot = pt->snapshot_fd >= 0;
	bool other = pt->pid || snapshot;

	if (!!run->guest + !!pt->pid + snapshot != 1)
		argp_error(state, "of which guest? (an i686 ELF file, or --pid, or --snapshot-fd)");
	if (run->json && pt->svg && !strcmp(pt->svg, "-"))
		argp_error(state, "--json and --svg=- both want standard output");
	if (!pt->pid && (pt->fd >= 0 || pt->running))
		argp_error(state, "--fd and --running want --pid");
	if (pt->running && !pt->nr_roots)
		argp_error(state, "--running wants --root: CR3 changes while the guest runs");
	if (run->from && !pt->saved)
		argp_error(state, "--from wants a folder of snapshots");
	check_diff(state, pt);
	if ((other || pt->saved) && (pt->of_snapshot || run->call))
		argp_error(state, "--snapshot and --call want a guest of one's own");
	if (pt->find && pt->svg)
		argp_error(state, "--at and --svg are two things");
	if (!run->call && run->input)
		argp_error(state, "--input wants --call");
}

static error_t parse_pt(int key, char *arg, struct argp_state *state)
{
	struct pt_options *opt = state->input;

	switch (key) {
	case ARGP_KEY_END:
		opt->saved = opt->run.guest && is_folder(opt->run.guest);
		check(state, opt);
		/* a guest that runs has no modes to be read */
		if (opt->running)
			give(opt, 0);
		return 0;
	default:
		return parse_source(key, arg, state, opt);
	}
}

const struct argp pt_argp = {
	.options = pt_options,
	.parser = parse_pt,
	.args_doc = "GUEST\nFOLDER\n--diff FOLDER FOLDER\n--pid PID\n--snapshot-fd N",
	.doc = "List what the page tables of a guest map: of one that is booted "
	       "here, of a snapshot, or of another program's VM. With --diff: what is "
	       "different between two moments.",
};
