/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run serve-bench. */
#ifndef HLK_RUN_SERVE_H
#define HLK_RUN_SERVE_H

int cmd_serve_bench(int argc, char **argv);

#endif /* HLK_RUN_SERVE_H */
