/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: what is different between two moments. */
#ifndef HLK_RUN_PT_DIFF_H
#define HLK_RUN_PT_DIFF_H

#include "collect.h"
#include "pages.h"

/* What is different; a mapping that changed may do so in several ways */
#define PT_CAME		(1U << 0)	/* was not mapped */
#define PT_WENT		(1U << 1)	/* is not mapped any more */
#define PT_MOVED	(1U << 2)	/* leads elsewhere */
#define PT_RIGHTS	(1U << 3)	/* other rights, or of another kind */
#define PT_ATTRIBUTES	(1U << 4)	/* other attributes, but for accessed and dirty */
#define PT_CONTENTS	(1U << 5)	/* other bytes */
#define PT_CHANGES	6

/**
 * struct pt_moment - a guest at a moment
 * @space: what its page tables map
 * @pages: what is in the pages
 */
struct pt_moment {
	struct pt_space space;
	struct pt_pages pages;
};

/**
 * struct pt_change - pages whose mapping, or whose contents, changed in the same way
 * @root: index of the root
 * @what: PT_CAME, PT_WENT, or bits of what is different; PT_CONTENTS alone
 * @page: number of the first virtual page
 * @pages: how many
 * @was: what was mapped there
 * @is: what is
 */
struct pt_change {
	uint32_t root;
	uint32_t what;
	uint64_t page;
	uint64_t pages;
	struct hlk_mapping was;
	struct hlk_mapping is;
};

/**
 * struct pt_diff - all that is different
 * @change: by root, by address
 * @nr: length of @change
 * @room: how many fit
 * @pages: how many pages for each bit of PT_*
 * @accessed: pages that were not accessed, and are
 * @dirty: pages that were not dirty, and are
 */
struct pt_diff {
	struct pt_change *change;
	size_t nr;
	size_t room;
	uint64_t pages[PT_CHANGES];
	uint64_t accessed;
	uint64_t dirty;
};

int pt_compare(struct pt_diff *diff, const struct pt_moment *was, const struct pt_moment *is);
void pt_diff_free(struct pt_diff *diff);

void pt_diff_text(const struct pt_diff *diff, const struct pt_moment *was,
		  const struct pt_moment *is, uint64_t fold);
void pt_diff_json(const struct pt_diff *diff, const struct pt_moment *was,
		  const struct pt_moment *is);

#endif /* HLK_RUN_PT_DIFF_H */
