/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run serve-bench. */
#ifndef HLK_RUN_SERVE_H
#define HLK_RUN_SERVE_H

#include <hlk.h>

#include "option.h"

#define SERVE_MAX_THREADS	256

int cmd_serve_bench(int argc, char **argv);
int serve_snapshot(struct hlk_ctx *ctx, struct hlk_snap *snap,
		   const struct options *opt, uint32_t threads);

#endif /* HLK_RUN_SERVE_H */
