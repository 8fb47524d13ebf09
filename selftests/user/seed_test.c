// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seeds that are drawn ahead: each is handed out once, and nothing of it stays.
 */
#include "model.h"
#include "tap.h"

#define TAKEN	(3 * HLK_SEEDS + 1)

static struct hlk_seeds seeds;
static u8 taken[TAKEN][HLK_GUEST_SEED_SIZE];

static bool in_stock(const u8 *seed)
{
	u32 i;

	for (i = 0; i < HLK_SEEDS; i++)
		if (!memcmp(seeds.seed[i], seed, HLK_GUEST_SEED_SIZE))
			return true;
	return false;
}

static void each_once(void)
{
	static const u8 zeroes[HLK_GUEST_SEED_SIZE];
	u32 i, k;

	for (i = 0; i < TAKEN; i++) {
		hlk_seed_take(&seeds, taken[i]);
		CHECK(!in_stock(taken[i]));
		CHECK(memcmp(taken[i], zeroes, sizeof(zeroes)));
		for (k = seeds.left; k < HLK_SEEDS; k++)
			CHECK(!memcmp(seeds.seed[k], zeroes, sizeof(zeroes)));
		for (k = 0; k < i; k++)
			CHECK(memcmp(taken[k], taken[i], sizeof(taken[i])));
	}
}

/* What two clones of the host had in stock, neither hands out. */
static void drawn_anew_in_a_clone(void)
{
	struct hlk_seeds before;
	u8 seed[HLK_GUEST_SEED_SIZE];
	u32 i;

	CHECK_EQ(hlk_seed_init(), 0);
	hlk_seed_take(&seeds, seed);
	CHECK(seeds.left);
	before = seeds;
	kernel.vmfork->notifier_call(kernel.vmfork, 0, NULL);
	hlk_seed_take(&seeds, seed);
	CHECK_EQ(seeds.left, HLK_SEEDS - 1);
	for (i = 0; i < before.left; i++) {
		CHECK(memcmp(before.seed[i], seed, sizeof(seed)));
		CHECK(!in_stock(before.seed[i]));
	}
	hlk_seed_exit();
	CHECK(!kernel.vmfork);
}

/* Nor what was in stock for longer than a minute, whenever the ticks wrap */
static void drawn_anew_with_time(void)
{
	const unsigned long begin[] = { 0, -1UL - 30 * HZ, LONG_MAX - 30 * HZ };
	struct hlk_seeds before;
	u8 seed[HLK_GUEST_SEED_SIZE];
	u32 i, k;

	for (k = 0; k < ARRAY_SIZE(begin); k++) {
		kernel.ticks = begin[k];
		hlk_seed_forget(&seeds);
		hlk_seed_take(&seeds, seed);
		kernel.ticks += 60 * HZ;
		hlk_seed_take(&seeds, seed);
		CHECK_EQ(seeds.left, HLK_SEEDS - 2);
		before = seeds;
		kernel.ticks++;
		hlk_seed_take(&seeds, seed);
		CHECK_EQ(seeds.left, HLK_SEEDS - 1);
		for (i = 0; i < before.left; i++) {
			CHECK(memcmp(before.seed[i], seed, sizeof(seed)));
			CHECK(!in_stock(before.seed[i]));
		}
	}
}

static void forgotten(void)
{
	static const struct hlk_seeds nothing;

	hlk_seed_forget(&seeds);
	CHECK(!memcmp(&seeds, &nothing, sizeof(seeds)));
}

int main(int argc, char **argv)
{
	const struct tap_test tests[] = {
		TAP_TEST(each_once),
		TAP_TEST(drawn_anew_in_a_clone),
		TAP_TEST(drawn_anew_with_time),
		TAP_TEST(forgotten),
	};

	world.random = 1;
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
