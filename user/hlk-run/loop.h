/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run run. */
#ifndef HLK_RUN_LOOP_H
#define HLK_RUN_LOOP_H

#include "option.h"

int cmd_run(struct options *opt);

#endif /* HLK_RUN_LOOP_H */
