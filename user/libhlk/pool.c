// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A pool of warm sandboxes, of one snapshot or of several.
 *
 * Each sandbox stays with the snapshot that it was taken from last. Who asks for another
 * one gets that which is nearest, and pays for what differs.
 *
 * Who takes one finds it restored; what is given back is restored by threads of
 * the pool, off the caller's path. Threads rather than the workers of an
 * io_uring: a sandbox that broke has to be made anew, which no io_uring does,
 * and systems often forbid io_uring.
 *
 * KVM_RUN in another thread than the last time makes many kernels wait for an
 * RCU grace period, and another vCPU on a core than before costs a barrier. So a thread
 * gets back what it ran itself, if that is there, the last one first, then what nobody
 * ran yet, and only then what another one did.
 *
 * What who had it before added to a sandbox (functions, what it counted, its
 * report and error) is taken back with the restore.
 *
 * A sandbox that is not taken is entered by the pool: who goes on to use one that he
 * gave back is told so, until somebody else has it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "pool.h"
#include "probe.h"

#define NSEC		1000000000ULL
/* The latest time that a struct timespec tells */
#define LAST		(sizeof(time_t) > 4 ? INT64_MAX : INT32_MAX * NSEC)
#define RETRY_FIRST	(NSEC / 100)
#define RETRY_MOST	(5 * NSEC)
/* Distances that one who takes a sandbox asks for; the next one asks for others */
#define MAX_ASKS	4

static const char op[] = "cannot make a pool";
static const char op_take[] = "cannot take a sandbox";

static struct hlk_snap *snap_of(const struct hlk_pool *pool, const struct hlk_slot *slot)
{
	return slot->snap ? slot->snap : pool->snap;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static void queue_add(struct queue *queue, struct hlk_slot *slot)
{
	slot->next = NULL;
	*queue->last = slot;
	queue->last = &slot->next;
}

/* Take the slot that @at points to */
static struct hlk_slot *queue_take(struct queue *queue, struct hlk_slot **at)
{
	struct hlk_slot *slot = *at;

	*at = slot->next;
	if (!slot->next)
		queue->last = at;
	return slot;
}

static unsigned int bucket(uint64_t ns)
{
	unsigned int nr = ns ? 63 - __builtin_clzll(ns) : 0;

	return nr < HLK_POOL_BUCKETS ? nr : HLK_POOL_BUCKETS - 1;
}

/* ---- sandboxes made and restored; not under the lock ---- */

/* Nothing of who had it goes to who gets it. */
static void forget_user(struct hlk_slot *slot, struct hlk_sandbox *sb)
{
	hlk_host_reset(sb);
	hlk_counter_reset(sb, slot->counter);
	hlk_exit_none(sb);
	hlk_err_clear(&sb->err);
}

/* What the guest did in the set-up, if it was called there, is taken back. */
static int set_up(struct hlk_pool *pool, struct hlk_slot *slot, struct hlk_sandbox *sb)
{
	int ret = pool->setup(pool->setup_arg, sb);

	if (ret)
		return ret;
	atomic_store(&sb->in_call, true);
	hlk_host_set_up(sb);
	slot->counter = hlk_sandbox_counter(sb);
	forget_user(slot, sb);
	return hlk_restore_now(sb, pool->snap);
}

static struct hlk_sandbox *make(struct hlk_pool *pool, struct hlk_slot *slot,
				struct hlk_err *err)
{
	struct hlk_sandbox *sb;
	int ret;

