// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots: an immutable set of base pages.
 *
 * Everything that a restore must bring back is in the base pages, so the
 * restore path knows nothing of how they came to be: copied from an image,
 * kept as they were, or compacted (reloc.c, delta.c).
 *
 * Pages are kept in chunks, which the snapshots of one line share: a child
 * takes its parent's chunks by reference and copies those that it changes.
 */
#include "snap.h"

#include <linux/hlk_guest.h>

/* Entries of an xarray that are freed at once */
#define XA_AT_ONCE	16384

/**
 * hlk_xa_destroy() - empty an xarray that may be large
 * @xa: the xarray
 * @nr: about how many entries it has
 *
 * xa_destroy() frees all nodes with interrupts off; where entries lie scattered,
 * there may be one for each.
 */
void hlk_xa_destroy(struct xarray *xa, u64 nr)
{
	unsigned long index;
	void *entry;

	if (nr > XA_AT_ONCE) {
		xa_for_each(xa, index, entry) {
			xa_erase(xa, index);
			cond_resched();
		}
	}
	xa_destroy(xa);
}

static int layout_check_range(const struct hlk_range *range,
			      struct hlk_why_at *at)
{
	const u64 apic = HLK_GUEST_SCRATCH_TOP >> PAGE_SHIFT;
	u64 where = range->gfn << PAGE_SHIFT;

	if (!range->pages)
		return hlk_fail(at, -EINVAL, HLK_WHY_GPA_ALIGN, 0, where);
	if (range->gfn + range->pages > 1ULL << (I686_PSE36_BITS - PAGE_SHIFT))
		return hlk_fail(at, -EINVAL, HLK_WHY_GPA_RANGE, 0, where);
	if (hlk_range_has(range, apic))
		return hlk_fail(at, -EINVAL, HLK_WHY_APIC_PAGE, 0,
				apic << PAGE_SHIFT);
	return 0;
}

/**
 * hlk_layout_add() - add a window
 * @layout: the layout
 * @range: the window; @gfn and @pages are page numbers already
 * @at: the reason of a failure
 *
 * Return: 0, -EINVAL for a bad range, -EEXIST if it overlaps, -EDQUOT if there
 * are too many
 */
int hlk_layout_add(struct hlk_layout *layout, const struct hlk_range *range,
		   struct hlk_why_at *at)
{
	const struct hlk_range *old;
	u32 pos = 0;
	u32 i;
	int ret;

	ret = layout_check_range(range, at);
	if (ret)
		return ret;
	if (layout->nr == HLK_MAX_WINDOWS)
		return hlk_fail(at, -EDQUOT, HLK_WHY_TOO_MANY_WINDOWS, layout->nr, 0);
	for (i = 0; i < layout->nr; i++) {
		old = &layout->range[i];
		if (range->gfn < old->gfn + old->pages &&
		    old->gfn < range->gfn + range->pages)
			return hlk_fail(at, -EEXIST, HLK_WHY_OVERLAP, i,
					old->gfn << PAGE_SHIFT);
		if (range->flags & old->flags & HLK_WINDOW_SCRATCH)
			return hlk_fail(at, -EEXIST, HLK_WHY_TWO_SCRATCH, i,
					old->gfn << PAGE_SHIFT);
		if (old->gfn < range->gfn)
			pos = i + 1;
	}
	memmove(&layout->range[pos + 1], &layout->range[pos],
		(layout->nr - pos) * sizeof(*range));
	layout->range[pos] = *range;
	layout->nr++;
	return 0;
}

/**
 * hlk_layout_find() - which window has a frame
 * @layout: the layout
 * @gfn: the frame
 *
 * Return: the window's index, or -1
 */
int hlk_layout_find(const struct hlk_layout *layout, u64 gfn)
{
	u32 i;

	for (i = 0; i < layout->nr; i++)
		if (hlk_range_has(&layout->range[i], gfn))
			return i;
	return -1;
}

/**
 * hlk_layout_find_bytes() - which window has a range of bytes
 * @layout: the layout
 * @gpa: first address
 * @bytes: how many, at least one
 *
 * Return: the window's index, or -1 if no window has all of them
 */
