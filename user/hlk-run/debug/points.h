/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb: breakpoints, watchpoints and steps; see points.c. */
#ifndef HLK_RUN_DEBUG_POINTS_H
#define HLK_RUN_DEBUG_POINTS_H

#include "probe.h"
#include "state.h"
#include "talk.h"

#define POINTS_SOFT	64U
#define POINTS_HARD	4U

/**
 * struct soft - a breakpoint in memory
 * @addr: its address, or none if it is not @used
 * @root: CR3 when it was set
 * @gpa: where INT3 is, if it is @there
 * @byte: what was there before
 * @used: there is one
 * @there: INT3 is in the guest's memory
 */
struct soft {
	uint64_t addr;
	uint64_t root;
	uint64_t gpa;
	unsigned char byte;
	bool used;
	bool there;
};

/**
 * struct hard - a breakpoint or a watchpoint of the processor
 * @addr: its address
 * @len: bytes that are watched
 * @kind: its kind
 * @used: there is one
 * @before: where they are looked for step by step: what was there
 */
struct hard {
	uint64_t addr;
	uint32_t len;
	enum gdb_point kind;
	bool used;
	unsigned char before[8];
};

/**
 * struct points - what stops a guest for its debugger
 * @state: the guest
 * @probed: what KVM can do here
 * @soft: in memory
 * @hard: of the processor
 * @step: processors that gdb lets make a step
 * @ip: where they were
 * @again: a step that came nowhere was made anew
 * @inject: an exception of the processor's own that goes to it, or 0
 * @rearm: there is one
 * @rests: processors that rest while one runs alone
 * @armed: what each was armed with, as of struct kvm_guest_debug's control
 * @was_armed: and before it went on the last time
 */
struct points {
	struct state *state;
	struct probed probed;
	struct soft soft[POINTS_SOFT];
	struct hard hard[POINTS_HARD];
	bool step[STATE_MAX_CPUS];
	uint64_t ip[STATE_MAX_CPUS];
	bool again;
	uint32_t inject[STATE_MAX_CPUS];
	bool rearm;
	bool rests[STATE_MAX_CPUS];
	uint32_t armed[STATE_MAX_CPUS];
	uint32_t was_armed[STATE_MAX_CPUS];
};

size_t points_read(struct points *points, uint32_t cpu, uint64_t addr, void *buf, size_t len);
int points_write(struct points *points, uint32_t cpu, uint64_t addr, const void *buf,
		 size_t len);
int points_set(struct points *points, uint32_t cpu, bool insert, enum gdb_point kind,
	       uint64_t addr, uint64_t len);
void points_hide(struct points *points);
void points_lost(struct points *points);
int points_arm(struct points *points, const enum gdb_act *act);
void points_disarm(struct points *points);
bool points_met(struct points *points, uint32_t cpu, uint32_t exception, uint32_t dr6,
		bool late, struct gdb_stop *stop);

#endif /* HLK_RUN_DEBUG_POINTS_H */
