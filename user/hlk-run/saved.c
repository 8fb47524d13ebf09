// SPDX-License-Identifier: GPL-2.0-only
/* Snapshots in folders: saved there, and loaded from there. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "saved.h"

/* Is it a folder with snapshots, as far as one can see without reading? */
bool is_folder(const char *path)
{
	char *layout;
	bool is;

	if (asprintf(&layout, "%s/oci-layout", path) < 0)
		return false;
	is = !access(layout, F_OK);
	free(layout);
	return is;
}

bool same_folder(const char *a, const char *b)
{
	struct stat left, right;

	return !stat(a, &left) && !stat(b, &right) && left.st_dev == right.st_dev &&
	       left.st_ino == right.st_ino;
}

/**
 * saved_put() - save a snapshot
 * @ctx: the context
 * @snap: the snapshot
 * @parent: what it is saved on top of, or NULL
 * @saving: how
 * @file: where it is said what was written
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int saved_put(struct hlk_ctx *ctx, struct hlk_snap *snap, struct hlk_snap *parent,
	      const struct saving *saving, FILE *file)
{
	struct hlk_save_config config = HLK_SAVE_CONFIG_INIT;
	struct hlk_err err;

	config.flags = saving->compress ? HLK_SAVE_COMPRESS : 0;
	config.name = saving->name;
	config.parent = parent;
	if (hlk_snapshot_save(ctx, snap, saving->folder, &config, &err))
		return fail_err(saving->folder, &err);
	fprintf(file, "saved: %s: %s, layer %u: %llu pages in %llu bytes\n%s\n",
		saving->folder, saving->name ? saving->name : "latest", config.layers,
		(unsigned long long)config.pages, (unsigned long long)config.bytes,
		config.digest);
	return RUN_OK;
}

/**
 * saved_get() - load a snapshot
 * @ctx: the context
 * @folder: where from
 * @name: its name there, or NULL
 * @verify: read and compare all of it
 * @snap: out: the snapshot
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int saved_get(struct hlk_ctx *ctx, const char *folder, const char *name, bool verify,
	      struct hlk_snap **snap)
{
	struct hlk_load_config config = HLK_LOAD_CONFIG_INIT;
	struct hlk_err err;

	config.flags = verify ? HLK_LOAD_VERIFY : 0;
	config.name = name;
	if (hlk_snapshot_load(ctx, folder, &config, snap, &err))
		return fail_err(folder, &err);
	return RUN_OK;
}