	if (hlk_sandbox_from_snapshot(pool->ctx, pool->snap, &pool->config,
				      &sb, err))
		return NULL;
	/* From now on only the pool closes it. */
	sb->slot = slot;
	slot->counter = 0;
	ret = pool->setup ? set_up(pool, slot, sb) : 0;
	if (ret) {
		*err = sb->err;
		if (!err->code)
			hlk_err_set(err, ret < 0 ? -ret : ret, HLK_WHAT_NONE,
				    op);
		hlk_sandbox_free(sb);
		return NULL;
	}
	atomic_store(&sb->in_call, true);
	return sb;
}

static bool refresh(struct hlk_pool *pool, struct hlk_slot *slot, uint64_t *ns)
{
	uint64_t start = now();
	int ret;

	if (slot->discard || slot->sb->doubtful || slot->sb->changed)
		return false;
	forget_user(slot, slot->sb);
	ret = hlk_restore_now(slot->sb, snap_of(pool, slot));
	*ns = now() - start;
	return !ret;
}

/* ---- the threads ---- */

static void made(struct hlk_pool *pool, struct hlk_slot *slot,
		 struct hlk_sandbox *sb, const struct hlk_err *err)
{
	slot->sb = sb;
	slot->ran = false;
	slot->discard = false;
	if (sb) {
		pool->stats.replaced++;
		pool->retry_at = 0;
		pool->retry_after = RETRY_FIRST;
		hlk_err_clear(&pool->make_err);
		queue_add(&pool->ready, slot);
		pthread_cond_signal(&pool->is_ready);
		return;
	}
	pool->stats.make_failures++;
	pool->make_err = *err;
	pool->retry_at = now() + pool->retry_after;
	pool->retry_after *= 2;
	if (pool->retry_after > RETRY_MOST)
		pool->retry_after = RETRY_MOST;
	queue_add(&pool->missing, slot);
	pthread_cond_broadcast(&pool->is_ready);
}

static void replace(struct hlk_pool *pool)
{
	struct hlk_slot *slot = queue_take(&pool->missing, &pool->missing.first);
	struct hlk_snap *snap = slot->snap;
	struct hlk_sandbox *sb;
	struct hlk_err err = {};

	/* In this order: a child that is forked meanwhile closes what is there. */
	__atomic_store_n(&slot->snap, NULL, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&pool->lock);
	hlk_snapshot_close(snap);
	sb = make(pool, slot, &err);
	pthread_mutex_lock(&pool->lock);
	made(pool, slot, sb, &err);
}

static void restore(struct hlk_pool *pool)
{
	struct hlk_slot *slot = queue_take(&pool->dirty, &pool->dirty.first);
	struct hlk_pool_stats *stats = &pool->stats;
	struct hlk_sandbox *sb = slot->sb;
	uint64_t ns = 0;
	bool good;

	slot->away = true;
	pthread_mutex_unlock(&pool->lock);
	good = refresh(pool, slot, &ns);
	hlk_probe(pool__restore, pool, sb, ns, good);
	if (!good) {
		/* In this order: a child that is forked meanwhile frees what is there. */
		__atomic_store_n(&slot->sb, NULL, __ATOMIC_SEQ_CST);
		hlk_sandbox_free(sb);
	}
	pthread_mutex_lock(&pool->lock);
	slot->away = false;
	if (ns) {
		stats->restores++;
		stats->restore_ns += ns;
		stats->restore_hist[bucket(ns)]++;
		stats->restore_failures += !good;
	}
	queue_add(good ? &pool->ready : &pool->missing, slot);
	if (good)
		pthread_cond_signal(&pool->is_ready);
}

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns)
{
	const struct timespec ts = {
		.tv_sec = ns / NSEC,
		.tv_nsec = ns % NSEC,
	};

	return pthread_cond_timedwait(cond, lock, &ts);
}

