// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for benchmarks: pages out of a pool that was touched before, so that what
 * is timed is the work and not the page faults of this process.
 */
#include <malloc.h>
#include <sys/mman.h>

#include "pool.h"

static struct page *pages;
static size_t nr_pages;
static struct page **unused;
static size_t nr_unused;

/**
 * pool_init() - take memory for pages, once
 * @nr: how many
 */
void pool_init(size_t nr)
{
	size_t bytes = nr * PAGE_SIZE;
	u8 *at;

	/* what was freed is kept, so that the next round finds it touched */
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_MMAP_MAX, 0);
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SHIM_ASSERT(at != MAP_FAILED);
	/* large pages, as the kernel's own map of memory has, where there are any */
	madvise(at, bytes, MADV_HUGEPAGE);
	madvise(at, bytes, MADV_POPULATE_WRITE);
	pages = calloc(nr, sizeof(*pages));
	unused = calloc(nr, sizeof(struct page *));
	SHIM_ASSERT(pages && unused);
	for (nr_pages = 0; nr_pages < nr; nr_pages++)
		pages[nr_pages].bytes = at + nr_pages * PAGE_SIZE;
	pool_reset();
}

/**
 * pool_reset() - as after pool_init(), whatever was done since; all pages are free
 *
 * The first page that is asked for is the lowest, as after boot, and then what was
 * freed last, as from the kernel's lists.
 */
void pool_reset(void)
{
	SHIM_ASSERT(!shim.pages);
	for (nr_unused = 0; nr_unused < nr_pages; nr_unused++)
		unused[nr_unused] = &pages[nr_pages - 1 - nr_unused];
}

void *shim_alloc(size_t bytes, gfp_t flags)
{
	void *p = flags & __GFP_ZERO ? calloc(1, bytes) : malloc(bytes);

	SHIM_ASSERT(p);
	shim.allocs++;
	return p;
}

void shim_free(const void *p)
{
	shim.allocs -= !!p;
	free((void *)p);
}

struct page *alloc_page(gfp_t flags)
{
	struct page *page;

	SHIM_ASSERT(nr_unused);
	page = unused[--nr_unused];
	page->refs = 1;
	page->failed = false;
	if (flags & __GFP_ZERO)
		memset(page->bytes, 0, PAGE_SIZE);
	shim.pages++;
	return page;
}

void get_page(struct page *page)
{
	page->refs++;
}

void put_page(struct page *page)
{
	if (--page->refs)
		return;
	shim.pages--;
	unused[nr_unused++] = page;
}

void *page_address(const struct page *page)
{
	return page->bytes;
}

void *kmap_local_page(struct page *page)
{
	return page->bytes;
}

void kunmap_local(const void *at)
{
	(void)at;
}

/* A word at a time, as the kernel's */
const void *memchr_inv(const void *from, int c, size_t bytes)
{
	u64 want = (u8)c * 0x0101010101010101ULL;
	const u64 *word = from;

	for (; bytes; bytes -= sizeof(*word), word++)
		if (*word != want)
			return word;
	return NULL;
}
