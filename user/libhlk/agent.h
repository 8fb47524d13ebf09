/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A sandbox over the snapshot of a machine in which an agent answers; see agent.c. */
#ifndef LIBHLK_AGENT_H
#define LIBHLK_AGENT_H

#include "internal.h"
#include "machine.h"

/**
 * struct hlk_agent - what such a sandbox has beside others
 * @machine: the machine: VM, memory, devices
 * @flags: HLK_RESTORE_TIME_BACK, HLK_RESTORE_REPRODUCIBLE, of each restore
 * @view: where both buffers are mapped in one piece, or NULL
 * @view_bytes: size of that
 * @nr_input: how many of @runs are the input buffer
 * @runs: the pages of the buffers, as the agent said at the snapshot
 */
struct hlk_agent {
	struct hlk_machine *machine;
	uint32_t flags;
	unsigned char *view;
	size_t view_bytes;
	uint32_t nr_input;
	struct hlk_guest_pages runs[HLK_GUEST_AGENT_MAX_RUNS];
};

int hlk_agent_create(struct hlk_sandbox *sb, const struct hlk_config *config,
		     struct hlk_snap *snap, const struct hlk_window *windows,
		     uint32_t nr, struct hlk_err *err);
void hlk_agent_destroy(struct hlk_sandbox *sb);
int hlk_agent_prepare(struct hlk_sandbox *sb, struct hlk_snap *snap);
int hlk_agent_fresh(struct hlk_sandbox *sb, struct hlk_segment *inputs);
int hlk_agent_tell(struct hlk_sandbox *sb);
int hlk_agent_switch(struct hlk_sandbox *sb);
uint32_t hlk_agent_inputs(const struct hlk_sandbox *sb, const unsigned char *image,
			  uint64_t bytes, struct hlk_segment *inputs);
int hlk_agent_exit(struct hlk_sandbox *sb);
bool hlk_agent_several(const struct hlk_sandbox *sb);
int hlk_agent_run(struct hlk_sandbox *sb, uint64_t timeout_us);
int hlk_agent_regs(struct hlk_sandbox *sb);
int hlk_agent_snapshot(struct hlk_sandbox *sb,
		       const struct hlk_snapshot_config *config,
		       struct hlk_snap **snap);

#endif /* LIBHLK_AGENT_H */
