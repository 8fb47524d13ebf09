/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Snapshots of one line, and a VM that goes from one to another: a guest that writes some
 * pages and reads others.
 */
#ifndef _FAMILY_H
#define _FAMILY_H

#include "hlk_test.h"

#define FAMILY_MOST	16
#define FAMILY_DATA	0x200000UL	/* its frames begin here */

/**
 * struct family_pages - pages of the guest
 * @first: the first one, as a number of family_at()
 * @nr: how many
 * @step: from one to the next
 */
struct family_pages {
	u32 first;
	u32 nr;
	u32 step;
};

/**
 * struct family - the VM and its snapshots
 * @t: the VM
 * @bytes: of its low memory
 * @nr: length of @snap
 * @snap: snapshots
 */
struct family {
	struct tvm t;
	u64 bytes;
	u32 nr;
	int snap[FAMILY_MOST];
};

void family_open(struct family *f, u64 bytes, const struct family_pages *writes,
		 const struct family_pages *reads);
int family_child(struct family *f, int parent, const struct family_pages *pages, u32 value);
void family_close(struct family *f);
void family_go(struct family *f, int snap);
void family_call(struct family *f);
u64 *family_at(struct family *f, u32 page);
struct hlk_vm_stats family_stats(struct family *f);

#endif /* _FAMILY_H */
