// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run pt: what is in the pages that are mapped, as a digest of each. The guest decides
 * how often a page is mapped, not how often it is read.
 */
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "pages.h"

#define CHUNK	256U	/* pages that are read at a time */

static int no_memory(void)
{
	return fail_say("out of memory");
}

/* Does it lead to memory that can be read? */
static bool readable(const struct hlk_mapping *map)
{
	return !pt_is_table(map) && !(map->map & HLK_MAP_NOT_RAM) && map->pages;
}

static int by_gfn(const void *a, const void *b)
{
	const struct pt_extent *x = a, *y = b;

	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

/* What touches or overlaps becomes one. */
static void join(struct pt_pages *pages)
{
	struct pt_extent *last = pages->extent;
	uint64_t end;
	size_t i;

	for (i = 1; i < pages->nr; i++) {
		end = pages->extent[i].gfn + pages->extent[i].pages;
		if (pages->extent[i].gfn > last->gfn + last->pages)
			*++last = pages->extent[i];
		else if (end > last->gfn + last->pages)
			last->pages = end - last->gfn;
	}
	if (pages->nr)
		pages->nr = last - pages->extent + 1;
	for (i = 0; i < pages->nr; i++) {
		pages->extent[i].first = pages->total;
		pages->total += pages->extent[i].pages;
	}
}

/**
 * pt_pages_list() - list the pages that are mapped
 * @pages: what to fill
 * @space: what was collected
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_pages_list(struct pt_pages *pages, const struct pt_space *space)
{
	size_t i;

	memset(pages, 0, sizeof(*pages));
	pages->extent = calloc(space->nr + 1, sizeof(*pages->extent));
	if (!pages->extent)
		return no_memory();
	for (i = 0; i < space->nr; i++)
		if (readable(&space->maps[i]))
			pages->extent[pages->nr++] = (struct pt_extent) {
				.gfn = space->maps[i].gpa / PT_PAGE,
				.pages = space->maps[i].pages,
			};
	qsort(pages->extent, pages->nr, sizeof(*pages->extent), by_gfn);
	join(pages);
	if (pages->total >= UINT32_MAX)
		return fail_say("more memory is mapped than can be compared");
	pages->digest = calloc(pages->total + 1, sizeof(*pages->digest));
	return pages->digest ? RUN_OK : no_memory();
}

static bool is_zero(const uint8_t *page)
{
	return !*page && !memcmp(page, page + 1, PT_PAGE - 1);
}

static void digest_of(const uint8_t *page, struct pt_digest *digest)
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, PT_PAGE, page);
	sha256_digest(&sha, PT_DIGEST, digest->bytes);
}

static int read_extent(struct pt_pages *pages, const struct pt_extent *extent, uint8_t *buf,
		       pt_read_fn read, void *arg)
{
	uint64_t at, nr, i;
	int ret;

	for (at = 0; at < extent->pages; at += nr) {
		nr = extent->pages - at < CHUNK ? extent->pages - at : CHUNK;
		ret = read(arg, (extent->gfn + at) * PT_PAGE, buf, nr * PT_PAGE);
		if (ret)
			return ret;
		for (i = 0; i < nr; i++)
			if (!is_zero(buf + i * PT_PAGE))
				digest_of(buf + i * PT_PAGE,
					  &pages->digest[extent->first + at + i]);
	}
	return RUN_OK;
}

/**
 * pt_pages_read() - list the pages that are mapped, and read them
 * @pages: what to fill
 * @space: what was collected
 * @read: how to read
 * @arg: its first argument
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_pages_read(struct pt_pages *pages, const struct pt_space *space, pt_read_fn read,
		  void *arg)
{
	uint8_t *buf;
	size_t i;
	int ret;

	ret = pt_pages_list(pages, space);
	if (ret)
		return ret;
	buf = malloc(CHUNK * PT_PAGE);
	if (!buf)
		return no_memory();
	for (i = 0; i < pages->nr && !ret; i++)
		ret = read_extent(pages, &pages->extent[i], buf, read, arg);
	free(buf);
	return ret;
}

/**
 * pt_pages_free() - forget them
 * @pages: what was filled, or zero
 */
void pt_pages_free(struct pt_pages *pages)
{
	free(pages->extent);
	free(pages->digest);
	memset(pages, 0, sizeof(*pages));
}

/**
 * pt_pages_number() - the number of a page; those behind it without a gap follow
 * @pages: the pages
 * @gpa: where it is; it is one of them
 */
uint64_t pt_pages_number(const struct pt_pages *pages, uint64_t gpa)
{
	uint64_t gfn = gpa / PT_PAGE;
	size_t low = 0, high = pages->nr, mid;

	while (low + 1 < high) {
		mid = low + (high - low) / 2;
		if (pages->extent[mid].gfn <= gfn)
			low = mid;
		else
			high = mid;
	}
	return pages->extent[low].first + (gfn - pages->extent[low].gfn);
}
