// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * How far snapshots are apart: in how many pages they are not the same, which is what it costs a
 * sandbox to go from one to the other.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"
#include "near.h"

#define EXTENTS		64
/* Beyond so many nobody wants to know how many more; some calls of the module at most */
#define MOST		65536U
#define MOST_CALLS	64

/* Ids follow each other: each bit of either has to tell, or neighbours fall together. */
static uint32_t place(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15ULL + b;

	x = (x ^ x >> 33) * 0xff51afd7ed558ccdULL;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return (x >> 33) % HLK_NEAR_SETS;
}

static void in_order(const struct hlk_snap *x, const struct hlk_snap *y, uint64_t *a, uint64_t *b)
{
	*a = x->id < y->id ? x->id : y->id;
	*b = x->id < y->id ? y->id : x->id;
}

/**
 * hlk_near_known() - is a distance known?
 * @near: distances
 * @x: a snapshot
 * @y: another one, or the same
 * @pages: out: how far they are apart
 *
 * Return: whether it is
 */
bool hlk_near_known(const struct hlk_near *near, const struct hlk_snap *x,
		    const struct hlk_snap *y, uint32_t *pages)
{
	uint64_t a, b;
	uint32_t row, i;

	*pages = 0;
	if (x == y || (x->id && x->id == y->id))
		return true;
	in_order(x, y, &a, &b);
	if (!a) {
		*pages = HLK_NEAR_FAR;
		return true;
	}
	row = place(a, b);
	for (i = 0; i < HLK_NEAR_WAYS; i++) {
		*pages = near->pair[row][i].pages;
		if (near->pair[row][i].a == a && near->pair[row][i].b == b)
			return true;
	}
	return false;
}

/**
 * hlk_near_learn() - note a distance
 * @near: distances
 * @x: a snapshot
 * @y: another one
 * @pages: how far they are apart
 */
void hlk_near_learn(struct hlk_near *near, const struct hlk_snap *x,
		    const struct hlk_snap *y, uint32_t pages)
{
	uint64_t a, b;
	uint32_t row, i;

	in_order(x, y, &a, &b);
	row = place(a, b);
	for (i = 0; i < HLK_NEAR_WAYS - 1; i++) {
		if (near->pair[row][i].a == a && near->pair[row][i].b == b)
			break;
	}
	memmove(&near->pair[row][1], &near->pair[row][0], i * sizeof(near->pair[row][0]));
	near->pair[row][0].a = a;
	near->pair[row][0].b = b;
	near->pair[row][0].pages = pages;
}

static uint64_t sum(const struct hlk_extent *extents, uint32_t nr)
{
	uint64_t bytes = 0;

	while (nr--)
		bytes += extents[nr].bytes;
	return bytes / HLK_GUEST_PAGE_SIZE;
}

/**
 * hlk_near_ask() - ask the module for a distance
 * @x: a snapshot
 * @y: another one
 *
 * @pages: out: pages that are not the same, or HLK_NEAR_FAR: many, or it cannot be known
 *
 * Return: whether that is so the next time, too; not, for want of memory or for a signal
 */
bool hlk_near_ask(const struct hlk_snap *x, const struct hlk_snap *y, uint32_t *pages)
{
	struct hlk_extent extents[EXTENTS];
	struct hlk_snapshot_pages arg = {
		.head.size = sizeof(arg),
		.other_fd = y->fd,
		.extents = (uintptr_t)extents,
		.extent_size = sizeof(*extents),
	};
	uint64_t all = 0;
	int calls;

	*pages = HLK_NEAR_FAR;
	for (calls = 0; calls < MOST_CALLS && all < MOST; calls++) {
		arg.nr_extents = EXTENTS;
		if (ioctl(x->fd, HLK_SNAPSHOT_PAGES, &arg))
			return errno != ENOMEM && errno != EINTR && errno != EAGAIN;
		all += sum(extents, arg.nr_extents);
		if (!arg.cursor) {
			if (all < MOST)
				*pages = all;
			return true;
		}
	}
	return true;
}
