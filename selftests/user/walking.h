/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks, and lists of what they report.
 */
#ifndef _WALKING_H
#define _WALKING_H

#include "guest.h"

#define MAX_LIST 70000

/**
 * struct list - mappings
 * @at: the array
 * @nr: how many
 * @room: how many fit
 * @err: what emit returns when none does
 */
struct list {
	struct hlk_mapping *at;
	u32 nr;
	u32 room;
	int err;
};

/**
 * struct query - a walk to be made
 * @g: the guest
 * @mode: modes of 32-bit paging
 * @roots: directories
 * @nr_roots: how many
 * @start: first address
 * @end: first address not walked
 * @pt: modes, if it is not 32-bit paging
 */
struct query {
	struct guest *g;
	struct i686_mode mode;
	const u64 *roots;
	u32 nr_roots;
	u64 start;
	u64 end;
	const struct pt_mode *pt;
};

struct collect {
	struct pt_walk walk;
	struct list *list;
};

#define WHOLE_SLOT (HLK_MAP_ALIAS | HLK_MAP_TABLE_NOT_RAM | HLK_MAP_RESERVED)

void list_init(struct list *list);
void list_exit(struct list *list);
void query_init(struct query *q, struct guest *g, const u64 *roots, u32 nr);
void collect_init(struct collect *c, const struct query *q, struct list *list);
int walk_all(const struct query *q, struct list *list, u64 *tables);

/* Continued by cursor, @step mappings a call */
void walk_steps(const struct query *q, struct list *list, u32 step);

/* Does @b follow @a so that one mapping would say both? */
bool joinable(const struct hlk_mapping *a, const struct hlk_mapping *b);

void check_same(const struct list *a, const struct list *b);

#endif /* _WALKING_H */
