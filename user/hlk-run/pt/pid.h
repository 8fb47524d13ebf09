/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: another program's VM. */
#ifndef HLK_RUN_PT_PID_H
#define HLK_RUN_PT_PID_H

#include "collect.h"

int pt_of_process(struct hlk_ctx *ctx, const struct pt_options *opt,
		  struct pt_space *space);

#endif /* HLK_RUN_PT_PID_H */
