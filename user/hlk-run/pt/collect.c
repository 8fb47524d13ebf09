// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run pt: collecting what the page tables map.
 *
 * All is read before anything is printed, so that another program rests no
 * longer than that. What there is to read is up to the guest, so a limit ends
 * it: a table of each root can give a range for each of its entries.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "collect.h"

#define DEFAULT_LIMIT	(1ULL << 18)

/*
 * Ranges of one call. Many, for a call that goes on looks at all directories
 * before its cursor again.
 */
#define BATCH		(1U << 14)

static int no_memory(void)
{
	return fail_say("out of memory");
}

/**
 * pt_space_init() - begin with a list of roots
 * @space: what to fill
 * @roots: the roots, as in CR3
 * @nr: how many; 0 is the one in CR3 of vCPU 0
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_space_init(struct pt_space *space, const uint64_t *roots, uint32_t nr)
{
	uint32_t i;

	memset(space, 0, sizeof(*space));
	space->nr_roots = nr ? nr : 1;
	space->roots = calloc(space->nr_roots, sizeof(*space->roots));
	if (!space->roots)
		return no_memory();
	space->roots[0].addr = PT_NO_ADDR;
	for (i = 0; i < nr; i++)
		space->roots[i].addr = roots[i] & PT_ROOT_BITS;
	return RUN_OK;
}

/**
 * pt_space_free() - free what was collected
 * @space: what was filled, or zero
 */
void pt_space_free(struct pt_space *space)
{
	free(space->roots);
	free(space->maps);
	memset(space, 0, sizeof(*space));
}

static int make_room(struct pt_space *space, size_t want)
{
	struct hlk_mapping *maps;

	if (want <= space->room)
		return RUN_OK;
	if (want < 2 * space->room)
		want = 2 * space->room;
	maps = realloc(space->maps, want * sizeof(*maps));
	if (!maps)
		return no_memory();
	space->maps = maps;
	space->room = want;
	return RUN_OK;
}

/* The module is trusted, but a mapping names a root, and that is an index. */
static int check_roots(const struct pt_space *space, size_t from)
{
	for (; from < space->nr; from++)
		if (space->maps[from].root >= space->nr_roots)
			return fail_say("the module made up a root");
	return RUN_OK;
}

static int collect(struct pt_space *space, struct hlk_walk *w, uint64_t limit,
		   pt_walk_fn walk, void *arg)
{
	uint64_t left;
	int ret;

	do {
		left = limit - space->nr;
		if (!left) {
			space->cut = true;
			return RUN_OK;
		}
		w->nr_mappings = left < BATCH ? left : BATCH;
		ret = make_room(space, space->nr + w->nr_mappings);
		if (ret)
			return ret;
		w->mappings = (uintptr_t)(space->maps + space->nr);
		ret = walk(arg, w);
		if (ret)
			return ret;
		space->nr += w->nr_mappings;
		space->format = w->format;
		ret = check_roots(space, space->nr - w->nr_mappings);
		if (ret)
			return ret;
	} while (w->cursor);
	return RUN_OK;
}

/**
 * pt_collect() - list what the roots map
 * @space: with its roots; the rest is filled in
 * @pt: range, modes and limit
 * @walk: how to walk
 * @arg: its first argument
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_collect(struct pt_space *space, const struct pt_options *pt,
	       pt_walk_fn walk, void *arg)
{
	uint64_t limit = pt->limit ? pt->limit : DEFAULT_LIMIT;
	struct hlk_walk w = {
		.paging = pt->paging,
		.start = pt->start,
		.end = pt->end,
		.mapping_size = sizeof(*space->maps),
	};
	uint64_t *roots = NULL;
	uint32_t i;
	int ret;

	if (space->roots[0].addr != PT_NO_ADDR) {
		roots = calloc(space->nr_roots, sizeof(*roots));
		if (!roots)
			return no_memory();
		for (i = 0; i < space->nr_roots; i++)
			roots[i] = space->roots[i].addr;
		w.roots = (uintptr_t)roots;
		w.nr_roots = space->nr_roots;
	}
	ret = collect(space, &w, limit, walk, arg);
	free(roots);
	return ret;
}

/**
 * pt_way_ends() - does a translation that failed say where the way ended?
 * @translate: what came back
 */
bool pt_way_ends(const struct hlk_translate *translate)
{
	switch (translate->head.why) {
	case HLK_WHY_NOT_PRESENT:
	case HLK_WHY_NOT_RAM:
	case HLK_WHY_PDE_RESERVED:
		return true;
	default:
		return false;
	}
}

/**
 * pt_find() - the way to one address, in each root
 * @space: with its roots
 * @pt: modes and the address
 * @translate: how to translate
 * @arg: its first argument
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_find(struct pt_space *space, const struct pt_options *pt,
	    pt_translate_fn translate, void *arg)
{
	struct hlk_translate *at;
	uint32_t i;
	int ret = RUN_OK;

	for (i = 0; i < space->nr_roots && !ret; i++) {
		at = &space->roots[i].at;
		at->paging = pt->paging;
		at->va = pt->at;
		at->root = space->roots[i].addr;
		if (space->roots[i].addr == PT_NO_ADDR)
			at->root = HLK_ROOT_CR3;
		ret = translate(arg, at);
		space->format = at->format;
	}
	return ret;
}

/**
 * pt_width() - digits of an address
 * @space: what was collected
 */
