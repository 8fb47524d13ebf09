// SPDX-License-Identifier: GPL-2.0-only
/*
 * libhlk's pool: each sandbox that it hands out is as the snapshot, whatever
 * was done to it before, however many threads take from it, and even if it is
 * broken for good.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <hlk.h>

#include "harness.h"

#define MS		1000ULL
#define LONG		(60000 * MS)
#define SANDBOXES	3
#define THREADS		6
#define CALLS		60
#define FREE_MEMORY	0x300000ULL	/* nothing of the guest is there */

FIXTURE(pool)
{
	struct hlk_ctx *ctx;
	struct hlk_snap *snap;
	struct hlk_pool *pool;
	int setups;		/* sandboxes set up */
	int fail_setups;	/* how many are to fail */
};

static int up(void *arg, const void *in, size_t in_len, void *out,
	      size_t out_size, size_t *out_len)
{
	memcpy(out, in, in_len);
	*out_len = in_len;
	return 0;
}

static int setup(void *arg, struct hlk_sandbox *sb)
{
	struct _test_data_pool *self = arg;

	if (__atomic_fetch_sub(&self->fail_setups, 1, __ATOMIC_SEQ_CST) > 0)
		return -ENOSPC;
	__atomic_fetch_add(&self->setups, 1, __ATOMIC_SEQ_CST);
	return hlk_sandbox_host_function(sb, "up", up, self);
}

static int open_pool(struct _test_data_pool *self, uint32_t sandboxes,
		     uint32_t restorers, struct hlk_err *err)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;

	config.sandboxes = sandboxes;
	config.restorers = restorers;
	config.setup = setup;
	config.setup_arg = self;
	return hlk_pool_open(self->ctx, self->snap, &config, &self->pool, err);
}

FIXTURE_SETUP(pool)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_sandbox *sb;

	how.flags = HLK_SNAP_HOST_COW;
	ASSERT_EQ(0, hlk_open(&self->ctx, NULL));
	ASSERT_EQ(0, hlk_sandbox_from_path(self->ctx, "guest.elf", NULL, &sb,
					   NULL));
	ASSERT_EQ(0, hlk_sandbox_boot(sb, 0));
	ASSERT_EQ(0, hlk_sandbox_snapshot(sb, &how, &self->snap));
	hlk_sandbox_close(sb);
	ASSERT_EQ(0, open_pool(self, SANDBOXES, 1, NULL));
}

FIXTURE_TEARDOWN(pool)
{
	const struct timespec tick = { .tv_nsec = 20000000 };
	struct hlk_info info = { .live_vms = 1 };
	int i;

	EXPECT_EQ(0, hlk_pool_close(self->pool));
	hlk_snapshot_close(self->snap);
	for (i = 0; i < 250 && (info.live_vms || info.live_snapshots ||
				info.live_pages); i++) {
		if (hlk_get_info(self->ctx, &info, NULL))
			break;
		nanosleep(&tick, NULL);
	}
	EXPECT_EQ(0, info.live_vms);
	EXPECT_EQ(0, info.live_snapshots);
	EXPECT_EQ(0, info.live_pages);
	hlk_close(self->ctx);
}

static int count_call(struct hlk_sandbox *sb, uint32_t want)
{
	uint32_t value = 0;
	int ret;

	ret = hlk_sandbox_call(sb, "c", NULL, 0, &value, sizeof(value), NULL, 0);
	return ret ? ret : value == want ? 0 : -EIO;
}

/* Until nothing is being restored or made any more */
static int settle(struct _test_data_pool *self, struct hlk_pool_stats *stats)
{
	const struct timespec tick = { .tv_nsec = 10000000 };
	int i;

	for (i = 0; i < 3000; i++) {
		hlk_pool_stats(self->pool, stats);
		if (stats->ready + stats->out == stats->sandboxes)
			return 0;
		nanosleep(&tick, NULL);
	}
	return -ETIMEDOUT;
}

