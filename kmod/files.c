// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that base pages are of, and how a page is read. Which files are taken: source.c.
 */
#include "env.h"

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "files.h"

/**
 * struct hlk_files - the files of snapshots
 * @ref: snapshots and chunks that have it
 * @read: pages that were read of them and are held
 * @nr: length of @file
 * @file: the files, held
 *
 * Constant but for @read.
 */
struct hlk_files {
	struct kref ref;
	atomic64_t read;
	u32 nr;
	struct file *file[];
};

/**
 * hlk_files_alloc() - room for files
 * @parent: those that come first, or NULL
 * @nr: how many more there will be
 * @gfp: how to allocate
 *
 * Return: the files with one reference, or NULL
 */
struct hlk_files *hlk_files_alloc(struct hlk_files *parent, u32 nr, gfp_t gfp)
{
	u32 old = hlk_files_nr(parent);
	struct hlk_files *files;

	files = kvzalloc(struct_size(files, file, old + nr), gfp);
	if (!files)
		return NULL;
	kref_init(&files->ref);
	for (; files->nr < old; files->nr++)
		files->file[files->nr] = get_file(parent->file[files->nr]);
	return files;
}

/**
 * hlk_files_add() - one more
 * @files: new files, with room for it
 * @file: the file; its reference is taken over
 */
void hlk_files_add(struct hlk_files *files, struct file *file)
{
	files->file[files->nr++] = file;
}

static void files_release(struct kref *ref)
{
	struct hlk_files *files = container_of(ref, struct hlk_files, ref);

	while (files->nr)
		fput(files->file[--files->nr]);
	kvfree(files);
}

/**
 * hlk_files_get() - one more reference
 * @files: the files, or NULL
 *
 * Return: @files
 */
struct hlk_files *hlk_files_get(struct hlk_files *files)
{
	if (files)
		kref_get(&files->ref);
	return files;
}

/**
 * hlk_files_put() - drop a reference
 * @files: the files, or NULL
 */
void hlk_files_put(struct hlk_files *files)
{
	if (files)
		kref_put(&files->ref, files_release);
}

/**
 * hlk_files_nr() - how many there are
 * @files: the files, or NULL
 */
u32 hlk_files_nr(const struct hlk_files *files)
{
	return files ? files->nr : 0;
}

/**
 * hlk_files_read() - how many of their pages were read so far
 * @files: the files, or NULL
 */
u64 hlk_files_read(const struct hlk_files *files)
{
	return files ? atomic64_read(&files->read) : 0;
}

/**
 * hlk_files_size() - how large a file is
 * @files: the files
 * @nr: which one
 *
 * It stays so.
 */
u64 hlk_files_size(const struct hlk_files *files, u32 nr)
{
	return i_size_read(file_inode(files->file[nr]));
}

/**
 * hlk_files_same() - are two pages the same one of one file?
 * @files: what the number of the file in @from means
 * @from: see hlk_from()
 * @others: the same of the other one
 * @other: the other one
 *
 * Return: whether they are
 */
bool hlk_files_same(const struct hlk_files *files, u64 from,
		    const struct hlk_files *others, u64 other)
{
	if (hlk_from_page(from) != hlk_from_page(other))
		return false;
	return file_inode(files->file[hlk_from_file(from)]) ==
	       file_inode(others->file[hlk_from_file(other)]);
}

/**
 * hlk_file_is_shmem() - is a file in memory alone?
 * @inode: its inode
 */
bool hlk_file_is_shmem(const struct inode *inode)
{
	return IS_ENABLED(CONFIG_SHMEM) && inode->i_sb->s_magic == TMPFS_MAGIC;
}

/* References to a page, or to the large one that it is of: far from wrapping */
#define MAX_HOLDERS	(INT_MAX / 4)

/* Who takes a page away has it locked, to swap it out or otherwise, and nobody may map it then. */
static bool file_has(struct address_space *mapping, struct page *page, bool nowait)
{
	struct folio *folio = page_folio(page);
	bool has;

	if (!nowait)
		folio_lock(folio);
	else if (!folio_trylock(folio))
		return false;
	has = folio->mapping == mapping && folio_test_uptodate(folio);
	folio_unlock(folio);
	return has;
}

static struct page *file_cached(struct address_space *mapping, pgoff_t index)
{
	struct page *page = find_get_page(mapping, index);

	if (!page)
		return ERR_PTR(-EAGAIN);
	if (file_has(mapping, page, true))
		return page;
	put_page(page);
	return ERR_PTR(-EAGAIN);
}

/*
 * Those behind it are likely to be next; how many of them is the file's own guess. Who is
 * at his limit has an error, and nobody is killed for it.
 */
static struct page *file_read(struct file *file, pgoff_t index)
{
	struct address_space *mapping = file->f_mapping;
	gfp_t gfp = mapping_gfp_mask(mapping) | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
	struct page *page;

	if (hlk_file_is_shmem(file_inode(file)))
		return shmem_read_mapping_page_gfp(mapping, index, gfp);
	page = file_cached(mapping, index);
	if (!IS_ERR(page))
		return page;
	page_cache_sync_readahead(mapping, &file->f_ra, file, index, 1);
	for (;;) {
		page = read_cache_page_gfp(mapping, index, gfp);
		if (IS_ERR(page) || file_has(mapping, page, false))
			return page;
		put_page(page);
		if (fatal_signal_pending(current))
			return ERR_PTR(-EIO);
		cond_resched();
	}
}

/**
 * hlk_files_page() - read a page
 * @files: the files
 * @from: which one, see hlk_from()
 * @nowait: only if it is in the page cache
 * @page: out: the page of the page cache, with a reference
 *
 * Return: 0; -EAGAIN with @nowait, -ENOMEM, -EIO for all else that may be wrong with a file
 */
int hlk_files_page(struct hlk_files *files, u64 from, bool nowait, struct page **page)
{
	struct file *file = files->file[hlk_from_file(from)];
	int err;

	*page = nowait ? file_cached(file->f_mapping, hlk_from_page(from)) :
			 file_read(file, hlk_from_page(from));
	if (!IS_ERR(*page)) {
		if (likely(page_count(*page) <= MAX_HOLDERS)) {
			atomic64_inc(&files->read);
			return 0;
		}
		put_page(*page);
		*page = ERR_PTR(-EMLINK);
	}
	err = PTR_ERR(*page);
	return (nowait && err == -EAGAIN) || err == -ENOMEM ? err : -EIO;
}
