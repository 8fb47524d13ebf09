// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the first processor of a guest has mapped: by hlk's walker, or all memory where it does
 * not page. Tables that are there twice are mapped twice, and a page that is mapped often
 * is one piece of memory: what is written of it is written once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "../pt/collect.h"
#include "ranges.h"

#define PAGE		4096ULL
#define MAX_RANGES	(1U << 20)
#define MAX_MAPPINGS	(1U << 18)
#define MAX_STEPS	(1U << 24)
#define STEP		(64ULL << 10)
#define END32		(1ULL << 32)

static int fail(const char *why)
{
	fprintf(stderr, "hlk-run: no core: %s\n", why);
	return RUN_ERROR;
}

static bool goes_on(const struct range *last, uint64_t va, uint64_t gpa, bool write)
{
	return last->va + last->bytes == va && last->gpa + last->bytes == gpa &&
	       last->write == write;
}

static int add(struct ranges *ranges, uint64_t va, uint64_t gpa, uint64_t bytes, bool write)
{
	struct range *last = ranges->nr ? &ranges->range[ranges->nr - 1] : NULL;
	size_t room = ranges->room ? 2 * ranges->room : 256;

	if (last && goes_on(last, va, gpa, write)) {
		last->bytes += bytes;
		return RUN_OK;
	}
	if (ranges->nr == MAX_RANGES)
		return fail("too many mappings");
	if (ranges->nr == ranges->room) {
		last = realloc(ranges->range, room * sizeof(*last));
		if (!last)
			return fail("out of memory");
		ranges->range = last;
		ranges->room = room;
	}
	ranges->range[ranges->nr++] = (struct range) {
		.va = va, .gpa = gpa, .bytes = bytes, .write = write,
	};
	return RUN_OK;
}

static bool is_memory(const struct hlk_mapping *map)
{
	return !(map->map & (HLK_MAP_NOT_RAM | HLK_MAP_RESERVED)) && !pt_is_table(map);
}

/* The first mapping that ends behind an address: they are in its order. */
static size_t find(const struct pt_space *space, uint64_t va)
{
	size_t from = 0, to = space->nr, at;

	while (from < to) {
		at = from + (to - from) / 2;
		if (space->maps[at].va + (space->maps[at].pages * PAGE - 1) < va)
			from = at + 1;
		else
			to = at;
	}
	return from;
}

/*
 * A table that was met before: what it maps, again from @to on; and tables in it that were met
 * before, as deep as there are levels. Of a guest that makes this endless the rest
 * is left out.
 */
static int add_alias(struct ranges *ranges, const struct pt_space *space, uint64_t from,
		     uint64_t bytes, uint64_t to, uint32_t depth)
{
	uint64_t first, last;
	int ret = RUN_OK;
	size_t i;

	for (i = find(space, from); !ret && i < space->nr; i++) {
		const struct hlk_mapping *map = &space->maps[i];

		if (map->va > from + (bytes - 1))
			break;
		if (ranges->nr >= MAX_RANGES / 2 || ranges->steps++ >= MAX_STEPS) {
			ranges->cut = true;
			break;
		}
		first = map->va < from ? from : map->va;
		last = map->va + (map->pages * PAGE - 1);
		last = last > from + (bytes - 1) ? from + (bytes - 1) : last;
		if (map->map & HLK_MAP_ALIAS && depth)
			ret = add_alias(ranges, space, map->alias_va + (first - map->va),
					last - first + 1, to + (first - from), depth - 1);
		else if (is_memory(map))
			ret = add(ranges, to + (first - from), map->gpa + (first - map->va),
				  last - first + 1, map->map & HLK_MAP_WRITE);
	}
	return ret;
}

static int walk(void *arg, struct hlk_walk *w)
{
	struct hlk_err err;

	return hlk_inspect_walk(arg, w, &err) ? fail_err("no core", &err) : RUN_OK;
}

