/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers for the guest, drawn ahead */
#ifndef _HLK_SEED_H
#define _HLK_SEED_H

#include <linux/types.h>

#include <linux/hlk_guest.h>

/*
 * How many are drawn at once. Of the generator's first block a half is its own next key,
 * each block more makes two: so one and an even number. More would not be cheaper by
 * much, and the restore that draws them waits.
 */
#define HLK_SEEDS	33

/**
 * struct hlk_seeds - the stock of a VM, protected by its lock
 * @left: how many there are, the first ones of @seed; the others are zero
 * @clones: how often the host had been cloned when they were drawn
 * @drawn: when that was, in jiffies
 * @seed: the seeds
 */
struct hlk_seeds {
	u32 left;
	int clones;
	unsigned long drawn;
	u8 seed[HLK_SEEDS][HLK_GUEST_SEED_SIZE];
};

int hlk_seed_init(void);
void hlk_seed_exit(void);
void hlk_seed_take(struct hlk_seeds *seeds, void *to);
void hlk_seed_forget(struct hlk_seeds *seeds);

#endif /* _HLK_SEED_H */
