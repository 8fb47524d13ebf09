// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of an FPU's image counts, and what the host's XRSTORS takes.
 */
#include "fpu.h"
#include "tap.h"

#define AVX	BIT_ULL(2)
#define TILECFG	BIT_ULL(17)
#define TILES	BIT_ULL(18)
#define AMX	(TILECFG | TILES)
#define SIZE	11008U

static void bytes_that_count(void)
{
	u64 bit;

	CHECK_EQ(hlk_fpu_bytes(0, SIZE), HLK_FPU_LEGACY);
	CHECK_EQ(hlk_fpu_bytes(HLK_FPU_X87_SSE | HLK_FPU_PKRU, SIZE), HLK_FPU_LEGACY);
	for (bit = AVX; bit; bit <<= 1)
		CHECK_EQ(hlk_fpu_bytes(bit | HLK_FPU_X87_SSE, SIZE),
			 bit == HLK_FPU_PKRU ? HLK_FPU_LEGACY : SIZE);
	/* FXSAVE's, which has no header */
	CHECK_EQ(hlk_fpu_bytes(~0ULL, 512), 512);
	CHECK_EQ(hlk_fpu_bytes(0, 512), 512);
}

/* A header that somebody made: never more than the processor takes */
static void crafted_headers(void)
{
	const u64 words[] = {
		0, ~0ULL, HLK_FPU_X87_SSE, AVX, AMX, TILES, HLK_FPU_COMPACTED,
		HLK_FPU_COMPACTED | HLK_FPU_X87_SSE | AVX, HLK_FPU_COMPACTED | AMX,
	};
	u32 f, c, d;
	u64 left;

	for (f = 0; f < ARRAY_SIZE(words); f++)
		for (c = 0; c < ARRAY_SIZE(words); c++)
			for (d = 0; d < ARRAY_SIZE(words); d++) {
				left = hlk_fpu_loadable(words[f], words[c], words[d]);
				CHECK(!(left & ~words[f]));
				CHECK(!(left & words[d]));
				CHECK(!(words[c] & HLK_FPU_COMPACTED) ||
				      !(left & ~words[c]));
			}
	/* and no less */
	CHECK_EQ(hlk_fpu_loadable(AVX | AMX, HLK_FPU_COMPACTED | AVX | AMX, 0), AVX | AMX);
	CHECK_EQ(hlk_fpu_loadable(AVX | AMX, HLK_FPU_COMPACTED | AVX | AMX, TILES),
		 AVX | TILECFG);
	CHECK_EQ(hlk_fpu_loadable(AVX | AMX, 0, 0), AVX | AMX);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(bytes_that_count),
		TAP_TEST(crafted_headers),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
