/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot --call: calls into a Linux guest in which an agent answers. */
#ifndef HLK_RUN_BOOT_CALLS_H
#define HLK_RUN_BOOT_CALLS_H

#include "rounds.h"

int calls_run(struct hlk_ctx *ctx, struct rounds *rounds);

#endif /* HLK_RUN_BOOT_CALLS_H */
