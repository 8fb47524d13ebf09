/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --core: a guest that is at rest, as an ELF core; see core.c. */
#ifndef HLK_RUN_DEBUG_CORE_H
#define HLK_RUN_DEBUG_CORE_H

#include "ranges.h"

int core_write(const struct state *state, bool wide, int signal, const char *path);
int core_of_sandbox(struct hlk_ctx *ctx, struct hlk_sandbox *sb, const char *path);
int core_of_machine(struct hlk_ctx *ctx, struct hlk_machine *machine, uint32_t nr_cpus,
		    bool wide, const char *path);

#endif /* HLK_RUN_DEBUG_CORE_H */
