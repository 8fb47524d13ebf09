/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random guests: few frames, so that tables shared, tables mapped as data,
 * directories that map themselves and tables over tables are frequent.
 */
#ifndef _SCATTER_H
#define _SCATTER_H

#include "guest.h"

#define SCATTER_ROOTS	4

/**
 * struct scatter - what was made
 * @mode: modes of the vCPU
 * @roots: directories
 * @nr_roots: how many
 * @scratch_pages: pages of scratch
 * @input_bytes: size of the input buffer
 * @output_bytes: size of the output buffer
 * @tidy: nothing leads outside memory
 */
struct scatter {
	struct i686_mode mode;
	u64 roots[SCATTER_ROOTS];
	u32 nr_roots;
	u64 scratch_pages;
	u32 input_bytes;
	u32 output_bytes;
	bool tidy;
};

void scatter(struct guest *guest, u64 seed, struct scatter *s);
void scatter_fed(struct guest *guest, const u8 *feed, size_t bytes, struct scatter *s);

#endif /* _SCATTER_H */