TEST_F(pool, what_is_taken_is_as_the_snapshot)
{
	struct hlk_pool_stats stats;
	struct hlk_sandbox *sb;
	int i;

	for (i = 0; i < 10 * SANDBOXES; i++) {
		ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb, NULL));
		ASSERT_EQ(0, count_call(sb, 1));
		ASSERT_EQ(0, count_call(sb, 2));
		if (i % 3 == 1)
			ASSERT_NE(0, hlk_sandbox_call(sb, "u", NULL, 0, NULL, 0,
						      NULL, 0));
		hlk_pool_put(self->pool, sb);
	}
	ASSERT_EQ(0, settle(self, &stats));
	ASSERT_EQ(SANDBOXES, stats.ready);
	ASSERT_EQ(10 * SANDBOXES, stats.gets);
	ASSERT_EQ(10 * SANDBOXES, stats.restores);
	ASSERT_EQ(0, stats.restore_failures + stats.replaced + stats.moved);
	ASSERT_EQ(SANDBOXES, self->setups);
}

TEST_F(pool, a_wait_is_bounded)
{
	struct hlk_sandbox *sb[SANDBOXES], *none;
	struct hlk_pool_stats stats;
	struct timespec from, to;
	struct hlk_err err;
	int i;

	for (i = 0; i < SANDBOXES; i++)
		ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb[i], NULL));
	clock_gettime(CLOCK_MONOTONIC, &from);
	ASSERT_EQ(-ETIMEDOUT, hlk_pool_get(self->pool, 50 * MS, &none, &err));
	clock_gettime(CLOCK_MONOTONIC, &to);
	ASSERT_EQ(HLK_WHAT_POOL_EMPTY, err.what);
	ASSERT_EQ(NULL, none);
	ASSERT_LE(50, (to.tv_sec - from.tv_sec) * 1000 +
		  (to.tv_nsec - from.tv_nsec) / 1000000);
	ASSERT_EQ(-EBUSY, hlk_pool_close(self->pool));
	for (i = 0; i < SANDBOXES; i++)
		hlk_pool_put(self->pool, sb[i]);
	ASSERT_EQ(0, settle(self, &stats));
	ASSERT_EQ(1, stats.waits);
	ASSERT_EQ(1, stats.wait_timeouts);
	ASSERT_LE(50000000, stats.wait_ns);
	ASSERT_EQ(0, stats.out);
}

TEST_F(pool, what_is_broken_is_replaced)
{
	struct hlk_pool_stats stats;
	struct hlk_sandbox *sb;
	int null, i;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, null);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb, NULL));
		/* No restore will work there any more. */
		ASSERT_LE(0, dup3(null, hlk_sandbox_fd(sb, HLK_FD_HLK), O_CLOEXEC));
		hlk_pool_put(self->pool, sb);
		ASSERT_EQ(0, settle(self, &stats));
		ASSERT_EQ(i + 1, stats.restore_failures);
		ASSERT_EQ(i + 1, stats.replaced);
	}
	ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb, NULL));
	ASSERT_EQ(0, count_call(sb, 1));
	hlk_pool_discard(self->pool, sb);
	ASSERT_EQ(0, settle(self, &stats));
	ASSERT_EQ(5, stats.replaced);
	ASSERT_EQ(4, stats.restore_failures);
	ASSERT_EQ(SANDBOXES + 5, self->setups);
	for (i = 0; i < 2 * SANDBOXES; i++) {
		ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb, NULL));
		ASSERT_EQ(0, count_call(sb, 1));
		hlk_pool_put(self->pool, sb);
	}
	close(null);
}

