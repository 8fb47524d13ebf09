/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run run: what a run was, and the report about it. */
#ifndef HLK_RUN_REPORT_H
#define HLK_RUN_REPORT_H

#include <hlk.h>

#include "option.h"
#include "samples.h"

#define ANSWER_KEPT	4096

/**
 * struct loop - one run
 * @opt: the command line
 * @sb: the sandbox
 * @debug: gdb, or NULL
 * @trace: the trace of the last call, or NULL
 * @snap: what it is restored to, or NULL
 * @info: what that holds
 * @stats: the sandbox's statistics at the end
 * @restore: latencies of restores
 * @both: latencies of restore and call, or of the call alone
 * @done: turns of the loop
 * @calls: calls made
 * @restores: restores made
 * @audits: restores after which all was compared
 * @timeouts: calls that took too long
 * @start: when the loop began
 * @elapsed: how long it took
 * @next_tick: when the progress line is to be drawn again
 * @progress: there is to be one
 * @shown: there is one
 * @answer: the last answer
 * @answer_len: its length
 * @answer_to: the file that the last one goes to, or -1
 * @last: the last answer that was shown
 * @last_len: its length
 * @answers: answers that were not the same as the one before
 * @exit_code: how it ended
 * @err: why, if libhlk said so
 */
struct loop {
	const struct options *opt;
	struct hlk_sandbox *sb;
	struct debug *debug;
	struct trace *trace;
	struct hlk_snap *snap;
	struct hlk_snapshot_info info;
	struct hlk_vm_stats stats;
	struct samples restore;
	struct samples both;
	uint64_t done;
	uint64_t calls;
	uint64_t restores;
	uint64_t audits;
	uint64_t timeouts;
	uint64_t start;
	uint64_t elapsed;
	uint64_t next_tick;
	bool progress;
	bool shown;
	char *answer;
	size_t answer_len;
	int answer_to;
	char last[ANSWER_KEPT];
	size_t last_len;
	uint64_t answers;
	int exit_code;
	struct hlk_err err;
};

void report_loop(const struct loop *loop);

#endif /* HLK_RUN_REPORT_H */