int hlk_layout_find_bytes(const struct hlk_layout *layout, u64 gpa, u64 bytes)
{
	int nr = hlk_layout_find(layout, gpa >> PAGE_SHIFT);
	const struct hlk_range *range;

	if (nr < 0)
		return -1;
	range = &layout->range[nr];
	return bytes <= ((range->gfn + range->pages) << PAGE_SHIFT) - gpa ? nr : -1;
}

/**
 * hlk_layout_scratch() - which window is scratch
 * @layout: the layout
 *
 * Return: the window's index, or -1
 */
int hlk_layout_scratch(const struct hlk_layout *layout)
{
	u32 i;

	for (i = 0; i < layout->nr; i++)
		if (layout->range[i].flags & HLK_WINDOW_SCRATCH)
			return i;
	return -1;
}

/**
 * hlk_snap_alloc() - an empty snapshot
 * @layout: its windows
 * @max_pages: how many base pages it may have
 *
 * Return: the snapshot with one reference, or NULL
 */
struct hlk_snap *hlk_snap_alloc(const struct hlk_layout *layout, u64 max_pages)
{
	struct hlk_snap *snap = kzalloc(sizeof(*snap), HLK_GFP);
	u32 i;

	if (!snap)
		return NULL;
	kref_init(&snap->ref);
	snap->layout = *layout;
	snap->max_pages = max_pages;
	for (i = 0; i < HLK_MAX_WINDOWS; i++) {
		xa_init_flags(&snap->base[i], XA_FLAGS_ACCOUNT);
		xa_init_flags(&snap->touched[i].pages, XA_FLAGS_ACCOUNT);
	}
	hlk_count_snaps(1);
	return snap;
}

/* Forget all pages. */
static void snap_empty(struct hlk_snap *snap)
{
	struct hlk_chunk *chunk;
	unsigned long index;
	u32 i;

	for (i = 0; i < snap->layout.nr; i++) {
		xa_for_each(&snap->base[i], index, chunk) {
			xa_erase(&snap->base[i], index);
			kref_put(&chunk->ref, hlk_chunk_release);
			cond_resched();
		}
		xa_destroy(&snap->base[i]);
	}
	snap->nr_pages = 0;
	snap->file_pages = 0;
}

static void tables_release(struct kref *ref)
{
	kvfree(container_of(ref, struct hlk_tables, ref));
}

/**
 * hlk_snap_clear() - forget pages, tables and roots
 * @snap: the snapshot that is being made
 */
void hlk_snap_clear(struct hlk_snap *snap)
{
	snap_empty(snap);
	if (snap->tables)
		kref_put(&snap->tables->ref, tables_release);
	snap->tables = NULL;
	kvfree(snap->roots);
	snap->roots = NULL;
	snap->nr_roots = 0;
	snap->dense = 0;
	snap->dense_used = 0;
	memset(&snap->counts, 0, sizeof(snap->counts));
}

/**
 * hlk_program_free() - forget a state program
 * @program: the program, or NULL
 */
void hlk_program_free(struct hlk_program *program)
{
	u32 i;

	if (!program)
		return;
	for (i = 0; i < program->nr_pages; i++)
		if (program->pages[i])
			hlk_page_free(program->pages[i]);
	kvfree(program->calls);
	kvfree(program);
}

static void snap_release(struct kref *ref)
{
	struct hlk_snap *snap = container_of(ref, struct hlk_snap, ref);
	u32 i;

	hlk_snap_clear(snap);
	hlk_files_put(snap->files);
	for (i = 0; i < HLK_MAX_WINDOWS; i++) {
		xa_destroy(&snap->touched[i].pages);
		cond_resched();
	}
	for (i = 0; i < snap->nr_vcpus; i++)
		kvfree(snap->vcpus[i]);
	hlk_program_free(snap->program);
	if (snap->zero_page)
		put_page(snap->zero_page);
	kfree(snap);
	hlk_count_snaps(-1);
}

