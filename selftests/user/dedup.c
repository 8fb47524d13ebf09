// SPDX-License-Identifier: GPL-2.0-only
/*
 * Equal pages kept once: judged by comparing each page with each.
 */
#include "check.h"
#include "tap.h"

struct base {
	u64 gfn;
	u64 sum;	/* so that few have to be compared byte by byte */
	struct page *page;
	u8 bytes[PAGE_SIZE];
};

static u64 sum_of(const u8 *bytes)
{
	u64 sum = 0;
	u64 word;
	u32 i;

	for (i = 0; i < PAGE_SIZE; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		sum = (sum ^ word) * 0x9e3779b97f4a7c15;
		sum ^= sum >> 32;
	}
	return sum;
}

static struct base *bases(struct hlk_snap *snap, u64 *n)
{
	struct base *all = calloc(snap->nr_pages + 1, sizeof(*all));
	struct page *page;
	u64 index = 0;
	u32 nr = 0;

	for (*n = 0; (page = hlk_snap_next(snap, &nr, &index)); index++, ++*n) {
		if (!CHECK(*n < snap->nr_pages))
			break;
		all[*n].gfn = snap->layout.range[nr].gfn + index;
		all[*n].page = page;
		all[*n].sum = sum_of(page->bytes);
		memcpy(all[*n].bytes, page->bytes, PAGE_SIZE);
	}
	CHECK_EQ(*n, snap->nr_pages);
	return all;
}

static bool same(const struct base *a, const struct base *b, bool by_bytes)
{
	if (!by_bytes)
		return a->page == b->page;
	return a->sum == b->sum && !memcmp(a->bytes, b->bytes, PAGE_SIZE);
}

static u64 distinct(const struct base *all, u64 n, bool by_bytes)
{
	u64 different = 0;
	u64 i;
	u64 j;

	for (i = 0; i < n; i++) {
		for (j = 0; j < i && !same(&all[i], &all[j], by_bytes); j++)
			;
		different += j == i;
	}
	return different;
}

/**
 * compact_dedup() - keep equal pages of a snapshot once
 * @c: guest and snapshot
 */
void compact_dedup(struct compact *c)
{
	const siphash_key_t key = { { guest_random(c->guest), guest_random(c->guest) } };
	struct hlk_snapshot_counts was = c->snap->counts;
	struct base *before;
	struct base *after;
	u64 nr_after;
	u64 nr;
	u64 i;

	before = bases(c->snap, &nr);
	if (CHECK_EQ(hlk_snap_dedup(c->snap, &key), 0)) {
		after = bases(c->snap, &nr_after);
		CHECK_EQ(nr_after, nr);
		for (i = 0; i < nr && nr == nr_after; i++) {
			CHECK_EQ(after[i].gfn, before[i].gfn);
			CHECK_MSG(!memcmp(after[i].bytes, before[i].bytes, PAGE_SIZE),
				  "frame %llx is another page now", after[i].gfn);
		}
		CHECK_EQ(distinct(after, nr, false), distinct(before, nr, true));
		CHECK_EQ(c->snap->counts.duplicate - was.duplicate, nr - distinct(after, nr, false));
		was.duplicate = c->snap->counts.duplicate;
		CHECK(!memcmp(&was, &c->snap->counts, sizeof(was)));
		free(after);
	}
	free(before);
	c->params.flags |= HLK_SNAPSHOT_DEDUP;
	compact_check(c, 0);
	c->params.flags &= ~HLK_SNAPSHOT_DEDUP;
}
