/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest whose tables of 64-bit entries are a maze, and the second walker over it.
 */
#ifndef _MAZED_H
#define _MAZED_H

#include "../lib/maze.h"
#include "guest.h"

#define MAZED_FIRST	0x100ULL	/* frame of the first table */

/**
 * struct mazed - the guest
 * @g: its memory
 * @maze: its tables
 * @mem: its memory, for the second walker
 * @cpu: its registers, likewise
 * @paging: the same, for the code under test
 * @mode: what it makes of them
 * @roots: as in CR3
 */
struct mazed {
	struct guest g;
	struct maze maze;
	struct sdm_memory mem;
	struct sdm_cpu cpu;
	struct hlk_paging paging;
	struct pt_mode mode;
	u64 roots[MAZE_ROOTS];
};

/* Numbers come from @feed, and then from @seed; @reserved: entries with reserved bits, too */
void mazed_init(struct mazed *m, enum sdm_paging paging, u64 seed, const u8 *feed,
		size_t bytes, bool reserved);
void mazed_exit(struct mazed *m);

/* Registers changed: make the modes of them anew */
void mazed_mode(struct mazed *m);

u64 mazed_entry(struct mazed *m, u64 frame, u32 nr);
void mazed_set(struct mazed *m, u64 frame, u32 nr, u64 entry);

/* pt_translate() of an address, judged by the second walker */
void mazed_translate(struct mazed *m, u32 root, u64 va);

/* pt_walk() of a range, whole and in pieces, likewise; how many mappings there are */
u32 mazed_walk(struct mazed *m, u32 nr_roots, u64 start, u64 end);

/* pt_mark() of a range, likewise; what it returned */
int mazed_mark(struct mazed *m, u32 nr_roots, u64 start, u64 end, struct hlk_mark_cow *out);

#endif /* _MAZED_H */