/**
 * hlk_snap_put() - drop a reference
 * @snap: the snapshot, or NULL
 */
void hlk_snap_put(struct hlk_snap *snap)
{
	if (snap)
		kref_put(&snap->ref, snap_release);
}

/* The base pages that have a frame, and its number there; NULL: no window has it */
static struct xarray *snap_base(struct hlk_snap *snap, u64 gfn, u64 *index)
{
	int nr = hlk_layout_find(&snap->layout, gfn);

	if (nr < 0)
		return NULL;
	*index = gfn - snap->layout.range[nr].gfn;
	return &snap->base[nr];
}

/**
 * hlk_snap_page() - a base page by its frame
 * @snap: the snapshot
 * @gfn: the frame
 *
 * Return: as hlk_base_page()
 */
struct page *hlk_snap_page(struct hlk_snap *snap, u64 gfn)
{
	u64 index;
	struct xarray *base = snap_base(snap, gfn, &index);

	return base ? hlk_base_page(base, index) : NULL;
}

/**
 * hlk_snap_has() - is a frame not just a page of zeroes?
 * @snap: the snapshot
 * @gfn: the frame
 *
 * Return: whether it has a page, read or not
 */
bool hlk_snap_has(struct hlk_snap *snap, u64 gfn)
{
	u64 index;
	struct xarray *base = snap_base(snap, gfn, &index);

	return base && (hlk_base_page(base, index) || hlk_base_unread(base, index));
}

/**
 * hlk_snap_read() - have the base page of a frame in memory
 * @snap: the snapshot, which is held
 * @gfn: the frame
 * @nowait: only if it is in the page cache
 *
 * Return: as hlk_base_read()
 */
int hlk_snap_read(struct hlk_snap *snap, u64 gfn, bool nowait)
{
	u64 index;
	struct xarray *base = snap_base(snap, gfn, &index);

	return base ? hlk_base_read(base, index, nowait) : 0;
}

/**
 * hlk_snap_next() - the next base page that is in memory
 * @snap: the snapshot
 * @nr: in and out: the window
 * @index: in: page number in it from which on to look. out: that of the page
 *
 * Return: the page, or NULL if there are no more
 */
struct page *hlk_snap_next(struct hlk_snap *snap, u32 *nr, u64 *index)
{
	struct hlk_chunk *chunk;
	struct page *page;
	unsigned long at;
	u64 from = *index;
	u32 i;

	for (; *nr < snap->layout.nr; ++*nr, from = 0) {
		for (at = from / HLK_CHUNK_PAGES;
		     (chunk = xa_find(&snap->base[*nr], &at, ULONG_MAX, XA_PRESENT));
		     at++) {
			if (!READ_ONCE(chunk->pages))
				continue;
			i = at == from / HLK_CHUNK_PAGES ? from % HLK_CHUNK_PAGES : 0;
			for (; i < HLK_CHUNK_PAGES; i++) {
				page = chunk_page(chunk, i);
				if (!page)
					continue;
				*index = (u64)at * HLK_CHUNK_PAGES + i;
				return page;
			}
		}
	}
	return NULL;
}

/* Put a chunk to where another one may be. Its reference is taken over. */
static int snap_chunk_store(struct hlk_snap *snap, u32 nr, u64 index,
			    struct hlk_chunk *chunk)
{
	struct hlk_chunk *old = xa_store(&snap->base[nr], index, chunk, HLK_GFP);

	if (xa_is_err(old)) {
		kref_put(&chunk->ref, hlk_chunk_release);
		return xa_err(old);
	}
	if (old)
		kref_put(&old->ref, hlk_chunk_release);
	return 0;
}

/* May a chunk of the snapshot that is being made be changed as it is? */
static bool chunk_own(const struct hlk_snap *snap, const struct hlk_chunk *chunk)
{
	return kref_read(&chunk->ref) == 1 && chunk->pages && !chunk->run &&
	       chunk->files == snap->files;
}

