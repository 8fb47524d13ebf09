// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Files of the host in a sandbox's guest-physical memory: a mapping of the file is a
 * read-only memslot of KVM's, no window. So a restore neither looks at it nor takes it away,
 * and a compact snapshot copies of it what the guest maps, as of any memory beside the windows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grow.h"
#include "internal.h"

#define PAGE	((uint64_t)HLK_GUEST_PAGE_SIZE)

static const char op_map[] = "cannot map a file";
static const char op_unmap[] = "cannot unmap a file";

/**
 * struct file - one that is mapped; there is none without @mem
 * @mem: where, in this process
 * @fd: the file, of our own
 * @set_up: it was there when the pool's set-up was done
 * @end: how long the file has to be
 * @bytes: length of the mapping, whole pages
 * @is: what the guest is told of it
 */
struct file {
	void *mem;
	int fd;
	bool set_up;
	uint64_t end;
	uint64_t bytes;
	struct hlk_guest_file is;
};

struct hlk_files {
	struct file file[HLK_MAX_FILES];
};

static int fail_argument(struct hlk_sandbox *sb, int code, const char *text, uint64_t where)
{
	int ret = hlk_err_text(&sb->err, code, HLK_WHAT_ARGUMENT, op_map, "%s", text);

	sb->err.where = where;
	return ret;
}

static struct file *find(const struct hlk_sandbox *sb, const char *label)
{
	uint32_t i;

	for (i = 0; sb->files && i < HLK_MAX_FILES; i++)
		if (sb->files->file[i].mem && !strcmp(sb->files->file[i].is.label, label))
			return &sb->files->file[i];
	return NULL;
}

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

static int check_label(struct hlk_sandbox *sb, const char *label)
{
	if (!label || !*label)
		return fail_argument(sb, EINVAL, "a file wants a label", 0);
	if (strnlen(label, HLK_MAX_LABEL + 1) > HLK_MAX_LABEL)
		return fail_argument(sb, ENAMETOOLONG, "a label has at most 63 bytes", 0);
	if (find(sb, label))
		return fail_argument(sb, EEXIST, "another file has this label", 0);
	return 0;
}

static int check_place(struct hlk_sandbox *sb, uint64_t gpa, uint64_t bytes)
{
	const struct file *file;
	uint32_t i;

	if (gpa % PAGE)
		return fail_argument(sb, EINVAL, "a file begins at a page of the guest", gpa);
	if (gpa < HLK_GUEST_MEM_BASE || bytes > HLK_GUEST_SCRATCH_TOP ||
	    gpa > HLK_GUEST_SCRATCH_TOP - bytes)
		return fail_argument(sb, EINVAL, "the file would leave the guest's memory", gpa);
	for (i = 0; i < sb->nr_windows; i++)
		if (overlap(gpa, bytes, sb->window[i].gpa, sb->window[i].bytes))
			return fail_argument(sb, EEXIST, "the file would cover memory of the guest",
					     sb->window[i].gpa);
	for (i = 0; i < HLK_MAX_FILES; i++) {
		file = &sb->files->file[i];
		if (file->mem && overlap(gpa, bytes, file->is.gpa, file->bytes))
			return fail_argument(sb, EEXIST, "the file would cover another one",
					     file->is.gpa);
	}
	return 0;
}

/* How much of the file is to be mapped */
static int measure(struct hlk_sandbox *sb, const struct hlk_file *want, uint64_t *bytes)
{
	struct stat stat;
	uint64_t size;

	if (fstat(want->fd, &stat))
		return hlk_err_system(&sb->err, op_map);
	if (!S_ISREG(stat.st_mode))
		return fail_argument(sb, EINVAL, "it is not a regular file", 0);
	size = stat.st_size;
	if (want->offset % PAGE)
		return fail_argument(sb, EINVAL, "the offset is not that of a page",
				     want->offset);
	if (want->offset > size || want->bytes > size - want->offset)
		return fail_argument(sb, EINVAL, "the file is shorter", size);
	*bytes = want->bytes ? want->bytes : size - want->offset;
	if (!*bytes)
		return fail_argument(sb, EINVAL, "there is nothing of the file to be mapped",
				     size);
	return 0;
}

