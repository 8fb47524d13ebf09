/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb, --core: registers and memory of a guest that is at rest. */
#ifndef HLK_RUN_DEBUG_STATE_H
#define HLK_RUN_DEBUG_STATE_H

#include <hlk.h>

#include "regs.h"
#include "signals.h"

#define STATE_MAX_CPUS	16U

/**
 * struct state - a guest that is looked at
 * @sb: it is a sandbox's, or NULL
 * @machine: else it is a machine's
 * @inspect: its page tables
 * @failed: the guest of a sandbox has failed: its registers are those of hlk_sandbox_exit()
 * @nr_cpus: its processors
 * @vcpu: they
 */
struct state {
	struct hlk_sandbox *sb;
	struct hlk_machine *machine;
	struct hlk_inspect *inspect;
	bool failed;
	uint32_t nr_cpus;
	int vcpu[STATE_MAX_CPUS];
};

int state_of_sandbox(struct state *state, struct hlk_ctx *ctx, struct hlk_sandbox *sb,
		     struct hlk_err *err);
int state_of_machine(struct state *state, struct hlk_ctx *ctx, struct hlk_machine *machine,
		     uint32_t nr_cpus, struct hlk_err *err);
void state_close(struct state *state);

int state_get(const struct state *state, uint32_t cpu, struct gdb_regs *regs);
int state_signal(const struct state *state);
int state_set(const struct state *state, uint32_t cpu, const struct gdb_regs *regs);
int state_paging(const struct state *state, uint32_t cpu, struct hlk_paging *paging,
		 __u64 *root);
int state_translate(const struct state *state, uint32_t cpu, uint64_t root, uint64_t va,
		    uint64_t *gpa);
int state_read(const struct state *state, uint64_t gpa, void *buf, size_t len);
int state_write(const struct state *state, uint64_t gpa, const void *buf, size_t len);

#endif /* HLK_RUN_DEBUG_STATE_H */