static void *restorer(void *arg)
{
	struct hlk_pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	while (!pool->stop) {
		if (pool->dirty.first)
			restore(pool);
		else if (!pool->missing.first)
			pthread_cond_wait(&pool->is_work, &pool->lock);
		else if (now() >= pool->retry_at)
			replace(pool);
		else
			wait_until(&pool->is_work, &pool->lock,
				   pool->retry_at);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* ---- a pool's life ---- */

static void stop_threads(struct hlk_pool *pool)
{
	uint32_t i;

	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->is_work);
	pthread_mutex_unlock(&pool->lock);
	for (i = 0; i < pool->nr_threads; i++)
		pthread_join(pool->threads[i], NULL);
}

static void destroy_locks(struct hlk_pool *pool)
{
	pthread_cond_destroy(&pool->is_work);
	pthread_cond_destroy(&pool->is_ready);
	pthread_mutex_destroy(&pool->lock);
}

static bool is_here(const struct hlk_pool *pool)
{
	return hlk_at_home(pool->ctx, pool->home);
}

/* A child has no threads to stop, and in it a lock may be held for ever. */
static void free_pool(struct hlk_pool *pool)
{
	uint32_t i;

	if (is_here(pool))
		stop_threads(pool);
	for (i = 0; i < pool->nr; i++) {
		if (pool->slots[i].sb)
			hlk_sandbox_free(pool->slots[i].sb);
		hlk_snapshot_close(pool->slots[i].snap);
	}
	if (is_here(pool))
		destroy_locks(pool);
	hlk_snapshot_close(pool->snap);
	hlk_close(pool->ctx);
	free(pool);
}

/* The application's signals are not for its library's threads. */
static int start_threads(struct hlk_pool *pool, uint32_t nr,
			 struct hlk_err *err)
{
	sigset_t all, before;
	int ret = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!ret && pool->nr_threads < nr) {
		ret = pthread_create(&pool->threads[pool->nr_threads], NULL,
				     restorer, pool);
		pool->nr_threads += !ret;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!ret)
		return 0;
	errno = ret;
	return hlk_err_system(err, "cannot start a thread");
}

static int init_conds(struct hlk_pool *pool)
{
	pthread_condattr_t attr;
	int ret;

	ret = pthread_condattr_init(&attr);
	if (ret)
		return ret;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	ret = pthread_cond_init(&pool->is_ready, &attr);
	if (!ret) {
		ret = pthread_cond_init(&pool->is_work, &attr);
		if (ret)
			pthread_cond_destroy(&pool->is_ready);
	}
	pthread_condattr_destroy(&attr);
	return ret;
}

static int init_locks(struct hlk_pool *pool)
{
	int ret = pthread_mutex_init(&pool->lock, NULL);

	if (ret)
		return ret;
	ret = init_conds(pool);
	if (ret)
		pthread_mutex_destroy(&pool->lock);
	return ret;
}

static struct hlk_pool *alloc_pool(struct hlk_ctx *ctx, struct hlk_snap *snap,
				   const struct hlk_pool_config *config,
				   const struct hlk_config *sandboxes,
				   uint32_t nr)
{
	struct hlk_pool *pool;

	pool = calloc(1, sizeof(*pool) + nr * sizeof(*pool->slots));
	if (!pool)
		return NULL;
	errno = init_locks(pool);
	if (errno) {
		free(pool);
		return NULL;
	}
	pool->ctx = hlk_ctx_get(ctx);
	pool->home = hlk_home(ctx);
	pool->snap = hlk_snap_get(snap);
	pool->config = *sandboxes;
	pool->setup = config->setup;
	pool->setup_arg = config->setup_arg;
	pool->nr = nr;
	pool->retry_after = RETRY_FIRST;
	queue_init(&pool->ready);
	queue_init(&pool->dirty);
	queue_init(&pool->missing);
	return pool;
}

static int check_config(const struct hlk_pool_config *config,
			const struct hlk_snap *snap, struct hlk_err *err)
{
	int ret = hlk_grow_flags(config->flags, 0, "hlk_pool_config", op, err);

	if (ret)
		return ret;
	if (config->sandboxes > HLK_POOL_MAX ||
	    config->restorers > MAX_RESTORERS)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "at most %u sandboxes and %u threads",
				    HLK_POOL_MAX, MAX_RESTORERS);
	if (!snap->generation)
		return hlk_err_set(err, ESTALE, HLK_WHAT_NOT_READY, op);
	return 0;
}

static uint32_t cores(void)
{
	long nr = sysconf(_SC_NPROCESSORS_ONLN);

	if (nr < 1)
		return 1;
	return nr < (long)HLK_POOL_MAX ? (uint32_t)nr : HLK_POOL_MAX;
}

