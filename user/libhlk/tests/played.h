/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A module and a KVM that are played, as far as libhlk makes use of them: see
 * played.c. Each failure can be asked for.
 */
#ifndef LIBHLK_PLAYED_H
#define LIBHLK_PLAYED_H

#include <errno.h>
#include <hlk.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

/**
 * struct played - what is played
 * @failed: what failed, in words, or NULL
 * @fail_at: the how manieth thing that can fail does; 0 is none
 * @things: how many there were while @fail_at was not 0
 * @broken: KVM fails for good in each run that begins
 * @runs: guests entered
 * @restores: sandboxes restored
 * @fpu_reads: times that a vCPU's FPU was read
 * @refused: over_budget of each VM
 * @private_pages: private_pages of each VM
 * @on_stats: called when a VM is asked for these, if it is set
 * @kept: what snapshots have where the counter is
 * @no_input: HLK_RUN has no room for its input
 * @no_many: HLK_RUN_MANY has no memory
 * @no_output: HLK_RUN of many calls cannot have the page of an answer
 * @debug: so many restores of HLK_RUN find other debug registers
 * @breaks: so many runs fail for good
 * @requests: HLK_RUN made
 * @has_deadline: the last HLK_RUN that went on did
 * @begun: runs that were given a time of their own
 * @rbx: what KVM says that each vCPU's EBX is
 */
struct played {
	const char *_Atomic failed;
	atomic_uint fail_at;
	atomic_uint things;
	atomic_bool broken;
	atomic_uint runs;
	atomic_uint restores;
	atomic_uint fpu_reads;
	atomic_uint refused;
	atomic_uint private_pages;
	void (*on_stats)(void);
	uint64_t kept;
	atomic_bool no_input;
	atomic_bool no_many;
	atomic_bool no_output;
	atomic_uint debug;
	atomic_uint breaks;
	atomic_uint requests;
	atomic_bool has_deadline;
	atomic_uint begun;
	uint64_t rbx;
};

extern struct played played;

/**
 * struct played_ring - an io_uring that is played, see played-ring.c
 * @no_ring: none is made
 * @refuse: submissions that fail
 * @made: rings made
 * @gone: rings closed
 */
struct played_ring {
	bool no_ring;
	int refuse;
	atomic_uint made;
	atomic_uint gone;
};

extern struct played_ring played_ring;

unsigned int played_fds(void);

/* A file that is a guest */
int played_image(void);
bool played_fails(const char *what);

/* A sandbox of a played guest that is booted, and a snapshot that it is restored to */
struct hlk_sandbox *played_ready(struct hlk_ctx *ctx, struct hlk_snap **snap,
				 const struct hlk_config *config,
				 struct hlk_err *err);

#endif /* LIBHLK_PLAYED_H */
