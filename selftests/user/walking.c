// SPDX-License-Identifier: GPL-2.0-only
#include "tap.h"
#include "walking.h"

static int collect_emit(struct pt_walk *walk, const struct hlk_mapping *mapping)
{
	struct collect *c = container_of(walk, struct collect, walk);

	if (c->list->nr == c->list->room)
		return c->list->err ?: 1;
	c->list->at[c->list->nr++] = *mapping;
	return 0;
}

/* They are large, and used by the hundred thousand: a few are kept. */
static struct hlk_mapping *spare[4];

void list_init(struct list *list)
{
	u32 i;

	list->at = NULL;
	for (i = 0; i < ARRAY_SIZE(spare) && !list->at; i++) {
		list->at = spare[i];
		spare[i] = NULL;
	}
	if (!list->at)
		list->at = calloc(MAX_LIST, sizeof(*list->at));
	list->nr = 0;
	list->room = MAX_LIST;
	list->err = 0;
}

void list_exit(struct list *list)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(spare); i++) {
		if (!spare[i]) {
			spare[i] = list->at;
			return;
		}
	}
	free(list->at);
}

void query_init(struct query *q, struct guest *g, const u64 *roots, u32 nr)
{
	static const struct i686_mode usual = { .wp = true, .pse = true, .maxphyaddr = 40 };

	*q = (struct query){ .g = g, .mode = usual, .roots = roots, .nr_roots = nr,
			     .end = 1ULL << 32 };
}

void collect_init(struct collect *c, const struct query *q, struct list *list)
{
	memset(c, 0, sizeof(*c));
	c->list = list;
	c->walk.gmem = &q->g->gmem;
	c->walk.mode = q->pt ? *q->pt : guest_mode(&q->mode);
	c->walk.roots = q->roots;
	c->walk.nr_roots = q->nr_roots;
	c->walk.start = q->start;
	c->walk.end = q->end;
	c->walk.max_tables = 10000;
	c->walk.emit = collect_emit;
}

int walk_all(const struct query *q, struct list *list, u64 *tables)
{
	struct hlk_why_at at = {};
	struct collect c;
	int ret;

	list_init(list);
	collect_init(&c, q, list);
	ret = pt_walk(&c.walk, &at);
	CHECK_EQ(c.walk.done, !ret);
	if (!ret)
		CHECK_EQ(c.walk.cursor, 0);
	*tables = c.walk.tables_read;
	return ret;
}

void walk_steps(const struct query *q, struct list *list, u32 step)
{
	struct hlk_why_at at = {};
	struct collect c;
	u32 calls = 0;
	u32 before;

	list_init(list);
	collect_init(&c, q, list);
	do {
		before = list->nr;
		list->room = min_t(u32, list->nr + step, MAX_LIST);
		if (!CHECK_EQ(pt_walk(&c.walk, &at), 0))
			break;
		if (!c.walk.done && !CHECK(list->nr == before + step))
			break;
	} while (!c.walk.done && CHECK(calls++ < MAX_LIST));
}

bool joinable(const struct hlk_mapping *a, const struct hlk_mapping *b)
{
	return a->root == b->root && a->map == b->map && !(a->map & WHOLE_SLOT) &&
	       a->attributes == b->attributes && a->page_shift == b->page_shift &&
	       a->va + a->pages * 4096ULL == b->va && a->gpa + a->pages * 4096ULL == b->gpa;
}

void check_same(const struct list *a, const struct list *b)
{
	CHECK_EQ(a->nr, b->nr);
	if (a->nr == b->nr)
		CHECK(!memcmp(a->at, b->at, a->nr * sizeof(*a->at)));
}
