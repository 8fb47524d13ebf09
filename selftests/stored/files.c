// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <hlk.h>

#include "files.h"

static struct hlk_ctx *ctx;

static void __attribute__((noreturn)) fail(const char *folder, const struct hlk_err *err)
{
	fprintf(stderr, "%s: %s: %s (%d)\n", folder, err->op, err->text, err->code);
	exit(1);
}

static void have_ctx(const char *folder)
{
	struct hlk_err err;

	if (!ctx && hlk_open(&ctx, &err))
		fail(folder, &err);
}

/**
 * files_save() - save a snapshot
 * @fd: the snapshot
 * @parent: what files_save() said of the one that it is a layer on, or NULL
 * @folder: where to
 * @name: its name there
 *
 * Return: a handle of it; a failure ends the program
 */
struct hlk_snap *files_save(int fd, struct hlk_snap *parent, const char *folder,
			    const char *name)
{
	struct hlk_save_config how = HLK_SAVE_CONFIG_INIT;
	struct hlk_snap *snap;
	struct hlk_err err;

	have_ctx(folder);
	how.name = name;
	how.parent = parent;
	if (hlk_snapshot_from_fd(fd, &snap, &err) ||
	    hlk_snapshot_save(ctx, snap, folder, &how, &err))
		fail(folder, &err);
	return snap;
}

/**
 * files_load() - load a snapshot
 * @folder: where from
 * @name: its name there, or NULL for the only one
 * @hot: with what guests touched before it was saved
 *
 * Return: the snapshot; a failure ends the program
 */
int files_load(const char *folder, const char *name, bool hot)
{
	struct hlk_load_config how = HLK_LOAD_CONFIG_INIT;
	struct hlk_snap *snap;
	struct hlk_err err;
	int fd;

	have_ctx(folder);
	how.name = name;
	how.flags = hot ? 0 : HLK_LOAD_NO_HOT_SET;
	if (hlk_snapshot_load(ctx, folder, &how, &snap, &err))
		fail(folder, &err);
	fd = fcntl(hlk_snapshot_fd(snap), F_DUPFD_CLOEXEC, 0);
	hlk_snapshot_close(snap);
	if (fd < 0) {
		perror(folder);
		exit(1);
	}
	return fd;
}

void files_forget(struct hlk_snap *snap)
{
	hlk_snapshot_close(snap);
}

static uint64_t sum;
static uint64_t most;
static char largest[4096];

static int look(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	if (kind != FTW_F)
		return 0;
	sum += st->st_blocks * 512ULL;
	if ((uint64_t)st->st_size >= most) {
		most = st->st_size;
		snprintf(largest, sizeof(largest), "%s", path);
	}
	return 0;
}

static void walk(const char *folder)
{
	sum = 0;
	most = 0;
	*largest = '\0';
	nftw(folder, look, 16, FTW_PHYS);
}

/* What all files in it have of the disk, what fs-verity adds to them, too */
uint64_t files_bytes(const char *folder)
{
	walk(folder);
	return sum;
}

/* The name of the largest one, until it is asked again */
const char *files_largest(const char *folder)
{
	walk(folder);
	return largest;
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

void files_remove(const char *folder)
{
	nftw(folder, drop, 16, FTW_PHYS | FTW_DEPTH);
}
