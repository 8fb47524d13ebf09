/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random tables of 64-bit entries, as no sane kernel makes them: shared, of several levels
 * at once, over themselves, in loops, leading nowhere. Few ways lead to a page, so that all
 * of them can be gone.
 */
#ifndef _MAZE_H
#define _MAZE_H

#include "sdm.h"

#define MAZE_ROOTS	3
#define MAZE_TABLES	20	/* roots included */

/**
 * struct maze - what to make, and how
 * @paging: for which paging
 * @rnd: random numbers below a limit
 * @set: write an entry
 * @first: frame of the first of MAZE_TABLES tables
 * @frames: frames below this are memory
 * @frame_bits: physical addresses have so many bits more than a frame's offset
 * @reserved: also entries with reserved bits
 */
struct maze {
	enum sdm_paging paging;
	__u32 (*rnd)(struct maze *maze, __u32 limit);
	void (*set)(struct maze *maze, __u64 frame, unsigned int nr, __u64 entry);
	__u64 first;
	__u64 frames;
	unsigned int frame_bits;
	bool reserved;
};

void maze_make(struct maze *maze);

/* CR3 for one of the roots: PAE's are 32 bytes somewhere in their page */
__u64 maze_cr3(const struct maze *maze, unsigned int root);

/**
 * maze_visit() - all entries that a walk can get to, in the order of addresses
 * @mem: memory
 * @cpu: registers
 * @visit: called for each that is present, with the first address that it is for;
 *	whether to go into the table that it names
 * @with: for @visit
 */
void maze_visit(const struct sdm_memory *mem, const struct sdm_cpu *cpu,
		bool (*visit)(void *with, int level, __u64 linear,
			      const struct sdm_result *t),
		void *with);

#endif /* _MAZE_H */
