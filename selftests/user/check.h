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
#define RESTORED_KNOWN	64

struct restored {
	struct physmem mem;
	const struct hlk_snap *snap;
	u64 known[RESTORED_KNOWN];	/* frames + 1, to be found soon again */
	const __u8 *bytes[RESTORED_KNOWN];
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

/* Was it made over its parent, and not as for the first time? */
bool compact_is_delta(const struct compact *c);

/* Keep equal pages once, and check that nothing else has changed. */
void compact_dedup(struct compact *c);

/* Make and check; the snapshot stays until compact_end(). Returns the errno. */
int compact_go(struct compact *c);
void compact_end(struct compact *c);

/* Make, check, put: the guest has to be as before. Returns the errno. */
int compact_run(struct compact *c);

/* One address in the snapshot that compact_go() made */
struct mmu_result compact_at(const struct compact *c, u32 root, u32 va);

/* A guest that was restored to @c->snap and has not run yet */
void compact_restore(const struct compact *c, struct guest *guest);

/*
 * Writes, as the guest would make them, with its copy-on-write handler: each
 * has to change the same other addresses in the guest and in the snapshot.
 */
struct cow_target {
	u32 root;
	u32 va;
};

bool cow_write(struct guest *guest, const struct mmu_cpu *cpu, u32 va, u64 mark);
void cow_check(const struct compact *c, const struct cow_target *all, u32 nr, u32 writes);

/*
 * life.c: what a guest does after its restore to @c->snap, so many things at
 * random. What a guest may do and be compacted over its parent, and with
 * @hostile now and then more.
 */
void live(struct guest *guest, const struct compact *c, u32 things, bool hostile);

#endif /* _CHECK_H */
