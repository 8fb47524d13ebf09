/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run run --gdb --beside: another guest of the snapshot answers meanwhile. */
#ifndef HLK_RUN_DEBUG_BESIDE_H
#define HLK_RUN_DEBUG_BESIDE_H

#include <hlk.h>

#include "../option.h"

struct beside;

int beside_start(struct hlk_ctx *ctx, struct hlk_snap *snap, const struct options *opt,
		 struct beside **beside);
int beside_end(struct beside *beside);

#endif /* HLK_RUN_DEBUG_BESIDE_H */
