// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run boot --rootfs: an image in an OCI layout, a folder with index.json and blobs. Its
 * layers are archives, put one on the other; a file ".wh.NAME" takes NAME away from those
 * below, ".wh..wh..opq" all that its folder has there.
 *
 * libarchive reads the layers. It is loaded when it is needed: hlk-run is to start
 * where it is not.
 */
#include <cjson/cJSON.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include "../fail.h"
#include "../input.h"
#include "oci.h"

#define LARGEST_JSON	(4U << 20)
#define MAX_LAYERS	512
#define MAX_NESTED	4
#define WHITEOUT	".wh."
#define OPAQUE		".wh..wh..opq"

#ifndef HAVE_LIBARCHIVE

int oci_read(struct tree *tree, const char *name, bool is64)
{
	(void)tree;
	(void)is64;
	return input_fail(name, "this hlk-run was built without libarchive, which OCI images want");
}

#else

/* Functions of libarchive, by their own names */
struct library {
	__typeof__(archive_read_new) *archive_read_new;
	__typeof__(archive_read_free) *archive_read_free;
	__typeof__(archive_read_support_filter_gzip) *archive_read_support_filter_gzip;
	__typeof__(archive_read_support_filter_zstd) *archive_read_support_filter_zstd;
	__typeof__(archive_read_support_format_tar) *archive_read_support_format_tar;
	__typeof__(archive_read_open_fd) *archive_read_open_fd;
	__typeof__(archive_read_next_header) *archive_read_next_header;
	__typeof__(archive_read_data) *archive_read_data;
	__typeof__(archive_error_string) *archive_error_string;
	__typeof__(archive_entry_pathname) *archive_entry_pathname;
	__typeof__(archive_entry_hardlink) *archive_entry_hardlink;
	__typeof__(archive_entry_symlink) *archive_entry_symlink;
	__typeof__(archive_entry_mode) *archive_entry_mode;
	__typeof__(archive_entry_uid) *archive_entry_uid;
	__typeof__(archive_entry_gid) *archive_entry_gid;
	__typeof__(archive_entry_mtime) *archive_entry_mtime;
	__typeof__(archive_entry_rdevmajor) *archive_entry_rdevmajor;
	__typeof__(archive_entry_rdevminor) *archive_entry_rdevminor;
};

#define SYMBOL(name)	{ #name, offsetof(struct library, name) }

static const struct {
	const char *name;
	size_t at;
} symbols[] = {
	SYMBOL(archive_read_new),
	SYMBOL(archive_read_free),
	SYMBOL(archive_read_support_filter_gzip),
	SYMBOL(archive_read_support_filter_zstd),
	SYMBOL(archive_read_support_format_tar),
	SYMBOL(archive_read_open_fd),
	SYMBOL(archive_read_next_header),
	SYMBOL(archive_read_data),
	SYMBOL(archive_error_string),
	SYMBOL(archive_entry_pathname),
	SYMBOL(archive_entry_hardlink),
	SYMBOL(archive_entry_symlink),
	SYMBOL(archive_entry_mode),
	SYMBOL(archive_entry_uid),
	SYMBOL(archive_entry_gid),
	SYMBOL(archive_entry_mtime),
	SYMBOL(archive_entry_rdevmajor),
	SYMBOL(archive_entry_rdevminor),
};

static bool load(struct library *lib, const char *name)
{
	void *handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
	void *found = handle;
	size_t i;

	for (i = 0; found && i < sizeof(symbols) / sizeof(*symbols); i++) {
		found = dlsym(handle, symbols[i].name);
		memcpy((char *)lib + symbols[i].at, &found, sizeof(found));
	}
	if (!found)
		input_fail(name, "OCI images want libarchive.so.13");
	return found;
}

/**
 * struct layer - one that is being read
 * @lib: the library
 * @archive: the archive
 * @tree: where it goes
 * @name: its file
 */
struct layer {
	const struct library *lib;
	struct archive *archive;
	struct tree *tree;
	const char *name;
};

static int fail_put(const struct layer *layer, int ret)
{
	if (ret == -EFBIG)
		return input_fail(layer->name, "4 GiB are the most of an initrd");
	return ret ? input_fail(layer->name, strerror(-ret)) : RUN_OK;
}

static int fail_path(const struct layer *layer)
{
	return input_fail(layer->name, errno == EINVAL ? "a path leads out of the image" :
			  strerror(errno));
}

