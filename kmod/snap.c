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

static void chunk_release(struct kref *ref)
{
	struct hlk_chunk *chunk = container_of(ref, struct hlk_chunk, ref);
	u32 i;

	for (i = 0; i < HLK_CHUNK_PAGES; i++)
		if (chunk->page[i])
			hlk_page_free(chunk->page[i]);
	kfree(chunk);
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
			kref_put(&chunk->ref, chunk_release);
			cond_resched();
		}
		xa_destroy(&snap->base[i]);
	}
	snap->nr_pages = 0;
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

/**
 * hlk_base_page() - a base page
 * @base: the base pages of a window
 * @index: page number in the window
 *
 * Return: the page, without a reference; NULL is a page of zeroes
 */
struct page *hlk_base_page(struct xarray *base, u64 index)
{
	struct hlk_chunk *chunk = xa_load(base, index / HLK_CHUNK_PAGES);

	return chunk ? chunk->page[index % HLK_CHUNK_PAGES] : NULL;
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
	int nr = hlk_layout_find(&snap->layout, gfn);

	return nr < 0 ? NULL :
	       hlk_base_page(&snap->base[nr], gfn - snap->layout.range[nr].gfn);
}

/**
 * hlk_snap_next() - the next base page
 * @snap: the snapshot
 * @nr: in and out: the window
 * @index: in: page number in it from which on to look. out: that of the page
 *
 * Return: the page, or NULL if there are no more
 */
struct page *hlk_snap_next(struct hlk_snap *snap, u32 *nr, u64 *index)
{
	struct hlk_chunk *chunk;
	unsigned long at;
	u64 from = *index;
	u32 i;

	for (; *nr < snap->layout.nr; ++*nr, from = 0) {
		for (at = from / HLK_CHUNK_PAGES;
		     (chunk = xa_find(&snap->base[*nr], &at, ULONG_MAX, XA_PRESENT));
		     at++) {
			i = at == from / HLK_CHUNK_PAGES ? from % HLK_CHUNK_PAGES : 0;
			for (; i < HLK_CHUNK_PAGES; i++) {
				if (!chunk->page[i])
					continue;
				*index = (u64)at * HLK_CHUNK_PAGES + i;
				return chunk->page[i];
			}
		}
	}
	return NULL;
}

static struct hlk_chunk *chunk_copy(const struct hlk_chunk *from)
{
	struct hlk_chunk *chunk = kzalloc(sizeof(*chunk), HLK_GFP);
	u32 i;

	if (!chunk)
		return NULL;
	kref_init(&chunk->ref);
	if (!from)
		return chunk;
	memcpy(chunk->leaves, from->leaves, sizeof(chunk->leaves));
	for (i = 0; i < HLK_CHUNK_PAGES; i++) {
		if (!from->page[i])
			continue;
		get_page(from->page[i]);
		chunk->page[i] = from->page[i];
		hlk_count_pages(1);
	}
	return chunk;
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
	if (old && kref_read(&old->ref) == 1)
		return old;
	chunk = chunk_copy(old);
	if (!chunk)
		return NULL;
	if (xa_is_err(xa_store(&snap->base[nr], index, chunk, HLK_GFP))) {
		kref_put(&chunk->ref, chunk_release);
		return NULL;
	}
	if (old)
		kref_put(&old->ref, chunk_release);
	return chunk;
}

/* Make @page the base page of a frame that @leaves more leaves map. */
static int snap_put(struct hlk_snap *snap, u64 gfn, struct page *page, u16 leaves)
{
	struct hlk_chunk *chunk;
	struct page *old;
	int err = -ENOMEM;
	u32 slot;

	if (!page && !leaves && !hlk_snap_page(snap, gfn))
		return 0;
	chunk = snap_chunk(snap, gfn, &slot);
	if (!chunk)
		goto drop;
	old = chunk->page[slot];
	err = -EDQUOT;
	if (!old && snap->nr_pages >= snap->max_pages)
		goto drop;
	chunk->page[slot] = page;
	chunk->leaves[slot] += min_t(u16, leaves, U16_MAX - chunk->leaves[slot]);
	if (old)
		hlk_page_free(old);
	snap->nr_pages += !!page;
	snap->nr_pages -= !!old;
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
	return chunk ? chunk->leaves[index % HLK_CHUNK_PAGES] : 0;
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
	if (chunk->leaves[slot] != U16_MAX)
		chunk->leaves[slot] += by;
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
