/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is a compact snapshot what the guest was? Judged from outside, an address at
 * a time, by the software MMU.
 */
#ifndef _CHECK_H
#define _CHECK_H

#include "guest.h"
#include "snap.h"

/* What a restored sandbox sees of @snap as physical memory */
struct restored {
	struct physmem mem;
	const struct hlk_snap *snap;
};

void restored_init(struct restored *r, const struct hlk_snap *snap);

/**
 * struct compact - a snapshot to be made and checked
 * @guest: the guest
 * @params: what is asked
 * @generation: of the new snapshot
 * @writes: how many writes are played through
 * @at: out: the reason of a failure
 * @snap: out: the snapshot, NULL after a failure
 */
struct compact {
	struct guest *guest;
	struct hlk_snap_params params;
	u64 generation;
	u32 writes;
	struct hlk_why_at at;
	struct hlk_snap *snap;
};

/* Defaults: usual modes, buffers and limits, and one root */
void compact_init(struct compact *c, struct guest *guest, const u64 *roots, u32 nr);

/* Make it; the result is not looked at. */
int compact_make(struct compact *c);

/* Check what compact_make() made, or that its failure is justified. */
void compact_check(struct compact *c, int err);
void compact_check_failure(const struct compact *c, int err);

/* Make, check, put: the guest has to be as before. Returns the errno. */
int compact_run(struct compact *c);

/*
 * Writes, as the guest would make them, with its copy-on-write handler: each
 * has to change the same other addresses in the guest and in the snapshot.
 */
struct cow_target {
	u32 root;
	u32 va;
};

void cow_check(const struct compact *c, const struct cow_target *all, u32 nr, u32 writes);

#endif /* _CHECK_H */
