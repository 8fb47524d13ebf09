/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: one guest, one call, and all the ways to throw it back. */
#ifndef HLK_RUN_BENCH_H
#define HLK_RUN_BENCH_H

int cmd_bench(int argc, char **argv);

#endif /* HLK_RUN_BENCH_H */
