/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: what users of libhlk get. */
#ifndef HLK_RUN_BENCH_USED_H
#define HLK_RUN_BENCH_USED_H

#include "env.h"

/* How copy-on-write is done: as it is by default, by the guest alone, by the host */
enum { USED_LEARN, USED_GUEST, USED_HOST, NR_USED_HOW };

/* Which pages calls write: the same each time, others each time, a mix that drifts */
enum { USED_SAME, USED_OTHER, USED_DRIFT, NR_USED_WHICH };

#define NR_USED_PAGES	5

/**
 * struct used_cell - restore and call, by name
 * @known: it could be measured
 * @young: mean of the first calls on the snapshot
 * @p50: median, later
 * @mean: mean, later
 * @private: private pages at the end
 */
struct used_cell {
	bool known;
	uint64_t young;
	uint64_t p50;
	uint64_t mean;
	uint64_t private;
};

/**
 * struct used_first - the first restores to a snapshot, 8 pages written before each
 * @first: what the first one took
 * @mean: what they took, on average
 * @pages: pages that they copied or cleared, on average
 */
struct used_first {
	uint64_t first;
	uint64_t mean;
	double pages;
};

/**
 * struct bench_used - what users of libhlk get
 * @pages: pages that a call writes
 * @a2: HLK_RUN with as many, as in the matrix
 * @cell: the rest
 * @taker: restores 1 to 32 of the sandbox that took the snapshot, after it wrote a lot
 * @clone: those of another one of that snapshot
 * @queue: the same pages, learning, BENCH_BATCH calls at a time; each of them
 */
struct bench_used {
	uint32_t pages[NR_USED_PAGES];
	uint64_t a2[NR_USED_PAGES];
	struct used_cell cell[NR_USED_PAGES][NR_USED_WHICH][NR_USED_HOW];
	struct used_cell queue[NR_USED_PAGES];
	struct used_first taker;
	struct used_first clone;
};

int bench_used(const struct bench_env *env, struct bench_used *used);

#endif /* HLK_RUN_BENCH_USED_H */
