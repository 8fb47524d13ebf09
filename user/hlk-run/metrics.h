/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: what a pool does, for those who watch it. */
#ifndef HLK_RUN_METRICS_H
#define HLK_RUN_METRICS_H

#include <hlk.h>

struct metrics;

int metrics_begin(struct hlk_pool *pool, const char *where, struct metrics **metrics);
int metrics_end(struct metrics *metrics);

#endif /* HLK_RUN_METRICS_H */
