// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chunks: base pages of frames in a row. Snapshots of one line share them, and one that is
 * shared does not change any more, but that pages of files come to it when they are
 * touched first, and stay.
 */
#include "chunk.h"
#include "i686pt.h"

/**
 * hlk_page_alloc() - a page of guest memory
 * @flags: more GFP flags
 *
 * Charged to the memory cgroup of the caller.
 */
struct page *hlk_page_alloc(gfp_t flags)
{
	struct page *page = alloc_page(HLK_GFP | flags);

	if (page)
		hlk_count_pages(1);
	return page;
}

/**
 * hlk_page_free() - drop a page that was counted
 * @page: the page; mappings may keep it longer
 */
void hlk_page_free(struct page *page)
{
	hlk_count_pages(-1);
	put_page(page);
}

/**
 * hlk_chunk_release() - nobody has a chunk any more
 * @ref: its count
 */
void hlk_chunk_release(struct kref *ref)
{
	struct hlk_chunk *chunk = container_of(ref, struct hlk_chunk, ref);
	u32 i;

	for (i = 0; chunk->pages && i < HLK_CHUNK_PAGES; i++)
		if (chunk->pages->page[i])
			hlk_page_free(chunk->pages->page[i]);
	kfree(chunk->pages);
	kvfree(chunk->from);
	/* the pages before the file: nothing may show a page of a file that is gone */
	hlk_files_put(chunk->files);
	kfree(chunk);
}

/**
 * hlk_chunk_new() - a chunk with nothing in it
 * @files: the files that its pages may be of, or NULL
 *
 * Return: the chunk with one reference, or NULL
 */
struct hlk_chunk *hlk_chunk_new(struct hlk_files *files)
{
	struct hlk_chunk *chunk = kzalloc(sizeof(*chunk), HLK_GFP);

	if (!chunk)
		return NULL;
	kref_init(&chunk->ref);
	chunk->files = hlk_files_get(files);
	return chunk;
}

/* The chunk may be anybody's: who comes second takes what the first one put there. */
static struct hlk_chunk_pages *chunk_pages(struct hlk_chunk *chunk)
{
	struct hlk_chunk_pages *pages = READ_ONCE(chunk->pages);
	struct hlk_chunk_pages *other;
	u32 i;

	if (pages)
		return pages;
	pages = kzalloc(sizeof(*pages), HLK_GFP);
	if (!pages)
		return NULL;
	for (i = 0; chunk->leaves && i < HLK_CHUNK_PAGES; i++)
		pages->leaves[i] = chunk->leaves;
	other = cmpxchg(&chunk->pages, NULL, pages);
	if (!other)
		return pages;
	kfree(pages);
	return other;
}

/**
 * hlk_base_page() - a base page
 * @base: the base pages of a window
 * @index: page number in the window
 *
 * Return: the page, without a reference; NULL is a page of zeroes, or one that was not
 * read from its file yet
 */
struct page *hlk_base_page(struct xarray *base, u64 index)
{
	struct hlk_chunk *chunk = xa_load(base, index / HLK_CHUNK_PAGES);

	return chunk ? chunk_page(chunk, index % HLK_CHUNK_PAGES) : NULL;
}

/**
 * hlk_base_next() - where base pages may differ next
 * @base: the base pages of a window
 * @other: those of another snapshot, or NULL: then where there are any
 * @index: in: page number from which on to look. out: the next one
 *
 * A chunk that both have is not looked into.
 *
 * Return: whether there are more
 */
bool hlk_base_next(struct xarray *base, struct xarray *other, u64 *index)
{
	unsigned long at = *index / HLK_CHUNK_PAGES;
	unsigned long theirs;
	unsigned long ours;
	void *chunk;
	void *same;

	for (;; at++) {
		ours = at;
		theirs = at;
		chunk = xa_find(base, &ours, ULONG_MAX, XA_PRESENT);
		same = other ? xa_find(other, &theirs, ULONG_MAX, XA_PRESENT) : NULL;
		if (!chunk && !same)
			return false;
		at = !same || (chunk && ours < theirs) ? ours : theirs;
		if (chunk != same)
			break;
	}
	*index = max_t(u64, *index, (u64)at * HLK_CHUNK_PAGES);
	return true;
}

/**
 * hlk_base_piece() - what there is at a page
 * @base: the base pages of a window
 * @index: page number in the window
 * @piece: out: it
 */
