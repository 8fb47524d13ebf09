// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer: bytes choose tables of 64-bit entries, which are translated by, walked or
 * marked, and judged by the second walker. PT_FORMAT= is the format: 0 for PAE, 1 for 4 and
 * 2 for 5 levels; without it the first byte says. The second says what is done.
 */
#include "mazed.h"
#include "tap.h"
#include "walking.h"

#define HOW_WHAT	0x03
#define HOW_RESERVED	0x04
#define HOW_RANGE	0x08
#define HOW_MEDDLE	0x10
#define HOW_FAIL	0x20

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const u8 bits[] = { 32, 48, 57 };

/* An entry changes between two reads; what comes out need only be whole. */
static void meddle(struct guest *g, u64 gfn)
{
	struct mazed *m = container_of(g, struct mazed, g);
	long fail_at = shim.fail_at;

	(void)gfn;
	shim.fail_at = 0;
	if (guest_chance(g, 20))
		mazed_set(m, MAZED_FIRST + guest_below(g, MAZE_TABLES), guest_below(g, 512),
			  guest_random(g));
	shim.fail_at = fail_at;
}

/* Whatever happens: it ends, and gives back what it took. */
static void blindly(struct mazed *m, u64 start, u64 end, bool marks)
{
	struct query q = { .g = &m->g, .roots = m->roots, .nr_roots = MAZE_ROOTS,
			   .start = start, .end = end, .pt = &m->mode };
	struct hlk_mark_cow out = {};
	struct pt_mark mark = { .gmem = &m->g.gmem, .mode = m->mode, .roots = m->roots,
				.nr_roots = MAZE_ROOTS, .start = start, .end = end,
				.max_tables = 50, .out = &out };
	struct hlk_why_at at = {};
	struct collect c;
	struct list list;

	if (marks) {
		pt_mark(&mark, &at);
		return;
	}
	list_init(&list);
	collect_init(&c, &q, &list);
	c.walk.max_tables = 50;
	pt_walk(&c.walk, &at);
	list_exit(&list);
}

static bool probe(void *with, int level, __u64 linear, const struct sdm_result *t)
{
	struct mazed *m = with;
	u64 most = (1ULL << bits[m->cpu.paging]) - 1;
	u32 root = ((m->cpu.cr3 >> 12) & 0xfff) - MAZED_FIRST;

	mazed_translate(m, root, sdm_canonical(m->cpu.paging, linear));
	mazed_translate(m, root, sdm_canonical(m->cpu.paging, (linear - 1) & most));
	return t->level < level;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *format = getenv("PT_FORMAT");
	struct hlk_mark_cow out;
	struct mazed m;
	u64 start = 0;
	u64 end;
	u32 paging;
	u8 how;

	/* no bytes are zeroes, so that a fuzzer has something to begin with */
	paging = (format ? (u32)atoi(format) : size ? data[0] : 0) % 3;
	how = size > 1 ? data[1] : 0;
	mazed_init(&m, paging, size, size > 2 ? data + 2 : NULL, size > 2 ? size - 2 : 0,
		   how & HOW_RESERVED);
	end = 1ULL << bits[paging];
	if (how & HOW_RANGE) {
		start = (guest_random(&m.g) & (end - 1)) >> guest_below(&m.g, 45) & ~4095ULL;
		end = min_t(u64, end, start + (4096ULL << guest_below(&m.g, 46)));
	}
	if (how & (HOW_MEDDLE | HOW_FAIL)) {
		m.g.meddle = how & HOW_MEDDLE ? meddle : NULL;
		shim.tries = 0;
		shim.fail_at = how & HOW_FAIL ? 1 + guest_below(&m.g, 40) : 0;
		blindly(&m, start, end, how & 1);
		shim.fail_at = 0;
	} else if ((how & HOW_WHAT) == 0) {
		m.cpu.cr3 = m.roots[0];
		maze_visit(&m.mem, &m.cpu, probe, &m);
	} else if ((how & HOW_WHAT) == 1) {
		mazed_mark(&m, MAZE_ROOTS, start, end, &out);
	} else {
		mazed_walk(&m, MAZE_ROOTS, start, end);
	}
	mazed_exit(&m);
	SHIM_ASSERT(!shim.allocs && !shim.pages && !shim.maps && !tap_failed());
	return 0;
}
