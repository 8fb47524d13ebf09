// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Saved snapshots for libFuzzer: "make fuzz", then run build/user/fuzz-saved. The first byte
 * says which part; without any file to begin with it starts from good ones.
 */
#include "saveds.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
size_t LLVMFuzzerCustomMutator(unsigned char *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerMutate(unsigned char *data, size_t size, size_t max);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	saved_one(data, size);
	return 0;
}

/* An input that is too short to be anything becomes a good one. */
size_t LLVMFuzzerCustomMutator(unsigned char *data, size_t size, size_t max,
			       unsigned int seed)
{
	unsigned char good[SAVED_SEED];
	size_t len;

	if (size > 16)
		return LLVMFuzzerMutate(data, size, max);
	len = saved_seed(seed, good);
	if (len > max)
		return LLVMFuzzerMutate(data, size, max);
	memcpy(data, good, len);
	return len;
}
