// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers for the guest, drawn ahead.
 *
 * To ask the kernel for a few bytes costs nearly as much as to ask for many: a key is
 * made and thrown away each time. So each VM has some seeds in stock. One that is
 * handed out is forgotten at once, and what is in stock no guest, snapshot or other VM
 * has ever had. A host that is itself a VM and was cloned draws anew: its clones had
 * the same stock. So does one that had its stock for long: what the kernel's generator
 * knows better since then is in no seed of it.
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/notifier.h>
#include <linux/random.h>
#include <linux/string.h>

#include "seed.h"

/* How long seeds are kept; the kernel's own generator is seeded about as often */
#define SEEDS_AGE	(60UL * HZ)

/* How often the host was cloned */
static atomic_t seed_clones;

static int seed_cloned(struct notifier_block *nb, unsigned long action, void *data)
{
	atomic_inc(&seed_clones);
	return NOTIFY_DONE;
}

static struct notifier_block seed_notifier = { .notifier_call = seed_cloned };

/**
 * hlk_seed_init() - begin to watch for clones of the host
 *
 * Return: 0 or an errno
 */
int hlk_seed_init(void)
{
	return register_random_vmfork_notifier(&seed_notifier);
}

/**
 * hlk_seed_exit() - end it
 */
void hlk_seed_exit(void)
{
	unregister_random_vmfork_notifier(&seed_notifier);
}

/**
 * hlk_seed_take() - a seed that nobody has had
 * @seeds: the stock of a VM, whose lock is held
 * @to: HLK_GUEST_SEED_SIZE bytes
 */
void hlk_seed_take(struct hlk_seeds *seeds, void *to)
{
	int clones = atomic_read(&seed_clones);

	if (!seeds->left || seeds->clones != clones ||
	    time_after(jiffies, seeds->drawn + SEEDS_AGE)) {
		get_random_bytes(seeds->seed, sizeof(seeds->seed));
		seeds->left = HLK_SEEDS;
		seeds->clones = clones;
		seeds->drawn = jiffies;
	}
	seeds->left--;
	memcpy(to, seeds->seed[seeds->left], HLK_GUEST_SEED_SIZE);
	memzero_explicit(seeds->seed[seeds->left], HLK_GUEST_SEED_SIZE);
}

/**
 * hlk_seed_forget() - forget what is in stock
 * @seeds: the stock of a VM that ends
 */
void hlk_seed_forget(struct hlk_seeds *seeds)
{
	memzero_explicit(seeds, sizeof(*seeds));
}
