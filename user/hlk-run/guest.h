/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: a guest that is ready. */
#ifndef HLK_RUN_GUEST_H
#define HLK_RUN_GUEST_H

#include <hlk.h>

#include "debug/debug.h"
#include "option.h"

void guest_printed(const struct options *opt);
int guest_functions(struct hlk_sandbox *sb);
int guest_debug(struct hlk_ctx *ctx, const struct options *opt, struct debug *debug,
		struct hlk_sandbox **sb);
int guest_open(struct hlk_ctx *ctx, const struct options *opt, struct hlk_sandbox **sb,
	       struct hlk_snap **from);

#endif /* HLK_RUN_GUEST_H */