/* The chunk of a frame, to be changed: not one that others hold too. */
static struct hlk_chunk *snap_chunk(struct hlk_snap *snap, u64 gfn, u32 *slot)
{
	int nr = hlk_layout_find(&snap->layout, gfn);
	struct hlk_chunk *chunk;
	struct hlk_chunk *old;
	u64 index;

	if (WARN_ON_ONCE(nr < 0))
		return NULL;
	index = gfn - snap->layout.range[nr].gfn;
	*slot = index % HLK_CHUNK_PAGES;
	index /= HLK_CHUNK_PAGES;
	old = xa_load(&snap->base[nr], index);
	if (old && chunk_own(snap, old))
		return old;
	chunk = hlk_chunk_copy(snap->files, old);
	if (!chunk || snap_chunk_store(snap, nr, index, chunk))
		return NULL;
	return chunk;
}

/* Make @page the base page of a frame that @leaves more leaves map. */
static int snap_put(struct hlk_snap *snap, u64 gfn, struct page *page, u16 leaves)
{
	struct hlk_chunk_pages *pages;
	struct hlk_chunk *chunk;
	struct page *old;
	int err = -ENOMEM;
	bool had;
	u32 slot;

	if (!page && !leaves && !hlk_snap_has(snap, gfn))
		return 0;
	chunk = snap_chunk(snap, gfn, &slot);
	if (!chunk)
		goto drop;
	pages = chunk->pages;
	old = pages->page[slot];
	had = chunk_has(chunk, slot);
	err = -EDQUOT;
	if (!had && snap->nr_pages >= snap->max_pages)
		goto drop;
	pages->page[slot] = page;
	snap->file_pages -= !!chunk_from(chunk, slot);
	if (chunk->from)
		chunk->from[slot] = 0;
	pages->leaves[slot] += min_t(u16, leaves, U16_MAX - pages->leaves[slot]);
	if (old)
		hlk_page_free(old);
	snap->nr_pages += !!page;
	snap->nr_pages -= had;
	return 0;
drop:
	if (page)
		hlk_page_free(page);
	return err;
}

/**
 * hlk_snap_set() - make a page the base page of a frame
 * @snap: the snapshot that is being made
 * @gfn: the frame
 * @page: the page, counted; its reference is taken over. NULL for zeroes
 *
 * Return: 0, -ENOMEM, or -EDQUOT if the snapshot has too many pages
 */
int hlk_snap_set(struct hlk_snap *snap, u64 gfn, struct page *page)
{
	return snap_put(snap, gfn, page, 0);
}

/**
 * hlk_snap_leaves() - how many leaves map a frame
 * @snap: a compact snapshot
 * @gfn: the frame
 */
u16 hlk_snap_leaves(struct hlk_snap *snap, u64 gfn)
{
	int nr = hlk_layout_find(&snap->layout, gfn);
	struct hlk_chunk *chunk;
	u64 index;

	if (nr < 0)
		return 0;
	index = gfn - snap->layout.range[nr].gfn;
	chunk = xa_load(&snap->base[nr], index / HLK_CHUNK_PAGES);
	return chunk ? chunk_leaves(chunk, index % HLK_CHUNK_PAGES) : 0;
}

/**
 * hlk_snap_count_leaf() - one leaf more or less maps a frame
 * @snap: the snapshot that is being made
 * @gfn: the frame
 * @by: 1 or -1
 *
 * A count that has reached its end stays there: the frame is kept.
 *
 * Return: 0 or -ENOMEM
 */
int hlk_snap_count_leaf(struct hlk_snap *snap, u64 gfn, int by)
{
	struct hlk_chunk *chunk;
	u32 slot;

	chunk = snap_chunk(snap, gfn, &slot);
	if (!chunk)
		return -ENOMEM;
	if (chunk->pages->leaves[slot] != U16_MAX)
		chunk->pages->leaves[slot] += by;
	return 0;
}

/* A chunk will not be there any more. */
static void snap_uncount(struct hlk_snap *snap, const struct hlk_chunk *chunk)
{
	u32 i;

	for (i = 0; chunk && i < HLK_CHUNK_PAGES; i++) {
		snap->nr_pages -= chunk_has(chunk, i);
		snap->file_pages -= !!chunk_from(chunk, i);
	}
}

