/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What a pool is made of */
#ifndef HLK_POOL_H
#define HLK_POOL_H

#include "internal.h"
#include "near.h"

#define MAX_RESTORERS	64

/**
 * struct hlk_slot - a place for a sandbox
 * @next: the next one in the same queue
 * @sb: the sandbox, or NULL
 * @snap: what it is restored to; held. NULL: what the pool was opened with
 * @counter: what its counter was after its set-up
 * @out: it is taken
 * @away: it is being restored, and may be gone after that
 * @ran: it ran
 * @owner: in this thread
 * @turn: the how manieth it was that was given back
 * @discard: it is not to be used again
 */
struct hlk_slot {
	struct hlk_slot *next;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	uint64_t counter;
	bool out;
	bool away;
	bool ran;
	pthread_t owner;
	uint64_t turn;
	bool discard;
};

/* First in, first out */
struct queue {
	struct hlk_slot *first;
	struct hlk_slot **last;
};

/**
 * struct hlk_pool - see hlk_pool_open()
 * @ctx: the context
 * @snap: what its sandboxes are restored to, unless others are asked for
 * @config: how they are to be
 * @home: see hlk_home()
 * @setup: see struct hlk_pool_config
 * @setup_arg: see struct hlk_pool_config
 * @nr: length of @slots
 * @nr_threads: threads that restore
 * @threads: these
 * @lock: protects what follows
 * @is_ready: @ready is not empty, or a sandbox could not be made
 * @is_work: @dirty or @missing is not empty, or @stop
 * @ready: sandboxes to be taken
 * @dirty: sandboxes to be restored
 * @missing: slots without a sandbox
 * @turns: times that a sandbox was given back
 * @waiting: threads that wait for a sandbox
 * @stop: the threads are to end
 * @retry_at: when a sandbox may be made again, after that failed
 * @retry_after: how long to wait when it fails again
 * @make_err: why the last try failed
 * @stats: counts
 * @near: how far snapshots are apart
 * @slots: the slots
 */
struct hlk_pool {
	struct hlk_ctx *ctx;
	struct hlk_snap *snap;
	struct hlk_config config;
	uint64_t home;
	hlk_setup_fn setup;
	void *setup_arg;
	uint32_t nr;
	uint32_t nr_threads;
	pthread_t threads[MAX_RESTORERS];

	pthread_mutex_t lock;
	pthread_cond_t is_ready;
	pthread_cond_t is_work;
	struct queue ready;
	struct queue dirty;
	struct queue missing;
	uint64_t turns;
	uint32_t waiting;
	bool stop;
	uint64_t retry_at;
	uint64_t retry_after;
	struct hlk_err make_err;
	struct hlk_pool_stats stats;
	struct hlk_near near;
	struct hlk_slot slots[];
};

#endif
