/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot: what a run was, and the report about it. */
#ifndef HLK_RUN_BOOT_ROUNDS_H
#define HLK_RUN_BOOT_ROUNDS_H

#include <hlk.h>
#include <stdatomic.h>

#include "../samples.h"
#include "../term.h"
#include "options.h"

#define OUTPUT_KEPT	65536U

/**
 * struct output - what a round printed
 * @len: how many bytes; more than are in @text if there were too many
 * @text: the first of them
 */
struct output {
	uint64_t len;
	char text[OUTPUT_KEPT];
};

/* What is bad about a round */
enum round_bad {
	ROUND_GOOD,
	ROUND_STOPPED,		/* it came to another end than it should */
	ROUND_DIFFERS,		/* it was not as the first */
};

/**
 * struct rounds - one run
 * @opt: the command line
 * @machine: the machine
 * @debug: gdb, or NULL
 * @wide: the guest is to be looked at as one of x86-64
 * @placed: what was put where
 * @snap: what it is restored to, or NULL
 * @info: what that holds
 * @run: how the last run ended
 * @boot_ns: how long it took to the snapshot, or to the end
 * @elapsed: how long the rounds took
 * @done: rounds
 * @copied: pages copied back in all of them
 * @exits: how often the guest came out in all of them
 * @both: latencies of restore and run
 * @audits: audits
 * @cuts: rounds that were cut off
 * @last_ns: how long the last round took
 * @clones: other processes that are to do the same, or NULL
 * @console: the user's terminal, or NULL
 * @has_first: @first, @stop and @value are known
 * @silent: nothing is shown of what the guest prints
 * @beside: another machine of the snapshot, while gdb has this one, or NULL
 * @apart: they are run by a thread of their own, which says nothing: @bad and @err do
 * @stopped: they are to end, in the middle of one
 * @bad: what is bad about the last round
 * @err: what failed, if that was it
 * @shown: a character that was begun
 * @first: what the first round printed
 * @now: what the round under way printed
 * @stop: how the first round ended
 * @value: with which value
 * @exit_code: how it ended
 */
struct rounds {
	const struct boot_options *opt;
	struct hlk_machine *machine;
	struct debug *debug;
	bool wide;
	struct hlk_placed placed;
	struct hlk_snap *snap;
	struct hlk_snapshot_info info;
	struct hlk_machine_run run;
	uint64_t boot_ns;
	uint64_t elapsed;
	uint64_t done;
	uint64_t copied;
	uint64_t exits;
	struct samples both;
	uint64_t audits;
	uint64_t cuts;
	uint64_t last_ns;
	struct clones *clones;
	struct console *console;
	bool has_first;
	bool silent;
	struct beside *beside;
	bool apart;
	atomic_bool stopped;
	enum round_bad bad;
	struct hlk_err err;
	struct hlk_text shown;
	struct output first;
	struct output now;
	uint32_t stop;
	uint64_t value;
	int exit_code;
};

int rounds_save(struct hlk_ctx *ctx, const struct rounds *rounds);
void rounds_report(const struct rounds *rounds);

#endif /* HLK_RUN_BOOT_ROUNDS_H */
