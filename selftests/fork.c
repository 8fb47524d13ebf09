// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk_sandbox_fork(): the second sandbox goes on from where the first one is, each for itself
 * from then on, and it costs what the first one had written.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <hlk.h>

#include "harness.h"

FIXTURE(fork)
{
	struct hlk_ctx *ctx;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	int asked;
};

static int up(void *arg, const void *in, size_t in_len, void *out,
	      size_t out_size, size_t *out_len)
{
	++*(int *)arg;
	memcpy(out, in, in_len);
	*out_len = in_len;
	return 0;
}

FIXTURE_SETUP(fork)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;

	how.flags = HLK_SNAP_HOST_COW;
	ASSERT_EQ(0, hlk_open(&self->ctx, NULL));
	ASSERT_EQ(0, hlk_sandbox_from_path(self->ctx, "guest.elf", NULL, &self->sb, NULL));
	ASSERT_EQ(0, hlk_sandbox_host_function(self->sb, "up", up, &self->asked));
	ASSERT_EQ(0, hlk_sandbox_boot(self->sb, 0));
	ASSERT_EQ(0, hlk_sandbox_snapshot(self->sb, &how, &self->snap));
	ASSERT_EQ(0, hlk_sandbox_restore(self->sb, self->snap));
}

FIXTURE_TEARDOWN(fork)
{
	const struct timespec tick = { .tv_nsec = 20000000 };
	struct hlk_info info = { .live_vms = 1 };
	int i;

	hlk_sandbox_close(self->sb);
	hlk_snapshot_close(self->snap);
	for (i = 0; i < 250 && (info.live_vms || info.live_snapshots || info.live_pages); i++) {
		if (hlk_get_info(self->ctx, &info, NULL))
			break;
		nanosleep(&tick, NULL);
	}
	EXPECT_EQ(0, info.live_vms);
	EXPECT_EQ(0, info.live_snapshots);
	EXPECT_EQ(0, info.live_pages);
	hlk_close(self->ctx);
}

/* How many calls there were in it, this one too; 0: none is possible */
static uint32_t calls(struct hlk_sandbox *sb)
{
	uint32_t value = 0;

	return hlk_sandbox_call(sb, "c", NULL, 0, &value, sizeof(value), NULL, 0) ? 0 : value;
}

TEST_F(fork, each_goes_on_for_itself)
{
	struct hlk_sandbox *child;
	int i;

	for (i = 1; i <= 3; i++)
		ASSERT_EQ(i, calls(self->sb));
	ASSERT_EQ(0, hlk_sandbox_fork(self->sb, NULL, &child)) {
		TH_LOG("%s", hlk_sandbox_error(self->sb)->text);
	}
	ASSERT_EQ(4, calls(child));
	ASSERT_EQ(5, calls(child));
	ASSERT_EQ(4, calls(self->sb));
	ASSERT_EQ(6, calls(child));
	/* Each goes back to its own. */
	ASSERT_EQ(0, hlk_sandbox_restore(child, NULL));
	ASSERT_EQ(4, calls(child));
	ASSERT_EQ(0, hlk_sandbox_restore(self->sb, NULL));
	ASSERT_EQ(1, calls(self->sb));
	ASSERT_EQ(5, calls(child));
	ASSERT_EQ(0, hlk_sandbox_restore(child, self->snap));
	ASSERT_EQ(1, calls(child));
	hlk_sandbox_close(child);
	ASSERT_EQ(2, calls(self->sb));
}

TEST_F(fork, of_a_fork_and_without_the_first)
{
	struct hlk_sandbox *child = NULL, *next;
	uint32_t i;

	for (i = 1; i < 12; i++) {
		ASSERT_EQ(i, calls(self->sb));
		ASSERT_EQ(0, hlk_sandbox_fork(self->sb, NULL, &next));
		child = self->sb;
		self->sb = next;
		hlk_sandbox_close(child);
	}
	ASSERT_EQ(i, calls(self->sb));
	ASSERT_EQ(0, hlk_sandbox_audit(self->sb));
}

TEST_F(fork, costs_what_was_written)
{
	struct hlk_snapshot_info info = {};
	struct hlk_vm_stats stats;
	struct hlk_sandbox *child;
	struct hlk_info before, after;
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, hlk_sandbox_restore(self->sb, NULL));
		ASSERT_EQ(1, calls(self->sb));
	}
	ASSERT_EQ(0, hlk_snapshot_get_info(self->snap, &info, NULL));
	ASSERT_EQ(0, hlk_sandbox_stats(self->sb, &stats));
	ASSERT_EQ(0, hlk_get_info(self->ctx, &before, NULL));
	ASSERT_EQ(0, hlk_sandbox_fork(self->sb, NULL, &child));
	ASSERT_EQ(0, hlk_get_info(self->ctx, &after, NULL));
	TH_LOG("%llu pages private, %llu in the snapshot, %llu more",
	       (unsigned long long)stats.private_pages, (unsigned long long)info.counts.pages,
	       (unsigned long long)(after.live_pages - before.live_pages));
	ASSERT_EQ(1, after.live_snapshots - before.live_snapshots);
	/* The snapshot's, and the second one's; a page that two chunks share is counted twice. */
	ASSERT_GE(2 * stats.private_pages + info.counts.pages,
		  after.live_pages - before.live_pages);
	hlk_sandbox_close(child);
	ASSERT_EQ(0, hlk_get_info(self->ctx, &after, NULL));
	ASSERT_EQ(before.live_snapshots, after.live_snapshots);
}

TEST_F(fork, has_functions_and_counter)
{
	struct hlk_sandbox *child;
	int other = 0;

	ASSERT_EQ(0, hlk_sandbox_counter_add(self->sb, 41));
	ASSERT_EQ(0, hlk_sandbox_fork(self->sb, NULL, &child));
	ASSERT_EQ(41, hlk_sandbox_counter(child));
	ASSERT_EQ(0, hlk_sandbox_counter_add(child, 1));
	ASSERT_EQ(41, hlk_sandbox_counter(self->sb));
	ASSERT_EQ(-EEXIST, hlk_sandbox_host_function(child, "up", up, &other));
	ASSERT_EQ(0, hlk_sandbox_host_function(child, "up", NULL, NULL));
	ASSERT_EQ(0, hlk_sandbox_host_function(child, "up", up, &other));
	ASSERT_EQ(-EEXIST, hlk_sandbox_host_function(self->sb, "up", up, &other));
	hlk_sandbox_close(child);
}

TEST_F(fork, refuses_who_is_not_ready)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *child = (void *)1;
	struct hlk_sandbox *fresh;

	ASSERT_EQ(0, hlk_sandbox_from_path(self->ctx, "guest.elf", NULL, &fresh, NULL));
	ASSERT_GT(0, hlk_sandbox_fork(fresh, NULL, &child));
	ASSERT_EQ(NULL, child);
	ASSERT_NE(0, hlk_sandbox_error(fresh)->code);
	hlk_sandbox_close(fresh);
	config.flags = 1U << 31;
	ASSERT_EQ(-EOPNOTSUPP, hlk_sandbox_fork(self->sb, &config, &child));
	ASSERT_EQ(NULL, child);
	ASSERT_EQ(EOPNOTSUPP, hlk_sandbox_error(self->sb)->code);
	/* it goes on */
	ASSERT_EQ(1, calls(self->sb));
}

TEST_HARNESS_MAIN
