// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the first processor of a guest has mapped: by hlk's walker, or all memory where it does
 * not page. Tables that are there twice are mapped twice, and a page that is mapped often
 * is one piece of memory: what is written of it is written once.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../fail.h"
#include "../pt/collect.h"
#include "ranges.h"

#define PAGE		4096ULL
#define MAX_RANGES	(1U << 20)
#define MAX_MAPPINGS	(1U << 18)
#define STEP		(64ULL << 10)
#define END32		(1ULL << 32)
#define CR0_WP		(1U << 16)
#define CR0_PG		(1U << 31)
#define CR4_PSE		(1U << 4)
#define CR4_PAE		(1U << 5)

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
	return !(map->map & HLK_MAP_NOT_RAM) && !pt_is_table(map);
}

/* A table that was met before: what it maps, again from here on */
static int add_alias(struct ranges *ranges, const struct pt_space *space,
		     const struct hlk_mapping *alias)
{
	uint64_t from = alias->alias_va, end = from + alias->pages * PAGE;
	int ret = RUN_OK;
	size_t i;

	for (i = 0; !ret && i < space->nr; i++) {
		const struct hlk_mapping *map = &space->maps[i];
		uint64_t first = map->va, last = map->va + map->pages * PAGE;

		if (!is_memory(map) || last <= from || first >= end)
			continue;
		first = first < from ? from : first;
		last = last > end ? end : last;
		ret = add(ranges, alias->va + (first - from), map->gpa + (first - map->va),
			  last - first, map->map & HLK_MAP_WRITE);
	}
	return ret;
}

static int walk(void *arg, struct hlk_walk *w)
{
	struct hlk_err err;

	return hlk_inspect_walk(arg, w, &err) ? fail_err("no core", &err) : RUN_OK;
}

static int of_tables(struct ranges *ranges, const struct state *state,
		     const struct kvm_sregs *sregs)
{
	const struct pt_options pt = {
		.paging.flags = HLK_PAGING_GIVEN | (sregs->cr0 & CR0_WP ? HLK_PAGING_WP : 0) |
				(sregs->cr4 & CR4_PSE ? HLK_PAGING_PSE : 0),
		.limit = MAX_MAPPINGS,
	};
	struct pt_space space;
	uint64_t root = sregs->cr3;
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
			ret = add_alias(ranges, &space, map);
		else if (is_memory(map))
			ret = add(ranges, map->va, map->gpa, map->pages * PAGE,
				  map->map & HLK_MAP_WRITE);
	}
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
	struct kvm_sregs sregs;
	int ret;

	*ranges = (struct ranges) {};
	if (ioctl(state->vcpu[0], KVM_GET_SREGS, &sregs))
		return fail(strerror(errno));
	if (!(sregs.cr0 & CR0_PG))
		ret = of_memory(ranges, state);
	else if (sregs.cr4 & CR4_PAE)
		ret = fail("page tables of PAE and of 64 bits are not read yet");
	else
		ret = of_tables(ranges, state, &sregs);
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
