/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: a way that uses state programs. */
#ifndef HLK_RUN_BENCH_WAYS_PROGRAM_H
#define HLK_RUN_BENCH_WAYS_PROGRAM_H

#include "way.h"

extern const struct way_ops program_ways[];
extern const uint32_t nr_program_ways;

#endif /* HLK_RUN_BENCH_WAYS_PROGRAM_H */