/* What it says of its size is not believed: a few bytes can say that they are terabytes. */
static int read_data(const struct layer *layer, struct node *entry)
{
	size_t room = 0;
	unsigned char *more;
	la_ssize_t got;

	for (;;) {
		if (entry->size == room) {
			room = room ? 2 * room : 16384;
			more = room <= TREE_LARGEST ? realloc(entry->data, room) : NULL;
			if (!more)
				return input_fail(layer->name, "a file is too large");
			entry->data = more;
		}
		got = layer->lib->archive_read_data(layer->archive,
						    entry->data + entry->size,
						    room - entry->size);
		if (got < 0)
			return input_fail(layer->name,
				layer->lib->archive_error_string(layer->archive));
		if (!got)
			return RUN_OK;
		entry->size += got;
	}
}

static int copy_data(struct node *entry, const void *data, size_t size)
{
	entry->data = malloc(size ? size : 1);
	if (!entry->data)
		return -ENOMEM;
	memcpy(entry->data, data, size);
	entry->size = size;
	return 0;
}

/* A hard link is a copy: an initrd has no use for the difference. */
static int copy_link(const struct layer *layer, struct node *entry, const char *to)
{
	char *path = tree_path(to);
	const struct node *from;

	if (!path)
		return fail_path(layer);
	from = tree_find(layer->tree, path);
	free(path);
	if (!from || S_ISDIR(from->mode))
		return input_fail(layer->name, "a hard link leads to nothing");
	entry->mode = from->mode;
	entry->uid = from->uid;
	entry->gid = from->gid;
	entry->mtime = from->mtime;
	entry->major = from->major;
	entry->minor = from->minor;
	return fail_put(layer, copy_data(entry, from->data, from->size));
}

static int fill(const struct layer *layer, struct archive_entry *from,
		struct node *entry)
{
	const struct library *lib = layer->lib;
	const char *link = lib->archive_entry_hardlink(from);

	if (link)
		return copy_link(layer, entry, link);
	entry->mode = lib->archive_entry_mode(from);
	entry->uid = lib->archive_entry_uid(from);
	entry->gid = lib->archive_entry_gid(from);
	entry->mtime = lib->archive_entry_mtime(from);
	if (S_ISCHR(entry->mode) || S_ISBLK(entry->mode)) {
		entry->major = lib->archive_entry_rdevmajor(from);
		entry->minor = lib->archive_entry_rdevminor(from);
	}
	if (S_ISLNK(entry->mode)) {
		link = lib->archive_entry_symlink(from);
		if (!link)
			return input_fail(layer->name, "a symbolic link leads nowhere");
		return fail_put(layer, copy_data(entry, link, strlen(link)));
	}
	return S_ISREG(entry->mode) ? read_data(layer, entry) : RUN_OK;
}

/* A folder's own name in @path is changed. */
static void take_away(const struct layer *layer, char *path)
{
	char *slash = strrchr(path, '/');
	char *last = slash ? slash + 1 : path;

	if (!strcmp(last, OPAQUE)) {
		*(slash ? slash : path) = '\0';
		tree_hide(layer->tree, path, false);
		return;
	}
	memmove(last, last + strlen(WHITEOUT), strlen(last) + 1 - strlen(WHITEOUT));
	tree_hide(layer->tree, path, true);
}

static int take(const struct layer *layer, struct archive_entry *from)
{
	const char *name = layer->lib->archive_entry_pathname(from);
	struct node entry = {};
	const char *slash;
	int ret;

	if (!name)
		return input_fail(layer->name, "a path is none");
	entry.path = tree_path(name);
	if (!entry.path)
		return fail_path(layer);
	slash = strrchr(entry.path, '/');
	if (!strncmp(slash ? slash + 1 : entry.path, WHITEOUT, strlen(WHITEOUT))) {
		take_away(layer, entry.path);
		free(entry.path);
		return RUN_OK;
	}
	ret = fill(layer, from, &entry);
	if (!ret)
		ret = fail_put(layer, tree_folders(layer->tree, entry.path));
	if (ret || S_ISSOCK(entry.mode)) {
		free(entry.path);
		free(entry.data);
		return ret;
	}
	return fail_put(layer, tree_put(layer->tree, &entry));
}

static int take_all(const struct layer *layer)
{
	struct archive_entry *from;
	int ret = RUN_OK, got;

	for (;;) {
		got = layer->lib->archive_read_next_header(layer->archive, &from);
		if (got == ARCHIVE_EOF)
			return RUN_OK;
		if (got < ARCHIVE_WARN)
			return input_fail(layer->name,
				layer->lib->archive_error_string(layer->archive));
		ret = take(layer, from);
		if (ret)
			return ret;
	}
}

/*
 * What layers may be packed by. For all else that it knows, libarchive may start programs, by
 * what the file says it is; and for these, where it was built without, which it warns of.
 */
static bool add_filters(const struct layer *layer)
{
	return layer->lib->archive_read_support_filter_gzip(layer->archive) == ARCHIVE_OK &&
	       layer->lib->archive_read_support_filter_zstd(layer->archive) == ARCHIVE_OK;
}

