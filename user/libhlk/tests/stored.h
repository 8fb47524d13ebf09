/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Snapshots of a module that is played, as far as they are saved and loaded: see stored.c.
 */
#ifndef LIBHLK_STORED_H
#define LIBHLK_STORED_H

#include "../remember.h"
#include "tap.h"

#define LOW_PAGES	600U
#define HIGH_GPA	0x1000000ULL
#define HIGH_PAGES	40U
#define STORED_FPU	576U

/* what the kernel says to a memfd that can or cannot be executed */
enum stored_noexec {
	STORED_NOEXEC_TAKEN,
	STORED_NOEXEC_UNKNOWN,		/* before Linux 6.3 */
	STORED_NOEXEC_DEMANDED,		/* vm.memfd_noexec=2 */
};

#define STORED_MSRS	4U

/* what a test wants of it, and what it did */
struct stored {
	uint32_t imports;		/* how often something was built */
	uint32_t lazy;			/* sources that were no memfd */
	uint32_t lost_ecx;		/* bits of leaf 1, ECX that this host has not */
	uint32_t per_call;		/* extents that come in one call */
	uint32_t nr_touched;		/* runs of its hot set, or 0: as it is */
	enum stored_noexec noexec;
	uint32_t lists[STORED_MSRS];	/* MSRs that KVM has and lists */
	bool ignores;			/* others it takes and forgets, as with ignore_msrs */
};

extern struct stored stored;

struct hlk_ctx *stored_ctx(void);
struct hlk_snap *stored_new(bool machine);
void stored_program(struct hlk_snap *snap, const void *program, uint32_t bytes);
void stored_put(const struct hlk_snap *snap, uint64_t gpa, unsigned char value);
bool stored_same(const struct hlk_snap *a, const struct hlk_snap *b);
uint64_t stored_sum(const struct hlk_snap *snap);

#endif /* LIBHLK_STORED_H */
