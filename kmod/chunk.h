/* SPDX-License-Identifier: GPL-2.0-only */
/* Base pages of frames in a row, which snapshots of one line share */
#ifndef _HLK_CHUNK_H
#define _HLK_CHUNK_H

#include "env.h"
#include "files.h"

#define HLK_CHUNK_PAGES		256

/**
 * struct hlk_chunk_pages - what of a chunk is in memory
 * @leaves: compact: leaves that map the frame; U16_MAX is that many or more
 * @page: the pages, with a reference each. NULL is a page of zeroes, or one of a file that
 *	nobody has touched yet
 */
struct hlk_chunk_pages {
	u16 leaves[HLK_CHUNK_PAGES];
	struct page *page[HLK_CHUNK_PAGES];
};

/**
 * struct hlk_chunk - base pages of HLK_CHUNK_PAGES frames in a row
 * @ref: snapshots that share it; one that is shared is not changed any more, but that
 *	pages of files come to @pages
 * @files: the files that pages are of, held; or NULL
 * @run: where the first page is, if all are of one file and side by side; else 0
 * @leaves: with @run: how many leaves map each frame
 * @from: where each page is, 0 for those of no file; NULL: all are of none, or see @run
 * @pages: what is in memory; NULL: nothing yet. Set once, by cmpxchg(), as each page of a
 *	file in it is
 */
struct hlk_chunk {
	struct kref ref;
	struct hlk_files *files;
	u64 run;
	u16 leaves;
	u64 *from;
	struct hlk_chunk_pages *pages;
};

/**
 * struct hlk_piece - what a snapshot has at a frame
 * @page: the page, without a reference; NULL: it is zero, or was not read yet
 * @from: which page of which file it is, see hlk_from(); 0: of none
 * @files: what the number of the file means, without a reference
 * @leaves: compact: how many leaves map it
 */
struct hlk_piece {
	struct page *page;
	u64 from;
	struct hlk_files *files;
	u16 leaves;
};

/* Where a page is, or 0 if it is of no file */
static inline u64 chunk_from(const struct hlk_chunk *chunk, u32 slot)
{
	if (!chunk->files)
		return 0;
	if (chunk->run)
		return chunk->run + slot * HLK_FROM_PAGE;
	return chunk->from ? chunk->from[slot] : 0;
}

static inline struct page *chunk_page(const struct hlk_chunk *chunk, u32 slot)
{
	const struct hlk_chunk_pages *pages = READ_ONCE(chunk->pages);

	return pages ? READ_ONCE(pages->page[slot]) : NULL;
}

static inline u16 chunk_leaves(const struct hlk_chunk *chunk, u32 slot)
{
	const struct hlk_chunk_pages *pages = READ_ONCE(chunk->pages);

	return pages ? pages->leaves[slot] : chunk->leaves;
}

static inline bool chunk_has(const struct hlk_chunk *chunk, u32 slot)
{
	return chunk_page(chunk, slot) || chunk_from(chunk, slot);
}

/*
 * Has the one shown where the other was what it has to show? @a, @b: NULL for zeroes. One that
 * was not read yet is no page of zeroes, and is shown nowhere.
 */
static inline bool chunk_same(const struct hlk_chunk *a, const struct hlk_chunk *b, u32 slot)
{
	const struct page *ours = a ? chunk_page(a, slot) : NULL;
	const struct page *theirs = b ? chunk_page(b, slot) : NULL;

	if (ours || theirs)
		return ours == theirs;
	return !(a && chunk_from(a, slot)) == !(b && chunk_from(b, slot));
}

struct page *hlk_page_alloc(gfp_t flags);
void hlk_page_free(struct page *page);
void hlk_chunk_release(struct kref *ref);
struct hlk_chunk *hlk_chunk_new(struct hlk_files *files);
struct hlk_chunk *hlk_chunk_copy(struct hlk_files *files, const struct hlk_chunk *from);
struct page *hlk_base_page(struct xarray *base, u64 index);
bool hlk_base_next(struct xarray *base, struct xarray *other, u64 *index);
void hlk_base_piece(struct xarray *base, u64 index, struct hlk_piece *piece);
bool hlk_base_unread(struct xarray *base, u64 index);
int hlk_base_read(struct xarray *base, u64 index, bool nowait);

#endif /* _HLK_CHUNK_H */