static int of_tables(struct ranges *ranges, const struct state *state,
		     const struct hlk_paging *paging, uint64_t root)
{
	const struct pt_options pt = { .paging = *paging, .limit = MAX_MAPPINGS };
	struct pt_space space;
	size_t i;
	int ret;

	ret = pt_space_init(&space, &root, 1);
	if (!ret)
		ret = pt_collect(&space, &pt, walk, state->inspect);
	if (!ret && space.cut)
		ret = fail("too many mappings");
	for (i = 0; !ret && i < space.nr; i++) {
		const struct hlk_mapping *map = &space.maps[i];

		if (map->map & HLK_MAP_ALIAS)
			ret = add_alias(ranges, &space, map->alias_va, map->pages * PAGE,
					map->va, HLK_PAGING_LEVELS);
		else if (is_memory(map))
			ret = add(ranges, map->va, map->gpa, map->pages * PAGE,
				  map->map & HLK_MAP_WRITE);
	}
	if (ranges->cut)
		fprintf(stderr, "hlk-run: the core leaves out tables that are mapped again and again\n");
	pt_space_free(&space);
	return ret;
}

/* Where it does not page: memory below 4 GiB, wherever there is some */
static int of_memory(struct ranges *ranges, const struct state *state)
{
	unsigned char byte;
	uint64_t at;
	int ret = RUN_OK;

	for (at = 0; !ret && at < END32; at += STEP)
		if (!state_read(state, at, &byte, 1) &&
		    !state_read(state, at + STEP - 1, &byte, 1))
			ret = add(ranges, at, at, STEP, true);
	return ret;
}

static int by_gpa(const void *a, const void *b)
{
	const struct range *one = a, *other = b;

	return one->gpa < other->gpa ? -1 : one->gpa > other->gpa;
}

/* Each byte of memory in one piece */
static int make_pieces(struct ranges *ranges)
{
	struct range *last = NULL, *piece;
	uint64_t end;
	size_t i;

	ranges->piece = calloc(ranges->nr ? ranges->nr : 1, sizeof(*piece));
	if (!ranges->piece)
		return fail("out of memory");
	memcpy(ranges->piece, ranges->range, ranges->nr * sizeof(*piece));
	qsort(ranges->piece, ranges->nr, sizeof(*piece), by_gpa);
	for (i = 0; i < ranges->nr; i++) {
		piece = &ranges->piece[i];
		if (last && piece->gpa <= last->gpa + last->bytes) {
			end = piece->gpa + piece->bytes;
			if (end > last->gpa + last->bytes)
				last->bytes = end - last->gpa;
			continue;
		}
		last = &ranges->piece[ranges->nr_pieces++];
		*last = *piece;
	}
	return RUN_OK;
}

/**
 * ranges_collect() - what has a guest mapped?
 * @ranges: out: the answer, to be freed also after a failure
 * @state: the guest
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int ranges_collect(struct ranges *ranges, const struct state *state)
{
	struct hlk_paging paging;
	__u64 root;
	int ret;

	*ranges = (struct ranges) {};
	ret = state_paging(state, 0, &paging, &root);
	if (ret == ENOTSUP)
		ret = of_memory(ranges, state);
	else if (ret)
		ret = fail(strerror(ret));
	else
		ret = of_tables(ranges, state, &paging, root);
	return ret ? ret : make_pieces(ranges);
}

/**
 * ranges_piece() - the piece of memory that an address is in
 * @ranges: all of them
 * @gpa: the address, of a range
 *
 * Return: the piece, or NULL
 */
const struct range *ranges_piece(const struct ranges *ranges, uint64_t gpa)
{
	size_t from = 0, to = ranges->nr_pieces, at;

	while (from < to) {
		at = from + (to - from) / 2;
		if (gpa < ranges->piece[at].gpa)
			to = at;
		else if (gpa - ranges->piece[at].gpa >= ranges->piece[at].bytes)
			from = at + 1;
		else
			return &ranges->piece[at];
	}
	return NULL;
}

/**
 * ranges_free() - undo ranges_collect()
 * @ranges: what it filled in
 */
void ranges_free(struct ranges *ranges)
{
	free(ranges->range);
	free(ranges->piece);
}
