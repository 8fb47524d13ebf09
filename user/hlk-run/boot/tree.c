// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run boot --rootfs: a file system in memory, and the cpio archive of it, in the form
 * that Linux takes as its initial file system ("newc").
 */
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tree.h"

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

/**
 * tree_path() - a path as a tree has it
 * @path: as others have it: with "./", "/", or slashes at its begin and end
 *
 * Return: a copy to be freed, or NULL: with errno ENOMEM, EINVAL for one that leads
 * out of the tree, or ENAMETOOLONG for one that Linux would not take
 */
char *tree_path(const char *path)
{
	char *copy, *to;
	const char *end;
	size_t len;

	if (strlen(path) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	copy = malloc(strlen(path) + 1);
	if (!copy)
		return NULL;
	to = copy;
	for (; *path; path = end) {
		path += strspn(path, "/");
		end = path + strcspn(path, "/");
		len = end - path;
		if (!len || (len == 1 && *path == '.'))
			continue;
		if (len == 2 && !memcmp(path, "..", 2)) {
			free(copy);
			errno = EINVAL;
			return NULL;
		}
		if (to != copy)
			*to++ = '/';
		memcpy(to, path, len);
		to += len;
	}
	*to = '\0';
	return copy;
}

static void entry_free(void *arg)
{
	struct node *entry = arg;

	free(entry->path);
	free(entry->data);
	free(entry);
}

/**
 * tree_find() - what is at a path
 * @tree: the tree
 * @path: the path
 *
 * Return: the entry, or NULL
 */
struct node *tree_find(const struct tree *tree, const char *path)
{
	const struct node key = { .path = (char *)path };
	struct node *const *found = tfind(&key, &tree->root, by_path);

	return found ? *found : NULL;
}

/* What it takes here. Of empty files and folders that is much more than their bytes. */
static uint64_t weight(const struct node *entry)
{
	return entry->size + sizeof(*entry) + strlen(entry->path);
}

static void drop(struct tree *tree, struct node *entry)
{
	tree->bytes -= weight(entry);
	tdelete(entry, &tree->root, by_path);
	entry_free(entry);
}

/**
 * struct list - entries that were found
 * @nr: how many
 * @room: length of @found
 * @found: these
 * @tree: the tree
 * @path: the folder that they are in, or that they are
 * @itself: the folder, too
 * @failed: there was no memory
 */
struct list {
	size_t nr;
	size_t room;
	struct node **found;
	const struct tree *tree;
	const char *path;
	bool itself;
	bool failed;
};

static void list_add(struct list *list, struct node *entry)
{
	size_t room = list->room ? 2 * list->room : 256;
	struct node **more;

	if (list->nr == list->room) {
		more = reallocarray(list->found, room, sizeof(*more));
		if (!more) {
			list->failed = true;
			return;
		}
		list->found = more;
		list->room = room;
	}
	list->found[list->nr++] = entry;
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !len ? *path : !strncmp(path, folder, len) && path[len] == '/';
}

static void look(const void *node, VISIT visit, void *arg)
{
	struct node *entry = *(struct node *const *)node;
	struct list *list = arg;

	if (list->failed || (visit != postorder && visit != leaf))
		return;
	if (list->path && entry->layer >= list->tree->layer)
		return;
	if (!list->path || is_below(entry->path, list->path) ||
	    (list->itself && !strcmp(entry->path, list->path)))
		list_add(list, entry);
}

/**
 * tree_hide() - take away what layers below have at a path
 * @tree: the tree
 * @path: the path; of a folder, all that is in it goes
 * @itself: the path as well
 */
void tree_hide(struct tree *tree, const char *path, bool itself)
{
	struct list list = { .tree = tree, .path = path, .itself = itself };
	size_t i;

	do {
		list.nr = 0;
		list.failed = false;
		twalk_r(tree->root, look, &list);
		for (i = 0; i < list.nr; i++)
			drop(tree, list.found[i]);
	} while (list.failed && list.nr);
	free(list.found);
}

/**
 * tree_put() - put an entry into a tree, in the place of what is there
 * @tree: the tree
 * @entry: the entry; path and data are the tree's from now on, also after a failure
 *
 * Return: 0, -ENOMEM or -EFBIG
 */
int tree_put(struct tree *tree, const struct node *entry)
{
	struct node *new = malloc(sizeof(*new)), *old;
	int ret = -ENOMEM;

	if (!new) {
		free(entry->path);
		free(entry->data);
		return -ENOMEM;
	}
	*new = *entry;
	new->layer = tree->layer;
	old = tree_find(tree, new->path);
	if (old) {
		if (S_ISDIR(old->mode) && !S_ISDIR(new->mode))
			tree_hide(tree, new->path, false);
		drop(tree, old);
	}
	if (weight(new) > TREE_LARGEST - tree->bytes)
		ret = -EFBIG;
	else if (tsearch(new, &tree->root, by_path))
		ret = 0;
	if (ret)
		entry_free(new);
	else
		tree->bytes += weight(new);
	return ret;
}

/**
 * tree_folders() - have the folders that a path is in
 * @tree: the tree
 * @path: the path
 *
 * Return: 0, -ENOMEM or -EFBIG
 */
int tree_folders(struct tree *tree, const char *path)
{
	struct node folder = { .mode = S_IFDIR | 0755 };
	const char *slash = path;
	int ret = 0;

	while (!ret && (slash = strchr(slash, '/'))) {
		folder.path = strndup(path, slash - path);
		if (!folder.path)
			return -ENOMEM;
		if (tree_find(tree, folder.path))
			free(folder.path);
		else
			ret = tree_put(tree, &folder);
		slash++;
	}
	return ret;
}

/* ---- the archive ---- */

struct pack {
	char *data;
	size_t size;
	size_t room;
	uint32_t number;
};

static int pack_bytes(struct pack *pack, const void *from, uint64_t size)
{
	uint64_t end = pack->size + size, padded = (end + 3) / 4 * 4;
	size_t room = pack->room ? pack->room : 1 << 20;
	char *more;

	if (padded > TREE_LARGEST)
		return -EFBIG;
	while (room < padded)
		room += room / 2;
	if (room != pack->room) {
		more = realloc(pack->data, room);
		if (!more)
			return -ENOMEM;
		pack->data = more;
		pack->room = room;
	}
	if (size)
		memcpy(pack->data + pack->size, from, size);
	memset(pack->data + end, 0, padded - end);
	pack->size = padded;
	return 0;
}

static int pack_entry(struct pack *pack, const struct node *entry)
{
	size_t name_len = strlen(entry->path) + 1;
	char head[111];
	char *name;
	int ret;

	snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		 ++pack->number, entry->mode, entry->uid, entry->gid, 1U, entry->mtime,
		 (uint32_t)entry->size, 0U, 0U, entry->major, entry->minor,
		 (uint32_t)name_len, 0U);
	/* Head and name are padded together. */
	name = malloc(sizeof(head) - 1 + name_len);
	if (!name)
		return -ENOMEM;
	memcpy(name, head, sizeof(head) - 1);
	memcpy(name + sizeof(head) - 1, entry->path, name_len);
	ret = pack_bytes(pack, name, sizeof(head) - 1 + name_len);
	free(name);
	return ret ? ret : pack_bytes(pack, entry->data, entry->size);
}

/**
 * tree_pack() - make an archive of a tree, which is empty then
 * @tree: the tree
 * @data: out: the archive, to be freed
 * @size: out: its size
 *
 * Return: 0, -ENOMEM or -EFBIG
 */
int tree_pack(struct tree *tree, void **data, size_t *size)
{
	const struct node end = { .path = (char *)"TRAILER!!!" };
	struct list list = { .tree = tree };
	struct pack pack = {};
	int ret = 0;
	size_t i;

	twalk_r(tree->root, look, &list);
	if (list.failed)
		ret = -ENOMEM;
	for (i = 0; !ret && i < list.nr; i++) {
		/* The root is there already. */
		if (*list.found[i]->path)
			ret = pack_entry(&pack, list.found[i]);
		free(list.found[i]->data);
		list.found[i]->data = NULL;
	}
	free(list.found);
	if (!ret)
		ret = pack_entry(&pack, &end);
	tree_free(tree);
	if (ret)
		free(pack.data);
	*data = ret ? NULL : pack.data;
	*size = ret ? 0 : pack.size;
	return ret;
}

void tree_free(struct tree *tree)
{
	tdestroy(tree->root, entry_free);
	*tree = (struct tree) {};
}
