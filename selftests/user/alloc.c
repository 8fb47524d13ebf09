// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for tests: each allocation is one of malloc(), counted, and can be told to fail.
 */

#include "pt.h"

static bool alloc_fails(gfp_t flags)
{
	flags &= ~__GFP_ZERO;
	SHIM_ASSERT(flags == HLK_GFP || flags == SHIM_GFP_HINT);
	SHIM_ASSERT(!shim.no_alloc || flags == SHIM_GFP_HINT);
	SHIM_ASSERT(!shim.unpaid);
	return ++shim.tries == shim.fail_at;
}

void *shim_alloc(size_t bytes, gfp_t flags)
{
	void *p;

	if (alloc_fails(flags))
		return NULL;
	p = malloc(bytes);
	SHIM_ASSERT(p);
	memset(p, flags & __GFP_ZERO ? 0 : 0xa5, bytes);
	shim.allocs++;
	return p;
}

void shim_free(const void *p)
{
	if (!p)
		return;
	SHIM_ASSERT(shim.allocs > 0);
	shim.allocs--;
	free((void *)p);
}

struct page *alloc_page(gfp_t flags)
{
	struct page *page;

	if (alloc_fails(flags))
		return NULL;
	page = calloc(1, sizeof(*page));
	SHIM_ASSERT(page);
	page->bytes = malloc(PAGE_SIZE);
	SHIM_ASSERT(page->bytes);
	memset(page->bytes, flags & __GFP_ZERO ? 0 : 0xa5, PAGE_SIZE);
	page->refs = 1;
	shim.pages++;
	return page;
}

void get_page(struct page *page)
{
	SHIM_ASSERT(page->refs > 0);
	page->refs++;
}

void put_page(struct page *page)
{
	SHIM_ASSERT(page->refs > 0);
	if (--page->refs)
		return;
	SHIM_ASSERT(!page->mapping && !page->locked && !page->maps);
	shim.pages--;
	free(page->bytes);
	free(page);
}

void *page_address(const struct page *page)
{
	SHIM_ASSERT(page->refs > 0);
	return page->bytes;
}

void *kmap_local_page(struct page *page)
{
	shim.maps++;
	return page_address(page);
}

void kunmap_local(const void *at)
{
	(void)at;
	SHIM_ASSERT(shim.maps > 0);
	shim.maps--;
}

const void *memchr_inv(const void *from, int c, size_t bytes)
{
	const u8 *p = from;

	if (!bytes || (*p == (u8)c && !memcmp(p, p + 1, bytes - 1)))
		return NULL;
	for (; bytes; bytes--, p++)
		if (*p != (u8)c)
			return p;
	return NULL;
}
