/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot --clones: the same rounds, in other processes. */
#ifndef HLK_RUN_BOOT_CLONE_H
#define HLK_RUN_BOOT_CLONE_H

#include "rounds.h"

struct clones;

int clones_start(const struct boot_options *opt, int (*run)(struct rounds *rounds, int fd),
		 struct clones **clones);
int clones_run(struct clones *clones, const struct rounds *rounds);
void clones_end(struct clones *clones);

#endif /* HLK_RUN_BOOT_CLONE_H */
