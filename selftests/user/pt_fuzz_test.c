// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer's target of kmod/pt.c with bytes that nobody has learned from, where there is no
 * libFuzzer: PT_RUNS= executions of each format.
 */
#include "env.h"
#include "tap.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u64 next(u64 *seed)
{
	u64 z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	return z ^ z >> 27;
}

static void runs(u8 format)
{
	const char *runs = getenv("PT_RUNS");
	u32 left = runs ? atoi(runs) : 100000;
	u64 seed = format + 1;
	u8 data[24];
	u64 word;
	u32 i;

	for (; left && !tap_failed(); left--) {
		for (i = 0; i < sizeof(data); i += 8) {
			word = next(&seed);
			memcpy(data + i, &word, 8);
		}
		data[0] = format;
		LLVMFuzzerTestOneInput(data, sizeof(data) - next(&seed) % 16);
	}
}

static void fuzz_pae(void)
{
	runs(0);
}

static void fuzz_4level(void)
{
	runs(1);
}

static void fuzz_5level(void)
{
	runs(2);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(fuzz_pae),
		TAP_TEST(fuzz_4level),
		TAP_TEST(fuzz_5level),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