TEST_F(pool, when_none_can_be_made_nobody_waits)
{
	struct hlk_sandbox *sb[SANDBOXES];
	struct hlk_pool_stats stats;
	struct hlk_err err;
	int i;

	for (i = 0; i < SANDBOXES; i++)
		ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb[i], NULL));
	/* From now on, for a while, none can be made. */
	__atomic_store_n(&self->fail_setups, 6, __ATOMIC_SEQ_CST);
	for (i = 0; i < SANDBOXES; i++)
		hlk_pool_discard(self->pool, sb[i]);
	ASSERT_EQ(-ENOSPC, hlk_pool_get(self->pool, HLK_TIMEOUT_NONE, &sb[0],
					&err));
	ASSERT_EQ(ENOSPC, err.code);
	/* It goes on to try. */
	ASSERT_EQ(0, settle(self, &stats));
	ASSERT_EQ(6, stats.make_failures);
	ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb[0], NULL));
	ASSERT_EQ(0, count_call(sb[0], 1));
	hlk_pool_put(self->pool, sb[0]);
}

TEST_F(pool, one_that_cannot_be_filled_is_none)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_pool *pool;
	struct hlk_err err;

	self->fail_setups = 1;
	config.sandboxes = 2;
	config.setup = setup;
	config.setup_arg = self;
	ASSERT_EQ(-ENOSPC, hlk_pool_open(self->ctx, self->snap, &config, &pool,
					 &err));
	ASSERT_EQ(NULL, pool);
	config.size--;
	ASSERT_EQ(-EINVAL, hlk_pool_open(self->ctx, self->snap, &config, &pool,
					 &err));
	config.size++;
	config.sandboxes = HLK_POOL_MAX + 1;
	ASSERT_EQ(-EINVAL, hlk_pool_open(self->ctx, self->snap, &config, &pool,
					 &err));
	ASSERT_EQ(0, hlk_pool_close(NULL));
}

struct user {
	struct _test_data_pool *self;
	pthread_t thread;
	unsigned int nr;
	unsigned int good;
};

static void *use(void *arg)
{
	struct user *user = arg;
	struct _test_data_pool *self = user->self;
	char out[64];
	char in[64];
	size_t len;
	int i, ret;

	for (i = 0; i < CALLS; i++) {
		snprintf(in, sizeof(in), "%u:%d", user->nr, i);
		ret = hlk_pool_call(self->pool, LONG, i % 5 == 4 ? "u" :
				    i % 5 == 3 ? "h" : "e", in, strlen(in), out,
				    sizeof(out), &len, i % 2 ? LONG : 0, NULL);
		if (i % 5 == 4)
			user->good += ret == -ENOTRECOVERABLE;
		else
			user->good += !ret && len == strlen(in) &&
				      !memcmp(in, out, len);
	}
	return NULL;
}

TEST_F(pool, many_threads_share_it)
{
	struct user users[THREADS] = {};
	struct hlk_pool_stats stats;
	uint64_t nr;
	int i;

	ASSERT_EQ(0, hlk_pool_close(self->pool));
	ASSERT_EQ(0, open_pool(self, SANDBOXES, 2, NULL));
	for (i = 0; i < THREADS; i++) {
		users[i].self = self;
		users[i].nr = i;
		ASSERT_EQ(0, pthread_create(&users[i].thread, NULL, use, &users[i]));
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(users[i].thread, NULL);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(CALLS, users[i].good);
	ASSERT_EQ(0, settle(self, &stats));
	ASSERT_EQ(THREADS * CALLS, stats.calls);
	ASSERT_EQ(THREADS * CALLS / 5, stats.call_failures);
	ASSERT_EQ(THREADS * CALLS, stats.gets);
	ASSERT_EQ(THREADS * CALLS, stats.restores);
	ASSERT_EQ(0, stats.restore_failures);
	for (i = 0, nr = 0; i < HLK_POOL_BUCKETS; i++)
		nr += stats.restore_hist[i];
	ASSERT_EQ(stats.restores, nr);
	for (i = 0, nr = 0; i < HLK_POOL_BUCKETS; i++)
		nr += stats.wait_hist[i];
	ASSERT_EQ(stats.gets, nr);
}

/* A thread gets its own sandbox back, if it is there. */
static void *take_and_give(void *arg)
{
	struct _test_data_pool *self = arg;
	struct hlk_sandbox *sb;

	if (hlk_pool_get(self->pool, LONG, &sb, NULL))
		return NULL;
	if (count_call(sb, 1))
		sb = NULL;
	else
		hlk_pool_put(self->pool, sb);
	return sb;
}

TEST_F(pool, a_thread_gets_its_own_back)
{
	struct hlk_pool_stats stats;
	pthread_t thread;
	void *mine, *others;
	int i;

	mine = take_and_give(self);
	ASSERT_NE(NULL, mine);
	ASSERT_EQ(0, settle(self, &stats));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, take_and_give, self));
		pthread_join(thread, &others);
		ASSERT_NE(NULL, others);
		ASSERT_EQ(0, settle(self, &stats));
		/* what nobody ran yet comes before what another one did */
		if (!i)
			ASSERT_NE(mine, others);
		ASSERT_EQ(mine, take_and_give(self));
		ASSERT_EQ(0, settle(self, &stats));
	}
}