static int set_slot(const struct hlk_sandbox *sb, const struct file *file, uint64_t bytes)
{
	struct kvm_userspace_memory_region region = {
		.slot = HLK_LIB_MAX_WINDOWS + (file - sb->files->file),
		.flags = bytes ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = file->is.gpa,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)file->mem,
	};

	return ioctl(sb->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static void drop(struct file *file)
{
	munmap(file->mem, file->bytes);
	close(file->fd);
	memset(file, 0, sizeof(*file));
}

static int put(struct hlk_sandbox *sb, struct file *file, const struct hlk_file *want)
{
	int ret;

	file->fd = fcntl(want->fd, F_DUPFD_CLOEXEC, 0);
	if (file->fd < 0)
		return hlk_err_system(&sb->err, op_map);
	file->mem = mmap(NULL, file->bytes, PROT_READ, MAP_SHARED, file->fd, want->offset);
	if (file->mem == MAP_FAILED) {
		file->mem = NULL;
		ret = hlk_err_system(&sb->err, op_map);
		close(file->fd);
		return ret;
	}
	if (set_slot(sb, file, file->bytes)) {
		ret = hlk_err_system(&sb->err, op_map);
		drop(file);
		return ret;
	}
	return 0;
}

static int map_file(struct hlk_sandbox *sb, const struct hlk_file *from)
{
	struct file *file, new = {};
	struct hlk_file want;
	uint64_t bytes;
	uint32_t i;
	int ret;

	if (sb->agent)
		return hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_FEATURE, op_map,
				    "files in a machine");
	ret = hlk_grow_take(&want, sizeof(want), HLK_FIRST_FILE, from, "hlk_file", op_map, &sb->err);
	if (!ret)
		ret = hlk_grow_flags(want.flags, 0, "hlk_file", op_map, &sb->err);
	if (!ret && want.__reserved)
		ret = fail_argument(sb, EINVAL, "a reserved field of struct hlk_file is not 0", 0);
	if (!ret)
		ret = check_label(sb, want.label);
	if (!ret)
		ret = measure(sb, &want, &bytes);
	if (ret)
		return ret;
	if (!sb->files)
		sb->files = calloc(1, sizeof(*sb->files));
	if (!sb->files)
		return hlk_err_system(&sb->err, op_map);
	new.end = want.offset + bytes;
	new.bytes = (bytes + PAGE - 1) / PAGE * PAGE;
	ret = check_place(sb, want.gpa, new.bytes);
	if (ret)
		return ret;
	for (i = 0; i < HLK_MAX_FILES && sb->files->file[i].mem; i++)
		;
	if (i == HLK_MAX_FILES)
		return fail_argument(sb, ENOSPC, "at most 32 files can be mapped", i);
	new.is.gpa = want.gpa;
	new.is.bytes = bytes;
	memcpy(new.is.label, want.label, strlen(want.label));
	file = &sb->files->file[i];
	*file = new;
	ret = put(sb, file, &want);
	if (ret)
		memset(file, 0, sizeof(*file));
	return ret;
}

EXPORT int hlk_sandbox_map_file(struct hlk_sandbox *sb, const struct hlk_file *file)
{
	int ret = hlk_enter(sb, op_map);

	return ret ? ret : hlk_leave(sb, map_file(sb, file));
}

/* KVM cannot refuse to take a memslot away but for want of memory. */
static int unmap(struct hlk_sandbox *sb, struct file *file)
{
	if (set_slot(sb, file, 0))
		return hlk_err_system(&sb->err, op_unmap);
	drop(file);
	return 0;
}

