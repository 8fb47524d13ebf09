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
static u32 reasons[HLK_WHY_BUDGET + 1];
static u32 further;	/* snapshots of restored guests */
static u32 written;	/* writes of theirs */

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

/* The restored guest writes here and there; what it wrote is in the next one. */
static void let_write(struct guest *g, const struct i686_mode *mode, const u64 *roots, u32 nr)
{
	struct mmu_cpu cpu = { 0, true, mode->pse, mode->maxphyaddr };
	struct mmu_result t;
	u32 tries = 400;
	u32 va;

	while (tries--) {
		cpu.cr3 = roots[guest_below(g, nr)];
		va = guest_below(g, 1 << 20) << 12;
		if (guest_chance(g, 90))	/* where scatter() maps most */
			va = (guest_below(g, 4) + 768 * guest_chance(g, 30)) << 22 |
			     guest_below(g, 40) << 12;
		t = mmu_translate(&g->mem, &cpu, va);
		/* random bytes in a table would make another guest */
		if (t.outcome == MMU_MAPPED && t.frame < 0xf0000)
			written += cow_write(g, &cpu, va, guest_random(g));
	}
}

/* A snapshot of what was restored from a snapshot, three times over */
static void generations(struct compact *first)
{
	struct hlk_snap *snap;
	struct compact c = *first;
	struct guest now;
	struct guest next;
	u32 i;

	if (compact_go(&c)) {
		*first = c;
		return;
	}
	compact_restore(&c, &now);
	for (i = 0; i < 3 && !tap_failed(); i++) {
		snap = c.snap;
		let_write(&now, &c.params.mode, snap->roots, snap->nr_roots);
		c.guest = &now;
		c.generation++;
		c.params.roots = snap->roots;
		if (compact_go(&c)) {
			c.snap = snap;
			break;
		}
		further++;
		compact_restore(&c, &next);
		hlk_snap_put(snap);
		guest_exit(&now);
		now = next;
	}
	guest_exit(&now);
	compact_end(&c);
}

static void rounds(u64 first, u64 nr, u32 flags)
{
	struct compact c;
	struct scatter s;
	struct guest g;
	u64 seed;

	memset(reasons, 0, sizeof(reasons));
	further = 0;
	written = 0;
	for (seed = first; seed < first + nr && !tap_failed(); seed++) {
		scatter(&g, seed, &s);
		compact_init(&c, &g, s.roots, s.nr_roots);
		compact_params(&c, &s, flags);
		if (guest_chance(&g, 40))
			generations(&c);
		else
			compact_run(&c);
		reasons[c.at.why]++;
		guest_exit(&g);
		if (tap_failed())
			printf("# SEED=%llu flags %x\n", seed, flags);
	}
}

static void random_rounds(u32 flags)
{
	u64 first = env_number("SEED", 1);
	u64 nr = env_number("ROUNDS", ROUNDS);
	u32 i;

	rounds(first, nr, flags);
	printf("# seeds %llu to %llu: %u snapshots", first, first + nr - 1, reasons[0]);
	for (i = 1; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i])
			printf(", %u for reason %u", reasons[i], i);
	printf("; %u of restored guests, %u writes\n", further, written);
	/* few that succeed would be few that were checked */
	if (nr >= 100)
		CHECK(reasons[0] > nr / (flags & HLK_SNAPSHOT_STRICT ? 10 : 2));
}

static void guest_cow(void)
{
	random_rounds(0);
}

static void host_cow(void)
{
	random_rounds(HLK_SNAPSHOT_HOST_COW);
}

static void strict(void)
{
	random_rounds(HLK_SNAPSHOT_STRICT);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(guest_cow),
		TAP_TEST(host_cow),
		TAP_TEST(strict),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
