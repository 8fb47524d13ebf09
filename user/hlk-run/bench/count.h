/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: what the kernel counts. */
#ifndef HLK_RUN_BENCH_COUNT_H
#define HLK_RUN_BENCH_COUNT_H

#include "way.h"

#define BENCH_NO_COUNT	(-1.0)

enum bench_count {
	COUNT_SYSCALLS,		/* as the way counts them */
	COUNT_SYSCALLS_SEEN,	/* as the kernel does */
	COUNT_ENTRIES,
	COUNT_NESTED,
	COUNT_TLB,
	COUNT_PAGES,
	COUNT_FAULTS,
	COUNT_ALLOC,
	COUNT_IPI,
	NR_COUNTS
};

int count_way(struct bench_way *way, uint32_t turns, double *count);
const char *count_name(enum bench_count count);

#endif /* HLK_RUN_BENCH_COUNT_H */
