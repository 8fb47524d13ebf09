// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy-on-write that learns, by the example guests: what calls copy again and again is
 * left writable and costs one copy a page; what they write now and then is not; and
 * whatever was learned, each call finds what the snapshot holds.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hlk.h>

#include "harness.h"

#define MEM_SIZE	(16UL << 20)
#define SCRATCH_SIZE	(4UL << 20)
#define HEAP		2048	/* pages of it that calls choose from */
#define PAGES		64
#define SOON		16	/* calls after which what is the same is learned */
#define ENOUGH		80	/* calls after which what is idle was given back */
#define FIXED		16	/* more is not private but for what is touched */

FIXTURE(learn) {
	struct hlk_ctx *ctx;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	uint32_t random;
};

typedef FIXTURE_DATA(learn) fixture;

static int fail(fixture *self, const char *what)
{
	char why[256];

	fprintf(stderr, "# %s: %s\n", what,
		hlk_strerror(hlk_sandbox_error(self->sb), why, sizeof(why)));
	return -1;
}

static int start(fixture *self, const char *elf, const struct hlk_config *more,
		 uint32_t flags)
{
	struct hlk_snapshot_config snapshot = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_config config = more ? *more : (struct hlk_config)HLK_CONFIG_INIT;
	struct hlk_err err;

	if (!more)
		config.flags = HLK_CONFIG_LEARN;
	config.mem_size = MEM_SIZE;
	config.scratch_size = SCRATCH_SIZE;
	snapshot.flags = flags;
	if (hlk_sandbox_from_path(self->ctx, elf, &config, &self->sb, &err)) {
		fprintf(stderr, "# %s: %d\n", elf, err.code);
		return -1;
	}
	if (hlk_sandbox_boot(self->sb, 0) ||
	    hlk_sandbox_snapshot(self->sb, &snapshot, &self->snap) ||
	    hlk_sandbox_restore(self->sb, self->snap))
		return fail(self, "start");
	return 0;
}

FIXTURE_SETUP(learn)
{
	ASSERT_EQ(0, hlk_open(&self->ctx, NULL));
	self->random = 1;
}

FIXTURE_TEARDOWN(learn)
{
	hlk_snapshot_close(self->snap);
	hlk_sandbox_close(self->sb);
	hlk_close(self->ctx);
}

static uint32_t draw(fixture *self, uint32_t below)
{
	self->random = self->random * 1664525U + 1013904223U;
	return (self->random >> 8) % below;
}

/* What a call answers, a number; restored before it or not */
static long call(fixture *self, const char *name, const char *arg, int restored)
{
	char answer[32] = "";
	size_t len = 0;
	int ret;

	ret = (restored ? hlk_sandbox_restore_call : hlk_sandbox_call)(self->sb, name, arg,
		strlen(arg), answer, sizeof(answer) - 1, &len, 0);
	return ret ? fail(self, name) : strtol(answer, NULL, 0);
}

/* Each page says how often it was written: once, if all came back */
static long touch(fixture *self, uint32_t pages, uint32_t first, uint32_t stride)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u %u %u", pages, first, stride, HEAP);
	return call(self, "touch", text, 1);
}

static struct hlk_vm_stats stats(fixture *self)
{
	struct hlk_vm_stats stats = {};

	if (hlk_sandbox_stats(self->sb, &stats))
		fail(self, "stats");
	return stats;
}

static uint64_t written_back(fixture *self)
{
	const struct hlk_restore *r = hlk_sandbox_restored(self->sb);

	return r->copied + r->cleared;
}

TEST_F(learn, what_is_written_each_time_is_copied_once)
{
	unsigned int i;

	ASSERT_EQ(0, start(self, "server.elf", NULL, 0));
	for (i = 0; i < SOON; i++)
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	ASSERT_LE(PAGES, stats(self).learned);
	ASSERT_GE(PAGES + FIXED, stats(self).learned);
	for (i = 0; i < 10 * ENOUGH; i++)
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	ASSERT_LE(PAGES, stats(self).learned);
	ASSERT_LE(PAGES, written_back(self));
	ASSERT_GE(PAGES + FIXED, written_back(self));
	ASSERT_GE(PAGES + FIXED, stats(self).private_pages);
	ASSERT_EQ(0, hlk_sandbox_audit(self->sb)) {
		fail(self, "audit");
	}
}

