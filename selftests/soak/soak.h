/* SPDX-License-Identifier: GPL-2.0-only */
/* Random guests: where they have what, and the code that they run. */
#ifndef _SOAK_H
#define _SOAK_H

#include "hlk_test.h"

/* Low memory, mapped one to one in every root */
#define PROGRAMS	0x1000U
#define PROGRAM_BYTES	0x200U
#define NR_PROGRAMS	16
#define HANDLER		0x4000U		/* of page faults */
#define HANDLER_HALT	0x4800U		/* of all else */
#define TABLES		0x8000U		/* of the guest as it starts */
#define DATA		0x18000U

/* Virtual, where the guest pages */
#define PLAY_VA		0x00400000U	/* maps and unmaps pages here */
#define PLAY_PAGES	8
#define LARGE_VA	0x00800000U	/* 4 MiB, low memory again */
#define MMIO_VA		0x00c00000U
#define MMIO_GPA	0xd0000000U
#define SELF_VA		0xfa000000U	/* the directory in itself */
#define NR_ROOTS	3

/* At the end of scratch: compact snapshots forget it, so it comes with each call */
#define MACHINE_GPA	(HLK_GUEST_SCRATCH_TOP - 0x8000U)	/* tables; the stack */
#define MACHINE_IDT	0x200U
#define MACHINE_BYTES	0x400U
#define INPUT_GPA	(HLK_GUEST_SCRATCH_TOP - 0x9000U)	/* a program */

/**
 * struct layout - what a guest is like
 * @paging: it pages
 * @large: with a 4 MiB entry
 * @compact: the first snapshot is a compact one
 * @host_cow: which lets the windows alone copy on write
 * @readonly: a window that the guest cannot write
 * @low: bytes of low memory
 * @scratch: bytes of scratch
 * @nr_vms: sandboxes
 */
struct layout {
	bool paging;
	bool large;
	bool compact;
	bool host_cow;
	bool readonly;
	u32 low;
	u32 scratch;
	u32 nr_vms;
};

#define READONLY_GPA	0x00200000U
#define READONLY_BYTES	0x4000U

/* Where the guest has what is in scratch */
static inline u32 scratch_va(const struct layout *l, u64 gpa)
{
	return l->paging ? gpa + HLK_GUEST_SCRATCH_DELTA : gpa;
}

static inline u32 rnd(u32 *seed, u32 below)
{
	return t_rnd(seed) % below;
}

static inline bool one_in(u32 *seed, u32 n)
{
	return !rnd(seed, n);
}

u32 soak_program(const struct layout *l, u32 *seed, u8 *to);
void soak_handlers(struct tvm *t);
void soak_machine(u8 *to);

#endif /* _SOAK_H */
