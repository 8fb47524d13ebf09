/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --core: what a guest has mapped where. */
#ifndef HLK_RUN_DEBUG_RANGES_H
#define HLK_RUN_DEBUG_RANGES_H

#include "state.h"

/**
 * struct range - pages that follow each other, in both kinds of addresses
 * @va: virtual address
 * @gpa: guest-physical address
 * @bytes: how much
 * @at: where they are in a file
 * @write: they are writable
 */
struct range {
	uint64_t va;
	uint64_t gpa;
	uint64_t bytes;
	uint64_t at;
	bool write;
};

/**
 * struct ranges - what a guest has mapped
 * @nr: length of @range
 * @room: how many it has room for
 * @range: by virtual address, as the tables have it
 * @cut: there would be too many, or it would take too long to find them
 * @steps: mappings that were looked at for aliases
 * @nr_pieces: length of @piece
 * @piece: the same memory once, by guest-physical address; @va of it means nothing
 */
struct ranges {
	size_t nr;
	size_t room;
	struct range *range;
	bool cut;
	uint64_t steps;
	size_t nr_pieces;
	struct range *piece;
};

int ranges_collect(struct ranges *ranges, const struct state *state);
const struct range *ranges_piece(const struct ranges *ranges, uint64_t gpa);
void ranges_free(struct ranges *ranges);

#endif /* HLK_RUN_DEBUG_RANGES_H */
