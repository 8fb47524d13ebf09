/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: what is in the pages that are mapped. */
#ifndef HLK_RUN_PT_PAGES_H
#define HLK_RUN_PT_PAGES_H

#include "collect.h"

#define PT_DIGEST	32	/* bytes of SHA-256 */

struct pt_digest {
	uint8_t bytes[PT_DIGEST];
};

/**
 * struct pt_extent - physical memory that is mapped, without a gap
 * @gfn: its first page
 * @pages: how many
 * @first: number of the first one
 */
struct pt_extent {
	uint64_t gfn;
	uint64_t pages;
	uint64_t first;
};

/**
 * struct pt_pages - each page of memory that any root maps, once
 * @extent: where they are, in order
 * @nr: length of @extent
 * @total: how many pages
 * @digest: of each; all zero for a page of zeroes, or one that cannot be had
 */
struct pt_pages {
	struct pt_extent *extent;
	size_t nr;
	uint64_t total;
	struct pt_digest *digest;
};

/**
 * typedef pt_read_fn - read guest-physical memory
 * @arg: as given to pt_pages_read()
 * @gpa: where from
 * @buf: out: the bytes
 * @len: how many
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
typedef int (*pt_read_fn)(void *arg, uint64_t gpa, void *buf, size_t len);

int pt_pages_list(struct pt_pages *pages, const struct pt_space *space);
int pt_pages_read(struct pt_pages *pages, const struct pt_space *space, pt_read_fn read,
		  void *arg);
void pt_pages_free(struct pt_pages *pages);
uint64_t pt_pages_number(const struct pt_pages *pages, uint64_t gpa);

#endif /* HLK_RUN_PT_PAGES_H */
