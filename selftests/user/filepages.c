// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of pages, without files: each page says where it is from. What is asked of
 * kmod/files.c, for user space.
 */
#include "filepages.h"

struct hlk_files *shim_files_new(void)
{
	struct hlk_files *files = calloc(1, sizeof(*files));

	kref_init(&files->ref);
	return files;
}

struct hlk_files *hlk_files_get(struct hlk_files *files)
{
	if (files)
		kref_get(&files->ref);
	return files;
}

static void files_release(struct kref *ref)
{
	free(container_of(ref, struct hlk_files, ref));
}

void hlk_files_put(struct hlk_files *files)
{
	if (files)
		kref_put(&files->ref, files_release);
}

/* Pages of the page cache are charged when they come into it. */
int hlk_files_page(struct hlk_files *files, u64 from, bool nowait, struct page **page)
{
	u64 *word;

	if (nowait && !files->cached)
		return -EAGAIN;
	if (files->fail_at && from == files->fail_at)
		return -EIO;
	*page = alloc_page(HLK_GFP | __GFP_ZERO);
	if (!*page)
		return -ENOMEM;
	word = page_address(*page);
	*word = from;
	files->read++;
	return 0;
}

u64 hlk_files_read(const struct hlk_files *files)
{
	return files ? files->read : 0;
}
