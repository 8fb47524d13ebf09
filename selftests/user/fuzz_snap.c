// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer: bytes choose a guest, which is marked in place, or compacted and
 * compared with its snapshot; then it is restored, lives on, and is compacted
 * again, over its parent or not. The first byte says how, the second whether
 * something fails.
 */
#include "check.h"
#include "marking.h"
#include "scatter.h"
#include "tap.h"

#define HOW_HOST_COW	0x01
#define HOW_STRICT	0x02
#define HOW_WRITES	0x04
#define HOW_CHILDREN	0x08
#define HOW_DEDUP	0x10
#define HOW_HOSTILE	0x20
#define HOW_MARK	0x40
#define HOW_MEDDLE	0x80

#define CHILDREN	2

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u32 fuzz_flags(u8 how)
{
	return (how & HOW_HOST_COW ? HLK_SNAPSHOT_HOST_COW : 0) |
	       (how & HOW_STRICT ? HLK_SNAPSHOT_STRICT : 0);
}

static void mark(struct guest *g, const struct scatter *s, long fail_at)
{
	struct marking m = {
		.guest = g,
		.mode = s->mode,
		.roots = s->roots,
		.nr_roots = s->nr_roots,
		.start = (u64)guest_below(g, 1 << 12) << 12,
		.end = 1ULL << 32,
		.max_tables = 10000,
	};

	if (guest_chance(g, 50))
		m.end = m.start + ((u64)guest_below(g, 1 << 12) << 12);
	if (!fail_at) {
		marking_check(&m);
		return;
	}
	shim.tries = 0;
	shim.fail_at = fail_at;
	marking_go(&m);
	shim.fail_at = 0;
}

/* An entry changes between two reads; what comes out need only be whole. */
static void meddle(struct guest *g, u64 gfn)
{
	long fail_at = shim.fail_at;

	(void)gfn;
	shim.fail_at = 0;
	if (guest_chance(g, 20)) {
		gfn = 1 + guest_below(g, 0x4ff);
		if (guest_is_ram(g, gfn))
			guest_set(g, gfn, guest_below(g, 1024), guest_random(g));
	}
	shim.fail_at = fail_at;
}

static void children(struct compact *first, u8 how)
{
	struct compact c = *first;
	struct compact child;
	struct guest now;
	struct guest next;
	u32 i;

	compact_restore(&c, &now);
	now.feed = first->guest->feed;
	now.feed_left = first->guest->feed_left;
	for (i = 0; i < CHILDREN && !tap_failed(); i++) {
		live(&now, &c, 1 + guest_below(&now, 24), how & HOW_HOSTILE);
		child = c;
		child.guest = &now;
		child.generation++;
		child.params.parent = c.snap;
		child.params.roots = c.snap->roots;
		if (compact_go(&child))
			break;
		if (how & HOW_DEDUP)
			compact_dedup(&child);
		compact_restore(&child, &next);
		next.feed = now.feed;
		next.feed_left = now.feed_left;
		compact_end(&c);
		guest_exit(&now);
		now = next;
		c = child;
	}
	guest_exit(&now);
	compact_end(&c);
	first->snap = NULL;
}

static void compact(struct guest *g, const struct scatter *s, u8 how, long fail_at)
{
	struct compact c;

	compact_init(&c, g, s->roots, s->nr_roots);
	c.params.mode = s->mode;
	c.params.flags = fuzz_flags(how);
	c.params.input_bytes = s->input_bytes;
	c.params.output_bytes = s->output_bytes;
	c.writes = how & HOW_WRITES ? 2 : 0;
	if (how & HOW_MEDDLE || fail_at) {
		g->meddle = how & HOW_MEDDLE ? meddle : NULL;
		shim.tries = 0;
		shim.fail_at = fail_at;
		compact_make(&c);
		shim.fail_at = 0;
		compact_end(&c);
		return;
	}
	if (compact_go(&c))
		return;
	if (how & HOW_DEDUP)
		compact_dedup(&c);
	if (how & HOW_CHILDREN)
		children(&c, how);
	compact_end(&c);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct scatter s;
	struct guest g;
	u8 how[2] = {};
	long fail_at;

	memcpy(how, data, min_t(size_t, size, 2));
	fail_at = how[1] < 192 ? 0 : how[1] - 191;
	memset(&shim, 0, sizeof(shim));
	scatter_fed(&g, data + 2, size > 2 ? size - 2 : 0, &s);
	if (how[0] & HOW_MARK)
		mark(&g, &s, fail_at);
	else
		compact(&g, &s, how[0], fail_at);
	guest_exit(&g);
	if (tap_failed() || shim.allocs || shim.pages || shim.maps || shim.counted_pages ||
	    shim.counted_snaps)
		abort();
	return 0;
}
