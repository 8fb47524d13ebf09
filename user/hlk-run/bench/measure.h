/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: one configuration, all ways, interleaved. */
#ifndef HLK_RUN_BENCH_MEASURE_H
#define HLK_RUN_BENCH_MEASURE_H

#include "results.h"

const char *bench_no_way(const char *list);
int bench_measure(const struct bench_env *env, const struct bench_cfg *cfg,
		  struct bench_run *run);

#endif /* HLK_RUN_BENCH_MEASURE_H */