/* A chunk that is of one file as a whole; @from is 0 for one of zeroes. */
static int snap_set_chunk(struct hlk_snap *snap, u32 nr, u64 index, u64 from, u16 leaves)
{
	struct hlk_chunk *old = xa_load(&snap->base[nr], index);
	struct hlk_chunk *chunk;

	snap_uncount(snap, old);
	if (!from) {
		xa_erase(&snap->base[nr], index);
		if (old)
			kref_put(&old->ref, hlk_chunk_release);
		return 0;
	}
	chunk = hlk_chunk_new(snap->files);
	if (!chunk)
		return -ENOMEM;
	chunk->run = from;
	chunk->leaves = leaves;
	snap->nr_pages += HLK_CHUNK_PAGES;
	snap->file_pages += HLK_CHUNK_PAGES;
	return snap_chunk_store(snap, nr, index, chunk);
}

/* Some pages of one chunk, the same way */
static int snap_set_slots(struct hlk_snap *snap, u64 gfn, u32 pages, u64 from, u16 leaves)
{
	struct hlk_chunk *chunk;
	u32 slot;

	chunk = snap_chunk(snap, gfn, &slot);
	if (!chunk)
		return -ENOMEM;
	if (from && !chunk->from)
		chunk->from = kvcalloc(HLK_CHUNK_PAGES, sizeof(*chunk->from), HLK_GFP);
	if (from && !chunk->from)
		return -ENOMEM;
	for (; pages--; slot++) {
		snap->nr_pages -= chunk_has(chunk, slot);
		snap->file_pages -= !!chunk_from(chunk, slot);
		if (chunk->pages->page[slot])
			hlk_page_free(chunk->pages->page[slot]);
		chunk->pages->page[slot] = NULL;
		chunk->pages->leaves[slot] = leaves;
		if (chunk->from)
			chunk->from[slot] = from;
		if (!from)
			continue;
		snap->nr_pages++;
		snap->file_pages++;
		from += HLK_FROM_PAGE;
	}
	return 0;
}

/**
 * hlk_snap_set_files() - make pages of a file base pages, or have zeroes there
 * @snap: the snapshot that is being made, with its files
 * @nr: the window
 * @index: page number of the first in it
 * @pages: how many
 * @from: which page of which file the first one is, see hlk_from(); 0 for zeroes
 * @leaves: how many leaves map each
 *
 * Nothing is read. What it costs is a chunk's head for each MiB.
 *
 * Return: 0, -ENOMEM, -EDQUOT if the snapshot has too many pages, -EINTR after a fatal
 * signal
 */