TEST_F(learn, what_is_not_written_any_more_is_forgotten)
{
	unsigned int i;

	ASSERT_EQ(0, start(self, "server.elf", NULL, 0));
	for (i = 0; i < SOON; i++)
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	ASSERT_LE(PAGES, stats(self).learned);
	for (i = 0; i < ENOUGH; i++)
		ASSERT_EQ(1, touch(self, 1, 1000, 1));
	ASSERT_GE(FIXED, stats(self).learned);
	ASSERT_GE(FIXED + 8, stats(self).private_pages);
	ASSERT_EQ(0, hlk_sandbox_audit(self->sb));
	/* and may be learned again */
	for (i = 0; i < ENOUGH; i++)
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	ASSERT_LE(PAGES, stats(self).learned);
	ASSERT_EQ(0, hlk_sandbox_audit(self->sb));
}

TEST_F(learn, others_each_time_are_left_to_the_guest)
{
	unsigned int i;

	ASSERT_EQ(0, start(self, "server.elf", NULL, 0));
	for (i = 0; i < 5 * ENOUGH; i++) {
		ASSERT_EQ(PAGES, touch(self, PAGES, draw(self, HEAP),
				       2 * draw(self, HEAP / 2) + 1));
		if (i % ENOUGH == 0)
			ASSERT_EQ(0, hlk_sandbox_audit(self->sb));
	}
	ASSERT_GE(PAGES / 2, stats(self).learned);
	ASSERT_GE(2 * PAGES, stats(self).private_pages);
}

/* Of what drifts, each page is found and lost. */
TEST_F(learn, what_drifts_is_followed)
{
	unsigned int i;

	ASSERT_EQ(0, start(self, "server.elf", NULL, 0));
	for (i = 0; i < 2000; i++) {
		ASSERT_EQ(PAGES, touch(self, PAGES, i / 8, 1));
		if (i % 100 == 99) {
			ASSERT_LE(PAGES / 2, stats(self).learned);
			ASSERT_GE(2 * PAGES, stats(self).learned);
			ASSERT_EQ(0, hlk_sandbox_audit(self->sb));
		}
	}
	ASSERT_GE(2 * PAGES, stats(self).private_pages);
}

/* Five processes with pages of their own at the same addresses */
TEST_F(learn, processes_keep_their_pages)
{
	unsigned int i;

	ASSERT_EQ(0, start(self, "microkernel.elf", NULL, 0));
	for (i = 0; i < 5 * ENOUGH; i++) {
		ASSERT_EQ(5, call(self, "hello", "", 1));
		if (i % ENOUGH == 0)
			ASSERT_EQ(0, hlk_sandbox_audit(self->sb));
	}
	/* a page of data and a stack each */
	ASSERT_LE(10, stats(self).learned);
	/* and without a restore they remember */
	ASSERT_EQ(5, call(self, "hello", "", 0));
	ASSERT_EQ(5, call(self, "hello", "", 0));
}

/* Snapshots taken after calls on pages that are left writable have what these wrote. */
TEST_F(learn, a_snapshot_of_what_was_written_where_it_lies)
{
	struct hlk_snapshot_config config = HLK_SNAPSHOT_CONFIG_INIT;
	uint32_t flags[] = { 0, HLK_SNAP_HOST_COW, HLK_SNAP_FLAT };
	struct hlk_snap *child;
	unsigned int i, k;

	ASSERT_EQ(0, start(self, "server.elf", NULL, 0));
	for (k = 0; k < 3; k++) {
		for (i = 0; i < SOON; i++)
			ASSERT_EQ(8, call(self, "touch", "8", 1));
		ASSERT_LE(8, stats(self).learned);
		config.flags = flags[k];
		ASSERT_EQ(0, hlk_sandbox_snapshot(self->sb, &config, &child)) {
			fail(self, "snapshot");
		}
		/* the guest goes on as it was */
		ASSERT_EQ(16, call(self, "touch", "8", 0));
		ASSERT_EQ(0, hlk_sandbox_restore(self->sb, child));
		ASSERT_EQ(0, stats(self).learned);
		for (i = 0; i < SOON; i++)
			ASSERT_EQ(16, call(self, "touch", "8", 1));
		ASSERT_EQ(k == 0, stats(self).learned >= 8);
		ASSERT_EQ(0, hlk_sandbox_audit(self->sb));
		ASSERT_EQ(0, hlk_sandbox_restore(self->sb, self->snap));
		ASSERT_EQ(8, call(self, "touch", "8", 1));
		hlk_snapshot_close(child);
	}
}

