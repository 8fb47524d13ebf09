/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot --rootfs: a file system in memory, and the cpio archive of it. */
#ifndef HLK_RUN_BOOT_TREE_H
#define HLK_RUN_BOOT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TREE_LARGEST	((1ULL << 32) - 1)	/* a file in a cpio archive, and all of it */

/**
 * struct node - a file, folder, link or device
 * @path: where it is, without a slash at its begin or end; "" is the root
 * @layer: which layer of an image it came with
 * @mode: kind and rights
 * @uid: owner
 * @gid: group
 * @mtime: when it was changed
 * @major: of a device
 * @minor: of a device
 * @size: bytes in @data
 * @data: of a file its bytes, of a symbolic link where it leads
 */
struct node {
	char *path;
	uint32_t layer;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t mtime;
	uint32_t major;
	uint32_t minor;
	uint64_t size;
	unsigned char *data;
};

/**
 * struct tree - a file system
 * @root: by path, in its order: a folder comes before what is in it
 * @layer: the layer that is being put on it
 * @bytes: that all of it takes
 */
struct tree {
	void *root;
	uint32_t layer;
	uint64_t bytes;
};

char *tree_path(const char *path);
int tree_put(struct tree *tree, const struct node *entry);
struct node *tree_find(const struct tree *tree, const char *path);
void tree_hide(struct tree *tree, const char *path, bool itself);
int tree_folders(struct tree *tree, const char *path);
int tree_pack(struct tree *tree, void **data, size_t *size);
void tree_free(struct tree *tree);

#endif /* HLK_RUN_BOOT_TREE_H */
