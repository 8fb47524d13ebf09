// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random guests, compacted and checked. SEED= is the first seed, ROUNDS= how
 * many follow; a failure names its seed.
 */
#include "check.h"
#include "scatter.h"
#include "tap.h"

#define ROUNDS	300

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

static void rounds(u64 first, u64 nr, u32 flags, u32 *good)
{
	struct compact c;
	struct scatter s;
	struct guest g;
	u64 seed;

	*good = 0;
	for (seed = first; seed < first + nr && !tap_failed(); seed++) {
		scatter(&g, seed, &s);
		compact_init(&c, &g, s.roots, s.nr_roots);
		compact_params(&c, &s, flags);
		*good += !compact_run(&c);
		guest_exit(&g);
		if (tap_failed())
			printf("# SEED=%llu flags %x\n", seed, flags);
	}
}

static void random_rounds(u32 flags)
{
	u64 first = env_number("SEED", 1);
	u64 nr = env_number("ROUNDS", ROUNDS);
	u32 good;

	rounds(first, nr, flags, &good);
	printf("# seeds %llu to %llu: %u snapshots\n", first, first + nr - 1, good);
	/* few that succeed would be few that were checked */
	if (nr >= 100 && !(flags & HLK_SNAPSHOT_STRICT))
		CHECK(good > nr / 2);
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
