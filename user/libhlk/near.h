/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* How far snapshots are apart */
#ifndef HLK_NEAR_H
#define HLK_NEAR_H

#include <stdbool.h>
#include <stdint.h>

#define HLK_NEAR_SETS	128
#define HLK_NEAR_WAYS	4

/* As far as any */
#define HLK_NEAR_FAR	UINT32_MAX

struct hlk_snap;

/**
 * struct hlk_near - distances that are known
 * @pair: of two snapshots, by their ids, the smaller one first; ids of 0 are of none. A row
 *	holds those that fall together, the newest first.
 *
 * A newer one may take the place of the oldest of its row, so that as many as one call asks for
 * never drive each other out, if no other thread asks meanwhile. Whoever has it protects it.
 */
struct hlk_near {
	struct {
		uint64_t a;
		uint64_t b;
		uint32_t pages;
	} pair[HLK_NEAR_SETS][HLK_NEAR_WAYS];
};

bool hlk_near_known(const struct hlk_near *near, const struct hlk_snap *a,
		    const struct hlk_snap *b, uint32_t *pages);
void hlk_near_learn(struct hlk_near *near, const struct hlk_snap *a,
		    const struct hlk_snap *b, uint32_t pages);
bool hlk_near_ask(const struct hlk_snap *x, const struct hlk_snap *y, uint32_t *pages);

#endif