/* ---- several snapshots ---- */

#define TENANTS		3

/* A guest that made so many calls, and has so many pages of memory that others have not */
static struct hlk_snap *tenant(struct _test_data_pool *self, int calls, uint64_t pages)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap = NULL;
	unsigned char page[4096];
	uint64_t i;
	int n;

	how.flags = HLK_SNAP_FLAT;
	memset(page, 0x77, sizeof(page));
	if (hlk_sandbox_from_snapshot(self->ctx, self->snap, NULL, &sb, NULL))
		return NULL;
	for (n = 1; n <= calls; n++)
		if (count_call(sb, n))
			return NULL;
	for (i = 0; i < pages; i++)
		if (hlk_sandbox_write(sb, FREE_MEMORY + i * sizeof(page), page, sizeof(page)))
			return NULL;
	hlk_sandbox_snapshot(sb, &how, &snap);
	hlk_sandbox_close(sb);
	return snap;
}

TEST_F(pool, serves_several_snapshots)
{
	struct hlk_snap *snaps[TENANTS];
	struct hlk_pool_stats stats;
	struct hlk_sandbox *sb;
	uint64_t switches;
	uint32_t value;
	int i, k;

	for (i = 0; i < TENANTS; i++) {
		snaps[i] = tenant(self, 10 * i + 1, 0);
		ASSERT_NE(NULL, snaps[i]);
	}
	for (i = 0; i < 20; i++) {
		k = i % TENANTS;
		ASSERT_EQ(0, hlk_pool_get_from(self->pool, snaps[k], LONG, &sb, NULL));
		ASSERT_EQ(0, count_call(sb, 10 * k + 2));
		ASSERT_EQ(0, count_call(sb, 10 * k + 3));
		hlk_pool_put(self->pool, sb);
		ASSERT_EQ(0, settle(self, &stats));
		if (i == TENANTS)
			switches = stats.switches;
	}
	/* Each has its sandbox from its first call on. */
	ASSERT_EQ(TENANTS, switches);
	ASSERT_EQ(TENANTS, stats.switches);
	ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb, NULL));
	ASSERT_EQ(0, count_call(sb, 1));
	hlk_pool_put(self->pool, sb);
	ASSERT_EQ(0, hlk_pool_call_from(self->pool, snaps[2], LONG, "c", NULL, 0, &value,
					sizeof(value), NULL, 0, NULL));
	ASSERT_EQ(22, value);
	/* closed, they are there for who has them */
	for (i = 0; i < TENANTS; i++)
		hlk_snapshot_close(snaps[i]);
	ASSERT_EQ(0, settle(self, &stats));
	ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb, NULL));
	ASSERT_EQ(0, count_call(sb, 1));
	hlk_pool_discard(self->pool, sb);
	ASSERT_EQ(0, settle(self, &stats));
}

