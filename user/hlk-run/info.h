/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run info. */
#ifndef HLK_RUN_INFO_H
#define HLK_RUN_INFO_H

#include "option.h"

int cmd_info(struct options *opt);

#endif /* HLK_RUN_INFO_H */
