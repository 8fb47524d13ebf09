/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: clones, the hot set, page copies, two threads. */
#ifndef HLK_RUN_BENCH_EXTRA_H
#define HLK_RUN_BENCH_EXTRA_H

#include "results.h"

int bench_extras(const struct bench_env *env, struct bench_extra *extra);

#endif /* HLK_RUN_BENCH_EXTRA_H */
