/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: snapshots in folders. */
#ifndef HLK_RUN_SAVED_H
#define HLK_RUN_SAVED_H

#include <hlk.h>
#include <stdbool.h>
#include <stdio.h>

/**
 * struct saving - how a snapshot is to be saved
 * @folder: where to
 * @name: its name there, or NULL
 * @compress: pages are compressed
 */
struct saving {
	const char *folder;
	const char *name;
	bool compress;
};

bool is_folder(const char *path);
bool same_folder(const char *a, const char *b);
int saved_put(struct hlk_ctx *ctx, struct hlk_snap *snap, struct hlk_snap *parent,
	      const struct saving *saving, FILE *file);
int saved_get(struct hlk_ctx *ctx, const char *folder, const char *name, bool verify,
	      struct hlk_snap **snap);

int cmd_snapshot(int argc, char **argv);
int cmd_inspect(int argc, char **argv);

#endif /* HLK_RUN_SAVED_H */
