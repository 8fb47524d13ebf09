// SPDX-License-Identifier: GPL-2.0-only
/*
 * Base pages that are of files: where each is, when it is read, who shares what was read.
 */
#include "filepages.h"
#include "tap.h"

#define CHUNKS	4
#define PAGES	(CHUNKS * HLK_CHUNK_PAGES)

static struct hlk_snap *snap_new(struct hlk_files *files)
{
	struct hlk_layout layout = { .nr = 1, .range[0] = { .gfn = 16, .pages = PAGES } };
	struct hlk_snap *snap = hlk_snap_alloc(&layout, PAGES);

	if (snap)
		snap->files = hlk_files_get(files);
	return snap;
}

/* What a page says of itself, read now; 0 for zeroes */
static u64 word(struct hlk_snap *snap, u64 index)
{
	struct page *page;

	CHECK_EQ(hlk_base_read(&snap->base[0], index, false), 0);
	page = hlk_base_page(&snap->base[0], index);
	return page ? *(u64 *)page_address(page) : 0;
}

static void pages_are_read_once(void)
{
	struct hlk_files *files = shim_files_new();
	struct hlk_snap *snap = snap_new(files);

	CHECK_EQ(hlk_snap_set_files(snap, 0, 3, PAGES - 5, hlk_from(2, 7), 0), 0);
	CHECK_EQ(snap->nr_pages, PAGES - 5);
	CHECK_EQ(snap->file_pages, PAGES - 5);
	CHECK_EQ(files->read, 0);
	CHECK(!hlk_base_unread(&snap->base[0], 2));
	CHECK(hlk_base_unread(&snap->base[0], 3));
	CHECK(!hlk_base_page(&snap->base[0], 3));
	CHECK(hlk_snap_has(snap, 16 + 3));
	CHECK(!hlk_snap_has(snap, 16 + 2));
	CHECK_EQ(word(snap, 2), 0);
	CHECK_EQ(word(snap, 3), hlk_from(2, 7));
	CHECK_EQ(word(snap, 300), hlk_from(2, 304));
	CHECK_EQ(word(snap, PAGES - 3), hlk_from(2, PAGES + 1));
	CHECK_EQ(word(snap, PAGES - 2), 0);
	CHECK_EQ(word(snap, 300), hlk_from(2, 304));
	CHECK_EQ(files->read, 3);
	CHECK(!hlk_base_unread(&snap->base[0], 300));
	hlk_snap_put(snap);
	hlk_files_put(files);
}

static void who_may_not_wait(void)
{
	struct hlk_files *files = shim_files_new();
	struct hlk_snap *snap = snap_new(files);

	CHECK_EQ(hlk_snap_set_files(snap, 0, 0, PAGES, hlk_from(0, 0), 0), 0);
	CHECK_EQ(hlk_snap_read(snap, 16 + 9, true), -EAGAIN);
	CHECK(hlk_base_unread(&snap->base[0], 9));
	files->cached = true;
	CHECK_EQ(hlk_snap_read(snap, 16 + 9, true), 0);
	files->fail_at = hlk_from(0, 10);
	CHECK_EQ(hlk_snap_read(snap, 16 + 10, false), -EIO);
	CHECK(hlk_base_unread(&snap->base[0], 10));
	files->fail_at = 0;
	CHECK_EQ(word(snap, 10), hlk_from(0, 10));
	CHECK_EQ(hlk_snap_read(snap, 5, false), 0);
	hlk_snap_put(snap);
	hlk_files_put(files);
}

static struct page *page_with(u64 value)
{
	struct page *page = hlk_page_alloc(__GFP_ZERO);

	*(u64 *)page_address(page) = value;
	return page;
}

