// SPDX-License-Identifier: GPL-2.0-only
/* What cores take of a guest's tables, which are made up: tables that are there again. */
#include <stdlib.h>
#include <string.h>

#include "../../libhlk/tests/tap.h"
#include "../debug/ranges.h"
#include "../fail.h"
#include "../pt/collect.h"

#define PAGE	4096ULL
#define LEVELS	4U
#define FAN	80U
#define TABLE	(1ULL << 52)	/* room for what one of them maps */

int __wrap_state_paging(const struct state *state, uint32_t cpu, struct hlk_paging *paging,
			__u64 *root);
int __wrap_pt_collect(struct pt_space *space, const struct pt_options *pt, pt_walk_fn walk,
		      void *arg);

int __wrap_state_paging(const struct state *state, uint32_t cpu, struct hlk_paging *paging,
			__u64 *root)
{
	(void)state;
	(void)cpu;
	memset(paging, 0, sizeof(*paging));
	*root = PAGE;
	return 0;
}

static struct hlk_mapping *maps;
static size_t nr;

int __wrap_pt_collect(struct pt_space *space, const struct pt_options *pt, pt_walk_fn walk,
		      void *arg)
{
	(void)pt, (void)walk, (void)arg;
	space->maps = maps;
	space->nr = nr;
	return RUN_OK;
}

static void begin(void)
{
	maps = calloc(LEVELS * FAN + 1, sizeof(*maps));
	if (!maps)
		abort();
	nr = 0;
}

static void map(uint64_t va, uint64_t gpa, uint64_t pages)
{
	maps[nr++] = (struct hlk_mapping) { .va = va, .gpa = gpa, .pages = pages };
}

static void map_again(uint64_t va, uint64_t of, uint64_t pages)
{
	map(va, 0, pages);
	maps[nr - 1].map = HLK_MAP_ALIAS;
	maps[nr - 1].alias_va = of;
}

static void test_again(void)
{
	const struct state none = {};
	struct ranges ranges;

	begin();
	map(0, 16 * PAGE, 2);
	map(4 * PAGE, 32 * PAGE, 1);
	map_again(TABLE, 0, 5);
	tap(!ranges_collect(&ranges, &none) && ranges.nr == 4 && !ranges.cut &&
	    ranges.range[3].va == TABLE + 4 * PAGE && ranges.range[3].gpa == 32 * PAGE,
	    "a table that is there twice is mapped twice");
	tap(ranges.nr_pieces == 2 && ranges_piece(&ranges, 17 * PAGE) == ranges.piece &&
	    !ranges_piece(&ranges, 18 * PAGE), "and is in memory once");
	ranges_free(&ranges);
}

/* Tables of tables that are there again, and at the end of them nothing */
static void test_endless(void)
{
	const struct state none = {};
	uint64_t pages = 1, va;
	struct ranges ranges;
	unsigned int level, i;

	begin();
	map(0, 16 * PAGE, 1);
	for (level = 1; level <= LEVELS; level++, pages *= FAN)
		for (i = 0; i < FAN; i++) {
			va = level * TABLE + i * pages * PAGE;
			map_again(va, (level - 1) * TABLE + (level == 1 ? TABLE / 2 : 0), pages);
		}
	tap(!ranges_collect(&ranges, &none) && ranges.nr == 1 && ranges.cut,
	    "tables without end come to one");
	ranges_free(&ranges);
}

int main(void)
{
	test_again();
	test_endless();
	return tap_done();
}
