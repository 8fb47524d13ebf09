// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run pt: what is different between two moments.
 *
 * The ranges of both are gone through by address, and cut where either ends. Contents are
 * compared where a page is mapped at both moments, by address again, since a snapshot may
 * have moved it; each page of the later moment once, where it is met first, so that time
 * grows with memory, whatever a guest maps how often.
 */
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "diff.h"

/* of a leaf's attributes */
#define A	0x20
#define D	0x40

/**
 * struct side - the ranges of one moment
 * @space: all of them
 * @at: the one that is looked at
 * @done: how much of it is behind
 */
struct side {
	const struct pt_space *space;
	size_t at;
	uint64_t done;
};

/**
 * struct compare - a comparison that is under way
 * @diff: what it finds
 * @was: the earlier moment
 * @is: the later one
 * @next: for each page of the later one the first that was not compared, from it on; by
 *	way of others
 */
struct compare {
	struct pt_diff *diff;
	const struct pt_moment *was;
	const struct pt_moment *is;
	uint32_t *next;
};

/* Where something is: root by root, and that by address */
struct place {
	uint32_t root;
	uint64_t page;
};

static bool before(struct place a, struct place b)
{
	return a.root != b.root ? a.root < b.root : a.page < b.page;
}

static int no_memory(void)
{
	return fail_say("out of memory");
}

static bool side_ended(const struct side *side)
{
	return side->at == side->space->nr;
}

static const struct hlk_mapping *side_map(const struct side *side)
{
	return &side->space->maps[side->at];
}

/* Behind all addresses at the end */
static struct place side_place(const struct side *side)
{
	if (side_ended(side))
		return (struct place) { UINT32_MAX, UINT64_MAX };
	return (struct place) { side_map(side)->root,
				side_map(side)->va / PT_PAGE + side->done };
}

static uint64_t side_left(const struct side *side)
{
	return side_map(side)->pages - side->done;
}

static void side_skip(struct side *side, uint64_t pages)
{
	side->done += pages;
	while (!side_ended(side) && side->done >= side_map(side)->pages) {
		side->at++;
		side->done = 0;
	}
}

/* A part of the range that is looked at */
static struct hlk_mapping side_part(const struct side *side, uint64_t pages)
{
	struct hlk_mapping map = *side_map(side);

	map.va += side->done * PT_PAGE;
	if (!pt_is_table(&map))
		map.gpa += side->done * PT_PAGE;
	map.pages = pages;
	return map;
}

/* Where a list ends before its guest does, what follows is not known. */
static struct place known_until(const struct pt_space *space)
{
	const struct hlk_mapping *last;

	if (!space->cut || !space->nr)
		return (struct place) { space->cut ? 0 : UINT32_MAX, space->cut ? 0 : UINT64_MAX };
	last = &space->maps[space->nr - 1];
	return (struct place) { last->root, last->va / PT_PAGE + last->pages };
}

/* ---- what was found ---- */

static bool goes_on(const struct hlk_mapping *a, const struct hlk_mapping *b)
{
	if (a->map != b->map || a->page_shift != b->page_shift ||
	    (a->attributes ^ b->attributes) & ~(uint64_t)(A | D))
		return false;
	if (pt_is_table(a))
		return a->gpa == b->gpa && a->alias_va == b->alias_va &&
		       a->alias_root == b->alias_root;
	return a->gpa + a->pages * PT_PAGE == b->gpa;
}

/* Does the change continue the one before it? */
static bool continues(const struct pt_change *last, const struct pt_change *change)
{
	if (last->root != change->root || last->what != change->what ||
	    last->page + last->pages != change->page)
		return false;
	return (change->what & PT_CAME || goes_on(&last->was, &change->was)) &&
	       (change->what & PT_WENT || goes_on(&last->is, &change->is));
}

static int add(struct pt_diff *diff, const struct pt_change *change, size_t *last)
{
	struct pt_change *old = *last < diff->nr ? &diff->change[*last] : NULL;
	unsigned int bit;

	for (bit = 0; bit < PT_CHANGES; bit++)
		if (change->what & 1U << bit)
			diff->pages[bit] += change->pages;
	if (old && continues(old, change)) {
		old->pages += change->pages;
		old->was.pages += change->was.pages;
		old->is.pages += change->is.pages;
		return RUN_OK;
	}
	if (diff->nr == diff->room) {
		size_t room = diff->room ? 2 * diff->room : 256;
		struct pt_change *more = realloc(diff->change, room * sizeof(*more));

		if (!more)
			return no_memory();
		diff->change = more;
		diff->room = room;
	}
	*last = diff->nr;
	diff->change[diff->nr++] = *change;
	return RUN_OK;
}

static uint32_t differs(const struct hlk_mapping *was, const struct hlk_mapping *is)
{
	bool alias = was->alias_va != is->alias_va || was->alias_root != is->alias_root;

	return (was->gpa != is->gpa ? PT_MOVED : 0) |
	       (was->map != is->map || was->page_shift != is->page_shift ||
		(alias && is->map & HLK_MAP_ALIAS) ? PT_RIGHTS : 0) |
	       ((was->attributes ^ is->attributes) & ~(uint64_t)(A | D) ? PT_ATTRIBUTES : 0);
}

/* ---- contents ---- */

