// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which files base pages may be of.
 *
 * A snapshot never changes, so nor may its files. Two kinds are known for it: those with
 * fs-verity, which are read-only for ever and checked as they are read, and memfds that
 * were sealed. Both the kernel enforces, whoever has the file.
 */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/shmem_fs.h>

#include "hlk.h"

/*
 * Seals are never taken back, and F_SEAL_WRITE is not given while somebody could still
 * write by a mapping. Files of a tmpfs that are no memfd have no such seals.
 */
static bool file_is_sealed(struct inode *inode)
{
	const unsigned int seals = F_SEAL_WRITE | F_SEAL_SHRINK;

	return hlk_file_is_shmem(inode) && (READ_ONCE(SHMEM_I(inode)->seals) & seals) == seals;
}

static bool file_is_immutable(struct inode *inode)
{
	return file_is_sealed(inode) || (IS_VERITY(inode) && !IS_DAX(inode));
}

/* A file that can be read by page: no FIFO, no device, nothing that stands for others */
static bool file_is_regular(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return file->f_mode & FMODE_READ && S_ISREG(inode->i_mode) &&
	       file->f_mapping == inode->i_mapping;
}

static int files_add(struct hlk_files *files, u64 sources, u32 size, u32 nr,
		     struct hlk_why_at *at)
{
	struct hlk_source source;
	struct file *file;
	int ret;

	ret = hlk_element_get(&source, sizeof(source), sources, size, nr, at);
	if (ret)
		return ret;
	if (source.__reserved)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, nr, 0);
	file = fget(source.fd);
	if (!file)
		return hlk_fail(at, -EBADF, HLK_WHY_SOURCE_FD, nr, 0);
	hlk_files_add(files, file);
	if (!file_is_regular(file))
		return hlk_fail(at, -EBADF, HLK_WHY_SOURCE_FD, nr, 0);
	if (!file_is_immutable(file_inode(file)))
		return hlk_fail(at, -ETXTBSY, HLK_WHY_SOURCE_MUTABLE, nr, 0);
	return 0;
}

/**
 * hlk_files_new() - take files that a caller gives
 * @files: out: those of the parent, which keep their numbers, and the new ones; or NULL
 * @parent: the parent's, or NULL
 * @sources: an array of struct hlk_source, a user pointer
 * @size: what the caller takes for the size of one
 * @nr: how many
 * @at: the reason of a failure
 *
 * Return: 0; -E2BIG if there are too many, -EBADF for what is no regular file, -ETXTBSY
 * for one that may change, -ENOMEM, and those of arrays
 */
int hlk_files_new(struct hlk_files **files, struct hlk_files *parent, u64 sources, u32 size,
		  u32 nr, struct hlk_why_at *at)
{
	u32 old = hlk_files_nr(parent);
	struct hlk_files *new;
	u32 i;
	int ret;

	*files = hlk_files_get(parent);
	if (!nr)
		return 0;
	ret = hlk_element_size(size, HLK_FIRST_SOURCE, HLK_WHY_ELEMENT_SIZE, at);
	if (ret)
		return ret;
	if (nr > HLK_MAX_SOURCES - old)
		return hlk_fail(at, -E2BIG, HLK_WHY_TOO_MANY_SOURCES, nr, HLK_MAX_SOURCES);
	new = hlk_files_alloc(parent, nr, HLK_GFP);
	if (!new)
		return -ENOMEM;
	hlk_files_put(parent);
	*files = new;
	for (i = 0; i < nr; i++) {
		ret = files_add(new, sources, size, i, at);
		if (ret)
			return ret;
	}
	return 0;
}