int pt_width(const struct pt_space *space)
{
	return space->format >= HLK_FORMAT_4LEVEL ? 16 : 8;
}

/**
 * pt_root_addr() - where a root's table is
 * @space: what was collected
 * @root: the root
 *
 * PAE's begins anywhere in a page; with the others the low bits of CR3 are flags or PCID.
 */
uint64_t pt_root_addr(const struct pt_space *space, uint32_t root)
{
	uint64_t addr = space->roots[root].addr;

	return space->format == HLK_FORMAT_PAE ? addr : addr & ~(PT_PAGE - 1);
}

/**
 * pt_is_table() - does it stand for a whole table, not for pages?
 * @map: the range
 */
bool pt_is_table(const struct hlk_mapping *map)
{
	return map->map & (HLK_MAP_ALIAS | HLK_MAP_TABLE_NOT_RAM | HLK_MAP_RESERVED);
}

/**
 * pt_kind() - what a range is, in one word
 * @map: the range
 */
enum pt_kind pt_kind(const struct hlk_mapping *map)
{
	bool user = map->map & HLK_MAP_USER;

	if (map->map & HLK_MAP_ALIAS)
		return PT_ALIAS;
	if (map->map & HLK_MAP_TABLE_NOT_RAM)
		return PT_LOST_TABLE;
	if (map->map & HLK_MAP_RESERVED)
		return PT_RESERVED;
	if (map->map & HLK_MAP_NOT_RAM)
		return PT_NOT_RAM;
	if (map->map & HLK_MAP_COW)
		return user ? PT_USER_COW : PT_SUPER_COW;
	if (map->map & HLK_MAP_WRITE)
		return user ? PT_USER_WRITE : PT_SUPER_WRITE;
	return user ? PT_USER_READ : PT_SUPER_READ;
}

static void add(struct pt_totals *totals, const struct hlk_mapping *map)
{
	totals->ranges++;
	if (map->map & HLK_MAP_ALIAS)
		totals->alias_tables++;
	else if (map->map & HLK_MAP_TABLE_NOT_RAM)
		totals->lost_tables++;
	else if (map->map & HLK_MAP_RESERVED)
		totals->reserved++;
	if (pt_is_table(map))
		return;
	totals->pages += map->pages;
	totals->write += map->map & HLK_MAP_WRITE ? map->pages : 0;
	totals->user += map->map & HLK_MAP_USER ? map->pages : 0;
	totals->cow += map->map & HLK_MAP_COW ? map->pages : 0;
	totals->exec += map->map & HLK_MAP_NX ? 0 : map->pages;
	totals->large += map->map & HLK_MAP_LARGE ? map->pages : 0;
	totals->not_ram += map->map & HLK_MAP_NOT_RAM ? map->pages : 0;
}

/* Where a range of physical memory begins or ends */
struct edge {
	uint64_t gpa;
	int32_t all;
	int32_t write;
};

static int by_gpa(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

static void sweep(struct pt_phys *phys, const struct edge *edge, size_t nr)
{
	int64_t write = 0;
	int64_t all = 0;
	uint64_t pages;
	size_t i;

	for (i = 0; i + 1 < nr; i++) {
		all += edge[i].all;
		write += edge[i].write;
		pages = (edge[i + 1].gpa - edge[i].gpa) / PT_PAGE;
		phys->pages += all > 0 ? pages : 0;
		phys->shared += all > 1 ? pages : 0;
		phys->shared_write += all > 1 && write > 0 ? pages : 0;
	}
}

static int count_phys(struct pt_space *space)
{
	struct edge *edge;
	size_t nr = 0;
	size_t i;

	if (!space->nr)
		return RUN_OK;
	edge = calloc(2 * space->nr, sizeof(*edge));
	if (!edge)
		return no_memory();
	for (i = 0; i < space->nr; i++) {
		const struct hlk_mapping *map = &space->maps[i];
		int write = !!(map->map & HLK_MAP_WRITE);

		if (pt_is_table(map) || map->map & HLK_MAP_NOT_RAM)
			continue;
		edge[nr++] = (struct edge) { map->gpa, 1, write };
		edge[nr++] = (struct edge) { map->gpa + map->pages * PT_PAGE,
					     -1, -write };
	}
	qsort(edge, nr, sizeof(*edge), by_gpa);
	sweep(&space->phys, edge, nr);
	free(edge);
	return RUN_OK;
}

/**
 * pt_count() - make the sums of what was collected
 * @space: what was collected
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_count(struct pt_space *space)
{
	uint32_t root = 0;
	size_t i;

	for (i = 0; i < space->nr; i++) {
		for (; root < space->maps[i].root; root++)
			space->roots[root + 1].first = i;
		add(&space->roots[space->maps[i].root].totals, &space->maps[i]);
	}
	for (; root + 1 < space->nr_roots; root++)
		space->roots[root + 1].first = space->nr;
	return count_phys(space);
}

/**
 * pt_root_end() - one behind a root's last range
 * @space: what was collected and counted
 * @root: the root
 */
size_t pt_root_end(const struct pt_space *space, uint32_t root)
{
	return root + 1 < space->nr_roots ? space->roots[root + 1].first :
					    space->nr;
}
