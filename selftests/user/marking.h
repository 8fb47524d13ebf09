/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marking copy-on-write in place, and what should come of it.
 */
#ifndef _MARKING_H
#define _MARKING_H

#include "guest.h"

/**
 * struct marking - one call of pt_mark()
 * @guest: the guest
 * @mode: modes of the vCPU
 * @roots: directories, as in CR3
 * @nr_roots: how many
 * @start: first address
 * @end: first address not to be marked
 * @max_tables: the limit
 * @out: out: the counts
 * @at: out: the reason of a failure
 */
struct marking {
	struct guest *guest;
	struct i686_mode mode;
	const u64 *roots;
	u32 nr_roots;
	u64 start;
	u64 end;
	u32 max_tables;
	struct hlk_mark_cow out;
	struct hlk_why_at at;
};

int marking_go(struct marking *m);
int marking_check(struct marking *m);

#endif /* _MARKING_H */
