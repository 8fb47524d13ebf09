// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Snapshots in files: writing an OCI image layout.
 *
 * A file is written under a name of its own, brought to the disk, and then renamed to its
 * digest. The last one is index.json, so at each moment it names what is there as a whole:
 * the snapshot of before, or the new one. Who saves has the folder locked, so what was
 * begun and is there without the lock is of somebody who was killed, and is removed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "saved.h"

#define TEMP	".hlk-"
#define PAGE	4096

static const char op[] = "cannot save the snapshot";

static int fail(struct hlk_err *err, const char *file)
{
	int ret = hlk_err_saved_system(err, file);

	if (err)
		err->op = op;
	return ret;
}

/* A name of a snapshot, as OCI has it, without what other tools take for something else */
bool hlk_tag_good(const char *tag)
{
	static const char fine[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
	size_t len = strlen(tag);

	return len && len <= 127 && strspn(tag, fine) == len && *tag != '.' && *tag != '-';
}

static int make_folder(int dir, const char *path, int *fd, struct hlk_err *err)
{
	if (mkdirat(dir, path, 0777) && errno != EEXIST)
		return fail(err, path);
	*fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *fd < 0 ? fail(err, path) : 0;
}

/* The name of a new folder is in the one that holds it. */
static int sync_above(const struct hlk_oci *oci, struct hlk_err *err)
{
	int fd = openat(oci->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	/* who may make one there need not be one who may read */
	if (fd < 0 && errno == EACCES)
		return syncfs(oci->dir) ? fail(err, oci->name) : 0;
	ret = fd < 0 || fsync(fd) ? fail(err, oci->name) : 0;
	if (fd >= 0)
		close(fd);
	return ret;
}

static bool is_temp(const char *name)
{
	return !strncmp(name, TEMP, strlen(TEMP));
}

/* What others who were killed left; *@alien is something else, if there is any */
static int clean(const struct hlk_oci *oci, bool *alien, struct hlk_err *err)
{
	int fd = openat(oci->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	*alien = false;
	if (!dir) {
		ret = fail(err, oci->name);
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while ((entry = readdir(dir))) {
		if (is_temp(entry->d_name))
			unlinkat(oci->dir, entry->d_name, 0);
		else if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
			 strcmp(entry->d_name, "lost+found"))
			*alien = true;
	}
	closedir(dir);
	return 0;
}

static int write_all(int fd, const void *data, size_t size)
{
	ssize_t part;

	while (size) {
		part = write(fd, data, size);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return -1;
		data = (const char *)data + part;
		size -= part;
	}
	return 0;
}

/**
 * hlk_oci_temp() - begin a file
 * @oci: the folder
 * @temp: out: its name until it is whole
 * @fd: out: the file
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_oci_temp(struct hlk_oci *oci, char temp[HLK_OCI_TEMP], int *fd,
		 struct hlk_err *err)
{
	snprintf(temp, HLK_OCI_TEMP, TEMP "%u", oci->nr_temps++);
	*fd = openat(oci->dir, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	return *fd < 0 ? fail(err, temp) : 0;
}

/* Give up a file that was begun */
void hlk_oci_drop(struct hlk_oci *oci, const char *temp, int fd)
{
	if (fd >= 0)
		close(fd);
	unlinkat(oci->dir, temp, 0);
}

/* Where the file system can, nobody can change it any more; where not, it stays as it is. */
static void seal(int dir, const char *temp)
{
	struct fsverity_enable_arg arg = {
		.version = 1,
		.hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
		.block_size = PAGE,
	};
	int fd = openat(dir, temp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return;
	while (ioctl(fd, FS_IOC_ENABLE_VERITY, &arg) && errno == EINTR)
		;
	close(fd);
}

static int finish(struct hlk_oci *oci, const char *temp, int fd, int to, const char *path,
		  bool verity, struct hlk_err *err)
{
	int ret = fsync(fd) ? fail(err, path) : 0;

	/* An error that comes only now is one, too. */
	if (close(fd) && !ret)
		ret = fail(err, path);
	if (!ret && verity)
		seal(oci->dir, temp);
	if (!ret && renameat(oci->dir, temp, to, path))
		ret = fail(err, path);
	if (ret)
		hlk_oci_drop(oci, temp, -1);
	return ret;
}

/**
 * hlk_oci_commit() - give a file its place
 * @oci: the folder
 * @temp: its name
 * @fd: the file; it is closed
 * @blob: what it is
 * @verity: nobody is to change it any more
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno; the file is gone then
 */
int hlk_oci_commit(struct hlk_oci *oci, const char *temp, int fd,
		   const struct hlk_blob *blob, bool verity, struct hlk_err *err)
{
	char text[HLK_DIGEST_TEXT];

	hlk_digest_text(&blob->digest, text);
	return finish(oci, temp, fd, oci->blobs, text + strlen("sha256:"), verity, err);
}

/**
 * hlk_oci_put() - write a blob
 * @oci: the folder
 * @blob: its kind and size; out: its digest
 * @data: what is in it
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_oci_put(struct hlk_oci *oci, struct hlk_blob *blob, const void *data,
		struct hlk_err *err)
{
	char temp[HLK_OCI_TEMP], name[HLK_OCI_TEMP];
	int fd, ret;

	hlk_digest_of(data, blob->size, &blob->digest);
	ret = hlk_oci_temp(oci, temp, &fd, err);
	if (ret)
		return ret;
	if (!write_all(fd, data, blob->size))
		return hlk_oci_commit(oci, temp, fd, blob, false, err);
	ret = fail(err, hlk_blob_name(blob, name));
	hlk_oci_drop(oci, temp, fd);
	return ret;
}

/* A file of the folder itself, in place of the one that may be there */
static int replace(struct hlk_oci *oci, const char *path, const char *text, size_t size,
		   struct hlk_err *err)
{
	char temp[HLK_OCI_TEMP];
	int fd, ret;

	ret = hlk_oci_temp(oci, temp, &fd, err);
	if (ret)
		return ret;
	if (write_all(fd, text, size)) {
		ret = fail(err, path);
		hlk_oci_drop(oci, temp, fd);
		return ret;
	}
	ret = finish(oci, temp, fd, oci->dir, path, false, err);
	if (!ret && fsync(oci->dir))
		ret = fail(err, path);
	return ret;
}

static int begin(struct hlk_oci *oci, struct hlk_err *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	bool alien;
	int fd, ret;

	while (flock(oci->dir, LOCK_EX))
		if (errno != EINTR)
			return fail(err, oci->name);
	ret = clean(oci, &alien, err);
	if (ret)
		return ret;
	if (faccessat(oci->dir, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW)) {
		if (alien)
			return hlk_err_saved(err, ENOTEMPTY, oci->name,
					     "there is something, and no OCI layout");
		ret = sync_above(oci, err);
		if (!ret)
			ret = replace(oci, "oci-layout", layout, strlen(layout), err);
		if (ret)
			return ret;
	}
	ret = make_folder(oci->dir, "blobs", &fd, err);
	if (ret)
		return ret;
	ret = make_folder(fd, "sha256", &oci->blobs, err);
	if (!ret && fsync(fd))
		ret = fail(err, "blobs");
	close(fd);
	return ret;
}

/**
 * hlk_oci_create() - open a folder to write to it, and make it if it is not there
 * @oci: out: the folder, locked until it is closed
 * @name: its name; kept
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_oci_create(struct hlk_oci *oci, const char *name, struct hlk_err *err)
{
	int ret;

	*oci = (struct hlk_oci) { .name = name, .dir = -1, .blobs = -1 };
	/* All of a guest's memory will be in it. One that is there is as its owner wants it. */
	if (mkdir(name, 0700) && errno != EEXIST)
		return fail(err, name);
	oci->dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (oci->dir < 0)
		return fail(err, name);
	ret = begin(oci, err);
	if (ret)
		hlk_oci_close(oci);
	return ret;
}

/* ---- JSON ---- */

static void print_blob(FILE *file, const char *type, const struct hlk_blob *blob)
{
	char text[HLK_DIGEST_TEXT];

	hlk_digest_text(&blob->digest, text);
	fprintf(file, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%" PRIu64, type,
		text, blob->size);
}

static void print_manifest(FILE *file, const struct hlk_manifest *manifest)
{
	static const char * const types[] = {
		[HLK_BLOB_INDEX] = HLK_TYPE_INDEX,
		[HLK_BLOB_PAGES] = HLK_TYPE_PAGES,
		[HLK_BLOB_ZSTD] = HLK_TYPE_ZSTD,
		[HLK_BLOB_TOUCHED] = HLK_TYPE_TOUCHED,
	};
	uint32_t i;

	fprintf(file, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"artifactType\":\"%s\",\"config\":",
		HLK_TYPE_MANIFEST, HLK_TYPE_ARTIFACT);
	print_blob(file, HLK_TYPE_CONFIG, &manifest->config);
	fprintf(file, "},\"layers\":[");
	for (i = 0; i < manifest->nr; i++) {
		if (i)
			fputc(',', file);
		print_blob(file, types[manifest->layers[i].kind], &manifest->layers[i]);
		fputc('}', file);
	}
	fprintf(file, "]}");
}

/* What was printed to memory; NULL without some */
static char *printed(FILE *file, char **text)
{
	if (!file)
		return NULL;
	if (fclose(file)) {
		free(*text);
		return NULL;
	}
	return *text;
}

/**
 * hlk_oci_put_manifest() - write a manifest
 * @oci: the folder
 * @manifest: the manifest; out: its digest
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_oci_put_manifest(struct hlk_oci *oci, struct hlk_manifest *manifest,
			 struct hlk_err *err)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	int ret;

	if (file)
		print_manifest(file, manifest);
	if (!printed(file, &text))
		return hlk_err_system(err, op);
	manifest->self = (struct hlk_blob) { .kind = HLK_BLOB_MANIFEST, .size = size };
	ret = hlk_oci_put(oci, &manifest->self, text, err);
	free(text);
	return ret;
}

static bool has_tag(const struct hlk_json *descriptor, const char *tag)
{
	struct hlk_json annotations;

	return hlk_json_member(descriptor, "annotations", &annotations) &&
	       hlk_json_is(&annotations, "org.opencontainers.image.ref.name", tag);
}

/* Other snapshots stay as they are, to the byte. */
static void print_others(FILE *file, const struct hlk_json *index, const char *tag)
{
	struct hlk_json all, one;
	size_t at = 0;

	if (!hlk_json_member(index, "manifests", &all))
		return;
	while (hlk_json_next(&all, &at, &one))
		if (!has_tag(&one, tag))
			fprintf(file, "%.*s,", (int)one.len, one.text);
}

static void print_index(FILE *file, const struct hlk_json *before, const char *tag,
			const struct hlk_manifest *manifest)
{
	fprintf(file, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[");
	print_others(file, before, tag);
	print_blob(file, HLK_TYPE_MANIFEST, &manifest->self);
	fprintf(file, ",\"artifactType\":\"%s\",\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}}]}",
		HLK_TYPE_ARTIFACT, tag);
}

/**
 * hlk_oci_publish() - have index.json name a snapshot, when all of it is there
 * @oci: the folder
 * @tag: its name; another one of that name goes
 * @manifest: its manifest
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno: index.json is as it was
 */
int hlk_oci_publish(struct hlk_oci *oci, const char *tag,
		    const struct hlk_manifest *manifest, struct hlk_err *err)
{
	struct hlk_json before = { .text = "{}", .len = 2 }, all;
	char *old = NULL, *text = NULL;
	size_t size = 0;
	FILE *file;
	int ret;

	/* Names of blobs are on the disk before what leads to them. */
	if (fsync(oci->blobs) || fsync(oci->dir))
		return fail(err, oci->name);
	ret = hlk_oci_read_json(oci, "index.json", &old, &before, err);
	if (ret && ret != -ENOENT)
		return ret;
	/* what cannot be read is not written over */
	if (!ret && (!hlk_json_member(&before, "manifests", &all) || *all.text != '[')) {
		free(old);
		return hlk_err_saved(err, EINVAL, "index.json", "there are no manifests");
	}
	file = open_memstream(&text, &size);
	if (file)
		print_index(file, &before, tag, manifest);
	free(old);
	if (!printed(file, &text))
		return hlk_err_system(err, op);
	if (size > HLK_OCI_LARGEST_JSON)
		ret = hlk_err_saved(err, EFBIG, "index.json", "no room for another name");
	else
		ret = replace(oci, "index.json", text, size, err);
	free(text);
	return ret;
}
