// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run boot --rootfs: an initrd from a folder, or from an image in an OCI layout, with
 * the agent added, which is the first program then.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../fail.h"
#include "../input.h"
#include "oci.h"
#include "rootfs.h"

#define AGENT	"hlk-agent"
#define WARM	"etc/hlk/warm"

/* The agent, for 32 and for 64 bits */
extern const unsigned char agent_i386[], agent_i386_end[];
extern const unsigned char agent_amd64[], agent_amd64_end[];

__asm__(".section .rodata\n"
	"agent_i386: .incbin \"" AGENT_I386 "\"\n"
	"agent_i386_end:\n"
	"agent_amd64: .incbin \"" AGENT_AMD64 "\"\n"
	"agent_amd64_end: .previous\n");

/* ---- a folder ---- */

static int read_data(const FTSENT *at, struct node *entry)
{
	size_t size = 0;
	void *data;
	ssize_t got;
	int fd, ret;

	if (at->fts_info == FTS_SL || at->fts_info == FTS_SLNONE) {
		entry->data = malloc(PATH_MAX);
		got = entry->data ? readlink(at->fts_accpath, (char *)entry->data,
					     PATH_MAX) : -1;
		if (got < 0)
			return input_fail(at->fts_path, strerror(errno));
		entry->size = got;
		return RUN_OK;
	}
	if (at->fts_info != FTS_F)
		return RUN_OK;
	fd = open(at->fts_accpath, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return input_fail(at->fts_path, strerror(errno));
	ret = input_read(fd, at->fts_path, TREE_LARGEST, &data, &size);
	close(fd);
	entry->data = data;
	entry->size = size;
	return ret;
}

static int put(struct tree *tree, const struct node *entry, const char *name)
{
	int ret = tree_put(tree, entry);

	return ret ? input_fail(name, ret == -EFBIG ? "4 GiB are the most of an initrd" :
				 strerror(-ret)) : RUN_OK;
}

static int take(struct tree *tree, const FTSENT *at, size_t skip)
{
	const struct stat *st = at->fts_statp;
	struct node entry = {
		.path = tree_path(at->fts_path + skip),
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime = st->st_mtime,
		.major = S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode) ? major(st->st_rdev) : 0,
		.minor = S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode) ? minor(st->st_rdev) : 0,
	};

	if (!entry.path)
		return input_fail(at->fts_path, strerror(errno));
	if (read_data(at, &entry)) {
		free(entry.path);
		free(entry.data);
		return RUN_FILE;
	}
	return put(tree, &entry, at->fts_path);
}

/* What lies in another file system is left out: /proc of a system that runs, say. */
static int read_folder(struct tree *tree, const char *name)
{
	char *const names[] = { (char *)name, NULL };
	FTS *walk = fts_open(names, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR | FTS_XDEV,
			     NULL);
	size_t skip = strlen(name);
	int ret = RUN_OK;
	FTSENT *at;

	if (!walk)
		return input_fail(name, strerror(errno));
	while (!ret && (errno = 0, at = fts_read(walk))) {
		if (at->fts_info == FTS_DNR || at->fts_info == FTS_ERR ||
		    at->fts_info == FTS_NS)
			ret = input_fail(at->fts_path, strerror(at->fts_errno));
		else if (at->fts_level == FTS_ROOTLEVEL && !S_ISDIR(at->fts_statp->st_mode))
			ret = input_fail(at->fts_path, strerror(ENOTDIR));
		else if (at->fts_info != FTS_DP && !S_ISSOCK(at->fts_statp->st_mode))
			ret = take(tree, at, skip);
	}
	if (!ret && errno)
		ret = input_fail(name, strerror(errno));
	fts_close(walk);
	return ret;
}

/* ---- what is added ---- */

