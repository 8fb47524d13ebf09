// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random guests, compacted and checked. SEED= is the first seed, ROUNDS= how
 * many follow; a failure names its seed.
 */
#include "check.h"
#include "scatter.h"
#include "tap.h"

#define ROUNDS	200

/* How often each reason of failure was seen; the first is success. */
static u32 reasons[HLK_WHY_LARGE_AS_LEAF + 1];
static u32 further;	/* snapshots of restored guests */
static u32 deltas;	/* of these, over their parents */

static u64 env_number(const char *name, u64 otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

static void compact_params(struct compact *c, const struct scatter *s, u32 flags)
{
	c->params.mode = s->mode;
	c->params.flags = HLK_SNAPSHOT_COMPACT | flags;
	c->params.input_bytes = s->input_bytes;
	c->params.output_bytes = s->output_bytes;
	c->writes = 6;
}

/* A snapshot of what was restored from a snapshot, three times over */
static void generations(struct compact *first)
{
	struct compact c = *first;
	struct hlk_snap *snap;
	struct guest now;
	struct guest next;
	bool dedup;
	u32 i;

	if (compact_go(&c)) {
		*first = c;
		return;
	}
	dedup = guest_chance(c.guest, 30);
	if (dedup)
		compact_dedup(&c);
	compact_restore(&c, &now);
	for (i = 0; i < 3 && !tap_failed(); i++) {
		snap = c.snap;
		live(&now, &c, guest_below(&now, 30), guest_chance(&now, 30));
		c.guest = &now;
		c.generation++;
		c.params.roots = snap->roots;
		c.params.parent = guest_chance(&now, 90) ? snap : NULL;
		if (compact_go(&c)) {
			c.snap = snap;
			break;
		}
		if (dedup)
			compact_dedup(&c);
		further++;
		deltas += compact_is_delta(&c);
		compact_restore(&c, &next);
		hlk_snap_put(snap);
		guest_exit(&now);
		now = next;
	}
	guest_exit(&now);
	compact_end(&c);
}

/* @tidy: only guests that may be compacted over their parents, all of them */
static void rounds(u64 first, u64 nr, u32 flags, bool tidy)
{
	struct compact c;
	struct scatter s;
	struct guest g;
	u64 seed;

	memset(reasons, 0, sizeof(reasons));
	further = 0;
	deltas = 0;
	for (seed = first; seed < first + nr && !tap_failed(); seed++) {
		scatter(&g, seed, &s);
		if (tidy && !s.tidy) {
			guest_exit(&g);
			continue;
		}
		compact_init(&c, &g, s.roots, s.nr_roots);
		compact_params(&c, &s, flags);
		if (tidy || guest_chance(&g, 40))
			generations(&c);
		else
			compact_run(&c);
		reasons[c.at.why]++;
		guest_exit(&g);
		if (tap_failed())
			printf("# SEED=%llu flags %x\n", seed, flags);
	}
}

static void random_rounds(u32 flags, bool tidy)
{
	u64 first = env_number("SEED", 1);
	u64 nr = env_number("ROUNDS", ROUNDS);
	u32 i;

	rounds(first, nr, flags, tidy);
	printf("# seeds %llu to %llu: %u snapshots", first, first + nr - 1, reasons[0]);
	for (i = 1; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i])
			printf(", %u for reason %u", reasons[i], i);
	printf("; %u of restored guests, %u of them over the parent\n", further, deltas);
	/* few that succeed would be few that were checked */
	if (nr < 100)
		return;
	if (tidy)
		CHECK(deltas > further / 5);
	else
		CHECK(reasons[0] > nr / (flags & HLK_SNAPSHOT_STRICT ? 10 : 2));
}

static void guest_cow(void)
{
	random_rounds(0, false);
}

static void host_cow(void)
{
	random_rounds(HLK_SNAPSHOT_HOST_COW, false);
}

static void strict(void)
{
	random_rounds(HLK_SNAPSHOT_STRICT, false);
}

static void over_the_parent(void)
{
	random_rounds(0, true);
}

static void over_the_parent_host_cow(void)
{
	random_rounds(HLK_SNAPSHOT_HOST_COW, true);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(guest_cow),
		TAP_TEST(host_cow),
		TAP_TEST(strict),
		TAP_TEST(over_the_parent),
		TAP_TEST(over_the_parent_host_cow),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