void hlk_base_piece(struct xarray *base, u64 index, struct hlk_piece *piece)
{
	struct hlk_chunk *chunk = xa_load(base, index / HLK_CHUNK_PAGES);
	u32 slot = index % HLK_CHUNK_PAGES;

	memset(piece, 0, sizeof(*piece));
	if (!chunk)
		return;
	piece->page = chunk_page(chunk, slot);
	piece->from = chunk_from(chunk, slot);
	piece->files = chunk->files;
	piece->leaves = chunk_leaves(chunk, slot);
}

/**
 * hlk_base_unread() - has a base page still to be read from its file?
 * @base: the base pages of a window
 * @index: page number in the window
 *
 * Once read it stays.
 *
 * Return: whether it has
 */
bool hlk_base_unread(struct xarray *base, u64 index)
{
	struct hlk_chunk *chunk = xa_load(base, index / HLK_CHUNK_PAGES);
	u32 slot = index % HLK_CHUNK_PAGES;

	return chunk && chunk_from(chunk, slot) && !chunk_page(chunk, slot);
}

/**
 * hlk_base_read() - have a base page in memory
 * @base: the base pages of a window of a snapshot that is held
 * @index: page number in the window
 * @nowait: only if it is in the page cache
 *
 * What is allocated, the page cache too, is charged to the active memory cgroup. It may
 * wait for a disk, so no lock that others need should be held.
 *
 * Return: 0, also for a page of no file; -EAGAIN if it would wait, -ENOMEM, -EIO
 */
int hlk_base_read(struct xarray *base, u64 index, bool nowait)
{
	struct hlk_chunk *chunk = xa_load(base, index / HLK_CHUNK_PAGES);
	u32 slot = index % HLK_CHUNK_PAGES;
	struct hlk_chunk_pages *pages;
	struct page *page;
	int err;

	if (!chunk || !chunk_from(chunk, slot))
		return 0;
	pages = chunk_pages(chunk);
	if (!pages)
		return -ENOMEM;
	if (READ_ONCE(pages->page[slot]))
		return 0;
	err = hlk_files_page(chunk->files, chunk_from(chunk, slot), nowait, &page);
	if (err)
		return err;
	hlk_count_pages(1);
	if (cmpxchg(&pages->page[slot], NULL, page))
		hlk_page_free(page);
	return 0;
}

/* Pages that are read meanwhile may be missing; then they are read once more. */
static int chunk_copy_pages(struct hlk_chunk *chunk, const struct hlk_chunk *from)
{
	const struct hlk_chunk_pages *old = READ_ONCE(from->pages);
	struct hlk_chunk_pages *new;
	u32 i;

	chunk->leaves = from->leaves;
	new = chunk_pages(chunk);
	if (!new)
		return -ENOMEM;
	if (!old)
		return 0;
	memcpy(new->leaves, old->leaves, sizeof(new->leaves));
	for (i = 0; i < HLK_CHUNK_PAGES; i++) {
		new->page[i] = READ_ONCE(old->page[i]);
		if (!new->page[i])
			continue;
		get_page(new->page[i]);
		hlk_count_pages(1);
	}
	return 0;
}

/* Each page has a place of its own then, which can be changed. */
static int chunk_copy_from(struct hlk_chunk *chunk, const struct hlk_chunk *from)
{
	u32 i;

	if (!from->run && !from->from)
		return 0;
	chunk->from = kvcalloc(HLK_CHUNK_PAGES, sizeof(*chunk->from), HLK_GFP);
	if (!chunk->from)
		return -ENOMEM;
	for (i = 0; i < HLK_CHUNK_PAGES; i++)
		chunk->from[i] = chunk_from(from, i);
	return 0;
}

/**
 * hlk_chunk_copy() - a chunk that can be changed
 * @files: the files of the snapshot that is being made; they begin with those of @from, so
 *	its numbers mean the same
 * @from: what it is to be at first, or NULL
 *
 * Return: the chunk with one reference, or NULL
 */
struct hlk_chunk *hlk_chunk_copy(struct hlk_files *files, const struct hlk_chunk *from)
{
	struct hlk_chunk *chunk = hlk_chunk_new(files);

	if (!chunk)
		return NULL;
	if (from ? chunk_copy_pages(chunk, from) || chunk_copy_from(chunk, from) :
		   !chunk_pages(chunk)) {
		kref_put(&chunk->ref, hlk_chunk_release);
		return NULL;
	}
	return chunk;
}
