/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb: a guest under gdb; see debug.c. */
#ifndef HLK_RUN_DEBUG_DEBUG_H
#define HLK_RUN_DEBUG_DEBUG_H

#include <hlk.h>
#include <stdbool.h>

struct debug;

int debug_open(const char *where, struct debug **debug);
int debug_sandbox(struct debug *debug, struct hlk_ctx *ctx, struct hlk_sandbox *sb);
int debug_machine(struct debug *debug, struct hlk_ctx *ctx, struct hlk_machine *machine,
		  uint32_t nr_cpus, bool wide, void (*begins)(void *arg), void *arg);
int debug_go(struct debug *debug, struct hlk_machine_run *run);
bool debug_again(struct debug *debug);
bool debug_killed(const struct debug *debug);
bool debug_wants_snapshot(struct debug *debug);
void debug_hide(struct debug *debug);
void debug_took(struct debug *debug);
void debug_rest(struct debug *debug);
void debug_restored(struct debug *debug);
void debug_end(struct debug *debug, int status);
void debug_close(struct debug *debug);

#endif /* HLK_RUN_DEBUG_DEBUG_H */
