/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that base pages are of. In user space selftests/user has its own. */
#ifndef _HLK_FILES_H
#define _HLK_FILES_H

#include "env.h"

struct file;
struct inode;
struct hlk_files;

/* Where a page of a file is: the number of the file, and of the page in it; never 0 */
#define HLK_FROM_FILE_BITS	10
#define HLK_FROM_PAGE		BIT_ULL(HLK_FROM_FILE_BITS + 1)

static inline u64 hlk_from(u32 file, u64 page)
{
	return page * HLK_FROM_PAGE | (u64)file << 1 | 1;
}

static inline u32 hlk_from_file(u64 from)
{
	return (from & (HLK_FROM_PAGE - 1)) >> 1;
}

static inline u64 hlk_from_page(u64 from)
{
	return from / HLK_FROM_PAGE;
}

struct hlk_files *hlk_files_alloc(struct hlk_files *parent, u32 nr, gfp_t gfp);
void hlk_files_add(struct hlk_files *files, struct file *file);
struct hlk_files *hlk_files_get(struct hlk_files *files);
void hlk_files_put(struct hlk_files *files);
u32 hlk_files_nr(const struct hlk_files *files);
u64 hlk_files_read(const struct hlk_files *files);
u64 hlk_files_size(const struct hlk_files *files, u32 nr);
bool hlk_files_same(const struct hlk_files *files, u64 from,
		    const struct hlk_files *others, u64 other);
bool hlk_file_is_shmem(const struct inode *inode);
int hlk_files_page(struct hlk_files *files, u64 from, bool nowait, struct page **page);

#endif /* _HLK_FILES_H */