/* Learned is what one sandbox calls, not what others on the snapshot do. */
TEST_F(learn, sandboxes_learn_for_themselves)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	fixture other = *self;
	unsigned int i;

	ASSERT_EQ(0, start(self, "server.elf", NULL, 0));
	config.flags = HLK_CONFIG_NO_PREFAULT | HLK_CONFIG_LEARN;
	ASSERT_EQ(0, hlk_sandbox_from_snapshot(self->ctx, self->snap, &config, &other.sb,
					       NULL));
	for (i = 0; i < SOON; i++) {
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
		ASSERT_EQ(1, touch(&other, 1, 3, 1));
	}
	ASSERT_LE(PAGES, stats(self).learned);
	ASSERT_GE(FIXED, stats(&other).learned);
	hlk_sandbox_close(other.sb);
}

/* All of scratch, as another program that looks: tables that no call writes are mapped then */
static void look(fixture *self)
{
	char page[4096];
	uint64_t at;

	for (at = SCRATCH_SIZE; at; at -= sizeof(page))
		hlk_sandbox_read(self->sb, HLK_GUEST_SCRATCH_TOP - at, page, sizeof(page));
}

/* What was learned of one snapshot is shown of no other one, though all else is the same. */
TEST_F(learn, another_snapshot_has_tables_of_its_own)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *other;
	struct hlk_snap *snap;
	unsigned int i;

	ASSERT_EQ(0, start(self, "server.elf", NULL, 0));
	ASSERT_EQ(0, hlk_sandbox_from_snapshot(self->ctx, self->snap, &config, &other, NULL));
	ASSERT_EQ(0, hlk_sandbox_snapshot(other, NULL, &snap));
	hlk_sandbox_close(other);
	for (i = 0; i < SOON; i++)
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	ASSERT_LE(PAGES, stats(self).learned);
	/* until the table that was learned is not private any more */
	for (i = 0; i < 4 * ENOUGH; i++)
		ASSERT_EQ(0, hlk_sandbox_restore(self->sb, NULL));
	look(self);
	ASSERT_EQ(0, hlk_sandbox_restore(self->sb, snap));
	ASSERT_EQ(0, hlk_sandbox_audit(self->sb)) {
		fail(self, "audit");
	}
	ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	ASSERT_EQ(0, hlk_sandbox_restore(self->sb, self->snap));
	ASSERT_EQ(0, hlk_sandbox_audit(self->sb)) {
		fail(self, "audit");
	}
	hlk_snapshot_close(snap);
}

TEST_F(learn, not_if_it_is_not_wanted)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	unsigned int i;

	ASSERT_EQ(0, start(self, "server.elf", &config, 0));
	for (i = 0; i < SOON; i++)
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	ASSERT_EQ(0, stats(self).learned);
}

/* What is learned is kept by restores, so the watermark is its bound. */
TEST_F(learn, no_more_than_is_kept)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	unsigned int i;

	config.flags = HLK_CONFIG_LEARN;
	config.max_private = 256;
	config.keep_private = 32;
	ASSERT_EQ(0, start(self, "server.elf", &config, 0));
	for (i = 0; i < ENOUGH; i++)
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	ASSERT_EQ(0, hlk_sandbox_restore(self->sb, NULL));
	ASSERT_GE(32, stats(self).learned);
	ASSERT_GE(32, stats(self).private_pages);
	ASSERT_EQ(0, stats(self).over_budget);
	ASSERT_EQ(0, hlk_sandbox_audit(self->sb));
}

/* A guest that takes all of scratch, or none where it says it did, is no harm. */
TEST_F(learn, whatever_the_guest_took)
{
	char answer[16];
	unsigned int i;

	ASSERT_EQ(0, start(self, "server.elf", NULL, 0));
	for (i = 0; i < SOON; i++)
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	for (i = 0; i < 3; i++)
		ASSERT_NE(0, hlk_sandbox_restore_call(self->sb, "fill", "", 0, answer,
						      sizeof(answer), NULL, 0));
	for (i = 0; i < SOON; i++)
		ASSERT_EQ(PAGES, touch(self, PAGES, 3, 1));
	ASSERT_EQ(0, hlk_sandbox_audit(self->sb));
}

TEST_HARNESS_MAIN
