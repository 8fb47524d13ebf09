/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: the way to one address. */
#ifndef HLK_RUN_PT_AT_H
#define HLK_RUN_PT_AT_H

#include "collect.h"

void pt_print_at(const struct pt_space *space, bool json);

#endif /* HLK_RUN_PT_AT_H */