int hlk_snap_set_files(struct hlk_snap *snap, u32 nr, u64 index, u64 pages, u64 from,
		       u16 leaves)
{
	const struct hlk_range *range = &snap->layout.range[nr];
	unsigned long at;
	u64 part;
	int err;

	for (; pages; pages -= part, index += part) {
		at = index / HLK_CHUNK_PAGES;
		/* where there is nothing, nothing has to become zero */
		if (!from && !leaves &&
		    !xa_find(&snap->base[nr], &at, ULONG_MAX, XA_PRESENT))
			return 0;
		part = min_t(u64, pages, HLK_CHUNK_PAGES - index % HLK_CHUNK_PAGES);
		if (at != index / HLK_CHUNK_PAGES) {
			part = min_t(u64, pages, (u64)at * HLK_CHUNK_PAGES - index);
			continue;
		}
		err = part == HLK_CHUNK_PAGES && (from || !leaves) ?
		      snap_set_chunk(snap, nr, at, from, leaves) :
		      snap_set_slots(snap, range->gfn + index, part, from, leaves);
		if (err)
			return err;
		if (snap->nr_pages > snap->max_pages)
			return -EDQUOT;
		if (from)
			from += part * HLK_FROM_PAGE;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * hlk_snap_inherit() - begin with the pages of another snapshot
 * @snap: an empty snapshot with the same layout
 * @parent: the other one
 *
 * All its pages count as inherited.
 *
 * Return: 0, -ENOMEM, -EINTR after a fatal signal
 */
int hlk_snap_inherit(struct hlk_snap *snap, struct hlk_snap *parent)
{
	struct hlk_chunk *chunk;
	unsigned long index;
	void *old;
	u32 i;

	/* an import has more, behind them */
	if (!snap->files)
		snap->files = hlk_files_get(parent->files);
	for (i = 0; i < parent->layout.nr; i++) {
		xa_for_each(&parent->base[i], index, chunk) {
			old = xa_store(&snap->base[i], index, chunk, HLK_GFP);
			if (xa_is_err(old))
				return xa_err(old);
			kref_get(&chunk->ref);
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	snap->nr_pages = parent->nr_pages;
	snap->file_pages = parent->file_pages;
	snap->counts.pages = parent->counts.pages;
	snap->counts.inherited = parent->counts.pages;
	return 0;
}

/*
 * A page that was written. One that is all zero costs nothing, whether it is @fresh
 * or was there before.
 */
static int snap_written(struct hlk_snap *snap, u64 gfn, struct page *page, bool fresh)
{
	bool zero = !memchr_inv(page_address(page), 0, PAGE_SIZE);
	int err;

	if (zero == fresh) {
		if (zero)
			hlk_page_free(page);
		return 0;
	}
	err = hlk_snap_set(snap, gfn, zero ? NULL : page);
	if (!err)
		snap->counts.pages += zero ? -1 : 1;
	return err;
}

/**
 * hlk_snap_write() - put bytes into a snapshot that is being made
 * @snap: the snapshot; none of the pages are shared
 * @gpa: where
 * @bytes: how many; the whole range has to lie in windows
 * @fill: called for each piece; returns 0 or an errno
 * @arg: for @fill
 *
 * Pages that are all zero afterwards are not kept.
 *
 * Return: 0, -ENOMEM, -EDQUOT if the snapshot has too many pages, -EINTR after
 * a fatal signal, or what @fill returned
 */
int hlk_snap_write(struct hlk_snap *snap, u64 gpa, u64 bytes,
		   int (*fill)(void *to, size_t bytes, void *arg), void *arg)
{
	struct page *page;
	size_t offset;
	size_t piece;
	bool fresh;
	int ret;

	for (; bytes; bytes -= piece, gpa += piece) {
		offset = gpa % PAGE_SIZE;
		piece = min_t(u64, bytes, PAGE_SIZE - offset);
		page = hlk_snap_page(snap, gpa >> PAGE_SHIFT);
		fresh = !page;
		if (fresh)
			page = hlk_page_alloc(__GFP_ZERO);
		if (!page)
			return -ENOMEM;
		ret = fill(page_address(page) + offset, piece, arg);
		if (!ret)
			ret = snap_written(snap, gpa >> PAGE_SHIFT, page, fresh);
		else if (fresh)
			hlk_page_free(page);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* A page whose memory failed is equal to none, and is not read. */
static bool snap_equal(struct page *ours, struct page *other)
{
	return !PageHWPoison(other) &&
	       !memcmp(page_address(other), page_address(ours), PAGE_SIZE);
}

/* All of hlk_snap_keep() but for the copy itself */
static int snap_keep(struct hlk_snap *snap, struct hlk_kept *kept)
{
	struct page *old = kept->leaves ? NULL : hlk_snap_page(snap, kept->gfn);
	struct page *page = kept->gpage.page;
	struct page *copy;
	int err;

	if (page && PageHWPoison(page))
		return -EHWPOISON;
	if (old) {
		snap->counts.pages--;
		snap->counts.inherited--;
	}
	if (page && kept->gpage.frozen) {
		kept->gpage.page = NULL;
		hlk_count_pages(1);
		snap->counts.inherited++;
		snap->counts.pages++;
		return snap_put(snap, kept->gfn, page, kept->leaves);
	}
	if (page && old && snap_equal(page, old)) {
		snap->counts.inherited++;
		snap->counts.pages++;
		return 0;
	}
	if (!page || !memchr_inv(page_address(page), 0, PAGE_SIZE)) {
		snap->counts.zero++;
		return snap_put(snap, kept->gfn, NULL, kept->leaves);
	}
	copy = hlk_page_alloc(0);
	if (!copy)
		return -ENOMEM;
	err = snap_put(snap, kept->gfn, copy, kept->leaves);
	if (err)
		return err;
	kept->copy = copy;
	snap->counts.copied++;
	snap->counts.pages++;
	return 0;
}

/**
 * hlk_snap_keep() - make guest pages the base pages of frames
 * @snap: the snapshot that is being made
 * @kept: the pages, for frames that differ; their references are taken over
 * @nr: how many, at most HLK_KEEP_MANY: few enough to stay in the cache
 *
 * A frozen page is shared, and so is the one that is there already, from a
 * parent, if it is equal; one of zeroes costs nothing; any other is copied. The
 * copies are made one right after the other, which is faster than each for itself.
 *
 * Return: 0, -ENOMEM, -EDQUOT if the snapshot has too many pages, or -EHWPOISON
 * if the memory of a page failed
 */
int hlk_snap_keep(struct hlk_snap *snap, struct hlk_kept *kept, u32 nr)
{
	int err = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		kept[i].copy = NULL;
		if (!err)
			err = snap_keep(snap, &kept[i]);
	}
	for (i = 0; i < nr; i++)
		if (kept[i].copy && hlk_copy_page(kept[i].copy, kept[i].gpage.page))
			err = err ?: -EHWPOISON;
	for (i = 0; i < nr; i++)
		if (kept[i].gpage.page)
			put_page(kept[i].gpage.page);
	return err;
}

/*
 * A page with the same content, or NULL; a page that is new is noted. There are
 * twice as many places as pages, so there is a free one, and not far away: which
 * hashes meet depends on a key that no guest knows.
 */
static int dedup_find(struct xarray *seen, u64 hash, u64 mask, struct page *page,
		      struct page **same)
{
	struct page *other;

	*same = NULL;
	for (;; hash++) {
		other = xa_load(seen, hash & mask);
		if (!other)
			return xa_err(xa_store(seen, hash & mask, page, HLK_GFP));
		if (other == page || snap_equal(page, other)) {
			*same = other;
			return 0;
		}
	}
}

static int dedup_page(struct hlk_snap *snap, u64 gfn, struct xarray *seen, u64 mask,
		      const siphash_key_t *key)
{
	struct page *page = hlk_snap_page(snap, gfn);
	struct page *same;
	int err;

	/* one that failed stays where it is, and nowhere else */
	if (!page || PageHWPoison(page))
		return 0;
	err = dedup_find(seen, siphash(page_address(page), PAGE_SIZE, key), mask,
			 page, &same);
	if (err || !same)
		return err;
	snap->counts.duplicate++;
	if (same == page)
		return 0;
	get_page(same);
	hlk_count_pages(1);
	return hlk_snap_set(snap, gfn, same);
}

/**
 * hlk_snap_dedup() - keep equal pages once
 * @snap: the snapshot that is being made; all its pages are in place
 * @key: random, so that no guest can choose what collides
 *
 * Return: 0, -ENOMEM, -EINTR after a fatal signal
 */
int hlk_snap_dedup(struct hlk_snap *snap, const siphash_key_t *key)
{
	u64 mask = roundup_pow_of_two(2 * snap->nr_pages + 1) - 1;
	struct xarray seen;
	u64 index = 0;
	u64 gfn;
	u32 nr = 0;
	int err = 0;

	xa_init_flags(&seen, XA_FLAGS_ACCOUNT);
	for (; !err && hlk_snap_next(snap, &nr, &index); index++) {
		gfn = snap->layout.range[nr].gfn + index;
		err = dedup_page(snap, gfn, &seen, mask, key);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	hlk_xa_destroy(&seen, snap->nr_pages);
	return err;
}