static int unmap_file(struct hlk_sandbox *sb, const char *label)
{
	struct file *file = find(sb, label);
	bool set_up;
	int ret;

	if (!file)
		return hlk_err_text(&sb->err, ENOENT, HLK_WHAT_ARGUMENT, op_unmap,
				    "no file %.63s is mapped", label);
	set_up = file->set_up;
	ret = unmap(sb, file);
	/* Who has it next is to have what the pool set up, so that is done again. */
	if (!ret && set_up)
		sb->changed = true;
	return ret;
}

EXPORT int hlk_sandbox_unmap_file(struct hlk_sandbox *sb, const char *label)
{
	int ret = hlk_enter(sb, op_unmap);

	return ret ? ret : hlk_leave(sb, unmap_file(sb, label));
}

/**
 * hlk_files_any() - is a file mapped?
 * @sb: the sandbox
 */
bool hlk_files_any(const struct hlk_sandbox *sb)
{
	uint32_t i;

	for (i = 0; sb->files && i < HLK_MAX_FILES; i++)
		if (sb->files->file[i].mem)
			return true;
	return false;
}

/**
 * hlk_files_short() - has a file become shorter than what is mapped of it?
 * @sb: the sandbox
 *
 * Return: its label, or NULL
 */
const char *hlk_files_short(const struct hlk_sandbox *sb)
{
	const struct file *file;
	struct stat stat;
	uint32_t i;

	for (i = 0; sb->files && i < HLK_MAX_FILES; i++) {
		file = &sb->files->file[i];
		if (file->mem && *file->is.label && !fstat(file->fd, &stat) &&
		    (uint64_t)stat.st_size < file->end)
			return file->is.label;
	}
	return NULL;
}

/**
 * hlk_files_list() - tell the guest what is mapped
 * @sb: the sandbox
 * @out: out: an array of struct hlk_guest_file
 * @size: size of @out
 * @len: out: how much of it
 *
 * Return: 0 or -EMSGSIZE
 */
int hlk_files_list(const struct hlk_sandbox *sb, void *out, size_t size, size_t *len)
{
	const struct file *file;
	size_t used = 0;
	uint32_t i;

	for (i = 0; sb->files && i < HLK_MAX_FILES; i++) {
		file = &sb->files->file[i];
		if (!file->mem || !*file->is.label)
			continue;
		if (size - used < sizeof(file->is))
			return -EMSGSIZE;
		memcpy((char *)out + used, &file->is, sizeof(file->is));
		used += sizeof(file->is);
	}
	*len = used;
	return 0;
}

/**
 * hlk_files_set_up() - the files that are mapped now are those of a pool's set-up
 * @sb: the sandbox
 */
void hlk_files_set_up(struct hlk_sandbox *sb)
{
	uint32_t i;

	for (i = 0; sb->files && i < HLK_MAX_FILES; i++)
		sb->files->file[i].set_up = true;
}

/**
 * hlk_files_reset() - those, as far as they are still mapped, and no others
 * @sb: the sandbox
 *
 * Where KVM has no memory to take a memslot away, nothing can be read there any more.
 */
void hlk_files_reset(struct hlk_sandbox *sb)
{
	struct file *file;
	uint32_t i;

	for (i = 0; sb->files && i < HLK_MAX_FILES; i++) {
		file = &sb->files->file[i];
		if (!file->mem || file->set_up || !unmap(sb, file))
			continue;
		mprotect(file->mem, file->bytes, PROT_NONE);
		memset(file->is.label, 0, sizeof(file->is.label));
	}
}

/**
 * hlk_files_free() - forget them; the VM is closed, or about to be
 * @sb: the sandbox
 */
void hlk_files_free(struct hlk_sandbox *sb)
{
	uint32_t i;

	for (i = 0; sb->files && i < HLK_MAX_FILES; i++)
		if (sb->files->file[i].mem)
			drop(&sb->files->file[i]);
	free(sb->files);
	sb->files = NULL;
}
