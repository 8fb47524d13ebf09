/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: what came out of a run. */
#ifndef HLK_RUN_BENCH_RESULTS_H
#define HLK_RUN_BENCH_RESULTS_H

#include "count.h"
#include "used.h"
#include "way.h"

/**
 * struct bench_result - what came out for a way in a configuration
 * @ops: the way
 * @present: it could be done
 * @why: why not
 * @turns: how often it was timed
 * @min: nanoseconds, or instructions with --perf-counts
 * @mean: of all
 * @p50: the median
 * @p90: percentile
 * @p99: percentile
 * @p999: 99.9 percent
 * @p9999: 99.99 percent
 * @first: median of first calls in a new VM, 0 if not measured
 * @count: per restore and call; BENCH_NO_COUNT where it cannot be had
 */
struct bench_result {
	const struct way_ops *ops;
	bool present;
	char why[128];
	uint64_t turns;
	uint64_t min;
	uint64_t mean;
	uint64_t p50;
	uint64_t p90;
	uint64_t p99;
	uint64_t p999;
	uint64_t p9999;
	uint64_t first;
	double count[NR_COUNTS];
};

#define BENCH_MAX_WAYS	24

struct bench_run {
	struct bench_cfg cfg;
	uint32_t nr;
	struct bench_result result[BENCH_MAX_WAYS];
};

/**
 * struct bench_clones - sandboxes made from a snapshot in memory
 * @create: until it is ready to be called
 * @create_prefault: the same with prefaulting
 * @first: the first call after that, without prefaulting
 * @first_prefault: and with it
 * @hundredth: the 100th
 * @prefault: the module can do it
 * @nested: KVM_PRE_FAULT_MEMORY is there too
 */
struct bench_clones {
	uint64_t create;
	uint64_t create_prefault;
	uint64_t first;
	uint64_t first_prefault;
	uint64_t hundredth;
	bool prefault;
	bool nested;
};

#define BENCH_SIZES	3

/* sandboxes that differ from the usual one in one size */
enum { SIDE_BASE, SIDE_GUEST, SIDE_SMALL, SIDE_LARGE, NR_SIDES };

/**
 * struct bench_extra - what is measured beside the matrix
 * @clones: see there
 * @copy: one page copied by string instructions, hot, in user space
 * @copy_libc: one page copied by memcpy()
 * @clear: one page cleared by string instructions
 * @pages: how many pages the calls of @restore wrote
 * @restore: HLK_RESTORE alone
 * @restore_none: the same after a call that writes nothing
 * @restore_again: the same right after that restore, with no entry between
 * @hot_first: pages written back by the first restore after 512 were written
 * @hot_after: pages written back per restore after 64 calls that wrote 8
 * @hot_restore: what such a restore takes
 * @hot_calls: calls until no more than 16 pages were written back, or 0
 * @side: restore and call of the usual sandbox, and with a guest of 1 GiB, with
 *	scratch of 1 MiB, of 64 MiB, all by turns
 * @one: calls per second of one thread
 * @two: of two
 * @one_alone: the same with no restore
 * @two_alone: of two
 * @cpus: processors that there are
 */
struct bench_extra {
	struct bench_clones clones;
	double copy;
	double copy_libc;
	double clear;
	uint32_t pages[BENCH_SIZES];
	uint64_t restore[BENCH_SIZES];
	uint64_t restore_none;
	uint64_t restore_again;
	uint64_t hot_first;
	double hot_after;
	uint64_t hot_restore;
	uint32_t hot_calls;
	uint64_t side[NR_SIDES];
	double one;
	double two;
	double one_alone;
	double two_alone;
	uint32_t cpus;
};

/**
 * struct bench_report - all of it
 * @env: the run
 * @nr: configurations
 * @run: what came out for each
 * @used: what users of libhlk get
 * @extra: beside the matrix
 */
struct bench_report {
	const struct bench_env *env;
	uint32_t nr;
	struct bench_run *run;
	struct bench_used used;
	struct bench_extra extra;
};

#endif /* HLK_RUN_BENCH_RESULTS_H */
