/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb: what KVM can do for a debugger here. */
#ifndef HLK_RUN_DEBUG_PROBE_H
#define HLK_RUN_DEBUG_PROBE_H

#include <stdbool.h>

/**
 * struct probed - what KVM can do for a debugger
 * @soft: INT3 comes out
 * @hard: the processor's breakpoints come out
 * @block: a step can go past interrupts
 */
struct probed {
	bool soft;
	bool hard;
	bool block;
};

int probe(struct probed *probed);

#endif /* HLK_RUN_DEBUG_PROBE_H */