TEST_F(pool, the_nearest_is_taken)
{
	struct hlk_snap *far, *near;
	struct hlk_sandbox *sb[SANDBOXES], *is_far, *is_near;
	struct hlk_pool_stats stats;
	int i;

	far = tenant(self, 1, 64);
	near = tenant(self, 2, 0);
	ASSERT_NE(NULL, far);
	ASSERT_NE(NULL, near);
	for (i = 0; i < SANDBOXES; i++)
		ASSERT_EQ(0, hlk_pool_get_from(self->pool, i ? far : near, LONG, &sb[i], NULL));
	is_near = sb[0];
	/* those that are far ran last, and so would be the first without */
	for (i = 0; i < SANDBOXES; i++) {
		hlk_pool_put(self->pool, sb[i]);
		ASSERT_EQ(0, settle(self, &stats));
	}
	ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb[0], NULL));
	ASSERT_EQ(is_near, sb[0]);
	ASSERT_EQ(0, count_call(sb[0], 1));
	ASSERT_EQ(0, hlk_pool_get_from(self->pool, far, LONG, &is_far, NULL));
	ASSERT_EQ(0, count_call(is_far, 2));
	hlk_pool_put(self->pool, sb[0]);
	hlk_pool_put(self->pool, is_far);
	hlk_snapshot_close(far);
	hlk_snapshot_close(near);
}

TEST_F(pool, a_snapshot_that_does_not_fit)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_snap *other;
	struct hlk_pool_stats stats;
	struct hlk_sandbox *sb;
	struct hlk_err err;

	config.scratch_size = 0x400000;
	ASSERT_EQ(0, hlk_sandbox_from_path(self->ctx, "guest.elf", &config, &sb, NULL));
	ASSERT_EQ(0, hlk_sandbox_boot(sb, 0));
	ASSERT_EQ(0, hlk_sandbox_snapshot(sb, NULL, &other));
	hlk_sandbox_close(sb);
	ASSERT_EQ(-EMEDIUMTYPE, hlk_pool_get_from(self->pool, other, LONG, &sb, &err));
	ASSERT_EQ(NULL, sb);
	ASSERT_EQ(EMEDIUMTYPE, err.code);
	hlk_snapshot_close(other);
	ASSERT_EQ(0, settle(self, &stats));
	ASSERT_EQ(0, hlk_pool_get(self->pool, LONG, &sb, NULL));
	ASSERT_EQ(0, count_call(sb, 1));
	hlk_pool_put(self->pool, sb);
}

struct tenants {
	struct _test_data_pool *self;
	struct hlk_snap *snaps[TENANTS];
	uint32_t seed;
	int failed;
};

static void *serve(void *arg)
{
	struct tenants *t = arg;
	uint32_t seed = __atomic_add_fetch(&t->seed, 7919, __ATOMIC_SEQ_CST);
	struct hlk_sandbox *sb;
	int i, k;

	for (i = 0; i < CALLS; i++) {
		seed = seed * 1103515245 + 12345;
		k = (seed >> 16) % TENANTS;
		if (hlk_pool_get_from(t->self->pool, t->snaps[k], LONG, &sb, NULL) ||
		    count_call(sb, 10 * k + 2)) {
			__atomic_add_fetch(&t->failed, 1, __ATOMIC_SEQ_CST);
			break;
		}
		if (seed & 1 << 20)
			hlk_pool_put(t->self->pool, sb);
		else
			hlk_pool_discard(t->self->pool, sb);
	}
	return NULL;
}

TEST_F(pool, threads_of_several_tenants)
{
	struct tenants t = { .self = self };
	struct hlk_pool_stats stats;
	pthread_t thread[THREADS];
	int i;

	for (i = 0; i < TENANTS; i++) {
		t.snaps[i] = tenant(self, 10 * i + 1, i);
		ASSERT_NE(NULL, t.snaps[i]);
	}
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, serve, &t));
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	ASSERT_EQ(0, t.failed);
	for (i = 0; i < TENANTS; i++)
		hlk_snapshot_close(t.snaps[i]);
	ASSERT_EQ(0, settle(self, &stats));
	TH_LOG("%llu of %llu went over", (unsigned long long)stats.switches,
	       (unsigned long long)stats.gets);
}

TEST_HARNESS_MAIN