static int fill(struct hlk_pool *pool, struct hlk_err *err)
{
	struct hlk_slot *slot;
	uint32_t i;

	for (i = 0; i < pool->nr; i++) {
		slot = &pool->slots[i];
		slot->sb = make(pool, slot, err);
		if (!slot->sb)
			return -err->code;
		queue_add(&pool->ready, slot);
	}
	return 0;
}

EXPORT int hlk_pool_open(struct hlk_ctx *ctx, struct hlk_snap *snap,
			 const struct hlk_pool_config *config,
			 struct hlk_pool **out, struct hlk_err *err)
{
	struct hlk_pool_config own = HLK_POOL_CONFIG_INIT;
	struct hlk_config sandboxes = HLK_CONFIG_INIT;
	struct hlk_err local = {};
	struct hlk_pool *pool;
	int ret;

	*out = NULL;
	if (!err)
		err = &local;
	hlk_err_clear(err);
	ret = 0;
	if (config)
		ret = hlk_grow_take(&own, sizeof(own), HLK_FIRST_POOL_CONFIG,
				    config, "hlk_pool_config", op, err);
	if (!ret && own.config)
		ret = hlk_grow_take(&sandboxes, sizeof(sandboxes),
				    HLK_FIRST_CONFIG, own.config, "hlk_config",
				    op, err);
	if (!ret)
		ret = check_config(&own, snap, err);
	if (ret)
		return ret;
	pool = alloc_pool(ctx, snap, &own, &sandboxes,
			  own.sandboxes ? own.sandboxes : cores());
	if (!pool)
		return hlk_err_system(err, op);
	ret = fill(pool, err);
	if (!ret)
		ret = start_threads(pool, own.restorers ? own.restorers : 1, err);
	if (ret) {
		free_pool(pool);
		return ret;
	}
	*out = pool;
	return 0;
}

EXPORT int hlk_pool_close(struct hlk_pool *pool)
{
	uint32_t out = 0;

	if (!pool)
		return 0;
	if (is_here(pool)) {
		pthread_mutex_lock(&pool->lock);
		out = pool->stats.out;
		pthread_mutex_unlock(&pool->lock);
	}
	if (out)
		return -EBUSY;
	free_pool(pool);
	return 0;
}

/* ---- taking and giving back ---- */

/*
 * Of its own, a thread gets the one that it gave back last: as long as no other one runs in
 * between, the core has that vCPU still, and KVM lets its branch predictions be.
 */
static bool better(const struct hlk_slot *slot, const struct hlk_slot *than)
{
	bool own = slot->ran && pthread_equal(slot->owner, pthread_self());
	bool other = than->ran && pthread_equal(than->owner, pthread_self());

	if (own != other)
		return own;
	return own ? slot->turn > than->turn : !slot->ran && than->ran;
}

/*
 * About as far is as far. Who has to go over anyway takes the one that nobody has asked for
 * the longest, so that those of others are there when they come again.
 */
static bool nearer(const struct hlk_slot *slot, uint32_t pages, const struct hlk_slot *than,
		   uint32_t least)
{
	uint32_t far = bucket(pages), most = bucket(least);

	if (far != most || !pages != !least)
		return pages < least;
	return pages ? slot->turn < than->turn : better(slot, than);
}

/* The nearest one; @unknown: of one nobody knows yet how far it is */
static struct hlk_slot *pick(struct hlk_pool *pool, const struct hlk_snap *snap,
			     struct hlk_snap **unknown)
{
	struct hlk_slot **at, **best = NULL;
	uint32_t pages, least = 0;

	for (at = &pool->ready.first; *at; at = &(*at)->next) {
		if (!hlk_near_known(&pool->near, snap, snap_of(pool, *at), &pages)) {
			if (!*unknown)
				*unknown = snap_of(pool, *at);
			pages = HLK_NEAR_FAR;
		}
		if (best && !nearer(*at, pages, *best, least))
			continue;
		best = at;
		least = pages;
	}
	if (!best)
		return NULL;
	if (!least)
		*unknown = NULL;
	return queue_take(&pool->ready, best);
}

