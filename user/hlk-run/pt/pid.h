/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: another program's VM. */
#ifndef HLK_RUN_PT_PID_H
#define HLK_RUN_PT_PID_H

#include "diff.h"

int pt_of_process(struct hlk_ctx *ctx, const struct pt_options *opt,
		  struct pt_moment *moments);

int pt_of_vm(struct hlk_ctx *ctx, int vm_fd, const struct pt_options *opt,
	     struct pt_moment *moment);

#endif /* HLK_RUN_PT_PID_H */