/* The first page from this one on that was not compared */
static uint32_t next_page(uint32_t *next, uint32_t page)
{
	uint32_t first = page, then;

	while (next[first] != first)
		first = next[first];
	for (; next[page] != page; page = then) {
		then = next[page];
		next[page] = first;
	}
	return first;
}

static bool has_pages(const struct hlk_mapping *map)
{
	return !pt_is_table(map) && !(map->map & HLK_MAP_NOT_RAM);
}

static int compare_contents(struct compare *c, const struct pt_change *both, size_t *last)
{
	const struct pt_pages *was = &c->was->pages, *is = &c->is->pages;
	uint64_t old, new, i, page, off;
	struct pt_change change = *both;
	int ret = RUN_OK;

	if (!has_pages(&both->was) || !has_pages(&both->is))
		return RUN_OK;
	old = pt_pages_number(was, both->was.gpa);
	new = pt_pages_number(is, both->is.gpa);
	change.what = PT_CONTENTS;
	change.pages = 1;
	change.was.pages = 1;
	change.is.pages = 1;
	for (i = 0; i < both->pages && !ret; i++) {
		page = next_page(c->next, new + i);
		i = page - new;
		if (i >= both->pages)
			break;
		c->next[page] = page + 1;
		if (!memcmp(&was->digest[old + i], &is->digest[page], PT_DIGEST))
			continue;
		off = i * PT_PAGE;
		change.page = both->page + i;
		change.was.va = both->was.va + off;
		change.was.gpa = both->was.gpa + off;
		change.is.va = both->is.va + off;
		change.is.gpa = both->is.gpa + off;
		ret = add(c->diff, &change, last);
	}
	return ret;
}

/* ---- ranges ---- */

/**
 * struct lasts - the changes that a new one may continue
 * @map: of mappings
 * @contents: of contents
 */
struct lasts {
	size_t map;
	size_t contents;
};

/* So many pages of both */
static int compare_part(struct compare *c, const struct pt_change *both, struct lasts *lasts)
{
	struct pt_change change = *both;
	uint64_t set = change.is.attributes & ~change.was.attributes;
	int ret = RUN_OK;

	if (!pt_is_table(&change.was) && !pt_is_table(&change.is)) {
		c->diff->accessed += set & A ? change.pages : 0;
		c->diff->dirty += set & D ? change.pages : 0;
	}
	change.what = differs(&change.was, &change.is);
	if (change.what)
		ret = add(c->diff, &change, &lasts->map);
	return ret ? ret : compare_contents(c, &change, &lasts->contents);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The next part that is mapped at one moment, or at both and without a cut */
static int step(struct compare *c, struct side *was, struct side *is, struct place end,
		struct lasts *lasts)
{
	struct place p = side_place(was), q = side_place(is);
	bool old = !before(q, p), new = !before(p, q);
	struct place at = old ? p : q;
	struct pt_change change = { .root = at.root, .page = at.page };
	uint64_t pages = UINT64_MAX;
	int ret;

	if (old)
		pages = least(pages, side_left(was));
	else if (p.root == at.root)
		pages = least(pages, p.page - at.page);
	if (new)
		pages = least(pages, side_left(is));
	else if (q.root == at.root)
		pages = least(pages, q.page - at.page);
	if (end.root == at.root)
		pages = least(pages, end.page - at.page);
	change.pages = pages;
	change.what = old ? PT_WENT : PT_CAME;
	if (old)
		change.was = side_part(was, pages);
	if (new)
		change.is = side_part(is, pages);
	ret = old && new ? compare_part(c, &change, lasts) :
			   add(c->diff, &change, &lasts->map);
	if (old)
		side_skip(was, pages);
	if (new)
		side_skip(is, pages);
	return ret;
}

static int by_place(const void *a, const void *b)
{
	const struct pt_change *x = a, *y = b;

	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return x->what < y->what ? -1 : x->what > y->what;
}

static int compare_all(struct compare *c)
{
	struct side was = { .space = &c->was->space };
	struct side is = { .space = &c->is->space };
	struct place end = known_until(was.space), other = known_until(is.space);
	struct lasts lasts = { SIZE_MAX, SIZE_MAX };
	int ret = RUN_OK;

	if (before(other, end))
		end = other;
	while (!ret && (before(side_place(&was), end) || before(side_place(&is), end)))
		ret = step(c, &was, &is, end, &lasts);
	return ret;
}

/**
 * pt_compare() - find what is different
 * @diff: what to fill
 * @was: the earlier moment
 * @is: the later one
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_compare(struct pt_diff *diff, const struct pt_moment *was, const struct pt_moment *is)
{
	struct compare c = { .diff = diff, .was = was, .is = is };
	uint64_t i;
	int ret;

	memset(diff, 0, sizeof(*diff));
	c.next = calloc(is->pages.total + 1, sizeof(*c.next));
	if (!c.next)
		return no_memory();
	for (i = 0; i <= is->pages.total; i++)
		c.next[i] = i;
	ret = compare_all(&c);
	free(c.next);
	if (diff->nr)
		qsort(diff->change, diff->nr, sizeof(*diff->change), by_place);
	return ret;
}

/**
 * pt_diff_free() - forget what was found
 * @diff: it, or zero
 */
void pt_diff_free(struct pt_diff *diff)
{
	free(diff->change);
	memset(diff, 0, sizeof(*diff));
}
