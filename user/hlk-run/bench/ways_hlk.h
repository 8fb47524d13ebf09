/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: ways that use the module. */
#ifndef HLK_RUN_BENCH_WAYS_HLK_H
#define HLK_RUN_BENCH_WAYS_HLK_H

#include "way.h"

extern const struct way_ops hlk_ways[];
extern const uint32_t nr_hlk_ways;
int sandbox_open(struct bench_way *way, struct machine *m);
int sandbox_prefault(struct bench_way *way, struct machine *m, bool *nested);
int sandbox_restore(struct bench_way *way, struct machine *m);
const struct way_ops *best_hlk_way(const struct bench_env *env);

#endif /* HLK_RUN_BENCH_WAYS_HLK_H */