static void a_child_shares_and_differs(void)
{
	struct hlk_files *files = shim_files_new();
	struct hlk_snap *snap = snap_new(files);
	struct hlk_snap *child = snap_new(NULL);
	struct hlk_piece piece;
	u64 index = 0;

	CHECK_EQ(hlk_snap_set_files(snap, 0, 0, PAGES, hlk_from(0, 0), 1), 0);
	CHECK_EQ(word(snap, 257), hlk_from(0, 257));
	CHECK_EQ(hlk_snap_inherit(child, snap), 0);
	CHECK(child->files == files);
	CHECK(!hlk_base_next(&child->base[0], &snap->base[0], &index));
	/* one page of memory, one of zeroes, one of another place */
	CHECK_EQ(hlk_snap_set(child, 16 + 258, page_with(1)), 0);
	CHECK_EQ(hlk_snap_set(child, 16 + 259, NULL), 0);
	CHECK_EQ(hlk_snap_set_files(child, 0, 260, 1, hlk_from(0, 5), 3), 0);
	CHECK_EQ(child->nr_pages, PAGES - 1);
	CHECK_EQ(child->file_pages, PAGES - 2);
	CHECK_EQ(word(child, 257), hlk_from(0, 257));
	CHECK_EQ(word(child, 258), 1);
	CHECK_EQ(word(child, 259), 0);
	CHECK_EQ(word(child, 260), hlk_from(0, 5));
	CHECK_EQ(word(child, 261), hlk_from(0, 261));
	CHECK_EQ(word(snap, 258), hlk_from(0, 258));
	CHECK_EQ(word(snap, 260), hlk_from(0, 260));
	CHECK_EQ(hlk_snap_leaves(child, 16 + 260), 3);
	CHECK_EQ(hlk_snap_leaves(child, 16 + 261), 1);
	CHECK_EQ(hlk_snap_leaves(child, 16 + 700), 1);
	index = 0;
	CHECK(hlk_base_next(&child->base[0], &snap->base[0], &index));
	CHECK_EQ(index, 256);
	index = 512;
	CHECK(!hlk_base_next(&child->base[0], &snap->base[0], &index));
	hlk_base_piece(&child->base[0], 258, &piece);
	CHECK(piece.page && !piece.from);
	hlk_base_piece(&child->base[0], 700, &piece);
	CHECK(!piece.page && piece.from == hlk_from(0, 700) && piece.leaves == 1);
	/* of a chunk that both have, who reads first reads for both */
	CHECK_EQ(word(child, 800), hlk_from(0, 800));
	CHECK(!hlk_base_unread(&snap->base[0], 800));
	hlk_snap_put(snap);
	CHECK_EQ(word(child, 900), hlk_from(0, 900));
	hlk_snap_put(child);
	hlk_files_put(files);
}

static void zeroes_over_a_parent(void)
{
	struct hlk_files *files = shim_files_new();
	struct hlk_snap *snap = snap_new(files);

	CHECK_EQ(hlk_snap_set_files(snap, 0, 0, PAGES, 0, 0), 0);
	CHECK_EQ(snap->nr_pages, 0);
	CHECK_EQ(hlk_snap_set_files(snap, 0, 10, 300, hlk_from(1, 0), 0), 0);
	CHECK_EQ(word(snap, 12), hlk_from(1, 2));
	CHECK_EQ(hlk_snap_set_files(snap, 0, 0, 12, 0, 0), 0);
	CHECK_EQ(snap->nr_pages, 298);
	CHECK_EQ(hlk_snap_set_files(snap, 0, 12, PAGES - 12, 0, 0), 0);
	CHECK_EQ(snap->nr_pages, 0);
	CHECK_EQ(snap->file_pages, 0);
	CHECK_EQ(word(snap, 12), 0);
	/* zero pages that leaves map */
	CHECK_EQ(hlk_snap_set_files(snap, 0, 256, 256, 0, 2), 0);
	CHECK_EQ(hlk_snap_leaves(snap, 16 + 300), 2);
	CHECK_EQ(snap->nr_pages, 0);
	hlk_snap_put(snap);
	hlk_files_put(files);
}

static void too_many(void)
{
	struct hlk_files *files = shim_files_new();
	struct hlk_snap *snap = snap_new(files);

	snap->max_pages = 300;
	CHECK_EQ(hlk_snap_set_files(snap, 0, 0, PAGES, hlk_from(0, 0), 0), -EDQUOT);
	hlk_snap_put(snap);
	hlk_files_put(files);
}

/* Each allocation fails once. */
static void without_memory(void)
{
	struct hlk_files *files = shim_files_new();
	struct hlk_snap *snap;
	bool done = false;
	u32 n;
	int err;

	for (n = 1; !done && n < 1000; n++) {
		shim.tries = 0;
		shim.fail_at = n;
		snap = snap_new(files);
		err = snap ? 0 : -ENOMEM;
		if (!err)
			err = hlk_snap_set_files(snap, 0, 5, PAGES - 9, hlk_from(0, 0), 0);
		if (!err)
			err = hlk_base_read(&snap->base[0], 700, false);
		if (!err)
			err = hlk_snap_set(snap, 16 + 701, NULL);
		done = !err;
		CHECK(done || err == -ENOMEM);
		hlk_snap_put(snap);
	}
	shim.fail_at = 0;
	CHECK(done && n > 8);
	hlk_files_put(files);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(pages_are_read_once),
		TAP_TEST(who_may_not_wait),
		TAP_TEST(a_child_shares_and_differs),
		TAP_TEST(zeroes_over_a_parent),
		TAP_TEST(too_many),
		TAP_TEST(without_memory),
	};

	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