static int read_from(const struct layer *layer, int fd)
{
	const struct library *lib = layer->lib;

	if (!add_filters(layer))
		return input_fail(layer->name, "this libarchive has not both of gzip and zstd");
	lib->archive_read_support_format_tar(layer->archive);
	if (lib->archive_read_open_fd(layer->archive, fd, 65536))
		return input_fail(layer->name, lib->archive_error_string(layer->archive));
	return take_all(layer);
}

static int read_open(struct layer *layer, int fd)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return input_fail(layer->name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return input_fail(layer->name, "not a regular file");
	layer->archive = layer->lib->archive_read_new();
	if (!layer->archive)
		return input_fail(layer->name, "out of memory");
	ret = read_from(layer, fd);
	layer->lib->archive_read_free(layer->archive);
	return ret;
}

static int read_layer(const struct library *lib, struct tree *tree, const char *path)
{
	struct layer layer = { .lib = lib, .tree = tree, .name = path };
	/* A FIFO is not waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return input_fail(path, strerror(errno));
	ret = read_open(&layer, fd);
	close(fd);
	return ret;
}

/* ---- which layers ---- */

static struct cJSON *read_json(const char *path)
{
	struct cJSON *json;
	size_t size = 0;
	void *text;

	if (input_open(path, path, LARGEST_JSON, &text, &size))
		return NULL;
	json = cJSON_ParseWithLength(text, size);
	free(text);
	if (!json)
		input_fail(path, "not JSON");
	return json;
}

static const char *text_of(const struct cJSON *from, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(from, name));

	return text ? text : "";
}

/* A digest names a file: it is letters and digits, and nothing else. */
static char *blob_path(const char *name, const struct cJSON *descriptor)
{
	static const char fine[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *digest = text_of(descriptor, "digest");
	size_t kind = strspn(digest, fine);
	char *path;

	if (!kind || digest[kind] != ':' || !digest[kind + 1] ||
	    digest[kind + 1 + strspn(digest + kind + 1, fine)]) {
		input_fail(name, "a digest is none");
		return NULL;
	}
	if (asprintf(&path, "%s/blobs/%.*s/%s", name, (int)kind, digest,
		     digest + kind + 1) < 0) {
		input_fail(name, "out of memory");
		return NULL;
	}
	return path;
}

/* The one for this kernel, or the first if none says what it is for */
static const struct cJSON *pick(const struct cJSON *index, bool is64)
{
	const struct cJSON *all = cJSON_GetObjectItemCaseSensitive(index, "manifests");
	const struct cJSON *first = NULL, *one;
	const char *arch;

	cJSON_ArrayForEach(one, all) {
		arch = text_of(cJSON_GetObjectItemCaseSensitive(one, "platform"),
			       "architecture");
		if (!strcmp(arch, is64 ? "amd64" : "386"))
			return one;
		if (!*arch && !first)
			first = one;
	}
	return first;
}

static struct cJSON *find_manifest(const char *name, bool is64)
{
	struct cJSON *json, *next;
	char *path;
	int i;

	if (asprintf(&path, "%s/index.json", name) < 0)
		return NULL;
	json = read_json(path);
	free(path);
	for (i = 0; json && i < MAX_NESTED; i++) {
		if (cJSON_GetObjectItemCaseSensitive(json, "layers"))
			return json;
		if (!pick(json, is64)) {
			input_fail(name, is64 ? "it has no image for amd64" :
						 "it has no image for 386");
			break;
		}
		path = blob_path(name, pick(json, is64));
		next = path ? read_json(path) : NULL;
		free(path);
		cJSON_Delete(json);
		json = next;
	}
	cJSON_Delete(json);
	return NULL;
}

/**
 * oci_read() - read an image
 * @tree: out: what is in it
 * @name: the layout's folder
 * @is64: for a kernel of 64 bits
 *
 * Return: RUN_OK, or RUN_FILE after the reason was printed
 */
int oci_read(struct tree *tree, const char *name, bool is64)
{
	const struct cJSON *layers, *one;
	struct library lib;
	struct cJSON *manifest;
	int ret = RUN_OK;
	char *path;

	if (!load(&lib, name))
		return RUN_FILE;
	manifest = find_manifest(name, is64);
	if (!manifest)
		return RUN_FILE;
	layers = cJSON_GetObjectItemCaseSensitive(manifest, "layers");
	if (cJSON_GetArraySize(layers) > MAX_LAYERS)
		ret = input_fail(name, "it has too many layers");
	cJSON_ArrayForEach(one, layers) {
		if (ret)
			break;
		path = blob_path(name, one);
		tree->layer++;
		ret = path ? read_layer(&lib, tree, path) : RUN_FILE;
		free(path);
	}
	cJSON_Delete(manifest);
	return ret;
}

#endif