/* What is not known is asked for, with the lock let go, before one is taken. */
static struct hlk_slot *choose(struct hlk_pool *pool, const struct hlk_snap *snap)
{
	struct hlk_snap *unknown = NULL;
	struct hlk_slot *slot;
	uint32_t pages;
	bool known;
	int asks;

	for (asks = 0;; asks++) {
		unknown = NULL;
		slot = pick(pool, snap, &unknown);
		if (!slot || !unknown || asks == MAX_ASKS)
			return slot;
		hlk_snap_get(unknown);
		slot->next = pool->ready.first;
		if (!pool->ready.first)
			pool->ready.last = &slot->next;
		pool->ready.first = slot;
		pthread_mutex_unlock(&pool->lock);
		known = hlk_near_ask(snap, unknown, &pages);
		pthread_mutex_lock(&pool->lock);
		if (known)
			hlk_near_learn(&pool->near, snap, unknown, pages);
		else
			asks = MAX_ASKS - 1;
		hlk_snapshot_close(unknown);
	}
}

static uint32_t count(const struct queue *queue)
{
	const struct hlk_slot *slot;
	uint32_t nr = 0;

	for (slot = queue->first; slot; slot = slot->next)
		nr++;
	return nr;
}

/* Is there nothing that could become ready by itself? */
static bool hopeless(const struct hlk_pool *pool)
{
	return pool->make_err.code && count(&pool->missing) == pool->nr;
}

static void stop_waiting(void *arg)
{
	struct hlk_pool *pool = arg;

	pool->waiting--;
	pthread_mutex_unlock(&pool->lock);
}

/* A thread that waits can be cancelled; the lock is not its own to keep. */
static void wait_ready(struct hlk_pool *pool, bool for_ever, uint64_t end, int *ret)
{
	pool->waiting++;
	pthread_cleanup_push(stop_waiting, pool);
	if (for_ever)
		pthread_cond_wait(&pool->is_ready, &pool->lock);
	else
		*ret = wait_until(&pool->is_ready, &pool->lock, end);
	pthread_cleanup_pop(0);
	pool->waiting--;
}

static int wait_for_one(struct hlk_pool *pool, const struct hlk_snap *snap,
			uint64_t start, uint64_t wait_us, struct hlk_slot **slot,
			struct hlk_err *err)
{
	uint64_t longest = (LAST - start) / 1000;
	uint64_t end = start + (wait_us < longest ? wait_us : longest) * 1000;
	int ret = 0;

	while (!(*slot = choose(pool, snap))) {
		if (hopeless(pool)) {
			*err = pool->make_err;
			return -err->code;
		}
		if (ret == ETIMEDOUT) {
			pool->stats.wait_timeouts++;
			return hlk_err_set(err, ETIMEDOUT, HLK_WHAT_POOL_EMPTY,
					   NULL);
		}
		wait_ready(pool, wait_us == HLK_TIMEOUT_NONE, end, &ret);
	}
	return 0;
}

static int take(struct hlk_pool *pool, const struct hlk_snap *snap, uint64_t wait_us,
		struct hlk_slot **slot, struct hlk_err *err)
{
	struct hlk_pool_stats *stats = &pool->stats;
	uint64_t start, ns = 0;
	int ret = 0;

	*slot = choose(pool, snap);
	if (!*slot) {
		start = now();
		ret = wait_for_one(pool, snap, start, wait_us, slot, err);
		ns = now() - start;
		stats->waits++;
		stats->wait_ns += ns;
	}
	stats->wait_hist[bucket(ns)]++;
	if (ret)
		return ret;
	stats->gets++;
	stats->out++;
	(*slot)->out = true;
	hlk_probe(pool__get, pool, (*slot)->sb, ns);
	if ((*slot)->ran && !pthread_equal((*slot)->owner, pthread_self()))
		stats->moved++;
	return 0;
}