static int add(struct tree *tree, const char *path, uint32_t mode, const void *data,
	       size_t size)
{
	struct node entry = {
		.path = strdup(path),
		.mode = mode,
		.size = size,
		.data = malloc(size ? size : 1),
	};

	if (!entry.path || !entry.data || tree_folders(tree, path)) {
		free(entry.path);
		free(entry.data);
		return input_fail(path, "out of memory");
	}
	if (size)
		memcpy(entry.data, data, size);
	/* so that the kernel has a console before /dev is mounted */
	if (S_ISCHR(mode)) {
		entry.major = 5;
		entry.minor = 1;
	}
	return put(tree, &entry, path);
}

static int add_warm(struct tree *tree, const char *command)
{
	char *text;
	int ret, len;

	if (!command)
		return RUN_OK;
	len = asprintf(&text, "#!/bin/sh\nexec %s\n", command);
	if (len < 0)
		return input_fail(WARM, "out of memory");
	ret = add(tree, WARM, S_IFREG | 0755, text, len);
	free(text);
	return ret;
}

static int add_agent(struct tree *tree, const struct boot_options *opt, bool is64)
{
	int ret;

	if (is64)
		ret = add(tree, AGENT, S_IFREG | 0755, agent_amd64,
			  agent_amd64_end - agent_amd64);
	else
		ret = add(tree, AGENT, S_IFREG | 0755, agent_i386,
			  agent_i386_end - agent_i386);
	if (!ret && !tree_find(tree, "dev/console"))
		ret = add(tree, "dev/console", S_IFCHR | 0600, NULL, 0);
	return ret ? ret : add_warm(tree, opt->warm);
}

/* Where a bzImage says that it has a 64-bit entry, and where an ELF file says its class */
#define SETUP_MAGIC	0x202
#define XLOADFLAGS	0x236
#define ELF_CLASS	4

static bool kernel_is64(const struct hlk_kernel *kernel)
{
	const unsigned char *image = kernel->image;

	if (kernel->protocol == HLK_PROTOCOL_LINUX32)
		return false;
	if (kernel->protocol == HLK_PROTOCOL_LINUX64)
		return true;
	if (kernel->image_size > ELF_CLASS && !memcmp(image, "\177ELF", 4))
		return image[ELF_CLASS] == 2;
	return kernel->image_size > XLOADFLAGS &&
	       !memcmp(image + SETUP_MAGIC, "HdrS", 4) && image[XLOADFLAGS] & 1;
}

static bool is_oci(const char *name)
{
	char *path;
	bool is;

	if (asprintf(&path, "%s/oci-layout", name) < 0)
		return false;
	is = !access(path, F_OK);
	free(path);
	return is;
}

static int add_option(struct boot_options *opt)
{
	char *append;

	if (opt->append && strstr(opt->append, "rdinit="))
		return RUN_OK;
	if (asprintf(&append, "%s%srdinit=/" AGENT, opt->append ? opt->append : "",
		     opt->append ? " " : "") < 0)
		return input_fail(AGENT, "out of memory");
	opt->append = append;
	opt->own_append = append;
	return RUN_OK;
}

/**
 * rootfs_make() - make the initrd of a root file system
 * @opt: the command line; out: the kernel's, with its first program
 * @kernel: the kernel; out: its initrd
 *
 * Return: RUN_OK, or RUN_FILE after the reason was printed
 */
int rootfs_make(struct boot_options *opt, struct hlk_kernel *kernel)
{
	bool is64 = kernel_is64(kernel);
	struct tree tree = {};
	void *data = NULL;
	size_t size = 0;
	int ret;

	if (is_oci(opt->rootfs))
		ret = oci_read(&tree, opt->rootfs, is64);
	else
		ret = read_folder(&tree, opt->rootfs);
	if (!ret)
		ret = add_agent(&tree, opt, is64);
	if (!ret && tree_pack(&tree, &data, &size))
		ret = input_fail(opt->rootfs, "an initrd of it would be larger than 4 GiB, or than memory");
	tree_free(&tree);
	if (ret)
		return ret;
	kernel->initrd = data;
	kernel->initrd_size = size;
	ret = add_option(opt);
	kernel->cmdline = opt->append;
	return ret;
}