/* Over to another snapshot; a slot that is out is of who took it. */
static int go_over(struct hlk_pool *pool, struct hlk_slot *slot, struct hlk_snap *snap,
		   struct hlk_err *err)
{
	struct hlk_snap *old = slot->snap;
	int ret;

	ret = hlk_restore_now(slot->sb, snap);
	pthread_mutex_lock(&pool->lock);
	if (!ret) {
		pool->stats.switches++;
		slot->snap = hlk_snap_get(snap);
	}
	pthread_mutex_unlock(&pool->lock);
	if (!ret)
		hlk_snapshot_close(old);
	else
		*err = slot->sb->err;
	return ret;
}

EXPORT int hlk_pool_get_from(struct hlk_pool *pool, struct hlk_snap *snap, uint64_t wait_us,
			     struct hlk_sandbox **sb, struct hlk_err *err)
{
	struct hlk_err local;
	struct hlk_slot *slot;
	int ret;

	*sb = NULL;
	if (!err)
		err = &local;
	hlk_err_clear(err);
	if (!is_here(pool))
		return hlk_elsewhere(err, op_take);
	if (!snap)
		snap = pool->snap;
	if (!snap->generation)
		return hlk_err_set(err, ESTALE, HLK_WHAT_NOT_READY, op_take);
	pthread_mutex_lock(&pool->lock);
	ret = take(pool, snap, wait_us, &slot, err);
	pthread_mutex_unlock(&pool->lock);
	if (ret)
		return ret;
	if (snap_of(pool, slot) != snap)
		ret = go_over(pool, slot, snap, err);
	hlk_leave(slot->sb, 0);
	if (ret)
		hlk_pool_put(pool, slot->sb);
	else
		*sb = slot->sb;
	return ret;
}

EXPORT int hlk_pool_get(struct hlk_pool *pool, uint64_t wait_us,
			struct hlk_sandbox **sb, struct hlk_err *err)
{
	return hlk_pool_get_from(pool, NULL, wait_us, sb, err);
}

/* The address is compared, not followed: there may be nothing behind it any more. */
static struct hlk_slot *slot_of(struct hlk_pool *pool, const struct hlk_sandbox *sb)
{
	uint32_t i;

	for (i = 0; i < pool->nr; i++)
		if (pool->slots[i].out && pool->slots[i].sb == sb)
			return &pool->slots[i];
	return NULL;
}

/* What is not taken, or in a call, is left alone, and counted. */
static void give_back(struct hlk_pool *pool, struct hlk_sandbox *sb,
		      bool discard)
{
	struct hlk_slot *slot;

	if (!sb || !is_here(pool))
		return;
	pthread_mutex_lock(&pool->lock);
	slot = slot_of(pool, sb);
	if (!slot || atomic_exchange(&sb->in_call, true)) {
		pool->stats.refused++;
	} else {
		slot->out = false;
		slot->ran = true;
		slot->owner = pthread_self();
		slot->turn = ++pool->turns;
		slot->discard = discard;
		pool->stats.out--;
		queue_add(&pool->dirty, slot);
		pthread_cond_signal(&pool->is_work);
	}
	pthread_mutex_unlock(&pool->lock);
}

EXPORT void hlk_pool_put(struct hlk_pool *pool, struct hlk_sandbox *sb)
{
	give_back(pool, sb, false);
}

EXPORT void hlk_pool_discard(struct hlk_pool *pool, struct hlk_sandbox *sb)
{
	give_back(pool, sb, true);
}

EXPORT void hlk_pool_stats_sized(struct hlk_pool *pool,
				 struct hlk_pool_stats *stats, size_t size)
{
	struct hlk_pool_stats now = {};

	memset(stats, 0, size);
	if (!is_here(pool))
		return;
	pthread_mutex_lock(&pool->lock);
	now = pool->stats;
	now.sandboxes = pool->nr;
	now.ready = count(&pool->ready);
	now.dirty = count(&pool->dirty);
	now.missing = count(&pool->missing);
	pthread_mutex_unlock(&pool->lock);
	memcpy(stats, &now, size < sizeof(now) ? size : sizeof(now));
}
